r"""The one splitter of a message: bytes → header fields, the blank line, parts; all of them as spans.

Reading, editing, handing over and bounce reading stand on it, so that they see the same fields and parts.
Odd forms are brought into one normal form in two steps, each with a defect that says so. `normal` mends
bytes: a byte order mark, NUL, and line ends that are neither CRLF nor LF. `head` passes over what is no
header field, and `written` leaves it out.

>>> raw, defects = normal(b"\xef\xbb\xbfSubject: x\r\rHello")
>>> raw, defects
(b'Subject: x\r\n\r\nHello', ('byte-order-mark', 'bare-cr'))
>>> found = head(raw)
>>> [field.name for field in found.fields], raw[found.body :]
(['subject'], b'Hello')
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mailflows._mail.decoding import decode_value, parameters
from mailflows.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

__all__ = [
    "LISTS",
    "MAX_DEPTH",
    "MAX_PARTS",
    "MESSAGES",
    "ONCE",
    "Field",
    "Head",
    "Leaf",
    "content_fields",
    "head",
    "is_normal",
    "leaves",
    "newline_of",
    "normal",
    "value_of",
    "values_of",
    "written",
]

HEADER_LIMIT = 256 * 1024
"""Bytes of a header that are read. A bound on work."""

MAX_FIELDS = 2000
MAX_PARTS = 200  # bound: keeps work and memory flat
MAX_DEPTH = 20  # bound: keeps work and memory flat
_MAX_LEADING_LINES = 20  # bound: keeps work and memory flat

ONCE = frozenset(
    (
        "from sender reply-to to cc bcc message-id in-reply-to references subject date "
        "mime-version content-type content-transfer-encoding content-id content-description"
    ).split()
)
"""Fields that may occur at most once (RFC 5322 section 3.6, RFC 2045 section 3)."""

LISTS = frozenset(("to", "cc", "bcc"))
"""Fields whose values are joined if they occur more than once: nobody named there is lost."""

_STEP = 1024 * 1024
"""Bytes that are looked at in one call. bound: an event loop, and other threads, go on in between."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r{0,2}\n|\r")
_BARE_CR = re.compile(rb"\r(?!\n)")
_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*)\n?+")
_ROW = re.compile(r"^([!-9;-~]++):(.*)$", re.MULTILINE)
_FIELD_START = re.compile(rb"[!-9;-~]{1,200}[ \t]{0,20}:")
_BLANK_LINE = re.compile(rb"^\r?\n", re.MULTILINE)
_BOUNDARY_LINE = re.compile(rb"--[^\r\n:]{1,200}\r?\n")
_BOUNDARY_END = re.compile(rb"(--)?[ \t]{0,99}(?:\r?\n|\Z)")
_BLANK_CONTINUATION = re.compile(rb"\n[ \t]*+\r?(?=\n|\Z)")
_UNFOLD = re.compile(r"\r?\n")
_WIDE = re.compile(rb"charset=\W{0,3}(?:utf|ucs).?(?:16|32|2|4)", re.IGNORECASE)
# What some readers end a line at; NEL also as one byte, unless it is a part of a character.
_OTHER_LINE_END = re.compile(rb"[\x0b\x0c\x1c-\x1e]|\xc2\x85|\xe2\x80[\xa8\xa9]|(?<![\x80-\xf4])\x85")
_CONTROL = re.compile(rb"[\x01-\x08\x0e-\x1b\x1f\x7f]|\xc2[\x80-\x84\x86-\x9f]")

_MULTIPART = "multipart/"
MESSAGES = frozenset(("message/rfc822", "message/global", "message/news"))
_IDENTITY = frozenset(("", "7bit", "8bit", "binary"))


class Field(NamedTuple):
    """A header field: lower-case name, and the spans of the field (folded lines, line end) and its value."""

    name: str
    start: int
    value: int
    stop: int
    end: int


