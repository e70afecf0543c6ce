"""Train the model of the kinds that the guard knows, and write it into the package.

    python tasks/train_kinds.py [CORPUS ...]

The texts of corpus/kinds.tsv teach the kinds; with them, the marketing and transactional messages of the open
corpus and of each CORPUS (a folder with a MANIFEST.tsv, of messages or of HTML templates) teach which of the
two a message is. A message counts less where its source has many. Only the most telling traits are kept,
and the weights fitted again on them.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, diags
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from mailflows.errors import MessageError
from mailflows.flows._advert import KindModel, core_of_text, cores, known_kinds, traits
from mailflows.message import Message

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "src/mailflows/data/flows/kinds.json"

MOST_TRAITS = 8_600
"""Choice: the model file stays below 500 kB; more traits found no more (benchmarks/flows_guard.py)."""

PER_SOURCE = 5
COLLECTED = 0.5
"""Messages that a source counts as at most, and the weight of one beside a text written to teach a kind;
chosen on sources left out of training."""

STRENGTH = 30.0
"""Inverse of the regularisation; chosen on sources left out of training."""

LEAST_WEIGHT = 1.5
"""Choice: smaller weights of a kind add bytes, not names."""

FLAG = 0.25
REFUSE = 0.8
NAMED = -0.5
"""Thresholds, chosen on texts and languages left out of training (benchmarks/flows_guard.py)."""


@dataclass(frozen=True, slots=True)
class Taught:
    """What a message holds, what it is, and where it comes from.

    Attributes:
        found: Its traits.
        kind: Its kind, or its label where it has no named kind.
        source: Where it comes from.
        language: Two letters.
        weight: How much it counts.
    """

    found: set[str]
    kind: str
    source: str
    language: str
    weight: float = 1.0

    @property
    def is_marketing(self) -> bool:
        """Whether it belongs on the marketing flow."""
        known = known_kinds()
        return (known[self.kind].place if self.kind in known else self.kind) != "transactional"


def rows_of() -> list[dict[str, str]]:
    """Return the rows of the texts that teach the kinds."""
    with (ROOT / "corpus/kinds.tsv").open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened, delimiter="\t", quoting=csv.QUOTE_NONE))


def written() -> list[Taught]:
    """Read the texts that teach the kinds."""
    rows = rows_of()
    return [
        Taught(traits(core_of_text(r["subject"], r["text"])), r["kind"], "written", r["lang"]) for r in rows
    ]


def collected(folder: Path) -> list[Taught]:
    """Read the marketing and transactional messages of a corpus."""
    found = []
    with (folder / "MANIFEST.tsv").open(encoding="utf-8", newline="") as opened:
        rows = [row for row in csv.DictReader(opened, delimiter="\t") if row["label"] != "professional"]
    many = Counter((row["label"], row.get("source") or row["family"]) for row in rows)
    for row in rows:
        try:
            message = read_row(folder / row["file"])
        except MessageError:
            continue
        source = row.get("source") or row["family"]
        weight = COLLECTED * (min(1.0, PER_SOURCE / many[row["label"], source]) if row.get("source") else 1.0)
        found.append(Taught(traits(cores(message)[0]), row["label"], source, row["lang"], weight))
    return found


_TITLE = re.compile(r"<title[^>]*>([^<]{1,200})", re.IGNORECASE)


def read_row(path: Path) -> Message:
    """Read a message, or an HTML template, whose title stands for its subject."""
    if path.suffix == ".eml":
        return Message.read(path)
    text = path.read_text("utf-8", "replace")
    title = _TITLE.search(text)
    subject = " ".join(title[1].split()) if title else ""
    kind = "html" if "<" in text else "plain"
    return Message.read(f"Subject: {subject}\nContent-Type: text/{kind}; charset=utf-8\n\n{text}")


def train(taught: list[Taught]) -> KindModel:
    """Fit the weights, keep the most telling traits, and fit again."""
    counts = Counter(name for one in taught for name in one.found)
    kept = {name for name, count in counts.items() if count >= 2}
    for _ in range(2):
        rows = [{name: 1.0 for name in one.found if name in kept} for one in taught]
        vectorizer = DictVectorizer()
        table = vectorizer.fit_transform(rows)
        names = list(vectorizer.get_feature_names_out())
        telling = np.log(1 + table.shape[0] / np.asarray((table > 0).sum(axis=0)).ravel()).round(2)
        values = csr_matrix(normalize(table @ diags(telling)))
        fitted = LogisticRegression(C=STRENGTH, max_iter=300, solver="liblinear", class_weight="balanced")
        fitted.fit(values, [one.is_marketing for one in taught], sample_weight=[one.weight for one in taught])
        order = np.argsort(-np.abs(fitted.coef_[0] * telling))[:MOST_TRAITS]
        if len(kept) <= MOST_TRAITS:
            break
        kept = {names[number] for number in order}
    weights = {
        n: (float(t), round(float(w), 2)) for n, t, w in zip(names, telling, fitted.coef_[0], strict=True)
    }
    kinds, words = _kinds(taught, values, names)
    return KindModel(weights, round(float(fitted.intercept_[0]), 3), kinds, words, FLAG, REFUSE, NAMED)


def _kinds(
    taught: list[Taught], values: csr_matrix, names: list[str]
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Fit each kind against all others; return start values, and trait → kind → weight."""
    chosen = [number for number, one in enumerate(taught) if one.kind in known_kinds()]
    starts: dict[str, float] = {}
    telling: dict[str, dict[str, float]] = defaultdict(dict)
    for kind in sorted({taught[number].kind for number in chosen}):
        fitted = LogisticRegression(C=STRENGTH, max_iter=300, solver="liblinear", class_weight="balanced")
        fitted.fit(values[chosen], [taught[number].kind == kind for number in chosen])
        starts[kind] = round(float(fitted.intercept_[0]), 2)
        for name, weight in zip(names, fitted.coef_[0], strict=True):
            if abs(weight) >= LEAST_WEIGHT:
                telling[name][kind] = round(float(weight), 1)
    return starts, dict(telling)


def main() -> None:
    """Train on everything and write the file."""
    folders = [ROOT / "corpus", *map(Path, sys.argv[1:])]
    taught = written() + [one for folder in folders for one in collected(folder)]
    model = train(taught)
    content = {
        "about": {
            "source": "trained by tasks/train_kinds.py; numbers only",
            "date": datetime.now(UTC).date().isoformat(),
            "licence": "MIT",
            "messages": len(taught),
            "sources": len({one.source for one in taught}),
        },
        "start": model.start,
        "flag": model.flag,
        "refuse": model.refuse,
        "named": model.named,
        "kinds": model.kinds,
        "telling": model.telling,
        "traits": model.traits,
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    OUT.write_text(text + "\n", "utf-8")
    print(f"{len(model.traits)} traits, {len(model.kinds)} kinds, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
