"""When something happened, in whatever way a report or a row writes a moment."""

from __future__ import annotations

import math
import re
import warnings
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["DateOrder", "moment_in"]

Row = TypeVar("Row")

_SPREADSHEET = re.compile(
    r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[ T,]+(\d{1,2}:\d{2}(?::\d{2})?)(?: ?([ap])\.?m\.?)?)?(.*)",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
"""A date as spreadsheets write it: day and month in either order, behind dots the day first."""

_MONTHS = 12  # by definition: a greater number is a day
_ORDERS = {"day-first": False, "month-first": True}
_MOST_WAITING = 50_000  # bound: keeps memory flat while rows wait for the one that tells the order

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


class DateOrder:
    """Whether the dates of one file have the day or the month first: all of them alike.

    Args:
        dates: ``day-first`` or ``month-first``, where it is known; by default the rows decide.

    Raises:
        ConfigurationError: If *dates* is neither.
    """

    def __init__(self, dates: str | None = None) -> None:
        if dates not in {None, *_ORDERS}:
            msg = f"dates= must be one of {', '.join(_ORDERS)}; got {dates!r}"
            raise ConfigurationError(msg, field="dates")
        self._month_first = _ORDERS.get(dates) if dates else None

    def settled(self, rows: Iterable[Row], cells: Callable[[Row], Iterable[str]]) -> Iterator[Row]:
        """Yield rows, each once the order is known; they wait only from the first date of two readings on.

        Args:
            rows: The rows of the file.
            cells: The dates of a row, as they are written.
        """
        waiting: list[Row] = []
        unclear = ""
        for row in rows:
            if self._month_first is None:
                found = self._look_at(cells(row))
                unclear = unclear or found
            waiting.append(row)
            if unclear and not self._is_settled:
                if len(waiting) < _MOST_WAITING:
                    continue
                self._guess(unclear)
            yield from waiting
            waiting.clear()
        if waiting:
            self._guess(unclear)
            yield from waiting

    def moment(self, cell: str) -> datetime | None:
        """Return a moment as mail, a log or a spreadsheet writes it, or `None`.

        >>> order = DateOrder("month-first")
        >>> order.moment("14.02.2020 9:00") == order.moment("02/14/2020 09:00") == moment_in(1581670800)
        True
        """
        found = _SPREADSHEET.match(cell)
        if found is None:
            return moment_in(cell)
        first, mark, second, year, clock, half, rest = found.groups()
        day, month = (second, first) if self._month_first and mark != "." else (first, second)
        written = f"{year}-{month.zfill(2)}-{day.zfill(2)}T{_clock(clock, half)}"
        return moment_in(written + rest.strip()) or moment_in(written)

    @property
    def _is_settled(self) -> bool:
        return self._month_first is not None

    def contradicts(self, cell: str) -> bool:
        """Return whether a cell is a date, but none in the order of the others."""
        return _SPREADSHEET.match(cell) is not None and self.moment(cell) is None

    def _look_at(self, cells: Iterable[str]) -> str:
        """Let dates decide, and return one that has two readings."""
        unclear = ""
        for cell in cells:
            found = _SPREADSHEET.match(cell)
            if found is None or found[2] == "." or found[1] == found[3]:
                continue
            first_is_day, second_is_day = int(found[1]) > _MONTHS, int(found[3]) > _MONTHS
            if not first_is_day and not second_is_day:
                unclear = cell
            elif first_is_day != second_is_day and self._month_first is None:
                self._month_first = second_is_day
        return unclear

    def _guess(self, unclear: str) -> None:
        self._month_first = False
        warnings.warn(
            f"dates such as {unclear[:10].strip()} are ambiguous, and no row settles their order; they were"
            ' read with the day first. To be sure, pass dates="day-first" or dates="month-first"',
            stacklevel=3,
        )


def _clock(time: str | None, half: str | None) -> str:
    """Return a time of the day as ISO 8601 has it; *half* is the ``a`` of a.m. or the ``p`` of p.m."""
    hour, _, rest = (time or "0:00").partition(":")
    number = int(hour) if half is None else int(hour) % 12 + 12 * (half in "pP")
    return f"{number:02}:{rest}"
