"""The result of classifying one message."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from mailflows._result import Bar, Reason, Result, to_html
from mailflows.flow import Flow

if TYPE_CHECKING:
    from mailflows._result import Cell
    from mailflows.classifier._reasons import Evidence

__all__ = ["Classification"]

_TOLD = 3
"""Reasons that a line or a paragraph names; choice: what a person reads at a glance."""


@dataclass(frozen=True, slots=True)
class Classification(Result):
    r"""Which flow a message belongs to, how sure that is, and why.

    The reasons are computed on first access, so that a run that only needs the flow does not pay for them.

    Attributes:
        flow: The flow, or `None` if the confidence is below the threshold ("unsure").
        likely: The most likely flow, even below the threshold; `None` if the input is not a message.
        confidence: Probability of the most likely flow, in [0, 1].
        probabilities: Probability per flow; they sum to 1.
        score: The sum of the weights of the reasons and `rest`: the log odds of the most likely flow against
            the mean of the three.
        defects: What was wrong with the message itself.
        language: Two-letter language code, or empty if not known.
        threshold: The confidence that was needed for an answer.
        model_version: Name of the model, and the start of its digest.

    Example:
        >>> from mailflows import classify
        >>> note = "From: Ada <ada@lovelace.uk>\nSubject: Tuesday\n\nDear Charles, could we meet at noon? Ada"
        >>> result = classify(note)
        >>> result.likely, round(sum(result.probabilities.values()), 6)
        (<Flow.PROFESSIONAL: 'professional'>, 1.0)
    """

    flow: Flow | None
    likely: Flow | None
    confidence: float
    probabilities: dict[Flow, float]
    score: float
    _why: tuple[Reason, ...] | Evidence = field(repr=False, compare=False)
    defects: tuple[str, ...]
    language: str
    threshold: float = 0.0
    model_version: str = ""

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The reasons in favour of the likely flow, strongest first, then those against it."""
        why = self._why
        if isinstance(why, tuple):
            return why
        found = why.reasons()
        object.__setattr__(self, "_why", found)
        return found

    @property
    def rest(self) -> float:
        """What the weaker signals and the model's starting value add to the score."""
        return self.score - math.fsum(reason.weight or 0.0 for reason in self.reasons)

    @property
    def is_sure(self) -> bool:
        """Whether the confidence reaches the threshold, so that `flow` is set."""
        return self.flow is not None

    @property
    def machine_made(self) -> float:
        """Probability, in [0, 1], that a tool or a server generated the message, rather than a person."""
        return 1.0 - self.probabilities[Flow.PROFESSIONAL]

    @property
    def marketing_if_machine_made(self) -> float:
        """Probability, in [0, 1], of marketing, given that no person wrote it by hand."""
        rest = self.probabilities[Flow.MARKETING] + self.probabilities[Flow.TRANSACTIONAL]
        return self.probabilities[Flow.MARKETING] / rest if rest else 0.5

    def __getstate__(self) -> list[Any]:
        self.reasons  # noqa: B018 -- a model does not travel with every verdict
        return [getattr(self, one.name) for one in fields(self)]

    def __setstate__(self, state: list[Any]) -> None:
        for one, value in zip(fields(self), state, strict=True):
            object.__setattr__(self, one.name, value)

    def __str__(self) -> str:
        named = self.flow.value if self.flow else "unsure"
        if self.likely is None:
            return f"{named}: {self.reasons[0].sentence}"
        if self.flow is None:
            named += f" (perhaps {self.likely.value})"
        best = [reason.sentence for reason in self._speaking_for()[:_TOLD]]
        return f"{named} {_percent(self.confidence)}: {'; '.join(best) or 'no single reason stands out'}"

    def explain(self) -> str:
        """Return the verdict and its reasons as one plain paragraph."""
        if self.likely is None:
            return f"No flow could be determined: {self.reasons[0].sentence}."
        if self.flow:
            head = f"This is {self.flow.value} mail ({_percent(self.confidence)} sure)."
        elif self.confidence >= self.threshold:
            sure = _percent(self.confidence)
            head = f"No flow was chosen. The readable part looks like {self.likely.value} mail ({sure})."
        else:
            sure = _below(self.confidence, self.threshold)
            head = (
                f"It is not clear which flow this is: {self.likely.value} is most likely, but only "
                f"{sure} sure, and the threshold is {100 * self.threshold:.3g}%."
            )
        parts = [head, *(f"Note: {r.sentence}." for r in self.reasons if r.code.startswith("defect-"))]
        if speaking_for := self._speaking_for()[:_TOLD]:
            told = "; ".join(reason.sentence for reason in speaking_for)
            parts.append(f"In favour of {self.likely.value}: {told}.")
        if self.flow is None:
            against = [reason.sentence for reason in self.reasons if (reason.weight or 0.0) < 0]
            if against:
                parts.append(f"Against it: {'; '.join(against[:_TOLD])}.")
            second = max((f for f in Flow if f is not self.likely), key=self.probabilities.__getitem__)
            parts.append(f"It could also be {second.value} ({_percent(self.probabilities[second])}).")
        return " ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON; every key is always there."""
        return {
            "flow": self.flow.value if self.flow else None,
            "likely": self.likely.value if self.likely else None,
            "confidence": self.confidence,
            "probabilities": {flow.value: p for flow, p in self.probabilities.items()},
            "threshold": self.threshold,
            "score": self.score,
            "machine_made": self.machine_made,
            "language": self.language,
            "model_version": self.model_version,
            "defects": list(self.defects),
            "reasons": [reason.to_dict() for reason in self.reasons],
            "rest": self.rest,
        }

    def rows(self) -> list[list[Cell]]:
        """Return the reasons as rows of a table: which side they take, code, sentence."""
        return [[_side(reason), reason.code, reason.sentence] for reason in self.reasons]

    def _speaking_for(self) -> list[Reason]:
        """Return the reasons that speak for the likely flow, or settle it."""
        return [r for r in self.reasons if (r.weight or 0.0) > 0 or (r.weight == 0 and r.code[:5] == "rule-")]

    def _cells(self) -> dict[str, Cell]:
        best = "; ".join(reason.sentence for reason in self._speaking_for()[:_TOLD])
        return {
            "flow": self.flow.value if self.flow else "unsure",
            "likely": self.likely.value if self.likely else None,
            "sure": Bar(self.confidence, _percent(self.confidence)),
            "why": best or (self.reasons[0].sentence if self.reasons else ""),
        }

    def _repr_html_(self) -> str:
        named = self.flow.value if self.flow else "unsure"
        shares: list[list[Cell]] = [
            [flow.value, Bar(p, _percent(p))] for flow, p in self.probabilities.items()
        ]
        largest = max((abs(r.weight or 0.0) for r in self.reasons), default=1.0) or 1.0
        reasons: list[list[Cell]] = [
            [r.sentence, Bar((r.weight or 0.0) / largest, _side(r)), r.code] for r in self.reasons
        ]
        flows = to_html(f"{named}, {_percent(self.confidence)} sure", ["flow", "probability"], shares)
        return flows + to_html("Why", ["what was seen", "speaks", "code"], reasons)


def _side(reason: Reason) -> str:
    """Say which side a reason takes."""
    weight = reason.weight or 0.0
    return "for" if weight > 0 else "against" if weight < 0 else "settles it"


def _below(share: float, threshold: float) -> str:
    """Return a probability that misses a threshold, never rounded to one that does not.

    >>> _below(0.7, 0.9), _below(0.896, 0.9), _below(0.89999, 0.9)
    ('70%', '89.6%', '89.9%')
    """
    if round(share, 2) < threshold:
        return _percent(share)
    return f"{math.floor(1000 * share) / 10:.1f}%"


def _percent(share: float) -> str:
    """Return a probability for people: never "100%", which nothing is.

    >>> _percent(0.5), _percent(0.9996), _percent(0.0001)
    ('50%', 'over 99%', 'under 1%')
    """
    if 0.99 < share < 1:
        return "over 99%"
    return "under 1%" if 0 < share < 0.01 else f"{share:.0%}"
