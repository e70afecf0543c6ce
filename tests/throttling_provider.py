"""A mail provider in simulated time, which defers what is above a capacity that nobody is told."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import repeat
from typing import TYPE_CHECKING

from mailflows.limits import MemoryStore
from mailflows.pacing import Pacer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows.limits import Store

HOUR = 3600.0


class Clock:
    """Seconds that pass only when they are told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        """Return the present moment."""
        return self.now


class ThrottlingProvider:
    """Takes *limit* messages in any *window* seconds, and defers the others."""

    def __init__(self, limit: int, window: float) -> None:
        self.limit = limit
        self.window = window
        self.taken = self.deferred = 0
        self._times: deque[float] = deque()

    def reply(self, now: float) -> tuple[int, str]:
        """Return what is said to one message."""
        while self._times and self._times[0] <= now - self.window:
            self._times.popleft()
        if len(self._times) >= self.limit:
            self.deferred += 1
            return 451, "4.7.1 Sending rate exceeded, try again later"
        self._times.append(now)
        self.taken += 1
        return 250, "2.0.0 Ok"


@dataclass(frozen=True)
class Figures:
    """What an hour came to."""

    capacity_used: float
    deferral_share: float


def simulate(
    *, limit: int, window: float, times_too_high: float, processes: int = 1, store: Store | None = None
) -> Figures:
    """Send to one provider for an hour as fast as pacers allow.

    Args:
        limit: What the provider takes in a window.
        window: Seconds.
        times_too_high: The configured rate, as a multiple of the capacity.
        processes: Pacers that share the store; each has a message under way at a time.
        store: Where they share; in memory by default.
    """
    clock = Clock()
    shared = store or MemoryStore(clock=clock)
    rate = f"{max(1, round(limit / window * HOUR * times_too_high))}/hour"
    provider = ThrottlingProvider(limit, window)
    ends_at = clock.now + HOUR
    agenda: list[tuple[float, int]] = []
    senders = [_sender(shared, clock, rate, provider) for _ in range(processes)]
    for number in range(processes):
        heappush(agenda, (clock.now, number))
    while agenda[0][0] < ends_at:
        clock.now, number = heappop(agenda)
        heappush(agenda, (next(senders[number]), number))
    sent = provider.taken + provider.deferred
    return Figures(provider.taken / (limit / window * HOUR), provider.deferred / sent)


def _sender(store: Store, clock: Clock, rate: str, provider: ThrottlingProvider) -> Iterator[float]:
    """Send as one process does, and yield the moment until which it sleeps."""
    pacer = Pacer(store, rates={"shop.example": rate}, clock=clock)
    for address in repeat("ada@shop.example"):
        slot = pacer.schedule(address)
        yield max(clock.now, slot.not_before)
        while (resumed := pacer._resumed("shop.example")) > clock.now:  # as a stream looks again
            yield resumed
        slot.not_before = clock.now
        slot.result(*provider.reply(clock.now))
