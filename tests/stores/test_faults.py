"""Stores that fail: damaged, full, gone, standing still; nothing is lost, and nobody waits for long."""

from __future__ import annotations

import math
import os
import sqlite3
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest
import redis

from mailflows._stores import DistinctMeter, GcraMeter, WindowMeter
from mailflows._stores._documents import Breaker
from mailflows._stores._fallback import Fallback
from mailflows.errors import ConfigurationError, StoreError
from mailflows.limits import Limit, Limiter, MemoryStore, RedisStore, SQLiteStore
from mailflows.testing import FixedClock
from redis_server import RedisServer, wanted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mailflows.limits import Store

PER_ACCOUNT = Limit("3/day", per="account")
FOREVER = """
import sys
import threading
from mailflows.limits import SQLiteStore
store = SQLiteStore(sys.argv[1], timeout=30.0)
number = 0
while True:
    assert store.swap(f"block:{number:06}", None, b"for good")
    print(number, flush=True)
    number += 1
"""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """Return a server that the test may kill."""
    with RedisServer(wanted()) as server:
        yield server


def test_damaged_file_is_a_store_error(tmp_path: Path) -> None:
    """A file that is no database is said so, and left as it was."""
    path = tmp_path / "limits.db"
    path.write_bytes(b"no database " * 1000)
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match="not a database") as caught:
        store.load("a")
    assert caught.value.store == store.name
    assert path.read_bytes() == b"no database " * 1000


def test_damaged_state_is_a_store_error(tmp_path: Path) -> None:
    """A counter that was cut short is no reason to crash a sender."""
    store = SQLiteStore(tmp_path / "limits.db")
    limiter = Limiter(PER_ACCOUNT, store=store, on_error="deny")
    limiter.acquire(account="ada")
    with store._file.transaction() as cursor:
        cursor.execute("UPDATE states SET state = x'00010203'")
    assert limiter.acquire(account="ada").degraded
    store.close()


def test_folder_in_the_place_of_the_file_is_a_store_error(tmp_path: Path) -> None:
    """Where no file can be opened, that is said."""
    with pytest.raises(StoreError, match="unable to open"):
        SQLiteStore(tmp_path).load("a")


def test_full_disk_loses_nothing(tmp_path: Path) -> None:
    """Where no page can be had any more, a write is a `StoreError`, and what was there stays."""
    store = SQLiteStore(tmp_path / "limits.db")
    store.swap("kept", None, b"x")
    with store._file.transaction() as cursor:
        (pages,) = cursor.execute("PRAGMA page_count").fetchone()
    assert store._file._cursor is not None
    store._file._cursor.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full"):
        store.swap("large", None, b"x" * 100_000)
    assert (store.load("kept"), store.load("large")) == (b"x", None)
    store.close()


def test_killed_process_loses_no_block(tmp_path: Path) -> None:
    """What a process has written is there after it was killed in the middle of writing more."""
    path = tmp_path / "limits.db"
    command = [sys.executable, "-c", FOREVER, str(path)]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    for _ in range(50):
        worker.stdout.readline()
    worker.kill()
    rest = worker.communicate()[0].splitlines()
    store = SQLiteStore(path)
    found = len(list(store.scan("block:")))
    store.close()
    assert found >= 50 + len(rest) - 1


def test_script_that_was_forgotten_is_told_again(redis_client: Any) -> None:
    """A server that has lost its scripts gets them again, without a failed decision."""
    with redis_client() as client:
        limiter = Limiter(PER_ACCOUNT, store=RedisStore(client, timeout=5.0), on_error="deny")
        limiter.acquire(account="ada")
        client.script_flush()
        decision = limiter.acquire(account="ada")
    assert (decision.remaining, decision.degraded) == (1, False)


def test_restarted_server_is_used_again(server: RedisServer) -> None:
    """After a restart the next decision is the server's own."""
    with server.client() as client:
        store = RedisStore(client, timeout=5.0)
        store.swap("a", None, b"x")
        server.stop()
        with pytest.raises(StoreError):
            store.load("a")
        server.start()
        with pytest.raises(StoreError, match="secret") as caught:  # emptied by the restart: that is said once
            store.load("a")
        assert caught.value.is_lost
        assert store.load("a") is None


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [("deny", [False] * 4), ("allow", [True] * 4), ("local", [True, False, False, False])],
)
def test_policy_of_a_dead_server(server: RedisServer, policy: Any, allowed: list[bool]) -> None:
    """While the server is gone, decisions follow the policy and say that they do; "local" takes a share."""
    with server.client() as client:
        limiter = Limiter(PER_ACCOUNT, store=RedisStore(client, timeout=5.0), on_error=policy)
        server.stop()
        decisions = [limiter.acquire(account="ada") for _ in range(4)]
        server.start()
    assert [(bool(d), d.degraded) for d in decisions] == [(a, True) for a in allowed]


