"""How the hard kinds of mail fare in a language that the model never saw.

Usage: python benchmarks/classifier_kinds.py CORPUS [--jobs 2]

Writes benchmarks/results/classifier_kinds.json. Each language of the open corpus is judged by what was
trained on the other languages and on the outside corpus, with the shipped threshold; the kinds are those of
the manifest. "Wrong of the kept" counts answers above the threshold alone.

The halves of ``guard_mails.txt`` that are only measured, which nothing is taught from and nothing was
chosen by, are judged by the shipped model: bare, as text and as HTML, from a no-reply address and from
another.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
from guard_mails import mails
from recording import write

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tasks"))

from corpora import by_language, distinct, outside, own, texts  # noqa: E402 -- a script of the neighbouring folder

from mailflows import Classifier, Flow  # noqa: E402
from mailflows.classifier import Model  # noqa: E402
from mailflows.training import Recipe  # noqa: E402
from mailflows.training.fitting import see, softmax  # noqa: E402
from mailflows.training.holdout import left_out  # noqa: E402

FLOWS = [flow.value for flow in Flow]
ONLY_MEASURED = ("b", "d")
"""Halves of the mails that no rule and no text was mended on."""

KINDS = {
    "opt-in confirmation": ("opt-in confirmation",),
    "opt-out confirmation": ("opt-out confirmation",),
    "image-only newsletter": ("image-only newsletter",),
    "shared mailbox": ("shared mailbox",),
    "neutral sender": ("neutral sender",),
    "automatic, under a person's name": ("automatic under a person's name",),
    "one line": ("one-liner", "one-line promotion", "one-line automatic"),
    "hand-made newsletter": ("hand-made newsletter", "seasonal offer", "course advert"),
    "sales sequence": ("sales sequence", "sales-sequence"),
    "an invitation, by a person or a tool": ("invitation",),
}


def kinds() -> dict[str, str]:
    """Return the kind of each file of the open corpus."""
    with (ROOT / "corpus" / "MANIFEST.tsv").open(encoding="utf-8", newline="") as handle:
        return {r["file"]: r["kind"] for r in csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)}


def main() -> None:
    """Judge each language without it, and write the figures by kind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    judged = distinct(own())
    seeing = see(
        [*judged, *distinct(outside(options.corpus)), *by_language(texts())],
        views=("as_sent", "bare"),
        n_jobs=options.jobs,
    )
    held = left_out(seeing, Recipe(), groups=[e.family for e in judged], n_jobs=options.jobs)
    shipped, kind_of = Model.shipped(), kinds()
    labels = np.array([FLOWS.index(e.label.value) for e in judged])
    found: dict[str, Any] = {}
    for name, its in KINDS.items():
        chosen = np.array([i for i, e in enumerate(judged) if kind_of[e.file] in its])
        found[name] = {"messages": len(chosen)} | {
            view: figures(
                softmax(held.logits[view][chosen] / shipped.temperature), labels[chosen], shipped.threshold
            )
            for view in held.logits
        }
        print(name, found[name], flush=True)
    fresh = fresh_mails()
    print(fresh)
    write("classifier_kinds", {"kinds": found, "fresh": fresh}, packages=("scikit-learn",))


def fresh_mails() -> dict[str, Any]:
    """Judge the mails that were never taught, by where they come from and what they are."""
    classifier, found = Classifier(), {}
    for sender in ("no-reply@notify.example.org", "hello@example.org"):
        for side, flow in (("clean", Flow.TRANSACTIONAL), ("marketing", Flow.MARKETING)):
            asked = [
                mail.message(as_html=as_html, sender=sender)
                for mail in mails()
                if mail.side == side and mail.half in ONLY_MEASURED
                for as_html in (False, True)
            ]
            results = [classifier.classify(message.encode()) for message in asked]
            found[f"{flow.value} from {sender.partition('@')[0]}@"] = {
                "messages": len(results),
                "right": sum(result.likely == flow for result in results),
                "kept": sum(result.flow is not None for result in results),
                "wrong_of_the_kept": sum(result.flow not in {None, flow} for result in results),
            }
    return found


def figures(shares: np.ndarray, labels: np.ndarray, threshold: float) -> dict[str, Any]:
    """Return how often one kind is right, kept and wrong, and where it leans."""
    answers, kept = shares.argmax(axis=1), shares.max(axis=1) >= threshold
    return {
        "right": int((answers == labels).sum()),
        "kept": int(kept.sum()),
        "wrong_of_the_kept": int((kept & (answers != labels)).sum()),
        "leaning": {flow: int((answers == k).sum()) for k, flow in enumerate(FLOWS)},
        "kept_as": {flow: int((kept & (answers == k)).sum()) for k, flow in enumerate(FLOWS)},
    }


if __name__ == "__main__":
    main()
