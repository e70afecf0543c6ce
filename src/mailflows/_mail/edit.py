r"""Editing a raw message by splicing: what is not edited keeps its bytes.

A parser that writes a message again changes line endings, folding, boundaries and transfer encoding,
and with them signatures and layouts that worked. Here the text parts are found in the raw bytes, their
text is edited by offsets, and only the bytes under an edit are written anew:

* 7bit, 8bit: the bytes of the replaced characters;
* quoted-printable: the same, with soft line breaks where a line would grow beyond 76 (RFC 2045 section 6.7);
* base64: the part, in lines as long as they were, because every byte behind an edit moves.

>>> raw = b"Subject: x\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9 =3D br=\nown\n"
>>> part, = text_parts(raw)
>>> part.text
'caf\udce9 = brown\n'
>>> spliced(raw, [(part, [Edit(7, 12, "black")])])
b'Subject: x\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9 =3D black\n'
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

from mailflows._mail import structure
from mailflows._mail.decoding import (
    PRINTABLE_MARK,
    decoded,
    encoded_words,
    is_known,
    parameters,
    transfer_encoding,
)
from mailflows._mail.structure import newline_of
from mailflows.errors import ConfigurationError, MessageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mailflows._mail.structure import Leaf

__all__ = [
    "Edit",
    "TextPart",
    "editable",
    "edited",
    "fields",
    "is_signed",
    "newline_of",
    "sources_of",
    "spliced",
    "text_parts",
    "with_header",
    "with_headers",
    "without_header",
]

_QP_WIDTH = 76  # RFC 2045 section 6.7
_BASE64_WIDTH = 76  # RFC 2045 section 6.8

_PRINTED = frozenset(b"!\"#$%&'()*+,-./0123456789:;<>?@[\\]^_`{|}~ \t") | frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

_PRINTABLE = tuple(bytes((byte,)) if byte in _PRINTED else b"=%02X" % byte for byte in range(256))
"""Each byte as quoted-printable (RFC 2045 section 6.7)."""

_ByteEdit = tuple[int, int, bytes, bool]
"""Start and end in the decoded bytes, what stands there then, and whether it is verbatim."""

_META_CHARSET = re.compile(rb"charset\s{0,9}=\s{0,9}[\"']?([\w:.-]{2,40})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters of a part's text that are replaced.

    Attributes:
        start: Offset in the text.
        end: Where the replaced characters end; the same as *start* for an insertion.
        text: What stands there then.
        verbatim: The bytes of the message that stand there then, instead of *text*: what `sources_of` gave.
    """

    start: int
    end: int
    text: str
    verbatim: bytes | None = None


@dataclass(frozen=True, slots=True)
class TextPart:
    """A text of a message that a reader sees, and where it is in the raw bytes.

    Attributes:
        content_type: ``text/plain`` or ``text/html``.
        encoding: ``quoted-printable``, ``base64`` or, for all that is transferred as it is, empty.
        codec: The codec of the text. Bytes that do not fit it are lone surrogates (PEP 383), so that
            writing the text again gives the same bytes.
        start: Offset of the body in the message.
        stop: Where the body ends.
        text: The decoded text, line endings as they are.
        is_regular: Whether writing the part anew gives the bytes that it has; always so unless it is base64
            with uneven lines.
        is_signed: Whether it is in a multipart/signed, so that an edit breaks the signature.
    """

    content_type: str
    encoding: str
    codec: str
    start: int
    stop: int
    text: str = field(repr=False)
    is_regular: bool
    is_signed: bool = False


def editable(source: bytes) -> bytes:
    r"""Return a message in its normal form, which is what is edited; nearly all have it.

    What has no header is returned as it is: nothing of it is edited.

    >>> editable(b"\nSubject: x\nSubject: y\n\nHi")
    b'Subject: x\n\nHi'

    Raises:
        MessageError: If its header has no normal form.
    """
    raw, _ = structure.normal(source)
    try:
        found = structure.head(raw)
    except MessageError:
        return source
    return raw if structure.is_normal(raw, found) else structure.written(raw, found)


def is_signed(raw: bytes) -> bool:
    """Return whether a message has a DKIM signature, which covers its body and its fields."""
    return any(name in _SIGNATURES for name, _, _ in fields(raw))


