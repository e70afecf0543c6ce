"""``mailflows list`` on the exports of nine tools, as a new user runs it."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from list_exports import EXPORTS
from mailflows.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("tool", EXPORTS)
def test_rows_in_are_rows_out(tool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The column is found, every row and column is kept, and each row has its verdict."""
    export = EXPORTS[tool]
    file, out, clean = tmp_path / export.name, tmp_path / "checked.csv", tmp_path / "clean.csv"
    file.write_bytes(export.content)
    assert main(["list", str(file), "--no-dns", "--json", "--out", str(out), "--clean", str(clean)]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["rows"] == export.rows
    assert report["column"] == export.column
    assert tuple(report["other_columns"]) == export.others
    with out.open(encoding=export.encoding, newline="") as opened:
        head, *rows = csv.reader(opened, delimiter=export.delimiter)
    assert tuple(head[: len(export.columns)]) == export.columns
    assert len(rows) == export.rows
    assert all(len(row) == len(head) for row in rows)
    place = head.index(export.column)
    verdicts = [row[head.index("verdict")] for row in rows]
    assert "ada@shop.fr" in rows[0][place]
    assert verdicts[:2] == ["unknown", "risky"]
    assert rows[1][head.index("suggestion")] == "bob@gmail.com"
    with clean.open(encoding=export.encoding, newline="") as opened:
        safe = list(csv.DictReader(opened, delimiter=export.delimiter))
    assert safe[0][export.column] == "ada@shop.fr"
    assert tuple(safe[0]) == export.columns
    assert "bob@gmial.com" not in {row[export.column] for row in safe}


def test_accents_survive(tmp_path: Path) -> None:
    """In Windows-1252 and UTF-16, as Dolist and others write, and as their rows come back."""
    for tool, word in (("Dolist", "Incomplète"), ("Message Business", "Fidèles")):
        export = EXPORTS[tool]
        file, out = tmp_path / export.name, tmp_path / f"{tool}.csv"
        file.write_bytes(export.content)
        main(["list", str(file), "--no-dns", "--out", str(out)])
        assert word in out.read_text(export.encoding)
