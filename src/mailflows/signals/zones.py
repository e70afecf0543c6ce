r"""Zones: which lines of a message are body, call to action, signature, quotation, disclaimer or footer.

The same text is read in the same way from HTML and from plain text: only lines count, never tags. What
stands in a footer says who sends, not what for, so the guard and the signals look at the body.

>>> from mailflows.message import Message
>>> text = "Hi Ada,\n\nyour parcel arrives on Friday.\n\n(c) 2026 Harbour Ltd, 14 Quay Street, Portland"
>>> found = zones(Message.read(b"Subject: Your parcel\n\n" + text.encode()))
>>> [str(zone.kind) for zone in found]
['body', 'footer']
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from mailflows import _data
from mailflows.signals import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from mailflows.message import Message
    from mailflows.signals.words import Lexicon, Reading

__all__ = ["Zone", "ZoneKind", "ZoneLine", "lines_of", "without_addresses", "zones", "zones_of_text"]

MOST_LINES = 400
"""Lines that are looked at, half from each end; bound: a footer is at the end, a preheader at the start."""

LONGEST_FOOTER = 30
"""Lines that a footer has at most; bound: a longer tail is a body of short lines."""


class ZoneKind(StrEnum):
    """What a stretch of a message is for."""

    PREHEADER = "preheader"
    """The line that inboxes show beside the subject, or the offer to view the message in a browser."""

    HEADER = "header"
    """The band above the text: the name of the house, its menu."""

    BODY = "body"
    """What the message says."""

    ACTION = "call-to-action"
    """A button, or a web address that stands alone."""

    SIGNATURE = "signature"
    """A sign-off and who signs."""

    QUOTED = "quoted"
    """An earlier message that is answered or forwarded."""

    DISCLAIMER = "disclaimer"
    """A notice of confidentiality."""

    FOOTER = "footer"
    """Who sends, why, where, and how to unsubscribe: legal, unsubscribe, social and address lines."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A stretch of lines of one kind.

    Attributes:
        kind: What it is for.
        text: Its lines, blank ones left out.
        start: Number of its first line in the text, from 0.
    """

    kind: ZoneKind
    text: str
    start: int


class ZoneLine:
    """A line that shows something, and what is known of it.

    Attributes:
        text: Without the space around it.
        place: Its number in the text.
        kind: Its zone, the body until something else is found.
        shown: The line without web and mail addresses: a host's name is no wording.
        lower: The same in lower case.
        words: The tokens of its beginning.
        told: The concepts that were found in it; `None` where none were looked for.

    Args:
        tokens: Those of the line with its addresses, where they are known.
    """

    __slots__ = ("_tokens", "kind", "lower", "place", "shown", "text", "told", "words")

    shown: str
    lower: str
    words: Sequence[str]

    def __init__(self, text: str, place: int, tokens: Sequence[str] | None = None) -> None:
        self.text = text
        self.place = place
        self.kind = ZoneKind.BODY
        self.told: AbstractSet[str] | None = None
        self._tokens = tokens

    def read(self) -> None:
        """Read the words."""
        text, tokens = self.text, self._tokens
        if "@" in text or "/" in text or "www." in text:
            text, tokens = without_addresses(text), None
        self.shown = text
        self.lower = lower = text.lower()
        if tokens is None or len(lower) > _BEGINNING:
            tokens = _TOKEN.findall(lower[:_BEGINNING])
        self.words = tokens

    if not TYPE_CHECKING:  # so that a name that no line has is found there

        def __getattr__(self, name: str) -> object:
            """Read the words when they are first asked for: in the middle of a long text, nobody asks."""
            self.read()
            return object.__getattribute__(self, name)

    def concepts(self, lexicon: Lexicon) -> AbstractSet[str]:
        """Return the concepts that the line holds, by those of its first words that say what it is."""
        if self.told is None:
            self.told = lexicon.concepts_of(self.lower, self.words[:_TOLD])
        return self.told

    @property
    def has_all_words(self) -> bool:
        """Whether `words` are all of the line, not only those of its beginning."""
        return len(self.lower) <= _BEGINNING

    @property
    def is_copyright(self) -> bool:
        """Whether it names who holds the rights."""
        return (
            "©" in self.text
            or "copyright" in self.lower
            or "℗" in self.text
            or ("(c)" in self.lower and _COPYRIGHT.search(self.lower) is not None)
        )

    @property
    def is_address_alone(self) -> bool:
        """Whether it contains nothing but web or mail addresses."""
        return _may_hold_address(self.text) and not self.words and self.lower != self.text.lower()

    @property
    def is_label(self) -> bool:
        """Whether it is a few words without the end of a sentence, as a link, a name or a heading is."""
        return len(self.words) <= _LABEL and self.text[-1:] not in ".!?…。！？:："


_LABEL = (
    5  # choice: words of the longest labels seen in menus and footers ("View this email in your browser")
)
_BEGINNING = 400  # bound: letters in which a line's first forty words stand
_READ_AT_ONCE = 24  # choice: most messages; of a longer one the middle is read where it is asked about
_TOLD = 40  # choice: a footer or a disclaimer says what it is in its first words
_LANGUAGE = 60  # choice: of so many words, dozens are function words
_SENTENCE = 12  # choice: a line of more words says something, and is a footer only by its wording
_BRIEF = 3  # choice: words of a menu's entry
_HEAD_NAME = 30  # bound: letters before the colon of a field, with its stars
_HEAD_FIELDS = 3  # choice: fewer fields stand in bills and forms, too
_PASSED = 2  # choice: a footer's lines in a row that no wording names, such as a slogan and a street
_SIGNED = 6  # choice: lines of a signature below its sign-off: name, role, firm, street, telephone, web site

_TOKEN = re.compile(r"\w+")
_URL = r"<?(?:https?://|www\.)[^\s<>\"]{1,2000}>?"
_HOST = r"(?<![\w.-])(?:[\w-]{1,63}\.){1,5}[a-z]{2,24}/[^\s<>\"]{0,2000}"
_ADDRESS = re.compile(rf"{_URL}|<?[\w.+%-]{{1,64}}@[\w.-]{{1,190}}\.\w{{2,24}}>?|{_HOST}")
_WEB_ADDRESS = re.compile(f"{_URL}|{_HOST}")  # the same without "@", and far faster
_COPYRIGHT = re.compile(r"\(c\)\s{0,3}\d{4}")
_PRICE = re.compile(r"[$€£¥]\s?\d|\d\s?(?:[€$£¥円%]|EUR|USD|GBP|PLN|zł|kr\b|Kč|руб)", re.IGNORECASE)
_STREET = re.compile(r"(?=[^\n]{6,160}$)(?=.*\d)[^,|·•;]{2,80}(?:[,|·•;]|\s[-–—]\s)[^,|·•;]{2,60}", re.DOTALL)
_ZIP = re.compile(r"\b(?:[A-Z]{1,2}-)?\d{4,6}\b|\b[A-Z]{1,2}\d{1,2}[A-Z]?\s\d[A-Z]{2}\b|\b\d{5}-\d{4}\b")
_SEPARATED = re.compile(r"\s[|·•]\s")
_LEADS = re.compile(r"[:：]\s{0,3}<?https?://\S+$")
_RULE = re.compile(r"[\W_]+")
_RULED = "-----"  # by definition: how "-----Original Message-----" begins
_HEAD = re.compile(r"\*{0,2}([\w' -]{2,20})\*{0,2}\s?[:：]\*{0,2}\s?\S")


def without_addresses(text: str) -> str:
    """Return a text without web and mail addresses: the words of a host or a path are not words of the text.

    >>> without_addresses("Read it: https://www.summer-sale.example/newsletter")
    'Read it:  '
    """
    if "@" in text:
        return _ADDRESS.sub(" ", text)
    return _WEB_ADDRESS.sub(" ", text) if "/" in text or "www." in text else text


def _may_hold_address(text: str) -> bool:
    return "@" in text or "/" in text or "www." in text


_FOOTER_WORDING = frozenset(
    "unsubscribe preferences view_in_browser received_because legal_footer company_words social_follow no_reply".split()
)
"""Concepts of the lexicons that make a short line one of a footer."""

_TELLING_CONCEPTS = _FOOTER_WORDING | frozenset(
    "received_because confidential_footer quote_intro signoff greeting".split()
)
"""All concepts that identify a zone."""

_LEAVING = frozenset({"unsubscribe", "preferences", "received_because"})
"""Those that do so for a line that leads to an address: "Read the new terms: https://…" is no footer."""

_LONG_FOOTER_WORDING = frozenset("received_because legal_footer company_words no_reply".split())
"""Those that do so for whole sentences too: why you get this, who we are, that nobody reads answers."""


def zones(message: Message, *, language: str | None = None) -> tuple[Zone, ...]:
    """Return the zones of what a reader sees of a message, from the top down.

    Args:
        message: What to look at; its HTML where that says something, else its plain text.
        language: Two letters, where the caller knows it already; guessed by default.
    """
    return tuple(_joined(lines_of(message.body, words.already_read(message), language=language)))


def zones_of_text(text: str, *, language: str | None = None) -> tuple[Zone, ...]:
    """Return the zones of a text; see `zones`."""
    return tuple(_joined(lines_of(text, language=language)))


def lines_of(text: str, reading: Reading | None = None, *, language: str | None = None) -> list[ZoneLine]:
    """Return the lines of a text that show something, each with its zone.

    Args:
        text: What a reader sees.
        reading: Its words, where they are known.
        language: Two letters; guessed by default.
    """
    lines = _lines(text, None if reading is None else reading.lines)
    if not lines:
        return lines
    if len(lines) <= _READ_AT_ONCE:
        for line in lines:
            line.read()
    if language is None:
        language = words.language_of(_first_words(lines), text[:2000])
    lexicon = words.telling(language, _TELLING_CONCEPTS, _FOOTER_WORDING)
    end = _mark_quoted(lines, text, lexicon)
    end = _mark_footer(lines, end, lexicon)
    end = _mark_signature(lines, end, lexicon)
    _mark_top(lines, end, lexicon)
    if _may_hold_address(text):
        _mark_actions(lines[:end])
    return lines


def _joined(lines: Sequence[ZoneLine]) -> Iterator[Zone]:
    """Yield the stretches of lines of one kind."""
    if not lines:
        return
    first, texts = lines[0], [lines[0].text]
    for line in lines[1:]:
        if line.kind is first.kind:
            texts.append(line.text)
        else:
            yield Zone(first.kind, "\n".join(texts), first.place)
            first, texts = line, [line.text]
    yield Zone(first.kind, "\n".join(texts), first.place)


def _first_words(lines: list[ZoneLine]) -> list[str]:
    """Return the first words of a text: enough to tell its language."""
    found: list[str] = []
    for line in lines:
        found += line.words
        if len(found) >= _LANGUAGE:
            break
    return found


def _lines(text: str, tokens: Sequence[Sequence[str]] | None) -> list[ZoneLine]:
    """Return the lines that show something; of a very long text, its beginning and its end."""
    found = [
        ZoneLine(shown, place, tokens[place] if tokens else None)
        for place, line in enumerate(text.split("\n"))
        if (shown := line.strip())
    ]
    return found if len(found) <= MOST_LINES else found[: MOST_LINES // 2] + found[-MOST_LINES // 2 :]


def _mark(lines: Sequence[ZoneLine], kind: ZoneKind) -> None:
    for line in lines:
        line.kind = kind


def _mark_quoted(lines: list[ZoneLine], text: str, lexicon: Lexicon) -> int:
    """Mark what was written before, from its introduction on, and return where the new text ends.

    Lines that begin with ">" are quoted wherever they stand, and what is written between them is new.
    """
    if ">" in text or "| " in text:
        _mark([line for line in lines if line.text[0] == ">" or line.text[:2] == "| "], ZoneKind.QUOTED)
    may_open, fields = _openings(lines)
    if _RULED in text:
        may_open += [number for number, line in enumerate(lines) if line.text[:5] == _RULED]
    heads = _heads(lines, fields) if len(fields) >= _HEAD_FIELDS else set()
    for number in sorted({*may_open, *heads}):
        line = lines[number]
        opens = "quote_intro" in line.concepts(lexicon) if _is_introduction(line) else number in heads
        if number and opens:
            following = lines[number + 1 :]
            if any(other.kind is ZoneKind.QUOTED for other in following):
                _mark([line], ZoneKind.QUOTED)
                if lines[-1].kind is not ZoneKind.QUOTED:
                    return len(lines)  # it is answered line by line, and a footer may stand below
            else:
                _mark(lines[number:], ZoneKind.QUOTED)
            return number
    return len(lines)


def _openings(lines: list[ZoneLine]) -> tuple[list[int], list[int]]:
    """Return the lines that end in a colon, and those that begin as the field of a head does."""
    may_open, fields = [], []
    for number, text in [
        (n, line.text) for n, line in enumerate(lines) if ":" in line.text or "：" in line.text
    ]:
        if text[-1] in ":：":
            may_open.append(number)
        head = text[:_HEAD_NAME]
        if ":" in head or "：" in head:
            fields.append(number)
    return may_open, fields


def _is_introduction(line: ZoneLine) -> bool:
    """Return whether a line has the form of one that introduces an earlier message: "On Monday Ada wrote:"."""
    return line.text[:5] == _RULED or (line.text[-1] in ":：" and len(line.words) > _BRIEF)


def _heads(lines: list[ZoneLine], fields: Iterable[int]) -> set[int]:
    """Return the lines with which the head of an earlier message begins: several of its fields in five lines."""
    named = {
        number: found[1].strip().lower() for number in fields if (found := _HEAD.match(lines[number].text))
    }
    if len(_head_words().intersection(named.values())) < _HEAD_FIELDS:
        return set()
    return {
        number
        for number in named
        if len(_head_words().intersection(map(named.get, range(number, number + 5)))) >= _HEAD_FIELDS
    }


@cache
def _head_words() -> frozenset[str]:
    """Return how mail clients name the fields of a quoted head, in every language."""
    return frozenset(
        word.lower() for line in _data.read_sections("quoted-heads.txt")[""] for word in line.split(", ")
    )


def _mark_footer(lines: list[ZoneLine], end: int, lexicon: Lexicon) -> int:
    """Mark footer and disclaimer, upwards from the end, and return where they begin."""
    first = _first_sentence(lines, end, lexicon)
    begin, passed = end, 0
    for number in range(end - 1, max(first, end - LONGEST_FOOTER), -1):
        line = lines[number]
        if line.kind is ZoneKind.QUOTED:
            break
        kind = _tail_kind(line, lexicon)
        if kind is not None:
            line.kind = kind
            begin, passed = number, 0
        elif len(line.words) > _SENTENCE or passed >= _PASSED:
            break
        else:
            passed += 1
    if begin == end:
        return end
    begin = _with_labels(lines, begin, first, lexicon)
    _mark([line for line in lines[begin:end] if line.kind is ZoneKind.BODY], ZoneKind.FOOTER)
    return begin


def _first_sentence(lines: list[ZoneLine], end: int, lexicon: Lexicon) -> int:
    """Return the first line that says something: a message is never all footer."""
    for number, line in enumerate(lines[:end]):
        if (
            len(line.words) > _BRIEF
            and not line.is_label
            and not line.is_copyright
            and "view_in_browser" not in line.concepts(lexicon)
        ):
            return number
    return 0


def _with_labels(lines: list[ZoneLine], begin: int, first: int, lexicon: Lexicon) -> int:
    """Return where a footer begins, with the labels and rules that stand right above it, such as "Help centre"."""
    number = begin
    while begin - number < _PASSED and number > first + 1:
        above = lines[number - 1]
        is_short = 0 < len(above.words) <= _BRIEF and above.is_label and not any(map(str.isdigit, above.text))
        if not (is_short or _RULE.fullmatch(above.text)) or _is_signed(lines[first + 1 : number], lexicon):
            break
        number -= 1
    return number


def _is_signed(lines: list[ZoneLine], lexicon: Lexicon) -> bool:
    """Return whether there is a sign-off among the last lines."""
    return any("signoff" in line.concepts(lexicon) for line in lines[-_SIGNED:] if len(line.words) <= _LABEL)


def _tail_kind(line: ZoneLine, lexicon: Lexicon) -> ZoneKind | None:
    """Return footer or disclaimer where a line is one by itself."""
    found = line.concepts(lexicon)
    if "confidential_footer" in found and len(line.words) > _LABEL:
        return ZoneKind.DISCLAIMER
    if line.is_copyright:
        return ZoneKind.FOOTER
    if "://" in line.text and _LEADS.search(line.text):
        return ZoneKind.FOOTER if _LEAVING & found else None
    wording = (
        _FOOTER_WORDING
        if len(line.words) <= _SENTENCE or _SEPARATED.search(line.text)
        else _LONG_FOOTER_WORDING
    )
    if not wording.isdisjoint(found) or _is_postal(line):
        return ZoneKind.FOOTER
    return None


def _is_postal(line: ZoneLine) -> bool:
    """Return whether a line is a postal address: short pieces with a number among them, no price, no sentence."""
    text = line.text.rstrip(".")
    if len(line.words) > 2 * _SENTENCE or ". " in text or not _STREET.match(text) or _PRICE.search(text):
        return False
    is_street = text[0].isdigit() and len(line.words) <= 2 * _BRIEF
    return is_street or bool(_ZIP.search(text)) or text.count(",") >= 2


def _mark_signature(lines: list[ZoneLine], end: int, lexicon: Lexicon) -> int:
    """Mark the signature above the footer, and return where it begins."""
    for number in range(end - 1, max(0, end - _SIGNED - 2), -1):
        line = lines[number]
        if line.kind is ZoneKind.QUOTED:
            return end
        if line.text == "--" or (len(line.words) <= _LABEL and "signoff" in line.concepts(lexicon)):
            if all(len(other.words) <= _SENTENCE for other in lines[number + 1 : end]):
                _mark(lines[number:end], ZoneKind.SIGNATURE)
                return number
            return end
    return end


def _mark_top(lines: list[ZoneLine], end: int, lexicon: Lexicon) -> None:
    """Mark preheader and header band: labels above the first sentence or greeting."""
    for number, line in enumerate(lines[: min(end - 1, 6)]):
        found = line.concepts(lexicon)
        if "view_in_browser" in found:
            _mark(lines[: number + 1], ZoneKind.PREHEADER)
        elif (
            not line.is_label
            or "greeting" in found
            or line.is_address_alone
            or any(map(str.isdigit, line.text))
        ):
            break
        elif lines[number + 1].is_label and number < 4:
            line.kind = ZoneKind.HEADER
        else:
            break


def _mark_actions(lines: list[ZoneLine]) -> None:
    """Mark the web addresses that stand alone."""
    _mark([line for line in lines if line.kind is ZoneKind.BODY and line.is_address_alone], ZoneKind.ACTION)
