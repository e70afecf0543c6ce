"""The meaning of SMTP replies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from time import time as system_time
from typing import TYPE_CHECKING, Any

from mailflows._clock import to_datetime
from mailflows._result import Result, printable
from mailflows.errors import ConfigurationError
from mailflows.feedback._event import Action, BounceReason, Event, EventType
from mailflows.feedback._pace_rules import pace_rule
from mailflows.feedback._queue_id import queue_id_in
from mailflows.feedback._reasons import diagnose, folded

if TYPE_CHECKING:
    from datetime import datetime

    from mailflows._clock import Clock
    from mailflows.feedback._event import Fault
    from mailflows.feedback._pace_rules import PaceChange
    from mailflows.flow import Flow

__all__ = ["Reply", "from_reply", "from_smtp_exception", "read_reply"]


@dataclass(frozen=True, slots=True)
class Reply(Result):
    """The meaning of an SMTP server's reply.

    Attributes:
        code: Reply code, such as 550; `None` if the connection broke before one was received.
        text: The text of the reply.
        status: Enhanced status code (RFC 3463) such as ``5.1.1``, or `None`.
        reason: The class of the refusal or deferral; `None` where the message was accepted.
        action: What to do about it.
        permanent: Whether the code was 5xx: the same message will not be accepted later, either.
        pace: How it affects the sending rate to the provider, or `None` if it does not.
        rate: The new rate (such as ``10/min``) or number of connections; `None` for "less than before".
        seconds: How long the change of pace lasts, or how long to wait before the next attempt; `None` if not
            known.
        rule: Name of the matching rule in the pace table, or an empty string.

    Example:
        >>> from mailflows.feedback import read_reply
        >>> reply = read_reply(452, "4.2.2 mailbox full")
        >>> str(reply.reason), str(reply.action)
        ('mailbox-full', 'retry')
    """

    code: int | None
    text: str = ""
    status: str | None = None
    reason: BounceReason | None = None
    action: Action = Action.NONE
    permanent: bool = False
    pace: PaceChange | None = None
    rate: str | None = None
    seconds: float | None = None
    rule: str = ""

    @property
    def fault(self) -> Fault | None:
        """Who has to fix something before such a message is accepted; `None` if it was accepted."""
        return self.reason.fault if self.reason else None

    @property
    def is_unknown(self) -> bool:
        """Whether the refusal is permanent because the mailbox or domain does not exist."""
        return self.permanent and self.reason is not None and self.reason.is_unknown

    def __str__(self) -> str:
        """Return one line: code, class, what to do."""
        why = f" {self.reason}" if self.reason else ""
        to_do = "" if self.action is Action.NONE else f", {self.action}"
        return printable(
            f"{self.status or self.code or 'no reply'}{why}{to_do}" + (f", {self.pace}" if self.pace else "")
        )


def read_reply(code: int, text: str | bytes = "", *, provider: str | None = None) -> Reply:
    """Return the meaning of an SMTP server's reply, and how it affects the sending rate.

    Args:
        code: Reply code (RFC 5321 section 4.2): 2xx means accepted, 4xx deferred, 5xx refused.
        text: The reply's text, perhaps of several lines; the first 4,000 characters count.
        provider: The provider as `mailflows.pacing.provider_of` names it (``google``, ``yahoo``, …), whose
            own rules for the pace come first.

    Raises:
        ConfigurationError: If the code is not a reply code.

    Example:
        >>> print(read_reply(550, "5.1.1 No such user here"))
        5.1.1 mailbox-unknown, suppress
        >>> reply = read_reply(421, "4.7.28 unusual rate of unsolicited mail", provider="google")
        >>> str(reply.fault), str(reply.pace), reply.rate, reply.seconds
        ('sender', 'throttle', '10/min', 1800.0)
    """
    if code not in range(200, 600):
        msg = f"code {code!r:.60} is not an SMTP reply code, a number from 200 to 599"
        raise ConfigurationError(msg, field="code")
    said = text.decode("utf-8", "replace") if isinstance(text, bytes | bytearray) else str(text or "")
    found = diagnose(said, code=code)
    if code < 400:
        return Reply(code, said, found.status)
    is_final = code >= 500 and not (found.status or "").startswith("4.")
    rule = pace_rule(found.reason, code=code, status=found.status, text=folded(said), provider=provider)
    return Reply(
        code,
        said,
        found.status,
        found.reason,
        found.reason.action(final=is_final),
        code >= 500,
        rule.pace if rule else None,
        rule.rate if rule else None,
        rule.seconds if rule else None,
        rule.name if rule else "",
    )


def from_reply(  # noqa: PLR0913 -- what an event may say besides the reply
    code: int,
    text: str | bytes = "",
    *,
    recipient: str | None = None,
    message_id: str | None = None,
    flow: Flow | None = None,
    time: datetime | None = None,
) -> Event:
    """Turn an SMTP server's reply into an event.

    Args:
        code: Reply code (RFC 5321 section 4.2): 2xx means accepted, 4xx deferred, 5xx refused.
        text: The reply's text, perhaps of several lines.
        recipient: The address that the reply is about.
        message_id: The Message-ID of the message.
        flow: The flow of the message.
        time: When it was received, in UTC.

    Raises:
        ConfigurationError: If the code is not a reply code.

    Example:
        >>> print(from_reply(550, "5.1.1 No such user", recipient="ada@example.org"))
        bounced: ada@example.org (mailbox-unknown 5.1.1), suppress
        >>> print(from_reply(450, "4.2.0 Greylisted, try again later", recipient="ada@example.org"))
        deferred: ada@example.org (greylisted 4.2.0), retry
    """
    reply = read_reply(code, text)
    common: dict[str, Any] = {
        "recipient": recipient,
        "smtp_code": code,
        "smtp_reply": reply.text,
        "status": reply.status,
        "message_id": message_id,
        "flow": flow,
        "time": time,
        "provider": "smtp",
    }
    if code < 400:
        return Event(EventType.SENT, queue_id=queue_id_in(reply.text), **common)
    return Event(
        EventType.BOUNCED if reply.permanent else EventType.DEFERRED,
        reason=reply.reason,
        permanent=reply.permanent,
        action=reply.action,
        **common,
    )


def from_smtp_exception(
    error: BaseException,
    *,
    recipients: Iterable[str] = (),
    message_id: str | None = None,
    flow: Flow | None = None,
    clock: Clock = system_time,
) -> tuple[Event, ...]:
    """Turn an exception of smtplib or aiosmtplib into events, one per recipient.

    It also takes the dictionary of refused recipients that ``smtplib``'s ``sendmail`` returns when some were
    accepted. Any other failure (a broken connection, a timeout, no TLS) is a deferral, because the address is
    not to blame. A reply about the sender never suppresses a recipient.

    Args:
        error: The exception, or the dictionary.
        recipients: The recipients of the message; needed if the exception does not name them.
        message_id: The Message-ID of the message.
        flow: The flow of the message.
        clock: Returns the current time in Unix seconds.

    Example:
        >>> import smtplib
        >>> refused = smtplib.SMTPRecipientsRefused({"ada@example.org": (550, b"5.1.1 User unknown")})
        >>> print(*from_smtp_exception(refused))
        bounced: ada@example.org (mailbox-unknown 5.1.1), suppress
    """
    now = to_datetime(clock())

    def event(recipient: str | None, code: int, text: str | bytes) -> Event:
        return from_reply(code, text, recipient=recipient, message_id=message_id, flow=flow, time=now)

    if refused := _refused(error):
        return tuple(event(*row) for row in refused)
    names: tuple[str | None, ...] = tuple(recipients) or (None,)
    code, text = _reply_of(error)
    if code is None:
        return tuple(_on_the_way(event(name, 451, text)) for name in names)
    found = tuple(event(name, code, text) for name in names)
    if _blames_sender(error):
        return tuple(map(_unblamed, found))
    return found if len(found) == 1 else tuple(map(_of_all, found))


def _refused(error: object) -> list[tuple[str, int, str | bytes]]:
    """Return address, code and text of the recipients that an exception or a dictionary names."""
    rows = error if isinstance(error, Mapping) else getattr(error, "recipients", None)
    if isinstance(rows, Mapping):  # smtplib
        return [(str(name), *_row(reply)) for name, reply in rows.items()]
    if isinstance(rows, list | tuple):  # aiosmtplib: a list of exceptions, each of one recipient
        return [(str(one.recipient), int(one.code), one.message) for one in rows if hasattr(one, "recipient")]
    one = getattr(error, "recipient", None)
    code, text = _reply_of(error)
    return [(str(one), code, text)] if isinstance(one, str) and code is not None else []


def _row(reply: object) -> tuple[int, str | bytes]:
    """Return code and text of a reply; without one, the connection broke, which is nobody's fault."""
    if isinstance(reply, tuple) and len(reply) == 2:
        code, text = reply
        if isinstance(code, int) and 200 <= code < 600:
            return code, text if isinstance(text, str | bytes) else ""
    return 451, ""


