"""What is public stands in `__all__`, and what stands in `__all__` is there."""

from __future__ import annotations

import importlib
import pkgutil
import types

import pytest

import mailflows

PUBLIC = [
    "mailflows",
    *sorted(
        f"mailflows.{found.name}"
        for found in pkgutil.iter_modules(mailflows.__path__)
        if not found.name.startswith("_")
    ),
]
"""The package and its parts; what stands inside a part is had from the part."""


@pytest.mark.parametrize("name", PUBLIC)
def test_all_is_there(name: str) -> None:
    """Every name that a module promises can be had from it."""
    module = importlib.import_module(name)
    assert [n for n in module.__all__ if not hasattr(module, n)] == []


@pytest.mark.parametrize("name", PUBLIC)
def test_no_name_is_promised_twice(name: str) -> None:
    """`__all__` has no name twice."""
    promised = importlib.import_module(name).__all__
    assert sorted(set(promised)) == sorted(promised)


@pytest.mark.parametrize("name", PUBLIC)
def test_what_a_module_defines_is_promised_or_private(name: str) -> None:
    """A class or a function that a public module defines is in `__all__` or begins with «_»."""
    module = importlib.import_module(name)
    own = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_")
        and isinstance(value, type | types.FunctionType)
        and value.__module__ == name
    }
    assert sorted(own - set(module.__all__)) == []


def test_everyday_names() -> None:
    """The package offers what the first minute needs, and the version."""
    wanted = {"Classification", "Classifier", "Envelope", "Flow", "MailflowsError", "Message", "classify"}
    assert sorted(wanted - set(mailflows.__all__)) == []


def test_tab_completion_shows_the_public_names() -> None:
    """`dir(mailflows)` has what is promised, and the parts."""
    assert set(mailflows.__all__) < set(dir(mailflows))
