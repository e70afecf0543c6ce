"""What became of a message, in whatever form it comes, and who learns from it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mailflows.errors import StoreError
from mailflows.feedback import Event, EventType, from_reply, from_smtp_exception

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailflows.gate._gate import Gate
    from mailflows.gate._verdict import Verdict

__all__ = ["Outcome", "events_of", "learn"]

Outcome: TypeAlias = (
    "Literal['sent'] | BaseException | Mapping[str, tuple[int, bytes | str]] | tuple[int, str | bytes] "
    "| Event | Iterable[Event]"
)
"""What a sender may say became of a message."""

_NOT_TAKEN = frozenset({EventType.BOUNCED, EventType.REJECTED, EventType.DEFERRED})

_log = logging.getLogger("mailflows.gate")


def events_of(verdict: Verdict | None, outcome: Outcome) -> tuple[tuple[Event, ...], bool]:
    """Return an outcome as events, and whether somebody took the message.

    Raises:
        TypeError: If it is no outcome.
    """
    to = verdict.accepted if verdict else ()
    facts: dict[str, Any] = {"flow": verdict.flow if verdict else None}
    facts["message_id"] = verdict.receipt.message_id if verdict else None
    match outcome:
        case "sent":
            return _taken(to, facts), True
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
    msg = f"an outcome is 'sent', an exception, a reply (code, text) or events; got {type(outcome).__name__}"
    raise TypeError(msg)


def _taken(to: Iterable[str], facts: dict[str, Any]) -> tuple[Event, ...]:
    now = datetime.now(UTC)
    return tuple(Event(EventType.SENT, recipient, provider="smtp", time=now, **facts) for recipient in to)


def _replied(code: int, text: str | bytes, to: Iterable[str], facts: dict[str, Any]) -> tuple[Event, ...]:
    now = datetime.now(UTC)
    return tuple(from_reply(code, text, recipient=r, time=now, **facts) for r in tuple(to) or (None,))


def learn(gate: Gate, verdict: Verdict | None, events: tuple[Event, ...], *, was_taken: bool) -> None:
    """Let the parts know; each by itself, so that one that fails costs the others nothing."""
    for part, tell in (("limits", _limits), ("suppressions", _suppressions), ("reputation", _reputation)):
        _quietly(part, partial(tell, gate, verdict, events, was_taken))
    _quietly("senders", partial(_senders, gate, verdict, events))


def _limits(gate: Gate, verdict: Verdict | None, _events: object, was_taken: bool) -> None:  # noqa: FBT001
    limiter = gate.limiter_of(verdict.flow) if verdict else None
    if verdict and verdict.receipt.limited and limiter:
        limiter.report(verdict.receipt.limited, sent=was_taken)


def _suppressions(gate: Gate, _verdict: object, events: tuple[Event, ...], _was_taken: object) -> None:
    for event in events if gate.suppressions is not None else ():
        gate.suppressions.apply(event)  # type: ignore[union-attr]


def _reputation(gate: Gate, verdict: Verdict | None, events: tuple[Event, ...], _was_taken: object) -> None:
    if gate.reputation is not None:
        flow, sender = (verdict.flow, verdict.receipt.account) if verdict else (None, None)
        gate.reputation.report(events, flow=flow, sender=sender)


def _senders(gate: Gate, verdict: Verdict | None, events: tuple[Event, ...]) -> None:
    sender = verdict.receipt.sender if verdict else None
    if gate.senders is None or sender is None:
        return
    taken = sum(event.type is EventType.SENT for event in events)
    if taken:
        gate.senders.report(sender, valid=taken)
    for event in events:
        if event.type is not EventType.SENT:
            gate.senders.report(sender, event)


def _quietly(part: str, tell: Callable[[], object]) -> None:
    """Tell a part; what fails is logged, since the message has left."""
    try:
        tell()
    except StoreError as problem:
        _log.warning("%s could not be told: %s", part, problem)
