"""From a message to its flow: read, measure, score, explain."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, fields
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload, runtime_checkable

from mailflows._mail.archive import archived, holds_many
from mailflows._result import to_frame
from mailflows.classifier._calibration import KEPT_RIGHT, Calibration, calibration
from mailflows.classifier._classification import Classification
from mailflows.classifier._heuristics import heuristic_model
from mailflows.classifier._model import FLOWS, Model
from mailflows.classifier._reasons import KEPT_HEADERS, Evidence, reason
from mailflows.classifier._wording import texts_of, wording
from mailflows.errors import ConfigurationError, MessageError, MissingExtra
from mailflows.flow import Flow
from mailflows.message import Message
from mailflows.signals import measure, words
from mailflows.signals.headers import is_encrypted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mailflows._result import Reason
    from mailflows.classifier._wording import Weights
    from mailflows.message import Envelope, Source
    from mailflows.signals.words import Reading

__all__ = ["Classifier", "classify"]

CHUNK = 200
"""Messages per task of `Classifier.classify_many`; choice: below that, handing them over costs more."""

_EVEN = dict.fromkeys(FLOWS, 1 / 3)


@dataclass(frozen=True, slots=True)
class CertainCase:
    """Signals that settle the flow regardless of all others.

    Attributes:
        code: Stable name, as in a reason.
        needs: All of these signals must be present.
        flow: The flow in that case.
        sentence: Why, for people.
    """

    code: str
    needs: tuple[str, ...]
    flow: Flow
    sentence: str


CERTAIN = (
    CertainCase(
        "rule-delivery-report",
        ("headers-delivery-report",),
        Flow.TRANSACTIONAL,
        "it is a delivery report or a receipt written by a mail system (RFC 6522)",
    ),
    CertainCase(
        "rule-automatic-reply",
        ("headers-auto-replied",),
        Flow.TRANSACTIONAL,
        "Auto-Submitted is auto-replied: it is an automatic reply (RFC 3834 section 5)",
    ),
)
CERTAIN_CONFIDENCE = 0.99
"""Confidence of a certain case; choice: high, and not 1, because a header can be set by anybody."""


class Classifier:
    r"""Classifies messages by flow.

    Args:
        model: A trained model; the shipped one by default.
        threshold: Confidence in [0, 1] below which the answer is "unsure"; the model's own by
            default, which was chosen on sources left out of training.

    Raises:
        ConfigurationError: If *threshold* is not in [0, 1].

    Example:
        >>> classifier = Classifier()
        >>> result = classifier.classify(
        ...     b"From: Shop <noreply@shop.fr>\nTo: ada@lovelace.uk\n"
        ...     b"Subject: Your order 40812 has shipped\n\nTracking number: 8L40021"
        ... )
        >>> result.flow
        <Flow.TRANSACTIONAL: 'transactional'>
    """

    def __init__(self, model: Model | None = None, *, threshold: float | None = None) -> None:
        if model is not None and not isinstance(model, Model):
            msg = f"model must be a Model, not {type(model).__name__}; for a file, use Classifier.load(path)"
            raise ConfigurationError(msg, field="model")
        self.model = model or _shipped()
        self.threshold = self.model.threshold if threshold is None else threshold
        if not 0 <= float(self.threshold) <= 1:
            msg = f"threshold must be a probability in [0, 1], not {threshold!r}"
            raise ConfigurationError(msg, field="threshold")
        self._version = self.model.version

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, threshold: float | None = None) -> Classifier:
        """Load a model file that `mailflows.training.train` wrote.

        Raises:
            ModelError: If it is not a model file, is damaged, or has a different schema version.
            OSError: If the file cannot be read.
        """
        return cls(Model.load(path), threshold=threshold)

    @classmethod
    def heuristic(cls, *, threshold: float | None = None) -> Classifier:
        """Return a classifier that uses readable rules only, without a trained model."""
        return cls(heuristic_model(), threshold=threshold)

    def __repr__(self) -> str:
        name = self.model.about.get("name", "own model")
        return f"<Classifier {name}, threshold {self.threshold}>"

    def classify(self, source: Source, *, envelope: Envelope | None = None) -> Classification:
        """Tell which flow a message belongs to, with probabilities and reasons.

        Any bytes give a classification: input that cannot be parsed as a message is "unsure", with the defect
        as its reason.

        Args:
            source: Bytes, text, a path, an open binary file, or an email message object.
            envelope: Sender and recipients of the SMTP transaction, if known.

        Raises:
            MessageError: If a file cannot be opened, contains several messages (a folder, an mbox), or
                *source* has a type that is never a message.
        """
        try:
            message = Message.read(source, envelope=envelope)
        except MessageError as problem:
            if isinstance(source, os.PathLike) and Path(source).is_dir():
                raise _holds_many(source) from problem
            if problem.position is None:
                raise
            return self._unreadable(str(problem))
        if "mbox-line" in message.defects and isinstance(source, os.PathLike) and holds_many(Path(source)):
            raise _holds_many(source)
        reading = words.read(message)
        measured = measure(message, reading=reading)
        if not reading.body and not reading.subject:
            first = _first_reasons(message, None)
            return self._unreadable("it has neither a subject nor a text", message.defects, first)
        return self._judge(message, reading, measured)

    @overload
    def classify_many(self, sources: Column, *, n_jobs: int = 1, progress: bool = False) -> Any: ...  # noqa: ANN401 -- pandas is an extra

    @overload
    def classify_many(
        self, sources: Iterable[Source] | os.PathLike[str], *, n_jobs: int = 1, progress: bool = False
    ) -> Iterator[Classification]: ...

    def classify_many(
        self,
        sources: Iterable[Source] | os.PathLike[str] | Column,
        *,
        n_jobs: int = 1,
        progress: bool = False,
    ) -> Iterator[Classification] | Any:
        """Classify many messages lazily and in order, one by one or in parallel chunks.

        A source that cannot be read at all, such as a missing file, is "unsure" with the reason, and the
        others are still classified.

        Args:
            sources: Any iterable, even an endless one; or the path of an archive: an mbox, a Maildir, a
                folder. For a pandas Series, such as a column of a DataFrame, the result is a DataFrame with
                the same index, with flow, likely, confidence and one probability per flow.
            n_jobs: Number of processes, as in joblib; -1 uses every core. Below a few thousand messages one
                process is faster. Under ``joblib.parallel_config(backend=…)`` any joblib backend works,
                including a Dask cluster.
            progress: Whether to show a progress bar (requires tqdm).

        Raises:
            MissingExtra: If *progress* is true and tqdm is not installed.
            ConfigurationError: If *sources* is one message, or *n_jobs* is 0.
        """
        if isinstance(sources, str | bytes):
            msg = (
                "sources must be a list or another iterable of messages, or the pathlib.Path of an archive; "
                "for one message, use classify()"
            )
            raise ConfigurationError(msg, field="sources")
        if isinstance(sources, Column):
            results = self.classify_many(sources.to_list(), n_jobs=n_jobs, progress=progress)
            return _frame(results, sources.index)
        if n_jobs == 0:
            msg = "n_jobs must be a number of processes, or -1 for every core; 0 has no meaning"
            raise ConfigurationError(msg, field="n_jobs")
        found: Iterable[Source | MessageError] = (
            (content for _, content in archived(Path(sources)))
            if isinstance(sources, os.PathLike)
            else sources
        )
        shown = _with_progress(found) if progress else found
        if n_jobs == 1:
            return map(self._classify_or_say, shown)
        return self._in_parallel(shown, n_jobs)

    def calibrate(
        self, messages: Iterable[Source], flows: Iterable[Flow | str], *, right: float = KEPT_RIGHT
    ) -> Calibration:
        """Return the lowest threshold at which this classifier is right often enough on your own mail.

        Use mail that the model was not trained on, from several senders, and pass the result to
        ``Classifier(threshold=…)``.

        Args:
            messages: At least 30 messages.
            flows: The flow of each.
            right: Share of the classified messages that must be right, in (0, 1].

        Raises:
            ConfigurationError: If there are too few messages, a flow is not valid, or *right* is out of
                range.
        """
        if not 0 < right <= 1:
            msg = f"right must be a share in (0, 1], not {right!r}"
            raise ConfigurationError(msg, field="right")
        answers = list(self.classify_many(list(messages)))
        return calibration(answers, list(flows), right)

    def _in_parallel(self, sources: Iterable[Source | MessageError], n_jobs: int) -> Iterator[Classification]:
        from joblib import Parallel, delayed, effective_n_jobs  # noqa: PLC0415 -- half a second

        chunks = _chunks(_travelling(sources))
        # Block after block, so that an endless input is not read ahead of what is taken.
        with Parallel(n_jobs=n_jobs) as run:
            while block := list(islice(chunks, 2 * effective_n_jobs(n_jobs))):
                for results in run(delayed(self._chunk)(chunk) for chunk in block):
                    yield from (_together(found, self.model) for found in results)

    def _chunk(self, sources: list[Source | MessageError]) -> list[tuple[Any, ...]]:
        return [_apart(self._classify_or_say(source)) for source in sources]

    def _classify_or_say(self, source: Source | MessageError) -> Classification:
        """Classify, or answer "unsure" with the reason: one bad file must not end a run."""
        try:
            if isinstance(source, MessageError):
                raise source
            return self.classify(source)
        except MessageError as problem:
            return self._unreadable(str(problem))

    def _judge(self, message: Message, reading: Reading, measured: dict[str, float]) -> Classification:
        """Turn what was measured into a classification whose reasons are worked out when they are read."""
        case = _certain_case(measured)
        logits = self.model.logits(measured, wording(message, reading))
        probabilities = _probabilities(logits, case)
        likely = max(probabilities, key=probabilities.__getitem__)
        confidence = probabilities[likely]
        index = FLOWS.index(likely)
        evidence = Evidence(
            model=self.model,
            measured=measured,
            texts=texts_of(message, reading),
            headers=tuple([header for header in message.headers if header[0] in KEPT_HEADERS]),
            index=index,
            first=_first_reasons(message, case),
        )
        return Classification(
            likely if confidence >= self.threshold and not message.unread else None,
            likely,
            confidence,
            probabilities,
            logits[index] - sum(logits) / 3,
            evidence,
            message.defects,
            reading.language,
            self.threshold,
            self._version,
        )

    def _unreadable(
        self, why: str, defects: tuple[str, ...] = (), first: tuple[Reason, ...] = ()
    ) -> Classification:
        """Return "unsure" for what cannot be judged at all."""
        reasons = (*first, reason("defect-unreadable", why, 0.0))
        return Classification(
            None, None, 1 / 3, dict(_EVEN), 0.0, reasons, defects, "", self.threshold, self._version
        )


def _apart(result: Classification) -> tuple[Any, ...]:
    """Return the fields of a verdict, to send to the process that asked: that one has the model.

    Pickling the verdict itself would work its reasons out, which takes longer than classifying.
    """
    values = [getattr(result, one.name) for one in fields(result)]
    return tuple([value.without_model() if isinstance(value, Evidence) else value for value in values])


def _together(values: tuple[Any, ...], model: Model) -> Classification:
    """Make a verdict of its fields again."""
    return Classification(*[value(model) if isinstance(value, partial) else value for value in values])


@runtime_checkable
class Column(Protocol):
    """What a pandas Series has, and a list has not."""

    @property
    def index(self) -> Any:  # noqa: ANN401 -- pandas is an extra
        """What names each row."""
        ...

    def to_list(self) -> list[Any]:
        """Return the values."""
        ...


def _frame(results: Iterable[Classification], index: object) -> Any:  # noqa: ANN401 -- pandas is an extra
    """Return classifications as a DataFrame, a row each."""
    columns = ["flow", "likely", "confidence", *(flow.value for flow in FLOWS)]
    rows = [
        (
            result.flow and result.flow.value,
            result.likely and result.likely.value,
            result.confidence,
            *(result.probabilities[flow] for flow in FLOWS),
        )
        for result in results
    ]
    return to_frame(rows, columns).set_axis(index, axis=0)


def _holds_many(path: os.PathLike[str]) -> MessageError:
    kind = "a folder" if Path(path).is_dir() else "an mbox of several messages"
    return MessageError(f"{os.fspath(path)} is {kind}: classify_many(path) reads every message in it")


def classify(source: Source, *, envelope: Envelope | None = None) -> Classification:
    """Tell which flow a message belongs to, with the shipped model.

    See `Classifier.classify`. If you classify many messages, you may keep a `Classifier`.

    >>> classify(b"").flow is None
    True
    """
    return _default().classify(source, envelope=envelope)


@cache
def _shipped() -> Model:
    return Model.shipped()


@cache
def _default() -> Classifier:
    return Classifier()


def _certain_case(measured: Mapping[str, float]) -> CertainCase | None:
    """Return the first certain case whose signals are all present."""
    return next((c for c in CERTAIN if all(measured.get(name) for name in c.needs)), None)


def _probabilities(logits: Weights, case: CertainCase | None) -> dict[Flow, float]:
    """Return the probability of each flow; a certain case leaves the others what it does not take."""
    shares = dict(zip(FLOWS, _softmax(logits), strict=True))
    if case is None:
        return shares
    total = sum(p for flow, p in shares.items() if flow != case.flow) or 1.0
    return {
        flow: CERTAIN_CONFIDENCE if flow == case.flow else (1 - CERTAIN_CONFIDENCE) * p / total
        for flow, p in shares.items()
    }


def _first_reasons(message: Message, case: CertainCase | None) -> tuple[Reason, ...]:
    """Return the reasons that come before those of the score."""
    found = (reason(case.code, case.sentence, 0.0),) if case else ()
    if is_encrypted(message):
        said = "its content is encrypted: only the headers could be judged"
        found = (reason("defect-encrypted", said, 0.0), *found)
    if message.unread:
        said = f"a mail client may show text that was not checked ({', '.join(message.unread)})"
        found = (reason("defect-unread-text", said, 0.0), *found)
    return found


def _softmax(logits: Weights) -> Weights:
    """Turn three logits into probabilities."""
    top = max(logits)
    a, b, c = (math.exp(value - top) for value in logits)
    total = a + b + c
    return (a / total, b / total, c / total)


def _travelling(sources: Iterable[Source | MessageError]) -> Iterator[Source | MessageError]:
    """Read open files here: they cannot travel to another process."""
    for source in sources:
        if hasattr(source, "read") and not isinstance(source, MessageError):
            yield Message.read(source)
        else:
            yield source


def _chunks(sources: Iterable[Source | MessageError]) -> Iterator[list[Source | MessageError]]:
    """Cut an iterable into lists of `CHUNK` items, lazily."""
    iterator = iter(sources)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _with_progress(sources: Iterable[Source | MessageError]) -> Iterable[Source | MessageError]:
    """Wrap an iterable in a progress bar."""
    try:
        from tqdm.auto import tqdm  # noqa: PLC0415 -- optional
    except ImportError as problem:
        extra, package = "progress", "tqdm"
        raise MissingExtra(extra, package) from problem
    return tqdm(sources, unit=" messages")  # type: ignore[no-any-return]
