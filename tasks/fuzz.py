"""Classify a hundred thousand mutations of real messages; any exception is a defect.

Usage: python tasks/fuzz.py [--count 100000] [--seed 1] [FOLDER...]

The folders hold ``*.eml`` files; the project's own corpus by default. Prints the seed and number of a
message that raised, so that it can be made again, and ends with status 1.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from hostile import mutated  # noqa: E402 -- the wounds are the tests' own
from mailflows import Classifier  # noqa: E402


def main() -> int:
    """Run the mutations and write what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folders", nargs="*", type=Path, default=[ROOT / "corpus"])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    originals = [p.read_bytes() for folder in options.folders for p in sorted(folder.rglob("*.eml"))]
    classifier = Classifier()
    failures = 0
    slowest = 0.0
    for number in range(options.count):
        chance = random.Random(f"{options.seed}:{number}")
        message = mutated(chance.choice(originals), chance)
        start = time.perf_counter()
        try:
            classifier.classify(message)
        except Exception as problem:  # noqa: BLE001 -- that is what is looked for
            failures += 1
            print(f"seed {options.seed} number {number}: {problem!r}", file=sys.stderr)
        slowest = max(slowest, time.perf_counter() - start)
    result = {
        "mutations": options.count,
        "originals": len(originals),
        "seed": options.seed,
        "exceptions": failures,
        "slowest_ms": round(slowest * 1000, 1),
    }
    target = ROOT / "benchmarks" / "results" / "fuzz.json"
    target.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result))
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
