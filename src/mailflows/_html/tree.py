"""HTML source → a tree whose every element knows where it stands in the source.

The places are what a finding points at and what a repair edits; parsers that build a browser's tree
forget them. Tags are read as the HTML Living Standard does (section 13.2.5), with the closing rules that
mail needs: void elements, implied ends, tables as borders. It is one walk forward, over a bounded number of
elements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailflows._html.scan import lowered, unescaped, unescaped_attribute

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Attribute", "Element", "Text", "Tree", "parse"]

MAX_ELEMENTS = 5_000
"""Elements that are read; what follows them is left out. choice: the largest of 3,267 real messages has
3,919, and reading more of them takes longer than its bytes are worth."""

MAX_ATTRIBUTES = 500
"""bound: attributes of a tag that are kept."""

_MAX_STEPS = 256
"""How far up the tree an end tag looks for its start. A bound on work."""

VOID = frozenset("area base br col embed hr img input link meta param source track wbr keygen".split())
_RAW = frozenset("style script title textarea xmp iframe noembed noframes plaintext".split())
_BLOCKS = frozenset(
    "address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 header hr main menu nav ol p pre section summary table ul".split()
)
_IMPLIED_END = {
    "a": ("a",),
    "li": ("li",),
    "dt": ("dt", "dd"),
    "dd": ("dt", "dd"),
    "td": ("td", "th"),
    "th": ("td", "th"),
    "tr": ("tr", "td", "th"),
    "tbody": ("tbody", "thead", "tfoot", "tr", "td", "th"),
    "thead": ("tbody", "thead", "tfoot", "tr", "td", "th"),
    "tfoot": ("tbody", "thead", "tfoot", "tr", "td", "th"),
    "option": ("option",),
    "body": ("head",),
    **dict.fromkeys(_BLOCKS, ("p",)),
}
# What an implied end, or an end tag for something outside, does not cross.
_BORDERS = frozenset("table td th caption html ul ol dl button object".split())
_CELLS = frozenset("td th tr tbody thead tfoot table".split())
"""What only a cell, a row or a table may end."""

_MARKUP = re.compile(r"<[a-zA-Z/!?]")
_NAME = re.compile(r"[a-zA-Z][^\s/>]*+")
_ATTRIBUTE = re.compile(
    r"""[\s/]*+([^\s/>][^\s/>=]*+)(\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>"'][^\s>]*+)?))?"""
)
_COMMENT_END = re.compile("--!?>")
_TAG_END = re.compile(r"[\s/]*+>?")


@dataclass(slots=True, eq=False)
class Attribute:
    """An attribute, unescaped, and where it and its raw value stand in the source."""

    value: str
    start: int
    end: int
    value_start: int
    value_end: int

    def raw(self, source: str) -> str:
        """Return the value as it stands in the source."""
        return source[self.value_start : self.value_end]


@dataclass(slots=True, eq=False)
class Text:
    """A run of text as it stands in the source, character references included."""

    parent: Element
    start: int
    raw: str


@dataclass(slots=True, eq=False)
class Element:
    """An element, with the places of its tags: start tag [start, inner), all of it [start, end)."""

    name: str
    attributes: dict[str, Attribute]
    parent: Element | None
    start: int
    inner: int
    end: int = -1
    inner_end: int = -1
    is_closed: bool = False
    children: list[Element | Text] = field(default_factory=list)
    elements: list[Element] = field(default_factory=list)
    """The children that are elements."""
    position: int = 0
    """Index in the parent's `elements`."""

    def get(self, name: str, default: str = "") -> str:
        """Return the value of an attribute, or *default*."""
        found = self.attributes.get(name)
        return found.value if found else default

    def text(self) -> str:
        """Return all text inside, unescaped, with white space folded."""
        pieces = []
        stack: list[Element | Text] = list(reversed(self.children))
        while stack:
            node = stack.pop()
            if isinstance(node, Text):
                pieces.append(node.raw)
            elif node.name not in {"style", "script"}:
                stack.extend(reversed(node.children))
        return " ".join(unescaped("".join(pieces)).split())


@dataclass(slots=True, eq=False)
class Tree:
    """The elements of a page in the order of the source.

    Attributes:
        source: The HTML.
        root: An element without a name, around everything.
        elements: All elements.
        comments: Places of the comments.
        doctype: The declaration, lower case, or an empty string.
        stray_ends: End tags that closed nothing.
    """

    source: str
    root: Element
    elements: list[Element]
    comments: list[tuple[int, int]]
    doctype: str
    stray_ends: int

    def named(self, *names: str) -> list[Element]:
        """Return the elements that have one of the names."""
        return [element for element in self.elements if element.name in names]

    def first(self, name: str) -> Element | None:
        """Return the first element of a name."""
        return next((element for element in self.elements if element.name == name), None)

    def line(self, offset: int) -> int:
        """Return the number of the line at an offset, from 1."""
        return self.source.count("\n", 0, offset) + 1


def parse(source: str) -> Tree:
    """Read HTML, any HTML, and never raise."""
    return _Builder(source).run()


