"""HTML of a message → text, links, images and layout facts, in one linear pass.

Why not a parser: a message is not shown here, it is counted. One compiled expression whose parts
cannot overlap finds tag, attributes and following text; it never looks back, so its time grows with
the input alone (``<a `` twenty thousand times included). ``benchmarks/html_parsers.py`` compares it with
html.parser, lxml and selectolax.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from html import unescape
from itertools import pairwise
from typing import NamedTuple

# Name, attributes, and text up to the next tag; a "<" that opens no tag is text. No two neighbours accept the
# same character. No group is repeated with "*+": Python before 3.11.5 goes astray there (gh-106052).
_TAG = re.compile(r"<(/?[a-zA-Z!?][^\s<>/]*+)([^<>]*+)>?+([^<]*+(?:<(?!/?[a-zA-Z!?])[^<]*+)*)")
# An attribute stands behind white space, a quotation mark or a slash: one of few characters is found fast.
_HREF = re.compile(r"""[\s"'/]href\s{0,9}=\s{0,9}("[^"]*|'[^']*|[^\s>"']+)""", re.IGNORECASE)
_IMAGE_ATTRIBUTE = re.compile(
    r"""[\s"'/]([aA][lL][tT]|[wW][iI][dD][tT][hH]|[hH][eE][iI][gG][hH][tT])\s{0,9}=\s{0,9}("[^"]*|'[^']*|[^\s>"']+)"""
)
# Characters that show nothing: they pad previews, and hide words from readers like this one.
_UNSEEN = "\u200b\u200c\u200d\u200e\u200f\u2060\u034f\u00ad\ufeff"
_REFERENCE = re.compile(r"&[#\w]{1,32};")
_LONG_NUMBER = re.compile(r"&#[0-9]{9,}")
_PIXELS = re.compile(r"[0-9]{1,5}")
_HIDDEN = {
    "<!--": "-->",
    "<!": ">",
    "<?": ">",
    "</ ": ">",
    **{f"<{name}": f"</{name}" for name in "style script title iframe noembed noframes".split()},
    **{f"<{name}": f"</{name}" for name in ("textarea", "xmp")},
    "<plaintext": "</plaintext>\0",  # which nothing ends
}
"""What opens a stretch that holds no tags, and what ends it (HTML Living Standard, section 13.2.5)."""

_HIDES = re.compile(
    f"<(?:!--|[!?]|/ |(?:{'|'.join(mark[1:] for mark in _HIDDEN if mark[1].isalpha())})(?=[ \\t\\r\\n\\f/>]))"
)
"""A mark that opens one; a name is whole: '<styled' is not a style."""

_SHOWN_RAW = frozenset(("<textarea", "<xmp", "<plaintext"))
_COMMENT_END = re.compile("--!?>")

# A mark inside a quoted value, or a quotation mark that is not closed: what `_TAG` does not read alone.
_MARK_IN_VALUE = re.compile(r"""=\s{0,9}(?:"[^"<>]*+[<>]|'[^'<>]*+[<>])""")
ATTRIBUTES = (
    r"""(?:[\s/]*+[^\s/>][^\s/>=]*+"""
    r"""(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+|(?=>))|(?!\s*+=)))*"""
)
"""All attributes of a tag (HTML Living Standard, section 13.2.5); an open quotation mark ends none."""

_TAGS = re.compile(rf"<[a-zA-Z][^\s/>]*+{ATTRIBUTES}[\s/]*+>|(<[a-zA-Z])")
"""Tags; the group has what starts as one and is none."""

_NEAR = 20_000  # bound: characters of a drawing; looking further back would make the time quadratic
_FIRST_TAG = re.compile("</?[a-zA-Z!?]")

MAX_LINKS = 500
"""Links looked at; a message with more tells nothing new. A bound on work."""

_BREAKS = dict.fromkeys(
    (
        "br /br p /p div /div tr /tr table /table li /li ul /ul ol /ol h1 /h1 h2 /h2 h3 /h3 h4 /h4 h5 "
        "h6 hr pre /pre blockquote /blockquote center section article td /td th dt dd"
    ).split(),
    "\n",
)


class Link(NamedTuple):  # a tuple is made three times as fast, and a page has hundreds
    """An ``<a href>``: its target, the text a reader sees, and how it is drawn."""

    href: str
    text: str
    has_image: bool
    is_button: bool


class Image(NamedTuple):
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
    if source.rfind("<") > source.rfind(">") or _MARK_IN_VALUE.search(source):
        source = _without_marks_in_values(source)
    pieces = _pieces(source)
    first = _FIRST_TAG.search(source)
    words = [source[: first.start()] if first else source]
    names = [piece[0].lower() for piece in pieces]
    breaks = _BREAKS.get
    words += [breaks(name, "") + piece[2] for name, piece in zip(names, pieces, strict=True)]
    links, images = _links_and_images(names, pieces)
    tags = tuple([name for name in names if name[0] not in _NO_START])
    return Document(
        text=plain("".join(words)),
        links=links,
        images=images,
        tags=tags,
        counts=Counter(tags),
        style=style,
        lower=lower,
    )


def _pieces(source: str) -> list[tuple[str, str, str]]:
    """Return the tags with what follows them; of a long source in steps, between which other threads run."""
    if len(source) <= _AT_ONCE:
        return _TAG.findall(source)
    found: list[tuple[str, str, str]] = []
    start = 0
    while start < len(source):
        tag = _FIRST_TAG.search(source, start + _AT_ONCE)
        stop = tag.start() if tag else len(source)
        found += _TAG.findall(source, start, stop)
        start = stop
    return found


_AT_ONCE = 100_000
"""choice: letters, of which a real page has fewer; a search that goes on holds every other thread."""


def lowered(source: str) -> str:
    """Return a text in lower case, of the same length, so that offsets are the same in both.

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
    """Replace character references; one with thousands of digits is not a number for Python."""
    try:
        return unescape(text)
    except ValueError:
        return unescape(_LONG_NUMBER.sub("\ufffd", text))


def unescaped_attribute(raw: str) -> str:
    """Replace the character references of an attribute's value.

    >>> unescaped_attribute("/?a=1&amp;copy=2&copy=3&#233;")
    '/?a=1&copy=2&copy=3é'

    A reference needs its semicolon: '&copy=3' is a parameter (HTML Living Standard, section 13.2.5.73).
    """
    if "&" not in raw:
        return raw
    if raw.count("&") == raw.count("&amp;"):  # as in nearly every link with parameters
        return raw.replace("&amp;", "&")
    return _REFERENCE.sub(_character, raw)


def attribute_value(raw: str) -> str:
    """Return an attribute's value as a browser reads it, without the white space around it.

    >>> attribute_value(" https://shop.example/?a=1&amp;copy=2 ")
    'https://shop.example/?a=1&copy=2'
    """
    return unescaped_attribute(raw).strip()


def _character(match: re.Match[str]) -> str:
    return unescape(match[0])


def _without_marks_in_values(source: str) -> str:
    """Write the marks '<' and '>' in quoted values as references, and leave out a tag without an end."""
    pieces: list[str] = []
    position = 0
    for tag in _TAGS.finditer(source):
        if tag.lastindex:  # the source ends in it, and a browser shows nothing of it
            return "".join((*pieces, source[position : tag.start()]))
        inner = tag[0][1:-1]
        if "<" in inner or ">" in inner:
            inner = inner.replace("<", "&lt;").replace(">", "&gt;")
            pieces += (source[position : tag.start()], "<", inner, ">")
            position = tag.end()
    return "".join((*pieces, source[position:]))


def _without_hidden(source: str, lower: str) -> tuple[str, str]:
    """Cut out comments, styles, scripts and the like; return the rest, and the styles in lower case.

    What opens first hides the others: a comment mark in a style hides nothing, and a style in a
    comment neither. An opening without its end hides everything behind it, as in a browser. In SVG, a style
    holds markup.
    """
    kept: list[str] = []
    styles: list[str] = []
    position = place = 0
    has_svg = "<svg" in lower or "<math" in lower
    while found := _HIDES.search(lower, place):
        start, mark = found.start(), found[0]
        if has_svg and mark[1].isalpha() and _in_svg(lower, start):
            place = start + 1
            continue
        kept.append(source[position:start])
        end, position = _hidden_end(lower, start, mark)
        if mark == "<style":
            styles.append(lower[start:end])
        elif mark in _SHOWN_RAW:
            kept.append(" " + source[lower.find(">", start) + 1 : end].replace("<", "&lt;") + " ")
        if position < 0:
            return "".join(kept), "\n".join(styles)
        place = position
    kept.append(source[position:])
    return "".join(kept), "\n".join(styles)


def _in_svg(lower: str, position: int) -> bool:
    """Return whether a place stands in SVG or MathML, where names that hide in HTML hide nothing."""
    first = max(0, position - _NEAR)
    before = max(lower.rfind("<svg", first, position), lower.rfind("<math", first, position))
    ends = (lower.rfind(name, before, position) for name in ("</svg", "</math"))
    return before >= 0 and max(ends) < 0


def _hidden_end(lower: str, start: int, mark: str) -> tuple[int, int]:
    """Return where hidden text ends, and where what is seen goes on; -1 if nothing does."""
    if mark == "<!--":
        if lower.startswith((">", "->"), start + 4):
            end = lower.index(">", start)
            return end, end + 1
        found = _COMMENT_END.search(lower, start + 4)
        return (found.start(), found.end()) if found else (len(lower), -1)
    end = lower.find(_HIDDEN[mark], start + 2)
    if end < 0:
        return len(lower), -1
    behind = lower.find(">", end) + 1
    return end, behind or -1


def _links_and_images(
    names: list[str], pieces: list[tuple[str, str, str]]
) -> tuple[tuple[Link, ...], tuple[Image, ...]]:
    """Collect anchors with their text, and images, in one walk."""
    links: list[Link] = []
    images: list[Image] = []
    href, raw, has_image = "", "", False
    words: list[str] = []
    places = [place for place, name in enumerate(names) if name in _LOOKED_AT]
    for place, following in pairwise((*places, len(names))):
        name, attributes = names[place], pieces[place][1]
        if name == "img":
            images.append(image := _image(attributes))
            has_image = True
            words.append(f" {image.alt or ''} ")
        else:
            if href:
                links.append(_link(href, raw, words, has_image=has_image))
            raw, words, has_image = attributes, [], False
            href = _href(raw) if name != "/a" and len(links) < MAX_LINKS else ""
            if name == "area" and href:  # it has no content: what follows is not its text
                links.append(_link(href, raw, [_described(raw).get("alt", "")], has_image=True))
                href = ""
        if href:
            words += [piece[2] for piece in pieces[place:following]]
    if href:
        links.append(_link(href, raw, words, has_image=has_image))
    return tuple(links), tuple(images)


_NO_START = frozenset("/!?")
_LOOKED_AT = frozenset(("a", "area", "/a", "img"))
_QUOTES = frozenset("\"'")
_DRAWN = ("background", "padding", "border-radius", "button", "btn")


def _href(raw: str) -> str:
    """Return the target of an anchor, unescaped, or an empty string."""
    found = _HREF.search(raw)
    return _value(found[1]).strip() if found else ""


def _value(raw: str) -> str:
    """Return the value of an attribute without its opening quotation mark, unescaped."""
    value = raw[1:] if raw[:1] in _QUOTES else raw
    return unescaped_attribute(value) if "&" in value else value


def _link(href: str, raw: str, words: list[str], *, has_image: bool) -> Link:
    """Finish an anchor; one with its own background, padding or class 'button' is a button."""
    text = "".join(words)
    text = " ".join((plain(text) if "&" in text or not text.isascii() else text).split())
    look = raw.replace(href, "").lower()
    return Link(href, text, has_image=has_image, is_button=any(mark in look for mark in _DRAWN))


def _described(raw: str) -> dict[str, str]:
    """Return the attributes of an image that are looked at; the first of a name counts."""
    return {name.lower(): _value(value) for name, value in reversed(_IMAGE_ATTRIBUTE.findall(raw))}


def _image(raw: str) -> Image:
    """Read an image's attributes."""
    found = _described(raw).get
    return Image(found("alt"), _pixels(found("width")), _pixels(found("height")))


def _pixels(value: str | None) -> int | None:
    """Read '600' or '600px'; a percentage or anything else is not a number of pixels."""
    if not value:
        return None
    digits = value if value.isdecimal() else value.strip().lower().removesuffix("px").strip()
    return int(digits) if _PIXELS.fullmatch(digits) else None