class Head:
    """The header of a message or part.

    Attributes:
        raw: What it is the header of.
        start: Where the first field starts.
        body: Where the body starts.
        defects: What is not as it should be.
        rows: Name and value of each field, unfolded, where the header is ASCII and nothing but fields.
        is_coded: Whether one of those values must be decoded.
    """

    __slots__ = ("_fields", "body", "defects", "is_coded", "raw", "rows", "start")

    def __init__(  # noqa: PLR0913 -- what a header has
        self,
        raw: bytes,
        start: int,
        body: int,
        *,
        fields: list[Field] | None = None,
        rows: list[tuple[str, str]] | None = None,
        is_coded: bool = False,
        defects: list[str] | None = None,
    ) -> None:
        self.raw = raw
        self.start = start
        self.body = body
        self.rows = rows
        self.is_coded = is_coded
        self.defects = defects or []
        self._fields = fields

    @property
    def fields(self) -> list[Field]:
        """The fields in order; of one that may occur only once, each that is there."""
        if self._fields is None:
            self._fields = _slowly(self.raw, self.start, self.body, []).fields
        return self._fields


class Leaf(NamedTuple):
    """A part that holds no other: its type with its parameters, its Content fields, and its body.

    Attributes:
        kind: Lower case, as in ``text/html``.
        options: The parameters of Content-Type.
        headers: The Content fields, lower-case name to unfolded value.
        start: Where the body starts.
        stop: Where it ends; the line end in front of a boundary belongs to the boundary.
        within: The types of the parts around it, from the inside out.
    """

    kind: str
    options: dict[str, str]
    headers: dict[str, str]
    start: int
    stop: int
    within: tuple[str, ...]


def normal(raw: bytes) -> tuple[bytes, tuple[str, ...]]:
    r"""Return bytes whose lines end with CRLF or LF, without NUL and byte order mark, and what was mended.

    >>> normal(b"A: 1\r\r\n\r\r\nb\rc")
    (b'A: 1\r\n\r\nb\r\nc', ('bare-cr',))
    """
    defects: list[str] = []
    if raw.startswith(_BOM):
        raw = raw[len(_BOM) :]
        defects.append("byte-order-mark")
    if b"\0" in raw and not _WIDE.search(raw):  # SMTP cannot transfer UTF-16, but archives hold it
        raw = raw.replace(b"\0", b"")
        defects.append("nul-characters")
    if _has_bare_cr(raw):
        raw = _LINE_END.sub(b"\r\n", raw)
        defects.append("bare-cr")
    return raw, tuple(defects)


def _has_bare_cr(raw: bytes) -> bool:
    """Return whether a CR stands without its LF."""
    start = 0
    while start < len(raw):
        stop = start + _STEP
        # Never cut between CR and LF: the CR would look like a bare one.
        stop += raw[stop - 1 : stop] == b"\r"
        if _BARE_CR.search(raw, start, stop):
            return True
        start = stop
    return False


def head(raw: bytes) -> Head:
    """Split the header of a message; *raw* is in the form that `normal` gives.

    Raises:
        MessageError: If no header field is found near the start.
    """
    first, defects = _first_field(raw, 0, len(raw))
    return _head(raw, first, len(raw), defects)


def _head(raw: bytes, start: int, stop: int, defects: list[str]) -> Head:
    """Split a header that starts with a field, quickly where it is as nearly all are."""
    end, body = _head_end(raw, start, min(stop, start + HEADER_LIMIT))
    if body and (block := raw[start:end]).isascii():
        text = block.decode("ascii")
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        if "\t" in text:
            text = text.replace("\t", " ")
        text = text.replace("\n ", " ")
        rows = _ROW.findall(text)
        # As many rows as lines: every line is a field. Anything odd takes the slow way, which notes defects.
        if len(rows) == text.count("\n") + 1 <= MAX_FIELDS:
            is_coded = "=?" in text or not text.replace("\n", "").isprintable()
            return Head(raw, start, body, rows=rows, is_coded=is_coded, defects=defects)
    return _slowly(raw, start, stop, defects)


