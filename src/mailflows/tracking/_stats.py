"""What a campaign achieved: shares with their intervals, unique by recipient, proxies and scanners apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mailflows._result import Bar, Result, printable, to_frame, to_html, to_text
from mailflows.errors import ConfigurationError, MissingExtra
from mailflows.tracking._intervals import wilson
from mailflows.tracking._people import Person, gather

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailflows._result import Cell
    from mailflows.feedback import Event

__all__ = ["METRICS", "CampaignStats", "Moment", "Rate"]

METRICS = {
    "delivered": ("delivered", "sent"),
    "opened": ("opened", "delivered"),
    "opened by people": ("read", "visible"),
    "clicked": ("clicked", "delivered"),
    "clicked of opened": ("clicked", "read"),
    "unsubscribed": ("unsubscribed", "delivered"),
    "complained": ("complained", "delivered"),
    "hard bounces": ("hard-bounced", "sent"),
    "soft bounces": ("soft-bounced", "sent"),
}
"""What is told of a campaign: each is recipients of the first kind among those of the second.

Openings by people are told of those whose openings can be seen: whom Apple's Mail Privacy Protection hides
stands in neither number, and who only clicked was not seen to open.
"""

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
    """

    name: str
    count: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float | None:
        """The share, in [0, 1]; `None` of nobody."""
        return self.count / self.of if self.of else None

    def __str__(self) -> str:
        """Return one line, such as «clicked: 3.0 % (30 of 1000; 2.1 % to 4.3 %)»."""
        share = "-" if self.share is None else _percent(self.share)
        interval = f"{_percent(self.low)} to {_percent(self.high)}"
        return f"{self.name}: {share} ({self.count} of {self.of}; {interval})"

    def to_dict(self) -> dict[str, Any]:
        """Return the rate as plain data."""
        return {
            "name": self.name,
            "count": self.count,
            "of": self.of,
            "share": self.share,
            "interval": [self.low, self.high],
        }


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of the time line.

    Attributes:
        start: When it begins, in UTC.
        opened: Recipients who first opened in it, people only.
        clicked: Recipients who first clicked in it, people only.
    """

    start: datetime
    opened: int
    clicked: int


@dataclass(frozen=True, slots=True)
class CampaignStats(Result):
    """What a campaign achieved.

    Everything is counted once for each recipient. An open is «at least fetched», never «read»: proxies
    load pictures unasked, and readers without pictures are not seen. «Opened by people» leaves out what
    proxies and scanners fetched; clicks are those of people.

    Attributes:
        campaign: Its name; empty for all events together.
        rates: The shares of `METRICS`, in order.
        hits: How many opens and clicks there were in all, by kind, such as ``opened by scanner``.
        domains: Recipients by the domain of their address, the largest first: sent, delivered, opened by
            people, clicked, bounced (hard and soft), complained. Empty where no event tells an address.
        confidence: The share of such intervals that hold the truth.

    Example:
        >>> from mailflows.feedback import Event, EventType
        >>> events = [Event(EventType.DELIVERED, recipient_id=str(n)) for n in range(1000)]
        >>> events += [Event(EventType.COMPLAINED, recipient_id="7")]
        >>> print(CampaignStats.from_events(events).rate("complained"))
        complained: 0.1 % (1 of 1000; 0.02 % to 0.6 %)
    """

    campaign: str
    rates: tuple[Rate, ...]
    hits: dict[str, int]
    domains: tuple[tuple[str, dict[str, int]], ...]
    confidence: float
    people: tuple[Person, ...] = field(repr=False, compare=False)

    @classmethod
    def from_events(
        cls, events: Iterable[Event], *, campaign: str | None = None, confidence: float = 0.95
    ) -> CampaignStats:
        """Count the events of a campaign, in any order; what comes twice counts once.

        A recipient with a later event counts as sent, and as delivered if it was opened, clicked, or
        brought a complaint; one that was sent and neither bounced nor rejected counts as delivered if no
        event in all tells of deliveries.

        Args:
            events: Events of any source; each names its recipient by ``recipient_id`` or ``recipient``.
            campaign: Count only the events of this campaign; all of them by default.
            confidence: The share of such intervals that hold the truth, in (0, 1).

        Raises:
            ConfigurationError: If *confidence* is no share.
        """
        chosen = [event for event in events if campaign is None or event.campaign == campaign]
        people, hits = gather(chosen)
        _complete(people)
        counts = Counter(fact for person in people for fact in person.facts)
        rates = tuple(
            _rate(name, sum({part, whole} <= p.facts for p in people), counts[whole], confidence)
            for name, (part, whole) in METRICS.items()
        )
        return cls(
            campaign or "", rates, dict(sorted(hits.items())), _domains(people), confidence, tuple(people)
        )

    def rate(self, name: str) -> Rate:
        """Return one of the rates.

        Raises:
            ConfigurationError: If there is none of this name.
        """
        for rate in self.rates:
            if rate.name == name:
                return rate
        msg = f"there is no rate {name!r}; the rates are {', '.join(METRICS)}"
        raise ConfigurationError(msg, field="name")

    def timeline(self, *, step: float | timedelta = 3600.0) -> tuple[Moment, ...]:
        """Return when people first opened and clicked, in even steps without a gap.

        Args:
            step: Seconds of a stretch; an hour by default.

        Raises:
            ConfigurationError: If the step is not positive, or so short that there would be more than ten
                thousand.
        """
        seconds = step.total_seconds() if isinstance(step, timedelta) else step
        opened = Counter(_step(p.opened_at, seconds) for p in self.people if p.opened_at)
        clicked = Counter(_step(p.clicked_at, seconds) for p in self.people if p.clicked_at)
        if not opened and not clicked:
            return ()
        first, last = min(opened | clicked), max(opened | clicked)
        if last - first >= _MAX_STEPS:
            msg = f"a step of {seconds} seconds gives {last - first + 1} stretches; choose a longer one"
            raise ConfigurationError(msg, field="step")
        return tuple(
            Moment(datetime.fromtimestamp(n * seconds, UTC), opened[n], clicked[n])
            for n in range(first, last + 1)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data, ready for JSON, without the recipients."""
        return {
            "campaign": self.campaign,
            "confidence": self.confidence,
            "rates": [rate.to_dict() for rate in self.rates],
            "hits": self.hits,
            "domains": [{"domain": name} | counts for name, counts in self.domains],
        }

    def to_pandas(self) -> Any:  # noqa: ANN401 -- pandas is optional
        """Return the rates as a data frame.

        Raises:
            MissingExtra: If pandas is not installed.
        """
        rows = ((r.name, r.count, r.of, r.share, r.low, r.high) for r in self.rates)
        return to_frame(rows, ["rate", "count", "of", "share", "low", "high"]).set_index("rate")

    def plot(self, ax: Any = None) -> Any:  # noqa: ANN401 -- matplotlib is optional
        """Draw the shares of those who received it, with their intervals.

        Raises:
            MissingExtra: If matplotlib is not installed.
        """
        try:
            import matplotlib.pyplot as plt  # noqa: PLC0415 -- optional
        except ImportError as error:
            raise MissingExtra("notebook", "matplotlib") from error  # noqa: EM101 -- a name, no message
        shown = [rate for rate in self.rates if rate.of and rate.name != "delivered"]
        if ax is None:
            _, ax = plt.subplots(figsize=(8, 0.4 * len(shown) + 1))
        for place, rate in enumerate(shown):
            ax.plot([rate.low, rate.high], [place, place], color="#4c78a8", linewidth=3)
            ax.plot(rate.count / rate.of, place, "o", color="#4c78a8")
        ax.set_yticks(range(len(shown)), [rate.name for rate in shown])
        ax.invert_yaxis()
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        # A dollar sign would be read as mathematics.
        ax.set_title((self.campaign or "all events").replace("$", r"\$"))
        return ax

    def __str__(self) -> str:
        """Return the rates as a table."""
        return f"{self._title()}\n{to_text(_HEADER, [_row(rate) for rate in self.rates])}"

    def _repr_html_(self) -> str:
        """Return the rates and the domains as two small tables, for a notebook."""
        rates = to_html(self._title(), _HEADER, [_row(rate, bar=True) for rate in self.rates])
        rows: list[list[Cell]] = [[name, *counts.values()] for name, counts in self.domains[:20]]
        return rates + (to_html("By domain", ["domain", *_BY_DOMAIN], rows) if rows else "")

    def _title(self) -> str:
        name = f"Campaign «{printable(self.campaign)}»" if self.campaign else "All campaigns"
        return f"{name}, {self.confidence:.0%} intervals; an open is «at least fetched»"


