"""The hooks for Prometheus and OpenTelemetry, with libraries that write down what they are told."""

from __future__ import annotations

import runpy
import sys
import types
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mailflows import Gate
from three_flows import newsletter, reset, three_flows

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "metrics"


class Recorder:
    """A counter of either library."""

    def __init__(self, seen: Counter[str], name: str) -> None:
        self._seen, self._name = seen, name
        self._labels: dict[str, str] = {}

    def labels(self, **labels: str) -> Recorder:
        """Return the counter of these labels."""
        other = Recorder(self._seen, self._name)
        other._labels = labels
        return other

    def inc(self, number: int) -> None:
        """Count, as prometheus_client."""
        self.add(number, self._labels)

    def add(self, number: int, labels: dict[str, str]) -> None:
        """Count, as OpenTelemetry."""
        self._seen[f"{self._name} {sorted(labels.items())}"] += number


@pytest.mark.parametrize("library", ["prometheus", "opentelemetry"])
def test_verdicts_are_counted(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each verdict counts under names and labels that are documented, without an address."""
    seen: Counter[str] = Counter()
    fake: Any = types.ModuleType("prometheus_client")
    fake.Counter = lambda name, *_: Recorder(seen, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", fake)
    meter = types.SimpleNamespace(create_counter=lambda name, **_: Recorder(seen, name))
    telemetry: Any = types.ModuleType("opentelemetry")
    telemetry.metrics = types.SimpleNamespace(get_meter=lambda _: meter)
    monkeypatch.setitem(sys.modules, "opentelemetry", telemetry)
    count = runpy.run_path(str(EXAMPLES / f"{library}.py"))["count"]
    gate = Gate(three_flows(), hooks=[count])
    gate.check(reset(), flow="transactional")
    gate.check(newsletter(), flow="transactional")
    totals = Counter(name.split()[0] for name in seen.elements())
    assert totals["mailflows_gate_verdicts_total"] == 2
    assert totals["mailflows_gate_recipients_total"] == 1
    assert any("marketing-on-transactional" in name for name in seen)
    assert not any("@" in name for name in seen)
