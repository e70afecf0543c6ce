"""The recipe as a scikit-learn estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from mailflows import ConfigurationError
from mailflows.training import FlowClassifier, SignalVectorizer, load_corpus

if TYPE_CHECKING:
    from pathlib import Path

    from mailflows.message import Message

Mail = tuple[list["Message"], list[str]]


@pytest.fixture(scope="module")
def mail(root: Path) -> Mail:
    """Return a slice of the open corpus: messages and flows."""
    examples = load_corpus(root / "corpus")[::9]
    return [e.message for e in examples], [e.label.value for e in examples]


SMALL: dict[str, Any] = {"vocabulary": 200, "paired": 0}


def test_it_learns_and_answers_in_scikit_learns_way(mail: Mail) -> None:
    """Words in, words out; the columns of the probabilities stand in the order of the classes."""
    messages, flows = mail
    estimator = FlowClassifier(**SMALL).fit(messages, flows)
    shares = estimator.predict_proba(messages)
    assert np.allclose(shares.sum(axis=1), 1)
    assert list(estimator.predict(messages)) == list(estimator.classes_[shares.argmax(axis=1)])
    assert estimator.score(messages, flows) > 0.9


def test_it_clones_and_is_searched(mail: Mail) -> None:
    """`clone`, `cross_val_score` and `GridSearchCV` need nothing but the estimator."""
    messages, flows = mail
    copy = clone(FlowClassifier(**SMALL, word_share=0.5))
    assert copy.get_params()["word_share"] == 0.5
    assert cross_val_score(copy, messages, flows, cv=3).mean() > 0.6
    search = GridSearchCV(FlowClassifier(**SMALL), {"signal_strength": [0.1, 0.3]}, cv=2)
    assert search.fit(messages, flows).best_params_["signal_strength"] in {0.1, 0.3}


def test_what_does_not_fit_together_is_refused(mail: Mail) -> None:
    """A flow that is none, and lists of different lengths."""
    messages, flows = mail
    with pytest.raises(ConfigurationError, match="spam"):
        FlowClassifier().fit(messages, ["spam", *flows[1:]])
    with pytest.raises(ConfigurationError, match="one of each"):
        FlowClassifier().fit(messages, flows[1:])
    with pytest.raises(ConfigurationError, match="professional"):
        FlowClassifier(**SMALL).fit(messages, ["marketing"] * len(messages))


def test_signals_become_a_frame_with_named_columns(mail: Mail) -> None:
    """`set_output` as of any transformer."""
    vectorizer = SignalVectorizer(families=["links"], sparse_output=False).set_output(transform="pandas")
    frame = vectorizer.fit_transform(mail[0][:5])
    assert frame.shape[0] == 5
    assert all(name.startswith("links-") for name in frame.columns)
