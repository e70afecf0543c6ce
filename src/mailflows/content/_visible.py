"""What a reader sees first: subject, preview, colours, sizes; and what a screen reader needs."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from mailflows._html.tree import Element, walk
from mailflows.content._color import contrast
from mailflows.content._draft import Note
from mailflows.content._report import Where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows.content._draft import Draft
    from mailflows.content._page import Page, Run

__all__ = ["rules", "unmarked_tables"]

_LONGEST_SUBJECT = 70  # choice: characters that most clients show
_SMALL = 12.0  # choice: pixels
_REPLY = re.compile(r"(?:re|fwd?|aw|wg|tr|rv|sv|vs|antw|odp|enc)(?:\[\d{1,3}\])?\s{0,3}:", re.IGNORECASE)
_UNREADABLE, _LARGE_UNREADABLE = 2.0, 1.5
"""choice: below it text is hardly seen at all; footers of professional templates have 2.1 to 2.9."""

_LETTER = re.compile(r"[^\W\d_]")


def rules(draft: Draft) -> Iterator[Note]:
    """Yield what is wrong with what is seen."""
    if not draft.is_template:
        yield from _subject(draft)
    if draft.html.strip():
        yield from _preheader(draft)
        yield from _contrast(draft)
        yield from _small(draft)
        yield from _page(draft)


def _subject(draft: Draft) -> Iterator[Note]:
    subject = draft.message.subject.strip()
    if len(subject) > _LONGEST_SUBJECT:
        yield draft.header("subject-long", "Subject", f"{len(subject)} characters")
    if _is_shouted(subject):
        yield draft.header("subject-shouting", "Subject", subject[:60])
    if subject.count("!") > 1 or "！！" in subject:
        yield draft.header("subject-exclamations", "Subject", subject[:60])
    if _REPLY.match(subject) and "in-reply-to" not in draft.message and "references" not in draft.message:
        yield draft.header("subject-fake-reply", "Subject", subject[:60])


def _is_shouted(subject: str) -> bool:
    """Return whether a subject is all capitals; a code or a short name is not shouted."""
    text = _REPLY.sub("", subject, count=1)
    return len(text) >= 10 and len(text.split()) > 1 and text.isupper()


def _preheader(draft: Draft) -> Iterator[Note]:
    text = draft.page.preheader.strip().lower()
    links = draft.page.links
    first_link = links[0].text.lower() if links else ""
    subject = draft.message.subject.strip().lower()
    if not text or text == subject or (len(text) < 40 and text == first_link):
        yield Note("preheader-missing", Where("html"), evidence=(text[:60],) if text else ())


def _contrast(draft: Draft) -> Iterator[Note]:
    low: dict[str, Run] = {}
    weak: dict[str, Run] = {}
    for run in draft.page.visible:
        style = run.style
        if style.ground is None or not _LETTER.search(run.text):
            continue
        color = style.color.over(style.ground)
        ratio = contrast(color, style.ground)
        is_large = style.size >= 24 or (style.size >= 18.5 and style.is_bold)
        said = f"{color} on {style.ground}: {ratio:.1f}"
        if ratio < (_LARGE_UNREADABLE if is_large else _UNREADABLE):
            low.setdefault(said, run)
        elif ratio < (3.0 if is_large else 4.5):
            weak.setdefault(said, run)
    for code, found in (("contrast-low", low), ("contrast-weak", weak)):
        if found:
            yield draft.on(code, [run.node.parent for run in found.values()], *found)


def _small(draft: Draft) -> Iterator[Note]:
    small = [run for run in draft.page.visible if run.style.size < _SMALL and _LETTER.search(run.text)]
    if small:
        least = min(run.style.size for run in small)
        yield draft.on("text-small", [run.node.parent for run in small], f"{least:g} pixels")


def _page(draft: Draft) -> Iterator[Note]:
    tree = draft.page.tree
    root = tree.first("html")
    if root is None or not root.get("lang").strip():
        yield Note("lang-missing", draft.at(root))
    title = tree.first("title")
    if title is None or not title.text():
        yield Note("title-missing", draft.at(title))
    if unmarked := unmarked_tables(draft.page):
        yield draft.on("role-missing", unmarked)


def unmarked_tables(page: Page) -> list[Element]:
    """Return the layout tables that are not marked as such."""
    tables = page.tree.named("table")
    with_data = {id(table) for name in _HEADINGS for e in page.tree.named(name) if (table := _table_of(e))}
    return [t for t in tables if "role" not in t.values and id(t) not in with_data and not _is_grid(t)]


_HEADINGS = ("th", "caption", "thead", "tfoot", "colgroup")
_SHORT_CELL = 60
"""choice: letters; a longer cell is a column of a layout."""


def _table_of(element: Element) -> Element | None:
    """Return the table around an element, looking no further than a deep layout goes."""
    node: Element | None = element
    for _ in range(30):
        if node is None or node.name == "table":
            return node
        node = node.parent
    return None


def _is_grid(table: Element) -> bool:
    """Return whether a table holds data without saying so: rows of as many short cells, or a border."""
    if any(table.get(name).strip() not in {"", "0"} for name in ("border", "summary")):
        return True
    bodies = [e for e in table.elements if e.name == "tbody"] or [table]
    rows = [row for body in bodies for row in body.elements if row.name == "tr"][:200]
    widths = {len(row.elements) for row in rows}
    if len(rows) < 2 or len(widths) != 1 or min(widths) < 2:
        return False
    return all(_is_short(cell) for row in rows for cell in row.elements)


def _is_short(cell: Element) -> bool:
    """Return whether a cell holds a value: a few words, and no picture or table."""
    nodes = list(islice(walk(cell), 12))
    if len(nodes) == 12 or any(n.name in _PARTS for n in nodes if isinstance(n, Element)):
        return False
    return len(cell.text()) <= _SHORT_CELL


_PARTS = frozenset("table img div ul ol h1 h2 h3 h4 h5 h6 input button".split())
