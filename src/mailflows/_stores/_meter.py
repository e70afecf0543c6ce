"""Meters: the arithmetic of limits, as pure functions of a state and a moment.

A meter counts for one key. Its state is a plain value that a store keeps: a number, a tuple of times, or
a mapping of what was seen. Times are seconds of the store's own clock, which never goes back.

Each meter answers the same four questions:

* `wait`: how long until this amount fits: 0 now, infinity never;
* `spend`: the state after the amount was taken;
* `settle`: the state after what was reserved has been kept or given back;
* `reading`: how much is used, and when nothing will be.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right, insort
from typing import Any, TypeAlias

__all__ = ["SLACK", "Amount", "DistinctMeter", "GcraMeter", "Meter", "State", "WindowMeter"]

# bound: the drift of sums of doubles
SLACK = 1e-6
"""Seconds: sums of intervals drift by less, and no sender should lose the last message of a burst to that."""

# bound: the memory of a distinct meter
SAMPLE = 16_384
"""Values that a distinct meter remembers. Up to here it is exact; beyond, the standard error of a sample
of this size is 1/sqrt(16384) = 0.8 %."""

# by definition: two digits of a Python integer
HASH_BITS = 60
"""Bits of a value's hash: two digits of a Python integer, which takes 32 bytes."""

State: TypeAlias = "float | tuple[float, ...] | dict[int, float] | bytes"
"""What a store keeps for one meter and key."""

Amount: TypeAlias = "int | tuple[int, ...]"
"""What is taken: a number of units, or the hashes of the values that a distinct meter is to see."""


class Meter(ABC):
    """What every meter has: an identity that is the same in every process, and its arithmetic.

    Attributes:
        id: Identity of the rule, so that a changed rule, or another one, shares no state with it.
        capacity: Units that fit at once.
        span: Seconds after which a state no longer limits.
        strict: Whether refused attempts count, too.
        lag: Seconds for which a unit may count beyond its period.
    """

    __slots__ = ("capacity", "id", "lag", "span", "strict")

    def __init__(self, meter_id: str, capacity: int, span: float, *, strict: bool) -> None:
        self.id = meter_id
        self.capacity = capacity
        self.span = span
        self.strict = strict
        self.lag = 0.0

    @abstractmethod
    def wait(self, state: Any, now: float, amount: Any) -> float:
        """Return the seconds until *amount* fits; infinity if it never does."""

    @abstractmethod
    def spend(self, state: Any, now: float, amount: Any, at: float, stamp: float) -> Any:
        """Return the state after *amount* was taken *at* a moment, which is now or was booked.

        A reservation is written with an earlier *stamp*, so that it is forgotten when its lease ends.
        """

    @abstractmethod
    def settle(  # noqa: PLR0913 -- all that is known of what was spent
        self, state: Any, now: float, amount: Any, at: float, stamp: float, *, keep: bool
    ) -> Any:
        """Return the state after what was spent with *stamp* is kept for good, or given back."""

    @abstractmethod
    def overspend(self, state: Any, now: float, amount: Any) -> Any:
        """Return the state after a refused attempt that counts, too."""

    @abstractmethod
    def reading(self, state: Any, now: float) -> tuple[float, float]:
        """Return how much is used, and the seconds until nothing is."""

    @abstractmethod
    def part(self, share: float) -> Meter:
        """Return a meter of the same identity that allows a part of it, and one unit at least."""

    def take(self, state: Any, now: float, amount: Any) -> Any:
        """Return the state after *amount* was taken now, or `None` if it does not fit."""
        return None if self.wait(state, now, amount) > 0.0 else self.spend(state, now, amount, now, now)


