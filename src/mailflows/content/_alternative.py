"""The plain text beside the HTML: a new part, or the filling of an empty one."""

from __future__ import annotations

import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from mailflows._mail.edit import Edit, fields, newline_of, spliced, text_parts
from mailflows.content._page import Page
from mailflows.content._plain import text_of

if TYPE_CHECKING:
    from mailflows._mail.edit import TextPart

__all__ = ["with_plain_text"]

_LONGEST = 76  # RFC 2045 section 6.7: characters of a line


def with_plain_text(raw: bytes) -> tuple[str, bytes]:
    """Return a message with a plain-text part added to its HTML, and the reason if that failed."""
    parts = text_parts(raw)
    pages = [part for part in parts if part.content_type == "text/html"]
    plain = [part for part in parts if part.content_type == "text/plain"]
    if len(pages) != 1 or any(part.text.strip() for part in plain):
        return ("there are several HTML parts" if len(pages) > 1 and not plain else ""), raw
    text = text_of(Page(pages[0].text))
    if not text:
        return "the HTML shows no text", raw
    if plain:
        return _filled(raw, plain[0], text)
    return "", _wrapped(raw, pages[0], text)


def _filled(raw: bytes, part: TextPart, text: str) -> tuple[str, bytes]:
    """Write the text into the empty part, if its charset has the characters."""
    try:
        text.encode(part.codec)
    except UnicodeEncodeError:
        return f"the empty plain part is declared as {part.codec}, which lacks some of the characters", raw
    newline = newline_of(raw).decode()
    lines = text.replace("\n", newline) + newline
    return "", spliced(raw, [(part, [Edit(0, len(part.text), lines)])])


def _wrapped(raw: bytes, page: TextPart, text: str) -> bytes:
    """Put the HTML part and a plain one in front of it into a multipart/alternative."""
    newline = newline_of(raw)
    begin = _part_begin(raw, page.start)
    head, body = raw[begin : page.start], raw[page.start : page.stop]
    own, others = _split_head(head)
    boundary = "=-" + hashlib.sha256(raw[page.start : page.stop]).hexdigest()[:32]
    mark = b"--" + boundary.encode()
    encoding, coded = _coded(text, newline)
    charset = "us-ascii" if text.isascii() else "utf-8"
    kind = f'Content-Type: multipart/alternative; boundary="{boundary}"'.encode()
    plain = f"Content-Type: text/plain; charset={charset}".encode()
    if begin == 0 and b"mime-version" not in others.lower():
        others += b"MIME-Version: 1.0" + newline
    lines = [
        others + kind, b"",
        mark, plain, b"Content-Transfer-Encoding: " + encoding, b"", coded,
        mark, own + newline + body,
        mark + b"--", b"",
    ]  # fmt: skip
    end = raw[page.stop :]
    return raw[:begin] + newline.join(lines) + (end.removeprefix(newline) if begin else end)


def _part_begin(raw: bytes, start: int) -> int:
    """Return where the headers of the part with this body start: behind a boundary line, or 0."""
    found = raw.rfind(b"\n--", 0, max(0, start - 1))
    first_body = next((m.end() for m in [re.search(rb"\r?\n\r?\n", raw)] if m), 0)
    if found < 0 or found < first_body - 2:
        return 0
    return raw.index(b"\n", found + 1) + 1


def _split_head(head: bytes) -> tuple[bytes, bytes]:
    """Return the header fields that belong to the content, and the others; both with their line ends."""
    own: list[bytes] = []
    others: list[bytes] = []
    for name, first, last in fields(head):
        (own if name.startswith("content-") else others).append(head[first:last])
    return b"".join(own), b"".join(others)


def _coded(text: str, newline: bytes) -> tuple[bytes, bytes]:
    """Return the name of a transfer encoding and the text in it."""
    data = text.encode("utf-8", "replace")
    if data.isascii() and all(len(line) <= _LONGEST for line in data.split(b"\n")):
        return b"7bit", data.replace(b"\n", newline)
    return b"quoted-printable", binascii.b2a_qp(data, istext=True).replace(b"\n", newline)
