"""Asking a store that may be down: a breaker, and the caller's policy instead of an exception."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mailflows._stores import MemoryStore, Outcome
from mailflows.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailflows._clock import Timer
    from mailflows._stores import Charge, Store

__all__ = ["Keeper", "OnError"]

OnError: TypeAlias = Literal["local", "deny", "allow"]

FIRST_PAUSE = 1.0
"""Seconds for which a store that failed is left alone; twice as long after each further failure."""

LONGEST_PAUSE = 30.0
"""Seconds at most: how long a store that is well again is not noticed."""

_log = logging.getLogger("mailflows.limits")
_instances: weakref.WeakSet[Keeper] = weakref.WeakSet()


class Keeper:
    """Asks a store, and answers in its place while it is down.

    A store that failed is left alone for a pause, so that a dead one costs nothing; then one caller tries
    again while the others still go by the policy.

    Args:
        store: What to ask.
        on_error: ``local``, ``deny`` or ``allow``.
        timer: Returns monotonic seconds, for the pauses.
    """

    def __init__(self, store: Store, *, on_error: OnError, timer: Timer = time.monotonic) -> None:
        if on_error not in {"local", "deny", "allow"}:
            msg = f"on_error= is 'local', 'deny' or 'allow'; got {on_error!r}"
            raise ConfigurationError(msg, field="on_error")
        self._store = store
        self._on_error = on_error
        self._timer = timer
        self._lock = threading.Lock()
        self._failures = 0
        self._try_at = -math.inf
        self._local = MemoryStore()
        self._never_fails = isinstance(store, MemoryStore)
        _instances.add(self)

    def decide(self, charges: Sequence[Charge], **how: Any) -> tuple[Outcome, bool]:
        """Return what the store decided, or the policy, and whether it was the policy."""
        if self._never_fails:
            return self._store.decide(charges, **how), False
        if self._failures and not self._may_try():
            return self._instead(charges, how), True
        try:
            outcome = self._store.decide(charges, **how)
        except StoreError as problem:
            self._note_failure(problem)
            return self._instead(charges, how), True
        if self._failures:
            self._note_success()
        return outcome, False

    async def adecide(self, charges: Sequence[Charge], **how: Any) -> tuple[Outcome, bool]:
        """Do the same without blocking the event loop."""
        if self._failures and not self._may_try():
            return self._instead(charges, how), True
        try:
            outcome = await _awaited(self._store, "decide", charges, **how)
        except StoreError as problem:
            self._note_failure(problem)
            return self._instead(charges, how), True
        if self._failures:
            self._note_success()
        return outcome, False

    def settle(self, outcome: Outcome, *, keep: bool, degraded: bool) -> None:
        """Settle where it was decided, once; if that cannot be done, a reservation ends with its lease."""
        if outcome.is_settled:
            return
        outcome.is_settled = True
        if degraded:
            self._settle_locally(outcome, keep=keep)
            return
        try:
            self._store.settle(outcome, keep=keep)
        except StoreError as problem:
            self._note_failure(problem)

    async def asettle(self, outcome: Outcome, *, keep: bool, degraded: bool) -> None:
        """Do the same without blocking the event loop."""
        if outcome.is_settled:
            return
        outcome.is_settled = True
        if degraded:
            self._settle_locally(outcome, keep=keep)
            return
        try:
            await _awaited(self._store, "settle", outcome, keep=keep)
        except StoreError as problem:
            self._note_failure(problem)

    def _settle_locally(self, outcome: Outcome, *, keep: bool) -> None:
        if self._on_error == "local":
            self._local.settle(outcome, keep=keep)

    def _may_try(self) -> bool:
        """Return whether this caller shall try the store; one does when the pause has ended."""
        with self._lock:
            now = self._timer()
            if now < self._try_at:
                return False
            self._try_at = now + self._pause()
            return True

    def _pause(self) -> float:
        return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures - 1, 10)))

    def _note_failure(self, problem: StoreError) -> None:
        with self._lock:
            self._failures += 1
            self._try_at = self._timer() + self._pause()
        _log.warning("%s; for %.0f s the policy is «%s»", problem, self._pause(), self._on_error)

    def _note_success(self) -> None:
        with self._lock:
            self._failures = 0
        _log.warning("%s answers again", self._store.name)

    def _instead(self, charges: Sequence[Charge], how: dict[str, Any]) -> Outcome:
        """Return what the policy says."""
        if self._on_error == "local":
            return self._local.decide(charges, **how)
        if self._on_error == "allow":
            return Outcome((), 0.0, 0.0)
        return Outcome((), 0.0, max(1.0, self._try_at - self._timer()))


async def _awaited(store: Store, verb: str, *arguments: Any, **how: Any) -> Any:
    """Ask a store from an event loop: by its own async twin, at once in memory, else in a thread."""
    twin = getattr(store, f"a{verb}", None)
    if twin is not None:
        return await twin(*arguments, **how)
    if isinstance(store, MemoryStore):
        return getattr(store, verb)(*arguments, **how)
    return await asyncio.to_thread(getattr(store, verb), *arguments, **how)


def _renew_locks() -> None:
    """Give a forked process locks of its own: one that another thread held would never be released."""
    for keeper in _instances:
        keeper._lock = threading.Lock()  # noqa: SLF001 -- its own module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
