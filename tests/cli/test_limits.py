"""The command ``limits``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mailflows import Flow, Gate
from mailflows.cli import main

if TYPE_CHECKING:
    from pathlib import Path

FLOWS = """
[flows.transactional]
domains = ["mail.shop.example"]

[gate]
store = "limits.db"

[limits]
transactional = "web_form"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the file of a gate."""
    path = tmp_path / "flows.toml"
    path.write_text(FLOWS, "utf-8")
    return path


def test_an_operator_lists_shows_and_resets(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is counted for an address is seen and forgotten by the address in clear."""
    limiter = Gate.from_toml(file).limiter_of(Flow.TRANSACTIONAL)
    assert limiter is not None
    limiter.acquire(to="ada@shop.example", client="192.0.2.7")
    assert main(["limits", "list", str(file)]) == 0
    assert "exact, in any period of that length" in capsys.readouterr().out
    assert main(["limits", "show", str(file), "--to", "Ada@shop.example", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(row["remaining"], row["limit"]) for row in shown] == [(2, 3), (9, 10)]
    assert main(["limits", "reset", str(file), "--to", "ada@shop.example"]) == 0
    assert limiter.show(to="ada@shop.example")[0].remaining == 3


def test_the_limits_of_background_jobs_are_seen(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The preset's own for mail without a client are listed, shown where they count, and reset."""
    limiter = Gate.from_toml(file).limiter_of(Flow.TRANSACTIONAL)
    assert limiter is not None
    assert limiter.background is not None
    limiter.background.acquire(to="ada@shop.example", content="backup failed")
    assert main(["limits", "list", str(file)]) == 0
    assert "transactional, no client" in capsys.readouterr().out
    assert main(["limits", "show", str(file), "--to", "ada@shop.example", "--json"]) == 0
    rows = {(row["flow"], row["rule"]): row["remaining"] for row in json.loads(capsys.readouterr().out)}
    assert rows["transactional, no client", "20 per hour; 60 per day per recipient"] == 59
    assert main(["limits", "reset", str(file), "--to", "ada@shop.example"]) == 0
    assert limiter.background.show(to="ada@shop.example")[0].remaining == 20


def test_a_key_that_nothing_counts_by_is_said(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status tells a script that nothing is counted so."""
    assert main(["limits", "show", str(file), "--tenant", "shop"]) == 1
    assert main(["limits", "reset", str(file)]) == 2
    assert main(["limits", "list", str(file.parent / "none.toml")]) == 2
    assert "needs one of --to" in capsys.readouterr().err


def test_the_help_says_what_each_key_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Each option names what it takes in words: "the address of a recipient", not "the to"."""
    with pytest.raises(SystemExit):
        main(["limits", "show", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "the to," not in shown
    assert "the address of a recipient" in shown


def test_times_are_in_words_for_people(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An hour is an hour in the table, and seconds in JSON; `--recipient`, as a rule says it, is `--to`."""
    limiter = Gate.from_toml(file).limiter_of(Flow.TRANSACTIONAL)
    assert limiter is not None
    limiter.acquire(to="ada@shop.example", client="192.0.2.7")
    assert main(["limits", "show", str(file), "--recipient", "ada@shop.example"]) == 0
    shown = capsys.readouterr().out
    assert "full again in" in shown
    assert "e+0" not in shown
    assert all(line.endswith((" minutes", " hour", " hours", " day")) for line in shown.splitlines()[1:])
    assert main(["limits", "show", str(file), "--recipient", "bob@shop.example"]) == 0
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()[1:]] == ["-", "-"]
    assert main(["limits", "show", str(file), "--to", "ada@shop.example", "--json"]) == 0
    assert all(0 < row["reset_after"] <= 86400 for row in json.loads(capsys.readouterr().out))


def test_a_gate_without_limits_says_how_to_have_some(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A heading over nothing leaves an operator at a loss."""
    file.write_text(FLOWS.partition("[limits]")[0], "utf-8")
    assert main(["limits", "list", str(file)]) == 0
    told = capsys.readouterr().out
    assert "no limits" in told
    assert "[limits]" in told
    assert main(["limits", "list", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["limits", "show", str(file), "--to", "ada@shop.example"]) == 1
    assert "no limits" in capsys.readouterr().out


def test_a_key_without_a_limit_is_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What nothing counts by is said in words, beside the exit status."""
    assert main(["limits", "show", str(file), "--tenant", "shop"]) == 1
    assert capsys.readouterr().out == "no limit counts by tenant\n"


def test_an_unknown_option_sends_to_the_help_of_its_command(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The options of `limits` are not in the help of the whole program."""
    with pytest.raises(SystemExit):
        main(["limits", "show", str(file), "--acount", "ada"])
    assert capsys.readouterr().err == (
        "mailflows: unrecognized arguments: --acount ada; did you mean --account?\n"
        "Try 'mailflows limits show --help'.\n"
    )
    with pytest.raises(SystemExit):
        main(["limits", "show", str(file), "ada@shop.example"])
    assert capsys.readouterr().err.endswith("Try 'mailflows limits show --help'.\n")
