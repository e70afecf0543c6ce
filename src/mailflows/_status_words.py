"""What the words of a status mean: one table for lists and for suppression files, and one way to fold.

Exports of contacts say who is not to be mailed; suppression files say who is suppressed. Most words mean the
same in both; what does not is in the section of its kind in ``data/status-words.toml``.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal

from mailflows import _data

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["answers", "fold_words", "meanings", "squeezed"]

_LONGEST = 200  # bound: characters of a cell that are looked at; a status is a few words


@lru_cache(maxsize=8_192)
def fold_words(text: str) -> str:
    """Return words as they are compared: without case, accents and punctuation, one blank between them.

    >>> fold_words("EMAIL_BLACKLISTED"), fold_words("isUnsubscribed"), fold_words("D\u00e9sinscrit\u00b7e")
    ('email blacklisted', 'is unsubscribed', 'desinscrit e')
    """
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text[:_LONGEST])
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", parted).casefold())
    return " ".join(re.findall(r"[^\W_]+", "".join(c for c in plain if not unicodedata.combining(c))))


def squeezed(text: str) -> str:
    """Return a name as names are compared: folded, and without blanks.

    >>> squeezed("E-Mail-Adresse") == squeezed("email adresse"), squeezed("D\u00e9sabonn\u00e9")
    (True, 'desabonne')
    """
    return fold_words(text).replace(" ", "")


@cache
def meanings(kind: Literal["lists", "suppressions"]) -> Mapping[str, str]:
    """Return what each folded word means in one kind of file.

    >>> meanings("lists")["removed"], meanings("suppressions")["removed"]
    ('unsubscribed', 'fine')
    """
    sections = (_table()["shared"], _table()[kind])
    return {fold_words(word): meaning for one in sections for meaning, words in one.items() for word in words}


@cache
def answers(which: Literal["yes", "no"]) -> frozenset[str]:
    """Return the folded words for yes or no, as flags have them."""
    return frozenset(map(fold_words, _table()["answers"][which]))


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(_data.read("status-words.toml"))
