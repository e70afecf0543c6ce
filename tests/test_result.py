"""How results are shown."""

from __future__ import annotations

import sys

import pytest

from mailflows._result import Bar, to_frame, to_html, to_text
from mailflows.errors import MissingExtra


def test_text_columns_are_aligned_and_control_characters_shown() -> None:
    """A terminal is not driven by what a message says."""
    table = to_text(["a", "b"], [["x\x1b[2J", 0.25], ["longer", None]])
    assert "\x1b" not in table
    assert table.splitlines()[2].startswith("longer")
    assert table.splitlines()[2].endswith("-")


def test_html_is_escaped() -> None:
    """A subject with markup is text."""
    html = to_html("<b>", ["<i>"], [["<script>alert(1)</script>", Bar(-0.5, "<x>")]])
    assert "<script>" not in html
    assert "<x>" not in html
    assert "&lt;script&gt;" in html


def test_a_bar_is_never_wider_than_its_cell() -> None:
    """Values beyond one are cut."""
    assert "width:8.00em" in to_html("t", ["w"], [[Bar(7.0)]])


def test_a_frame_keeps_its_columns_without_rows() -> None:
    """Code that reads a column works on a report that found nothing."""
    assert list(to_frame([], ["code", "severity"]).columns) == ["code", "severity"]


def test_a_frame_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the command that installs it."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r"\.\[notebook\]"):
        to_frame([], ["code"])
