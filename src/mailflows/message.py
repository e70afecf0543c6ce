"""A read-only, normalised view of a message: any bytes in, headers, text, HTML and defects out.

The standard library's parser builds a tree for changing and writing mail; with its modern policy it
costs 7–16 ms a message and raises on real ones. Here a message is only looked at, so one splitter
finds the headers and the parts, decodes the first `TEXT_LIMIT` bytes of text, and notes what was
wrong in `Message.defects` instead of raising.
"""

from __future__ import annotations

import binascii
import codecs
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from mailflows import _html
from mailflows.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message as StdlibMessage

__all__ = ["Address", "Envelope", "Message", "Part", "Source"]

TEXT_LIMIT = 256 * 1024
"""Bytes of decoded text (plain and HTML together) that are read; the rest is noted as a defect."""

HEADER_LIMIT = 256 * 1024
"""Bytes of headers that are read."""

MAX_PARTS = 200
MAX_DEPTH = 20
_MAX_HEADERS = 2000
_MAX_LEADING_LINES = 20

_HEADER_LINE = re.compile(rb"[!-9;-~]{1,200}[ \t]{0,20}:")
_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n")
_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=(?:[ \t\r\n]{1,99}(?==\?))?")
_PARAMETER = re.compile(r""";\s{0,99}([\w*-]{1,40})\s{0,9}=\s{0,9}("[^"]*"?|[^;\s]*)""")
_SEPARATORS = re.compile(r'[\s<>,;:"()\[\]]+')
_META_CHARSET = re.compile(rb"charset\s{0,9}=\s{0,9}[\"']?([\w:.-]{2,40})", re.IGNORECASE)

# Codecs that are charsets. Python also knows "punycode" (quadratic), "zlib" and others that a
# hostile message may name.
_CHARSETS = (
    "ascii utf iso8859 cp koi8 kz1048 ptcp154 gb big5 euc shift iso2022 hz johab mac tis-620"
).split()
_ALIASES = {
    "": "utf-8",
    "unknown-8bit": "utf-8",
    "utf8mb4": "utf-8",
    "unicode": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "iso-8859-8-i": "iso-8859-8",
    "ks_c_5601-1987": "cp949",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "iso-8859-1": "cp1252",  # as every browser reads it (WHATWG Encoding, section 4.2)
    "latin1": "cp1252",
    "latin-1": "cp1252",
}

Source: TypeAlias = (
    "bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO | StdlibMessage | Message"
)
"""What can be read as a message."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox of a header: display name, and address in lower case.

    >>> Address("Ada", "ada@lovelace.uk").domain
    'lovelace.uk'
    """

    name: str
    address: str

    @property
    def local(self) -> str:
        """The part before the last «@»."""
        return self.address.rpartition("@")[0]

    @property
    def domain(self) -> str:
        """The part behind the last «@», or an empty string."""
        return self.address.rpartition("@")[2] if "@" in self.address else ""


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
    """A message as it can be seen, whatever it was made of.

    Read one with `Message.read`; nothing of it can be changed.

    >>> message = Message.read(b"From: Ada <ada@lovelace.uk>\\nSubject: Hello\\n\\nDear Charles,")
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

    __slots__ = ("_by_name", "_document", "defects", "envelope", "headers", "html", "parts", "size", "text")

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
        return _Reader(_raw(source)).message(envelope)

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
        if headers is not None:
            pairs = tuple(headers)
            object.__setattr__(copy, "headers", pairs)
            object.__setattr__(copy, "_by_name", _first_of_each(pairs))
        for name, value in (("text", text), ("envelope", envelope)):
            if value is not None:
                object.__setattr__(copy, name, value)
        return copy

    def __setattr__(self, name: str, value: object) -> None:
        msg = f"a Message cannot be changed ({name!r})"
        raise AttributeError(msg)

    def __getstate__(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__ if name != "_document"}

    def __setstate__(self, state: dict[str, object]) -> None:
        for name, value in ({"_document": None} | state).items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"<Message {self.subject[:60]!r}, {self.size} bytes, {len(self.parts)} part(s)>"

    def get(self, name: str, default: str = "") -> str:
        """Return the first header of this name (any case), decoded and unfolded, or *default*."""
        return self._by_name.get(name.lower(), default)  # type: ignore[attr-defined, no-any-return]

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return every header of this name, in order."""
        wanted = name.lower()
        return tuple(value for key, value in self.headers if key == wanted)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._by_name  # type: ignore[attr-defined]

    @property
    def subject(self) -> str:
        """The decoded subject, or an empty string."""
        return self.get("subject")

    @property
    def sender(self) -> Address:
        """The first mailbox of From; empty fields where there is none."""
        found = addresses(self.get("from"))
        return found[0] if found else Address(self.get("from").strip(), "")

    @property
    def recipients(self) -> tuple[Address, ...]:
        """Every mailbox of To, Cc and Bcc, in order; one that stands twice is counted once."""
        found: dict[str, Address] = {}
        for name in ("to", "cc", "bcc"):
            for value in self.get_all(name) if name in self._by_name else ():  # type: ignore[attr-defined]
                for address in addresses(value):
                    found.setdefault(address.address, address)
        return tuple(found.values())

    @property
    def document(self) -> _html.Document:
        """What can be seen in the HTML; of an empty document where there is none."""
        if self._document is None:  # type: ignore[has-type]
            object.__setattr__(self, "_document", _html.scan(self.html))
        return self._document  # type: ignore[attr-defined, no-any-return]

    @property
    def body(self) -> str:
        """The text a reader sees: the HTML's, or the plain part where the HTML says little."""
        if self.html and len(self.document.text) * 4 > len(self.text):
            return self.document.text
        return self.text.strip() or self.document.text