def _reply_of(error: object) -> tuple[int | None, str | bytes]:
    """Return the reply that an exception carries, or no code and what it says."""
    code = getattr(error, "smtp_code", getattr(error, "code", None))
    text = getattr(error, "smtp_error", getattr(error, "message", str(error)))
    is_reply = isinstance(code, int) and 400 <= code < 600
    return (code if is_reply else None), text if isinstance(text, str | bytes) else str(text)


def _blames_sender(error: object) -> bool:
    """Return whether it was the sender, the greeting or the login that was refused."""
    name = type(error).__name__
    return hasattr(error, "sender") or any(word in name for word in ("Sender", "Helo", "Auth", "Connect"))


def _unblamed(event: Event) -> Event:
    """Return an event that was not about its recipient, without what would suppress it."""
    if event.action is not Action.SUPPRESS:
        return event
    return replace(event, reason=BounceReason.SENDER_INVALID, action=Action.FIX_CONFIG)


def _of_all(event: Event) -> Event:
    """Return the event of one of several recipients whom a reply to the whole message is for.

    One reply after DATA accuses nobody in particular, but for the only one whom it names.
    """
    if event.action is not Action.SUPPRESS:
        return event
    said = event.smtp_reply.lower()
    if event.recipient and said.count("@") == 1 and f"<{event.recipient.lower()}>" in said:
        return event
    return replace(event, reason=BounceReason.OTHER, action=Action.NONE)


def _on_the_way(event: Event) -> Event:
    """Return an event without a reply: nobody said anything."""
    return replace(event, smtp_code=None, status=None, reason=BounceReason.CONNECTION, action=Action.RETRY)
