"""The guard of a flow: whether a message belongs there, by what it holds and to whom it goes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mailflows._domain import host_of
from mailflows._result import Permission, Reason, to_html
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.flows._advert import (
    PLACES,
    cores,
    known_kinds,
    most_promotional,
    read_kind,
    shipped_blocks,
    shipped_kinds,
    without_banner,
)
from mailflows.signals import measure
from mailflows.templates._memory import Observation, Series

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mailflows.classifier import Classification, Classifier
    from mailflows.flows._advert import Block, Core, Reading
    from mailflows.message import Message

__all__ = ["GuardDecision", "GuardReason", "GuardSettings", "Outcome", "guard"]


class Outcome(StrEnum):
    """What to do with a message."""

    ALLOW = "allow"
    FLAG = "flag"
    """Send it, and have it reviewed."""

    REFUSE = "refuse"


_ORDER = list(Outcome)


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """Thresholds of the guard.

    Attributes:
        flag_recipients: Number of recipients from which a professional message is flagged; a person's note to
            a department stays below it.
        refuse_recipients: Number from which it is refused as a mailing.
        flag_alike: Number of nearly identical messages from one sender from which a professional message is
            flagged.
        refuse_alike: Number from which it is refused.
        flag_block: Score from which a promotional block is flagged; by default that of the shipped model.
        refuse_block: Score from which it is refused.
        kinds: Kind → ``transactional``, ``marketing`` or ``depends``, to overrule the guard's table for some
            kinds of messages, such as ``{"review-request": "transactional"}``.

    Raises:
        ConfigurationError: If a threshold for flagging is above the one for refusing, or *kinds* names a kind
            or a place that does not exist.

    Example:
        >>> GuardSettings(flag_recipients=50).refuse_recipients
        200
    """

    flag_recipients: int = 30
    refuse_recipients: int = 200
    flag_alike: int = 20
    refuse_alike: int = 100
    flag_block: float | None = None
    refuse_block: float | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("recipients", "alike", "block"):
            flag, refuse = getattr(self, f"flag_{name}"), getattr(self, f"refuse_{name}")
            if flag is not None and refuse is not None and flag > refuse:
                msg = f"flag_{name} is {flag}, more than refuse_{name}, {refuse}: it would never flag"
                raise ConfigurationError(msg, field=f"flag_{name}")
        for kind, place in self.kinds.items():
            if kind not in known_kinds():
                msg = f"kinds: unknown kind {kind}: {did_you_mean(kind, known_kinds())}"
                raise ConfigurationError(msg, field="kinds")
            if place not in PLACES:
                msg = f"kinds: {kind} belongs to {', '.join(PLACES)}, not {place!r}"
                raise ConfigurationError(msg, field="kinds")


@dataclass(frozen=True, slots=True)
class GuardReason(Reason):
    """One objection to a message in a flow.

    Attributes:
        outcome: The outcome that it would lead to on its own.
    """

    outcome: Outcome = Outcome.ALLOW


@dataclass(frozen=True, slots=True)
class GuardDecision(Permission):
    """Whether a message belongs on a flow.

    Attributes:
        outcome: The strictest of the reasons; allow where there is none.
        flow: The flow that was checked.
        reasons: The objections, the strictest first.
        abstained: Whether the classifier was unsure, so that the content as a whole was not judged.
    """

    outcome: Outcome
    flow: Flow
    reasons: tuple[GuardReason, ...]
    abstained: bool

    @property
    def allowed(self) -> bool:
        """Whether the message may be sent through the flow: a flag allows it, a refusal does not."""
        return self.outcome is not Outcome.REFUSE

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the reasons."""
        return tuple(reason.code for reason in self.reasons)

    def __str__(self) -> str:
        why = "; ".join(reason.sentence for reason in self.reasons) or "no issues found"
        return f"{self.outcome} on {self.flow}: {why}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return {
            "outcome": self.outcome.value,
            "flow": self.flow.value,
            "abstained": self.abstained,
            "reasons": [reason.to_dict() for reason in self.reasons],
        }

    def _repr_html_(self) -> str:
        rows = [[r.outcome.value, r.code, r.sentence, "; ".join(r.evidence)[:200]] for r in self.reasons]
        return to_html(f"{self.outcome} on {self.flow}", ["outcome", "code", "sentence", "evidence"], rows)


def _reason(code: str, outcome: Outcome, sentence: str, *evidence: str) -> GuardReason:
    return GuardReason(code, sentence, part="guard", evidence=evidence, outcome=outcome)


