"""What a campaign achieved: shares with their intervals, unique by recipient, proxies and scanners apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from difflib import get_close_matches
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias

from mailflows._result import Result, printable, to_frame, to_text
from mailflows.errors import ConfigurationError
from mailflows.feedback import BounceReason
from mailflows.feedback._recorded import recorded
from mailflows.tracking import _page
from mailflows.tracking._clients import HitKind
from mailflows.tracking._crowd import Crowd
from mailflows.tracking._explained import in_words
from mailflows.tracking._people import gather
from mailflows.tracking._tables import (
    METRICS,
    MOMENTS,
    Group,
    LinkClicks,
    Moment,
    Rate,
    groups,
    link_table,
    provider_name,
    rates_of,
    timeline,
    week,
    zone_of,
)
from mailflows.tracking._tally import Tally, tallied

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mailflows.feedback import Event

__all__ = ["CampaignStats"]

_Rows: TypeAlias = "tuple[list[str], Sequence[tuple[object, ...]]]"


@dataclass(frozen=True, slots=True)
class CampaignStats(Result):
    """The results of a campaign.

    Everything is counted once for each recipient, and in total. An open means "the pixel was
    loaded", never "read": proxies load images unasked, and readers who block images are not seen. "Opened
    by people" leaves out what proxies and scanners fetched; clicks are those of people.

    Attributes:
        campaign: The name of the campaign; empty for all events together.
        rates: The rates of `METRICS`, in order.
        hits: The total number of opens and clicks, by kind, such as ``opened by scanner``.
        links: The links that people clicked, the most clicked first.
        domains: Recipients by the domain of their address, the largest first. Empty if no event has an
            address.
        providers: The same by mailbox provider, as far as the domain reveals it.
        bounces: Recipients who bounced, by reason, the most frequent first. A bounce after the delivery
            overrides it; a deferral that was delivered in the end does not count.
        unattributed: Events without a campaign, by type, if the statistics are for one campaign: complaints
            often name none.
        confidence: The share of such intervals that contain the true value.

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
    links: tuple[LinkClicks, ...]
    domains: tuple[Group, ...]
    providers: tuple[Group, ...]
    bounces: dict[str, int]
    unattributed: dict[str, int]
    confidence: float
    _tally: Tally = field(repr=False, compare=False)

    @classmethod
    def from_events(
        cls,
        events: Iterable[Event | Mapping[str, Any]] | str | os.PathLike[str] | IO[str],
        *,
        campaign: str | None = None,
        confidence: float = 0.95,
        dates: Literal["day-first", "month-first"] | None = None,
    ) -> CampaignStats:
        """Count the events of a campaign, in any order; duplicates count once.

        The events may be a generator: memory use stays bounded. Above two hundred thousand recipients, the
        rest is kept in a temporary file, a hundred bytes each, which no other program can open and which is
        deleted at the end; the counts are exact. A recipient with any later event counts as sent, and as
        delivered if the message was opened, clicked, or led to a complaint. If there are no delivery events
        at all, every message that was sent and neither bounced nor rejected counts as delivered.

        Args:
            events: Events from any source, or stored events: the path of a CSV or JSON Lines file, an open
                file, rows (`csv.DictReader`), JSON objects (`Event.to_dict()`), a data frame. Each names its
                recipient by ``recipient_id`` or ``recipient``. A time without a time zone counts as UTC in a
                string, and is an error in a datetime.
            campaign: Count only the events of this campaign; all of them by default.
            confidence: The share of such intervals that contain the true value, in (0, 1).
            dates: ``day-first`` or ``month-first``: the order in dates such as ``03/04/2026``. By default the
                rows decide: one date with a day above 12 settles it for all. If there is none, the day is
                assumed to come first, with a `UserWarning`.

        Raises:
            ConfigurationError: If *confidence* is not a share, a time has no time zone, a row has no event
                type or recipient, or no event names the campaign.
            OSError: If the file cannot be read, or there is no space for the temporary file.
        """
        with Crowd() as crowd:
            found = gather(recorded(events, dates), crowd, campaign=campaign)
            if not crowd and not found.hits and found.others:
                raise _unknown(str(campaign), list(found.others))
            tally = tallied(crowd.people(), tells_deliveries=found.tells_deliveries)
        return cls(
            campaign or "",
            rates_of(tally, confidence),
            hits=dict(sorted(found.hits.items())),
            links=link_table(tally),
            domains=groups(tally, str, confidence),
            providers=groups(tally, provider_name, confidence),
            bounces=dict(sorted(tally.bounces.items(), key=lambda row: (-row[1], row[0]))),
            unattributed=dict(sorted(found.unattributed.items())),
            confidence=confidence,
            _tally=tally,
        )

    def rate(self, name: str) -> Rate:
        """Return one of the rates.

        Raises:
            ConfigurationError: If there is no such name.
        """
        for rate in self.rates:
            if rate.name == name:
                return rate
        msg = f"there is no rate {name!r}; the rates are {', '.join(METRICS)}"
        raise ConfigurationError(msg, field="name")

    def explain(self) -> str:
        """Return one paragraph for whoever plans the next mailing.

        It says what arrived and what bounced, who opened and clicked, how sure that is, who left, what is not
        counted, and what to do where complaints or bounces are above the providers' limits; it names no
        recipient.

        Example:
            >>> from mailflows.feedback import Event, EventType
            >>> events = [Event(EventType.DELIVERED, recipient_id=str(n)) for n in range(1000)]
            >>> print(CampaignStats.from_events(events).explain()[:71])
            The messages were sent to 1000 recipients and delivered to all of them.
        """
        return in_words(self)

    def timeline(self, *, step: float | timedelta = 3600.0, zone: str | tzinfo = "UTC") -> tuple[Moment, ...]:
        """Return when recipients first opened, clicked, unsubscribed, complained and bounced, by interval.

        Args:
            step: Length of an interval in seconds; by default an hour.
            zone: The time zone of the intervals, such as ``Europe/Paris``.

        Raises:
            ConfigurationError: If the step is not positive, or so short that there would be more than ten
                thousand intervals; or if there is no such time zone.
        """
        seconds = step.total_seconds() if isinstance(step, timedelta) else step
        return timeline(self._tally.firsts, seconds, zone_of(zone))

    def week(self, what: str = "clicked", *, zone: str | tzinfo = "UTC") -> tuple[tuple[int, ...], ...]:
        """Return how many recipients did something for the first time, by weekday (Monday first) and hour.

        Args:
            what: ``opened``, ``clicked``, ``unsubscribed``, ``complained`` or ``bounced``.
            zone: The time zone of your readers, such as ``Europe/Paris``.

        Raises:
            ConfigurationError: If there is no such time zone, or *what* is not one of these.
        """
        if what not in MOMENTS:
            msg = f"what= must be one of {', '.join(MOMENTS)}; not {what!r}"
            raise ConfigurationError(msg, field="what")
        return week(self._tally.firsts.get(what, {}), zone_of(zone))

    def click_map(self, html: str) -> str:
        """Return a page that shows the message with, at each link, how many people clicked it.

        A link that occurs twice in a message shows the same number in both places. Scripts do not run; images
        are loaded from their original URLs.

        Args:
            html: The HTML as it was before `Tracker.rewrite`; ``utm_*`` parameters are ignored.

        Example:
            >>> from mailflows.feedback import Event, EventType
            >>> click = Event(EventType.CLICKED, recipient_id="42", url="https://shop.example/?utm_source=news")
            >>> page = CampaignStats.from_events([click]).click_map("<a href='https://shop.example/'>Shop</a>")
            >>> "1 (100.0 %)" in page
            True
        """
        return _page.click_map(html, self._tally.shown, self.rate("clicked").count)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data, ready for JSON, without the recipients."""
        return {
            "campaign": self.campaign,
            "confidence": self.confidence,
            "rates": [rate.to_dict() for rate in self.rates],
            "hits": self.hits,
            "links": [link.to_dict() for link in self.links],
            "domains": [_named("domain", group) for group in self.domains],
            "providers": [_named("provider", group) for group in self.providers],
            "bounces": self.bounces,
            "unattributed": self.unattributed,
        }

    def to_pandas(self, table: str = "rates", *, what: str = "clicked", zone: str | tzinfo = "UTC") -> Any:  # noqa: ANN401 -- pandas is optional
        """Return one of the tables as a data frame, with both codes for programs and labels for readers.

        Args:
            table: ``rates``, ``links``, ``domains``, ``providers``, ``bounces``, ``hits``, ``unattributed``,
                ``timeline`` (by the hour) or ``week`` (weekday and hour).
            what: What ``week`` counts, as for `week`.
            zone: The time zone for ``timeline`` and ``week``.

        Raises:
            ConfigurationError: If there is no such table.
            MissingExtra: If pandas is not installed.
        """
        makers: dict[str, Callable[[], _Rows]] = {
            "rates": self._rate_rows,
            "links": lambda: (["url", "people", "total"], [(r.url, r.people, r.total) for r in self.links]),
            "domains": lambda: _group_rows("domain", self.domains),
            "providers": lambda: _group_rows("provider", self.providers),
            "bounces": lambda: _bounce_rows(self.bounces),
            "hits": lambda: _hit_rows(self.hits),
            "unattributed": lambda: (["event", "total"], list(self.unattributed.items())),
            "timeline": lambda: _moment_rows(self.timeline(zone=zone)),
            "week": lambda: (
                ["weekday", *map(str, range(24))],
                [(d, *r) for d, r in zip(_page.DAYS, self.week(what, zone=zone), strict=True)],
            ),
        }
        if table not in makers:
            msg = f"there is no table {table!r}; the tables are {', '.join(makers)}"
            raise ConfigurationError(msg, field="table")
        columns, rows = makers[table]()
        return to_frame(rows, columns).set_index(columns[0])

    def save_html(self, path: str | os.PathLike[str], *, zone: str | tzinfo = "UTC") -> None:
        """Write the report as a standalone page, in light and dark mode, without external resources.

        Args:
            path: The file; an existing file is replaced.
            zone: The time zone of your readers, for the hours.

        Raises:
            ConfigurationError: If there is no such zone.
            OSError: If the file cannot be written.
        """
        found = _page.page(self._heading(), self._note(), self.rates, self._tables("Rates", zone))
        Path(path).write_text(found, "utf-8")

    def plot(self, ax: Any = None, *, dark: bool = False) -> Any:  # noqa: ANN401 -- matplotlib is optional
        """Plot the rates, as shares of those who received it, with their intervals.

        Args:
            ax: The axes to draw on; new ones by default.
            dark: Whether to draw for a dark page.

        Raises:
            MissingExtra: If matplotlib is not installed.
        """
        return _page.drawn_rates(self.rates, self.campaign, ax, dark=dark)

    def plot_timeline(
        self,
        ax: Any = None,  # noqa: ANN401 -- matplotlib is optional
        *,
        step: float | timedelta = 3600.0,
        zone: str | tzinfo = "UTC",
        dark: bool = False,
    ) -> Any:  # noqa: ANN401 -- matplotlib is optional
        """Plot opens and clicks over time, with unsubscribes and complaints on a separate axis.

        Args:
            ax: The axes to draw on; new ones by default.
            step: As `timeline` takes it.
            zone: As `timeline` takes it.
            dark: Whether to draw for a dark page.

        Raises:
            ConfigurationError: As `timeline`.
            MissingExtra: If matplotlib is not installed.
        """
        length = step if isinstance(step, timedelta) else timedelta(seconds=step)
        rows = self.timeline(step=length, zone=zone)
        return _page.drawn_timeline(rows, self.campaign, ax, step=length, zone=str(zone), dark=dark)

    def __str__(self) -> str:
        """Return the rates as a table."""
        return f"{self._title()}\n{to_text(_page.HEADER, [_page.rate_row(rate) for rate in self.rates])}"

    def _rate_rows(self) -> _Rows:
        rows = [(r.name, r.code, r.label, r.count, r.of, r.share, r.low, r.high, r.total) for r in self.rates]
        return ["rate", "code", "label", "count", "of", "share", "low", "high", "total"], rows

    def _repr_html_(self) -> str:
        """Return the figures as small escaped tables, for a notebook and for `save_html`."""
        return "".join(self._tables(self._title(), "UTC"))

    def _tables(self, title: str, zone: str | tzinfo) -> list[str]:
        return _page.tables(
            title,
            rates=self.rates,
            links=self.links,
            groups={"provider": self.providers, "domain": self.domains},
            counts=[
                ("Bounces", "reason", self.bounces),
                ("Events without a campaign, not counted above", "event", self.unattributed),
                ("Opens and clicks in all", "by", self.hits),
            ],
            week=self.week(zone=zone),
            zone=str(zone),
        )

    def _heading(self) -> str:
        return f'Campaign "{printable(self.campaign)}"' if self.campaign else "All campaigns"

    def _note(self) -> str:
        return f'{self.confidence:.0%} intervals; an open means "the pixel was loaded"'

    def _title(self) -> str:
        return f"{self._heading()}, {self._note()}"


def _unknown(campaign: str, others: list[str]) -> ConfigurationError:
    """Return the error for a campaign of which there is no event, while there are events of others."""
    close = get_close_matches(campaign, others, n=5, cutoff=0.4)
    # choice: ten names fit into a line of a log
    names = ", ".join(repr(name[:100]) for name in [*close, *(n for n in others if n not in close)][:10])
    msg = f"there is no event of campaign {campaign[:100]!r}; there are events of {names}"
    return ConfigurationError(msg, field="campaign")


def _named(kind: str, group: Group) -> dict[str, Any]:
    """Return a group as plain data, under what its name is the name of."""
    row = group.to_dict()
    return {kind: row.pop("name")} | row


def _group_rows(kind: str, rows: Iterable[Group]) -> _Rows:
    parts = ("clicked", "complained")
    ends = [f"{part} {end}" for part in parts for end in ("count", "low", "high")]
    found = []
    for row in rows:
        rates = [(rate.count, rate.low, rate.high) for rate in (row.clicked, row.complained)]
        found.append((row.name, row.sent, row.delivered, row.opened, row.bounced, *rates[0], *rates[1]))
    return [kind, "sent", "delivered", "opened", "bounced", *ends], found


def _bounce_rows(bounces: Mapping[str, int]) -> _Rows:
    faults = {reason.value: reason.fault.value for reason in BounceReason}
    rows = [(code, code.replace("-", " "), faults.get(code), count) for code, count in bounces.items()]
    return ["reason", "label", "fault", "recipients"], rows


def _hit_rows(hits: Mapping[str, int]) -> _Rows:
    rows = []
    for name, total in hits.items():
        event, _, kind = name.partition(" by ")
        rows.append((name, name.replace(" ", "-"), event, kind, f"{event} by {HitKind(kind).label}", total))
    return ["hit", "code", "event", "kind", "label", "total"], rows


def _moment_rows(rows: Iterable[Moment]) -> _Rows:
    names = ["start", *MOMENTS]
    return names, [tuple(getattr(row, name) for name in names) for row in rows]
