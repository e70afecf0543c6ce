"""Decisions while a store is down: by a share of each limit in this process, or by the policy."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mailflows._stores._documents import READING, Breaker, awaited, outage_of
from mailflows._stores._memory import MemoryStore
from mailflows._stores._meter import DistinctMeter, GcraMeter
from mailflows._stores._store import Outcome
from mailflows.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailflows._clock import Timer
    from mailflows._stores._meter import Meter
    from mailflows._stores._store import Charge, Store

__all__ = ["SHARE", "Fallback", "OnError"]

OnError: TypeAlias = Literal["local", "deny", "allow"]

# choice: a quarter, for the processes of a small server
SHARE = 0.25
"""Part of each limit that one process takes while the store is down: of the four or so that a server of two
processors runs (gunicorn advises 2 * processors + 1), together about the limit."""

# choice: the shortest Retry-After that HTTP can say (RFC 9110 section 10.2.3)
BUSY_PAUSE = 1.0
"""Retry-After in seconds when the store works but is busy."""

# bound: 10 MB
REMEMBERED = 20_000
"""Keys whose last state is remembered; about 500 bytes each, so 10 MB at most."""


class Fallback:
    """Uses a store, and decides in its place while it is down.

    A store that is only busy is not down: it is waited for as long as the store itself was told to, and then
    the attempt is refused, or allowed where that is the policy. It is never counted anew for that.

    Args:
        store: What to ask.
        on_error: ``local``, ``deny`` or ``allow``.
        share: The part of each limit that this process may use with ``local``.
        timer: Returns monotonic seconds, for the pauses.
    """

    def __init__(
        self, store: Store, *, on_error: OnError, share: float = SHARE, timer: Timer = time.monotonic
    ) -> None:
        if on_error not in {"local", "deny", "allow"}:
            msg = f"on_error= must be 'local', 'deny' or 'allow'; got {on_error!r}"
            raise ConfigurationError(msg, field="on_error")
        if not 0.0 < share <= 1.0:
            msg = f"share= must be a fraction above 0 and at most 1, such as 0.25; got {share!r}"
            raise ConfigurationError(msg, field="share")
        self._store = store
        self._on_error = on_error
        self._breaker = Breaker(store.name, outage=outage_of(store), timer=timer)
        self._is_lost = False
        self._never_fails = isinstance(store, MemoryStore)
        self._local = (
            _LocalShare(share, timer=timer) if on_error == "local" and not self._never_fails else None
        )

    def decide(self, charges: Sequence[Charge], **how: Any) -> tuple[Outcome, bool]:
        """Return the store's decision, or the policy's, and whether it was the policy's."""
        if self._never_fails:
            return self._store.decide(charges, **how), False
        ticket = self._breaker.ticket()
        if ticket is None:
            return self._instead(charges, how), True
        try:
            outcome = self._store.decide(charges, **how)
        except StoreError as problem:
            return self._failed(ticket, problem, charges, how)
        return self._answered(outcome, how), False

    async def adecide(self, charges: Sequence[Charge], **how: Any) -> tuple[Outcome, bool]:
        """Do the same without blocking the event loop."""
        ticket = self._breaker.ticket()
        if ticket is None:
            return self._instead(charges, how), True
        try:
            outcome = await awaited(self._store, "decide", charges, **how)
        except StoreError as problem:
            return self._failed(ticket, problem, charges, how)
        return self._answered(outcome, how), False

    def settle(self, outcome: Outcome, *, keep: bool, degraded: bool) -> None:
        """Settle where it was decided, once; if that cannot be done, a reservation ends with its lease."""
        ticket = self._may_settle(outcome, keep=keep, degraded=degraded)
        if ticket is None:
            return
        try:
            self._store.settle(outcome, keep=keep)
        except StoreError as problem:
            self._note(ticket, problem)

    async def asettle(self, outcome: Outcome, *, keep: bool, degraded: bool) -> None:
        """Do the same without blocking the event loop."""
        ticket = self._may_settle(outcome, keep=keep, degraded=degraded)
        if ticket is None:
            return
        try:
            await awaited(self._store, "settle", outcome, keep=keep)
        except StoreError as problem:
            self._note(ticket, problem)

    def _may_settle(self, outcome: Outcome, *, keep: bool, degraded: bool) -> int | None:
        """Return the breaker's ticket where the store is to be asked; settle what was decided here."""
        if outcome.is_settled:
            return None
        outcome.is_settled = True
        if not degraded:
            return self._breaker.ticket()
        if self._local is not None:
            self._local.settle(outcome, keep=keep)
        return None

    def _answered(self, outcome: Outcome, how: dict[str, Any]) -> Outcome:
        self._breaker.answered(what=READING if how.get("look") else "")
        self._is_lost = False
        if self._local is not None:
            self._local.see(outcome)
        return outcome

    def _failed(
        self, ticket: int, problem: StoreError, charges: Sequence[Charge], how: dict[str, Any]
    ) -> tuple[Outcome, bool]:
        """Return what is decided without the store, and whether it is the policy for one that is down."""
        self._note(ticket, problem)
        if not problem.is_busy:
            return self._instead(charges, how), True
        if self._on_error == "allow":
            return Outcome((), 0.0, 0.0, is_busy=True), True
        return Outcome((), 0.0, BUSY_PAUSE, is_busy=True), False

    def _note(self, ticket: int, problem: StoreError) -> None:
        if problem.is_busy:
            self._breaker.busy(problem)
        else:
            self._breaker.failed(ticket, problem)
        if problem.is_lost:
            self._is_lost = True

    def _instead(self, charges: Sequence[Charge], how: dict[str, Any]) -> Outcome:
        """Return what the policy says; where all counts are lost, counting anew would be a fresh quota."""
        if self._local is not None and not self._is_lost:
            return self._local.decide(charges, **how)
        if self._on_error == "allow":
            return Outcome((), 0.0, 0.0)
        return Outcome((), 0.0, max(1.0, self._breaker.pause))


class _LocalShare:
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
    """Return an amount of so many units; for a distinct meter, values that do not occur."""
    if isinstance(meter, DistinctMeter):
        return tuple(f"\0{value}" for value in range(number))
    return number
