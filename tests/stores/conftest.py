"""Every store, with a clock of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dict_store import DictStore
from mailflows.limits import MemoryStore, RedisStore, SQLiteStore
from mailflows.testing import FixedClock
from redis_server import ClockedClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mailflows.limits import Store


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
