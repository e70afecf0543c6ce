"""HTML → its plain-text alternative: what is shown, and every link."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from mailflows._html.scan import seen, unescaped
from mailflows._html.tree import Element, Text, walk
from mailflows._mail.reader import page_of
from mailflows.content import _controls
from mailflows.content._page import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows.content._page import Template

__all__ = ["plain_text", "text_of"]

_BLOCKS = frozenset(
    "address article aside blockquote center div dl dt dd fieldset footer form header main nav ol ul li p "
    "pre section table tr caption figure figcaption h1 h2 h3 h4 h5 h6 hr legend".split()
)
_PARAGRAPHS = frozenset("p h1 h2 h3 h4 h5 h6 ul ol dl blockquote pre hr table".split())
_SKIPPED = frozenset("head style script title template datalist noscript object".split())
_KEPT = "\x00"
"""Stands for a space that must not be folded."""

_CELL = "\x01"
"""Stands for the gap between two cells of a row."""

_ROW_NODES, _ROW_LETTERS = 80, 160
"""Choice: a row of more nodes or letters lays out a page, and is not a line of an invoice."""

_NO_LINE = frozenset("ul ol li pre hr h1 h2 h3 h4 h5 h6 blockquote dl".split())
"""What does not fit on a line with other cells."""

_CLOSING = frozenset(".,;:!?)]}»”’…%\"'")
"""What may stand right behind a link or a picture."""


def plain_text(html: Template) -> str:
    """Return the plain text of an HTML page: the visible text, with the targets of links.

    Lists keep their numbers and their depth, a short row of a table is one line, and a struck-through price
    is put between tildes. Hidden text is left out, whether a ``style`` attribute, a style sheet or ``hidden``
    hides it. That keeps the preheader, which is meant for the inbox view, out of the text. What a reader can
    open, as in an accordion, is kept. For a page larger than any client shows, the bare text is returned.

    >>> print(plain_text("<h1>Hello</h1><p>See <a href='https://example.org/a'>your order</a>.</p>"))
    Hello
    <BLANKLINE>
    See your order (https://example.org/a).

    Args:
        html: The source of the page: text, bytes, a path or an open file.

    Raises:
        MessageError: If it is a message, or a file that cannot be read.
    """
    return text_of(Page(page_of(html)))


def text_of(page: Page) -> str:
    """Return the plain text of a page that is read already."""
    if page.too_much:
        return page.bare_text
    writer = _Writer(page)
    for node, is_start in _events(page.tree.root):
        writer.visit(node, is_start=is_start)
    return writer.text()


def _events(root: Element) -> Iterator[tuple[Element | Text, bool]]:
    """Yield every node at its start, and every element again at its end."""
    stack: list[tuple[Element | Text, bool]] = [(child, True) for child in reversed(root.children)]
    while stack:
        node, is_start = stack.pop()
        yield node, is_start
        if is_start and isinstance(node, Element) and node.name not in _SKIPPED:
            stack.append((node, False))
            stack.extend((child, True) for child in reversed(node.children))


class _List:
    """A list that is being written: the number of its next item, and how an item's lines are indented."""

    def __init__(self, element: Element) -> None:
        self.is_numbered = element.name == "ol"
        start = element.get("start").strip()
        self.number = int(start) if start.lstrip("-").isdecimal() and len(start) < 9 else 1
        self.style = element.get("type")
        self.width = 0

    def bullet(self, item: Element) -> str:
        """Return what stands in front of an item, and count it."""
        if not self.is_numbered:
            return "- "
        value = item.get("value").strip()
        if value.isdecimal() and len(value) < 9:
            self.number = int(value)
        number, self.number = self.number, self.number + 1
        if self.style in {"a", "A"} and 1 <= number <= 26:
            return f"{chr(ord(self.style) + number - 1)}. "
        return f"{number}. "


class _Writer:
    """Collects the words of a line, and the lines."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.lines: list[str] = []
        self.words: list[str] = []
        self.gap = 0
        self.lists: list[_List] = []
        self.bullet = ""
        self.row: Element | None = None
        self.is_apart = False
        self.is_struck = False
        self.labels: list[list[str]] = []

    def visit(self, node: Element | Text, *, is_start: bool) -> None:
        style = self.page.cascade.style(node)
        if style.hidden:
            return
        if isinstance(node, Text):
            if style.size > 1 and style.color.alpha >= 0.1:
                self.strike(is_struck=style.is_struck and not node.raw.isspace())
                self.write_text(node)
        elif is_start:
            self.start(node)
        else:
            self.end(node)

    def strike(self, *, is_struck: bool) -> None:
        """Write the mark in front of what is struck through, or behind it."""
        if is_struck is not self.is_struck:
            if is_struck:
                self.write("~~", is_apart=True)
            else:
                self.words.append("~~")
                self.is_apart = True
            self.is_struck = is_struck

    def write_text(self, node: Text) -> None:
        text = seen(unescaped(node.raw)).replace(_KEPT, "").replace(_CELL, "")
        if _is_preformatted(node):
            for number, line in enumerate(text.split("\n")):
                if number:
                    self.break_line(1)
                self.write(line.replace("\t", _KEPT * 4).replace(" ", _KEPT))
            return
        self.write(" ".join(f".{text}.".split())[1:-1])  # keeps that there is space at either end

    def write(self, text: str, *, is_apart: bool = False) -> None:
        """Write words on the line; what is *apart* touches no word in front of it."""
        if not text:
            return
        is_apart = is_apart or (self.is_apart and text[0] not in _CLOSING)
        if is_apart and self.words and self.words[-1][-1:] not in {" ", _CELL, ""} and text[0] != " ":
            self.words.append(" ")
        self.words.append(text)
        for label in self.labels:
            label.append(text)
        self.is_apart = False

    def break_line(self, height: int) -> None:
        """End the line, and leave an empty one behind it where the height is two."""
        if self.row is not None:
            self.write(" ")
            return
        if self.is_struck:
            self.strike(is_struck=False)
        line = " ".join("".join(self.words).split()).replace(f" {_CELL}", _CELL).replace(f"{_CELL} ", _CELL)
        line = "  ".join(cell for cell in line.split(_CELL) if cell).replace(_KEPT, " ").rstrip()
        self.words, self.is_apart = [], False
        if line:
            if self.gap > 1 and self.lines:
                self.lines.append("")
            self.lines.append(self.indented(line))
            self.gap = 0
        self.gap = max(self.gap, height)

    def indented(self, line: str) -> str:
        """Put the bullet in front of the first line of an item, and room in front of the others."""
        width = sum(each.width for each in self.lists)
        bullet, self.bullet = self.bullet, ""
        return " " * (width - len(bullet)) + bullet + line if width else bullet + line

    def start(self, element: Element) -> None:
        name = element.name
        if name in _BLOCKS:
            self.break_line(2 if name in _PARAGRAPHS and not (name in {"ul", "ol"} and self.lists) else 1)
        if name in {"ul", "ol"}:
            self.lists.append(_List(element))
        elif name == "li":
            self.bullet = self.lists[-1].bullet(element) if self.lists else "- "
            if self.lists:
                self.lists[-1].width = len(self.bullet)
        elif name in {"td", "th"}:
            self.write(_CELL if self.row is not None else " ")
        elif name == "tr" and self.row is None and _is_line(element, self.page):
            self.row = element
        else:
            self.start_inline(element)

    def start_inline(self, element: Element) -> None:
        name = element.name
        if name == "br":
            self.break_line(1)
        elif name == "hr":
            self.write("---")
            self.break_line(2)
        elif name == "img":
            self.write_word(element.get("alt"))
        elif name == "input":
            self.write_word(_controls.shown(element))
        elif name == "option" and element.position:
            self.write("/", is_apart=True)
            self.is_apart = True
        elif name == "area":
            self.write_word(element.get("alt"))
            self.write_target(element, element.get("alt"))
        elif _is_link(element):
            self.labels.append([])

    def end(self, element: Element) -> None:
        if element is self.row:
            self.row = None
        if _is_link(element):
            label = "".join(self.labels.pop()) if self.labels else ""
            self.write_target(element, label)
        elif element.name in _BLOCKS:
            is_inner = element.name in {"ul", "ol"} and len(self.lists) > 1
            self.break_line(2 if element.name in _PARAGRAPHS and not is_inner else 1)
            if element.name in {"ul", "ol"} and self.lists:
                self.lists.pop()

    def write_word(self, text: str) -> None:
        """Write the words of a picture or a button, which touch no others."""
        self.write(" ".join(seen(text).split()), is_apart=True)
        self.is_apart = True

    def write_target(self, element: Element, label: str) -> None:
        """Write the target of a link, unless its text shows it already."""
        href = "".join(element.get("href").split())
        label = " ".join(label.replace(_CELL, " ").split())
        if href and not href.startswith("#") and label not in {href, href.removeprefix("mailto:")}:
            self.strike(is_struck=False)
            self.write(f"({href})" if label else href, is_apart=True)
        self.is_apart = True

    def text(self) -> str:
        """Return the lines, with no more than one empty line between two."""
        self.row = None
        self.break_line(0)
        return "\n".join(self.lines)


def _is_link(element: Element) -> bool:
    return element.name in {"a", "button"} and "href" in element.values


def _is_line(row: Element, page: Page) -> bool:
    """Return whether a row reads as one line, as in an invoice: short cells, none of several lines."""
    cells = [cell for cell in row.elements if cell.name in {"td", "th"}]
    if len(cells) < 2:
        return False
    letters = inner_rows = 0
    nodes = list(islice(walk(row), _ROW_NODES))
    for node in nodes:
        if isinstance(node, Text):
            letters += 0 if page.cascade.style(node).hidden else len(node.raw.strip())
        elif node.name in _NO_LINE:
            return False
        inner_rows += isinstance(node, Element) and node.name == "tr"
    return len(nodes) < _ROW_NODES and letters <= _ROW_LETTERS and inner_rows <= len(cells)


def _is_preformatted(node: Text) -> bool:
    parent: Element | None = node.parent
    for _ in range(8):
        if parent is None:
            return False
        if parent.name == "pre":
            return True
        parent = parent.parent
    return False
