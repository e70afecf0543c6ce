"""The wording of a message: which known words it uses, by the place they stand in.

The vocabulary of the model holds only words that several independent sources use, so that neither
names nor one sender's habits are learned.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from mailflows.signals import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mailflows.message import Message
    from mailflows.signals.words import Reading

__all__ = ["HEAD", "TAIL", "Texts", "strongest_passages", "texts_of", "wording"]

HEAD = 280
TAIL = 170
"""Tokens at the beginning and the end of the body that count; bound: what decides stands there."""

PASSAGES = 3
"""Words or phrases that are named; choice: what one line holds."""

LONGEST_PHRASE = 4
"""Words of a named phrase; choice: "your order has shipped"."""

_SHORTEST = 4  # choice: letters of a word that is named; shorter ones are seldom words of a subject matter

_FIRST_KANA = 0x3041  # Unicode: from here on a word has few letters

_TOKEN = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_URL = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+")
_JOINED = frozenset((" ", "-", "'", "’"))
"""What may stand between the words of a phrase."""


def _shape(token: str) -> str:
    """Return the token, its digits as zeros: amounts and numbers are alike.

    >>> _shape("2026"), _shape("b2b"), _shape("vente")
    ('0000', 'b0b', 'vente')
    """
    if token.isalpha():
        return token
    return _DIGIT.sub("0", token[:12])


def wording(message: Message, reading: Reading) -> dict[str, None]:
    """Return the words used, marked by place: subject, body, link text, sender's address.

    They stand in the order in which they are used, each once, so that sums over them are always the same.
    """
    return _wording(reading.subject, reading.body, reading.links, message.sender.local)


def _wording(
    subject: tuple[str, ...], body: tuple[str, ...], links: tuple[str, ...], local: str
) -> dict[str, None]:
    if len(body) > HEAD + TAIL:
        body = body[:HEAD] + body[-TAIL:]
    subject = tuple([_shape(token) for token in subject])
    found = dict.fromkeys(["b:" + (t if t.isalpha() else _shape(t)) for t in dict.fromkeys(body)])
    found |= dict.fromkeys(["s:" + token for token in subject])
    found |= dict.fromkeys([f"s:{a} {b}" for a, b in pairwise(subject)])
    found |= dict.fromkeys(["l:" + _shape(token) for token in dict.fromkeys(links)])
    found |= dict.fromkeys(["f:" + token for token in _TOKEN.findall(local)])
    return found


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
    def wording(self) -> dict[str, None]:
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
    texts: Texts, weights: Mapping[str, tuple[float, float, float]], side: int
) -> list[tuple[str, str]]:
    """Return (place, passage) of the words and phrases that speak most for a flow, the strongest first."""
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
        if not any(told & set(other[2].lower().split()) for other in best):
            best.append(row)
        if len(best) == PASSAGES:
            break
    return [(place, passage) for _, place, passage in best]


def _phrases(
    text: str, mark: str, weights: Mapping[str, tuple[float, float, float]], side: int, language: str
) -> Iterator[tuple[float, str]]:
    """Yield (strength, passage) of each run of neighbouring words that speak for a flow."""
    text = _URL.sub(" · ", text)  # a host's name is no wording
    run: list[tuple[re.Match[str], float]] = []
    end = 0
    for token in _TOKEN.finditer(text):
        three = weights.get(mark + _shape(token[0].lower()))
        strength = three[side] - (three[0] + three[1] + three[2]) / 3 if three else 0.0
        is_near = text[end : token.start()] in _JOINED
        if run and (strength <= 0 or not is_near or len(run) == LONGEST_PHRASE):
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
    if run:
        yield sum(strength for _, strength in run), text[run[0][0].start() : run[-1][0].end()]


def _is_telling(token: str, language: str) -> bool:
    if not token.isalpha() or language in words.languages_with(token.lower()):
        return False
    return len(token) >= _SHORTEST or (ord(token[0]) >= _FIRST_KANA and len(token) > 1)
