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
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from mailflows import _data
from mailflows.signals import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from mailflows.message import Message

__all__ = ["Zone", "ZoneKind", "without_addresses", "zones", "zones_of_text"]

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


class _Line:
    """A line that shows something, and what is known of it.

    Attributes:
        text: Without the space around it.
        place: Its number in the text.
        kind: Its zone, the body until something else is found.
        lower: The line in lower case, without web and mail addresses: a host's name is no wording.
        words: The tokens of its beginning.
    """

    __slots__ = ("_concepts", "kind", "lower", "place", "text", "words")

    lower: str
    words: Sequence[str]

    def __init__(self, text: str, place: int) -> None:
        self.text = text
        self.place = place
        self.kind = ZoneKind.BODY
        self._concepts: AbstractSet[str] | None = None

    if not TYPE_CHECKING:  # so that a name that no line has is found there

        def __getattr__(self, name: str) -> object:
            """Read the words when they are first asked for: in the middle of a text, nobody asks."""
            _read([self])
            return object.__getattribute__(self, name)

    def concepts(self, language: str) -> AbstractSet[str]:
        """Return the concepts that the line holds, in the language of the message, and those of a footer in any."""
        if self._concepts is None:
            _look_up([self], language)
        return self._concepts or _NONE

    def told(self, concepts: AbstractSet[str]) -> None:
        """Remember what was looked up."""
        self._concepts = concepts

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
        """Whether nothing but web or mail addresses stands in it."""
        return _may_hold_address(self.text) and not self.words and self.lower != self.text.lower()

    @property
    def is_label(self) -> bool:
        """Whether it is a few words without the end of a sentence, as a link, a name or a heading is."""
        return len(self.words) <= _LABEL and self.text[-1:] not in ".!?…。！？:："


_LABEL = (
    5  # choice: words of the longest labels seen in menus and footers ("View this email in your browser")
)
_BEGINNING = 400  # bound: letters in which a line's first forty words stand
_NEAR = 12  # choice: lines from each end that are read and looked up at once; others when asked
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
"""All concepts by which a zone is told."""

_NONE: frozenset[str] = frozenset()
"""What most lines hold."""

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
    return zones_of_text(message.body, language=language)


def zones_of_text(text: str, *, language: str | None = None) -> tuple[Zone, ...]:
    """Return the zones of a text; see `zones`."""
    lines = _lines(text)
    if not lines:
        return ()
    near = lines if len(lines) <= 2 * _NEAR else lines[:_NEAR] + lines[-_NEAR:]
    _read(near)
    if language is None:
        language = words.language_of(_first_words(lines), text[:2000])
    _look_up(near, language)
    end = _mark_quoted(lines, language)
    end = _mark_footer(lines, end, language)
    end = _mark_signature(lines, end, language)
    _mark_top(lines, end, language)
    if _may_hold_address(text):
        _mark_actions(lines[:end])
    return tuple(
        Zone(kind, "\n".join([line.text for line in group]), group[0].place)
        for kind, group in ((kind, list(found)) for kind, found in groupby(lines, key=attrgetter("kind")))
    )


def _read(lines: Iterable[_Line]) -> None:
    """Read the words of some lines."""
    for line in lines:
        text = line.text
        if "@" in text or "/" in text or "www." in text:
            text = without_addresses(text)
        line.lower = lower = text.lower()
        line.words = _TOKEN.findall(lower[:_BEGINNING])


def _look_up(lines: Sequence[_Line], language: str) -> None:
    """Look up the concepts of some lines at once."""
    found = words.concepts_among(
        [line.words[:_TOLD] for line in lines],
        [line.lower for line in lines],
        language,
        wanted=_TELLING_CONCEPTS,
        anywhere=_FOOTER_WORDING,  # a house writes its footer once, in its own language
    )
    for place, line in enumerate(lines):
        line.told(found.get(place, _NONE))


def _first_words(lines: list[_Line]) -> list[str]:
    """Return the first words of a text: enough to tell its language."""
    found: list[str] = []
    for line in lines:
        found += line.words
        if len(found) >= _LANGUAGE:
            break
    return found


