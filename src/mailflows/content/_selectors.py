"""CSS selectors, compiled once and matched from the right, as far as mail uses them.

What only a pointer or a form brings about (``:hover``, ``:checked``) never matches: a message is judged as
it is first seen. A selector that cannot be read matches nothing (Selectors Level 4, section 3.9).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailflows._html.tree import Element

__all__ = ["IMPLIED", "Compound", "Selector", "compiled", "is_understood", "matches"]

_PIECE = re.compile(
    r"""\s*+([>+~,])\s*+|(\s++)|([.#])((?:[\w\x80-\U0010ffff-]++|\\.)+)|(\*|[a-zA-Z][\w-]*+)"""
    r"""|\[\s*+([\w:-]++)\s*+(?:([~|^$*]?=)\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s\]]++))\s*+[is]?\s*+)?\]"""
    r"""|(::?[a-zA-Z-]++)(?:\(([^()]*+)\))?"""
)
_NO_NAME = re.compile(r"-?\d")
"""What no class and no id starts with, unless it is escaped (CSS Syntax Level 3, section 4.3.9)."""

_LONGEST = 500  # RFC 2045 section 6.7: characters of a line
_MAX_STEPS = 64  # bound: see below
"""How far up, or back, a combinator looks."""

_PSEUDO = frozenset((":first-child", ":last-child", ":root", ":link"))
IMPLIED = frozenset(("html", "body"))
"""What browsers add where a page does not have it."""

Test = tuple[str, str, str]
"""What is asked, of what, and the wanted value."""


@dataclass(frozen=True, slots=True)
class Compound:
    """What one element must be.

    Attributes:
        keys: Its name, classes and identity, as `Element.keys` has them.
        tests: The other conditions.
        combinator: How it stands to the compound on its right: a space, ``>``, ``+``, ``~`` or nothing.
    """

    keys: tuple[str, ...]
    tests: tuple[Test, ...]
    combinator: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Selector:
    """A selector, read from its right end.

    Attributes:
        key: What the element must have in any case: its rarest key, or ``*``.
        last: What else the element must be, or `None`.
        around: What its relatives must be, the nearest first.
        specificity: Identities, then classes and the like, then names.
    """

    key: str
    last: Compound | None
    around: tuple[Compound, ...]
    specificity: tuple[int, int, int]

    def is_possible(self, keys: tuple[str, ...]) -> bool:
        """Say whether an element of these keys, its own among them, can match."""
        return self.last is None or all(key in keys for key in self.last.keys)

    def is_decided(self, keys: tuple[str, ...]) -> bool:
        """Say whether every element of these keys matches, whatever its attributes and its relatives are."""
        return not self.around and (self.last is None or not self.last.tests) and self.is_possible(keys)


@lru_cache(maxsize=4096)
def compiled(source: str) -> Selector | None:
    """Compile one selector, or return `None` for one that never matches or cannot be read."""
    found: list[Compound] = []
    keys: list[str] = []
    tests: list[Test] = []
    position, source = 0, source.strip()[:_LONGEST]
    while position < len(source):
        piece = _PIECE.match(source, position)
        if piece is None:
            return None
        position = piece.end()
        if piece[1] or piece[2]:
            found.append(Compound(tuple(keys), tuple(tests), piece[1] or " "))
            keys, tests = [], []
        elif piece[3]:
            if _NO_NAME.match(piece[4]):
                return None
            keys.append(piece[3] + piece[4].replace("\\", ""))
        elif not piece[5]:
            tests.append(_test(piece))
        elif piece[5] != "*":
            keys.append(piece[5].lower())
    if not keys and not tests and not source.endswith("*"):
        return None
    return _selector(found, keys, tests)


def _selector(around: list[Compound], keys: list[str], tests: list[Test]) -> Selector:
    every = [*around, Compound(tuple(keys), tuple(tests))]
    key = min(keys, key=lambda key: "#.".find(key[0]) % 3, default="*")  # identity, class, name
    rest = tuple(other for other in keys if other is not key)
    last = Compound(rest, tuple(tests)) if rest or tests else None
    return Selector(key, last, tuple(reversed(around)), _specificity(every))


def _test(piece: re.Match[str]) -> Test:
    if piece[6]:
        value = next((v for v in (piece[8], piece[9], piece[10]) if v is not None), "")
        return (piece[7] or "[]", piece[6].lower(), value)
    return (piece[11].lower(), "", (piece[12] or "").strip().lower())


def _specificity(compounds: list[Compound]) -> tuple[int, int, int]:
    kinds = [key[0] for compound in compounds for key in compound.keys]
    tests = sum(len(compound.tests) for compound in compounds)
    identities, classes = kinds.count("#"), kinds.count(".")
    return (identities, classes + tests, len(kinds) - identities - classes)


def matches(selector: Selector, element: Element, room: list[int]) -> bool:
    """Return whether a selector matches an element that has its key.

    *room* holds how many elements may still be compared.
    """
    if selector.last is not None and not _is(selector.last, element):
        return False
    return not selector.around or _fits(selector.around, 0, element, room)


def _fits(compounds: tuple[Compound, ...], place: int, element: Element, room: list[int]) -> bool:
    """Return whether the compounds from *place* on match what an element is related to.

    The root stands for what browsers add around a page without ``<body>``.
    """
    if place == len(compounds):
        return True
    compound = compounds[place]
    if compound.combinator in {"+", "~"}:
        return any(_fits(compounds, place + 1, node, room) for node in _before(compound, element, room))
    node = element.parent
    for _ in range(_MAX_STEPS if compound.combinator == " " else 1):
        if node is None or room[0] <= 0:
            return False
        room[0] -= 1
        if not node.name:
            return _is_implied(compound)
        if _is(compound, node) and _fits(compounds, place + 1, node, room):
            return True
        node = node.parent
    return False


def _before(compound: Compound, element: Element, room: list[int]) -> list[Element]:
    """Return the elements in front of one that a compound to the left means, the nearest first."""
    siblings = element.parent.elements if element.parent else []
    steps = _MAX_STEPS if compound.combinator == "~" else 1
    before = siblings[max(0, element.position - steps) : element.position]
    room[0] -= len(before)
    return [node for node in reversed(before) if _is(compound, node)] if room[0] >= 0 else []


def is_understood(source: str) -> bool:
    """Return whether `matches` finds every element that a selector means; one with ``:hover`` means none."""
    selector = compiled(source)
    if selector is None:
        return False
    compounds = (*selector.around, *([selector.last] if selector.last else []))
    tests = [test for compound in compounds for test in compound.tests]
    return all(kind[0] != ":" or kind in _PSEUDO or _is_plain_nth(kind, wanted) for kind, _, wanted in tests)


def _is_plain_nth(kind: str, wanted: str) -> bool:
    return kind == ":nth-child" and (wanted in {"odd", "even"} or wanted.isdecimal())


def _is_implied(compound: Compound) -> bool:
    return len(compound.keys) == 1 and compound.keys[0] in IMPLIED and not compound.tests


def _is(compound: Compound, element: Element) -> bool:
    keys = element.keys
    for key in compound.keys:  # a plain loop: it runs for every candidate
        if key not in keys:
            return False
    return not compound.tests or all(_passes(test, element) for test in compound.tests)


def _passes(test: Test, element: Element) -> bool:
    kind, name, wanted = test
    if kind[0] == ":":
        return _passes_pseudo(kind, wanted, element)
    value = element.values.get(name)
    return value is not None and _COMPARISONS[kind](value, wanted)


_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "[]": lambda _value, _wanted: True,
    "=": lambda value, wanted: value == wanted,
    "~=": lambda value, wanted: wanted in value.split(),
    "|=": lambda value, wanted: value == wanted or value.startswith(f"{wanted}-"),
    "^=": lambda value, wanted: bool(wanted) and value.startswith(wanted),
    "$=": lambda value, wanted: bool(wanted) and value.endswith(wanted),
    "*=": lambda value, wanted: bool(wanted) and wanted in value,
}


def _passes_pseudo(kind: str, wanted: str, element: Element) -> bool:
    if kind == ":first-child":
        return element.position == 0
    if kind == ":last-child":
        return element.parent is not None and element.parent.elements[-1] is element
    if kind == ":root":
        return element.name == "html"
    if kind == ":link":
        return element.name == "a" and "href" in element.values
    if kind == ":not" and (inner := compiled(wanted)) and not inner.around:
        has_key = inner.key == "*" or inner.key in element.keys
        return not (has_key and matches(inner, element, [0]))
    return kind == ":nth-child" and _is_nth(wanted, element.position + 1)


def _is_nth(wanted: str, number: int) -> bool:
    """Return whether a number is odd, even, or n; the other forms are not seen in mail."""
    if wanted in {"odd", "even"}:
        return number % 2 == (wanted == "odd")
    return wanted == str(number)
