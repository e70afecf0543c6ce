"""Daily counts of what the gate stopped, and of what a dry run would have stopped, without addresses."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailflows._clock import to_datetime
from mailflows._result import Result
from mailflows._stores import DocumentKeeper
from mailflows._stores._documents import adrive, drive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mailflows._clock import Clock
    from mailflows._result import Table
    from mailflows._stores import Documents
    from mailflows._stores._documents import Change, Steps
    from mailflows.gate._check import Verdict

__all__ = ["DONE", "Tally", "TallyCount", "TallyReport", "is_counted"]

REMEMBER = 35 * 86_400.0
"""Seconds. choice: a month can be looked back on."""

DONE = {"defer": "deferred", "hold": "held", "reject": "rejected"}
"""What became of a message that was stopped, in words."""

DAY = 86_400.0
"""Seconds. bound: what a day has."""


@dataclass(frozen=True, slots=True)
class TallyCount(Result):
    """How many messages, or recipients, one part stopped for one reason.

    Attributes:
        flow: The flow; ``-`` if it could not be determined.
        decision: The decision on them, or in a dry run the decision that would have applied.
        part: The part that stopped them; ``relay`` for recipients that the relay refused at RCPT TO.
        code: The code of the reason.
        messages: Number of messages, or of recipients; a message with two reasons counts for both.
    """

    flow: str
    decision: str
    part: str
    code: str
    messages: int


@dataclass(frozen=True, slots=True)
class TallyReport(Result):
    """What the gate stopped, or would have stopped.

    Attributes:
        days: Number of days covered.
        dry_run: Whether it is about a dry run.
        messages: For a dry run, all messages; otherwise only those that were stopped, as others are not
            counted.
        stopped: Messages that were stopped, or would have been, by decision.
        reasons: The same by flow, decision, part and reason, the most frequent first: only the reasons that
            decided, so that a message which is rejected is not among the held ones, too.
        flows: The same by flow and decision.
        recipients: Recipients who were refused, at RCPT TO or with the message, whatever became of
            the others.
    """

    days: int
    dry_run: bool
    messages: int
    stopped: dict[str, int]
    reasons: tuple[TallyCount, ...]
    flows: dict[str, dict[str, int]] = field(default_factory=dict, hash=False)
    recipients: tuple[TallyCount, ...] = ()

    def __str__(self) -> str:
        """Return one line, such as "in the last 7 days 14 of 9,210 would have been held"."""
        would = "would have been" if self.dry_run else "were"
        of = f" of {self.messages:,}" if self.dry_run else ""
        said = ", ".join(f"{n:,}{of} {would} {DONE[d]}" for d, n in sorted(self.stopped.items()))
        return f"in the last {self.days} days {said or f'none{of} {would} stopped'}"

    def _table(self) -> Table:
        rows = [(c.flow, c.decision, c.part, c.code, c.messages) for c in self.reasons]
        return str(self), ("flow", "decision", "part", "why", "messages"), rows


class Tally:
    """Counts what the gate stops, and what a dry run would have stopped.

    Messages that pass are counted only in a dry run, or if recipients were refused.

    Args:
        store: Where the counts are kept: a store of `mailflows.limits`.
        clock: Returns the current time in Unix seconds.

    Example:
        >>> from mailflows.limits import MemoryStore
        >>> print(Tally(MemoryStore()).report())
        in the last 7 days none were stopped
    """

    def __init__(self, store: Documents, *, clock: Clock = time.time) -> None:
        self._keeper = DocumentKeeper(store, kind="gate-tally", ttl=REMEMBER)
        self._clock = clock

    def note(self, verdict: Verdict) -> None:
        """Count one message.

        Raises:
            StoreError: If the store could not answer.
        """
        if is_counted(verdict):
            self._keeper.update(*self._change(verdict))

    async def anote(self, verdict: Verdict) -> None:
        """Do what `note` does without blocking the event loop."""
        if is_counted(verdict):
            await self._keeper.aupdate(*self._change(verdict))

    def _change(self, verdict: Verdict) -> tuple[str, Change]:
        names = list(_names(verdict))

        def counted(old: bytes | None) -> bytes:
            counts = _read(old)
            counts.update(names)
            return json.dumps(counts).encode()

        return _key(self._clock(), dry_run=verdict.dry_run), counted

    def report(self, *, days: int = 7, dry_run: bool = False) -> TallyReport:
        """Return the counts.

        Args:
            days: How many days back, today included.
            dry_run: Report what a dry run would have stopped, instead of what was stopped.

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
            total.update(_read(document))
        stopped: Counter[str] = Counter()
        flows: dict[str, dict[str, int]] = {}
        for (flow, decision), count in _named(total, "flow"):
            stopped[decision] += count
            flows.setdefault(flow, {})[decision] = count
        reasons, recipients = _rows(total, "why"), _rows(total, "recipient")
        return TallyReport(days, dry_run, total["messages"], dict(stopped), reasons, flows, recipients)


def _read(document: bytes | None) -> Counter[str]:
    """Return the counts of a day; one that is damaged begins anew."""
    try:
        found = json.loads(document or b"{}")
        return Counter({str(name): int(count) for name, count in found.items()})
    except (ValueError, TypeError, AttributeError):
        return Counter()


def is_counted(verdict: Verdict) -> bool:
    """Return whether the tally has to count something of a message."""
    return bool(verdict.dry_run or not verdict.allowed or verdict.refused or verdict.receipt.turned_away)


def _names(verdict: Verdict) -> Iterator[str]:
    """Yield what a message is counted as."""
    flow = verdict.flow or "-"
    if verdict.dry_run or not verdict.allowed:
        yield "messages"
    if verdict.why:
        yield f"flow|{flow}|{verdict.would_be}"
    deciding = {(r.part, r.code) for r in verdict.why if r.decision is verdict.would_be}
    yield from (f"why|{flow}|{verdict.would_be}|{part}|{code}" for part, code in sorted(deciding))
    for one in verdict.refused:
        yield f"recipient|{flow}|{_FINALLY[one.retry_after is None]}|{one.part}|{one.code}"
    for away in verdict.receipt.turned_away:
        if away.stage == "RCPT":
            yield f"recipient|{flow}|{_FINALLY[away.code >= 500]}|{away.part}|{away.reason}"


_FINALLY = {True: "reject", False: "defer"}


def _named(total: Mapping[str, int], kind: str) -> Iterator[tuple[list[str], int]]:
    """Yield the counts of one kind, with the words of their names."""
    for name, count in total.items():
        first, *words = name.split("|", 4)  # the last is a code, which a scanner of yours may have named
        if first == kind:
            yield words, count


def _rows(total: Mapping[str, int], kind: str) -> tuple[TallyCount, ...]:
    rows = [
        TallyCount(flow, decision, part, code, count)
        for (flow, decision, part, code), count in _named(total, kind)
    ]
    return tuple(sorted(rows, key=lambda row: (-row.messages, row.flow, row.part, row.code)))


def _key(moment: float, *, dry_run: bool) -> str:
    return f"gate-tally:{'dry-run' if dry_run else 'stopped'}:{to_datetime(moment):%Y-%m-%d}"
