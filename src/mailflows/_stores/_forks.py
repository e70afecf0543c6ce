"""What happens to locks when a process forks: one handler for everything that stores hold.

A child inherits the memory of its parent and one of its threads. A lock that another thread held would never
be released there, and what that thread was changing would stay half changed. So a fork waits until nobody is
in the middle of a step, and the child begins with locks of its own.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Protocol

__all__ = ["LONGEST_STEP", "Forked", "note"]

LONGEST_STEP = 1.0
"""Seconds for which a fork waits for the steps that have begun, should the forking thread be in one itself.
A step of a healthy store takes a few milliseconds (benchmarks/results/limits_sqlite.json)."""


class Forked(Protocol):
    """An object with a lock, and something else to do in a child process."""

    _lock: threading.Lock

    def _after_fork(self) -> None:
        """Make what was inherited the child's own; called in the child, where no other thread runs."""
        ...


_noted: weakref.WeakSet[Forked] = weakref.WeakSet()
_noting = threading.Lock()
_taken: list[threading.Lock] = []


def note(holder: Forked) -> None:
    """Remember what has a lock, for as long as it lives."""
    with _noting:
        _noted.add(holder)


def _before() -> None:
    """Wait until no step is in progress, and block new ones."""
    deadline = time.monotonic() + LONGEST_STEP
    if _noting.acquire(timeout=LONGEST_STEP):
        _taken.append(_noting)
    for holder in list(_noted):
        lock = holder._lock  # noqa: SLF001 -- of the protocol
        if lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            _taken.append(lock)


def _in_parent() -> None:
    """Go on."""
    while _taken:
        _taken.pop().release()


def _in_child() -> None:
    """Give each object a new lock."""
    global _noting  # noqa: PLW0603 -- a lock of the module, as those of the holders
    _taken.clear()
    _noting = threading.Lock()
    for holder in list(_noted):
        holder._lock = threading.Lock()  # noqa: SLF001 -- of the protocol
        holder._after_fork()  # noqa: SLF001 -- of the protocol


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