def guard(  # noqa: PLR0913 -- all that may be known of a message
    message: Message,
    flow: Flow,
    *,
    classification: Classification | None,
    classifier: Classifier | None,
    observation: Observation | None,
    settings: GuardSettings,
    tracking_hosts: frozenset[str],
) -> GuardDecision:
    """Decide; see `FlowSet.guard`."""
    if classification is None:
        classification = _classified(message, classifier)
    content = (
        _advert(message, classification, classifier, settings)
        if flow is Flow.TRANSACTIONAL
        else _content(flow, classification)
    )
    reasons = [
        *content,
        *_bulk(message, flow, observation, settings),
        *_tracking(message, flow, tracking_hosts),
        *_slots(observation),
    ]
    reasons += _unread(message, flow)
    reasons.sort(key=lambda reason: -_ORDER.index(reason.outcome))
    outcome = reasons[0].outcome if reasons else Outcome.ALLOW
    return GuardDecision(outcome, flow, tuple(reasons), abstained=classification.flow is None)


def _classified(message: Message, classifier: Classifier | None) -> Classification:
    if classifier is not None:
        return classifier.classify(message)
    from mailflows.classifier import classify  # noqa: PLC0415 -- loads the model

    return classify(message)


def _unread(message: Message, flow: Flow) -> Iterator[GuardReason]:
    """Look for text that a reader may show and that was not read; persons are not asked to write short."""
    if message.unread:
        outcome = Outcome.FLAG if flow is Flow.PROFESSIONAL else Outcome.REFUSE
        sentence = f"a mail client may show text that was not checked ({', '.join(message.unread)})"
        yield _reason("unread-text", outcome, sentence, *message.unread)


_WRONG = {
    (Flow.PROFESSIONAL, Flow.MARKETING): ("marketing-on-professional", Outcome.REFUSE),
    (Flow.PROFESSIONAL, Flow.TRANSACTIONAL): ("transactional-on-professional", Outcome.FLAG),
    (Flow.MARKETING, Flow.TRANSACTIONAL): ("transactional-on-marketing", Outcome.REFUSE),
    (Flow.MARKETING, Flow.PROFESSIONAL): ("professional-on-marketing", Outcome.FLAG),
    (Flow.TRANSACTIONAL, Flow.MARKETING): ("marketing-on-transactional", Outcome.REFUSE),
    (Flow.TRANSACTIONAL, Flow.PROFESSIONAL): ("professional-on-transactional", Outcome.FLAG),
}
"""The flow asked for and what the content is → code, and what it leads to.

What harms a flow's reputation or its reader is refused: adverts where they were not asked for, and a
password reset that waits behind a mailing.
"""


def _content(flow: Flow, classification: Classification) -> Iterator[GuardReason]:
    """Compare the content with the flow; an unsure classifier says nothing."""
    if classification.flow is not None and classification.flow != flow:
        code, outcome = _WRONG[flow, classification.flow]
        sentence = f"the content reads as {classification.flow}, not {flow}"
        yield _reason(code, outcome, sentence, str(classification))


def _advert(
    message: Message, classification: Classification, classifier: Classifier | None, settings: GuardSettings
) -> Iterator[GuardReason]:
    """Look for marketing on the transactional flow in the core of each part: the strictest finding counts."""
    best: dict[str, GuardReason] = {}
    for core in cores(message):
        for reason in _of_core(core, message, classification, classifier, settings):
            known = best.get(reason.code)
            if known is None or _ORDER.index(reason.outcome) > _ORDER.index(known.outcome):
                best[reason.code] = reason
    yield from best.values()


def _of_core(
    core: Core,
    message: Message,
    classification: Classification,
    classifier: Classifier | None,
    settings: GuardSettings,
) -> Iterator[GuardReason]:
    """Look at one core by its kind, by its passages, and where neither says anything by the classifier.

    The classifier reads everything, so what it says is asked again of the core alone before it counts,
    and not at all of a kind that is known by name.
    """
    core, banner = without_banner(core)
    reading = read_kind(core)
    said = [*_kind(reading, settings), *_promotion(core, settings), *_banner(banner, settings)]
    is_named = reading.kind is not None
    if not is_named and any(reason.code == _MARKETING for reason in said):
        again = _classified(core.message(), classifier)
        if again.probabilities[Flow.TRANSACTIONAL] >= _CERTAIN:
            said = [r for reason in said if (r := _milder(reason)).outcome is not Outcome.ALLOW]
    if not said and not is_named and classification.flow not in {None, Flow.TRANSACTIONAL}:
        said = list(_confirmed(core, message, classification, classifier))
    yield from said


_MARKETING = "marketing-on-transactional"

_CERTAIN = 0.88
"""Probability from which a second reader of the bare core counts: fewer than 3 in 1,000 of the written
marketing texts reach it, and one in four of the clean (benchmarks/flows_guard.py)."""


