"""What somebody meant who wrote a word that is not known, for the text of an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return what to write instead of a word that is not known.

    >>> did_you_mean("domain", ["domains", "relay"])
    'did you mean domains?'
    """
    from difflib import get_close_matches  # noqa: PLC0415 -- only once something is wrong

    names = list(known)
    close = get_close_matches(str(word)[:60].lower(), names, n=1)
    return f"did you mean {close[0]}?" if close else f"choose from {', '.join(names)}"
