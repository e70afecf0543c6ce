"""The mail log: one line for each message, at its end, for whoever greps for it."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from mailflows._log import loggable
from mailflows.feedback import EventType
from mailflows.gate._check import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mailflows.feedback import Event
    from mailflows.flow import Flow
    from mailflows.gate._check import TurnedAway, Verdict

__all__ = ["tell_end", "tell_turned_away"]

_log = logging.getLogger("mailflows.mail")

_LONGEST_WORD = 200
"""Characters of a Message-ID or a host. bound: those of Exchange and Amazon SES have about 90."""

_STATES = {
    EventType.SENT: "sent",
    EventType.BOUNCED: "refused",
    EventType.REJECTED: "refused",
    EventType.DEFERRED: "deferred",
    EventType.UNKNOWN: "unknown",
}

_DECIDED = {"reject": "refused", "hold": "held", "defer": "deferred"}


def tell_end(
    verdict: Verdict, events: Iterable[Event] = (), *, reply: tuple[int | None, str] | None = None, now: float
) -> None:
    """Write the line of a message that the gate was asked about.

    Args:
        verdict: What the gate said.
        events: What became of those whom it accepted.
        reply: What the relay, or who speaks for it, said of the whole message.
        now: Monotonic seconds, as of the receipt.
    """
    if not _log.isEnabledFor(logging.INFO):
        return
    receipt = verdict.receipt
    found = tuple(events)
    replied = reply or next(((e.smtp_code, e.smtp_reply) for e in found if e.smtp_code is not None), None)
    queue_id = next((event.queue_id for event in found if event.queue_id), None)
    server = verdict.route.server if verdict.allowed and verdict.route else None
    states = _states(verdict, found, replied)
    fields = [
        ("message-id", _message_id(receipt.message_id)),
        ("from", _sender(receipt.mail_from)),
        ("nrcpt", str(receipt.recipients + len(receipt.turned_away))),
        ("flow", str(verdict.flow or "-")),
        ("verdict", str(verdict.decision)),
        ("would-be", str(verdict.would_be) if verdict.dry_run else ""),
        ("held", verdict.held or ""),
        ("relay", _word(f"{server.host}:{server.port}") if server else "-"),
        *_counted(states),
        ("queued-as", _word(queue_id) if queue_id else "-"),
        ("delay", f"{max(0.0, now - receipt.began):.2f}"),
        ("retry-after", "" if verdict.retry_after is None else f"{verdict.retry_after:.0f}"),
        ("reply", _quoted(f"{replied[0] or ''} {replied[1]}".strip()) if replied else ""),
        ("why", _quoted(_why(verdict, found))),
    ]
    _log.info("%s", _line(fields))


def tell_turned_away(
    sender: str,
    turned_away: Sequence[TurnedAway],
    *,
    flow: Flow | None = None,
    message_id: str | None = None,
    recipients: int = 0,
) -> None:
    """Write the line of a message that the gate was never asked about.

    Args:
        sender: Envelope sender.
        turned_away: What was refused of it; nothing where the client went away.
        flow: The flow that the integration knew, or `None`.
        message_id: Its Message-ID, if it came so far.
        recipients: Recipients that had been accepted, or were given with it.
    """
    if not _log.isEnabledFor(logging.INFO):
        return
    last = turned_away[-1] if turned_away else None
    states = Counter(one.state for one in turned_away)
    if recipients and (last is None or last.stage == "RCPT"):
        states["abandoned"] = recipients
    relay = next((one.relay for one in turned_away if one.relay), "")
    number = recipients + sum(one.stage == "RCPT" for one in turned_away)
    fields = [
        ("message-id", _message_id(message_id)),
        ("from", _sender(sender)),
        ("nrcpt", str(number)),
        ("flow", str(flow or "-")),
        ("verdict", "-"),
        ("relay", _word(relay) if relay else "-"),
        *_counted(states),
        ("queued-as", "-"),
        ("at", last.stage if last else "RCPT"),
        ("reply", _quoted(f"{last.code} {last.text}") if last else ""),
    ]
    _log.info("%s", _line(fields))


def _states(
    verdict: Verdict, events: Sequence[Event], replied: tuple[int | None, str] | None
) -> Counter[str]:
    """Return how many recipients came to what."""
    receipt = verdict.receipt
    states = Counter(one.state for one in receipt.turned_away)
    if not verdict.allowed:
        states[_DECIDED[verdict.decision]] += max(1, receipt.recipients)
        return states
    if not verdict.dry_run:
        states.update("refused" if one.retry_after is None else "deferred" for one in verdict.refused)
    states.update(_STATES.get(event.type, "unsent") for event in events)
    if not events:
        code = replied[0] if replied else None
        state = "unsent" if code is None else "refused" if code >= 500 else "deferred"
        states[state] += max(1, len(verdict.accepted))
    return states


def _counted(states: Counter[str]) -> Iterator[tuple[str, str]]:
    """Yield the state of a message, and where there are several, how many recipients each has."""
    found = [state for state, number in states.items() if number]
    yield "status", found[0] if len(found) == 1 else "mixed" if found else "-"
    if len(found) > 1:
        yield from ((state, str(states[state])) for state in sorted(found))


def _why(verdict: Verdict, events: Sequence[Event]) -> str:
    """Return why a message, or one of its recipients, did not leave, or would not have."""
    if verdict.why:
        return in_words(verdict.why)
    for event in events:
        if event.type is not EventType.SENT and event.smtp_code is not None:
            return f"{event.smtp_code} {event.smtp_reply}"
    away = [*verdict.receipt.turned_away]
    if verdict.refused and not verdict.dry_run:
        return f"{verdict.refused[0].part}: {verdict.refused[0].sentence}"
    return f"{away[0].code} {away[0].text}" if away else ""


def _line(fields: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{name}={value}" for name, value in fields if value)


def _message_id(message_id: str | None) -> str:
    """Return a Message-ID as a log finds it: whole, in angle brackets."""
    return f"<{_word(message_id)}>" if message_id else "-"


def _sender(address: str) -> str:
    """Return an envelope sender without its local part, which may name a person."""
    if not address:
        return "<>"
    return "…@" + _word(address.rpartition("@")[2]) if "@" in address else "…"


def _word(text: str) -> str:
    """Return a text as the value of one field: no white space, no quotes, nothing that drives a terminal."""
    cut = text if len(text) <= _LONGEST_WORD else f"{text[:_LONGEST_WORD]}…"
    return "".join(c if c.isprintable() and not c.isspace() and c != '"' else "?" for c in cut)


def _quoted(text: str) -> str:
    """Return a text in quotes, without local parts of addresses, or nothing."""
    return '"' + loggable(text).replace('"', "'") + '"' if text else ""
