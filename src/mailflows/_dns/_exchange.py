"""When to send which query: windows, pace, timeouts and retries, without sockets.

The exchange gets the time and the packets received, and returns what to send. The drivers in ``_resolver.py``
move the bytes. It keeps to a rate ceiling, and slows down when answers go missing: a resolver that drops
what is too much for it must not make good domains look silent. What failed is asked again at the end.
"""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush

from mailflows._dns._wire import (
    Answer,
    MalformedAnswer,
    Question,
    Status,
    TruncatedAnswer,
    read_answer,
    write_question,
)

__all__ = ["Exchange", "Pace", "Packet"]

_WAITS = (1.0, 2.0, 2.5)
"""How long each attempt waits, in units of the patience; the last as long as `_LAST` at least."""

_PATIENCE = (0.25, 0.8)
_LAST = 1.0
"""Seconds: eight times the usual time of an answer, within these bounds; recursion may take a while,
and a lost packet should cost little. Our choice."""

_FURTHER = 4
"""Further attempts while the resolver is overrun: then it is not the domain that is silent. Our choice."""

_LOSS = 0.08
"""Share of lost questions from which the resolver is overrun; silent name servers stay below it.
Our choice."""

_SAMPLE = 20
"""Questions of one moment from which their loss says something. Our choice."""

_YOUNG = 0.25
"""Seconds after which a question no longer counts against the window: it is slow or lost. Our choice."""

_SLICE = 0.1
_SLICES = 30
"""The speed of a resolver is the answers in slices of a tenth of a second, over the last three seconds.
Our choice."""

_SLOWEST = 10.0
"""Questions a second below which the pace never falls. Our choice."""

_MOST_OPEN = 20_000  # our choice
_KNOWN_IDS = 65_536  # our choice


class Pace:
    """How many queries may be sent: a window, a rate, and adaptation to losses.

    Args:
        ceiling: Questions a second that are never exceeded; `None` for none.
        window: Maximum queries in flight.
    """

    def __init__(self, *, ceiling: float | None, window: int) -> None:
        self._ceiling = ceiling or float("inf")
        self._most = window
        self.window = min(32.0, window)
        self.rate = self._ceiling
        self._next = 0.0
        self._slice = (0, 0)  # number, answers
        self._speeds: deque[int] = deque(maxlen=_SLICES)
        self._fates: dict[int, list[int]] = {}  # slice in which they were sent → answered, lost
        self._changed_at = -1.0

    @property
    def is_overrun(self) -> bool:
        """Whether the resolver could not keep up, so that the pace was reduced."""
        return self.rate < self._ceiling

    def free_at(self, now: float) -> float:
        """Return when the next question may leave."""
        return max(now, self._next)

    def sent(self, now: float) -> None:
        """Count one question that leaves."""
        if self.rate != float("inf"):
            # Up to 5 ms of questions may leave together: timers are no finer.
            self._next = max(self._next, now - 0.005) + 1 / self.rate

    def answered(self, now: float, *, sent_at: float) -> None:
        """Count one answer: the window opens, and after a calm second the pace rises a little."""
        self.window = min(self._most, self.window + 1)
        number = int(now / _SLICE)
        if number == self._slice[0]:
            self._slice = (number, self._slice[1] + 1)
        else:
            if self._slice[1]:
                self._speeds.append(self._slice[1])
            self._slice = (number, 1)
            for old in [n for n in self._fates if n < number - _SLICES]:
                del self._fates[old]
        self._fates.setdefault(int(sent_at / _SLICE), [0, 0])[0] += 1
        if self.is_overrun and now - self._changed_at > 1.0:
            self.rate = min(self._ceiling, self.rate * 1.05)
            self._changed_at = now

    def lost(self, *, sent_at: float, now: float, again: bool) -> None:
        """Count one question without an answer, and slow down where many of its moment had none.

        A second attempt says something only while the resolver is overrun: else it is of a domain that
        was silent before.
        """
        if sent_at <= self._changed_at or (again and not self.is_overrun):
            return
        number = int(sent_at / _SLICE)
        self._fates.setdefault(number, [0, 0])[1] += 1
        fates = [self._fates.get(n, (0, 0)) for n in (number - 1, number)]
        answered, lost = (sum(fate[i] for fate in fates) for i in (0, 1))
        speed = self._speed()
        if answered + lost < _SAMPLE or lost <= _LOSS * (answered + lost) or not speed:
            return  # without any answer it is not overrun but down
        self.rate = min(self._ceiling, max(_SLOWEST, 0.95 * speed))
        self._changed_at = now

    def _speed(self) -> float:
        """Return the answers a second when the resolver was busy: the upper third of the slices."""
        if not self._speeds:
            return 0.0
        return sorted(self._speeds)[int(len(self._speeds) * 0.7)] / _SLICE


