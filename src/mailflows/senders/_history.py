"""What is remembered about one sender: habits that are forgotten slowly, and the last day; some kilobytes."""

from __future__ import annotations

import json
import logging
import math
import struct
from dataclasses import dataclass, field, fields, replace
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mailflows.senders._contacts import BYTES, TODAY_BYTES, Contacts

if TYPE_CHECKING:
    from mailflows.senders._contacts import Place

__all__ = ["DAY", "HOUR", "LONGEST", "Block", "Network", "SenderRecord"]

BURST = 10.0  # our choice
HOUR = 3600.0
SPELL = 3 * HOUR
DAY = 86_400.0
WEEK = 7 * DAY

LONGEST = 100 * 365 * DAY
"""Seconds: a block that is longer is for good."""

RECENT = 100
"""Outcomes after which the share of the newest is two thirds (1 - 1/e) of what is told.
Our choice, tried on benchmarks/sender_control.py."""

FORGETTING = 0.97
"""What is left of a habit after a day on which the sender wrote: half of it after 23 such days.
Our choice, tried on benchmarks/sender_control.py."""

HOUR_WEIGHT = 20.0
"""Recipients of a day that count for its hours: one mass mailing makes no habit.
Our choice, tried on benchmarks/sender_control.py."""

FAMILIAR = 2
"""Days before today on which a network was seen until it is the sender's own.
Our choice, tried on benchmarks/sender_control.py."""

MOST_NETWORKS = 128  # bound: keeps work and memory flat
MOST_BLOCKS = 10  # bound: keeps work and memory flat

_log = logging.getLogger("mailflows.senders")


@dataclass(frozen=True, slots=True)
class Block:
    """A time for which a sender is stopped.

    Attributes:
        since: When it began, in Unix seconds.
        until: When it ends; `None` for never.
        reason: Why, as a code.
    """

    since: float
    until: float | None
    reason: str

    def is_on(self, now: float) -> bool:
        """Return whether it still stops the sender."""
        return self.until is None or now < self.until

    def by(self, now: float) -> Block:
        """Return the block by a clock that had been far ahead: as long as it was, from now on."""
        if self.since <= now + DAY:
            return self
        return replace(self, since=now, until=None if self.until is None else now + self.until - self.since)


@dataclass(slots=True)
class Network:
    """A client network.

    Attributes:
        name: A short hash of it.
        day: The last day on which it was seen.
        days: Days on which it was seen without alarm, today not among them.
    """

    name: int
    day: int
    days: int


def _zeros() -> list[float]:
    return [0.0] * 24


