"""A base for your own store over rows: you supply two methods for a database with transactions."""

from __future__ import annotations

import math
import secrets
import struct
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from mailflows._stores._bucket import BucketMeter
from mailflows._stores._keys import NOTE, StoreKeys, answered, loading, stray_mark, swapping
from mailflows._stores._meter import DistinctMeter, GcraMeter
from mailflows._stores._store import settled, steady, weighed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from mailflows._stores._keys import KeyRing, Secrets
    from mailflows._stores._meter import Amount, Meter, State
    from mailflows._stores._store import Charge, Outcome

__all__ = ["RowStore", "Rows"]

_SECRET = "secret"  # noqa: S105 -- the name of a row
_STATE = "state:"
_DOCUMENT = "document:"


class Rows(Protocol):
    """Access to some rows within a transaction.

    Example:
        >>> class DictRows:  # a class that has its methods is one
        ...     def __init__(self) -> None:
        ...         self.kept: dict[str, tuple[bytes, float]] = {}
        ...
        ...     def now(self) -> float:
        ...         return 1767225600.0
        ...
        ...     def get(self, key: str) -> tuple[bytes, float] | None:
        ...         return self.kept.get(key)
        ...
        ...     def put(self, key: str, value: bytes | None, until: float) -> None:
        ...         if value is None:
        ...             self.kept.pop(key, None)
        ...         else:
        ...             self.kept[key] = value, until
        >>> rows: Rows = DictRows()
        >>> rows.put("a", b"1", 1767229200.0)
        >>> rows.get("a")
        (b'1', 1767229200.0)
    """

    def now(self) -> float:
        """Return the current time in Unix seconds, by the database's clock if it has one."""
        ...

    def get(self, key: str) -> tuple[bytes, float] | None:
        """Return the value and expiry of a row, or `None` if there is none."""
        ...

    def put(self, key: str, value: bytes | None, until: float) -> None:
        """Write a row with its expiry, which may be infinity; a value of `None` removes it."""
        ...


