"""A read-only, normalised view of a message: any bytes in, headers, text, HTML and defects out.

The standard library's parser builds a tree for changing and writing mail; with its modern policy it
costs 7 to 16 ms a message and raises on real ones. Here a message is only looked at, so one splitter
finds the headers and the parts, decodes the first `TEXT_LIMIT` bytes of text, and notes what was
wrong in `Message.defects` instead of raising.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

from mailflows._html.scan import Document, scan
from mailflows._mail import source as raw_source
from mailflows._mail.charset import decode
from mailflows._mail.header import Address, addresses, decode_base64, decode_value, mailbox, parameters
from mailflows.errors import MessageError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from email.message import Message as StdlibMessage

__all__ = ["Address", "Envelope", "Message", "Part", "Source", "addresses"]

Source: TypeAlias = (
    "bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO | StdlibMessage | Message"
)
"""What can be read as a message."""

TEXT_LIMIT = 256 * 1024
"""Bytes of decoded text (plain and HTML together) that are read; the rest is noted as a defect."""

HEADER_LIMIT = 256 * 1024
"""Bytes of headers that are read, those of the parts included."""

MAX_PARTS = 200
MAX_DEPTH = 20
_MAX_HEADERS = 2000
_MAX_LEADING_LINES = 20
_SHORT = 40

_HEADER_LINE = re.compile(rb"[!-9;-~]{1,200}[ \t]{0,20}:")
# Some software forgets the blank line before a first boundary.
_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\n\r{1,2}\n|\r\r(?!\n)|\n(?=--[^\r\n:]{1,200}[\r\n])")
_TEXT_LINE = re.compile(rb"^(?![!-9;-~]{1,200}[ \t]{0,20}:|[ \t\r\n])", re.MULTILINE)
_BOUNDARY_END = re.compile(rb"(--)?[ \t]{0,99}(?:[\r\n]|\Z)")
_META_CHARSET = re.compile(rb"charset\s{0,9}=\s{0,9}[\"']?([\w:.-]{2,40})", re.IGNORECASE)
_TRANSFER_GROWTH = {"base64": 2, "quoted-printable": 3}

_MAIL_HEADERS = frozenset(
    (
        "from to cc bcc subject date sender reply-to return-path received message-id mime-version "
        "content-type delivered-to references in-reply-to"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the sender tells the relay beside the message (RFC 5321 section 2.3.1).

    Attributes:
        sender: The return path of MAIL FROM; empty for a bounce.
        recipients: The addresses of RCPT TO.
    """

    sender: str = ""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf of the MIME tree.

    Attributes:
        content_type: Lower case, as in ``text/html``.
        charset: As declared, lower case; empty where nothing is declared.
        disposition: ``inline``, ``attachment`` or empty.
        filename: Decoded; empty where there is none.
        size: Bytes as transferred.
    """

    content_type: str
    charset: str
    disposition: str
    filename: str
    size: int

    @property
    def is_attachment(self) -> bool:
        """Whether a reader sees a file rather than text."""
        if self.disposition == "attachment" or self.filename:
            return True
        return not self.content_type.startswith(("text/", "multipart/"))


class Message:
    r"""A message as it can be seen, whatever it was made of.

    Read one with `Message.read`; nothing of it can be changed.

    >>> message = Message.read(b"From: Ada <ada@lovelace.uk>\nSubject: Hello\n\nDear Charles,")
    >>> message.subject, message.sender.domain, message.text
    ('Hello', 'lovelace.uk', 'Dear Charles,')

    Attributes:
        headers: Pairs of lower-case name and decoded value, in order.
        parts: The leaves of the MIME tree.
        text: The text/plain parts, joined; empty where there are none.
        html: The text/html parts, joined; empty where there are none.
        defects: What was wrong, as short codes (``missing-boundary``, ``unknown-charset:x``).
        size: Bytes of the whole message.
        envelope: The envelope, where the caller gave one.
    """

    __slots__ = (
        *("_by_name", "_document", "_measured", "_recipients", "_sender"),
        *("defects", "envelope", "headers", "html", "parts", "size", "text"),
    )

    _by_name: dict[str, str]
    _document: Document | None
    _measured: dict[str, float] | None  # kept for mailflows.signals, which several parts ask
    _recipients: tuple[Address, ...] | None
    _sender: Address | None
    headers: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    text: str
    html: str
    defects: tuple[str, ...]
    size: int
    envelope: Envelope | None

    @classmethod
    def read(cls, source: Source, *, envelope: Envelope | None = None) -> Message:
        """Read a message from bytes, text, a path, an open binary file or an email message object.

        A `str` is the text of a message, never a path: pass a `pathlib.Path` for a file.

        Args:
            source: What to read. A `Message` is returned as it is, unless *envelope* is given.
            envelope: Sender and recipients of the SMTP transaction, where they are known.

        Raises:
            MessageError: If there is nothing to read or no header was found.
        """
        if isinstance(source, Message):
            return source if envelope is None else source.replace(envelope=envelope)
        return _Reader(raw_source.read(source)).message(envelope)

    def replace(
        self,
        *,
        headers: Iterable[tuple[str, str]] | None = None,
        text: str | None = None,
        envelope: Envelope | None = None,
    ) -> Message:
        """Return a copy with other headers (lower-case name, value), plain text or envelope."""
        copy = Message.__new__(Message)
        for name in Message.__slots__:
            object.__setattr__(copy, name, getattr(self, name))
        object.__setattr__(copy, "_measured", None)
        if headers is not None:
            pairs = tuple(headers)
            object.__setattr__(copy, "headers", pairs)
            object.__setattr__(copy, "_by_name", _first_of_each(pairs))
            object.__setattr__(copy, "_recipients", None)
            object.__setattr__(copy, "_sender", None)
        for name, value in (("text", text), ("envelope", envelope)):
            if value is not None:
                object.__setattr__(copy, name, value)
        return copy

    def __setattr__(self, name: str, value: object) -> None:
        msg = f"a Message cannot be changed ({name!r})"
        raise AttributeError(msg)

    def __getstate__(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__ if name not in _LATER}

    def __setstate__(self, state: dict[str, object]) -> None:
        for name, value in (_LATER | state).items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"<Message {self.subject[:60]!r}, {self.size} bytes, {len(self.parts)} part(s)>"

    def get(self, name: str, default: str = "") -> str:
        """Return the first header of this name (any case), decoded and unfolded, or *default*."""
        return self._by_name.get(name.lower(), default)

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return every header of this name, in order."""
        wanted = name.lower()
        return tuple(value for key, value in self.headers if key == wanted)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._by_name

    @property
    def subject(self) -> str:
        """The decoded subject, or an empty string."""
        return self.get("subject")

    @property
    def sender(self) -> Address:
        """The first mailbox of From; its address is empty where there is none."""
        if self._sender is None:
            object.__setattr__(self, "_sender", mailbox(self.get("from")))
        return cast("Address", self._sender)

    @property
    def recipients(self) -> tuple[Address, ...]:
        """Every mailbox of To, Cc and Bcc, in order; one that stands twice is counted once."""
        if self._recipients is None:
            found: dict[str, Address] = {}
            for name in ("to", "cc", "bcc"):
                for value in self.get_all(name) if name in self._by_name else ():
                    for address in addresses(value):
                        found.setdefault(address.address, address)
            object.__setattr__(self, "_recipients", tuple(found.values()))
        return cast("tuple[Address, ...]", self._recipients)

    @property
    def document(self) -> Document:
        """What can be seen in the HTML; of an empty document where there is none."""
        if self._document is None:
            object.__setattr__(self, "_document", scan(self.html))
        return cast("Document", self._document)

    @property
    def body(self) -> str:
        """The text a reader sees: the HTML's, or the plain part where the HTML says little."""
        if self.html and len(self.document.text) * 4 > len(self.text):
            return self.document.text
        return self.text.strip() or self.document.text


