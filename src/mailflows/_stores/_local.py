"""Counting in this process while the store is down: a share of what was left, never a fresh quota."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from mailflows._stores._memory import MemoryStore
from mailflows._stores._meter import DistinctMeter, GcraMeter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailflows._clock import Timer
    from mailflows._stores._meter import Meter
    from mailflows._stores._store import Charge, Outcome

__all__ = ["LocalShare"]

# bound: 10 MB
REMEMBERED = 20_000
"""Keys of which is remembered how they stood; about 500 bytes each, so 10 MB at most."""


class LocalShare:
    """Decides without the store, by a share of each limit.

    Other processes lose the store at the same moment and do the same, so each one takes a part only, and of
    what was left when it last saw the store.

    Args:
        share: The part of each limit, above 0 and at most 1.
        timer: Returns monotonic seconds.
    """

    def __init__(self, share: float, *, timer: Timer = time.monotonic) -> None:
        self._share = share
        self._timer = timer
        self._memory = MemoryStore(clock=timer)
        self._meters: dict[str, Meter] = {}
        self._new: dict[tuple[str, str], tuple[Outcome, int, float]] = {}
        self._old: dict[tuple[str, str], tuple[Outcome, int, float]] = {}

    def see(self, outcome: Outcome) -> None:
        """Remember how the store said that keys stand."""
        now = self._timer()
        for place, (meter, key, _) in enumerate(outcome.charges):
            self._new[meter.id, key] = outcome, place, now
        if len(self._new) >= REMEMBERED // 2:
            self._old, self._new = self._new, {}

    def decide(self, charges: Sequence[Charge], **how: Any) -> Outcome:
        """Decide as `Store.decide`."""
        small: list[Charge] = [(self._small(meter), key, amount) for meter, key, amount in charges]
        for (meter, key, _), (part, _, _) in zip(charges, small, strict=True):
            self._take_over(meter, part, key)
        return self._memory.decide(small, **how)

    def settle(self, outcome: Outcome, *, keep: bool) -> None:
        """Settle as `Store.settle`."""
        self._memory.settle(outcome, keep=keep)

    def _small(self, meter: Meter) -> Meter:
        """Return a meter of the same identity that allows a part only."""
        small = self._meters.get(meter.id)
        if small is None:
            small = self._meters[meter.id] = meter.part(self._share)
        return small

    def _take_over(self, meter: Meter, small: Meter, key: str) -> None:
        """Count once, for each time that the store was seen, what others may have used since."""
        seen = self._new.pop((meter.id, key), None) or self._old.pop((meter.id, key), None)
        if seen is None:
            return
        used, empty_in, _ = seen[0].readings()[seen[1]]
        elapsed = self._timer() - seen[2]
        if elapsed >= empty_in:
            return
        if isinstance(meter, GcraMeter):
            used -= elapsed / meter.interval
        left = max(0.0, meter.capacity - used)
        taken = small.capacity - min(small.capacity, math.ceil(left * self._share - 1e-6))
        ((already, _, _),) = self._memory.decide([(small, key, _units(small, 0))], look=True).readings()
        if taken > already:
            amount = _units(small, math.ceil(taken - already))
            self._memory.decide([(small, key, amount)])


def _units(meter: Meter, number: int) -> int | tuple[str, ...]:
    """Return an amount of a number of units; of a distinct meter, values that nobody has."""
    if isinstance(meter, DistinctMeter):
        return tuple(f"\0{value}" for value in range(number))
    return number
