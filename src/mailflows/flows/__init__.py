"""Flows kept apart: declared once, routed, guarded, and audited for what they share."""

from __future__ import annotations

from mailflows.flows._audit_report import AuditReport, Finding, Severity
from mailflows.flows._breaker import BreakerPolicy, BreakerState, Metric, Rate, Threshold
from mailflows.flows._guard import GuardDecision, GuardReason, GuardSettings, Outcome
from mailflows.flows._reputation import Reputation, ReputationVerdict, Standing, Stop
from mailflows.flows._route import FlowRoute, Relay
from mailflows.flows._routing import FLOW_HEADER, DecidedBy, RouteDecision
from mailflows.flows._set import FlowSet
from mailflows.flows._slots import FieldReport, SlotAlarm, check_fields
from mailflows.flows._spf import SpfCheck, SpfResult, check_host
from mailflows.flows._templates import Observation, Series, TemplateMemory

__all__ = [
    "FLOW_HEADER",
    "AuditReport",
    "BreakerPolicy",
    "BreakerState",
    "DecidedBy",
    "FieldReport",
    "Finding",
    "FlowRoute",
    "FlowSet",
    "GuardDecision",
    "GuardReason",
    "GuardSettings",
    "Metric",
    "Observation",
    "Outcome",
    "Rate",
    "Relay",
    "Reputation",
    "ReputationVerdict",
    "RouteDecision",
    "Series",
    "Severity",
    "SlotAlarm",
    "SpfCheck",
    "SpfResult",
    "Standing",
    "Stop",
    "TemplateMemory",
    "Threshold",
    "check_fields",
    "check_host",
]
