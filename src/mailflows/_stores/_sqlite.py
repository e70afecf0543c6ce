"""A store in an SQLite file: shared by all processes of a machine, and it outlives them."""

from __future__ import annotations

import random
import struct
import time
from typing import TYPE_CHECKING, Any, TypeAlias

from mailflows._stores._bucket import BucketMeter
from mailflows._stores._keys import NOTE, StoreKeys, answered, loading, stray_mark, swapping
from mailflows._stores._meter import DistinctMeter, GcraMeter
from mailflows._stores._sqlite_file import SQLiteFile
from mailflows._stores._store import seconds_to_wait, settled, steady, weighed
from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Iterator, Sequence

    from mailflows._clock import Clock
    from mailflows._stores._keys import KeyRing, Secrets
    from mailflows._stores._meter import Amount, Meter, State
    from mailflows._stores._store import Charge, Outcome

__all__ = ["SQLiteStore"]

_CLOCK = "clock"
# choice: one write per second for the time costs nothing compared with the decisions
_TICK = 1.0
"""Seconds between two notes of the time in the file. A clock that is set back by less is not noticed, and
costs no more than that."""

# bound: the work that one call does for expired keys
_SWEEP_EVERY = 16
# bound: the keys that one sweep looks at
_SWEEP_PARTS = 4096
"""One write in 16 looks for expired keys in one part of 4,096: keys are hashes, so a part is a fair sample,
no index has to be kept, and no call pays for all."""

_PIECE = "WHERE key > ? AND key >= ? AND key < ? AND (until IS NULL OR until > ?) ORDER BY key LIMIT 1000"
_DOCUMENTS = f"SELECT key, value FROM documents {_PIECE}"  # noqa: S608 -- of constants
_KEYS = f"SELECT key FROM documents {_PIECE}"  # noqa: S608 -- of constants


