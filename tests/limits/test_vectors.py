"""Cases that other limiters are tested by."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailflows._stores import GcraMeter, WindowMeter
from mailflows.errors import ConfigurationError
from mailflows.limits import Limit, MemoryStore
from mailflows.testing import FixedClock
from shared_cases import cases


def vectors(kind: str) -> list[Any]:
    """Return the cases of one kind."""
    found: list[Any] = json.loads(cases("limits/algorithm_vectors.json"))[kind]
    return found


def play(steps: list[Any], meters: list[Any]) -> list[tuple[bool, int]]:
    """Return for each step whether it was allowed, and how much is left in the first meter."""
    clock = FixedClock()
    start = clock()
    store = MemoryStore(clock=clock)
    found = []
    for step in steps:
        clock.advance(step.get("sleep", 0))
        if "now" in step:
            clock.advance(start + step["now"] - clock())
        for _ in range(step.get("repeat", 1)):
            charges = [(meter, step.get("key", "k"), step.get("cost", 1)) for meter in meters]
            outcome = store.decide(charges, look=step.get("dry_run", False))
            used = outcome.readings()[0][0]
            found.append((outcome.allowed, int(meters[0].capacity - used + 1e-6)))
    return found


def expected(steps: list[Any]) -> list[bool]:
    """Return what each step shall be."""
    wanted: list[bool] = []
    for step in steps:
        wanted += [step.get("allowed", not step.get("limited", False))] * step.get("repeat", 1)
    return wanted


def test_gcra() -> None:
    """The steps of steady limits give the same decisions, and leave the same."""
    for case in vectors("gcra") + vectors("token_bucket"):
        interval = case.get("emission_interval_s") or case["period_s"] / case["limit"]
        found = play(case["cases"], [GcraMeter("g", 1, interval, case["burst"])])
        assert found == [(not step["limited"], step["remaining"]) for step in case["cases"]], case["name"]


def test_windows() -> None:
    """The steps of windows give the same decisions, and leave the same."""
    for case in vectors("fixed_window") + vectors("sliding_window"):
        found = play(case["cases"], [WindowMeter("w", case["limit"], case["period_s"])])
        assert found == [(not step["limited"], step["remaining"]) for step in case["cases"]], case["name"]


def test_generic() -> None:
    """Costs, looks and amounts that never fit are decided as wanted."""
    for case in vectors("generic"):
        if "steps" in case:
            found = play(case["steps"], [WindowMeter("w", case["limit"], case["period_s"])])
            assert [allowed for allowed, _ in found] == expected(case["steps"]), case["name"]


def test_failing_rule_is_named() -> None:
    """Of several rates the one that has no room is the one that waits."""
    (case,) = [case for case in vectors("generic") if "counts_cases" in case]
    for step in case["counts_cases"]:
        store = MemoryStore(clock=lambda: 0.0)
        meters = [WindowMeter(f"w{n}", limit, period) for n, (limit, period) in enumerate(case["rates"])]
        for meter, count in zip(meters, step["counts"], strict=True):
            store.decide([(meter, "k", count)])
        outcome = store.decide([(meter, "k", step["cost"]) for meter in meters])
        waits = [wait for _, _, wait in outcome.readings()]
        failing = next((n for n, wait in enumerate(waits) if wait > 0), None)
        assert (outcome.allowed, failing) == (step["allowed"], step.get("failing_rule"))


def test_mail() -> None:
    """Bursts of mail limits, and two rules on one key, are decided as wanted."""
    for case in vectors("mail"):
        rules = case.get("rules", [case])
        meters = [
            GcraMeter(f"g{n}", 1, 1 / rule["refill_per_s"], rule["burst"]) for n, rule in enumerate(rules)
        ]
        assert [allowed for allowed, _ in play(case["steps"], meters)] == expected(case["steps"])


def test_configurations_that_must_be_refused() -> None:
    """No rate and no burst of less than one is taken."""
    for _, rate, capacity in vectors("must_reject_configuration_rate_capacity"):
        with pytest.raises(ConfigurationError):
            Limit(f"{rate}/second; burst {capacity}", per="account")
