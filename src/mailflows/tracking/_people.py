"""What happened to each recipient of a campaign, gathered from a stream of events in any order.

Memory grows with the recipients and the clicks of people, not with the events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING

from mailflows._token import Purpose
from mailflows.errors import ConfigurationError
from mailflows.feedback import EventType
from mailflows.tracking._clients import HitKind, kind_of_agent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mailflows.feedback import Event

__all__ = ["LONG_AGO", "Bounce", "Gathered", "Person", "check_time", "gather"]

_FACTS = {
    EventType.SENT: frozenset(("sent",)),
    EventType.QUEUED: frozenset(("sent",)),
    EventType.DELIVERED: frozenset(("delivered",)),
    EventType.COMPLAINED: frozenset(("complained",)),
    EventType.UNSUBSCRIBED: frozenset(("unsubscribed",)),
    EventType.REJECTED: frozenset(("rejected",)),
}
_HITS = {EventType.OPENED: Purpose.OPEN, EventType.CLICKED: Purpose.CLICK}
_OPENED, _FETCHED = frozenset(("opened",)), frozenset(("fetched",))
_READ, _HIDDEN = frozenset(("opened", "read")), frozenset(("hidden",))
_CLICKED = frozenset(("clicked", "opened"))  # who clicks has opened, whether or not pictures were loaded
_TIMED = frozenset((EventType.COMPLAINED, EventType.UNSUBSCRIBED))
LONG_AGO = float("-inf")
"""The time of events without one."""

Bounce = tuple[bool, float, str]
"""Whether it is for good, when it came (minus infinity where nobody said), and why."""

Clicks = tuple[tuple[str, int], ...]
"""Links, each with how often it was followed."""


@dataclass(slots=True)
class Person:
    """One recipient: what happened at least once, when it first did, and how often.

    Attributes:
        facts: ``sent``, ``delivered``, ``hard-bounced``, ``soft-bounced``, ``rejected``, ``opened`` (somebody
            or something fetched the pixel), ``read`` (no sign of anything but a person), ``fetched`` (a
            link), ``clicked`` (a person), ``unsubscribed``, ``complained``.
        domain: Of the address, in lower case; empty where no event told it.
        first: When it was first opened and clicked by a person, left, complained about, or bounced.
        fetches: How often the pixel was fetched, by whom or what ever.
        reads: How often a person opened it.
        clicks: The links that a person clicked, each with how often.
        delivered_at: When it was last delivered, in Unix seconds.
        bounce: The bounce that counts.
    """

    facts: frozenset[str] = frozenset()
    domain: str = ""
    first: dict[str, datetime] = field(default_factory=dict)
    fetches: int = 0
    reads: int = 0
    clicks: Clicks = ()
    delivered_at: float = LONG_AGO
    bounce: Bounce | None = None

    def add(self, facts: frozenset[str]) -> None:
        """Remember facts; recipients with the same facts share one set, because there may be millions."""
        if not facts <= self.facts:
            self.facts = _union(self.facts, facts)

    def join(self, other: Person) -> None:
        """Take over what is known of the same recipient under another name."""
        self.add(other.facts)
        self.domain = self.domain or other.domain
        for name, moment in other.first.items():
            self.note_time(name, moment)
        self.fetches += other.fetches
        self.reads += other.reads
        for url, count in other.clicks:
            self.add_click(url, count)
        self.delivered_at = max(self.delivered_at, other.delivered_at)
        self.bounce = max((one for one in (self.bounce, other.bounce) if one), default=None)

    def add_click(self, url: str, count: int = 1) -> None:
        """Count clicks of a person; people with the same clicks share them, because there may be millions."""
        self.clicks = _counted(self.clicks, intern(url), count)

    def note_time(self, name: str, moment: datetime | None) -> None:
        """Remember when something happened first."""
        if moment is not None and (name not in self.first or moment < self.first[name]):
            self.first[name] = moment

    @property
    def all_clicks(self) -> int:
        """How often a person clicked, in all."""
        return sum(count for _, count in self.clicks)


@lru_cache(10_000)  # bound: there are a dozen facts, and few of their combinations happen
def _union(some: frozenset[str], more: frozenset[str]) -> frozenset[str]:
    return some | more


@lru_cache(10_000)  # bound: most people click one link or two, once, and a message has some dozens
def _counted(clicks: Clicks, url: str, count: int) -> Clicks:
    known = dict(clicks)
    known[url] = known.get(url, 0) + count
    return tuple(known.items())


@dataclass(slots=True)
class Gathered:
    """What a stream of events says.

    Attributes:
        people: The recipients.
        hits: How many opens and clicks of each kind there were in all.
        unattributed: Events that name no campaign, by type, where one was asked for.
        others: Names of other campaigns, in the order in which they came; not all where there are many.
    """

    people: dict[str, Person] = field(default_factory=dict)
    hits: Counter[str] = field(default_factory=Counter)
    unattributed: Counter[str] = field(default_factory=Counter)
    others: dict[str, None] = field(default_factory=dict)


_REMEMBERED = 500_000
"""bound: ids of events that are remembered at least, and twice as many at most: ninety megabytes."""


class _Seen:
    """The ids of events that came lately: what is told twice is told again within days."""

    def __init__(self, least: int = _REMEMBERED) -> None:
        self._least = least
        self._recent: set[int] = set()
        self._older: set[int] = set()

    def before(self, event_id: str) -> bool:
        """Say whether an id has come before, and remember it."""
        number = hash(event_id)
        if number in self._recent or number in self._older:
            return True
        self._recent.add(number)
        if len(self._recent) >= self._least:
            self._recent, self._older = set(), self._recent
        return False


# bound: names of other campaigns that are remembered for an error
_MAX_OTHERS = 1000


def gather(events: Iterable[Event], *, campaign: str | None = None) -> Gathered:
    """Return the recipients of a campaign, and how many opens and clicks of each kind there were in all.

    An event that comes twice (same ``event_id``) counts once; of opens and clicks the last half million ids
    are remembered for that, and in a longer log one that comes again later adds to the totals. Events that
    name the recipient in two ways, by id and by address, join the two; events that name nobody count only in
    the totals.

    Raises:
        ConfigurationError: If a time has no time zone.
    """
    found = Gathered()
    seen = _Seen()  # of hits only: all else counts once for each recipient anyway
    ids: dict[str, str] = {}
    for event in events:
        if event.time is not None:
            check_time(event.time)
        if campaign is not None and event.campaign != campaign:
            _note_other(found, event)
            continue
        kind = None
        if event.type in _HITS:
            if event.event_id and seen.before(event.event_id):
                continue
            kind = _kind(event)
            found.hits[f"{event.type} by {kind[0]}"] += 1
        person = _person(found.people, ids, event)
        if person is not None:
            _note(person, event, kind)
    return found


def check_time(moment: datetime) -> None:
    """Refuse a time without a zone: an hour would be shown in the wrong one.

    Raises:
        ConfigurationError: If it has none.
    """
    if moment.tzinfo is None:
        msg = f"time needs a time zone, such as datetime.now(UTC); got {moment.isoformat()}"
        raise ConfigurationError(msg, field="time")


def _note_other(found: Gathered, event: Event) -> None:
    if event.campaign is None:
        found.unattributed[event.type.value] += 1
    elif len(found.others) < _MAX_OTHERS:
        found.others.setdefault(event.campaign)


def _person(people: dict[str, Person], ids: dict[str, str], event: Event) -> Person | None:
    """Return the recipient of an event; two names of one are joined."""
    address = event.recipient.strip().lower() if event.recipient else ""
    key = event.recipient_id or ids.get(address) or address
    if not key:
        return None
    person = people.get(key)
    if person is None:
        person = people[key] = Person()
    if address:
        if not person.domain:
            person.domain = intern(address.rpartition("@")[2])
        if event.recipient_id and address not in ids:
            ids[address] = event.recipient_id
            if earlier := people.pop(address, None):
                person.join(earlier)
    return person


def _kind(event: Event) -> tuple[HitKind, bool]:
    """Return who opened or clicked, as judged or by the user agent, and whether opens are hidden."""
    judged = event.raw.get("hit") if isinstance(event.raw, Mapping) else None
    if isinstance(judged, Mapping) and judged.get("kind") in _KINDS:
        return HitKind(judged["kind"]), bool(judged.get("hides_opens"))
    return _by_name(event.user_agent, _HITS[event.type]) if event.user_agent else (HitKind.HUMAN, False)


_KINDS = frozenset(HitKind)
_by_name = lru_cache(10_000)(kind_of_agent)


def _note(person: Person, event: Event, kind: tuple[HitKind, bool] | None) -> None:
    """Remember an event of a recipient."""
    if kind is not None:
        _note_hit(person, event, *kind)
    elif fact := _FACTS.get(event.type):
        person.add(fact)
        if event.type in _TIMED:
            person.note_time(event.type.value, event.time)
        elif event.type is EventType.DELIVERED and event.time is not None:
            person.delivered_at = max(person.delivered_at, event.time.timestamp())
    elif event.type is EventType.BOUNCED:
        moment = event.time.timestamp() if event.time else LONG_AGO
        bounce = not _is_soft(event), moment, str(event.reason or "other")
        person.bounce = bounce if person.bounce is None else max(person.bounce, bounce)
        person.note_time("bounced", event.time)


def _is_soft(event: Event) -> bool:
    """Say whether a bounce may pass; one of which nobody says anything is for good, others are deferrals."""
    if event.permanent is None:
        return (event.status or "").startswith("4.")
    return not event.permanent


def _note_hit(person: Person, event: Event, kind: HitKind, hides: bool) -> None:  # noqa: FBT001 -- a fact
    """Remember an open or a click; only those of people are a sign of interest."""
    is_open = event.type is EventType.OPENED
    person.add(_OPENED if is_open else _FETCHED)
    person.fetches += is_open
    if hides:
        person.add(_HIDDEN)
    if kind is not HitKind.HUMAN:
        return
    if is_open:
        person.add(_READ)
        person.reads += 1
        person.note_time("opened", event.time)
    else:
        person.add(_CLICKED)
        person.add_click(event.url or "")
        person.note_time("clicked", event.time)
