"""Why a message was taken for a flow: each reason is a fact about it, in its own words.

Nothing here runs before a reason is read. The weights are exact: the same concept in several places is one
reason, and what is not shown is summed in `Classification.rest`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING

from mailflows._result import Reason, printable
from mailflows.classifier._model import FLOWS
from mailflows.classifier._wording import strongest_passages
from mailflows.signals import SIGNALS, words
from mailflows.signals.layout import number_seen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailflows.classifier._model import Model
    from mailflows.classifier._wording import Texts, Weights

__all__ = ["Evidence", "reason"]

REASONS = 8
"""Reasons shown; choice: more than a person reads, and in most messages three quarters of the score."""

FEWEST = 3
"""Reasons that are shown even if none of them tells much; choice: a verdict without any convinces nobody."""

_QUOTED = 2
"""Passages of a concept that its sentence quotes; choice: the evidence has all of them."""

LONGEST_QUOTE = 60
"""Characters of what is quoted; choice: a subject fits, and a table of reasons stays narrow."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What reasons are made from, kept until somebody reads them.

    Attributes:
        model: The model that judged.
        measured: The signals of the message.
        texts: What its wording was found in.
        headers: Its headers, name and value.
        index: The number of the likely flow.
        first: Reasons that come before those of the score.
    """

    model: Model
    measured: Mapping[str, float]
    texts: Texts
    headers: tuple[tuple[str, str], ...]
    index: int
    first: tuple[Reason, ...] = ()

    def without_model(self) -> partial[Evidence]:
        """Return what makes the same of a model: it travels without one."""
        others = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "model"}
        return partial(Evidence, **others)

    def reasons(self) -> tuple[Reason, ...]:
        """Return the strongest reasons: those for the likely flow first, then those against it."""
        score = self.model.score(self.measured, self.texts.wording)
        shares = _grouped({name: _share(w, self.index) for name, w in score.contributions.items()})
        shares["wording"] = _share(score.wording, self.index)
        zones = self.texts.zones()
        for code in (same for one in self.first for same in _SAME_AS.get(one.code, ())):
            shares.pop(code, None)
        told = sorted(shares, key=lambda code: (code in _NOT_TELLING, -abs(shares[code]), code))
        found: list[Reason] = []
        for code in told:
            if len(found) == REASONS or (code in _NOT_TELLING and len(found) >= FEWEST):
                break
            made = self._wording(score.wording) if code == "wording" else self._fact(code, zones)
            if made and shares[code]:
                sentence, seen = made
                found.append(reason(code, sentence, shares[code], seen))
        found = [self._not_said_twice(one, found, score.wording) for one in found]
        found.sort(key=lambda one: ((one.weight or 0.0) < 0, -abs(one.weight or 0.0)))
        if [one.code for one in found[:1]] == ["wording"] and len(found) > 1 and (found[1].weight or 0.0) > 0:
            found[:2] = found[1], found[0]  # one fact says more than many words together
        return (*self.first, *found)

    def _fact(self, code: str, marked: Mapping[str, words.Marked]) -> tuple[str, tuple[str, ...]]:
        """Return what a signal says of this message, and what was seen."""
        if code.startswith("words-") and code not in SIGNALS:
            return self._concept(code, marked)
        signal = SIGNALS.get(code)
        if signal is None:
            return code, ()
        seen = self._seen(code)
        return (f"{signal.sentence}: {_quoted(seen)}" if seen else signal.sentence), ((seen,) if seen else ())

    def _seen(self, code: str) -> str:
        """Return the header, the address or the subject that a signal was seen in."""
        if code in _IN_HEADERS:
            return next((value for name, value in self.headers if name in _IN_HEADERS[code]), "")
        if code in _IN_ADDRESS:
            return self.texts.address
        if code in _IN_NAME:
            return self.texts.name
        if code.startswith("subject-") and code != "subject-none":
            return self.texts.subject
        if code in _IN_NUMBERS:
            return number_seen(self.texts.body, code)
        return ""

    def _concept(self, code: str, marked: Mapping[str, words.Marked]) -> tuple[str, tuple[str, ...]]:
        """Return where a concept occurs, and in which words."""
        concept = _CONCEPTS[code]
        found = {zone: words.passages_of([marked[zone]], concept, self.texts.language) for zone in _PLACES}
        zones = [zone for zone, passages in found.items() if passages] or ["body"]
        passages = tuple({p.lower(): p for zone in zones for p in found[zone]}.values())
        sentence = f"it has {words.CONCEPTS[concept]} {_where(zones)}"
        return (
            f"{sentence}: {_listed(list(map(_quoted, passages[:_QUOTED])))}" if passages else sentence
        ), passages

    def _not_said_twice(self, one: Reason, others: list[Reason], shares: Weights) -> Reason:
        """Let the wording name words that no concept quotes, if there are any."""
        if one.code != "wording":
            return one
        said = {
            word
            for other in others
            if other.code in _CONCEPTS
            for passage in other.evidence[:_QUOTED]
            for word in passage.lower().split()
        }
        made = self._wording(shares, frozenset(said))
        return reason("wording", made[0], one.weight or 0.0, made[1]) if made else one

    def _wording(
        self, shares: Weights, said: frozenset[str] = frozenset()
    ) -> tuple[str, tuple[str, ...]] | None:
        """Return the words that speak most for the likely flow, or for the one that all of them take."""
        # What speaks for the likely flow is not called typical of another, though it may be, even more.
        side = self.index if _share(shares, self.index) > 0 else max(range(3), key=shares.__getitem__)
        found = strongest_passages(self.texts, self.model.words, side, said=said)
        if not found:
            return None
        by_place: dict[str, list[str]] = {}
        for place, passage in found:
            by_place.setdefault(place, []).append(passage)
        told = " and ".join(
            f"{_listed(list(map(_quoted, passages)))} {place}" for place, passages in by_place.items()
        )
        return f"{told}: words typical of {FLOWS[side].value} mail", tuple(passage for _, passage in found)


# choice: true and counted, but a reader sees no sign of a flow in them; they stand in the rest.
_NOT_TELLING = frozenset(
    (
        "skeleton-varied-words skeleton-sentences skeleton-fragments skeleton-many-blocks "
        "layout-html-only layout-words layout-short layout-markup-share layout-doctype layout-centred "
        "layout-lists layout-nested layout-old-markup layout-questions layout-tables layout-presentation "
        "layout-signed-by-sender layout-mail-addresses layout-many-rulers links-one links-few links-none "
        "links-domains links-dense links-repeated links-in-text-only "
        "subject-lower-case sender-deep-host sender-no-name sender-company-name sender-name-is-domain "
        "recipients-named recipients-person recipients-same-domain words-greeting words-unread-language"
    ).split()
)

_SAME_AS = {
    "rule-delivery-report": ("headers-delivery-report",),
    "rule-automatic-reply": ("headers-auto-replied", "headers-auto-submitted"),
}
"""Signals that say the same as a clear-cut case: they are counted in the rest."""

_IN_NUMBERS = frozenset(("layout-money", "layout-percent", "layout-dates", "layout-references"))

_PLACES = {
    "subject": "in the subject",
    "opening": "at the beginning",
    "body": "in the text",
    "closing": "at the end",
}
_CONCEPTS = {"words-" + concept.replace("_", "-"): concept for concept in words.CONCEPTS}
_CONCEPT_OF = {
    words.code(zone, concept): code for code, concept in _CONCEPTS.items() for zone in words.MEASURED
}

_MAILER = ("x-mailer", "user-agent")
_IN_HEADERS: Mapping[str, tuple[str, ...]] = {
    "headers-auto-submitted": ("auto-submitted",),
    "headers-auto-replied": ("auto-submitted",),
    "headers-campaign-list-id": ("list-id",),
    "headers-feedback-id": ("feedback-id",),
    "headers-precedence-bulk": ("precedence",),
    "headers-marketing-tool": _MAILER,
    "headers-mail-client": _MAILER,
    "headers-mail-library": _MAILER,
    "sender-reply-elsewhere": ("reply-to",),
    "sender-reply-other-domain": ("reply-to",),
    "sender-bounce-address": ("reply-to",),
}
"""Signals that one header shows, and its names."""

KEPT_HEADERS = frozenset(name for names in _IN_HEADERS.values() for name in names)
"""The headers that reasons quote."""

_IN_ADDRESS = frozenset(
    (
        "sender-no-reply sender-system sender-orders sender-news sender-person-address "
        "sender-dotted-address sender-random-address sender-free-mail sender-news-host sender-system-host"
    ).split()
)
_IN_NAME = frozenset(
    (
        "sender-person-name sender-company-name sender-name-at-company sender-program-name sender-news-name "
        "sender-desk-name sender-name-is-domain"
    ).split()
)


def _where(zones: list[str]) -> str:
    """Return where something stands: at one end of the text, or in it.

    >>> _where(["subject", "opening", "closing"]), _where(["opening", "body"])
    ('in the subject and in the text', 'at the beginning')
    """
    if {"opening", "closing"} <= set(zones):
        zones = [*(zone for zone in zones if zone == "subject"), "body"]
    elif "body" in zones and {"opening", "closing"} & set(zones):
        zones = [zone for zone in zones if zone != "body"]
    return " and ".join(_PLACES[zone] for zone in zones)


def reason(code: str, sentence: str, weight: float, evidence: tuple[str, ...] = ()) -> Reason:
    """Return a reason of the classifier."""
    return Reason(
        code, sentence, part="classifier", parameters={"seen": evidence}, weight=weight, evidence=evidence
    )


def _grouped(contributions: Mapping[str, float]) -> dict[str, float]:
    """Return one share a reason: the places of a concept are one."""
    found: dict[str, float] = {}
    for name, share in contributions.items():
        code = _CONCEPT_OF.get(name, name)
        found[code] = found.get(code, 0.0) + share
    return found


def _share(weights: Weights, index: int) -> float:
    """Return one flow's share against the mean of the three."""
    return weights[index] - (weights[0] + weights[1] + weights[2]) / 3


def _quoted(text: str) -> str:
    """Return a passage in quotation marks, on one line and not too long."""
    text = printable(" ".join(text.split()))
    if len(text) > LONGEST_QUOTE:
        text = re.sub(r"\s+\S*$", "", text[:LONGEST_QUOTE]) + "…"
    text = text.replace('"', "'")  # so that it is seen where the passage ends
    return f'"{text}"'


def _listed(items: list[str]) -> str:
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else items[0]
