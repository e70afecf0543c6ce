"""When something happened, in whatever way a report or a row writes a moment."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["moment_in", "moment_of_cell"]

_EUROPEAN = re.compile(r"(\d{1,2})[./](\d{1,2})[./](\d{4})(?:[ T,]+(\d{1,2}:\d{2}(?::\d{2})?))?", re.ASCII)

_MILLISECONDS = 1e11
"""A number of seconds above this is in milliseconds; choice: it would be the year 5138."""


def moment_in(value: object) -> datetime | None:
    """Return a time in seconds, in milliseconds, in ISO 8601 or as mail has it, in UTC; or `None`.

    >>> moment_in("Fri, 14 Feb 2020 09:00:00 UTC") == moment_in("2020-02-14 09:00") == moment_in(1581670800)
    True
    """
    try:
        seconds = float(str(value))
    except ValueError:
        return _written_out(str(value))
    if not math.isfinite(seconds) or isinstance(value, bool):
        return None
    try:
        return datetime.fromtimestamp(seconds / 1000 if seconds > _MILLISECONDS else seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _written_out(text: str) -> datetime | None:
    plain = text.strip().removesuffix(" UTC").removesuffix(" GMT")
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(plain)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError, TypeError, IndexError):  # OverflowError beyond the years 1 to 9999
            continue
    return None


def moment_of_cell(cell: str) -> datetime | None:
    """Return a moment as spreadsheets write it, too: day before month, with dots or slashes.

    >>> moment_of_cell("14.02.2020 9:00") == moment_of_cell("02/14/2020 09:00") == moment_in(1581670800)
    True
    """
    european = _EUROPEAN.match(cell)
    if european is None:
        return moment_in(cell)
    first, second, year, clock = european.groups()
    is_american = "/" in cell and int(second) > 12  # 02/14/2020 cannot be a day before a month
    day, month = (second, first) if is_american else (first, second)
    return moment_in(f"{year}-{int(month):02}-{int(day):02}T{(clock or '00:00').zfill(5)}")
