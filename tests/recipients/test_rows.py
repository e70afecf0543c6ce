"""Reading lists, good and bad."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailflows.errors import ConfigurationError
from mailflows.recipients import ListReport, RecipientChecker, check_list
from mailflows.recipients._rows import read_table, split_cell

if TYPE_CHECKING:
    from pathlib import Path


def values(rows: object, **settings: str) -> list[object]:
    """Return what stands in the column, and the line of each bad row."""
    return [row.line if row.problem else row.text for row in read_table(rows, **settings)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"ada@x.fr\nbob@x.fr\n", ["ada@x.fr", "bob@x.fr"]),
        (b"email\nada@x.fr", ["ada@x.fr"]),
        (b"\xef\xbb\xbfemail,name\r\nada@x.fr,Ada\r\n", ["ada@x.fr"]),
        ("nom;courriel\nAdéle;ada@x.fr\n".encode("cp1252"), ["ada@x.fr"]),
        ("name\temail\nÅsa\tada@x.fr\n".encode("utf-16"), ["ada@x.fr"]),
        (b'name,email\n"Multi\nline",ada@x.fr\n"a ""b""",bob@x.fr\n', ["ada@x.fr", "bob@x.fr"]),
        (b"name,email\nAda,ada@x.fr\nshort\n,\nBob,bob@x.fr\n", ["ada@x.fr", 3, 4, "bob@x.fr"]),
        (b"id,what,where\n1,ada@x.fr,Paris\n2,bob@x.fr,Lille\n", ["ada@x.fr", "bob@x.fr"]),
        (b"email address,second\nada@x.fr,eve@y.fr\n", ["ada@x.fr"]),
        (b"", []),
        (b"\n\n", []),
        (b"email\n", []),
    ],
)
def test_files_of_many_kinds(tmp_path: Path, content: bytes, expected: list[object]) -> None:
    """Marks, encodings, delimiters, quoted newlines, short and empty rows."""
    file = tmp_path / "base.csv"
    file.write_bytes(content)
    assert values(file) == expected
    assert values(str(file)) == expected
    assert values(io.BytesIO(content)) == expected
    with file.open("rb") as opened:
        assert values(opened) == expected
    with file.open(encoding="utf-8", errors="replace") as opened:
        assert values(opened) == expected


def test_a_column_by_name(tmp_path: Path) -> None:
    """The name is compared without case; a missing one is told with those that exist."""
    file = tmp_path / "base.csv"
    file.write_text("first,second\na@x.fr,b@x.fr\n")
    assert values(file, column="SECOND") == ["b@x.fr"]
    with pytest.raises(ConfigurationError, match="first, second") as caught:
        values(file, column="third")
    assert caught.value.field == "column"


def test_a_file_without_addresses_is_refused(tmp_path: Path) -> None:
    """It is better to ask than to judge the wrong column."""
    file = tmp_path / "base.csv"
    file.write_text("name,city\nAda,Paris\n")
    with pytest.raises(ConfigurationError, match="name, city"):
        values(file)


def test_any_iterable() -> None:
    """What is no text is a bad row with its number, and the others are kept."""
    given = ["a@x.fr", None, b"b@x.fr", 7, float("nan"), "", {"email": "c@x.fr"}, {"other": 1}, "d@x.fr"]
    assert values(given) == ["a@x.fr", 2, 3, 4, 5, 6, "c@x.fr", 8, "d@x.fr"]
    problems = [row.problem for row in read_table(given) if row.problem]
    assert problems[:2] == ["empty", "not text but bytes"]
    assert values(f"u{n}@x.fr" for n in range(3)) == ["u0@x.fr", "u1@x.fr", "u2@x.fr"]


