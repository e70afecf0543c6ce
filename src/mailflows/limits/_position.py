"""The place in a list of messages, kept so that a killed run goes on where it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mailflows._stores import update

if TYPE_CHECKING:
    from mailflows._stores import Documents

__all__ = ["Position"]


class Position:
    """Which messages of a list are done: all before a number, and some after it.

    Args:
        store: Where it is kept.
        name: Name of the run.
    """

    def __init__(self, store: Documents, name: str) -> None:
        self._store = store
        self._key = f"position:{store.digest(name)}"
        self._before, self._after = _read(store.load(self._key))

    def has(self, index: int) -> bool:
        """Return whether a message was done when the run began."""
        return index < self._before or index in self._after

    def note(self, index: int) -> None:
        """Keep that a message is done."""
        update(self._store, self._key, lambda old: _with(old, index))

    def forget(self) -> None:
        """Begin again the next time."""
        update(self._store, self._key, lambda _: None)


def _read(document: bytes | None) -> tuple[int, frozenset[int]]:
    if document is None:
        return 0, frozenset()
    before, after = json.loads(document)
    return before, frozenset(after)


def _with(document: bytes | None, index: int) -> bytes:
    """Return the document with one more message done; what closes the gap is no longer listed."""
    before, after = _read(document)
    done = set(after) | ({index} if index >= before else set())
    while before in done:
        done.remove(before)
        before += 1
    return json.dumps([before, sorted(done)]).encode()
