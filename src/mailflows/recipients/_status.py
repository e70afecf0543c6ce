"""Columns of an exported list that say who is not to be mailed: a status, a flag, an unsubscription date.

Names are data (``data/recipients/status.toml``), and so is what the words in them mean
(``data/status-words.toml``). A column is taken by its name, or because its first cells hold nothing but words
of such a status.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mailflows import _data
from mailflows._status_words import answers, fold_words, meanings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["MARKS", "SUPPRESSED", "StatusColumns"]

MARKS = ("complained", "bounced", "unsubscribed", "blocked", "no-consent")
"""Why a row is not to be mailed, the gravest first: where two columns disagree, this order decides."""

SUPPRESSED = "suppressed"
"""Why a row is not to be mailed of which no column says so, but the suppression list."""


class _Names(NamedTuple):
    filler: frozenset[str]
    status: frozenset[str]
    out: dict[str, str]
    opted_in: dict[str, str]
    words: dict[str, str]
    no: frozenset[str]


@cache
def _names() -> _Names:
    table = tomllib.loads(_data.read("recipients/status.toml"))
    filler = frozenset(_split(table["filler"]))
    fine = dict.fromkeys(answers("no"), "")
    return _Names(
        filler,
        frozenset(_split(table["status"])),
        {name: mark for mark, names in table["out"].items() for name in _split(names)},
        {name: mark for mark, names in table["in"].items() for name in _split(names)},
        {word: "" if mark == "fine" else mark for word, mark in meanings("lists").items()} | fine,
        answers("no"),
    )


def _split(names: str) -> list[str]:
    return [fold_words(name) for name in names.replace("\n", " ").strip().split(",")]


def _of_status(cell: str) -> str:
    """Return the mark of a word of a status; of one that begins with a word, that of the longest."""
    words, folded = _names().words, fold_words(cell)
    while folded:
        if folded in words:
            return words[folded]
        folded = folded.rpartition(" ")[0]
    return ""


def _is_no(folded: str) -> bool:
    return folded in _names().no or not folded.strip("0 ")  # also a date of noughts


def _kind_of(name: str) -> Callable[[str], str] | None:
    """Return what reads the cells of a column with such a name, or `None`.

    >>> reads = _kind_of("UNSUB_TIME")
    >>> reads("2026-01-02 03:04:05"), reads("")
    ('unsubscribed', '')
    """
    names, folded = _names(), fold_words(name)
    if folded in names.out or folded.startswith("opted out of email "):  # HubSpot: one for each kind of mail
        mark = names.out.get(folded, "unsubscribed")

        def reads_out(cell: str) -> str:
            word = fold_words(cell)
            if _is_no(word):
                return ""
            return _of_status(cell) if word in names.words else mark

        return reads_out
    if folded in names.opted_in:
        mark = names.opted_in[folded]
        return lambda cell: _of_status(cell) or (mark if (word := fold_words(cell)) and _is_no(word) else "")
    return _of_status if folded in names.status else None


def _kind_by_core(name: str, cells: set[str]) -> Callable[[str], str] | None:
    """Return what reads a column whose name has more words than a known one, if its first cells fit.

    >>> reads = _kind_by_core("Consentement newsletter (RGPD)", {"Oui", "Non"})
    >>> reads("Non"), reads("Oui")
    ('no-consent', '')
    """
    known = _cores().get(_core(fold_words(name)))
    if known is None or not all(map(_is_answer, cells)):
        return None
    reads = _kind_of(known)
    return None if reads is None else lambda cell: reads(cell) if _is_answer(cell) else ""


@cache
def _cores() -> dict[str, str]:
    """Return the known names by what is left of them without fillers; a whole name stands for itself."""
    names = _names()
    every = (*names.status, *names.opted_in, *names.out)
    return {core: name for name in every if (core := _core(name))} | {name: name for name in every}


def _core(folded: str) -> str:
    return " ".join(word for word in folded.split() if word not in _names().filler)


def _is_answer(cell: str) -> bool:
    """Return whether a cell is empty, yes or no, a word of a status, or a date."""
    folded = fold_words(cell)
    return folded in answers("yes") or _is_no(folded) or bool(_DATE.match(folded)) or folded in _names().words


_DATE = re.compile(r"(?:\d{4} \d{1,2} \d{1,2}|\d{1,2} \d{1,2} \d{4})\b")


class StatusColumns:
    """Which columns of a list say who is not to be mailed, and what they say of a row.

    Attributes:
        names: Their names.
        silent: Names of the columns of consent that are empty in some row that is kept.
        silent_rows: How many rows those are.
    """

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self.silent: tuple[str, ...] = ()
        self.silent_rows = 0
        self._reads: dict[int, Callable[[str], str]] = {}
        self._consents: dict[int, str] = {}
        self._known = 0

    def probe(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, besides: str | None) -> None:
        """Choose the columns by their names and by the first rows; not the one with the addresses."""
        for place, name in enumerate(columns):
            cells = {row[place] for row in rows if place < len(row)}
            if name == besides:
                continue
            reads = (
                _kind_of(name)
                or _kind_by_core(name, cells)
                or (_of_status if _are_of_status(cells) else None)
            )
            if reads is not None:
                self._take(place, name, reads)
        self._known = len(columns)

    def _take(self, place: int, name: str, reads: Callable[[str], str]) -> None:
        self._reads[place] = reads
        self.names = (*self.names, name)
        if _cores().get(_core(fold_words(name)), "") in _names().opted_in:
            self._consents[place] = name

    def mark(self, columns: Sequence[str], cells: Sequence[str]) -> str:
        """Return why a row is not to be mailed; empty where nothing says so."""
        for place in range(self._known, len(columns)):  # of mappings: a key that came later
            reads = _kind_of(columns[place])
            if reads is not None:
                self._take(place, columns[place], reads)
        self._known = len(columns)
        if not self._reads:
            return ""
        found = {reads(cells[place]) for place, reads in self._reads.items() if place < len(cells)}
        mark = next((mark for mark in MARKS if mark in found), "")
        if not mark and self._consents:
            self._hear(cells)
        return mark

    def _hear(self, cells: Sequence[str]) -> None:
        """Count a row that is kept although a column of consent says nothing of it."""
        empty = [
            name for place, name in self._consents.items() if place < len(cells) and not cells[place].strip()
        ]
        if empty:
            self.silent_rows += 1
            self.silent = tuple(dict.fromkeys((*self.silent, *empty)))


def _are_of_status(cells: set[str]) -> bool:
    """Return whether cells are words of a status, and one of them speaks of a subscription."""
    folded = {fold_words(cell) for cell in cells} - {""}
    words = _names().words
    return bool(folded & _SPEAKING) and all(word in words for word in folded)


_SPEAKING = frozenset(
    "subscribed unsubscribed cleaned abonne abonnee inscrit desabonne desinscrit angemeldet abgemeldet"
    " suscrito iscritto disiscritto inscrito ingeschreven uitgeschreven".split()
)
"""Words that no other column than that of a subscription has."""
