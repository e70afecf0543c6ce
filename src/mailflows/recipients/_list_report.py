"""What a list is worth: the counts, the prediction, what each policy means, and the rows themselves."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailflows._result import Bar, to_frame, to_html, to_text
from mailflows.errors import MissingExtra
from mailflows.recipients._policies import Advice
from mailflows.recipients._report import Verdict

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from datetime import datetime

    from mailflows._result import Cell
    from mailflows.recipients._list import Judged
    from mailflows.recipients._lists import DataSource
    from mailflows.recipients._policies import PolicyVerdict
    from mailflows.recipients._prediction import Prediction
    from mailflows.recipients._report import DomainState, RecipientReport, Trait

__all__ = ["ListReport"]

COLUMNS = ("line", "address", "verdict", "reasons", "suggestion", "traits", "domain_state", "duplicate_of")
"""Columns of `ListReport.to_csv`."""


@dataclass(frozen=True, slots=True)
class ListReport:
    """What was found about a list.

    Attributes:
        rows: Rows that were read.
        addresses: Rows with text in the column; every count below is of these.
        bad_rows: Rows with nothing to check: empty, not text, a broken line.
        bad_row_examples: The first thousand of them: line and what is wrong.
        verdicts: Rows by verdict.
        reasons: Rows by code of reason, the most frequent first.
        traits: Rows by trait, such as role accounts and disposable domains.
        states: Rows by state of their domain.
        dead_domain_share: Share of rows whose domain takes no mail, in [0, 1].
        typos: The first thousand typing errors: address and correction.
        duplicates: Rows that write to a mailbox that stands further up.
        domains: Different domains.
        worst_domains: Domains with the most undeliverable rows.
        providers: Who takes the mail of the rows: a large provider by its name (``google``), any other by the
            registered domain of its mail host.
        known_bounces: Addresses that are known to bounce; they are not counted as mailed.
        prediction: The expected hard-bounce rate with its 90 % interval.
        policies: What each known policy means for the list.
        dns: Whether the DNS was asked.
        resolver_trouble: What is wrong with the resolver; no address is called bad then. Usually empty.
        sources: The lists that the verdicts rest on, with their age.
        checked_at: When, in UTC.
    """

    rows: int
    addresses: int
    bad_rows: int
    bad_row_examples: tuple[tuple[int, str], ...]
    verdicts: dict[Verdict, int]
    reasons: dict[str, int]
    traits: dict[Trait, int]
    states: dict[DomainState, int]
    dead_domain_share: float
    typos: tuple[tuple[str, str], ...]
    duplicates: int
    domains: int
    worst_domains: tuple[tuple[str, int], ...]
    providers: tuple[tuple[str, int], ...]
    known_bounces: int
    prediction: Prediction
    policies: tuple[PolicyVerdict, ...]
    dns: bool
    resolver_trouble: str
    sources: tuple[DataSource, ...]
    checked_at: datetime
    judged: Judged = field(repr=False, compare=False)

    @property
    def advice(self) -> Advice:
        """The advice of the strictest policy that does not forbid large mailings altogether."""
        order = list(Advice)
        return max((v.advice for v in self.policies if v.policy.max_recipients is None), key=order.index)

    def reports(self) -> Iterator[tuple[int, RecipientReport, int | None]]:
        """Yield every row: its line, its report, and the line of the row that it duplicates."""
        return self.judged.with_lines()

    def clean(self, *, risky: bool = False) -> Iterator[str]:
        """Yield the safe addresses, each mailbox once, as they were given.

        Args:
            risky: Whether to keep risky ones and those without an answer from the DNS, too. Without
                the DNS, those against which nothing speaks are kept in any case.
        """
        kept = {Verdict.DELIVERABLE}
        if risky:
            kept |= {Verdict.RISKY, Verdict.UNKNOWN}
        elif not self.dns:
            kept.add(Verdict.UNKNOWN)
        return (
            report.address for _, report, first in self.reports() if first is None and report.verdict in kept
        )

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write every row with its verdict as CSV, in UTF-8.

        Cells are not changed for spreadsheets: an address that begins with «=» is a formula there.
        """
        with Path(path).open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(COLUMNS)
            writer.writerows(self._table())

    def to_pandas(self) -> Any:  # noqa: ANN401 -- pandas is optional
        """Return every row with its verdict as a data frame.

        Raises:
            MissingExtra: If pandas is not installed.
        """
        return to_frame(self._table(), COLUMNS)

    def plot(self, ax: Any = None) -> Any:  # noqa: ANN401 -- matplotlib is optional
        """Draw the verdicts and the predicted rate beside the limits of the policies.

        Raises:
            MissingExtra: If matplotlib is not installed.
        """
        try:
            import matplotlib.pyplot as plt  # noqa: PLC0415 -- optional
        except ImportError as error:
            raise MissingExtra("notebook", "matplotlib") from error  # noqa: EM101 -- a name, no message
        if ax is None:
            _, ax = plt.subplots(figsize=(8, 0.5 * len(self.policies) + 1.5))
        names = [verdict.policy.name for verdict in self.policies]
        limits = [verdict.policy.hard_bounce for verdict in self.policies]
        colours = [_COLOURS[verdict.advice] for verdict in self.policies]
        ax.barh(names, limits, color=colours, alpha=0.6)
        ax.axvspan(self.prediction.low, self.prediction.high, color="0.5", alpha=0.3)
        ax.axvline(self.prediction.rate, color="0.2")
        ax.invert_yaxis()
        ax.set_xlabel(
            "hard bounces: limit of each policy, and what is predicted for the list (90 % interval)"
        )
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        return ax

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data, ready for JSON, without the rows."""
        return {
            "rows": self.rows,
            "addresses": self.addresses,
            "bad_rows": self.bad_rows,
            "bad_row_examples": [
                {"line": line, "problem": problem} for line, problem in self.bad_row_examples
            ],
            "verdicts": {str(name): count for name, count in self.verdicts.items()},
            "reasons": self.reasons,
            "traits": {str(name): count for name, count in self.traits.items()},
            "domain_states": {str(name): count for name, count in self.states.items()},
            "dead_domain_share": self.dead_domain_share,
            "typos": [{"address": address, "suggestion": meant} for address, meant in self.typos],
            "duplicates": self.duplicates,
            "domains": self.domains,
            "worst_domains": dict(self.worst_domains),
            "providers": dict(self.providers),
            "known_bounces": self.known_bounces,
            "predicted_bounce_rate": self.prediction.rate,
            "predicted_interval": [self.prediction.low, self.prediction.high],
            "advice": str(self.advice),
            "policies": [verdict.to_dict() for verdict in self.policies],
            "dns": self.dns,
            "resolver_trouble": self.resolver_trouble,
            "data": [
                {
                    "name": s.name,
                    "entries": s.entries,
                    "version": s.version,
                    "age_days": s.age(self.checked_at.date()),
                }
                for s in self.sources
            ],
            "checked_at": self.checked_at.isoformat(),
        }

    def __str__(self) -> str:
        """Return the report as text."""
        parts = [self._headline(), "", to_text(["what", "rows", "share"], self._counts())]
        parts += ["", to_text(["policy", "advice", "sample", "why"], self._advice_rows())]
        if self.typos:
            parts += ["", "Typing errors: " + ", ".join(f"{a} → {m}" for a, m in self.typos[:10])]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        """Return the report as small escaped tables, for a notebook."""
        shares: list[list[Cell]] = [
            [name, count, Bar(share, f"{share:.1%}")] for name, count, share in self._shares()
        ]
        html = to_html(self._headline(), ["what", "rows", "share"], shares)
        html += to_html("What each policy means", ["policy", "advice", "sample", "why"], self._advice_rows())
        if self.typos:
            html += to_html("Typing errors", ["address", "meant"], [list(pair) for pair in self.typos[:20]])
        if self.worst_domains:
            html += to_html("Worst domains", ["domain", "rows"], [list(pair) for pair in self.worst_domains])
        return html

    def _headline(self) -> str:
        asked = "" if self.dns else " The DNS was not asked."
        trouble = (
            f" Resolver: {self.resolver_trouble}; no address is called bad." if self.resolver_trouble else ""
        )
        return (
            f"{self.addresses} addresses at {self.domains} domains: {self.prediction} hard bounces predicted;"
            f" {self.advice}.{asked}{trouble}"
        )

    def _shares(self) -> list[tuple[str, int, float]]:
        total = max(1, self.addresses)
        counted = [(str(verdict), count) for verdict, count in self.verdicts.items()]
        counted += [(f"  {code}", count) for code, count in self.reasons.items() if code != "not_asked"]
        counted += [("duplicates", self.duplicates), ("bad rows", self.bad_rows)]
        return [(name, count, count / total) for name, count in counted]

    def _counts(self) -> list[list[Cell]]:
        return [[name, count, f"{share:.1%}"] for name, count, share in self._shares()]

    def _advice_rows(self) -> list[list[Cell]]:
        return [[v.policy.name, str(v.advice), v.sample or None, v.sentence] for v in self.policies]

    def _table(self) -> Iterator[tuple[int, str, str, str, str, str, str, int | None]]:
        for line, report, first in self.reports():
            yield (
                line,
                report.address,
                str(report.verdict),
                " ".join(reason.code for reason in report.reasons),
                report.suggestion or "",
                " ".join(sorted(map(str, report.traits))),
                str(report.domain_state),
                first,
            )


_COLOURS = {Advice.GO: "#54a24b", Advice.SAMPLE_FIRST: "#eeca3b", Advice.STOP: "#e45756"}
