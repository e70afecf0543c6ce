"""Rules for some screens, kept as strong as they were against what inlining writes into the elements.

A ``style`` attribute beats every rule of a sheet, those for small screens and dark modes included. What they
say is therefore marked ``!important`` in the sheet, as inliners do; here only where it would have won without
inlining on every element that it matches, over the other rules and over the author's own ``style``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, TypeVar

from mailflows._html.merge_tags import merge_tag
from mailflows.content import _css, _media, _selectors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailflows._html.tree import Element
    from mailflows.content._cascade import Ranked
    from mailflows.content._page import Page

__all__ = ["Marks", "is_conditional"]

_SIDES = ("top", "right", "bottom", "left")
_BORDERS = tuple(f"border-{side}-{kind}" for side in _SIDES for kind in ("width", "style", "color"))
_LONGHANDS: dict[str, frozenset[str]] = {
    **{box: frozenset(f"{box}-{side}" for side in _SIDES) for box in ("margin", "padding")},
    "border": frozenset(_BORDERS),
    **{f"border-{side}": frozenset(b for b in _BORDERS if f"-{side}-" in b) for side in _SIDES},
    **{
        f"border-{kind}": frozenset(b for b in _BORDERS if b.endswith(kind))
        for kind in ("width", "style", "color")
    },
    "border-radius": frozenset(
        f"border-{y}-{x}-radius" for y in ("top", "bottom") for x in ("left", "right")
    ),
    "background": frozenset(
        f"background-{what}"
        for what in ("color", "image", "repeat", "position", "size", "attachment", "origin", "clip")
    ),
    "font": frozenset(
        (
            "font-size",
            "font-family",
            "font-weight",
            "font-style",
            "font-variant",
            "font-stretch",
            "line-height",
        )
    ),
    "list-style": frozenset(("list-style-type", "list-style-position", "list-style-image")),
    "text-decoration": frozenset(
        f"text-decoration-{what}" for what in ("line", "color", "style", "thickness")
    ),
    "overflow": frozenset(("overflow-x", "overflow-y")),
    "flex": frozenset(("flex-grow", "flex-shrink", "flex-basis")),
}
"""What a shorthand sets (CSS Cascade Level 4, section 3)."""


class HasBlock(Protocol):
    """What was made of a rule, and still holds its declarations."""

    @property
    def block(self) -> _css.Block:
        """The declarations."""


T = TypeVar("T", bound=HasBlock)

_Key = tuple[int, int]
"""The place of a rule among all, and of a declaration in its block."""


@lru_cache(maxsize=1024)
def _sets(name: str) -> frozenset[str]:
    return _LONGHANDS.get(name, frozenset((name,)))


@dataclass(slots=True)
class _Judged:
    """What all elements together say of the declarations for some screens.

    Attributes:
        wanted: Those that inlining would make lose somewhere.
        refused: Those that would win somewhere where they did not.
        above: Those that are stronger somewhere, of each.
    """

    wanted: set[_Key] = field(default_factory=set)
    refused: set[_Key] = field(default_factory=set)
    above: dict[_Key, set[_Key]] = field(default_factory=dict)

    def marked(self) -> set[_Key]:
        """Return those to mark: with each all that are stronger, and none of which one must not be."""
        found, fresh = set(self.wanted), set(self.wanted)
        while fresh:
            fresh = {other for key in fresh for other in self.above.get(key, ())} - found
            found |= fresh
        found -= self.refused
        while lost := {key for key in found if not self.above.get(key, set()) <= found}:
            found -= lost
        return found


class Marks:
    """Collects, element by element, what must be marked in the style sheets of a page.

    Args:
        page: The page, before it is inlined.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._conditional = _conditional(page.inline_sheets)
        self._is_on = bool(self._conditional) and not any(map(_is_layered, page.inline_sheets))
        self._judged = _Judged()
        self._known: set[tuple[object, ...]] = set()

    def plain(self, element: Element, found: list[Ranked[T]], *, is_inlined: bool) -> list[Ranked[T]]:
        """Return those of the rules that match an element which are for all screens, and judge the others.

        Args:
            element: The element.
            found: The rules, the weakest first.
            is_inlined: Whether rules are written into the element.
        """
        if not self._conditional:
            return found
        plain = [entry for entry in found if entry[2] not in self._conditional]
        if self._is_on and len(plain) < len(found):
            written = element.get("style")
            key = (written, is_inlined, *map(id, found))
            if key not in self._known:  # most elements are like others
                self._known.add(key)
                some = [entry for entry in found if entry[2] in self._conditional]
                _judge(self._judged, some, plain, written, is_inlined=is_inlined)
        return plain

    def places(self) -> list[int]:
        """Return where ``!important`` must be written so that rules for some screens still win."""
        judged = self._judged
        rules = [rule for sheet in self._page.inline_sheets for rule in sheet.rules]
        keys = judged.wanted | set(judged.above)
        judged.refused |= {key for key in keys if not _is_understood(rules[key[0]].selectors)}
        return _places(self._page, rules, judged.marked())


