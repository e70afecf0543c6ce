"""Content: find what should be changed in a message before it is sent, and repair what can be."""

from __future__ import annotations

from mailflows.content._fix import REPAIRS, FixResult, fix, fix_html
from mailflows.content._lint import lint, lint_html
from mailflows.content._plain import plain_text
from mailflows.content._report import LintReport, codes

__all__ = [
    "REPAIRS",
    "FixResult",
    "LintReport",
    "codes",
    "fix",
    "fix_html",
    "lint",
    "lint_html",
    "plain_text",
]
