"""The open benchmark of the three flows: baselines and this library, trained on the open corpus alone.

Usage: python benchmarks/classifier_open.py [--predictions FOLDER]

Writes benchmarks/results/classifier_open.json. The splits and the figures are those of
``tasks/score_corpus.py``, which scores anybody's predictions; with --predictions each candidate's are written
as a file that it reads.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from recording import write
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tasks"))

import score_corpus as scorer  # noqa: E402 -- a script of the neighbouring folder
from classifier_quality import header_rules  # noqa: E402 -- a script beside this one

from mailflows.signals import SIGNALS  # noqa: E402
from mailflows.training import Recipe, load_corpus  # noqa: E402
from mailflows.training.fitting import fit, see, softmax  # noqa: E402
from mailflows.training.vectorize import signal_matrix  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailflows.training import Example


def candidates(examples: list[Example]) -> dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
    """Return functions from (training, judged) places to probabilities."""
    labels = np.array([scorer.FLOWS.index(e.label) for e in examples])
    rules = np.array([header_rules(e.message) for e in examples])
    texts = [f"{e.message.subject}\n{e.message.body[:20_000]}" for e in examples]
    seeing = see(examples)
    signals = signal_matrix([signals for signals, _ in seeing.seen["as_sent"]], list(SIGNALS)).toarray()

    def by_rules(_: np.ndarray, judged: np.ndarray) -> np.ndarray:
        return np.eye(3)[rules[judged]]

    def by_words(learned: np.ndarray, judged: np.ndarray) -> np.ndarray:
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        matrix = vectorizer.fit_transform([texts[i] for i in learned])
        model = LogisticRegression(C=10, max_iter=200).fit(matrix, labels[learned])
        return model.predict_proba(vectorizer.transform([texts[i] for i in judged]))

    def by_trees(learned: np.ndarray, judged: np.ndarray) -> np.ndarray:
        model = HistGradientBoostingClassifier(max_iter=80, random_state=1)
        return model.fit(signals[learned], labels[learned]).predict_proba(signals[judged])

    def ours(learned: np.ndarray, judged: np.ndarray) -> np.ndarray:
        trained = fit(seeing.subset(list(learned)), Recipe())
        return softmax(trained.logits(seeing.subset(list(judged)).seen["as_sent"]))

    return {
        "header rules": by_rules,
        "TF-IDF + logistic regression": by_words,
        "the signals + boosted trees": by_trees,
        "mailflows' recipe": ours,
    }


def main() -> None:
    """Predict every split with every candidate, score, and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--predictions", type=Path)
    options = parser.parse_args()
    rows = scorer.manifest()
    by_file = {e.file: e for e in load_corpus(ROOT / "corpus")}
    examples = [by_file[row.file] for row in rows]
    found: dict[str, object] = {}
    for name, predict in candidates(examples).items():
        lines = []
        for split in scorer.SPLITS:
            for learned, judged in scorer.folds(rows, split):
                for i, shares in zip(judged, predict(learned, judged), strict=True):
                    lines.append(
                        {"split": split, "file": rows[i].file}
                        | {flow: str(share) for flow, share in zip(scorer.FLOWS, shares, strict=True)}
                    )
        found[name] = scorer.score(lines)
        if options.predictions:
            head = ("split", "file", *scorer.FLOWS)
            text = ["\t".join(head), *("\t".join(line[k] for k in head) for line in lines)]
            (options.predictions / f"{name.split()[0]}.tsv").write_text("\n".join(text) + "\n", "utf-8")
        print(name, {split: figures["macro_f1"] for split, figures in found[name].items()}, flush=True)  # type: ignore[attr-defined]
    write("classifier_open", {"messages": len(rows), "candidates": found}, packages=("scikit-learn",))


if __name__ == "__main__":
    main()
