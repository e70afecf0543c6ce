"""Campaigns in simulated time, to providers that defer what is above a capacity that nobody is told."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailflows.limits import MemoryStore
from mailflows.pacing import Pacer

if TYPE_CHECKING:
    from collections.abc import Iterable

HOUR = 3600.0


class Clock:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_767_571_200.0

    def __call__(self) -> float:
        """Return the present moment."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@dataclass
class Provider:
    """Takes *limit* messages in any *window* seconds, and answers the others with its text."""

    code: int
    text: str
    limit: float = float("inf")
    window: float = 60.0
    times: deque[float] = field(default_factory=deque)
    taken: int = 0
    deferred: int = 0

    def reply(self, now: float) -> tuple[int, str]:
        """Return what is said to one message."""
        while self.times and self.times[0] <= now - self.window:
            self.times.popleft()
        if len(self.times) >= self.limit:
            self.deferred += 1
            return self.code, self.text
        self.times.append(now)
        self.taken += 1
        return 250, "2.0.0 Ok"


@dataclass(frozen=True)
class Run:
    """What a campaign came to.

    Attributes:
        used: Share of the capacity.
        deferred: Share of the attempts that were deferred.
    """

    used: float
    deferred: float


def capacity(
    provider: Provider,
    domain: str,
    *,
    hours: float = 1.0,
    warm_up: float = 0.0,
    rates: dict[str, str] | None = None,
) -> Run:
    """Send one after the other for some time, and count from *warm_up* seconds on."""
    clock = Clock()
    pacer = Pacer(MemoryStore(clock=clock), clock=clock, sleep=clock.sleep, rates=rates)
    start, end = clock.now, clock.now + hours * HOUR
    counted_from = (0, 0)
    is_warm = False

    def messages() -> Iterable[str]:
        number = 0
        while clock.now < end:
            yield f"r{number}@{domain}"
            number += 1

    for _, slot in pacer.stream(messages()):
        if clock.now >= end:
            break
        if not is_warm and clock.now - start >= warm_up:
            is_warm, counted_from = True, (provider.taken, provider.deferred)
        slot.result(*provider.reply(clock.now))
    taken, deferred = provider.taken - counted_from[0], provider.deferred - counted_from[1]
    room = provider.limit / provider.window * (hours * HOUR - warm_up)
    return Run(taken / room, deferred / max(1, taken + deferred))


def fairness(providers: dict[str, Provider], *, each: int) -> dict[str, float]:
    """Send as many to each provider, mixed, and return when each was given its last."""
    clock = Clock()
    pacer = Pacer(MemoryStore(clock=clock), clock=clock, sleep=clock.sleep)
    start = clock.now
    last = dict.fromkeys(providers, 0.0)
    for to, slot in pacer.stream(f"r{n}@{domain}" for n in range(each) for domain in providers):
        domain = to.rpartition("@")[2]
        slot.result(*providers[domain].reply(clock.now))
        last[domain] = clock.now - start
    return last


def one_recipient(
    code: int, text: str, domain: str, *, messages: int = 1500, every: int | None = 30
) -> float:
    """Send a campaign of which each *every*th recipient alone gets the text; return how long it lasts."""
    clock = Clock()
    pacer = Pacer(MemoryStore(clock=clock), clock=clock, sleep=clock.sleep)
    start = clock.now
    for number, slot in pacer.stream((n for n in range(messages)), to=lambda n: f"r{n}@{domain}"):
        if every and number % every == every - 1:
            slot.result(code, text)
        else:
            slot.result(250, "2.0.0 Ok")
    return clock.now - start
