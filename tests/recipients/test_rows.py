"""Reading lists, good and bad."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from mailflows.errors import ConfigurationError
from mailflows.recipients._rows import BadRow, Row, read_rows

if TYPE_CHECKING:
    from pathlib import Path


def values(rows: object, **settings: str) -> list[object]:
    """Return what stands in the column, and the line of each bad row."""
    return [row.value if isinstance(row, Row) else row.line for row in read_rows(rows, **settings)]  # type: ignore[arg-type]


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
    problems = [row.problem for row in read_rows(given) if isinstance(row, BadRow)]
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
