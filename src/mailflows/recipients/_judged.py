"""The judged rows of a list: what a report reads its rows from, and never judges anew."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mailflows._mailbox import duplicate_key
from mailflows.recipients._report import Deliverability, DomainState, RecipientReport, Trait, make_reason
from mailflows.recipients._spool import Entry, Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

__all__ = ["Judged", "JudgedRow", "pack"]


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """One input row and what was found.

    Attributes:
        number: Place among the input rows, from 0.
        line: Line of the file, or place in the iterable, from 1.
        cells: The whole row, one text a column; empty for a list without columns.
        problem: What is wrong with a row in which there is nothing to check; else empty.
        reports: A report on each address of the row.
        firsts: For each report the line of the row that writes to the same mailbox further up, or `None`.
    """

    number: int
    line: int
    cells: tuple[str, ...]
    problem: str
    reports: tuple[RecipientReport, ...]
    firsts: tuple[int | None, ...]


def pack(report: RecipientReport, unicode: str | None) -> str:
    """Return what a report shares with others of its domain and kind, as text."""
    facts = {
        "verdict": report.verdict,
        "reasons": [[r.code, dict(r.parameters), list(r.evidence), r.verdict] for r in report.reasons],
        "traits": sorted(report.traits),
        "domain": report.domain,
        "unicode": unicode,
        "state": report.domain_state,
        "hosts": report.mail_hosts,
        "provider": report.mail_provider,
        "utf8": report.needs_smtputf8,
    }
    return json.dumps(facts, ensure_ascii=False)


class Judged:
    """The rows of a list with their verdicts, on disk.

    Args:
        spool: The rows.
        columns: Names of the columns; empty for a list without.
        column: The one with the addresses.
        checked_at: When they were judged.
        frame: The data frame that they came from, or `None`.
    """

    def __init__(
        self,
        spool: Spool,
        *,
        columns: list[str],
        column: str | None,
        checked_at: datetime,
        frame: Any = None,  # noqa: ANN401 -- pandas is optional
    ) -> None:
        self.spool = spool
        self.columns = tuple(columns)
        self.column = column
        self.frame = frame
        self.checked_at = checked_at
        self._unpacked: Callable[[int], dict[str, Any]] = lru_cache(maxsize=20_000)(self._unpack)

    def __del__(self) -> None:
        """Remove the temporary file with the report that used it."""
        if hasattr(self, "spool"):
            self.spool.close()

    def rows(self) -> Iterator[JudgedRow]:
        """Yield every input row, in order."""
        for number, group in groupby(self.spool.entries(), key=lambda entry: entry.number):
            entries = list(group)
            head = entries[0]
            judged = [entry for entry in entries if entry.outcome is not None]
            yield JudgedRow(
                number,
                head.line,
                self._cells(head),
                head.problem,
                tuple(self._report(entry) for entry in judged),
                tuple(entry.first for entry in judged),
            )

    def outcomes(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield what was found and how many rows share it."""
        counts = self.spool.database.execute("SELECT outcome, COUNT(*) FROM verdict GROUP BY outcome")
        for number, count in counts.fetchall():
            yield self._unpacked(number), count

    def _cells(self, entry: Entry) -> tuple[str, ...]:
        if not self.columns:
            return ()
        cells = json.loads(entry.cells) if entry.cells is not None else [entry.text]
        return tuple(cells) + ("",) * (len(self.columns) - len(cells))

    def _unpack(self, number: int) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.spool.outcome(number))
        facts["reasons"] = tuple(
            replace(
                make_reason(code, *evidence, **parameters),
                verdict=None if best is None else Deliverability(best),
            )
            for code, parameters, evidence, best in facts["reasons"]
        )
        facts["traits"] = frozenset(map(Trait, facts["traits"]))
        facts["hosts"] = tuple(facts["hosts"])
        facts["verdict"] = Deliverability(facts["verdict"])
        facts["state"] = DomainState(facts["state"])
        return facts

    def _report(self, entry: Entry) -> RecipientReport:
        assert entry.outcome is not None  # noqa: S101 -- it was judged
        facts = self._unpacked(entry.outcome)
        text, suggestion = entry.text, entry.suggestion
        local, readable = text.rpartition("@")[0], facts["unicode"] is not None
        return RecipientReport(
            address=text,
            verdict=facts["verdict"],
            reasons=facts["reasons"],
            normalized=f"{local}@{facts['unicode']}" if readable else None,
            ascii=f"{local}@{facts['domain']}" if readable and not facts["utf8"] else None,
            domain=facts["domain"],
            suggestion=suggestion,
            traits=facts["traits"],
            domain_state=facts["state"],
            mail_hosts=facts["hosts"],
            mail_provider=facts["provider"],
            duplicate_key=duplicate_key(local, facts["domain"]) if readable else None,
            needs_smtputf8=facts["utf8"],
            checked_at=self.checked_at,
        )

    def to_bytes(self) -> bytes:
        """Return the whole file, for a pickle."""
        self.spool.database.commit()
        return self.spool.database.serialize()

    @staticmethod
    def spool_of(data: bytes) -> Spool:
        """Return the rows of `to_bytes`."""
        database = sqlite3.connect(":memory:", check_same_thread=False)
        database.deserialize(data)
        return Spool(database)
