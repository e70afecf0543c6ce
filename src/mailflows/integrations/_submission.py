"""A message as a caller gives it: its envelope, and the lines that SMTP does not allow."""

from __future__ import annotations

import re
import smtplib
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from mailflows._context import Context
from mailflows._mail.address import mailboxes_of, read_addresses
from mailflows._mail.handover import OURS, said_to_gate
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError, MessageError
from mailflows.gate._check import TurnedAway
from mailflows.gate._mail_log import tell_turned_away
from mailflows.message import Message

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from email.message import Message as StdlibMessage

__all__ = ["as_given", "envelope_of", "message_id_in", "require_lines", "said_in", "said_of", "told_if_unfit"]

_KNOWN = tuple(one.name for one in fields(Context))

_LONGEST = 998
"""Octets of a line without its end: RFC 5321 section 4.5.3.1.6, RFC 5322 section 2.1.1."""

# A dot alone on a line that only some readers take for one: for those it ends the message, and a
# second begins (SMTP smuggling, 2023). Where all lines end alike, it is text.
_SMUGGLED = re.compile(rb"(?:(?<!\r)\n|\r(?!\n))\.(?:\r\n|\r|\n)|\r\n\.(?:\r(?!\n)|\n)")


def as_given(message: bytes | str | StdlibMessage) -> bytes:
    """Return the bytes of a message, unchanged."""
    if isinstance(message, str):
        return message.encode("utf-8", "surrogateescape")
    return message if isinstance(message, bytes) else message.as_bytes()


def said_of(headers: Iterable[tuple[str, str]], given: object = ()) -> dict[str, Any]:
    """Return what is said of a message: in its X-Mailflows- fields, and beside it, which counts.

    Args:
        headers: Its header fields.
        given: What is passed with it, by the names of `Gate.check`.

    Raises:
        ConfigurationError: If a detail is unknown, because a typo would bypass the limits.
    """
    try:
        beside = dict(given)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        msg = (
            f"the details of a message must be a dictionary, such as {{'form': 'signup'}}; got {given!r:.80}"
        )
        raise ConfigurationError(msg, field="mailflows") from None
    inside = said_to_gate(headers)
    for name in (*inside, *beside):
        if name not in _KNOWN:
            said = f"X-Mailflows-{str(name).title()}" if name in inside else repr(name)
            msg = f"unknown message detail {said}: {did_you_mean(name, _KNOWN)}"
            raise ConfigurationError(msg, field=str(name))
    return {**inside, **beside}


def said_in(content: bytes, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the details in the fields of a message, and those given as keywords, unchecked."""
    if OURS.encode() not in content.lower():
        return dict(given)
    try:
        headers = Message.read(content).headers
    except MessageError:  # the verdict says so
        headers = ()
    return said_of(headers) | dict(given)


def envelope_of(
    message: bytes | str | StdlibMessage, sender: str | None, recipients: str | Iterable[str] | None
) -> tuple[str, str | Iterable[str], bytes]:
    """Return sender, recipients and content of a message as smtplib and aiosmtplib find them.

    Raises:
        ValueError: If it was resent more than once (RFC 5322 section 3.6.6).
    """
    if isinstance(message, bytes | str):
        raw = as_given(message)
        if sender is not None and recipients is not None:
            return sender, recipients, raw
        author, found = _envelope_in(Message.read(raw))
        return author if sender is None else sender, found if recipients is None else recipients, raw
    reader = _AsSmtplib()
    reader.send_message(message, sender, recipients)  # type: ignore[arg-type]
    return reader.seen


def _envelope_in(message: Message) -> tuple[str, list[str]]:
    """Return sender and recipients of a message; what cannot be read stays, and is refused later."""
    resent = message.get_all("resent-date")
    if len(resent) > 1:
        msg = "message has more than one 'Resent-' header block"
        raise ValueError(msg)
    prefix = "resent-" if resent else ""
    author = message.get(f"{prefix}sender") or message.get(f"{prefix}from")
    values = [value for name in ("to", "bcc", "cc") for value in message.get_all(prefix + name)]
    return next(iter(_spelled(author)), author), [one for value in values for one in _spelled(value)]


def _spelled(value: str) -> tuple[str, ...]:
    """Return the addresses of a field, and the texts of those that cannot be read."""
    if found := mailboxes_of(value):
        return found
    read = read_addresses(value)
    return (*(box.address for box in read.mailboxes), *read.unread)


def require_lines(data: bytes) -> None:
    """Refuse lines that are too long, and a dot that ends the message for some readers only.

    Raises:
        MessageError: With what to do.
    """
    lines = data.split(b"\n")
    if max(map(len, lines)) > _LONGEST:
        longest = max(len(line) - line.endswith(b"\r") for line in lines)
        if longest > _LONGEST:
            msg = (
                f"a line has {longest} octets, but SMTP allows {_LONGEST} (RFC 5321 section 4.5.3.1.6): "
                "encode the part as quoted-printable or base64"
            )
            raise MessageError(msg)
    if b"\r\n" in data and (b"\n." in data or b"\r." in data) and _SMUGGLED.search(data):
        msg = (
            "a lone dot between mixed line endings, as in SMTP smuggling: use the same line ending everywhere"
        )
        raise MessageError(msg)


@contextmanager
def told_if_unfit(sender: str, to: Collection[str], content: bytes) -> Iterator[None]:
    """Write the log's line of a message that is refused in the block, before the gate is asked about it."""
    try:
        yield
    except (MessageError, ValueError) as problem:
        is_content = isinstance(problem, MessageError)
        text = f"5.6.0 {problem}" if is_content else "5.1.7 The sender address cannot be read"
        away = TurnedAway("DATA" if is_content else "MAIL", 550, text)
        tell_turned_away(sender, (away,), message_id=message_id_in(content), recipients=len(to))
        raise


def message_id_in(content: bytes) -> str | None:
    """Return the Message-ID of a message, for the log, or `None`."""
    try:
        return Message.read(content).get("message-id").strip(" <>") or None
    except MessageError:
        return None


class _AsSmtplib(smtplib.SMTP):
    """Finds envelope and content of a message object as smtplib does, and sends nothing."""

    seen: tuple[str, str | Iterable[str], bytes]

    def __init__(self) -> None:
        super().__init__(local_hostname="localhost")  # does not connect

    def __exit__(self, *_: object) -> None:
        """Do nothing: there is no connection."""

    def ehlo_or_helo_if_needed(self) -> None:
        """Do nothing: there is nobody to greet."""

    def has_extn(self, opt: str) -> bool:  # noqa: ARG002 -- as smtplib has it
        """Say yes: whether the relay has it, is seen when the message is offered."""
        return True

    def sendmail(  # type: ignore[override]
        self,
        from_addr: str,
        to_addrs: str | Iterable[str],
        msg: bytes,
        *_: object,
        **__: object,
    ) -> dict[str, tuple[int, bytes]]:
        """Note what would be sent."""
        self.seen = from_addr or "", to_addrs, msg
        return {}
