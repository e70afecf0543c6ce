"""Sentences for the visitor of a form, in the languages that the library has: `data/visitors.toml`."""

from __future__ import annotations

import math
import re
import tomllib
from functools import cache
from typing import Any

from mailflows import _data

__all__ = ["LANGUAGES", "visitor_language", "visitor_sentence"]

LANGUAGES = ("en", "cs", "da", "de", "es", "fr", "it", "ja", "nl", "pl", "pt", "ru", "sv", "tr")
"""Languages of the sentences that a visitor of a form sees."""

_UNITS = (("day", 86_400, 36 * 3600), ("hour", 3600, 90 * 60), ("minute", 60, 0))
"""Unit, its seconds, and from how many seconds it is used. choice: up to 90 minutes are given in minutes."""

_MOST_RANGES = 30
"""Ranges of an Accept-Language field that are read. bound: browsers send a handful."""

_WEIGHT = re.compile(r"\s*;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*")


def visitor_sentence(code: str, language: str | None, *, wait: float = 0.0) -> str:
    """Return a sentence by its code, with the seconds to wait in words, rounded up.

    >>> visitor_sentence("too-many", "fr-CA", wait=5000)
    'Trop de tentatives. Veuillez réessayer dans 84 minutes.'
    """
    tongue = visitor_language(language)
    unit, size, _ = next(one for one in _UNITS if wait >= one[2])
    number = max(1, math.ceil(wait / size))
    text = _table()["units"][unit][tongue][_form(tongue, number)].format(n=number)
    return str(_table()["sentences"][code][tongue].format(wait=text))


def visitor_language(text: str | None) -> str:
    """Return the language to tell a visitor in, for a language tag or a whole Accept-Language field.

    English, where there are no sentences in what it names, and where there is no such field. Whatever it
    says, it raises nothing: a visitor chooses the field, and must not be able to choose an error page.

    >>> visitor_language("pt-BR"), visitor_language("ko-KR,ko;q=0.9,sv;q=0.5"), visitor_language("klingon")
    ('pt', 'sv', 'en')
    """
    wanted = (_primary(tag) for tag in _by_weight(text or ""))
    return next((tag for tag in wanted if tag in LANGUAGES), "en")


def _by_weight(header: str) -> list[str]:
    """Return the ranges of an Accept-Language field, the most wanted first (RFC 9110 section 12.5.4)."""
    found: list[tuple[float, str]] = []
    for part in header.split(",")[:_MOST_RANGES]:
        tag, semicolon, _ = part.partition(";")
        match = _WEIGHT.fullmatch(part[len(tag) :]) if semicolon else None
        weight = float(match[1]) if match else 0.0 if semicolon else 1.0
        if weight > 0.0:
            found.append((weight, tag))
    return [tag for _, tag in sorted(found, key=lambda one: -one[0])]


def _primary(tag: str) -> str:
    """Return the language of a tag: its first subtag (RFC 5646 section 2.1)."""
    return tag.strip().replace("_", "-").partition("-")[0].lower()


def _form(language: str, number: int) -> int:
    """Return which form of a unit a number takes, by the rule of the language in the table."""
    rule = next(rule for rule, languages in _table()["plurals"].items() if language in languages)
    is_few = number % 10 in {2, 3, 4} and number % 100 not in {12, 13, 14}
    match rule:
        case "same":
            return 0
        case "czech":
            return 0 if number == 1 else 1 if number in {2, 3, 4} else 2
        case "polish":
            return 0 if number == 1 else 1 if is_few else 2
        case "russian":
            return 0 if number % 10 == 1 and number % 100 != 11 else 1 if is_few else 2
        case _:
            return int(number != 1)


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(_data.read("visitors.toml"))