class _Builder:
    def __init__(self, source: str) -> None:
        self.source = source
        self.lower = lowered(source)
        self.root = Element("", {}, None, 0, 0)
        self.current = self.root
        self.tree = Tree(source, self.root, [], [], "", 0)

    def run(self) -> Tree:
        source, position, size = self.source, 0, len(self.source)
        while position < size and len(self.tree.elements) < MAX_ELEMENTS:
            found = _MARKUP.search(source, position)
            opening = found.start() if found else size
            if opening > position:
                self.add_text(position, opening)
            position = self.markup(opening) if opening < size else size
        while self.current is not self.root:
            self.close(size, size)
        self.root.end = self.root.inner_end = size
        return self.tree

    def markup(self, start: int) -> int:
        """Read what starts with '<' and return the position behind it."""
        following = self.source[start + 1 : start + 2]
        if following.isascii() and following.isalpha():
            return self.start_tag(start)
        if following == "/":
            return self.end_tag(start)
        return self.declaration(start)

    def declaration(self, start: int) -> int:
        """Read a comment, a doctype, or what browsers take for a comment."""
        source = self.source
        if source.startswith("<!--", start):
            if source.startswith((">", "->"), start + 4):
                end = source.index(">", start) + 1
            else:
                found = _COMMENT_END.search(source, start + 4)
                end = found.end() if found else len(source)
            self.tree.comments.append((start, end))
            return end
        closing = source.find(">", start)
        end = closing + 1 if closing >= 0 else len(source)
        if self.lower.startswith("<!doctype", start) and not self.tree.doctype:
            self.tree.doctype = self.lower[start:end]
        return end

    def start_tag(self, start: int) -> int:
        named = _NAME.match(self.source, start + 1)
        name = named[0].lower() if named else ""
        attributes, inner, is_empty = self.attributes(start + 1 + len(name))
        if self.source[inner - 1 : inner] != ">":  # the source ends in it, and a browser makes nothing of it
            return len(self.source)
        self.imply_ends(name, start)
        element = self.open(name, attributes, start, inner)
        if name in VOID or (is_empty and name not in _BLOCKS and (":" in name or self.in_svg(element))):
            self.close(inner, inner)
        elif name in _RAW and not self.in_svg(element):
            return self.raw_text(name, inner)
        return inner

    def attributes(self, position: int) -> tuple[dict[str, Attribute], int, bool]:
        """Read the attributes of a tag; the first of a name counts."""
        found: dict[str, Attribute] = {}
        source = self.source
        while match := _ATTRIBUTE.match(source, position):
            group = 3 if match[3] is not None else 4 if match[4] is not None else 5
            value = unescaped_attribute(match[group] or "")
            place = match.span(group) if match[group] is not None else (match.end(), match.end())
            if len(found) < MAX_ATTRIBUTES:
                found.setdefault(match[1].lower(), Attribute(value, match.start(1), match.end(), *place))
            position = match.end()
            if match[2] and match[group] is None and source[position : position + 1] in {'"', "'"}:
                return found, len(source), False  # a quotation mark that is not closed takes all that follows
        end = _TAG_END.match(source, position)
        stop = end.end() if end else position
        return found, stop, source[stop - 2 : stop] == "/>"

    def in_svg(self, element: Element) -> bool:
        """Say whether an element stands in foreign content, where '/>' closes it."""
        node: Element | None = element
        for _ in range(8):
            if node is None:
                return False
            if node.name in {"svg", "math"}:
                return True
            node = node.parent
        return False

    def open(self, name: str, attributes: dict[str, Attribute], start: int, inner: int) -> Element:
        parent = self.current
        element = Element(name, attributes, parent, start, inner)
        element.position = len(parent.elements)
        parent.children.append(element)
        parent.elements.append(element)
        self.tree.elements.append(element)
        self.current = element
        return element

    def close(self, inner_end: int, end: int, *, by_tag: bool = False) -> None:
        element = self.current
        element.inner_end, element.end, element.is_closed = inner_end, end, by_tag
        self.current = element.parent or self.root

    def imply_ends(self, name: str, start: int) -> None:
        """Close what the start of another element ends, such as a paragraph before a table."""
        ends = _IMPLIED_END.get(name, ())
        while ended := self.implied_end(name, ends):
            self.close_up_to(ended, start, start, by_tag=False)

    def implied_end(self, name: str, ends: tuple[str, ...]) -> Element | None:
        node: Element | None = self.current if ends else None
        for _ in range(_MAX_STEPS):
            if node is None or node.name in ends:
                return node
            if node.name in _BORDERS or (name in _BLOCKS and node.name in _BLOCKS):
                return None
            node = node.parent
        return None

    def close_up_to(self, element: Element, inner_end: int, end: int, *, by_tag: bool) -> None:
        while self.current is not element:
            self.close(inner_end, inner_end)
        self.close(inner_end, end, by_tag=by_tag)

    def end_tag(self, start: int) -> int:
        named = _NAME.match(self.source, start + 2)
        if not named:
            found = self.source.find(">", start)
            return found + 1 if found >= 0 else len(self.source)
        _, end, _ = self.attributes(named.end())
        name = named[0].lower()
        node: Element | None = self.current
        for _ in range(_MAX_STEPS):
            if node is None or (node.name in _CELLS and name not in _CELLS and name not in {"body", "html"}):
                break
            if node.name == name:
                self.close_up_to(node, start, end, by_tag=True)
                return end
            node = node.parent
        self.tree.stray_ends += name not in VOID and name != "p"
        return end

    def raw_text(self, name: str, inner: int) -> int:
        """Take everything up to the end tag as text."""
        found = self.lower.find(f"</{name}", inner) if name != "plaintext" else -1
        inner_end = found if found >= 0 else len(self.source)
        if inner_end > inner:
            self.current.children.append(Text(self.current, inner, self.source[inner:inner_end]))
        closing = self.source.find(">", inner_end)
        end = closing + 1 if found >= 0 and closing >= 0 else len(self.source)
        self.close(inner_end, end, by_tag=found >= 0)
        return end

    def add_text(self, start: int, end: int) -> None:
        self.current.children.append(Text(self.current, start, self.source[start:end]))


def walk(root: Element) -> Iterator[Element | Text]:
    """Yield everything under an element in the order of the source."""
    stack: list[Element | Text] = list(reversed(root.children))
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, Element):
            stack.extend(reversed(node.children))
