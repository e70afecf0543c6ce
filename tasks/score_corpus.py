"""Score anybody's predictions on the open corpus: the splits, the figures, nothing about how they were made.

    python tasks/score_corpus.py PREDICTIONS.tsv

PREDICTIONS has a head line and the columns ``split``, ``file``, ``professional``, ``marketing`` and
``transactional``: one line for each message of a split, with probabilities (or 1 and 0). The splits:

* ``language``: each message predicted by what was trained on the other languages alone;
* ``tool``: each message predicted by what was trained on the other tool families alone;
* ``confusers``: the confusers predicted by what was trained on the other messages alone.

A model that learns nothing from the corpus may give the same predictions for all three.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

CORPUS = Path(__file__).resolve().parent.parent / "corpus"
FLOWS = ("professional", "marketing", "transactional")
BINS = 10  # choice: as calibration is usually reported; each holds as many messages
RIGHT = 0.985  # choice: how often a kept answer must be right


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the corpus's manifest, as far as splits need it."""

    file: str
    label: int
    language: str
    family: str
    is_confuser: bool


def manifest() -> list[Row]:
    """Return the messages of the corpus, in the order of the manifest."""
    with (CORPUS / "MANIFEST.tsv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        Row(r["file"], FLOWS.index(r["label"]), r["lang"], r["family"], r["confuser"] == "1") for r in rows
    ]


def folds(rows: list[Row], split: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the places of (training, judged) messages of each fold of a split."""
    if split == "confusers":
        confuser = np.array([row.is_confuser for row in rows])
        return [(np.flatnonzero(~confuser), np.flatnonzero(confuser))]
    groups = np.array([row.language if split == "language" else row.family for row in rows])
    return [(np.flatnonzero(groups != g), np.flatnonzero(groups == g)) for g in sorted(set(groups))]


SPLITS = ("language", "tool", "confusers")


def scored(shares: np.ndarray, labels: np.ndarray) -> dict[str, object]:
    """Return the figures of some predictions; every message counts alike."""
    answers, confidence = shares.argmax(axis=1), shares.max(axis=1)
    right = answers == labels
    counts = np.zeros((3, 3), dtype=int)
    np.add.at(counts, (labels, answers), 1)
    hits = np.diag(counts)
    precision = hits / np.maximum(counts.sum(axis=0), 1)
    recall = hits / np.maximum(counts.sum(axis=1), 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    order = np.argsort(-confidence, kind="stable")
    kept = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(kept >= RIGHT)
    gaps = [
        len(part) * abs(right[part].mean() - confidence[part].mean()) for part in np.array_split(order, BINS)
    ]
    return {
        "messages": len(labels),
        "macro_f1": round(float(f1.mean()), 4),
        "f1": dict(zip(FLOWS, f1.round(4).tolist(), strict=True)),
        "calibration_error": round(float(sum(gaps)) / len(labels), 4),
        "kept_at_985_right": round((int(enough[-1]) + 1) / len(labels) if len(enough) else 0.0, 4),
        "confusion": counts.tolist(),
    }


def score(predictions: Iterable[dict[str, str]]) -> dict[str, dict[str, object]]:
    """Score predictions, split by split.

    Raises:
        SystemExit: If a split lacks a message, or a probability is none.
    """
    rows = manifest()
    given: dict[tuple[str, str], list[float]] = {}
    for line in predictions:
        given[line["split"], line["file"]] = [float(line[flow]) for flow in FLOWS]
    found = {}
    for split in dict.fromkeys(split for split, _ in given):
        judged = [rows[i] for _, held in folds(rows, split) for i in held]
        missing = [row.file for row in judged if (split, row.file) not in given]
        if missing:
            raise SystemExit(f"{split}: {len(missing)} messages have no prediction, such as {missing[0]}")
        shares = np.array([given[split, row.file] for row in judged])
        if not ((shares >= 0).all() and np.allclose(shares.sum(axis=1), 1, atol=1e-3)):
            raise SystemExit(f"{split}: three probabilities that sum to 1 are needed for each message")
        found[split] = scored(shares, np.array([row.label for row in judged]))
    return found


def main() -> None:
    """Score a file and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("predictions", type=Path)
    with parser.parse_args().predictions.open(encoding="utf-8", newline="") as handle:
        print(json.dumps(score(csv.DictReader(handle, delimiter="\t")), indent=1))


if __name__ == "__main__":
    main()
