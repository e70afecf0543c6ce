"""The cell of the guide: from an uploaded workbook to a cleaned file."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from mailflows.recipients import RecipientChecker
from mailflows.testing import FakeDns

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "recipients.md"
ZONE = {domain: {"MX": ["10 mx.host.fr"]} for domain in ("shop.fr", "gmail.com", "gmial.com")} | {
    "mx.host.fr": {"A": ["93.184.216.34"]}
}


def test_the_cell_of_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five statements; every column and the index are kept, and what was mistyped is mended."""
    pandas = pytest.importorskip("pandas")
    matplotlib = pytest.importorskip("matplotlib")
    pytest.importorskip("openpyxl")
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    emails = ["Ada <ada@shop.fr>", "bob@gmial.com", None, "c@gone.fr", "ADA@shop.fr"]
    pandas.DataFrame({"Name": list("ABCDE"), "Email": emails, "Points": [1, 2, 3, 4, 5]}).to_excel(
        "upload.xlsx", index=False
    )
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    cell = next(block for block in blocks if "upload.xlsx" in block)
    statements = [line for line in cell.splitlines() if line and "import" not in line]
    assert len(statements) == 5
    names: dict[str, Any] = {"check_list": RecipientChecker(resolver=FakeDns(ZONE)).check_list}
    exec(cell.replace("from mailflows import check_list", ""), names)  # noqa: S102 -- what the guide shows
    matplotlib.pyplot.close("all")
    assert list(names["upload"]["verdict"]) == [
        "deliverable",
        "risky",
        "bad-row",
        "undeliverable",
        "deliverable",
    ]
    with (tmp_path / "clean.csv").open(encoding="utf-8", newline="") as opened:
        assert list(csv.reader(opened)) == [
            ["Name", "Email", "Points"],
            ["A", "ada@shop.fr", "1"],
            ["B", "bob@gmail.com", "2"],
        ]
