"""A read-only, normalised view of a message: any bytes in, headers, text, HTML and defects out.

The standard library's parser builds a tree for changing and writing mail; with its modern policy it
costs 7 to 16 ms a message and raises on real ones. Here a message is only looked at, so one splitter
finds the headers and the parts, decodes the first `TEXT_LIMIT` bytes of text, and notes what was
wrong in `Message.defects` instead of raising.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

from mailflows._html.scan import Document, scan
from mailflows._mail import source as raw_source
from mailflows._mail import structure
from mailflows._mail.address import Address, addresses, mailbox, read_addresses
from mailflows._mail.charset import decode
from mailflows._mail.header import decode_base64, has_inner_padding, parameters
from mailflows._mail.transfer import TRANSFER_GROWTH, decoded, transfer_encoding
from mailflows.errors import MessageError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence
    from email.message import Message as StdlibMessage

    from mailflows._mail.structure import Leaf

__all__ = ["Address", "Envelope", "Message", "Part", "Source", "addresses"]

Source: TypeAlias = (
    "bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO | StdlibMessage | Message"
)
"""What can be read as a message."""

TEXT_LIMIT = 256 * 1024
"""Bytes of decoded text (plain and HTML together) that are read; the rest is noted as a defect."""

PAGES = frozenset(("text/html", "application/xhtml+xml", "text/xhtml", "text/x-amp-html"))
"""Types that a reader shows as HTML."""

_NOT_TEXT = frozenset("text/calendar text/vcard text/x-vcard text/directory text/css text/javascript".split())
"""Text that programs read: it is shown as an invitation, a card or a file."""

_ENCRYPTED = frozenset(("application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted"))

UNREAD = frozenset(
    (
        "long-message long-text long-headers many-headers many-parts deep-nesting encoded-message "
        "ambiguous-boundary repeated-part-header undecodable-text"
    ).split()
)
"""Defects which mean that a reader may show text that was not read."""

UNSENDABLE = frozenset(("long-headers", "many-headers", "line-ends-in-headers"))
"""Defects of a message that `mailflows._mail.handover.wire_form` cannot write."""

_NOTHING = b"\xef\xbb\xbf\0 \t\r\n\v\f"
_SHORT = 40
_FEW_LOST = 10  # so many letters that are lost, and one in so many: a text is not what was written
_META_CHARSET = re.compile(rb"charset\s{0,9}=\s{0,9}[\"']?([\w:.-]{2,40})", re.IGNORECASE)

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
        defects: What was wrong, as short codes (``missing-boundary``, ``unknown-charset:x``); what was
            mended is sent in the mended form.
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
        """The first mailbox of From; its address is empty where there is none that anybody could read."""
        if self._sender is None:
            object.__setattr__(self, "_sender", mailbox(self.get("from")))
        return cast("Address", self._sender)

    @property
    def recipients(self) -> tuple[Address, ...]:
        """Every mailbox of To, Cc and Bcc, in order; one that stands twice is counted once.

        What readers take for one address or another is left out: nobody is mailed by a guess.
        """
        if self._recipients is None:
            found: dict[str, Address] = {}
            for name in ("to", "cc", "bcc"):
                for value in self.get_all(name) if name in self._by_name else ():
                    for address in read_addresses(value).mailboxes:
                        found.setdefault(address.address, address)
            object.__setattr__(self, "_recipients", tuple(found.values()))
        return cast("tuple[Address, ...]", self._recipients)

    @property
    def unread(self) -> tuple[str, ...]:
        """The defects which mean that a reader may show text that was not read; see `docs/reading.md`."""
        return tuple(defect for defect in self.defects if defect in UNREAD)

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


def _first_of_each(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Map each name to its first value."""
    return dict(reversed(pairs))