def _head_end(raw: bytes, start: int, stop: int) -> tuple[int, int]:
    """Return where the last field and where the blank line behind it ends; twice 0, where there is none."""
    # The kind of line ending of the first line is looked for first, and the other kind only up to that
    # place: a long body is not searched for a blank line of a kind that it does not have.
    first = raw.find(b"\n", start, stop)
    if raw.endswith(b"\r\n", start, first + 1):
        end = raw.find(b"\n\r\n", start, stop)
        other = raw.find(b"\n\n", start, end if end >= 0 else stop)
    else:
        other = raw.find(b"\n\n", start, stop)
        end = raw.find(b"\n\r\n", start, other if other >= 0 else stop)
    if other >= 0 and (end < 0 or other < end):
        return other - raw.endswith(b"\r", start, other), other + 2
    return (end - raw.endswith(b"\r", start, end), end + 3) if end >= 0 else (0, 0)


def _first_field(raw: bytes, position: int, stop: int) -> tuple[int, list[str]]:
    """Return where the fields start: behind an mbox line, blank lines, or lines that are not a field."""
    defects: dict[str, None] = {}
    for number in range(_MAX_LEADING_LINES):
        if _FIELD_START.match(raw, position, stop):
            return position, list(defects)
        end = raw.find(b"\n", position, position + HEADER_LIMIT)
        if end < 0:
            break
        if number == 0 and raw.startswith((b"From ", b">From "), position):
            defects["mbox-line"] = None
        elif not raw[position:end].strip():
            defects["leading-blank-line"] = None
        else:
            defects["text-before-headers"] = None
        position = end + 1
    msg = "no header line found"
    raise MessageError(msg, position=0)


def _part_head(raw: bytes, start: int, stop: int) -> Head:
    """Split the header of a part, which may have none."""
    if _BLANK_LINE.match(raw, start, stop):
        return Head(raw, start, raw.index(b"\n", start) + 1, fields=[])
    if not _FIELD_START.match(raw, start, stop):
        return Head(raw, start, start, fields=[], defects=["part-without-headers"] if start < stop else [])
    return _head(raw, start, stop, [])


def _slowly(raw: bytes, start: int, stop: int, defects: list[str]) -> Head:
    """Read fields up to the blank line; a line that is none is passed over if there is a blank line."""
    fields: list[Field] = []
    position = start
    limit = min(stop, start + HEADER_LIMIT)
    match, make = _FIELD.match, Field._make
    while True:
        if found := match(raw, position, stop):
            value, end = found.span(2)
            if end > limit or len(fields) >= MAX_FIELDS:
                defects.append("long-headers" if end > limit else "many-headers")
                body = _blank_line(raw, position, stop)[1]
                return Head(raw, start, body, fields=fields, defects=defects)
            last = found.end()
            fields.append(make((found[1].decode("ascii").lower(), position, value, end, last)))
            position = last
        elif blank := _BLANK_LINE.match(raw, position, stop):
            return Head(raw, start, blank.end(), fields=fields, defects=defects)
        elif position >= stop:
            return Head(raw, start, stop, fields=fields, defects=defects)
        else:
            if "bad-header-line" not in defects:
                end_of_header = _blank_line(raw, position, stop)[0]
            if end_of_header == stop or _BOUNDARY_LINE.match(raw, position, stop):
                defects.append("no-blank-line")
                return Head(raw, start, position, fields=fields, defects=defects)
            if "bad-header-line" not in defects:
                defects.append("bad-header-line")
            position = raw.index(b"\n", position, stop) + 1


def _blank_line(raw: bytes, position: int, stop: int) -> tuple[int, int]:
    """Return the span of the next blank line; the end, where there is none."""
    blank = _BLANK_LINE.search(raw, position, stop)
    return blank.span() if blank else (stop, stop)


def values_of(found: Head, note: Callable[[str], None]) -> list[tuple[str, str]]:
    """Return name and value of each field, the values unfolded and decoded."""
    if found.rows is None:
        return [(field.name, value_of(found.raw, field, note)) for field in found.fields]
    pairs = [(name.lower(), value.strip()) for name, value in found.rows]
    if not found.is_coded:
        return pairs
    return [
        (name, value)
        if "=?" not in value and value.isprintable()
        else (name, _printed(name, value, value.encode("ascii"), note))
        for name, value in pairs
    ]


