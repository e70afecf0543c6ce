"""What big providers measure of a sender: Google Postmaster Tools, Yahoo Insights, Microsoft SNDS.

Each has its own denominator, which is not the number of messages sent: a rate is compared with the provider's
own threshold, and never mixed with our counts.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from io import StringIO
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailflows._result import Result
from mailflows.errors import ConfigurationError
from mailflows.reputation._breaker import BreakerPolicy, Metric, Threshold, is_over, thresholds_for

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["ProviderReading", "read_readings", "verdicts_of"]

_DAYS_ABOVE = 2
"""Days with a rate above the threshold that open a breaker where the provider tells no volume. Our choice:
one day may be one mailing."""

_SNDS_COLUMNS = 11  # Microsoft, SNDS "Automated Data Access", seen 2026-11: up to the trap hits
_TEN = 10  # by definition: letters of a date such as 2026-06-01 (ISO 8601)

_DENOMINATORS = {
    "google": "DKIM-signed messages that reached the inbox",
    "yahoo": "DKIM-signed messages that reached the inbox",
    "outlook": "recipients of messages",
}


@dataclass(frozen=True, slots=True)
class ProviderReading(Result):
    """What a provider measured on one day.

    Attributes:
        provider: ``google``, ``yahoo`` or ``outlook``.
        subject: The domain, or for Microsoft the source IP address.
        day: The day.
        complaints: The share of that provider's denominator that was reported as spam; for a range, its lower
            end.
        total: The denominator; `None` if it is not given.
        traps: Messages to spam traps.
        words: The provider's own rating, such as ``RED``; empty if there is none.

    Example:
        >>> import datetime as dt
        >>> ProviderReading("google", "news.example.org", dt.date(2026, 2, 14), complaints=0.002).complaints
        0.002
    """

    provider: str
    subject: str
    day: date
    complaints: float
    total: int | None = None
    traps: int = 0
    words: str = ""

    @property
    def denominator(self) -> str:
        """The denominator of the rate, in words."""
        return _DENOMINATORS[self.provider]

    def __str__(self) -> str:
        of = f" of {self.total}" if self.total is not None else ""
        return f"{self.provider} on {self.day}: {self.complaints:.2%}{of} reported as spam ({self.subject})"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return {
            "provider": self.provider,
            "subject": self.subject,
            "day": self.day.isoformat(),
            "complaints": self.complaints,
            "total": self.total,
            "traps": self.traps,
            "words": self.words,
        }


def read_readings(source: str | bytes | os.PathLike[str]) -> tuple[ProviderReading, ...]:
    """Read an export: Google's response to domainStats.query (JSON), Yahoo's or Microsoft's CSV.

    Args:
        source: Its content, or a path.

    Raises:
        ConfigurationError: If it is not one of these exports.
        OSError: If a path cannot be read.

    Example:
        >>> import json
        >>> stat = {"name": "domains/example.org/domainStats/1", "metric": "SPAM_RATE"}
        >>> stat |= {"date": {"year": 2026, "month": 6, "day": 1}, "value": {"doubleValue": 0.0041}}
        >>> print(read_readings(json.dumps({"domainStats": [stat]}))[0])
        google on 2026-06-01: 0.41% reported as spam (example.org)
    """
    if isinstance(source, bytes):
        text = source.decode("utf-8-sig", "replace")
    elif isinstance(source, str):
        text = source
    else:
        text = Path(source).read_text("utf-8-sig", errors="replace")
    if text.lstrip()[:1] in {"{", "["}:
        return tuple(_google(text))
    try:
        rows = [row for row in csv.reader(StringIO(text, newline="")) if any(cell.strip() for cell in row)]
    except csv.Error:
        rows = []
    if rows and _is_address(rows[0][0]):
        return tuple(found for row in rows if (found := _snds(row)))
    if rows and (columns := _columns(rows[0])):
        return tuple(found for row in rows[1:] if (found := _yahoo(row, columns)))
    msg = "source is not an export of Google Postmaster Tools (JSON), Yahoo Insights or Microsoft SNDS (CSV)"
    raise ConfigurationError(msg, field="source")


def _google(text: str) -> Iterator[ProviderReading]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as problem:
        msg = f"source is not JSON: {problem}"
        raise ConfigurationError(msg, field="source") from problem
    for stat in _stats(content):
        metric, value, day = str(stat.get("metric", "")).lower(), stat.get("value"), stat.get("date")
        if "spam" not in metric or not isinstance(value, dict) or not isinstance(day, dict):
            continue
        rate = next((value[name] for name in ("doubleValue", "floatValue") if name in value), None)
        domain = str(stat.get("name", "")).removeprefix("domains/").partition("/")[0]
        try:
            when = date(day["year"], day["month"], day["day"])
            yield ProviderReading("google", domain, when, float(rate))  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError):
            continue


def _stats(content: object) -> Iterator[Mapping[str, Any]]:
    """Yield every statistic of an answer, of a batch of answers, or of a list of these."""
    waiting = [content]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += reversed(one)
        elif isinstance(one, dict):
            found = one.get("domainStats")
            if isinstance(found, list):
                yield from (stat for stat in found if isinstance(stat, dict))
            others = (value for name, value in one.items() if name != "domainStats")
            waiting += [value for value in others if isinstance(value, dict | list)]


def _snds(row: list[str]) -> ProviderReading | None:
    """Read a row of Microsoft's: address, period, commands, recipients, colour, complaint rate, traps."""
    if len(row) < _SNDS_COLUMNS or not _is_address(row[0]):
        return None
    day, total = _day(row[1]), _number(row[5])
    if day is None or total is None:
        return None
    # "< 0.1%" is a bound: nothing is certain of it but 0.
    rate = 0.0 if "<" in row[7] else (_share(row[7]) or 0.0)
    traps = _number(row[10]) or 0
    return ProviderReading("outlook", row[0].strip(), day, rate, total, traps, row[6].strip())


