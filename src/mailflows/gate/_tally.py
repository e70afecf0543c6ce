"""What the gate stopped, and what a dry run would have stopped: counted by day, without an address."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailflows._clock import to_datetime
from mailflows._result import Result
from mailflows._stores import DocumentKeeper
from mailflows._stores._documents import adrive, drive

if TYPE_CHECKING:
    from mailflows._clock import Clock
    from mailflows._result import Table
    from mailflows._stores import Documents
    from mailflows._stores._documents import Change, Steps
    from mailflows.gate._check import Verdict

__all__ = ["Tally", "TallyCount", "TallyReport"]

REMEMBER = 35 * 86_400.0
"""Seconds. choice: a month can be looked back on."""

DAY = 86_400.0
"""Seconds. bound: what a day has."""


@dataclass(frozen=True, slots=True)
class TallyCount(Result):
    """How many messages one part stopped for one reason.

    Attributes:
        flow: The flow; ``-`` where it could not be told.
        decision: What became of them, or would have.
        part: Which part.
        code: Why.
        messages: How many; one that has two reasons counts for both.
    """

    flow: str
    decision: str
    part: str
    code: str
    messages: int


@dataclass(frozen=True, slots=True)
class TallyReport(Result):
    """What the gate stopped, or would have.

    Attributes:
        days: The days that were looked at.
        dry_run: Whether it is about what a dry run let pass.
        messages: Messages that passed in a dry run, or that were stopped: others are not counted.
        stopped: Those that were stopped, or would have been, by decision.
        reasons: The same by flow, decision, part and reason, the most frequent first.
    """

    days: int
    dry_run: bool
    messages: int
    stopped: dict[str, int]
    reasons: tuple[TallyCount, ...]

    def __str__(self) -> str:
        """Return one line, such as "in the last 7 days 14 of 9,210 would have been held"."""
        verbs = {"defer": "deferred", "hold": "held", "reject": "rejected"}
        would = "would have been" if self.dry_run else "were"
        of = f" of {self.messages:,}" if self.dry_run else ""
        said = ", ".join(f"{n:,}{of} {would} {verbs[d]}" for d, n in sorted(self.stopped.items()))
        return f"in the last {self.days} days {said or f'none{of} {would} stopped'}"

    def _table(self) -> Table:
        rows = [(c.flow, c.decision, c.part, c.code, c.messages) for c in self.reasons]
        return str(self), ("flow", "decision", "part", "why", "messages"), rows


class Tally:
    """Counts what the gate stops, and what a dry run would have stopped.

    What passes costs nothing: it is counted in a dry run only.

    Args:
        store: Where counts live: a store of `mailflows.limits`.
        clock: Returns seconds of Unix time.
    """

    def __init__(self, store: Documents, *, clock: Clock = time.time) -> None:
        self._keeper = DocumentKeeper(store, kind="gate-tally", ttl=REMEMBER)
        self._clock = clock

    def note(self, verdict: Verdict) -> None:
        """Count one message.

        Raises:
            StoreError: If the store could not answer.
        """
        if verdict.dry_run or not verdict.allowed:
            self._keeper.update(*self._change(verdict))

    async def anote(self, verdict: Verdict) -> None:
        """Do what `note` does without blocking the event loop."""
        if verdict.dry_run or not verdict.allowed:
            await self._keeper.aupdate(*self._change(verdict))

    def _change(self, verdict: Verdict) -> tuple[str, Change]:
        flow = verdict.flow or "-"
        names = ["messages", f"decision|{verdict.would_be}"]
        names += sorted({f"why|{flow}|{r.decision}|{r.part}|{r.code}" for r in verdict.why})

        def counted(old: bytes | None) -> bytes:
            counts = Counter(json.loads(old) if old else {})
            counts.update(names)
            return json.dumps(counts).encode()

        return _key(self._clock(), dry_run=verdict.dry_run), counted

    def report(self, *, days: int = 7, dry_run: bool = False) -> TallyReport:
        """Return what was counted.

        Args:
            days: How many days back, today included.
            dry_run: What a dry run would have stopped, instead of what was stopped.

        Raises:
            StoreError: If the store could not answer.
        """
        return drive(self._reporting(days, dry_run=dry_run), self._keeper)

    async def areport(self, *, days: int = 7, dry_run: bool = False) -> TallyReport:
        """Do what `report` does without blocking the event loop."""
        return await adrive(self._reporting(days, dry_run=dry_run), self._keeper)

    def _reporting(self, days: int, *, dry_run: bool) -> Steps[TallyReport]:
        total: Counter[str] = Counter()
        for number in range(days):
            document = yield "load", (_key(self._clock() - number * DAY, dry_run=dry_run),)
            total.update(json.loads(document) if document else {})
        rows = [
            TallyCount(flow, decision, part, code, count)
            for name, count in total.items()
            if name.startswith("why|")
            for _, flow, decision, part, code in (name.split("|"),)
        ]
        stopped = {
            name.partition("|")[2]: count
            for name, count in total.items()
            if name.startswith("decision|") and name != "decision|accept"
        }
        ordered = tuple(sorted(rows, key=lambda row: (-row.messages, row.flow, row.part, row.code)))
        return TallyReport(days, dry_run, total["messages"], stopped, ordered)


def _key(moment: float, *, dry_run: bool) -> str:
    return f"gate-tally:{'dry-run' if dry_run else 'stopped'}:{to_datetime(moment):%Y-%m-%d}"
