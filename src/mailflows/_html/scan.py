"""HTML of a message → text, links, images and layout facts, in one linear pass.

Why not a parser: a message is not shown here, it is counted. One compiled expression whose parts
cannot overlap finds tag, attributes and following text; it never looks back, so its time grows with
the input alone (``<a `` twenty thousand times included). ``benchmarks/html_parsers.py`` measures it beside
html.parser, lxml and selectolax.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from html import unescape

# Name, attributes, text up to the next "<"; or a "<" that opens no tag, and its text. No two
# neighbours accept the same character.
_TAG = re.compile(r"<(?:(/?[a-zA-Z!?][^\s<>/]*)([^<>]*)>?)?([^<]*)")
_HREF = re.compile(r"""(?<![\w-])href\s{0,9}=\s{0,9}("[^"]*|'[^']*|[^\s>"']+)""", re.IGNORECASE)
_IMAGE_ATTRIBUTE = re.compile(
    r"""(?<![\w-])(alt|width|height)\s{0,9}=\s{0,9}("[^"]*|'[^']*|[^\s>"']+)""", re.IGNORECASE
)
# Characters that show nothing: they pad previews, and hide words from readers like this one.
_UNSEEN = "\u200b\u200c\u200d\u200e\u200f\u2060\u034f\u00ad\ufeff"
_REFERENCE = re.compile(r"&[#\w]{1,32};")
_LONG_NUMBER = re.compile(r"&#[0-9]{9,}")
_PIXELS = re.compile(r"[0-9]{1,5}")
_HIDDEN = {"<!--": "-->", "<style": "</style", "<script": "</script", "<title": "</title"}

MAX_LINKS = 500
"""Links looked at; a message with more tells nothing new."""

_MAX_MENDS = 9

_BREAKS = dict.fromkeys(
    (
        "br /br p /p div /div tr /tr table /table li /li ul /ul ol /ol h1 /h1 h2 /h2 h3 /h3 h4 /h4 h5 "
        "h6 hr pre /pre blockquote /blockquote center section article td /td th dt dd"
    ).split(),
    "\n",
)


@dataclass(frozen=True, slots=True)
class Link:
    """An ``<a href>``: its target, the text a reader sees, and how it is drawn."""

    href: str
    text: str
    has_image: bool
    is_button: bool


@dataclass(frozen=True, slots=True)
class Image:
    """An ``<img>``: alternative text, and its size in pixels where the markup says."""

    alt: str | None
    width: int | None
    height: int | None


@dataclass(frozen=True, slots=True)
class Document:
    """What can be seen in the HTML of a message.

    Attributes:
        text: The visible text; block elements end a line.
        links: The first `MAX_LINKS` anchors that have a target.
        images: The images.
        tags: Opening tag names, lower case, in order.
        counts: How often each opening tag occurs.
        style: The joined content of ``<style>`` elements, lower case.
        lower: The whole source in lower case, for presence tests.
    """

    text: str
    links: tuple[Link, ...]
    images: tuple[Image, ...]
    tags: tuple[str, ...]
    counts: Counter[str]
    style: str
    lower: str


def scan(source: str) -> Document:
    """Read HTML, any HTML, and never raise."""
    lower = lowered(source)
    source, style = _without_hidden(source, lower)
    pieces = _TAG.findall(source)
    start = source.find("<")
    words = [source if start < 0 else source[:start]]
    if '"' in source:
        pieces = [_mended(piece) if '"' in piece[2] else piece for piece in pieces]
    names = [piece[0].lower() for piece in pieces]
    breaks = _BREAKS.get
    words += [breaks(name, "") + piece[2] for name, piece in zip(names, pieces, strict=True)]
    links, images = _links_and_images(names, pieces)
    tags = tuple(name for name in names if name[:1].isalpha())
    return Document(
        text=plain("".join(words)),
        links=links,
        images=images,
        tags=tags,
        counts=Counter(tags),
        style=style,
        lower=lower,
    )


def lowered(source: str) -> str:
    """Return a text in lower case, as long as it was, so that offsets are the same in both.

    >>> len(lowered("İ <B>"))
    5
    """
    # "İ".lower() is two characters; it is the only letter that grows.
    return source.replace("İ", "i").lower() if "İ" in source else source.lower()


def plain(text: str) -> str:
    """Unescape entities, drop what is not seen and fold white space; line breaks stay."""
    if "&" in text:
        text = text.replace("&nbsp;", " ")
        if "&" in text:
            text = unescaped(text)
    if not text.isascii():
        text = seen(text)
    return "\n".join([folded for line in text.split("\n") if (folded := " ".join(line.split()))])


def seen(text: str) -> str:
    """Drop characters that show nothing.

    >>> seen("vi\u200bsible")
    'visible'
    """
    for character in _UNSEEN:
        if character in text:  # a search is far cheaper than a pass that replaces nothing
            text = text.replace(character, "")
    return text


def unescaped(text: str) -> str:
    """Replace character references; one with thousands of digits is no number for Python."""
    try:
        return unescape(text)
    except ValueError:
        return unescape(_LONG_NUMBER.sub("\ufffd", text))


