"""Laws of the regular expressions: what they match is the same on every release of Python that we support."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import TYPE_CHECKING, Any

import mailflows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

parser: Any = importlib.import_module("re._parser")  # what `re` itself reads a pattern with
codes: Any = importlib.import_module("re._constants")

ONE_CHARACTER = {codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN}


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Yield every pattern that a module of the library holds, with the module's name."""
    for found in pkgutil.walk_packages(mailflows.__path__, "mailflows."):
        if not found.name.endswith("__main__"):
            for value in vars(importlib.import_module(found.name)).values():
                if isinstance(value, re.Pattern):
                    yield found.name, value


def groups_without_return(pieces: Iterable[tuple[Any, Any]]) -> Iterator[Any]:
    """Yield what is repeated possessively, or atomic, and longer than one character."""
    for code, value in pieces:
        if code is codes.ATOMIC_GROUP:
            yield value
        if code is codes.POSSESSIVE_REPEAT and not (len(value[2]) == 1 and value[2][0][0] in ONE_CHARACTER):
            yield value[2]
        yield from groups_without_return(inside(value))


def inside(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the pieces of every pattern within a piece."""
    if isinstance(value, parser.SubPattern):
        yield from value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from inside(each)


def test_no_group_is_repeated_possessively() -> None:
    """``(?:…)*+`` goes astray where the group looks for more than one way, before Python 3.11.5 (gh-106052).

    Debian 12 has 3.11.2, which read ``</p`` as text of every page. A group whose ways exclude each other
    matches the same with ``*``.
    """
    found = [
        (module, pattern.pattern)
        for module, pattern in patterns()
        if any(True for _ in groups_without_return(parser.parse(pattern.pattern, pattern.flags)))
    ]
    assert found == []


def test_a_group_without_return_is_found() -> None:
    """The law above looks into groups, alternatives and what is looked ahead at."""
    for written in ("(?:ab)*+", "(?>a|b)", "x(?:y|(?:ab)++)", "(?=(?:ab)?+)", "((?:[^a]*+b)*+)"):
        assert list(groups_without_return(parser.parse(written))), written
    for written in ("a*+", "[^a]*+", ".?+", "(?:ab)*"):
        assert not list(groups_without_return(parser.parse(written))), written
