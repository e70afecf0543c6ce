"""What is done to the HTML of one message for one recipient, and how it is taken back: edits, no I/O."""

from __future__ import annotations

import binascii
import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mailflows._html.tree import MAX_ELEMENTS, Tree, parse
from mailflows._mail.decoding import decoded, listed_urls, parameters
from mailflows._mail.edit import Edit, TextPart, fields, newline_of, sources_of, text_parts
from mailflows._token import Purpose
from mailflows.errors import ConfigurationError
from mailflows.tracking._addresses import CLICK_FIELDS, HONEYPOT, PRINTABLE, Addresses
from mailflows.tracking._links import Link, Rules

if TYPE_CHECKING:
    from mailflows._html.tree import Element

__all__ = [
    "Page",
    "Rewriting",
    "as_printable",
    "has_pixel",
    "is_sealed",
    "pages",
    "signed_for",
    "undone",
    "unread",
    "unsubscribe_urls",
]

LINE_LIMIT = 998
"""Octets of a line (RFC 5322 section 2.1.1)."""

CLIP = 100_000  # choice: below the 102 kB at which Gmail clips
"""Characters of HTML behind which Gmail hides the rest, and a pixel in it: about 102 kB."""

_SEALED = frozenset({"multipart/signed", "multipart/encrypted"})


class Page(NamedTuple):
    """A part of a message that is HTML, and its tree: it is read once, and asked many times."""

    part: TextPart
    tree: Tree


def pages(raw: bytes) -> list[Page]:
    """Return the HTML parts of a message that can be edited: not those of two or four octets a letter."""
    found = (part for part in text_parts(raw) if part.content_type == "text/html")
    return [Page(part, parse(part.text)) for part in found if "\0" not in part.text]


def unread(raw: bytes) -> list[tuple[str, str]]:
    """Return the source of each page of a message that is not edited, and why, a code of `SKIPPED`."""
    found = []
    for part in text_parts(raw):
        if part.content_type == "text/html" and "\0" in part.text:
            found.append((_wide(part.text.encode(part.codec, "surrogateescape")), "charset"))
        elif part.content_type == "text/plain" and _ANCHOR.search(part.text):
            found.append((part.text, "not-html"))
    return found


_ANCHOR = re.compile(r"<a\s[^<>]{0,200}href", re.IGNORECASE)


