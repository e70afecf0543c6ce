"""What is public stands in `__all__`, and what stands in `__all__` is there."""

from __future__ import annotations

import enum
import importlib
import inspect
import json
import pkgutil
import re
import types
from typing import TYPE_CHECKING

import pytest

import mailflows
from test_docs import PAGES, ROOT, run_sessions, snippets

if TYPE_CHECKING:
    from collections.abc import Callable

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
    """A class or a function that a public module defines is in `__all__` or begins with "_"."""
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


IN_MINUTES = frozenset({"evaluate", "train"})
"""What takes minutes: `docs/training.md` shows it, and `tests/training` runs it."""


def shown() -> tuple[str, set[type]]:
    """Run every session of the documentation; return the code that runs, and the classes it made objects of.

    The notebooks run in a test of their own; here their code is read.
    """
    made: set[type] = set()
    code = []
    for notebook in (ROOT / "docs" / "notebooks").glob("*.ipynb"):
        cells = json.loads(notebook.read_text("utf-8"))["cells"]
        code += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for value in {value for value in public().values() if inspect.isclass(value)}:
            if not issubclass(value, enum.Enum):
                patch.setattr(value, "__init__", _noting(value.__init__, made))
        for page in PAGES:
            assert run_sessions(page) == "", f"{page} fails, so what it shows is not known"
            code += [text for _, text in snippets(page)]
    return "\n".join(code), {base for one in made for base in one.__mro__}


def _noting(init: Callable[..., None], made: set[type]) -> Callable[..., None]:
    def noting(self: object, *args: object, **kwargs: object) -> None:
        made.add(type(self))
        init(self, *args, **kwargs)

    return noting


def public() -> dict[str, object]:
    """Return every public name with what it is."""
    modules = [importlib.import_module(name) for name in PUBLIC]
    return {name: getattr(module, name) for module in modules for name in module.__all__}


def test_each_name_is_used_where_a_user_meets_it() -> None:
    """A block of the documentation that runs names it, or is given one; what nobody shows is not public."""
    code, made = shown()
    unused = {
        name
        for name, value in public().items()
        if not re.search(rf"\b{name}\b", code) and not (inspect.isclass(value) and value in made)
    }
    assert unused == IN_MINUTES
