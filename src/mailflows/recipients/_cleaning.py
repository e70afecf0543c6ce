"""Which rows of a judged list are mailed, and why each of the others is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailflows._mailbox import mailbox_key
from mailflows.recipients._report import Deliverability
from mailflows.recipients._status import SUPPRESSED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows.recipients._report import RecipientReport
    from mailflows.recipients._spool import Judged, JudgedRow

__all__ = ["Cleaning"]

BAD_ROW, DUPLICATE = "bad-row", "duplicate"


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What is kept of a list; see `ListReport.clean`."""

    judged: Judged
    dns: bool
    risky: bool
    apply_suggestions: bool
    ignore_status: bool

    def rows(self) -> Iterator[tuple[JudgedRow, list[str], str]]:
        """Yield every row, the addresses of it that are mailed, and why none is; one of both is empty."""
        kept = {Deliverability.DELIVERABLE}
        if self.risky:
            kept |= {Deliverability.RISKY, Deliverability.UNKNOWN}
        elif not self.dns:
            kept.add(Deliverability.UNKNOWN)
        mended: set[str] = set()
        for row in self.judged.rows():
            addresses, why, marked = [], "", ""
            for report, first, mark in zip(row.reports, row.firsts, row.marks, strict=True):
                if mark and (mark == SUPPRESSED or report.is_suppressed or not self.ignore_status):
                    marked = marked or (SUPPRESSED if self.ignore_status else mark)
                elif report.verdict in kept:
                    if first is None:
                        addresses.append(report.address)
                    why = why or DUPLICATE
                elif self.apply_suggestions and self._is_new(report, mended):
                    addresses.append(str(report.suggestion))
                else:
                    why = why or str(report.verdict)
            yield row, addresses, "" if addresses else why or marked or BAD_ROW

    def _is_new(self, report: RecipientReport, mended: set[str]) -> bool:
        """Return whether a suggestion is a mailbox that is not in the list, and remember it."""
        key = mailbox_key(report.suggestion) if report.suggestion else ""
        if not key or key in mended or self.judged.spool.has_key(key):
            return False
        mended.add(key)
        return True
