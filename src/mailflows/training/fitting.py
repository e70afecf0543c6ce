"""Fit the model: two logistic regressions, added, calibrated on sources left out."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from mailflows.classifier._model import FLOWS, Model
from mailflows.errors import ConfigurationError
from mailflows.message import Message
from mailflows.signals import SIGNALS
from mailflows.training.corpus import VIEWS, view
from mailflows.training.vectorize import look, signal_matrix, word_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailflows.training.corpus import Example
    from mailflows.training.vectorize import Seen

__all__ = ["Recipe", "Seeing", "Trained", "data_digest", "fit", "see", "softmax"]

DECIMALS = 4
"""Places to which weights are rounded, in the estimators too; choice: a small file, the same answers."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings of a training.

    Attributes:
        signal_strength: Inverse of the L2 penalty (scikit-learn's C) on signals; small, because a
            signal that helps in one source misleads in another.
        word_strength: The same for words.
        word_share: Weight of the wording in the score.
        vocabulary: Maximum number of words in the vocabulary, those used by most sources first.
        word_sources: Number of sources that must use a word before it enters the vocabulary.
        source_power: A source of n messages gets the weight n ** (1 - source_power).
        content_share: Weight of a view of the content alone, in which sender, recipients and headers are not
            seen; the other views share the rest.

    Example:
        >>> Recipe(vocabulary=2000).word_share
        0.7
    """

    signal_strength: float = 0.3
    word_strength: float = 0.3
    word_share: float = 0.7
    vocabulary: int = 6000
    word_sources: int = 4
    source_power: float = 0.5
    content_share: float = 0.25


_NOTHING = Message.read(b"Subject: -\n\n")


@dataclass(frozen=True, slots=True)
class Seeing:
    """Examples with what is seen of them in each view, measured once."""

    examples: tuple[Example, ...]
    seen: dict[str, tuple[Seen, ...]]

    def subset(self, indices: Sequence[int]) -> Seeing:
        """Return some of the examples."""
        return Seeing(
            tuple(self.examples[i] for i in indices),
            {name: tuple(rows[i] for i in indices) for name, rows in self.seen.items()},
        )

    def without_messages(self) -> Seeing:
        """Return the same with empty messages."""
        light = tuple(dataclasses.replace(example, message=_NOTHING) for example in self.examples)
        return Seeing(light, self.seen)

    @property
    def labels(self) -> np.ndarray[Any, Any]:
        """The flows as numbers, in the order of the model."""
        return np.array([FLOWS.index(example.label) for example in self.examples])


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model, with the scikit-learn estimators it was made from."""

    model: Model
    signal_estimator: LogisticRegression
    word_estimator: LogisticRegression
    names: tuple[str, ...]
    vocabulary: tuple[str, ...]

    def decision_function(self, messages: Sequence[Message]) -> np.ndarray[Any, Any]:
        """Return the calibrated logits, computed by scikit-learn."""
        return self.logits([look(message) for message in messages]) / self.model.temperature

    def predict_proba(self, messages: Sequence[Message]) -> np.ndarray[Any, Any]:
        """Return the probabilities, computed by scikit-learn."""
        return softmax(self.decision_function(messages))

    def logits(self, seen: Sequence[Seen]) -> np.ndarray[Any, Any]:
        """Return the uncalibrated logits of prepared messages."""
        design = signal_matrix([s for s, _ in seen], self.names)
        wording = word_matrix([w for _, w in seen], self.vocabulary)
        share = self.model.wording_share
        # The wording's intercept would only say how common a flow is.
        return np.asarray(
            self.signal_estimator.decision_function(design) + share * (wording @ self.word_estimator.coef_.T)
        )


def see(examples: Sequence[Example], *, views: Sequence[str] = VIEWS, n_jobs: int = 1) -> Seeing:
    """Measure every example in every view."""
    from joblib import Parallel, delayed  # noqa: PLC0415 -- half a second

    rows = Parallel(n_jobs=n_jobs, batch_size=50)(delayed(_looks)(e, tuple(views)) for e in examples)
    return Seeing(
        tuple(examples),
        {name: tuple(row[index] for row in rows) for index, name in enumerate(views)},
    )


_VIEW_PARTS = {"as_sent": 7, "bare": 4, "partial": 4}
"""How the views share what the content alone leaves; choice: on sources left out, as it is bare mail, too."""

_ENVELOPE = ("headers-", "recipients-", "sender-")
_NO_HEADERS = (*_ENVELOPE, "subject-")


def _looks(example: Example, views: tuple[str, ...]) -> list[Seen]:
    looks = [look(view(example, name)) for name in views]
    alike = {words: words for _, words in looks}  # one set where the views agree, to travel once
    looks = [(signals, alike[words]) for signals, words in looks]
    if example.families:
        return [({n: v for n, v in s.items() if n.startswith(example.families)}, w) for s, w in looks]
    if example.message.headers and any(n == "from" for n, _ in example.message.headers):
        return looks
    # A template has no headers to be absent: it says nothing of them.
    return [({n: v for n, v in s.items() if not n.startswith(_NO_HEADERS)}, w) for s, w in looks]


def _content(signals: dict[str, float]) -> dict[str, float]:
    """Return what is seen of the content alone."""
    return {name: value for name, value in signals.items() if not name.startswith(_ENVELOPE)}


def _shares(views: tuple[str, ...], content: float) -> list[float]:
    """Return how much each view counts, the content alone last.

    >>> _shares(("as_sent", "bare", "partial"), 0.25)
    [0.35, 0.2, 0.2, 0.25]
    """
    whole = sum(_VIEW_PARTS[view] for view in views)
    return [round((1 - content) * _VIEW_PARTS[view] / whole, 6) for view in views] + [content]


def weights_of(examples: Sequence[Example], power: float) -> np.ndarray[Any, Any]:
    """Weigh examples so that each flow counts equally and no large source drowns out the others."""
    sizes = Counter((e.label, e.source) for e in examples)
    weights = np.array([e.weight * sizes[e.label, e.source] ** -power for e in examples])
    for flow in FLOWS:
        mine = np.array([e.label == flow for e in examples])
        if not mine.any():
            msg = f"the corpus has no message of the flow {flow.value!r}"
            raise ConfigurationError(msg, field="examples")
        weights[mine] *= len(examples) / len(FLOWS) / weights[mine].sum()
    return weights


def _vocabulary(seeing: Seeing, recipe: Recipe) -> tuple[str, ...]:
    """Choose the words that most sources use."""
    sources: dict[str, set[str]] = {}
    for example, (_, words) in zip(seeing.examples, seeing.seen["bare"], strict=True):
        for word in words:
            sources.setdefault(word, set()).add(example.source)
    # Of few sources, a word of all of them is the most that can be asked for; one of a single source is none.
    least = min(recipe.word_sources, max(2, len({example.source for example in seeing.examples})))
    spread = {w: len(s) for w, s in sources.items() if len(s) >= least}
    if not spread:
        msg = f"no word is used by {least} sources: provide more messages, from more sources"
        raise ConfigurationError(msg, field="examples")
    kept = sorted(spread, key=lambda word: (-spread[word], word))[: recipe.vocabulary]
    return tuple(sorted(kept))


def _regression(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=600, tol=1e-5)


def fit(
    seeing: Seeing,
    recipe: Recipe,
    *,
    temperature: float = 1.0,
    threshold: float = 0.7,
    about: dict[str, Any] | None = None,
) -> Trained:
    """Fit on everything that is given; see `mailflows.training.train` for the whole path."""
    names = tuple(SIGNALS)
    weights = weights_of(seeing.examples, recipe.source_power)
    labels = seeing.labels
    views = [[signals for signals, _ in rows] for rows in seeing.seen.values()]
    views.append([_content(signals) for signals, _ in seeing.seen["bare"]])
    shares = _shares(tuple(seeing.seen), recipe.content_share)
    repeated = np.tile(labels, len(views))
    repeated_weights = np.concatenate([share * weights for share in shares])

    design = signal_matrix([signals for rows in views for signals in rows], names)
    signals, words = _regression(recipe.signal_strength), _regression(recipe.word_strength)
    vocabulary = _vocabulary(seeing, recipe)
    signals.fit(design, repeated, sample_weight=repeated_weights)

    wording = word_matrix([w for _, w in seeing.seen["bare"]], vocabulary)
    words.fit(wording, labels, sample_weight=weights)
    for estimator in (signals, words):
        estimator.coef_ = np.round(estimator.coef_, DECIMALS) + 0.0
        estimator.intercept_ = np.round(estimator.intercept_, DECIMALS) + 0.0
    model = Model(
        start=_three(signals.intercept_),
        signals={name: w for name, w in zip(names, map(_three, signals.coef_.T), strict=True) if any(w)},
        words=dict(zip(vocabulary, map(_three, words.coef_.T), strict=True)),
        wording_share=recipe.word_share,
        temperature=temperature,
        threshold=threshold,
        about=about or {},
    )
    return Trained(model, signals, words, names, vocabulary)


def _three(column: np.ndarray[Any, Any]) -> tuple[float, float, float]:
    a, b, c = (float(value) for value in column)
    return (a, b, c)


def softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Turn rows of logits into rows of probabilities."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def data_digest(examples: Sequence[Example]) -> str:
    """Return the SHA-256 over labels, files and sizes of the training data."""
    lines = sorted(f"{e.label.value}\t{e.file}\t{e.message.size}\t{e.weight}" for e in examples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
