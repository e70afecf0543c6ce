"""What the columns and words of a suppression file mean: the table of the data file, made ready."""

from __future__ import annotations

import tomllib
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from mailflows import _data
from mailflows._status_words import answers, meanings
from mailflows._status_words import squeezed as bare

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["bare", "columns", "flag_of", "formats", "is_no", "is_yes", "meaning", "reason_of_file"]


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(_data.read("feedback/exports.toml"))


@cache
def columns(kind: str) -> tuple[str, ...]:
    """Return the names of the columns of a kind, the surest first."""
    return tuple(dict.fromkeys(map(bare, _table()["columns"][kind])))


@lru_cache(maxsize=1024)
def flag_of(name: str) -> str | None:
    """Return what a column means that says yes, or since when; `None` for any other.

    >>> flag_of("isemailblacklisted"), flag_of("unsubtime"), flag_of("unsubscribereason")
    ('opted-out', 'unsubscribed', None)
    """
    known = _flags()
    for _ in range(3):  # as is, without what stands before, and without what stands behind
        if name in known:
            return known[name]
        before, after = _around()
        start = next((word for word in before if name.startswith(word)), "")
        end = "" if start else next((word for word in after if name.endswith(word)), "")
        name = name[len(start) : len(name) - len(end)]
    return known.get(name)


@cache
def _flags() -> Mapping[str, str]:
    return {bare(name): word for name, word in _table()["flags"].items()}


@cache
def _around() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what may stand before and behind the word of a flag, the longest first."""
    before, after = (
        sorted(map(bare, _table()["around"][name]), key=len, reverse=True) for name in ("before", "after")
    )
    return tuple(before), tuple(after)


@cache
def _words() -> Mapping[str, str]:
    said = {"blocked": "opted-out", "fine": "free"}
    return {word.replace(" ", ""): said.get(one, one) for word, one in meanings("suppressions").items()}


def meaning(word: str) -> str | None:
    """Return what a word of a reason means: a reason of ours, ``soft``, ``free``, or `None`.

    >>> meaning("Hard-Bounce"), meaning("désabonné"), meaning("aktiv"), meaning("weather")
    ('bounced', 'unsubscribed', 'free', None)
    """
    return _words().get(bare(word))


@cache
def _yes_and_no() -> tuple[frozenset[str], frozenset[str]]:
    yes, no = (frozenset(word.replace(" ", "") for word in answers(which)) for which in ("yes", "no"))
    return yes, no | {""}


def is_yes(cell: str) -> bool:
    """Return whether a cell says yes."""
    return bare(cell) in _yes_and_no()[0]


def is_no(cell: str) -> bool:
    """Return whether a cell says no, or nothing."""
    return bare(cell) in _yes_and_no()[1]


def reason_of_file(names: Iterable[str]) -> str | None:
    """Return the reason that the columns of a file say by themselves, or `None`."""
    have = frozenset(names)
    for entry in _table()["files"]:
        if have >= set(map(bare, entry["all"])) and not have & set(map(bare, entry.get("none", ()))):
            return str(entry["reason"])
    return None


def formats() -> Mapping[str, Mapping[str, Any]]:
    """Return what each provider wants a file to look like."""
    found: Mapping[str, Mapping[str, Any]] = _table()["formats"]
    return found
