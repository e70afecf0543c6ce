"""What happened to each recipient of a campaign, gathered from events in any order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailflows._token import Purpose
from mailflows.feedback import EventType
from mailflows.tracking._clients import HitKind, kind_of_agent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mailflows.feedback import Event

__all__ = ["Person", "gather"]

_FACTS = {
    EventType.SENT: "sent",
    EventType.QUEUED: "sent",
    EventType.DELIVERED: "delivered",
    EventType.COMPLAINED: "complained",
    EventType.UNSUBSCRIBED: "unsubscribed",
    EventType.REJECTED: "rejected",
}


@dataclass(slots=True)
class Person:
    """One recipient: what happened at least once, and when they first opened and clicked.

    Attributes:
        facts: ``sent``, ``delivered``, ``hard-bounced``, ``soft-bounced``, ``rejected``, ``opened`` (somebody
            or something fetched the pixel), ``read`` (nothing speaks against a person), ``fetched`` (a
            link), ``clicked`` (a person), ``unsubscribed``, ``complained``.
        domain: Of the address, in lower case; empty where no event told it.
        opened_at: When a person first opened it, in UTC, as far as that is known.
        clicked_at: When a person first clicked, in UTC.
    """

    facts: set[str] = field(default_factory=set)
    domain: str = ""
    opened_at: datetime | None = None
    clicked_at: datetime | None = None


def gather(events: Iterable[Event]) -> tuple[list[Person], dict[str, int]]:
    """Return the recipients, and how many opens and clicks of each kind there were in all.

    An event that comes twice (same ``event_id``) counts once. Events that name the recipient in two ways,
    by id and by address, join the two; events that name nobody count only in the totals.
    """
    fresh = list({event.event_id or number: event for number, event in enumerate(events)}.values())
    ids = {_plain(e.recipient): e.recipient_id for e in fresh if e.recipient and e.recipient_id}
    people: dict[str, Person] = {}
    totals: dict[str, int] = {}
    for event in fresh:
        kind = _kind(event)
        if kind:
            name = f"{event.type} by {kind[0]}"
            totals[name] = totals.get(name, 0) + 1
        address = _plain(event.recipient)
        key = event.recipient_id or ids.get(address) or address
        if key:
            _note(people.setdefault(key, Person()), event, kind, address)
    return list(people.values()), totals


def _plain(address: str | None) -> str:
    return (address or "").strip().lower()


def _kind(event: Event) -> tuple[HitKind, bool] | None:
    """Return who opened or clicked, as judged or by the user agent, and whether opens are hidden."""
    if event.type not in {EventType.OPENED, EventType.CLICKED}:
        return None
    judged = event.raw.get("hit") if isinstance(event.raw, Mapping) else None
    if isinstance(judged, Mapping) and judged.get("kind") in set(HitKind):
        return HitKind(judged["kind"]), bool(judged.get("hides_opens"))
    purpose = Purpose.OPEN if event.type is EventType.OPENED else Purpose.CLICK
    return kind_of_agent(event.user_agent, purpose) if event.user_agent else (HitKind.HUMAN, False)


def _note(person: Person, event: Event, kind: tuple[HitKind, bool] | None, address: str) -> None:
    """Remember an event of a recipient."""
    person.domain = person.domain or address.rpartition("@")[2]
    if fact := _FACTS.get(event.type):
        person.facts.add(fact)
    elif event.type is EventType.BOUNCED:
        person.facts.add("soft-bounced" if _is_soft(event) else "hard-bounced")
    elif kind:
        _note_hit(person, event, *kind)


def _is_soft(event: Event) -> bool:
    """Say whether a bounce may pass; one of which nobody says anything is for good, others are deferrals."""
    if event.permanent is None:
        return (event.status or "").startswith("4.")
    return not event.permanent


def _note_hit(person: Person, event: Event, kind: HitKind, hides: bool) -> None:  # noqa: FBT001 -- a fact
    """Remember an open or a click; only those of people are a sign of interest."""
    is_open = event.type is EventType.OPENED
    person.facts.add("opened" if is_open else "fetched")
    if hides:
        person.facts.add("hidden")
    if kind is not HitKind.HUMAN:
        return
    if is_open:
        person.facts.add("read")
        person.opened_at = _earlier(person.opened_at, event.time)
    else:
        person.facts |= {"clicked", "opened"}  # who clicks has opened, whether or not pictures were loaded
        person.clicked_at = _earlier(person.clicked_at, event.time)


def _earlier(first: datetime | None, second: datetime | None) -> datetime | None:
    if first is None or second is None:
        return first or second
    return min(first, second)
