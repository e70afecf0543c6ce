"""Flows: declared once, then routed and guarded."""

from __future__ import annotations

from mailflows.flows._flow_set import FLOW_HEADER, DecidedBy, FlowSet
from mailflows.flows._guard import GuardSettings, Outcome
from mailflows.flows._route import FlowRoute

__all__ = [
    "FLOW_HEADER",
    "DecidedBy",
    "FlowRoute",
    "FlowSet",
    "GuardSettings",
    "Outcome",
]
