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

__all__ = ["best_verdict", "require_codes", "sentence", "visitor_sentence"]


@cache
def _entries() -> dict[str, dict[str, str]]:
    return tomllib.loads(_data.read("recipients/reasons.toml"))


def sentence(code: str, **parameters: Any) -> str:  # noqa: ANN401 -- plain data
    """Return the sentence of a code in English, as who checks addresses reads it."""
    return _entries()[code]["en"].format(**parameters)


def visitor_sentence(code: str, language: str | None, **parameters: Any) -> str:  # noqa: ANN401 -- plain data
    """Return the sentence of a code for the person who typed the address.

    >>> visitor_sentence("no-at-sign", "fr")
    "L'adresse ne contient pas de signe @."
    >>> visitor_sentence("spam-trap", "en-GB,en;q=0.9")
    'This address cannot be used here. Please enter another one.'
    """
    entries = _entries()
    shown = entries[entries[code].get("visitor", code)]
    return shown[visitor_language(language)].format(**parameters)


def best_verdict(code: str) -> str | None:
    """Return the word of the best verdict that is possible with a code; `None` where it is only told."""
    return _entries()[code].get("verdict")


def require_codes(codes: Iterable[str], field: str) -> frozenset[str]:
    """Return codes of reasons that there are.

    Raises:
        ConfigurationError: If one is not a reason code.
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
