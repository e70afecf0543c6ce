"""A page as its reader sees it: text with its style, links, images, the hidden beginning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from mailflows._html.scan import scan, seen, unescaped
from mailflows._html.tree import Element, Text, parse, walk
from mailflows.content import _css, _media
from mailflows.content._cascade import Cascade

if TYPE_CHECKING:
    import os

    from mailflows.content._cascade import Style

Template: TypeAlias = "str | bytes | bytearray | memoryview | os.PathLike[str] | BinaryIO"
"""What a page is read from: its source, or the file that contains it."""

__all__ = ["Link", "Page", "Run", "Template", "is_left_out", "is_spacer", "pixels", "too_much"]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A piece of text between two tags.

    Attributes:
        text: Unescaped, white space folded, without characters that show nothing; never empty.
        style: How it is drawn.
        node: Where it is.
    """

    text: str
    style: Style
    node: Text

    @property
    def why_hidden(self) -> str:
        """What hides it, or an empty string."""
        if self.style.hidden:
            return self.style.hidden
        if self.style.size <= 1:
            return "font-size:0"
        return "transparent" if self.style.color.alpha < 0.1 else ""


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """An anchor with a target.

    Attributes:
        href: The target, unescaped.
        text: What is seen, alternative texts included.
        element: Where it is.
        is_seen: Whether it is shown at all.
    """

    href: str
    text: str
    element: Element
    is_seen: bool


class Page:
    """HTML, looked at once.

    Attributes:
        source: The HTML.
        too_much: Why it is not read, such as the number of its tags, or an empty string; no client shows a
            page of that size, and reading it would take seconds.
        tree: Its elements; none where it is not read.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.too_much = too_much(source)
        self.tree = parse("" if self.too_much else source)

    @property
    def bare_text(self) -> str:
        """The text between the tags, for a page that is too much to be read as one."""
        return scan(self.source[:_MOST_BARE]).text

    @cached_property
    def sheets(self) -> tuple[_css.Sheet, ...]:
        """The style sheets, in order; a ``media`` that does not hold is a condition of all rules."""
        return tuple(map(_sheet, filter(_is_css, self.tree.named("style"))))

    @cached_property
    def inline_sheets(self) -> tuple[_css.Sheet, ...]:
        """The style sheets that may be written into the elements."""
        return tuple(map(_sheet, self._inline_styles))

    @property
    def inline_offsets(self) -> tuple[int, ...]:
        """Where in the source each of these starts."""
        return tuple(style.inner for style in self._inline_styles)

    @cached_property
    def _inline_styles(self) -> list[Element]:
        return [e for e in self.tree.named("style") if _is_css(e) and not is_left_out(e)]

    @cached_property
    def cascade(self) -> Cascade:
        """The styles of the elements."""
        return Cascade(self.tree, self.sheets)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """All text of the body, hidden or not."""
        found = []
        for node in walk(self.tree.root):
            if isinstance(node, Text) and not node.raw.isspace():
                style = self.cascade.style(node)
                if style.hidden in _NEVER_TEXT:
                    continue
                raw = unescaped(node.raw) if "&" in node.raw else node.raw
                if text := " ".join((raw if raw.isascii() else seen(raw)).split()):
                    found.append(Run(text, style, node))
        return tuple(found)

    @cached_property
    def visible(self) -> tuple[Run, ...]:
        """What is seen."""
        return tuple(run for run in self.runs if not run.why_hidden)

    @cached_property
    def text(self) -> str:
        """The visible text as one string."""
        return " ".join(run.text for run in self.visible)

    @cached_property
    def hidden(self) -> tuple[Run, ...]:
        """Text that is never seen, other than a preheader or a version for small screens."""
        responsive = self.cascade.responsive
        start = self.visible[0].node.start if self.visible else len(self.source)
        late = (run for run in self.runs if run.why_hidden and run.node.start > start)
        return tuple(run for run in late if not _is_responsive(run, responsive))

    @cached_property
    def preheader(self) -> str:
        """What clients show beside the subject: the hidden beginning, or the first text."""
        start = self.visible[0].node.start if self.visible else len(self.source)
        before = " ".join(run.text for run in self.runs if run.node.start < start)
        return before or (self.visible[0].text if self.visible else "")

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The anchors and areas that have a target."""
        found = []
        for element in self.tree.named("a", "area"):
            if "href" in element.values:
                is_seen = not self.cascade.style(element).hidden
                found.append(Link(element.get("href").strip(), self._label(element), element, is_seen))
        return tuple(found)

    def _label(self, element: Element) -> str:
        words = []
        for node in islice(walk(element), _LONGEST_LABEL):
            if isinstance(node, Text):
                if not self.cascade.style(node).hidden:
                    words.append(unescaped(node.raw))
            elif node.name == "img":
                words.append(f" {node.get('alt')} ")
        return " ".join(seen("".join(words)).split())

    @cached_property
    def images(self) -> tuple[Element, ...]:
        """The images."""
        return tuple(self.tree.named("img"))


