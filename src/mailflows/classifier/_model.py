"""The trained model: numbers in a JSON file, checked on loading, scored in pure Python.

The score of a flow is linear: a start value, a weight for each named signal and for each pair of
signals seen together, and the wording. So every reason is exact: its share of the score.
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
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["FLOWS", "SCHEMA", "Model", "Score", "digest_of"]

SCHEMA = 1  # choice: the first layout of the file
FLOWS = tuple(Flow)
"""The order of the three numbers of every weight."""

MAX_BYTES = 4 * 1024 * 1024  # bound: ten times the shipped file
_MAX_WEIGHTS = 200_000  # bound: twenty times the shipped weights

Weights = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Score:
    """What a model says of one message.

    Attributes:
        logits: One number per flow, calibrated; their differences are log odds.
        contributions: Signal (or pair «a & b») → its three shares of the logits.
        wording: The three shares of the wording.
        start: The three start values.
    """

    logits: Weights
    contributions: dict[str, Weights]
    wording: Weights
    start: Weights


@dataclass(frozen=True, slots=True)
class Model:
    """Weights of signals, pairs and words.

    Attributes:
        start: Start value per flow.
        signals: Signal → weight per flow.
        pairs: (signal, signal) → weight per flow of their product.
        words: Marked word → weight per flow.
        wording_share: Factor of the wording in the score.
        temperature: Divisor of the logits, fitted on sources left out of training.
        threshold: Confidence below which a classification is «unsure».
        about: Training data, metrics and digest, for reading.
    """

    start: Weights
    signals: Mapping[str, Weights]
    pairs: Mapping[tuple[str, str], Weights]
    words: Mapping[str, Weights]
    wording_share: float
    temperature: float
    threshold: float
    about: Mapping[str, Any]
    _partners: Mapping[str, Mapping[str, Weights]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        partners: dict[str, dict[str, Weights]] = {}
        for (later, earlier), weights in self.pairs.items():
            partners.setdefault(later, {})[earlier] = weights
        object.__setattr__(self, "_partners", partners)

    @property
    def version(self) -> str:
        """The model's name and the beginning of its digest, as every verdict tells."""
        digest = self.about.get("digest") or json.loads(self.dumps())["digest"]
        return f"{self.about.get('name', 'own')} {digest[:12]}"

    def logits(self, measured: Mapping[str, float], wording: Iterable[str]) -> Weights:
        """Return the calibrated logits of a message: `score` without what each part of it adds."""
        a, b, c = self.start
        weights_of = self.signals.get
        for name, value in measured.items():
            if w := weights_of(name):
                a += value * w[0]
                b += value * w[1]
                c += value * w[2]
        for _, _, w, factor in self._pairs_in(measured):
            a += factor * w[0]
            b += factor * w[1]
            c += factor * w[2]
        x, y, z = self._wording(wording, self.wording_share)
        return ((a + x) / self.temperature, (b + y) / self.temperature, (c + z) / self.temperature)

    def score(self, measured: Mapping[str, float], wording: Iterable[str]) -> Score:
        """Score the signals and the wording of a message."""
        scale = 1.0 / self.temperature
        contributions = {
            name: (value * w[0] * scale, value * w[1] * scale, value * w[2] * scale)
            for name, value in measured.items()
            if (w := self.signals.get(name)) is not None
        }
        contributions |= self._pair_contributions(measured, scale)
        words = self._wording(wording, scale * self.wording_share)
        start = (self.start[0] * scale, self.start[1] * scale, self.start[2] * scale)
        a, b, c = (start[k] + words[k] for k in range(3))
        for x, y, z in contributions.values():
            a += x
            b += y
            c += z
        return Score((a, b, c), contributions, words, start)

    def _pair_contributions(self, measured: Mapping[str, float], scale: float) -> dict[str, Weights]:
        """Return the shares of signals that are seen together."""
        return {
            f"{a} & {b}": (w[0] * factor * scale, w[1] * factor * scale, w[2] * factor * scale)
            for a, b, w, factor in self._pairs_in(measured)
        }

    def _pairs_in(self, measured: Mapping[str, float]) -> Iterator[tuple[str, str, Weights, float]]:
        """Yield the pairs of signals that are seen together, their weights, and the product of the two."""
        if not self._partners:
            return
        present = [(name, measured[name]) for name in self.paired if name in measured]
        for index, (a, x) in enumerate(present):
            weights_of = self._partners.get(a, {}).get
            for b, y in present[:index]:
                if w := weights_of(b):
                    yield a, b, w, x * y

    @property
    def paired(self) -> tuple[str, ...]:
        """The signals that stand in pairs, in the order in which pairs are named."""
        return self.about["paired"]  # type: ignore[no-any-return]

    def _wording(self, wording: Iterable[str], factor: float) -> Weights:
        """Sum the known words, scaled so that long messages do not weigh more."""
        get = self.words.get
        hits = [weights for word in wording if (weights := get(word)) is not None]
        if not hits:
            return (0.0, 0.0, 0.0)
        factor *= 3.0 / math.sqrt(len(hits))
        a, b, c = map(sum, zip(*hits, strict=True))
        return (a * factor, b * factor, c * factor)

    @classmethod
    def shipped(cls) -> Model:
        """Load the model that comes with the library."""
        return cls.loads(_data.read("model.json"))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Load a model file.

        Raises:
            ModelError: If it is not one, is damaged, or is of another schema.
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
            msg = f"a model file has at most {MAX_BYTES} bytes"
            raise ModelError(msg, expected=MAX_BYTES, found=len(text))
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as problem:
            msg = f"not a model file: {problem}"
            raise ModelError(msg) from problem
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            found = content.get("schema") if isinstance(content, dict) else type(content).__name__
            msg = f"this library reads model schema {SCHEMA}, the file has {found!r}"
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
        about = {k: v for k, v in self.about.items() if k not in {"paired", "digest"}}
        vocabulary = sorted(self.words)
        content: dict[str, Any] = {
            "schema": SCHEMA,
            "flows": [flow.value for flow in FLOWS],
            "start": list(self.start),
            "temperature": self.temperature,
            "threshold": self.threshold,
            "signals": {name: list(self.signals[name]) for name in sorted(self.signals)},
            "paired": list(self.paired),
            "pairs": [[a, b, *self.pairs[a, b]] for a, b in sorted(self.pairs)],
            "wording_share": self.wording_share,
            "vocabulary": "\n".join(vocabulary),
            "word_weights": [[self.words[word][k] for word in vocabulary] for k in range(3)],
            "about": about,
        }
        content["digest"] = digest_of(content)
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


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
        if len(vocabulary) + len(content["pairs"]) + len(content["signals"]) > _MAX_WEIGHTS:
            msg = f"a model has at most {_MAX_WEIGHTS} weights"
            raise ModelError(msg)
        if content["flows"] != [flow.value for flow in FLOWS]:
            msg = "the model's flows are not this library's"
            raise ModelError(msg, expected=list(FLOWS), found=content["flows"])
        temperature = _number(content["temperature"])
        if not 0.01 <= temperature <= 100:
            msg = "a temperature is in [0.01, 100]"
            raise ModelError(msg, found=temperature)
        threshold = _number(content["threshold"])
        if not 0 <= threshold <= 1:
            msg = "a threshold is a probability in [0, 1]"
            raise ModelError(msg, found=threshold)
        if not isinstance(content["paired"], list):
            msg = "the paired signals are a list"
            raise ModelError(msg, found=content["paired"])
        return Model(
            start=_three(content["start"]),
            signals={str(name): _three(w) for name, w in content["signals"].items()},
            pairs={(str(a), str(b)): _three(w) for a, b, *w in content["pairs"]},
            words=dict(zip(vocabulary, map(_three, zip(*columns, strict=True)), strict=True)),
            wording_share=_number(content["wording_share"]),
            temperature=temperature,
            threshold=threshold,
            about={
                **content["about"],
                "paired": tuple(map(str, content["paired"])),
                "digest": content["digest"],
            },
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
