"""Style sheets → ``style`` attributes, for clients that drop style sheets.

Only attribute values change; the style sheet stays, because media queries and ``:hover`` live there. A
declaration that cannot be read stays behind alone. The result of a second run is that of the first.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from mailflows._html.merge_tags import merge_tag
from mailflows.content import _css, _media
from mailflows.content._cascade import RuleIndex
from mailflows.content._page import is_left_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows._html.tree import Element
    from mailflows.content._page import Page

__all__ = ["inlined"]

_Layer = tuple[_css.Declaration, ...]
_STYLELESS = frozenset("html head style script title meta link base".split())


def inlined(page: Page) -> Iterator[tuple[Element, str]]:
    """Yield the elements whose ``style`` changes, with the new value, escaped for double quotes.

    What says ``data-premailer="ignore"`` or ``data-css-inline="ignore"`` is left alone.
    """
    rules = RuleIndex(page.inline_sheets, applies=_is_for_all)
    # Many elements of a page have the same rules; the blocks are kept, so that no other has their identity.
    known: dict[tuple[str, tuple[int, ...]], tuple[list[_Layer], str]] = {}
    for element in page.tree.elements:
        if element.name in _STYLELESS or is_left_out(element):
            continue
        blocks = rules.blocks(element)
        if not blocks:
            continue
        written = element.get("style")
        key = (written, tuple(map(id, blocks)))
        if key not in known:
            known[key] = blocks, _changed(written, blocks)
        if style := known[key][1]:
            yield element, style


def _changed(written: str, blocks: list[_Layer]) -> str:
    """Return the new ``style`` of an element, escaped, or an empty string where nothing changes."""
    own = _css.declarations(written)
    if merge_tag().search(written):
        style = _around(written, _merged(blocks, ()), own)
        return _escaped(style) if style != written else ""
    style = _merged(blocks, own)
    return _escaped(style) if style not in {written, _merged([], own)} else ""


def _is_for_all(rule: _css.Rule) -> bool:
    """Say whether a rule holds on every screen; one with a merge tag in it is not known yet."""
    return all(
        condition.lower().startswith("@layer")
        or (condition.lower().startswith("@media") and _media.is_of_any_screen(condition[6:]))
        for condition in rule.conditions
    )


def _around(written: str, style: str, own: _Layer) -> str:
    """Put what the rules say in front of a ``style`` that holds merge tags, which stays as it is written."""
    names = {declaration.name for declaration in own}
    pieces = [piece for piece in style.split("; ") if piece and piece not in written]
    missing = [piece for piece in pieces if piece.partition(":")[0] not in names]
    return "; ".join([*missing, written]) if missing else written


def _escaped(style: str) -> str:
    """Escape a style for double quotes, but for its merge tags, which a template language reads first."""
    if not merge_tag().search(style):
        return escape(style)
    position, pieces = 0, []
    for tag in merge_tag().finditer(style):
        own = tag[0] if '"' not in tag[0] else tag[0].replace('"', "'")
        pieces += [escape(style[position : tag.start()]), own]
        position = tag.end()
    return "".join([*pieces, escape(style[position:])])


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
