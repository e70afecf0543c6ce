"""What a signal is: a named, documented number."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

__all__ = ["NAME_SPLIT", "Signal", "bucket", "some"]

NAME_SPLIT = re.compile(r"[\s._,'\"()-]+")
"""What stands between the words of a name or an address."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One measurable property of a message.

    Attributes:
        name: ``family-what`` in kebab-case, stable: it is used in model files and in reasons.
        sentence: What it says when it is present, for a reader.

    Example:
        >>> from mailflows.signals import SIGNALS
        >>> SIGNALS["headers-in-reply-to"]
        Signal(name='headers-in-reply-to', sentence='it replies to an earlier message (In-Reply-To)')
    """

    name: str
    sentence: str

    @property
    def family(self) -> str:
        """The first word: headers, recipients, sender, subject, links, layout, words or skeleton."""
        return self.name.partition("-")[0]


def bucket(value: float, *edges: float) -> float:
    """Return how far a quantity is up a rising scale, in [0, 1]: bounded, so that no message dominates.

    >>> bucket(0, 1, 3, 10), bucket(2, 1, 3, 10), bucket(99, 1, 3, 10)
    (0.0, 0.3333333333333333, 1.0)
    """
    return bisect_right(edges, value) / len(edges)


def some(values: dict[str, float]) -> dict[str, float]:
    """Leave out what is zero: an absent signal says nothing."""
    return {name: float(value) for name, value in values.items() if value}
