"""Every count that a report on a list shows is the number of things that it lists."""

from __future__ import annotations

import csv
import html
import io
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailflows import check_list
from mailflows.cli import main
from mailflows.recipients import ListReport, Overrides, RecipientChecker
from mailflows.testing import FakeDns

if TYPE_CHECKING:
    from collections.abc import Callable

CELLS = (
    *("ada@shop.fr", "ADA@shop.fr", "bob@shop.fr", "eve@firm.fr", "kim@gone.fr", "info@shop.fr"),
    *("lea@gmial.com", "Lea@gmial.com", "jan@hotmial.com", "ada@gmail", "ada@shop .fr", "%20kim@firm.fr"),
    *("ada@yopmail.com", "user1@firm.fr", "user2@firm.fr", "left@shop.fr", "trap@shop.fr"),
    *("", " ", "nothing", "ada@", "ada@shop.fr, bob@shop.fr", "kim@firm.fr; nothing; lea@gmial.com"),
)
WORLD = FakeDns(
    {
        **{name: {"MX": ["10 mx.host.fr"]} for name in ("shop.fr", "firm.fr", "gmail.com", "yopmail.com")},
        "mx.host.fr": {"A": ["93.184.216.34"]},
    }
)
lists = st.lists(
    st.tuples(st.sampled_from(CELLS), st.sampled_from(("", "subscribed", "unsubscribed", "bounced"))),
    max_size=40,
)


def checked(rows: list[tuple[str, str]], *, dns: bool) -> ListReport:
    """Check rows of an address and a status."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("email", "status"), *rows])
    checker = RecipientChecker(
        dns=dns,
        resolver=WORLD,
        flow="marketing",
        bounced={"left@shop.fr", "kim@firm.fr"},
        overrides=Overrides.of(traps={"trap@shop.fr"}),
    )
    return checker.check_list(io.StringIO(text.getvalue()))


def numbers(pattern: str, text: str) -> list[int]:
    """Return the numbers that a pattern finds."""
    return [int(found) for found in re.findall(pattern, text)]


def table(report: ListReport, title: str) -> list[list[str]]:
    """Return the cells of a table of the report's page."""
    page = report._repr_html_()
    found = re.search(rf"<strong>{title}[^<]*</strong><table>(.*?)</table>", page, re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", found[1], re.DOTALL) if found else []
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in rows]
    return [[html.unescape(re.sub(r"<[^>]*>", "", cell)).strip() for cell in row] for row in cells if row]


@settings(max_examples=60, deadline=None)
@given(lists, st.booleans())
def test_what_is_counted_is_what_is_listed(rows: list[tuple[str, str]], dns: bool) -> None:  # noqa: FBT001
    """In the attributes, by address: verdicts, reasons, traits, duplicates, slips, segments."""
    report = checked(rows, dns=dns)
    every = list(report.reports())
    assert report.rows == len(rows)
    assert report.addresses == len(every) == sum(report.verdicts.values())
    assert report.verdicts == {
        name: sum(one.verdict is name for _, one, _ in every) for name in report.verdicts
    }
    assert report.reasons == dict(Counter(reason.code for _, one, _ in every for reason in one.reasons))
    traits = Counter(trait for _, one, _ in every for trait in one.traits)
    assert report.traits == {name: traits[name] for name in report.traits}
    assert report.duplicates == sum(first is not None for _, _, first in every)
    assert report.mistyped == len(report.typos) == sum(one.suggestion is not None for _, one, _ in every)
    assert report.bad_rows == len(report.bad_row_examples)
    for segments in (report.segments(), report.segments("status"), report.segments(by_risk=True)):
        assert sum(one.addresses for one in segments) == report.addresses


