"""The segments of a list: by mailbox provider, by risk, or by a column of the list."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mailflows._result import Result, number_of
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError
from mailflows.recipients._report import Deliverability

if TYPE_CHECKING:
    from mailflows.recipients._spool import Judged

__all__ = ["Segment", "divide"]

_UNDELIVERABLE_FIRST = tuple(reversed(Deliverability))


@dataclass(frozen=True, slots=True)
class Segment(Result):
    """One segment of a list.

    Attributes:
        name: The provider, the code of the decisive reason, or the value in the column.
        addresses: Addresses in it.
        verdicts: How many of them by verdict.
    """

    name: str
    addresses: int
    verdicts: dict[Deliverability, int]

    @property
    def undeliverable_share(self) -> float:
        """Share of undeliverable addresses, in [0, 1]."""
        return self.verdicts[Deliverability.UNDELIVERABLE] / self.addresses if self.addresses else 0.0

    def __str__(self) -> str:
        parts = ", ".join(f"{self.verdicts[v]} {v}" for v in _UNDELIVERABLE_FIRST if self.verdicts[v])
        return f"{self.name or '(empty)'}: {number_of(self.addresses, 'address', 'addresses')} ({parts})"


def divide(judged: Judged, column: str | None, *, by_risk: bool) -> tuple[Segment, ...]:
    """Return the parts of a list, the largest first."""
    counts: dict[str, Counter[Deliverability]] = {}
    if column is None:
        for facts, count in judged.outcomes():
            name = _risk_of(facts) if by_risk else facts["provider"] or "no mail host known"
            counts.setdefault(name, Counter())[facts["verdict"]] += count
    else:
        if column not in judged.columns:
            msg = f"there is no column {column!r}; {did_you_mean(column, judged.columns)}"
            raise ConfigurationError(msg, field="column")
        place = judged.columns.index(column)
        for row in judged.rows():
            counts.setdefault(row.cells[place], Counter()).update(report.verdict for report in row.reports)
    parts = [
        Segment(name, found.total(), {verdict: found[verdict] for verdict in Deliverability})
        for name, found in counts.items()
    ]
    return tuple(sorted(parts, key=lambda part: (-part.addresses, part.name)))


def _risk_of(facts: dict[str, Any]) -> str:
    """Return the code of what decides, or that no issues were found."""
    if facts["verdict"] is Deliverability.DELIVERABLE or not facts["reasons"]:
        return "no issues found"
    return str(facts["reasons"][0].code)
