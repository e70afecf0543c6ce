"""What is remembered about one sender: a small document that becomes the next one by pure functions."""

from __future__ import annotations

import base64
import json
import logging
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DAY", "Block", "SenderRecord"]

HOUR = 3600.0
DAY = 86_400.0

LONGEST = 100 * 365 * DAY
"""Seconds: a block that is longer is for good."""

RECENT = 100
"""Outcomes that are kept one by one, so that who was good for years is judged by now, too."""

WEEK = 7
HISTORY = 28
"""Days of a sender's own history."""

MOST_NETWORKS = 150
"""Networks of a day that are told apart; more make no difference."""

FILTER_BYTES = 2048
FILTER_FULL = 1500
"""Recipients after which the filter takes one new one in a hundred for known; then it says nothing more."""

_PROBES = 4
_log = logging.getLogger("mailflows.limits")


@dataclass(frozen=True, slots=True)
class Block:
    """A stop of one sender.

    Attributes:
        since: When it began, in seconds of Unix time.
        until: When it ends, or `None` for never.
        reason: Why, as a code.
    """

    since: float
    until: float | None
    reason: str

    def is_on(self, now: float) -> bool:
        """Return whether it stops the sender now."""
        return self.until is None or now < self.until

    @classmethod
    def of(cls, values: dict[str, Any]) -> Block:
        """Return the block that values make; one that ends after all calendars never ends."""
        until = values["until"]
        if until is not None and not until - values["since"] <= LONGEST:
            until = None
        return cls(float(values["since"]), until, str(values["reason"]))

    def by(self, now: float) -> Block:
        """Return the block by a clock that was ahead when it began: as long, from now on."""
        if self.since <= now:
            return self
        return Block(now, None if self.until is None else now + self.until - self.since, self.reason)