def _first_of_each(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Map each name to its first value."""
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def addresses(value: str) -> tuple[Address, ...]:
    """Read the mailboxes of an address header; what is not one is left out.

    >>> addresses('"Lovelace, Ada" <Ada@Lovelace.uk>, charles@babbage.uk')
    (Address(name='Lovelace, Ada', address='ada@lovelace.uk'), Address(name='', address='charles@babbage.uk'))
    """
    if "," not in value and ";" not in value:
        found = _mailbox(value)
        return (found,) if found else ()
    return tuple(a for piece in _split_list(value) if (a := _mailbox(piece)))


def _split_list(value: str) -> list[str]:
    """Cut an address list at the commas and semicolons outside quotation marks."""
    pieces = [""]
    for index, chunk in enumerate(value.split('"')):
        if index % 2:
            pieces[-1] += f'"{chunk}"'
            continue
        first, *others = chunk.replace(";", ",").split(",")
        pieces[-1] += first
        pieces += others
    return pieces


def _mailbox(piece: str) -> Address | None:
    """Read one mailbox, «name <address>», «address (name)» or a bare address."""
    if "@" not in piece:
        return None
    before, angle, rest = piece.rpartition("<")
    if angle:
        address = rest.partition(">")[0].strip()
        name = before.strip().strip("\"' ").replace('\\"', '"')
        if "@" in address:
            return Address(name, address.lower())
    for word in _SEPARATORS.split(piece):
        if "@" in word.strip("@"):
            return Address("", word.strip("'.").lower())
    return None


def decode_words(value: str) -> str:
    """Decode the encoded words of a header value (RFC 2047); what cannot be read stays."""
    return _WORD.sub(_decoded_word, value) if "=?" in value else value


def _decoded_word(match: re.Match[str]) -> str:
    charset, kind, coded = match.groups()
    data = coded.encode("ascii", "replace")
    if kind in "bB":
        raw = _decode_base64(data)
    else:
        raw = binascii.a2b_qp(data, header=True)
    return _decode(raw, charset.partition("*")[0].lower())[0]


def _decode_base64(data: bytes) -> bytes:
    """Decode base64 that may be cut off or hold foreign characters."""
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        pass
    clean = bytes(c for c in data if c in _BASE64)
    try:
        return binascii.a2b_base64(clean[: len(clean) - len(clean) % 4])
    except binascii.Error:
        return b""


_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def _codec(charset: str) -> str | None:
    """Return the name of a codec that is a charset, or `None`."""
    name = _ALIASES.get(charset, charset)
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError, UnicodeError):
        return None
    return found if found.startswith(tuple(_CHARSETS)) else None


def _decode(raw: bytes, charset: str) -> tuple[str, str]:
    """Decode with the declared charset, or what the bytes look like; return text and defect."""
    codec = _codec(charset)
    defect = "" if codec else f"unknown-charset:{charset[:30]}"
    if codec in {"ascii", None}:
        codec = "utf-8"
    try:
        return raw.decode(codec or "utf-8"), defect
    except UnicodeError:
        pass
    for guess in ("utf-8", "cp1252"):
        # Cutting at TEXT_LIMIT may leave half a character at the end.
        try:
            return raw[:-4].decode(guess), defect or f"lying-charset:{charset[:30]}"
        except UnicodeError:
            continue
    try:
        return raw.decode(codec or "utf-8", "replace"), defect or f"lying-charset:{charset[:30]}"
    except UnicodeError:
        return raw.decode("latin-1"), defect or f"lying-charset:{charset[:30]}"


def _raw(source: object) -> bytes:
    """Return the bytes of anything `Message.read` takes."""
    if isinstance(source, bytes):
        return source
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str):
        if source and "\n" not in source and "\r" not in source and ":" not in source[:100]:
            msg = (
                f"{source[:80]!r} is one line without a header; "
                "for a file, pass pathlib.Path(...)"
            )
            raise MessageError(msg, position=0)
        return source.encode("utf-8", "surrogateescape" if source.isascii() else "replace")
    if isinstance(source, os.PathLike):
        return _file_bytes(Path(source))
    if callable(getattr(source, "as_bytes", None)):
        return _email_bytes(source)
    if callable(read := getattr(source, "read", None)):
        content = read()
        return _raw(content) if isinstance(content, bytes | str) else b""
    msg = (
        f"cannot read a message from {type(source).__name__}; "
        "pass bytes, str, a path, an open file or an email message"
    )
    raise MessageError(msg)


def _file_bytes(path: Path) -> bytes:
    """Read a file, or say why it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as problem:
        msg = f"{path}: {problem.strerror or problem}"
        raise MessageError(msg) from problem


def _email_bytes(source: object) -> bytes:
    """Flatten an email message object; the modern policy raises on some real headers."""
    from email import policy  # noqa: PLC0415 -- 30 ms that most callers never need

    last: Exception | None = None
    for chosen in (None, policy.compat32, policy.HTTP):
        try:
            data = source.as_bytes() if chosen is None else source.as_bytes(policy=chosen)  # type: ignore[attr-defined]
        except Exception as problem:  # noqa: BLE001 -- whatever a foreign object raises
            last = problem
        else:
            return bytes(data)
    msg = f"this {type(source).__name__} cannot be written as bytes: {last!r}"
    raise MessageError(msg) from last


class _Reader:
    """Splits raw bytes into headers and decoded text."""

    def __init__(self, raw: bytes) -> None:
        if not raw.strip():
            msg = "an empty input is not a message"
            raise MessageError(msg, position=0)
        self.raw = raw
        self.defects: dict[str, None] = {}
        self.parts: list[Part] = []
        self.texts: list[str] = []
        self.pages: list[str] = []
        self.budget = TEXT_LIMIT

    def message(self, envelope: Envelope | None) -> Message:
        """Read everything and return the finished view."""
        start = self._first_header()
        headers, body_start = self._headers(self.raw, start)
        by_name = _first_of_each(headers)
        self._walk(by_name, body_start, len(self.raw))
        message = Message.__new__(Message)
        values = {
            "headers": tuple(headers),
            "_by_name": by_name,
            "parts": tuple(self.parts),
            "text": "\n".join(self.texts),
            "html": "\n".join(self.pages),
            "defects": tuple(self.defects),
            "size": len(self.raw),
            "envelope": envelope,
            "_document": None,
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
        msg = f"no header line found; the input starts with {start!r}"
        raise MessageError(msg, position=0)

    def _headers(self, raw: bytes, start: int, stop: int | None = None) -> tuple[list[tuple[str, str]], int]:
        """Return decoded headers and where the body starts."""
        stop = len(raw) if stop is None else stop
        if raw.startswith((b"\n", b"\r\n"), start):  # a part without headers
            return [], min(stop, start + (1 if raw[start] == 10 else 2))
        end = _BLANK_LINE.search(raw, start, stop)
        head_end, body_start = (end.start(), end.end()) if end else (stop, stop)
        if head_end - start > HEADER_LIMIT:
            self.note("long-headers")
            head_end = start + HEADER_LIMIT
        block = raw[start:head_end]
        try:
            text = block.decode("utf-8")
        except UnicodeDecodeError:
            self.note("raw-bytes-in-headers")
            text = block.decode("cp1252", "replace")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        return self._fields(text), body_start

    def _fields(self, text: str) -> list[tuple[str, str]]:
        """Split a header block into names and unfolded, decoded values."""
        rows: list[list[str]] = []
        for line in text.split("\n"):
            if line[:1] in {" ", "\t"}:
                if rows:
                    rows[-1].append(line)
                continue
            name, colon, value = line.partition(":")
            if not colon or not name or " " in name.rstrip():
                if line:
                    self.note("bad-header-line")
                continue
            if len(rows) >= _MAX_HEADERS:
                self.note("many-headers")
                break
            rows.append([name, value])
        found = []
        for name, *values in rows:
            value = values[0] if len(values) == 1 else "".join(values)
            if "=?" in value:
                value = decode_words(value)
            found.append((name.strip().lower(), value.strip()))
        return found

    def _walk(self, headers: dict[str, str], start: int, stop: int) -> None:
        """Visit the MIME tree from the outside in, bounded in depth and parts."""
        todo: list[tuple[dict[str, str], int, int, int]] = [(headers, start, stop, 0)]
        while todo:
            headers, start, stop, depth = todo.pop()
            kind, parameters = content_type(headers.get("content-type", ""))
            if not kind.startswith("multipart/"):
                self._leaf(kind, parameters, headers, start, stop)
                continue
            boundary = parameters.get("boundary", "")
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
                fields, body = self._headers(self.raw, child_start, child_stop)
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
            rest = self.raw[position : position + 1]
            if rest not in {b"\n", b"\r", b"-", b" ", b"\t", b""}:
                continue  # a longer boundary that starts alike
            if opened >= 0:
                spans.append((opened, found))
            if self.raw.startswith(b"--", position):
                return spans
            line_end = self.raw.find(b"\n", position, stop)
            opened = line_end + 1 if line_end >= 0 else stop
        if opened >= 0 and len(spans) <= MAX_PARTS:
            self.note("missing-end-boundary")
            spans.append((opened, stop))
        return spans

    def _leaf(
        self, kind: str, parameters: dict[str, str], headers: dict[str, str], start: int, stop: int
    ) -> None:
        """Record a leaf and read its text, if it is text that a reader sees."""
        disposition, names = content_type(headers.get("content-disposition", ""))
        filename = names.get("filename") or parameters.get("name", "")
        part = Part(
            content_type=kind or "text/plain",
            charset=parameters.get("charset", "").lower(),
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
        if part.content_type == "text/html":
            self.pages.append(text)
        else:
            self.texts.append(text)

    def _text(self, part: Part, headers: dict[str, str], start: int, stop: int) -> str:
        """Decode transfer encoding and charset within the budget."""
        encoding = headers.get("content-transfer-encoding", "").strip().lower()
        room = self.budget
        widest = {"base64": 2, "quoted-printable": 3}.get(encoding, 1) * room
        if stop - start > widest:
            self.note("long-text")
            stop = start + widest
        data = self.raw[start:stop]
        if encoding == "base64":
            decoded = _decode_base64(data)
            if len(data) > 40 and len(decoded) * 3 < len(data):
                self.note("bad-base64")
            data = decoded
        elif encoding == "quoted-printable":
            data = binascii.a2b_qp(data)
        if len(data) > room:
            self.note("long-text")
            data = data[:room]
        self.budget -= len(data)
        charset = part.charset
        if not charset and part.content_type == "text/html":
            declared = _META_CHARSET.search(data, 0, 2048)
            charset = declared[1].decode("ascii").lower() if declared else ""
        text, defect = _decode(data, charset)
        if defect:
            self.note(defect)
        if "\x00" in text:
            self.note("nul-characters")
            text = text.replace("\x00", "")
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def content_type(value: str) -> tuple[str, dict[str, str]]:
    """Split a structured header into its lower-case value and its parameters (RFC 2045, 2231).

    >>> content_type('Text/HTML; charset="UTF-8"')
    ('text/html', {'charset': 'UTF-8'})
    """
    kind, semicolon, rest = value.partition(";")
    parameters: dict[str, str] = {}
    if semicolon:
        for name, raw in _PARAMETER.findall(";" + rest[:8192]):
            key = name.lower().partition("*")[0]
            text = raw.strip('"')
            if name.endswith("*") and "''" in text:
                text = _percent(text)
            parameters[key] = parameters.get(key, "") + text if "*" in name else text
    return kind.strip().lower(), parameters


def _percent(value: str) -> str:
    """Decode an RFC 2231 value: charset'language'percent-encoded."""
    from urllib.parse import unquote_to_bytes  # noqa: PLC0415 -- rare, and slow to import

    charset, _, rest = value.partition("'")
    return _decode(unquote_to_bytes(rest.partition("'")[2]), charset.lower())[0]