def test_stalled_server_delays_no_longer_than_its_budget(server: RedisServer) -> None:
    """A server that stands still costs the first call its budget, and the next calls nothing."""
    with server.client() as client:
        limiter = Limiter(PER_ACCOUNT, store=RedisStore(client, timeout=0.25))
        limiter.acquire(account="ada")
        server.stall()
        start = time.monotonic()
        first = limiter.acquire(account="ada")
        between = time.monotonic()
        others = [limiter.acquire(account="bob") for _ in range(100)]
        end = time.monotonic()
        server.go_on()
    assert first.degraded
    assert all(d.degraded for d in others)
    # Wide enough for a busy machine: without the budget the first would wait for ever,
    # and a hundred budgets of 0.25 s are 25 s.
    assert between - start < 5
    assert end - between < 5


class Flaky:
    """A store that fails as often as it is told to."""

    name = "flaky"

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.asked = 0

    def decide(self, charges: Any, **how: Any) -> Any:
        """Fail, or answer."""
        self.asked += 1
        if self.asked <= self.failures:
            raise StoreError("gone", store=self.name)  # noqa: EM101
        return Fallback(cast("Store", self), on_error="allow")._instead(charges, how)


def test_breaker_leaves_a_dead_store_alone() -> None:
    """After a failure the store is asked again after 1 s, then 2 s, then 4 s, then it answers."""
    now = [0.0]
    store: Any = Flaky(3)
    keeper = Fallback(store, on_error="deny", timer=lambda: now[0])
    asked = []
    for tick in range(9):
        now[0] = float(tick)
        keeper.decide([])
        asked.append(store.asked)
    assert asked == [1, 2, 2, 3, 3, 3, 3, 4, 5]


def test_one_caller_tries_while_the_others_go_without() -> None:
    """After the pause one is let through; the others wait for what it finds, or for one pause more."""
    now = [0.0]
    breaker = Breaker("store", timer=lambda: now[0])
    ticket = breaker.ticket()
    assert ticket is not None
    breaker.failed(ticket, StoreError("gone", store="store"))
    assert (breaker.ticket(), breaker.pause) == (None, 1.0)
    now[0] = 1.0
    first, others = breaker.ticket(), [breaker.ticket() for _ in range(3)]
    assert (first is not None, others) == (True, [None] * 3)
    now[0] = 2.0
    assert breaker.ticket() is not None, "the first never came back"
    breaker.answered()
    assert all(breaker.ticket() is not None for _ in range(3))


@pytest.mark.parametrize("timeout", [math.nan, math.inf, 0, -1.0, None, "1"])
def test_a_timeout_that_never_ends_is_refused(tmp_path: Path, timeout: Any) -> None:
    """With not-a-number a decision would wait for ever for a lock."""
    with pytest.raises(ConfigurationError, match="timeout must be a number of seconds"):
        SQLiteStore(tmp_path / "limits.db", timeout=timeout)
    with pytest.raises(ConfigurationError, match="timeout must be a number of seconds"):
        RedisStore(_Slow(), timeout=timeout)


def test_a_timeout_of_an_hour_is_the_longest(tmp_path: Path) -> None:
    """An hour is taken, a second more is not."""
    SQLiteStore(tmp_path / "limits.db", timeout=3600).close()
    with pytest.raises(ConfigurationError, match="timeout must be a number of seconds"):
        SQLiteStore(tmp_path / "limits.db", timeout=3601)


def test_a_path_with_a_zero_is_no_file() -> None:
    """No system has such a file, and none is asked for it later."""
    with pytest.raises(ConfigurationError, match="path must be a file"):
        SQLiteStore("a\0b")


class _Slow:
    """A client that stands still until it is let go, and whose connections cannot be copied."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.go = threading.Event()

    def execute_command(self, *command: object) -> bytes:
        """Note what was asked, and stand still."""
        self.asked.append(command)
        self.go.wait(20.0)
        return b""


def test_what_came_too_late_is_not_done_later() -> None:
    """Of a client that stands still, only what had begun is done when it goes on."""
    client = _Slow()
    store = RedisStore(client, timeout=0.02)
    for number in range(12):
        with pytest.raises(StoreError, match="TimeoutError"):
            store.load(f"{number}")
    client.go.set()
    store._client._pool().shutdown()
    assert len(client.asked) == 4


def test_folder_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    """A path that can never open is a mistake, not a store that is down."""
    with pytest.raises(ConfigurationError, match="folder for the file does not exist"):
        SQLiteStore(tmp_path / "missing" / "limits.db")


FORKS = """
import os, sys, threading
from mailflows.limits import SQLiteStore
store = SQLiteStore(sys.argv[1], timeout=2.0)
store.swap("there", None, b"1")
is_over = threading.Event()
def write():
    while not is_over.is_set():
        store.swap("busy", store.load("busy"), os.urandom(8))
