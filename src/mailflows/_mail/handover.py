"""What every integration does to a message before it hands it to a relay."""

from __future__ import annotations

from mailflows._mail import structure
from mailflows._mail.reader import read_raw

__all__ = ["PRIVATE", "wire_form"]

PRIVATE = frozenset(("bcc", "resent-bcc", "x-mailflows-flow"))
"""Fields that nobody outside may see: hidden recipients, and what an application says to the gate."""


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
    data = structure.written(raw, found, without=PRIVATE)
    if data.count(b"\n") == data.count(b"\r\n"):
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
