"""The command ``webhook``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mailflows.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

BODY = (
    '[{"event": "bounce", "email": "ada@one.example", "reason": "550 5.1.1 User unknown", "status": "5.1.1"}]'
)


def test_a_payload_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line an event, with what it means and what to do; as JSON, without the payload."""
    file = tmp_path / "body.json"
    file.write_text(BODY, "utf-8")
    assert main(["webhook", "SendGrid", str(file)]) == 0
    line = capsys.readouterr().out.splitlines()[1].split()
    assert line[1:] == ["ada@one.example", "bounced", "mailbox-unknown", "5.1.1", "suppress"]
    assert main(["webhook", "sendgrid", "--json", "--flow", "marketing", str(file)]) == 0
    event = json.loads(capsys.readouterr().out)
    assert (event["recipient"], event["flow"], "raw" in event) == ("ada@one.example", "marketing", False)


def test_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another payload and a missing file are named; for an unknown provider, the one that was meant."""
    file = tmp_path / "body.json"
    file.write_text('{"hello": 1}', "utf-8")
    assert main(["webhook", "postmark", str(file), str(tmp_path / "gone")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert main(["webhook", "sendgird", str(file)]) == 2
    assert "sendgrid" in capsys.readouterr().err
