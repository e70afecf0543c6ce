"""The wording of a message: which known words it uses, by the place they stand in.

The vocabulary of the model holds only words that several independent sources use, so that neither
names nor one sender's habits are learned.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from mailflows.signals import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mailflows.message import Message
    from mailflows.signals.words import Reading

__all__ = [
    "HEAD",
    "TAIL",
    "Texts",
    "Weights",
    "Wording",
    "marked",
    "strongest_passages",
    "texts_of",
    "wording",
]

HEAD = 280
TAIL = 170
"""Tokens at the beginning and the end of the body that count; bound: what decides stands there."""

PASSAGES = 3
"""Words or phrases that are named; choice: what one line holds."""

_WORTH = 0.5  # choice: share of the strongest passage; what is much weaker convinces nobody

LONGEST_PHRASE = 4
"""Words of a named phrase; choice: "your order has shipped"."""

_SHORTEST = 4  # choice: letters of a word that is named; shorter ones are seldom words of a subject matter

_SLIGHT = 6  # choice: letters of a word that says something by itself, such as "invoice"

_FIRST_KANA = 0x3041  # Unicode: from here on a word has few letters

_LONGEST = 12  # bound: characters of a number or an identifier that count

_TOKEN = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_URL = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+")
_JOINED = frozenset((" ", "-", "'", "’"))
"""What may be between the words of a phrase."""


Weights: TypeAlias = tuple[float, float, float]
"""One number for each flow."""

Wording: TypeAlias = "Mapping[str, list[str]]"
"""The words used, by place: ``s`` the subject and each two neighbours in it, ``b`` the body, ``l`` the texts
of links, ``f`` the sender's address. Digits are zeros, so that amounts and numbers are alike."""


def wording(message: Message, reading: Reading) -> Wording:
    """Return the words used, by place."""
    return _wording(reading.subject, reading.body, reading.links, message.sender.local)


def _wording(subject: tuple[str, ...], body: tuple[str, ...], links: tuple[str, ...], local: str) -> Wording:
    if len(body) > HEAD + TAIL:
        body = body[:HEAD] + body[-TAIL:]
    shapes = _shapes(subject)
    return {
        "b": _shapes(body),
        "s": [*shapes, *(f"{a} {b}" for a, b in pairwise(shapes))],
        "l": _shapes(links),
        "f": _shapes(_TOKEN.findall(local)),
    }


def _shapes(tokens: Iterable[str]) -> list[str]:
    return [token if token.isalpha() else _DIGIT.sub("0", token[:_LONGEST]) for token in tokens]


def marked(wording: Wording) -> frozenset[str]:
    """Return the words used, each with its place, as they stand in a vocabulary.

    >>> sorted(marked({"s": ["vente"], "b": ["0000", "0000"]}))
    ['b:0000', 's:vente']
    """
    return frozenset([f"{mark}:{token}" for mark, tokens in wording.items() for token in tokens])


@dataclass(frozen=True, slots=True)
class Texts:
    """What of a message was read, as written: enough to find its words again.

    Attributes:
        subject: The subject.
        body: The beginning and the end of the body.
        labels: The texts of the links.
        name: The sender's name.
        address: The sender's address.
        language: Two letters, or empty.
    """

    subject: str
    body: str
    labels: str
    name: str
    address: str
    language: str

    @property
    def wording(self) -> Wording:
        """The words used, as `wording` returns them."""
        subject, body, labels = (
            tuple(_TOKEN.findall(t.lower())) for t in (self.subject, self.body, self.labels)
        )
        return _wording(subject, body, labels, self.address.partition("@")[0])

    def zones(self) -> dict[str, words.Marked]:
        """Return the tokens of each of `words.ZONES`, and where they stand."""
        body = words.Marked.of(self.body)
        return {
            "subject": words.Marked.of(self.subject),
            "opening": body.first(words.OPENING),
            "body": body,
            "closing": body.last(words.CLOSING),
            "link": words.Marked.of(self.labels),
        }


