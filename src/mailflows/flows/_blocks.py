"""Promotional blocks: an advert inside a message that is something else.

The classifier judges a message as a whole, and by its beginning and end. An advert that somebody put
into a receipt is found only by looking at each passage for itself: windows of a few lines are scored
with a small linear model of words, concepts of the lexicons, prices and percentages.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from mailflows import _data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailflows.flows._core import Core, Line

__all__ = ["Block", "BlockModel", "features", "most_promotional", "passages", "shipped_blocks"]

_MOST_TOKENS = 160  # bound: keeps work and memory flat
_LEAST_WORDS = 8  # our choice
_MOST_WORDS = 120  # bound: keeps work and memory flat
_LINES_AT_ONCE = 4  # bound: keeps work and memory flat

_DIGIT = re.compile(r"\d")
_PERCENT = re.compile(r"\d\s?[%％]|[%％]\s?\d")
_PRICE = re.compile(r"\d\s?[%％]|[$€£¥]\s?\d|\d\s?(?:[€$£円]|zł|kr\b|руб|Kč)")


@dataclass(frozen=True, slots=True)
class Block:
    """A passage of a message.

    Attributes:
        text: Its lines.
        score: How promotional it reads, in log odds; 0 is undecided.
    """

    text: str
    score: float


@dataclass(frozen=True, slots=True)
class BlockModel:
    """Weights of what a passage holds.

    Attributes:
        start: Start value.
        weights: ``w:word``, ``c:concept`` or ``m:mark`` → weight.
        flag: Score from which a block is worth a look.
        refuse: Score that at most one clean message in fifty of the training reached.
    """

    start: float
    weights: Mapping[str, float]
    flag: float
    refuse: float

    def score(self, found: set[str]) -> float:
        """Score what a passage holds."""
        weights = self.weights
        return self.start + sum(weights.get(name, 0.0) for name in found)


@cache
def shipped_blocks() -> BlockModel:
    """Return the model that ``tasks/train_blocks.py`` wrote."""
    content = json.loads(_data.read("flows/blocks.json"))
    return BlockModel(content["start"], content["weights"], content["flag"], content["refuse"])


def passages(core: Core) -> list[tuple[Line, ...]]:
    """Return the passages of a core: as few following lines as hold enough words to judge."""
    lines = core.lines
    counts = [_words_in(line.text) for line in lines]
    found = []
    for start in range(len(lines)):
        end, count = start, 0
        while end < min(start + _LINES_AT_ONCE, len(lines)) and count < _LEAST_WORDS:
            if end > start and count + counts[end] > _MOST_WORDS:
                break
            count += counts[end]
            end += 1
        if count >= _LEAST_WORDS:
            found.append(lines[start:end])
    return found


def _words_in(line: str) -> int:
    """Count words; where none are marked by spaces, three letters are about one."""
    return len(line.split()) if line.isascii() else max(len(line.split()), _dense(line) // 3)


def _dense(line: str) -> int:
    return sum("\u3041" <= letter <= "\u9fff" for letter in line)


def features(line: Line) -> set[str]:
    """Return what a line holds: words with digits as zeros, concepts, and marks.

    >>> from mailflows.flows._core import Line
    >>> line = Line("Save 20 % now", ("save", "20", "now"), frozenset({"offer"}))
    >>> sorted(features(line))
    ['c:offer', 'm:percent', 'm:price', 'w:00', 'w:now', 'w:save']
    """
    found = {"w:" + (t if t.isalpha() else _DIGIT.sub("0", t[:12])) for t in line.tokens[:_MOST_TOKENS]}
    found |= {"c:" + concept for concept in line.concepts}
    if _PERCENT.search(line.text):
        found.add("m:percent")
    if _PRICE.search(line.text):
        found.add("m:price")
    if "!" in line.text or "！" in line.text:
        found.add("m:exclamation")
    return found


def most_promotional(core: Core, *, model: BlockModel | None = None) -> Block | None:
    """Return the passage that reads most like an advert; `None` for a message of a few words.

    Args:
        core: What to look at.
        model: The shipped one by default.
    """
    model = model or shipped_blocks()
    held = {id(line): features(line) for line in core.lines}
    best: tuple[float, tuple[Line, ...]] | None = None
    for passage in passages(core):
        score = model.score(set().union(*(held[id(line)] for line in passage)))
        if best is None or score > best[0]:
            best = (score, passage)
    return Block("\n".join(line.text for line in best[1]), best[0]) if best else None
