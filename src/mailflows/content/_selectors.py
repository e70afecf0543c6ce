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
    from collections.abc import Callable, Iterator

    from mailflows._html.tree import Element

__all__ = ["Compound", "Selector", "compiled", "matches"]

_PIECE = re.compile(
    r"""\s*+([>+~,])\s*+|(\s++)|([.#])((?:[\w-]|[^\x00-\x7f]|\\.)++)|(\*|[a-zA-Z][\w-]*+)"""
    r"""|\[\s*+([\w:-]++)\s*+(?:([~|^$*]?=)\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s\]]++))\s*+[is]?\s*+)?\]"""
    r"""|(::?[a-zA-Z-]++)(?:\(([^()]*+)\))?"""
)
_LONGEST = 500  # RFC 2045 section 6.7: characters of a line
_MAX_STEPS = 64  # bound: see below
"""How far up, or back, a combinator looks."""

_IMPLIED = frozenset(("html", "body"))

Test = tuple[str, str, str]
"""What is asked, of what, and the wanted value."""


@dataclass(frozen=True, slots=True)
class Compound:
    """What one element must be.

    Attributes:
        tag: Its name, or an empty string.
        tests: The other conditions.
        combinator: How it stands to the compound on its right: a space, ``>``, ``+``, ``~`` or nothing.
    """

    tag: str
    tests: tuple[Test, ...]
    combinator: str = ""


@dataclass(frozen=True, slots=True)
class Selector:
    """Compounds from right to left, with the specificity of all."""

    compounds: tuple[Compound, ...]
    specificity: tuple[int, int, int]

    @property
    def key(self) -> str:
        """What the element must have in any case: ``#id``, ``.class``, a name, or ``*``."""
        rightmost = self.compounds[0]
        for kind in "#.":
            for test, name, _ in rightmost.tests:
                if test == kind:
                    return kind + name
        return rightmost.tag or "*"


@lru_cache(maxsize=4096)
def compiled(source: str) -> Selector | None:
    """Compile one selector, or return `None` for one that never matches or cannot be read."""
    found: list[Compound] = []
    tag = ""
    tests: list[Test] = []
    position, source = 0, source.strip()[:_LONGEST]
    while position < len(source):
        piece = _PIECE.match(source, position)
        if piece is None:
            return None
        position = piece.end()
        if piece[1] or piece[2]:
            found.append(Compound(tag, tuple(tests), piece[1] or " "))
            tag, tests = "", []
        elif piece[5]:
            tag = "" if piece[5] == "*" else piece[5].lower()
        else:
            tests.append(_test(piece))
    if not tag and not tests and not source.endswith("*"):
        return None
    found.append(Compound(tag, tuple(tests)))
    return Selector(tuple(reversed(found)), _specificity(found))


def _test(piece: re.Match[str]) -> Test:
    if piece[3]:
        return (piece[3], piece[4].replace("\\", ""), "")
    if piece[6]:
        value = next((v for v in (piece[8], piece[9], piece[10]) if v is not None), "")
        return (piece[7] or "[]", piece[6].lower(), value)
    return (piece[11].lower(), "", (piece[12] or "").strip().lower())


def _specificity(compounds: list[Compound]) -> tuple[int, int, int]:
    tests = [test for compound in compounds for test, _, _ in compound.tests]
    identities = tests.count("#")
    return (identities, len(tests) - identities, sum(bool(compound.tag) for compound in compounds))


def matches(selector: Selector, element: Element, room: list[int]) -> bool:
    """Say whether a selector matches an element; *room* holds how many elements may still be compared."""
    compounds = selector.compounds
    if not _is(compounds[0], element):
        return False
    return len(compounds) == 1 or _fits(compounds, 1, element, room)


def _fits(compounds: tuple[Compound, ...], place: int, element: Element, room: list[int]) -> bool:
    """Say whether the compounds from *place* on match what an element is related to."""
    if place == len(compounds):
        return True
    compound = compounds[place]
    for node in _related(compound, element):
        room[0] -= 1
        if room[0] < 0:
            return False
        is_match = compound.tag in _IMPLIED and not compound.tests if not node.name else _is(compound, node)
        if is_match and (not node.name or _fits(compounds, place + 1, node, room)):
            return True
    return False


def _related(compound: Compound, element: Element) -> Iterator[Element]:
    """Yield the elements that a compound to the left may mean, the nearest first.

    The root stands for what browsers add around a page without ``<body>``.
    """
    combinator = compound.combinator
    if combinator in {"+", "~"}:
        before = (
            element.parent.elements[max(0, element.position - _MAX_STEPS) : element.position]
            if element.parent
            else []
        )
        yield from reversed(before if combinator == "~" else before[-1:])
        return
    node = element.parent
    for _ in range(_MAX_STEPS if combinator == " " else 1):
        if node is None:
            return
        yield node
        node = node.parent


def _is(compound: Compound, element: Element) -> bool:
    if compound.tag and compound.tag != element.name:
        return False
    return all(_passes(test, element) for test in compound.tests)


def _passes(test: Test, element: Element) -> bool:
    kind, name, wanted = test
    if kind == ".":
        return name in element.get("class").split()
    if kind == "#":
        return element.get("id") == name
    if kind[0] == ":":
        return _passes_pseudo(kind, wanted, element)
    attribute = element.attributes.get(name)
    return attribute is not None and _COMPARISONS[kind](attribute.value, wanted)


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
        return element.name == "a" and "href" in element.attributes
    if kind == ":not" and (inner := compiled(wanted)) and len(inner.compounds) == 1:
        return not _is(inner.compounds[0], element)
    return kind == ":nth-child" and _is_nth(wanted, element.position + 1)


def _is_nth(wanted: str, number: int) -> bool:
    """Say whether a number is odd, even, or n; the other forms are not seen in mail."""
    if wanted in {"odd", "even"}:
        return number % 2 == (wanted == "odd")
    return wanted == str(number)