def _lines(text: str) -> list[_Line]:
    """Return the lines that show something; of a very long text, its beginning and its end."""
    found = [_Line(shown, place) for place, line in enumerate(text.split("\n")) if (shown := line.strip())]
    return found if len(found) <= MOST_LINES else found[: MOST_LINES // 2] + found[-MOST_LINES // 2 :]


def _mark(lines: Sequence[_Line], kind: ZoneKind) -> None:
    for line in lines:
        line.kind = kind


def _mark_quoted(lines: list[_Line], language: str) -> int:
    """Mark what was written before, from its introduction on, and return where the new text ends.

    Lines that begin with ">" are quoted wherever they stand, and what is written between them is new.
    """
    texts = [line.text for line in lines]
    _mark(
        [line for line, text in zip(lines, texts, strict=True) if text[0] == ">" or text[:2] == "| "],
        ZoneKind.QUOTED,
    )
    fields = [
        place for place, text in enumerate(texts) if ":" in text[:_HEAD_NAME] or "：" in text[:_HEAD_NAME]
    ]
    has_fields = len(fields) >= _HEAD_FIELDS
    may_open = [place for place, text in enumerate(texts) if text[-1] in ":：" or text[:5] == _RULED]
    for number in sorted({*may_open, *fields}) if has_fields else may_open:
        if number and _opens_quotation(lines, number, language, has_fields=has_fields):
            line, following = lines[number], lines[number + 1 :]
            if any(other.kind is ZoneKind.QUOTED for other in following):
                _mark([line], ZoneKind.QUOTED)
                if lines[-1].kind is not ZoneKind.QUOTED:
                    return len(lines)  # it is answered line by line, and a footer may stand below
            else:
                _mark(lines[number:], ZoneKind.QUOTED)
            return number
    return len(lines)


def _opens_quotation(lines: list[_Line], number: int, language: str, *, has_fields: bool) -> bool:
    """Return whether a line introduces an earlier message: "On Monday Ada wrote:", or a block of its head."""
    line = lines[number]
    if line.text[:5] == _RULED or (line.text[-1] in ":：" and len(line.words) > _BRIEF):
        return "quote_intro" in line.concepts(language)
    if not has_fields or not _HEAD.match(line.text):
        return False
    head = [
        found[1].strip().lower() for other in lines[number : number + 5] if (found := _HEAD.match(other.text))
    ]
    return len(_head_words().intersection(head)) >= _HEAD_FIELDS


@cache
def _head_words() -> frozenset[str]:
    """Return how mail clients name the fields of a quoted head, in every language."""
    return frozenset(
        word.lower() for line in _data.read_sections("quoted-heads.txt")[""] for word in line.split(", ")
    )


def _mark_footer(lines: list[_Line], end: int, language: str) -> int:
    """Mark footer and disclaimer, upwards from the end, and return where they begin."""
    first = _first_sentence(lines, end, language)
    begin, passed = end, 0
    for number in range(end - 1, max(first, end - LONGEST_FOOTER), -1):
        line = lines[number]
        if line.kind is ZoneKind.QUOTED:
            break
        kind = _tail_kind(line, language)
        if kind is not None:
            line.kind = kind
            begin, passed = number, 0
        elif len(line.words) > _SENTENCE or passed >= _PASSED:
            break
        else:
            passed += 1
    if begin == end:
        return end
    begin = _with_labels(lines, begin, first, language)
    _mark([line for line in lines[begin:end] if line.kind is ZoneKind.BODY], ZoneKind.FOOTER)
    return begin


def _first_sentence(lines: list[_Line], end: int, language: str) -> int:
    """Return the first line that says something: a message is never all footer."""
    for number, line in enumerate(lines[:end]):
        if (
            len(line.words) > _BRIEF
            and not line.is_label
            and not line.is_copyright
            and "view_in_browser" not in line.concepts(language)
        ):
            return number
    return 0


def _with_labels(lines: list[_Line], begin: int, first: int, language: str) -> int:
    """Return where a footer begins, with the labels and rules that stand right above it, such as "Help centre"."""
    number = begin
    while begin - number < _PASSED and number > first + 1:
        above = lines[number - 1]
        is_short = 0 < len(above.words) <= _BRIEF and above.is_label and not any(map(str.isdigit, above.text))
        if not (is_short or _RULE.fullmatch(above.text)) or _is_signed(lines[first + 1 : number], language):
            break
        number -= 1
    return number


def _is_signed(lines: list[_Line], language: str) -> bool:
    """Return whether a sign-off stands among the last lines."""
    return any("signoff" in line.concepts(language) for line in lines[-_SIGNED:] if len(line.words) <= _LABEL)


def _tail_kind(line: _Line, language: str) -> ZoneKind | None:
    """Return footer or disclaimer where a line is one by itself."""
    found = line.concepts(language)
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


def _is_postal(line: _Line) -> bool:
    """Return whether a line is a postal address: short pieces with a number among them, no price, no sentence."""
    text = line.text.rstrip(".")
    if len(line.words) > 2 * _SENTENCE or ". " in text or not _STREET.match(text) or _PRICE.search(text):
        return False
    is_street = text[0].isdigit() and len(line.words) <= 2 * _BRIEF
    return is_street or bool(_ZIP.search(text)) or text.count(",") >= 2


def _mark_signature(lines: list[_Line], end: int, language: str) -> int:
    """Mark the signature above the footer, and return where it begins."""
    for number in range(end - 1, max(0, end - _SIGNED - 2), -1):
        line = lines[number]
        if line.kind is ZoneKind.QUOTED:
            return end
        if line.text == "--" or (len(line.words) <= _LABEL and "signoff" in line.concepts(language)):
            if all(len(other.words) <= _SENTENCE for other in lines[number + 1 : end]):
                _mark(lines[number:end], ZoneKind.SIGNATURE)
                return number
            return end
    return end


def _mark_top(lines: list[_Line], end: int, language: str) -> None:
    """Mark preheader and header band: labels above the first sentence or greeting."""
    for number, line in enumerate(lines[: min(end - 1, 6)]):
        found = line.concepts(language)
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


def _mark_actions(lines: list[_Line]) -> None:
    """Mark the web addresses that stand alone."""
    _mark([line for line in lines if line.kind is ZoneKind.BODY and line.is_address_alone], ZoneKind.ACTION)
