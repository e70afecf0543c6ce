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

from pacing_runs import Provider, capacity, fairness
from throttling_provider import simulate

PROVIDERS = {"10 a second": (10, 1.0), "60 a minute": (60, 60.0), "600 a minute": (600, 60.0)}
SLOW = {"10 a minute": (10, 60.0), "100 in ten minutes": (100, 600.0)}
"""So few messages an hour that finding out costs a larger share; measured, not promised."""


REPLIES = {
    "Gmail's 4.7.28": (
        "gmail.com",
        421,
        "4.7.28 Our system has detected an unusual rate of unsolicited mail",
        120,
    ),
    "Outlook's 4.7.500": ("outlook.com", 451, "4.7.500 Server busy. Please try again later", 120),
    "Yahoo's TSS04": (
        "yahoo.com",
        421,
        "4.7.0 [TSS04] Messages temporarily deferred due to unexpected volume",
        120,
    ),
    "Outlook, too many connections": (
        "outlook.com",
        421,
        "4.3.2 The maximum number of concurrent connections",
        120,
    ),
    "Gmail, try again later": ("gmail.com", 421, "4.7.0 Try again later, closing connection.", 120),
    "unknown: 450 4.4.9": ("mail.example", 450, "4.4.9 not now", 60),
    "slow down, 10 a minute": ("mail.example", 421, "4.7.0 Too many messages, slow down", 10),
    "slow down, 600 a minute": ("gmail.com", 421, "4.7.0 Too many messages, slow down", 600),
}
MIXED = {"gmail.com": 600, "outlook.com": 300, "yahoo.com": 300, "orange.fr": 60}


def replies() -> dict[str, dict[str, float]]:
    """Measure two hours, from the thirtieth minute on, for what providers say."""
    found = {}
    for name, (domain, code, text, limit) in REPLIES.items():
        run = capacity(Provider(code, text, limit), domain, hours=2, warm_up=1800)
        found[name] = {"used": round(run.used, 4), "deferred": round(run.deferred, 4)}
    return found


def mixed() -> dict[str, float]:
    """Return how many times as long each of four providers takes together as alone."""
    text = (421, "4.7.0 Too many messages, slow down")
    together = fairness({domain: Provider(*text, limit) for domain, limit in MIXED.items()}, each=1500)
    return {
        domain: round(together[domain] / fairness({domain: Provider(*text, limit)}, each=1500)[domain], 3)
        for domain, limit in MIXED.items()
    }


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
    write(
        "limits_pacing",
        {"hours": 1, "worst": worst, "runs": found, "replies": replies(), "mixed": mixed()},
    )


if __name__ == "__main__":
    main()
