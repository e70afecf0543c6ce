"""Read ten thousand mutations of bounces; any exception but a `MessageError` is a defect.

Usage: python tasks/fuzz_bounces.py [--count 10000] [--seed 1] [FOLDER...]

The folders hold ``*.eml`` files; the reports of the project's own tests by default. Prints the seed and
number of a message that raised or took over a second, and ends with status 1.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from feedback_speed import own_reports  # noqa: E402 -- the same reports

from hostile import mutated  # noqa: E402 -- the wounds are the tests' own
from mailflows import MessageError  # noqa: E402
from mailflows.feedback import parse_autoreply, parse_bounce  # noqa: E402

SLOW = 1.0


def main() -> int:
    """Run the mutations and write what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    given = [p.read_bytes() for folder in options.folders for p in sorted(folder.rglob("*.eml"))]
    originals = given or own_reports()
    failures, slowest, events = 0, 0.0, 0
    for number in range(options.count):
        chance = random.Random(f"{options.seed}:{number}")
        raw = mutated(chance.choice(originals), chance)
        start = time.perf_counter()
        try:
            events += len([str(event) for event in parse_bounce(raw)])
            parse_autoreply(raw)
        except MessageError:
            continue
        except Exception as problem:  # noqa: BLE001 -- that is what is looked for
            failures += 1
            print(f"seed {options.seed} number {number}: {problem!r}", file=sys.stderr)
        took = time.perf_counter() - start
        slowest = max(slowest, took)
        failures += took > SLOW
    result = {
        "mutations": options.count,
        "originals": len(originals),
        "seed": options.seed,
        "failures": failures,
        "events": events,
        "slowest_ms": round(slowest * 1000, 1),
    }
    target = ROOT / "benchmarks" / "results" / "fuzz_bounces.json"
    target.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result))
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
