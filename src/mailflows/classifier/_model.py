"""The trained model: numbers in a JSON file, checked on loading, scored in pure Python.

The score of a flow is linear: a start value, a weight for each named signal, and the wording. So every
reason is exact: its share of the score.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mailflows import _data
from mailflows.errors import ModelError
from mailflows.flow import Flow

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from mailflows.classifier._wording import Weights, Wording

__all__ = ["FLOWS", "SCHEMA", "Model", "Score", "digest_of"]

SCHEMA = 3  # choice: the third layout of the file: words count by how many of a message are known
FLOWS = tuple(Flow)
"""The order of the three numbers of every weight."""

MAX_BYTES = 4 * 1024 * 1024  # bound: ten times the shipped file
_MAX_WEIGHTS = 200_000  # bound: twenty times the shipped weights


@dataclass(frozen=True, slots=True)
class Score:
    """What a model says of one message.

    Attributes:
        logits: One number per flow, calibrated; their differences are log odds.
        contributions: Signal → its three shares of the logits.
        wording: The three shares of the wording.
        start: The three start values.
    """

    logits: Weights
    contributions: dict[str, Weights]
    wording: Weights
    start: Weights


@dataclass(frozen=True, slots=True)
class Model:
    """Weights of signals and words.

    Attributes:
        start: Intercept per flow.
        signals: Signal → weight per flow.
        words: Marked word → weight per flow.
        wording_share: Weight of the wording in the score.
        temperature: Divisor of the logits, fitted on sources left out of training.
        threshold: Confidence below which a classification is "unsure".
        about: Training data, metrics and digest, for information.

    Example:
        >>> from mailflows import Classifier
        >>> model = Classifier().model
        >>> 0 < model.threshold < 1
        True
    """

    start: Weights
    signals: Mapping[str, Weights]
    words: Mapping[str, Weights]
    wording_share: float
    temperature: float
    threshold: float
    about: Mapping[str, Any]
    _places: Mapping[str, Mapping[str, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        places: dict[str, dict[str, int]] = {}
        for word, weights in self.words.items():
            mark, _, token = word.partition(":")
            places.setdefault(mark, {})[token] = _packed(weights)
        object.__setattr__(self, "_places", places)

    @property
    def version(self) -> str:
        """The model's name and the start of its digest, as in every classification."""
        digest = self.about.get("digest") or json.loads(self.dumps())["digest"]
        return f"{self.about.get('name', 'own')} {digest[:12]}"

    def logits(self, measured: Mapping[str, float], wording: Wording) -> Weights:
        """Return the calibrated logits of a message: `score` without the contributions."""
        a, b, c = self.start
        weights_of = self.signals.get
        for name, value in measured.items():
            if w := weights_of(name):
                a += value * w[0]
                b += value * w[1]
                c += value * w[2]
        x, y, z = self._wording(wording, self.wording_share)
        return ((a + x) / self.temperature, (b + y) / self.temperature, (c + z) / self.temperature)

    def score(self, measured: Mapping[str, float], wording: Wording) -> Score:
        """Score the signals and the wording of a message."""
        scale = 1.0 / self.temperature
        contributions = {
            name: (value * w[0] * scale, value * w[1] * scale, value * w[2] * scale)
            for name, value in measured.items()
            if (w := self.signals.get(name)) is not None
        }
        words = self._wording(wording, scale * self.wording_share)
        start = (self.start[0] * scale, self.start[1] * scale, self.start[2] * scale)
        a, b, c = (start[k] + words[k] for k in range(3))
        for x, y, z in contributions.values():
            a += x
            b += y
            c += z
        return Score((a, b, c), contributions, words, start)

    def _wording(self, wording: Wording, factor: float) -> Weights:
        """Sum the known words, scaled so that long messages do not weigh more."""
        total = used = 0
        for mark, tokens in wording.items():
            different = set(tokens)
            used += len(different)
            if table := self._places.get(mark):
                total += sum(filter(None, map(table.get, different)))
        if not total:
            return (0.0, 0.0, 0.0)
        count, a, b, c = _unpacked(total)
        factor *= word_scale(count, used)
        return (a * factor, b * factor, c * factor)

    @classmethod
    def shipped(cls) -> Model:
        """Load the model shipped with the library."""
        return cls.loads(_data.read("model.json"))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Load a model file.

        Raises:
            ModelError: If it is not a model file, is damaged, or has a different schema version.
            OSError: If it cannot be read.
        """
        with open(path, "rb") as handle:  # noqa: PTH123 -- a str is allowed
            return cls.loads(handle.read(MAX_BYTES + 1))

    @classmethod
    def loads(cls, text: str | bytes) -> Model:
        """Read a model from JSON text, checking every number.

        Raises:
            ModelError: As `load` does.
        """
        if len(text) > MAX_BYTES:
            msg = f"a model file may have at most {MAX_BYTES} bytes"
            raise ModelError(msg, expected=MAX_BYTES, found=len(text))
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as problem:
            msg = f"not a model file: {problem}"
            raise ModelError(msg) from problem
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            found = content.get("schema") if isinstance(content, dict) else type(content).__name__
            msg = f"this library reads model schema {SCHEMA}, but the file has {found!r}"
            raise ModelError(msg, expected=SCHEMA, found=found)
        digest = digest_of(content)
        if content.get("digest") != digest:
            msg = "the model file was changed: its digest does not match its weights"
            raise ModelError(msg, expected=content.get("digest"), found=digest)
        return _build(content)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file that `Classifier.load` reads."""
        with open(path, "w", encoding="utf-8", newline="\n") as handle:  # noqa: PTH123 -- a str is allowed
            handle.write(self.dumps())

    def dumps(self) -> str:
        """Write the model as JSON text, the same bytes for the same numbers."""
        about = {k: v for k, v in self.about.items() if k != "digest"}
        vocabulary = sorted(self.words)
        content: dict[str, Any] = {
            "schema": SCHEMA,
            "flows": [flow.value for flow in FLOWS],
            "start": list(self.start),
            "temperature": self.temperature,
            "threshold": self.threshold,
            "signals": {name: list(self.signals[name]) for name in sorted(self.signals)},
            "wording_share": self.wording_share,
            "vocabulary": "\n".join(vocabulary),
            "word_weights": [[self.words[word][k] for word in vocabulary] for k in range(3)],
            "about": about,
        }
        content["digest"] = digest_of(content)
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