class _Reader:
    """Decodes what the splitter finds."""

    def __init__(self, source: raw_source.Raw, *, is_within: bool = False) -> None:
        self.is_within = is_within
        if not (source.data[:_SHORT].strip(_NOTHING) or source.data.strip(_NOTHING)):
            msg = "an empty input is not a message"
            raise MessageError(msg, position=0)
        self.size = len(source.data)
        self.raw, mended = structure.normal(source.data[: raw_source.SIZE_LIMIT])
        self.is_text = source.is_text
        self.defects: dict[str, None] = dict.fromkeys((source.defect, *mended) if source.defect else mended)
        if self.size > raw_source.SIZE_LIMIT:
            self.note("long-message")
        self.parts: list[Part] = []
        self.texts: list[str] = []
        self.pages: list[str] = []
        self.budget = TEXT_LIMIT

    def message(self, envelope: Envelope | None) -> Message:
        """Read everything and return the finished view."""
        headers, body = self.header()
        by_name = _first_of_each(headers)
        self.require_mail(headers, by_name)
        self.read_parts(by_name, body)
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

    def header(self) -> tuple[list[tuple[str, str]], int]:
        """Return the decoded header fields, and where the body starts."""
        try:
            head = structure.head(self.raw)
        except MessageError as problem:
            msg = f"no header line found; the input starts with {self.raw[:12]!r}{self._hint()}"
            raise MessageError(msg, position=0) from problem
        for defect in head.defects:
            self.note(defect)
        found = structure.values_of(head, self.note)
        once = [name for name, _ in found if name in structure.ONCE]
        if len(set(once)) < len(once):
            found = self._once(found)
        return found, head.body

    def _once(self, found: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Keep the first of the fields that must stand once, as `structure.written` does."""
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

    def require_mail(self, headers: list[tuple[str, str]], by_name: dict[str, str]) -> None:
        """Refuse what only looks like headers: JSON, a log, a program, a PDF."""
        if not _MAIL_HEADERS.isdisjoint(by_name) or any(name.startswith("x-") for name in by_name):
            return
        names = list(dict.fromkeys(repr(name[:40]) for name, _ in headers))[:3]
        found = ", ".join(names) or "unreadable"
        msg = f"no header belongs to mail, such as From or Subject; they are {found}{self._hint()}"
        raise MessageError(msg, position=0)

    def _hint(self) -> str:
        """Return what to do about a page, or a text of one line, which may be meant as a path."""
        if self.raw[:256].lstrip()[:1] == b"<":
            return "; a page is no message: lint_html() and fix_html() of mailflows.content take templates"
        is_line = self.is_text and b"\n" not in self.raw
        return "; for a file, pass pathlib.Path(...)" if is_line else ""

    def read_parts(self, headers: dict[str, str], body: int) -> None:
        """Visit every part; where no text is shown but a text is attached, that is what a reader opens."""
        attached: list[tuple[Part, Leaf]] = []
        for leaf in structure.leaves(self.raw, headers, body, len(self.raw), self.note):
            part = _part_of(leaf)
            self.parts.append(part)
            if part.content_type in _ENCRYPTED or leaf.within[:1] == ("multipart/encrypted",):
                self.note("encrypted")
            elif leaf.kind in structure.MESSAGES and part.disposition != "attachment":
                self.read_encoded(leaf)
            elif _is_text(part):
                if part.disposition == "attachment":
                    attached.append((part, leaf))
                else:
                    self.read_leaf(part, leaf)
            elif part.content_type.startswith("text/"):
                self.note("text-attachment")
        if attached and not any(text.strip() for text in (*self.texts, *self.pages)):
            for part, leaf in attached:
                self.read_leaf(part, leaf)
        elif attached:
            self.note("text-attachment")

    def read_encoded(self, leaf: Leaf) -> None:
        """Read an encoded message within a message, which RFC 2046 section 5.2.1 forbids.

        Some readers decode it and some do not: what is shown is known only if both show the same words.
        """
        coded = self.raw[leaf.start : leaf.stop]
        encoding = transfer_encoding(leaf.headers)
        shown = [_shown(data) for data in (coded, decoded(coded, encoding))] if not self.is_within else []
        if not shown or not shown[0] or shown[0] != shown[1]:
            self.note("encoded-message")
        self.texts.extend(" ".join(words)[: self.budget] for words in shown[1:])
        self.budget -= min(self.budget, len(self.texts[-1])) if shown else 0

    def read_leaf(self, part: Part, leaf: Leaf) -> None:
        """Read the text of a part that a reader sees."""
        text = self.text_of(part, leaf)
        if part.content_type in PAGES or _looks_like_html(text):
            self.pages.append(text)
        else:
            self.texts.append(text)

    def text_of(self, part: Part, leaf: Leaf) -> str:
        """Decode transfer encoding and charset within the budget."""
        encoding = transfer_encoding(leaf.headers)
        data, is_cut = self._transferred(encoding, leaf.start, leaf.stop)
        charset = part.charset
        if not charset and part.content_type in PAGES:
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


def _shown(raw: bytes) -> list[str]:
    """Return the words that a message within a message shows; none if it is no message."""
    try:
        return _Reader(raw_source.Raw(raw), is_within=True).message(None).body.split()
    except MessageError:
        return []


def _part_of(leaf: Leaf) -> Part:
    """Describe a leaf."""
    disposition, names = parameters(leaf.headers.get("content-disposition", ""))
    return Part(
        content_type=leaf.kind if leaf.kind.count("/") == 1 else "text/plain",  # RFC 2045 section 5.2
        charset=leaf.options.get("charset", "").lower(),
        disposition=disposition,
        filename=(names.get("filename") or leaf.options.get("name", "")).strip(),
        size=leaf.stop - leaf.start,
    )


def _is_text(part: Part) -> bool:
    """Say whether a reader shows a part as text: unknown subtypes are plain (RFC 2046 section 4.1.4)."""
    kind = part.content_type
    return kind in PAGES or (kind.startswith("text/") and kind not in _NOT_TEXT)


def _with_newlines(text: str) -> str:
    """End every line with a line feed."""
    if "\r" not in text:
        return text
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _looks_like_html(text: str) -> bool:
    """Say whether a part that is declared as plain text is an HTML document."""
    start = text[:2000].lstrip()
    return start[:1] == "<" and ("<html" in start.lower() or "<body" in start.lower())
