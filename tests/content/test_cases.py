"""Outside cases: quiet on what professionals made, the same before and after inlining, sound repairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailflows import Severity
from mailflows.content import codes, fix, lint_html
from mailflows.content._page import Page
from shared_cases import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "cases/content"
SEEN = {"visible", "images", "links", "spam"}


def pages(pattern: str) -> list[Path]:
    """Return pages of outside cases, or skip the test."""
    found = sorted(FOLDER.glob(pattern))
    if not found:
        pytest.skip(f"outside cases are absent: content/{pattern}; MAILFLOWS_SHARED names their folder")
    return found


def test_good_templates_get_few_findings() -> None:
    """At most five that matter on average, as if they were advertisements."""
    found = [
        len(lint_html(path.read_text("utf-8"), flow="marketing").at_least(Severity.WARNING))
        for path in pages("templates/*.html")
    ]
    assert sum(found) <= 5 * len(found)


def test_the_hidden_beginning_of_good_templates_is_a_preheader() -> None:
    """Nothing in them is taken for hidden text."""
    assert [
        p.name for p in pages("templates/*.html") if "hidden-text" in lint_html(p.read_text("utf-8"))
    ] == []


def test_transactional_templates_get_no_error_about_unsubscribing() -> None:
    """A password cannot be unsubscribed from."""
    for path in pages("templates/postmark-*.html"):
        report = lint_html(path.read_text("utf-8"), flow="transactional")
        assert [f.code for f in report if codes()[f.code].family == "unsubscribe"] == []


def test_findings_are_the_same_before_and_after_inlining() -> None:
    """What the reader sees is the same; of one pair the publisher changed the colours between the two."""
    differ = []
    for path in pages("pairs/*.source.html"):
        both = path, path.with_name(path.name.replace(".source.", ".inlined."))
        one, other = (
            {f.code for f in lint_html(p.read_text("utf-8")) if codes()[f.code].family in SEEN} for p in both
        )
        differ += [path.name] * (one != other)
    assert len(differ) <= 1


def test_our_own_inlining_changes_nothing_that_is_seen() -> None:
    """Every run of text keeps colour, ground and size."""
    for path in pages("pairs/*.source.html"):
        page = path.read_text("utf-8")
        raw = b"From: a@shop.example\nContent-Type: text/html; charset=utf-8\n\n" + page.encode()
        after = fix(raw, only=["inline-css"]).data.partition(b"\n\n")[2].decode()
        assert drawn(page) == drawn(after)


def drawn(page: str) -> list[tuple[str, str, str, float]]:
    """Return what is seen of a page, run by run."""
    return [(r.text, str(r.style.color), str(r.style.ground), r.style.size) for r in Page(page).visible]
