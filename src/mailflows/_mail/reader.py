"""Whatever a caller holds → its bytes → decoded fields of the header, and text of the parts, within a budget.

`Message` and the bounce reader are made of it: one decides which parts people see, the other which parts
programs read, and neither decodes anything on its own.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows._mail import structure
from mailflows._mail.decoding import (
    TRANSFER_GROWTH,
    decode,
    decode_base64,
    decoded,
    has_inner_padding,
    parameters,
    transfer_encoding,
)
from mailflows.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from mailflows._mail.structure import Leaf

__all__ = [
    "PAGES",
    "SIZE_LIMIT",
    "TEXT_LIMIT",
    "Raw",
    "Reader",
    "charset_of",
    "first_of_each",
    "is_attached",
    "is_text",
    "kind_of",
    "page_of",
    "read_raw",
]

SIZE_LIMIT = 64 * 1024 * 1024
"""Bytes of a file that are read; providers refuse messages of half that size. A bound on work."""

_MAX_WRITTEN_DEPTH = 20  # bound: keeps work and memory flat

TEXT_LIMIT = 256 * 1024
"""Bytes of decoded text (plain and HTML together) that are read; the rest is noted as a defect.
bound: what a hostile message costs."""

PAGES = frozenset(("text/html", "application/xhtml+xml", "text/xhtml", "text/x-amp-html"))
"""Types that a reader shows as HTML."""

_NOT_TEXT = frozenset("text/calendar text/vcard text/x-vcard text/directory text/css text/javascript".split())
"""Text that programs read: it is shown as an invitation, a card or a file."""

_NOTHING = b"\xef\xbb\xbf\0 \t\r\n\v\f"
_SHORT = 40
"""Bytes of base64 below which nothing is said of letters that are none. choice: a line and a half."""

_FEW_LOST = 10
"""So many letters that are lost, and one in so many: a text is not what was written. choice: a broken name or
two still leave a text to be judged."""

_META_CHARSET = re.compile(rb"charset\s{0,9}=\s{0,9}[\"']?([\w:.-]{2,40})", re.IGNORECASE)

_FILE_NAME = re.compile(r"(?!\w+://)[^<>\r\n]{1,4096}\.(?:[xms]?html?|mjml|eml|msg)", re.IGNORECASE)

_MAIL_HEADERS = frozenset(
    (
        "from to cc bcc subject date sender reply-to return-path received message-id mime-version "
        "content-type delivered-to references in-reply-to"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Raw:
    """The bytes of a message.

    Attributes:
        data: As they would be transferred.
        is_text: Whether somebody decoded them before, so that they are UTF-8 whatever they declare.
        defect: What had to be mended to get them, or an empty string.
    """

    data: bytes
    is_text: bool = False
    defect: str = ""


def read_raw(source: object) -> Raw:
    """Return the bytes of anything that holds a message.

    Raises:
        MessageError: If it is something else, or a file that cannot be read.
    """
    if isinstance(source, bytes):
        return Raw(source)
    if isinstance(source, bytearray | memoryview):
        return Raw(bytes(source))
    if isinstance(source, str):
        return Raw(_encoded(source), is_text=True)
    if isinstance(source, os.PathLike):
        return Raw(_file_bytes(Path(source)))
    if callable(getattr(source, "as_bytes", None)):
        return _written(source)
    if callable(reader := getattr(source, "read", None)):
        return read_raw(reader(SIZE_LIMIT + 1) or b"")
    msg = (
        f"cannot read a message from {type(source).__name__}; "
        "pass bytes, str, a path, an open file or an email message"
    )
    raise MessageError(msg)


def page_of(source: object, *, is_written_again: bool = False) -> str:
    """Return the source of an HTML page: text as it is; bytes, a file or its path in the charset it names.

    Args:
        source: Whatever a caller holds.
        is_written_again: Whether it comes back in UTF-8, so that it must be in UTF-8 already.

    Raises:
        MessageError: If it is something else, a message, or a file that cannot be read.
    """
    if isinstance(source, str):
        if _FILE_NAME.fullmatch(source.strip()):  # or it would be a page of one good line
            name = source.strip()[-60:]
            msg = f"{name!r} is the name of a file, not a page; for a file, pass pathlib.Path(...)"
            raise MessageError(msg, position=0)
        return source
    if callable(getattr(source, "as_bytes", None)) or hasattr(source, "headers"):
        msg = f"{type(source).__name__} is a message, not an HTML page: use lint() or fix(), or pass its HTML"
        raise MessageError(msg)
    if not (isinstance(source, bytes | bytearray | memoryview | os.PathLike) or hasattr(source, "read")):
        msg = (
            f"cannot read an HTML page from {type(source).__name__}; pass str, bytes, a path or an open file"
        )
        raise MessageError(msg)
    raw = read_raw(source).data
    if is_written_again:
        return _in_utf8(raw)
    for mark, charset in _BYTE_ORDER_MARKS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(charset, "replace")
    named = _META_CHARSET.search(raw[:_META_ROOM])
    return decode(raw, named[1].decode("ascii") if named else "")[0]


def _in_utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        msg = f"the template is not UTF-8 at byte {problem.start}; save it as UTF-8 first"
        raise MessageError(msg, position=problem.start) from problem


_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_META_ROOM = 1024
"""Bytes of a page in which it may name its charset (HTML Living Standard, section 4.2.5.4)."""


def _encoded(text: str) -> bytes:
    """Encode text; bytes that Python smuggled through as surrogates (PEP 383) come back."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _file_bytes(path: Path) -> bytes:
    """Read a file, or say why it cannot be read."""
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):  # a device may have no end
            msg = f"{path}: is a directory" if stat.S_ISDIR(mode) else f"{path}: is not a regular file"
            raise MessageError(msg)
        with path.open("rb") as handle:
            return handle.read(SIZE_LIMIT + 1)
    except (OSError, ValueError) as problem:  # ValueError: a NUL in the name
        if isinstance(problem, MessageError):
            raise
        msg = f"{path}: {getattr(problem, 'strerror', None) or problem}"
        raise MessageError(msg) from problem