@settings(max_examples=40, deadline=None)
@given(lists, st.booleans())
def test_what_is_said_is_what_is_written(rows: list[tuple[str, str]], dns: bool) -> None:  # noqa: FBT001
    """In the paragraph and in both files: rows in, rows kept, addresses kept, one reason for each other."""
    report = checked(rows, dns=dns)
    text = report.explain()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "out.csv"
        report.to_csv(place)
        with place.open(encoding="utf-8", newline="") as opened:
            every = list(csv.DictReader(opened))
        written = report.clean_to_csv(place)
        with place.open(encoding="utf-8", newline="") as opened:
            kept = list(csv.DictReader(opened))
    assert len(every) == report.rows
    assert written == len(kept) == len(list(report.clean()))
    left_out = report.left_out()
    rows_kept = report.rows - sum(left_out.values())
    assert numbers(r"(\d+) rows? (?:was|were) read", text) == [report.rows]
    if report.rows:
        assert numbers(r"(\d+) rows? (?:is|are) safe to send to", text) == [rows_kept]
        listed = numbers(r"safe to send to, with (\d+) address", text)
        assert listed == ([written] if written != rows_kept else [])
    whys = re.search(r"left out(?:, each for one reason)?: ([^.]*)\.", text)
    said = numbers(r"(?:^|, )(\d+) ", whys[1]) if whys else []
    assert said == list(left_out.values())
    assert numbers(r"(\d+) address(?:es)? looks? mistyped", text) == [report.mistyped] * (report.mistyped > 0)
    assert sum(row["verdict"] == "bad-row" for row in every) == report.bad_rows


@settings(max_examples=40, deadline=None)
@given(lists)
def test_tables_show_the_same_counts(rows: list[tuple[str, str]]) -> None:
    """On a terminal and on a page: what is of rows says so, and a list that is cut says of how many."""
    report = checked(rows, dns=False)
    shown = {name.strip(" ·"): int(count) for name, count, *_ in table(report, "Counts")}
    told = {str(name): count for name, count in report.verdicts.items()}
    told |= {name: count for name, count in report.reasons.items() if name not in {"not-asked", "unknown"}}
    told |= {"duplicates": report.duplicates, "bad rows": report.bad_rows}
    told |= {f"rows marked {why}": count for why, count in report.do_not_mail.items()}
    assert shown == told
    for name, count in told.items():
        assert re.search(rf"^ *{re.escape(name)} +{count} ", str(report), re.MULTILINE)
    listed = table(report, "Typing errors")
    assert len(listed) == min(report.mistyped, 20)
    if report.mistyped > 20:
        assert f"Typing errors (20 of {report.mistyped})" in report._repr_html_()
    for line in re.findall(r"^Typing errors[^:]*: .*$", str(report), re.MULTILINE):
        assert line.count("→") == min(report.mistyped, 10)
        assert (f"(10 of {report.mistyped})" in line) is (report.mistyped > 10)


def test_who_is_mailed_is_said_in_words() -> None:
    """The prediction is of each mailbox once, and of nobody who left: where that is fewer, it says so."""
    rows = [("ada@shop.fr", ""), ("ada@shop.fr", ""), ("bob@shop.fr", ""), ("eve@firm.fr", "unsubscribed")]
    report = checked(rows, dns=True)
    assert report.prediction.addresses == 2
    assert "to 2 recipients (each mailbox once, without those who must not be mailed)" in report.explain()
    assert "to 2 recipients (each mailbox once)" in checked(rows[:3], dns=True).explain()
    assert "recipients" not in checked(rows[2:3], dns=True).explain()
    assert "to send to" not in str(report).partition("\n")[0]


def test_the_command_line_says_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many rows were kept of how many, and how many lines that are in the file."""
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text(
        'email,status\n"ada@shop.fr, bob@shop.fr",\nada@shop.fr,\nlea@gmial.com,\n,\n', encoding="utf-8"
    )
    main(["list", "--no-dns", "--clean", "out.csv", "in.csv"])
    said = capsys.readouterr().out
    assert len(Path("out.csv").read_text("utf-8").splitlines()) == 1 + 2
    assert "1 of 4 rows written, as 2 lines with one address each; 3 left out" in said
    assert "1 row is safe to send to, with 2 addresses" in said


@pytest.mark.parametrize("show", [str, ListReport.explain, ListReport._repr_html_])
def test_many_slips_are_cut_and_counted(show: Callable[[ListReport], str]) -> None:
    """No list that ends without a word: the number beside it is of all."""
    people = [f"{name}.{letter}erg@gmial.com" for name in ("ada", "lea", "kim") for letter in "abdefgjk"]
    report = check_list(people, dns=False)
    assert report.mistyped == 24
    assert "24 addresses look mistyped" in show(report)
