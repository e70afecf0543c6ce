"""Simulated senders: who is stopped, who is not, and how soon."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from sender_scenarios import is_as_expected, play
from shared_cases import cases

OWN = tomllib.loads(Path(__file__).parents[2].joinpath("benchmarks/sender_scenarios.toml").read_text("utf-8"))
SEEDS = 4
"""A slice; ``benchmarks/sender_control.py`` plays hundreds."""


@pytest.mark.parametrize("scenario", OWN["scenario"], ids=lambda scenario: scenario["name"])
def test_senders_fare_as_they_should(scenario: dict[str, Any]) -> None:
    """Honest people are let through, stolen accounts are not, and one mass mailing is tolerated."""
    found = [play(OWN, scenario, seed=seed) for seed in range(100, 100 + SEEDS)]
    assert [one.why for one in found if not is_as_expected(scenario, one)] == []


def test_outside_scenarios() -> None:
    """So it is with senders that others thought up."""
    table = tomllib.loads(cases("limits-2/senders.toml"))
    found = [(s["name"], play(table, s, seed=seed), s) for s in table["scenario"] for seed in range(2)]
    assert [(name, one.why) for name, one, s in found if not is_as_expected(s, one)] == []


def test_a_control_that_lets_everybody_through_would_be_noticed() -> None:
    """The scenarios tell a control from none: a policy that never stops fails those of stolen accounts."""
    stolen = next(s for s in OWN["scenario"] if s["expect"] == "stop")
    free = play(OWN, {**stolen, "from": "own", "hour": 11, "known": 1.0, "count": 60, "in": 7200}, seed=1)
    assert not is_as_expected(stolen, free)
