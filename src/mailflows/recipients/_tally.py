"""What is counted of a list while it is read and judged."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailflows.recipients._prediction import CLASSES
from mailflows.recipients._report import DEAD, Deliverability, DomainState, RecipientReport, Trait

if TYPE_CHECKING:
    from mailflows.recipients._judge import Finding

__all__ = ["CLASS_NAMES", "SUPPRESSED", "Tally", "class_of"]

_EXAMPLES = 1000
"""Bad rows and typing errors that a report lists; the file of `ListReport.to_csv` has them all.
A bound on work."""

_MOST_COUNTED = 50_000  # bound: keeps work and memory flat

CLASS_NAMES = ("ordinary", *CLASSES, "suppressed")
SUPPRESSED = len(CLASS_NAMES) - 1


@dataclass(slots=True)
class Tally:
    """What is counted on the way."""

    rows: int = 0
    bad: int = 0
    unreadable: int = 0
    several: int = 0
    checked: int = 0
    dead_rows: int = 0
    dead: int = 0
    asked: int = 0
    domains: int = 0
    case_duplicates: int = 0
    bad_examples: list[tuple[int, str]] = field(default_factory=list)
    verdicts: Counter[Deliverability] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    traits: Counter[Trait] = field(default_factory=Counter)
    states: Counter[DomainState] = field(default_factory=Counter)
    typos: list[tuple[str, str]] = field(default_factory=list)
    worst: Counter[str] = field(default_factory=Counter)
    providers: Counter[str] = field(default_factory=Counter)
    addresses_at: Counter[str] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)

    def read(self, finding: Finding) -> None:
        """Count one address before the DNS is heard."""
        if finding.profile is not None:
            bounded(self.addresses_at, finding.profile.ascii)
            shape = shape_of(finding)
            if shape:
                bounded(self.shapes, shape)

    def bad_row(self, line: int, problem: str) -> None:
        """Count a row in which there is nothing to check."""
        self.bad += 1
        self.unreadable += problem != "empty"
        if len(self.bad_examples) < _EXAMPLES:
            self.bad_examples.append((line, problem))

    def count(self, report: RecipientReport, *, times: int = 1) -> None:
        """Count a judged address, or so many that were judged alike."""
        self.checked += times
        self.verdicts[report.verdict] += times
        self.states[report.domain_state] += times
        for reason in report.reasons:
            self.reasons[reason.code] += times
        for trait in report.traits:
            self.traits[trait] += times
        if report.suggestion and len(self.typos) < _EXAMPLES:
            self.typos.append((report.address, report.suggestion))
        self.dead_rows += times * (report.domain_state in DEAD)
        if report.mail_provider:
            bounded(self.providers, report.mail_provider, times)
        if report.domain and report.verdict is Deliverability.UNDELIVERABLE:
            bounded(self.worst, report.domain, times)


def bounded(counter: Counter[str], name: str, times: int = 1) -> None:
    """Count a name; of very many the rare ones are forgotten, so that memory stays flat."""
    counter[name] += times
    if len(counter) > _MOST_COUNTED:
        kept = counter.most_common(_MOST_COUNTED // 2)
        counter.clear()
        counter.update(dict(kept))


_DIGITS = re.compile(r"\d+")
_LONGEST_STEM = 40  # bound: keeps work and memory flat


def shape_of(finding: Finding) -> str | None:
    """Return a local part with ``#`` for its number, and its domain; `None` for one without a number."""
    local = finding.local
    if finding.profile is None or len(local) > _LONGEST_STEM:
        return None
    shape = _DIGITS.sub("#", local)
    if shape == local:
        return None
    return f"{shape.lower()}@{finding.profile.ascii}"


def class_of(report: RecipientReport, *, is_delivered: bool) -> int:
    """Return the class of an address for the prediction, the worst that holds."""
    if report.verdict is Deliverability.DELIVERABLE:
        return CLASS_NAMES.index("delivered") if is_delivered else 0
    codes = {reason.code for reason in report.reasons if reason.verdict is not None}
    if "suppressed" in codes:
        return SUPPRESSED
    if report.verdict is Deliverability.UNDELIVERABLE:
        return CLASS_NAMES.index("undeliverable")
    if is_delivered:
        return CLASS_NAMES.index("delivered")
    return max((CLASS_NAMES.index(_CLASS_OF.get(code, "ordinary")) for code in codes), default=0)


_CLASS_OF = {
    "unknown": "unknown",
    "implicit": "implicit",
    "disposable": "disposable",
    "disposable-host": "disposable",
    "parked": "typo",
    "typo": "typo",
    "documentation": "undeliverable",
    "markup": "typo",
    "confusable": "typo",
    "provider-grammar": "typo",
    "suspicious": "suspicious",
    "serial": "suspicious",
    "no-reply": "suspicious",
    "unknown-tld": "suspicious",
    "long-local-part": "suspicious",
}
"""Code of a reason → class of the prediction; a role is no worse than a person."""
