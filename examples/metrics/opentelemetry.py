"""Counters of the gate for OpenTelemetry: `Gate(…, hooks=[count])`, with an exporter that you set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import metrics

if TYPE_CHECKING:
    from mailflows import Verdict

METER = metrics.get_meter("mailflows")
COUNTERS = {
    name: METER.create_counter(name, description=about)
    for name, about in (
        ("mailflows_gate_verdicts_total", "Messages asked about"),
        ("mailflows_gate_reasons_total", "What parts said"),
        ("mailflows_gate_recipients_total", "Recipients"),
        ("mailflows_gate_degraded_total", "Parts that failed"),
    )
}


def count(verdict: Verdict) -> None:
    """Count one verdict; no attribute holds an address."""
    for name, number, labels in verdict.metrics():
        COUNTERS[name].add(number, labels)
