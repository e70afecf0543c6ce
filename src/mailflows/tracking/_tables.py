"""The tables of a campaign: what its recipients came to, by link, by domain, by hour."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mailflows._providers import provider_of
from mailflows._result import Result, number_of
from mailflows.errors import ConfigurationError
from mailflows.tracking._proportions import wilson
from mailflows.tracking._tally import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mailflows.tracking._tally import Tally

__all__ = [
    "CODES",
    "LABELS",
    "METRICS",
    "MOMENTS",
    "Group",
    "LinkClicks",
    "Moment",
    "Rate",
    "groups",
    "link_table",
    "percent",
    "provider_name",
    "rates_of",
    "timeline",
    "week",
    "zone_of",
]

METRICS = {
    "delivered": ("delivered", "sent"),
    "opened": ("opened", "delivered"),
    "opened by people": ("seen", "visible"),
    "clicked": ("clicked", "delivered"),
    "clicked of opened": ("clicked", "read"),
    "unsubscribed": ("unsubscribed", "delivered"),
    "complained": ("complained", "delivered"),
    "hard bounces": ("hard-bounced", "sent"),
    "soft bounces": ("soft-bounced", "sent"),
}
"""The rates of a campaign: each is the share of recipients of the first kind among those of the second.

Opens by people are counted among those whose opens can be seen: recipients hidden by Apple's Mail Privacy
Protection are in neither number. Anyone who clicked has opened, with or without images; but clicks are
counted among those who were seen to load images, so that no denominator contains clickers by construction.
"""

LABELS = {
    "delivered": "Delivered",
    "opened": "Pixel loaded, by anyone or anything",
    "opened by people": "Opened by people, of those whose opens can be seen",
    "clicked": "Clicked by people",
    "clicked of opened": "Clicked, of those who were seen to open",
    "unsubscribed": "Unsubscribed",
    "complained": "Complained",
    "hard bounces": "Bounced permanently",
    "soft bounces": "Bounced temporarily",
}
"""The label of each metric, as shown to readers."""

CODES = {
    "delivered": "delivered",
    "opened": "opened",
    "opened by people": "opened-by-people",
    "clicked": "clicked",
    "clicked of opened": "clicked-of-opened",
    "unsubscribed": "unsubscribed",
    "complained": "complained",
    "hard bounces": "hard-bounces",
    "soft bounces": "soft-bounces",
}
"""The code of each metric, for machines."""

MOMENTS = ("opened", "clicked", "unsubscribed", "complained", "bounced")
"""What has a time: when it first happened to a recipient."""

# choice: ten thousand steps are more than a year of hours, and than a chart can show
_MAX_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Rate(Result):
    """A share of recipients, with its confidence interval.

    Attributes:
        name: The rate, a key of `METRICS`.
        count: The number of recipients who did it.
        of: Out of how many.
        low: The lower end of Wilson's interval, in [0, 1].
        high: The upper end.
        total: How often it happened in total: one recipient may open and click many times.
    """

    name: str
    count: int
    of: int
    low: float
    high: float
    total: int

    @property
    def code(self) -> str:
        """The name in kebab-case, for machines, such as ``opened-by-people``."""
        return CODES[self.name]

    @property
    def label(self) -> str:
        """The label shown to readers."""
        return LABELS.get(self.name, self.name)

    @property
    def share(self) -> float | None:
        """The share, in [0, 1]; `None` if there are no recipients."""
        return self.count / self.of if self.of else None

    def __str__(self) -> str:
        """Return one line, such as "clicked: 3.0 % (30 of 1000; 2.1 % to 4.3 %)"."""
        share = "-" if self.share is None else percent(self.share)
        interval = f"{percent(self.low)} to {percent(self.high)}"
        return f"{self.name}: {share} ({self.count} of {self.of}; {interval})"

    def to_dict(self) -> dict[str, Any]:
        """Return the rate as plain data."""
        return {
            "code": self.code,
            "label": self.label,
            "name": self.name,
            "count": self.count,
            "of": self.of,
            "share": self.share,
            "interval": [self.low, self.high],
            "total": self.total,
        }


@dataclass(frozen=True, slots=True)
class LinkClicks(Result):
    """What people did with one link.

    Attributes:
        url: The target; empty if the events do not name it.
        people: Number of recipients who clicked it.
        total: Total number of their clicks.
    """

    url: str
    people: int
    total: int

    def __str__(self) -> str:
        """Return one line."""
        people, clicks = number_of(self.people, "recipient"), number_of(self.total, "click")
        return f"{self.url or '(unknown link)'}: {people}, {clicks}"


@dataclass(frozen=True, slots=True)
class Group(Result):
    """The recipients of one domain, or of one mailbox provider.

    Attributes:
        name: The domain, or the name of the provider.
        sent: Number of recipients that it was sent to.
        delivered: How many received it.
        opened: Number of people who were seen to open it.
        clicked: People who clicked, of those who received it.
        complained: Who complained, of those who received it.
        bounced: How many bounced, hard and soft.
    """

    name: str
    sent: int
    delivered: int
    opened: int
    clicked: Rate
    complained: Rate
    bounced: int

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.name}: {self.sent} sent, {self.clicked}, {self.complained}"


@dataclass(frozen=True, slots=True)
class Moment(Result):
    """An interval of the timeline: recipients who did something for the first time.

    Attributes:
        start: When it begins.
        opened: Who opened, people only.
        clicked: Who clicked, people only.
        unsubscribed: Who unsubscribed.
        complained: Who complained.
        bounced: Who bounced.
    """

    start: datetime
    opened: int
    clicked: int
    unsubscribed: int
    complained: int
    bounced: int

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.start.isoformat()}: {self.opened} opened, {self.clicked} clicked"


def rates_of(tally: Tally, confidence: float) -> tuple[Rate, ...]:
    """Return the shares of `METRICS`, in order."""
    kinds = tally.kinds
    return tuple(
        _rate(name, count_of(kinds, part, whole), count_of(kinds, whole), confidence, tally.totals[name])
        for name, (part, whole) in METRICS.items()
    )


def _rate(name: str, count: int, of: int, confidence: float, total: int) -> Rate:
    """Return a share with its interval."""
    low, high = wilson(count, of, confidence=confidence)
    return Rate(name, count, of, low, high, max(count, total))


def link_table(tally: Tally) -> tuple[LinkClicks, ...]:
    """Return the links that people clicked, the most clicked first."""
    rows = (LinkClicks(url, people, tally.clicks[url]) for url, people in tally.readers.items())
    return tuple(sorted(rows, key=lambda row: (-row.people, -row.total, row.url)))


def groups(tally: Tally, name_of: Callable[[str], str], confidence: float) -> tuple[Group, ...]:
    """Return the recipients by what their domain is called, the largest group first."""
    kinds: dict[str, Counter[int]] = {}
    clicks = Counter[str]()
    for domain, counts in tally.domains.items():
        name = name_of(domain)
        kinds.setdefault(name, Counter()).update(counts)
        clicks[name] += tally.domain_clicks[domain]
    rows = (_group(name, counts, clicks[name], confidence) for name, counts in kinds.items())
    return tuple(sorted(rows, key=lambda row: (-row.sent, row.name)))


@lru_cache(10_000)  # bound: one row for many recipients of a domain
def provider_name(domain: str) -> str:
    """Return the mailbox provider of a domain, as far as the name tells."""
    return provider_of(domain).name


def _group(name: str, kinds: Counter[int], clicks: int, confidence: float) -> Group:
    delivered = count_of(kinds, "delivered")
    return Group(
        name,
        sent=count_of(kinds, "sent"),
        delivered=delivered,
        opened=count_of(kinds, "seen"),
        clicked=_rate("clicked", count_of(kinds, "clicked"), delivered, confidence, clicks),
        complained=_rate("complained", count_of(kinds, "complained"), delivered, confidence, 0),
        bounced=count_of(kinds, "hard-bounced") + count_of(kinds, "soft-bounced"),
    )


def zone_of(zone: str | tzinfo) -> tzinfo:
    """Return a time zone by its name.

    Raises:
        ConfigurationError: If there is no such name.
    """
    if isinstance(zone, tzinfo):
        return zone
    try:
        return UTC if zone == "UTC" else ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError) as problem:
        msg = f"there is no time zone {zone!r}; write it like Europe/Paris"
        raise ConfigurationError(msg, field="zone") from problem


def timeline(firsts: Mapping[str, Mapping[int, int]], seconds: float, zone: tzinfo) -> tuple[Moment, ...]:
    """Return when things first happened to recipients, in even steps without a gap.

    Args:
        firsts: As `Tally` has them.
        seconds: The step.
        zone: The time zone of the intervals.

    Raises:
        ConfigurationError: If the step is not positive, or so short that there would be more than ten
            thousand.
    """
    if not seconds > 0:
        msg = f"a step must be a positive number of seconds, not {seconds}"
        raise ConfigurationError(msg, field="step")
    numbers = {int(second // seconds) for counts in firsts.values() for second in counts}
    if not numbers:
        return ()
    first, last = min(numbers), max(numbers)
    if last - first >= _MAX_STEPS:
        msg = f"a step of {seconds} seconds gives {last - first + 1} intervals; choose a longer step"
        raise ConfigurationError(msg, field="step")
    found = {name: Counter[int]() for name in MOMENTS}
    for name, counts in firsts.items():
        for second, people in counts.items():
            found[name][int(second // seconds)] += people
    return tuple(
        Moment(
            datetime.fromtimestamp(number * seconds, zone), **{name: found[name][number] for name in MOMENTS}
        )
        for number in range(first, last + 1)
    )


def week(counts: Mapping[int, int], zone: tzinfo) -> tuple[tuple[int, ...], ...]:
    """Return how many recipients did something first, by weekday (Monday first) and hour of a zone.

    Args:
        counts: Recipients by the second in which they did.
        zone: The time zone of the hours.
    """
    found: Counter[tuple[int, int]] = Counter()
    for second, people in counts.items():
        local = datetime.fromtimestamp(second, zone)
        found[local.weekday(), local.hour] += people
    return tuple(tuple(found[day, hour] for hour in range(24)) for day in range(7))


def percent(share: float) -> str:
    """Write a share as a percentage that keeps small ones apart."""
    return f"{share * 100:.2f} %" if 0 < share < 0.001 else f"{share * 100:.1f} %"
