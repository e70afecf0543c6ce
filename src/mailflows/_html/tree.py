"""HTML source → a tree whose every element knows where it is in the source.

The places are what a finding points at and what a repair edits; parsers that build a browser's tree
forget them. Tags are read as the HTML Living Standard does (section 13.2.5), with the closing rules that
mail needs: void elements, implied ends, tables as borders. It is one walk forward, over a bounded number of
elements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from mailflows._html.scan import ATTRIBUTES, lowered, unescaped, unescaped_attribute

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_ELEMENTS", "MAX_MARKS", "Attribute", "Element", "Text", "Tree", "parse"]

MAX_ELEMENTS = 5_000
"""Elements that are read; what follows them is left out. choice: the largest of 3,267 real messages has
3,919, and reading more of them takes longer than its bytes are worth."""

MAX_MARKS = 25_000
"""Tags, comments and declarations that are read. bound: no real page has half as many, and a hostile one of
nothing but comments would take as long as one of elements."""

MAX_ATTRIBUTES = 500
"""bound: attributes of a tag that are read."""

MAX_CLASSES = 50
"""bound: classes of an element that are looked at."""

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

_TAG = rf"([a-zA-Z][^\s/>]*+){ATTRIBUTES}[\s/]*+>"
_MARKUP = re.compile(rf"<(?:{_TAG}|/{_TAG}|[a-zA-Z/!?])")
"""A start tag, an end tag, or what starts as one and is none; the whole tag at once, in one step forward."""

_ATTRIBUTE = re.compile(
    r"""[\s/]*+([^\s/>][^\s/>=]*+)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>"'][^\s>]*+|)))?"""
)
_COMMENT_END = re.compile("--!?>")
_NAMED = re.compile("</?[a-zA-Z]")
_NONE: dict[str, str] = {}
"""The attributes of all elements that have none; nobody changes what an element has."""


@dataclass(slots=True, eq=False)
class Attribute:
    """An attribute, unescaped, and where it and its raw value are in the source."""

    value: str
    start: int
    end: int
    value_start: int
    value_end: int

    def raw(self, source: str) -> str:
        """Return the value as written in the source."""
        return source[self.value_start : self.value_end]


@dataclass(slots=True, eq=False)
class Text:
    """A run of text as written in the source, character references included."""

    parent: Element
    start: int
    raw: str