def test_pandas() -> None:
    """A series, and a frame with its column."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"name": ["Ada", "Bob"], "E-Mail": ["a@x.fr", None]})
    assert values(frame["E-Mail"]) == ["a@x.fr", 2]
    assert values(frame) == ["a@x.fr", 2]


def test_a_quote_that_is_never_closed_loses_only_its_cell(tmp_path: Path) -> None:
    """A broken file gives bad rows, never a crash; memory stays bounded."""
    file = tmp_path / "base.csv"
    file.write_text("email\na@x.fr\n" + '"' + "x" * 5_000_000 + "\nb@x.fr\n")
    found = values(file)
    assert found[0] == "a@x.fr"
    assert any(isinstance(value, int) for value in found)


def test_bytes_are_not_rows() -> None:
    """Bytes would be read as numbers."""
    with pytest.raises(ConfigurationError):
        values(b"a@x.fr")


def checked(rows: Any, **settings: Any) -> ListReport:
    """Return the report on a list, without the DNS."""
    return RecipientChecker(dns=False).check_list(rows, **settings)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("Ada <ada@x.fr>", ["ada@x.fr"]),
        ('"Lovelace, Ada" <ada@x.fr>', ["ada@x.fr"]),
        ("mailto:ada@x.fr?subject=hello", ["ada@x.fr"]),
        ("ada@x.fr; bob@x.fr, carl@x.fr", ["ada@x.fr", "bob@x.fr", "carl@x.fr"]),
        ("ada@x.fr ::: bob@x.fr", ["ada@x.fr", "bob@x.fr"]),
        ("ada@x.fr / bob@x.fr", ["ada@x.fr", "bob@x.fr"]),
        ("ada@x.fr (office)", ["ada@x.fr"]),
        ("ada@x.fr; bob@", ["ada@x.fr", "bob@"]),
        ("jean dupont@x.fr", ["jean dupont@x.fr"]),
        ("a,b@x.fr", ["a,b@x.fr"]),
    ],
)
def test_a_cell_may_hold_names_and_several_addresses(cell: str, expected: list[str]) -> None:
    """Every address of a cell is taken; where there is a choice, the cell stays whole."""
    assert split_cell(cell) == expected


def test_a_stray_quote_costs_its_own_row(tmp_path: Path) -> None:
    """Every other row is judged, and the lost one is told of by its line."""
    file = tmp_path / "base.csv"
    lines = ["email,name", *(f"p{n}x@x.fr,N{n}" for n in range(1, 301))]
    lines[10], lines[200] = 'p10x@x.fr,"N10', '"p200x@x.fr,N200'
    file.write_text("\n".join(lines) + "\n")
    report = checked(file)
    assert (report.rows, report.addresses, report.bad_rows) == (300, 298, 2)
    assert [line for line, _ in report.bad_row_examples] == [11, 201]


def test_lines_above_the_header_are_no_addresses(tmp_path: Path) -> None:
    """Exports begin with a title, a date, or Excel's own line."""
    file = tmp_path / "base.csv"
    file.write_text("Export of contacts;;\nDate: 2026-01-01;;\n;;\nName;Email;City\nAda;ada@x.fr;Paris\n")
    assert values(file) == ["ada@x.fr"]
    file.write_text("sep=;\r\nName;Email\r\nAda;ada@x.fr\r\n")
    assert values(file) == ["ada@x.fr"]


def test_a_pasted_line_holds_many() -> None:
    """Every cell of a file without a header is an address."""
    report = checked(io.StringIO("ada@x.fr; bob@x.fr; carl@x.fr"))
    assert [found.address for _, found, _ in report.reports()] == ["ada@x.fr", "bob@x.fr", "carl@x.fr"]
    assert list(report.clean()) == ["ada@x.fr", "bob@x.fr", "carl@x.fr"]


def test_the_column_and_the_others_are_told() -> None:
    """A second column with addresses is not read in silence."""
    report = checked(io.StringIO("id,billing_email,contact_email\n1,ada@x.fr,bob@x.fr\n2,c@x.fr,d@x.fr\n"))
    assert (report.column, report.other_columns, report.column_share) == (
        "billing_email",
        ("contact_email",),
        1.0,
    )
    assert "contact_email" in str(report)


