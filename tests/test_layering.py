"""Imports point down: a part of the library never knows what is built upon it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mailflows

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(mailflows.__file__).parent

LAYERS = (
    "__main__ __init__",
    "cli",
    "integrations",
    "gate training testing",
    "audit tracking",
    "flows",
    "classifier recipients content held senders pacing reputation templates",
    "limits",
    "feedback signals",
    "_mailbox message",
    "_mail _stores _token",
    "_providers",
    "_context _dns _drawing _html _provider_names _status_words _result _rates _visitors",
    "flow",
    "_domain _clock _data _encoding _guarded _wilson",
    "_suggestion errors",
    "_log",
)
"""From the top down; parts on one line never import each other."""

LEVEL = {part: len(LAYERS) - row for row, line in enumerate(LAYERS) for part in line.split()}
FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    """Return the part of the library that a file belongs to: its top-level module or package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of all that is imported, under TYPE_CHECKING and in functions, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write the whole name, not a relative import"
            source = node.module or ""
            if source == "mailflows":
                yield from ((node.lineno, f"mailflows.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, source


def wrong_imports(path: Path, source: str) -> list[str]:
    """Return what a file imports from its own layer or from above."""
    own = part_of(path)
    found = []
    for line, name in imports(ast.parse(source)):
        package, _, rest = name.partition(".")
        part = rest.partition(".")[0]
        if package == "mailflows" and part in LEVEL and part != own and LEVEL[part] >= LEVEL[own]:
            found.append(f"{path.name}:{line}: {own} imports {part}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path: Path) -> None:
    """No file imports a part that stands beside or above its own."""
    assert wrong_imports(path, path.read_text("utf-8")) == []


def test_every_part_has_a_layer() -> None:
    """A new module or package takes its place in the table before it takes imports."""
    assert sorted({part_of(path) for path in FILES} - set(LEVEL)) == []


@pytest.mark.parametrize(
    "source",
    [
        "from mailflows.classifier import classify",
        "from mailflows import training",
        "import mailflows.gate",
        "def f():\n    from mailflows.signals import measure",
        "if TYPE_CHECKING:\n    from mailflows.message import Message",
    ],
)
def test_a_wrong_import_is_found(source: str) -> None:
    """The walk sees every way to write an import."""
    assert len(wrong_imports(PACKAGE / "_html" / "scan.py", source)) == 1


def test_third_party_packages_have_one_door() -> None:
    """Each package that is slow to import, or may be missing, is imported by one part only."""
    doors: dict[str, set[str]] = {}
    for path in FILES:
        for _, name in imports(ast.parse(path.read_text("utf-8"))):
            doors.setdefault(name.partition(".")[0], set()).add(part_of(path))
    assert doors.get("sklearn", set()) <= {"training"}
    assert doors.get("dns", set()) <= {"_dns"}
    assert doors.get("email_validator", set()) <= {"recipients"}
    assert doors.get("publicsuffixlist", set()) <= {"_domain"}


def test_only_one_part_knows_how_a_message_is_split() -> None:
    """Nobody beside `_mail` parses a message, and nobody beside `_html` cuts HTML into tags."""
    words = ("email.parser", "message_from_", "BytesParser", "HTMLParser")
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in FILES
        if any(word in path.read_text("utf-8") for word in words)
    }
    assert users == set()


def test_files_import_in_no_circle() -> None:
    """No file reaches itself over its imports, those for types included."""
    graph = {module: imported_files(path) for module, path in MODULES.items()}
    assert circles(graph) == []


def test_a_circle_is_found() -> None:
    """Three files in a ring are one circle; a file that only looks on is none."""
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def module_of(path: Path) -> str:
    """Return the dotted name of a file."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


def imported_files(path: Path) -> set[str]:
    """Return the files of the library that a file imports, whole packages by their __init__."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & MODULES.keys() or {node.module}
    return (found & MODULES.keys()) - {module_of(path)}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of files of which each can be reached from each other, by repeated search."""
    reach = {start: reachable(graph, start) for start in graph}
    groups = {tuple(sorted(m for m in reach[start] if start in reach[m])) for start in graph}
    return sorted(list(group) for group in groups if len(group) > 1)


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    """Return all that can be reached from a file."""
    seen: set[str] = set()
    todo = list(graph[start])
    while todo:
        found = todo.pop()
        if found not in seen:
            seen.add(found)
            todo += graph.get(found, ())
    return seen