_SIGNATURES = frozenset(("dkim-signature", "domainkey-signature", "arc-message-signature"))


def fields(raw: bytes) -> Iterator[tuple[str, int, int]]:
    r"""Yield the header fields of a message: lower-case name, start and end, folded lines included.

    >>> list(fields(b"From: a@example.org\nSubject: a\n b\n\nText: no"))
    [('from', 0, 20), ('subject', 20, 34)]
    """
    try:
        found = structure.head(raw)
    except MessageError:
        return iter(())
    return ((field.name, field.start, field.end) for field in found.fields)


def with_header(raw: bytes, name: str, value: str) -> bytes:
    r"""Return a message with one more header field behind those that it has.

    >>> with_header(b"Subject: x\r\n\r\ntext", "X-Kind", "test")
    b'Subject: x\r\nX-Kind: test\r\n\r\ntext'

    Raises:
        ConfigurationError: If the value is not one line of ASCII.
    """
    line = _field(name, value)
    ends = [end for _, _, end in fields(raw)]
    place = ends[-1] if ends else 0
    newline = newline_of(raw)
    before = b"" if not place or raw.endswith(b"\n", 0, place) else newline
    return raw[:place] + before + line + newline + raw[place:]


def with_headers(raw: bytes, new: Iterable[tuple[str, str]]) -> bytes:
    r"""Return a message, in its normal form, with other header fields, each in place of those of its name.

    >>> with_headers(b"Subject: x\r\nX-Tag: a,\r\n b\r\n\r\nHi\r\n", [("X-Tag", "c"), ("X-Who", "é")])
    b'Subject: x\r\nX-Tag: c\r\nX-Who: =?utf-8?b?w6k=?=\r\n\r\nHi\r\n'

    Raises:
        ConfigurationError: If a value is more than one line.
    """
    lines = {name.lower(): _field(name, encoded_words(value)) for name, value in new}
    if not lines:
        return raw
    newline, found = newline_of(raw), structure.head(raw)
    kept = [raw[field.start : field.end] for field in found.fields if field.name not in lines]
    added = [line + newline for line in (*lines.values(), b"")]
    return b"".join((*kept, *added, raw[found.body :]))


def _field(name: str, value: str) -> bytes:
    """Write a field without its line end."""
    if not (value.isascii() and value.isprintable()):
        msg = f"the value of {name} must be one line of printable ASCII, not {value[:40]!r}"
        raise ConfigurationError(msg, field=name)
    return f"{name}: {value}".encode()


def without_header(raw: bytes, name: str) -> bytes:
    r"""Return a message without its header fields of this name, in any case.

    >>> without_header(b"A: 1\nB: 2\nA: 3\n\n", "a")
    b'B: 2\n\n'
    """
    position = 0
    kept = []
    for found, start, end in fields(raw):
        if found == name.lower():
            kept.append(raw[position:start])
            position = end
    return b"".join((*kept, raw[position:]))


def text_parts(raw: bytes) -> tuple[TextPart, ...]:
    """Return the texts of a message in order, attachments left out; any bytes, bounded in depth and parts."""
    try:
        found = structure.head(raw)
    except MessageError:
        return ()
    headers = structure.content_fields(found, _unnoted)
    leaves = structure.leaves(raw, headers, found.body, len(raw), _unnoted)
    parts = (_text_part(raw, leaf) for leaf in leaves)
    return tuple(part for part in parts if part)


def _unnoted(_: str) -> None:
    """Note no defect: whoever edits a message has read it."""


def sources_of(raw: bytes, part: TextPart, spans: Sequence[tuple[int, int]]) -> list[bytes]:
    """Return the bytes of the message that hold some characters of a part's text.

    Put back as `Edit.verbatim`, they make the message what it was, soft line breaks included. For base64,
    where characters have no bytes of their own, these are the bytes of the text.

    Args:
        raw: The message.
        part: A part, as `text_parts` gave it for this message.
        spans: Start and end of the characters, in order, not overlapping.
    """
    body = raw[part.start : part.stop]
    if part.encoding == "base64":
        body = decoded(body, "base64")
    place = _Places(body) if part.encoding == "quoted-printable" else int
    found = _in_bytes(part, [Edit(start, end, "") for start, end in spans])
    return [body[place(start) : place(end)] for start, end, _, _ in found]


