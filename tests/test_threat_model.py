"""The threat model claims nothing without a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/threat-model.md").read_text("utf-8")
CLAIMS = [
    line
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| claim", "| ---", "|---"))
]


def test_the_page_has_claims() -> None:
    """The tables of the page are found."""
    assert len(CLAIMS) >= 25


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.split("|")[1].strip()[:40])
def test_a_claim_names_tests_that_exist(claim: str) -> None:
    """Each claim names at least one test, and each test that is named is there."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", claim)
    assert named
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not re.search(rf"def {test}\(", (ROOT / file).read_text("utf-8"))
    ]
    assert missing == []