class SQLiteStore:
    """Counters and documents in an SQLite file, exact across all threads and processes of one machine.

    The file is opened on first use, by each process for itself, in WAL mode. A killed process loses no
    decision; a power failure may lose the last few transactions (``synchronous=NORMAL``), but never corrupts
    the file.

    Args:
        path: The file; it is created if it does not exist. It must be on a local disk: WAL needs shared
            memory.
        timeout: Seconds to wait while other processes hold the lock; then a decision is refused as busy.
        secret: Key of the hashes that stand for addresses, or several, newest first: the newest writes, and
            documents of older ones are found. By default one is generated and kept in the file. With a secret
            of your own, kept elsewhere, the file alone reveals no address.
        read_only: Whether the file is opened for reading only: it is not created, no secret is stored, and
            any write raises a `StoreError`.
        clock: Returns the current time in Unix seconds; if it goes back, the store continues from the last
            time it saw.

    Raises:
        ConfigurationError: If the path is not a file, such as ``:memory:``, or the timeout is not valid.

    Example:
        >>> from mailflows.limits import Limit, Limiter
        >>> store = SQLiteStore(getfixture("tmp_path") / "limits.db")
        >>> limiter = Limiter(Limit("3/day", per="recipient"), store=store)
        >>> limiter.acquire(to="ada@example.org").remaining
        2
        >>> store.close()
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timeout: float = 2.0,
        secret: Secrets | None = None,
        read_only: bool = False,
        clock: Clock = time.time,
    ) -> None:
        if str(path) in {"", ":memory:"} or "\0" in str(path):
            msg = (
                f"path must be a file that processes share; got {str(path)!r}: use MemoryStore() "
                "for one process"
            )
            raise ConfigurationError(msg, field="path")
        self._file = SQLiteFile(path, timeout=seconds_to_wait(timeout), is_read_only=read_only)
        if not self._file.path.parent.is_dir():  # would never open, and never count
            msg = f"the folder for the file does not exist: {self._file.path.parent}"
            raise ConfigurationError(msg, field="path")
        self.name = self._file.name
        self._keys = StoreKeys(secret, is_read_only=read_only)
        self._known_file: tuple[int, int] | None = None
        self._clock = clock
        self._last = self._read_at = float("-inf")
        self._offset = 0.0
        self._writes = 0

    def decide(
        self,
        charges: Sequence[Charge],
        *,
        within: float = 0.0,
        lease: float | None = None,
        look: bool = False,
    ) -> Outcome:
        """See `Store.decide`."""
        prepared = self._prepared(charges)
        with self._file.transaction() as cursor:
            found = [_found(cursor, *each) for each in prepared]
            now = self._now(cursor)
            outcome, states = weighed(charges, found, now, within=within, lease=lease, look=look)
            if states:
                self._write(cursor, now, states)
            return outcome

    def settle(self, outcome: Outcome, *, keep: bool) -> None:
        """See `Store.settle`."""
        if outcome.at is None:
            return
        prepared = self._prepared(outcome.charges)
        with self._file.transaction() as cursor:
            now = self._now(cursor)
            found = [_found(cursor, *each) for each in prepared]
            self._write(cursor, now, settled(outcome, found, now, keep=keep))

    def reset(self, charges: Sequence[Charge]) -> None:
        """See `Store.reset`."""
        ring = self._ring()
        places = [(ring.hash(f"{meter.id}\n{key}", 16),) for meter, key, _ in charges]
        with self._file.transaction() as cursor:
            cursor.executemany("DELETE FROM states WHERE key = ?", places)

    def _prepared(self, charges: Sequence[Charge]) -> list[tuple[Meter, bytes, Amount]]:
        """Return charges with the hashes of their keys and values: before the lock is taken, not under it."""
        ring = self._ring()
        return [
            (
                meter,
                ring.hash(f"{meter.id}\n{key}", 16),
                tuple({ring.number(v) for v in amount}) if isinstance(amount, tuple) else amount,
            )
            for meter, key, amount in charges
        ]

    def _ring(self) -> KeyRing:
        """Return the keys of the hashes, of this very file."""
        keys = self._keys
        if keys.ring is not None and not keys.is_due and self._file.identity() == self._known_file:
            return keys.ring
        made = self._file.secret(is_needed=keys.own is None and not keys.is_read_only)
        ring: KeyRing = answered(keys.fitted(made, self.name), self)
        self._known_file = self._file.identity()
        return ring

    def _write(
        self, cursor: sqlite3.Cursor, now: float, states: Sequence[tuple[Meter, bytes, State]]
    ) -> None:
        """Write states, and now and then drop expired ones."""
        rows = [
            (key, _packed(state), now + max(meter.span, meter.reading(state, now)[1]))
            for meter, key, state in states
        ]
        cursor.executemany("INSERT OR REPLACE INTO states VALUES (?, ?, ?)", rows)
        self._writes += 1
        if self._writes % _SWEEP_EVERY == 0:
            part = random.randrange(_SWEEP_PARTS) * (65536 // _SWEEP_PARTS)  # noqa: S311 -- no secret
            low, high = part.to_bytes(2), (part + 65536 // _SWEEP_PARTS - 1).to_bytes(2) + b"\xff" * 14
            cursor.execute("DELETE FROM states WHERE key BETWEEN ? AND ? AND until < ?", (low, high, now))

    def _now(self, cursor: sqlite3.Cursor) -> float:
        """Return the present moment of all processes, in a transaction.

        A clock that goes on within a tick of the note that was read last needs no look at it.
        """
        now = self._clock() + self._offset
        if self._last <= now < self._read_at + _TICK:
            self._last = now
            return now
        row = cursor.execute("SELECT value FROM facts WHERE name = ?", (_CLOCK,)).fetchone()
        last, offset = struct.unpack("dd", row[0]) if row else (float("-inf"), 0.0)
        now, new_offset = steady(self._clock(), last, offset)
        if (now > last + _TICK or new_offset != offset) and not self._keys.is_read_only:
            note = struct.pack("dd", now, new_offset)
            cursor.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (_CLOCK, note))
        self._last = self._read_at = now
        self._offset = new_offset
        return now

    # Documents.

    def digest(self, text: str) -> str:
        """See `Documents.digest`."""
        return self._ring().digest(text)

    def load(self, key: str) -> bytes | None:
        """See `Documents.load`."""
        return answered(loading(self._ring(), key), self)  # type: ignore[no-any-return]

    def swap(self, key: str, old: bytes | None, new: bytes | None, *, ttl: float | None = None) -> bool:
        """See `Documents.swap`."""
        return bool(answered(swapping(self._ring(), key, old, new, ttl), self))

    def _load_at(self, key: str) -> bytes | None:
        with self._file.transaction() as cursor:
            return self._document(cursor, key)

    def _swap_at(self, key: str, old: bytes | None, new: bytes | None, ttl: float | None) -> bool:
        with self._file.transaction() as cursor:
            if self._document(cursor, key) != old:
                return False
            if new is None:
                cursor.execute("DELETE FROM documents WHERE key = ?", (key,))
            else:
                until = None if ttl is None else self._now(cursor) + ttl
                cursor.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (key, new, until))
                if until is not None:
                    cursor.execute("DELETE FROM documents WHERE until <= ?", (self._now(cursor),))
            return True

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See `Documents.scan`."""
        self._ring()
        yield from (row for row in self._pieces(_DOCUMENTS, prefix) if row[0] != NOTE)

    def _stray_at(self, known: Sequence[str]) -> str | None:
        return stray_mark((key for (key,) in self._pieces(_KEYS, "")), known)

    def _pieces(self, query: str, prefix: str) -> Iterator[tuple[Any, ...]]:
        """Yield what a query finds of the documents whose key starts so."""
        last = ""
        while True:  # in pieces, so that no reader holds up the writers
            with self._file.transaction() as cursor:
                rows = cursor.execute(
                    query,
                    (last, prefix, prefix + "\x7f", self._now(cursor)),
                ).fetchall()
            yield from rows
            if len(rows) < 1000:
                return
            last = rows[-1][0]

    def _document(self, cursor: sqlite3.Cursor, key: str) -> bytes | None:
        row = cursor.execute("SELECT value, until FROM documents WHERE key = ?", (key,)).fetchone()
        if row is None or (row[1] is not None and row[1] <= self._now(cursor)):
            return None
        return bytes(row[0])

    def close(self) -> None:
        """Close the connection of this process; the store opens it again on the next use."""
        self._file.close()

    def __repr__(self) -> str:
        return f"SQLiteStore({str(self._file.path)!r})"


_Found: TypeAlias = "tuple[Meter, bytes, Amount, Any]"


def _found(cursor: sqlite3.Cursor, meter: Meter, key: bytes, amount: Amount) -> _Found:
    """Return a charge with what is kept for it."""
    row = cursor.execute("SELECT state FROM states WHERE key = ?", (key,)).fetchone()
    return meter, key, amount, _unpacked(meter, row[0]) if row else None


def _packed(state: State) -> float | bytes:
    """Return a state as SQLite keeps it: a number, or eight bytes for each time and value."""
    if isinstance(state, dict):
        return struct.pack(f"{len(state)}Q{len(state)}d", *state.keys(), *state.values())
    return state if isinstance(state, float | bytes) else struct.pack(f"{len(state)}d", *state)


def _unpacked(meter: Meter, kept: Any) -> State:
    if isinstance(meter, GcraMeter):
        return float(kept)
    if isinstance(meter, BucketMeter):
        return bytes(kept)
    if isinstance(meter, DistinctMeter):
        size = len(kept) // 16
        numbers = struct.unpack(f"{size}Q{size}d", kept)
        return dict(zip(numbers[:size], numbers[size:], strict=True))
    return struct.unpack(f"{len(kept) // 8}d", kept)