def spliced(raw: bytes, changes: Iterable[tuple[TextPart, Sequence[Edit]]]) -> bytes:
    """Return a message with the texts of some of its parts edited.

    Args:
        raw: The message.
        changes: Parts, as `text_parts` gave them for this message, each with its edits in order; no two edits
            of a part may overlap.

    Raises:
        MessageError: If a text cannot be written in the charset of its part. In HTML that cannot happen,
            character references stand in.
    """
    for part, edits in sorted(changes, key=lambda change: change[0].start, reverse=True):
        if not edits:
            continue
        body = _edited(raw[part.start : part.stop], part, edits, newline_of(raw))
        raw = raw[: part.start] + body + raw[part.stop :]
    return raw


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with edits, in order and apart, that replace its characters.

    >>> edited("a brown fox", [Edit(2, 7, "red")])
    'a red fox'
    """
    position, pieces = 0, []
    for edit in edits:
        pieces += [text[position : edit.start], edit.text]
        position = edit.end
    return "".join([*pieces, text[position:]])


def _text_part(raw: bytes, leaf: Leaf) -> TextPart | None:
    """Return a leaf as text, or `None` for what is not text or a file."""
    kind = leaf.kind if leaf.kind.count("/") == 1 else "text/plain"
    disposition, _ = parameters(leaf.headers.get("content-disposition", ""))
    if kind not in {"text/plain", "text/html"} or disposition == "attachment":
        return None
    encoding = transfer_encoding(leaf.headers)
    if encoding == "uuencode":
        return None
    body = raw[leaf.start : leaf.stop]
    data = decoded(body, encoding)
    charset = leaf.options.get("charset", "")
    if not charset and kind == "text/html" and (declared := _META_CHARSET.search(data, 0, 2048)):
        charset = declared[1].decode("ascii")
    text, codec = _text(data, charset)
    is_regular = encoding != "base64" or _as_base64(data, body) == body
    is_signed = "multipart/signed" in leaf.within
    return TextPart(kind, encoding, codec, leaf.start, leaf.stop, text, is_regular, is_signed)


def _text(data: bytes, charset: str) -> tuple[str, str]:
    """Decode so that encoding gives the same bytes again, and return the codec that does so."""
    codec = charset.lower()
    if codec and is_known(codec):
        try:
            text = data.decode(codec, "surrogateescape")
            # UTF-16, which RFC 2046 section 4.1.1 forbids here, has a mark in front of each piece.
            if "<".encode(codec) == b"<" and text.encode(codec, "surrogateescape") == data:
                return text, codec
        except (UnicodeError, LookupError, RuntimeError):
            pass
    return data.decode("utf-8", "surrogateescape"), "utf-8"  # which gives any bytes back


def _encoded(text: str, part: TextPart) -> bytes:
    """Encode a piece of text in the charset of its part."""
    try:
        return text.encode(part.codec, "surrogateescape")
    except UnicodeError as problem:
        if part.content_type == "text/html":
            return text.encode(part.codec, "xmlcharrefreplace")
        msg = f"a text/plain part in {part.codec} cannot hold {text[:20]!r}; send it as UTF-8"
        raise MessageError(msg) from problem


def _edited(body: bytes, part: TextPart, edits: Sequence[Edit], newline: bytes) -> bytes:
    """Return a part's body with its edits."""
    if part.encoding == "base64":
        data = _spliced_data(decoded(body, "base64"), _in_bytes(part, edits))
        return _as_base64(data, body, newline=newline)
    if part.encoding:
        return _spliced_printable(body, _in_bytes(part, edits), newline)
    return _spliced_data(body, _in_bytes(part, edits))


def _in_bytes(part: TextPart, edits: Sequence[Edit]) -> list[_ByteEdit]:
    """Turn edits of characters into edits of the decoded bytes."""
    found: list[_ByteEdit] = []
    position = offset = 0
    for edit in edits:
        start = offset + len(_encoded(part.text[position : edit.start], part))
        offset = start + len(_encoded(part.text[edit.start : edit.end], part))
        position = edit.end
        if edit.verbatim is None:
            found.append((start, offset, _encoded(edit.text, part), False))
        else:
            found.append((start, offset, edit.verbatim, True))
    return found


