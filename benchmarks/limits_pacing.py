"""How much of a provider's hidden capacity the pacer uses, and how many of its messages are deferred.

Run: ``python benchmarks/limits_pacing.py``. Simulated time; writes ``benchmarks/results/limits_pacing.json``.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from itertools import product
from typing import Any

from recording import ROOT, write

sys.path.insert(0, str(ROOT / "tests"))

from throttling_provider import simulate

PROVIDERS = {"10 a second": (10, 1.0), "60 a minute": (60, 60.0), "600 a minute": (600, 60.0)}
SLOW = {"10 a minute": (10, 60.0), "100 in ten minutes": (100, 600.0)}
"""So few messages an hour that finding out costs a larger share; measured, not promised."""


def main() -> None:
    """Measure each provider with a rate that is twice and 50 times too high, for one and two processes."""
    found: dict[str, Any] = {}
    for (name, (limit, window)), times, processes in product((PROVIDERS | SLOW).items(), (2, 50), (1, 2)):
        figures = simulate(limit=limit, window=window, times_too_high=times, processes=processes)
        key = f"{name}, rate {times} times too high, {processes} process{'es' * (processes > 1)}"
        found[key] = {field: round(value, 4) for field, value in asdict(figures).items()}
    held = [v for k, v in found.items() if k.partition(",")[0] in PROVIDERS]
    worst = {
        "capacity_used": min(v["capacity_used"] for v in held),
        "deferral_share": max(v["deferral_share"] for v in held),
    }
    write("limits_pacing", {"hours": 1, "worst": worst, "runs": found})


if __name__ == "__main__":
    main()
