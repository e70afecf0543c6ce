"""Warm-up schedules: how many messages on which day of sending."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from mailflows import _data
from mailflows.errors import ConfigurationError

__all__ = ["Schedule"]

_SECONDS = {"day": 86_400, "hour": 3600}


@dataclass(frozen=True, slots=True)
class Schedule:
    """How many messages may be sent on each day of sending; unlimited after the last one.

    Args:
        limits: Messages on the first, second, … day. No day may allow less than the one before.
        per: ``day``, or ``hour`` where each limit holds for an hour of its day.
        source: Where the numbers come from.
        is_ours: Whether the steps are a convention of this library, because the provider publishes only start
            and end.

    Raises:
        ConfigurationError: If there is no step, one is not a whole number of at least 1, or they decrease.

    Example:
        >>> Schedule((50, 100, 500))
        Schedule(limits=(50, 100, 500), per='day', source='', is_ours=False)
        >>> Schedule.named("sendgrid-daily").limits[:4]
        (50, 100, 500, 1000)
    """

    limits: tuple[int, ...]
    per: Literal["day", "hour"] = "day"
    source: str = ""
    is_ours: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", tuple(self.limits))
        if self.per not in _SECONDS:
            msg = f"per= must be 'day' or 'hour'; got {self.per!r}"
            raise ConfigurationError(msg, field="per")
        if not self.limits or not all(limit == int(limit) and limit > 0 for limit in self.limits):
            msg = f"limits= must be whole numbers of at least 1, one for each day; got {self.limits!r:.120}"
            raise ConfigurationError(msg, field="limits")
        if list(self.limits) != sorted(self.limits):
            msg = f"a day of a warm-up must not allow less than the day before; got {self.limits!r:.120}"
            raise ConfigurationError(msg, field="limits")

    @property
    def period(self) -> int:
        """Seconds in which a limit holds."""
        return _SECONDS[self.per]

    @classmethod
    def named(cls, name: str) -> Schedule:
        """Return a published schedule: ``sendgrid-daily``, ``sendgrid-hourly`` or ``ses``.

        Amazon SES publishes only the end (50,000 a day after 45 days); the steps are ours, and `is_ours` says
        so.

        Raises:
            ConfigurationError: If there is no such schedule.
        """
        table = _published()
        if name not in table:
            msg = f"unknown schedule {name!r}: choose from {', '.join(sorted(table))}, or write a Schedule()"
            raise ConfigurationError(msg, field="schedule")
        entry = table[name]
        return cls(tuple(entry["limits"]), entry["per"], entry["source"], entry["ours"])


@cache
def _published() -> dict[str, dict[str, Any]]:
    return tomllib.loads(_data.read("limits/warm-up.toml"))
