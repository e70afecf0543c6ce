"""What a message says for itself, and how much of that is advertising.

Its core is the subject and what its body says, the same from HTML and from plain text: footers, quotations,
disclaimers and signatures say who sends, not what for, and the words of web and mail addresses are not words
of the text. The core is read twice:

* as a whole, for its kind: a linear model knows a cart left behind, a double opt-in, a price drop by word
  beginnings, pairs of them, concepts of the lexicons, prices. Each kind has a place, transactional, marketing
  or "depends"; the places are a table, and the user may move a kind.
* in passages of a few lines, for an advert that somebody put into a receipt, which the whole would hide.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, NamedTuple

from mailflows import _data
from mailflows.message import Message
from mailflows.signals import words
from mailflows.signals.zones import ZoneKind, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mailflows.signals.zones import ZoneLine

__all__ = [
    "BODY_MARKS",
    "PLACES",
    "Block",
    "BlockModel",
    "Core",
    "Kind",
    "KindModel",
    "Line",
    "Mark",
    "Reading",
    "core_of_text",
    "cores",
    "features",
    "known_kinds",
    "most_promotional",
    "passages",
    "read_kind",
    "shipped_blocks",
    "shipped_kinds",
    "traits",
    "without_banner",
]

PLACES = ("transactional", "marketing", "depends")

_SAID = frozenset({ZoneKind.BODY, ZoneKind.ACTION})
_LONGEST_SUBJECT = 300  # bound: longer ones are cut by every mail client
_LONGEST_LINE = 1_500  # bound: a paragraph that is longer is judged by its beginning
_OPENING = 150  # choice: words by which the language is told; footers may be in another, and are left out

MOST_LINES = 300
"""Lines looked at: half from the beginning, half from the end; bound: time."""

_MOST_TOKENS = 160  # bound: what a message is for stands in its first hundred and some words
_STEM = 5  # choice: letters that tell a word from others in languages that bend it
_ALONE = "ws"  # the traits that are one word, of the text or of the subject
_UNKNOWN = 4.0  # benchmarks/flows_guard.py: of 0, 2, 4 and 6 it finds most where 1 % of the clean are refused
_NEAREST = 0.25  # benchmarks/flows_guard.py: of 0, 0.25, 0.5 and 1 it finds most at 1 % of the clean
_SHORT = 10  # choice: different words of two short sentences, from which a text says what it is for
_DENSE = re.compile(r"[\u3041-\u9fffー]+")
_PERCENT = re.compile(r"\d\s?[%％]|[%％]\s?\d")
_PRICE = re.compile(r"[$€£¥]\s?\d|\d\s?(?:[€$£円]|zł|kr\b|руб|Kč|EUR|USD|GBP)")

_CURRENCY = r"(?:[$€£¥₽円]|EUR|USD|GBP|PLN|TL\b|zł|kr\b|руб|Kč)"


class Mark(NamedTuple):
    """How something looks in any language.

    Attributes:
        pattern: What it matches. One that begins with a digit, and looks behind it then, is found several
            times as fast as one that looks behind first.
        signs: One of these stands in all that it matches.
    """

    pattern: re.Pattern[str]
    signs: tuple[str, ...] = ("",)

    def stands_in(self, text: str) -> bool:
        """Return whether a text has it."""
        for sign in self.signs:
            if sign in text:
                return self.pattern.search(text) is not None
        return False


_CURRENCIES = ("$", "€", "£", "¥", "₽", "円", "EUR", "USD", "GBP", "PLN", "TL", "zł", "kr", "руб", "Kč")
BODY_MARKS = {
    "m:percent": Mark(_PERCENT, ("%", "％")),
    "m:price": Mark(_PRICE, _CURRENCIES),
    "m:exclamation": Mark(re.compile("[!！]"), ("!", "！")),
    "m:cents": Mark(
        re.compile(rf"{_CURRENCY}\s?-?\d[\d.,' ]{{0,12}}[.,]\d\d(?!\d)|\d[.,]\d\d\s?{_CURRENCY}"), _CURRENCIES
    ),
    "m:clock": Mark(
        re.compile(
            r"\d(?<![\d.,]\d)(?:(?<=[01])\d|(?<=2)[0-3])?[:.h][0-5]\d"
            rf"(?!\d|[.,]\d|\s?(?:%|{_CURRENCY}))"
        )
    ),
    "m:date": Mark(
        re.compile(
            r"\d(?:(?<!\d\d)(?:\d?[./-]\d{1,2}[./-]\d{2,4}|\d{3}-\d\d-\d\d)(?!\d)|月\d{1,2}日)",
        )
    ),
    "m:number": Mark(
        re.compile(r"(?<![\w.,€$£])(?:[A-Z]{1,4}[-/]?\d{3,20}|\d{2,8}[-/]\d{3,20}|\d{5,20})(?![\w€$£%])")
    ),
    "m:network": Mark(re.compile(r"\d(?<![\d.]\d)\d{0,2}(?:\.\d{1,3}){3}(?![\d.])")),
    "m:masked": Mark(re.compile(r"(?:[*•]|[xX]{2})\s?-?\d{3,4}\b"), ("*", "•", "x", "X")),
}
"""How a message looks in any language: a notice has numbers of orders, times of day, exact amounts."""

_SUBJECT_MARKS = {
    "m:number in subject": BODY_MARKS["m:number"],
    "m:clock in subject": BODY_MARKS["m:clock"],
    "m:question in subject": Mark(re.compile("[?？]"), ("?", "？")),
    "m:picture in subject": Mark(re.compile("[\U0001f300-\U0001faff\u2600-\u27bf]")),
}
_FILLER_WORDS = 12  # choice: a sentence of filler text; other languages share a few of its words

_LEAST_WORDS = 8  # our choice
_MOST_WORDS = 120  # bound: keeps work and memory flat
_ABOVE_BANNER = 3  # choice: a greeting, what happened, what to do; below fewer lines, it is the message
_LEAST_BANNER = 3  # choice: "20 % off everything"
_LONGEST_BANNER = 25  # choice: two short sentences; more has something to tell
_LINES_AT_ONCE = 4  # bound: keeps work and memory flat

_DIGIT = re.compile(r"\d")
_PRICE_OR_SHARE = re.compile(r"\d\s?[%％]|[$€£¥]\s?\d|\d\s?(?:[€$£円]|zł|kr\b|руб|Kč)")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a core, with what is found in it once for all who judge it.

    Attributes:
        text: As written.
        tokens: Its words in lower case.
        concepts: The concepts of the lexicons that it holds.
    """

    text: str
    tokens: tuple[str, ...]
    concepts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Core:
    """What one part of a message says.

    Attributes:
        subject: The subject.
        lines: The lines of body and calls to action, without web and mail addresses.
        language: Two letters, or an empty string where it could not be told.
        meets_footer: Whether the last line stands right above a footer.
    """

    subject: Line
    lines: tuple[Line, ...]
    language: str
    meets_footer: bool = False

    def message(self, read: Message | None = None) -> Message:
        """Return the core as a plain-text message, with the people of the whole where that is given."""
        people = {"From": read.get("from"), "To": read.get("to")} if read else {}
        fields = people | {"Subject": self.subject.text}
        head = "".join(f"{name}: {' '.join(value.split())}\n" for name, value in fields.items() if value)
        body = "\n".join(line.text for line in self.lines)
        return Message.read(
            f"{head}Content-Type: text/plain; charset=utf-8\n\n{body}",
            envelope=read.envelope if read else None,
        )


