"""Every public name has a running example, and says what it raises."""

from __future__ import annotations

import ast
import builtins
import enum
import importlib
import inspect
import re
import textwrap
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import errors
from test_public_names import IN_MINUTES, PUBLIC, public

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAMED = {name: value for name, value in public().items() if getattr(value, "__doc__", None)}
PROTOCOL = frozenset(
    {AttributeError, KeyError, IndexError, StopIteration, StopAsyncIteration, NotImplementedError}
)
"""What Python itself expects of an object, such as a missing key."""


def is_word(value: object) -> bool:
    """Return whether a name is a word of a list or an error, whose meaning is its documentation."""
    return inspect.isclass(value) and issubclass(value, enum.Enum | BaseException)


def is_twin(value: object) -> bool:
    """Return whether it does what another one does, without blocking an event loop."""
    return (inspect.getdoc(value) or "").startswith("Do what ")


def without_example() -> set[str]:
    """Return the public classes and functions whose docstring shows no session."""
    return {
        name
        for name, value in NAMED.items()
        if (inspect.isclass(value) or inspect.isfunction(value))
        and not is_word(value)
        and not is_twin(value)
        and ">>>" not in (inspect.getdoc(value) or "")
    }


def test_every_public_name_has_an_example() -> None:
    """Its docstring has a session, which the doctests run; what takes minutes is shown on a page."""
    assert without_example() == IN_MINUTES


@cache
def tree_of(function: Callable[..., Any]) -> ast.AST:
    """Return the syntax of a function; an empty one where Python made it."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return ast.Module([], [])


def raised_in(function: Callable[..., Any]) -> set[type[BaseException]]:
    """Return the exceptions that a function raises itself."""
    found = [node.exc for node in ast.walk(tree_of(function)) if isinstance(node, ast.Raise) and node.exc]
    names = [one.func if isinstance(one, ast.Call) else one for one in found]
    known = vars(builtins) | function.__globals__
    kinds = [known.get(one.id) for one in names if isinstance(one, ast.Name)]
    kinds += [getattr(errors, one.attr, None) for one in names if isinstance(one, ast.Attribute)]
    found_kinds = {kind for kind in kinds if inspect.isclass(kind) and issubclass(kind, BaseException)}
    return {kind for kind in found_kinds if not kind.__name__.startswith("_")}  # those are caught again


def raised_by(function: Callable[..., Any]) -> set[type[BaseException]]:
    """Return what a function raises: itself, or by one of our functions that it calls by name."""
    called = {
        function.__globals__.get(node.func.id)
        for node in ast.walk(tree_of(function))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    ours = [one for one in called if inspect.isfunction(one) and one.__module__.startswith("mailflows")]
    return set().union(raised_in(function), *map(raised_in, ours)) - PROTOCOL


def callables(name: str, value: Any) -> Iterator[tuple[str, Callable[..., Any], str]]:
    """Yield the functions and methods behind a public name, each with the text that documents it."""
    if inspect.isfunction(value):
        yield name, value, inspect.getdoc(value) or ""
    if not inspect.isclass(value) or is_word(value) or getattr(value, "_is_protocol", False):
        return
    for key, member in vars(value).items():
        plain = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        is_making = key in {"__init__", "__post_init__"}
        if inspect.isfunction(plain) and (is_making or not key.startswith("_")):
            told = (inspect.getdoc(plain) or "") + (inspect.getdoc(value) or "") * is_making
            yield f"{name}.{key}", plain, told


def is_told(kind: type[BaseException], told: str) -> bool:
    """Return whether a text names an exception, or one that it is a kind of."""
    lineage = set(kind.__mro__) - {Exception, BaseException, object}
    return any(re.search(rf"\b{one.__name__}\b", told) for one in lineage)


def untold() -> list[str]:
    """Return what is raised and not documented."""
    return sorted(
        f"{name}: {kind.__name__}"
        for key, value in NAMED.items()
        for name, function, told in callables(key, value)
        if not told.startswith("Do what ")
        for kind in raised_by(function)
        if not is_told(kind, told)
    )


def test_every_public_name_says_what_it_raises() -> None:
    """In its docstring: what it raises itself, or by the function that checks its arguments."""
    assert untold() == []


@pytest.mark.parametrize("part", PUBLIC)
def test_every_part_says_what_it_is_for(part: str) -> None:
    """A module's docstring is the first thing that `help()` shows."""
    assert (importlib.import_module(part).__doc__ or "").strip()
