"""Events that come back after sending, in the usual terms of the field."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from mailflows import _data
from mailflows._result import Result, printable
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError
from mailflows.feedback._moment import moment_in
from mailflows.flow import Flow

if TYPE_CHECKING:
    from datetime import datetime

    from mailflows._result import Table

__all__ = ["Action", "BounceReason", "Event", "EventType", "Fault"]


class EventType(StrEnum):
    """What happened to a message, in the terms of django-anymail and most providers."""

    QUEUED = "queued"
    SENT = "sent"
    REJECTED = "rejected"
    BOUNCED = "bounced"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    SUBSCRIBED = "subscribed"
    """A person joined or rejoined a list, or the provider lifted its own suppression of the address."""
    OPENED = "opened"
    CLICKED = "clicked"
    AUTOREPLIED = "autoreplied"
    UNKNOWN = "unknown"
    """The relay's answer was lost after the whole message was sent (RFC 1047)."""

    OTHER = "other"


class Fault(StrEnum):
    """Who has to fix something before such a message is accepted."""

    SENDER = "sender"
    """Us: our DNS records, content, lists or pace."""

    RELAY = "relay"
    """Our relay or ESP, or our account there."""

    RECIPIENT = "recipient"
    """The recipient: the address does not exist, the mailbox is full, the owner does not want such mail."""

    RECEIVER = "receiver"
    """The receiving server, or the network path to it."""


class BounceReason(StrEnum):
    """Why a message was not accepted: the class of a reply or report."""

    MAILBOX_UNKNOWN = "mailbox-unknown"
    MAILBOX_DISABLED = "mailbox-disabled"
    MAILBOX_FULL = "mailbox-full"
    DOMAIN_UNKNOWN = "domain-unknown"
    NULL_MX = "null-mx"
    """The domain declares that it accepts no mail (null MX, RFC 7505)."""
    ROUTING = "routing"
    """The name servers of the domain, or the route to its mail hosts, are broken; the domain may be alive."""
    CONNECTION = "connection"
    SENDER_INVALID = "sender-invalid"
    """Our envelope sender, our HELO name or a header of ours is not accepted."""
    AUTH_FAILURE = "auth-failure"
    """Our SPF, DKIM, DMARC, reverse DNS or TLS failed."""
    RELAY_DENIED = "relay-denied"
    """Our relay, or a server wrongly taken for the recipient's, refuses us: login failed, relaying denied."""
    BLOCKED_REPUTATION = "blocked-reputation"
    BLOCKED_CONTENT = "blocked-content"
    VIRUS = "virus"
    """A virus, or a forbidden attachment type."""
    POLICY = "policy"
    """A local policy of the receiving server, without further explanation."""
    RESTRICTED = "restricted"
    """The recipient, often a group, accepts mail only from some senders."""
    RATE = "rate"
    TOO_MANY_RECIPIENTS = "too-many-recipients"
    TOO_BIG = "too-big"
    PROTOCOL = "protocol"
    """The SMTP session or the message breaks a rule of SMTP or of the message format."""
    EXPIRED = "expired"
    GREYLISTED = "greylisted"
    TEMPORARY = "temporary"
    """A temporary failure of the receiving server, without details."""
    OTHER = "other"

    @property
    def fault(self) -> Fault:
        """Who has to fix something before such a message is accepted."""
        return Fault(_classes()[self]["fault"])

    @property
    def is_unknown(self) -> bool:
        """Whether the mailbox or domain does not exist, so it counts as an invalid recipient."""
        return _classes()[self].get("unknown", False) is True

    @property
    def is_counted(self) -> bool:
        """Whether repeated occurrences count against the address."""
        return _classes()[self].get("counted", False) is True

    def action(self, *, final: bool) -> Action:
        """Return what to do about it.

        Args:
            final: Whether the refusal is permanent, or the relay gave up.
        """
        entry = _classes()[self]
        action = Action(entry["action"])
        if final:
            return action
        is_about_us = action in {Action.PAUSE_FLOW, Action.FIX_CONFIG}
        return Action(entry.get("deferred", action if is_about_us else Action.RETRY))


class Action(StrEnum):
    """What to do about an event."""

    SUPPRESS = "suppress"
    """Never write to this address again."""

    RETRY = "retry"
    """The same message may be accepted later."""

    PAUSE_FLOW = "pause-flow"
    """The sender is at fault, not the address: stop and look at the flow."""

    FIX_CONFIG = "fix-config"
    """Records or settings are wrong: SPF, DKIM, DMARC, reverse DNS, a login, a size."""

    NONE = "none"
    """Nothing to do but count it."""


