"""Warm-up: sending a little more each day from a new IP address or domain."""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from numbers import Integral
from typing import TYPE_CHECKING, NamedTuple

from mailflows._result import Permission, Result, number_of, to_text
from mailflows._stores import DocumentKeeper
from mailflows.pacing._schedule import Schedule

if TYPE_CHECKING:
    from mailflows._clock import Clock
    from mailflows._result import Cell, Table
    from mailflows._stores import Documents

__all__ = ["Allowance", "WarmUp", "WarmUpState"]

HOUR = 3600
DAY = 86_400
IDLE = 30 * DAY
"""Seconds: SendGrid warms an address up again that was not used for more than 30 days."""


@dataclass(frozen=True, slots=True)
class Allowance(Permission):
    """How many of the requested messages may be sent now. True only if all may.

    Attributes:
        requested: Messages that were asked for.
        granted: Messages that may be sent now, and are counted.
        step: Day of sending, from 1; after the end of the schedule, its number of days plus 1.
        limit: Messages that this day (or hour) allows, or `None` when the schedule is over.
        remaining: Messages left in this day (or hour), or `None` when the schedule is over.
        retry_after: Seconds until more may be sent; 0.0 if all were granted.
        finished: Whether the schedule is over, so that nothing is limited.
    """

    requested: int
    granted: int
    step: int
    limit: int | None
    remaining: int | None
    retry_after: float | None
    finished: bool

    @property
    def overflow(self) -> int:
        """Messages that may not be sent from here now: send them from a warmed-up IP address, or later."""
        return self.requested - self.granted

    @property
    def allowed(self) -> bool:
        """Whether all may be sent."""
        return self.overflow == 0


@dataclass(frozen=True, slots=True)
class WarmUpState(Result):
    """The progress of a warm-up.

    Attributes:
        name: What is warmed up.
        provider: The mailbox provider that it is for, or `None` for all.
        step: The day of sending that a message sent now would count for, from 1.
        steps: Days that the schedule has.
        per: ``day`` or ``hour``.
        limit: Messages that this day (or hour) allows, or `None` when the schedule is over.
        used: Messages granted so far in this day (or hour).
        last_sent: When something was last granted, in UTC; `None` if never.
        finished: Whether the schedule is over.
    """

    name: str
    provider: str | None
    step: int
    steps: int
    per: str
    limit: int | None
    used: int
    last_sent: datetime | None
    finished: bool

    def _rows(self) -> list[list[Cell]]:
        allowed = "any number" if self.limit is None else f"{self.limit} per {self.per}"
        return [
            ["provider", self.provider or "all"],
            ["day of sending", f"{min(self.step, self.steps)} of {self.steps}"],
            ["allowed", allowed],
            ["used", self.used],
            ["last sent", f"{self.last_sent:%Y-%m-%d %H:%M} UTC" if self.last_sent else "never"],
        ]

    def __str__(self) -> str:
        return to_text(["warm-up", self.name], self._rows())

    def _table(self) -> Table:
        return f"Warm-up of {self.name}", ["", ""], self._rows()