_LATER: dict[str, object] = {"_document": None, "_measured": None, "_recipients": None, "_sender": None}
"""What a message reads on first use, and neither copies nor sends to another process."""


def _first_of_each(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Map each name to its first value."""
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


class _Reader:
    """Splits raw bytes into headers and decoded text."""

    def __init__(self, source: raw_source.Raw) -> None:
        if not source.data.strip():
            msg = "an empty input is not a message"
            raise MessageError(msg, position=0)
        self.size = len(source.data)
        self.raw = source.data[: raw_source.SIZE_LIMIT]
        self.is_text = source.is_text
        self.defects: dict[str, None] = {source.defect: None} if source.defect else {}
        if self.size > raw_source.SIZE_LIMIT:
            self.note("long-message")
        self.parts: list[Part] = []
        self.texts: list[str] = []
        self.pages: list[str] = []
        self.header_room = HEADER_LIMIT
        self.budget = TEXT_LIMIT

    def message(self, envelope: Envelope | None) -> Message:
        """Read everything and return the finished view."""
        start = self._first_header()
        headers, body_start = self._headers(start, len(self.raw))
        by_name = _first_of_each(headers)
        self._require_mail(by_name, start)
        self._walk(by_name, body_start, len(self.raw))
        message = Message.__new__(Message)
        values = {
            "headers": tuple(headers),
            "_by_name": by_name,
            "parts": tuple(self.parts),
            "text": "\n".join(self.texts),
            "html": "\n".join(self.pages),
            "defects": tuple(self.defects),
            "size": self.size,
            "envelope": envelope,
            **_LATER,
        }
        for name, content in values.items():
            object.__setattr__(message, name, content)
        return message

    def note(self, defect: str) -> None:
        """Remember a defect once."""
        self.defects[defect] = None

    def _first_header(self) -> int:
        """Return where the headers start: behind an mbox line, or lines that are no header."""
        position = 3 if self.raw.startswith(b"\xef\xbb\xbf") else 0
        for number in range(_MAX_LEADING_LINES):
            if _HEADER_LINE.match(self.raw, position):
                if number and not self.defects:
                    self.note("text-before-headers")
                return position
            if number == 0 and self.raw.startswith((b"From ", b">From "), position):
                self.note("mbox-line")
            end = self.raw.find(b"\n", position, position + HEADER_LIMIT)
            if end < 0:
                break
            position = end + 1
        start = self.raw[:12]
        msg = f"no header line found; the input starts with {start!r}{self._hint()}"
        raise MessageError(msg, position=0)

    def _require_mail(self, headers: dict[str, str], start: int) -> None:
        """Refuse what only looks like headers: JSON, a log, a program, a PDF."""
        if not _MAIL_HEADERS.isdisjoint(headers) or any(name.startswith("x-") for name in headers):
            return
        names = ", ".join(repr(name[:40]) for name in list(headers)[:3]) or "unreadable"
        msg = f"no header belongs to mail, such as From or Subject; they are {names}{self._hint()}"
        raise MessageError(msg, position=start)

    def _hint(self) -> str:
        """Return what to do about a page, or a text of one line, which may be meant as a path."""
        if self.raw[:256].lstrip()[:1] == b"<":
            return "; a page is no message: lint_html() and fix_html() of mailflows.content take templates"
        is_line = self.is_text and b"\n" not in self.raw
        return "; for a file, pass pathlib.Path(...)" if is_line else ""

    def _part_headers(self, start: int, stop: int) -> tuple[list[tuple[str, str]], int]:
        """Return the headers of a part, which may have none, and where its body starts."""
        if self.raw.startswith((b"\n", b"\r\n"), start, stop):
            return [], self.raw.index(b"\n", start) + 1
        if not _HEADER_LINE.match(self.raw, start, stop):
            if start < stop:
                self.note("part-without-headers")
            return [], start
        return self._headers(start, stop)

    def _headers(self, start: int, stop: int) -> tuple[list[tuple[str, str]], int]:
        """Return decoded headers and where the body starts."""
        end = _BLANK_LINE.search(self.raw, start, stop)
        if end is None:  # no blank line: the first line that is no header is text
            end = _TEXT_LINE.search(self.raw, start, stop)
        head_end, body_start = (end.start(), end.end()) if end else (stop, stop)
        if head_end - start > self.header_room:
            self.note("long-headers")
            head_end = start + self.header_room
        self.header_room -= head_end - start
        block = self.raw[start:head_end]
        try:
            text = block.decode("utf-8")
        except UnicodeDecodeError:
            self.note("raw-bytes-in-headers")
            text = block.decode("cp1252", "replace")
        return self._fields(_with_newlines(text)), body_start

    def _fields(self, text: str) -> list[tuple[str, str]]:
        """Split a header block into names and unfolded, decoded values."""
        rows: list[list[str]] = []
        for line in text.split("\n"):
            if line[:1] in {" ", "\t"}:
                if rows:
                    rows[-1].append(line)
                continue
            name, colon, value = line.partition(":")
            name = name.rstrip()
            if not colon or not name or " " in name or not (name.isascii() and name.isprintable()):
                if line:
                    self.note("bad-header-line")
                continue
            if len(rows) >= _MAX_HEADERS:
                self.note("many-headers")
                break
            rows.append([name, value])
        found = []
        for name, *values in rows:
            key = name.lower()
            value = "".join(values).strip() if len(values) > 1 else values[0].strip()
            if "=?" in value or not value.isprintable():
                value = decode_value(key, value)
            found.append((key, value))
        return found

    def _walk(self, headers: dict[str, str], start: int, stop: int) -> None:
        """Visit the MIME tree from the outside in, bounded in depth and parts."""
        todo: list[tuple[dict[str, str], int, int, int]] = [(headers, start, stop, 0)]
        while todo:
            headers, start, stop, depth = todo.pop()
            kind, options = parameters(headers.get("content-type", ""))
            if not kind.startswith("multipart/"):
                self._leaf(kind, options, headers, start, stop)
                continue
            boundary = options.get("boundary", "")
            if depth >= MAX_DEPTH:
                self.note("deep-nesting")
                continue
            children = self._children(boundary, start, stop) if boundary else []
            if not children:
                self.note("missing-boundary")
                self._leaf("text/plain", {}, {}, start, stop)
                continue
            for child_start, child_stop in reversed(children):
                if len(todo) + len(self.parts) >= MAX_PARTS:
                    self.note("many-parts")
                    continue
                fields, body = self._part_headers(child_start, child_stop)
                todo.append((_first_of_each(fields), body, child_stop, depth + 1))

    def _children(self, boundary: str, start: int, stop: int) -> list[tuple[int, int]]:
        """Find the parts between the boundary lines of a multipart."""
        mark = b"--" + boundary.encode("utf-8", "replace")
        spans: list[tuple[int, int]] = []
        opened = -1
        position = start
        while len(spans) <= MAX_PARTS:
            found = self.raw.find(mark, position, stop)
            if found < 0:
                break
            position = found + len(mark)
            if found > start and self.raw[found - 1] not in b"\n\r":
                continue  # the boundary's text inside a line
            end = _BOUNDARY_END.match(self.raw, position, stop)
            if end is None:
                continue  # a longer boundary that starts alike
            if opened >= 0:
                spans.append((opened, found))
            if end[1]:
                return spans
            line_end = self.raw.find(b"\n", position, stop)
            opened = line_end + 1 if line_end >= 0 else stop
        if opened >= 0 and len(spans) <= MAX_PARTS:
            self.note("missing-end-boundary")
            spans.append((opened, stop))
        return spans

    def _leaf(
        self, kind: str, options: dict[str, str], headers: dict[str, str], start: int, stop: int
    ) -> None:
        """Record a leaf and read its text, if it is text that a reader sees."""
        disposition, names = parameters(headers.get("content-disposition", ""))
        filename = (names.get("filename") or options.get("name", "")).strip()
        part = Part(
            content_type=kind if "/" in kind else "text/plain",  # RFC 2045 section 5.2
            charset=options.get("charset", "").lower(),
            disposition=disposition,
            filename=filename,
            size=stop - start,
        )
        self.parts.append(part)
        if part.content_type not in {"text/plain", "text/html"} or disposition == "attachment":
            return
        if filename and len(self.parts) > 1:
            return
        text = self._text(part, headers, start, stop)
        if part.content_type == "text/html" or _looks_like_html(text):
            self.pages.append(text)
        else:
            self.texts.append(text)

    def _text(self, part: Part, headers: dict[str, str], start: int, stop: int) -> str:
        """Decode transfer encoding and charset within the budget."""
        encoding, _ = parameters(headers.get("content-transfer-encoding", ""))
        data, is_cut = self._transferred(encoding, start, stop)
        charset = part.charset
        if not charset and part.content_type == "text/html":
            declared = _META_CHARSET.search(data, 0, 2048)
            charset = declared[1].decode("ascii").lower() if declared else ""
        if self.is_text and encoding not in _TRANSFER_GROWTH:
            charset = "utf-8"  # whoever had the text has decoded it
        text, defect = decode(data, charset, is_cut=is_cut)
        if defect:
            self.note(defect)
        if "\x00" in text:
            self.note("nul-characters")
            text = text.replace("\x00", "")
        return _with_newlines(text)

    def _transferred(self, encoding: str, start: int, stop: int) -> tuple[bytes, bool]:
        """Undo the transfer encoding within the budget; say whether something was cut off."""
        room = self.budget
        widest = _TRANSFER_GROWTH.get(encoding, 1) * room
        is_cut = stop - start > widest
        data = self.raw[start : start + widest if is_cut else stop]
        if encoding == "base64":
            coded, data = data, decode_base64(data)
            if len(coded) > _SHORT and len(data) * 3 < len(coded):
                self.note("bad-base64")
        elif encoding == "quoted-printable":
            data = binascii.a2b_qp(data)
        if is_cut or len(data) > room:
            self.note("long-text")
            data, is_cut = data[:room], True
        self.budget -= len(data)
        return data, is_cut


def _with_newlines(text: str) -> str:
    """End every line with a line feed; some software writes two carriage returns before it."""
    if "\r" not in text:
        return text
    if "\r\r\n" in text:
        text = text.replace("\r\r\n", "\n")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _looks_like_html(text: str) -> bool:
    """Say whether a part that is declared as plain text is an HTML document."""
    start = text[:2000].lower()
    return start.lstrip()[:1] == "<" and ("<html" in start or "<body" in start)