@dataclass(slots=True)
class SenderRecord:
    """What is remembered about one sender, changed in place between two documents.

    Windows fade with time (burst: 10 seconds, hour, spell: three hours, day, week), habits with each day on
    which the sender wrote.

    Attributes:
        last: The newest moment.
        mailing_at: When the last mass mailing began.
        burst: Messages to people not yet written to today.
        hour, day: Recipients.
        spell: Recipients of about three hours, `spell_new`: strangers among them, `spell_foreign`: those
            written to from a network that is not the sender's own, `spell_odd`: how unusual their hours
            are, in nats.
        sent, day_sent: Recipients of the last week, and day, mass mailings among them.
        told, day_told: Outcomes of the last week, and day, and `bad`, `day_bad`: the invalid ones.
        recent: The newest outcomes, by their number, and `recent_bad`: the invalid ones.
        today, today_new, today_foreign, today_peak: Counts of the calendar day, which become habits.
        mailing: Recipients of the mass mailings since `mailing_at`.
        days: Days of writing; `peak_day`, `peak_hour`: the busiest, `usual`, `usual_new`, `usual_foreign`:
            recipients, strangers, those from foreign networks.
        trust: How often an administrator let the sender go.
        number: The calendar day. `kind`: what was declared. `is_odd`: whether today had an alarm.
            `is_judged`: whether the windows led to a block, and are emptied when it ends. `was_good`: whether
            the last report had a recipient who took it.
    """

    last: float = 0.0
    mailing_at: float = -1e12
    burst: float = 0.0
    hour: float = 0.0
    day: float = 0.0
    spell: float = 0.0
    spell_new: float = 0.0
    spell_foreign: float = 0.0
    spell_odd: float = 0.0
    day_sent: float = 0.0
    day_told: float = 0.0
    day_bad: float = 0.0
    sent: float = 0.0
    told: float = 0.0
    bad: float = 0.0
    recent: float = 0.0
    recent_bad: float = 0.0
    today: float = 0.0
    today_new: float = 0.0
    today_foreign: float = 0.0
    today_peak: float = 0.0
    mailing: float = 0.0
    days: float = 0.0
    peak_day: float = 0.0
    peak_hour: float = 0.0
    usual: float = 0.0
    usual_new: float = 0.0
    usual_foreign: float = 0.0
    trust: float = 0.0
    number: int = 0
    kind: int = 0
    is_odd: int = 0
    is_judged: int = 0
    was_good: int = 0
    hours: list[float] = field(default_factory=_zeros)
    hours_today: list[float] = field(default_factory=_zeros)
    networks: list[Network] = field(default_factory=list)
    contacts: Contacts = field(default_factory=Contacts)
    blocks: tuple[Block, ...] = ()
    name: str = ""

    @classmethod
    def read(cls, document: bytes | None) -> SenderRecord:
        """Read a record; of a sender who was never seen, an empty one."""
        if document is None:
            return cls()
        try:
            return _decoded(document)
        except (ValueError, TypeError, KeyError, AttributeError, struct.error):
            _log.warning("the record of a sender is damaged, and starts from zero")
            return cls()

    def write(self) -> bytes:
        """Return the record as a document."""
        return _encoded(self)

    @property
    def block(self) -> Block | None:
        """The last block, which may be over."""
        return self.blocks[-1] if self.blocks else None

    @property
    def outcomes(self) -> tuple[int, int]:
        """Recipients of about a week whose fate is known, and invalid ones."""
        return round(self.told), round(self.bad)

    def at(self, now: float) -> None:
        """Let the time pass until a moment; a clock that was set back a little counts nothing twice."""
        if now < self.last - DAY:
            self._set_back(now)
        passed = now - self.last
        if passed > 0.0:
            self.burst *= math.exp(-passed / BURST)
            self.hour *= math.exp(-passed / HOUR)
            faded = math.exp(-passed / DAY)
            self.day *= faded
            self.day_sent *= faded
            self.day_told *= faded
            self.day_bad *= faded
            spell = math.exp(-passed / SPELL)
            self.spell *= spell
            self.spell_new *= spell
            self.spell_foreign *= spell
            self.spell_odd *= spell
            week = math.exp(-passed / WEEK)
            self.sent *= week
            self.told *= week
            self.bad *= week
            self.last = now
        number = int(self.last // DAY)
        if number > self.number:
            self._close_day(number)
        if self.is_judged and self.block is not None and not self.block.is_on(now):
            self.forget_windows()

    def _close_day(self, number: int) -> None:
        """Let a day become a habit, unless it raised an alarm: a thief's day is not the owner's."""
        if self.today and not self.is_odd:
            self._learn_day()
        self.today = self.today_new = self.today_foreign = self.today_peak = 0.0
        self.hours_today = _zeros()
        self.is_odd = 0
        self.contacts.next_day(number)
        self.number = number

    def _learn_day(self) -> None:
        share = min(1.0, HOUR_WEIGHT / self.today)
        self.hours = [FORGETTING * h + share * t for h, t in zip(self.hours, self.hours_today, strict=True)]
        self.days = FORGETTING * self.days + 1.0
        # One busy day doubles what is usual at most: a fair does not make every later flood ordinary.
        self.peak_day = max(FORGETTING * self.peak_day, min(self.today, 2.0 * self.peak_day + 20.0))
        self.peak_hour = max(FORGETTING * self.peak_hour, min(self.today_peak, 2.0 * self.peak_hour + 5.0))
        weight = min(1.0, 5 * HOUR_WEIGHT / self.today)
        self.usual = FORGETTING * self.usual + weight * self.today
        self.usual_new = FORGETTING * self.usual_new + weight * self.today_new
        self.usual_foreign = FORGETTING * self.usual_foreign + weight * self.today_foreign
        for network in self.networks:
            if network.day == self.number:
                network.days += 1

    def _set_back(self, now: float) -> None:
        """Go on by a clock that had been far ahead: nothing waits for that time to come."""
        self.last, self.number = now, int(now // DAY)
        self.burst = self.hour = 0.0
        self.mailing_at = min(self.mailing_at, now)
        self.contacts.since = min(self.contacts.since, self.number)
        self.blocks = tuple(block.by(now) for block in self.blocks)

    def sees(self, network: str | None) -> bool | None:
        """Remember a client network, and return whether it is an own one; `None`: not known yet."""
        if network is None:
            return None
        name = int.from_bytes(blake2b(network.encode(), digest_size=4).digest())
        for known in self.networks:
            if known.name == name:
                known.day = max(known.day, self.number)
                return known.days >= FAMILIAR if self.days >= FAMILIAR else None
        if len(self.networks) >= MOST_NETWORKS:
            self.networks.remove(min(self.networks, key=lambda one: (one.day, one.days)))
        self.networks.append(Network(name, self.number, 0))
        return False if self.days >= FAMILIAR else None

    @property
    def networks_today(self) -> int:
        """Networks of today."""
        return sum(network.day == self.number for network in self.networks)

    @property
    def foreign_today(self) -> int:
        """Networks of today that are not the sender's own."""
        return sum(network.day == self.number and network.days < FAMILIAR for network in self.networks)

    def count(self, places: list[Place], *, is_own: bool | None, oddness: float) -> None:
        """Count an attempt to send to people."""
        number, new, fresh = len(places), 0, False
        for place in places:
            is_first = self.contacts.note_today(place)
            fresh |= is_first
            new += is_first and not self.contacts.knows(place)
        foreign = number if is_own is False else 0
        self.burst += fresh
        self.hour += number
        self.day += number
        self.spell += number
        self.spell_new += new
        self.spell_foreign += foreign
        self.spell_odd += number * oddness
        self.note_sent(number)
        self.today += number
        self.today_new += new
        self.today_foreign += foreign
        self.today_peak = max(self.today_peak, self.hour)
        self.hours_today[int(self.last // HOUR) % 24] += number

    def note_sent(self, number: int) -> None:
        """Count recipients of whom bounces may come back."""
        self.sent += number
        self.day_sent += number

    def tell(self, *, valid: int, invalid: int) -> None:
        """Count what became of recipients; of one report it does not matter which came first."""
        number = valid + invalid
        self.told += number
        self.bad += invalid
        self.day_told += number
        self.day_bad += invalid
        if not valid:
            # Bounces come late and in a row: they say what there is among all, not among the newest.
            number, invalid = self.was_good, self.was_good
        self.was_good = int(valid > 0)
        if number:
            faded = math.exp(-number / RECENT)
            # As if they had come evenly mixed: a batch says nothing about the order of its own.
            one_by_one = RECENT * (1.0 - faded)
            self.recent = self.recent * faded + one_by_one
            self.recent_bad = self.recent_bad * faded + one_by_one * invalid / number

    def add(self, block: Block) -> None:
        """Block the sender; of very many blocks the oldest are forgotten."""
        self.blocks = (*self.blocks[1 - MOST_BLOCKS :], block)

    def stop(self, block: Block) -> None:
        """Block the sender; what led to it is kept until the block ends, for an administrator to judge."""
        self.add(block)
        self.is_judged = self.is_odd = 1

    def forget_windows(self) -> None:
        """Begin with empty windows: what led to a block does not count again."""
        self.burst = self.hour = self.day = 0.0
        self.spell = self.spell_new = self.spell_foreign = self.spell_odd = 0.0
        self.day_sent = self.day_told = self.day_bad = self.sent = self.told = self.bad = self.recent = (
            self.recent_bad
        ) = 0.0
        self.is_judged = 0

    def release(self, now: float) -> None:
        """Let the sender go, and learn: what looked like a theft was the owner's."""
        block = self.block
        if block is None or not block.is_on(now):
            return
        self.blocks = (*self.blocks[:-1], replace(block, until=now))
        if self.is_judged:
            self.peak_hour, self.peak_day = max(self.peak_hour, self.hour), max(self.peak_day, self.day)
            self.usual += self.spell
            self.usual_new += self.spell_new
            self.usual_foreign += self.spell_foreign
            for network in self.networks:
                if network.day >= self.number - 1:
                    network.days = max(network.days, FAMILIAR)
            self.trust = min(self.trust + 1.0, 2.0)
        self.is_odd = 0
        self.forget_windows()


_NUMBERS = 29  # by definition: what the record below holds
_WHOLE = 5  # by definition: what the record below holds
_HEAD = struct.Struct(f"<4s{2}d{_NUMBERS - 2}f{_WHOLE}I24f24f3IHH")
_NETWORK = struct.Struct("<IIH")
_MARK = b"mfs2"
_NAMES = tuple(one.name for one in fields(SenderRecord))[: _NUMBERS + _WHOLE]


def _encoded(record: SenderRecord) -> bytes:
    values = [getattr(record, name) for name in _NAMES]
    contacts = record.contacts
    tail = b""
    if record.blocks or record.name:
        blocks = [[block.since, block.until, block.reason] for block in record.blocks]
        tail = json.dumps([blocks, record.name], separators=(",", ":")).encode()
    head = _HEAD.pack(
        _MARK,
        *values,
        *record.hours,
        *record.hours_today,
        contacts.count,
        contacts.count_today,
        contacts.since,
        len(record.networks),
        len(tail),
    )
    networks = b"".join([_NETWORK.pack(n.name, n.day, min(n.days, 9999)) for n in record.networks])
    return b"".join((head, networks, contacts.new, contacts.old, contacts.today, tail))


def _decoded(document: bytes) -> SenderRecord:
    mark, *values = _HEAD.unpack_from(document)
    *values, count, count_today, since, networks, tail = values
    first = _NUMBERS + _WHOLE
    place = _HEAD.size + networks * _NETWORK.size
    ends = (place, place + BYTES, place + 2 * BYTES, place + 2 * BYTES + TODAY_BYTES)
    if mark != _MARK or len(document) != ends[-1] + tail:
        raise ValueError("another layout")  # noqa: EM101, TRY003 -- caught by `read`
    new, old, today = (bytearray(document[a:b]) for a, b in pairwise(ends))
    if not all(map(math.isfinite, values)):
        raise ValueError("no number")  # noqa: EM101, TRY003 -- caught by `read`
    kept: list[Any] = json.loads(document[ends[-1] :]) if tail else [[], ""]
    return SenderRecord(
        **dict(zip(_NAMES, values[:first], strict=True)),
        hours=values[first : first + 24],
        hours_today=values[first + 24 :],
        networks=[Network(*one) for one in _NETWORK.iter_unpack(document[_HEAD.size : place])],
        contacts=Contacts(new, old, today, count, count_today, since),
        blocks=tuple(Block(*block) for block in kept[0]),
        name=str(kept[1]),
    )
