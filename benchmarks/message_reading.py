"""How long reading a message takes, compared with the standard library and an older commit.

Usage: python benchmarks/message_reading.py [--beside FOLDER/src] [--corpus FOLDER] [--messages 400]

Writes benchmarks/results/message_reading.json: the median over the messages of the best of some runs each,
for `Message.read`, `email.message_from_bytes` (compat32) and `BytesParser(policy=SMTP)`, which only parse.
``--beside`` names the sources of another commit: it and this one then take turns, each in processes of its
own, and ``ratio`` is the median over the messages of this one's time divided by the other's.
"""

from __future__ import annotations

import argparse
import email
import email.policy
import json
import os
import random
import statistics
import subprocess
import sys
import time
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING

from recording import ROOT, write

from mailflows import MessageError
from mailflows.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = 7
TURNS = 4


def mailflows(raw: bytes) -> None:
    """Read with mailflows, where it is a message."""
    try:
        Message.read(raw)
    except MessageError:
        return


READERS: dict[str, Callable[[bytes], object]] = {
    "mailflows": mailflows,
    "compat32": email.message_from_bytes,
    "policy.SMTP": BytesParser(policy=email.policy.SMTP).parsebytes,
}


def sample(folder: Path, number: int) -> list[bytes]:
    """Return some messages of a folder, always the same."""
    paths = sorted(folder.rglob("*.eml"))
    random.Random(1).shuffle(paths)
    return [raw for path in paths[:number] if (raw := path.read_bytes()).strip()]


def best(read: Callable[[bytes], object], messages: list[bytes]) -> list[float]:
    """Return the microseconds of each message, the best of some runs over all of them."""
    times = [float("inf")] * len(messages)
    for _ in range(REPEATS):
        for number, raw in enumerate(messages):
            start = time.perf_counter()
            read(raw)
            times[number] = min(times[number], time.perf_counter() - start)
    return [seconds * 1e6 for seconds in times]


def of_sources(sources: str, options: argparse.Namespace) -> list[float]:
    """Measure mailflows with these sources, in a process of its own."""
    command = [sys.executable, __file__, "--worker", "--corpus", str(options.corpus)]
    run = subprocess.run(  # noqa: S603 -- this file
        [*command, "--messages", str(options.messages)],
        env={**os.environ, "PYTHONPATH": sources},
        capture_output=True,
        check=True,
    )
    times: list[float] = json.loads(run.stdout)
    return times


def paired(options: argparse.Namespace) -> dict[str, float]:
    """Let this commit and another take turns."""
    turns: dict[str, list[list[float]]] = {options.beside: [], str(ROOT / "src"): []}
    for _ in range(TURNS):
        for sources, times in turns.items():
            times.append(of_sources(sources, options))
    other, own = ([min(each) for each in zip(*times, strict=True)] for times in turns.values())
    return {
        "microseconds": round(statistics.median(own), 1),
        "microseconds before": round(statistics.median(other), 1),
        "ratio": round(statistics.median(new / old for new, old in zip(own, other, strict=True)), 3),
        "ratio of sums": round(sum(own) / sum(other), 3),
    }


def main() -> None:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(description="How long reading a message takes.")
    parser.add_argument("--beside", default="", help="src folder of another commit")
    parser.add_argument("--corpus", type=Path, default=ROOT / "corpus")
    parser.add_argument("--messages", type=int, default=400)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    messages = sample(options.corpus, options.messages)
    if options.worker:
        json.dump(best(mailflows, messages), sys.stdout)
        return
    medians = {name: round(statistics.median(best(run, messages)), 1) for name, run in READERS.items()}
    result: dict[str, object] = {"messages": len(messages), "microseconds": medians}
    if options.beside:
        result["beside the commit before"] = paired(options)
    write("message_reading", result)


if __name__ == "__main__":
    main()
