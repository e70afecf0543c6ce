"""What every integration does to a message before it hands it to a relay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows._mail import structure
from mailflows._mail.edit import fields, without_header
from mailflows._mail.reader import read_raw

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["OURS", "said_to_gate", "wire_form", "without_ours"]

OURS = "x-mailflows-"
"""How fields begin in which an application says something to the gate: nobody outside may see them."""

_HIDDEN = frozenset(("bcc", "resent-bcc"))
_ANY_OF_OURS = re.compile(rb"x-mailflows-", re.IGNORECASE)


def wire_form(message: object) -> bytes:
    r"""Return the bytes of a message as a relay is given them: what `Message.read` read, and nothing else.

    Lines end with CRLF, since a bare line feed can smuggle a second message past some servers. An odd form is
    brought into its normal one, as it was for reading, and what is private is left out.

    >>> wire_form("Subject: x\nBcc: ada@example.org,\n bob@example.org\nTo: c@example.org\n\nHi\n")
    b'Subject: x\r\nTo: c@example.org\r\n\r\nHi\r\n'
    >>> wire_form(b"\n\xef\xbb\xbfBcc : ada@example.org\rSubject: x\r\rHi")
    b'Subject: x\r\n\r\nHi'

    Args:
        message: Bytes, text, or an email message object; see `mailflows.Message.read`.

    Raises:
        MessageError: If it has no normal form: no header, one that is too long, one with control characters.
    """
    raw, _ = structure.normal(read_raw(message).data)
    found = structure.head(raw)
    ours = {field.name for field in found.fields if field.name.startswith(OURS)}
    data = structure.written(raw, found, without=_HIDDEN | ours)
    if data.count(b"\n") == data.count(b"\r\n"):
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def without_ours(raw: bytes) -> bytes:
    r"""Return an otherwise unchanged message without what its application says to the gate.

    >>> without_ours(b"X-Mailflows-Form: signup\nSubject: x\n\nX-Mailflows-Form: text\n")
    b'Subject: x\n\nX-Mailflows-Form: text\n'
    """
    if _ANY_OF_OURS.search(raw):
        for name in {name for name, _, _ in fields(raw) if name.startswith(OURS)}:
            raw = without_header(raw, name)
    return raw


def said_to_gate(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return what header fields say to the gate, by the names of its arguments.

    >>> said_to_gate([("X-Mailflows-Form", "signup"), ("Subject", "x")])
    {'form': 'signup'}
    """
    pairs = ((name.lower(), value.strip()) for name, value in names)
    return {name.removeprefix(OURS): value for name, value in pairs if name.startswith(OURS) and value}
