"""The tables of a campaign: what each recipient's facts come to, by link, by domain, by reason, by hour."""

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
from mailflows.tracking._people import LONG_AGO
from mailflows.tracking._proportions import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailflows.tracking._people import Bounce, Person

__all__ = [
    "METRICS",
    "Group",
    "LinkClicks",
    "Moment",
    "Rate",
    "completed",
    "groups",
    "link_table",
    "percent",
    "provider_name",
    "rate_of",
    "timeline",
    "totals",
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

Opens by people are counted among those whose opens can be seen: whom Apple's Mail Privacy Protection hides
stands in neither number. Who clicked has opened, with or without pictures; but clicks are told of those who
were seen to load pictures, so that no denominator holds clickers by construction.
"""

# choice: ten thousand steps are more than a year of hours, and than a chart can show
_MAX_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Rate(Result):
    """A share of recipients, and what the numbers allow it to be.

    Attributes:
        name: What they did, a key of `METRICS`.
        count: How many did.
        of: Among how many.
        low: The lower end of Wilson's interval, in [0, 1].
        high: The upper end.
        total: How often they did it in all: opens and clicks may be many of one recipient.
    """

    name: str
    count: int
    of: int
    low: float
    high: float
    total: int

    @property
    def share(self) -> float | None:
        """The share, in [0, 1]; `None` of nobody."""
        return self.count / self.of if self.of else None

    def __str__(self) -> str:
        """Return one line, such as "clicked: 3.0 % (30 of 1000; 2.1 % to 4.3 %)"."""
        share = "-" if self.share is None else percent(self.share)
        interval = f"{percent(self.low)} to {percent(self.high)}"
        return f"{self.name}: {share} ({self.count} of {self.of}; {interval})"

    def to_dict(self) -> dict[str, Any]:
        """Return the rate as plain data."""
        return {
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
        url: Where it leads; empty where the events do not say.
        people: Recipients who clicked it.
        total: All their clicks.
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
        sent: How many were written to.
        delivered: How many received it.
        opened: How many people were seen to open it.
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
    """A stretch of the time line: recipients to whom something happened first.

    Attributes:
        start: When it begins.
        opened: Who opened, people only.
        clicked: Who clicked, people only.
        unsubscribed: Who left the list.
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


_ACTED = frozenset(("read", "clicked", "complained", "unsubscribed"))
_ARRIVED = _ACTED | {"opened", "fetched"}


def completed(people: Iterable[Person]) -> None:
    """Add what follows from what is known: who complained has received it, who received it was sent it."""
    people = list(people)
    tells_deliveries = any("delivered" in person.facts for person in people)
    shared: dict[frozenset[str], frozenset[str]] = {}
    for person in people:
        facts = set(person.facts)
        if person.bounce is not None and not _is_last_word(person, person.bounce):
            person.bounce = None
            person.first.pop("bounced", None)
        if person.bounce is not None:
            facts.discard("delivered")
            facts.add("hard-bounced" if person.bounce[0] else "soft-bounced")
        elif facts & _ARRIVED or (not tells_deliveries and facts & {"sent", "rejected"} == {"sent"}):
            facts.add("delivered")
        if facts != {"rejected"}:  # refused before it left
            facts.add("sent")
        if facts & {"read", "clicked"}:
            facts.add("seen")
        if "delivered" in facts and ("hidden" not in facts or "read" in facts):
            facts.add("visible")
        key = frozenset(facts)
        person.facts = shared.setdefault(key, key)


def _is_last_word(person: Person, bounce: Bounce) -> bool:
    """Say whether a bounce counts: not where the message was delivered later, or a person used it."""
    is_hard, moment, _ = bounce
    if person.facts & _ACTED:
        return False
    if "delivered" not in person.facts:
        return True
    if min(person.delivered_at, moment) > LONG_AGO:
        return moment >= person.delivered_at
    return is_hard  # a deferral comes before the delivery, an asynchronous bounce behind it


def totals(people: Iterable[Person]) -> dict[str, int]:
    """Return how often people did what they may do more than once, by metric."""
    found = Counter[str]()
    for person in people:
        clicks = person.all_clicks
        found["opened"] += person.fetches
        found["clicked"] += clicks
        if "visible" in person.facts:
            found["opened by people"] += person.reads
        if "read" in person.facts:
            found["clicked of opened"] += clicks
    return found


def rate_of(name: str, count: int, of: int, confidence: float, total: int | None = None) -> Rate:
    """Return a share with its interval."""
    low, high = wilson(count, of, confidence=confidence)
    return Rate(name, count, of, low, high, count if total is None else max(count, total))


def link_table(people: Iterable[Person]) -> tuple[LinkClicks, ...]:
    """Return the links that people clicked, the most clicked first."""
    readers, clicks = Counter[str](), Counter[str]()
    for person in people:
        for url, count in person.clicks:
            readers[url] += 1
            clicks[url] += count
    rows = (LinkClicks(url, readers[url], clicks[url]) for url in readers)
    return tuple(sorted(rows, key=lambda row: (-row.people, -row.total, row.url)))


def groups(people: Iterable[Person], name_of: Callable[[str], str], confidence: float) -> tuple[Group, ...]:
    """Return the recipients by what their domain is called, the largest group first."""
    found: dict[str, list[Person]] = {}
    for person in people:
        if person.domain:
            found.setdefault(name_of(person.domain), []).append(person)
    rows = (_group(name, members, confidence) for name, members in found.items())
    return tuple(sorted(rows, key=lambda row: (-row.sent, row.name)))


@lru_cache(10_000)  # bound: one row for many recipients of a domain
def provider_name(domain: str) -> str:
    """Return the mailbox provider of a domain, as far as the name tells."""
    return provider_of(domain).name


def _group(name: str, members: list[Person], confidence: float) -> Group:
    counts = Counter(fact for person in members for fact in person.facts)
    delivered = counts["delivered"]
    clicks = sum(person.all_clicks for person in members)
    return Group(
        name,
        sent=counts["sent"],
        delivered=delivered,
        opened=counts["seen"],
        clicked=rate_of("clicked", counts["clicked"], delivered, confidence, clicks),
        complained=rate_of("complained", counts["complained"], delivered, confidence),
        bounced=counts["hard-bounced"] + counts["soft-bounced"],
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


def timeline(people: Iterable[Person], seconds: float, zone: tzinfo) -> tuple[Moment, ...]:
    """Return when things first happened to recipients, in even steps without a gap.

    Raises:
        ConfigurationError: If the step is not positive, or so short that there would be more than ten
            thousand.
    """
    if not seconds > 0:
        msg = f"a step must be a positive number of seconds, not {seconds}"
        raise ConfigurationError(msg, field="step")
    counts: Counter[tuple[int, str]] = Counter()
    for person in people:
        counts.update((int(moment.timestamp() // seconds), name) for name, moment in person.first.items())
    if not counts:
        return ()
    first, last = min(counts)[0], max(counts)[0]
    if last - first >= _MAX_STEPS:
        msg = f"a step of {seconds} seconds gives {last - first + 1} intervals; choose a longer step"
        raise ConfigurationError(msg, field="step")
    return tuple(
        Moment(
            datetime.fromtimestamp(number * seconds, zone),
            counts[number, "opened"],
            counts[number, "clicked"],
            counts[number, "unsubscribed"],
            counts[number, "complained"],
            counts[number, "bounced"],
        )
        for number in range(first, last + 1)
    )


def week(people: Iterable[Person], what: str, zone: tzinfo) -> tuple[tuple[int, ...], ...]:
    """Return how many recipients did something first, by weekday (Monday first) and hour of a zone.

    Raises:
        ConfigurationError: If it is nothing that has a time.
    """
    names = ("opened", "clicked", "unsubscribed", "complained", "bounced")
    if what not in names:
        msg = f"what= must be one of {', '.join(names)}; not {what!r}"
        raise ConfigurationError(msg, field="what")
    counts: Counter[tuple[int, int]] = Counter()
    for person in people:
        if moment := person.first.get(what):
            local = moment.astimezone(zone)
            counts[local.weekday(), local.hour] += 1
    return tuple(tuple(counts[day, hour] for hour in range(24)) for day in range(7))


def percent(share: float) -> str:
    """Write a share as a percentage that keeps small ones apart."""
    return f"{share * 100:.2f} %" if 0 < share < 0.001 else f"{share * 100:.1f} %"
