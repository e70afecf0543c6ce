"""The commands ``lint`` and ``fix``, as a user types them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mailflows.cli import main

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = b"From: a@shop.example\nTo: b@example.org\nSubject: NEW PRICES TODAY\n\nHello\n"


@pytest.fixture
def message(tmp_path: Path) -> Path:
    """Return a file with a message."""
    path = tmp_path / "a.eml"
    path.write_bytes(MESSAGE)
    return path


def test_lint_shows_what_matters(message: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for the message and one for each finding that matters."""
    assert main(["lint", str(message)]) == 0
    said = capsys.readouterr().out
    assert "[subject-shouting]" in said
    assert "[missing-message-id]" not in said


def test_lint_tells_errors_by_its_status(message: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An advertisement without a way to unsubscribe."""
    assert main(["lint", "--flow", "marketing", "--all", str(message)]) == 1
    assert "[missing-message-id]" in capsys.readouterr().out


def test_lint_in_json(message: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, without what is ignored."""
    main(["lint", "--json", "--ignore", "headers", str(message)])
    found = json.loads(capsys.readouterr().out)
    assert [f["code"] for f in found["findings"]] == ["subject-shouting"]


def test_lint_reads_templates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page has no headers that could be missing."""
    page = tmp_path / "a.html"
    page.write_text("<p>{{ name }}</p>")
    assert main(["lint", str(page)]) == 0
    said = capsys.readouterr().out
    assert "merge-tag" not in said
    assert "missing" not in said


def test_what_cannot_be_read_does_not_stop_the_others(
    message: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said, and the status tells."""
    assert main(["lint", "nowhere.eml", str(message)]) == 2
    said = capsys.readouterr()
    assert "nowhere.eml" in said.err
    assert "subject-shouting" in said.out


def test_fix_writes_a_message(message: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Into a file, with what was done on the error channel."""
    out = tmp_path / "b.eml"
    assert main(["fix", str(message), "--out", str(out), "--only", "date,list-unsubscribe"]) == 0
    assert b"\nDate: " in out.read_bytes()
    assert "repaired: date" in capsys.readouterr().err


def test_fix_writes_to_standard_output(message: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """With what was skipped on the error channel."""
    assert main(["fix", str(message), "--flow", "marketing"]) == 0
    said = capfdbinary.readouterr()
    assert said.out.startswith(b"From: a@shop.example\n")
    assert b"skipped list-unsubscribe" in said.err


def test_fix_tells_what_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    """One line and status 2."""
    assert main(["fix", "nowhere.eml"]) == 2
    assert "mailflows:" in capsys.readouterr().err


def test_fix_repairs_templates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page is repaired, and no header is written into it."""
    page = tmp_path / "a.html"
    page.write_bytes("<p onclick='x()'>Héllo {{ name }}</p>\r\n".encode())
    assert main(["fix", str(page), "--out", str(page)]) == 0
    assert page.read_bytes() == "<p>Héllo {{ name }}</p>\r\n".encode()
    assert "active-content" in capsys.readouterr().err


def test_fix_refuses_a_template_that_it_would_damage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Letters of another encoding would be lost, so the file stays as it is."""
    page = tmp_path / "a.html"
    page.write_bytes(b"<p>H\xe9llo</p>")
    assert main(["fix", str(page), "--out", str(page)]) == 2
    assert page.read_bytes() == b"<p>H\xe9llo</p>"
    assert "not UTF-8 at byte 4" in capsys.readouterr().err