@dataclass(frozen=True, slots=True)
class SenderRecord:
    """What is remembered about one sender. Neither the sender nor a recipient can be read from it.

    Attributes:
        recent: The last outcomes, oldest first: ``1`` for an invalid recipient, ``0`` for any other.
        days: Day → recipients with an outcome, and invalid ones; the last seven days.
        busiest: Day → recipients in its busiest hour; the last 28 days on which mail was sent.
        hour: Number of the present hour.
        sent: Recipients in the present hour.
        new: Those of them who had never been written to.
        known: Bloom filter of the recipients (Bloom 1970), in base64.
        known_count: How many recipients are in it.
        networks: Hashes of the client networks of the present day.
        most_networks: Most networks on a day before.
        blocks: The blocks, oldest first.
    """

    recent: str = ""
    days: dict[str, list[int]] = field(default_factory=dict)
    busiest: dict[str, int] = field(default_factory=dict)
    hour: int = 0
    sent: int = 0
    new: int = 0
    known: str = ""
    known_count: int = 0
    networks: tuple[str, ...] = ()
    most_networks: int = 0
    blocks: tuple[Block, ...] = ()

    @classmethod
    def read(cls, document: bytes | None) -> SenderRecord:
        """Read a record; of a sender who was never seen, an empty one."""
        if document is None:
            return cls()
        try:
            return cls._of(json.loads(document))
        except (ValueError, TypeError, KeyError, AttributeError):
            _log.warning("the record of a sender is damaged, and begins again")
            return cls()

    @classmethod
    def _of(cls, values: dict[str, Any]) -> SenderRecord:
        """Return the record that values make; what a later version added is left out."""
        known = {name: values[name] for name in cls.__slots__ if name in values}
        known["blocks"] = tuple(Block.of(block) for block in known.get("blocks", ()))
        known["networks"] = tuple(known.get("networks", ()))
        record = cls(**known)
        for name in cls.__slots__:
            if not isinstance(getattr(record, name), type(getattr(_EMPTY, name))):
                raise TypeError(name)
        return record

    def write(self) -> bytes:
        """Return the record as a document."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @property
    def block(self) -> Block | None:
        """The last block, which may be over."""
        return self.blocks[-1] if self.blocks else None

    @property
    def outcomes(self) -> tuple[int, int]:
        """Recipients with an outcome in the last seven days since the last block, and invalid ones."""
        return sum(n for n, _ in self.days.values()), sum(k for _, k in self.days.values())

    def at(self, now: float) -> SenderRecord:
        """Return the record with the hours and days that have passed closed."""
        hour = int(now // HOUR)
        if hour < self.hour - DAY / HOUR:
            return self._set_back(now)
        if hour <= self.hour:  # also where a clock was set back a little: nothing is counted twice
            return self
        before, today = self.hour // 24, hour // 24
        busiest = self.busiest
        if self.sent:
            busiest = busiest | {str(before): max(self.sent, busiest.get(str(before), 0))}
        record = replace(self, hour=hour, sent=0, new=0, busiest=dict(list(busiest.items())[-HISTORY:]))
        if today == before:
            return record
        return replace(
            record,
            networks=(),
            most_networks=max(self.most_networks, len(self.networks)),
            days={day: counts for day, counts in self.days.items() if int(day) > today - WEEK},
        )

    def _set_back(self, now: float) -> SenderRecord:
        """Return the record by a clock that had been far ahead: nothing waits for that time to come."""
        today = int(now // DAY)
        return replace(
            self,
            hour=int(now // HOUR),
            sent=0,
            new=0,
            days={day: counts for day, counts in self.days.items() if int(day) <= today},
            busiest={day: most for day, most in self.busiest.items() if int(day) <= today},
            blocks=tuple(block.by(now) for block in self.blocks),
        )

    def with_attempt(self, recipients: Iterable[str], network: str | None, now: float) -> SenderRecord:
        """Return the record after an attempt to send."""
        record = self.at(now)
        bits = _bits(record.known)
        tried = list(recipients)
        new = sum(_add(bits, recipient) for recipient in tried)
        networks = record.networks
        if network is not None and len(networks) < MOST_NETWORKS:
            short = blake2b(network.encode(), digest_size=4).hexdigest()
            networks = networks if short in networks else (*networks, short)
        return replace(
            record,
            sent=record.sent + len(tried),
            new=record.new + new,
            known=base64.b85encode(bytes(bits)).decode(),
            known_count=record.known_count + new,
            networks=networks,
        )

    def with_outcomes(self, *, valid: int, invalid: int, now: float) -> SenderRecord:
        """Return the record after recipients turned out valid or not."""
        record = self.at(now)
        today = str(int(now // DAY))
        known, bad = record.days.get(today, (0, 0))
        return replace(
            record,
            recent=(record.recent + "0" * min(valid, RECENT) + "1" * min(invalid, RECENT))[-RECENT:],
            days=record.days | {today: [known + valid + invalid, bad + invalid]},
        )

    def with_block(self, block: Block) -> SenderRecord:
        """Return the record of a sender who is blocked; what led to it does not count again."""
        return replace(self, blocks=(*self.blocks[-9:], block), recent="", days={}, sent=0, new=0)

    def without_block(self, now: float) -> SenderRecord:
        """Return the record of a sender who was let go."""
        if self.block is None or not self.block.is_on(now):
            return self
        return replace(self, blocks=(*self.blocks[:-1], replace(self.block, until=now)))


_EMPTY = SenderRecord()


def _bits(known: str) -> bytearray:
    """Return the filter that a record holds; an empty one for what is none."""
    try:
        bits = bytearray(base64.b85decode(known))
    except ValueError:
        bits = bytearray()
    return bits if len(bits) == FILTER_BYTES else bytearray(FILTER_BYTES)


def _add(bits: bytearray, recipient: str) -> bool:
    """Put a recipient into the filter, and return whether it was not there."""
    raw = blake2b(recipient.encode("utf-8", "replace"), digest_size=4 * _PROBES).digest()
    is_new = False
    for start in range(0, len(raw), 4):
        place = int.from_bytes(raw[start : start + 4]) % (8 * FILTER_BYTES)
        mask = 1 << place % 8
        is_new |= not bits[place // 8] & mask
        bits[place // 8] |= mask
    return is_new
