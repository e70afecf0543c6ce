"""Complaints (RFC 5965, RFC 6591), and requests to unsubscribe that a mail program sends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows._mail.address import addresses, mailbox
from mailflows.feedback._event import Action, BounceReason, Event, EventType
from mailflows.feedback._finding import bare_address, is_redacted
from mailflows.feedback._mime import blocks, returned_headers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailflows.feedback._mime import Report

__all__ = ["complaints"]

_TYPES = {
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
_MAX_RECIPIENTS = 1000  # bound: keeps work and memory flat
_OTHER = (EventType.COMPLAINED, None, Action.SUPPRESS)
_NAMED = ("original-rcpt-to", "removal-recipient", "x-hmxmroriginalrecipient")
_RETURNED = ("x-hmxmroriginalrecipient", "to", "x-original-to", "delivered-to", "x-apparently-to")


def complaints(report: Report) -> list[Event]:
    """Return the events of a complaint, one a recipient; none where it is no complaint."""
    returned = returned_headers(report.returned)
    if report.feedback:
        return _feedback(report, returned)
    if "x-hmxmroriginalrecipient" in returned:  # Outlook.com's feedback loop (JMRP) sends no fields
        return [_event(a, _OTHER, returned) for a in _first(returned, _RETURNED)]
    if report.get("x-apple-unsubscribe").lower() == "true":
        sender = mailbox(report.get("from")).address or None
        return [_event(sender, _TYPES["opt-out"], {})]
    return []


def _feedback(report: Report, returned: dict[str, str]) -> list[Event]:
    """Return the events of a feedback report, one for each recipient that it names."""
    fields: dict[str, str] = {}
    for group in blocks(report.feedback):
        fields = group | fields
    if len(named := _ORIGINAL.findall(report.feedback)) > 1:  # RFC 5965 section 3.2 allows several
        fields["original-rcpt-to"] = ", ".join(named[:_MAX_RECIPIENTS])
    kind = _TYPES.get(fields.get("feedback-type", "").lower(), _OTHER)
    recipients = _first(fields, _NAMED) or _first(returned, _RETURNED) or [None]
    return [_event(recipient, kind, returned, agent=fields.get("user-agent", "")) for recipient in recipients]


def _event(
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