def cores(message: Message) -> tuple[Core, ...]:
    """Return the core of each part that a reader may see: of the body, and of a plain text that differs."""
    found = [_core(message.subject, lines_of(message.body, words.already_read(message)))]
    if message.html and message.text.strip() and message.text.split() != message.body.split():
        found.append(core_of_text(message.subject, message.text))
    return tuple(found)


def core_of_text(subject: str, text: str) -> Core:
    """Return the core of a text with its subject."""
    return _core(subject, lines_of(text))


def _core(subject: str, found: Sequence[ZoneLine]) -> Core:
    """Return what the lines of a text say."""
    head = " ".join(subject.split())[:_LONGEST_SUBJECT]
    said = [line for line in found if line.kind in _SAID and line.shown and not line.shown.isspace()]
    if len(said) > MOST_LINES:
        said = said[: MOST_LINES // 2] + said[-MOST_LINES // 2 :]
    ends = any(a.kind in _SAID and b.kind is ZoneKind.FOOTER for a, b in pairwise(found))
    lines = [line.shown.strip()[:_LONGEST_LINE] for line in said]
    tokens = [words.tokens(head)]
    tokens += [
        tuple(its.words) if its.has_all_words else words.tokens(line)
        for its, line in zip(said, lines, strict=True)
    ]
    opening = list(islice(chain.from_iterable(tokens), _OPENING))
    language = words.language_of(opening, " ".join(opening))
    first, *others = (
        Line(line, its, frozenset(words.concepts_of(line, its, language)))
        for line, its in zip((head, *lines), tokens, strict=True)
    )
    return Core(first, tuple(others), language, ends)


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
        shared = self.traits.keys() & found
        known = {name: self.traits[name][0] for name in sorted(shared)}
        unknown = len([name for name in found - shared if name[0] in _ALONE])
        length = math.sqrt(sum([value * value for value in known.values()]) + unknown * _UNKNOWN**2) or 1.0
        return {name: value / length for name, value in known.items()}

    def read(self, found: set[str]) -> tuple[str | None, float]:
        """Return the name of the likeliest kind, if one is likely, and the log odds of marketing.

        What a message is like as a whole and which kind it is nearest to both tell: a text that no kind of
        marketing resembles is seldom marketing, whatever its words. Of a text of a few words, little is said.
        """
        values = self.values(found)
        odds = self.start + sum([self.traits[name][1] * value for name, value in values.items()])
        scores = dict(self.kinds)
        for name, value in values.items():
            if name in self.telling:
                for kind, weight in self.telling[name].items():
                    scores[kind] += weight * value
        kind = max(scores, key=scores.__getitem__)
        odds += _NEAREST * _lead_of_marketing(scores)
        said = min(1.0, len([name for name in found if name[:2] == "w:"]) / _SHORT)
        return kind if scores[kind] >= self.named else None, said * said * odds


def _lead_of_marketing(scores: Mapping[str, float]) -> float:
    """Return by how much the likeliest kind of marketing is likelier than any that is transactional."""
    ours = _transactional_kinds()
    best = max([score for kind, score in scores.items() if kind in ours], default=-math.inf)
    return max([score for kind, score in scores.items() if kind not in ours], default=-math.inf) - best


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
def _transactional_kinds() -> frozenset[str]:
    return frozenset(name for name, kind in known_kinds().items() if kind.place == "transactional")


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
    found |= {name for name, mark in BODY_MARKS.items() if mark.stands_in(whole)}
    found |= {name for name, mark in _SUBJECT_MARKS.items() if mark.stands_in(core.subject.text)}
    return found - _filler() if len(_filler().intersection(found)) >= _FILLER_WORDS else found


@cache
def _filler() -> frozenset[str]:
    """Return the traits of filler text, which says nothing of the message that a template is for."""
    stems = [
        word[:_STEM] for line in _data.read_sections("flows/filler-words.txt")[""] for word in line.split()
    ]
    return frozenset([f"w:{stem}" for stem in stems] + [f"p:{one} {two}" for one, two in pairwise(stems)])


def read_kind(core: Core, *, model: KindModel | None = None) -> Reading:
    """Return what kind a message is, and the odds that it is marketing.

    Args:
        core: What it says.
        model: The shipped one by default.
    """
    name, odds = (model or shipped_kinds()).read(traits(core))
    return Reading(known_kinds().get(name) if name else None, odds)


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
        """Score what a passage holds; exactly, so that the order in which a set is walked decides nothing."""
        weights = self.weights
        return self.start + math.fsum(weights.get(name, 0.0) for name in found)


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

    >>> from mailflows.flows._advert import Line
    >>> line = Line("Save 20 % now", ("save", "20", "now"), frozenset({"offer"}))
    >>> sorted(features(line))
    ['c:offer', 'm:percent', 'm:price', 'w:00', 'w:now', 'w:save']
    """
    found = {"w:" + (t if t.isalpha() else _DIGIT.sub("0", t[:12])) for t in line.tokens[:_MOST_TOKENS]}
    found |= {"c:" + concept for concept in line.concepts}
    if BODY_MARKS["m:percent"].stands_in(line.text):
        found.add("m:percent")
    if _PRICE_OR_SHARE.search(line.text):
        found.add("m:price")
    if "!" in line.text or "！" in line.text:
        found.add("m:exclamation")
    return found


def without_banner(core: Core, *, model: BlockModel | None = None) -> tuple[Core, Block | None]:
    """Part a core from the banner that a house puts on top of the footer of all its mail.

    That is one promotional line between several other lines and the footer; what stands further up, or is
    longer, is a part of what the message says.
    """
    model = model or shipped_blocks()
    *above, last = core.lines or (None,)
    if last is None or not core.meets_footer or len(above) < _ABOVE_BANNER:
        return core, None
    if not _LEAST_BANNER <= _words_in(last.text) <= _LONGEST_BANNER:
        return core, None
    banner = Block(last.text, model.score(features(last)))
    return (replace(core, lines=core.lines[:-1]), banner) if banner.score >= model.flag else (core, None)


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
