"""Words: concepts such as "unsubscribe" or "your order", found alike in every language.

The lexicons are data files, one a language. The language is guessed first from function words, then
one pass over the tokens looks concepts up, so that "order" in Dutch or "i" in Italian mean nothing
that they do not mean there.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, cast

from mailflows import _data
from mailflows._html.scan import seen
from mailflows.signals._signal import Signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailflows.message import Message

__all__ = [
    "CONCEPTS",
    "SIGNALS",
    "Lexicon",
    "Reading",
    "already_read",
    "concepts_anywhere",
    "concepts_in",
    "concepts_of",
    "language_of",
    "measure",
    "read",
    "telling",
    "tokens",
]

HEAD = 3_500
TAIL = 1_500
"""Characters at the beginning and the end of the body that are read; bound: what decides stands there."""

FIRST_TOKENS = 350
LAST_TOKENS = 150
"""Tokens of the body in which concepts are looked up; bound: as above, in words."""

LITTLE = 200
"""Characters of text below which the alternative texts of images are read; choice: two or three sentences."""

MOST_IMAGES = 40
"""Images whose alternative texts are read; bound: a catalogue has more."""

OPENING = 50
CLOSING = 50
"""Tokens that count as the beginning and the end of the body; choice: a paragraph."""

_TOKEN = re.compile(r"\w+")
_KANA = re.compile(r"[\u3041-\u30ff]")
_KANA_OR_HAN = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")
_STEM = 4  # choice: letters under which entries with an open ending are filed

CONCEPTS: dict[str, str] = {
    "greeting": "a greeting",
    "formal_salutation": "an impersonal salutation",
    "signoff": "a closing formula",
    "first_person": 'words for "I" and "my"',
    "second_request": "a question or request from person to person",
    "thanks": "a word of thanks",
    "attachment": "a mention of an attachment",
    "meeting": "wording about a meeting or a call",
    "sales_approach": "the wording of a sales approach",
    "quote_intro": "the introduction of a quoted message",
    "sent_from_device": "a phone's signature",
    "holiday_absence": "wording about an absence",
    "unsubscribe": "an option to unsubscribe",
    "list_confirmation": "the confirmation of a subscription or an unsubscription",
    "preferences": "an option to change preferences",
    "view_in_browser": "an option to view it in a browser",
    "received_because": "an explanation of why the reader receives this",
    "newsletter": "newsletter wording",
    "offer": "an offer or a discount",
    "urgency": "wording that creates urgency",
    "call_to_action": "a call to action",
    "novelty": "an announcement of something new",
    "event_invite": "an invitation to an event",
    "donation": "an appeal for donations",
    "social_follow": "an invitation to follow on social networks",
    "survey_review": "a request for a review or a survey",
    "feature_marketing": "product marketing wording",
    "no_reply": "a note that it was sent automatically or that nobody reads replies",
    "order": "wording about an order",
    "invoice_payment": "wording about an invoice or a payment",
    "shipping": "wording about a shipment",
    "account_access": "wording about access to an account",
    "one_time_code": "a code to enter",
    "welcome": "a welcome after a registration",
    "booking": "wording about a booking or an appointment",
    "subscription_renewal": "wording about a plan or its renewal",
    "ticket": "wording about a support ticket",
    "alert": "the wording of an alert",
    "security_notice": "the wording of a security notice",
    "delivery_failure": "wording about a failed delivery",
    "status_report": "wording about the result of a job or a build",
    "form_submission": "the wording of a submitted form",
    "statement": "wording about a document that is ready",
    "administration": "wording about an official procedure",
    "reminder": "the wording of a reminder",
    "legal_footer": "legal small print",
    "confidential_footer": "a confidentiality notice",
    "company_words": "a company's registration details",
}

ZONES: dict[str, str] = {
    "subject": "the subject has",
    "opening": "the text begins with",
    "body": "the text has",
    "closing": "the text ends with",
    "link": "a link's text has",
}

MEASURED = ("subject", "opening", "body")
"""The zones whose concepts are signals; choice: on sources left out, the other two add nothing to these."""


@cache
def code(zone: str, concept: str) -> str:
    """Return the name of the signal of a concept in a zone.

    >>> code("body", "one_time_code")
    'words-body-one-time-code'
    """
    return f"words-{zone}-{concept}".replace("_", "-")


SIGNALS: tuple[Signal, ...] = (
    *(
        Signal(code(zone, concept), f"{ZONES[zone]} {what}")
        for zone in MEASURED
        for concept, what in CONCEPTS.items()
    ),
    Signal("words-unread-language", "there is no lexicon for its language"),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """The words of a message, found once and used by all families.

    Attributes:
        language: Two letters, or an empty string where it could not be told.
        subject: Tokens of the subject.
        body: Tokens of the beginning and the end of the body.
        links: Tokens of the link texts.
        labels: The link texts as written.
        text: The part of the body that was read, as written.
        lower: The same in lower case.
        plain: The plain-text part as written, or the body where there is none.
        lines: Tokens of each line of the text, blank ones included: those of *body*.
    """

    language: str
    subject: tuple[str, ...]
    body: tuple[str, ...]
    links: tuple[str, ...]
    labels: str
    text: str
    lower: str
    plain: str
    lines: tuple[Sequence[str], ...]


_Entry = tuple[tuple[str, ...], str]
_MAX_KNOWN = 50_000  # bound: tokens remembered for each language, some MiB


class _Start(NamedTuple):
    """What may begin with one token.

    Attributes:
        alone: Concepts of the token by itself.
        followed: Second token → entries that go on with it.
        open_ended: Entries whose second word may have any ending.
    """

    alone: tuple[str, ...]
    followed: dict[str, tuple[_Entry, ...]]
    open_ended: tuple[_Entry, ...]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The entries of one language, by first token, and by the first letters for open endings."""

    whole: dict[str, tuple[_Entry, ...]]
    stems: dict[str, tuple[_Entry, ...]]
    substrings: tuple[tuple[str, str], ...]
    starts: _Starts = field(init=False, repr=False)
    by_letter: dict[str, tuple[tuple[str, str], ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts", _Starts(self))
        by_letter: dict[str, tuple[tuple[str, str], ...]] = {}
        for entry, concept in self.substrings:
            by_letter[entry[0]] = (*by_letter.get(entry[0], ()), (entry, concept))
        object.__setattr__(self, "by_letter", by_letter)

    def concepts_of(self, text: str, tokens: Sequence[str]) -> set[str]:
        """Return the concepts of a passage.

        Args:
            text: The passage, for languages without spaces.
            tokens: Its tokens in lower case.
        """
        starts = list(map(self.starts.__getitem__, tokens))
        found = {concept for _, concept in _found(starts, tokens)} if any(starts) else set()
        if self.substrings:
            lower = text.lower()
            for place, letter in enumerate(lower):
                for entry, concept in self.by_letter.get(letter, ()):
                    if lower.startswith(entry, place):
                        found.add(concept)
        return found

    def start(self, token: str) -> _Start | None:
        """Return what may begin with a token."""
        open_ended = self.stems.get(token[:_STEM], ())
        entries = self.whole.get(token, ())
        entries += tuple(entry for entry in open_ended if token.startswith(entry[0][0][:-1]))
        if not entries:
            return None
        followed: dict[str, tuple[_Entry, ...]] = {}
        for entry in entries:
            if len(entry[0]) > 1 and entry[0][1][-1] != "*":
                second = entry[0][1]
                followed[second] = (*followed.get(second, ()), entry)
        return _Start(
            alone=tuple(concept for words, concept in entries if len(words) == 1),
            followed=followed,
            open_ended=tuple(e for e in entries if len(e[0]) > 1 and e[0][1][-1] == "*"),
        )


class _Starts(dict[str, "_Start | None"]):
    """What may begin with a token, worked out when it is first asked for."""

    def __init__(self, lexicon: Lexicon) -> None:
        super().__init__()
        self._lexicon = lexicon

    def __missing__(self, token: str) -> _Start | None:
        if len(self) > _MAX_KNOWN:
            self.clear()
        self[token] = found = self._lexicon.start(token)
        return found


def read(message: Message) -> Reading:
    """Find the words of a message; one that is asked about again is not read again."""
    kept = _kept(message)
    if kept is None:
        kept = _read(message)
        object.__setattr__(message, "_reading", kept)
    return kept


def already_read(message: Message) -> Reading | None:
    """Return the words of a message that was read before, where they are those of its whole body, line by line."""
    kept = _kept(message)
    return kept if kept is not None and kept.text == message.body else None


def _kept(message: Message) -> Reading | None:
    """Return what was read before: a message never changes."""
    return cast("Reading | None", message._reading)  # noqa: SLF001 -- its place


def _read(message: Message) -> Reading:
    text = _ends(message.body)
    if len(text) < LITTLE and message.html:
        # What a picture says is text, too: all that a newsletter made of images says.
        text = "\n".join([text, *(i.alt for i in message.document.images[:MOST_IMAGES] if i.alt)]).strip()
    lower = text.lower()
    subject = tuple(_TOKEN.findall(message.subject[:400].lower()))
    lines = tuple(map(_TOKEN.findall, lower.split("\n")))
    body = tuple(chain.from_iterable(lines))
    labels = " ".join(link.text for link in message.document.links[:60])[:3000] if message.html else ""
    return Reading(
        language=language_of((*subject, *body[:300]), text[:2000] + message.subject),
        subject=subject,
        body=body,
        links=tuple(_TOKEN.findall(labels.lower())),
        labels=labels,
        text=text,
        lower=lower,
        plain=_ends(message.text) or text,
        lines=lines,
    )


def _ends(text: str) -> str:
    """Return the beginning and the end of a text, without characters that are not seen."""
    if len(text) > HEAD + TAIL:
        text = text[:HEAD] + "\n" + text[-TAIL:]
    return text if text.isascii() else seen(text)


def tokens(text: str) -> tuple[str, ...]:
    """Return the words of a text in lower case."""
    return tuple(_TOKEN.findall(text.lower()))


def language_of(tokens: Iterable[str], text: str) -> str:
    """Guess the language from function words, letters that few languages have, kana or Cyrillic.

    A word that several languages share counts for each of them the less.

    >>> language_of("merci de votre commande et à bientôt".split(), "")
    'fr'
    >>> language_of("тикет закрыт".split(), "Тикет закрыт")
    'ru'
    """
    if not text.isascii() and _KANA_OR_HAN.search(text):
        return "ja" if _KANA.search(text) else "zh"
    votes: dict[str, float] = {}
    languages_of = _function_words().get
    for languages in filter(None, map(languages_of, tokens)):
        for language in languages:
            votes[language] = votes.get(language, 0.0) + 1.0 / len(languages)
    if not text.isascii():
        for language in _by_letters(text):
            votes[language] = votes.get(language, 0.0) + 1.0
    if not votes:
        return ""
    best = max(votes, key=votes.__getitem__)
    return best if votes[best] >= 1.0 else ""


def _by_letters(text: str) -> list[str]:
    """Return the languages of each rare letter of a text, in a fixed order."""
    shown = text[:_LETTERS].lower()
    found = [language for letter in sorted(set(_RARE.findall(shown))) for language in _RARE_LETTERS[letter]]
    return found or (["ru"] if _CYRILLIC.search(shown) else [])


_RARE_LETTERS: dict[str, tuple[str, ...]] = {
    **{
        letter: (language,)
        for language, letters in {
            "cs": "řěůň",
            "da": "æø",
            "de": "ß",
            "es": "ñ¿¡",
            "fr": "œ",
            "it": "ìò",
            "pl": "łżźśńąę",
            "pt": "ãõ",
            "tr": "şğı",
        }.items()
        for letter in letters
    },
    "å": ("sv", "da"),
}
_RARE = re.compile("[" + "".join(_RARE_LETTERS) + "]")
_CYRILLIC = re.compile("[а-яё]{3}")
_LETTERS = 600  # bound: characters in which a language shows its letters


@cache
def _function_words() -> dict[str, tuple[str, ...]]:
    """Map each function word to the languages that have it."""
    found: dict[str, tuple[str, ...]] = {}
    for language, lines in _data.read_sections("function-words.txt").items():
        for word in {w for line in lines for w in line.split()}:
            for form in {word, _without_accents(word)}:
                found[form] = (*found.get(form, ()), language)
    return found


def _without_accents(text: str) -> str:
    """Take the marks off Latin letters; others stay."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


@cache
def _lexicon(language: str) -> Lexicon:
    """Load the lexicon of a language, or an empty one."""
    if language not in _data.names("lexicon"):
        return Lexicon({}, {}, ())
    whole: dict[str, list[_Entry]] = {}
    stems: dict[str, list[_Entry]] = {}
    substrings: list[tuple[str, str]] = []
    for concept, entries in _data.read_sections(f"lexicon/{language}.txt").items():
        for entry in entries:
            if language == "ja":
                substrings.append((entry.lower(), concept))
                if not entry.isascii():
                    continue
            for form in {entry.lower(), _without_accents(entry.lower())}:
                words = tuple(_TOKEN.findall(form))
                if not words:
                    continue
                if form.endswith("*"):
                    words = (*words[:-1], words[-1] + "*")
                if words[0].endswith("*"):
                    stems.setdefault(words[0][:_STEM], []).append((words, concept))
                else:
                    whole.setdefault(words[0], []).append((words, concept))
    return Lexicon(
        {k: tuple(v) for k, v in whole.items()},
        {k: tuple(v) for k, v in stems.items()},
        tuple(substrings),
    )


def _fits(wanted: tuple[str, ...], tokens: Sequence[str], start: int) -> bool:
    """Return whether the tokens from *start* on are the wanted ones; "*" accepts any ending."""
    if start + len(wanted) > len(tokens):
        return False
    for offset, word in enumerate(wanted):
        token = tokens[start + offset]
        if token != word and not (word[-1] == "*" and token.startswith(word[:-1])):
            return False
    return True


def find(lexicon: Lexicon, tokens: Sequence[str]) -> list[tuple[int, str]]:
    """Return (position, concept) of every entry found."""
    return _found(list(map(lexicon.starts.__getitem__, tokens)), tokens)


def _found(starts: Sequence[_Start | None], tokens: Sequence[str]) -> list[tuple[int, str]]:
    """Return the same, from what may begin with each token."""
    hits: list[tuple[int, str]] = []
    last = len(tokens) - 1
    for position, start in enumerate(starts):
        if start is None:
            continue
        alone, followed, open_ended = start
        if alone:
            hits += [(position, concept) for concept in alone]
        if position < last and (open_ended or tokens[position + 1] in followed):
            for words, concept in followed.get(tokens[position + 1], ()) + open_ended:
                if _fits(words, tokens, position):
                    hits.append((position, concept))
    return hits


def measure(message: Message, reading: Reading) -> dict[str, float]:
    """Measure which concepts stand in the subject, at the beginning and anywhere in the text."""
    del message
    lexicon = _lexicon(reading.language or "en")
    if lexicon.substrings:
        found = {(zone, concept) for zone in MEASURED for concept in _substrings_in(lexicon, reading, zone)}
    else:
        found = set()
    found |= {("subject", concept) for _, concept in find(lexicon, reading.subject)}
    for position, concept in find(lexicon, _ends_of(reading.body)):
        found.add(("body", concept))
        if position < OPENING:
            found.add(("opening", concept))
    # Sorted: sums of floats depend on their order, and a set has another one in every process.
    values = {code(zone, concept): 1.0 for zone, concept in sorted(found)}
    if not lexicon.whole and not lexicon.substrings:
        values["words-unread-language"] = 1.0
    return values


def _ends_of(body: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tokens of the body in which concepts are looked up."""
    if len(body) > FIRST_TOKENS + LAST_TOKENS:
        return body[:FIRST_TOKENS] + body[-LAST_TOKENS:]
    return body


def concepts_in(reading: Reading, zone: str) -> set[str]:
    """Return the concepts of one of the `ZONES`."""
    lexicon = _lexicon(reading.language or "en")
    body = _ends_of(reading.body)
    tokens = {
        "subject": reading.subject,
        "opening": body[:OPENING],
        "body": body,
        "closing": body[-CLOSING:],
        "link": reading.links,
    }[zone]
    return {concept for _, concept in find(lexicon, tokens)} | _substrings_in(lexicon, reading, zone)


def _substrings_in(lexicon: Lexicon, reading: Reading, zone: str) -> set[str]:
    """Return the concepts of a zone in a language without spaces between its words."""
    text = {
        "subject": " ".join(reading.subject),
        "opening": reading.lower[:200],
        "body": reading.lower,
        "closing": reading.lower[-250:],
        "link": " ".join(reading.links),
    }[zone]
    return {concept for entry, concept in lexicon.substrings if entry in text}


def languages_with(token: str) -> tuple[str, ...]:
    """Return the languages in which a token is a function word, such as "the".

    >>> languages_with("votre")
    ('fr',)
    """
    return _function_words().get(token, ())


@dataclass(frozen=True, slots=True)
class Marked:
    """A text whose tokens are found, and where they stand in it."""

    text: str
    spans: tuple[tuple[int, int], ...]
    tokens: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Marked:
        """Find the tokens of a text."""
        spans = tuple([found.span() for found in _TOKEN.finditer(text)])
        return cls(text, spans, tuple([text[start:end].lower() for start, end in spans]))

    def first(self, count: int) -> Marked:
        """Return the same with the first tokens alone."""
        return Marked(self.text, self.spans[:count], self.tokens[:count])

    def last(self, count: int) -> Marked:
        """Return the same with the last tokens alone."""
        return Marked(self.text, self.spans[-count:], self.tokens[-count:])


def passages_of(texts: Iterable[Marked], concept: str, language: str) -> tuple[str, ...]:
    """Return the passages, as written, in which some texts hold a concept: one a text, each once."""
    lexicon = _lexicon(language or "en")
    found: dict[str, str] = {}
    for text in texts:
        passage = _passage_of(lexicon, text, concept)
        if passage:
            found.setdefault(passage.lower(), passage)
    return tuple(found.values())


def _passage_of(lexicon: Lexicon, marked: Marked, concept: str) -> str:
    """Return the longest passage of a text that is an entry of a concept, the first where several are."""
    text, tokens = marked.text, marked.tokens
    for entry, its_concept in lexicon.substrings:
        if its_concept == concept and (start := text.lower().find(entry)) >= 0:
            return text[start : start + len(entry)]
    best = ""
    for position in [position for position, its_concept in find(lexicon, tokens) if its_concept == concept]:
        token = tokens[position]
        for wanted, its_concept in (*lexicon.whole.get(token, ()), *lexicon.stems.get(token[:_STEM], ())):
            if its_concept == concept and _fits(wanted, tokens, position):
                last = position + len(wanted) - 1
                best = max(best, text[marked.spans[position][0] : marked.spans[last][1]], key=len)
    return best


def concepts_of(text: str, tokens: tuple[str, ...], language: str) -> set[str]:
    """Return the concepts of a passage; an unknown language is read as English.

    Args:
        text: The passage as written, for languages without spaces.
        tokens: Its tokens in lower case.
        language: Two letters, or empty.
    """
    return _lexicon(language or "en").concepts_of(text, tokens)


_TELLING = 6  # choice: letters; shorter words mean other things in other languages ("se", "ag", "terms")


def concepts_anywhere(tokens: tuple[str, ...], concepts: frozenset[str]) -> set[str]:
    """Return which of some concepts a passage holds in any language that has a lexicon.

    Only entries of several words, or of one long word, count: short ones mean something else elsewhere.
    """
    return {concept for _, concept in find(_any_language(concepts), tokens)}


@cache
def _any_language(concepts: frozenset[str]) -> Lexicon:
    """Return the telling entries of all languages for some concepts."""
    whole: dict[str, tuple[_Entry, ...]] = {}
    stems: dict[str, tuple[_Entry, ...]] = {}
    for language in sorted(_data.names("lexicon")):
        one = _lexicon(language)
        for table, merged in ((one.whole, whole), (one.stems, stems)):
            for key, entries in table.items():
                kept = tuple(e for e in entries if e[1] in concepts and _is_telling(e[0]))
                if kept:
                    merged[key] = (*merged.get(key, ()), *kept)
    return Lexicon(whole, stems, ())


@cache
def telling(language: str, wanted: frozenset[str], anywhere: frozenset[str]) -> Lexicon:
    """Return a lexicon of some concepts in a language, and of others in every language.

    Args:
        language: Two letters; an unknown one is read as English.
        wanted: The concepts that are looked for in the language.
        anywhere: Those that are looked for in every language; see `concepts_anywhere`.
    """
    own, shared = _lexicon(language or "en"), _any_language(anywhere)
    tables: list[dict[str, tuple[_Entry, ...]]] = []
    for mine, others in ((own.whole, shared.whole), (own.stems, shared.stems)):
        kept = {key: [e for e in entries if e[1] in wanted] for key, entries in mine.items()}
        tables.append(
            {
                key: tuple(dict.fromkeys((*kept.get(key, ()), *others.get(key, ()))))
                for key in kept.keys() | others.keys()
                if kept.get(key) or key in others
            }
        )
    substrings = tuple(entry for entry in own.substrings if entry[1] in wanted)
    return Lexicon(tables[0], tables[1], substrings)


def _is_telling(entry: tuple[str, ...]) -> bool:
    return len(entry) > 1 or len(entry[0]) >= _TELLING
