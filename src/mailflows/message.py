"""A read-only, normalised view of a message: from any bytes to headers, text, HTML and defects.

The standard library's parser builds a tree for changing and writing mail; with its modern policy it
costs 7 to 16 ms a message and raises on real ones. Here a message is only looked at, so one splitter
finds the headers and the parts, decodes the first `TEXT_LIMIT` bytes of text, and notes what was
wrong in `Message.defects` instead of raising.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

from mailflows._html.scan import Document, scan
from mailflows._mail import structure
from mailflows._mail.address import Address, addresses, mailbox, read_addresses
from mailflows._mail.decoding import decoded, parameters, transfer_encoding
from mailflows._mail.reader import Raw, Reader, charset_of, first_of_each, is_text, kind_of, read_raw
from mailflows._result import number_of
from mailflows.errors import MessageError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from email.message import Message as StdlibMessage

    from mailflows._mail.structure import Leaf

__all__ = ["Address", "Envelope", "Message", "Part", "Source", "addresses"]

Source: TypeAlias = (
    "bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO | StdlibMessage | Message"
)
"""What can be read as a message."""

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


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the sender tells the relay besides the message (RFC 5321 section 2.3.1).

    Attributes:
        sender: The address of MAIL FROM; empty for a bounce.
        recipients: The addresses of RCPT TO.

    Example:
        >>> Envelope("bounces@example.org", ("ada@example.net",)).recipients
        ('ada@example.net',)
    """

    sender: str = ""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    r"""A leaf of the MIME tree.

    Attributes:
        content_type: Lower case, as in ``text/html``.
        charset: As declared, in lower case; empty if none is declared.
        disposition: ``inline``, ``attachment`` or empty.
        filename: The decoded file name; empty if there is none.
        size: Size in bytes, as transferred.

    Example:
        >>> from mailflows import Message
        >>> Message.read(b"From: ada@lovelace.uk\nContent-Type: text/html; charset=UTF-8\n\n<p>Hello").parts
        (Part(content_type='text/html', charset='utf-8', disposition='', filename='', size=8),)
    """

    content_type: str
    charset: str
    disposition: str
    filename: str
    size: int

    @property
    def is_attachment(self) -> bool:
        """Whether a mail client shows it as a file rather than as text."""
        if self.disposition == "attachment" or self.filename:
            return True
        return not self.content_type.startswith(("text/", "multipart/"))


class Message:
    r"""A read-only view of a message, whatever it was read from.

    Create one with `Message.read`; it cannot be changed.

    >>> message = Message.read(b"From: Ada <ada@lovelace.uk>\nSubject: Hello\n\nDear Charles,")
    >>> message.subject, message.sender.domain, message.text
    ('Hello', 'lovelace.uk', 'Dear Charles,')

    Attributes:
        headers: Pairs of lower-case name and decoded value, in order.
        parts: The leaves of the MIME tree.
        text: The text/plain parts, joined; empty where there are none.
        html: The text/html parts, joined; empty where there are none.
        defects: What was wrong, as short codes (``missing-boundary``, ``unknown-charset:x``); what was
            repaired is sent as repaired.
        size: Bytes of the whole message.
        envelope: The envelope, if the caller passed one.
    """

    __slots__ = (
        *("_by_name", "_document", "_measured", "_reading", "_recipients", "_sender"),
        *("defects", "envelope", "headers", "html", "parts", "size", "text"),
    )

    _by_name: dict[str, str]
    _document: Document | None
    _measured: dict[str, float] | None  # kept for mailflows.signals, which several parts ask
    _reading: object  # likewise: a mailflows.signals.words.Reading
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
            envelope: Sender and recipients of the SMTP transaction, if known.

        Raises:
            MessageError: If there is nothing to read or no header was found.
        """
        if isinstance(source, Message):
            return source if envelope is None else source.replace(envelope=envelope)
        return _Builder(read_raw(source)).message(envelope)

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
        object.__setattr__(copy, "_reading", None)
        if headers is not None:
            pairs = tuple(headers)
            object.__setattr__(copy, "headers", pairs)
            object.__setattr__(copy, "_by_name", first_of_each(pairs))
            object.__setattr__(copy, "_recipients", None)
            object.__setattr__(copy, "_sender", None)
        for name, value in (("text", text), ("envelope", envelope)):
            if value is not None:
                object.__setattr__(copy, name, value)
        return copy

    def __setattr__(self, name: str, value: object) -> None:
        msg = f"a Message is read-only ({name!r}); make a changed copy with replace()"
        raise AttributeError(msg)

    def __getstate__(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__ if name not in _LATER}

    def __setstate__(self, state: dict[str, object]) -> None:
        for name, value in (_LATER | state).items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"<Message {self.subject[:60]!r}, {self.size} bytes, {number_of(len(self.parts), 'part')}>"

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
        """The first mailbox of From; its address is empty if none can be read."""
        if self._sender is None:
            object.__setattr__(self, "_sender", mailbox(self.get("from")))
        return cast("Address", self._sender)

    @property
    def recipients(self) -> tuple[Address, ...]:
        """Every mailbox of To, Cc and Bcc, in order and without duplicates.

        An address that mail clients would read differently is left out: mail is never sent to a guess.
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
        """The defects with which a mail client may show text that was not read; see `docs/reading.md`."""
        return tuple(defect for defect in self.defects if defect in UNREAD)

    @property
    def document(self) -> Document:
        """The scanned HTML, or an empty document if there is none."""
        if self._document is None:
            object.__setattr__(self, "_document", scan(self.html))
        return cast("Document", self._document)

    @property
    def body(self) -> str:
        """The text that a reader sees: from the HTML, or from the plain part if the HTML has little text."""
        if self.html and len(self.document.text) * 4 > len(self.text):
            return self.document.text
        return self.text.strip() or self.document.text


