"""What became of a message, in whatever form it comes, and who learns from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mailflows.feedback import Event, EventType, from_reply, from_smtp_exception
from mailflows.gate._calls import Call

if TYPE_CHECKING:
    from mailflows.flow import Flow
    from mailflows.flows import FlowRoute
    from mailflows.gate._calls import Steps
    from mailflows.gate._check import Verdict
    from mailflows.gate._parts import Parts

__all__ = ["Outcome", "attributed", "events_of", "learn"]

Outcome: TypeAlias = (
    "Literal['sent', 'unknown'] | BaseException | Mapping[str, tuple[int, bytes | str]] "
    "| tuple[int, str | bytes] | Event | Iterable[Event] | HandedOver"
)
"""What a sender may say became of a message."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """An outcome as an integration has it, with what was said of the whole message.

    Attributes:
        outcome: The outcome.
        reply: The relay's reply, or what stands for it where there was none.
    """

    outcome: Outcome
    reply: tuple[int | None, str] | None = None


_NOT_TAKEN = frozenset({EventType.BOUNCED, EventType.REJECTED, EventType.DEFERRED})


def events_of(  # noqa: PLR0911 -- one a form
    verdict: Verdict | None, outcome: Outcome
) -> tuple[tuple[Event, ...], bool]:
    """Return an outcome as events, and whether somebody took the message.

    Raises:
        TypeError: If it is not an outcome.
    """
    if isinstance(outcome, HandedOver):
        events, was_taken = events_of(verdict, outcome.outcome)
        return _with_reply(events, outcome.reply), was_taken
    to = verdict.accepted if verdict else ()
    facts: dict[str, Any] = {"flow": verdict.flow if verdict else None}
    facts["message_id"] = verdict.receipt.message_id if verdict else None
    match outcome:
        case "sent":
            return _taken(to, facts), True
        case "unknown":  # perhaps it was taken: what it took stays taken, and nobody learns anything
            return _unknown(to, facts), True
        case Event():
            return (outcome,), outcome.type not in _NOT_TAKEN
        case BaseException():
            refused = from_smtp_exception(outcome, recipients=to, **facts)
            return refused, False
        case Mapping():
            refused = from_smtp_exception(outcome, recipients=to, **facts) if outcome else ()  # type: ignore[arg-type]
            taken = tuple(a for a in to if a not in outcome)
            return (*_taken(taken, facts), *refused), bool(taken)
        case (int() as code, (str() | bytes()) as text):
            return _replied(code, text, to, facts), code < 400
        case Iterable() if not isinstance(outcome, str | bytes):
            events = tuple(outcome)
            if all(isinstance(event, Event) for event in events):
                return events, any(event.type not in _NOT_TAKEN for event in events)
    kind = type(outcome).__name__
    msg = f"an outcome must be 'sent', 'unknown', an exception, a reply (code, text) or events; got {kind}"
    raise TypeError(msg)


def attributed(events: tuple[Event, ...], routes: Iterable[FlowRoute]) -> tuple[Event, ...]:
    """Return events with the flow that their stream belongs to, where they name none.

    A provider's webhook says by its stream, tag or campaign what a message was: one that a single flow
    declares names the flow, so that a complaint about the newsletter does not end password resets.
    """
    declared = [({route.stream, route.ip_pool} - {""}, route.flow) for route in routes]
    return tuple(_in_its_flow(event, declared) for event in events)


def _in_its_flow(event: Event, declared: list[tuple[set[str], Flow]]) -> Event:
    if event.flow is not None:
        return event
    named = {event.stream, event.campaign, *event.tags}
    found = {flow for names, flow in declared if names & named}
    return replace(event, flow=found.pop()) if len(found) == 1 else event


def _taken(to: Iterable[str], facts: dict[str, Any]) -> tuple[Event, ...]:
    now = datetime.now(UTC)
    return tuple(Event(EventType.SENT, recipient, provider="smtp", time=now, **facts) for recipient in to)


def _with_reply(events: tuple[Event, ...], reply: tuple[int | None, str] | None) -> tuple[Event, ...]:
    """Return events of which those of who gets the message say what the relay said to all of it."""
    code, text = reply or (None, "")
    if code is None or code >= 400:
        return events
    said = from_reply(code, text)
    known = {"smtp_code": code, "smtp_reply": text, "status": said.status, "queue_id": said.queue_id}
    return tuple(replace(e, **known) if e.type is EventType.SENT else e for e in events)  # type: ignore[arg-type]


def _unknown(to: Iterable[str], facts: dict[str, Any]) -> tuple[Event, ...]:
    now = datetime.now(UTC)
    return tuple(Event(EventType.UNKNOWN, address, provider="smtp", time=now, **facts) for address in to)


def _replied(code: int, text: str | bytes, to: Iterable[str], facts: dict[str, Any]) -> tuple[Event, ...]:
    now = datetime.now(UTC)
    return tuple(from_reply(code, text, recipient=r, time=now, **facts) for r in tuple(to) or (None,))


def learn(parts: Parts, verdict: Verdict | None, events: tuple[Event, ...], *, was_taken: bool) -> Steps:
    """Let the parts know; each by itself, so that one that fails costs the others nothing."""
    for call in (  # noqa: UP028 -- each is sent an answer, which a tuple behind `yield from` cannot take
        *_limits(parts, verdict, was_taken=was_taken),
        *_held(parts, verdict, was_taken=was_taken),
        *_suppressions(parts, events),
        *_reputation(parts, verdict, events),
        *_senders(parts, verdict, events),
    ):
        yield call


Told: TypeAlias = "Iterator[Call]"
"""How an observer is notified."""


def _limits(parts: Parts, verdict: Verdict | None, *, was_taken: bool) -> Told:
    limiter = parts.limiters.get(verdict.flow) if verdict else None
    if verdict and verdict.receipt.limited and limiter:
        yield Call(limiter, "report", verdict.receipt.limited, sent=was_taken)


def _held(parts: Parts, verdict: Verdict | None, *, was_taken: bool) -> Told:
    if verdict and verdict.allowed and verdict.receipt.released and parts.held:
        yield Call(parts.held, "settle", verdict.receipt.released, sent=was_taken)


def _suppressions(parts: Parts, events: tuple[Event, ...]) -> Told:
    for event in events if parts.suppressions is not None else ():
        yield Call(parts.suppressions, "apply", event)


def _reputation(parts: Parts, verdict: Verdict | None, events: tuple[Event, ...]) -> Told:
    if parts.reputation is not None:
        flow, sender = (verdict.flow, verdict.receipt.account) if verdict else (None, None)
        context = verdict.receipt.context if verdict else None
        told = Call(parts.reputation, "report", events, flow=flow, sender=sender, context=context)
        yield told


def _senders(parts: Parts, verdict: Verdict | None, events: tuple[Event, ...]) -> Told:
    sender = verdict.receipt.sender if verdict else None
    if parts.senders is None or sender is None:
        return
    taken = sum(event.type is EventType.SENT for event in events)
    if taken:
        yield Call(parts.senders, "report", sender, valid=taken)
    for event in events:
        if event.type not in {EventType.SENT, EventType.UNKNOWN}:
            yield Call(parts.senders, "report", sender, event)