def packed(kind: str, folder: Path) -> Path:
    """Write a list of two addresses in a format, and return its path."""
    text = "email,name\nada@x.fr,Ada\nbob@x.fr,Bob\n"
    objects = [{"email": "ada@x.fr", "name": "Ada"}, {"email": "bob@x.fr", "name": "Bob"}]
    path = folder / f"list.{kind}"
    if kind == "csv.gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("base.csv", text)
            archive.writestr("__MACOSX/._base.csv", "x")
    elif kind == "xlsx":
        book = pytest.importorskip("openpyxl").Workbook()
        for line in text.split():
            book.active.append(line.split(","))
        book.save(path)
    elif kind == "json":
        path.write_text(json.dumps(objects))
    else:
        path.write_text("\n".join(map(json.dumps, objects)))
    return path


@pytest.mark.parametrize("kind", ["csv.gz", "zip", "xlsx", "json", "jsonl"])
def test_packed_lists_are_read(kind: str, tmp_path: Path) -> None:
    """By what is in the file, not by its name; as a path and as an open file."""
    path = packed(kind, tmp_path)
    assert values(path) == ["ada@x.fr", "bob@x.fr"]
    with path.open("rb") as opened:
        assert values(opened) == ["ada@x.fr", "bob@x.fr"]


@pytest.mark.parametrize(
    ("begin", "named"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel"),
        (b"BEGIN:VCARD\nEMAIL:ada@x.fr\n", "vCard"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PAR1", "Parquet"),
        (b"<!DOCTYPE html><p>ada@x.fr", "HTML"),
        (b"\x01\x02\x00\x03 ada@x.fr", "binary"),
        (b"PK\x03\x04damaged", "damaged zip"),
    ],
)
def test_what_is_no_list_is_refused_by_name(begin: bytes, named: str, tmp_path: Path) -> None:
    """A wrong number is worse than none."""
    file = tmp_path / "list.csv"
    file.write_bytes(begin + b" " * 600)
    with pytest.raises(ConfigurationError, match=named):
        values(file)


CELLS = st.sampled_from(
    [
        "ada@x.fr",
        "bob@x.fr",
        "Bob <b@x.fr>",
        "a@x.fr; b@x.fr",
        "",
        "nothing",
        '"',
        'x"y',
        "=1",
        "a@x.fr,",
        "\n",
    ]
)


@pytest.mark.property
@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=30))
def test_rows_in_are_rows_accounted_for(rows: list[tuple[str, str]]) -> None:
    """Every row that a CSV writer wrote comes back once, in order, with all its cells."""
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(["email", "note"])
    table.writerows(rows)
    report = checked(io.StringIO(written.getvalue()), column="email")
    judged = list(report.judged.rows())
    assert [row.cells for row in judged] == [
        tuple(cell.replace("\r\n", "\n") for cell in row) for row in rows
    ]
    assert report.rows == len(rows) == len(judged)
    assert report.bad_rows + sum(bool(row.reports) for row in judged) == report.rows


def test_a_frame_comes_back_with_its_index() -> None:
    """One row an input row, whatever the index, with every column and the bad rows marked."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"mail": ["ada@x.fr", None, "no"], "age": [1, 2, 3]}, index=[7, 3, 9])
    report = checked(frame, column="mail")
    table = report.to_pandas()
    assert list(table.index) == [7, 3, 9]
    assert list(table["age"]) == [1, 2, 3]
    frame["verdict"] = table["verdict"]
    assert list(frame["verdict"]) == ["unknown", "bad-row", "undeliverable"]
    assert next(iter(report.clean()))["age"] == "1"


def test_a_table_is_written_whole_and_guarded(tmp_path: Path) -> None:
    """Every column is kept, and no cell is a formula unless that is asked for."""
    report = checked(io.StringIO("address,note\nada@x.fr,=cmd()\n,-5\n"))
    report.to_csv(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as opened:
        first, second = csv.DictReader(opened)
    assert (first["note"], second["note"]) == ("'=cmd()", "-5")
    assert (first["address"], first["checked_address"], second["verdict"]) == ("ada@x.fr",) * 2 + ("bad-row",)
    report.to_csv(tmp_path / "raw.csv", guard_formulas=False)
    assert ",=cmd()," in (tmp_path / "raw.csv").read_text()


def zipped(text: bytes, *, name: str = "list.csv") -> bytes:
    """Return a zip archive with one file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return made.getvalue()


