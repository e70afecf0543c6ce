"""What an audit found, for a terminal, a notebook and a program."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from mailflows import _data
from mailflows._result import Result, Severity, counted, number_of, to_frame, to_html, to_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailflows._result import Cell
    from mailflows.flow import Flow

__all__ = ["AuditFinding", "AuditReport", "Severity", "finding"]


@dataclass(frozen=True, slots=True)
class AuditFinding(Result):
    """One issue that an audit found.

    Attributes:
        code: Stable name such as ``spf-missing``.
        severity: How serious it is.
        flows: The flows that it affects.
        sentence: What was found, for a reader.
        evidence: The DNS records or answers that it is based on.
        advice: What to do.
        reference: The standard or page that says so.
        required_by: The receivers that require it, each with the month since when.
        record: The record to publish, as a line of a zone file; empty if it depends on something the audit
            cannot know.
    """

    code: str
    severity: Severity
    flows: tuple[Flow, ...]
    sentence: str
    evidence: tuple[str, ...]
    advice: str
    reference: str
    required_by: tuple[str, ...] = ()
    record: str = ""

    def __str__(self) -> str:
        return f"{self.severity} {self.code}: {self.sentence}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "flows": [flow.value for flow in self.flows],
            "sentence": self.sentence,
            "evidence": list(self.evidence),
            "advice": self.advice,
            "reference": self.reference,
            "required_by": list(self.required_by),
            "record": self.record,
        }


@cache
def _table() -> dict[str, dict[str, Any]]:
    return tomllib.loads(_data.read("flows/findings.toml"))


def finding(
    code: str, flows: Iterable[Flow], *, evidence: Iterable[str] = (), record: str = "", **words: object
) -> AuditFinding:
    """Return a finding of the table, its words filled in.

    >>> from mailflows.flow import Flow
    >>> found = finding("spf-missing", [Flow.MARKETING], domain="news.example.org")
    >>> print(found)
    error spf-missing: news.example.org has no SPF record
    >>> found.required_by[0]
    'Gmail 2024-02'
    """
    entry = _table()[code]
    named = tuple(flows)
    words = counted({"flows": " and ".join(named), **words})
    return AuditFinding(
        code=code,
        severity=Severity(entry["severity"]),
        flows=named,
        sentence=entry["sentence"].format_map(words),
        evidence=tuple(str(text) for text in evidence),
        advice=entry["advice"].format_map(words),
        reference=entry["reference"].format_map(words),
        required_by=tuple(entry.get("required_by", ())),
        record=record,
    )


@dataclass(frozen=True, slots=True)
class AuditReport(Result):
    """The findings of an audit, the worst first.

    Attributes:
        findings: All of them.

    Example:
        >>> from mailflows.audit import audit
        >>> from mailflows.flows import FlowRoute, FlowSet
        >>> from mailflows.testing import FakeDns
        >>> report = audit(FlowSet(FlowRoute("marketing", domains="news.example.org")), resolver=FakeDns({}))
        >>> "spf-missing" in report.codes
        True
    """

    findings: tuple[AuditFinding, ...]

    @classmethod
    def of(cls, findings: Iterable[AuditFinding]) -> AuditReport:
        """Return a report of findings, each listed once for all its flows, the worst first."""
        told: dict[tuple[str, str], AuditFinding] = {}
        for found in findings:
            known = told.setdefault((found.code, found.sentence), found)
            flows = tuple(dict.fromkeys((*known.flows, *found.flows)))
            told[found.code, found.sentence] = replace(known, flows=flows)
        return cls(tuple(sorted(told.values(), key=lambda f: -f.severity.weight)))

    @property
    def ok(self) -> bool:
        """Whether there is neither an error nor a warning."""
        return all(f.severity is Severity.INFO for f in self.findings)

    @property
    def is_checked(self) -> bool:
        """Whether the DNS answered every query; what depends on an unanswered one was not checked."""
        return "dns-unanswered" not in self.codes

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes that were found, each once, sorted."""
        return tuple(sorted({f.code for f in self.findings}))

    def __iter__(self) -> Iterator[AuditFinding]:
        return iter(self.findings)

    def rows(self) -> list[list[Cell]]:
        """Return the findings as rows: severity, code, flows, what was found, what to do."""
        return [[f.severity.value, f.code, ", ".join(f.flows), f.sentence, f.advice] for f in self.findings]

    def __str__(self) -> str:
        if not self.findings:
            return _ALL_WELL
        return to_text(_HEADER[:4], [row[:4] for row in self.rows()])

    def _repr_html_(self) -> str:
        return to_html(self.summary, _HEADER, self.rows())

    @property
    def summary(self) -> str:
        """One line: how many findings of each severity."""
        counts = {s: sum(f.severity is s for f in self.findings) for s in Severity}
        told = [number_of(count, s, s if s is Severity.INFO else "") for s, count in counts.items()]
        return (
            ", ".join(text for text, count in zip(told, counts.values(), strict=True) if count) or _ALL_WELL
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return {"ok": self.ok, "findings": [f.to_dict() for f in self.findings]}

    def to_pandas(self) -> Any:  # noqa: ANN401 -- pandas is an extra
        """Return a pandas DataFrame with a row for each finding.

        Raises:
            MissingExtra: If pandas is not installed.
        """
        return to_frame((f.to_dict() for f in self.findings), AuditFinding.__slots__)


_HEADER = ["severity", "code", "flows", "what was found", "what to do"]
_ALL_WELL = "nothing is missing, weak or shared"
