"""Kinds of messages that the guard knows by name: a cart left behind, a double opt-in, a price drop.

A linear model reads the core of a message: word beginnings, pairs of them, concepts of the lexicons, prices.
Each kind has a place: transactional, marketing, or "depends"; the places are a table, and the user may
move a kind.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from mailflows import _data

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mailflows.flows._core import Core

PLACES = ("transactional", "marketing", "depends")

__all__ = ["PLACES", "Kind", "KindModel", "Reading", "known_kinds", "read_kind", "shipped_kinds", "traits"]

_MOST_TOKENS = 160  # bound: what a message is for stands in its first hundred and some words
_STEM = 5  # choice: letters that tell a word from others in languages that bend it
_ALONE = "ws"  # the traits that are one word, of the text or of the subject
_UNKNOWN = 4.0  # benchmarks/flows_guard.py: of 0, 2, 4 and 6 it finds most where 1 % of the clean are refused
_NEAREST = 0.25  # benchmarks/flows_guard.py: of 0, 0.25, 0.5 and 1 it finds most at 1 % of the clean
_SHORT = 10  # choice: different words of two short sentences, from which a text says what it is for
_DENSE = re.compile(r"[\u3041-\u9fffー]+")
_PERCENT = re.compile(r"\d\s?[%％]|[%％]\s?\d")
_PRICE = re.compile(r"[$€£¥]\s?\d|\d\s?(?:[€$£円]|zł|kr\b|руб|Kč|EUR|USD|GBP)")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of message, and where it belongs.

    Attributes:
        name: Kebab-case, such as ``abandoned-cart``.
        place: ``transactional``, ``marketing`` or ``depends``.
        title: What it is, for a reader.
        source: The rule or the guidance that the place follows.
    """

    name: str
    place: str
    title: str
    source: str


@dataclass(frozen=True, slots=True)
class KindModel:
    """Weights of what a message holds: of marketing against transactional, and of each kind.

    Attributes:
        traits: Trait → how telling it is (its inverse document frequency), and its weight for marketing.
        start: Start value of the odds.
        kinds: Kind → its start value.
        telling: Trait → kind → weight.
        flag: Log odds of marketing from which a message is flagged.
        refuse: Log odds from which it is refused.
        named: Score from which a kind is named.
    """

    traits: Mapping[str, Sequence[float]]
    start: float
    kinds: Mapping[str, float]
    telling: Mapping[str, Mapping[str, float]]
    flag: float
    refuse: float
    named: float

    def values(self, found: set[str]) -> dict[str, float]:
        """Return the known traits of a message, scaled so that a long message weighs as much as a short one.

        Words that are not known count in the scale: of a text that is mostly unknown, little is said.
        """
        known = {name: self.traits[name][0] for name in sorted(found) if name in self.traits}
        unknown = sum(name[0] in _ALONE and name not in self.traits for name in found)
        length = math.sqrt(sum(value * value for value in known.values()) + unknown * _UNKNOWN**2) or 1.0
        return {name: value / length for name, value in known.items()}

    def read(self, found: set[str]) -> tuple[str | None, float]:
        """Return the name of the likeliest kind, if one is likely, and the log odds of marketing.

        What a message is like as a whole and which kind it is nearest to both tell: a text that no kind of
        marketing resembles is seldom marketing, whatever its words. Of a text of a few words, little is said.
        """
        values = self.values(found)
        odds = self.start + sum(self.traits[name][1] * value for name, value in values.items())
        scores = dict(self.kinds)
        for name, value in values.items():
            for kind, weight in self.telling.get(name, {}).items():
                scores[kind] += weight * value
        kind = max(scores, key=scores.__getitem__)
        odds += _NEAREST * _lead_of_marketing(scores)
        said = min(1.0, sum(name[:2] == "w:" for name in found) / _SHORT)
        return kind if scores[kind] >= self.named else None, said * odds


def _lead_of_marketing(scores: Mapping[str, float]) -> float:
    """Return by how much the likeliest kind of marketing is likelier than any that is transactional."""
    places = known_kinds()
    best = {True: -math.inf, False: -math.inf}
    for kind, score in scores.items():
        side = places[kind].place == "transactional"
        best[side] = max(best[side], score)
    return best[False] - best[True]


@dataclass(frozen=True, slots=True)
class Reading:
    """What kind a message is.

    Attributes:
        kind: The likeliest; `None` for one without a name.
        odds: Log odds of marketing against transactional.
    """

    kind: Kind | None
    odds: float


@cache
def known_kinds() -> dict[str, Kind]:
    """Return the table of kinds by name."""
    table = tomllib.loads(_data.read("flows/kinds.toml"))
    return {name: Kind(name, row["place"], row["title"], row["source"]) for name, row in table.items()}


@cache
def shipped_kinds() -> KindModel:
    """Return the model that ``tasks/train_kinds.py`` wrote."""
    content = json.loads(_data.read("flows/kinds.json"))
    return KindModel(
        content["traits"],
        content["start"],
        content["kinds"],
        content["telling"],
        content["flag"],
        content["refuse"],
        content["named"],
    )


def _parts(tokens: Iterable[str]) -> list[str]:
    """Return the beginnings of words in order; of text without spaces, its pairs of letters."""
    found: list[str] = []
    for token in islice(tokens, _MOST_TOKENS):
        if not token.isascii() and (dense := _DENSE.findall(token)):
            found += [run[i : i + 2] for run in dense for i in range(max(1, len(run) - 1))]
        else:
            found.append(token[:_STEM] if token.isalpha() else "0")
    return found[: 2 * _MOST_TOKENS]


def traits(core: Core) -> set[str]:
    """Return what the core of a message holds: word beginnings, pairs, concepts, and marks."""
    subject, body = _parts(core.subject.tokens), _parts(t for line in core.lines for t in line.tokens)
    found = {"s:" + part for part in subject}
    found |= {"w:" + part for part in (*subject, *body)}
    found |= {f"p:{one} {two}" for parts in (subject, body) for one, two in pairwise(parts)}
    found |= {"t:" + concept for concept in core.subject.concepts}
    looked = 0
    for line in core.lines:
        found |= {"c:" + concept for concept in line.concepts}
        looked += len(line.tokens)
        if looked >= _MOST_TOKENS:
            break
    whole = "\n".join((core.subject.text, *(line.text for line in core.lines)))[:4000]
    if _PERCENT.search(whole):
        found.add("m:percent")
    if _PRICE.search(whole):
        found.add("m:price")
    if "!" in whole or "！" in whole:
        found.add("m:exclamation")
    return found


def read_kind(core: Core, *, model: KindModel | None = None) -> Reading:
    """Return what kind a message is, and the odds that it is marketing.

    Args:
        core: What it says.
        model: The shipped one by default.
    """
    name, odds = (model or shipped_kinds()).read(traits(core))
    return Reading(known_kinds().get(name) if name else None, odds)
