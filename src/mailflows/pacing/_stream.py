"""Messages that wait for their turns, by provider; moved by a short sync and a short async loop."""

from __future__ import annotations

import math
from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from mailflows._clock import Clock
    from mailflows._providers import Provider
    from mailflows.pacing._position import Position
    from mailflows.pacing._slot import Slot

__all__ = ["Line", "arun", "run"]

T = TypeVar("T")

LEASE = 300.0
"""Seconds after which a slot that was told nothing no longer counts as an open connection: as long as the
longest wait for a reply but one (RFC 5321 section 4.5.3.2)."""

GLANCE = 0.05
"""Seconds between two looks whether a connection has become free."""


class Line(Generic[T]):
    """Messages in the order of their turns, one turn booked for each provider.

    Args:
        book: Books a turn for a provider.
        resumed: Returns the moment before which nothing is sent to a provider.
        clock: Seconds.
        position: Where it is kept what is done, or `None`.
        room: Messages that are held at most.
    """

    def __init__(
        self,
        book: Callable[[Provider], Slot],
        resumed: Callable[[str], float],
        clock: Clock,
        *,
        position: Position | None,
        room: int,
    ) -> None:
        self._book = book
        self._resumed = resumed
        self._clock = clock
        self._position = position
        self._room = room
        self._size = 0
        self._last = -math.inf
        self._waiting: dict[str, deque[tuple[int, T]]] = {}
        self._turns: list[tuple[float, str]] = []
        self._booked: dict[str, tuple[Provider, Slot]] = {}
        self._open: dict[str, dict[Slot, float]] = {}

    @property
    def has_room(self) -> bool:
        """Whether one more message can be held."""
        return self._size < self._room

    def is_done(self, index: int) -> bool:
        """Return whether a message was done in an earlier run."""
        return self._position is not None and self._position.has(index)

    def add(self, index: int, item: T, provider: Provider) -> None:
        """Put a message behind the others of its provider."""
        self._size += 1
        queue = self._waiting.setdefault(provider.name, deque())
        queue.append((index, item))
        if provider.name not in self._booked:
            self._turn(provider)

    def step(self) -> tuple[T, Slot] | float | None:
        """Return the message whose turn it is, else the seconds until then; `None` for no message."""
        now = self._now()
        while self._turns and self._turns[0][0] <= now:
            _, name = heappop(self._turns)
            later = self._later(name, now)
            if later <= now:
                return self._give(name, now)
            heappush(self._turns, (later, name))
        return self._turns[0][0] - now if self._turns else None

    def _now(self) -> float:
        """Return the present moment; where the clock was set back, all that waits for a moment is, too."""
        now = self._clock()
        back = self._last - now
        if back > 0.0:
            self._turns = [(moment - back, name) for moment, name in self._turns]
            for slots in self._open.values():
                slots.update({slot: since - back for slot, since in slots.items()})
        self._last = now
        return now

    def _later(self, name: str, now: float) -> float:
        """Return when a provider can be sent to: not in a pause, nor while its connections are all open."""
        is_open = self._open.setdefault(name, {})
        for slot in [s for s, since in is_open.items() if since < now - LEASE]:
            del is_open[slot]
        free = now if len(is_open) < self._booked[name][1].connections else now + GLANCE
        return max(free, self._resumed(name))

    def _give(self, name: str, now: float) -> tuple[T, Slot]:
        """Hand out the first message of a provider, and book a turn for the next."""
        provider, slot = self._booked.pop(name)
        index, item = self._waiting[name].popleft()
        self._size -= 1
        slot.not_before = now
        self._open[name][slot] = now
        slot._also(lambda told, _: self._done(told, index))  # noqa: SLF001 -- of the same part
        if self._waiting[name]:
            self._turn(provider)
        else:
            del self._waiting[name]
        return item, slot

    def _done(self, slot: Slot, index: int) -> None:
        self._open[slot.provider].pop(slot, None)
        if self._position is not None:
            self._position.note(index)

    def _turn(self, provider: Provider) -> None:
        slot = self._book(provider)
        self._booked[provider.name] = (provider, slot)
        heappush(self._turns, (slot.not_before, provider.name))


def run(
    line: Line[T],
    messages: Iterable[T],
    provider: Callable[[T], Provider],
    sleep: Callable[[float], object],
) -> Iterator[tuple[T, Slot]]:
    """Give each message when it is its turn; the sync driver.

    What was read before reading failed is given first.
    """
    source = enumerate(messages)
    is_read = False
    failure: Exception | None = None
    while True:
        step = line.step()
        if isinstance(step, tuple):
            yield step
        elif not is_read and line.has_room:
            try:
                index, item = next(source)
                taken_by = None if line.is_done(index) else provider(item)
            except StopIteration:
                is_read = True
                continue
            except Exception as problem:  # noqa: BLE001 -- of the caller's own: raised when all is given
                is_read, failure = True, problem
                continue
            if taken_by is not None:
                line.add(index, item, taken_by)
        elif step is None:
            if failure is not None:
                raise failure
            return
        else:
            sleep(step)


async def arun(
    line: Line[T],
    messages: Iterable[T] | AsyncIterable[T],
    provider: Callable[[T], Awaitable[Provider]],
    sleep: Callable[[float], Awaitable[object]],
    away: Callable[..., Awaitable[Any]],
) -> AsyncIterator[tuple[T, Slot]]:
    """Do the same without blocking the event loop."""
    source = _aiter(messages)
    index = -1
    is_read = False
    failure: Exception | None = None
    while True:
        step = await away(line.step)
        if isinstance(step, tuple):
            yield step
        elif not is_read and line.has_room:
            try:
                item = await anext(source)
                index += 1
                taken_by = None if line.is_done(index) else await provider(item)
            except StopAsyncIteration:
                is_read = True
                continue
            except Exception as problem:  # noqa: BLE001 -- of the caller's own: raised when all is given
                is_read, failure = True, problem
                continue
            if taken_by is not None:
                await away(line.add, index, item, taken_by)
        elif step is None:
            if failure is not None:
                raise failure
            return
        else:
            await sleep(step)


async def _aiter(messages: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    """Return any iterable as an asynchronous one."""
    if hasattr(messages, "__aiter__"):
        async for item in messages:
            yield item
    else:
        for item in messages:
            yield item
