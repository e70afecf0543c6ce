"""The notebooks of the documentation run, from top to bottom, in a fresh kernel and in little time."""

from __future__ import annotations

import re
import resource
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 10
"""Processor time for one: they are run at each change and each build of the documentation."""

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def test_there_are_five() -> None:
    """An archive, a list, a campaign, limits and senders, the classifier."""
    assert [one.stem for one in NOTEBOOKS] == ["archive", "campaign", "classifier", "limits", "list"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path) -> None:
    """No cell raises or warns, a value at the end of a cell is shown, and it takes ten seconds at most."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    book = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(book, timeout=60, resources={"metadata": {"path": str(path.parent)}})
    begun = resource.getrusage(resource.RUSAGE_CHILDREN)
    client.execute()
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Processor time, so that a busy machine is no failure.
    assert ended.ru_utime - begun.ru_utime < SECONDS
    shown = [(cell.source, cell.outputs) for cell in book.cells if cell.cell_type == "code"]
    assert [one.text for _, outputs in shown for one in outputs if one.get("name") == "stderr"] == []
    assert all(outputs for source, outputs in shown if source.splitlines()[-1].isidentifier())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_without_outputs(path: Path) -> None:
    """Outputs are made where they are shown, so that none can be stale."""
    nbformat = pytest.importorskip("nbformat")
    cells = nbformat.read(path, as_version=4).cells
    assert [cell.outputs for cell in cells if cell.cell_type == "code" and cell.outputs] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_drawings_name_both_axes(path: Path) -> None:
    """Those of pandas, which has no words for them; ours do it themselves (tests/tracking/test_page.py)."""
    nbformat = pytest.importorskip("nbformat")
    drawn = [cell.source for cell in nbformat.read(path, as_version=4).cells if ".plot." in cell.source]
    assert [
        source for source in drawn if not {"set_xlabel", "set_ylabel"} <= set(re.split(r"\W+", source))
    ] == []