@lru_cache(maxsize=32)
def _conditional(sheets: tuple[_css.Sheet, ...]) -> frozenset[int]:
    """Return the places of the rules that are for some screens only."""
    rules = (rule for sheet in sheets for rule in sheet.rules)
    return frozenset(order for order, rule in enumerate(rules) if is_conditional(rule))


@lru_cache(maxsize=1024)
def _is_understood(selectors: tuple[str, ...]) -> bool:
    return all(map(_selectors.is_understood, selectors))


def is_conditional(rule: _css.Rule) -> bool:
    """Return whether a rule is for some screens only."""
    conditions = [condition.lower() for condition in rule.conditions]
    media = [c for c in conditions if c.startswith(("@media", "@supports"))]
    return bool(media) and len(media) == len(conditions) and not _media.is_for_all(rule.conditions)


def _is_layered(sheet: _css.Sheet) -> bool:
    return any(at_rule.lower().startswith("@layer") for at_rule in sheet.at_rules)


def _judge(
    judged: _Judged,
    some: list[Ranked[T]],
    plain: list[Ranked[T]],
    written: str,
    *,
    is_inlined: bool,
) -> None:
    """Add what one element says of the declarations for some screens that match it."""
    own = _css.declarations(written) if written else ()
    is_unknown = bool(written) and merge_tag().search(written) is not None
    found = [
        ((entry[:3], at), declaration) for entry in some for at, declaration in enumerate(entry[3].block)
    ]
    for rank, declaration in found:
        if declaration.is_important:
            continue
        key, sets = (rank[0][2], rank[1]), _sets(declaration.name)
        rivals = [
            (entry[:3], d) for entry in plain for d in entry[3].block if not sets.isdisjoint(_sets(d.name))
        ]
        if is_unknown or _is_beaten(rank[0], sets, own, rivals):
            judged.refused.add(key)
        elif rivals and is_inlined:
            judged.wanted.add(key)
        for other_rank, other in found:
            if other_rank == rank or sets.isdisjoint(_sets(other.name)):
                continue
            if other.is_important and other_rank < rank:
                judged.refused.add(key)
            elif not other.is_important and other_rank > rank:
                judged.above.setdefault(key, set()).add((other_rank[0][2], other_rank[1]))


def _is_beaten(
    rank: tuple[int, tuple[int, int, int], int],
    sets: frozenset[str],
    own: _css.Block,
    rivals: Iterable[tuple[tuple[int, tuple[int, int, int], int], _css.Declaration]],
) -> bool:
    """Return whether an element's own style, or a rule for all screens, is stronger for any property."""
    if any(not d.is_important and not sets.isdisjoint(_sets(d.name)) for d in own):
        return True
    return any(d.is_important or other > rank for other, d in rivals)


def _places(page: Page, rules: list[_css.Rule], marked: set[_Key]) -> list[int]:
    """Return where the values of declarations end in the source, those of a template left out."""
    offsets = [
        offset
        for offset, sheet in zip(page.inline_offsets, page.inline_sheets, strict=True)
        for _ in sheet.rules
    ]
    found = []
    for order in {order for order, _ in marked}:
        start, end = rules[order].places
        start, end = start + offsets[order], end + offsets[order]
        block = page.source[start:end]
        ends = _css.ends(block)
        if not end or merge_tag().search(block) or len(ends) != len(rules[order].declarations):
            continue
        found += [start + place for at, (_, place) in enumerate(ends) if (order, at) in marked]
    return sorted(found)
