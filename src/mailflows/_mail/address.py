r"""The one reader of addresses (RFC 5322 section 3.4, RFC 6532): headers, envelopes, lists and keys ask it.

Three questions, by what the answer is for:

* `mailbox_of` and, for several, `mailboxes_of`: the address that a text stands for, to be mailed, suppressed
  or counted. It is as sure as `read_addresses`, and `None` for all else: what cannot be read is never handed
  to anybody.
* `read_addresses`: the mailboxes of a header that every reader finds, and what could be read in two ways.
* `addresses`: those and the likely ones, for looking at mail that has arrived.

Comments nest and a backslash quotes; the time grows with the text alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Address",
    "AddressList",
    "addresses",
    "comment_end",
    "mailbox",
    "mailbox_of",
    "mailboxes_of",
    "read_addresses",
    "read_author",
]

AUTHOR_LIMIT = 4096
"""Characters of From that are read. bound: four times the longest line of RFC 5322 section 2.1.1; the longest
of 3,267 real ones has 226."""

LONGEST = 320
"""Characters of an address: 64 of its local part, 255 of its domain (RFC 5321 section 4.5.3.1)."""

_LONGEST_TEXT = 100_000
"""Characters of a text that is read. bound: a cell of a megabyte is not a list of addresses."""

_MOST_WORDS = 1000
"""Words of one mailbox. bound: a display name has a few, and what follows is read by nobody."""

_MOST_DEPTH = 100
"""Comments within comments. bound: no software writes more than one."""

_COMMENT_MARK = re.compile(r"\\.|[()]", re.DOTALL)
_TOKEN = re.compile(
    r'(?P<quoted>"[^"\\]*+(?:\\.[^"\\]*+)*")|<(?P<angle>[^<>"\\]*+(?:(?:"[^"\\]*+(?:\\.[^"\\]*+)*"|\\.)[^<>"\\]*+)*)>'
    r'|(?P<literal>\[[^\[\]\\<>"]*+\])|(?P<mark>[,;:])|(?P<text>[^"\\,;:()<>\[\]]++)',
    re.DOTALL,
)
# What nearly every From is: "name <address>" or ""name" <address>", and what nearly every recipient is.
_PLAIN = re.compile(
    r'(?:"([^"\\<>]*)"[ \t]{0,9}|([^"<>(),;:\\@\[\]]*))'
    r'<([^<>\s@,;:"()\\]{1,320}@[^<>\s@,;:"()\\]{1,320})>[ \t]{0,9}'
)
_ADDRESS = re.compile(
    r"""([^\s@<>()\[\],;:"\\]++|"[^"\\]*+(?:\\.[^"\\]*+)*")\s*+@\s*+([^\s@<>()\[\],;:"\\]++|\[[0-9A-Za-z:.]++\])"""
)
_ATOM = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_BARE = re.compile(r"[\w!#$%&'*+/=?^`{|}~.-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*", re.ASCII)
"""What nearly every recipient is: it stands for itself."""

_ROUTE = re.compile(r"@[^:<>\"]*+:")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# A quoted string that is not a local part is a display name, whatever it contains.
_QUOTED_NAME = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*"(?!\s*+@)', re.DOTALL)


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
        """The part before the last "@"."""
        return self.address.rpartition("@")[0]

    @property
    def domain(self) -> str:
        """The part behind the last "@", or an empty string."""
        return self.address.rpartition("@")[2] if "@" in self.address else ""


class AddressList(NamedTuple):
    """What an address header says.

    Attributes:
        mailboxes: Those that every reader finds.
        unread: The texts of those that are none, or that readers take for one or another.
        likely: The mailboxes and, in their places, what an unread text most likely means.
    """

    mailboxes: tuple[Address, ...]
    unread: tuple[str, ...]
    likely: tuple[Address, ...]


def read_addresses(value: str) -> AddressList:
    """Read an address header, and say what could not be read.

    >>> read_addresses("team: ada@x.example, (a(b)<c@x.example>) Bob <bob@x.example>;").mailboxes
    (Address(name='', address='ada@x.example'), Address(name='Bob', address='bob@x.example'))
    >>> read_addresses("<ada@x.example> bob@x.example, carol").unread
    ('<ada@x.example> bob@x.example', 'carol')
    """
    return _read_short(value) if len(value) <= AUTHOR_LIMIT else _read(value)


def _read(value: str) -> AddressList:
    if (plain := _PLAIN.fullmatch(value)) and (spec := _spec(plain[3])):
        one = (Address(_name((plain[1] or plain[2] or "",)), spec.lower()),)
        return AddressList(one, (), one)
    return _Reader(value).read()


_read_short = lru_cache(maxsize=64)(_read)
"""Several parts ask for the same fields of one message; bound: those of the last messages."""


def read_author(value: str) -> AddressList:
    """Read From, whose mailboxes are few; one that is longer than any real one could be read in many ways.

    >>> len(read_author("a@x.example, " * 10_000).unread)
    1
    """
    if len(value) <= AUTHOR_LIMIT:
        return read_addresses(value)
    found = read_addresses(value[:AUTHOR_LIMIT])
    return AddressList((), (value[:AUTHOR_LIMIT],), found.likely)


def addresses(value: str) -> tuple[Address, ...]:
    """Read the mailboxes of an address header; anything else is left out.

    >>> addresses('"Lovelace, Ada" <Ada@Lovelace.uk>, charles@babbage.uk (Charles)')
    (Address(name='Lovelace, Ada', address='ada@lovelace.uk'),
     Address(name='Charles', address='charles@babbage.uk'))
    """
    return read_addresses(value).likely if "@" in value else ()


def mailbox(value: str) -> Address:
    """Read the one mailbox of a header; its address is empty where there is none.

    >>> mailbox('"Mailer" <$$$>')
    Address(name='Mailer', address='')
    """
    value = value[:AUTHOR_LIMIT]
    found = addresses(value)
    if found:
        return found[0]
    words = value.partition("<")[0].partition(",")[0]
    return Address(_name((_unquoted(words.strip()) if '"' in words else words.strip(),)), "")


def mailbox_of(spelled: str) -> str | None:
    r"""Return the address that a text stands for, as written in an envelope; `None` where it is not one.

    The local part keeps its case, and loses quotation marks that it does not need (RFC 5321 section 4.1.2).

    >>> [mailbox_of(text) for text in ("Ada <Ada@x.example>", "mailto:ada%2B1@x.example", '"ada"@x.example.')]
    ['Ada@x.example', 'ada+1@x.example', 'ada@x.example']
    >>> [mailbox_of(text) for text in ("ada", "ada@x.example, bob@x.example", "ada@x.example\r\nDATA")]
    [None, None, None]
    """
    found = mailboxes_of(spelled)
    return found[0] if len(found) == 1 else None


def mailboxes_of(spelled: str) -> tuple[str, ...]:
    """Return the addresses that a text stands for, or nothing where a part of it is none.

    >>> mailboxes_of("Ada <ada@x.example>, bob@x.example"), mailboxes_of("ada@x.example, bob")
    (('ada@x.example', 'bob@x.example'), ())
    """
    text = spelled.strip(" \t")
    if len(text) <= LONGEST and _BARE.fullmatch(text):
        return (text,)
    if len(text) > _LONGEST_TEXT or not text.isprintable():
        return ()
    if text[:7].lower() == "mailto:":
        text = unquote(text[7:].partition("?")[0])  # RFC 6068 section 2
        if not text.isprintable():
            return ()
    reader = _Reader(text)
    found = reader.read()
    if found.unread or any(len(address) > LONGEST for address in reader.spelled):
        return ()
    return tuple(reader.spelled)


def comment_end(value: str, start: int) -> int:
    r"""Return where a comment ends; comments nest, and a backslash quotes.

    >>> comment_end(r"(a(b)\)) c", 0)
    8
    """
    depth = 0
    for mark in _COMMENT_MARK.finditer(value, start):
        depth += (mark[0] == "(") - (mark[0] == ")")
        if depth == 0 and mark[0] == ")":
            return mark.end()
        if depth > _MOST_DEPTH:
            break
    return len(value) + 1  # it has no end


class _Reader:
    """Reads one header from the left to the right."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.mailboxes: list[Address] = []
        self.spelled: list[str] = []
        self.unread: list[str] = []
        self.likely: list[Address] = []
        self.is_odd_group = False
        self.start(0)

    def start(self, position: int) -> None:
        """Begin with a mailbox."""
        self.begin = position
        self.words: list[str] = []
        self.bare: list[str] = []
        self.comments: list[str] = []
        self.angles: list[str] = []
        self.is_odd = self.is_odd_group

    def read(self) -> AddressList:
        value, position, size = self.value, 0, len(self.value)
        while position < size:
            if len(self.words) > _MOST_WORDS or len(self.comments) > _MOST_WORDS:
                self.is_odd = True
                break
            if value[position] == "(":
                end = comment_end(value, position)
                self.comments.append(_ESCAPED.sub(r"\1", value[position + 1 : end - 1]).strip())
                self.is_odd |= end > size
                position = end
                continue
            token = _TOKEN.match(value, position)
            if token is None:  # a mark that opens or closes nothing
                self.is_odd = True
                self.words.append("")
                position += 1
                continue
            if token["mark"]:
                self.mark(token["mark"], position)
            else:
                self.word(token)
            position = token.end()
        self.finish(size)
        return AddressList(tuple(self.mailboxes), tuple(self.unread), tuple(self.likely))

    def word(self, token: re.Match[str]) -> None:
        """Take a part of a mailbox."""
        if token["angle"] is not None:
            self.is_odd |= bool(self.angles)
            self.angles.append(token["angle"])
            return
        text = token[0]
        if self.angles and text.strip():
            self.is_odd = True  # an address, or a word, behind the address
        if not token["literal"]:
            self.words.append(_unquoted(text) if token["quoted"] else text.strip())
        self.bare.append(text)

    def mark(self, mark: str, position: int) -> None:
        """End a mailbox, or take what stands in front of a colon for the name of a group."""
        if mark != ":":
            self.finish(position)
            self.is_odd_group &= mark != ";"
            self.start(position + 1)
            return
        self.is_odd_group |= bool(self.angles) or "@" in "".join(self.bare) or self.is_odd
        self.start(position + 1)

    def finish(self, end: int) -> None:
        """Note the mailbox that ends here."""
        if not (self.bare or self.angles or self.is_odd):
            return
        text = self.value[self.begin : end].strip()
        bare = "".join(self.bare)
        if not (text and (bare.strip() or self.angles or self.is_odd)):
            return
        spec = _spec(self.angles[0] if self.angles else bare)
        if self.angles:
            shown = "".join(piece for piece in self.bare if piece[:1] != '"')
            self.is_odd |= "@" in shown and _spec(shown).lower() != spec.lower()
            box = Address(_name(self.words) or _name(self.comments), spec.lower())
        else:
            names = (word for word in self.words if "@" not in word)
            box = Address(_name(self.comments) or _name(names), spec.lower())
        if spec and not self.is_odd:
            self.mailboxes.append(box)
            self.spelled.append(spec)
            self.likely.append(box)
            return
        self.unread.append(text)
        guess = spec or _likely(text)
        if guess:
            self.likely.append(Address(box.name, guess.lower()))


