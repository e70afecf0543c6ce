"""Train the model of promotional blocks, and write it into the package.

    python tasks/train_blocks.py [CORPUS ...]

Each corpus is a folder with a MANIFEST.tsv, as for tasks/train_model.py; the open corpus is always read.
Passages of marketing mails are set against passages of transactional ones, in all of which a message
counts the same; only words that three sources use are kept. What is known beforehand is added: the lexicons'
concepts that stand for an advert, and those that stand for an event.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from mailflows.classifier import Model
from mailflows.errors import MessageError
from mailflows.flows._advert import BlockModel, Core, core_of_text, cores, features, known_kinds, passages
from mailflows.message import Message
from mailflows.signals import words

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "src/mailflows/data/flows/blocks.json"

PER_MESSAGE = 12
LEAST_SOURCES = 3
PRIOR = 0.8
"""Weight of what is known beforehand beside what is learned; chosen on sources left out of training."""

MODEL_SHARE = 0.3
CLASSIFIER = "classifier"
FLAG = 5.3
REFUSE = 6.2
"""Thresholds: on sources left out of training, about one clean message in sixty reaches the second
(benchmarks/flows_guard.py)."""

ADVERT = frozenset(
    "offer urgency call_to_action novelty event_invite newsletter feature_marketing donation "
    "survey_review social_follow".split()
)
EVENT = frozenset(
    "no_reply order invoice_payment shipping account_access one_time_code welcome booking "
    "subscription_renewal ticket alert security_notice delivery_failure status_report "
    "form_submission statement administration".split()
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A message with its label and where it comes from."""

    message: Message
    core: Core
    label: str
    source: str

    @property
    def language(self) -> str:
        """The language of its core."""
        return self.core.language


def load(folder: Path) -> list[Labelled]:
    """Read the marketing and transactional messages of a corpus."""
    found = []
    with (folder / "MANIFEST.tsv").open(encoding="utf-8", newline="") as opened:
        for row in csv.DictReader(opened, delimiter="\t"):
            if row["label"] == "professional":
                continue
            try:
                message = Message.read(folder / row["file"])
            except MessageError:
                continue
            found.append(
                Labelled(message, cores(message)[0], row["label"], row.get("source") or row["family"])
            )
    return found


def written() -> list[Labelled]:
    """Read the texts that teach the kinds; each language is a source."""
    found = []
    with (ROOT / "corpus/kinds.tsv").open(encoding="utf-8", newline="") as opened:
        for row in csv.DictReader(opened, delimiter="\t", quoting=csv.QUOTE_NONE):
            place = known_kinds()[row["kind"]].place
            label = "transactional" if place == "transactional" else "marketing"
            core = core_of_text(row["subject"], row["text"])
            message = Message.read(f"Subject: {row['subject']}\n\n{row['text']}")
            found.append(Labelled(message, core, label, f"written in {row['lang']}"))
    return found


def train(mails: list[Labelled], *, seed: int = 3) -> BlockModel:
    """Fit the weights."""
    chance = random.Random(seed)
    rows, labels, shares, sources = [], [], [], defaultdict(set)
    for mail in mails:
        texts = passages(mail.core)
        for text in chance.sample(texts, min(len(texts), PER_MESSAGE)):
            found = set().union(*map(features, text))
            for name in found:
                sources[name].add(mail.source)
            rows.append(found)
            labels.append(mail.label == "marketing")
            shares.append(1 / min(len(texts), PER_MESSAGE))
    kept = [{n: 1.0 for n in found if len(sources[n]) >= LEAST_SOURCES} for found in rows]
    before = word_weights()
    for row, found in zip(kept, rows, strict=True):
        row[CLASSIFIER] = sum(before.get(name, 0.0) for name in found)
    vectorizer = DictVectorizer()
    table = vectorizer.fit_transform(kept)
    fitted = LogisticRegression(C=1.0, max_iter=600, class_weight="balanced")
    fitted.fit(table, np.array(labels), sample_weight=np.array(shares))
    learned = dict(zip(vectorizer.get_feature_names_out(), fitted.coef_[0], strict=True))
    weights = with_prior({name: float(weight) for name, weight in learned.items()}, before)
    return BlockModel(float(fitted.intercept_[0]), weights, FLAG, REFUSE)


def word_weights() -> dict[str, float]:
    """Return what the classifier's words say of marketing against transactional."""
    shipped = Model.shipped().words.items()
    return {"w:" + name[2:]: weight[1] - weight[2] for name, weight in shipped if name.startswith("b:")}


def with_prior(learned: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    """Add what the lexicons and the classifier's words say beforehand."""
    share = learned.pop(CLASSIFIER) / PRIOR + MODEL_SHARE
    prior = dict.fromkeys(learned, 0.0) | {name: share * weight for name, weight in before.items()}
    for concept in words.CONCEPTS:
        prior["c:" + concept] = (concept in ADVERT) - (concept in EVENT) + (concept in {"offer", "urgency"})
    prior["m:price"] = 1.0
    joined = {name: learned.get(name, 0.0) + PRIOR * before for name, before in prior.items()}
    return {name: round(weight, 3) for name, weight in sorted(joined.items()) if abs(weight) >= 0.05}


def main() -> None:
    """Train on everything and write the file."""
    folders = [ROOT / "corpus", *map(Path, sys.argv[1:])]
    mails = [*written(), *(mail for folder in folders for mail in load(folder))]
    model = train(mails)
    content = {
        "about": {
            "source": "trained by tasks/train_blocks.py; numbers only",
            "date": datetime.now(UTC).date().isoformat(),
            "licence": "MIT",
            "messages": len(mails),
            "sources": len({mail.source for mail in mails}),
        },
        "start": round(model.start, 3),
        "flag": model.flag,
        "refuse": model.refuse,
        "weights": model.weights,
    }
    OUT.write_text(json.dumps(content, ensure_ascii=False, indent=0) + "\n", "utf-8")
    print(
        f"{len(model.weights)} weights, flag {model.flag}, refuse {model.refuse}, {OUT.stat().st_size} bytes"
    )


if __name__ == "__main__":
    main()
