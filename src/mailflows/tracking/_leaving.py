"""Which links unsubscribe or change preferences: they are never tracked.

Such a link works also where a tracking server is down, and whom it shows to leave is nobody's open or click.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from mailflows import _data
from mailflows._html.scan import unescaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailflows._html.tree import Element

__all__ = ["either", "leaves_list", "own_text", "pattern", "plain"]

# choice: characters of markup on each side of a link in which its sentence is looked for
_AROUND = 600
# choice: characters of a link's text that are read; what is longer is an article
_TEXT_SEEN = 400
# choice: characters of a link's text behind which no reader sees one wish any more
_MAX_WISH = 160

_LISTS = frozenset(("address", "services", "here", "alone"))

_TAG = re.compile(r"<!--.{0,2000}?-->|<[^<>]*+>?", re.DOTALL)
_ALT = re.compile(
    r"(?:\s|<)(?:alt|aria-label|title)\s{0,5}=\s{0,5}(?:\"([^\"<>]*)\"|'([^'<>]*)')", re.IGNORECASE
)
_BLOCK = re.compile(
    r"</?(?:p|div|td|th|tr|table|tbody|li|ul|ol|h[1-6]|body|html|center|section|footer|header|article|hr"
    r"|blockquote|style|script|head|title)\b[^<>]*+>?",
    re.IGNORECASE,
)
_ANCHOR = re.compile(r"<a[\s>][^<>]*+>?|</a\s{0,5}>", re.IGNORECASE)
_STOP = re.compile(r"(?<=[.!?\u3002\uff01\uff1f\u061f])(?:\s+|$)|(?<=[\u3002\uff01\uff1f])|[|\u2022\xb7]")
_INNER_HYPHEN = re.compile(r"(?<=\w)[-\u2010\u2011\u05be](?=\w)")
_NOT = re.compile(r"(?<=n)['\u2018\u2019](?=t\b)")
_NO_WORD = re.compile(r"[^\w]+")
_WORD = re.compile(r"\w")
_PIECES = re.compile(r"[/?&=;,+:.\s]+")
_STEP = re.compile(r"(?:\\.|.)[*?]?")
"""One letter of the source of a pattern, with what repeats it."""


_BARE = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"})
"""Letters that Unicode does not take apart into a letter and an accent."""


@lru_cache(4096)  # bound: of short texts; a mailing says the same in each of its messages
def plain(text: str) -> str:
    r"""Return a text as it is compared: without case, accents, hyphens in words and invisible characters.

    >>> plain("Se De\u0301s\u00adabonner de l'e-mail")
    'se desabonner de l email'
    """
    kept = (
        text
        if text.isascii()
        else "".join(
            c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in {"Mn", "Cf"}
        )
    )
    joined = _NOT.sub("", _INNER_HYPHEN.sub("", kept.casefold().translate(_BARE)))
    return " ".join(_NO_WORD.sub(" ", joined).split())


@dataclass(frozen=True, slots=True)
class _Wordings:
    """What is said in any language.

    Attributes:
        words: What is enough alone.
        verbs: What is the first of a pair.
        pairs: What together is enough.
    """

    words: re.Pattern[str]
    verbs: re.Pattern[str]
    pairs: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]

    def say(self, text: str) -> bool:
        """Return whether a plain text is about unsubscribing."""
        if self.words.search(text):
            return True
        is_possible = self.verbs.search(text)
        return bool(is_possible) and any(
            verb.search(text) and thing.search(text) for verb, thing in self.pairs
        )


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(_data.read("tracking/unsubscribe.toml"))


@cache
def _languages() -> tuple[dict[str, Any], ...]:
    return tuple(row for name, row in _table().items() if name not in _LISTS)


def _of_languages(kind: Callable[[dict[str, Any]], list[str]], **more: list[str]) -> re.Pattern[str]:
    """Return a pattern of entries of all languages, some of which may stand anywhere."""
    whole, inside = (
        [entry for row in _languages() if row.get("inside", False) is anywhere for entry in kind(row)]
        for anywhere in (False, True)
    )
    return either(whole + more.get("words", []), inside + more.get("inside", []))


def _verbs(row: dict[str, Any]) -> list[str]:
    """Return the first entries of the pairs of a language."""
    return [verb for verbs, _ in row["pairs"] for verb in verbs]


@cache
def _wordings() -> _Wordings:
    pairs = tuple(
        (pattern(verbs, inside=row.get("inside", False)), pattern(things, inside=row.get("inside", False)))
        for row in _languages()
        for verbs, things in row["pairs"]
    )
    return _Wordings(_of_languages(itemgetter("words")), _of_languages(_verbs), pairs)


@cache
def _pointers() -> re.Pattern[str]:
    """Return what a link says that only points at something: "click here", and the verbs of the pairs."""
    return _of_languages(_verbs, **_table()["here"])


@cache
def _alone() -> frozenset[str]:
    return frozenset(map(plain, _table()["alone"]["words"]))


@cache
def _address_pieces() -> tuple[frozenset[str], tuple[str, ...], tuple[str, ...]]:
    """Return the whole pieces of addresses, the beginnings, and the ends."""
    words = _table()["address"]["words"]
    return (
        frozenset(w for w in words if "*" not in w),
        tuple(w[:-1] for w in words if w[-1] == "*"),
        tuple(w[1:] for w in words if w[0] == "*"),
    )


def pattern(entries: Iterable[str], *, inside: bool = False) -> re.Pattern[str]:
    """Return a pattern of the entries of a list, the longest first."""
    choice = _choice({_source(entry, inside=inside) for entry in entries})
    return re.compile(choice if inside else rf"\b{choice}")


def either(whole: Iterable[str], inside: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern of entries that are whole words, and of some that stand anywhere."""
    return re.compile(f"{pattern(whole).pattern}|{pattern(inside, inside=True).pattern}")


