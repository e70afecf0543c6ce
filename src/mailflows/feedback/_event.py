"""What comes back after sending, in the ecosystem's normal words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mailflows._result import printable, to_html
from mailflows.flow import Flow

if TYPE_CHECKING:
    from datetime import datetime

    from mailflows._result import Cell

__all__ = ["Action", "BounceReason", "Event", "EventType"]


class EventType(StrEnum):
    """What happened to a message; the words are those of django-anymail and most providers."""

    QUEUED = "queued"
    SENT = "sent"
    REJECTED = "rejected"
    BOUNCED = "bounced"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    OPENED = "opened"
    CLICKED = "clicked"
    AUTOREPLIED = "autoreplied"
    UNKNOWN = "unknown"
    """The relay's answer was lost after the whole message was sent (RFC 1047)."""

    OTHER = "other"


class BounceReason(StrEnum):
    """Why a message was not taken."""

    MAILBOX_UNKNOWN = "mailbox-unknown"
    DOMAIN_UNKNOWN = "domain-unknown"
    MAILBOX_FULL = "mailbox-full"
    MAILBOX_DISABLED = "mailbox-disabled"
    BLOCKED_REPUTATION = "blocked-reputation"
    BLOCKED_CONTENT = "blocked-content"
    AUTH_FAILURE = "auth-failure"
    POLICY = "policy"
    RATE = "rate"
    TEMPORARY = "temporary"
    TOO_BIG = "too-big"
    EXPIRED = "expired"
    OTHER = "other"


class Action(StrEnum):
    """What to do about an event."""

    SUPPRESS = "suppress"
    """Never write to this address again."""

    RETRY = "retry"
    """The same message may be taken later."""

    PAUSE_FLOW = "pause-flow"
    """The sender is at fault, not the address: stop and look at the flow."""

    FIX_CONFIG = "fix-config"
    """Records or settings are wrong: SPF, DKIM, DMARC, a size."""

    NONE = "none"
    """Only worth counting."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one recipient of one message. Every field is always there.

    Example:
        >>> event = Event(EventType.BOUNCED, "ada@example.org", status="5.1.1", action=Action.SUPPRESS)
        >>> print(event)
        bounced: ada@example.org (5.1.1), suppress

    Attributes:
        type: What happened.
        recipient: The address that it happened to, or `None` where the report hides it.
        reason: Why it was not taken, for bounces, deferrals and rejections.
        status: Enhanced status code (RFC 3463) such as ``5.1.1``, or `None`.
        smtp_code: Reply code of the server, such as 550, or `None`.
        smtp_reply: What the server said, or an empty string.
        permanent: Whether trying again is of no use; `None` where nobody said.
        action: What to do about it.
        message_id: The Message-ID of the message, without angle brackets, or the provider's id, or `None`.
        time: When it happened, in UTC, or `None`.
        flow: The flow of the message, or `None`.
        event_id: What names this event, so that a second copy changes nothing, or `None`.
        campaign: The mailing it belongs to, or `None`.
        recipient_id: The recipient's opaque id (from a token), or `None`.
        original_recipient: The address that was written to, where a report says that it was another
            than *recipient*: the mail had been forwarded. Else `None`.
        url: The link, for clicks, or `None`.
        user_agent: What fetched it, for opens and clicks, or an empty string.
        verified: Whether a token of ours says that we sent the message; `None` where none was looked for.
        provider: Who told it: ``sendgrid``, ``dsn``, ``arf``, ``smtp``, …
        raw: The report as it came.
    """

    type: EventType
    recipient: str | None = None
    reason: BounceReason | None = None
    status: str | None = None
    smtp_code: int | None = None
    smtp_reply: str = ""
    permanent: bool | None = None
    action: Action = Action.NONE
    message_id: str | None = None
    time: datetime | None = None
    flow: Flow | None = None
    event_id: str | None = None
    campaign: str | None = None
    recipient_id: str | None = None
    original_recipient: str | None = None
    url: str | None = None
    user_agent: str = ""
    verified: bool | None = None
    provider: str = ""
    raw: Mapping[str, Any] | bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.flow is not None:  # a word of it is as good, and a wrong one is told here
            object.__setattr__(self, "flow", Flow(self.flow))

    @property
    def written_to(self) -> str | None:
        """The address that we wrote to: the original recipient where there is one."""
        return self.original_recipient or self.recipient

    def __str__(self) -> str:
        """Return one line: what happened to whom, why, and what to do."""
        why = " ".join(filter(None, (self.reason, self.status or str(self.smtp_code or ""))))
        to_do = "" if self.action is Action.NONE else f", {self.action}"
        line = f"{self.type}: {self.recipient or 'unknown recipient'}" + (f" ({why})" if why else "") + to_do
        return printable(line)

    def to_dict(self) -> dict[str, Any]:
        """Return the event as plain data, ready for JSON; *raw* is left out where it is bytes."""
        found = {item.name: _plain(getattr(self, item.name)) for item in fields(self)}
        return found | {"raw": dict(self.raw) if isinstance(self.raw, Mapping) else None}

    def _repr_html_(self) -> str:
        """Return the event as a small table, for a notebook."""
        rows: list[list[Cell]] = [
            [name, str(value)]
            for name, value in self.to_dict().items()
            if name != "raw" and value not in {None, ""}
        ]
        return to_html(str(self), ["field", "value"], rows)


def _plain(value: object) -> object:
    """Return a field as JSON has it."""
    if isinstance(value, StrEnum):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else value