@dataclass(frozen=True, slots=True)
class Packet:
    """Bytes to send, and how."""

    wire: bytes
    ident: int
    over_tcp: bool
    attempt: int


@dataclass(slots=True)
class _Asked:
    question: Question
    attempt: int
    over_tcp: bool
    sent_at: float
    deadline: float
    is_young: bool = True


class Exchange:
    """Questions under way with one resolver.

    Args:
        pace: How fast to ask.
        attempts: How often one question is asked, at most.
        servers: How many servers take turns, attempt by attempt.
    """

    def __init__(self, pace: Pace, *, attempts: int = 3, servers: int = 1) -> None:
        self._pace = pace
        self._attempts = attempts
        self._servers = servers
        self._waiting: deque[Question] = deque()
        self._again: deque[tuple[Question, int, Answer]] = deque()
        self._over_tcp: deque[tuple[Question, int]] = deque()
        self._open: dict[int, _Asked] = {}
        self._timers: list[tuple[float, int]] = []
        self._young: deque[tuple[float, _Asked]] = deque()
        self._under_way = 0
        self._usual = 0.0  # seconds that an answer takes
        self._asked: set[Question] = set()
        self._without_edns: set[Question] = set()
        self.done: list[tuple[Question, Answer]] = []
        self.sent = 0

    def ask(self, question: Question) -> None:
        """Accept a query; one that is already in flight is not sent twice."""
        if question not in self._asked:
            self._asked.add(question)
            self._waiting.append(question)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is waiting or under way."""
        return not self._asked

    @property
    def backlog(self) -> int:
        """Questions that wait to leave."""
        return len(self._waiting) + len(self._again) + len(self._over_tcp)

    def packets(self, now: float) -> list[Packet]:
        """Return what may leave now."""
        self._grow_old(now)
        leaving = []
        while self._has_room() and self._pace.free_at(now) <= now:
            leaving.append(self._send(now))
        return leaving

    def _has_room(self) -> bool:
        room = self._under_way < self._pace.window and len(self._open) < _MOST_OPEN
        return bool(self._over_tcp) or (room and bool(self.backlog))

    def _grow_old(self, now: float) -> None:
        while self._young and (self._young[0][0] <= now or not self._young[0][1].is_young):
            self._no_longer_young(self._young.popleft()[1])

    def _no_longer_young(self, asked: _Asked) -> None:
        if asked.is_young:
            asked.is_young = False
            self._under_way -= 1

    def _close(self, ident: int) -> None:
        self._no_longer_young(self._open.pop(ident))

    def _send(self, now: float) -> Packet:
        over_tcp = False
        if self._over_tcp:
            question, attempt = self._over_tcp.popleft()
            over_tcp = True
        elif self._waiting:
            question, attempt = self._waiting.popleft(), 0
        else:
            question, attempt, _ = self._again.popleft()
        ident = self._new_id()
        deadline = now + self._wait(attempt)
        asked = self._open[ident] = _Asked(question, attempt, over_tcp, now, deadline)
        self._young.append((now + _YOUNG, asked))
        self._under_way += 1
        heappush(self._timers, (deadline, ident))
        self._pace.sent(now)
        self.sent += 1
        wire = write_question(question, ident, edns=question not in self._without_edns)
        return Packet(wire, ident, over_tcp, attempt)

    def _wait(self, attempt: int) -> float:
        patience = min(_PATIENCE[1], max(_PATIENCE[0], 8 * self._usual)) if self._usual else _PATIENCE[1]
        if attempt + 1 < len(_WAITS):
            return _WAITS[attempt] * patience
        return max(_LAST, _WAITS[-1] * patience)

    def _new_id(self) -> int:
        # Unforeseeable, so that nobody outside can answer in the resolver's place (RFC 5452).
        while (ident := secrets.randbelow(_KNOWN_IDS)) in self._open:
            pass
        return ident

    def receive(self, wire: bytes, now: float, *, over_tcp: bool = False) -> None:
        """Process a packet; ignore it if it answers none of our queries."""
        if len(wire) < 12:
            return
        ident = wire[0] << 8 | wire[1]
        asked = self._open.get(ident)
        if asked is None or asked.over_tcp != over_tcp:
            return
        try:
            answer = read_answer(wire, asked.question, over_tcp=over_tcp)
        except TruncatedAnswer:
            self._close(ident)
            self._over_tcp.append((asked.question, asked.attempt))
            return
        except MalformedAnswer:
            return  # damaged or forged: wait for the true one
        self._close(ident)
        self._pace.answered(now, sent_at=asked.sent_at)
        took = now - asked.sent_at
        # An average over about ten answers: one slow answer must not change how long all others are awaited.
        self._usual = 0.9 * self._usual + 0.1 * took if self._usual else took
        if answer.status is Status.FORMERR and asked.question not in self._without_edns:
            self._without_edns.add(asked.question)  # RFC 6891 section 7: once more, as before EDNS
            self._waiting.appendleft(asked.question)
        elif answer.is_final:
            self._finish(asked.question, answer)
        else:
            self._retry(asked, answer)

    def failed(self, ident: int) -> None:
        """Note that a TCP connection could not be made."""
        asked = self._open.get(ident)
        if asked is not None:
            self._close(ident)
            self._retry(asked, Answer(Status.TIMEOUT))

    def refused(self, server: int) -> None:
        """Note that nothing listens at a server's address: waiting longer would not help."""
        for ident, asked in list(self._open.items()):
            if not asked.over_tcp and asked.attempt % self._servers == server:
                self.failed(ident)

    def expire(self, now: float) -> None:
        """Time out overdue queries."""
        while self._timers and self._timers[0][0] <= now:
            deadline, ident = heappop(self._timers)
            asked = self._open.get(ident)
            if asked is not None and asked.deadline == deadline:  # else the id is another question's by now
                self._close(ident)
                self._pace.lost(sent_at=asked.sent_at, now=now, again=asked.attempt > 0)
                self._retry(asked, Answer(Status.TIMEOUT))

    def wakes_at(self, now: float) -> float | None:
        """Return the time of the next timeout or retry."""
        while self._timers and self._timers[0][1] not in self._open:
            heappop(self._timers)
        moments = [self._timers[0][0]] if self._timers else []
        if self._has_room():
            moments.append(self._pace.free_at(now))
        elif self.backlog and self._young:
            moments.append(self._young[0][0])
        return min(moments, default=None)

    def give_up(self) -> None:
        """Answer all open queries with a timeout, because the budget is spent."""
        for question in list(self._asked):
            self._finish(question, Answer(Status.TIMEOUT))
        self._open.clear()
        self._young.clear()
        self._under_way = 0
        self._timers.clear()
        self._waiting.clear()
        self._again.clear()
        self._over_tcp.clear()

    def _retry(self, asked: _Asked, answer: Answer) -> None:
        further = _FURTHER if self._pace.is_overrun else 0
        if asked.attempt + 1 >= self._attempts + further:
            self._finish(asked.question, answer)
        elif asked.over_tcp:
            self._over_tcp.append((asked.question, asked.attempt + 1))
        else:
            self._again.append((asked.question, asked.attempt + 1, answer))

    def _finish(self, question: Question, answer: Answer) -> None:
        self._asked.discard(question)
        self._without_edns.discard(question)
        self.done.append((question, answer))
