"""Bounces and complaints: any bytes that came back → events with a reason and an action."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from mailflows._mail.address import addresses, mailbox
from mailflows.feedback._autoreply import is_autoreply
from mailflows.feedback._event import Action, BounceReason, Event, EventType
from mailflows.feedback._layouts import (
    by_layout,
    has_subject_of_report,
    is_from_robot,
    split_returned,
    told_about,
)
from mailflows.feedback._reasons import diagnose, diagnose_text
from mailflows.feedback._report import (
    MAX_RECIPIENTS,
    bare_address,
    blocks,
    by_disposition,
    by_fields,
    fields_in_text,
    inner_report,
    is_redacted,
    read_report,
    returned_headers,
)
from mailflows.feedback._webhooks import from_webhook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mailflows.feedback._reasons import Diagnosis
    from mailflows.feedback._report import Finding, Report
    from mailflows.feedback._verp import Verp
    from mailflows.flow import Flow
    from mailflows.message import Source

__all__ = ["parse_bounce"]

_DEPTH = 2
"""How deep a report may stand inside forwarded messages. A bound on work."""

_REPLY = 1000
"""Characters of what the server said that an event keeps. A bound on work."""

_SHORT = 20  # our choice
_VAGUE = frozenset({BounceReason.OTHER, BounceReason.TEMPORARY})
"""Reasons that a parcel may have, too: too little, where only the subject speaks for a report."""

_COMPLAINTS = {
    "abuse": (EventType.COMPLAINED, None, Action.SUPPRESS),
    "fraud": (EventType.COMPLAINED, None, Action.SUPPRESS),
    "virus": (EventType.COMPLAINED, BounceReason.BLOCKED_CONTENT, Action.SUPPRESS),
    "miscategorized": (EventType.COMPLAINED, None, Action.SUPPRESS),
    "opt-out": (EventType.UNSUBSCRIBED, None, Action.SUPPRESS),
    "opt-out-list": (EventType.UNSUBSCRIBED, None, Action.SUPPRESS),
    "auth-failure": (EventType.OTHER, BounceReason.AUTH_FAILURE, Action.FIX_CONFIG),
    "not-spam": (EventType.OTHER, None, Action.NONE),
}
_ORIGINAL = re.compile(r"^Original-Rcpt-To:[ \t]{0,9}([^\s,;]{1,320})", re.MULTILINE | re.IGNORECASE)
_QUEUE_ID = re.compile(
    r"^X-[A-Z-]{2,30}-Queue-ID:[ \t]{0,9}([A-Z0-9.-]{4,64})[ \t]{0,9}\r?$",
    re.MULTILINE | re.IGNORECASE | re.ASCII,
)
_PER_MESSAGE = 4000
"""Characters of delivery status among which the fields about the message are, before those about recipients
(RFC 3464 section 2.2). A bound on work."""
_MAX_NAMED = 1000  # bound: keeps work and memory flat
_ABUSE = (EventType.COMPLAINED, None, Action.SUPPRESS)
_FOR_FIELDS = ("original-rcpt-to", "removal-recipient", "x-hmxmroriginalrecipient")
_FOR_HEADERS = ("x-hmxmroriginalrecipient", "to", "x-original-to", "delivered-to", "x-apparently-to")

_DELIVERED_TO = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to", "to")
_RETURN_PATHS = ("return-path", "x-return-path", "x-envelope-from", "envelope-from", "x-envelope-sender")


def parse_bounce(
    source: Source, *, flow: Flow | None = None, verp: Verp | None = None, delivered_to: str | None = None
) -> tuple[Event, ...]:
    r"""Read a message that came back to the envelope sender: a bounce, a delay, a complaint.

    It reads standard reports (RFC 3464, 6533, 5965) and the layouts of software that does not follow a
    standard. Anything that is not a report gives no events: a person's reply, an out-of-office message (see
    `parse_autoreply`).

    Args:
        source: Anything that `mailflows.Message.read` reads.
        flow: The flow whose return path received it.
        verp: The `Verp` that made the return paths. Every event then says whether it is verified, and names
            campaign and recipient ID; a report to a valid return path is an event even if nothing in it can
            be parsed.
        delivered_to: The envelope recipient of the report, if your server knows it; otherwise the headers
            that servers add (``Delivered-To``, ``X-Original-To``, …) and To are used. The envelope sender
            named in a complaint or in the returned message is used, too.

    Returns:
        One event for each recipient that the report names.

    Raises:
        MessageError: If it is not a message at all.

    Example:
        >>> report = (
        ...     b"From: MAILER-DAEMON@mx.example\nSubject: Undelivered Mail\n\n"
        ...     b"<ada@example.org>: host mx.example.org said: 550 5.1.1 User unknown\n"
        ... )
        >>> for event in parse_bounce(report):
        ...     print(event)
        bounced: ada@example.org (mailbox-unknown 5.1.1), suppress
    """
    report = read_report(source)
    found = _events(report, _DEPTH)
    name = _name(report)
    time = _moment(report.get("date"))
    events = tuple(
        replace(
            event,
            flow=flow,
            time=event.time or time,
            event_id=event.event_id or _event_id(name, event),
            raw=event.raw or report.raw,
        )
        for event in found
    )
    return events if verp is None else _identified(events, report, verp, delivered_to)


def _identified(
    events: tuple[Event, ...], report: Report, verp: Verp, delivered_to: str | None
) -> tuple[Event, ...]:
    """Mark events as verified by a return path of ours or not; a valid return path alone is an event, too."""
    places = [delivered_to] if delivered_to else [report.get(name) for name in _DELIVERED_TO]
    places += _senders_of_returned(report)
    named = [found.address for place in places for found in addresses(place)]
    if events or not is_from_robot(report) or is_autoreply(report):
        return verp.identify(events, named)
    unread = Event(EventType.BOUNCED, reason=BounceReason.OTHER, provider="verp", raw=report.raw)
    unread = replace(unread, time=_moment(report.get("date")), event_id=_event_id(_name(report), unread))
    return tuple(event for event in verp.identify([unread], named) if event.verified)


def _senders_of_returned(report: Report) -> list[str]:
    """Return the envelope senders of the message that came back, as its report and its headers name them."""
    named = [group.get("original-mail-from", "") for group in blocks(report.feedback)]
    returned = returned_headers(report.returned or split_returned(report.text)[1])
    return [*named, *(returned.get(name, "") for name in _RETURN_PATHS)]


def _events(report: Report, depth: int) -> list[Event]:
    """Return the events of a report, or of one that is attached to a message that is none."""
    if found := _complaints(report):
        return found
    if report.status:
        return _judged(by_fields(report.status) or _unnamed(report), report, "dsn")
    if report.disposition:
        return _judged(by_disposition(report), report, "mdn")
    if is_autoreply(report):
        return []
    if found := _notification(report) or _attached(report, depth):
        return found
    return _in_words(report)


def _complaints(report: Report) -> list[Event]:
    """Return the events of a complaint, one a recipient; none where it is not a complaint."""
    returned = returned_headers(report.returned)
    if report.feedback:
        return _feedback(report, returned)
    if "x-hmxmroriginalrecipient" in returned:  # Outlook.com's feedback loop (JMRP) sends no fields
        return [_complaint(a, _ABUSE, returned) for a in _first(returned, _FOR_HEADERS)]
    if report.get("x-apple-unsubscribe").lower() == "true":
        sender = mailbox(report.get("from")).address or None
        return [_complaint(sender, _COMPLAINTS["opt-out"], {})]
    return []


def _feedback(report: Report, returned: dict[str, str]) -> list[Event]:
    """Return the events of a feedback report, one for each recipient that it names."""
    fields: dict[str, str] = {}
    for group in blocks(report.feedback):
        fields = group | fields
    if len(named := _ORIGINAL.findall(report.feedback)) > 1:  # RFC 5965 section 3.2 allows several
        fields["original-rcpt-to"] = ", ".join(named[:_MAX_NAMED])
    kind = _COMPLAINTS.get(fields.get("feedback-type", "").lower(), _ABUSE)
    recipients = _first(fields, _FOR_FIELDS) or _first(returned, _FOR_HEADERS) or [None]
    return [
        _complaint(recipient, kind, returned, agent=fields.get("user-agent", "")) for recipient in recipients
    ]


def _complaint(
    recipient: str | None,
    kind: tuple[EventType, BounceReason | None, Action],
    returned: dict[str, str],
    *,
    agent: str = "",
) -> Event:
    event_type, reason, action = kind
    return Event(
        event_type,
        recipient,
        reason=reason,
        action=action if recipient else Action.NONE,
        message_id=returned.get("message-id", "").strip().strip("<>") or None,
        user_agent=agent,
        provider="arf",
    )


def _first(fields: dict[str, str], names: Iterable[str]) -> list[str | None]:
    """Return the addresses of the first of some fields that has any."""
    for name in names:
        value = fields.get(name, "")
        found = [a for each in addresses(value) if (a := bare_address(each.address))]
        if found:
            return list(dict.fromkeys(None if is_redacted(a) else a for a in found))
    return []


def _in_words(report: Report) -> list[Event]:
    """Return the events of a report that is written for people only."""
    if is_from_robot(report):
        return _judged(by_layout(report), report, "text")
    return _from_somebody(report)


def _from_somebody(report: Report) -> list[Event]:
    """Return the events of a report that no robot seems to have written: by its subject, or quoted."""
    if has_subject_of_report(report) and (found := _judged(by_layout(report), report, "text")):
        return [event for event in found if event.reason not in _VAGUE]
    return _judged(fields_in_text(report.text), report, "dsn")


def _attached(report: Report, depth: int) -> list[Event]:
    """Return the events of a report that is attached to a message that is none."""
    within = inner_report(report) if depth else None
    return _events(within, depth - 1) if within and (within.status or within.feedback) else []


def _unnamed(report: Report) -> list[Finding]:
    """Return what the text says where the fields say nothing that can be used."""
    asked = "deliverable" in report.status.lower()
    return [] if asked else by_layout(report)


def _judged(findings: list[Finding], report: Report, provider: str) -> list[Event]:
    """Turn what was found into events, each recipient once."""
    told, returned_text = split_returned(report.text)
    returned = returned_headers(report.returned or returned_text)
    message_id = returned.get("message-id", "").strip().strip("<>") or None
    mended = _with_addresses(findings, report)
    about = told_about([found.recipient for found in mended], told)
    # In reverse, because the last assignment stays: of two findings about one recipient the first counts.
    known = {"message_id": message_id, "queue_id": _queue_id(report), "provider": provider}
    events = {
        (found.recipient.lower(), found.final): _event(found, about.get(found.recipient.lower(), ""), known)
        for found in reversed(mended)
    }
    return [*reversed(events.values()), *_unread(findings, provider)]


def _unread(findings: list[Finding], provider: str) -> list[Event]:
    """Add an event if the report names more recipients than are read."""
    if len(findings) < MAX_RECIPIENTS:
        return []
    said = f"the report names more than {MAX_RECIPIENTS} recipients; the rest were not read"
    return [Event(EventType.OTHER, description=said, provider=provider)]


def _with_addresses(findings: list[Finding], report: Report) -> list[Finding]:
    """Name the recipients that the fields name only as a pipe or a file."""
    if all(found.recipient for found in findings):
        return findings
    named = by_layout(report)
    known = [found for found in findings if found.recipient]
    hidden = [found for found in findings if not found.recipient]
    if len(hidden) == len(named) == 1:
        return [*known, replace(hidden[0], recipient=named[0].recipient)]
    return known or named or hidden[:1]


def _queue_id(report: Report) -> str | None:
    """Return the id under which the server that reports had queued the message."""
    found = _QUEUE_ID.search(report.status[:_PER_MESSAGE])
    return found[1] if found else None


def _event(found: Finding, told: str, known: Mapping[str, str | None]) -> Event:
    """Judge what was found about one recipient."""
    common = {
        **known,
        "recipient": found.recipient or None,
        "original_recipient": found.original or None,
        "time": _moment(found.time),
    }
    if found.final is None:
        return Event(EventType.DELIVERED, status=found.status or None, smtp_reply=_cut(found.said), **common)  # type: ignore[arg-type]
    said = _diagnosed(found, told)
    return Event(
        EventType.BOUNCED if found.final else EventType.DEFERRED,
        reason=said.reason,
        status=said.status,
        smtp_code=said.code,
        smtp_reply=_cut(found.said),
        permanent=said.permanent if said.permanent is not None else found.final or None,
        action=said.reason.action(final=found.final),
        **common,  # type: ignore[arg-type]
    )


def _diagnosed(found: Finding, told: str) -> Diagnosis:
    """Diagnose from the server's reply or, if that is vague, from the text for people."""
    status = found.status or None
    said = diagnose(found.said, status=status) if found.fields else diagnose_text(found.said, status=status)
    if not told or not (said.reason == "other" or (len(found.said) < _SHORT and said.permanent is None)):
        return said
    wider = diagnose_text(f"{found.said}\n\n{told}", status=status)
    return replace(wider, code=said.code or wider.code) if wider.reason != "other" else said


def _notification(report: Report) -> list[Event]:
    """Return the events of an Amazon SNS notification that was sent as mail."""
    text = report.text.lstrip().replace("!\n ", "")  # Sendmail breaks lines of 990 characters so
    if not text.startswith("{"):
        return []
    try:
        document, _ = json.JSONDecoder().raw_decode(text)
        return list(from_webhook("amazon_ses", document))
    except (ValueError, RecursionError):
        return []


def _cut(text: str) -> str:
    """Return a reply on one line, bounded."""
    return " ".join(text[: 4 * _REPLY].split())[:_REPLY]


def _moment(value: str) -> datetime | None:
    """Return a date header as a moment in UTC, or `None`."""
    try:
        moment = parsedate_to_datetime(value[:100])
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _name(report: Report) -> str:
    """Return what a second copy of a report has, too."""
    return report.get("message-id") or hashlib.sha256(report.raw).hexdigest()


def _event_id(name: str, event: Event) -> str:
    """Name an event, so that a second copy of the report changes nothing."""
    text = f"{name}\n{event.recipient}\n{event.type}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
