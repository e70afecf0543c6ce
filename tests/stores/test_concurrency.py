"""Never one over a limit, and never a refusal because a lock was busy: threads, processes, tasks, forks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from mailflows._stores import DistinctMeter, GcraMeter, WindowMeter
from mailflows.limits import Limit, Limiter, MemoryStore, RedisStore, SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIMIT = 50
WORKERS = 8
EACH = 12
METERS = [
    WindowMeter("w", LIMIT, 3600.0),
    GcraMeter("g", LIMIT, 3600.0 * LIMIT, LIMIT),
    GcraMeter("all", 10**6, 3600.0, 10**6),
]

WORKER = """
import sys, threading, redis
from mailflows.limits import Limit, Limiter, RedisStore, SQLiteStore

kind, place, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
open_store = {
    "sqlite": lambda: SQLiteStore(place, timeout=30.0),
    "redis": lambda: RedisStore(redis.Redis(port=int(place)), timeout=30.0),
}[kind]
limiter = Limiter(Limit("20/day", per="account"), store=open_store(), on_error="deny")
print("ready", flush=True)
sys.stdin.readline()
sys.setswitchinterval(1e-6)
found = [[0, 0] for _ in range(rounds)]
lock = threading.Lock()

def work():
    for number in range(rounds):
        for _ in range(3):
            decision = limiter.acquire(account=f"round {number}")
            with lock:
                found[number][0] += bool(decision)
                found[number][1] += decision.degraded

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(found)
"""
"""4 threads with 3 attempts each: 4 such processes make 48 for a limit of 20."""


@pytest.fixture(autouse=True)
def _hectic() -> Iterator[None]:
    """Let threads change places a thousand times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(params=["memory", "sqlite", "redis"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Return each store with its own clock and plenty of time for a lock."""
    if request.param == "memory":
        yield MemoryStore()
    elif request.param == "sqlite":
        store = SQLiteStore(tmp_path / "limits.db", timeout=30.0)
        yield store
        store.close()
    else:
        with request.getfixturevalue("redis_client")() as client:
            yield RedisStore(client, timeout=30.0)


def admitted(work: Callable[[], bool]) -> int:
    """Return how many of all attempts of all threads were allowed."""
    barrier = threading.Barrier(WORKERS)

    def several(_: int) -> int:
        barrier.wait()
        return sum(work() for _ in range(EACH))

    with ThreadPoolExecutor(WORKERS) as pool:
        return sum(pool.map(several, range(WORKERS)))


ROUNDS = 100


def is_allowed(store: Any, charges: Any) -> bool:
    """Tell whether a store lets charges pass."""
    return bool(store.decide(charges).allowed)


def test_threads_admit_exactly_the_limit(shared: Any) -> None:
    """Eight threads together get exactly what the limit has, in every round."""
    found = []
    for number in range(ROUNDS):
        charges: Any = [(meter, f"round {number}", 1) for meter in METERS]
        found.append(admitted(partial(is_allowed, shared, charges)))
    assert found == [LIMIT] * len(found)


def test_threads_never_see_more_values_than_the_limit(shared: Any) -> None:
    """Eight threads with values of their own get no more different ones through than the limit."""
    meter = DistinctMeter("d", LIMIT, 3600.0)
    numbers = iter(range(10**6))
    taken = admitted(lambda: shared.decide([(meter, "k", (str(next(numbers)),))]).allowed)
    assert taken == LIMIT


def test_tasks_admit_exactly_the_limit(shared: Any) -> None:
    """Tasks of one event loop together get exactly what the limit has, in every round."""
    limiter = Limiter(Limit("50/day", per="account"), store=shared)

    async def all_at_once(account: str) -> int:
        attempts = (limiter.aacquire(account=account) for _ in range(96))
        return sum(map(bool, await asyncio.gather(*attempts)))

    async def rounds() -> list[int]:
        return [await all_at_once(f"account {number}") for number in range(ROUNDS)]

    assert asyncio.run(rounds()) == [LIMIT] * ROUNDS


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_processes_admit_exactly_the_limit(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Four processes with four threads each get exactly the limit in every round, and no lock was busy."""
    rounds = ROUNDS
    if kind == "redis":
        place = str(request.getfixturevalue("redis_server").port)
        request.getfixturevalue("redis_client")
    else:
        place = str(tmp_path / "limits.db")
    command = [sys.executable, "-c", WORKER, kind, place, str(rounds)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    found = [eval(worker.communicate(timeout=120)[0]) for worker in workers]  # noqa: S307 -- our own
    together = [[sum(rows[n][column] for rows in found) for column in (0, 1)] for n in range(rounds)]
    assert together == [[20, 0]] * rounds


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_fork_while_in_use(shared: Any) -> None:
    """A child that was forked from a process which uses the store goes on by itself."""
    meter = WindowMeter("fork", 100, 3600.0)
    with ThreadPoolExecutor(1) as pool:  # a second thread, too, has used it
        pool.submit(shared.decide, [(meter, "k", 1)]).result()
        shared.decide([(meter, "k", 1)])
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if all(shared.decide([(meter, "k", 1)]).allowed for _ in range(20)) else 2
            finally:
                os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    ((used, _, _),) = shared.decide([(meter, "k", 0)], look=True).readings()
    assert round(used) == (2 if isinstance(shared, MemoryStore) else 22)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_fork_while_a_lock_is_held() -> None:
    """A child that was forked while another thread held the lock of the memory is not locked out."""
    store = MemoryStore()
    store._lock.acquire()
    child = os.fork()
    if child == 0:
        os._exit(0 if store.decide([(METERS[0], "k", 1)]).allowed else 2)
    store._lock.release()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_child_that_closes_leaves_the_parent_alone(tmp_path: Path) -> None:
    """A forked child that closes its store closes no connection of its parent."""
    store = SQLiteStore(tmp_path / "limits.db")
    meter = WindowMeter("w", 2, 3600.0)
    store.decide([(meter, "k", 1)])
    child = os.fork()
    if child == 0:
        code = 1
        try:
            store.close()
            code = 0 if store.decide([(meter, "k", 1)]).allowed else 2
            store.close()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not store.decide([(meter, "k", 1)]).allowed
    store.close()


def test_a_process_has_one_connection(tmp_path: Path) -> None:
    """A server that starts a thread for every request keeps one file open, not one for each thread."""
    store = SQLiteStore(tmp_path / "limits.db")
    meter = GcraMeter("g", 10**6, 3600.0, 10**6)
    store.decide([(meter, "k", 1)])
    first = store._file._cursor
    for _ in range(20):
        thread = threading.Thread(target=store.decide, args=([(meter, "k", 1)],))
        thread.start()
        thread.join()
    assert store._file._cursor is first
    store.close()


def at_once(number: int, work: Callable[[], Any]) -> list[Any]:
    """Return what each of many threads found that began in the same moment."""
    barrier = threading.Barrier(number)

    def one(_: int) -> Any:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_150_threads_wait_for_their_turn(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """More threads than a pool has connections are no outage, and get no fresh quota: five, none degraded."""
    if kind == "redis":
        client = request.getfixturevalue("redis_client")()
        client.execute_command("CLIENT", "PAUSE", "60", "ALL")
        store: Any = RedisStore(client, timeout=5.0, patience=60)  # no timed test: waiting is what counts
    else:
        store = SQLiteStore(tmp_path / "limits.db", timeout=30.0)
    limiter = Limiter(Limit("5/hour", per="account"), store=store)
    found = at_once(150, lambda: limiter.acquire(account="ada"))
    assert (sum(map(bool, found)), sum(d.degraded for d in found), sum(d.busy for d in found)) == (5, 0, 0)


def test_a_thousand_tasks_wait_for_their_turn(redis_server: Any, redis_client: Any) -> None:
    """A thousand tasks of one event loop share ten connections, and none takes that for an outage."""
    import redis.asyncio

    del redis_client  # it has emptied the server

    async def attack() -> list[Any]:
        async with redis.asyncio.Redis(port=redis_server.port, max_connections=10) as client:
            limiter = Limiter(
                Limit("5/hour", per="account"), store=RedisStore(client, patience=60)
            )  # no timed test
            return await asyncio.gather(*(limiter.aacquire(account="ada") for _ in range(1000)))

    found = asyncio.run(attack())
    assert (sum(map(bool, found)), sum(d.degraded for d in found), sum(d.busy for d in found)) == (5, 0, 0)


OPENER = """
import sys
from mailflows.limits import Limit, Limiter, SQLiteStore
print("ready", flush=True)
sys.stdin.readline()
limiter = Limiter(Limit("50/hour", per="account"), store=SQLiteStore(sys.argv[1]))
found = [limiter.acquire(account="ada") for _ in range(30)]
print(sum(map(bool, found)), sum(d.degraded for d in found), sum(d.busy for d in found))
"""


def test_a_new_file_is_opened_by_eight_processes_at_once(tmp_path: Path) -> None:
    """Eight processes that race for a new file make one, and count together from the first attempt on."""
    command = [sys.executable, "-c", OPENER, str(tmp_path / "new.db")]
    openers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]
    for opener in openers:
        assert opener.stdout is not None
        opener.stdout.readline()
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("\n")
        opener.stdin.flush()
    found = [list(map(int, opener.communicate(timeout=60)[0].split())) for opener in openers]
    assert [sum(column) for column in zip(*found, strict=True)] == [50, 0, 0]


def test_a_lock_that_is_held_too_long_is_busy_and_no_outage(tmp_path: Path) -> None:
    """Who holds the file for too long makes others wait, and gives them no fresh quota."""
    path = tmp_path / "limits.db"
    limiter = Limiter(Limit("5/hour", per="account"), store=SQLiteStore(path, timeout=0.02))
    other = SQLiteStore(path)
    with other._file.transaction():
        refused = limiter.acquire(account="ada")
        allowed = Limiter(
            Limit("5/hour", per="account"), store=SQLiteStore(path, timeout=0.02), on_error="allow"
        ).acquire(account="ada")
    assert (refused.allowed, refused.busy, refused.degraded, refused.retry_after) == (False, True, False, 1.0)
    assert str(refused) == "The store of the limits is busy: try again in 1 second."
    assert (allowed.allowed, allowed.busy, allowed.degraded) == (True, True, True)
    after = limiter.acquire(account="ada")
    assert (after.remaining, after.degraded) == (4, False)


def test_tasks_of_several_event_loops_share_one_client(redis_server: Any, redis_client: Any) -> None:
    """An asyncio client that was first used in one event loop serves the next one, too."""
    import redis.asyncio

    del redis_client
    client = redis.asyncio.Redis(port=redis_server.port)
    store = RedisStore(client)
    limiter = Limiter(Limit("5/hour", per="account"), store=store)

    async def one() -> Any:
        decision = await limiter.aacquire(account="ada")
        await store.aclose()
        return decision

    async def first() -> Any:
        decision = await one()
        await client.aclose()
        return decision

    found = [asyncio.run(first()), asyncio.run(one()), asyncio.run(one())]
    assert [(d.remaining, d.degraded) for d in found] == [(4, False), (3, False), (2, False)]
