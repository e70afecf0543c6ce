"""Content: what should be changed in a message before it is sent, and the repair of what can be."""

from __future__ import annotations

from mailflows.content._lint import lint, lint_html
from mailflows.content._report import Code, Finding, LintReport, Severity, Where, codes

__all__ = [
    "Code",
    "Finding",
    "LintReport",
    "Severity",
    "Where",
    "codes",
    "lint",
    "lint_html",
]
