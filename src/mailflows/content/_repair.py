"""Repairs of a page, as edits of its source."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows._html.tree import Element, walk
from mailflows._mail.edit import Edit
from mailflows.content import _controls
from mailflows.content._inline import inlined
from mailflows.content._likeness import ACTIVE, is_active, is_handler
from mailflows.content._page import Page, is_spacer
from mailflows.content._visible import unmarked_tables
from mailflows.message import Message
from mailflows.signals import words

if TYPE_CHECKING:
    from mailflows._html.tree import Attribute

__all__ = ["Edit", "Page", "active_content", "forms", "inline_css", "lang", "language", "roles", "spacer_alt"]


def active_content(page: Page) -> list[Edit]:
    """Cut out scripts, frames and objects with all in them, and the attributes that run something."""
    spans = [(e.start, e.end) for e in page.tree.named(*ACTIVE) if is_active(e)]
    handlers = [
        element.attributes[name]
        for element in page.tree.elements
        for name in element.values
        if is_handler(name)
    ]
    spans += [(_before(page, attribute), attribute.end) for attribute in handlers]
    return _outermost([Edit(start, end, "") for start, end in spans])


def _before(page: Page, attribute: Attribute) -> int:
    """Return where the white space before an attribute starts."""
    start = attribute.start
    while start and page.source[start - 1].isspace():
        start -= 1
    return start


def forms(page: Page) -> list[Edit]:
    """Remove forms but keep what a reader sees in them: texts, the words of buttons, what can be chosen.

    Boxes that open an accordion, a carousel or a menu stay.
    """
    edits: list[Edit] = []
    for element in _controls.asking(page):
        if element.name in {"form", "button"}:
            edits += _unwrapped(element)
        elif element.name == "input":
            edits.append(Edit(element.start, element.end, _controls.without_control(element)))
        elif element.name == "select":
            edits += _choices(element)
        else:
            content = page.source[element.inner : element.inner_end]
            edits.append(Edit(element.start, element.end, content.replace("<", "&lt;")))
    return _outermost(edits)


def _choices(select: Element) -> list[Edit]:
    """Leave the words to choose from, with a stroke between two."""
    edits = _unwrapped(select)
    options = [node for node in walk(select) if isinstance(node, Element)]
    for number, option in enumerate(options):
        start, *end = _unwrapped(option)
        edits += [Edit(start.start, start.end, " / " if number and option.name == "option" else ""), *end]
    return edits


def _unwrapped(element: Element) -> list[Edit]:
    edits = [Edit(element.start, element.inner, "")]
    if element.is_closed:
        edits.append(Edit(element.inner_end, element.end, ""))
    return edits


def _outermost(edits: list[Edit]) -> list[Edit]:
    """Sort edits, and leave out those that stand inside others."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda e: (e.start, -e.end)):
        if not kept or edit.start >= kept[-1].end:
            kept.append(edit)
    return kept


def roles(page: Page) -> list[Edit]:
    """Mark layout tables as such, unless a style sheet selects by role."""
    if any(
        "[role" in selector for sheet in page.sheets for rule in sheet.rules for selector in rule.selectors
    ):
        return []
    return [_attribute(element, "role", "presentation") for element in unmarked_tables(page)]


def spacer_alt(page: Page) -> list[Edit]:
    """Give spacers and pixels the empty text that screen readers pass over."""
    return [_attribute(i, "alt", "") for i in page.images if "alt" not in i.values and is_spacer(i)]


def lang(page: Page, code: str) -> list[Edit]:
    """Declare the language of the page, if it is certain."""
    root = page.tree.first("html")
    if not code or root is None or root.get("lang").strip():
        return []
    if "lang" in root.values:
        empty = root.attributes["lang"]
        return [Edit(empty.start, empty.end, f'lang="{code}"')]
    return [_attribute(root, "lang", code)]


def language(raw: bytes) -> str:
    """Return the language of a message as two letters, or an empty string where it is not sure.

    It is sure where the beginning and the end of a text of some length are of one language, and the subject
    is not of another.
    """
    message = Message.read(raw)
    found = _TOKEN.findall((message.document.text if message.html else message.text)[:_READ].lower())
    if len(found) < _LEAST_WORDS:
        return ""
    half = len(found) // 2 if len(found) >= _MANY_WORDS else 0
    subject = _TOKEN.findall(message.subject.lower())
    pieces = [found[:half], found[half:]] if half else [found]
    said = {words.language_of(tokens, " ".join(tokens)) for tokens in pieces}
    said |= {words.language_of(subject, message.subject)} - {""}
    return said.pop() if len(said) == 1 else ""


_TOKEN = re.compile(r"\w+")
_LEAST_WORDS, _MANY_WORDS, _READ = 6, 40, 8_000
"""choice: words below which a language is a guess, and from which halves are told apart; bound: letters."""


def inline_css(page: Page) -> list[Edit]:
    """Write what the style sheets say into ``style`` attributes."""
    changed, places = inlined(page)
    edits = [Edit(place, place, " !important") for place in places]
    for element, style in changed:
        known = element.attribute("style")
        if known is None:
            edits.append(_attribute(element, "style", style))
        else:
            edits.append(Edit(known.start, known.end, f'style="{style}"'))
    return sorted(edits, key=_place)


def _place(edit: Edit) -> int:
    return edit.start


def _attribute(element: Element, name: str, value: str) -> Edit:
    """Return the edit that gives an element one more attribute, behind its name."""
    return Edit(element.named, element.named, f' {name}="{value}"')
