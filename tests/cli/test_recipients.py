"""The commands ``check`` and ``list``, as a user types them."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from mailflows.cli import main

if TYPE_CHECKING:
    from pathlib import Path


def test_check_says_what_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    """One line an address; the status tells whether one is bad."""
    assert main(["check", "--no-dns", "bob@gmial.com"]) == 0
    assert "bob@gmail.com" in capsys.readouterr().out
    assert main(["check", "--no-dns", "nothing"]) == 1


def test_check_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, with every field."""
    main(["check", "--no-dns", "--json", "ada@shop.fr", "nothing"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["verdict"] for line in lines] == ["unknown", "undeliverable"]
    assert lines[0].keys() == lines[1].keys()


def test_check_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dash reads one address a line."""
    monkeypatch.setattr("sys.stdin", io.StringIO("ada@shop.fr\nbob@gmial.com\n"))
    assert main(["check", "--no-dns", "-"]) == 0
    assert "gmail.com" in capsys.readouterr().out


def test_list_writes_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report on the screen, the rows and the safe addresses in files."""
    file, out, safe = tmp_path / "base.csv", tmp_path / "out.csv", tmp_path / "safe.txt"
    file.write_text("name,email\nAda,ada@shop.fr\nBob,bob@gmial.com\n")
    status = main(["list", str(file), "--no-dns", "--out", str(out), "--clean", str(safe)])
    assert status == 1  # two rows prove nothing: sample first
    assert "hard bounces predicted" in capsys.readouterr().out
    assert len(out.read_text().splitlines()) == 3
    assert safe.read_text() == "ada@shop.fr\n"


def test_list_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object with the counts and the policies."""
    file = tmp_path / "base.csv"
    file.write_text("email\nada@shop.fr\n")
    main(["list", str(file), "--no-dns", "--json"])
    assert json.loads(capsys.readouterr().out)["addresses"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["nowhere.csv"], "nowhere.csv"), (["{file}", "--column", "zz"], "there is no column 'zz'")],
)
def test_a_list_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """One line on the error channel, and status 2."""
    file = tmp_path / "base.csv"
    file.write_text("name,email\nAda,ada@shop.fr\n")
    assert main(["list", "--no-dns", *(a.format(file=file) for a in arguments)]) == 2
    assert said in capsys.readouterr().err


def test_a_resolver_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    """With an address; a name is refused."""
    assert main(["check", "--nameserver", "dns.example.org", "ada@shop.fr"]) in (1, 2)
    assert "IP address" in capsys.readouterr().err


def test_the_clean_rows_are_accounted_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How many were written, and why each of the others was not; in JSON, too."""
    file, clean = tmp_path / "base.csv", tmp_path / "clean.csv"
    file.write_text("email;statut\nada@shop.fr;inscrit\nbob@gmial.com;inscrit\neve@shop.fr;désinscrit\n")
    main(["list", str(file), "--no-dns", "--clean", str(clean)])
    assert "1 of 3 rows written; 2 left out: 1 risky, 1 unsubscribed." in capsys.readouterr().out
    assert clean.read_text() == "email;statut\nada@shop.fr;inscrit\n"
    main(["list", str(file), "--no-dns", "--json", "--clean", str(clean), "--ignore-status"])
    assert json.loads(capsys.readouterr().out)["clean"] == {"written": 2, "left_out": {"risky": 1}}


def test_no_clean_row_is_told_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A list of those who left, one of bad addresses, an empty one."""
    for text, said in (
        ("email,status\nada@shop.fr,unsubscribed\n", "most are marked unsubscribed (status)"),
        ("email\nbob@gmial.com\n", "most are risky"),
        ("email\n", "the list is empty"),
    ):
        file, clean = tmp_path / "base.csv", tmp_path / "clean.csv"
        file.write_text(text)
        main(["list", str(file), "--no-dns", "--clean", str(clean)])
        assert said in capsys.readouterr().err


def test_a_provider_can_decide(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its name in any case; one that is not known is an error with the names of the others."""
    file = tmp_path / "base.csv"
    file.write_text("email\nada@shop.fr\n")
    assert main(["list", str(file), "--no-dns", "--provider", "brevo"]) == 1
    assert main(["list", str(file), "--no-dns", "--provider", "Nobody"]) == 2
    assert "Brevo" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["clean.csv", "clean.txt"])
@pytest.mark.parametrize(
    ("encoding", "said"), [("cp1252", "cp1252 has no 'Ł'"), ("klingon", "there is no encoding 'klingon'")]
)
def test_an_encoding_without_a_character_is_an_error(
    name: str, encoding: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No name and no address becomes a question mark, and no half of a list stays behind."""
    file, clean = tmp_path / "list.csv", tmp_path / name
    file.write_text("email,name\nada@shop.fr,Łucja\nŁucja@shop.fr,Łucja\n", "utf-8")
    assert main(["list", str(file), "--no-dns", "--clean", str(clean), "--encoding", encoding]) == 2
    assert said in capsys.readouterr().err
    assert not clean.exists()