def value_of(raw: bytes, field: Field, note: Callable[[str], None]) -> str:
    """Return the value of a field, unfolded and decoded."""
    data = raw[field.value : field.stop]
    try:
        value = data.decode("utf-8")
    except UnicodeDecodeError:
        note("raw-bytes-in-headers")
        value = data.decode("cp1252", "replace")
        if _OTHER_LINE_END.search(data):  # NEL, which is three dots in cp1252
            note("line-ends-in-headers")
    if "\n" in value:
        value = _UNFOLD.sub("", value)
    value = value.strip()
    if "=?" in value or not value.isprintable():
        value = _printed(field.name, value, data, note)
    return value


def _printed(name: str, value: str, data: bytes, note: Callable[[str], None]) -> str:
    """Decode encoded words, and leave out what cannot be printed."""
    if _OTHER_LINE_END.search(data):
        note("line-ends-in-headers")
    elif _CONTROL.search(data):
        note("control-characters-in-headers")
    return decode_value(name, value).strip()


def is_normal(raw: bytes, found: Head) -> bool:
    """Return whether a header is as `written` would write it."""
    once = [name for name, *_ in found.fields if name in ONCE]
    if found.defects or len(once) > len(set(once)):
        return False
    last = found.fields[-1].end if found.fields else found.start
    if _BLANK_CONTINUATION.search(raw, found.start, last - 1):
        return False
    header = raw[found.start : last]
    is_plain = found.rows is not None and not found.is_coded
    return is_plain or not (_CONTROL.search(header) or _OTHER_LINE_END.search(header))


def written(raw: bytes, found: Head, *, without: Collection[str] = ()) -> bytes:
    r"""Return a message in its normal form: fields, a blank line, and the unchanged body.

    Of fields that may occur only once, the first stays; the addresses of To and Cc are joined. A control
    character becomes a blank.

    >>> raw = b"\nTo: a@example.org\nno field\nSubject: x\n \nSubject: y\nTo: b@example.org\n\nHi\n"
    >>> written(raw, head(raw))
    b'To: a@example.org,\n b@example.org\nSubject: x\n\nHi\n'

    Args:
        raw: Bytes in the form that `normal` gives.
        found: Their `head`.
        without: Lower-case names of fields that are left out.

    Raises:
        MessageError: If the header was not read whole, if a field contains a character that some
            readers treat as a line ending, or if the body contains NUL.
    """
    if {"long-headers", "many-headers"} & set(found.defects):
        msg = "the header is longer than mailflows reads"
        raise MessageError(msg, position=found.start)
    if b"\0" in raw:
        msg = "it contains NUL characters, which SMTP cannot transfer (RFC 5321 section 4.5.2)"
        raise MessageError(msg, position=raw.index(b"\0"))
    newline = newline_of(raw)
    lines: list[bytes] = []
    seen: dict[str, int] = {}
    for field in found.fields:
        if field.name in without:
            continue
        value = _CONTROL.sub(b" ", raw[field.value : field.stop])
        value = _BLANK_CONTINUATION.sub(b"", value).rstrip(b"\r\n\t ")
        if _OTHER_LINE_END.search(value):
            msg = f"the field {field.name[:40]} contains a character that some readers treat as a line ending"
            raise MessageError(msg, position=field.start)
        place = seen.setdefault(field.name, len(lines)) if field.name in ONCE else len(lines)
        if place < len(lines):
            if field.name in LISTS and value.strip():
                lines[place] = lines[place] + b"," + newline + b" " + value.strip()
            continue
        name = raw[field.start : field.start + len(field.name)]
        lines.append(name + b":" + value)
    return newline.join((*lines, b"", raw[found.body :]))


def newline_of(raw: bytes) -> bytes:
    """Return how a message ends its lines: as it ends the first."""
    end = raw.find(b"\n")
    return b"\r\n" if end > 0 and raw[end - 1] == ord("\r") else b"\n"


