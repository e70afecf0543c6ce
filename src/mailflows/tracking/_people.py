"""What happened to each recipient of a campaign, gathered from a stream of events in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from mailflows._token import Purpose
from mailflows.errors import ConfigurationError
from mailflows.feedback import EventType
from mailflows.tracking._clients import HitKind, kind_of_agent
from mailflows.tracking._person import LONG_AGO, facts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mailflows.feedback import Event
    from mailflows.tracking._crowd import Crowd
    from mailflows.tracking._person import Person

__all__ = ["Gathered", "check_time", "gather"]

_SIMPLE = {
    EventType.SENT: facts("sent"),
    EventType.QUEUED: facts("sent"),
    EventType.DELIVERED: facts("delivered"),
    EventType.COMPLAINED: facts("complained"),
    EventType.UNSUBSCRIBED: facts("unsubscribed"),
    EventType.REJECTED: facts("rejected"),
}
_NAMES = {kind: kind.value for kind in EventType}
"""The names of what happened as plain text: there may be millions, and an enumeration is slow to ask."""

_HITS = {EventType.OPENED: Purpose.OPEN, EventType.CLICKED: Purpose.CLICK}
_OPENED, _FETCHED = facts("opened"), facts("fetched")
_READ, _HIDDEN = facts("opened", "read"), facts("hidden")
_CLICKED = facts("clicked", "opened")  # who clicks has opened, whether or not pictures were loaded
_TIMED = frozenset((EventType.COMPLAINED, EventType.UNSUBSCRIBED))


@dataclass(slots=True)
class Gathered:
    """What a stream of events says apart from each recipient.

    Attributes:
        tells_deliveries: Whether there is an event of a delivery.
        hits: How many opens and clicks of each kind there were in all.
        unattributed: Events that name no campaign, by type, where one was asked for.
        others: Names of other campaigns, in the order in which they came; not all where there are many.
    """

    tells_deliveries: bool = False
    hits: Counter[str] = field(default_factory=Counter)
    unattributed: Counter[str] = field(default_factory=Counter)
    others: dict[str, None] = field(default_factory=dict)


_REMEMBERED = 500_000
"""bound: ids of events that are remembered at least, and twice as many at most: ninety megabytes."""


class _Seen:
    """The IDs of recent events: duplicates arrive within days."""

    def __init__(self, least: int = _REMEMBERED) -> None:
        self._least = least
        self._recent: set[int] = set()
        self._older: set[int] = set()

    def before(self, event_id: str) -> bool:
        """Return whether an id has come before, and remember it."""
        number = hash(event_id)
        if number in self._recent or number in self._older:
            return True
        self._recent.add(number)
        if len(self._recent) >= self._least:
            self._recent, self._older = set(), self._recent
        return False


# bound: names of other campaigns that are remembered for an error
_MAX_OTHERS = 1000


def gather(events: Iterable[Event], crowd: Crowd, *, campaign: str | None = None) -> Gathered:
    """Note what happened to the recipients of a campaign, and return what is counted without them.

    An event that comes twice (same ``event_id``) counts once; of opens and clicks the last half million ids
    are remembered for that, and in a longer log one that comes again later adds to the totals. Events that
    name the recipient in two ways, by id and by address, join the two; events that name nobody count only in
    the totals.

    Raises:
        ConfigurationError: If a time has no time zone.
    """
    found = Gathered()
    hits: Counter[tuple[EventType, HitKind]] = Counter()
    seen = _Seen()  # of hits only: all else counts once for each recipient anyway
    for event in events:
        moment = event.time
        if moment is not None and moment.tzinfo is None:
            check_time(moment)
        if campaign is not None and event.campaign != campaign:
            _note_other(found, event)
            continue
        what, kind = event.type, None
        if what in _HITS:
            if event.event_id and seen.before(event.event_id):
                continue
            kind = _kind(event)
            hits[what, kind[0]] += 1
        person = crowd.find(event.recipient_id, event.recipient)
        if person is not None:
            _note(person, event, kind)
            if what is EventType.DELIVERED:
                found.tells_deliveries = True
    found.hits.update({f"{what} by {who}": count for (what, who), count in hits.items()})
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


def _kind(event: Event) -> tuple[HitKind, bool]:
    """Return who opened or clicked, as judged or by the user agent, and whether opens are hidden."""
    judged = event.raw.get("hit") if event.raw and isinstance(event.raw, Mapping) else None
    if judged and isinstance(judged, Mapping) and judged.get("kind") in _KINDS:
        return HitKind(judged["kind"]), bool(judged.get("hides_opens"))
    return _by_name(event.user_agent, _HITS[event.type]) if event.user_agent else (HitKind.HUMAN, False)


_KINDS = frozenset(HitKind)
_by_name = lru_cache(10_000)(kind_of_agent)


def _note(person: Person, event: Event, kind: tuple[HitKind, bool] | None) -> None:
    """Remember an event of a recipient."""
    if kind is not None:
        _note_hit(person, event, *kind)
    elif fact := _SIMPLE.get(event.type):
        person.facts |= fact
        if event.time is None:
            return
        if event.type in _TIMED:
            person.note_time(_NAMES[event.type], event.time.timestamp())
        elif event.type is EventType.DELIVERED:
            person.delivered_at = max(person.delivered_at, event.time.timestamp())
    elif event.type is EventType.BOUNCED:
        moment = event.time.timestamp() if event.time else LONG_AGO
        person.note_bounce((not _is_soft(event), moment, str(event.reason or "other")))
        if event.time is not None:
            person.note_time("bounced", moment)


def _is_soft(event: Event) -> bool:
    """Return whether a bounce is soft; without any hint it is hard, because others are deferrals."""
    if event.permanent is None:
        return (event.status or "").startswith("4.")
    return not event.permanent


def _note_hit(person: Person, event: Event, kind: HitKind, hides: bool) -> None:  # noqa: FBT001 -- a fact
    """Remember an open or a click; only those of people are a sign of interest."""
    is_open = event.type is EventType.OPENED
    person.facts |= _OPENED if is_open else _FETCHED
    person.fetches += is_open
    if hides:
        person.facts |= _HIDDEN
    if kind is not HitKind.HUMAN:
        return
    if is_open:
        person.facts |= _READ
        person.reads += 1
    else:
        person.facts |= _CLICKED
        person.add_click(event.url or "")
    if event.time is not None:
        person.note_time(_NAMES[event.type], event.time.timestamp())
