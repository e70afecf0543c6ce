"""The command line as a whole: version, help, mistyped words, exit statuses, hostile file names."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mailflows
from mailflows.cli import _parser, main

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS = (
    "audit bounces check classify fix forget gate held limits lint list resume senders stats status suppress "
    "train webhook"
).split()
PAGE = (Path(__file__).resolve().parents[2] / "docs/commands.md").read_text("utf-8")


def _stopped(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    return (stopped.value.code, *capsys.readouterr())


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` names the program and its version, and nothing else."""
    assert _stopped(["--version"], capsys) == (0, f"mailflows {mailflows.__version__}\n", "")


def test_an_option_like_no_other_lists_each_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Program and command both have ``--help``, and whoever reads the list needs it once."""
    _, _, said = _stopped(["audit", "flows.toml", "--zzz"], capsys)
    listed = said.partition("choose from ")[2].splitlines()[0].split(", ")
    assert "--nameserver" in listed
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["clasify", "x"], "classify"),
        (["audits"], "audit"),
        (["supress", "list"], "suppress"),
        (["suppress", "lst", "x"], "list"),
        (["lint", "--flow", "marketting", "x.eml"], "marketing"),
        (["classify", "--jsn", "x.eml"], "--json"),
        (["senders", "list", "--jsom", "x"], "--json"),
    ],
)
def test_a_mistyped_word(arguments: list[str], meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command, verb, choice or option that does not exist is answered with the one that was meant."""
    code, out, error = _stopped(arguments, capsys)
    assert (code, out) == (2, "")
    assert f"did you mean {meant}?" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_same_statuses(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The help of each command ends with the one set of exit statuses, and the page has a row for it."""
    code, out, _ = _stopped([command, "--help"], capsys)
    assert code == 0
    assert "0 done, and nothing needs attention" in " ".join(out.split())
    assert re.search(rf"^\| `{command} ", PAGE, re.MULTILINE)


def test_the_page_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """What the help lists and what the page lists are the same."""
    _, out, _ = _stopped(["--help"], capsys)
    listed = re.findall(r"^    (\w+) ", out, re.MULTILINE)
    assert sorted(listed) == sorted(re.findall(r"^\| `(\w+) ", PAGE, re.MULTILINE))


def _all(parser: argparse.ArgumentParser, names: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """Yield each command line, and what its arguments without a dash are called."""
    verbs = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    for one in verbs:
        for name, below in one.choices.items():
            yield from _all(below, (*names, name))
    if not verbs:
        yield " ".join(names), [str(one.metavar) for one in parser._actions if not one.option_strings]


def test_the_file_comes_first_in_every_command() -> None:
    """Command, verb, file, and then what it is about: nobody looks up the order for each of them."""
    lines = dict(_all(_parser()))
    assert lines["held show"] == ["FLOWS.toml", "ID"]
    files = {"FLOWS.toml", "FILE"}
    places = {line: [names.index(one) for one in names if one in files] for line, names in lines.items()}
    assert {line: found for line, found in places.items() if found not in ([], [0])} == {}


@pytest.mark.parametrize("options", [[], ["--explain"], ["--json"]])
def test_a_file_name_cannot_drive_the_terminal(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name with an escape sequence, a line break or an 8-bit control character is not obeyed."""
    good = tmp_path / "a\x1b[2J\n\x9b31m.eml"
    good.write_bytes(b"From: Ada <ada@lovelace.uk>\nSubject: Tuesday\n\nDear Charles, at noon? Ada")
    main(["classify", *options, str(good), str(tmp_path / "gone\x1b[2J\nx.eml")])
    out, error = capsys.readouterr()
    assert not {"\x1b", "\x9b"} & set(out + error)
    assert not any(line.startswith("x.eml") for line in (out + error).splitlines())
    if options == ["--json"]:
        assert json.loads(out.splitlines()[0])["file"] == str(good)


def test_what_is_not_done_is_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Input that cannot be read is status 2 in every command that reads files."""
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    gone = str(tmp_path / "gone")
    lines = (
        ["classify", gone], ["lint", gone], ["fix", gone], ["list", gone], ["bounces", gone], ["audit", gone],
        ["gate", "examples/flows/flows.toml", gone], ["held", "list", gone], ["status", gone],
        ["resume", gone, "marketing"],
        ["limits", "list", gone], ["webhook", "brevo", gone],
        ["senders", "list", gone], ["suppress", "list", gone],
    )  # fmt: skip
    assert {words[0]: main(words) for words in lines} == {words[0]: 2 for words in lines}
    assert "Traceback" not in capsys.readouterr().err


def test_fix_says_in_json_what_was_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With ``--out`` standard output is free for JSON; without it, it has the message, so JSON is refused."""
    message = tmp_path / "message.eml"
    message.write_bytes(b"From: a@shop.example\r\nTo: b@shop.example\r\nSubject: x\r\n\r\nhello")
    assert main(["fix", "--json", str(message)]) == 2
    assert main(["fix", "--json", str(message), "--out", str(tmp_path / "out.eml")]) == 0
    assert "date" in json.loads(capsys.readouterr().out)["done"]
    assert main(["fix", str(message), "--out", str(tmp_path / "gone" / "out.eml")]) == 2
    assert "Errno" not in capsys.readouterr().err