class Element:
    """An element, with the places of its tags: start tag [start, inner), all of it [start, end).

    Most elements of most pages are never asked for their attributes: they are read when they are.

    Attributes:
        name: In lower case; empty for the root of a tree.
        parent: The element around it.
        start: Offset of its start tag.
        named: Offset behind the name in the start tag.
        inner: Where its content starts.
        inner_end: Where its content ends.
        end: Where it ends.
        is_closed: Whether an end tag closes it.
        children: The elements and texts in it.
        elements: The children that are elements.
        position: Index in the parent's `elements`.
    """

    __slots__ = (
        *("_keys", "_source", "_values", "children", "elements", "end", "inner", "inner_end"),
        *("is_closed", "name", "named", "parent", "position", "start"),
    )

    def __init__(  # noqa: PLR0913, PLR0917 -- made for every tag: names would take longer
        self, name: str, source: str, parent: Element | None, start: int, named: int, inner: int
    ) -> None:
        self.name = name
        self._source = source
        self.parent = parent
        self.start = start
        self.named = named
        self.inner = inner
        self.inner_end = self.end = -1
        self.is_closed = False
        self.children: list[Element | Text] = []
        self.elements: list[Element] = []
        self.position = 0
        self._values: dict[str, str] | None = None if inner - named > 1 else _NONE
        self._keys: tuple[str, ...] | None = None

    @property
    def values(self) -> dict[str, str]:
        """The attributes, unescaped, by their names in lower case; the first of a name counts."""
        if self._values is None:
            self._values = _values(self._source, self.named, self.inner)
        return self._values

    @property
    def attributes(self) -> dict[str, Attribute]:
        """The attributes with their places in the source, which few ask for."""
        places = list(_places(self._source, self.named, self.inner))
        return dict(reversed(places))

    def attribute(self, name: str) -> Attribute | None:
        """Return an attribute with its place, or `None`."""
        if name not in self.values:
            return None
        for match in _ATTRIBUTE.finditer(self._source, self.named, self.inner - 1):
            if match[1].lower() == name:
                return _place(match)
        return None

    @property
    def keys(self) -> tuple[str, ...]:
        """What a selector may ask for: the name, ``.class`` for each class that is looked at, ``#id``."""
        if self._keys is None:
            self._keys = _keys(self.name, self.values)
        return self._keys

    def get(self, name: str, default: str = "") -> str:
        """Return the value of an attribute, or *default*."""
        return self.values.get(name, default)

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
        is_cut: Whether the source ends in a tag, in a comment, or in a text such as a style sheet, or was not
            read to its end for the number of its marks.
    """

    source: str
    root: Element
    elements: list[Element]
    comments: list[tuple[int, int]]
    doctype: str
    stray_ends: int
    is_cut: bool = False

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


def _places(source: str, start: int, inner: int) -> Iterator[tuple[str, Attribute]]:
    """Yield the attributes of a tag between its name and its end, with their names in lower case."""
    for match in islice(_ATTRIBUTE.finditer(source, start, inner - 1), MAX_ATTRIBUTES):
        yield match[1].lower(), _place(match)


def _place(match: re.Match[str]) -> Attribute:
    group = match.lastindex or 1
    raw, place = (match[group], match.span(group)) if group > 1 else ("", (match.end(), match.end()))
    return Attribute(unescaped_attribute(raw), match.start(1), match.end(), *place)


def _values(source: str, start: int, inner: int) -> dict[str, str]:
    """Read the same attributes without their places, which takes a third of the time."""
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(source, start, inner - 1)[:MAX_ATTRIBUTES]:
        lower = name.lower()
        if lower not in found:
            raw = double or single or bare
            found[lower] = unescaped_attribute(raw) if "&" in raw else raw
    return found


def _keys(name: str, values: dict[str, str]) -> tuple[str, ...]:
    keys = [name]
    if found := values.get("class"):
        keys += [f".{word}" for word in found.split()[:MAX_CLASSES]]
    if found := values.get("id"):
        keys.append(f"#{found}")
    return tuple(keys)


class _Builder:
    def __init__(self, source: str) -> None:
        self.source = source
        self.lower = lowered(source)
        self.root = Element("", "", None, 0, 0, 0)
        self.current = self.root
        self.tree = Tree(source, self.root, [], [], "", 0)

    def run(self) -> Tree:
        source, position, size = self.source, 0, len(self.source)
        elements, search = self.tree.elements, _MARKUP.search
        left = MAX_MARKS
        while position < size and left and len(elements) < MAX_ELEMENTS:
            left -= 1
            found = search(source, position)
            opening = found.start() if found else size
            if opening > position:
                self.current.children.append(Text(self.current, position, source[position:opening]))
            if found is None:
                break
            kind = found.lastindex
            if kind == 1:  # the group that names what a start tag opens
                position = self.start_tag(found)
            elif kind:
                position = self.end_tag(found)
            else:
                position = self.declaration(opening)
        self.tree.is_cut = self.tree.is_cut or not left
        while self.current is not self.root:
            self.close(size, size)
        self.root.end = self.root.inner_end = size
        return self.tree

    def declaration(self, start: int) -> int:
        """Read a comment, a doctype, what browsers take for a comment, or a tag that the source ends in."""
        source = self.source
        if source.startswith("<!--", start):
            if source.startswith((">", "->"), start + 4):
                end = source.index(">", start) + 1
            else:
                found = _COMMENT_END.search(source, start + 4)
                end = found.end() if found else self.cut()
            self.tree.comments.append((start, end))
            return end
        if _NAMED.match(source, start):  # the source ends in this tag, and a browser makes nothing of it
            return self.cut()
        closing = source.find(">", start)
        end = closing + 1 if closing >= 0 else self.cut()
        if self.lower.startswith("<!doctype", start) and not self.tree.doctype:
            self.tree.doctype = self.lower[start:end]
        return end

    def cut(self) -> int:
        """Note that the source ends in what has begun, and return its end."""
        self.tree.is_cut = True
        return len(self.source)

    def start_tag(self, found: re.Match[str]) -> int:
        """Open an element, and return the position behind its tag."""
        name, source = found[1].lower(), self.source
        start, inner = found.span()
        if name in _IMPLIED_END:
            self.imply_ends(name, start)
        parent = self.current
        element = Element(name, source, parent, start, found.end(1), inner)
        siblings = parent.elements
        element.position = len(siblings)
        siblings.append(element)
        parent.children.append(element)
        self.tree.elements.append(element)
        if name in VOID or (
            source[inner - 2] == "/" and name not in _BLOCKS and (":" in name or self.in_svg(element))
        ):
            element.inner_end = element.end = inner
            return inner
        self.current = element
        if name in _RAW and not self.in_svg(element):
            return self.raw_text(name, inner)
        return inner

    def in_svg(self, element: Element) -> bool:
        """Return whether an element stands in foreign content, where '/>' closes it."""
        node: Element | None = element
        for _ in range(8):
            if node is None:
                return False
            if node.name in {"svg", "math"}:
                return True
            node = node.parent
        return False

    def close(self, inner_end: int, end: int, *, by_tag: bool = False) -> None:
        element = self.current
        element.inner_end, element.end, element.is_closed = inner_end, end, by_tag
        self.current = element.parent or self.root

    def imply_ends(self, name: str, start: int) -> None:
        """Close what the start of another element ends, such as a paragraph before a table."""
        ends, is_block = _IMPLIED_END[name], name in _BLOCKS
        node: Element | None = self.current
        left = _MAX_STEPS
        while node is not None and left:
            if node.name in ends:
                self.close_up_to(node, start, start, by_tag=False)
                node, left = self.current, _MAX_STEPS
            elif node.name in _BORDERS or (is_block and node.name in _BLOCKS):
                return
            else:
                node, left = node.parent, left - 1

    def close_up_to(self, element: Element, inner_end: int, end: int, *, by_tag: bool) -> None:
        while self.current is not element:
            self.close(inner_end, inner_end)
        self.close(inner_end, end, by_tag=by_tag)

    def end_tag(self, found: re.Match[str]) -> int:
        """Close the element that an end tag is for, if there is one, and return the position behind it."""
        name = found[2].lower()
        start, end = found.span()
        if self.current.name == name:  # as in nearly all mail
            self.close(start, end, by_tag=True)
            return end
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
        end = closing + 1 if found >= 0 and closing >= 0 else self.cut()
        self.close(inner_end, end, by_tag=found >= 0)
        return end


def walk(root: Element) -> Iterator[Element | Text]:
    """Yield everything under an element in the order of the source."""
    stack: list[Element | Text] = list(reversed(root.children))
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, Element):
            stack.extend(reversed(node.children))
