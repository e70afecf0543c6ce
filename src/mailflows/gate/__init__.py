"""The gate: every part asked before a message leaves, one verdict with all their reasons."""

from __future__ import annotations

from mailflows._context import Context
from mailflows.gate._check import GateDecision, GateReason, RefusedRecipient, Verdict
from mailflows.gate._erasure import Forgotten
from mailflows.gate._gate import Gate
from mailflows.gate._parts import Finding
from mailflows.gate._status import GateStatus, LimitUse
from mailflows.gate._tally import Tally, TallyCount, TallyReport

__all__ = [
    "Context",
    "Finding",
    "Forgotten",
    "Gate",
    "GateDecision",
    "GateReason",
    "GateStatus",
    "LimitUse",
    "RefusedRecipient",
    "Tally",
    "TallyCount",
    "TallyReport",
    "Verdict",
]
