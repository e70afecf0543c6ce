"""What the documentation shows, runs."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mailflows
from mailflows import errors
from mailflows.flows import FlowSet
from mailflows.flows._file import SettingsFile
from mailflows.gate._settings import parts_from_file
from mailflows.limits import MemoryStore

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(?:python|\{doctest\})\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def snippets(page: Path) -> list[tuple[int, str]]:
    """Return line and text of the code blocks of a page that show a session."""
    text = page.read_text("utf-8")
    return [
        (text.count("\n", 0, match.start(1)), match[1]) for match in BLOCK.finditer(text) if ">>>" in match[1]
    ]


def run_sessions(page: Path) -> str:
    """Run the sessions of a page one after the other; return what went wrong."""
    names: dict[str, object] = {}
    problems: list[str] = []
    for line, code in snippets(page):
        test = doctest.DocTestParser().get_doctest(code, names, page.name, str(page), line)
        runner = doctest.DocTestRunner(optionflags=OPTIONS)
        runner.run(test, out=problems.append, clear_globs=False)
        names = test.globs
    return "".join(problems)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sessions of a page run one after the other, from the project's folder, as they are shown."""
    monkeypatch.chdir(ROOT)
    assert run_sessions(page) == ""


def _programs(page: Path) -> list[tuple[int, ast.Module]]:
    """Return line and syntax tree of the code blocks of a page that show a program, not a session."""
    text = page.read_text("utf-8")
    return [
        (
            text.count("\n", 0, match.start(1)),
            compile(match[1], page.name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT),
        )
        for match in BLOCK.finditer(text)
        if ">>>" not in match[1]
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_programs_name_what_is_there(page: Path) -> None:
    """A block that needs a relay or a site is Python, and all that it takes from the library is there."""
    wrong: list[str] = []
    for line, tree in _programs(page):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mailflows":
                module = importlib.import_module(node.module or "")
                wrong += [f"{line}: {one.name}" for one in node.names if not hasattr(module, one.name)]
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                is_missing = node.value.id == "mailflows" and not hasattr(mailflows, node.attr)
                wrong += [f"{line}: mailflows.{node.attr}"] if is_missing else []
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_are_read(page: Path, tmp_path: Path) -> None:
    """A block of flows.toml that a page shows is read as the library reads it."""
    for number, match in enumerate(TOML.finditer(page.read_text("utf-8"))):
        tables = tomllib.loads(match[1])
        if "flows" not in tables and not {"gate", "limits"} & set(tables):
            continue
        file = tmp_path / f"{number}.toml"
        flows = "" if "flows" in tables else '[flows.transactional]\ndomains = ["notify.example.org"]\n'
        flows += "" if "flows" in tables else '[flows.marketing]\ndomains = ["news.example.org"]\n'
        file.write_text(re.sub(r'model = "mine.json"', "", match[1]) + "\n" + flows, "utf-8")
        settings = SettingsFile(file)
        FlowSet.from_file(settings, needs_passwords=False)
        parts_from_file(settings, MemoryStore())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_are_closed(page: Path) -> None:
    """A block that is not closed shows the next heading as code."""
    is_open = False
    for line in page.read_text("utf-8").splitlines():
        if line.startswith("```"):
            assert not is_open or line == "```"
            is_open = not is_open
    assert not is_open


def test_every_error_has_its_place() -> None:
    """The page of the API names every exception."""
    page = (ROOT / "docs/api.md").read_text("utf-8")
    shown = set(re.findall(r"autoexception:: mailflows(?:\.errors)?\.(\w+)", page))
    assert shown == set(errors.__all__)


def test_every_public_name_is_on_the_page_of_the_api() -> None:
    """What is not on this page is not public, says the page; so what is public is on it."""
    page = (ROOT / "docs/api.md").read_text("utf-8")
    shown = {address.rpartition(".")[2] for address in re.findall(r":: (mailflows[\w.]+)", page)}
    whole = set(re.findall(r"automodule:: (\S+)", page))
    parts = ["mailflows"] + [f"mailflows.{one.name}" for one in pkgutil.iter_modules(mailflows.__path__)]
    missing = [
        f"{part}.{name}"
        for part in parts
        if "._" not in part and part not in whole
        for name in importlib.import_module(part).__all__
        if name not in shown
    ]
    assert missing == []


def test_readme_shows_sessions() -> None:
    """The README's snippets are found: a change of its form must not silence them."""
    assert len(snippets(ROOT / "README.md")) >= 3


def test_the_two_commands() -> None:
    """The README has one command for the main job and one for the tests, and they stay in step."""
    commands = [
        line
        for line in (ROOT / "README.md").read_text("utf-8").splitlines()
        if line.startswith("python3 -m venv")
    ]
    assert [("mailflows classify" in c, "pytest" in c) for c in commands] == [(True, False), (False, True)]


def test_main_job_on_the_examples() -> None:
    """The main job names the right flow for every example message."""
    done = subprocess.run(
        [sys.executable, "-m", "mailflows", "classify", "examples/messages"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("examples")]
    assert len(rows) == 9
    assert [(name, flow) for name, flow, *_ in rows if flow not in name] == []


def test_contributing_names_what_is_there() -> None:
    """Every test, data file and page that CONTRIBUTING names exists."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = re.findall(r"\b((?:tests|docs|src|corpus|benchmarks|tasks|examples)/[\w./-]*\w)", text)
    assert len(named) > 30
    assert sorted({name for name in named if not (ROOT / name).exists()}) == []
    data = re.findall(r"(?<![\w/])data/[\w./-]+\w", text)
    assert sorted({name for name in data if not (ROOT / "src/mailflows" / name).exists()}) == []


def test_each_folder_of_tests_is_in_a_fast_lane() -> None:
    """A part without a fast lane would be run by nobody in a hurry."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert sorted(name for name in folders if f"tests/{name}" not in text) == []


def test_links_of_the_readme() -> None:
    """A link from the README to a file of the project leads somewhere."""
    text = (ROOT / "README.md").read_text("utf-8")
    targets = [t for t in re.findall(r"\]\(([^)]+)\)", text) if "://" not in t]
    assert [t for t in targets if not (ROOT / t).exists()] == []


def test_the_architecture_names_what_is_there() -> None:
    """Every file and folder of the page exists, in the library or beside it."""
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    named = {
        name for name in re.findall(r"`([\w./-]+(?:\.\w+|/))`", page) if "/" in name or name.endswith(".py")
    }
    places = (ROOT / "src/mailflows", ROOT)
    assert len(named) > 40
    assert {name for name in named if not any((place / name).exists() for place in places)} == set()


def test_the_picture_is_drawn_from_the_layers() -> None:
    """The picture of the architecture shows each part of the table that tests hold."""
    layers = runpy.run_path(str(ROOT / "tests" / "test_layering.py"))["LAYERS"]
    shown = re.findall(r"<text[^>]*>([^<]+)</text>", (ROOT / "docs/architecture.svg").read_text("utf-8"))
    assert sorted(shown) == sorted(
        part for row in layers for part in row.split() if not part.startswith("__")
    )


def test_figures_are_those_of_the_files() -> None:
    """No number, and no title out of the data, has changed since the pages were written."""
    run = [sys.executable, "tasks/write_figures.py", "--check"]
    found = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, f"run tasks/write_figures.py\n{found.stdout}{found.stderr}"
