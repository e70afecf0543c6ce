"""Moments and durations: Unix seconds inside, aware datetimes in results, one check of what a user gives.

A ``clock=`` returns Unix seconds: it dates what is stored, shared or told. A ``timer=`` returns monotonic
seconds: it measures budgets and pauses of one process. `mailflows.testing.FixedClock` serves as both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from mailflows.errors import ConfigurationError

__all__ = ["Clock", "Timer", "seconds_in", "to_datetime", "to_unix"]

Clock: TypeAlias = Callable[[], float]
"""Returns the present moment in Unix seconds, such as `time.time`."""

Timer: TypeAlias = Callable[[], float]
"""Returns seconds that never go back, such as `time.monotonic`."""


def to_datetime(moment: float) -> datetime:
    """Return Unix seconds as an aware moment in UTC.

    >>> to_datetime(1767225600.0).isoformat()
    '2026-01-01T00:00:00+00:00'
    """
    return datetime.fromtimestamp(moment, UTC)


def to_unix(moment: object, *, name: str) -> float:
    """Return a moment as Unix seconds.

    Raises:
        ConfigurationError: If it is a datetime without a time zone, or not finite; *name* is the setting.

    >>> to_unix(datetime(2026, 1, 1, tzinfo=UTC), name="since")
    1767225600.0
    """
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            msg = f"{name} needs a time zone, such as datetime.now(UTC); got {moment.isoformat()}"
            raise ConfigurationError(msg, field=name)
        return moment.timestamp()
    if isinstance(moment, int | float) and math.isfinite(moment):
        return float(moment)
    msg = f"{name} must be an aware datetime or Unix seconds; got {moment!r}"
    raise ConfigurationError(msg, field=name)


def seconds_in(duration: object, *, name: str) -> float:
    """Return a duration as seconds.

    Raises:
        ConfigurationError: If it is negative or not a duration; *name* is the setting.

    >>> seconds_in(timedelta(hours=1), name="ttl")
    3600.0
    """
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds >= 0:
        return float(seconds)
    msg = f"{name} must be a number of seconds or a timedelta, and not negative; got {duration!r}"
    raise ConfigurationError(msg, field=name)