_HEADER = ("rate", "share", "count", "of", "from", "to")
_BY_DOMAIN = {
    "sent": {"sent"},
    "delivered": {"delivered"},
    "opened by people": {"read"},
    "clicked": {"clicked"},
    "bounced": {"hard-bounced", "soft-bounced"},
    "complained": {"complained"},
}


def _complete(people: list[Person]) -> None:
    """Add what follows from what is known: who complained has received it, who received it was sent it."""
    tells_deliveries = any("delivered" in person.facts for person in people)
    for person in people:
        facts = person.facts
        is_seen = bool(facts & {"opened", "fetched", "complained", "unsubscribed"})
        if is_seen or (not tells_deliveries and "sent" in facts and not facts & _FAILED):
            facts.add("delivered")
        if facts != {"rejected"}:  # refused before it left
            facts.add("sent")
        if "delivered" in facts and ("hidden" not in facts or "read" in facts):
            facts.add("visible")


_FAILED = frozenset({"hard-bounced", "soft-bounced", "rejected"})


def _rate(name: str, count: int, of: int, confidence: float) -> Rate:
    return Rate(name, count, of, *wilson(count, of, confidence=confidence))


def _domains(people: list[Person]) -> tuple[tuple[str, dict[str, int]], ...]:
    """Count by domain, the largest first."""
    groups: dict[str, list[Person]] = {}
    for person in people:
        if person.domain:
            groups.setdefault(person.domain, []).append(person)
    counts = [
        (name, {word: sum(bool(p.facts & facts) for p in group) for word, facts in _BY_DOMAIN.items()})
        for name, group in groups.items()
    ]
    return tuple(sorted(counts, key=lambda row: (-row[1]["sent"], row[0])))


def _step(moment: datetime | None, seconds: float) -> int:
    """Return the number of the stretch of a moment, counted from 1970."""
    if not seconds > 0:
        msg = f"a step is a positive number of seconds, not {seconds}"
        raise ConfigurationError(msg, field="step")
    return int((moment.timestamp() if moment else 0) // seconds)


def _row(rate: Rate, *, bar: bool = False) -> list[Cell]:
    share = "-" if rate.share is None else _percent(rate.share)
    drawn = Bar(rate.share, share) if bar and rate.share is not None else share
    return [rate.name, drawn, rate.count, rate.of, _percent(rate.low), _percent(rate.high)]


def _percent(share: float) -> str:
    """Write a share as a percentage that keeps small ones apart."""
    return f"{share * 100:.2f} %" if 0 < share < 0.001 else f"{share * 100:.1f} %"
