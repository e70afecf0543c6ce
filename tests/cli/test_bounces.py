"""The command that reads what came back."""

from __future__ import annotations

import json
import mailbox
from typing import TYPE_CHECKING

import pytest

from mailflows.cli import main
from mailflows.feedback import SuppressionList
from mailflows.limits import SQLiteStore

if TYPE_CHECKING:
    from pathlib import Path

HARD = (
    "From: MAILER-DAEMON@mx.example\nSubject: Undelivered Mail\nMessage-ID: <1@mx.example>\n"
    "Date: Mon, 23 Nov 2026 10:00:00 +0000\n\n<ada@one.example>: 550 5.1.1 User unknown\n"
)
SOFT = (
    "From: MAILER-DAEMON@mx.example\nSubject: Undelivered Mail\nMessage-ID: <2@mx.example>\n"
    "Date: Mon, 23 Nov 2026 11:00:00 +0000\n\n<bob@two.example>: 552 5.2.2 Mailbox full\n"
)
OURS = (
    "From: MAILER-DAEMON@mx.example\nSubject: Undelivered Mail\nMessage-ID: <3@mx.example>\n"
    "Date: Mon, 23 Nov 2026 12:00:00 +0000\n\n<eve@three.example>: 550 5.7.26 DMARC check failed\n"
)
AWAY = "From: kim@four.example\nSubject: Automatic reply: Spring\n\nBack on Monday.\n"
PERSON = "From: lee@five.example\nSubject: Re: Spring\n\nThank you!\n"
ALL = (HARD, SOFT, OURS, AWAY, PERSON)


@pytest.fixture(params=["folder", "mbox", "maildir"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return the same five messages in one of the forms that mail is kept in."""
    path = tmp_path / "mail"
    if request.param == "folder":
        path.mkdir()
        for number, text in enumerate(ALL):
            (path / f"{number}.eml").write_text(text)
    else:
        box: mailbox.Mailbox[mailbox.Message] = (
            mailbox.mbox(path) if request.param == "mbox" else mailbox.Maildir(path)
        )
        for text in ALL:
            box.add(text.encode())
        box.close()
    return path


def test_a_mailbox_as_a_table(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each recipient has a line with what happened, whose fault it is and what to do; the numbers add up."""
    assert main(["bounces", str(kept)]) == 0
    shown = capsys.readouterr().out
    lines = {line.split()[1]: line.split()[2:] for line in shown.splitlines() if "@" in line}
    assert lines["ada@one.example"] == ["bounced", "mailbox-unknown", "5.1.1", "recipient", "suppress"]
    assert lines["eve@three.example"] == ["bounced", "auth-failure", "5.7.26", "sender", "fix-config"]
    assert shown.endswith("5 messages: 3 reports, 1 automatic reply, 1 other message, 0 unreadable\n")


def test_json(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each event is a line of JSON with its class and fault, without the report."""
    assert main(["bounces", "--json", "--flow", "marketing", str(kept)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {row["recipient"]: (row["reason"], row["fault"], row["flow"]) for row in rows}
    assert found["bob@two.example"] == ("mailbox-full", "recipient", "marketing")
    assert all("raw" not in row for row in rows)


def test_applied_twice_is_once(kept: Path, tmp_path: Path) -> None:
    """A mailbox that is read again and again suppresses who is gone, and counts no bounce twice."""
    store = str(tmp_path / "list.db")
    for _ in range(7):
        assert main(["bounces", str(kept), "--apply", store]) == 0
    suppressions = SuppressionList(SQLiteStore(store))
    names = ["ada@one.example", "bob@two.example", "eve@three.example", "kim@four.example"]
    assert [name for name in names if suppressions.is_suppressed(name)] == ["ada@one.example"]


def test_what_cannot_be_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no message is named, the others go on, and the status says so."""
    good = tmp_path / "good.eml"
    good.write_text(HARD)
    assert main(["bounces", str(tmp_path / "missing.eml"), str(good)]) == 2
    told = capsys.readouterr()
    assert ("missing.eml" in told.err, "ada@one.example" in told.out) == (True, True)
