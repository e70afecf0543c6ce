"""Calibration: the threshold that suits your own mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailflows._result import Result
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailflows.classifier._classification import Classification

__all__ = ["KEPT_RIGHT", "Calibration", "calibration"]

KEPT_RIGHT = 0.985
"""Share of confident answers that must be right; choice: the promise of the shipped threshold (MODEL.md)."""

FEWEST = 30
"""Messages that are needed; bound: with fewer, one message moves the share by more than three points."""


@dataclass(frozen=True, slots=True)
class Calibration(Result):
    """A threshold, and its results on the messages it was chosen on.

    Attributes:
        threshold: The lowest confidence, in steps of 0.01, at which enough answers are right.
        coverage: Share of the messages at or above it.
        right: Share of these that are right; lower than requested if no threshold reaches that.
        messages: Number of messages used.
    """

    threshold: float
    coverage: float
    right: float
    messages: int

    def __str__(self) -> str:
        return (
            f"threshold {self.threshold:.2f} classifies {self.coverage:.0%} of "
            f"{self.messages} messages, {self.right:.1%} of these correctly"
        )


def calibration(answers: Sequence[Classification], flows: Sequence[Flow | str], right: float) -> Calibration:
    """Return the threshold for answers whose true flows are known."""
    if len(answers) != len(flows) or len(answers) < FEWEST:
        msg = (
            f"calibration needs at least {FEWEST} messages and a flow for each, not {len(answers)} messages "
            f"and {len(flows)} flows"
        )
        raise ConfigurationError(msg, field="messages")
    try:
        wanted = [Flow(flow) for flow in flows]
    except ValueError as problem:
        msg = f"flows: {problem}"
        raise ConfigurationError(msg, field="flows") from problem
    # What could not be read, or not wholly, is unsure at every threshold.
    judged = [
        (a.confidence if a.likely and not _is_unread(a) else 0.0, a.likely == flow)
        for a, flow in zip(answers, wanted, strict=True)
    ]
    for step in range(34, 100):
        found = _at(step / 100, judged)
        if found.coverage and found.right >= right:
            return found
    return _at(0.99, judged)


def _is_unread(answer: Classification) -> bool:
    return answer.flow is None and answer.confidence >= answer.threshold


def _at(threshold: float, judged: Sequence[tuple[float, bool]]) -> Calibration:
    kept = [is_right for confidence, is_right in judged if confidence >= threshold]
    right = sum(kept) / len(kept) if kept else 0.0
    return Calibration(threshold, len(kept) / len(judged), right, len(judged))