def _columns(header: list[str]) -> dict[str, int]:
    """Return where Yahoo's columns stand, by the words of their names."""
    found: dict[str, int] = {}
    for place, name in enumerate(header):
        words = name.lower()
        if "complaint" in words or "spam rate" in words:
            found.setdefault("rate", place)
        elif "inbox" in words or "deliver" in words:
            found.setdefault("total", place)
        elif "date" in words or words.strip() == "day":
            found.setdefault("day", place)
        elif "domain" in words:
            found.setdefault("domain", place)
    return found if {"rate", "day"} <= found.keys() else {}


def _yahoo(row: list[str], columns: dict[str, int]) -> ProviderReading | None:
    cells = {name: row[place] for name, place in columns.items() if place < len(row)}
    day, rate = _day(cells.get("day", "")), _share(cells.get("rate", ""))
    if day is None or rate is None:
        return None
    total = _number(cells.get("total", ""))
    return ProviderReading("yahoo", cells.get("domain", "").strip(), day, rate, total)


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip())
    except ValueError:
        return False
    return True


def _day(text: str) -> date | None:
    """Read a day as these exports write it: 2026-06-01, or 6/1/2026 with or without a time."""
    text = text.strip()
    for form, shown in (("%Y-%m-%d", text[:_TEN]), ("%m/%d/%Y", text.partition(" ")[0])):
        try:
            return datetime.strptime(shown, form).date()  # noqa: DTZ007 -- a day has no zone
        except ValueError:
            continue
    return None


def _number(text: str) -> int | None:
    try:
        return int(text.replace(",", "").strip())
    except ValueError:
        return None


def _share(text: str) -> float | None:
    """Read a share, with or without a percent sign."""
    bare = text.replace("<", "").replace(">", "").strip()
    try:
        value = float(bare.rstrip("% "))
    except ValueError:
        return None
    share = value / 100 if "%" in bare else value
    return share if 0.0 <= share <= 1.0 else None


def verdicts_of(
    readings: Iterable[ProviderReading],
    *,
    today: date,
    policy: BreakerPolicy,
    thresholds: Iterable[Threshold] | None,
) -> dict[str, str]:
    """Return the providers that measured too much, each with the sentence that says so."""
    recent: dict[str, list[ProviderReading]] = defaultdict(list)
    for reading in readings:
        if 0 <= (today - reading.day).days <= policy.window:
            recent[reading.provider].append(reading)
    found = {}
    for provider, known in sorted(recent.items()):
        threshold = next(
            (t for t in thresholds_for(provider, thresholds) if t.metric is Metric.COMPLAINTS), None
        )
        if threshold is not None and (sentence := _judged(known, threshold, policy)):
            found[provider] = sentence
    return found


def _judged(known: list[ProviderReading], threshold: Threshold, policy: BreakerPolicy) -> str:
    """Say why some readings of one provider stop it; empty where they do not."""
    of = known[0].denominator
    counted = [reading for reading in known if reading.total is not None]
    total = sum(reading.total or 0 for reading in counted)
    hits = round(sum(reading.complaints * (reading.total or 0) for reading in counted))
    if counted and is_over(hits, total, threshold, policy):
        return (
            f"{hits} of {total} {of} were reported as spam, above {threshold.stop:.1%} ({threshold.provider})"
        )
    above = [reading for reading in known if reading.total is None and reading.complaints >= threshold.stop]
    days = {reading.day for reading in above}
    if len(days) >= _DAYS_ABOVE:
        worst = max(reading.complaints for reading in above)
        return (
            f"up to {worst:.2%} of {of} were reported as spam on {len(days)} days, "
            f"{threshold.stop:.1%} or more ({threshold.provider})"
        )
    return ""
