"""A message as a caller gives it: its envelope, its own header fields, and lines that no relay is given."""

from __future__ import annotations

import email
import re
import smtplib
from typing import TYPE_CHECKING

from mailflows._mail.edit import editable
from mailflows.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message as StdlibMessage

__all__ = ["as_given", "envelope_of", "require_lines", "with_headers"]

_LONGEST = 998
"""Octets of a line without its end: RFC 5321 section 4.5.3.1.6, RFC 5322 section 2.1.1."""

# A dot alone on a line that only some readers take for one: for those it ends the message, and a
# second begins (SMTP smuggling, 2023). Where all lines end alike, it is text.
_SMUGGLED = re.compile(rb"(?:(?<!\r)\n|\r(?!\n))\.(?:\r\n|\r|\n)|\r\n\.(?:\r(?!\n)|\n)")


def _is_clean(data: bytes) -> bool:
    """Say whether all lines end with CRLF; counting is a hundred times as fast as a regular expression."""
    number = data.count(b"\r\n")
    return number == data.count(b"\n") == data.count(b"\r")


def with_headers(content: bytes, fields: Iterable[tuple[str, str]]) -> bytes:
    r"""Return a message with other header fields, each in the place of those of its name.

    >>> with_headers(b"Subject: x\r\nX-Tag: a,\r\n b\r\n\r\nHi\r\n", [("X-Tag", "c")])
    b'Subject: x\r\nX-Tag: c\r\n\r\nHi\r\n'
    """
    new = dict(fields)
    if not new:
        return content
    names = {name.lower().encode() for name in new}
    head, blank, body = content.partition(b"\r\n\r\n")
    kept: list[bytes] = []
    is_replaced = False
    for line in head.split(b"\r\n"):
        if line[:1] not in {b" ", b"\t"}:
            is_replaced = line.partition(b":")[0].strip().lower() in names
        if not is_replaced:
            kept.append(line)
    kept += [f"{name}: {value}".encode() for name, value in new.items()]
    return b"\r\n".join(kept) + (blank or b"\r\n\r\n") + body


def as_given(message: bytes | str | StdlibMessage) -> bytes:
    """Return the bytes of a message, unchanged."""
    if isinstance(message, str):
        return message.encode("utf-8", "surrogateescape")
    return message if isinstance(message, bytes) else message.as_bytes()


def envelope_of(
    message: bytes | str | StdlibMessage, sender: str | None, recipients: str | Iterable[str] | None
) -> tuple[str, str | Iterable[str], bytes]:
    """Return sender, recipients and content of a message as smtplib and aiosmtplib find them.

    Raises:
        ValueError: If it was resent more than once (RFC 5322 section 3.6.6).
    """
    is_object = not isinstance(message, bytes | str)
    reader = _AsSmtplib()
    if is_object or sender is None or recipients is None:
        parsed = message if is_object else email.message_from_bytes(editable(as_given(message)))
        reader.send_message(parsed, sender, recipients)  # type: ignore[arg-type]
        found_sender, found, content = reader.seen
    else:
        found_sender, found, content = sender, recipients, b""
    return found_sender, found, content if is_object else as_given(message)


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
                f"a line has {longest} octets, and mail allows {_LONGEST} (RFC 5321 section 4.5.3.1.6): "
                "encode the part as quoted-printable or base64"
            )
            raise MessageError(msg)
    if b"\r\n" in data and not _is_clean(data) and _SMUGGLED.search(data):
        msg = "a dot stands alone between line ends of different kinds, as in SMTP smuggling"
        raise MessageError(msg)


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