_LATER: dict[str, object] = dict.fromkeys(("_document", "_measured", "_reading", "_recipients", "_sender"))
"""What a message reads on first use, and neither copies nor sends to another process."""


class _Builder:
    """Makes a message of what the reader finds."""

    def __init__(self, source: Raw, *, is_within: bool = False) -> None:
        self.reader = Reader(source)
        self.is_within = is_within
        self.parts: list[Part] = []
        self.texts: list[str] = []
        self.pages: list[str] = []

    def message(self, envelope: Envelope | None) -> Message:
        """Read everything and return the finished view."""
        headers, body = self.reader.header()
        by_name = first_of_each(headers)
        self.reader.require_mail(by_name)
        self.read_parts(by_name, body)
        message = Message.__new__(Message)
        values = {
            "headers": tuple(headers),
            "_by_name": by_name,
            "parts": tuple(self.parts),
            "text": "\n".join(self.texts),
            "html": "\n".join(self.pages),
            "defects": tuple(self.reader.defects),
            "size": self.reader.size,
            "envelope": envelope,
            **_LATER,
        }
        for name, content in values.items():
            object.__setattr__(message, name, content)
        return message

    def read_parts(self, headers: dict[str, str], body: int) -> None:
        """Visit every part; where no text is shown but a text is attached, that is what a reader opens."""
        attached: list[Leaf] = []
        note = self.reader.note
        for leaf in self.reader.leaves(headers, body):
            part = _part_of(leaf)
            self.parts.append(part)
            if part.content_type in _ENCRYPTED or leaf.within[:1] == ("multipart/encrypted",):
                note("encrypted")
            elif leaf.kind in structure.MESSAGES and part.disposition != "attachment":
                self.read_encoded(leaf)
            elif is_text(part.content_type):
                if part.disposition == "attachment":
                    attached.append(leaf)
                else:
                    self.read_leaf(leaf)
            elif part.content_type.startswith("text/"):
                note("text-attachment")
        if attached and not any(text.strip() for text in (*self.texts, *self.pages)):
            for leaf in attached:
                self.read_leaf(leaf)
        elif attached:
            note("text-attachment")

    def read_encoded(self, leaf: Leaf) -> None:
        """Read an encoded message within a message, which RFC 2046 section 5.2.1 forbids.

        Some readers decode it and some do not: what is shown is known only if both show the same words.
        """
        reader = self.reader
        coded = reader.raw[leaf.start : leaf.stop]
        words = [] if self.is_within else _shown(decoded(coded, transfer_encoding(leaf.headers)))
        if not words or words != _shown(coded):
            reader.note("encoded-message")
        text = " ".join(words)[: reader.budget]
        reader.budget -= len(text)
        self.texts.append(text)

    def read_leaf(self, leaf: Leaf) -> None:
        """Read the text of a part that a reader sees."""
        text, is_page = self.reader.shown(leaf)
        (self.pages if is_page else self.texts).append(text)


def _shown(raw: bytes) -> list[str]:
    """Return the words that a message within a message shows; none if it is not a message."""
    try:
        return _Builder(Raw(raw), is_within=True).message(None).body.split()
    except MessageError:
        return []


def _part_of(leaf: Leaf) -> Part:
    """Describe a leaf."""
    disposition, names = parameters(leaf.headers.get("content-disposition", ""))
    return Part(
        content_type=kind_of(leaf),
        charset=charset_of(leaf),
        disposition=disposition,
        filename=(names.get("filename") or leaf.options.get("name", "")).strip(),
        size=leaf.stop - leaf.start,
    )
