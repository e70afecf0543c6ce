"""Laws of the whole public surface: one meaning a name, one kind of clock, twins that agree."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import runpy
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mailflows
from mailflows._result import Permission, Result, View

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES = [
    "mailflows",
    *sorted(
        f"mailflows.{found.name}"
        for found in pkgutil.iter_modules(mailflows.__path__)
        if not found.name.startswith("_")
    ),
]


def public() -> dict[str, Any]:
    """Return every public object by module and name; what two modules offer, once."""
    found: dict[int, tuple[str, Any]] = {}
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            found.setdefault(id(getattr(module, name)), (f"{module_name}.{name}", getattr(module, name)))
    return dict(found.values())


PUBLIC = public()
CLASSES = {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}


def callables() -> Iterator[tuple[str, inspect.Signature]]:
    """Yield every public function, constructor and method with its signature."""
    for name, value in PUBLIC.items():
        if inspect.isfunction(value):
            yield name, inspect.signature(value)
        elif inspect.isclass(value):
            for key, method in vars(value).items():
                function = getattr(method, "__func__", method)
                if inspect.isfunction(function) and (key == "__init__" or not key.startswith("_")):
                    yield f"{name}.{key}", inspect.signature(function)


def test_a_public_name_has_one_meaning() -> None:
    """No two things of the library are had under the same name."""
    meanings: dict[str, set[str]] = defaultdict(set)
    for address in PUBLIC:
        meanings[address.rpartition(".")[2]].add(address)
    assert {name: found for name, found in meanings.items() if len(found) > 1} == {}


def test_clocks_and_timers_are_of_one_kind_each() -> None:
    """`clock=` returns Unix seconds, `timer=` monotonic ones, and nothing else takes the time."""
    wanted = {"clock": "Clock", "timer": "Timer"}
    odd = [
        f"{name}({parameter})"
        for name, signature in callables()
        for parameter in signature.parameters.values()
        if parameter.name == "now" or parameter.annotation != wanted.get(parameter.name, parameter.annotation)
    ]
    assert odd == []


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_async_twins_take_the_same(name: str) -> None:
    """A verb and its twin with an "a" in front have the same parameters and defaults."""
    methods = {key: value for key, value in vars(CLASSES[name]).items() if inspect.isfunction(value)}
    for key in methods.keys() & {f"a{key}" for key in methods}:
        twin, verb = (inspect.signature(methods[k]) for k in (key, key[1:]))
        assert [(p.name, p.default, p.kind) for p in twin.parameters.values()] == [
            (p.name, p.default, p.kind) for p in verb.parameters.values()
        ], key


def test_only_a_permission_has_a_truth() -> None:
    """`if result:` means "may it?" or nothing: no other result defines its truth or a length."""
    traps = [
        name
        for name, value in CLASSES.items()
        if issubclass(value, Result)
        and not issubclass(value, Permission)
        and (hasattr(value, "__bool__") or hasattr(value, "__len__"))
    ]
    assert traps == []


def test_what_shows_itself_is_a_result() -> None:
    """Whatever has a `to_dict` stands on the one base of results, a notebook's view on the one of views."""
    own = [
        name
        for name, value in CLASSES.items()
        for key, base in (("to_dict", Result), ("_repr_html_", View))
        if not issubclass(value, base) and getattr(value, key, None) and "sklearn" not in str(value.__mro__)
    ]
    assert own == []


def test_parts_are_there_without_being_imported() -> None:
    """`import mailflows` is enough for `mailflows.limits`, and loads it only then."""
    code = (
        "import sys, mailflows; assert 'mailflows.limits' not in sys.modules; "
        "assert mailflows.limits.Limit; assert 'audit' in dir(mailflows)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_few_files_tell_a_story() -> None:
    """Who follows a bounce, a row of a list or a check by the gate opens no more files than was agreed on."""
    task = runpy.run_path(str(Path(__file__).parents[1] / "tasks" / "visited_files.py"))
    found = task["counted"]()
    too_many = {name: found[name] for name, bar in task["BARS"].items() if len(found[name]) > bar}
    assert too_many == {}
