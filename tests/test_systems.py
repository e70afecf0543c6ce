"""The pages of sending systems, and the files that they show."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from mailflows.audit import audit
from mailflows.flows import FlowSet
from mailflows.testing import FakeDns

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "examples/systems").glob("*.toml"))
PAGES = sorted(page for page in (ROOT / "docs/systems").glob("*.md") if page.stem != "index")
TOLD = {"resend": {"shared-relay"}}
"""What flows share at a provider and cannot part: its page says so."""
HEADINGS = (
    "How it keeps flows apart",
    "flows.toml",
    "What is sent with each message",
    "Webhooks and exports",
    "Limits and thresholds",
    "DNS records",
    "Not documented publicly",
)


def test_every_system_has_a_page_and_a_file() -> None:
    """The fifteen systems have a page each, with the file that belongs to it, and the index lists them."""
    assert [page.stem for page in PAGES] == [file.stem for file in FILES]
    assert len(PAGES) == 15
    index = (ROOT / "docs/systems/index.md").read_text("utf-8").splitlines()
    assert [page.stem for page in PAGES if page.stem not in index] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_keeps_its_flows_apart(file: Path) -> None:
    """A file is accepted, and the audit finds nothing that its flows share but what the page says."""
    flows = FlowSet.from_toml(file, needs_passwords=False)
    report = audit(flows, resolver=FakeDns({}))
    shared = {code for code in report.codes if code.startswith("shared-")}
    assert len(flows) >= 2
    assert shared == {"shared-organisation", *TOLD.get(file.stem, ())}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_answers_the_same_questions(page: Path) -> None:
    """Each page has the same headings, in the same order."""
    headings = [line[3:] for line in page.read_text("utf-8").splitlines() if line.startswith("## ")]
    assert [heading for heading in headings if heading in HEADINGS] == list(HEADINGS)


def test_the_matrix_comes_from_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each provider of the table of streams and of the webhooks has one row."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    pytest.importorskip("sphinx")
    sys.modules.pop("system_matrix", None)
    system_matrix = importlib.import_module("system_matrix")

    rows: list[tuple[Any, ...]] = list(system_matrix.rows())
    by_name = {row[0]: row for row in rows}
    assert len(by_name) == len(rows)
    assert by_name["Postmark"][1:4] == ("message stream", "X-PM-Message-Stream", "MessageStream")
    assert by_name["SendGrid"][5] == "ECDSA"
    assert by_name["Message Business"][4:] == ("", "")
