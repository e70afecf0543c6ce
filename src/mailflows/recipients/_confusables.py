"""Domains that look like a well-known one in other letters (UTS #39, "confusables")."""

from __future__ import annotations

import unicodedata
from functools import cache

from mailflows.recipients import _lists

__all__ = ["looks_like"]

# Letters that are read as a Latin one. From the shapes in Unicode's UTS #39 confusables.txt, kept to
# what occurs in letters of Cyrillic, Greek, Armenian, Cherokee and Latin extensions; 2026-11-23.
_SHAPES = {
    "a": "аɑα",
    "b": "ЬƅƄ",
    "c": "сϲᴄ",
    "d": "ԁɗ",
    "e": "еҽ℮",
    "f": "ƒẝք",
    "g": "ɡɢցԍ",
    "h": "һհ",
    "i": "іıιӏɩ",
    "j": "јϳ",
    "k": "κкⲕ",
    "l": "ӏⅼǀ",
    "m": "мⅿ",
    "n": "ոռ",
    "o": "оοօ০ჿ",
    "p": "рρ",
    "q": "ԛզ",
    "r": "гᴦ",
    "s": "ѕꜱ",
    "t": "тτ",
    "u": "υսᴜ",
    "v": "νѵᴠ",
    "w": "ԝѡᴡ",
    "x": "хχ",
    "y": "уүγʏ",
    "z": "ᴢʐ",
}
_TABLE = str.maketrans({shape: letter for letter, shapes in _SHAPES.items() for shape in shapes})


def looks_like(domain: str) -> str | None:
    """Return the well-known domain that a Unicode domain looks like, or `None`.

    Only look-alikes of large mailbox providers and well-known services count: else every Cyrillic or
    accented name would be suspicious.

    >>> looks_like("gm\N{CYRILLIC SMALL LETTER A}il.com")
    'gmail.com'
    >>> looks_like("münchen.de") is None
    True
    """
    if domain.isascii():
        return None
    skeleton = _skeleton(domain)
    return skeleton if skeleton != domain and skeleton in _victims() else None


def _skeleton(domain: str) -> str:
    """Return the Latin letters that a domain is read as: marks off, shapes mapped."""
    plain = "".join(
        c
        for c in unicodedata.normalize("NFKD", domain.lower().translate(_TABLE))
        if not unicodedata.combining(c)
    )
    return plain.translate(_TABLE)


@cache
def _victims() -> frozenset[str]:
    return _lists.well_known()
