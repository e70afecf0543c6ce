"""How often the intervals contain the true share, on simulated campaigns.

    python benchmarks/tracking_intervals.py

A discrete interval cannot hold exactly 95 % of the time at every single share: the coverage swings around
its aim with the share and the number. What can be asked is that it holds 95 % ± 1 % on average over the
shares and sizes that mail has. Both that average and the worst cell are written.
"""

from __future__ import annotations

import numpy as np
from recording import write

from mailflows.tracking._proportions import newcombe, wilson

CAMPAIGNS = 40_000
SIZES = (200, 1_000, 5_000, 20_000)
SHARES = {
    "complained, unsubscribed": (0.0005, 0.005),
    "clicked": (0.01, 0.06),
    "opened": (0.15, 0.5),
    "delivered": (0.95, 0.995),
}
"""Ranges of true shares by what they are shares of; each campaign draws its own."""


def covered_share(chance: np.random.Generator, size: int, span: tuple[float, float]) -> float:
    """Return how often Wilson's interval holds the true share."""
    truth = chance.uniform(*span, CAMPAIGNS)
    counts = chance.binomial(size, truth)
    intervals = {int(count): wilson(int(count), size) for count in np.unique(counts)}
    ends = np.array([intervals[int(count)] for count in counts])
    return float(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))


def covered_difference(chance: np.random.Generator, size: int, span: tuple[float, float]) -> float:
    """Return how often Newcombe's interval holds the true difference of two campaigns."""
    truths = chance.uniform(*span, (2, CAMPAIGNS))
    counts = chance.binomial(size, truths)
    ends = np.array([newcombe(int(a), size, int(b), size) for a, b in counts.T])
    difference = truths[0] - truths[1]
    return float(np.mean((ends[:, 0] <= difference) & (difference <= ends[:, 1])))


def main() -> None:
    """Simulate and write the result."""
    chance = np.random.default_rng(1)
    found = {}
    for name, cover in (("wilson", covered_share), ("newcombe", covered_difference)):
        cells = {
            f"{kind}, {size} recipients": round(cover(chance, size, span), 4)
            for kind, span in SHARES.items()
            for size in SIZES
        }
        values = list(cells.values())
        found[name] = {
            "mean": round(sum(values) / len(values), 4),
            "lowest": min(values),
            "highest": max(values),
            "cells": cells,
        }
    write(
        "tracking_intervals",
        {"confidence": 0.95, "campaigns_per_cell": CAMPAIGNS} | found,
        packages=("numpy",),
    )


if __name__ == "__main__":
    main()
