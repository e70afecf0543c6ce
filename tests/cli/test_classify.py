"""The command line, as a person types it."""

from __future__ import annotations

import io
import json
import mailbox
import sys
from typing import TYPE_CHECKING

import pytest

from mailflows.cli import main

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = b"From: Shop <noreply@shop.fr>\nSubject: Your order 4711 has shipped\n\nTracking number: 8L400\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a message, a PDF that calls itself one, and a picture."""
    (tmp_path / "good.eml").write_bytes(MESSAGE)
    (tmp_path / "bad.eml").write_bytes(b"%PDF-1.4\n")
    (tmp_path / "logo.png").write_bytes(b"\x89PNG")
    return tmp_path


def test_a_table_names_flow_confidence_and_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a message; a good file ends with status 0."""
    assert main(["classify", str(folder / "good.eml")]) == 0
    header, line = capsys.readouterr().out.splitlines()
    assert header.split() == ["message", "flow", "sure", "why"]
    assert "good.eml" in line
    assert "transactional" in line


def test_a_bad_file_is_named_and_the_others_go_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with an unreadable file, and a missing path: status 2, all others classified."""
    assert main(["classify", str(folder), str(folder / "missing.eml"), str(folder / "good.eml")]) == 2
    captured = capsys.readouterr()
    assert captured.out.count(" transactional  ") == 2
    assert "missing.eml: No such file" in captured.err
    assert "PDF" in captured.out
    assert "logo.png" not in captured.out


def test_json_gives_one_object_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Errors are objects too, so that nothing is lost in a pipe."""
    assert main(["classify", "--json", str(folder / "good.eml"), str(folder / "none")]) == 2
    good, bad = map(json.loads, capsys.readouterr().out.splitlines())
    assert good["flow"] == "transactional"
    assert bad["error"]


def test_an_mbox_is_read_message_by_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Messages are numbered from one."""
    box = mailbox.mbox(tmp_path / "archive.mbox")
    box.add(MESSAGE)
    box.add(MESSAGE.replace(b"4711", b"4712"))
    box.close()
    assert main(["classify", str(tmp_path / "archive.mbox")]) == 0
    out = capsys.readouterr().out
    assert "archive.mbox:1" in out
    assert "archive.mbox:2" in out


def test_standard_input_is_a_dash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As other tools have it."""
    stdin = io.TextIOWrapper(io.BytesIO(MESSAGE))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["classify", "-"]) == 0
    assert "transactional" in capsys.readouterr().out


def test_explaining_shows_every_reason(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The paragraph, the probabilities, and each reason with its side and its code."""
    assert main(["classify", "--explain", str(folder / "good.eml")]) == 0
    out = capsys.readouterr().out
    assert "This is transactional mail (" in out
    assert " for  " in out


def test_the_readable_rules_can_be_used_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the trained model."""
    assert main(["classify", "--heuristic", "--threshold", "0.3", str(folder / "good.eml")]) == 0
    assert "transactional" in capsys.readouterr().out


@pytest.mark.parametrize("model", ["missing.json", "good.eml"])
def test_a_bad_model_file_is_said_at_once(
    folder: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1 and one line, no trace."""
    assert main(["classify", "--model", str(folder / model), str(folder / "good.eml")]) == 2
    assert capsys.readouterr().err.startswith("mailflows: ")


def test_an_empty_folder_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing found is not success."""
    assert main(["classify", str(tmp_path)]) == 2
    assert "no messages found in this folder" in capsys.readouterr().err


def test_wrong_usage_is_status_two() -> None:
    """As argparse has it."""
    with pytest.raises(SystemExit) as stopped:
        main(["classify"])
    assert stopped.value.code == 2


def test_an_mbox_is_known_by_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A spool has no ending, and standard input no name."""
    box = (
        b"From a@b.fr Tue Nov 24 09:00:00 2026\n"
        + MESSAGE
        + b"\nFrom a@b.fr Tue Nov 24 09:01:00 2026\n"
        + MESSAGE
    )
    (tmp_path / "Inbox").write_bytes(box)
    assert main(["classify", str(tmp_path / "Inbox")]) == 0
    assert "Inbox:2" in capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(box)))
    assert main(["classify", "-"]) == 0
    assert "-:2" in capsys.readouterr().out


def test_a_threshold_out_of_range_is_wrong_usage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status two, one line."""
    assert main(["classify", "--threshold", "2", str(folder / "good.eml")]) == 2
    assert "in [0, 1]" in capsys.readouterr().err