def unescaped_attribute(raw: str) -> str:
    """Replace the character references of an attribute's value.

    >>> unescaped_attribute("/?a=1&amp;copy=2&copy=3&#233;")
    '/?a=1&copy=2&copy=3é'

    A reference needs its semicolon: «&copy=3» is a parameter (HTML Living Standard, section 13.2.5.73).
    """
    if "&" not in raw:
        return raw
    if raw.count("&") == raw.count("&amp;"):  # as in nearly every link with parameters
        return raw.replace("&amp;", "&")
    return _REFERENCE.sub(_character, raw)


def _character(match: re.Match[str]) -> str:
    return unescape(match[0])


def _mended(piece: tuple[str, str, str]) -> tuple[str, str, str]:
    """Give a tag back what follows a «>» inside one of its quoted attributes."""
    name, attributes, text = piece
    for _ in range(_MAX_MENDS):
        if attributes.count('"') % 2 == 0:
            break
        value, mark, rest = text.partition('"')
        more, bracket, rest = rest.partition(">")
        if not mark or not bracket:
            break
        attributes, text = f'{attributes}>{value}"{more}', rest
    return name, attributes, text


def _without_hidden(source: str, lower: str) -> tuple[str, str]:
    """Cut out comments, styles, scripts and the title; return the rest, and the styles in lower case.

    What opens first hides the others: a comment mark in a style hides nothing, and a style in a
    comment neither. An opening without its end hides everything behind it, as in a browser.
    """
    kept: list[str] = []
    styles: list[str] = []
    position = 0
    ahead = {mark: lower.find(mark) for mark in _HIDDEN}
    while starts := [(start, mark) for mark, start in ahead.items() if start >= 0]:
        start, mark = min(starts)
        kept.append(source[position:start])
        end = lower.find(_HIDDEN[mark], start + 2)  # "<!-->" is a whole comment
        if mark == "<style":
            styles.append(lower[start : end if end >= 0 else len(lower)])
        position = lower.find(">", end) + 1 if end >= 0 else 0
        if not position:
            return "".join(kept), "\n".join(styles)
        for other, found in ahead.items():
            if 0 <= found < position:
                ahead[other] = lower.find(other, position)
    kept.append(source[position:])
    return "".join(kept), "\n".join(styles)


def _links_and_images(
    names: list[str], pieces: list[tuple[str, str, str]]
) -> tuple[tuple[Link, ...], tuple[Image, ...]]:
    """Collect anchors with their text, and images, in one walk."""
    links: list[Link] = []
    images: list[Image] = []
    href, raw, has_image = "", "", False
    words: list[str] = []
    for name, (_, attributes, text) in zip(names, pieces, strict=True):
        if name in _ANCHORS:
            if href:
                links.append(_link(href, raw, words, has_image=has_image))
            raw, words, has_image = attributes, [], False
            href = _href(raw) if name != "/a" and len(links) < MAX_LINKS else ""
            if name == "area" and href:  # it has no content: what follows is not its text
                links.append(_link(href, raw, [_described(raw).get("alt", "")], has_image=True))
                href = ""
        elif name == "img":
            images.append(image := _image(attributes))
            has_image = True
            words.append(f" {image.alt or ''} ")
        if href:
            words.append(text)
    if href:
        links.append(_link(href, raw, words, has_image=has_image))
    return tuple(links), tuple(images)


_ANCHORS = frozenset(("a", "area", "/a"))
_DRAWN = ("background", "padding", "border-radius", "button", "btn")


def _href(raw: str) -> str:
    """Return the target of an anchor, unescaped, or an empty string."""
    found = _HREF.search(raw)
    return _value(found[1]).strip() if found else ""


def _value(raw: str) -> str:
    """Return the value of an attribute without its opening quotation mark, unescaped."""
    return unescaped_attribute(raw[1:] if raw[:1] in {'"', "'"} else raw)


def _link(href: str, raw: str, words: list[str], *, has_image: bool) -> Link:
    """Finish an anchor; one with its own background, padding or class «button» is a button."""
    text = "".join(words)
    text = " ".join((plain(text) if "&" in text or not text.isascii() else text).split())
    look = raw.replace(href, "").lower()
    return Link(href, text, has_image=has_image, is_button=any(mark in look for mark in _DRAWN))


def _described(raw: str) -> dict[str, str]:
    """Return the attributes of an image that are looked at; the first of a name counts."""
    found: dict[str, str] = {}
    for name, value in _IMAGE_ATTRIBUTE.findall(raw):
        found.setdefault(name.lower(), _value(value))
    return found


def _image(raw: str) -> Image:
    """Read an image's attributes."""
    found = _described(raw)
    return Image(found.get("alt"), _pixels(found.get("width")), _pixels(found.get("height")))


def _pixels(value: str | None) -> int | None:
    """Read «600» or «600px»; a percentage or anything else is no number of pixels."""
    digits = (value or "").strip().lower().removesuffix("px").strip()
    return int(digits) if _PIXELS.fullmatch(digits) else None
