"""Flows kept apart: declared once, routed and guarded."""

from __future__ import annotations

from mailflows.flows._guard import GuardDecision, GuardReason, GuardSettings, Outcome
from mailflows.flows._route import FlowRoute, Relay
from mailflows.flows._routing import FLOW_HEADER, DecidedBy, RouteDecision
from mailflows.flows._set import FlowSet

__all__ = [
    "FLOW_HEADER",
    "DecidedBy",
    "FlowRoute",
    "FlowSet",
    "GuardDecision",
    "GuardReason",
    "GuardSettings",
    "Outcome",
    "Relay",
    "RouteDecision",
]
