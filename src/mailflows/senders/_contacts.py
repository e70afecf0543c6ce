"""Whom a sender has written to: Bloom filters that age, one for today and two alternating generations."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Contacts", "Place", "places_of"]

BYTES = 1536
"""Of one filter: 1,200 people at one mistake in a hundred, and a mistake only makes a stranger look known.
Our choice, tried on benchmarks/sender_control.py."""

ROOM = 1200
TODAY_BYTES = 512
TODAY_ROOM = 400
MEMORY = 60
"""Days after which a generation gives way, so that an old address book does not make everybody known.
Our choice, tried on benchmarks/sender_control.py."""

Place: TypeAlias = tuple[int, ...]
"""Bits that stand for one recipient."""


def places_of(recipients: Iterable[str]) -> list[Place]:
    """Return the places of recipients in every filter."""
    places = []
    for recipient in recipients:
        raw = blake2b(recipient.encode("utf-8", "replace"), digest_size=16).digest()
        places.append(tuple(int.from_bytes(raw[at : at + 4]) for at in range(0, 16, 4)))
    return places


@dataclass(slots=True)
class Contacts:
    """Whom a sender has written to, today and before.

    Attributes:
        new: The present generation, and
        old: the one before it.
        today: Whoever was tried today.
        count: How many are in the present generation.
        count_today: How many are in that of today.
        since: The day on which the present generation began.
    """

    new: bytearray = field(default_factory=lambda: bytearray(BYTES))
    old: bytearray = field(default_factory=lambda: bytearray(BYTES))
    today: bytearray = field(default_factory=lambda: bytearray(TODAY_BYTES))
    count: int = 0
    count_today: int = 0
    since: int = 0

    def knows(self, place: Place) -> bool:
        """Return whether somebody was written to."""
        return _has(self.new, place) or _has(self.old, place)

    def note_today(self, place: Place) -> bool:
        """Remember that somebody was tried today, and return whether that is the first time."""
        if _has(self.today, place):
            return self.count_today >= TODAY_ROOM  # full: it would call everybody seen
        if self.count_today < TODAY_ROOM:
            _put(self.today, place)
        self.count_today += 1
        return True

    def learn(self, places: Iterable[Place], day: int, *, makes_room: bool = True) -> None:
        """Remember recipients; a full generation is replaced, but not because of a mass mailing."""
        for place in places:
            if self.knows(place):
                if not _has(self.new, place) and self.count < ROOM:  # whoever is still written to stays
                    _put(self.new, place)
                    self.count += 1
                continue
            if self.count >= ROOM:
                if not makes_room:
                    return
                self.turn(day)
            _put(self.new, place)
            self.count += 1

    def turn(self, day: int) -> None:
        """Let the older generation be forgotten."""
        self.old, self.new = self.new, bytearray(BYTES)
        self.count, self.since = 0, day

    def next_day(self, day: int) -> None:
        """Begin a day."""
        if self.count_today:
            self.today, self.count_today = bytearray(TODAY_BYTES), 0
        if day - self.since > MEMORY:
            self.turn(day)


def _has(bits: bytearray, place: Place) -> bool:
    size = 8 * len(bits)
    for number in place:
        at = number % size
        if not bits[at >> 3] & 1 << (at & 7):
            return False
    return True


def _put(bits: bytearray, place: Place) -> None:
    size = 8 * len(bits)
    for number in place:
        at = number % size
        bits[at >> 3] |= 1 << (at & 7)
