"""The gate: every check before a message is sent, and one verdict with all reasons."""

from __future__ import annotations

from mailflows._context import Context
from mailflows.gate._check import GateDecision, Verdict
from mailflows.gate._gate import Gate
from mailflows.gate._parts import Finding
from mailflows.gate._tally import Tally

__all__ = [
    "Context",
    "Finding",
    "Gate",
    "GateDecision",
    "Tally",
    "Verdict",
]
