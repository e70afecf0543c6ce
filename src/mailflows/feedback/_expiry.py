"""How long a suppression lasts: its settings, its end, and which of two lasts longer."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    from mailflows.feedback._entry import Suppression

__all__ = [
    "DAY",
    "days_in",
    "end_of",
    "lasts_longer",
    "require_lasting",
    "require_whole",
    "require_zone",
    "sensible",
]

DAY = 86400.0
"""Seconds (bound: a calendar day)."""

LONGEST = 100 * 365 * DAY
"""Seconds: a suppression that is to last longer lasts for ever."""

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""No bounce is older; what a report says may be."""


def require_whole(name: str, value: object) -> None:
    if not isinstance(value, int) or value < 1:
        msg = f"{name} must be a whole number of at least 1; got {value!r}"
        raise ConfigurationError(msg, field=name)


def require_lasting(name: str, value: object) -> None:
    """Refuse a time in which nothing can be remembered; not-a-number lies in no range."""
    if not isinstance(value, int | float) or not 0 < value <= LONGEST:
        msg = f"{name} must be a number of seconds above 0 and at most {LONGEST:.0f}; got {value!r}"
        raise ConfigurationError(msg, field=name)


def require_zone(name: str, moment: datetime | None) -> None:
    if moment is not None and moment.tzinfo is None:
        msg = f"{name} has no time zone; pass a time in UTC, such as datetime.now(UTC)"
        raise ConfigurationError(msg, field=name)


def end_of(expires: object, now: datetime) -> datetime | None:
    """Return the moment at which an entry ends, or `None` for never."""
    if isinstance(expires, timedelta):
        expires = expires.total_seconds()
    if expires is None or isinstance(expires, datetime):
        return expires
    if not isinstance(expires, int | float) or math.isnan(expires):
        msg = f"expires must be a number of seconds, a timedelta or a UTC datetime; got {expires!r}"
        raise ConfigurationError(msg, field="expires")
    return None if expires > LONGEST else now + timedelta(seconds=max(expires, 0.0))


def sensible(moment: datetime | None, now: datetime) -> datetime:
    """Return when an event happened: not later than now, whatever a report says, and after 1970."""
    if moment is None:
        return now
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(aware, _EARLIEST), now)


def lasts_longer(old: Suppression, new: Suppression) -> bool:
    """Return whether an entry outlives another, or is the same that is written again."""
    if old.held and not new.held:
        return False
    if old.expires is None:
        return True
    return new.expires is not None and old.expires >= new.expires


def days_in(document: bytes | None) -> frozenset[str]:
    """Return the days with a soft bounce; none where the document is damaged."""
    try:
        return frozenset(str(day) for day in json.loads(document or b"[]"))
    except (ValueError, TypeError):
        return frozenset()
