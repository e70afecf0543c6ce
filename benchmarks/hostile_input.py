"""How the time grows with the size of messages that are written to hang a reader.

Usage: python benchmarks/hostile_input.py [--check]

Writes benchmarks/results/hostile_input.json: for each generator of tests/hostile.py the milliseconds
at 125 kB, 250 kB, 500 kB and 1 MB, and the growth per doubling (the largest mean over two doublings: a
single one says more about caches and garbage collection). With --check it ends with status 1 if a
message of 1 MB takes more than LIMIT_MS, or doubling costs more than GROWTH.
"""

from __future__ import annotations

import argparse
import sys
import time

from recording import ROOT, write

from mailflows import Classifier

sys.path.insert(0, str(ROOT / "tests"))

from typing import TYPE_CHECKING

from hostile import GENERATORS

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (125_000, 250_000, 500_000, 1_000_000)
LIMIT_MS = 150.0
GROWTH = 2.2
REPEATS = 5
NOISE_MS = 8.0
"""Below this a ratio says more about the machine than about the input."""


def best(run: Callable[[bytes], object], raw: bytes) -> float:
    """Return the best of some runs, in milliseconds."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run(raw)
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def growth(times: list[float]) -> float:
    """Return the largest growth per doubling, over two doublings."""
    pairs = zip(times, times[2:], strict=False)
    return max(((large / small) ** 0.5 for small, large in pairs if large > NOISE_MS), default=0.0)


def main() -> int:
    """Measure, write, and say whether the limits hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="end with status 1 if a limit is passed")
    options = parser.parse_args()
    classifier = Classifier()
    classifier.classify(GENERATORS["text: one line"](1000))
    found = {
        name: [best(classifier.classify, make(size)) for size in SIZES] for name, make in GENERATORS.items()
    }
    slow = [name for name, times in found.items() if times[-1] > LIMIT_MS]
    steep = [name for name, times in found.items() if growth(times) > GROWTH]
    result = {
        "sizes": SIZES,
        "slowest": max(found, key=lambda name: found[name][-1]),
        "slowest_ms": round(max(times[-1] for times in found.values()), 1),
        "steepest_growth": round(max(map(growth, found.values())), 2),
        f"over {LIMIT_MS:.0f} ms": slow,
        f"growth over {GROWTH}": steep,
        "milliseconds": {name: [round(t, 2) for t in times] for name, times in found.items()},
    }
    write("hostile_input", result)
    return 1 if options.check and (slow or steep) else 0


if __name__ == "__main__":
    raise SystemExit(main())
