"""The skeleton of a series of messages: its fixed words in order, and the slots between them.

Two messages of one template differ only in their slots. Words that occur once in both are anchors;
between them the rest is matched outwards, so that aligning takes time in proportion to the words.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from mailflows._domain import host_of
from mailflows.templates._slots import DIGITS, NOTHING, SlotKind, kinds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailflows.message import Message

__all__ = ["Gap", "Skeleton", "Slot", "Token", "align", "begun", "gaps", "learned", "tokens_of"]

MOST_TOKENS = 600
"""Tokens of a skeleton; what stands behind them is not looked at. A bound on work."""

_MOST_KNOWN = 150
"""Words remembered for a slot that had few different ones, such as a block that is not always there.
A bound on work."""

_MOST_KNOWN_BETWEEN = 3  # bound: keeps work and memory flat
_WORD = 6  # characters of a word, with its space  # our choice

_LONGEST_LINE = 20_000
"""Characters of a line that are looked at. A bound on work."""

_MOST_WORDS = 32_768
"""Words that a memory keeps the tokens of, those of several languages. bound: about 10 MB."""

_TOKEN = re.compile(
    r"\s?(?:https?://[^\s<>\"]{0,2000}[^\s<>\".,;:!?)\]]|[\w.+-]{1,64}@[\w.-]{1,253}|\w{1,100}|[^\w\s])"
)
_PLAIN_TOKEN = re.compile(r"\s?\w{1,100}|\s?[^\w\s]")
"""The same for a line without addresses, several times as fast."""

_BREAK = "\n"


class Token(NamedTuple):
    """A word, a sign, a link, or the end of a line.

    Attributes:
        text: As written.
        mark: Keyed hash; of a link, that of its host: paths differ in every message.
        is_apart: Whether white space precedes it.
        has_digits: Whether it is a number or a code: never a fixed word.
    """

    text: str
    mark: bytes
    is_apart: bool = True
    has_digits: bool = False

    @property
    def is_link(self) -> bool:
        """Whether it is an address in the web, with its scheme."""
        return "://" in self.text[:9]

    @property
    def is_break(self) -> bool:
        """Whether it is the end of a line."""
        return self.text == _BREAK


class Words(dict[str, Token]):
    """The tokens of a memory by how they are written, a space before them included: each is hashed once.

    Only plain words are kept; what may say of whom a message is, such as a code or an address, is not.

    Args:
        mark: Makes the keyed hash of a word.
    """

    def __init__(self, mark: Callable[[str], bytes]) -> None:
        super().__init__()
        self._mark = mark
        self.end = Token(_BREAK, mark(_BREAK))

    def __missing__(self, written: str) -> Token:
        text = written.lstrip()
        if not text.isalpha() and len(text) > 1:
            return Token(text, self._mark(_sameness(text)), text != written, any(map(str.isdigit, text)))
        if len(self) >= _MOST_WORDS:
            self.clear()
        self[written] = token = Token(text, self._mark(text.lower()), text != written, text.isdigit())
        return token


@dataclass(slots=True)
class Slot:
    """What a slot has held so far.

    Attributes:
        seen: Messages in which it held something.
        kinds: All that it held.
        longest: Characters of its longest value.
        known: Hashes of words that stood there.
    """

    seen: int = 0
    kinds: SlotKind = NOTHING
    longest: int = 0
    known: set[bytes] = field(default_factory=set)

    def add(self, values: Sequence[str], length: int, marks: Sequence[bytes]) -> None:
        """Learn what stands there in one message: new passages, characters in all, and words."""
        self.seen += bool(values)
        for value in values:
            self.hold(kinds_of(value))
        self.longest = max(self.longest, length)
        self.know(marks)

    def hold(self, kinds: SlotKind) -> None:
        """Learn that it held something of these kinds."""
        if self.kinds is NOTHING:
            self.kinds = kinds
        elif kinds is not self.kinds and kinds is not NOTHING:  # a flag is one object; to join two takes long
            self.kinds |= kinds

    def know(self, marks: Sequence[bytes]) -> None:
        """Remember words, as far as there is room."""
        room = _MOST_KNOWN - len(self.known)
        self.known.update(marks[: max(0, room)])

    def join(self, other: Slot) -> None:
        """Take in another slot that turned out to be the same."""
        self.seen = max(self.seen, other.seen)
        self.hold(other.kinds)
        self.longest = max(self.longest, other.longest)
        self.know(sorted(other.known))


@dataclass(slots=True)
class Skeleton:
    """Fixed words in order, and the slots that stand behind some of them.

    Attributes:
        fixed: Hashes of the fixed tokens.
        slots: Index of the fixed token before a slot → the slot; -1 for the beginning.
        seen: Messages that it was learned from.
        strictness: Share of the words of these messages that are fixed, numbers aside, in the mean.
    """

    fixed: list[bytes]
    slots: dict[int, Slot] = field(default_factory=dict)
    seen: int = 0
    strictness: float = 1.0

    def vocabulary(self) -> set[bytes]:
        """Return the hashes of all words that it knows."""
        return set(self.fixed).union(*(slot.known for slot in self.slots.values()))


@dataclass(slots=True)
class Gap:
    """A place where a message differs from its skeleton, or where a slot is.

    Attributes:
        before: Index of the last fixed token before it; -1 for the beginning.
        after: Index of the next fixed token that is there.
        tokens: What the message has there.
        around: The tokens of the message before and after it.
        slot: What was known of it; `None` where the skeleton had no slot.
    """

    before: int
    after: int
    tokens: Sequence[Token]
    around: tuple[Sequence[Token], Sequence[Token]]
    slot: Slot | None

    @property
    def lost(self) -> int:
        """Fixed tokens that are missing there."""
        return self.after - self.before - 1

    def values(self, vocabulary: set[bytes]) -> list[str]:
        """Return the passages of new words that the message has there.

        Up to three known words between new ones are part of the passage; longer known stretches are a
        block of the template that is not always there.
        """
        own = self.slot.known if self.slot else frozenset()  # a line ends almost everywhere, not in a slot
        spans: list[list[int]] = []
        for place, token in enumerate(self.tokens):
            if token.mark in (own if token.is_break else vocabulary):
                continue
            if spans and place - spans[-1][1] <= _MOST_KNOWN_BETWEEN + 1:
                spans[-1][1] = place
            else:
                spans.append([place, place])
        return ["".join(_spaced(self.tokens[a : b + 1])).strip(" ") for a, b in spans]

    @property
    def length(self) -> int:
        """Characters that the message has there, and about those of what is missing."""
        return len("".join(_spaced(self.tokens))) + _WORD * self.lost

    @property
    def is_inline(self) -> bool:
        """Whether it shares a line with fixed words: then it is not a block of its own."""
        before, after = self.around
        starts = bool(before) and not before[-1].is_break and not (self.tokens and self.tokens[0].is_break)
        ends = bool(after) and not after[0].is_break and not (self.tokens and self.tokens[-1].is_break)
        return starts or ends

    @property
    def name(self) -> str:
        """The fixed words around it."""
        before, after = (_line_end(self.around[0]), _line_start(self.around[1]))
        return f'"{before}…{after}"'


def _spaced(tokens: Sequence[Token]) -> list[str]:
    return [" " + t.text if t.is_apart and not t.is_break else t.text for t in tokens]


def _line_end(tokens: Sequence[Token]) -> str:
    """Return the last words before a slot, of its own line or the one above."""
    shown: list[Token] = []
    for token in reversed(tokens):
        if token.is_break and shown:
            break
        if not token.is_break:
            shown.insert(0, token)
    return "".join(_spaced(shown)).strip() + " " if shown else ""


def _line_start(tokens: Sequence[Token]) -> str:
    """Return the first words behind a slot, if they stand on its line."""
    shown = []
    for token in tokens[:3]:
        if token.is_break:
            break
        shown.append(token)
    return "".join(_spaced(shown))


def tokens_of(message: Message, words: Words) -> list[Token]:
    """Return the tokens of subject and body."""
    found: list[Token] = []
    for line in (message.subject, *message.body.split("\n")):
        pattern = _TOKEN if "@" in line or "://" in line else _PLAIN_TOKEN
        written = pattern.findall(f" {line[:_LONGEST_LINE]}")  # the first word of a line stands apart, too
        if not written and found:
            continue
        found += map(words.__getitem__, written)
        found.append(words.end)
        if len(found) >= 2 * MOST_TOKENS:
            break
    return found[: 2 * MOST_TOKENS]


def _sameness(text: str) -> str:
    return f"//{host_of(text)}" if "://" in text[:9] else text.lower()


def align(skeleton: Skeleton, tokens: Sequence[Token]) -> tuple[list[tuple[int, int]], float]:
    """Match the fixed tokens of a skeleton with a message.

    Returns:
        Pairs of indexes, both rising, and the share of the fixed tokens that were found.
    """
    places = [place for place, token in enumerate(tokens) if not token.has_digits]
    marks = [tokens[place].mark for place in places]
    fixed = skeleton.fixed
    if fixed and marks == fixed:
        return list(enumerate(places)), 1.0
    pairs: list[tuple[int, int]] = []
    ends = [(-1, -1), *_anchors(fixed, marks), (len(fixed), len(marks))]
    for (a, b), (c, d) in pairwise(ends):
        if a >= 0:
            pairs.append((a, b))
        low, high, i, j = a + 1, c - 1, b + 1, d - 1
        while low <= high and i <= j and fixed[low] == marks[i]:
            pairs.append((low, i))
            low, i = low + 1, i + 1
        tail = []
        while low <= high and i <= j and fixed[high] == marks[j]:
            tail.append((high, j))
            high, j = high - 1, j - 1
        pairs += reversed(tail)
    return [(a, places[b]) for a, b in pairs], len(pairs) / max(1, len(fixed))


def _anchors(fixed: Sequence[bytes], marks: Sequence[bytes]) -> list[tuple[int, int]]:
    """Return the longest rising sequence of words that occur once in both (patience sorting)."""
    counts, other = Counter(fixed), Counter(marks)
    places = {mark: j for j, mark in enumerate(marks) if other[mark] == 1}
    found = [(i, places[m]) for i, m in enumerate(fixed) if counts[m] == 1 and m in places]
    tops: list[int] = []
    piles: list[int] = []
    previous = []
    for number, (_, j) in enumerate(found):
        pile = bisect_left(tops, j)
        previous.append(piles[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(j)
            piles.append(number)
        else:
            tops[pile], piles[pile] = j, number
    chain = []
    number = piles[-1] if piles else -1
    while number >= 0:
        chain.append(found[number])
        number = previous[number]
    return chain[::-1]


def gaps(skeleton: Skeleton, tokens: Sequence[Token], pairs: list[tuple[int, int]]) -> list[Gap]:
    """Return where a message differs, and where slots are."""
    found = []
    for (a, b), (c, d) in pairwise([(-1, -1), *pairs, (len(skeleton.fixed), len(tokens))]):
        if c == a + 1 and d == b + 1 and a not in skeleton.slots:
            continue
        slots = [skeleton.slots[i] for i in range(a, c) if i in skeleton.slots]
        slot = None
        if slots:
            slot = Slot()
            for known in slots:
                slot.join(known)
        around = (tokens[max(0, b - 3) : b + 1], tokens[d : d + 3])
        found.append(Gap(a, c, tokens[b + 1 : d], around, slot))
    return found


def _ends_first(token: Token) -> bool:
    """Sort the ends of lines first: that a slot holds several lines must be remembered."""
    return not token.is_break


def begun(tokens: Sequence[Token]) -> Skeleton:
    """Return the skeleton of a first message: what has digits is taken for a slot at once."""
    skeleton = Skeleton([], {}, 1)
    fixed = skeleton.fixed
    for token in tokens[:MOST_TOKENS]:
        if not token.has_digits:
            fixed.append(token.mark)
            continue
        slot = skeleton.slots.setdefault(len(fixed) - 1, Slot())
        # A link says by its host what it is, and that is known from now on.
        slot.add([] if token.is_link else [token.text], len(token.text), [token.mark])
        slot.hold(DIGITS)
    return skeleton


def learned(skeleton: Skeleton, found: Sequence[Gap], pairs: list[tuple[int, int]]) -> Skeleton:
    """Return a skeleton that has learned a message: what differed is a slot from now on."""
    numbers = {old: new for new, (old, _) in enumerate(pairs)}
    vocabulary = skeleton.vocabulary()
    slots = {}
    for gap in found:
        slot = gap.slot or Slot()
        slot.add(
            gap.values(vocabulary), gap.length, [token.mark for token in sorted(gap.tokens, key=_ends_first)]
        )
        slot.know(skeleton.fixed[gap.before + 1 : gap.after])
        slots[numbers.get(gap.before, -1)] = slot
    words = len(pairs) + sum(not token.has_digits for gap in found for token in gap.tokens)
    share = len(pairs) / max(1, words)
    strictness = round(skeleton.strictness + (share - skeleton.strictness) / max(1, skeleton.seen), 3)
    return Skeleton([skeleton.fixed[old] for old, _ in pairs], slots, skeleton.seen + 1, strictness)