def _spliced_data(data: bytes, edits: Sequence[_ByteEdit]) -> bytes:
    """Put the new bytes in their places."""
    ends = [0, *(end for _, end, _, _ in edits)]
    pieces = [data[end:start] + new for end, (start, _, new, _) in zip(ends, edits, strict=False)]
    return b"".join((*pieces, data[ends[-1] :]))


class _Places:
    """Where the decoded bytes of a quoted-printable body stand, behind any soft line break."""

    def __init__(self, body: bytes) -> None:
        pieces = PRINTABLE_MARK.split(body)  # a text, a mark, a text
        texts, marks = pieces[:-1:2], pieces[1::2]
        widths = [len(text) + len(mark) for text, mark in zip(texts, marks, strict=True)]
        found = [len(text) + (mark[-1:] != b"\n") for text, mark in zip(texts, marks, strict=True)]
        self._raw_ends = list(accumulate(widths, initial=0))
        self._decoded_ends = list(accumulate(found, initial=0))

    def __call__(self, decoded: int) -> int:
        """Return the offset in the body of the byte with this number."""
        last = bisect_right(self._decoded_ends, decoded) - 1
        return self._raw_ends[last] + decoded - self._decoded_ends[last]


def _spliced_printable(body: bytes, edits: Sequence[_ByteEdit], newline: bytes) -> bytes:
    """Put new bytes into a quoted-printable body, and keep its lines within 76 characters."""
    place = _Places(body)
    pieces: list[bytes] = []
    position = column = 0
    stops = [place(start) for start, *_ in edits[1:]] + [len(body)]
    for (start, end, new, is_verbatim), stop in zip(edits, stops, strict=True):
        first = place(start)
        kept = body[position:first]
        line = kept.rfind(b"\n")
        column = column + len(kept) if line < 0 else len(kept) - line - 1
        position = place(end)
        if is_verbatim:
            coded, column = new, _column_behind(column, new)
        else:
            coded, column = _as_printable(new, column, newline)
            line_end = body.find(b"\n", position, stop)
            rest = body[position : line_end if line_end >= 0 else stop].rstrip(b"\r")
            # Behind what goes on with another edit there must be room for its first byte.
            if column + len(rest) > (_QP_WIDTH if line_end >= 0 else _QP_WIDTH - 4):
                coded, column = coded + b"=" + newline, 0
        pieces += kept, coded
    return b"".join((*pieces, body[position:]))


def _column_behind(column: int, coded: bytes) -> int:
    line = coded.rfind(b"\n")
    return column + len(coded) if line < 0 else len(coded) - line - 1


def _as_printable(data: bytes, column: int, newline: bytes) -> tuple[bytes, int]:
    """Encode bytes from a column on, and return the column behind them.

    No soft line break stands before the first byte: it would not be found when the bytes are replaced.
    """
    pieces: list[bytes] = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines):
        if number:
            pieces.append(newline)
            column = 0
        is_ended = number + 1 < len(lines)
        shown = line.removesuffix(b"\r") if is_ended else line
        coded = b"".join(map(_PRINTABLE.__getitem__, shown))
        if is_ended and coded.endswith((b" ", b"\t")):  # a blank is lost at the end of a line
            coded = coded[:-1] + b"=%02X" % coded[-1]
        start = 0
        while start < len(coded):
            stop = start + _QP_WIDTH - 1 - column
            if (escape := coded.rfind(b"=", max(start, stop - 2), max(start, stop))) >= 0:
                stop = escape
            stop = max(stop, start if pieces else start + len(_PRINTABLE[shown[0]]))
            pieces.append(coded[start:stop])
            column += len(coded[start:stop])
            if stop < len(coded):
                pieces.append(b"=" + newline)
                column = 0
            start = stop
    return b"".join(pieces), column


def _as_base64(data: bytes, body: bytes, *, newline: bytes | None = None) -> bytes:
    """Encode a part in lines as long as those of its old body, with the white space that stood behind it."""
    first, line_end, _ = body.partition(b"\n")
    newline = b"\r\n" if first.endswith(b"\r") else b"\n" if line_end or newline is None else newline
    width = len(first.strip()) if b"\n" in body.strip() else max(len(first.strip()), _BASE64_WIDTH)
    text = binascii.b2a_base64(data, newline=False)
    rows = [text[at : at + width] for at in range(0, len(text), width)] if width else [text]
    return newline.join(rows) + body[len(body.rstrip()) :]
