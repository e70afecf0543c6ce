"""HTML → the plain text that stands beside it: what is shown, and every link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows._html.scan import seen, unescaped
from mailflows._html.tree import Element, Text
from mailflows.content._page import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["plain_text", "text_of"]

_BLOCKS = frozenset(
    "address article aside blockquote center div dl dt dd fieldset footer form header main nav ol ul li p "
    "pre section table tr caption figure figcaption h1 h2 h3 h4 h5 h6 hr".split()
)
_PARAGRAPHS = frozenset("p h1 h2 h3 h4 h5 h6 ul ol dl blockquote pre hr table".split())
_SKIPPED = frozenset("head style script title template select datalist noscript object".split())
_KEPT = "\x00"
"""Stands for a space that must not be folded."""


def plain_text(html: str) -> str:
    """Return the plain text of a page: what its reader sees, with the targets of its links.

    What the style hides is left out, wherever it says so: in a ``style`` attribute, in a style sheet, by
    ``hidden``. That keeps the preview text, which is meant for the list of messages, out of the text.

    >>> print(plain_text("<h1>Hello</h1><p>See <a href='https://example.org/a'>your order</a>.</p>"))
    Hello
    <BLANKLINE>
    See your order (https://example.org/a).
    """
    return text_of(Page(html))


def text_of(page: Page) -> str:
    """Return the plain text of a page that is read already."""
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


class _Writer:
    """Collects words and line breaks; a run of breaks is as long as its longest."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.pieces: list[str] = []
        self.label_start = 0

    def visit(self, node: Element | Text, *, is_start: bool) -> None:
        style = self.page.cascade.style(node)
        if style.hidden:
            return
        if isinstance(node, Text):
            if style.size > 1 and style.color.alpha >= 0.1:
                self.write_text(node)
        elif is_start:
            self.start(node)
        else:
            self.end(node)

    def write_text(self, node: Text) -> None:
        text = seen(unescaped(node.raw)).replace(_KEPT, "")
        if _is_preformatted(node):
            text = text.replace("\t", _KEPT * 4).replace(" ", _KEPT)
        else:
            text = " ".join(f".{text}.".split())[1:-1]  # keeps that there is space at either end
        self.pieces.append(text)

    def start(self, element: Element) -> None:
        name = element.name
        if name in _BLOCKS:
            self.pieces.append("\n\n" if name in _PARAGRAPHS else "\n")
        if name == "br":
            self.pieces.append("\n")
        elif name in {"td", "th"}:
            self.pieces.append(" ")
        elif name == "li":
            self.pieces.append("- ")
        elif name == "hr":
            self.pieces.append("---\n\n")
        elif name == "img":
            self.pieces.append(" ".join(seen(element.get("alt")).split()))
        elif name == "area":
            self.pieces.append(f"{element.get('alt')} ")
            self.write_target(element, element.get("alt"))
        elif name == "a":
            self.label_start = len(self.pieces)

    def end(self, element: Element) -> None:
        if element.name == "a" and "href" in element.attributes:
            self.write_target(element, "".join(self.pieces[self.label_start :]))
        elif element.name in _BLOCKS:
            self.pieces.append("\n\n" if element.name in _PARAGRAPHS else "\n")

    def write_target(self, element: Element, label: str) -> None:
        """Write the target of a link, unless its text shows it already."""
        href = "".join(element.get("href").split())
        label = " ".join(label.split())
        if not href or href.startswith("#") or label in {href, href.removeprefix("mailto:")}:
            return
        tail = " ".join(self.pieces[-1:])
        gap = "" if not label or tail.endswith((" ", "\n")) else " "
        self.pieces.append(f"{gap}({href})" if label else f" {href} ")

    def text(self) -> str:
        """Return the lines, with no more than one empty line between two."""
        kept: list[str] = []
        for line in "".join(self.pieces).split("\n"):
            text = " ".join(line.split()).replace(_KEPT, " ").rstrip()
            if text or (kept and kept[-1]):
                kept.append(text)
        return "\n".join(kept).strip("\n")


def _is_preformatted(node: Text) -> bool:
    parent: Element | None = node.parent
    for _ in range(8):
        if parent is None:
            return False
        if parent.name == "pre":
            return True
        parent = parent.parent
    return False
