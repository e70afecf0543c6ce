"""Judging on what was left out: whole sources, never messages at random.

Messages of one sender, archive or tool resemble each other; a random split puts some of them on both
sides and flatters by five to twenty points (see MODEL.md).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mailflows.training.fitting import fit, softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailflows.training.corpus import Example
    from mailflows.training.fitting import Recipe, Seeing

__all__ = ["LeftOut", "calibrate", "fewer_folds", "left_out", "source_groups", "source_weights"]

POOL_BELOW = 5  # choice: fewer messages say little of a source alone
POOLS = 8  # choice: so many groups of small sources
KEPT_RIGHT = 0.988
"""Share of confident answers that must be right; choice: the threshold is the lowest that reaches it.

A little above the 0.985 that is promised: a threshold chosen on some sources is a little too low for
others.
"""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Logits of every judged message, from models that never saw its group.

    Attributes:
        examples: The judged examples.
        groups: The group of each, which was left out as a whole.
        logits: View → one row of three uncalibrated logits per example.
    """

    examples: tuple[Example, ...]
    groups: tuple[str, ...]
    logits: dict[str, np.ndarray[Any, Any]]


def _bucket(name: str, count: int) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % count


def source_groups(examples: Sequence[Example]) -> list[str]:
    """Name each example's source; sources under `POOL_BELOW` messages are left out in pools."""
    sizes = Counter(example.source for example in examples)
    return [
        e.source if sizes[e.source] >= POOL_BELOW else f"small sources {_bucket(e.source, POOLS)}"
        for e in examples
    ]


def fewer_folds(groups: Sequence[str], count: int) -> list[str]:
    """Merge groups into *count* folds of about equal size, largest first."""
    load = [0] * count
    fold: dict[str, int] = {}
    for group, size in sorted(Counter(groups).items(), key=lambda item: (-item[1], item[0])):
        fold[group] = load.index(min(load))
        load[fold[group]] += size
    return [f"fold {fold[group]}" for group in groups]


def left_out(seeing: Seeing, recipe: Recipe, *, groups: Sequence[str], n_jobs: int = 1) -> LeftOut:
    """Judge each group by a model trained without it, from the start.

    A fit that began at the weights of all messages would end before it has forgotten the group.

    Args:
        seeing: The judged examples first; any further ones are only learned from, unless they share
            a family with the group that is judged.
        recipe: Settings of the training.
        groups: One name per judged example.
        n_jobs: Processes.
    """
    from joblib import Parallel, delayed, effective_n_jobs  # noqa: PLC0415 -- half a second

    names = sorted(set(groups))
    count = 2 * effective_n_jobs(n_jobs)
    batches = [names[i::count] for i in range(count)]
    light = seeing.without_messages()  # a process needs what is seen, not the mail
    done = Parallel(n_jobs=n_jobs)(
        delayed(_some_folds)(light, recipe, tuple(groups), batch) for batch in batches if batch
    )
    logits = {view: np.zeros((len(groups), 3)) for view in seeing.seen}
    for indices, rows in (fold for batch in done for fold in batch):
        for view, values in rows.items():
            logits[view][indices] = values
    return LeftOut(seeing.examples[: len(groups)], tuple(groups), logits)


_Fold = tuple[list[int], dict[str, np.ndarray[Any, Any]]]


def _some_folds(seeing: Seeing, recipe: Recipe, groups: tuple[str, ...], names: list[str]) -> list[_Fold]:
    """Judge several groups in one process, so that what is seen travels once."""
    return [_one_fold(seeing, recipe, groups, name) for name in names]


def _one_fold(seeing: Seeing, recipe: Recipe, groups: tuple[str, ...], name: str) -> _Fold:
    """Train without one group and score it."""
    judged = [i for i, group in enumerate(groups) if group == name]
    families = {seeing.examples[i].family for i in judged}
    learned = [
        i
        for i, example in enumerate(seeing.examples)
        if (groups[i] != name if i < len(groups) else example.family not in families)
    ]
    trained = fit(seeing.subset(learned), recipe)
    held = seeing.subset(judged)
    return judged, {view: trained.logits(rows) for view, rows in held.seen.items()}


def source_weights(examples: Sequence[Example]) -> np.ndarray[Any, Any]:
    """Weigh judged examples: each flow counts equally, and each source within a flow.

    Sources with fewer than `POOL_BELOW` messages of a flow count together as one.
    """
    sizes = Counter((e.label, e.source) for e in examples)
    keys = [(e.label, e.source if sizes[e.label, e.source] >= POOL_BELOW else "") for e in examples]
    members = Counter(keys)
    sources = Counter(label for label, _ in members)
    return np.array([1.0 / members[key] / sources[key[0]] for key in keys])


def calibrate(judged: LeftOut) -> tuple[float, float]:
    """Return the temperature and the threshold that suit unseen sources.

    The temperature minimises the log loss; the threshold is the lowest confidence from which
    `KEPT_RIGHT` of the answers are right.
    """
    labels = np.array([list(type(e.label)).index(e.label) for e in judged.examples])
    weights = np.tile(source_weights(judged.examples), len(judged.logits))
    logits = np.vstack(list(judged.logits.values()))
    answers = np.tile(labels, len(judged.logits))
    grid = np.geomspace(0.4, 4.0, 73)
    losses = [_log_loss(logits / t, answers, weights) for t in grid]
    temperature = round(float(grid[int(np.argmin(losses))]), 3)
    return temperature, _threshold(softmax(logits / temperature), answers, weights)


def _log_loss(
    logits: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]
) -> float:
    chances = softmax(logits)[np.arange(len(labels)), labels]
    return float(-(weights * np.log(np.maximum(chances, 1e-12))).sum() / weights.sum())


def _threshold(
    probabilities: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]
) -> float:
    """Return the lowest threshold, in steps of a hundredth, that is right often enough."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    for step in range(34, 100):
        kept = confidence >= step / 100
        if kept.any() and (weights * right)[kept].sum() >= KEPT_RIGHT * weights[kept].sum():
            return step / 100
    return 0.99
