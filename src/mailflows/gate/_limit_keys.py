"""What limits count by, and what an integration, or a message, can say of it."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING

from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mailflows.limits import Limit, Limiter

__all__ = ["absent_keys", "fitted", "needs_of", "require_keys"]

_SAID = {
    "client": "client",
    "client_network": "client",
    "client_site": "client",
    "account": "account",
    "form": "form",
    "template": "template",
    "campaign": "campaign",
    "tenant": "tenant",
}
"""Kind of key → what must be said of a message; the other kinds are in the message itself."""

_log = logging.getLogger("mailflows.gate")


def absent_keys(limiter: Limiter, known: Collection[str]) -> frozenset[str]:
    """Return what a limiter counts by and a message does not say."""
    return _needed(limiter).difference(known)


@lru_cache(maxsize=64)
def _needed(limiter: Limiter) -> frozenset[str]:
    return frozenset(name for limit in limiter.limits for name in _needs(limit))


def needs_of(limiter: Limiter, absent: frozenset[str]) -> str:
    """Return the first key that a limit needs and nobody says."""
    return next(name for limit in limiter.limits for name in _needs(limit) if name in absent)


def fitted(limiter: Limiter, absent: frozenset[str]) -> Limiter | None:
    """Return the limiter without those limits of a preset whose key is absent; `None` for limits of the user.

    For mail without a client it is the preset of background jobs, where the preset has one. What a preset
    limits is a proposal; a limit that somebody wrote must never count nothing in silence.
    """
    if not absent:
        return limiter
    return _without(limiter, absent) if limiter.is_preset else None


@lru_cache(maxsize=64)
def _without(limiter: Limiter, absent: frozenset[str]) -> Limiter:
    """Make it once, and say so once."""
    if "client" in absent and limiter.background is not None:
        rules = "; ".join(limit.name for limit in limiter.background.limits)
        _log.info("mail without a client is limited like background jobs, by %s", rules)
        return limiter.background
    same = limiter.without(lambda limit: not absent.isdisjoint(_needs(limit)))
    left_out = len(limiter.limits) - len(same.limits)
    _log.info("%d limits per %s do not apply to mail without one", left_out, ", ".join(sorted(absent)))
    return same


def require_keys(who: str, limiters: Iterable[Limiter], known: Collection[str]) -> None:
    """Refuse limits of the user that count by what an integration cannot know.

    Raises:
        ConfigurationError: With what to write.
    """
    for limiter in limiters:
        absent = absent_keys(limiter, known)
        if fitted(limiter, absent) is None:
            name = needs_of(limiter, absent)
            msg = (
                f"{who} does not know the {name} of every message, and a limit counts per {name}: write "
                f'Limit(…, per="{name}", optional=True), so that it does not apply to mail without one'
            )
            raise ConfigurationError(msg, field=name)


def _needs(limit: Limit) -> tuple[str, ...]:
    """Return what must be said of a message for a limit; nothing for an optional one, or a function."""
    if limit.optional or callable(limit.per):
        return ()
    kinds = (limit.per,) if isinstance(limit.per, str) else limit.per
    named = (*kinds, *((limit.of,) if limit.of else ()))
    return tuple(dict.fromkeys(_SAID[kind] for kind in named if kind in _SAID))
