"""What all tests share: one repeatable profile for properties, the project's place, a Redis server."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from hypothesis import HealthCheck, settings

from redis_server import RedisServer, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The same examples on every run: a test that fails once in a while teaches people to run it again.
settings.register_profile(
    "mailflows",
    derandomize=True,
    deadline=None,
    max_examples=int(os.environ.get("MAILFLOWS_EXAMPLES", "200")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("mailflows")


collect_ignore = ["django_office.py"]
"""Programs that tests start, with arguments."""


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the project."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Return a real server that all tests share; skip where there is none."""
    with RedisServer(wanted()) as server:
        yield server


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[Callable[..., Any]]:
    """Yield a function that opens a client of the emptied server, which is emptied again after that."""
    with redis_server.client() as client:
        client.flushall()
        yield redis_server.client
        with suppress(redis.RedisError):  # a test may have broken it
            client.flushall()
