"""What a reader sees of each run of text: its colours, its size, and whether it is seen at all.

A small cascade (CSS Cascade Level 4): style sheets and ``style`` attributes, specificity, ``!important``,
inheritance, and the old attributes ``bgcolor``, ``color``, ``size``. Only what decides about being seen is
computed, so that the same mail before and after inlining is the same. A wide screen is assumed; what only
another medium, a dark mode or a narrow screen brings is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Generic, TypeVar

from mailflows._html.tree import Element, Text
from mailflows.content import _css, _media, _selectors
from mailflows.content._color import BLACK, WHITE, Color, parse_color

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailflows._html.tree import Tree

__all__ = ["Cascade", "Matches", "Ranked", "RuleIndex", "Style", "indexed"]

T = TypeVar("T")
Ranked = tuple[int, tuple[int, int, int], int, T]
"""Rank of its layer, specificity, place in the source, and what was made of it."""
_Entry = tuple[_selectors.Selector, frozenset[str], list[Ranked[T]]]
"""A selector, what must be in the page for it, and what its rule says."""
_Candidates = tuple[int, list[Ranked[T]], list[tuple[_selectors.Selector, list[Ranked[T]]]]]
"""Their number, what holds for every element of the same keys, and what only some of these match."""

MAX_MATCHES = 40_000
"""bound: comparisons of an element with a selector; the largest of 612 real pages takes 14,244. What a
hostile page has beyond is left out."""

SEEN = frozenset(
    "color background background-color background-image font-size font font-weight display visibility "
    "opacity height max-height width max-width overflow overflow-y text-indent left top position "
    "text-decoration text-decoration-line".split()
)
_SIZE = re.compile(r"([+-]?[0-9]{0,9}\.?[0-9]{1,9})\s*+(px|pt|em|rem|%|)\Z")
_FONT_SIZE = re.compile(r"(?:^|\s)([0-9.]{1,9}(?:px|pt|em|rem|%))(?:\s|/|\Z)")
_KEYWORDS = {
    "xx-small": 9.0,
    "x-small": 10.0,
    "small": 13.0,
    "medium": 16.0,
    "large": 18.0,
    "x-large": 24.0,
    "xx-large": 32.0,
}
_RELATIVE = {"smaller": 0.833, "larger": 1.2}
_NATURAL = {
    "h1": 2.0,
    "h2": 1.5,
    "h3": 1.17,
    "h5": 0.83,
    "h6": 0.67,
    "small": 0.833,
    "big": 1.2,
    "sub": 0.833,
    "sup": 0.833,
}
_FONT_SIZES = {"1": 10.0, "2": 13.0, "3": 16.0, "4": 18.0, "5": 24.0, "6": 32.0, "7": 48.0}
_BOLD = frozenset("b strong th h1 h2 h3 h4 h5 h6".split())
_LINK = Color(0, 0, 238)
_UNSEEN = frozenset("head style script title template noscript object audio video datalist".split())
_STRUCK = frozenset("s strike del".split())
_STATE = re.compile(
    r":(?:not\(:checked\)|checked|hover|target|focus(?:-within|-visible)?|active)", re.IGNORECASE
)
"""What a reader brings about (Selectors Level 4, sections 9 and 10)."""

_NAMED = re.compile(r"(?:[.#]|\[(?:class|id)[~*^|$]?=[\"']?)([\w-]{1,80})")
"""A class or id that a selector asks for, in brackets too, as old style sheets do against one webmailer."""

_SWITCHES = frozenset("display visibility opacity height max-height width max-width font-size".split())


@dataclass(frozen=True, slots=True)
class Style:
    """How text in an element is drawn.

    Attributes:
        color: Of the text.
        ground: The background, or `None` where that is a picture or cannot be told.
        size: Of the font, in pixels.
        is_bold: Whether it is bold.
        hidden: Why it is not seen, such as ``display:none``, or an empty string.
        hider: The element that hides it.
        is_struck: Whether it is struck through.
    """

    color: Color
    ground: Color | None
    size: float
    is_bold: bool = False
    hidden: str = ""
    hider: Element | None = None
    is_struck: bool = False


_START = Style(BLACK, WHITE, 16.0)


class RuleIndex(Generic[T]):
    """The rules of style sheets, by what an element must have to match.

    Args:
        sheets: The style sheets, in order.
        applies: Says of a rule whether it counts.
        prepared: Makes of a rule's declarations what `Matches` gives.
    """

    def __init__(
        self,
        sheets: Sequence[_css.Sheet],
        applies: Callable[[_css.Rule], bool],
        prepared: Callable[[_css.Block], T],
    ) -> None:
        self.entries: dict[str, list[_Entry[T]]] = {}
        layers = _layers(sheets)
        for order, rule in enumerate(rule for sheet in sheets for rule in sheet.rules):
            if not applies(rule):
                continue
            parts = [(rank, prepared(block)) for rank, block in _ranked(rule, layers)]
            for source in rule.selectors:
                if selector := _selectors.compiled(source):
                    ranked = [(rank, selector.specificity, order, part) for rank, part in parts]
                    wanted = frozenset(key for compound in selector.around for key in compound.keys)
                    self.entries.setdefault(selector.key, []).append((selector, wanted, ranked))


class Matches(Generic[T]):
    """The rules of an index that match the elements of a page."""

    def __init__(self, index: RuleIndex[T], tree: Tree) -> None:
        self._room = [MAX_MATCHES]
        there = set(_selectors.IMPLIED).union(*[element.keys for element in tree.elements])
        self._entries = {
            key: [entry for entry in entries if not entry[1] or entry[1] <= there]
            for key, entries in index.entries.items()
            if key in there or key == "*"
        }
        self._known: dict[tuple[str, ...], _Candidates[T]] = {}

    @property
    def is_spent(self) -> bool:
        """Whether there was more to compare than is looked at."""
        return self._room[0] <= 0

    def of(self, element: Element) -> list[T]:
        """Return what was made of the rules that match an element, the weakest rule first."""
        return [part for *_, part in self.ranked(element)]

    def ranked(self, element: Element) -> list[Ranked[T]]:
        """Return the same with the rank of each rule: of its layer, its specificity, its place."""
        if self._room[0] <= 0:
            return []
        keys = element.keys
        number, sure, asked = self._known.get(keys) or self._candidates(keys)
        self._room[0] -= number
        more = [ranked for selector, ranked in asked if _selectors.matches(selector, element, self._room)]
        return sorted(chain(sure, *more), key=_rank) if more else sure

    def _candidates(self, keys: tuple[str, ...]) -> _Candidates[T]:
        """Return what there is for elements of some keys; most elements are like others."""
        entries = [entry for key in ("*", *keys) for entry in self._entries.get(key, ())]
        sure: list[Ranked[T]] = []
        asked: list[tuple[_selectors.Selector, list[Ranked[T]]]] = []
        for selector, _, ranked in entries:
            if selector.is_decided(keys):
                sure += ranked
            elif selector.is_possible(keys):
                asked.append((selector, ranked))
        sure.sort(key=_rank)
        return self._known.setdefault(keys, (len(entries), sure, asked))


@lru_cache(maxsize=32)
def indexed(
    sheets: tuple[_css.Sheet, ...],
    applies: Callable[[_css.Rule], bool],
    prepared: Callable[[_css.Block], T],
) -> RuleIndex[T]:
    """Return the index of style sheets; a campaign has the same ones in every message."""
    return RuleIndex(sheets, applies, prepared)


def _rank(entry: Ranked[T]) -> tuple[int, tuple[int, int, int], int]:
    return entry[:3]


def _ranked(rule: _css.Rule, layers: dict[str, int]) -> list[tuple[int, _css.Block]]:
    """Return the declarations of a rule with their rank; the important ones of layers rank in reverse."""
    if not layers or not (layer := _layer(rule)):
        return [(0, rule.declarations)]
    rank = len(layers) - layers.get(layer, 0)
    normal = tuple(d for d in rule.declarations if not d.is_important)
    important = tuple(d for d in rule.declarations if d.is_important)
    return [(-rank, normal), (rank, important)]


class Cascade:
    """The styles of all elements of a page.

    Attributes:
        responsive: Classes and ids that a media query shows or hides.
    """

    def __init__(self, tree: Tree, sheets: Sequence[_css.Sheet]) -> None:
        self.responsive = frozenset[str]().union(*map(_responsive, sheets))
        self._rules = Matches(indexed(tuple(sheets), _decides, _values), tree)
        self._revealing = Matches(indexed(tuple(map(_revealed, sheets)), _decides, _values), tree)
        self.styles: dict[int, Style] = {id(tree.root): _START}
        for element in tree.elements:
            parent = element.parent or tree.root
            self.styles[id(element)] = self._style(element, self.styles[id(parent)])

    def style(self, node: Element | Text) -> Style:
        """Return how an element, or a run of text, is drawn."""
        element = node.parent if isinstance(node, Text) else node
        return self.styles[id(element)]

    def _style(self, element: Element, parent: Style) -> Style:
        values = self._values(element)
        size = _size(element, values, parent.size)
        style = replace(
            parent,
            size=size,
            color=_color(element, values, parent.color),
            ground=_ground(element, values, parent.ground),
            is_bold=_is_bold(element, values, inherited=parent.is_bold),
            is_struck=parent.is_struck or element.name in _STRUCK or "line-through" in _decoration(values),
        )
        if (
            not parent.hidden
            and (reason := _hidden(element, values))
            and not self._is_revealed(element, values)
        ):
            return replace(style, hidden=reason, hider=element)
        return style

    def _is_revealed(self, element: Element, values: dict[str, str]) -> bool:
        """Return whether a reader can open what is hidden, as in an accordion."""
        shown = _merged(self._revealing.of(element))
        return bool(shown) and not _hidden(element, values | shown)

    def _values(self, element: Element) -> dict[str, str]:
        """Return the winning values of the properties that decide about being seen."""
        blocks = self._rules.of(element)
        if "style" in element.values:
            blocks.append(_values(_css.declarations(element.get("style"))))
        return _merged(blocks) if blocks else {}


def _decides(rule: _css.Rule) -> bool:
    """Return whether a rule has anything to do with being seen on a wide, light screen."""
    if SEEN.isdisjoint(declaration.name for declaration in rule.declarations):
        return False
    return all(map(_applies, rule.conditions))


@lru_cache(maxsize=64)
def _responsive(sheet: _css.Sheet) -> frozenset[str]:
    """Return the classes and ids that the rules of a style sheet show or hide on another screen."""
    switches = {"display", "max-height", "font-size", "visibility"}
    selectors = (
        " ".join(rule.selectors)[:2000]
        for rule in sheet.rules
        if not switches.isdisjoint(d.name for d in rule.declarations)
        and not all(map(_applies, rule.conditions))
    )
    return frozenset(name for source in selectors for name in _NAMED.findall(source))


@lru_cache(maxsize=4096)
def _values(block: _css.Block) -> tuple[dict[str, str], dict[str, str]]:
    """Return what declarations say of being seen: the values, and the important ones."""
    found: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for declaration in block:
        if declaration.name in SEEN:
            found[declaration.is_important].update(_expanded(declaration))
    return found


def _merged(blocks: list[tuple[dict[str, str], dict[str, str]]]) -> dict[str, str]:
    """Let later declarations win, and important ones over all."""
    values: dict[str, str] = {}
    for block, _ in blocks:
        values.update(block)
    for _, important in blocks:
        values.update(important)
    return values


def _expanded(declaration: _css.Declaration) -> dict[str, str]:
    """Return what a declaration sets; a shorthand sets several."""
    value = declaration.value.lower()
    if declaration.name == "background":
        image = value if "url(" in value or "gradient(" in value else "none"
        return {"background-color": _color_word(value), "background-image": image}
    if declaration.name == "font":
        found = _FONT_SIZE.search(value)
        return {"font-size": found[1] if found else "", "font-weight": "bold" if "bold" in value else ""}
    return {declaration.name: value}


def _color_word(value: str) -> str:
    """Return the colour in the value of ``background``."""
    if parse_color(value):
        return value
    outside = re.sub(r"url\([^()]{0,2000}\)", " ", value)
    for word in re.findall(r"(?:rgb|hsl)a?\([^()]{1,80}\)|#[0-9a-f]{3,8}|[a-z]{3,25}", outside[:2000]):
        if parse_color(word):
            return str(word)
    return "unknown" if "var(" in value else "transparent"


def _applies(condition: str) -> bool:
    """Return whether an at-rule lets its rules apply on a wide, light screen."""
    if not condition.lower().startswith("@media"):
        return condition.lower().startswith(("@supports", "@layer"))
    return _media.applies(condition[6:])


def _decoration(values: dict[str, str]) -> str:
    return values.get("text-decoration", "") + values.get("text-decoration-line", "")


@lru_cache(maxsize=64)
def _revealed(sheet: _css.Sheet) -> _css.Sheet:
    """Return the rules that show something when a reader does something, as if it were done."""
    rules = [
        replace(rule, selectors=tuple(_STATE.sub("", selector) or "*" for selector in acting))
        for rule in sheet.rules
        if (acting := [selector for selector in rule.selectors if _STATE.search(selector)])
        and not _SWITCHES.isdisjoint(d.name for d in rule.declarations)
    ]
    return replace(sheet, rules=tuple(rules))


def _layer(rule: _css.Rule) -> str:
    """Return the name of the layer of a rule, or an empty string."""
    return ".".join(c[6:].strip() or "-" for c in rule.conditions if c.lower().startswith("@layer"))


def _layers(sheets: Sequence[_css.Sheet]) -> dict[str, int]:
    """Return the layers in the order in which they are named (CSS Cascade Level 5, section 6.4.4)."""
    found: dict[str, int] = {}
    for sheet in sheets:
        for at_rule in sheet.at_rules:
            if at_rule.lower().startswith("@layer"):
                for name in at_rule[6:].split(",")[:50]:
                    found.setdefault(name.strip() or "-", len(found))
    return found


def _size(element: Element, values: dict[str, str], inherited: float) -> float:
    """Return the size of the font in pixels."""
    written = values.get("font-size") or ""
    if written in _KEYWORDS:
        return _KEYWORDS[written]
    if match := _SIZE.match(written):
        return _pixels(float(match[1]), match[2] or "px", inherited)
    if element.name == "font" and (size := _FONT_SIZES.get(element.get("size"))):
        return size
    return inherited * _RELATIVE.get(written, _NATURAL.get(element.name, 1.0))


def _pixels(number: float, unit: str, inherited: float) -> float:
    scale = {"px": 1.0, "pt": 4 / 3, "em": inherited, "rem": 16.0, "%": inherited / 100}
    return number * scale[unit]


def _color(element: Element, values: dict[str, str], inherited: Color) -> Color:
    written = values.get("color") or (element.get("color") if element.name == "font" else "")
    if element.name == "body" and not written:
        written = element.get("text")
    if written and written != "inherit" and (found := parse_color(written)):
        return found
    is_link = element.name == "a" and "href" in element.values and written != "inherit"
    return _LINK if is_link else inherited


def _ground(element: Element, values: dict[str, str], inherited: Color | None) -> Color | None:
    """Return the colour behind the text; a picture cannot be told."""
    image = values.get("background-image", "")
    if "(" in values.get("color", "") and parse_color(values["color"]) is None:
        return None  # a variable: neither can be told, so that no contrast is judged
    if "url(" in image or "gradient(" in image or "background" in element.values:
        return None
    written = values.get("background-color") or element.get("bgcolor")
    if not written or written in {"inherit", "initial", "unset", "none"}:
        return inherited
    found = parse_color(written)
    if found is None:
        return None
    if found.alpha >= 1:
        return found
    return found.over(inherited) if inherited else (inherited if found.alpha == 0 else None)


def _is_bold(element: Element, values: dict[str, str], *, inherited: bool) -> bool:
    written = values.get("font-weight", "")
    if written in {"bold", "bolder"} or (written.isdecimal() and int(written[:4]) >= 600):
        return True
    if written in {"normal", "lighter"} or written.isdecimal():
        return False
    return inherited or element.name in _BOLD


def _hidden(element: Element, values: dict[str, str]) -> str:
    """Say what hides an element and all in it, or return an empty string."""
    if element.name in _UNSEEN:
        return element.name
    if values.get("display") == "none" or ("hidden" in element.values and "display" not in values):
        return "display:none"
    if values.get("visibility") in {"hidden", "collapse"}:
        return "visibility:hidden"
    if _is_zero(values.get("opacity", ""), 0.05):
        return "opacity:0"
    if "hidden" in (values.get("overflow"), values.get("overflow-y")):
        for name in ("max-height", "height", "max-width", "width"):
            if _is_zero(values.get(name, ""), 1.0):
                return f"{name}:0"
    return "off the page" if _is_far_off(values) else ""


def _is_zero(written: str, most: float) -> bool:
    match = _SIZE.match(written)
    return bool(match) and 0 <= float(match[1]) <= most  # type: ignore[index]


def _is_far_off(values: dict[str, str]) -> bool:
    names = ["text-indent", *(("left", "top") if values.get("position") == "absolute" else ())]
    found = (_SIZE.match(values.get(name, "")) for name in names)
    return any(float(match[1]) <= -500 for match in found if match)
