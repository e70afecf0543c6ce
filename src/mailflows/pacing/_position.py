"""The place in a list of messages, kept so that a killed run goes on where it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mailflows._stores import update
from mailflows.errors import StoreError

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
        self._key = self.key_of(store, name)
        self._before, self._after = _read(store.load(self._key))

    @staticmethod
    def key_of(store: Documents, name: str) -> str:
        """Return the key of the document."""
        return f"position:{store.digest(name)}"

    def has(self, index: int) -> bool:
        """Return whether a message was done when the run began."""
        return index < self._before or index in self._after

    def note(self, index: int) -> None:
        """Keep that a message is done."""
        update(self._store, self._key, lambda old: _with(old, index))

    @classmethod
    def forget(cls, store: Documents, name: str) -> None:
        """Begin again the next time, even if what is kept cannot be read."""
        update(store, cls.key_of(store, name), lambda _: None)


def _read(document: bytes | None) -> tuple[int, frozenset[int]]:
    if document is None:
        return 0, frozenset()
    try:
        before, after = json.loads(document)
        return int(before), frozenset(map(int, after))
    except (ValueError, TypeError, OverflowError) as problem:
        # To begin again by itself would write to everybody a second time.
        msg = "the position of this run is damaged; find out how far it came, then Pacer.forget() it"
        raise StoreError(msg, store="position") from problem


def _with(document: bytes | None, index: int) -> bytes:
    """Return the document with one more message done; what closes the gap is no longer listed."""
    before, after = _read(document)
    done = set(after) | ({index} if index >= before else set())
    while before in done:
        done.remove(before)
        before += 1
    return json.dumps([before, sorted(done)]).encode()
