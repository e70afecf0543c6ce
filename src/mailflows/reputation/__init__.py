"""The reputation of a flow, and the circuit breaker that stops what harms it."""

from __future__ import annotations

from mailflows.reputation._breaker import BreakerPolicy, BreakerState, Metric, Threshold
from mailflows.reputation._readings import ProviderReading, read_readings
from mailflows.reputation._reputation import Reputation

__all__ = [
    "BreakerPolicy",
    "BreakerState",
    "Metric",
    "ProviderReading",
    "Reputation",
    "Threshold",
    "read_readings",
]
