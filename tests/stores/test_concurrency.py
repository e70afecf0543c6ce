"""Never one over a limit, and never a refusal because a lock was busy: threads, processes, tasks, forks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
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


def test_threads_admit_exactly_the_limit(shared: Any) -> None:
    """Eight threads together get exactly what the limit has, in every round."""
    found = []
    for number in range(ROUNDS):
        charges: Any = [(meter, f"round {number}", 1) for meter in METERS]
        found.append(admitted(lambda charges=charges: shared.decide(charges).allowed))
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


def test_threads_that_end_leave_no_connection(tmp_path: Path) -> None:
    """A server that starts a thread for every request keeps no file open for those that ended."""
    store = SQLiteStore(tmp_path / "limits.db")
    meter = GcraMeter("g", 10**6, 3600.0, 10**6)
    for _ in range(50):
        thread = threading.Thread(target=store.decide, args=([(meter, "k", 1)],))
        thread.start()
        thread.join()
    assert len(store._file._opened) <= 1
    store.close()
