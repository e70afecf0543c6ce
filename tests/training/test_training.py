"""Training and judging on the project's own corpus."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mailflows import Classifier, ConfigurationError, Flow
from mailflows.message import Message
from mailflows.training import Recipe, SignalVectorizer, evaluate, load_corpus, train
from mailflows.training.corpus import as_sent, bare, partial
from mailflows.training.fitting import fit, see
from mailflows.training.holdout import fewer_folds, source_groups, source_weights

if TYPE_CHECKING:
    from pathlib import Path

    from mailflows.training import Example
    from mailflows.training.fitting import Trained

SMALL = Recipe(vocabulary=800)


@pytest.fixture(scope="module")
def examples(root: Path) -> list[Example]:
    """Return a third of the open corpus."""
    return load_corpus(root / "corpus")[::3]


@pytest.fixture(scope="module")
def trained(examples: list[Example]) -> Trained:
    """Return a small model trained on it."""
    return train(examples, recipe=SMALL)


def test_the_model_file_scores_as_the_scikit_learn_pipeline(
    examples: list[Example], trained: Trained, tmp_path: Path
) -> None:
    """Written, read and scored in pure Python, the probabilities agree within 1e-9."""
    path = tmp_path / "model.json"
    path.write_text(trained.model.dumps(), "utf-8")
    classifier = Classifier.load(path)
    messages = [bare(e.message) for e in examples[:60]] + [e.message for e in examples[:60]]
    expected = trained.predict_proba(messages)
    compared = 0
    for message, row in zip(messages, expected, strict=True):
        result = classifier.classify(message)
        if result.likely is None or result.reasons[0].code.startswith("rule-"):
            continue
        compared += 1
        assert np.abs(np.array([result.probabilities[f] for f in Flow]) - row).max() < 1e-9
    assert compared > 100


def test_the_same_data_gives_the_same_bytes(examples: list[Example], trained: Trained) -> None:
    """Training has no chance in it."""
    assert train(examples, recipe=SMALL).model.dumps() == trained.model.dumps()


def test_a_text_teaches_only_the_signals_it_is_given_for(examples: list[Example]) -> None:
    """A text by kind has no sender and no layout: what it lacks teaches nothing."""
    whole = examples[0]
    part = dataclasses.replace(whole, families=("words-", "subject-"))
    seen = {name: see([one]).seen["bare"][0] for name, one in (("whole", whole), ("part", part))}
    assert seen["part"][1] == seen["whole"][1]
    assert seen["part"][0] == {
        name: value for name, value in seen["whole"][0].items() if name.startswith(("words-", "subject-"))
    }


def test_a_view_of_the_content_alone_lets_headers_weigh_less(examples: list[Example]) -> None:
    """The more that view counts, the less sender, recipients and headers weigh."""
    seeing = see(examples)
    weight = {}
    for share in (0.0, 0.6):
        signals = fit(seeing, dataclasses.replace(SMALL, content_share=share)).model.signals
        weight[share] = sum(
            max(map(abs, three))
            for name, three in signals.items()
            if name.startswith(("headers-", "recipients-", "sender-"))
        )
    assert weight[0.6] < weight[0.0]


def test_a_retrained_model_knows_its_own_mail(examples: list[Example], trained: Trained) -> None:
    """On what it was trained on it is nearly always right."""
    classifier = Classifier(trained.model)
    right = sum(classifier.classify(e.message).likely == e.label for e in examples)
    assert right / len(examples) > 0.95


def test_judging_leaves_whole_groups_out(examples: list[Example]) -> None:
    """Left-out languages are harder than known mail, and every figure is there."""
    groups = [e.language for e in examples]
    evaluation = evaluate(examples, groups=groups, recipe=SMALL)
    assert evaluation.groups == len(set(groups))
    assert set(evaluation.views) == {"as_sent", "bare", "partial"}
    figures = evaluation.views["bare"]
    assert figures.messages == len(examples)
    assert sum(map(sum, figures.confusion)) == len(examples)
    assert 0.6 < figures.macro_f1 < 1
    assert set(evaluation.languages) == set(groups)
    assert "macro-F1" in str(evaluation)
    assert evaluation.to_dict()["views"]["bare"]["messages"] == len(examples)


def test_training_needs_every_flow_and_two_sources(examples: list[Example]) -> None:
    """The error says what is missing."""
    persons = [e for e in examples if e.label == Flow.PROFESSIONAL]
    with pytest.raises(ConfigurationError, match="marketing"):
        train(persons, recipe=SMALL)
    one_source = [dataclasses.replace(e, source="all") for e in examples]
    with pytest.raises(ConfigurationError, match="at least two"):
        train(one_source, recipe=SMALL)


def test_views_hide_what_a_sender_does_not_have() -> None:
    """Transport and list headers go; a bare message keeps five headers at most."""
    message = Message.read(
        b"Received: from x\nDKIM-Signature: v=1\nX-Spam-Score: 3\nFrom: a@b.fr\nTo: c@d.fr\nSubject: s\n"
        b"User-Agent: Mutt\nList-Post: <mailto:l@d.fr>\nList-Id: <l.d.fr>\nPrecedence: list\n\n"
        b"Hello\n" + b"_" * 40 + b"\nlist mailing list\n"
    )
    assert [name for name, _ in as_sent(message).headers] == ["from", "to", "subject", "user-agent"]
    assert [name for name, _ in bare(message).headers] == ["from", "to", "subject"]
    assert as_sent(message).text == "Hello"
    kept = {name for name, _ in partial(message, seed="x").headers}
    assert {"from", "to", "subject"} <= kept
    assert partial(message, seed="x").headers == partial(message, seed="x").headers


def test_a_campaigns_list_headers_stay() -> None:
    """Only a discussion list's software is stripped, never by the label."""
    message = Message.read(b"From: a@b.fr\nList-Unsubscribe: <https://b.fr/u>\nList-Id: <n.b.fr>\n\nx")
    assert "list-unsubscribe" in as_sent(message)