@lru_cache(maxsize=2)  # bound: asked for a page, and again where it is read
def too_much(source: str) -> str:
    """Say why a page is more than is read, or return an empty string."""
    if (tags := source.count("<")) > _MOST_TAGS:
        return f"it has {tags} tags"
    if (values := source.count("=")) > _MOST_VALUES:
        return f"it has {values} attributes"
    if len(source) > _MOST_LETTERS:
        return f"it has {len(source)} characters"
    found = source.lower() if "<style" in source or "<STYLE" in source else ""
    start = size = 0
    while (start := found.find("<style", start)) >= 0:
        end = found.find("</style", start)
        size += (end if end >= 0 else len(found)) - start
        start = end if end >= 0 else len(found)
    return f"its style sheets have {size} characters" if size > _MOST_CSS else ""


_MOST_TAGS, _MOST_VALUES, _MOST_LETTERS, _MOST_CSS, _MOST_BARE = 6_000, 30_000, 500_000, 120_000, 200_000
"""bound: the largest of 612 pages of real mail has 2,326 tags and 84 kB; Gmail cuts a page at 102 kB."""


def is_left_out(element: Element) -> bool:
    """Return whether an author asks inliners to leave an element, or a style sheet, alone."""
    values = element.values
    if _LEFT_OUT.isdisjoint(values):
        return False
    return "data-embed" in values or any(
        values[name].strip().lower() == "ignore" for name in _LEFT_OUT if name in values
    )


_LEFT_OUT = frozenset(("data-embed", "data-premailer", "data-css-inline"))


def _is_css(style: Element) -> bool:
    """Return whether browsers read a ``<style>``: without a type, or as CSS (HTML Living Standard, 4.2.6)."""
    return style.get("type").strip().lower() in {"", "text/css"}


def _sheet(element: Element) -> _css.Sheet:
    content = "".join(child.raw for child in element.children if isinstance(child, Text))
    return _sheet_of(content, element.get("media").strip())


@lru_cache(maxsize=64)
def _sheet_of(content: str, media: str) -> _css.Sheet:
    sheet = _css.read_sheet(content)
    if not media or _media.applies(media):
        return sheet
    condition = f"@media {media}"
    rules = tuple(replace(rule, conditions=(condition, *rule.conditions)) for rule in sheet.rules)
    return replace(sheet, rules=rules)


_LONGEST_LABEL = 500  # bound: see below
"""Nodes in a link that are read for its text; links may stand in links without end."""

_NEVER_TEXT = frozenset("head style script title template datalist".split())


def _is_responsive(run: Run, responsive: frozenset[str]) -> bool:
    """Return whether a media query may show what is hidden, or anything around it."""
    node: Element | None = run.node.parent
    for _ in range(30):
        if node is None:
            return False
        if not responsive.isdisjoint((*node.get("class").split(), node.get("id"))):
            return True
        node = node.parent
    return False


def pixels(element: Element, name: str) -> float | None:
    """Return the width or height that an element states, in pixels.

    The attribute counts, and the ``style`` attribute before it.
    """
    for declaration in reversed(_css.declarations(element.get("style"))):
        if declaration.name == name and (number := _number(declaration.value.removesuffix("px"))) is not None:
            return number
    return _number(element.get(name).removesuffix("px"))


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if text.isascii() and text.replace(".", "", 1).isdigit() and len(text) < 10 else None


def is_spacer(image: Element) -> bool:
    """Return whether an image is only a spacer or a tracking pixel."""
    width, height = pixels(image, "width"), pixels(image, "height")
    return (width is not None and width <= 3) or (height is not None and height <= 3)
