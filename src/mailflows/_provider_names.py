"""What people write for a provider, and which one they mean: one table for all settings."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import TYPE_CHECKING

from mailflows import _data

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["every_spelling", "folded", "is_provider", "meant_provider", "spellings_of"]


def meant_provider(word: str, known: Iterable[str]) -> str | None:
    """Return which of some providers is meant by a word, in any common spelling; `None` for none of them.

    >>> meant_provider("Office 365", ["gmail", "microsoft-365"]), meant_provider("gmail", ["google", "yahoo"])
    ('microsoft-365', 'google')
    """
    by_spelling = {folded(name): name for name in known}
    wanted = folded(word)
    group = _groups().get(wanted, (wanted,))
    return next((by_spelling[name] for name in (wanted, *group) if name in by_spelling), None)


def is_provider(word: str) -> bool:
    """Return whether a word is a spelling of any provider of the table.

    >>> is_provider("Hub Spot"), is_provider("nobody")
    (True, False)
    """
    return folded(word) in _groups()


def every_spelling() -> tuple[str, ...]:
    """Return every spelling of every provider of the table."""
    return tuple(one for row in _rows() for one in row)


def spellings_of(known: Iterable[str]) -> tuple[str, ...]:
    """Return every spelling of some providers, to say which of them was probably meant."""
    return tuple(
        s for name in known for s in dict.fromkeys((name.lower(), *_written().get(folded(name), ())))
    )


def folded(word: str) -> str:
    """Return a name without what people write differently: case, spaces, punctuation.

    >>> folded("Microsoft-365") == folded("microsoft 365")
    True
    """
    return "".join(c for c in word.lower() if c.isalnum())


@cache
def _groups() -> dict[str, tuple[str, ...]]:
    """Return, for each folded spelling, all folded spellings of the same provider."""
    return {one: group for row in _rows() for group in (tuple(map(folded, row)),) for one in group}


@cache
def _written() -> dict[str, tuple[str, ...]]:
    """Return, for each folded spelling, all spellings of the same provider."""
    return {folded(one): tuple(row) for row in _rows() for one in row}


def _rows() -> list[list[str]]:
    rows: list[list[str]] = tomllib.loads(_data.read("provider-names.toml"))["names"]
    return rows
