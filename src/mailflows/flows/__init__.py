"""Flows kept apart: declared once, routed, guarded, and audited for what they share."""

from __future__ import annotations

from mailflows.flows._audit_report import AuditReport, Finding, Severity
from mailflows.flows._guard import GuardDecision, GuardReason, GuardSettings, Outcome
from mailflows.flows._route import FlowRoute, Relay
from mailflows.flows._routing import FLOW_HEADER, DecidedBy, RouteDecision
from mailflows.flows._set import FlowSet
from mailflows.flows._spf import SpfCheck, SpfResult, check_host

__all__ = [
    "FLOW_HEADER",
    "AuditReport",
    "DecidedBy",
    "Finding",
    "FlowRoute",
    "FlowSet",
    "GuardDecision",
    "GuardReason",
    "GuardSettings",
    "Outcome",
    "Relay",
    "RouteDecision",
    "Severity",
    "SpfCheck",
    "SpfResult",
    "check_host",
]