def texts_of(message: Message, reading: Reading) -> Texts:
    """Return what reasons need of a message."""
    sender = message.sender
    return Texts(
        message.subject[:400], reading.text, reading.labels, sender.name, sender.address, reading.language
    )


def strongest_passages(
    texts: Texts, weights: Mapping[str, Weights], side: int, *, said: frozenset[str] = frozenset()
) -> list[tuple[str, str]]:
    """Return (place, passage) of the words and phrases that speak most for a flow, the strongest first.

    A passage with a word that was *said* before is left out.
    """
    found: dict[str, tuple[float, str, str]] = {}
    for place, mark, text in (
        ("in the subject", "s:", texts.subject),
        ("in the text", "b:", texts.body),
        ("in a link", "l:", texts.labels),
    ):
        for strength, passage in _phrases(text, mark, weights, side, texts.language):
            key = passage.lower()
            if key not in found or found[key][0] < strength:
                found[key] = (strength, place, passage)
    ranked = sorted(found.values(), key=lambda row: -row[0])
    best: list[tuple[float, str, str]] = []
    for row in ranked:
        told = set(row[2].lower().split())
        if not told & said and not any(told & set(other[2].lower().split()) for other in best):
            best.append(row)
        if len(best) == PASSAGES:
            break
    strong = [row for row in best if row[0] >= ranked[0][0] * _WORTH]
    phrases = [row for row in strong if not _is_slight(row[2])]
    return [(place, passage) for _, place, passage in phrases or strong]


def _phrases(
    text: str, mark: str, weights: Mapping[str, Weights], side: int, language: str
) -> Iterator[tuple[float, str]]:
    """Yield (strength, passage) of each run of neighbouring words that speak for a flow."""
    text = _URL.sub(" · ", text)  # a host's name is not wording
    run: list[tuple[re.Match[str], float]] = []
    end = 0
    for token in _TOKEN.finditer(text):
        three = weights.get(mark + _shapes([token[0].lower()])[0])
        strength = three[side] - (three[0] + three[1] + three[2]) / 3 if three else 0.0
        is_near = text[end : token.start()] in _JOINED
        is_same = bool(run) and run[-1][0][0].lower() == token[0].lower()
        if run and (strength <= 0 or not is_near or is_same or len(run) == LONGEST_PHRASE):
            yield from _passage(text, run, language)
            run = []
        if strength > 0:
            run.append((token, strength))
        end = token.end()
    if run:
        yield from _passage(text, run, language)


def _passage(text: str, run: list[tuple[re.Match[str], float]], language: str) -> Iterator[tuple[float, str]]:
    """Yield a run as a passage, if it has a word that says something: no figure, no word such as "the"."""
    while run and not _is_telling(run[-1][0][0], language):
        run = run[:-1]
    while run and not run[0][0][0].isalpha():
        run = run[1:]
    half = len(run) // 2
    said = [token[0].lower() for token, _ in run]
    if said[:half] == said[half:]:  # two links of one text stand side by side: "here here"
        run = run[:half]
    if run:
        yield sum(strength for _, strength in run), _whole(text, run[0][0].start(), run[-1][0].end())


_BEFORE = re.compile(r"\w+['’]\Z")
_AFTER = re.compile(r"['’]\w{1,12}")


def _whole(text: str, start: int, end: int) -> str:
    """Return a passage with the other half of a word that an apostrophe parts.

    >>> _whole("You don't need to", 8, 14)
    "don't need"
    """
    before, after = _BEFORE.search(text, max(0, start - _LONGEST), start), _AFTER.match(text, end)
    return text[before.start() if before else start : after.end() if after else end]


def _is_slight(passage: str) -> bool:
    """Return whether a passage is one short word, such as "there", which says little compared with others."""
    return passage.isalpha() and len(passage) < _SLIGHT and ord(passage[0]) < _FIRST_KANA


def _is_telling(token: str, language: str) -> bool:
    if not token.isalpha() or language in words.languages_with(token.lower()):
        return False
    return len(token) >= _SHORTEST or (ord(token[0]) >= _FIRST_KANA and len(token) > 1)
