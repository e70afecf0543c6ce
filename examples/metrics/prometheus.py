"""Counters of the gate for Prometheus: `Gate(…, hooks=[count])`, and `start_http_server(9100)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter

if TYPE_CHECKING:
    from mailflows import Verdict

COUNTERS = {
    name: Counter(name, about, labels)
    for name, about, labels in (
        (
            "mailflows_gate_verdicts_total",
            "Messages asked about",
            ("flow", "decision", "would_be", "dry_run"),
        ),
        ("mailflows_gate_reasons_total", "What parts said", ("flow", "part", "code", "decision")),
        ("mailflows_gate_recipients_total", "Recipients", ("flow", "outcome")),
        ("mailflows_gate_degraded_total", "Parts that failed", ("part",)),
    )
}


def count(verdict: Verdict) -> None:
    """Count one verdict; no label holds an address."""
    for name, number, labels in verdict.metrics():
        COUNTERS[name].labels(**labels).inc(number)
