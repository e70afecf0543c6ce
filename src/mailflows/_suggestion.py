"""What somebody meant who wrote a word that is not known, for the text of an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(word: object, known: Iterable[str], *, choices: Iterable[str] = ()) -> str:
    """Return what to write instead of a word that is not known.

    Args:
        word: What was written.
        known: What may be written.
        choices: What is listed where nothing is like it; all that is known by default.

    >>> did_you_mean("domain", ["domains", "relay"])
    'did you mean domains?'
    """
    from difflib import get_close_matches  # noqa: PLC0415 -- only once something is wrong

    names = list(dict.fromkeys(known))
    close = get_close_matches(str(word)[:60].lower(), names, n=1)
    return f"did you mean {close[0]}?" if close else f"choose from {', '.join(choices or names)}"
