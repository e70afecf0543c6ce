"""The sentences of every reason, by code and language: one table, `data/recipients/reasons.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any

from mailflows import _data
from mailflows._suggestion import did_you_mean
from mailflows._visitors import visitor_language
from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

LANGUAGES = ("en", "fr", "de")
"""Languages of the sentences about addresses."""

__all__ = ["LANGUAGES", "best_verdict", "require_codes", "require_language", "sentence"]


def require_language(language: str) -> str:
    """Return a language of these sentences, for a language tag or a whole Accept-Language field.

    Raises:
        ConfigurationError: If it is a word that is no language.
    """
    return visitor_language(language, LANGUAGES)


@cache
def _entries() -> dict[str, dict[str, str]]:
    return tomllib.loads(_data.read("recipients/reasons.toml"))


def sentence(code: str, language: str = "en", **parameters: Any) -> str:  # noqa: ANN401 -- plain data
    """Return the sentence of a code in a language.

    >>> sentence("no-at-sign", "fr")
    "L'adresse ne contient pas de signe @."
    """
    return _entries()[code][require_language(language)].format(**parameters)


def best_verdict(code: str) -> str | None:
    """Return the word of the best verdict that is possible with a code; `None` where it is only told."""
    return _entries()[code].get("verdict")


def require_codes(codes: Iterable[str], field: str) -> frozenset[str]:
    """Return codes of reasons that there are.

    Raises:
        ConfigurationError: If one is none.
    """
    if isinstance(codes, str):
        msg = f"{field} must be a list of codes, such as ['disposable', 'typo']; got a single string"
        raise ConfigurationError(msg, field=field)
    wanted = frozenset(codes)
    for code in sorted(wanted - _entries().keys()):
        meant = did_you_mean(code, _entries())
        msg = f"{field}: there is no reason {code!r}{f'; {meant}' if meant else ''}"
        raise ConfigurationError(msg, field=field)
    return wanted