def _milder(reason: GuardReason) -> GuardReason:
    """Return a reason that leads to one step less; what was found in a passage stands."""
    if reason.code != _MARKETING:
        return reason
    return replace(reason, outcome=_ORDER[_ORDER.index(reason.outcome) - 1])


def _kind(reading: Reading, settings: GuardSettings) -> Iterator[GuardReason]:
    """Judge a message by what kind it is, and by the odds that it is marketing."""
    kind, model = reading.kind, shipped_kinds()
    moved = settings.kinds.get(kind.name) if kind else None
    if moved == "transactional":
        return
    place = moved or (kind.place if kind else "")
    if reading.odds >= model.refuse or moved == "marketing":
        outcome = Outcome.REFUSE
    elif reading.odds >= model.flag or place in {"marketing", "depends"}:
        outcome = Outcome.FLAG
    else:
        return
    named = f" ({kind.title})" if kind and place != "transactional" else ""
    sentence = f"the content reads as marketing, not transactional{named}"
    yield _reason(_MARKETING, outcome, sentence, *([kind.name] if named and kind else []))


def _confirmed(
    core: Core, message: Message, classification: Classification, classifier: Classifier | None
) -> Iterator[GuardReason]:
    """Ask the classifier again, about the core alone: footers and hosts decide nothing."""
    again = _classified(core.message(message), classifier)
    if again.flow == classification.flow and again.flow is not None:
        code, _ = _WRONG[Flow.TRANSACTIONAL, again.flow]
        sentence = f"the content reads as {again.flow}, not transactional"
        yield _reason(code, Outcome.FLAG, sentence, str(again))


def _promotion(core: Core, settings: GuardSettings) -> Iterator[GuardReason]:
    """Look for an advert inside a transactional message."""
    block = most_promotional(core)
    flag, refuse = _thresholds(settings)
    if block and block.score >= flag:
        outcome = Outcome.REFUSE if block.score >= refuse else Outcome.FLAG
        yield _reason("promotional-block", outcome, "part of it reads like an advert", block.text)


def _banner(banner: Block | None, settings: GuardSettings) -> Iterator[GuardReason]:
    """Have somebody look at a plain advert above the footer, below what the reader needs."""
    if banner and banner.score >= _thresholds(settings)[1]:
        yield _reason(
            "promotional-block", Outcome.FLAG, "a banner above the footer reads like an advert", banner.text
        )


def _thresholds(settings: GuardSettings) -> tuple[float, float]:
    """Return the scores from which a block is flagged and refused."""
    model = shipped_blocks()
    return (
        model.flag if settings.flag_block is None else settings.flag_block,
        model.refuse if settings.refuse_block is None else settings.refuse_block,
    )


def _bulk(
    message: Message, flow: Flow, observation: Observation | None, settings: GuardSettings
) -> Iterator[GuardReason]:
    """Look whether a professional message is a mailing: to many at once, or again and again."""
    if flow is not Flow.PROFESSIONAL:
        return
    envelope = message.envelope.recipients if message.envelope else ()
    count = max(len(message.recipients), len(set(envelope)))
    if count >= settings.flag_recipients:
        outcome = Outcome.REFUSE if count >= settings.refuse_recipients else Outcome.FLAG
        yield _reason("bulk-recipients", outcome, f"it goes to {count} recipients at once", str(count))
    if observation and observation.series is not Series.UNIQUE and observation.seen >= settings.flag_alike:
        outcome = Outcome.REFUSE if observation.seen >= settings.refuse_alike else Outcome.FLAG
        sentence = f"the sender sent {observation.seen} nearly identical messages"
        yield _reason("bulk-alike", outcome, sentence, str(observation.seen))


_TRACKED_SHARE = 0.5  # our choice


def _tracking(message: Message, flow: Flow, hosts: frozenset[str]) -> Iterator[GuardReason]:
    """Look for tracking where nobody agreed to it."""
    if flow is Flow.MARKETING:
        return
    targets = {host_of(link.href) for link in message.document.links}
    ours = sorted(targets & hosts)
    signals = measure(message)
    if ours:
        sentence = f"links go through the tracking host {ours[0]}"
        yield _reason("tracking-links", Outcome.FLAG, sentence, ", ".join(ours))
    elif signals.get("links-tracking-share", 0.0) >= _TRACKED_SHARE:
        sentence = "most links go through a click-tracking redirect"
        yield _reason("tracking-links", Outcome.FLAG, sentence)
    if signals.get("layout-pixel"):
        yield _reason("tracking-pixel", Outcome.FLAG, "it has a tracking pixel that reports opens")


def _slots(observation: Observation | None) -> Iterator[GuardReason]:
    """Pass on what a memory of templates saw."""
    for alarm in observation.alarms if observation else ():
        yield _reason("form-abuse", Outcome.REFUSE, alarm.sentence, alarm.slot)
