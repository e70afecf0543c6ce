"""How many lines of messages labelled by hand get the right zone, for each zone, and what it costs.

    python benchmarks/zones.py

The messages are those of zone_lines.txt. Time is that of `zones` beside that of
`classify`, on the open corpus.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import recording

from mailflows import Message, classify
from mailflows.signals.zones import ZoneKind, zones, zones_of_text

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = {"action": ZoneKind.ACTION} | {str(kind): kind for kind in ZoneKind}
EVERY = 6
"""Choice: each sixth message of the open corpus is enough for a mean, and takes seconds."""


def labelled() -> list[list[tuple[ZoneKind, str]]]:
    """Return the messages: kind and text of each line."""
    text = Path(__file__).with_name("zone_lines.txt").read_text("utf-8")
    messages = []
    for block in text.split("\n\n"):
        lines = [line.partition(": ") for line in block.split("\n") if line and not line.startswith("#")]
        messages.append([(KINDS[kind], said) for kind, _, said in lines])
    return messages


def quality() -> dict[str, object]:
    """Return precision, recall and F1 of each zone, by lines, and the share of lines that are right."""
    right, wanted, given = Counter[ZoneKind](), Counter[ZoneKind](), Counter[ZoneKind]()
    for message in labelled():
        found = [
            zone.kind
            for zone in zones_of_text("\n".join(said for _, said in message))
            for _ in zone.text.split("\n")
        ]
        for (kind, said), got in zip(message, found, strict=True):
            wanted[kind] += 1
            given[got] += 1
            right[kind] += kind is got
            if kind is not got:
                print(f"{kind} read as {got}: {said}")
    each = {
        str(kind): {
            "lines": wanted[kind],
            "precision": round(right[kind] / max(1, given[kind]), 4),
            "recall": round(right[kind] / wanted[kind], 4),
            "f1": round(2 * right[kind] / (wanted[kind] + given[kind]), 4),
        }
        for kind in ZoneKind
        if wanted[kind]
    }
    return {"zones": each, "lines right": round(right.total() / wanted.total(), 4), "lines": wanted.total()}


ROUNDS = 15
"""Choice: of so many, one is seldom disturbed by other programs."""


def cost() -> dict[str, float]:
    """Return the processor time of zones beside that of classification, in milliseconds a message.

    The messages are classified before: signals, zones and guard share the words of a message. Of each
    message the least of several rounds counts, and each round times all, so that a slow moment strikes all.
    """
    raw = [p.read_bytes() for p in sorted((recording.ROOT / "corpus").glob("*/*/*.eml"))[::EVERY]]
    read = [Message.read(content) for content in raw]
    for message in read:
        zones(message)
        classify(message)
    work: tuple[tuple[Callable[[Any], object], list[Any]], ...] = (
        (zones, read),
        (lambda content: classify(Message.read(content)), raw),
        (lambda message: zones_of_text(message.body), read),
    )
    least = [[math.inf] * len(raw) for _ in work]
    for _ in range(ROUNDS):
        for (run, each), best in zip(work, least, strict=True):
            for number, one in enumerate(each):
                start = time.process_time()
                run(one)
                best[number] = min(best[number], time.process_time() - start)
    zoned, classified, fresh = (sum(best) / len(raw) * 1e3 for best in least)
    return {
        "zones, ms": round(zoned, 3),
        "classify, ms": round(classified, 3),
        "share": round(zoned / classified, 3),
        "share where no words are known": round(fresh / classified, 3),
    }


def main() -> None:
    """Measure and write."""
    recording.write("zones", quality() | {"cost": cost()}, packages=[])


if __name__ == "__main__":
    main()
