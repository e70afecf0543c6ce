"""What linting says: findings, and their report."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from mailflows import _data
from mailflows._result import Result, Severity, in_list, number_of, to_frame, to_html, to_text
from mailflows.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Code", "LintFinding", "LintReport", "Severity", "Where", "codes"]


@dataclass(frozen=True, slots=True)
class Code:
    """A lint code: one kind of fault, with its severity in each flow.

    Attributes:
        name: The stable word, such as ``link-text-mismatch``.
        family: headers, unsubscribe, links, images, size, support, visible, access, spam or flow.
        sentence: What is wrong, for the author of the message.
        reference: The standard, law or page that says so.
        severities: Severity by flow; the key `None` is for a message whose flow is not known. A value of
            `None` means that it is not reported.
        fix: The repair of `mailflows.content.fix` that removes it, or an empty string.
    """

    name: str
    family: str
    sentence: str
    reference: str
    severities: dict[Flow | None, Severity | None]
    fix: str = ""


@cache
def codes() -> dict[str, Code]:
    """Return every code by its name, in the order of the documentation."""
    table = tomllib.loads(_data.read("content/codes.toml"))
    return {name: _code(name, entry) for name, entry in table.items()}


def _code(name: str, entry: dict[str, str]) -> Code:
    flows: list[Flow | None] = [None, *Flow]
    words = {flow: entry.get(flow.value if flow else "severity", entry["severity"]) for flow in flows}
    severities = {flow: None if word == "off" else Severity(word) for flow, word in words.items()}
    return Code(
        name, entry["family"], entry["sentence"], entry["reference"], severities, entry.get("fix", "")
    )


@dataclass(frozen=True, slots=True)
class Where:
    """The place of a finding.

    Attributes:
        part: ``headers``, ``text`` or ``html``.
        line: Line in the decoded part, from 1, or `None` where the whole part is meant.
        snippet: The beginning of the source there, at most 80 characters.
    """

    part: str
    line: int | None = None
    snippet: str = ""

    def __str__(self) -> str:
        return self.part if self.line is None else f"{self.part}:{self.line}"


@dataclass(frozen=True, slots=True)
class LintFinding(Result):
    """One fault that was found, or a hint worth knowing.

    Attributes:
        code: The stable word; `codes()` explains it.
        severity: How much it matters in this flow.
        sentence: What is wrong.
        where: The first place.
        count: How often it was found; one finding covers all.
        evidence: What it is based on, such as the colours or the names of the features.
        clients: The clients affected, such as ``outlook/windows``; empty if it is not about clients.
        reference: The standard, law or page that says so.
        fix: The repair of `mailflows.content.fix` that removes it, or an empty string.
    """

    code: str
    severity: Severity
    sentence: str
    where: Where
    count: int = 1
    evidence: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    reference: str = ""
    fix: str = ""

    @property
    def fixable(self) -> bool:
        """Whether `mailflows.content.fix` can remove it."""
        return bool(self.fix)

    def __str__(self) -> str:
        return f"{self.severity}: {self.sentence} [{self.code}] at {self.where}"

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON-ready data."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "sentence": self.sentence,
            "part": self.where.part,
            "line": self.where.line,
            "snippet": self.where.snippet,
            "count": self.count,
            "evidence": list(self.evidence),
            "clients": list(self.clients),
            "reference": self.reference,
            "fix": self.fix,
        }


@dataclass(frozen=True, slots=True)
class LintReport(Result):
    r"""The findings of a message, the worst first.

    Attributes:
        findings: All that was found and not ignored.
        flow: The flow whose profile was used, or `None`.
        data_date: Date of the client support table, such as ``2026-06-29``.
        is_template: Whether it is about a page, from `lint_html`, and not about a message.

    Example:
        >>> from mailflows.content import lint
        >>> draft = b"From: shop@example.org\nTo: ada@example.org\nSubject: Sale\n\nToday only"
        >>> report = lint(draft, flow="marketing")
        >>> "missing-date" in [finding.code for finding in report]
        True
    """

    findings: tuple[LintFinding, ...]
    flow: Flow | None
    data_date: str
    is_template: bool = False

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    def at_least(self, severity: Severity) -> tuple[LintFinding, ...]:
        """Return the findings that are at least this severe."""
        return tuple(finding for finding in self.findings if finding.severity >= severity)

    def __iter__(self) -> Iterator[LintFinding]:
        return iter(self.findings)

    def __contains__(self, code: object) -> bool:
        return any(finding.code == code for finding in self.findings)

    def __str__(self) -> str:
        counted = {word: len([f for f in self.findings if f.severity is word]) for word in Severity}
        nouns = {Severity.INFO: "info"}  # has no plural
        said = ", ".join(
            number_of(counted[word], word, nouns.get(word, ""))
            for word in reversed(Severity)
            if counted[word]
        )
        return f"{said or 'no issues found'} ({self.flow or 'flow unknown'})"

    def explain(self) -> str:
        """Return one paragraph for whoever decides whether to send.

        It says whether the message can be sent, what must be fixed first and what should be, how often, and
        what `fix`, or `fix_html` for a page, repairs; it quotes nothing of the message itself.

        Example:
            >>> from mailflows.content import lint_html
            >>> print(lint_html("<p>Hello</p><a href='#'>Shoes</a>").explain()[:56])
            This page can be sent, but has 3 notes. fix_html() makes
        """
        return " ".join([self._verdict(), *self._what_to_do()])

    def _verdict(self) -> str:
        noun = "page" if self.is_template else "message"
        what = f"{self.flow} {noun}" if self.flow else noun
        if not self.findings:
            return f"No issues were found in this {what}."
        counted = [
            (len([f for f in self.findings if f.severity is word]), noun)
            for word, noun in zip(reversed(Severity), ("error", "warning", "note"), strict=True)
        ]
        said = in_list([number_of(count, noun) for count, noun in counted if count])
        if not self.ok:
            return f"This {what} should not be sent yet: it has {said}."
        return f"This {what} can be sent, but has {said}."

    def _what_to_do(self) -> Iterator[str]:
        """Yield a sentence for each kind of work."""
        if errors := [f for f in self.findings if f.severity is Severity.ERROR]:
            yield f"To fix before sending: {_named(errors)}"
        if warnings := [f for f in self.findings if f.severity is Severity.WARNING]:
            yield f"Worth fixing: {_named(warnings)}"
        repairs = list(dict.fromkeys(f.fix for f in self.findings if f.fix))
        tool = "fix_html" if self.is_template else "fix"
        if automatic := [name for name in repairs if name not in ON_REQUEST]:
            yield f"{tool}() makes these repairs automatically: {in_list(automatic)}."
        for name in repairs:
            if name in ON_REQUEST:
                yield f"{tool}(only=[{name!r}]) repairs {name}, which changes what readers see."
        if self.flow is None:
            yield "No flow was given, so rules that depend on it were not applied."

    def to_text(self) -> str:
        """Return a table for a terminal."""
        return to_text(_HEADER, self._rows()) if self.findings else str(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready data."""
        return {
            "ok": self.ok,
            "flow": self.flow.value if self.flow else None,
            "data_date": self.data_date,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def to_pandas(self) -> Any:  # noqa: ANN401 -- a DataFrame, where pandas is installed
        """Return a DataFrame with one row per finding.

        Raises:
            MissingExtra: If pandas is not installed.
        """
        return to_frame((finding.to_dict() for finding in self.findings), _COLUMNS)

    def _rows(self) -> list[list[str | int | None]]:
        return [
            [f.severity.value, f.code, f.sentence, f"{f.where}", f.count, ", ".join(f.evidence[:3])]
            for f in self.findings
        ]

    def _repr_html_(self) -> str:
        return to_html(str(self), _HEADER, self._rows())


ON_REQUEST = frozenset(("inline-css", "forms"))
"""Repairs that are made only where they are named: they change how a page looks."""

_NAMED = 3
"""Choice: findings that a paragraph names; the others are counted."""


def _named(findings: list[LintFinding]) -> str:
    """Return the sentences of the first findings, and how many more there are."""
    said = [f.sentence + (f" ({f.count} times)" if f.count > 1 else "") for f in findings[:_NAMED]]
    if (more := len(findings) - _NAMED) > 0:
        said.append(f"and {more} more")
    first, *others = said
    return " ".join(f"{text}." for text in (first, *(text[0].upper() + text[1:] for text in others)))


_COLUMNS = "code severity sentence part line snippet count evidence clients reference fix".split()
_HEADER = ["severity", "code", "what", "where", "times", "evidence"]