def leaves(  # noqa: PLR0913 -- a message, its body, and what to do with what is found
    raw: bytes,
    headers: dict[str, str],
    start: int,
    stop: int,
    note: Callable[[str], None],
    *,
    keep: Collection[str] = (),
) -> Iterator[Leaf]:
    """Yield the parts of a message that hold no others, in order, bounded in depth and number.

    Args:
        raw: Bytes in the form that `normal` gives.
        headers: The Content fields of the message, unfolded, by lower-case name.
        start: Where its body starts.
        stop: Where it ends.
        note: Is given each defect.
        keep: Types of messages that are leaves: what a bounce returns.
    """
    todo: list[tuple[dict[str, str], int, int, tuple[str, ...]]] = [(headers, start, stop, ())]
    seen = 0
    while todo:
        headers, start, stop, within = todo.pop()
        kind, options = parameters(headers.get("content-type", ""))
        children: list[tuple[int, int]] = []
        if kind.startswith(_MULTIPART):
            children = _children(raw, options, start, stop, note)
            if not children:
                note("missing-boundary")
                kind, options, headers = "text/plain", {}, {}
        elif kind in MESSAGES and kind not in keep and _is_shown(headers):
            children = [(start, stop)]
        if not children:
            seen += 1
            yield Leaf(kind, options, headers, start, stop, within)
            continue
        if len(within) >= MAX_DEPTH:
            note("deep-nesting")
            continue
        room = MAX_PARTS - seen - len(todo)
        if len(children) > room:
            note("many-parts")
        for span in reversed(children[: max(room, 0)]):
            found = _part_head(raw, *span)
            _note_part(found, note)
            todo.append((content_fields(found, note), found.body, span[1], (kind, *within)))


def _note_part(found: Head, note: Callable[[str], None]) -> None:
    """Note the defects of a part's header; where it is odd, some readers let the text begin."""
    for defect in found.defects:
        note(defect)
    if found.rows is not None:
        return
    has_blank = any(found.raw[field.start + len(field.name)] != ord(":") for field in found.fields)
    if has_blank or "bad-header-line" in found.defects:
        note("bad-part-header")


def _is_shown(headers: dict[str, str]) -> bool:
    """Return whether a message within a message is shown with it, as it stands."""
    if parameters(headers.get("content-disposition", ""))[0] == "attachment":
        return False
    return parameters(headers.get("content-transfer-encoding", ""))[0] in _IDENTITY


def content_fields(found: Head, note: Callable[[str], None]) -> dict[str, str]:
    """Return the Content fields of a part, unfolded and decoded, the first of each name."""
    headers: dict[str, str] = {}
    for name, value in values_of(found, note):
        if name in headers:
            note("repeated-part-header")  # readers take the first, or the last
        elif name.startswith("content-"):
            headers[name] = value
    return headers


def _children(
    raw: bytes, options: dict[str, str], start: int, stop: int, note: Callable[[str], None]
) -> list[tuple[int, int]]:
    """Return the spans of the parts of a multipart; none where no boundary is found."""
    boundary = options.get("boundary", "")
    if "boundary*" in options or boundary != boundary.rstrip():
        note("ambiguous-boundary")  # RFC 2231, or a blank at the end (RFC 2046 section 5.1.1)
    boundary = boundary.rstrip()
    if not boundary:
        return []
    return _spans(raw, b"--" + boundary.encode("utf-8", "replace"), start, stop, note)


def _spans(
    raw: bytes, mark: bytes, start: int, stop: int, note: Callable[[str], None]
) -> list[tuple[int, int]]:
    """Return the spans between boundary lines, without the line ends before the boundaries."""
    spans: list[tuple[int, int]] = []
    opened = -1
    found = raw.find(mark, start, stop)
    while found >= 0 and len(spans) <= MAX_PARTS:
        end = _BOUNDARY_END.match(raw, found + len(mark), stop)
        if end and (found == start or raw[found - 1] == ord("\n")):
            if opened >= 0:
                before = found - (2 if raw.endswith(b"\r\n", 0, found) else 1)
                spans.append((opened, max(opened, before)))
            if end[1]:
                return spans
            opened = end.end()
        found = raw.find(mark, found + len(mark), stop)
    if opened >= 0 and len(spans) <= MAX_PARTS:
        note("missing-end-boundary")
        spans.append((opened, stop))
    return spans
