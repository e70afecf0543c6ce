"""Try a million forged tokens; one that is accepted is a defect.

Usage: python tasks/forge_tokens.py [--count 1000000] [--seed 1]

Tokens of every purpose are changed, cut, joined and signed with another one's signature. Writes what came
out to benchmarks/results/forged_tokens.json, and ends with status 1 if any was accepted.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from forging import forgeries, swaps  # noqa: E402 -- the forger is the tests' own
from mailflows.tracking import Tracker  # noqa: E402


def main() -> int:
    """Run the trials and write what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tracker = Tracker([Random(options.seed).randbytes(32)], "https://t.shop.example/")
    accepted = forgeries(tracker, options.count, Random(options.seed))
    for text, purpose in accepted:
        print(f"accepted as {purpose}: {text}", file=sys.stderr)
    exchanged = swaps(tracker)
    result = {
        "mutations": options.count,
        "seed": options.seed,
        "accepted": len(accepted),
        "purposes_exchanged": len(exchanged),
    }
    target = ROOT / "benchmarks" / "results" / "forged_tokens.json"
    target.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result))
    return 1 if accepted or exchanged else 0


if __name__ == "__main__":
    raise SystemExit(main())