def _wide(data: bytes) -> str:
    """Return a text of two or four octets a letter (RFC 2781); without a mark, the zeros tell the order."""
    marks = (
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
    )
    for mark, codec in (*marks, (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(mark):
            return data.decode(codec, "replace")
    first = max(data.find(b"<"), 0)
    is_long = bytes(3) in {data[first + 1 : first + 4], data[max(first - 3, 0) : first]}
    width = 32 if is_long else 16
    order = "le" if first % (width // 8) == 0 else "be"
    return data.decode(f"utf-{width}-{order}", "replace")


def as_printable(raw: bytes, part: TextPart) -> bytes:
    """Return a message with one of its parts as quoted-printable, whose lines are never too long.

    The text stays what it is (RFC 2045 section 6.7).
    """
    newline = newline_of(raw)
    start = raw.rfind(b"\n--", 0, part.start) + 1
    head = raw[start : part.start]
    field = b"Content-Transfer-Encoding: quoted-printable"
    if found := _ENCODING.search(head):
        head = head[: found.start()] + field + head[found.end() :]
    else:
        head = head.removesuffix(newline) + field + newline + newline
    body = binascii.b2a_qp(raw[part.start : part.stop], istext=True)
    return raw[:start] + head + body + raw[part.stop :]


_ENCODING = re.compile(
    rb"^content-transfer-encoding[ \t]*:[^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*", re.IGNORECASE | re.MULTILINE
)


def is_sealed(raw: bytes) -> bool:
    """Return whether a message is signed or encrypted as a whole (S/MIME, PGP): a change would break it."""
    kinds = [raw[a:b] for name, a, b in fields(raw) if name == "content-type"]
    value = kinds[0].decode("latin-1").partition(":")[2] if kinds else ""
    return parameters(" ".join(value.split()))[0] in _SEALED


def unsubscribe_urls(raw: bytes) -> frozenset[str]:
    """Return what a message itself calls its unsubscribe links (RFC 2369 section 3.2)."""
    rows = [raw[a:b].decode("latin-1") for name, a, b in fields(raw) if name == "list-unsubscribe"]
    return frozenset(url for row in rows for url in listed_urls(row))


@dataclass(frozen=True, slots=True)
class Rewriting:
    """The edits of a message for one recipient.

    Attributes:
        addresses: Makes the new addresses.
        rules: Which links are left alone.
        campaign: The mailing.
        recipient: The opaque id of the recipient.
        added: Parameters that the targets get, as a query; may be empty.
    """

    addresses: Addresses
    rules: Rules
    campaign: str
    recipient: str
    added: str

    def links(self, raw: bytes, page: Page) -> list[tuple[Link, Edit | None]]:
        """Return what is done with every link of a page, and the edit that does it."""
        part = page.part
        judged = self.rules.judge(page.tree, self.addresses.original)
        sources = sources_of(raw, part, [(found.value_start, found.value_end) for found, _ in judged])
        room = _LineRoom(part)
        decided: list[tuple[Link, Edit | None]] = []
        for (found, link), source in zip(judged, sources, strict=True):
            place = found.value_start, found.value_end
            url = self._click(found.raw(part.text), source, part) if link.is_tracked else ""
            if not link.is_tracked:
                decided.append((link, None))
            elif not url:
                decided.append((Link(link.url, "unusual"), None))
            elif not room.takes(*place, len(url)):
                decided.append((Link(link.url, "line"), None))
            else:
                decided.append((link, Edit(*place, url)))
        return decided

    def pixel(self, page: Page, recipient: str) -> Edit | None:
        """Return the edit that adds the pixel: at the end, or at the start of a page that will be clipped.

        A page that breaks off in a tag or a comment gets none: it would become a part of that.
        """
        pixel = _pixel(self.addresses.make(Purpose.OPEN, self.campaign, recipient))
        place = _place_of_pixel(page.tree)
        return Edit(place, place, pixel) if _stays_apart(page.tree, place) else None

    def _click(self, value: str, source: bytes, part: TextPart) -> str:
        """Return the tracked address of a link, or an empty string where it could not be restored."""
        written, coding = value, ""
        if part.encoding == "quoted-printable" and source != value.encode():
            if not source.isascii() or decoded(source, part.encoding) != value.encode():
                return ""
            written, coding = source.decode("ascii"), PRINTABLE
        try:
            return self.addresses.make(
                Purpose.CLICK, self.campaign, self.recipient, written, coding, self.added
            )
        except ConfigurationError:  # longer than a token may be
            return ""


class _LineRoom:
    """Keeps lines that are transferred as they are within 998 octets; longer ones are what they are."""

    def __init__(self, part: TextPart) -> None:
        self._text, self._is_free = part.text, bool(part.encoding)
        self._end, self._length = -1, 0

    def takes(self, start: int, end: int, length: int) -> bool:
        """Return whether a line may take so many characters in the place of others, and count them if so."""
        if self._is_free:
            return True
        if start > self._end:
            self._begin(start)
        grown = self._length + length - (end - start)
        if self._length <= LINE_LIMIT < grown:
            return False
        self._length = grown
        return True

    def _begin(self, position: int) -> None:
        """Go on with the line of a position."""
        first = self._text.rfind("\n", max(self._end, 0), position) + 1 or max(self._end, 0)
        end = self._text.find("\n", position)
        self._end = end if end >= 0 else len(self._text)
        self._length = len(self._text[first : self._end].encode("utf-8", "replace"))


def _place_of_pixel(tree: Tree) -> int:
    """Return where a pixel goes: in front of the end of the body, unless that will be clipped."""
    outer = tree.named("body", "html")
    ends = [tag.inner_end for name in ("body", "html") for tag in outer if tag.is_closed and tag.name == name]
    place = ends[0] if ends else len(tree.source)
    start = next((tag.inner for tag in outer if tag.name == "body"), 0)
    return start if place > CLIP and start else place


def _stays_apart(tree: Tree, place: int) -> bool:
    """Return whether a picture at the place of a pixel is one tag more, and changes no other.

    In front of and behind a tag it is; at the end of the source, unless a tag or a comment is open there.
    """
    return len(tree.elements) < MAX_ELEMENTS and not (tree.is_cut and place == len(tree.source))


_PIXEL_STYLE = "display:block;position:absolute;width:1px;height:1px;margin:-1px 0 0;border:0"


def _pixel(url: str) -> str:
    """Return a picture of one dot that moves nothing; not hidden, because some programs load nothing hidden.

    It stands outside of the layout; where a program takes *position* away, the margin takes its height back.
    """
    return f'<img src="{url}" width="1" height="1" alt="" style="{_PIXEL_STYLE}">'


def has_pixel(page: Page, addresses: Addresses) -> bool:
    """Return whether a page has a pixel of ours."""
    return any(_pixel_url(tag, page.part.text, addresses) for tag in page.tree.named("img"))


def _pixel_url(picture: Element, text: str, addresses: Addresses) -> str:
    """Return the address of a pixel of ours, or an empty string."""
    found = picture.attribute("src")
    url = found.raw(text) if found else ""
    return url if url.startswith(addresses.prefix(Purpose.OPEN)) else ""


def signed_for(page: Page, addresses: Addresses) -> list[tuple[tuple[str, str], bool]]:
    """Return campaign and recipient of all that is signed in a page, and whether it is a pixel.

    What another key signed is nobody's, of no campaign.
    """
    if addresses.base_url not in page.part.text:
        return []
    found: list[tuple[tuple[str, str], bool]] = []
    for tag in page.tree.elements:
        url = tag.get("src" if tag.name == "img" else "href").strip()
        if not url.startswith(addresses.base_url):
            continue
        tokens = (addresses.token_in(url, purpose) for purpose in Purpose if purpose is not Purpose.BOUNCE)
        if token := next((token for token in tokens if token), None):
            found.append(((token.fields[0], token.fields[1]), token.purpose is Purpose.OPEN))
        elif addresses.is_foreign(url):
            found.append((("", ""), False))
    return found


def undone(page: Page, addresses: Addresses) -> list[Edit]:
    """Return the edits that take back what was done to a page."""
    edits = (
        _without_pixel(tag, page.part, addresses) or _original(tag, page.part, addresses)
        for tag in page.tree.elements
    )
    return [edit for edit in edits if edit]


def _without_pixel(tag: Element, part: TextPart, addresses: Addresses) -> Edit | None:
    """Return the edit that takes away a pixel that is as we made it."""
    url = _pixel_url(tag, part.text, addresses) if tag.name == "img" else ""
    is_ours = part.text[tag.start : tag.inner] == _pixel(url) and addresses.token_in(url, Purpose.OPEN)
    return Edit(tag.start, tag.inner, "", b"") if is_ours else None


def _original(tag: Element, part: TextPart, addresses: Addresses) -> Edit | None:
    """Return the edit that puts the source of a tracked link back."""
    found = tag.attribute("href")
    token = addresses.token_in(found.raw(part.text), Purpose.CLICK) if found else None
    if not found or not token or len(token.fields) != CLICK_FIELDS or token.fields[3] == HONEYPOT:
        return None
    source = token.fields[2]
    verbatim = source.encode() if part.encoding == "quoted-printable" else None
    return Edit(found.value_start, found.value_end, source, verbatim)
