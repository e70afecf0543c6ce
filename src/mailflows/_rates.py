"""How limits are written: «3/hour; 10/day», «500/hour; burst 50», «20 distinct/day»."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailflows.errors import ConfigurationError

__all__ = ["Rate", "duration", "parse_rates"]

_UNITS = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "week": 604_800,
}
_SHORT = {
    "s": "second",
    "sec": "second",
    "m": "minute",
    "min": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
}
_RATE = re.compile(r"(\d{1,12})\s*(distinct\s*)?(?:/|per\s)\s*(\d{1,9}(?:\.\d{1,6})?)?\s*([a-z]{1,10})")
_BURST = re.compile(r"burst\s+(\d{1,12})")
_EXAMPLES = "such as '3/hour; 10/day', '500/hour; burst 50' or '20 distinct/day'"


@dataclass(frozen=True, slots=True)
class Rate:
    """One rate of a limit.

    Attributes:
        limit: Units, or different values, per period.
        period: Seconds.
        burst: Units that may pass at once, where it was said.
        is_distinct: Whether different values are counted.
    """

    limit: int
    period: float
    burst: int | None = None
    is_distinct: bool = False

    def __str__(self) -> str:
        """Return the rate in words.

        >>> str(Rate(3, 3600.0)), str(Rate(20, 900.0, is_distinct=True))
        ('3 per hour', '20 different per 15 minutes')
        """
        unit = duration(self.period)
        return f"{self.limit}{' different' * self.is_distinct} per {unit.removeprefix('1 ')}"


def parse_rates(text: str) -> tuple[Rate, ...]:
    """Read the rates of a limit.

    Args:
        text: Rates, separated by ``;`` or ``,``. A rate is ``N/period`` or ``N per period``, where the
            period is a unit from second to week with an optional number before it (``15min``); ``burst N``
            belongs to the rate before it.

    Raises:
        ConfigurationError: If it cannot be read, or a rate is zero.

    Example:
        >>> parse_rates("5/10min; burst 2")
        (Rate(limit=5, period=600.0, burst=2, is_distinct=False),)
    """
    if not isinstance(text, str):
        msg = f"a limit is text {_EXAMPLES}; got {type(text).__name__}"
        raise ConfigurationError(msg, field="limit")
    rates: list[Rate] = []
    for part in re.split(r"[;,]", text.strip().lower()):
        piece = part.strip()
        if match := _BURST.fullmatch(piece):
            rates[-1:] = [_with_burst(rates, int(match[1]), text)]
        elif match := _RATE.fullmatch(piece):
            rates.append(_rate(match, text))
        else:
            msg = f"cannot read {piece[:60]!r} in the limit {text[:120]!r}; write rates {_EXAMPLES}"
            raise ConfigurationError(msg, field="limit")
    return tuple(rates)


def _rate(match: re.Match[str], text: str) -> Rate:
    number, distinct, times, unit = match.groups()
    name = _SHORT.get(unit, unit.removesuffix("s") if len(unit) > 1 else unit)
    if name not in _UNITS:
        msg = f"unknown unit {unit!r} in the limit {text!r}; the units are {', '.join(_UNITS)}"
        raise ConfigurationError(msg, field="limit")
    period = float(times or 1) * _UNITS[name]
    if int(number) < 1 or period <= 0:
        msg = f"a rate is at least 1 per some time; got {match[0]!r}"
        raise ConfigurationError(msg, field="limit")
    return Rate(int(number), period, is_distinct=distinct is not None)


def _with_burst(rates: list[Rate], burst: int, text: str) -> Rate:
    """Return the last rate with its burst."""
    if not rates or burst < 1:
        msg = f"«burst N» with N of at least 1 stands behind a rate; got {text!r}"
        raise ConfigurationError(msg, field="limit")
    rate = rates[-1]
    if rate.burst is not None or rate.is_distinct:
        msg = f"a rate has one burst, and one that counts different values has none; got {text!r}"
        raise ConfigurationError(msg, field="limit")
    return Rate(rate.limit, rate.period, burst)


def duration(seconds: float) -> str:
    """Return seconds in words, in the largest unit that says them exactly, or nearly.

    >>> duration(3600), duration(900), duration(5025), duration(0.2)
    ('1 hour', '15 minutes', '1.4 hours', '0.2 seconds')
    """
    unit, size = next(((u, s) for u, s in reversed(_UNITS.items()) if seconds >= s), ("second", 1))
    exact = next(((u, s) for u, s in reversed(_UNITS.items()) if seconds >= s and seconds % s == 0), None)
    if exact and seconds / exact[1] < 100:
        unit, size = exact
    number = f"{seconds / size:.2g}" if seconds < 100 * size else f"{seconds / size:.0f}"
    return f"{number} {unit}{'s' * (number != '1')}"
