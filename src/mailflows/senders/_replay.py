"""What a `SenderControl` would have done: your own log, replayed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mailflows._clock import to_datetime, to_unix
from mailflows._result import Result, number_of
from mailflows.senders._verdict import SenderStatus, SenderVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from mailflows._result import Table

__all__ = ["SenderEvent", "SenderReplay", "Stopped"]


@dataclass(frozen=True, slots=True)
class SenderEvent:
    """One line of a log: a message that was sent, or outcomes.

    Attributes:
        at: When: a datetime with a time zone, or Unix seconds.
        sender: The sender.
        to: The recipients of a message; empty for outcomes.
        client: The IP address that it came from, if the log has it.
        valid: Number of recipients who accepted it.
        invalid: Number of recipients who do not exist.

    Example:
        >>> SenderEvent(1767225600.0, "ada", to=("eve@example.org",), client="192.0.2.7").sender
        'ada'
    """

    at: datetime | float
    sender: str
    to: tuple[str, ...] = ()
    client: str | None = None
    valid: int = 0
    invalid: int = 0

    @classmethod
    def of(cls, row: SenderEvent | Mapping[str, Any]) -> SenderEvent:
        """Return an event of a row with the same names, such as of `json.loads` or `csv.DictReader`.

        Raises:
            ValueError: If a row has no time or sender, or a name that is not known.
        """
        if isinstance(row, SenderEvent):
            return row
        try:
            values = dict(row)
            to = values.pop("to", ())
            return cls(to=((to,) if to else ()) if isinstance(to, str) else tuple(to), **values)
        except TypeError as problem:
            msg = (
                "a row must have at and sender, and may have to, client, valid, invalid; got "
                f"{sorted(row)!r:.120}"
            )
            raise ValueError(msg) from problem


@dataclass(frozen=True, slots=True)
class Stopped(Result):
    """The first time a sender would have been stopped.

    Attributes:
        sender: The sender.
        at: When, in UTC.
        verdict: The verdict that would have stopped it.
        messages: Messages that it sent before.
        refused: Messages that would have been refused from then on.
    """

    sender: str
    at: datetime
    verdict: SenderVerdict
    messages: int
    refused: int

    def __str__(self) -> str:
        after = number_of(self.messages, "message")
        return f"{self.sender} at {self.at:%Y-%m-%d %H:%M} UTC after {after}: {self.verdict}"


@dataclass(frozen=True, slots=True)
class SenderReplay(Result):
    """Which senders a `SenderControl` would have stopped.

    Attributes:
        senders: Senders in the log.
        messages: Messages in it.
        held: Messages that would have been held.
        blocked: Messages that would have been refused because the sender was blocked.
        stopped: The first stop of each sender that would have been stopped.
    """

    senders: int
    messages: int
    held: int
    blocked: int
    stopped: tuple[Stopped, ...]

    def __str__(self) -> str:
        return (
            f"{len(self.stopped)} of {number_of(self.senders, 'sender')} would have been stopped; "
            f"{self.held} of {number_of(self.messages, 'message')} held, {self.blocked} refused"
        )

    def _table(self) -> Table:
        rows = [
            (one.sender, f"{one.at:%Y-%m-%d %H:%M}", one.verdict.status, str(one.verdict))
            for one in self.stopped
        ]
        return str(self), ["sender", "when", "status", "why"], rows


class Replay:
    """Counts what a control says while a log is played.

    Args:
        control: A control with an empty store and the clock of this replay.
        clock: What tells the control the time.
    """

    def __init__(self, control: Any, clock: ReplayClock) -> None:
        self._control = control
        self._clock = clock
        self._senders: dict[str, int] = {}
        self._first: dict[str, tuple[float, SenderVerdict, int]] = {}
        self._refused: dict[str, int] = {}
        self._counts = {SenderStatus.HELD: 0, SenderStatus.BLOCKED: 0}

    def play(self, events: Iterable[SenderEvent | Mapping[str, Any]]) -> SenderReplay:
        """Play a log in the order of its moments."""
        rows = sorted(map(SenderEvent.of, events), key=lambda one: to_unix(one.at, name="at"))
        for row in rows:
            self._clock.now = to_unix(row.at, name="at")
            self._senders.setdefault(row.sender, 0)
            if row.to:
                self._note(row, self._control.acquire(row.sender, to=row.to, client=row.client or None))
                self._senders[row.sender] += 1
            if row.valid or row.invalid:
                verdict = self._control.report(row.sender, valid=row.valid, invalid=row.invalid)
                if verdict.status is SenderStatus.BLOCKED:
                    self._stop(row, verdict)
        stopped = [
            Stopped(sender, to_datetime(at), verdict, before, self._refused.get(sender, 0))
            for sender, (at, verdict, before) in self._first.items()
        ]
        return SenderReplay(
            senders=len(self._senders),
            messages=sum(self._senders.values()),
            held=self._counts[SenderStatus.HELD],
            blocked=self._counts[SenderStatus.BLOCKED],
            stopped=tuple(stopped),
        )

    def _note(self, row: SenderEvent, verdict: SenderVerdict) -> None:
        if verdict:
            return
        self._counts[verdict.status] += 1
        self._refused[row.sender] = self._refused.get(row.sender, 0) + 1
        self._stop(row, verdict)

    def _stop(self, row: SenderEvent, verdict: SenderVerdict) -> None:
        self._first.setdefault(row.sender, (self._clock.now, verdict, self._senders[row.sender]))


class ReplayClock:
    """The time of the log."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the moment of the row that is played."""
        return self.now