@dataclass(frozen=True, slots=True)
class Event(Result):
    """One thing that happened to one recipient of one message. Every field is always present.

    Example:
        >>> event = Event(EventType.BOUNCED, "ada@example.org", status="5.1.1", action=Action.SUPPRESS)
        >>> print(event)
        bounced: ada@example.org (5.1.1), suppress

    Attributes:
        type: What happened.
        recipient: The recipient's address, or `None` if the report hides it.
        reason: Why it was not accepted, for bounces, deferrals and rejections.
        status: Enhanced status code (RFC 3463) such as ``5.1.1``, or `None`.
        smtp_code: Reply code of the server, such as 550, or `None`.
        smtp_reply: The text of the server's reply, or an empty string.
        permanent: Whether retrying is pointless; `None` if not known.
        action: What to do about it.
        message_id: The Message-ID of the message, without angle brackets, or the provider's id, or `None`.
        time: When it happened, or `None`. An ISO 8601 string is parsed, as UTC if it has no time zone.
        flow: The flow of the message, or `None`.
        event_id: The ID of this event, so that a second copy changes nothing, or `None`.
        campaign: The mailing it belongs to, or `None`.
        recipient_id: The recipient's opaque id (from a token), or `None`.
        original_recipient: The address that the message was sent to, if a report says that it differs from
            *recipient* because the mail was forwarded; else `None`.
        tags: All tags or categories of the message at the provider.
        metadata: What the application attached to the message at the provider: custom arguments, variables.
        list: The provider's ID of the list, audience or unsubscribe group that it is about, or `None`.
        stream: The message stream, sub-account or IP pool that it was sent through, or `None`.
        description: What the provider says about it besides the server's reply, or an empty string.
        url: The link, for clicks, or `None`.
        user_agent: The user agent that fetched it, for opens and clicks, or an empty string.
        queue_id: The relay's queue ID for the message, if given in its reply or in a report
            (``X-Postfix-Queue-ID``); else `None`.
        verified: Whether a valid token of ours proves that we sent the message; `None` if no token was
            expected.
        provider: Where it came from: ``sendgrid``, ``dsn``, ``arf``, ``smtp``, …
        raw: The report as received.

    Raises:
        ConfigurationError: If *type*, *reason*, *action* or *flow* is not valid, or *time* cannot be parsed.
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
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    list: str | None = None
    stream: str | None = None
    description: str = ""
    url: str | None = None
    user_agent: str = ""
    queue_id: str | None = None
    verified: bool | None = None
    provider: str = ""
    raw: Mapping[str, Any] | bytes | None = field(default=None, repr=False, hash=False)

    def __post_init__(self) -> None:
        # A word is as good as a member, and a wrong one is told here: it would count as nothing.
        for name, kind in _KINDS:
            value = getattr(self, name)
            if not isinstance(value, kind) and (value is not None or name in _NEEDED):
                object.__setattr__(self, name, _member(name, kind, value))
        if isinstance(self.time, str):
            object.__setattr__(self, "time", _moment(self.time))

    @property
    def written_to(self) -> str | None:
        """The address that the message was sent to: the original recipient, if known."""
        return self.original_recipient or self.recipient

    def __str__(self) -> str:
        """Return one line: what happened to whom, why, and what to do."""
        why = " ".join(filter(None, (self.reason, self.status or str(self.smtp_code or ""))))
        to_do = "" if self.action is Action.NONE else f", {self.action}"
        line = f"{self.type}: {self.recipient or 'unknown recipient'}" + (f" ({why})" if why else "") + to_do
        return printable(line)

    def to_dict(self) -> dict[str, Any]:
        """Return the event as plain data, ready for JSON; *raw* is left out if it is bytes."""
        found = super(Event, self).to_dict()
        return found | {"raw": found["raw"] if isinstance(self.raw, Mapping) else None}

    def _table(self) -> Table:
        rows = [
            (name, str(value))
            for name, value in self.to_dict().items()
            if name != "raw" and value not in (None, "", [], {})
        ]
        return str(self), ["field", "value"], rows


_KINDS: tuple[tuple[str, type[StrEnum]], ...] = (
    ("type", EventType),
    ("reason", BounceReason),
    ("action", Action),
    ("flow", Flow),
)
_NEEDED = frozenset({"type", "action"})


def _member(name: str, kind: type[StrEnum], value: object) -> StrEnum:
    """Return the member named by a word.

    Raises:
        ConfigurationError: If it names none.
    """
    try:
        return kind(value)  # type: ignore[arg-type]
    except ConfigurationError:  # of `Flow`
        raise
    except ValueError as error:
        msg = f"{name}={str(value)[:60]!r} is not a valid {kind.__name__}: {did_you_mean(value, list(kind))}"
        raise ConfigurationError(msg, field=name) from error


def _moment(text: str) -> datetime:
    """Parse a time.

    Raises:
        ConfigurationError: If it is not a time.
    """
    found = moment_in(text)
    if found is None:
        msg = f"time={text[:60]!r} is not a time: write it as 2026-02-14T09:00:00Z"
        raise ConfigurationError(msg, field="time")
    return found


@cache
def _classes() -> dict[str, dict[str, Any]]:
    """Return what each class means; the keys are the words of `BounceReason`."""
    return tomllib.loads(_data.read("feedback/classes.toml"))