writers = [threading.Thread(target=write) for _ in range(3)]
for writer in writers:
    writer.start()
codes = []
for _ in range(8):
    if (child := os.fork()) == 0:
        os._exit(0 if store.load("there") == b"1" else 1)
    codes.append(os.waitpid(child, 0)[1])
is_over.set()
for writer in writers:
    writer.join()
print(codes)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_that_is_made_while_others_write_can_write(tmp_path: Path) -> None:
    """A process that forks while its threads use the file has children to whom it is not locked."""
    command = [sys.executable, "-W", "ignore", "-c", FORKS, str(tmp_path / "limits.db")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert found.stdout.strip() == str([0] * 8), found.stderr


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_file_that_goes_while_it_is_open(tmp_path: Path, *, is_replaced: bool) -> None:
    """What is kept after the file was deleted or replaced is in the new file, where others find it."""
    path = tmp_path / "limits.db"
    store = SQLiteStore(path)
    store.digest("ada")
    if is_replaced:
        SQLiteStore(tmp_path / "other.db").digest("ada")
        (tmp_path / "other.db").replace(path)
    else:
        path.unlink()
    store.swap(f"block:{store.digest('ada')}", None, b"for good")
    other = SQLiteStore(path)
    assert other.load(f"block:{other.digest('ada')}") == b"for good"


class _Pool(redis.ConnectionPool):
    """A pool that only its own factory can make."""

    def __init__(self, *, is_made_by_factory: bool = False, **settings: Any) -> None:
        if not is_made_by_factory:
            msg = "use the factory"
            raise ValueError(msg)
        super().__init__(**settings)


def test_a_pool_that_cannot_be_copied_is_bounded_by_a_thread(server: RedisServer) -> None:
    """Whatever a client's pool raises when it is made again, the store works."""
    client = redis.Redis(connection_pool=_Pool(is_made_by_factory=True, port=server.port))
    store = RedisStore(client)
    store.swap("a", None, b"1")
    assert store.load("a") == b"1"


def test_one_stall_counts_once() -> None:
    """Eight calls that hang in the same stall are one failure: the store is tried again after a second."""
    now = [0.0]
    breaker = Breaker("flaky", timer=lambda: now[0])
    tickets = [breaker.ticket() for _ in range(8)]
    for ticket in tickets:
        assert ticket is not None
        breaker.failed(ticket, StoreError("gone", store="flaky"))
    assert breaker.pause == 1.0
    now[0] = 1.0
    second = breaker.ticket()
    assert second is not None
    breaker.failed(second, StoreError("gone", store="flaky"))
    assert breaker.pause == 2.0


class _Failing:
    """A store that is down when it is told to be."""

    name = "failing"
    is_down = False

    def __init__(self, clock: FixedClock) -> None:
        self._store = MemoryStore(clock=clock)

    def decide(self, charges: Any, **how: Any) -> Any:
        """Fail, or answer."""
        if self.is_down:
            raise StoreError("gone", store=self.name)  # noqa: EM101
        return self._store.decide(charges, **how)


@pytest.mark.parametrize("meter", [WindowMeter("w", 40, 3600.0), GcraMeter("g", 40, 3600.0, 40)])
@pytest.mark.parametrize(("before", "during"), [(0, 10), (20, 5), (39, 1), (40, 0)])
def test_local_goes_on_from_what_was_seen_and_takes_a_quarter(meter: Any, before: int, during: int) -> None:
    """Without the store a process allows a quarter of what was left, and nothing where nothing was."""
    clock = FixedClock()
    store: Any = _Failing(clock)
    keeper = Fallback(store, on_error="local", timer=clock)
    taken = [keeper.decide([(meter, "k", 1)])[0].allowed for _ in range(before)]
    assert all(taken)
    store.is_down = True
    found = [keeper.decide([(meter, "k", 1)]) for _ in range(45)]
    assert sum(outcome.allowed for outcome, _ in found) == during
    assert all(degraded for _, degraded in found)


def test_local_gives_no_second_share_in_a_second_outage() -> None:
    """A store that comes and goes does not hand out a share each time."""
    clock = FixedClock()
    store: Any = _Failing(clock)
    keeper = Fallback(store, on_error="local", timer=clock)
    meter = WindowMeter("w", 40, 3600.0)
    allowed = []
    for _ in range(3):
        keeper.decide([(meter, "k", 1)])
        store.is_down = True
        allowed.append(sum(keeper.decide([(meter, "k", 1)])[0].allowed for _ in range(20)))
        store.is_down = False
        clock.advance(2.0)
    assert sum(allowed) <= 10


def test_local_counts_different_values_from_what_was_seen() -> None:
    """A limit on different values goes on from their number."""
    clock = FixedClock()
    store: Any = _Failing(clock)
    keeper = Fallback(store, on_error="local", timer=clock)
    meter = DistinctMeter("d", 40, 3600.0)
    keeper.decide([(meter, "k", tuple(map(str, range(32))))])
    store.is_down = True
    found = [keeper.decide([(meter, "k", (f"new {n}",))])[0].allowed for n in range(10)]
    assert sum(found) == 2


def test_a_lost_secret_is_put_back_from_its_copy(redis_client: Any, caplog: pytest.LogCaptureFixture) -> None:
    """One key that was evicted is no lost limit: old and new processes go on with the same counters."""
    with redis_client() as client:
        old = Limiter(PER_ACCOUNT, store=RedisStore(client, timeout=5.0))
        old.acquire(account="ada")
        client.delete("{mailflows}:secret")
        new = Limiter(PER_ACCOUNT, store=RedisStore(client, timeout=5.0))
        decisions = [one.acquire(account="ada") for one in (old, new, old, new)]
    assert [d.allowed for d in decisions] == [True, True, False, False]
    assert not any(d.degraded for d in decisions)
    assert "restored from its copy" in caplog.text


def test_a_secret_that_is_wholly_gone_brings_no_fresh_quota(redis_client: Any) -> None:
    """Without the secret and its copy a new process refuses, until one that knows it puts it back."""
    with redis_client() as client:
        old = Limiter(PER_ACCOUNT, store=RedisStore(client, timeout=5.0))
        old.acquire(account="ada")
        client.delete("{mailflows}:secret", "{mailflows}:secret-copy")
        new = Limiter(PER_ACCOUNT, store=RedisStore(client, timeout=5.0))
        refused = new.acquire(account="ada")
        said = old.acquire(account="ada")
        later = RedisStore(client, timeout=5.0)
        fresh = Limiter(PER_ACCOUNT, store=later)
        assert [fresh.acquire(account="ada").allowed for _ in range(3)] == [True, True, False]
    assert (refused.allowed, refused.degraded) == (False, True)
    assert (said.allowed, said.degraded) == (False, True)


def test_an_emptied_server_is_said_at_the_next_decision(redis_client: Any) -> None:
    """FLUSHALL takes every limit and block with it: a process that was there raises, and then goes on."""
    with redis_client() as client:
        store = RedisStore(client, timeout=5.0)
        store.digest("ada")
        client.flushall()
        with pytest.raises(StoreError, match="the server was emptied") as caught:
            store.load("block")
        assert caught.value.is_lost
        assert store.load("block") is None


def test_a_secret_of_your_own_cannot_be_lost(redis_client: Any) -> None:
    """With secret= an emptied server is just an empty one."""
    with redis_client() as client:
        limiter = Limiter(PER_ACCOUNT, store=RedisStore(client, timeout=5.0, secret=b"x" * 16))
        limiter.acquire(account="ada")
        client.flushall()
        assert not limiter.acquire(account="ada").degraded


def test_a_server_that_may_evict_is_warned_of(redis_client: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A policy under which limits vanish is said at the first use."""
    with redis_client() as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            RedisStore(client, timeout=5.0).digest("ada")
        finally:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "0")
    assert "maxmemory-policy is allkeys-lru" in caplog.text


@pytest.mark.parametrize(("room", "policy"), [("0", "allkeys-lru"), ("100mb", "noeviction")])
def test_a_server_that_evicts_nothing_is_not_warned_of(
    redis_client: Any, caplog: pytest.LogCaptureFixture, room: str, policy: str
) -> None:
    """Without a bound on memory, or with one and no eviction, no limit vanishes."""
    with redis_client() as client:
        client.config_set("maxmemory", room)
        client.config_set("maxmemory-policy", policy)
        try:
            RedisStore(client, timeout=5.0).digest("ada")
        finally:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "0")
    assert "maxmemory" not in caplog.text


def test_a_file_of_a_later_release_is_a_store_error(tmp_path: Path) -> None:
    """Tables that this release does not know are left alone."""
    path = tmp_path / "limits.db"
    store = SQLiteStore(path)
    store.digest("ada")
    with store._file.transaction() as cursor:
        cursor.execute("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(StoreError, match="upgrade mailflows"):
        SQLiteStore(path).load("a")


def test_a_file_that_is_only_looked_at_has_tables_of_this_release(tmp_path: Path) -> None:
    """Otherwise it is somebody else's, and is told."""
    path = tmp_path / "limits.db"
    store = SQLiteStore(path, secret=b"s" * 32)
    store.swap("a", None, b"1")
    looked_at = SQLiteStore(path, secret=b"s" * 32, read_only=True)
    assert looked_at.load("a") == b"1"
    with store._file.transaction() as cursor:
        cursor.execute("PRAGMA user_version = 99")
    looked_at.close()
    store.close()
    with pytest.raises(StoreError, match="tables have version 99"):
        SQLiteStore(path, read_only=True).load("a")


def test_a_file_that_others_keep_locked_is_busy(tmp_path: Path) -> None:
    """That is said after the time limit, and is no outage; before it, the store waits for its turn."""
    path = tmp_path / "limits.db"
    patient, hasty = SQLiteStore(path, timeout=60.0), SQLiteStore(path, timeout=0.01)
    assert patient.load("a") is hasty.load("a") is None
    done: list[bool] = []
    waiting = threading.Thread(target=lambda: done.append(patient.swap("a", None, b"1")))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreError, match="busy; other processes kept the file locked") as caught:
            hasty.swap("b", None, b"1")
        waiting.start()
        waiting.join(0.1)
        assert not done
    finally:
        other.execute("ROLLBACK")
        other.close()
    waiting.join(60.0)
    assert (caught.value.is_busy, done, patient.load("a")) == (True, [True], b"1")
    patient.close()
    hasty.close()


class _Cluster:
    """A client of a cluster, over that of one server, that notes where commands without a key go."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.sent: dict[object, set[str | None]] = {}

    def get_node_from_key(self, key: str) -> str:
        """Return the node of a key."""
        return f"the node of {key}"

    def execute_command(self, *command: Any, target_nodes: str | None = None) -> Any:
        """Note where it goes, and execute it."""
        self.sent.setdefault(command[0], set()).add(target_nodes)
        return self._client.execute_command(*command)


def test_of_a_cluster_the_node_that_has_the_keys_is_asked(redis_client: Any) -> None:
    """A command that names no key goes nowhere by itself."""
    cluster = _Cluster(redis_client())
    store = RedisStore(cluster, timeout=20.0)
    assert store.swap("a/1", None, b"1")
    assert dict(store.scan("a/")) == {"a/1": b"1"}
    for name, nodes in cluster.sent.items():
        is_addressed = all(str(node).startswith("the node of {mailflows}") for node in nodes)
        assert is_addressed if name in {"SCAN", "INFO"} else nodes == {None}
    assert cluster.sent.keys() >= {"SCAN", "INFO"}


def test_a_file_that_lost_its_secret_is_a_store_error(tmp_path: Path) -> None:
    """Counters that nobody can find are not begun anew in silence."""
    path = tmp_path / "limits.db"
    store = SQLiteStore(path)
    store.digest("ada")
    with store._file.transaction() as cursor:
        cursor.execute("DELETE FROM facts WHERE name = 'secret'")
    store.close()
    with pytest.raises(StoreError, match="secret for its hashes is gone") as caught:
        SQLiteStore(path).digest("ada")
    assert caught.value.is_lost


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_new_secret_reads_what_the_old_one_wrote(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A block that was written by the old key is found, changed and removed by who has both keys."""
    client = request.getfixturevalue("redis_client")() if kind == "redis" else None

    def opened(*secrets: bytes) -> Any:
        if client is None:
            return SQLiteStore(tmp_path / "limits.db", secret=secrets)
        return RedisStore(client, secret=secrets, timeout=5.0)

    old = opened(b"o" * 16)
    old.swap(f"block:{old.digest('ada')}", None, b"for good")
    old.swap(f"block:{old.digest('bob')}", None, b"for good")
    new = opened(b"n" * 16, b"o" * 16)
    ada, bob = f"block:{new.digest('ada')}", f"block:{new.digest('bob')}"
    assert new.load(ada) == b"for good"
    assert new.swap(ada, b"for good", b"for a day")
    assert new.swap(bob, b"for good", None)
    only_new = opened(b"n" * 16)
    assert (only_new.load(ada), only_new.load(bob)) == (b"for a day", None)
    assert [key for key, _ in only_new.scan("block:")] == [ada]
    for store in (old, new, only_new):
        store.close()