class GcraMeter(Meter):
    """A steady rate with a burst: the generic cell rate algorithm (ITU-T I.371).

    The state is one number, the moment at which everything taken so far has drained. In any stretch of t
    seconds at most ``burst + limit * t / period`` units pass.

    Args:
        meter_id: Identity: the same rule has the same one in every process.
        limit: Units per period.
        period: Seconds.
        burst: Units that may pass at once.
        strict: Whether refused attempts count, too.
    """

    __slots__ = ("interval",)

    def __init__(self, meter_id: str, limit: int, period: float, burst: int, *, strict: bool = False) -> None:
        self.interval = period / limit
        super().__init__(meter_id, burst, burst * self.interval, strict=strict)

    def wait(self, state: float | None, now: float, amount: int) -> float:
        """See `Meter.wait`."""
        if state is None or state < now:
            state = now
        wait = state - now + amount * self.interval - self.span
        if wait <= SLACK:
            return 0.0
        return wait if amount <= self.capacity else math.inf

    def spend(
        self,
        state: float | None,
        now: float,  # noqa: ARG002
        amount: int,
        at: float,
        stamp: float,  # noqa: ARG002
    ) -> float:
        """See `Meter.spend`; a reservation that is not settled drains like everything else."""
        if state is None or state < at:
            state = at
        return state + amount * self.interval

    def settle(  # noqa: PLR0913
        self,
        state: float | None,
        now: float,
        amount: int,
        at: float,
        stamp: float,  # noqa: ARG002
        *,
        keep: bool,
    ) -> float:
        """See `Meter.settle`; what may have drained since is free already, and not freed twice."""
        if state is None:
            return at
        if keep:
            return state
        elapsed = max(now, state - self.span) - at  # until now, or the last moment that is booked
        return state - max(0.0, amount * self.interval - elapsed)

    def take(self, state: float | None, now: float, amount: int) -> float | None:
        """See `Meter.take`; in one step, since this is what runs a million times a second."""
        if state is None or state < now:
            state = now
        state += amount * self.interval
        return None if state - now - self.span > SLACK else state

    def overspend(self, state: float | None, now: float, amount: int) -> float:
        """See `Meter.overspend`; whoever keeps trying waits for one interval after the last time."""
        return min(self.spend(state, now, amount, now, now), now + self.span)

    def part(self, share: float) -> GcraMeter:
        """See `Meter.part`; it also drains as much more slowly."""
        burst = max(1, int(self.capacity * share))
        return GcraMeter(self.id, 1, self.interval / share, burst, strict=self.strict)

    def reading(self, state: float | None, now: float) -> tuple[float, float]:
        """See `Meter.reading`."""
        if state is None or state <= now:
            return 0, 0.0
        return (state - now) / self.interval, state - now


class WindowMeter(Meter):
    """An exact window: at most *limit* units in any *period* seconds, wherever they begin.

    The state holds the times of the units that still count, oldest first, and of those that are booked.

    Args:
        meter_id: Identity.
        limit: Units per period.
        period: Seconds.
        strict: Whether refused attempts count, too.
    """

    __slots__ = ()

    def __init__(self, meter_id: str, limit: int, period: float, *, strict: bool = False) -> None:
        super().__init__(meter_id, limit, period, strict=strict)

    def wait(self, state: tuple[float, ...] | None, now: float, amount: int) -> float:
        """See `Meter.wait`."""
        if amount > self.capacity:
            return math.inf
        if not state or amount <= 0:
            return 0.0
        surplus = len(state) + amount - self.capacity
        if surplus <= 0:
            return 0.0
        wait = state[surplus - 1] + self.span - now
        return wait if wait > SLACK else 0.0

    def spend(
        self,
        state: tuple[float, ...] | None,
        now: float,
        amount: int,
        at: float,  # noqa: ARG002
        stamp: float,
    ) -> tuple[float, ...]:
        """See `Meter.spend`; what counts now goes on doing so when a moment to come is booked."""
        if not state:
            return (stamp,) * amount
        live = state[bisect_right(state, now - self.span + SLACK) :]
        times = live + (stamp,) * amount
        return times if not live or live[-1] <= stamp else tuple(sorted(times))

    def settle(  # noqa: PLR0913
        self,
        state: tuple[float, ...] | None,
        now: float,  # noqa: ARG002
        amount: int,
        at: float,
        stamp: float,
        *,
        keep: bool,
    ) -> tuple[float, ...]:
        """See `Meter.settle`; what is kept after its lease has ended counts from the moment it was spent."""
        times = list(state or ())
        for _ in range(amount):
            if stamp in times:
                times.remove(stamp)
            if keep:
                insort(times, at)
        return tuple(times)

    def overspend(self, state: tuple[float, ...] | None, now: float, amount: int) -> tuple[float, ...]:
        """See `Meter.overspend`; more than the capacity at once is as bad as the capacity."""
        times = self.spend(state, now, min(amount, self.capacity), now, now)
        return times[max(0, bisect_right(times, now) - self.capacity) :]

    def part(self, share: float) -> WindowMeter:
        """See `Meter.part`."""
        return WindowMeter(self.id, max(1, int(self.capacity * share)), self.span, strict=self.strict)

    def reading(self, state: tuple[float, ...] | None, now: float) -> tuple[float, float]:
        """See `Meter.reading`."""
        if not state:
            return 0, 0.0
        used = len(state) - bisect_right(state, now - self.span + SLACK)
        return used, max(0.0, state[-1] + self.span - now)


