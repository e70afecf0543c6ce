"""The gate: every part asked before a message leaves, one verdict with all their reasons."""

from __future__ import annotations

from mailflows.gate._gate import Gate
from mailflows.gate._parts import Finding
from mailflows.gate._trial import Trial, TrialCount, TrialReport
from mailflows.gate._verdict import GateDecision, GateReason, RefusedRecipient, Verdict

__all__ = [
    "Finding",
    "Gate",
    "GateDecision",
    "GateReason",
    "RefusedRecipient",
    "Trial",
    "TrialCount",
    "TrialReport",
    "Verdict",
]
