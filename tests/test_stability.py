"""The page on stability names the versions that the code writes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mailflows import _token
from mailflows._stores import _sqlite_file
from mailflows.classifier import _model
from mailflows.recipients import _list_report

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("what", "version"),
    [
        ("model file", _model.SCHEMA),
        ("tracking and VERP tokens", _token.VERSION),
        ("SQLite store", _sqlite_file.VERSION),
        ("saved list report", _list_report._SCHEMA),
    ],
)
def test_the_page_names_the_version(root: Path, what: str, version: int) -> None:
    """Who upgrades reads there what is written now."""
    page = (root / "docs" / "stability.md").read_text("utf-8")
    found = re.search(rf"^\| {re.escape(what)} \| (\d+) \|", page, re.MULTILINE)
    assert found is not None
    assert int(found[1]) == version
