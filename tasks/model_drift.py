"""Say which verdicts a change of the model or of the signals changes: run it before and after.

    python tasks/model_drift.py save BEFORE.tsv [CORPUS ...]
    python tasks/model_drift.py compare BEFORE.tsv AFTER.tsv

`save` classifies every message of the open corpus and of each CORPUS (a folder of ``label/source/*.eml``) as
it stands, a line each, so that it can be compared whatever the old model file looked like.
`compare` counts what changed, names the messages, and writes benchmarks/results/model_drift.json.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mailflows import Classifier

ROOT = Path(__file__).resolve().parent.parent
FIELDS = ("model", "corpus", "file", "label", "flow", "likely", "confidence")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a model said of a message; `flow` is empty where it was unsure."""

    model: str
    corpus: str
    file: str
    label: str
    flow: str
    likely: str
    confidence: float


def verdicts(folder: Path, corpus: str) -> list[Verdict]:
    """Classify the messages of a folder."""
    classifier = Classifier()
    files = sorted(folder.glob("*/*/*.eml"))
    return [
        Verdict(
            result.model_version,
            corpus,
            path.relative_to(folder).as_posix(),
            path.parent.parent.name,
            result.flow.value if result.flow else "",
            result.likely.value if result.likely else "",
            round(result.confidence, 3),
        )
        for path, result in zip(files, classifier.classify_many(files), strict=True)
    ]


def kind_of(before: Verdict, after: Verdict) -> str:
    """Name the change of one message."""
    if before.flow == after.flow:
        return "same" if before.likely == after.likely else "unsure, leaning elsewhere"
    if before.flow and after.flow:
        return "another flow"
    return "now unsure" if before.flow else "now sure"


def compared(before: list[Verdict], after: list[Verdict]) -> dict[str, object]:
    """Return how many verdicts changed, in each corpus, and which; only messages of both sides count."""
    old = {(v.corpus, v.file): v for v in before}
    pairs = [(old[v.corpus, v.file], v) for v in after if (v.corpus, v.file) in old]
    counts: dict[str, Counter[str]] = {}
    right: dict[str, list[int]] = {}
    changed = []
    for a, b in pairs:
        kind = kind_of(a, b)
        counts.setdefault(b.corpus, Counter())[kind] += 1
        sides = right.setdefault(b.corpus, [0, 0])
        sides[0] += a.likely == a.label
        sides[1] += b.likely == b.label
        if kind in {"another flow", "now sure", "now unsure"}:
            changed.append(
                {
                    "corpus": b.corpus,
                    "file": b.file,
                    "change": kind,
                    "before": a.flow or f"unsure ({a.likely})",
                    "after": b.flow or f"unsure ({b.likely})",
                }
            )
    return {
        "models": [sorted({v.model for v in side}) for side in (before, after)],
        "counts": {name: dict(sorted(found.items())) for name, found in counts.items()},
        "right_before_and_after": right,
        "changed": changed,
    }


def read(path: Path) -> list[Verdict]:
    """Read what `save` wrote."""
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [Verdict(**{**row, "confidence": float(row["confidence"])}) for row in rows]  # type: ignore[arg-type]


def save(path: Path, folders: list[Path]) -> None:
    """Write the verdicts of this checkout."""
    found = verdicts(ROOT / "corpus", "open")
    for folder in folders:
        found += verdicts(folder, folder.name)
    lines = ["\t".join(FIELDS), *("\t".join(str(getattr(v, name)) for name in FIELDS) for v in found)]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def main() -> None:
    """Save verdicts, or compare two files of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    saving = verbs.add_parser("save")
    saving.add_argument("path", type=Path)
    saving.add_argument("folders", type=Path, nargs="*")
    comparing = verbs.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.verb == "save":
        save(options.path, options.folders)
        return
    result = compared(read(options.before), read(options.after))
    target = ROOT / "benchmarks" / "results" / "model_drift.json"
    target.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(
        json.dumps({name: result[name] for name in ("models", "counts", "right_before_and_after")}, indent=1)
    )


if __name__ == "__main__":
    main()
