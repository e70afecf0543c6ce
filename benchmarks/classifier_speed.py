"""How fast a raw message becomes a verdict, beside the standard library's parse and TF-IDF.

Usage: python benchmarks/classifier_speed.py [FOLDER...]

Writes benchmarks/results/classifier_speed.json. The folders hold ``*.eml`` files; the project's own
corpus by default. Messages of 15–26 kB with HTML and of 1–6 kB without are timed apart. The peer is what
one would build from scikit-learn: parse with the standard library, TF-IDF, logistic regression. The steps
of the way are timed apart.
"""

from __future__ import annotations

import email
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recording import ROUNDS, interleaved, messages, table, write
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from mailflows import Classifier, Flow, Message
from mailflows.classifier import Model
from mailflows.classifier._wording import wording
from mailflows.signals import headers, layout, links, sender, skeleton, subject, words

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 100


def tfidf_peer() -> Callable[[bytes], object]:
    """Train the peer on the open corpus and return a function from raw bytes to a flow."""
    raw = {flow.value: messages(f"corpus/{flow.value}") for flow in Flow}
    pipeline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        LogisticRegression(C=10, max_iter=200),
    )
    texts = [text_of(message) for group in raw.values() for message in group]
    labels = [label for label, group in raw.items() for _ in group]
    pipeline.fit(texts, labels)
    return lambda message: pipeline.predict_proba([text_of(message)])


def text_of(raw: bytes) -> str:
    """Return subject and decoded text parts by way of the standard library."""
    message = email.message_from_bytes(raw)
    texts = [str(message["subject"])]
    for part in message.walk():
        if part.get_content_maintype() == "text":
            payload = part.get_payload(decode=True) or b""
            texts.append(payload.decode("utf-8", "replace"))  # type: ignore[union-attr]
    return "\n".join(texts)


def import_cost() -> dict[str, float]:
    """Return the milliseconds and MiB that `import mailflows` and a first verdict add to bare Python."""
    code = (
        "import os, sys, time\n"
        "rss = lambda: int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 2**20\n"
        "m, t = rss(), time.perf_counter()\n"
        "import mailflows\n"
        "a, b = time.perf_counter() - t, rss() - m\n"
        "mailflows.classify(b'From: a@b.fr\\nSubject: x\\n\\nhttps://b.fr')\n"
        "print(a * 1000, b, (time.perf_counter() - t - a) * 1000, rss() - m)"
    )
    runs = []
    for _ in range(9):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 -- our own code
        runs.append(tuple(map(float, done.stdout.split())))
    middle = [sorted(column)[len(runs) // 2] for column in zip(*runs, strict=True)]
    names = ("import_ms", "import_mib", "first_verdict_ms", "both_mib")
    return {name: round(value, 1) for name, value in zip(names, middle, strict=True)}


def stages(inputs: list[bytes]) -> dict[str, float]:
    """Return the median microseconds per message of each step on the way from raw bytes to a verdict.

    Every round reads the messages anew, so that nothing that a message keeps is found again.
    """
    model = Model.shipped()
    rounds: list[dict[str, float]] = []
    for _ in range(ROUNDS):
        spent: dict[str, float] = {}
        for raw in inputs:
            _one_message(raw, model, spent)
        rounds.append(spent)
    return {
        name: round(statistics.median(spent[name] for spent in rounds) / len(inputs) * 1e6, 1)
        for name in rounds[0]
    }


def _one_message(raw: bytes, model: Model, spent: dict[str, float]) -> None:
    """Walk one message through every step and add up the seconds of each."""
    clock = time.perf_counter
    start = clock()

    def done(name: str) -> None:
        nonlocal start
        spent[name] = spent.get(name, 0.0) + clock() - start
        start = clock()

    message = Message.read(raw)
    message.body, message.sender, message.recipients  # noqa: B018 -- worked out when they are read
    done("read")
    reading = words.read(message)
    done("words and language")
    measured: dict[str, float] = {}
    for family in (headers, sender, subject, links, layout, words, skeleton):
        measured |= family.measure(message, reading)
        done(f"signals: {family.__name__.rpartition('.')[2]}")
    found = wording(message, reading)
    done("wording")
    model.logits(measured, found)
    done("score")
    result = Classifier().classify(message)
    start = clock()
    result.reasons  # noqa: B018 -- worked out when they are read
    done("reasons, where they are read")


def main() -> None:
    """Time both kinds of message and write the medians."""
    folders = sys.argv[1:] or ["corpus"]
    raw = [m for folder in folders for m in (messages(folder) if not Path(folder).is_absolute() else [])]
    raw += [p.read_bytes() for f in folders if Path(f).is_absolute() for p in sorted(Path(f).rglob("*.eml"))]
    is_html = [b"text/html" in m.lower() for m in raw]
    kinds = {
        "html, 15-26 kB": [m for m, h in zip(raw, is_html, strict=True) if h and 15_000 < len(m) < 26_000][
            :MOST
        ],
        "plain text, 1-6 kB": [
            m for m, h in zip(raw, is_html, strict=True) if not h and 1_000 < len(m) < 6_000
        ][:MOST],
    }
    warnings.simplefilter("ignore")
    candidates = {
        "email.message_from_bytes (compat32)": email.message_from_bytes,
        "mailflows: read only": lambda m: Message.read(m).document,
        "mailflows: raw bytes to verdict": Classifier().classify,
        "compat32 + TF-IDF + scikit-learn": tfidf_peer(),
    }
    found: dict[str, Any] = {"import": import_cost()}
    for kind, inputs in kinds.items():
        if inputs:
            rows = table(interleaved(candidates, inputs), reference="email.message_from_bytes (compat32)")
            found[kind] = {"messages": len(inputs), "candidates": rows, "stages_microseconds": stages(inputs)}
    write("classifier_speed", found, packages=("scikit-learn",))


if __name__ == "__main__":
    main()