class RowStore(ABC):
    """A `Store` over a table of rows: key, value and expiry time.

    A subclass implements `transaction` and `rows`, and raises the database's errors as `StoreError`.
    Counting, hashing of keys, and documents are implemented here.

    Args:
        name: Its name in logs and errors.
        secret: Key of the hashes that stand for addresses, or several, newest first; by default one is
            generated and kept in a row.

    Example:
        >>> from contextlib import contextmanager
        >>> from mailflows.testing import store_contract
        >>> class DictStore(RowStore):
        ...     kept, lock = {}, threading.RLock()
        ...     @contextmanager
        ...     def transaction(self, keys):
        ...         with self.lock:
        ...             before = dict(self.kept)
        ...             try:
        ...                 yield self
        ...             except BaseException:
        ...                 self.kept = before
        ...                 raise
        ...     def now(self):
        ...         return 1.8e9
        ...     def get(self, key):
        ...         return self.kept.get(key)
        ...     def put(self, key, value, until):
        ...         self.kept[key] = None if value is None else (value, until)
        ...     def rows(self, prefix):
        ...         return [(key, *row) for key, row in self.kept.items() if key.startswith(prefix) and row]
        >>> store_contract(DictStore("dict"))
    """

    def __init__(self, name: str, *, secret: Secrets | None = None) -> None:
        self.name = name
        self._keys = StoreKeys(secret)
        self._last, self._offset = -math.inf, 0.0
        self._clock_lock = threading.Lock()

    @abstractmethod
    def transaction(self, keys: Sequence[str]) -> AbstractContextManager[Rows]:
        """Return a context manager that locks these rows, existing or not, and commits or rolls back.

        No other transaction may read or write one of them meanwhile. The keys are sorted, so that locks
        taken in this order cannot deadlock.

        Raises:
            StoreError: If the database could not answer.
        """

    @abstractmethod
    def rows(self, prefix: str) -> Iterable[tuple[str, bytes, float]]:
        """Return key, value and expiry of every row whose key has this prefix, in any order.

        Raises:
            StoreError: If the database could not answer.
        """

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
        with self._held(key for _, key, _ in prepared) as rows:
            now = self._now(rows)
            found = [(meter, key, n, _unpacked(meter, _value(rows, key, now))) for meter, key, n in prepared]
            outcome, states = weighed(charges, found, now, within=within, lease=lease, look=look)
            _write(rows, now, states)
        return outcome

    def settle(self, outcome: Outcome, *, keep: bool) -> None:
        """See `Store.settle`."""
        if outcome.at is None:
            return
        prepared = self._prepared(outcome.charges)
        with self._held(key for _, key, _ in prepared) as rows:
            now = self._now(rows)
            found = [(meter, key, n, _unpacked(meter, _value(rows, key, now))) for meter, key, n in prepared]
            _write(rows, now, settled(outcome, found, now, keep=keep))

    def reset(self, charges: Sequence[Charge]) -> None:
        """See `Store.reset`."""
        keys = [key for _, key, _ in self._prepared(charges)]
        with self._held(keys) as rows:
            for key in keys:
                rows.put(key, None, math.inf)

    def digest(self, text: str) -> str:
        """See `Documents.digest`."""
        return self._ring().digest(text)

    def load(self, key: str) -> bytes | None:
        """See `Documents.load`."""
        return answered(loading(self._ring(), key), self)  # type: ignore[no-any-return]

    def swap(self, key: str, old: bytes | None, new: bytes | None, *, ttl: float | None = None) -> bool:
        """See `Documents.swap`."""
        return bool(answered(swapping(self._ring(), key, old, new, ttl), self))

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See `Documents.scan`."""
        self._ring()
        yield from (row for row in self._documents(prefix) if row[0] != NOTE)

    def _documents(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Yield the documents whose key starts so."""
        with self._held([]) as rows:
            now = self._now(rows)
        for key, value, until in self.rows(_DOCUMENT + prefix):
            if until > now:
                yield key.removeprefix(_DOCUMENT), value

    def _stray_at(self, known: Sequence[str]) -> str | None:
        return stray_mark((key for key, _ in self._documents("")), known)

    def _load_at(self, key: str) -> bytes | None:
        with self._held([_DOCUMENT + key]) as rows:
            return _value(rows, _DOCUMENT + key, self._now(rows))

    def _swap_at(self, key: str, old: bytes | None, new: bytes | None, ttl: float | None) -> bool:
        place = _DOCUMENT + key
        with self._held([place]) as rows:
            now = self._now(rows)
            if _value(rows, place, now) != old:
                return False
            rows.put(place, new, math.inf if ttl is None else now + ttl)
            return True

    def _now(self, rows: Rows) -> float:
        """Return the present moment; a clock that is set back goes on from the last one seen."""
        with self._clock_lock:
            self._last, self._offset = steady(rows.now(), self._last, self._offset)
            return self._last

    def _held(self, keys: Any) -> AbstractContextManager[Rows]:
        return self.transaction(sorted(set(keys)))

    def _ring(self) -> KeyRing:
        """Return the keys of the hashes."""
        keys = self._keys
        if keys.ring is not None and not keys.is_due:
            return keys.ring
        made = self._made_secret(is_needed=keys.own is None)
        ring: KeyRing = answered(keys.fitted(made, self.name), self)
        return ring

    def _made_secret(self, *, is_needed: bool) -> bytes | None:
        """Return the secret that is in the rows; where it is needed, all who share them read the same."""
        with self._held([_SECRET]) as rows:
            row = rows.get(_SECRET)
            if row is not None or not is_needed:
                return None if row is None else bytes(row[0])
            made = secrets.token_bytes(32)
            rows.put(_SECRET, made, math.inf)
            return made

    def _prepared(self, charges: Sequence[Charge]) -> list[tuple[Meter, str, Amount]]:
        """Return charges with the hashes of their keys and values."""
        ring = self._ring()
        return [
            (
                meter,
                _STATE + ring.hash(f"{meter.id}\n{key}", 16).hex(),
                tuple({ring.number(value) for value in amount}) if isinstance(amount, tuple) else amount,
            )
            for meter, key, amount in charges
        ]


def _value(rows: Rows, key: str, now: float) -> bytes | None:
    """Return the value of a row that has not ended."""
    row = rows.get(key)
    return row[0] if row is not None and row[1] > now else None


def _write(rows: Rows, now: float, states: Sequence[tuple[Meter, str, State]]) -> None:
    for meter, key, state in states:
        rows.put(key, _packed(state), now + max(meter.span, meter.reading(state, now)[1]))


def _packed(state: State) -> bytes:
    """Return a state as eight bytes for each number."""
    if isinstance(state, bytes):
        return state
    if isinstance(state, dict):
        return struct.pack(f"<{len(state)}Q{len(state)}d", *state.keys(), *state.values())
    numbers = state if isinstance(state, tuple) else (state,)
    return struct.pack(f"<{len(numbers)}d", *numbers)


def _unpacked(meter: Meter, kept: bytes | None) -> State | None:
    if kept is None or isinstance(meter, BucketMeter):
        return kept
    if isinstance(meter, DistinctMeter):
        size = len(kept) // 16
        numbers = struct.unpack(f"<{size}Q{size}d", kept)
        return dict(zip(numbers[:size], numbers[size:], strict=True))
    times = struct.unpack(f"<{len(kept) // 8}d", kept)
    return times[0] if isinstance(meter, GcraMeter) else times
