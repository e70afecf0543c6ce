"""The reputation of a flow, and the circuit breaker that stops what harms it."""

from __future__ import annotations

from mailflows.reputation._breaker import BreakerPolicy, BreakerState, Metric, MetricRate, Threshold
from mailflows.reputation._readings import ProviderReading, read_readings
from mailflows.reputation._reputation import Reputation, ReputationVerdict, Standing, Stop

__all__ = [
    "BreakerPolicy",
    "BreakerState",
    "Metric",
    "MetricRate",
    "ProviderReading",
    "Reputation",
    "ReputationVerdict",
    "Standing",
    "Stop",
    "Threshold",
    "read_readings",
]