def _written(source: object) -> Raw:
    """Write an email message object as bytes, by hand where the standard library cannot."""
    try:
        return Raw(bytes(source.as_bytes()))  # type: ignore[attr-defined]
    except Exception as problem:  # noqa: BLE001 -- whatever a foreign object raises
        try:
            return Raw(_by_hand(source, 0), defect="unwritable-message")
        except Exception:  # noqa: BLE001 -- it is not an email message after all
            msg = f"this {type(source).__name__} cannot be converted to bytes: {problem!r}"
            raise MessageError(msg) from problem


def _by_hand(source: object, depth: int) -> bytes:
    """Write headers and payload as they stand; a line break in a header starts no other header."""
    rows = [f"{name}: {' '.join(str(value).splitlines())}\n" for name, value in source.raw_items()]  # type: ignore[attr-defined]
    payload = source._payload  # type: ignore[attr-defined]  # noqa: SLF001 -- get_payload() encodes, and raises
    if not isinstance(payload, list):
        body = payload if isinstance(payload, bytes) else _encoded(str(payload or ""))
        return _encoded("".join(rows)) + b"\n" + body
    # The last Content-Type would not win, so the old one goes.
    rows = [row for row in rows if not row.lower().startswith("content-type:")]
    mark = f"=-by-hand-{depth}-="
    kind = source.get_content_type()  # type: ignore[attr-defined]
    rows.append(f'Content-Type: {kind}; boundary="{mark}"\n')
    lines = [_encoded("".join(rows))]
    for part in payload if depth < _MAX_WRITTEN_DEPTH else ():
        content = _by_hand(part, depth + 1) if hasattr(part, "raw_items") else _encoded(f"\n{part}")
        lines += f"--{mark}".encode(), content
    return b"\n".join((*lines, f"--{mark}--\n".encode()))


