"""What is remembered of a flow: a small document of counts that becomes the next one by pure functions."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field, replace
from operator import add
from typing import TYPE_CHECKING

from mailflows.feedback import Action, EventType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailflows.feedback import Event

__all__ = ["DAY", "Counts", "ReputationRecord", "Tally", "tally_of", "tally_of_counts"]

_log = logging.getLogger("mailflows.flows")

DAY = 86_400.0

RECENT = 100
"""Outcomes that are kept one by one, so that a flow that was good for a week is judged by now, too.
Our choice."""

MOST_PARTS = 8
"""Smaller scopes remembered in a larger one; bound: a document stays below two kilobytes."""

_LATE = frozenset({"dsn", "arf"})
"""Reports of failures only: they come in batches, hours after the messages were accepted, and in no
particular order."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many recipients had which outcome.

    Attributes:
        sent: Handed over to the relay, or refused by it.
        delivered: Reported as delivered.
        bounced: Refused for good because the mailbox or domain does not exist.
        complained: Reported as spam by the recipient.
        deferred: Deferred (4xx).
        blocked: Refused because of the sender: its reputation, content or authentication.
    """

    sent: int = 0
    delivered: int = 0
    bounced: int = 0
    complained: int = 0
    deferred: int = 0
    blocked: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*map(add, self.numbers, other.numbers))

    def without(self, other: Counts) -> Counts:
        """Return what is left without a part; what was counted twice leaves nothing."""
        return Counts(*(max(0, a - b) for a, b in zip(self.numbers, other.numbers, strict=True)))

    @property
    def numbers(self) -> tuple[int, ...]:
        """All of them, in order."""
        return (self.sent, self.delivered, self.bounced, self.complained, self.deferred, self.blocked)

    @property
    def attempts(self) -> int:
        """Recipients that were tried, whoever counted them: we, or the provider that reports deliveries."""
        return max(self.sent, self.delivered + self.bounced)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a batch of events adds to a record."""

    counts: Counts = Counts()
    recent: str = ""

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.counts + other.counts, (self.recent + other.recent)[-RECENT:])


def tally_of_counts(counts: Counts) -> Tally:
    """Return what numbers without events add; among the last outcomes they stand by their share."""
    kept = min(RECENT, counts.attempts)
    bad = min(kept, round(kept * counts.bounced / counts.attempts)) if counts.attempts else 0
    return Tally(counts, "0" * (kept - bad) + "1" * bad)


def tally_of(event: Event) -> Tally:
    """Return what one event adds."""
    at_once = event.provider == "smtp"  # then nobody counted it as sent
    blames_sender = event.action in {Action.PAUSE_FLOW, Action.FIX_CONFIG}
    match event.type:
        case EventType.SENT:
            return Tally(Counts(sent=1), "0" if at_once else "")
        case EventType.DELIVERED:
            return Tally(Counts(delivered=1), "0")
        case EventType.COMPLAINED:
            return Tally(Counts(complained=1))
        # Without a reply, a relay of ours is down, and nobody else has said anything.
        case EventType.DEFERRED if not at_once or event.smtp_code is not None:
            return Tally(Counts(deferred=1, blocked=int(event.action is Action.PAUSE_FLOW)))
        case EventType.BOUNCED | EventType.REJECTED:
            is_invalid = _is_unknown(event)
            counts = Counts(sent=int(at_once), bounced=int(is_invalid), blocked=int(blames_sender))
            has_order = event.provider not in _LATE
            return Tally(counts, ("1" if is_invalid else "0") if has_order else "")
    return Tally()


def _is_unknown(event: Event) -> bool:
    """Return whether a refusal for good says that there is no such mailbox or domain."""
    return event.reason is not None and event.reason.is_unknown and event.permanent is not False


@dataclass(frozen=True, slots=True)
class ReputationRecord:
    """What is remembered of a flow, or of a part of it. No address can be read from it.

    Attributes:
        days: Day → the six numbers of `Counts`.
        recent: The last outcomes, oldest first: ``1`` for an invalid recipient, ``0`` for any other.
        state: ``closed``, ``open`` or ``half-open``.
        until: When the stop, or the trial, ends; seconds of Unix time.
        reason: Why it was stopped, as a sentence.
        stops: When it was stopped, oldest first.
        let: Recipients that were let through in the current trial.
        parts: Kind and key of a smaller scope → the last day it was counted on, and its numbers.
        name: What it is, for an operator; never a person.
        noted: The day of the last notice in the log.
    """

    days: dict[str, list[int]] = field(default_factory=dict)
    recent: str = ""
    state: str = "closed"
    until: float = 0.0
    reason: str = ""
    stops: tuple[float, ...] = ()
    let: int = 0
    parts: dict[str, list[int]] = field(default_factory=dict)
    name: str = ""
    noted: int = 0

    @classmethod
    def read(cls, document: bytes | None) -> ReputationRecord:
        """Read a record; of what was never seen, or is damaged, an empty one: counting goes on."""
        if document is None:
            return cls()
        try:
            values = json.loads(document)
            known = {name: values[name] for name in cls.__slots__ if name in values}
            record = cls(**known | {"stops": tuple(values["stops"])})
            _ = (record.total, *map(record.part, record.parts), record.until + 0.0)
        except (ValueError, KeyError, TypeError, AttributeError):
            _log.warning("the reputation of a flow is damaged, and starts from zero: a stop is forgotten")
            return cls()
        return record

    def write(self) -> bytes:
        """Return the record as a document."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(values, separators=(",", ":")).encode()

    @property
    def total(self) -> Counts:
        """All counts of the window together."""
        return Counts(*map(sum, zip(*self.days.values(), strict=True)))

    def part(self, key: str) -> Counts:
        """Return what was counted of a smaller scope."""
        return Counts(*self.parts.get(key, (0,))[1:])

    def after(
        self, tally: Tally, *, window: int, now: float, parts: Mapping[str, Counts] | None = None
    ) -> ReputationRecord:
        """Return the record with a tally of today, without the days that have left the window.

        Args:
            tally: What is added.
            window: Days that are counted.
            now: The present moment in Unix seconds.
            parts: What of the tally belongs to which smaller scopes.
        """
        today = int(now // DAY)
        days = {day: row for day, row in self.days.items() if int(day) > today - window}
        before = Counts(*days.get(str(today), ()))
        days[str(today)] = list((before + tally.counts).numbers)
        kept = {key: row for key, row in self.parts.items() if row[0] > today - window}
        for key, counts in (parts or {}).items():
            kept[key] = [today, *(self.part(key) + counts).numbers]
        worst = sorted(kept, key=lambda key: -_harm(kept[key]))[:MOST_PARTS]
        recent = (self.recent + tally.recent)[-RECENT:]
        return replace(self, days=days, recent=recent, parts={key: kept[key] for key in sorted(worst)})


def _harm(row: list[int]) -> int:
    """Return how much a part did that harms: what bounced, was called spam, was blocked."""
    _, sent, _, bounced, complained, _, blocked = row
    return 1000 * (bounced + complained + blocked) + min(sent, 999)
