"""Messages → matrices, for scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin

from mailflows.classifier._model import word_scale
from mailflows.classifier._wording import marked, wording
from mailflows.errors import ConfigurationError
from mailflows.message import Message
from mailflows.signals import SIGNALS, measure, words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mailflows.message import Source

__all__ = ["Seen", "SignalVectorizer", "look", "signal_matrix", "word_matrix"]

Seen = tuple[dict[str, float], frozenset[str]]
"""What is seen of a message: its signals and its wording."""


def look(message: Message) -> Seen:
    """Measure the signals and the wording of a message, as the classifier does."""
    reading = words.read(message)
    return measure(message, reading=reading), marked(wording(message, reading))


def signal_matrix(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> sparse.csr_matrix:
    """Set measured signals as a sparse matrix, one column per name."""
    column = {name: index for index, name in enumerate(names)}
    data, indices, starts = [], [], [0]
    for row in rows:
        for name, value in row.items():
            if name in column:
                indices.append(column[name])
                data.append(value)
        starts.append(len(indices))
    return sparse.csr_matrix((data, indices, starts), shape=(len(rows), len(names)))


def word_matrix(rows: Sequence[Collection[str]], vocabulary: Sequence[str]) -> sparse.csr_matrix:
    """Set known words as a matrix whose rows are scaled as `Model` scales them."""
    column = {word: index for index, word in enumerate(vocabulary)}
    data, indices, starts = [], [], [0]
    for row in rows:
        known = sorted(column[word] for word in row if word in column)
        indices += known
        data += [word_scale(len(known), len(row))] * len(known) if known else []
        starts.append(len(indices))
    return sparse.csr_matrix((data, indices, starts), shape=(len(rows), len(vocabulary)))


class SignalVectorizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A scikit-learn transformer: messages → their named signals.

    It learns nothing, so it can come first in any pipeline.

    Args:
        families: Families of signals to keep, such as ``("links", "layout")``; by default all.
        sparse_output: Whether the matrix is sparse; ``set_output(transform="pandas")`` requires a dense one.

    Attributes:
        feature_names_: Names of the columns.

    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> pipeline = make_pipeline(SignalVectorizer(), LogisticRegression())
    """

    def __init__(self, families: Sequence[str] | None = None, *, sparse_output: bool = True) -> None:
        self.families = families
        self.sparse_output = sparse_output

    def fit(self, messages: Iterable[Source], flows: object = None) -> SignalVectorizer:
        """Set the columns; *messages* and *flows* are ignored.

        Raises:
            ConfigurationError: If a signal is not one of `mailflows.signals.SIGNALS`.
        """
        del messages, flows
        chosen = self.families
        known = {signal.family for signal in SIGNALS.values()}
        unknown = set(chosen or ()) - known
        if unknown:
            msg = f"there is no family {', '.join(sorted(unknown))}; choose from {', '.join(sorted(known))}"
            raise ConfigurationError(msg, field="families")
        self.feature_names_ = [
            name for name, signal in SIGNALS.items() if chosen is None or signal.family in chosen
        ]
        return self

    def transform(self, messages: Iterable[Source]) -> sparse.csr_matrix | np.ndarray[Any, Any]:
        """Measure the messages: one row each, with values in [0, 1]."""
        rows = [measure(Message.read(message)) for message in messages]
        matrix = signal_matrix(rows, self.feature_names_)
        return matrix if self.sparse_output else matrix.toarray()

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray[Any, Any]:
        """Return the names of the columns, as scikit-learn asks for them."""
        del input_features
        return np.asarray(self.feature_names_, dtype=object)
