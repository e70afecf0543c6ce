"""What is shown on a terminal only: colours, and a count of long work; folders wherever messages are read."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from mailflows.cli import _terminal, main

if TYPE_CHECKING:
    from pathlib import Path


class Terminal(io.StringIO):
    """A stream that says that somebody looks at it."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """Return what a terminal is shown of an address that is none."""
    screen = Terminal()
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in {"TERM": "xterm", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", screen)
    assert main(["check", "--no-dns", "not\x1b[2Jan address"]) == 1
    return screen.getvalue()


def test_a_terminal_has_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row is in the colour of what it tells; what stands in it cannot drive the terminal."""
    out = on_a_terminal(monkeypatch)
    assert "\x1b[31mnot\ufffd[2Jan address" in out
    assert "\x1b[2J" not in out


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR and a dumb terminal are heard."""
    assert "\x1b" not in on_a_terminal(monkeypatch, **{name: value})


def test_a_pipe_has_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    """What goes into a file or a pipe is plain."""
    main(["check", "--no-dns", "not an address"])
    assert "\x1b" not in capsys.readouterr().out


def test_long_work_is_counted_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """After two seconds a count stands on standard error, and is wiped out in the end."""
    moments = iter(range(100))
    monkeypatch.setattr("time.monotonic", lambda: float(next(moments)))
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert list(_terminal.counted(range(5), "messages")) == [0, 1, 2, 3, 4]
    said = screen.getvalue()
    assert "5 messages" in said
    assert "2 messages" not in said
    assert said.endswith("\r\x1b[K")


def test_nothing_is_counted_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody looks, nothing is written."""
    assert list(_terminal.counted(range(5), "messages")) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().err == ""


def test_lint_and_gate_read_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of messages and templates is linted as a whole, and read at the gate."""
    (tmp_path / "one.eml").write_bytes(
        b"From: a@notify.example.org\nTo: b@example.net\nSubject: Your code\n\n406117"
    )
    (tmp_path / "page.html").write_text("<p>Hello {{ name }}", "utf-8")
    main(["lint", str(tmp_path)])
    out = capsys.readouterr().out
    assert "one.eml" in out
    assert "page.html" in out
    flows = tmp_path / "flows.toml"
    flows.write_text('[flows.transactional]\ndomains = ["notify.example.org"]\n')
    assert main(["gate", str(flows), str(tmp_path), "--flow", "transactional"]) == 0
    assert "one.eml" in capsys.readouterr().out
    (tmp_path / "one.eml").unlink()
    main(["lint", str(tmp_path)])
    found = capsys.readouterr()
    assert "page.html" in found.out
    assert found.err == ""
