"""Style sheets → ``style`` attributes, for clients that drop style sheets.

Only attribute values change; the style sheet stays, because media queries and ``:hover`` live there. A
declaration that cannot be read stays behind alone. The result of a second run is that of the first.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from mailflows.content import _css
from mailflows.content._cascade import RuleIndex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows._html.tree import Element
    from mailflows.content._page import Page

__all__ = ["inlined"]

_Layer = tuple[_css.Declaration, ...]
_STYLELESS = frozenset("html head style script title meta link base".split())


def inlined(page: Page) -> Iterator[tuple[Element, str]]:
    """Yield the elements whose ``style`` changes, with the new value, escaped for double quotes."""
    rules = RuleIndex(page.sheets, applies=lambda rule: not rule.conditions)
    for element in page.tree.elements:
        if element.name in _STYLELESS:
            continue
        blocks = rules.blocks(element)
        if not blocks:
            continue
        own = _css.declarations(element.get("style"))
        style = _merged(blocks, own)
        if style != _merged([], own):
            yield element, escape(style, quote=True)


def _merged(blocks: list[_Layer], own: _Layer) -> str:
    """Let the later win, the element's own over the rules', and important ones over all but important own.

    What a rule calls important is written without that: a media query in the style sheet must still be
    able to win.
    """
    pairs: list[tuple[str, str]] = []
    for layer in [*(_part(block, important=False) for block in blocks), _part(own, important=False)]:
        pairs = _over(pairs, layer, "")
    for layer in [_part(block, important=True) for block in blocks]:
        pairs = _over(pairs, layer, "")
    pairs = _over(pairs, _part(own, important=True), " !important")
    return "; ".join(f"{name}: {value}" for name, value in pairs)


def _part(layer: _Layer, *, important: bool) -> _Layer:
    return tuple(d for d in layer if d.is_important is important)


def _over(pairs: list[tuple[str, str]], layer: _Layer, mark: str) -> list[tuple[str, str]]:
    """Put declarations behind the others; two of one name in one place are a fallback, and both stay."""
    names = {declaration.name for declaration in layer}
    kept = [pair for pair in pairs if pair[0] not in names]
    return kept + [(declaration.name, declaration.value + mark) for declaration in layer]