def test_a_folder_without_messages_is_refused(tmp_path: Path) -> None:
    """The error shows the expected layout."""
    with pytest.raises(ConfigurationError, match=r"source/\*\.eml"):
        load_corpus(tmp_path)


def test_labels_can_be_corrected_without_moving_files(root: Path) -> None:
    """An overlay renames a label or leaves the message out."""
    corpus = root / "corpus"
    plain = load_corpus(corpus)
    first, second = plain[0].file, plain[1].file
    changed = load_corpus(corpus, relabel={first: Flow.MARKETING, second: None})
    assert len(changed) == len(plain) - 1
    assert next(e for e in changed if e.file == first).label == Flow.MARKETING


def test_signals_stand_first_in_a_scikit_learn_pipeline(examples: list[Example]) -> None:
    """A column per signal, and only the families that are asked for."""
    vectorizer = SignalVectorizer(families=("links", "layout"))
    matrix = vectorizer.fit_transform([e.message for e in examples[:5]])
    names = vectorizer.get_feature_names_out()
    assert matrix.shape == (5, len(names))
    assert {str(name).split("-")[0] for name in names} == {"links", "layout"}


def test_sources_are_balanced_when_judging(examples: list[Example]) -> None:
    """Each flow weighs one in all."""
    weights = source_weights(examples)
    for flow in Flow:
        mine = np.array([e.label == flow for e in examples])
        assert weights[mine].sum() == pytest.approx(1.0)


def test_folds_keep_groups_together(examples: list[Example]) -> None:
    """No group is split over two folds."""
    groups = source_groups(examples)
    folds = fewer_folds(groups, 4)
    assert len(set(folds)) == 4
    assert len(set(zip(groups, folds, strict=True))) == len(set(groups))


def test_groups_must_name_one_group_per_example(examples: list[Example]) -> None:
    """A shorter list would judge a part and look fine."""
    with pytest.raises(ConfigurationError, match="1 groups"):
        evaluate(examples, groups=["a"])
    with pytest.raises(ConfigurationError):
        evaluate([])


def test_an_unknown_family_of_signals_is_refused() -> None:
    """Instead of a matrix without columns."""
    with pytest.raises(ConfigurationError, match="nonsense"):
        SignalVectorizer(families=["nonsense"]).fit([])


def test_what_is_no_message_is_said_while_loading(tmp_path: Path) -> None:
    """The file is named and the others are kept."""
    folder = tmp_path / "marketing" / "shop"
    folder.mkdir(parents=True)
    (folder / "a.eml").write_bytes(b"From: a@b.fr\nSubject: x\n\ny")
    (folder / "b.eml").write_bytes(b"\x89PNG")
    with pytest.warns(UserWarning, match=r"b\.eml is left out"):
        assert len(load_corpus(tmp_path)) == 1
