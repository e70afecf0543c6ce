"""Skeleton: whether a message is running text or pieces, without its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows.signals._signal import Signal, bucket, some

if TYPE_CHECKING:
    from mailflows.message import Message
    from mailflows.signals.words import Reading

__all__ = ["SIGNALS", "measure"]

_MAX_LINES = 100  # bound: the form of a message shows in its first lines

SIGNALS = tuple(
    Signal(name, sentence)
    for name, sentence in {
        "skeleton-varied-words": "its words are varied, as in running text",
        "skeleton-sentences": "it is running text in full sentences",
        "skeleton-fragments": "it is fragments rather than sentences",
        "skeleton-many-blocks": "it has many separate blocks of text",
    }.items()
)


def measure(message: Message, reading: Reading) -> dict[str, float]:
    """Measure whether a message is running text."""
    values: dict[str, float] = {}
    del message
    lines = [line for line in reading.text.split("\n")[:_MAX_LINES] if line.strip()]
    if len(lines) > 4:
        long = sum(len(line) > 90 for line in lines)
        stops = sum(line.rstrip()[-1:] in {".", "!", "?", "…", "。", ":", ","} for line in lines)
        values["skeleton-sentences"] = bucket(stops / len(lines), 0.2, 0.4, 0.6)
        values["skeleton-fragments"] = stops / len(lines) < 0.1
        values["skeleton-many-blocks"] = bucket(long, 3, 8, 15)
    if len(reading.body) > 30:
        words = reading.body[:200]
        values["skeleton-varied-words"] = bucket(len(set(words)) / len(words), 0.5, 0.65, 0.8)
    return some(values)
