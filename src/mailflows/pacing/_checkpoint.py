"""The place in a list of messages, kept so that a killed run can resume, and two runs can share the work."""

from __future__ import annotations

import json
import os
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailflows._stores import DocumentKeeper
from mailflows.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailflows._clock import Clock
    from mailflows._stores import Documents

__all__ = ["Checkpoint"]

CLAIMED_FOR = 900.0
"""Seconds after which the claims of a run that is not heard of are free, where nobody can see whether its
process lives: longer than a server may take to answer (ten minutes, RFC 5321 section 4.5.3.2.6)."""

_running: set[str] = set()
"""The runs of this process that have not ended."""


@dataclass(slots=True)
class _State:
    """What the document holds.

    Attributes:
        before: Every message before this number is done.
        after: Those after it that are done.
        claims: Run → until when it is believed to live, and what it has under way.
    """

    before: int = 0
    after: set[int] = field(default_factory=set)
    claims: dict[str, tuple[float, set[int]]] = field(default_factory=dict)

    def is_done(self, index: int) -> bool:
        return index < self.before or index in self.after

    def finish(self, index: int) -> None:
        """Note that a message is done; what closes the gap is no longer listed."""
        if index >= self.before:
            self.after.add(index)
        while self.before in self.after:
            self.after.remove(self.before)
            self.before += 1


class Checkpoint:
    """Which messages of a list are done, and which are under way in which run.

    Args:
        store: Where it is kept.
        name: Name of the run.
        clock: Seconds of Unix time.
    """

    def __init__(self, store: Documents, name: str, *, clock: Clock) -> None:
        self._keeper = DocumentKeeper(store, kind="checkpoint")
        self._key = self._keeper.key(name)
        self._clock = clock
        self._me = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(6)}"
        self._at_start = _read(self._keeper.load(self._key))
        _running.add(self._me)

    def has(self, index: int) -> bool:
        """Return whether a message was done when the run began."""
        return self._at_start.is_done(index)

    def claim(self, index: int) -> bool | None:
        """Claim a message before it is handed out.

        Returns:
            Whether it is to be sent by this run; `None` where another run that lives has it under way.
        """
        found: bool | None = False

        def change(old: bytes | None) -> bytes | None:
            nonlocal found
            state, now = _read(old), self._clock()
            if state.is_done(index):
                found = False
                return old
            for run, (until, under_way) in list(state.claims.items()):
                if run != self._me and index in under_way:
                    if _lives(run, until, now):
                        found = None
                        return old
                    del state.claims[run]  # what it had is free again, this one and the others
            found = True
            _, mine = state.claims.get(self._me, (0.0, set()))
            state.claims[self._me] = (now + CLAIMED_FOR, mine | {index})
            return _written(state)

        self._keeper.update(self._key, change)
        return found

    def note(self, index: int) -> None:
        """Keep that a message is done."""

        def change(old: bytes | None) -> bytes:
            state = _read(old)
            state.finish(index)
            for run, (until, under_way) in list(state.claims.items()):
                under_way.discard(index)
                state.claims[run] = (self._clock() + CLAIMED_FOR if run == self._me else until, under_way)
                if not under_way:
                    del state.claims[run]
            return _written(state)

        self._keeper.update(self._key, change)

    def open_of(self, indices: Iterable[int]) -> tuple[set[int], set[int]]:
        """Return which messages are free again, and which another process still has under way."""
        state, now = _read(self._keeper.load(self._key)), self._clock()
        free = {index for index in indices if not state.is_done(index)}
        waiting: set[int] = set()
        for run, (until, under_way) in state.claims.items():
            if run != self._me and _lives(run, until, now):
                waiting |= free & under_way
                if run in _running:  # it shares this thread, perhaps: to wait for it could last for ever
                    waiting -= under_way
                free -= under_way
        return free, waiting

    def close(self) -> None:
        """End the run: what it has under way and was not told is free for the next start."""
        _running.discard(self._me)

    def give_back(self) -> None:
        """End the run, and let other processes know at once."""
        self.close()

        def change(old: bytes | None) -> bytes | None:
            state = _read(old)
            return old if state.claims.pop(self._me, None) is None else _written(state)

        with suppress(StoreError):  # its claims end by themselves
            self._keeper.update(self._key, change)

    @classmethod
    def forget(cls, store: Documents, name: str) -> None:
        """Begin again the next time, even if what is kept cannot be read."""
        keeper = DocumentKeeper(store, kind="checkpoint")
        keeper.remove(keeper.key(name))


def _lives(run: str, until: float, now: float) -> bool:
    """Return whether a run may still be sending: by its process where it is of this machine, else by time."""
    host, _, rest = run.partition(" ")
    pid = rest.partition(" ")[0]
    if host != socket.gethostname() or not pid.isdigit():
        return until > now
    if int(pid) == os.getpid():
        return run in _running
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's, or there is no way to ask
        pass
    return until > now


def _read(document: bytes | None) -> _State:
    if document is None:
        return _State()
    try:
        before, after, claims = json.loads(document)
        return _State(
            int(before),
            set(map(int, after)),
            {str(run): (float(until), set(map(int, held))) for run, (until, held) in claims.items()},
        )
    except (ValueError, TypeError, OverflowError, AttributeError) as problem:
        # To begin again by itself would write to everybody a second time.
        msg = "the checkpoint of this run is damaged; find out how far it got, then call Pacer.forget()"
        raise StoreError(msg, store="checkpoint") from problem


def _written(state: _State) -> bytes:
    claims = {run: [until, sorted(held)] for run, (until, held) in state.claims.items()}
    return json.dumps([state.before, sorted(state.after), claims], separators=(",", ":")).encode()
