"""HTML of a message → text, links, images and layout facts, in one linear pass.

Why not a parser: a message is not shown here, it is counted. One compiled expression whose parts
cannot overlap finds tag, attributes and following text; it never looks back, so its time grows with
the input alone (``<a `` × 20,000 included). ``benchmarks/html_parsers.py`` measures it beside
html.parser, lxml and selectolax.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from html import unescape

# name, attributes, text up to the next "<". No two neighbours accept the same character.
_TAG = re.compile(r"<(/?[a-zA-Z][^\s<>/]*)([^<>]*)>?([^<]*)")
_ATTRIBUTE = re.compile(
    r"""(?<![\w-])(href|src|alt|width|height|style|class|id|title)\s{0,9}=\s{0,9}"""
    r"""("[^"]*|'[^']*|[^\s>"']+)""",
    re.IGNORECASE,
)
_SPACES = re.compile(r"[ \t\r\f\v\u00a0\u200b\u200c\u200d\u034f\u00ad\ufeff]+")

MAX_LINKS = 500
"""Links looked at; a message with more tells nothing new."""

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
    """An ``<img>``: source, alternative text, and its size in pixels where the markup says."""

    src: str
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
    lower = source.lower()
    if len(lower) != len(source):  # "İ".lower() is two characters: offsets would differ
        source = lower
    source, lower_body, style = _without_hidden(source, lower)
    pieces = _TAG.findall(source)
    names = [name.lower() for name, _, _ in pieces]
    breaks = _BREAKS.get
    start = source.find("<")
    words = [source if start < 0 else source[:start]]
    words += [breaks(name, "") + piece[2] for name, piece in zip(names, pieces, strict=True)]
    links, images = _links_and_images(names, pieces)
    tags = tuple(name for name in names if name[0] != "/")
    return Document(
        text=plain("".join(words)),
        links=links,
        images=images,
        tags=tags,
        counts=Counter(tags),
        style=style,
        lower=lower_body,
    )


def plain(text: str) -> str:
    """Unescape entities and fold white space; line breaks stay."""
    if "&" in text:
        text = unescape(text)
    lines = (line.strip() for line in _SPACES.sub(" ", text).split("\n"))
    return "\n".join(line for line in lines if line)


def _without_hidden(source: str, lower: str) -> tuple[str, str, str]:
    """Cut out comments, styles, scripts and the head; return body, its lower case, and the style."""
    body = _cut(source, lower, "<!--", "-->")[0] if "<!--" in source else source
    body_lower = body.lower() if body is not source else lower
    styles: list[str] = []
    for name in ("style", "script", "title"):
        if f"<{name}" in body_lower:
            body, removed = _cut(body, body_lower, f"<{name}", f"</{name}")
            body_lower = body.lower()
            if name == "style":
                styles = [piece.lower() for piece in removed]
    return body, lower, "\n".join(styles)


def _cut(source: str, lower: str, opening: str, closing: str) -> tuple[str, list[str]]:
    """Remove what stands between two marks; an opening without its closing removes the rest."""
    kept, removed, position = [], [], 0
    while (start := lower.find(opening, position)) >= 0:
        kept.append(source[position:start])
        end = lower.find(closing, start + 2)  # "<!-->" is a whole comment
        removed.append(source[start : end if end >= 0 else len(source)])
        if end < 0:
            # A style that is never closed hides everything in a browser; an open comment too.
            return "".join(kept), removed
        position = source.find(">", end) + 1 or len(source)
    kept.append(source[position:])
    return "".join(kept), removed


def _attributes(raw: str) -> dict[str, str]:
    """Return the few attributes that are looked at, lower-case names, unescaped values."""
    found = {}
    for name, value in _ATTRIBUTE.findall(raw):
        text = value[1:] if value[:1] in "\"'" else value
        found.setdefault(name.lower(), unescape(text) if "&" in text else text)
    return found


def _links_and_images(
    names: list[str], pieces: list[tuple[str, str, str]]
) -> tuple[tuple[Link, ...], tuple[Image, ...]]:
    """Collect anchors with their text, and images, in one walk."""
    links: list[Link] = []
    images: list[Image] = []
    anchor: dict[str, str] | None = None
    words: list[str] = []
    has_image = False

    def close() -> None:
        if anchor is not None and anchor.get("href", "").strip() and len(links) < MAX_LINKS:
            text = " ".join(plain("".join(words)).split())
            links.append(Link(anchor["href"].strip(), text, has_image, _is_button(anchor)))

    for index, name in enumerate(names):
        if name == "a" or name == "area":
            close()
            anchor, words, has_image = _attributes(pieces[index][1]), [pieces[index][2]], False
        elif name == "/a":
            close()
            anchor = None
        else:
            if name == "img":
                images.append(image := _image(_attributes(pieces[index][1])))
                has_image = True
                if anchor is not None and image.alt:
                    words.append(f" {image.alt} ")
            if anchor is not None:
                words.append(pieces[index][2])
    close()
    return tuple(links), tuple(images)


def _is_button(anchor: dict[str, str]) -> bool:
    """Say whether an anchor is drawn as a button: its own background, padding or class."""
    style = anchor.get("style", "").lower()
    drawn = "background" in style or "padding" in style or "border-radius" in style
    return drawn or "button" in anchor.get("class", "").lower() or "btn" in anchor.get("class", "")


def _image(attributes: dict[str, str]) -> Image:
    """Read an image's attributes."""
    return Image(
        src=attributes.get("src", ""),
        alt=attributes.get("alt"),
        width=_pixels(attributes.get("width")),
        height=_pixels(attributes.get("height")),
    )


def _pixels(value: str | None) -> int | None:
    """Read «600» or «600px»; a percentage or anything else is no number of pixels."""
    digits = (value or "").strip().lower().removesuffix("px").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else None
