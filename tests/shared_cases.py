"""Outside cases, which are not part of the project: tests that use them skip where they are absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("MAILFLOWS_SHARED") or Path(__file__).resolve().parents[2] / "shared")


def cases(path: str) -> str:
    """Return the text of a file of outside cases, or skip the test."""
    file = ROOT / "cases" / path
    if not file.exists():
        pytest.skip(f"outside cases are absent: {path}; MAILFLOWS_SHARED names their folder")
    return file.read_text("utf-8")