class Reader:
    """Decodes what the splitter finds, and notes what is not as it should be.

    Attributes:
        raw: The bytes, in the form that `structure.normal` gives.
        size: Bytes of the whole message.
        defects: What was noted, in order.
        budget: Bytes of text that may still be decoded.
    """

    def __init__(self, source: Raw) -> None:
        if not (source.data[:_SHORT].strip(_NOTHING) or source.data.strip(_NOTHING)):
            msg = "an empty input is not a message"
            raise MessageError(msg, position=0)
        self.size = len(source.data)
        self.raw, mended = structure.normal(source.data[:SIZE_LIMIT])
        self.is_text = source.is_text
        self.defects: dict[str, None] = dict.fromkeys((source.defect, *mended) if source.defect else mended)
        if self.size > SIZE_LIMIT:
            self.note("long-message")
        self.budget = TEXT_LIMIT

    def note(self, defect: str) -> None:
        """Remember a defect once."""
        self.defects[defect] = None

    def header(self) -> tuple[list[tuple[str, str]], int]:
        """Return the decoded header fields, and where the body starts."""
        try:
            head = structure.head(self.raw)
        except MessageError as problem:
            msg = f"no header line was found; the input starts with {self.raw[:12]!r}{self._hint()}"
            raise MessageError(msg, position=0) from problem
        for defect in head.defects:
            self.note(defect)
        found = structure.values_of(head, self.note)
        once = [name for name, _ in found if name in structure.ONCE]
        if len(set(once)) < len(once):
            found = self._once(found)
        return found, head.body

    def _once(self, found: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Keep the first of the fields that may occur only once, as `structure.written` does."""
        places: dict[str, int] = {}
        kept: list[tuple[str, str]] = []
        for name, value in found:
            if name not in structure.ONCE:
                kept.append((name, value))
                continue
            place = places.setdefault(name, len(kept))
            if place == len(kept):
                kept.append((name, value))
                continue
            self.note(f"repeated-header:{name}")
            if name in structure.LISTS and value:
                kept[place] = (name, f"{kept[place][1]}, {value}")
        return kept

    def require_mail(self, headers: dict[str, str]) -> None:
        """Refuse what only looks like headers: JSON, a log, a program, a PDF."""
        if not _MAIL_HEADERS.isdisjoint(headers) or any(name.startswith("x-") for name in headers):
            return
        names = ", ".join(repr(name[:40]) for name in list(headers)[:-4:-1]) or "unreadable"
        msg = f"no mail header such as From or Subject was found, only {names}{self._hint()}"
        raise MessageError(msg, position=0)

    def require_header(self) -> None:
        """Refuse what has no header, or none of a mail: the cheap part of reading a message."""
        found, _ = self.header()
        self.require_mail(first_of_each(found))

    def _hint(self) -> str:
        """Return what to do about a page, or a text of one line, which may be meant as a path."""
        if self.raw[:256].lstrip()[:1] == b"<":
            return (
                "; an HTML page is not a message: put it into one with EmailMessage.set_content(page, "
                "subtype='html'); for templates use lint_html() and fix_html() of mailflows.content"
            )
        is_line = self.is_text and b"\n" not in self.raw
        return "; for a file, pass pathlib.Path(...)" if is_line else ""

    def leaves(self, headers: dict[str, str], body: int, *, keep: Collection[str] = ()) -> Iterator[Leaf]:
        """Yield the parts that hold no others; see `structure.leaves`."""
        return structure.leaves(self.raw, headers, body, len(self.raw), self.note, keep=keep)

    def shown(self, leaf: Leaf) -> tuple[str, bool]:
        """Return the text of a part that people see, and whether they see it as a page."""
        text = self.text_of(leaf)
        return text, kind_of(leaf) in PAGES or _looks_like_html(text)

    def text_of(self, leaf: Leaf, charset: str | None = None) -> str:
        """Decode transfer encoding and charset within the budget; a charset that is given goes first."""
        encoding = transfer_encoding(leaf.headers)
        data, is_cut = self._transferred(encoding, leaf.start, leaf.stop)
        if charset is None:
            charset = charset_of(leaf)
            if not charset and kind_of(leaf) in PAGES:
                declared = _META_CHARSET.search(data, 0, 2048)
                charset = declared[1].decode("ascii").lower() if declared else ""
        if self.is_text and not encoding:
            charset = "utf-8"  # whoever had the text has decoded it
        text, defect = decode(data, charset, is_cut=is_cut)
        if defect:
            self.note(defect)
        if "\x00" in text:
            self.note("nul-characters")
            text = text.replace("\x00", "")
        if "\ufffd" in text and text.count("\ufffd") > max(_FEW_LOST, len(text) / _FEW_LOST):
            self.note("undecodable-text")
        return _with_newlines(text)

    def _transferred(self, encoding: str, start: int, stop: int) -> tuple[bytes, bool]:
        """Undo the transfer encoding within the budget; say whether something was cut off."""
        room = self.budget
        widest = TRANSFER_GROWTH.get(encoding, 1) * room
        is_cut = stop - start > widest
        data = self.raw[start : start + widest if is_cut else stop]
        if encoding == "base64":
            coded, data = data, decode_base64(data)
            if has_inner_padding(coded) or (len(coded) > _SHORT and len(data) * 3 < len(coded)):
                self.note("bad-base64")
        elif encoding:
            data = decoded(data, encoding)
        if is_cut or len(data) > room:
            self.note("long-text")
            data, is_cut = data[:room], True
        self.budget -= len(data)
        return data, is_cut


def first_of_each(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Map each name to its first value, the last name first."""
    return dict(reversed(pairs))


def kind_of(leaf: Leaf) -> str:
    """Return the type of a part; one that is none is plain text (RFC 2045 section 5.2)."""
    return leaf.kind if leaf.kind.count("/") == 1 else "text/plain"


def charset_of(leaf: Leaf) -> str:
    """Return the charset that a part declares, in lower case, or an empty string."""
    return leaf.options.get("charset", "").lower()


def is_attached(leaf: Leaf) -> bool:
    """Return whether a part is kept as a file, whatever its type (RFC 2183 section 2.2)."""
    return parameters(leaf.headers.get("content-disposition", ""))[0] == "attachment"


def is_text(kind: str) -> bool:
    """Return whether a reader shows a type as text: unknown subtypes are plain (RFC 2046 section 4.1.4)."""
    return kind in PAGES or (kind.startswith("text/") and kind not in _NOT_TEXT)


def _with_newlines(text: str) -> str:
    """End every line with a line feed."""
    if "\r" not in text:
        return text
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _looks_like_html(text: str) -> bool:
    """Return whether a part that is declared as plain text is an HTML document."""
    start = text[:2000].lstrip()
    return start[:1] == "<" and ("<html" in start.lower() or "<body" in start.lower())
