"""What the default policy of `SenderControl` means for honest senders and for stolen accounts.

Usage: python benchmarks/sender_control.py [SENDERS]

Simulated, with seeds: the scenarios of ``sender_scenarios.toml``, each with SENDERS senders (40 by default);
2,000 honest senders of whose recipients 2 % are invalid, and as many who mail a bad list; and what a decision
costs beside one of `Limiter`. Writes results/sender_control.json.
"""

from __future__ import annotations

import logging
import random
import statistics
import sys
import tomllib
from itertools import count
from typing import Any

from recording import ROOT, interleaved, write

sys.path.insert(0, str(ROOT / "tests"))

from mailflows.limits import Limit, Limiter, MemoryStore
from mailflows.senders import SenderControl, SenderPolicy
from mailflows.senders._history import SenderRecord
from mailflows.senders._judgement import Measure, judge
from sender_scenarios import MONDAY, is_as_expected, play

POLICY = SenderPolicy()


def first_stop(chance: random.Random, share: float, recipients: int) -> int | None:
    """Return after how many recipients a sender with this share of invalid ones is stopped."""
    record, good = SenderRecord(), 0
    record.at(MONDAY)
    for number in range(1, recipients + 1):
        if chance.random() >= share:
            good += 1  # nobody is stopped for a valid recipient: judged with the next invalid one
            continue
        record.tell(valid=good, invalid=0)
        record.tell(valid=0, invalid=1)
        good = 0
        if judge(record, POLICY).measure is Measure.BLOCK:
            return number
    return None


def invalid_recipients(senders: int = 2000) -> dict[str, Any]:
    """Simulate honest senders, and those with bad lists."""
    chance = random.Random(2026)
    false = sum(first_stop(chance, 0.02, 1000) is not None for _ in range(senders))
    found: dict[str, Any] = {
        "honest": {"senders": senders, "recipients": 1000, "share": 0.02, "blocked": false}
    }
    for share in (0.1, 0.2, 0.3):
        numbers = sorted(first_stop(chance, share, 2000) or 2001 for _ in range(senders))
        found[f"share_{share:g}"] = {
            "senders": senders,
            "median": statistics.median(numbers),
            "p90": numbers[int(senders * 0.9)],
            "within_50": sum(number <= 50 for number in numbers) / senders,
        }
    return found


def scenarios(senders: int) -> list[dict[str, Any]]:
    """Play every scenario with many senders."""
    table = tomllib.loads((ROOT / "benchmarks/sender_scenarios.toml").read_text("utf-8"))
    rows = []
    for scenario in table["scenario"]:
        found = [play(table, scenario, seed=seed) for seed in range(senders)]
        rows.append(
            {
                "name": scenario["name"],
                "expect": scenario["expect"],
                "senders": senders,
                "as_expected": sum(is_as_expected(scenario, one) for one in found) / senders,
                "let_through": statistics.median(one.passed for one in found),
            }
        )
    return rows


def cost() -> dict[str, float]:
    """Time a decision beside one of a limiter with one rule, and count the bytes of a record."""
    times, store = count(), MemoryStore()
    senders = SenderControl(store, clock=lambda: MONDAY + 400.0 * next(times))
    limiter = Limiter(Limit("1000000/hour", per="recipient"), store=MemoryStore())
    people = [f"r{n}@example.org" for n in range(40)] * 5
    found = interleaved(
        {
            "senders": lambda to: senders.acquire("ada", to=to, client="192.0.2.1"),
            "limiter": lambda to: limiter.acquire(to=to, client="192.0.2.1"),
        },
        people,
    )
    size = max(len(document) for _, document in store.scan("sender:"))
    return {
        "microseconds": found["senders"],
        "acquires": found["senders"] / found["limiter"],
        "bytes_per_sender": size,
    }


if __name__ == "__main__":
    logging.disable()
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    write(
        "sender_control",
        {"invalid": invalid_recipients(), "scenarios": scenarios(number), "cost": cost()},
    )
