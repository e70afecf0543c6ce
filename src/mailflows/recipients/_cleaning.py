"""Which rows of a judged list are mailed, and why each of the others is left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailflows._mailbox import mailbox_key
from mailflows.recipients._report import Deliverability
from mailflows.recipients._status import MARKS, SUPPRESSED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows.recipients._report import RecipientReport
    from mailflows.recipients._spool import Judged, JudgedRow

__all__ = ["Cleaning"]

BAD_ROW, DUPLICATE = "bad-row", "duplicate"

_MENDED = frozenset(map(str, Deliverability))
"""What a suggestion may mend; not a wish of the owner, nor a mailbox that stands in the list."""


def _decisive(whys: list[str]) -> str:
    """Return why a row is left out of which no address is kept: a mark only where all have one."""
    return next((why for why in whys if why not in _MARKED), whys[0] if whys else BAD_ROW)


_MARKED = frozenset((*MARKS, SUPPRESSED))


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
        mended: set[str] = set()
        for row in self.judged.rows():
            addresses, whys = [], []
            for report, first, mark in zip(row.reports, row.firsts, row.marks, strict=True):
                why = self._why_not(report.verdict, first, mark, is_suppressed=report.is_suppressed)
                if not why:
                    addresses.append(report.address)
                elif why in _MENDED and self.apply_suggestions and self._is_new(report, mended):
                    addresses.append(str(report.suggestion))
                else:
                    whys.append(why)
            yield row, addresses, "" if addresses else _decisive(whys)

    def count(self) -> tuple[int, Counter[str]]:
        """Return how many addresses are kept, and how many rows are left out, by why."""
        kept, left_out = 0, Counter[str]()
        for number, why in self._ends():
            kept += number
            if not number:
                left_out[why] += 1
        return kept, left_out

    def _ends(self) -> Iterator[tuple[int, str]]:
        """Yield of every row how many addresses are kept, and why none is."""
        if self.apply_suggestions:
            for _, addresses, why in self.rows():
                yield len(addresses), why
            return
        for fates in self.judged.fates():
            whys = [self._why_not(verdict, first, mark, is_suppressed=s) for verdict, first, mark, s in fates]
            kept = whys.count("")
            yield kept, "" if kept else _decisive(whys)

    def _why_not(self, verdict: Deliverability, first: int | None, mark: str, *, is_suppressed: bool) -> str:
        """Return why an address is left out, by its verdict, the row that it duplicates, and its mark."""
        if mark and not self.ignore_status:
            return mark
        if is_suppressed:
            return SUPPRESSED
        if not self._keeps(verdict):
            return str(verdict)
        return "" if first is None else DUPLICATE

    def _keeps(self, verdict: Deliverability) -> bool:
        if verdict is Deliverability.UNKNOWN:
            return self.risky or not self.dns
        return verdict is Deliverability.DELIVERABLE or (self.risky and verdict is Deliverability.RISKY)

    def _is_new(self, report: RecipientReport, mended: set[str]) -> bool:
        """Return whether a suggestion is a mailbox that is not in the list, and remember it."""
        key = mailbox_key(report.suggestion) if report.suggestion else ""
        if not key or key in mended or self.judged.spool.has_key(key):
            return False
        mended.add(key)
        return True