def encrypted(archive: bytes) -> bytes:
    """Return a zip archive that says of its file that it is encrypted."""
    made = bytearray(archive)
    made[6] |= 1
    made[made.index(b"PK\x01\x02") + 8] |= 1
    return bytes(made)


def damaged(archive: bytes) -> bytes:
    """Return an archive with one wrong byte in its data."""
    made = bytearray(archive)
    made[60] ^= 0xFF
    return bytes(made)


def displaced(archive: bytes) -> bytes:
    """Return an archive whose table is said to stand further down, so its file before the beginning."""
    place = int.from_bytes(archive[-6:-2], "little") + 10
    return archive[:-6] + place.to_bytes(4, "little") + archive[-2:]


LIST = b"email,name\n" + b"".join(b"p%d@shop.fr,N%d\n" % (n, n) for n in range(500))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (gzip.compress(LIST)[:-20], "damaged gzip"),
        (gzip.compress(LIST)[:12], "damaged gzip"),
        (gzip.compress(gzip.compress(LIST)), "inside another"),
        (gzip.compress(b"%PDF-1.7 ..."), "a PDF"),
        (zipped(LIST)[:-30], "damaged zip"),
        (damaged(zipped(LIST)), "damaged zip"),
        (encrypted(zipped(LIST)), "encrypted"),
        (zipped(gzip.compress(LIST), name="list.csv.gz"), "0 lists"),
        (b"PK\x05\x06" + bytes(18), "empty zip"),
        (displaced(zipped(LIST)), "damaged zip"),
        (bytes(random.Random(3).choices(range(1, 256), k=400)), "a binary file"),
        (b'[{"a":' + b"[" * 100_000, "damaged JSON"),
        (b'{\n "contacts": 5\n}', "one list"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",  # archives hold the time: no names
)
def test_a_damaged_or_nested_file_is_refused(tmp_path: Path, content: bytes, named: str) -> None:
    """By its name, and before a part of it is judged."""
    file = tmp_path / "list.bin"
    file.write_bytes(content)
    for rows in (file, io.BytesIO(content)):
        with pytest.raises(ConfigurationError, match=named):
            RecipientChecker(dns=False).check_list(rows)


@pytest.mark.parametrize("indent", [None, 1])
def test_the_answer_of_an_api(indent: int | None) -> None:
    """One object with one list in it; a row that has a list of its own is a row."""
    answer = json.dumps(
        {"count": 2, "contacts": [{"email": "ada@x.fr"}, {"email": "bob@x.fr"}]}, indent=indent
    )
    assert values(io.StringIO(answer)) == ["ada@x.fr", "bob@x.fr"]
    lines = '{"email": "ada@x.fr", "orders": [{"id": 1}]}\n{"email": "bob@x.fr", "orders": []}\n'
    assert values(io.StringIO(lines)) == ["ada@x.fr", "bob@x.fr"]


@pytest.mark.parametrize("separator", [", ", ";", " ; ", "|", " ::: "])
def test_a_long_line_of_addresses(separator: str) -> None:
    """All of a pasted line is read, however long it is, with names or without."""
    wanted = [f"p{n}@shop.fr" for n in range(3_000)]
    report = RecipientChecker(dns=False).check_list(io.StringIO(separator.join(wanted)))
    assert [found.address for _, found, _ in report.reports()] == wanted
    named = separator.join(f"Ada {n} <{address}>" for n, address in enumerate(wanted))
    assert split_cell(named) == wanted


