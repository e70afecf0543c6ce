"""The recipe as a scikit-learn estimator."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score

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


SMALL: dict[str, Any] = {"vocabulary": 200}


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


def test_it_keeps_to_the_rules_of_scikit_learns_estimators(mail: Mail) -> None:
    """What `check_estimator` asks of estimators whose samples are no numbers."""
    messages, flows = mail
    estimator = FlowClassifier(**SMALL)
    with pytest.raises(NotFittedError):
        estimator.predict(messages)
    before = estimator.get_params()
    assert estimator.fit(messages, flows) is estimator
    assert estimator.get_params() == before  # fitting changes no setting
    first = estimator.predict_proba(messages)
    again = estimator.fit(messages, flows).predict_proba(messages)
    assert np.array_equal(again, first)  # nor is there chance in it
    assert np.array_equal(pickle.loads(pickle.dumps(estimator)).predict_proba(messages), first)
    assert np.array_equal(estimator.predict_proba(messages[3:5]), first[3:5])  # each message by itself
    assert estimator.set_params(word_share=0.0).get_params()["word_share"] == 0.0
    with pytest.raises(ValueError, match="nonsense"):
        estimator.set_params(nonsense=1)
    assert "vocabulary=200" in repr(estimator)
    assert is_classifier(estimator)
    assert not hasattr(clone(estimator), "classes_")


def test_columns_of_a_frame_go_in_and_named_columns_come_out(mail: Mail) -> None:
    """A Series of raw messages, cross-validated by groups, and probabilities as a frame."""
    pandas = pytest.importorskip("pandas")
    messages, flows = mail
    frame = pandas.DataFrame({"message": messages, "flow": flows}, index=[f"m{i}" for i in range(len(flows))])
    groups = [number % 4 for number in range(len(frame))]
    estimator = FlowClassifier(**SMALL).set_output(transform="pandas")
    shares = estimator.fit(frame["message"], frame["flow"]).transform(frame["message"])
    assert list(shares.columns) == ["marketing", "professional", "transactional"]
    assert np.allclose(shares.to_numpy().sum(axis=1), 1)
    folds = cross_val_predict(
        FlowClassifier(**SMALL), frame["message"], frame["flow"], cv=GroupKFold(4), groups=groups
    )
    assert set(folds) <= set(flows)


def test_what_does_not_fit_together_is_refused(mail: Mail) -> None:
    """A flow that is none, and lists of different lengths."""
    messages, flows = mail
    with pytest.raises(ConfigurationError, match="spam"):
        FlowClassifier().fit(messages, ["spam", *flows[1:]])
    with pytest.raises(ConfigurationError, match="needs a flow and a source"):
        FlowClassifier().fit(messages, flows[1:])
    with pytest.raises(ConfigurationError, match="professional"):
        FlowClassifier(**SMALL).fit(messages, ["marketing"] * len(messages))


def test_signals_become_a_frame_with_named_columns(mail: Mail) -> None:
    """`set_output` as of any transformer."""
    vectorizer = SignalVectorizer(families=["links"], sparse_output=False).set_output(transform="pandas")
    frame = vectorizer.fit_transform(mail[0][:5])
    assert frame.shape[0] == 5
    assert all(name.startswith("links-") for name in frame.columns)