def _spec(text: str) -> str:
    """Return the address in the text of an angle address, or of one that stands alone; or an empty string."""
    text = text.strip()
    if text[:1] == "@" and (route := _ROUTE.match(text)):  # RFC 5322 section 4.4
        text = text[route.end() :].strip()
    if text[:7].lower() == "mailto:":
        text = text[7:]
    if len(text) > 1 and text[0] == text[-1] == "'":
        text = text[1:-1]
    if "(" in text:
        end = comment_end(text, text.index("("))
        text = (text[: text.index("(")] + text[end:]).strip()
    found = _ADDRESS.fullmatch(text.removesuffix("."))
    if found is None or not text.isprintable():
        return ""
    local, domain = found[1], found[2]
    if "" in domain.split(".") or local == '""':
        return ""
    if local[0] == '"':
        plain = _ESCAPED.sub(r"\1", local[1:-1])
        return f"{plain if _ATOM.fullmatch(plain) else local}@{domain}"
    return f"{local}@{domain}"


def _likely(text: str) -> str:
    """Return the first address in a text that is not a mailbox, as "ada@lovelace.uk wrote".

    It is one that could be mailed: outside a name, and with a domain of two labels (RFC 5321 section 2.3.5).
    """
    found = _ADDRESS.search(_QUOTED_NAME.sub(" ", text) if '"' in text else text)
    return f"{found[1]}@{found[2]}".strip("'.") if found and "." in found[2].strip(".") else ""


def _name(words: Iterable[str]) -> str:
    """Join the words of a display name."""
    name = " ".join(word for word in words if word).strip()
    return name[1:-1].strip() if len(name) > 1 and name[0] == name[-1] == "'" else name


def _unquoted(token: str) -> str:
    """Take the quotation marks off a quoted string (RFC 5322 section 3.2.4)."""
    inner = token[1:-1] if len(token) > 1 and token.endswith('"') else token[1:]
    return _ESCAPED.sub(r"\1", inner).strip()
