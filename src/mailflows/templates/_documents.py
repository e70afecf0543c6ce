"""Templates as documents of a store: hashes of words in base64, in JSON without spaces."""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from mailflows.templates._skeleton import Skeleton, Slot
from mailflows.templates._slots import SlotKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["MARK_BYTES", "Documents", "Entry"]

MARK_BYTES = 3
"""Bytes of a word's hash; the hundreds of words of a template seldom fall together among 16 million.
Our choice."""

MOST_READ = 256
"""Documents that are kept as they were read. bound: memory; one of 600 words takes about 60 KB."""

Counted: TypeAlias = "tuple[float, int]"
"""The beginning of a template's window, and the messages in it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """A template in the index of its sender: enough to tell which one a message may be of.

    Attributes:
        name: Of the template.
        sketch: Some of its fixed words.
        written: The sketch as written in the document.
    """

    name: str
    sketch: frozenset[bytes]
    written: str

    @classmethod
    def of(cls, name: str, sketch: Iterable[bytes]) -> Entry:
        """Return the entry of a template."""
        marks = frozenset(sketch)
        return cls(name, marks, _coded(sorted(marks)))

    def likeness(self, marks: set[bytes]) -> float:
        """Return the share of its sketch that stands in a message."""
        return len(self.sketch & marks) / max(1, len(self.sketch))


class Documents:
    """Reads and writes the documents of a memory; the last ones are kept as they were read.

    A document is found again by all of its bytes, so what the store holds is what counts, whoever wrote it.
    What is returned is shared: nobody changes it.
    """

    def __init__(self) -> None:
        self._read: dict[bytes, object] = {}

    def template(self, document: bytes) -> tuple[Skeleton, Counted]:
        """Return what `write_template` was given."""
        return self._known(document, _template)

    def index(self, document: bytes | None) -> tuple[Entry, ...]:
        """Return the templates of a sender, the last used first."""
        return () if document is None else self._known(document, _index)

    def write_template(self, skeleton: Skeleton, counted: Counted) -> bytes:
        """Return a template as a document."""
        slots = {
            str(place): [slot.seen, slot.kinds.value, slot.longest, _coded(sorted(slot.known))]
            for place, slot in skeleton.slots.items()
        }
        content = {
            "n": skeleton.seen,
            "c": skeleton.strictness,
            "w": counted,
            "f": _coded(skeleton.fixed),
            "s": slots,
        }
        return self._keep(_written(content), (skeleton, counted))

    def write_index(self, entries: tuple[Entry, ...]) -> bytes:
        """Return the index of a sender as a document."""
        return self._keep(_written([(entry.name, entry.written) for entry in entries]), entries)

    def _known(self, document: bytes, read: Callable[[bytes], T]) -> T:
        found = self._read.get(document)
        if found is None:
            found = read(document)
            self._keep(document, found)
        return found  # type: ignore[return-value]

    def _keep(self, document: bytes, content: object) -> bytes:
        if len(self._read) >= MOST_READ:
            self._read.clear()
        self._read[document] = content
        return document


_ENCODER = json.JSONEncoder(separators=(",", ":"))


def _written(content: object) -> bytes:
    return _ENCODER.encode(content).encode("ascii")


def _template(document: bytes) -> tuple[Skeleton, Counted]:
    content = json.loads(document)
    slots = {
        int(place): Slot(seen, SlotKind(kinds), longest, set(_decoded(known)))
        for place, (seen, kinds, longest, known) in content["s"].items()
    }
    start, count = content["w"]
    return Skeleton(_decoded(content["f"]), slots, content["n"], content["c"]), (start, count)


def _index(document: bytes) -> tuple[Entry, ...]:
    return tuple(Entry(name, frozenset(_decoded(written)), written) for name, written in json.loads(document))


def _coded(marks: Iterable[bytes]) -> str:
    return b2a_base64(b"".join(marks), newline=False).decode("ascii")


def _decoded(text: str) -> list[bytes]:
    data = a2b_base64(text)
    return [data[i : i + MARK_BYTES] for i in range(0, len(data), MARK_BYTES)]
