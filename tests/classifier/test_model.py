"""The model file: numbers only, checked on loading."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import Classifier, ModelError
from mailflows.classifier import Model
from mailflows.classifier._model import SCHEMA, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    """Return the shipped model as JSON."""
    found: dict[str, Any] = json.loads(Model.shipped().dumps())
    return found


def test_the_shipped_model_is_small_and_is_written_back_byte_for_byte(root: Path) -> None:
    """At most 400 kB, and reading and writing changes nothing."""
    path = root / "src" / "mailflows" / "data" / "model.json"
    text = path.read_text("utf-8")
    assert len(text.encode()) <= 400_000
    assert Model.loads(text).dumps() == text


def test_a_model_of_ones_own_is_loaded_from_a_file(tmp_path: Path, content: dict[str, Any]) -> None:
    """`Classifier.load` reads what `dumps` wrote."""
    path = tmp_path / "own.json"
    path.write_text(json.dumps(content), "utf-8")
    classifier = Classifier.load(path, threshold=0.5)
    assert classifier.threshold == 0.5
    assert classifier.model.about["digest"] == content["digest"]


def _signed(changed: dict[str, Any]) -> str:
    return json.dumps(changed | {"digest": digest_of(changed)})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c | {"schema": SCHEMA + 1}, "schema"),
        (lambda c: c | {"flows": ["spam", "ham", "eggs"]}, "flows"),
        (lambda c: c | {"temperature": 0}, "temperature"),
        (lambda c: c | {"temperature": 1e-300}, "temperature"),
        (lambda c: c | {"threshold": 5}, "threshold"),
        (lambda c: c | {"start": [1, 2]}, "damaged"),
        (lambda c: c | {"start": [1, 2, "3"]}, "finite"),
        (lambda c: c | {"start": [1, 2, 1e300]}, "finite"),
        (lambda c: c | {"start": [1, 2, True]}, "finite"),
        (lambda c: c | {"vocabulary": "one\ntwo"}, "differ in length"),
        (lambda c: c | {"signals": []}, "damaged"),
        (lambda c: {k: v for k, v in c.items() if k != "word_weights"}, "damaged"),
    ],
)
def test_a_damaged_model_is_refused_with_the_reason(
    content: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]], words: str
) -> None:
    """Also when its digest was made to fit."""
    with pytest.raises(ModelError, match=words):
        Model.loads(_signed(change(content)))


def test_a_changed_weight_is_noticed(content: dict[str, Any]) -> None:
    """The digest covers every number that decides."""
    changed = content | {"temperature": content["temperature"] * 2}
    with pytest.raises(ModelError, match="was changed"):
        Model.loads(json.dumps(changed))


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "NaN", "[" * 100_000])
def test_what_is_not_a_model_is_refused(text: str) -> None:
    """Nothing is executed and nothing is guessed."""
    with pytest.raises(ModelError):
        Model.loads(text)


def test_a_binary_file_is_no_model(tmp_path: Path) -> None:
    """Not even its letters can be read."""
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04\x95\xff\xfe")
    with pytest.raises(ModelError):
        Classifier.load(path)
