"""Parts that fail, as the log has them: a line when it begins, and one when it is over."""

from __future__ import annotations

import logging
import threading

__all__ = ["Outages"]

_log = logging.getLogger("mailflows.gate")


class Outages:
    """Remembers what fails now, so that a store that is down is not a line for every message."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def any(self) -> bool:
        """Whether something fails now: no lock is taken while all is well."""
        return bool(self._failures)

    def failed(
        self, what: str, problem: object, *, said: str = "is failing", level: int = logging.WARNING
    ) -> None:
        """Note a failure; the first one is logged at its level, the others for debugging.

        Args:
            what: What was called, such as ``SuppressionList.find``, or a relay.
            problem: The error, without an address.
            said: What it does.
            level: How loud the first one is.
        """
        with self._lock:
            number = self._failures[what] = self._failures.get(what, 0) + 1
        _log.log(
            level if number == 1 else logging.DEBUG,
            "%s %s (logged once, until it works again): %s",
            *(what, said, problem),
        )

    def answered(self, what: str) -> None:
        """Note an answer; the first one after failures is logged."""
        with self._lock:
            number = self._failures.pop(what, 0)
        if number:
            _log.warning("%s works again; failures: %d", what, number)
