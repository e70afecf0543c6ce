"""A scikit-learn estimator: messages in, flows out."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from mailflows.classifier import Classifier
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.message import Message
from mailflows.training.corpus import Example
from mailflows.training.fitting import Recipe, fit, see
from mailflows.training.train import train

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailflows.message import Source

__all__ = ["FlowClassifier"]


_SHIPPED = Recipe()


class FlowClassifier(ClassifierMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The shipped recipe as a scikit-learn estimator, for cross-validation, grid search and pipelines.

    Messages are anything that `mailflows.classify` accepts, in a list, an array or a column of a DataFrame.
    As a transformer it returns the probabilities as columns, named with ``set_output(transform="pandas")``.

    Args:
        signal_strength: Inverse of the L2 penalty on signals.
        word_strength: The same for words.
        word_share: Weight of the wording in the score.
        vocabulary: Maximum number of words in the vocabulary.
        word_sources: Number of sources that must use a word before it enters the vocabulary; of messages, if
            no sources are given.
        source_power: A source of n messages gets the weight n ** (1 - source_power).
        content_share: Weight of a view in which sender, recipients and headers are not seen.
        calibrated: Whether to fit temperature and threshold on held-out sources, which takes ten more fits.

    Attributes:
        classes_: The flows as words, in alphabetical order, as scikit-learn has them.
        classifier_: The fitted `mailflows.Classifier`; ``classifier_.model.save(path)`` writes its file.

    Example:
        >>> from mailflows.training import FlowClassifier, load_corpus
        >>> few = load_corpus("corpus")[::20]
        >>> messages, flows = [e.message for e in few], [e.label for e in few]
        >>> estimator = FlowClassifier(vocabulary=200).fit(messages, flows)
        >>> estimator.classes_.tolist()
        ['marketing', 'professional', 'transactional']
        >>> estimator.predict_proba(messages[:2]).shape
        (2, 3)
    """

    def __init__(  # noqa: PLR0913 -- scikit-learn wants each setting by name
        self,
        *,
        signal_strength: float = _SHIPPED.signal_strength,
        word_strength: float = _SHIPPED.word_strength,
        word_share: float = _SHIPPED.word_share,
        vocabulary: int = _SHIPPED.vocabulary,
        word_sources: int = _SHIPPED.word_sources,
        source_power: float = _SHIPPED.source_power,
        content_share: float = _SHIPPED.content_share,
        calibrated: bool = False,
    ) -> None:
        self.signal_strength = signal_strength
        self.word_strength = word_strength
        self.word_share = word_share
        self.vocabulary = vocabulary
        self.word_sources = word_sources
        self.source_power = source_power
        self.content_share = content_share
        self.calibrated = calibrated

    def fit(
        self,
        messages: Sequence[Source],
        flows: Iterable[Flow | str],
        *,
        sources: Iterable[str] | None = None,
    ) -> FlowClassifier:
        """Train on messages and the flow of each.

        Args:
            messages: Anything that `mailflows.classify` accepts.
            flows: The flow of each.
            sources: Who or what generated each message; by default each message is its own source.

        Raises:
            ConfigurationError: If the lengths differ, a flow is not valid, or a flow has no messages.
            MessageError: If something is not a message.
        """
        examples = _examples(messages, flows, sources)
        recipe = Recipe(**{one.name: getattr(self, one.name) for one in fields(Recipe)})
        trained = train(examples, recipe=recipe) if self.calibrated else fit(see(examples), recipe)
        self.classes_ = np.array(sorted(flow.value for flow in Flow))
        self.classifier_ = Classifier(trained.model)
        return self

    def predict(self, messages: Iterable[Source]) -> np.ndarray[Any, Any]:
        """Return the likely flow of each message, as a word."""
        shares = self.predict_proba(messages)
        return np.asarray(self.classes_[shares.argmax(axis=1)])

    def predict_proba(self, messages: Iterable[Source]) -> np.ndarray[Any, Any]:
        """Return one row of probabilities per message, in the order of `classes_`."""
        check_is_fitted(self)
        results = self.classifier_.classify_many(list(messages))
        rows = [[result.probabilities[Flow(name)] for name in self.classes_] for result in results]
        return np.array(rows).reshape(-1, len(self.classes_))

    def transform(self, messages: Iterable[Source]) -> np.ndarray[Any, Any]:
        """Return the probabilities as features for another estimator."""
        return self.predict_proba(messages)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray[Any, Any]:
        """Return the flows as the names of the columns."""
        del input_features
        check_is_fitted(self)
        return np.asarray(self.classes_, dtype=object)


def _examples(
    messages: Iterable[Source], flows: Iterable[Flow | str], sources: Iterable[str] | None
) -> list[Example]:
    """Return labelled messages as the training takes them."""
    read = [Message.read(message) for message in messages]
    try:
        labels = [Flow(str(flow)) for flow in flows]
    except ValueError as problem:
        msg = f"flows: {problem}"
        raise ConfigurationError(msg, field="flows") from problem
    names = [f"message {number}" for number in range(len(read))] if sources is None else list(sources)
    if not len(read) == len(labels) == len(names):
        msg = f"each message needs a flow and a source; got {len(read)}, {len(labels)} and {len(names)}"
        raise ConfigurationError(msg, field="flows")
    return [
        Example(f"message {number}", label, source, source, "", message)
        for number, (message, label, source) in enumerate(zip(read, labels, names, strict=True))
    ]
