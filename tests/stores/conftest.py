"""Every store, with a clock of the test's own."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mailflows.limits import MemoryStore, RedisStore, RowStore, SQLiteStore
from mailflows.testing import FixedClock
from redis_server import ClockedClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mailflows.limits import Store


class DictStore(RowStore):
    """Rows in a dictionary: the smallest store of one's own.

    Args:
        clock: Returns the present moment.
    """

    def __init__(self, clock: FixedClock) -> None:
        super().__init__("dictionary")
        self.now = clock
        self._lock: Any = threading.RLock()
        self._kept: dict[str, tuple[bytes, float]] = {}

    @contextmanager
    def transaction(self, keys: Sequence[str]) -> Iterator[DictStore]:
        """See `RowStore.transaction`."""
        assert keys == sorted(set(keys))
        with self._lock:
            yield self

    def get(self, key: str) -> tuple[bytes, float] | None:
        """See `Rows.get`."""
        return self._kept.get(key)

    def put(self, key: str, value: bytes | None, until: float) -> None:
        """See `Rows.put`."""
        self._kept.pop(key, None)
        if value is not None:
            self._kept[key] = (value, until)

    def rows(self, prefix: str) -> list[tuple[str, bytes, float]]:
        """See `RowStore.rows`."""
        return [(key, *row) for key, row in self._kept.items() if key.startswith(prefix)]


@pytest.fixture
def clock() -> FixedClock:
    """Return a clock that moves only when it is told to."""
    return FixedClock()


@pytest.fixture(params=["memory", "sqlite", "redis", "rows"])
def store(request: pytest.FixtureRequest, clock: FixedClock, tmp_path: Path) -> Iterator[Store]:
    """Return each store in turn, empty, with the clock of the test."""
    if request.param == "memory":
        yield MemoryStore(clock=clock)
    elif request.param == "rows":
        yield DictStore(clock)
    elif request.param == "sqlite":
        on_disk = SQLiteStore(tmp_path / "limits.db", clock=clock)
        yield on_disk
        on_disk.close()
    else:
        with request.getfixturevalue("redis_client")() as client:
            on_server = RedisStore(ClockedClient(client, clock), timeout=5.0)
            yield on_server
            on_server.close()


@pytest.fixture(params=["sqlite", "redis"])
def two_stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """Return two objects of each shared store, as two processes would have them."""
    if request.param == "sqlite":
        files = [SQLiteStore(tmp_path / "limits.db", timeout=30.0) for _ in range(2)]
        yield files[0], files[1]
        for file in files:
            file.close()
    else:
        open_client: Any = request.getfixturevalue("redis_client")
        with open_client() as client:
            yield RedisStore(client), RedisStore(client)
