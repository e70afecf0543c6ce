"""What is counted of a list is said once, adds up, and blames nobody for what is our own fault."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from mailflows import check_list
from mailflows.recipients import Overrides, RecipientChecker
from mailflows.testing import FakeDns

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("ada", "anna.berg", "bob", "clara.roth", "emil", "eve", "jan.kok", "kim", "lea", "paul.petit")
PEOPLE = [f"{name}@firm{number}.fr" for name in NAMES for number in range(30)]
PEOPLE += ["bob.smith@gmial.com", "qwertyuiop@firm1.fr", "nothing", "ada@yopmail.com"]


def test_silence_of_the_dns_is_not_the_recipients_fault() -> None:
    """A resolver without an answer leaves the prediction as it is without the DNS, and the report says so."""
    silent = FakeDns({address.partition("@")[2]: "timeout" for address in PEOPLE})
    report = RecipientChecker(resolver=silent).check_list(PEOPLE)
    without = check_list(PEOPLE, dns=False)
    assert report.resolver_trouble
    assert report.prediction == without.prediction
    assert "could not be checked" in str(report)
    assert report.advice == "stop"
    assert without.advice != "go"


def test_a_domain_that_alone_is_silent_counts() -> None:
    """Where the resolver answers for the others, it is the domain whose name servers are broken."""
    world: dict[str, object] = {f"firm{number}.fr": {"MX": ["10 mx.host.fr"]} for number in range(30)}
    world["mx.host.fr"] = {"A": ["93.184.216.34"]}
    rows = [f"{name}@firm{number}.fr" for name in NAMES for number in range(30)]
    sound = RecipientChecker(resolver=FakeDns(dict(world))).check_list(rows)  # type: ignore[arg-type]
    world["firm0.fr"] = "timeout"
    found = RecipientChecker(resolver=FakeDns(world)).check_list(rows)  # type: ignore[arg-type]
    assert not found.resolver_trouble
    assert found.prediction.rate > sound.prediction.rate


@pytest.mark.parametrize("dns", [True, False])
def test_unknown_is_one_row_of_the_table(*, dns: bool) -> None:
    """What is not known is counted once, whatever the reason."""
    silent = FakeDns({address.partition("@")[2]: "timeout" for address in PEOPLE})
    text = str(RecipientChecker(resolver=silent, dns=dns).check_list(PEOPLE))
    assert [line.split()[:1] for line in text.splitlines()].count(["unknown"]) == 1


@pytest.mark.parametrize(
    ("text", "columns", "row"),
    [
        (
            "email,city,zip\nada@shop.fr,Paris,75001,left,bank\n",
            "email city zip",
            ["ada@shop.fr", "Paris", "75001,left,bank"],
        ),
        ("email;city\nada@shop.fr;Paris;;;\n", "email city", ["ada@shop.fr", "Paris"]),
        (
            "name;email;city\nAda;a@shop.fr;Lyon\nSmith; John;ada@shop.fr;Paris\n",
            "name email city",
            ["Smith; John", "ada@shop.fr", "Paris"],
        ),
        ("name;email\nAda;ada@shop.fr;a note\n", "name email", ["Ada;a note", "ada@shop.fr"]),
        (
            "email;city\n" + "bob@shop.fr;Lyon\n" * 150 + "ada@shop.fr;Paris;x\n",
            "email city",
            ["ada@shop.fr", "Paris;x"],
        ),
        ("bob@shop.fr;Lyon\n" * 150 + "ada@shop.fr;Paris;x\n", "column1 column2", ["ada@shop.fr", "Paris;x"]),
    ],
    ids=["at the end", "empty cells", "before the address", "behind the address", "far below", "no header"],
)
def test_a_row_with_more_cells_than_the_header(
    tmp_path: Path, text: str, columns: str, row: list[str]
) -> None:
    """The files keep the columns of the header, no cell is lost, and the row is reported by its line."""
    report = check_list(io.StringIO(text), dns=False)
    report.clean_to_csv(tmp_path / "clean.csv")
    report.to_csv(tmp_path / "all.csv")
    written = (tmp_path / "clean.csv").read_text("utf-8").splitlines()
    kept = list(csv.reader(written, delimiter=";" if ";" in text else ","))
    assert [name.replace(" ", "") for name in kept[0]] == columns.split()
    assert kept[-1] == row
    assert report.rows == sum(report.left_out().values()) + len(kept) - 1
    head = (tmp_path / "all.csv").read_text("utf-8").splitlines()[0]
    assert "column 3" not in head
    assert "column 4" not in head
    told = [one for one in report.findings if one.code == "overlong-rows"]
    if ";;;" in text:
        assert not told
    else:
        (finding,) = told
        line = str(text.count("\n"))
        assert finding.parameters["count"] == 1
        assert line in finding.sentence


def test_columns_without_a_name_are_columns() -> None:
    """Where most rows are longer than the header, its last names are missing, and no row is too long."""
    text = "email,city\n" + "".join(f"{name}@shop.fr,Paris,75001\n" for name in ("ada", "bob", "eve"))
    report = check_list(io.StringIO(text), dns=False)
    assert report.columns == ("email", "city", "column 3")
    assert [one.code for one in report.findings] == []


def test_a_broken_row_keeps_its_cells(tmp_path: Path) -> None:
    """A quotation mark that is never closed costs its own row its verdict, and no cell."""
    text = 'email,city\nada@shop.fr,Paris\n"bob@shop.fr,Lyon,69001,x\neve@shop.fr,Nice\n'
    report = check_list(io.StringIO(text), dns=False)
    assert report.columns == ("email", "city")
    report.to_csv(tmp_path / "all.csv")
    rows = list(csv.reader((tmp_path / "all.csv").read_text("utf-8").splitlines()))
    assert rows[2][:2] == ['"bob@shop.fr', "Lyon,69001,x"]
    assert [row["email"] for row in report.clean()] == ["ada@shop.fr", "eve@shop.fr"]


def test_one_of_a_thing_is_said_in_the_singular() -> None:
    """In every finding about a list, for one row and for several."""
    marked = io.StringIO(
        "email,status\nada@shop.fr,subscribed\nbob@shop.fr,unsubscribed\neve@shop.fr,subscribed\n"
    )
    report = check_list(marked, dns=False)
    assert "1 of 3 rows (33%) must not be mailed" in str(report)
    trap = RecipientChecker(
        dns=False, overrides=Overrides.of(traps={"trap@shop.fr"}), bounced={"gone@shop.fr"}
    )
    text = str(trap.check_list(["trap@shop.fr", "gone@shop.fr"]))
    assert "1 of 2 rows (50%) is on the suppression list" in text
    people = [f"{name}@firm{number}.fr" for name in NAMES for number in range(10)]
    twice = str(check_list([*people, *people], dns=False))
    assert "100 addresses (50%) repeat an earlier row" in twice