class DistinctMeter(Meter):
    """Counts different values, exactly up to `SAMPLE` and estimated from a sample above that.

    In no stretch of *period* seconds more than *limit* different values; one that was seen in that time
    costs nothing. Above `SAMPLE` only values whose hash lies below a threshold are remembered, and stand
    for the others; at the limit, values outside of the sample cannot be told from new ones and are refused.

    Args:
        meter_id: Identity.
        limit: Different values per period.
        period: Seconds.
        strict: Whether refused attempts count, too.
    """

    __slots__ = ("places", "threshold")

    def __init__(self, meter_id: str, limit: int, period: float, *, strict: bool = False) -> None:
        super().__init__(meter_id, limit, period, strict=strict)
        self.places = min(limit, SAMPLE)
        self.threshold = (self.places << HASH_BITS) // limit

    def wait(self, state: dict[int, float] | None, now: float, amount: tuple[int, ...]) -> float:
        """See `Meter.wait`."""
        if len(amount) > self.capacity:
            return math.inf
        oldest = now - self.span + SLACK
        live = {value: at for value, at in state.items() if at > oldest} if state else {}
        room = self.places - len(live)
        need = self._need(live, amount)
        if need <= room:
            return 0.0
        times = sorted(at for value, at in live.items() if value not in amount)
        surplus = min(need - room, len(times))
        return times[surplus - 1] + self.span - now if surplus else 0.0

    def _need(self, live: dict[int, float], amount: tuple[int, ...]) -> int:
        """Return the places that values need; one outside of the sample needs a free one, unused."""
        new = sum(value < self.threshold and value not in live for value in amount)
        return max(new, any(value >= self.threshold for value in amount))

    def spend(
        self,
        state: dict[int, float] | None,
        now: float,
        amount: tuple[int, ...],
        at: float,  # noqa: ARG002
        stamp: float,
    ) -> dict[int, float]:
        """See `Meter.spend`; what counts now goes on doing so when a moment to come is booked."""
        oldest = now - self.span + SLACK
        live = {value: seen for value, seen in state.items() if seen > oldest} if state else {}
        for value in amount:
            if value < self.threshold:
                # One that was seen before gets another time than *stamp*, by which `settle` takes back.
                live[value] = max(stamp + SLACK / 2, live[value]) if value in live else stamp
        return live

    def settle(  # noqa: PLR0913
        self,
        state: dict[int, float] | None,
        now: float,  # noqa: ARG002
        amount: tuple[int, ...],
        at: float,
        stamp: float,
        *,
        keep: bool,
    ) -> dict[int, float]:
        """See `Meter.settle`; a value that was seen before stays."""
        live = dict(state or {})
        for value in amount:
            if keep and value < self.threshold:
                live[value] = max(at, live.get(value, at))
            elif live.get(value) == stamp:
                del live[value]
        return live

    def overspend(
        self, state: dict[int, float] | None, now: float, amount: tuple[int, ...]
    ) -> dict[int, float]:
        """See `Meter.overspend`; as many as were refused, from the oldest on, count anew.

        The refused values are not remembered: as seen ones they would pass when they come again.
        """
        live = self.spend(state, now, (), now, now)
        oldest = sorted(live, key=lambda value: live[value])[: self._need(live, amount)]
        return live | dict.fromkeys(oldest, now)

    def part(self, share: float) -> DistinctMeter:
        """See `Meter.part`."""
        return DistinctMeter(self.id, max(1, int(self.capacity * share)), self.span, strict=self.strict)

    def reading(self, state: dict[int, float] | None, now: float) -> tuple[float, float]:
        """See `Meter.reading`."""
        times = [at for at in (state or {}).values() if at > now - self.span + SLACK]
        if not times:
            return 0, 0.0
        return len(times) * self.capacity / self.places, max(0.0, max(times) + self.span - now)
