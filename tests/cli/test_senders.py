"""The command ``senders``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mailflows.cli import main
from mailflows.limits import SQLiteStore
from mailflows.senders import SenderControl

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_an_administrator_lists_and_unblocks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A blocked sender is shown with its reason, and let go by its name."""
    file = tmp_path / "senders.db"
    SenderControl(SQLiteStore(file), names=True).report("ada@example.org", invalid=20)
    assert main(["senders", "list", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "ada@example.org" in shown
    assert "invalid-share" in shown
    assert main(["senders", "list", "--json", str(file)]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "blocked"
    assert main(["senders", "unblock", str(file), "Ada@example.org"]) == 0
    assert capsys.readouterr().out == "Ada@example.org: blocked before, clear now\n"
    assert main(["senders", "list", str(file)]) == 0
    assert capsys.readouterr().out == "no sender is blocked\n"


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped name is an error, not an empty list."""
    assert main(["senders", "list", str(tmp_path / "none.db")]) == 2
    assert "No such file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
