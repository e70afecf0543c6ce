"""Templates as documents of a store: hashes of words in base64, in JSON without spaces."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from mailflows.templates._skeleton import Skeleton, Slot
from mailflows.templates._slots import SlotKind

__all__ = ["MARK_BYTES", "Entry", "packed", "read_index", "read_template", "write_index", "write_template"]

MARK_BYTES = 3
"""Bytes of a word's hash; the hundreds of words of a template seldom fall together among 16 million.
Our choice."""


@dataclass(slots=True)
class Entry:
    """A template in the index of its sender: enough to tell which one a message may be of."""

    name: str
    sketch: set[int]

    def likeness(self, marks: set[int]) -> float:
        """Return the share of its sketch that stands in a message."""
        return len(self.sketch & marks) / max(1, len(self.sketch))


def packed(marks: list[int]) -> bytes:
    """Return hashes as bytes, one behind the other."""
    return b"".join(mark.to_bytes(MARK_BYTES) for mark in marks)


def _coded(marks: list[int]) -> str:
    return base64.b64encode(packed(marks)).decode("ascii")


def _decoded(text: str) -> list[int]:
    data = base64.b64decode(text)
    return [int.from_bytes(data[i : i + MARK_BYTES]) for i in range(0, len(data), MARK_BYTES)]


def write_template(skeleton: Skeleton, counted: tuple[float, int]) -> bytes:
    """Return a template as a document, with the beginning of its window and the messages in it."""
    slots = {
        str(place): [slot.seen, slot.kinds.value, slot.longest, _coded(sorted(slot.known))]
        for place, slot in skeleton.slots.items()
    }
    content = {
        "n": skeleton.seen,
        "c": round(skeleton.strictness, 3),
        "w": counted,
        "f": _coded(skeleton.fixed),
        "s": slots,
    }
    return json.dumps(content, separators=(",", ":")).encode("ascii")


def read_template(document: bytes) -> tuple[Skeleton, tuple[float, int]]:
    """Return what `write_template` was given."""
    content = json.loads(document)
    slots = {
        int(place): Slot(seen, SlotKind(kinds), longest, set(_decoded(known)))
        for place, (seen, kinds, longest, known) in content["s"].items()
    }
    start, count = content["w"]
    return Skeleton(_decoded(content["f"]), slots, content["n"], content["c"]), (start, count)


def read_index(document: bytes | None) -> list[Entry]:
    """Return the templates of a sender, the last used first."""
    if document is None:
        return []
    return [Entry(name, set(_decoded(sketch))) for name, sketch in json.loads(document)]


def write_index(entries: list[Entry]) -> bytes:
    """Return the index of a sender as a document."""
    content = [[entry.name, _coded(sorted(entry.sketch))] for entry in entries]
    return json.dumps(content, separators=(",", ":")).encode("ascii")