def _choice(sources: Iterable[str]) -> str:
    """Return the source of a pattern that tries sources, the longest first, and each common beginning once.

    Of two thousand words in a row each is tried at every place; of a tree of letters few.
    """
    heads: dict[str, list[str]] = {}
    for source in sorted(sources, key=len, reverse=True):
        found = _STEP.match(source)
        head = found[0] if found else ""
        heads.setdefault(head, []).append(source[len(head) :])
    choices = [head + (_choice(rests) if len(rests) > 1 else rests[0]) for head, rests in heads.items()]
    return f"(?:{'|'.join(choices)})" if len(choices) > 1 else choices[0]


def _source(entry: str, *, inside: bool) -> str:
    """Return the pattern of one entry; a star is the rest of a word, or its beginning."""
    if inside:
        return re.escape(plain(entry)).replace(r"\ ", r"\ ?")
    words = [
        r"\w*" * word.startswith("*") + re.escape(plain(word.strip("*"))) + r"\w*" * word.endswith("*")
        for word in entry.split()
    ]
    return r"\ ".join(words) + (r"\b" if entry[-1] != "*" else "")


def leaves_list(url: str, said: str, tag: Element, source: str) -> bool:
    """Return whether a link unsubscribes or changes preferences, by its URL, its words, or its sentence.

    Args:
        url: Where it leads.
        said: What it says, from `own_text`.
        tag: The link.
        source: The page.
    """
    if _by_address(url):
        return True
    text = plain(said)
    if text in _alone() or (len(text) <= _MAX_WISH and _says(text)):
        return True
    return _points(text) and _says_around(source, tag)


@lru_cache(4096)  # bound: the same
def _points(text: str) -> bool:
    """Return whether a text only points at something."""
    return not _WORD.search(_pointers().sub("", text))


@lru_cache(4096)  # bound: a mailing says the same in each of its messages
def _says(text: str) -> bool:
    return bool(text) and _wordings().say(text)


@lru_cache(4096)  # bound: it leads to the same pages, too
def _by_address(url: str) -> bool:
    """Return whether a piece of an address says so, such as ``/unsubscribe?u=7``."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    if _of_service(host, f"{parts.path}?{parts.query}"):
        return True
    whole, starts, ends = _address_pieces()
    said = unquote(f"{parts.path} {parts.query} {parts.fragment}")
    split = [*host.split(".")[:1], *_PIECES.split(said)]
    pieces = [piece for found in split if (piece := plain(found).replace("_", "").replace(" ", ""))]
    return any(p in whole or p.startswith(starts) or p.endswith(ends) for p in pieces) or any(
        one + other in whole for one, other in pairwise(pieces)
    )


def _of_service(host: str, behind: str) -> bool:
    """Return whether a service for mailings writes such an address where readers leave."""
    return any(
        (host == name or host.endswith(f".{name}") or not name)
        and (start[1:] in behind if start[0] == "*" else behind.startswith(start))
        for name, start in _table()["services"]["addresses"]
    )


def own_text(source: str, tag: Element) -> str:
    """Return what a link says: its text, the names of its pictures, and its own name."""
    seen = source[tag.inner : tag.inner + _TEXT_SEEN * 4]
    end = re.search(r"</a\b", seen, re.IGNORECASE)
    seen = seen[: end.start()] if end else seen[:_TEXT_SEEN]
    names = [one or other for one, other in _ALT.findall(seen)] if "=" in seen else []
    own = [tag.get("title"), tag.get("aria-label"), tag.get("alt")]
    return unescaped(" ".join([_text(seen)[:_TEXT_SEEN], *names, *own]))


def _text(markup: str) -> str:
    return unescaped(_TAG.sub(" ", markup).replace("&shy;", ""))


def _says_around(source: str, tag: Element) -> bool:
    """Return whether the sentence around a link is about leaving; of a link alone, the one in front of it."""
    before = source[max(0, tag.start - _AROUND) : tag.start]
    behind = source[tag.inner : tag.inner + _AROUND]
    closed = re.search(r"</a\s{0,5}>", behind, re.IGNORECASE)
    own, behind = (behind[: closed.start()], behind[closed.end() :]) if closed else (behind, "")
    before = re.split(r"\x00", _ANCHOR.sub("\x00", _BLOCK.sub("\x01", before)))[-1].rpartition("\x01")[2]
    behind = re.split(r"[\x00\x01]", _ANCHOR.sub("\x00", _BLOCK.sub("\x01", behind)))[0]
    earlier = _STOP.split(_text(before))
    start, end = earlier[-1], _STOP.split(_text(behind))[0]
    around = plain(f"{start} {end}")
    if _points(around):
        around = plain(f"{' '.join(earlier[-2:])} {around}")
    return _says(f"{around} {plain(_text(own))}".strip())
