"""The command ``gate``, as a user types it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from mailflows import Gate
from mailflows.cli import main
from three_flows import newsletter, reset

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with settings and two messages."""
    (tmp_path / "flows.toml").write_text(
        '[flows.transactional]\ndomains = ["notify.lovelace.example"]\n'
        '[gate]\nstore = "state.db"\n[limits]\ntransactional = "web_form"\n'
    )
    (tmp_path / "good.eml").write_bytes(reset().as_bytes())
    (tmp_path / "bad.eml").write_bytes(newsletter().as_bytes())
    return tmp_path


def run(folder: Path, *arguments: str) -> int:
    """Run the command for messages of the folder."""
    names = [str(folder / name) if name.endswith(".eml") else name for name in arguments]
    return main(["gate", str(folder / "flows.toml"), "--client", "192.0.2.1", *names])


def test_a_line_each(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Decision, flow and why; the status tells whether one may not leave."""
    assert run(folder, "good.eml") == 0
    assert run(folder, "good.eml", "bad.eml") == 1
    assert run(folder, "good.eml", "bad.eml", "missing.eml") == 2
    lines = capsys.readouterr().out.splitlines()[6:]
    assert [line.split()[1] for line in lines] == ["accept", "hold", "reject"]


def test_every_part(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An operator sees what every part says."""
    assert run(folder, "--explain", "--flow", "transactional", "bad.eml") == 1
    assert "marketing-on-transactional" in capsys.readouterr().out


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, without an address."""
    run(folder, "--json", "good.eml", "bad.eml")
    out = capsys.readouterr().out
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["decision"] for row in rows] == ["accept", "hold"]
    assert "ada@" not in out


def test_standard_input(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dash reads one message."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(reset().as_bytes())))
    assert run(folder, "-") == 0
    assert "accept" in capsys.readouterr().out


def test_it_looks_and_changes_nothing(folder: Path) -> None:
    """However often it is asked, no limit is used up and no stop is lifted; the real state is shown."""
    gate = Gate.from_toml(folder / "flows.toml")
    assert gate.reputation is not None
    for _ in range(10):
        assert run(folder, "good.eml") == 0
    gate.reputation.open("transactional", seconds=600)
    assert run(folder, "good.eml") == 1
    gate.reputation.close("transactional")
    assert gate.check(reset(), flow="transactional", client="192.0.2.1")


@pytest.mark.parametrize("content", [None, "[flows.transactional]\n", "x = ["])
def test_a_bad_file(folder: Path, content: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, and what is wrong with which file."""
    if content is None:
        (folder / "flows.toml").unlink()
    else:
        (folder / "flows.toml").write_text(content)
    assert run(folder, "good.eml") == 2
    assert "flows.toml" in capsys.readouterr().err
