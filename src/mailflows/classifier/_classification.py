"""The result of classifying one message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mailflows._result import Bar, Reason, Result, to_html
from mailflows.flow import Flow

if TYPE_CHECKING:
    from mailflows._result import Cell

__all__ = ["Classification"]


@dataclass(frozen=True, slots=True)
class Classification(Result):
    """Which flow a message belongs to, how sure that is, and why.

    Attributes:
        flow: The flow, or `None` where the confidence is below the threshold («unsure»).
        likely: The most likely flow, also where that is not sure; `None` for what is no message.
        confidence: Probability of the most likely flow, in [0, 1].
        probabilities: Probability per flow; they sum to 1.
        score: The score that the weights of the reasons add up to: the log odds of the most likely
            flow against the mean of the three.
        reasons: The strongest first; the rest is summed as ``others``.
        defects: What was wrong with the message itself.
        language: Two letters, or empty where it could not be told.
    """

    flow: Flow | None
    likely: Flow | None
    confidence: float
    probabilities: dict[Flow, float]
    score: float
    reasons: tuple[Reason, ...]
    defects: tuple[str, ...]
    language: str

    @property
    def is_sure(self) -> bool:
        """Whether a flow is named."""
        return self.flow is not None

    @property
    def machine_made(self) -> float:
        """Probability, in [0, 1], that a tool or a server made the message, not a person by hand."""
        return 1.0 - self.probabilities[Flow.PROFESSIONAL]

    @property
    def marketing_if_machine_made(self) -> float:
        """Probability, in [0, 1], of marketing, given that no person wrote it by hand."""
        rest = self.probabilities[Flow.MARKETING] + self.probabilities[Flow.TRANSACTIONAL]
        return self.probabilities[Flow.MARKETING] / rest if rest else 0.5

    def __str__(self) -> str:
        named = self.flow.value if self.flow else "unsure"
        if self.likely is None:
            return f"{named}: {self.reasons[0].sentence}"
        if self.flow is None:
            named += f" (perhaps {self.likely.value})"
        best = [r.sentence for r in self.reasons if (r.weight or 0.0) > 0 and r.code not in _SUMS][:3]
        return f"{named} {self.confidence:.0%}: {'; '.join(best) or 'no single reason stands out'}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON; every key is always there."""
        return {
            "flow": self.flow.value if self.flow else None,
            "likely": self.likely.value if self.likely else None,
            "confidence": self.confidence,
            "probabilities": {flow.value: p for flow, p in self.probabilities.items()},
            "score": self.score,
            "machine_made": self.machine_made,
            "language": self.language,
            "defects": list(self.defects),
            "reasons": [reason.to_dict() for reason in self.reasons],
        }

    def rows(self) -> list[list[Cell]]:
        """Return the reasons as rows of a table: weight, code, sentence."""
        return [[f"{r.weight:+.2f}", r.code, r.sentence] for r in self.reasons]

    def _repr_html_(self) -> str:
        largest = max((abs(r.weight or 0.0) for r in self.reasons), default=1.0) or 1.0
        shares: list[list[Cell]] = [
            [Bar(p, f"{p:.0%}"), flow.value, ""] for flow, p in self.probabilities.items()
        ]
        reasons: list[list[Cell]] = [
            [Bar((r.weight or 0.0) / largest, f"{r.weight:+.2f}"), r.sentence, r.code] for r in self.reasons
        ]
        named = self.flow.value if self.flow else "unsure"
        return to_html(f"{named}, {self.confidence:.0%}", ["weight", "what", "signal"], shares + reasons)


_SUMS = frozenset({"start", "others"})