class _Place(NamedTuple):
    """The progress of a warm-up: the document that is kept."""

    step: int = 0
    day: int = -1
    """Days since 1970, in UTC, of the newest day of sending."""
    period: int = -1
    """Periods of the schedule since 1970 that *used* belongs to."""
    used: int = 0
    last: float = -math.inf

    def by(self, now: float, period: int) -> _Place:
        """Return the place by a clock that had been far ahead: the same step, and it is today's.

        Else nothing would leave until the time comes that the clock once showed.
        """
        if self.last - now <= DAY:
            return self
        return self._replace(day=int(now // DAY), period=int(now // period), last=now)

    def at(self, now: float, period: int) -> _Place:
        """Return the place of a message that leaves now.

        A clock that was set back a little stays in the newest day and period.
        """
        now = max(now, self.last)
        if self.day < 0 or now - self.last > IDLE:
            return _Place(0, int(now // DAY), int(now // period))
        place = self
        if now // DAY > self.day:
            place = place._replace(step=self.step + 1, day=int(now // DAY))
        if now // period > self.period:
            place = place._replace(period=int(now // period), used=0)
        return place


class WarmUp:
    """Warms up an IP address or domain: allows a little more mail on each day of sending.

    Days are calendar days in UTC, and only days on which something was granted count: a day without
    sending repeats its step on the next day. After more than 30 days without sending, the warm-up starts
    over. Processes that share a store share the warm-up, and together are never granted more than it allows.

    Args:
        schedule: The name of a published schedule (see `Schedule.named`), or a `Schedule` of your own.
        store: Where the progress is kept. It must be persistent: with a `MemoryStore`, every restart is day
            1.
        name: What is warmed up, such as the IP address or the domain.
        clock: Returns seconds since 1970.

    Raises:
        ConfigurationError: If there is no such schedule.

    Example:
        >>> from mailflows.limits import MemoryStore
        >>> from mailflows.pacing import Schedule, WarmUp
        >>> warm_up = WarmUp(Schedule((50, 100)), store=MemoryStore(), name="192.0.2.1")
        >>> allowance = warm_up.acquire(60)
        >>> bool(allowance), allowance.granted, allowance.overflow
        (False, 50, 10)
    """

    def __init__(
        self,
        schedule: Schedule | str,
        *,
        store: Documents,
        name: str,
        clock: Clock = time.time,
    ) -> None:
        self.schedule = Schedule.named(schedule) if isinstance(schedule, str) else schedule
        self.store = store
        self._keeper = DocumentKeeper(store, kind="warm-up")
        self.name = name
        self._clock = clock

    def acquire(self, n: int = 1, *, provider: str | None = None) -> Allowance:
        """Take quota for as many of *n* messages as today allows.

        Args:
            n: Number of messages to be sent.
            provider: The mailbox provider, if each has its own warm-up; by default all.

        Raises:
            ValueError: If *n* is not a whole number of at least 1.
            StoreError: If the store could not answer; nothing is granted then.
        """
        n = _whole(n)
        now = self._clock()
        answer: list[Allowance] = []

        def change(old: bytes | None) -> bytes | None:
            kept = _read(old)
            place, allowance = _granted(self.schedule, kept, n, now)
            answer[:] = [allowance]
            is_same = allowance.granted == 0 and kept == kept.by(now, self.schedule.period)
            return old if is_same else _written(place)

        self._keeper.update(self._key(provider), change)
        return answer[0]

    async def aacquire(self, n: int = 1, *, provider: str | None = None) -> Allowance:
        """Do what `acquire` does without blocking the event loop."""
        return await asyncio.to_thread(self.acquire, n, provider=provider)

    def state(self, *, provider: str | None = None) -> WarmUpState:
        """Return the progress of the warm-up; changes nothing.

        Args:
            provider: As `acquire`.

        Raises:
            StoreError: If the store could not answer.
        """
        kept = _read(self.store.load(self._key(provider))).by(self._clock(), self.schedule.period)
        place = kept.at(self._clock(), self.schedule.period)
        limit = _limit(self.schedule, place.step)
        return WarmUpState(
            self.name,
            provider,
            place.step + 1,
            len(self.schedule.limits),
            self.schedule.per,
            limit,
            place.used,
            datetime.fromtimestamp(kept.last, UTC) if kept.day >= 0 else None,
            limit is None,
        )

    def _key(self, provider: str | None) -> str:
        """Return the key of the document; a name may be anything, so that its hash stands for it."""
        return f"warm-up:{self.store.digest(json.dumps([self.name, provider]))}"

    def __repr__(self) -> str:
        return f"<WarmUp of {self.name}: {number_of(len(self.schedule.limits), 'day')}, in {self.store!r}>"


def _whole(n: object) -> int:
    """Return a number of messages, of any type that counts."""
    if isinstance(n, Integral) and (number := int(n)) >= 1:
        return number
    msg = f"n must be a whole number of messages, at least 1; got {n!r:.60}"
    raise ValueError(msg)


def _limit(schedule: Schedule, step: int) -> int | None:
    return schedule.limits[step] if step < len(schedule.limits) else None


def _granted(schedule: Schedule, kept: _Place, n: int, now: float) -> tuple[_Place, Allowance]:
    """Grant what the place allows, and return the place afterwards."""
    kept = kept.by(now, schedule.period)
    place = kept.at(now, schedule.period)
    limit = _limit(schedule, place.step)
    now = max(now, kept.last)
    if limit is None:
        # Only whether it is used matters from here on: one write an hour tells that.
        hour = now // HOUR * HOUR
        over = _Place(len(schedule.limits), place.day, int(hour // schedule.period), 0, hour)
        return over, Allowance(n, n, over.step + 1, None, None, 0.0, finished=True)
    granted = max(0, min(n, limit - place.used))
    used = place.used + granted
    wait = 0.0 if granted == n else (place.period + 1) * schedule.period - now
    allowance = Allowance(n, granted, place.step + 1, limit, max(0, limit - used), wait, finished=False)
    return place._replace(used=used, last=now), allowance


def _read(document: bytes | None) -> _Place:
    """Return the kept place; a damaged document begins again, which never sends too much."""
    try:
        step, day, period, used, last = json.loads(document or b"")
        return _Place(int(step), int(day), int(period), int(used), float(last))
    except (ValueError, TypeError, OverflowError):
        return _Place()


def _written(place: _Place) -> bytes:
    return json.dumps(list(place)).encode()
