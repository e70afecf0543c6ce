"""Messages that wait for their turns, by provider; driven by a short sync and a short async loop."""

from __future__ import annotations

import math
from collections import deque
from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from mailflows._clock import Clock
    from mailflows._providers import Provider
    from mailflows.feedback import Reply
    from mailflows.pacing._checkpoint import Checkpoint
    from mailflows.pacing._send_slot import Slot

__all__ = ["Line", "arun", "run"]

T = TypeVar("T")

LEASE = 300.0
"""Seconds after which a slot that was told nothing no longer counts as an open connection: as long as the
longest wait for a reply but one (RFC 5321 section 4.5.3.2)."""

MANY = 100
"""How many times what is held at most is held while a provider has nothing to do. A bound on work."""

PATIENCE = 1.0
"""Seconds between two looks at what another process has under way. A bound on work."""

GLANCE = 0.05
"""Seconds between two looks whether a connection has become free. A bound on work."""


class Line(Generic[T]):
    """Messages in the order of their turns, one turn booked for each provider.

    Args:
        book: Books a turn for a provider.
        resumed: Returns the moment before which nothing is sent to a provider.
        clock: Seconds.
        checkpoint: Where it is kept what is done, or `None`.
        room: Messages that are held at most.
    """

    def __init__(
        self,
        book: Callable[[Provider], Slot],
        resumed: Callable[[str], float],
        clock: Clock,
        *,
        checkpoint: Checkpoint | None,
        room: int,
    ) -> None:
        self._book = book
        self._resumed = resumed
        self._clock = clock
        self._checkpoint = checkpoint
        self._room = room
        self._size = 0
        self._last = -math.inf
        self._waiting: dict[str, deque[tuple[int, T]]] = {}
        self._turns: list[tuple[float, str]] = []
        self._booked: dict[str, tuple[Provider, Slot]] = {}
        self._open: dict[str, dict[Slot, float]] = {}
        self._seen: set[str] = set()
        self._others: dict[int, tuple[T, Provider]] = {}
        self.is_read = False

    @property
    def has_room(self) -> bool:
        """Whether one more message can be held.

        Where a provider has nothing to send while others have more than they take, reading goes on: what
        waits for a provider in trouble does not hold up the others.
        """
        is_idle = len(self._seen) > len(self._waiting)
        return self._size < self._room or (is_idle and self._size < MANY * self._room)

    def is_done(self, index: int) -> bool:
        """Return whether a message was done in an earlier run."""
        return self._checkpoint is not None and self._checkpoint.has(index)

    def add(self, index: int, item: T, provider: Provider) -> None:
        """Put a message behind the others of its provider."""
        self._size += 1
        self._seen.add(provider.name)
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
            if later > now:
                heappush(self._turns, (later, name))
            elif (given := self._give(name, now)) is not None:
                return given
        if self._turns:
            return self._turns[0][0] - now
        return self._look_again() if self.is_read and self._others else None

    def close(self, *, is_complete: bool) -> None:
        """End the run; what was handed out and not told may be given again."""
        if self._checkpoint is None:
            return
        if is_complete:
            self._checkpoint.close()
        else:
            self._checkpoint.give_back()

    def _look_again(self) -> tuple[T, Slot] | float | None:
        """Take over what another run had under way and did not finish; wait while it lives."""
        assert self._checkpoint is not None  # noqa: S101 -- only claims of others put a message there
        free, waiting = self._checkpoint.open_of(self._others)
        for index in sorted(free):
            self.add(index, *self._others[index])
        self._others = {index: one for index, one in self._others.items() if index in waiting}
        if free:
            return self.step()
        return PATIENCE if waiting else None

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
        """Return when a provider may get mail: not in a pause, nor while all its connections are in use."""
        is_open = self._open.setdefault(name, {})
        for slot in [s for s, since in is_open.items() if since < now - LEASE]:
            del is_open[slot]
        free = now if len(is_open) < self._booked[name][1].connections else now + GLANCE
        return max(free, self._resumed(name))

    def _give(self, name: str, now: float) -> tuple[T, Slot] | None:
        """Hand out the first message of a provider that is ours, and book a turn for the next."""
        provider, slot = self._booked.pop(name)
        queue = self._waiting[name]
        given: tuple[T, Slot] | None = None
        while queue and given is None:
            index, item = queue.popleft()
            self._size -= 1
            claimed = True if self._checkpoint is None else self._checkpoint.claim(index)
            if claimed:
                given = item, slot
                slot.not_before = now
                self._open[name][slot] = now
                slot.open = len(self._open[name])
                slot._also(partial(self._done, index))  # noqa: SLF001 -- of the same part
            elif claimed is None:
                self._others[index] = item, provider
        if queue:
            self._turn(provider)
        else:
            del self._waiting[name]
        return given

    def _done(self, index: int, slot: Slot, _reply: Reply) -> None:
        self._open[slot.provider].pop(slot, None)
        if self._checkpoint is not None:
            self._checkpoint.note(index)

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
    failure: Exception | None = None
    is_complete = False
    try:
        while True:
            step = line.step()
            if isinstance(step, tuple):
                yield step
            elif not line.is_read and line.has_room:
                try:
                    index, item = next(source)
                    taken_by = None if line.is_done(index) else provider(item)
                except StopIteration:
                    line.is_read = True
                    continue
                except Exception as problem:  # noqa: BLE001 -- of the caller's own: raised when all is given
                    line.is_read, failure = True, problem
                    continue
                if taken_by is not None:
                    line.add(index, item, taken_by)
            elif step is None:
                is_complete = True
                break
            else:
                sleep(step)
    finally:
        line.close(is_complete=is_complete)
    if failure is not None:
        raise failure


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
    failure: Exception | None = None
    is_complete = False
    try:
        while True:
            step = await away(line.step)
            if isinstance(step, tuple):
                yield step
            elif not line.is_read and line.has_room:
                try:
                    item = await anext(source)
                    index += 1
                    taken_by = None if line.is_done(index) else await provider(item)
                except StopAsyncIteration:
                    line.is_read = True
                    continue
                except Exception as problem:  # noqa: BLE001 -- of the caller's own: raised when all is given
                    line.is_read, failure = True, problem
                    continue
                if taken_by is not None:
                    await away(line.add, index, item, taken_by)
            elif step is None:
                is_complete = True
                break
            else:
                await sleep(step)
    finally:
        line.close(is_complete=is_complete)  # at once: a generator that is closed may wait for nothing
    if failure is not None:
        raise failure


async def _aiter(messages: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    """Return any iterable as an asynchronous one."""
    if hasattr(messages, "__aiter__"):
        async for item in messages:
            yield item
    else:
        for item in messages:
            yield item
