"""Sentences for the visitor of a form, in the languages that the library has: `data/visitors.toml`."""

from __future__ import annotations

import math
import tomllib
from functools import cache
from typing import Any

from mailflows import _data
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError

__all__ = ["LANGUAGES", "require_language", "visitor_sentence"]

LANGUAGES = ("en", "fr", "de")
"""Languages of the sentences that a visitor of a form sees."""

_UNITS = (("day", 86_400, 36 * 3600), ("hour", 3600, 90 * 60), ("minute", 60, 0))
"""Unit, its seconds, and from how many on it is used. choice: up to 90 minutes are told in minutes."""


def visitor_sentence(code: str, language: str, *, wait: float = 0.0) -> str:
    """Return a sentence by its code, with the seconds to wait in words, rounded up.

    >>> visitor_sentence("too-many", "fr-CA", wait=5000)
    'Trop de tentatives. Veuillez réessayer dans 84 minutes.'

    Raises:
        ConfigurationError: If there are no sentences in the language.
    """
    tongue = require_language(language)
    unit, size, _ = next(one for one in _UNITS if wait >= one[2])
    number = max(1, math.ceil(wait / size))
    text = _table()["units"][unit][tongue][number != 1].format(n=number)
    return str(_table()["sentences"][code][tongue].format(wait=text))


def require_language(language: str) -> str:
    """Return a language that the library has, for one as browsers and frameworks name it.

    Raises:
        ConfigurationError: If it has none.

    >>> require_language("fr-CA")
    'fr'
    """
    primary = language.replace("_", "-").partition("-")[0].lower()  # RFC 5646 section 2.1: the first subtag
    if primary not in LANGUAGES:
        msg = f"there are no sentences in {language!r}; {did_you_mean(language, LANGUAGES)}"
        raise ConfigurationError(msg, field="language")
    return primary


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(_data.read("visitors.toml"))
