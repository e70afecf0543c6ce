"""A Redis client with bounds: it gives up on a silent server, and waits for a full pool."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import random
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from mailflows._stores import _forks
from mailflows.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from concurrent.futures import Future

__all__ = ["RedisClient"]

# bound: what is in flight
AT_ONCE = 32
"""Commands in flight at once, or fewer where the client's pool is smaller. More gain nothing, since the
server executes one after another, and would make the last of them look like a server that is slow."""

# bound: the steps of a connection that is made
TICKS = 25
"""Parts of a time limit in an event loop: enough for the steps of a connection that is made (about 20)."""

# bound: threads of a client that may hang
THREADS = 4
"""Threads that bound a client whose connections we cannot."""


class RedisClient:
    """Executes commands by a client of another library.

    Args:
        client: ``redis.Redis``, ``valkey.Valkey``, or one of their cluster, sentinel and asyncio clients.
        name: How errors call it.
        timeout: Seconds after which a server that does not answer counts as down.
        patience: Seconds to wait for a connection while others use them all.

    Attributes:
        is_async: Whether only `arun` may be used.
    """

    def __init__(self, client: Any, *, name: str, timeout: float, patience: float) -> None:
        self.is_async = inspect.iscoroutinefunction(client.execute_command)
        self._name = name
        self._timeout = timeout
        self._patience = patience
        self._client = client
        self._copy = None if self.is_async else _bounded(client, timeout)
        pool = getattr(client, "connection_pool", None)
        most = getattr(pool, "max_connections", None)
        self._at_once = max(1, min(AT_ONCE, most if isinstance(most, int) else AT_ONCE))
        if not self.is_async and self._copy is None:
            self._at_once = min(self._at_once, THREADS)
        self._lock = threading.Lock()
        self._is_lent = False  # the user's own client, to the first event loop
        self._loops: weakref.WeakKeyDictionary[Any, tuple[Any, asyncio.Semaphore]] = (
            weakref.WeakKeyDictionary()
        )
        self._after_fork()
        _forks.note(self)

    def _after_fork(self) -> None:
        """Begin with nothing in flight, and without threads, as a child does."""
        self._places = threading.Semaphore(self._at_once)
        self._threads: ThreadPoolExecutor | None = None
        self._stuck = 0

    def run(self, *command: object, at: str = "") -> Any:
        """Execute a command within the time limit.

        Args:
            command: The command and its arguments.
            at: A key; a command without one (SCAN, INFO) goes to the node of a cluster that has it.

        Raises:
            StoreError: If the server did not answer; ``is_busy`` where it was never asked, because all
                connections were in use.
        """
        if self.is_async:
            msg = "this store has an async client: use the async methods (aacquire, asending, …)"
            raise ConfigurationError(msg, field="client")
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return self._once(command, self._where(self._client, command, at), deadline)
            except StoreError:
                raise
            except Exception as problem:  # the client is of a library that we do not know
                if not _is_contention(problem):
                    raise self._failed(problem) from problem
                if time.monotonic() > deadline:
                    raise self._busy() from problem
                time.sleep(0.01 * random.random())  # noqa: S311 -- no secret

    def _once(self, command: tuple[object, ...], where: dict[str, Any], deadline: float) -> Any:
        if self._copy is None:
            return self._by_thread(command, where, deadline)
        with self._place(deadline):
            return self._copy.execute_command(*command)

    @staticmethod
    def _where(client: Any, command: tuple[object, ...], at: str) -> dict[str, Any]:
        """Return what sends a command without a key to one node of a cluster."""
        if command[0] not in {"SCAN", "INFO"} or not hasattr(client, "get_node_from_key"):
            return {}
        return {"target_nodes": client.get_node_from_key(at)}

    @contextmanager
    def _place(self, deadline: float) -> Iterator[None]:
        """Wait for one of the connections."""
        places = self._places
        if not places.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise self._busy()
        try:
            yield
        finally:
            places.release()

    def _by_thread(self, command: tuple[object, ...], where: dict[str, Any], deadline: float) -> Any:
        """Execute a command in a thread that is abandoned if it takes too long; its place stays occupied."""
        places = self._places
        if self._stuck >= self._at_once:
            msg = f"{self._name}: TimeoutError: {self._stuck} commands have not been answered yet"
            raise StoreError(msg, store=self._name)
        if not places.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise self._busy()
        answer = self._pool().submit(self._client.execute_command, *command, **where)
        answer.add_done_callback(lambda _: places.release())
        try:
            return answer.result(self._timeout)
        except TimeoutError:
            if not answer.done():
                self._leave(answer)
            raise

    def _leave(self, answer: Future[Any]) -> None:
        """Count an abandoned command until it ends."""
        self._stuck += 1

        def ended(_: Future[Any]) -> None:
            self._stuck -= 1

        answer.add_done_callback(ended)

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._at_once, thread_name_prefix="mailflows-redis")
            return self._threads

    async def arun(self, *command: object, at: str = "") -> Any:
        """Do what `run` does without blocking the event loop.

        Raises:
            StoreError: As `run`.
        """
        if not self.is_async:
            return await asyncio.to_thread(self.run, *command, at=at)
        client, places = self._of_loop()
        deadline = time.monotonic() + self._patience
        while True:
            try:
                async with self._aplace(places, deadline), _in_time(self._timeout):
                    return await client.execute_command(*command, **self._where(client, command, at))
            except StoreError:
                raise
            except Exception as problem:  # the client is of a library that we do not know
                if not _is_contention(problem):
                    raise self._failed(problem) from problem
                if time.monotonic() > deadline:
                    raise self._busy() from problem
                await asyncio.sleep(0.01 * random.random())  # noqa: S311 -- no secret

    @asynccontextmanager
    async def _aplace(self, places: asyncio.Semaphore, deadline: float) -> AsyncIterator[None]:
        if places.locked():
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    await places.acquire()
            except TimeoutError as problem:
                raise self._busy() from problem
        else:
            await places.acquire()  # at once
        try:
            yield
        finally:
            places.release()

    def _of_loop(self) -> tuple[Any, asyncio.Semaphore]:
        """Return the client of this event loop: connections of one loop cannot be used in another."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if loop not in self._loops:
                client = _copied(self._client, {}) if self._is_lent else None
                self._is_lent = True
                self._loops[loop] = client or self._client, asyncio.Semaphore(self._at_once)
            return self._loops[loop]

    def close(self) -> None:
        """Close the connections that were made here, not the user's own; the next command makes new ones."""
        if self._copy is not None:
            self._copy.connection_pool.disconnect()

    async def aclose(self) -> None:
        """Close the connections that were made for this event loop, unless they are the user's own."""
        with self._lock:
            client, _ = self._loops.pop(asyncio.get_running_loop(), (self._client, None))
        if client is not self._client:
            await client.connection_pool.disconnect()  # of a pool that was handed over, aclose() does not

    def _busy(self) -> StoreError:
        msg = f"{self._name}: busy; all connections were in use for {self._patience:g} s"
        return StoreError(msg, store=self._name, is_busy=True)

    def _failed(self, problem: Exception) -> StoreError:
        said = str(problem) or type(problem).__name__
        return StoreError(f"{self._name}: {said[:200]}", store=self._name)


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    """Time out after a period in which the event loop was actually running.

    A loop that was held up by other work has not looked for the answer yet; that time is not the server's.
    So the time is counted in ticks, and however late a tick comes, it counts as one.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        ticks: list[asyncio.TimerHandle] = []

        def tick() -> None:
            if len(ticks) > TICKS:
                limit.reschedule(loop.time())
            else:
                ticks.append(loop.call_later(seconds / TICKS, tick))

        tick()
        try:
            yield
        finally:
            ticks[-1].cancel()


def _is_contention(problem: Exception) -> bool:
    """Return whether a problem only says that all connections are in use.

    redis-py and valkey raise MaxConnectionsError, and a blocking pool a ConnectionError without another
    cause; neither has asked the server anything.
    """
    return any(kind.__name__ == "MaxConnectionsError" for kind in type(problem).__mro__)


def _bounded(client: Any, timeout: float) -> Any | None:
    """Return a client like this one whose connections give up in time, if there is one."""
    library = type(client).__module__.partition(".")[0]
    try:
        retry = importlib.import_module(f"{library}.retry").Retry
        none = importlib.import_module(f"{library}.backoff").NoBackoff
    except (ImportError, AttributeError):
        return None  # of another make: bounded by a thread
    limits = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": retry(none(), 0),
        "retry_on_error": [],
        "decode_responses": False,
    }
    return _copied(client, limits)


def _copied(client: Any, settings: dict[str, Any]) -> Any | None:
    """Return a client with connections of its own, as many as the given one may have, or `None`."""
    pool = getattr(client, "connection_pool", None)
    if pool is None:
        return None
    try:
        own = type(pool)(
            connection_class=pool.connection_class,
            max_connections=pool.max_connections,
            **(pool.connection_kwargs | settings),
        )
        return type(client)(connection_pool=own)
    except Exception:  # noqa: BLE001 -- of a library that we do not know
        return None
