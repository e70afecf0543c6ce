"""A store in the memory of one process: the fastest, not shared."""

from __future__ import annotations

import math
import secrets
import threading
import time
from typing import TYPE_CHECKING, TypeAlias

from mailflows._result import number_of
from mailflows._stores import _forks
from mailflows._stores._keys import KeyRing
from mailflows._stores._meter import HASH_BITS
from mailflows._stores._store import Outcome, stamp_of, steady

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailflows._clock import Clock
    from mailflows._stores._meter import Amount, Meter, State
    from mailflows._stores._store import Charge

__all__ = ["MemoryStore"]

# bound: the pause in which one table turns
SHARDS = 16
"""Tables per meter. Each grows and is emptied by itself, so that the longest pause is a sixteenth."""

# bound: the memory of newcomers to a full meter
OVERFLOW = 4096
"""Counters that all newcomers share once a meter is full; a hash is that small one time in 2 to the 48th."""

_MASK = (1 << HASH_BITS) - 1


class MemoryStore:
    """Counters and documents in the memory of this process.

    Expired keys are dropped without a background thread: each table has two generations, and the older one is
    dropped once per period. At *max_keys*, no active counter is dropped: new keys share 4,096 counters, which
    may refuse too early but never too late.

    Args:
        max_keys: Keys per rate of a limit; each takes about 100 bytes.
        clock: Returns the current time in seconds; if it goes back, the store continues from the last time it
            saw.

    Attributes:
        overflowed: How often a new key had to share a counter.

    Example:
        >>> from mailflows.limits import Limit, Limiter
        >>> limiter = Limiter(Limit("2/hour", per="account"), store=MemoryStore())
        >>> [bool(limiter.acquire(account="ada")) for _ in range(3)]
        [True, True, False]
    """

    name = "memory"

    def __init__(self, *, max_keys: int = 1_000_000, clock: Clock = time.time) -> None:
        self.overflowed = 0
        self._room = max(1, max_keys // SHARDS)
        self._clock = clock
        self._last = -math.inf
        self._offset = 0.0
        self._lock = threading.Lock()
        self._tables: dict[str, list[_Shard]] = {}
        self._documents: dict[str, tuple[bytes, float]] = {}
        self._ring = KeyRing(secrets.token_bytes(32))
        self._purge_at = 1024
        _forks.note(self)

    def decide(
        self,
        charges: Sequence[Charge],
        *,
        within: float = 0.0,
        lease: float | None = None,
        look: bool = False,
    ) -> Outcome:
        """See `Store.decide`."""
        lock = self._lock
        lock.acquire()  # "with" takes twice the time
        try:
            now = self._clock() + self._offset
            if now < self._last:
                now = self._now()
            self._last = now
            if lease is None and not look:
                one = len(charges) == 1
                outcome = self._take_one(charges, now, within) if one else self._take(charges, now)
                if outcome is not None:
                    return outcome
            return self._weigh(charges, now, within, lease, look=look)
        finally:
            lock.release()

    def _take_one(self, charges: Sequence[Charge], now: float, within: float) -> Outcome | None:
        """Take one charge, or refuse it where nothing is booked: as `_take`, without its lists."""
        ((meter, key, amount),) = charges
        number = hash(key) & _MASK
        shards = self._tables.get(meter.id)
        if shards is None or now >= (shard := shards[number % SHARDS]).turn_at:
            shard = self._shard(meter, number, now)
        state = shard.new.get(number)
        if state is None:
            state = shard.old.get(number)
            if state is None and len(shard.new) + len(shard.old) >= self._room:
                return None
        units = _numbers(amount) if amount.__class__ is tuple else amount
        after = meter.take(state, now, units)
        if after is None:
            if meter.strict or within > 0.0:
                return None
            wait = meter.wait(state, now, units)
            return Outcome(charges, now, wait, (state,), waits=(wait,))
        if meter is not shard.meter:
            shard.hold(meter, now)
        shard.new[number] = after
        return Outcome(charges, now, 0.0, (after,), now)

    def _take(self, charges: Sequence[Charge], now: float) -> Outcome | None:
        """Take everything now if it fits: the common case, in as few steps as Python allows."""
        places = []
        states = []
        tables = self._tables
        for meter, key, amount in charges:
            number = hash(key) & _MASK
            shards = tables.get(meter.id)
            if shards is None or now >= (shard := shards[number % SHARDS]).turn_at:
                shard = self._shard(meter, number, now)
            state = shard.new.get(number)
            if state is None:
                state = shard.old.get(number)
                if state is None and len(shard.new) + len(shard.old) >= self._room:
                    return None
            units = _numbers(amount) if amount.__class__ is tuple else amount
            after = meter.take(state, now, units)
            if after is None:
                return None
            if meter is not shard.meter:
                shard.hold(meter, now)
            places.append((shard.new, number))
            states.append(after)
        for (table, number), state in zip(places, states):  # noqa: B905 -- strict costs time here
            table[number] = state
        return Outcome(charges, now, 0.0, states, now)

    def _shard(self, meter: Meter, number: int, now: float) -> _Shard:
        """Return the table of a meter in which a key is, ready for this moment."""
        shards = self._tables.get(meter.id)
        if shards is None:
            shards = self._tables[meter.id] = [_Shard(meter) for _ in range(SHARDS)]
        shard = shards[number % SHARDS]
        if now >= shard.turn_at:
            shard.turn(now)
        return shard

    def _weigh(
        self, charges: Sequence[Charge], now: float, within: float, lease: float | None, *, look: bool
    ) -> Outcome:
        """Do the same for a look, a lease, a moment to come or a full meter; refuse what does not fit."""
        found = [self._find(charge, now) for charge in charges]
        waits = [meter.wait(state, now, amount) for meter, amount, _, _, state in found]
        wait = max(waits, default=0.0)
        if look or wait > within:
            if not look and any(meter.strict for meter, *_ in found):
                return _overspent(charges, found, now, waits)
            return Outcome(charges, now, wait, [state for *_, state in found], waits=waits)
        at = now + wait
        states = []
        for meter, amount, shard, number, _ in found:
            stamp = stamp_of(meter, at, lease)
            # Found again: two newcomers of this decision may share a counter.
            state = shard.new[number] = meter.spend(shard.find(number), now, amount, at, stamp)
            states.append(state)
            if at > now or meter is not shard.meter:
                shard.hold(meter, at)
        return Outcome(charges, now, wait, states, at, lease)

    def _find(self, charge: Charge, now: float) -> _Found:
        """Return where the state of a charge is, and what it is."""
        meter, key, amount = charge
        number = hash(key) & _MASK
        shard = self._shard(meter, number, now)
        if shard.find(number) is None and len(shard.new) + len(shard.old) >= self._room:
            number %= OVERFLOW
            self.overflowed += 1
        units = _numbers(amount) if isinstance(amount, tuple) else amount
        return meter, units, shard, number, shard.find(number)

    def settle(self, outcome: Outcome, *, keep: bool) -> None:
        """See `Store.settle`."""
        if outcome.at is None:
            return
        with self._lock:
            now = self._now()
            for meter, key, amount in outcome.charges:
                number = hash(key) & _MASK
                shard = self._shard(meter, number, now)
                if shard.find(number) is None and shard.find(number % OVERFLOW) is not None:
                    number %= OVERFLOW
                stamp = stamp_of(meter, outcome.at, outcome.lease)
                units = _numbers(amount) if isinstance(amount, tuple) else amount
                shard.new[number] = meter.settle(shard.find(number), now, units, outcome.at, stamp, keep=keep)

    def reset(self, charges: Sequence[Charge]) -> None:
        """See `Store.reset`."""
        with self._lock:
            for meter, key, _ in charges:
                number = hash(key) & _MASK
                shard = self._shard(meter, number, self._now())
                shard.new.pop(number, None)
                shard.old.pop(number, None)

    def _now(self) -> float:
        """Return the present moment; called under the lock."""
        self._last, self._offset = steady(self._clock(), self._last, self._offset)
        return self._last

    def digest(self, text: str) -> str:
        """See `Documents.digest`."""
        return self._ring.digest(text)

    def load(self, key: str) -> bytes | None:
        """See `Documents.load`."""
        with self._lock:
            return self._document(key)

    def swap(self, key: str, old: bytes | None, new: bytes | None, *, ttl: float | None = None) -> bool:
        """See `Documents.swap`."""
        with self._lock:
            if self._document(key) != old:
                return False
            if new is None:
                self._documents.pop(key, None)
            else:
                self._documents[key] = (new, math.inf if ttl is None else self._now() + ttl)
            if len(self._documents) >= self._purge_at:
                now = self._now()
                self._documents = {k: v for k, v in self._documents.items() if v[1] > now}
                self._purge_at = 2 * len(self._documents) + 1024
            return True

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See `Documents.scan`."""
        with self._lock:
            keys = [key for key in self._documents if key.startswith(prefix)]
        for key in keys:
            value = self.load(key)
            if value is not None:
                yield key, value

    def _document(self, key: str) -> bytes | None:
        """Return a document that has not expired; called under the lock."""
        value, until = self._documents.get(key, (None, 0.0))
        if value is not None and until <= self._now():
            del self._documents[key]
            return None
        return value

    def _after_fork(self) -> None:
        """Go on in a child with what was counted; the lock is new."""

    def __repr__(self) -> str:
        keys = sum(len(shard.new) + len(shard.old) for shards in self._tables.values() for shard in shards)
        return f"<MemoryStore, {number_of(keys, 'key')}, {number_of(len(self._documents), 'document')}>"


class _Shard:
    """One table of a meter, in two generations; what is in neither has not limited for a span."""

    __slots__ = ("booked_until", "meter", "new", "old", "turn_at")

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.new: dict[int, State] = {}
        self.old: dict[int, State] = {}
        self.turn_at = self.booked_until = -math.inf

    def turn(self, now: float) -> None:
        """Drop the older generation, and the newer one too if it was left alone for a span."""
        held = self._held(now) if self.booked_until > now else {}
        self.old = self.new if now < self.turn_at + self.meter.span else {}
        self.new = held
        self.turn_at = now + self.meter.span

    def _held(self, now: float) -> dict[int, State]:
        """Return what outlives its generation because a moment to come was booked."""
        return {
            number: state
            for number, state in (self.old | self.new).items()
            if self.meter.reading(state, now)[1] > self.meter.span
        }

    def hold(self, meter: Meter, at: float) -> None:
        """Keep what is taken at a moment to come, or by a meter of the same identity that limits longer."""
        if at + meter.span > self.turn_at + self.meter.span:
            self.booked_until = max(self.booked_until, at + meter.span)

    def find(self, number: int) -> State | None:
        """Return a state of either generation."""
        state = self.new.get(number)
        return self.old.get(number) if state is None else state


_Found: TypeAlias = "tuple[Meter, Amount, _Shard, int, State | None]"


def _numbers(values: Sequence[str]) -> tuple[int, ...]:
    """Return the hashes of values, each once."""
    return tuple({hash(value) & _MASK for value in values})


def _overspent(
    charges: Sequence[Charge], found: Sequence[_Found], now: float, waits: Sequence[float]
) -> Outcome:
    """Count a refused attempt where those count, too, and say how long each charge has to wait then."""
    states, after = [], []
    for (meter, amount, shard, number, state), wait in zip(found, waits, strict=True):
        if meter.strict:
            state = shard.new[number] = meter.overspend(state, now, amount)  # noqa: PLW2901
        states.append(state)
        after.append(meter.wait(state, now, amount) if wait > 0.0 else 0.0)
    return Outcome(charges, now, max(after, default=0.0), states, waits=after)
