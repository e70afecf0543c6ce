"""What a dry run would have done: counted by day, without an address."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailflows._clock import to_datetime
from mailflows._result import Result
from mailflows._stores import update

if TYPE_CHECKING:
    from mailflows._clock import Clock
    from mailflows._result import Table
    from mailflows._stores import Documents
    from mailflows.gate._verdict import Verdict

__all__ = ["Trial", "TrialCount", "TrialReport"]

REMEMBER = 35 * 86_400.0
"""Seconds: a month can be looked back on."""

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class TrialCount(Result):
    """How many messages one part would have stopped for one reason.

    Attributes:
        flow: The flow; ``-`` where it could not be told.
        decision: What would have become of them.
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
class TrialReport(Result):
    """What a dry run would have done.

    Attributes:
        days: The days that were looked at.
        messages: Messages that passed in a dry run.
        stopped: Those that would not have, by decision.
        reasons: The same by flow, decision, part and reason, the most frequent first.
    """

    days: int
    messages: int
    stopped: dict[str, int]
    reasons: tuple[TrialCount, ...]

    def __str__(self) -> str:
        """Return one line: "in the last 7 days, of 9,210 messages 14 would have been held"."""
        verbs = {"defer": "deferred", "hold": "held", "reject": "rejected"}
        said = " and ".join(f"{n:,} would have been {verbs[d]}" for d, n in sorted(self.stopped.items()))
        whole = f"in the last {self.days} days, of {self.messages:,} messages"
        return f"{whole} {said or 'none would have been stopped'}"

    def _table(self) -> Table:
        rows = [(c.flow, c.decision, c.part, c.code, c.messages) for c in self.reasons]
        return str(self), ("flow", "would be", "part", "why", "messages"), rows


class Trial:
    """Counts what a dry run would have done.

    Args:
        store: Where counts live: a store of `mailflows.limits`.
        clock: Returns seconds of Unix time.
    """

    def __init__(self, store: Documents, *, clock: Clock = time.time) -> None:
        self._store = store
        self._clock = clock

    def note(self, verdict: Verdict) -> None:
        """Count one message.

        Raises:
            StoreError: If the store could not answer.
        """
        names = ["messages", f"stopped|{verdict.would_be}"]
        flow = verdict.flow or "-"
        names += sorted({f"why|{flow}|{r.decision}|{r.part}|{r.code}" for r in verdict.why})

        def counted(old: bytes | None) -> bytes:
            counts = Counter(json.loads(old) if old else {})
            counts.update(names)
            return json.dumps(counts).encode()

        update(self._store, self._key(self._clock()), counted, ttl=REMEMBER)

    def report(self, *, days: int = 7) -> TrialReport:
        """Return what was counted.

        Raises:
            StoreError: If the store could not answer.
        """
        total: Counter[str] = Counter()
        for number in range(days):
            document = self._store.load(self._key(self._clock() - number * DAY))
            total.update(json.loads(document) if document else {})
        rows = [
            TrialCount(flow, decision, part, code, count)
            for name, count in total.items()
            if name.startswith("why|")
            for _, flow, decision, part, code in (name.split("|"),)
        ]
        stopped = {
            name.partition("|")[2]: count
            for name, count in total.items()
            if name.startswith("stopped|") and name != "stopped|accept"
        }
        ordered = tuple(sorted(rows, key=lambda row: (-row.messages, row.flow, row.part, row.code)))
        return TrialReport(days, total["messages"], stopped, ordered)

    async def anote(self, verdict: Verdict) -> None:
        """Do what `note` does without blocking the event loop."""
        await asyncio.to_thread(self.note, verdict)

    async def areport(self, *, days: int = 7) -> TrialReport:
        """Do what `report` does without blocking the event loop."""
        return await asyncio.to_thread(self.report, days=days)

    @staticmethod
    def _key(moment: float) -> str:
        return f"gate-trial:{to_datetime(moment):%Y-%m-%d}"
