"""Simulated senders, made from a table: an ordinary history, then what happens, then an ordinary month.

The form of the table is told at the head of ``benchmarks/sender_scenarios.toml``.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from mailflows.limits import MemoryStore
from mailflows.senders import SenderControl

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86_400.0
HOUR = 3600.0
MONDAY = 1_767_571_200.0  # 5 January 2026, 0:00 UTC
ADA = "ada@example.org"


@dataclass(frozen=True)
class Outcome:
    """What became of one sender.

    Attributes:
        passed: Recipients of the scenario that were let through before the first refusal.
        went: Recipients of the scenario that were let through in all.
        stopped_after: Seconds until the first refusal; `None` if there was none.
        stopped_before: Whether a message of the history was refused.
        stopped_later: Whether one of the month afterwards was.
        why: What was said at the first refusal.
    """

    passed: int
    went: int
    stopped_after: float | None
    stopped_before: bool
    stopped_later: bool
    why: str = ""

    @property
    def was_stopped(self) -> bool:
        """Whether anything was refused at all."""
        return self.stopped_before or self.stopped_later or self.stopped_after is not None


class _Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class _Mailbox:
    """One sender before a control, with bounces that come back half a minute later."""

    def __init__(self, control: SenderControl, clock: _Clock, chance: random.Random) -> None:
        self.control, self.clock, self.chance = control, clock, chance
        self.told: list[tuple[float, int, int, int]] = []
        self.tells_deliveries = chance.random() < 0.5  # many systems hear of bounces only
        self.numbers = count()

    def send(self, at: float, to: list[str], network: str, dead: float) -> Any:
        """Try to send at a moment, and return the verdict."""
        self.tell(at)
        self.clock.now = at
        verdict = self.control.acquire(ADA, to=to, client=network)
        if verdict:
            bad = sum(self.chance.random() < dead for _ in to)
            good = len(to) - bad if self.tells_deliveries else 0
            heapq.heappush(self.told, (at + 30.0, next(self.numbers), good, bad))
        return verdict

    def tell(self, until: float) -> None:
        """Feed back what became of what was sent half a minute ago."""
        while self.told and self.told[0][0] <= until:
            at, _, good, bad = heapq.heappop(self.told)
            self.clock.now = at
            for _ in range(bad):
                self.control.report(ADA, code=550, text="5.1.1 user unknown")
            if good:
                self.control.report(ADA, valid=good)


class Person:
    """Whoever writes: contacts, networks, habits."""

    def __init__(self, table: dict[str, Any], chance: random.Random) -> None:
        self.table, self.chance = table, chance
        letters = table.get("letters", 0) * table.get("letter_size", 0)
        self.contacts = [f"contact{n}@example.net" for n in range(table.get("contacts", 60) + letters)]
        self.own = [f"192.0.{n}.7" for n in range(2, 2 + table.get("networks", 1))]
        self.phones = [f"100.64.{chance.randrange(256)}.9" for _ in range(3)]
        self.hours = table.get("hours", [9, 18])
        self.numbers = count()

    def network(self) -> str:
        """Return where an ordinary message comes from."""
        on_the_move = self.chance.random() < self.table.get("phone", 0.2)
        return self.chance.choice(self.phones if on_the_move else self.own)

    def stranger(self) -> str:
        """Return somebody who was never written to."""
        return f"stranger{next(self.numbers)}@example.com"

    def recipient(self, known: float) -> str:
        """Return a contact, or a stranger."""
        people = self.table.get("contacts", 60)
        return self.chance.choice(self.contacts[:people]) if self.chance.random() < known else self.stranger()

    def days(self, first: float, number: int) -> Iterator[float]:
        """Yield the first seconds of working days; all days are, for a machine."""
        day = first
        while number > 0:
            if self.table.get("weekends") or (day - MONDAY) // DAY % 7 < 5:
                number -= 1
                yield day
            day += DAY

    def ordinary(self, first: float, number: int) -> list[tuple[float, list[str], str]]:
        """Return the messages of ordinary days, in their order."""
        messages = []
        begin, end = self.hours
        for day in self.days(first, number):
            for _ in range(self.chance.randint(*self.table["per_day"])):
                at = day + self.chance.uniform(begin, end) * HOUR
                messages.append((at, [self.recipient(1.0 - self.table["new"])], self.network()))
        letters, size = self.table.get("letters", 0), self.table.get("letter_size", 1)
        known = self.table.get("contacts", 60)
        for letter in range(letters):
            at = first + (letter % max(1, number)) * DAY + self.chance.uniform(begin, end) * HOUR
            place = known + letter * size
            messages.append((at, self.contacts[place : place + size], self.network()))
        return sorted(messages)


def _networks(kind: str, person: Person) -> list[str]:
    return {
        "own": person.own,
        "travel": [f"198.51.{n}.7" for n in range(4)],
        "foreign": ["203.0.113.9"],
        "botnet": [f"10.{n}.0.1" for n in range(40)],
    }[kind]


def play(table: dict[str, Any], scenario: dict[str, Any], *, seed: int) -> Outcome:
    """Return what became of one sender in a scenario."""
    chance = random.Random(f"{scenario['name']} {seed}")
    history = table["history"].get(scenario["history"], {})
    person, clock = Person(history or {"contacts": 0}, chance), _Clock(MONDAY)
    box = _Mailbox(SenderControl(MemoryStore(clock=clock), clock=clock), clock, chance)
    begin, refused_before = MONDAY, False
    if history:
        usual = person.ordinary(MONDAY, history["days"])
        verdicts = [box.send(*message, 0.01) for message in usual]
        refused_before = not all(verdicts)
        begin = MONDAY + ((usual[-1][0] - MONDAY) // DAY + 1) * DAY
        begin = next(person.days(begin + history.get("rest_days", 0) * DAY, 1))
    went, passed, stopped, why, last = 0, 0, None, "", begin
    for at, to, network in _happens(person, scenario, begin):
        verdict = box.send(at, to, network, scenario["dead"])
        last = at
        went += len(to) * bool(verdict)
        if not verdict and stopped is None:
            stopped, why = at - (begin + scenario["hour"] * HOUR), str(verdict)
        passed = went if stopped is None else passed
        if stopped is not None and scenario["expect"] in {"free", "stop"}:
            break
    later = False
    if history and scenario["expect"] in {"free", "tolerate"} and stopped is None:
        month = person.ordinary(MONDAY + ((last - MONDAY) // DAY + 1) * DAY, 20)
        for message in month:
            verdict = box.send(*message, 0.01)
            if not verdict:
                later, why = True, str(verdict)
                break
    return Outcome(passed, went, stopped, refused_before, later, why)


def _happens(
    person: Person, scenario: dict[str, Any], begin: float
) -> Iterator[tuple[float, list[str], str]]:
    """Yield the messages of a scenario."""
    size = scenario.get("size", 1)
    number = max(1, scenario["count"] // size)
    networks = _networks(scenario["from"], person)
    days = person.days(begin, scenario.get("burst_days", 1))
    own_pace = scenario["count"] / max(scenario["in"], 1)
    for day in days:
        start = day + scenario["hour"] * HOUR
        moments = sorted(person.chance.uniform(0.0, scenario["in"]) for _ in range(number))
        for place, at in enumerate(moments):
            exact = start + (place * scenario["in"] / number if own_pace > 1 else at)
            to = list({person.recipient(scenario["known"]) for _ in range(size)})
            yield exact, to, person.chance.choice(networks)


def is_as_expected(scenario: dict[str, Any], found: Outcome) -> bool:
    """Return whether a sender fared as the scenario says it should."""
    expect = scenario["expect"]
    if expect == "free":
        return not found.was_stopped
    if expect == "tolerate":
        return found.stopped_after is None and not found.stopped_later
    if expect == "refuse":
        return bool(found.went <= scenario["through"])
    if found.stopped_after is None:
        return False
    if "within_seconds" in scenario:
        return bool(found.stopped_after <= scenario["within_seconds"])
    return bool(found.passed <= scenario["within"])
