"""Controls of a form: what a reader sees of them, and which of them open parts of an interactive page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from mailflows._html.tree import Text

if TYPE_CHECKING:
    from mailflows._html.tree import Element
    from mailflows.content._page import Page

__all__ = ["asking", "shown", "without_control"]

_FORMS = ("form", "input", "button", "select", "textarea")
"""Elements that ask for something."""

_BUTTONS = frozenset("submit reset button".split())
_TYPED = frozenset("text email search tel url number date time month week datetime-local".split())


def asking(page: Page) -> list[Element]:
    """Return the elements of forms, without those that only open a part of the page.

    Accordions, carousels and menus are boxes that nobody sees, with rules for ``:checked`` (MJML draws them
    so). Inky's ``<button href>`` is a link.
    """
    is_interactive = any(
        ":checked" in child.raw.lower()
        for style in page.tree.named("style")
        for child in style.children
        if isinstance(child, Text)
    )
    return [
        element
        for element in page.tree.named(*_FORMS)
        if not (element.name == "button" and "href" in element.values)
        and not (is_interactive and element.name == "input" and kind(element) in {"checkbox", "radio"})
    ]


def kind(element: Element) -> str:
    """Return the type of an input."""
    return element.get("type", "text").strip().lower()


def shown(element: Element) -> str:
    """Return the words that a reader sees of an input."""
    name = kind(element)
    if name == "image":
        return element.get("alt") or element.get("value")
    if name in _BUTTONS:
        return element.get("value")
    return (element.get("value") or element.get("placeholder")) if name in _TYPED else ""


def without_control(element: Element) -> str:
    """Return the HTML that shows what an input shows, and asks for nothing."""
    if kind(element) == "image" and element.get("src"):
        kept = ("src", "alt", "width", "height", "border", "align", "class", "style")
        pairs = [(name, element.get(name)) for name in kept if name in element.values]
        return "<img" + "".join(f' {name}="{escape(value)}"' for name, value in pairs) + ">"
    return escape(shown(element), quote=False).replace("\xa0", "&nbsp;")
