"""A breaker: a store that failed is left alone for a pause, so that a dead one costs nothing."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING

from mailflows._stores import _forks

if TYPE_CHECKING:
    from mailflows._clock import Timer
    from mailflows.errors import StoreError

__all__ = ["Breaker"]

# choice: a restart of a server takes about as long
FIRST_PAUSE = 1.0
"""Seconds for which a store that failed is left alone; twice as long after each further failure."""

# choice: nobody shall wait a minute for a server that is well
LONGEST_PAUSE = 30.0
"""Seconds at most: how long a store that is well again is not noticed."""

_log = logging.getLogger("mailflows.limits")


class Breaker:
    """Says whether a store may be asked.

    After a failure nobody asks for a pause; then one caller tries while the others still go without. One
    stall is one failure, however many calls were waiting in it.

    Args:
        name: What the log calls the store.
        timer: Returns monotonic seconds.
    """

    def __init__(self, name: str, *, timer: Timer = time.monotonic) -> None:
        self._name = name
        self._timer = timer
        self._lock = threading.Lock()
        self._failures = 0
        self._total = 0
        self._try_at = -math.inf
        _forks.note(self)

    def _after_fork(self) -> None:
        """Keep in a child what is known of the store."""

    @property
    def pause(self) -> float:
        """Seconds from now until the store is tried again."""
        return max(0.0, self._try_at - self._timer())

    def ticket(self) -> int | None:
        """Return what to hand to `failed`, or `None` where the store must be left alone."""
        if not self._failures:
            return self._total
        with self._lock:
            now = self._timer()
            if now < self._try_at:
                return None
            self._try_at = now + self._length()
            return self._total

    def failed(self, ticket: int, problem: StoreError) -> None:
        """Note a failure, unless one was noted since the call began: then it is the same one."""
        with self._lock:
            if ticket != self._total:
                return
            self._total += 1
            self._failures += 1
            length = self._length()
            self._try_at = self._timer() + length
        _log.warning("%s; it is left alone for %.0f s", problem, length)

    def answered(self) -> None:
        """Note that the store is well."""
        if self._failures:
            with self._lock:
                self._failures = 0
            _log.warning("%s answers again", self._name)

    def _length(self) -> float:
        return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(max(0, self._failures - 1), 10)))
