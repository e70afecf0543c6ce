"""Style sheets → ``style`` attributes, for clients that drop style sheets.

The style sheet stays, because media queries and ``:hover`` live there; what its media queries say is marked
``!important`` where it must win over what was written into the elements. A declaration that cannot be read
stays behind alone. The result of a second run is that of the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

from mailflows._html.merge_tags import merge_tag
from mailflows.content import _css, _media
from mailflows.content._cascade import Matches, indexed
from mailflows.content._conditional import Marks, is_conditional
from mailflows.content._page import is_left_out

if TYPE_CHECKING:
    from mailflows._html.tree import Element
    from mailflows.content._page import Page

__all__ = ["inlined"]

_STYLELESS = frozenset("html head style script title meta link base".split())
_Pieces = tuple[tuple[str, str], ...]
"""Property and text of each declaration; a property that comes again in one block has marks behind it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """A block, as it is laid over others; one is itself, so that styles made of the same ones are found."""

    block: _css.Block
    normal: _Pieces
    important: _Pieces


def inlined(page: Page) -> tuple[list[tuple[Element, str]], list[int]]:
    """Return the elements whose ``style`` changes, with the new value, escaped for double quotes.

    With them comes where ``!important`` must be written into the sheets so that media queries still win.
    What says ``data-premailer="ignore"`` or ``data-css-inline="ignore"`` is left alone.
    """
    rules = Matches(indexed(page.inline_sheets, _counts, _layer), page.tree)
    marks = Marks(page)
    changed = []
    for element in page.tree.elements:
        if not (found := rules.ranked(element)):
            continue
        is_inlined = element.name not in _STYLELESS and not is_left_out(element)
        plain = marks.plain(element, found, is_inlined=is_inlined)
        if plain and is_inlined:
            style = _changed(element.get("style"), *[layer for *_, layer in plain])
            if style:
                changed.append((element, style))
    return changed, [] if rules.is_spent else marks.places()


@lru_cache(maxsize=4096)
def _changed(written: str, *layers: _Layer) -> str:
    """Return the new ``style`` of an element, escaped, or an empty string where nothing changes."""
    own = _css.declarations(written)
    if merge_tag().search(written):
        style = _around(written, _merged(layers, ()), own)
        return _escaped(style) if style != written else ""
    style = _merged(layers, own)
    return _escaped(style) if style not in {written, _merged((), own)} else ""


def _counts(rule: _css.Rule) -> bool:
    """Return whether a rule is written into elements, or may have to win over what is."""
    return _media.is_for_all(rule.conditions) or is_conditional(rule)


def _around(written: str, style: str, own: _css.Block) -> str:
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


def _merged(layers: tuple[_Layer, ...], own: _css.Block) -> str:
    """Let the later win, the element's own over the rules', and important ones over all but important own.

    What a rule calls important is written without that: a media query in the style sheet must still be
    able to win.
    """
    written: dict[str, str] = {}
    for layer in layers:
        _lay_over(written, layer.normal)
    _lay_over(written, _pieces(own, is_important=False))
    for layer in layers:
        _lay_over(written, layer.important)
    _lay_over(written, _pieces(own, is_important=True, mark=" !important"))
    return "; ".join(written.values())


def _layer(block: _css.Block) -> _Layer:
    return _Layer(block, _pieces(block, is_important=False), _pieces(block, is_important=True))


def _pieces(block: _css.Block, *, is_important: bool, mark: str = "") -> _Pieces:
    """Return the declarations of one kind; two of one name in one place are a fallback, and both stay."""
    found: dict[str, str] = {}
    for declaration in block:
        if declaration.is_important is is_important:
            key = declaration.name
            while key in found:
                key += _AGAIN
            found[key] = f"{declaration.name}: {declaration.value}{mark}"
    return tuple(found.items())


_AGAIN = "\0"


def _lay_over(written: dict[str, str], pieces: _Pieces) -> None:
    """Put declarations behind the others, in place of those of their names."""
    for key, text in pieces:
        if key in written and _AGAIN not in key:
            dropped = key
            while written.pop(dropped, None) is not None:
                dropped += _AGAIN
        written[key] = text