def test_cells_are_kept_whole(tmp_path: Path) -> None:
    """Long notes, lists in a cell, and halves of characters, which no file can hold."""
    rows = [
        {"email": "ada@x.fr", "note": "x" * 5_000, "tags": ["a", "b"]},
        {"email": "bob@x.fr", "note": "half \ud800", "tags": None},
    ]
    report = RecipientChecker(dns=False).check_list(rows)
    report.to_csv(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as opened:
        first, second = csv.DictReader(opened)
    assert (len(first["note"]), first["tags"]) == (5_000, '["a", "b"]')
    assert second["note"] == "half ?"


def test_columns_of_one_name() -> None:
    """What is added never has the name of a column that is there."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([["ada@x.fr", 1, 2]], columns=["email", "verdict", "checked_verdict"])
    table = RecipientChecker(dns=False).check_list(frame).to_pandas()
    assert not table.columns.has_duplicates
    assert list(table["checked_checked_verdict"]) == ["unknown"]


def test_a_frame_with_numbers_for_names() -> None:
    """The column may be named as the frame names it; the index may be anything."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([["x", "ada@x.fr"], ["y", None]], index=["a", "a"])
    report = RecipientChecker(dns=False).check_list(frame, column=1)  # type: ignore[arg-type] # a number
    assert list(report.to_pandas()["verdict"]) == ["unknown", "bad-row"]
    assert list(report.to_pandas().index) == ["a", "a"]


def test_one_address_is_no_list() -> None:
    """A slip that would look for a file of that name."""
    with pytest.raises(ConfigurationError, match="check_recipient"):
        RecipientChecker(dns=False).check_list("ada@x.fr")


def test_an_input_that_raises_is_told() -> None:
    """The error of the user's own generator comes through, and nothing is left behind."""

    def broken() -> Any:
        yield "ada@x.fr"
        msg = "their own"
        raise KeyError(msg)

    for n_jobs in (1, 2):
        with pytest.raises(KeyError, match="their own"):
            RecipientChecker(dns=False).check_list(broken(), n_jobs=n_jobs)


@pytest.mark.parametrize(
    ("cell", "addresses"),
    [
        ("[ada@x.fr](mailto:ada@x.fr)", ["ada@x.fr"]),
        ('<a href="mailto:ada@x.fr">ada@x.fr</a>', ["ada@x.fr"]),
        ("Ada: ada@x.fr", ["ada@x.fr"]),
        ("ada@x.fr und bob@x.fr", ["ada@x.fr", "bob@x.fr"]),
        ("ada@x.fr (privat), bob@x.fr (work)", ["ada@x.fr", "bob@x.fr"]),
        ("To: Ada <ada@x.fr>, Bob <bob@x.fr>", ["ada@x.fr", "bob@x.fr"]),
    ],
)
def test_cells_from_pages_and_mail_programs(cell: str, addresses: list[str]) -> None:
    """Links of HTML and Markdown, labels, remarks, header fields."""
    assert split_cell(cell) == addresses


@pytest.mark.parametrize(
    "typed",
    [
        "ada(at)x.fr", "ada [at] x [dot] fr", '"ada"@x.fr', "ada@http://x.fr", "ada@x.fr%20", "ada@x.fr\\n",
        "%E2%80%8Bada@x.fr", "u003cada@x.fr", "ada\uff20x.fr", "ada@x.fr!", "\u00abada@x.fr\u00bb",
    ],
)  # fmt: skip
def test_what_pages_leave_is_mended(typed: str) -> None:
    """Addresses that were hidden from programs, and remains of URLs, JSON and HTML on either side."""
    reports = RecipientChecker(dns=False).check_list([typed]).reports()
    assert [report.suggestion or report.address for _, report, _ in reports] == ["ada@x.fr"]


def test_what_could_not_be_decoded_is_written_as_a_question_mark(tmp_path: Path) -> None:
    """Nobody knows what it was; a character that the encoding lacks is an error, and leaves no file."""
    source = tmp_path / "list.csv"
    source.write_bytes("name,email\nDupr\u00e9,ada@shop.fr\n".encode("cp1252") + b"B\x81b,bob@shop.fr\n")
    report = check_list(source, dns=False)
    out = tmp_path / "out.csv"
    report.to_csv(out, encoding="cp1252")
    assert out.read_text("cp1252").splitlines()[2].startswith("B?b,bob@shop.fr")
    wide = check_list(["ada@shop.fr", "b\u0142b@shop.fr"], dns=False)
    with pytest.raises(ConfigurationError, match="cp1252 has no '\u0142'"):
        wide.to_csv(out, encoding="cp1252")
    assert not out.exists()
