"""The command that shows a suppression list and undoes an outage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mailflows.cli import main
from mailflows.feedback import SuppressionList, from_reply
from mailflows.limits import SQLiteStore

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return the file of a list with three dead addresses of one domain, and one that somebody added."""
    file = tmp_path / "list.db"
    store = SQLiteStore(file)
    suppressions = SuppressionList(store)
    for name in ("ada", "bob", "eve"):
        suppressions.apply(from_reply(550, "5.1.1 User unknown", recipient=f"{name}@mail.example"))
    suppressions.add("kim@mail.example")
    store.close()
    return str(file)


def test_counting(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The entries are counted by scope and reason."""
    assert main(["suppress", "list", path]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["global", "mailbox-unknown", "3"]


def test_an_undo_after_a_preview(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A preview changes nothing; the undo takes back the bounces and leaves what was added by hand."""
    chosen = [path, "--domain", "mail.example", "--since", "2026-01-01"]
    assert main(["suppress", "undo", *chosen, "--preview"]) == 0
    assert main(["suppress", "undo", *chosen, "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3 entries would be undone (mailbox-unknown 3)"
    assert json.loads(lines[-1])["undone"] == 3
    assert main(["suppress", "undo", *chosen]) == 1
    assert main(["suppress", "show", path, "kim@mail.example"]) == 0
    assert main(["suppress", "show", path, "ada@mail.example"]) == 1


def test_nothing_to_confirm(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is held, nothing is confirmed, and the status says so."""
    assert main(["suppress", "confirm", path, "--domain", "mail.example"]) == 1
    assert capsys.readouterr().out == "0 entries confirmed\n"


@pytest.mark.parametrize("arguments", [["nowhere.db", "--domain", "x"], ["{path}"]])
def test_wrong_usage(path: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there, and an undo that says nothing, are status 2 with one line."""
    assert main(["suppress", "undo", *(argument.format(path=path) for argument in arguments)]) == 2
    assert capsys.readouterr().err.startswith("mailflows: ")
