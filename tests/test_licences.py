"""What is in the package may be given away: each data file says whose it is, and notices travel with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "src/mailflows/data"
FILES = sorted(path for path in DATA.rglob("*") if path.suffix in {".txt", ".json", ".toml", ".lua"})
NOTICES = (ROOT / "LICENSES-DATA.md").read_text("utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(DATA).as_posix())
def test_a_data_file_says_its_licence(path: Path) -> None:
    """A licence is named in the first lines, or, where the file is written by a program, in its facts."""
    where = ROOT / "MODEL.md" if path.name == "model.json" else path  # weights; its card says whose they are
    text = where.read_text("utf-8")
    assert re.search(r"licen[cs]e", text if where != path else text[:4000], re.IGNORECASE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(DATA).as_posix())
def test_a_notice_travels(path: Path) -> None:
    """Whose copyright, or whose dedication, a file names is among the notices of the wheel."""
    head = path.read_text("utf-8")[:2000]
    for owner in re.findall(r"Copyright \(c\) (\d{4}),? ([^.\",]+)", head):
        assert owner[1].split(" and ")[0].strip() in NOTICES
    if "CC0" in head:
        assert path.name in NOTICES


def test_the_wheel_has_the_notices() -> None:
    """The licence and the notices are named as licence files of the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["license-files"] == ["LICENSE", "LICENSES-DATA.md"]
