"""How good the classifier is on sources it never saw, compared with header rules and TF-IDF.

Usage: python benchmarks/classifier_quality.py CORPUS [--extra FOLDER] [--jobs 2]

Writes benchmarks/results/classifier_quality.json. Four splits, the same messages in each:

* ``source``: leave one source of the outside corpus out, and one language of the open corpus;
* ``tool``: leave one tool family of the open corpus out, in all languages;
* ``family``: leave out every source that resembles the judged one (all list archives together …);
* ``random``: ten random folds, which flatters: shown so that nobody quotes it alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
from joblib import Parallel, delayed
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tasks"))

from corpora import by_language, distinct, extra, outside, own, texts  # noqa: E402 -- a script beside this one

from mailflows import Flow  # noqa: E402
from mailflows.training import Recipe  # noqa: E402
from mailflows.training.corpus import view  # noqa: E402
from mailflows.training.evaluation import judge, metrics  # noqa: E402
from mailflows.training.fitting import Seeing, see, weights_of  # noqa: E402
from mailflows.training.holdout import LeftOut, left_out, source_groups, source_weights  # noqa: E402

if TYPE_CHECKING:
    from mailflows.message import Message
    from mailflows.training import Example

FLOWS = list(Flow)


def header_rules(message: Message) -> int:
    """Judge as mail filters do: list and bulk headers, automatic headers, otherwise a person."""
    if "list-unsubscribe" in message or message.get("precedence").lower() in {"bulk", "junk", "list"}:
        return 1
    local = message.sender.local
    if "auto-submitted" in message or "noreply" in local or "no-reply" in local or "daemon" in local:
        return 2
    return 0


def rules_figures(examples: list[Example]) -> dict[str, Any]:
    """Judge every view by header rules."""
    labels = np.array([FLOWS.index(e.label) for e in examples])
    weights = source_weights(examples)
    found = {}
    for name in ("as_sent", "bare"):
        answers = np.array([header_rules(view(e, name)) for e in examples])
        found[name] = metrics(np.eye(3)[answers], labels, weights, np.ones(len(labels), bool)).macro_f1
    return found


def tfidf_logits(examples: list[Example], groups: list[str], jobs: int) -> np.ndarray:
    """Judge each group by TF-IDF words and pairs with logistic regression trained without it.

    The vocabulary is taken from all messages, which favours this peer a little.
    """
    texts = [f"{e.message.subject}\n{e.message.body[:20_000]}" for e in examples]
    matrix = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, sublinear_tf=True, max_features=60_000
    ).fit_transform(texts)
    labels = np.array([FLOWS.index(e.label) for e in examples])
    names = np.array(groups)
    weights = weights_of(examples, 0.5)

    def one(name: str) -> tuple[np.ndarray, np.ndarray]:
        held = np.flatnonzero(names == name)
        learned = np.flatnonzero(names != name)
        model = LogisticRegression(C=10, max_iter=200)
        model.fit(matrix[learned], labels[learned], sample_weight=weights[learned])
        return held, model.decision_function(matrix[held])

    logits = np.zeros((len(examples), 3))
    for held, rows in Parallel(n_jobs=jobs)(delayed(one)(name) for name in sorted(set(groups))):
        logits[held] = rows
    return logits


def part(judged: LeftOut, wanted: str) -> LeftOut:
    """Keep the judged messages of the outside or of the open corpus."""
    chosen = [i for i, e in enumerate(judged.examples) if e.family.startswith(wanted)]
    return LeftOut(
        tuple(judged.examples[i] for i in chosen),
        tuple(judged.groups[i] for i in chosen),
        {name: rows[chosen] for name, rows in judged.logits.items()},
    )


def figures(judged: LeftOut) -> dict[str, Any]:
    """Return the figures of one part."""
    evaluation = judge(judged)
    return evaluation.to_dict() | {"errors": len(evaluation.errors)}


def macro_f1(logits: np.ndarray, examples: list[Example]) -> float:
    """Return the source-balanced macro-F1 of logits."""
    labels = np.array([FLOWS.index(e.label) for e in examples])
    every = np.ones(len(labels), bool)
    return metrics(logits, labels, source_weights(examples), every).macro_f1


def main() -> None:
    """Run every split and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--extra", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    examples = distinct(outside(options.corpus) + own())
    further = [*(distinct(extra(options.extra)) if options.extra else []), *by_language(texts())]
    seeing = see([*examples, *further], n_jobs=options.jobs)
    by_tool = Seeing(tuple(map(of_tool, seeing.examples)), seeing.seen)  # a text has no tool
    sources = source_groups(examples)
    is_open = [e.family.startswith("open") for e in examples]
    groups = {
        "source": [e.family if o else s for e, s, o in zip(examples, sources, is_open, strict=True)],
        "tool": [e.source.split()[1] if o else e.family for e, o in zip(examples, is_open, strict=True)],
        "random": [f"fold {hashlib.sha256(e.file.encode()).digest()[0] % 10}" for e in examples],
    }
    found: dict[str, Any] = {}
    for split, names in groups.items():
        judged = left_out(
            seeing if split == "source" else by_tool, Recipe(), groups=names, n_jobs=options.jobs
        )
        found[split] = {"outside": figures(part(judged, "outside")), "open": figures(part(judged, "open"))}
        print(
            split, {k: round(v["views"]["bare"]["macro_f1"], 3) for k, v in found[split].items()}, flush=True
        )
    found["family"] = {"outside": found["tool"].pop("outside")}
    logits = tfidf_logits(examples, groups["source"], options.jobs)
    for wanted in ("outside", "open"):
        chosen = [i for i, e in enumerate(examples) if e.family.startswith(wanted)]
        mine = [examples[i] for i in chosen]
        found["source"][wanted]["peers"] = {
            "header rules": rules_figures(mine),
            "TF-IDF + logistic regression": macro_f1(logits[chosen], mine),
        }
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "scikit_learn": sklearn.__version__,
        "messages": {w: sum(e.family.startswith(w) for e in examples) for w in ("outside", "open")},
        "extra_messages": len(further),
        "by_source": sources_table(examples),
        "splits": found,
    }
    target = ROOT / "benchmarks" / "results" / "classifier_quality.json"
    target.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(found["source"]["outside"]["peers"]))


def of_tool(example: Example) -> Example:
    """Put a message of the open corpus into the family of its tool; the texts of its language stay."""
    kind, *tool = example.source.split()
    return dataclasses.replace(example, family=f"open {tool[0]}") if kind == "open" else example


def sources_table(examples: list[Example]) -> dict[str, dict[str, int]]:
    """Count messages by family and flow."""
    table: dict[str, dict[str, int]] = {}
    for example in examples:
        row = table.setdefault(example.family, {flow.value: 0 for flow in FLOWS})
        row[example.label.value] += 1
    return dict(sorted(table.items()))


if __name__ == "__main__":
    main()
