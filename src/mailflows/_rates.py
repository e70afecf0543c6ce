"""How limits are written: "3/hour; 10/day", "500/hour; burst 50", "20 distinct/day"."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import NoReturn

from mailflows.errors import ConfigurationError

__all__ = ["Rate", "duration", "parse_rates"]

_UNITS = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "week": 604_800,
}
_SPELLED = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "second"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "minute"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "hour"),
    **dict.fromkeys(("d", "day", "days"), "day"),
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), "week"),
}
_WORDS = {"secondly": "second", "minutely": "minute", "hourly": "hour", "daily": "day", "weekly": "week"}
_PER = {"rps": "second", "rpm": "minute", "rph": "hour", "rpd": "day"}
_NUMBERS = {
    **{word: n for n, word in enumerate("one two three four five six seven eight nine ten".split(), 1)},
    "once": 1,
    "twice": 2,
    "thrice": 3,
}
_PARTS = {"half": 0.5, "quarter": 0.25}
_NO_UNITS = {"month": "30d", "year": "365d", "fortnight": "2 weeks", "quarter": "90d"}
"""Spans of no fixed or no usual length, and what to write instead."""

_NUMBER = (
    r"(?P<number>[0-9]{1,3}(?:[,_' ][0-9]{3})+(?![0-9])|[0-9]{1,12}|"
    + "|".join(_NUMBERS)
    + r")(?P<kilo>k\b)?"
)
_RATE = re.compile(
    r"(?:(?:max(?:imum)?|up\s+to|at\s+most|no\s+more\s+than)\b\.?:?\s*)?"
    + _NUMBER
    + r"\s*(?:x\b\s*)?(?P<distinct>(?:distinct|different|unique)\b\s*)?"
    r"(?:(?:e-?mails?|mails?|messages?|msgs?|recipients?|requests?|reqs?|times?|hits?|calls?|attempts?)\b\s*)?"
    r"(?P<second_distinct>(?:distinct|different|unique)\b\s*)?"
    r"(?:(?:/|(?:per|an?|every|each|in|within)\b)\s*"
    r"(?:(?P<part>half|quarter)(?:\s+(?:of\s+)?an?)?[\s-]+|(?P<times>[0-9]{1,9}(?:\.[0-9]{1,6})?)?\s*)"
    r"(?P<unit>[a-z]{1,12})"
    rf"|(?P<word>{'|'.join(_WORDS)}|{'|'.join(_PER)}))(?![a-z0-9])"
    r"(?:\.(?![0-9]))?"
)
_BURST = re.compile(
    r"\(?(?:with\s+)?(?:an?\s+)?burst\s*(?:of\s+|[=:]\s*)?([0-9]{1,12})(?![a-z0-9/])\)?"
    r"|\(?([0-9]{1,12})\s+at\s+once\)?"
)
_BETWEEN = re.compile(r"(?:\s|[;,|&+]|and\b)*")
_EXAMPLES = "such as '3/hour; 10/day', '500/hour; burst 50' or '20 distinct/day'"


@dataclass(frozen=True, slots=True)
class Rate:
    """One rate of a limit.

    Attributes:
        limit: Units, or distinct values, per period.
        period: Seconds.
        burst: Units that may pass at once, if given.
        is_distinct: Whether distinct values are counted.
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
    """Parse the rates of a limit as people write them.

    Args:
        text: Rates, separated by ``;``, ``,`` or *and*. A rate is ``N/period``, ``N per period`` or
            ``N every period``, where the period is a unit from second to week with an optional number before
            it (``15min``); ``burst N`` belongs to the rate before it.

    Raises:
        ConfigurationError: If it cannot be read, or a rate is zero.

    Example:
        >>> parse_rates("5/10min; burst 2")
        (Rate(limit=5, period=600.0, burst=2, is_distinct=False),)
        >>> [str(rate) for rate in parse_rates("1,000 emails per hour and 3 every 15 minutes")]
        ['1000 per hour', '3 per 15 minutes']
    """
    if not isinstance(text, str):
        msg = f"a limit must be text {_EXAMPLES}; got {type(text).__name__}"
        raise ConfigurationError(msg, field="limit")
    if re.search(r"(?:/|\bper\s)\s*[0-9.]*\s*M\b", text):
        _refuse("a month or a minute (M)", text, "write min or 30d")
    plain = unicodedata.normalize("NFKC", text).strip().lower()
    rates: list[Rate] = []
    place = 0
    while place < len(plain):
        if match := _RATE.match(plain, place):
            rates.append(_rate(match, text))
        elif match := _BURST.match(plain, place):
            rates[-1:] = [_with_burst(rates, int(match[1] or match[2]), text)]
        else:
            _refuse(repr(plain[place : place + 60]), text)
        after = _BETWEEN.match(plain, match.end())
        place = after.end() if after else match.end()
        if place == match.end() < len(plain):
            _refuse(repr(plain[place : place + 60]), text)
    if not rates:
        _refuse("a rate", text)
    return tuple(rates)


def _refuse(what: str, text: str, cure: str = "") -> NoReturn:
    where = "" if what == repr(text.strip().lower()[:60]) else f"{what} in "
    msg = f"cannot read {where}the limit {text[:120]!r}; {cure or 'write rates'} {_EXAMPLES}"
    raise ConfigurationError(msg, field="limit")


def _rate(match: re.Match[str], text: str) -> Rate:
    number = _NUMBERS.get(match["number"]) or int(re.sub(r"[^0-9]", "", match["number"]))
    limit = number * (1000 if match["kilo"] else 1)
    period = _period(match, text)
    if limit < 1 or period <= 0:
        msg = f"a rate must be at least 1 per period, {_EXAMPLES}; got {match[0]!r}"
        raise ConfigurationError(msg, field="limit")
    is_distinct = match["distinct"] is not None or match["second_distinct"] is not None
    return Rate(limit, period, is_distinct=is_distinct)


def _period(match: re.Match[str], text: str) -> float:
    """Return the seconds of a rate's period."""
    if match["word"]:
        return float(_UNITS[_WORDS.get(match["word"]) or _PER[match["word"]]])
    unit = match["unit"]
    name = _SPELLED.get(unit)
    if name is None:
        instead = _NO_UNITS.get(unit.removesuffix("s"))
        cure = f"write /{instead}, or another rate" if instead else f"the units are {', '.join(_UNITS)}:"
        _refuse(f"the unit {unit!r}", text, cure)
    return float(_PARTS.get(match["part"] or "", 0) or match["times"] or 1) * _UNITS[name]


def _with_burst(rates: list[Rate], burst: int, text: str) -> Rate:
    """Return the last rate with its burst."""
    if not rates or burst < 1:
        msg = f"write 'burst N', with N at least 1, after a rate, {_EXAMPLES}; got {text!r}"
        raise ConfigurationError(msg, field="limit")
    rate = rates[-1]
    if rate.burst is not None or rate.is_distinct:
        msg = f"a rate takes one burst, and a distinct rate takes none, {_EXAMPLES}; got {text!r}"
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
