"""Skeleton: the structure of a message without its words.

A server fills one strict form again and again, so its tags and lines repeat; a person's text does
not. Here only the regularity of one message is measured.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows.signals._signal import Signal, bucket, some

if TYPE_CHECKING:
    from mailflows.message import Message
    from mailflows.signals.words import Reading

__all__ = ["SIGNALS", "measure"]

_DIGITS = re.compile(r"\d+")
_MAX_TAGS = 600
_MAX_LINES = 100

SIGNALS = tuple(
    Signal(name, sentence)
    for name, sentence in {
        "skeleton-repetitive-tags": "its tags repeat one pattern",
        "skeleton-varied-tags": "its tags follow no repeated pattern",
        "skeleton-repetitive-lines": "its lines repeat one pattern",
        "skeleton-varied-words": "its words are varied, as in running text",
        "skeleton-sentences": "it is running text in full sentences",
        "skeleton-fragments": "it is fragments rather than sentences",
        "skeleton-many-blocks": "it has many separate blocks of text",
    }.items()
)


def measure(message: Message, reading: Reading) -> dict[str, float]:
    """Measure how regular a message is."""
    values: dict[str, float] = {}
    if message.html:
        tags = message.document.tags[:_MAX_TAGS]
        if len(tags) > 12:
            distinct = len(set(zip(tags, tags[1:], tags[2:], strict=False))) / (len(tags) - 2)
            values["skeleton-repetitive-tags"] = bucket(1 - distinct, 0.3, 0.5, 0.7)
            values["skeleton-varied-tags"] = distinct > 0.6
    lines = [line for line in reading.text.split("\n")[:_MAX_LINES] if line.strip()]
    if len(lines) > 4:
        shapes = set(_DIGITS.sub("0", "\n".join([line[:24] for line in lines])).split("\n"))
        values["skeleton-repetitive-lines"] = bucket(1 - len(shapes) / len(lines), 0.1, 0.3, 0.5)
        long = sum(len(line) > 90 for line in lines)
        stops = sum(line.rstrip()[-1:] in {".", "!", "?", "…", "。", ":", ","} for line in lines)
        values["skeleton-sentences"] = bucket(stops / len(lines), 0.2, 0.4, 0.6)
        values["skeleton-fragments"] = stops / len(lines) < 0.1
        values["skeleton-many-blocks"] = bucket(long, 3, 8, 15)
    if len(reading.body) > 30:
        words = reading.body[:200]
        values["skeleton-varied-words"] = bucket(len(set(words)) / len(words), 0.5, 0.65, 0.8)
    return some(values)
