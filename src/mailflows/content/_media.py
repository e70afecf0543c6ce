"""Media queries (Media Queries Level 4), judged for the reader that is assumed: a wide, light screen."""

from __future__ import annotations

import re

__all__ = ["applies", "is_for_all", "is_of_any_screen"]

_QUERY = re.compile(r"\s*+(?:(not|only)\s++)?([a-z-]++)?(?![\w(:-])", re.IGNORECASE)
_FEATURE = re.compile(r"\(([^()]{0,200})\)")
_WIDTH = re.compile(r"(min|max)-(?:device-)?width\s*+:\s*+([0-9.]{1,9})\s*+(px|em|rem|pt)?")
_RANGE = re.compile(r"(?:device-)?width\s*+([<>])=?\s*+([0-9.]{1,9})\s*+(px|em|rem|pt)?")
_SCREEN = 800.0
"""Choice: pixels, wider than the 600 of nearly all layouts."""

_TRUE = frozenset(
    ("prefers-color-scheme:light", "orientation:landscape", "prefers-reduced-motion:no-preference")
)
_TYPES = frozenset(("all", "screen", ""))


def applies(queries: str) -> bool:
    """Return whether any of several queries holds on a wide, light screen.

    >>> applies("print, screen"), applies("only screen and (max-width: 480px)"), applies("handheld")
    (True, False, False)
    """
    return any(_holds(query) for query in queries.lower().split(",")[:20])


def is_of_any_screen(queries: str) -> bool:
    """Return whether queries hold on every screen, as ``all`` and ``only screen`` do."""
    return "(" not in queries and applies(queries)


def is_for_all(conditions: tuple[str, ...]) -> bool:
    """Return whether at-rules let their rules hold on every screen; a merge tag in one is not known."""
    return all(
        condition.lower().startswith("@layer")
        or (condition.lower().startswith("@media") and is_of_any_screen(condition[6:]))
        for condition in conditions
    )


def _holds(query: str) -> bool:
    found = _QUERY.match(query)
    word, kind = (found[1] or "", found[2] or "") if found else ("", "")
    if kind in {"not", "only", "and"}:
        word, kind = kind, ""
    judged = [_has(feature) for feature in _FEATURE.findall(query)]
    if None in judged or (not judged and "(" in query):
        return False  # nobody knows, and the opposite is not known either
    is_met = kind in _TYPES and all(judged)
    return not is_met if word == "not" else is_met


def _has(feature: str) -> bool | None:
    """Return whether the screen has a feature, or return `None` where that cannot be told."""
    if width := _WIDTH.search(feature) or _RANGE.search(feature):
        is_least = width[1] in {"min", ">"}
        number = float(width[2]) if width[2].replace(".", "", 1).isdecimal() else 0.0
        pixels = number * {"em": 16, "rem": 16, "pt": 4 / 3}.get(width[3] or "", 1)
        return pixels <= _SCREEN if is_least else pixels >= _SCREEN
    plain = "".join(feature.split())
    if plain in _TRUE:
        return True
    known = {name.partition(":")[0] for name in _TRUE}
    return False if plain.partition(":")[0] in known else None
