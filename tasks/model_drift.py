"""Say how many verdicts change between two model files, and which: part of every change of the model.

Usage: python tasks/model_drift.py OLD.json [--new NEW.json] [FOLDER...]

The folders hold messages; the open corpus and the examples by default, and the shipped model as the
new one. Get an old model from the history: ``git show COMMIT:src/mailflows/data/model.json >
old.json``; it is given today's signals. Writes benchmarks/results/model_drift.json, and prints each
message whose flow changed.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from mailflows import Classifier

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Classify everything with both, and write the differences."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("--new", type=Path, default=ROOT / "src" / "mailflows" / "data" / "model.json")
    parser.add_argument(
        "folders", nargs="*", type=Path, default=[ROOT / "corpus", ROOT / "examples" / "messages"]
    )
    options = parser.parse_args()
    old, new = Classifier.load(options.old), Classifier.load(options.new)
    changes: Counter[str] = Counter()
    messages, moved = 0, 0.0
    for path in sorted(p for folder in options.folders for p in folder.rglob("*.eml")):
        before, after = old.classify(path), new.classify(path)
        messages += 1
        moved = max(moved, abs(before.confidence - after.confidence))
        if before.flow != after.flow:
            step = f"{before.flow or 'unsure'} to {after.flow or 'unsure'}"
            changes[step] += 1
            print(f"{step}: {path.name}")
    figures = {
        "messages": messages,
        "verdicts changed": changes.total(),
        "share changed": round(changes.total() / max(1, messages), 4),
        "changes": dict(changes.most_common()),
        "confidence moved at most": round(moved, 3),
    }
    target = ROOT / "benchmarks" / "results" / "model_drift.json"
    target.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