LEAST_KNOWN = 0.3
"""Share of a message's words that are known; choice: in a language that was not learned, few are, and those
by accident. Less damps the languages learned, more does not damp the others."""


def word_scale(known: int, used: int) -> float:
    """Return the factor of the sum of a message's known words, of all those it uses.

    Long messages do not weigh more, and a few known words of many do not speak for the rest.

    >>> word_scale(9, 10), word_scale(9, 120)
    (1.0, 0.5)
    """
    return 3.0 / math.sqrt(max(known, LEAST_KNOWN * used))


# A word's weights, and a one to count it, are the digits of one number: the words of a message are added up
# in one call that touches one object a word. It is exact, so the order does not matter.
_DIGIT = 40  # bound: bits of a digit; a quarter of a million words of the largest weight fit
_ONES = 10**4  # choice: weights are kept to four places
_LARGEST = 200  # bound: of a word's weight; shipped ones are below 5
_SHIFT = _LARGEST * _ONES


def _packed(weights: Weights) -> int:
    digits = (round(min(max(w, -_LARGEST), _LARGEST) * _ONES) + _SHIFT for w in reversed(weights))
    total = 1
    for digit in digits:
        total = (total << _DIGIT) + digit
    return total


def _unpacked(total: int) -> tuple[int, float, float, float]:
    """Return how many words were added up, and the sums of their weights."""
    count = total >> 3 * _DIGIT
    a, b, c = (
        (((total >> place * _DIGIT) & ((1 << _DIGIT) - 1)) - count * _SHIFT) / _ONES for place in range(3)
    )
    return count, a, b, c


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the parts of a model file that decide, as hexadecimal text."""
    deciding = {k: v for k, v in content.items() if k not in {"digest", "about"}}
    text = json.dumps(deciding, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _build(content: dict[str, Any]) -> Model:
    """Turn checked JSON into a model."""
    try:
        vocabulary = content["vocabulary"].split("\n") if content["vocabulary"] else []
        columns = content["word_weights"]
        if len(columns) != 3 or any(len(column) != len(vocabulary) for column in columns):
            msg = "vocabulary and word weights differ in length"
            raise ModelError(msg, expected=len(vocabulary), found=[len(c) for c in columns])
        if len(vocabulary) + len(content["signals"]) > _MAX_WEIGHTS:
            msg = f"a model has at most {_MAX_WEIGHTS} weights"
            raise ModelError(msg)
        if content["flows"] != [flow.value for flow in FLOWS]:
            msg = "the model's flows differ from this library's"
            raise ModelError(msg, expected=list(FLOWS), found=content["flows"])
        temperature = _number(content["temperature"])
        if not 0.01 <= temperature <= 100:
            msg = "a temperature must be in [0.01, 100]"
            raise ModelError(msg, found=temperature)
        threshold = _number(content["threshold"])
        if not 0 <= threshold <= 1:
            msg = "a threshold must be a probability in [0, 1]"
            raise ModelError(msg, found=threshold)
        return Model(
            start=_three(content["start"]),
            signals={str(name): _three(w) for name, w in content["signals"].items()},
            words=dict(zip(vocabulary, map(_three, zip(*columns, strict=True)), strict=True)),
            wording_share=_number(content["wording_share"]),
            temperature=temperature,
            threshold=threshold,
            about={**content["about"], "digest": content["digest"]},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        if isinstance(problem, ModelError):
            raise
        msg = f"the model file is damaged: {problem!r}"
        raise ModelError(msg) from problem


def _number(value: object) -> float:
    """Return a finite number of reasonable size."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6:
        msg = f"{value!r} is not a finite number"
        raise ModelError(msg, expected="a finite number", found=value)
    return float(value)


def _three(values: Iterable[object]) -> Weights:
    """Return three finite numbers."""
    a, b, c = map(_number, values)
    return (a, b, c)
