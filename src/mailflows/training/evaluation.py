"""Evaluation of a classifier: per view and language, with calibration and coverage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mailflows._result import Result, to_html, to_text
from mailflows.classifier._model import FLOWS
from mailflows.errors import ConfigurationError
from mailflows.training.fitting import Recipe, see, softmax
from mailflows.training.holdout import calibrate, left_out, source_groups, source_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailflows.training.corpus import Example
    from mailflows.training.holdout import LeftOut

__all__ = ["Evaluation", "ViewMetrics", "evaluate", "judge", "metrics"]

BINS = 10  # choice: as calibration is usually reported


@dataclass(frozen=True, slots=True)
class ViewMetrics(Result):
    """Metrics of one view, balanced by source.

    Attributes:
        macro_f1: Mean F1 of the three flows, in [0, 1].
        precision: Per flow.
        recall: Per flow.
        calibration_error: Expected calibration error (ECE) over ten bins of equal weight, in [0, 1].
        coverage: Share of messages above the threshold.
        kept_accuracy: Share of these that are right.
        kept_confusion: Share of these in which marketing and transactional are confused.
        confusion: Counts: rows are true flows, columns predicted ones.
        messages: Number of messages evaluated.
    """

    macro_f1: float
    precision: dict[str, float]
    recall: dict[str, float]
    calibration_error: float
    coverage: float
    kept_accuracy: float
    kept_confusion: float
    confusion: list[list[int]]
    messages: int

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Evaluation(Result):
    """The result of an evaluation.

    Attributes:
        views: Metrics per view.
        languages: Language → macro-F1 per view and number of messages.
        temperature: The temperature fitted on the held-out logits.
        threshold: The threshold chosen on them.
        groups: Number of groups that were held out.
        errors: (file, true flow, predicted flow, confidence) of every error in the first view.
    """

    views: dict[str, ViewMetrics]
    languages: dict[str, dict[str, float]]
    temperature: float
    threshold: float
    groups: int
    errors: list[tuple[str, str, str, float]]

    def to_dict(self) -> dict[str, Any]:
        """Return everything except the individual errors as plain data."""
        return {
            "views": {name: figures.to_dict() for name, figures in self.views.items()},
            "languages": self.languages,
            "temperature": self.temperature,
            "threshold": self.threshold,
            "groups": self.groups,
        }

    def _rows(self) -> list[list[str | float]]:
        return [
            [
                name,
                m.messages,
                round(m.macro_f1, 3),
                round(m.calibration_error, 3),
                round(m.coverage, 3),
                round(m.kept_accuracy, 4),
            ]
            for name, m in self.views.items()
        ]

    def __str__(self) -> str:
        return to_text(_COLUMNS, self._rows())

    def _repr_html_(self) -> str:
        return to_html(f"{self.groups} groups left out in turn", _COLUMNS, self._rows())


_COLUMNS = ["view", "messages", "macro-F1", "ECE", "kept", "right of the kept"]


def evaluate(
    examples: Sequence[Example],
    *,
    groups: Sequence[str] | None = None,
    extra: Sequence[Example] = (),
    recipe: Recipe | None = None,
    n_jobs: int = 1,
) -> Evaluation:
    """Evaluate the recipe on messages whose group was left out of training.

    Args:
        examples: The messages to evaluate on.
        groups: One group name per example; each group is held out as a whole. By default the source; pass
            languages or families for a harder test.
        extra: Messages used only for training.
        recipe: Training settings.
        n_jobs: Processes.

    Raises:
        ConfigurationError: If there are no examples, or not one group for each.
    """
    if not examples or (groups is not None and len(groups) != len(examples)):
        count = "none" if groups is None else len(groups)
        msg = f"groups must name one group per example; got {count} groups for {len(examples)} examples"
        raise ConfigurationError(msg, field="groups" if examples else "examples")
    seeing = see((*examples, *extra), n_jobs=n_jobs)
    names = list(groups) if groups is not None else source_groups(examples)
    return judge(left_out(seeing, recipe or Recipe(), groups=names, n_jobs=n_jobs))


def judge(judged: LeftOut) -> Evaluation:
    """Turn left-out logits into figures.

    Temperature and threshold of each half of the groups come from the other half, so that no figure
    is measured on what it was fitted on.
    """
    probabilities, kept = _calibrated(judged)
    labels = _labels(judged.examples)
    weights = source_weights(judged.examples)
    temperature, threshold = calibrate(judged)
    first = next(iter(probabilities))
    answers = probabilities[first].argmax(axis=1)
    return Evaluation(
        views={name: metrics(rows, labels, weights, kept[name]) for name, rows in probabilities.items()},
        languages=_languages(judged, probabilities, labels),
        temperature=temperature,
        threshold=threshold,
        groups=len(set(judged.groups)),
        errors=[
            (e.file, e.label.value, FLOWS[a].value, round(float(p.max()), 3))
            for e, a, p, y in zip(judged.examples, answers, probabilities[first], labels, strict=True)
            if a != y
        ],
    )


def _labels(examples: Sequence[Example]) -> np.ndarray[Any, Any]:
    return np.array([FLOWS.index(e.label) for e in examples])


def _calibrated(
    judged: LeftOut,
) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, np.ndarray[Any, Any]]]:
    """Calibrate each half of the groups with the other half; return probabilities and what is kept."""
    names = sorted(set(judged.groups))
    half = {name: index % 2 for index, name in enumerate(names)}
    side = np.array([half[group] for group in judged.groups])
    probabilities = {view: np.zeros_like(rows) for view, rows in judged.logits.items()}
    kept = {view: np.zeros(len(side), dtype=bool) for view in judged.logits}
    for which in (0, 1):
        mine, other = np.flatnonzero(side == which), np.flatnonzero(side != which)
        temperature, threshold = calibrate(_part(judged, other if len(other) else mine))
        for view, rows in judged.logits.items():
            probabilities[view][mine] = softmax(rows[mine] / temperature)
            kept[view][mine] = probabilities[view][mine].max(axis=1) >= threshold
    return probabilities, kept


def _part(judged: LeftOut, indices: np.ndarray[Any, Any]) -> LeftOut:
    return type(judged)(
        tuple(judged.examples[i] for i in indices),
        tuple(judged.groups[i] for i in indices),
        {view: rows[indices] for view, rows in judged.logits.items()},
    )


def metrics(
    probabilities: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    weights: np.ndarray[Any, Any],
    kept: np.ndarray[Any, Any],
) -> ViewMetrics:
    """Compute the figures of one view; *kept* says which answers are above the threshold."""
    answers = probabilities.argmax(axis=1)
    confusion = np.zeros((3, 3))
    np.add.at(confusion, (labels, answers), weights)
    counts = np.zeros((3, 3), dtype=int)
    np.add.at(counts, (labels, answers), 1)
    right = np.diag(confusion)
    precision = right / np.maximum(confusion.sum(axis=0), 1e-12)
    recall = right / np.maximum(confusion.sum(axis=1), 1e-12)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    total = weights[kept].sum() or 1.0
    exchanged = kept & (labels > 0) & (answers > 0) & (labels != answers)
    names = [flow.value for flow in FLOWS]
    return ViewMetrics(
        macro_f1=float(f1.mean()),
        precision=dict(zip(names, map(float, precision), strict=True)),
        recall=dict(zip(names, map(float, recall), strict=True)),
        calibration_error=_calibration_error(probabilities, labels, weights),
        coverage=float(weights[kept].sum() / weights.sum()),
        kept_accuracy=float((weights * (answers == labels))[kept].sum() / total),
        kept_confusion=float(weights[exchanged].sum() / total),
        confusion=counts.tolist(),
        messages=len(labels),
    )


def _calibration_error(
    probabilities: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]
) -> float:
    """Return the mean distance of confidence and accuracy over bins of equal weight."""
    confidence = probabilities.max(axis=1)
    gaps = weights * ((probabilities.argmax(axis=1) == labels) - confidence)
    order = np.argsort(confidence, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    place = np.minimum((reached * BINS - 1e-9).astype(int), BINS - 1)
    return float(sum(abs(gaps[order][place == index].sum()) for index in range(BINS)) / weights.sum())


def _languages(
    judged: LeftOut, probabilities: dict[str, np.ndarray[Any, Any]], labels: np.ndarray[Any, Any]
) -> dict[str, dict[str, float]]:
    """Return macro-F1 per language, each message counting alike."""
    found: dict[str, dict[str, float]] = {}
    languages = np.array([e.language for e in judged.examples])
    for language in sorted({e.language for e in judged.examples} - {""}):
        mine = np.flatnonzero(languages == language)
        found[language] = {"messages": float(len(mine))}
        for view, rows in probabilities.items():
            whole = np.ones(len(mine), dtype=bool)
            figures = metrics(rows[mine], labels[mine], np.ones(len(mine)), whole)
            found[language][view] = figures.macro_f1
    return found
