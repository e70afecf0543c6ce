"""A window in sub-windows: never one over, in a few hundred bytes, however large the limit is."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

from mailflows._stores._meter import SLACK, Meter

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BucketMeter"]

# choice: a sixty-fourth is 1.6 %, in less than 512 bytes a key
BUCKETS = 64
"""Sub-windows of a period. A unit counts until its whole sub-window has left the period, so it counts for at
most a sixty-fourth too long."""

_HEAD = struct.Struct("<q")
_ONE = struct.Struct("<qHI")  # a state of one sub-window, as most are
# by definition: 2 bytes of distance, 4 of units
_SIZE = 6
# by definition: the largest number of 2 bytes
_FARTHEST = 0xFFFF
# by definition: the largest number of 4 bytes
_MOST = 0xFFFFFFFF

Counts = list[tuple[int, int]]
"""Numbers of sub-windows since the epoch, each with its units, oldest first."""


class BucketMeter(Meter):
    """Allows at most *limit* units in any *period* seconds; a unit may count up to 1/64 too long.

    The state holds how many units each of at most 65 sub-windows had: 8 bytes, and 6 for each.

    Args:
        meter_id: Identity.
        limit: Units per period.
        period: Seconds.
        strict: Whether refused attempts count, too.
    """

    __slots__ = ("width",)

    def __init__(self, meter_id: str, limit: int, period: float, *, strict: bool = False) -> None:
        self.width = period / BUCKETS
        super().__init__(meter_id, limit, period + self.width, strict=strict)
        self.lag = self.width

    def _live(self, state: bytes | None, now: float) -> Counts:
        """Return the sub-windows that still count, and those of moments that are booked."""
        if not state:
            return []
        if len(state) == _ONE.size:
            base, _, count = _ONE.unpack(state)
            lives = base >= math.floor((now + SLACK) / self.width) - BUCKETS
            return [(base, count)] if lives else []
        (base,) = _HEAD.unpack_from(state)
        numbers = struct.unpack_from(f"<{'HI' * ((len(state) - _HEAD.size) // _SIZE)}", state, _HEAD.size)
        oldest = math.floor((now + SLACK) / self.width) - BUCKETS
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return [(base + offset, count) for offset, count in pairs if base + offset >= oldest]

    def wait(self, state: bytes | None, now: float, amount: int) -> float:
        """See `Meter.wait`."""
        if amount > self.capacity:
            return math.inf
        if amount <= 0:
            return 0.0
        live = self._live(state, now)
        surplus = sum([count for _, count in live]) + amount - self.capacity
        for index, count in live:
            if surplus <= 0:
                break
            surplus -= count
            if surplus <= 0:
                return max(0.0, (index + BUCKETS + 1) * self.width - now)
        return 0.0

    def take(self, state: bytes | None, now: float, amount: int) -> bytes | None:
        """See `Meter.take`."""
        index = int(now // self.width)
        if state is None:
            return (
                _ONE.pack(index, 0, amount) if 0 < amount <= self.capacity else self._take([], index, amount)
            )
        if len(state) == _ONE.size:
            base, _, count = _ONE.unpack(state)
            if base == index and amount > 0:
                total = count + amount
                return _ONE.pack(base, 0, total) if total <= self.capacity else None
        return self._take(self._live(state, now), index, amount)

    def _take(self, live: Counts, index: int, amount: int) -> bytes | None:
        if amount > 0 and sum([count for _, count in live]) + amount > self.capacity:
            return None
        return _packed(_added(live, index, amount))

    def spend(
        self,
        state: bytes | None,
        now: float,
        amount: int,
        at: float,  # noqa: ARG002
        stamp: float,
    ) -> bytes:
        """See `Meter.spend`; what counts now goes on doing so when a moment to come is booked."""
        return _packed(_added(self._live(state, now), math.floor(stamp / self.width), amount))

    def settle(  # noqa: PLR0913
        self, state: bytes | None, now: float, amount: int, at: float, stamp: float, *, keep: bool
    ) -> bytes:
        """See `Meter.settle`; what is kept after its lease has ended counts from the moment it was spent."""
        written = math.floor(stamp / self.width)
        left = [(i, count - amount if i == written else count) for i, count in self._live(state, now)]
        live = [(i, count) for i, count in left if count > 0]
        return _packed(_added(live, math.floor(at / self.width), amount) if keep else live)

    def overspend(self, state: bytes | None, now: float, amount: int) -> bytes:
        """See `Meter.overspend`; more than the capacity at once is as bad as the capacity."""
        present = math.floor(now / self.width)
        live = _added(self._live(state, now), present, min(amount, self.capacity))
        surplus = sum(count for index, count in live if index <= present) - self.capacity
        kept = []
        for index, count in live:
            dropped = min(count, max(0, surplus)) if index <= present else 0
            surplus -= dropped
            if count > dropped:
                kept.append((index, count - dropped))
        return _packed(kept)

    def part(self, share: float) -> BucketMeter:
        """See `Meter.part`."""
        period = self.width * BUCKETS
        return BucketMeter(self.id, max(1, int(self.capacity * share)), period, strict=self.strict)

    def reading(self, state: bytes | None, now: float) -> tuple[float, float]:
        """See `Meter.reading`."""
        live = self._live(state, now)
        if not live:
            return 0, 0.0
        empty_at = (live[-1][0] + BUCKETS + 1) * self.width
        return sum(count for _, count in live), max(0.0, empty_at - now)


def _added(live: Counts, index: int, amount: int) -> Counts:
    """Return counts with one more."""
    if amount <= 0:
        return live
    if live and live[-1][0] == index:
        live[-1] = index, live[-1][1] + amount
        return live
    found = dict(live)
    found[index] = found.get(index, 0) + amount
    return sorted(found.items())


def _packed(live: Iterable[tuple[int, int]]) -> bytes:
    """Return counts in 8 bytes, and 6 for each."""
    pairs = list(live)
    if not pairs:
        return b""
    base = pairs[0][0]
    flat = [n for index, count in pairs for n in (min(index - base, _FARTHEST), min(count, _MOST))]
    return struct.pack(f"<q{'HI' * len(pairs)}", base, *flat)
