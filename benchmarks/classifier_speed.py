"""How fast a raw message becomes a verdict, compared with the standard library's parser and TF-IDF.

Usage: python benchmarks/classifier_speed.py [FOLDER...]

Writes benchmarks/results/classifier_speed.json. The folders hold ``*.eml`` files; the project's own
corpus by default. Messages of 15-26 kB with HTML and of 1-6 kB without are timed apart. Every round is a
process of its own that has seen other messages only, so that no timed message was met before. The peer is
what one would build from scikit-learn: parse with the standard library, TF-IDF, logistic regression. The
steps of the way are timed apart, then an archive of 20,000 messages, each new by a word of its own, and the
same in two processes.
"""

from __future__ import annotations

import email
import json
import random
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recording import ROUNDS, messages, table, write
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from mailflows import Classifier, Flow, Message
from mailflows.classifier import Model
from mailflows.classifier._wording import wording
from mailflows.signals import headers, layout, links, words

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
    for family in (headers, links, layout, words):
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


ARCHIVE = 20_000
PART = 2_000
KINDS = ("html, 15-26 kB", "plain text, 1-6 kB")


def archive(inputs: list[bytes]) -> dict[str, Any]:
    """Return the microseconds per message in the first and the last parts of a long run, and of processes."""
    classifier = Classifier()
    kinds = [raw for raw in inputs if len(raw) < 6_000]
    run = (kinds[n % len(kinds)] + b"\nw%dx\n" % n for n in range(ARCHIVE))
    parts = []
    for _ in range(ARCHIVE // PART):
        start = time.process_time()
        for _ in zip(range(PART), classifier.classify_many(run), strict=False):
            pass
        parts.append((time.process_time() - start) / PART * 1e6)
    some = [kinds[n % len(kinds)] + b"\nv%dx\n" % n for n in range(2 * PART)]
    walls = {}
    for jobs in (1, 2):
        start = time.perf_counter()
        for _ in classifier.classify_many(some, n_jobs=jobs):
            pass
        walls[str(jobs)] = round(time.perf_counter() - start, 2)
    return {
        "messages": ARCHIVE,
        "microseconds_by_part": [round(part, 1) for part in parts],
        "last_half_to_first_half": round(sum(parts[5:]) / sum(parts[:5]), 3),
        "seconds_of_4000_by_n_jobs": walls,
    }


def candidates() -> dict[str, Callable[[bytes], object]]:
    """Return what is timed."""
    return {
        "email.message_from_bytes (compat32)": email.message_from_bytes,
        "mailflows: read only": lambda m: Message.read(m).document,
        "mailflows: raw bytes to verdict": Classifier().classify,
        "compat32 + TF-IDF + scikit-learn": tfidf_peer(),
    }


def one_round(kinds: dict[str, list[bytes]], others: list[bytes], seed: int) -> dict[str, dict[str, float]]:
    """Time every candidate once on messages that this process has not seen, in an order of its own."""
    found: dict[str, dict[str, float]] = {kind: {} for kind in kinds}
    timed = candidates()
    for run in timed.values():
        for raw in others:
            run(raw)
    order = list(timed)
    random.Random(seed).shuffle(order)
    for kind, inputs in kinds.items():
        for name in order:
            run = timed[name]
            start = time.process_time()
            for raw in inputs:
                run(raw)
            found[kind][name] = (time.process_time() - start) / len(inputs) * 1e6
    return found


def rounds_of(folders: list[str]) -> list[dict[str, dict[str, float]]]:
    """Run every round in a process of its own."""
    command = [sys.executable, __file__, *folders]
    runs = [
        subprocess.run([*command, f"--round={seed}"], capture_output=True, text=True, check=True)  # noqa: S603 -- ours
        for seed in range(ROUNDS)
    ]
    return [json.loads(run.stdout) for run in runs]


def medians(rounds: list[dict[str, dict[str, float]]], kind: str) -> dict[str, dict[str, float]]:
    """Return the median time of each candidate, and of its ratio to the parse of the same round."""
    reference = "email.message_from_bytes (compat32)"
    rows = table(
        {name: statistics.median(r[kind][name] for r in rounds) for name in rounds[0][kind]},
        reference=reference,
    )
    for name, row in rows.items():
        row["ratio"] = round(statistics.median(r[kind][name] / r[kind][reference] for r in rounds), 3)
    return rows


def main() -> None:
    """Time both kinds of message and write the medians."""
    folders = [word for word in sys.argv[1:] if not word.startswith("--")] or ["corpus"]
    raw = [m for folder in folders for m in (messages(folder) if not Path(folder).is_absolute() else [])]
    raw += [p.read_bytes() for f in folders if Path(f).is_absolute() for p in sorted(Path(f).rglob("*.eml"))]
    html = [m for m in raw if b"text/html" in m.lower()]
    plain = [m for m in raw if b"text/html" not in m.lower()]
    inputs = {
        KINDS[0]: [m for m in html if 15_000 < len(m) < 26_000][:MOST],
        KINDS[1]: [m for m in plain if 1_000 < len(m) < 6_000][:MOST],
    }
    inputs = {kind: found for kind, found in inputs.items() if found}
    timed = {m for found in inputs.values() for m in found}
    others = [m for m in random.Random(1).sample(raw, len(raw)) if m not in timed][: 4 * MOST]
    warnings.simplefilter("ignore")
    if seeds := [int(word[8:]) for word in sys.argv[1:] if word.startswith("--round=")]:
        print(json.dumps(one_round(inputs, others, seeds[0])))
        return
    found: dict[str, Any] = {"import": import_cost()}
    rounds = rounds_of(folders)
    for kind, its in inputs.items():
        found[kind] = {
            "messages": len(its),
            "candidates": medians(rounds, kind),
            "stages_microseconds": stages(its),
        }
    found["archive"] = archive(raw)
    write("classifier_speed", found, packages=("scikit-learn",))


if __name__ == "__main__":
    main()
