"""What is Redis' own: one round trip, keys that go, clients of several kinds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import redis.asyncio

from mailflows.errors import ConfigurationError
from mailflows.feedback import SuppressionList
from mailflows.limits import Limit, Limiter, RedisStore
from mailflows.senders import SenderControl

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = (
    Limit("3/hour", per="recipient"),
    Limit("100/hour", per="account"),
    Limit("20 distinct/day", per="account", of="recipient"),
)


def test_every_key_goes_by_itself_and_has_one_hash_tag(redis_client: Callable[[], Any]) -> None:
    """All keys but the secret and its note have a time to live, and all lie in one slot of a cluster."""
    with redis_client() as client:
        limiter = Limiter(*LIMITS, store=RedisStore(client, scope="shop"))
        limiter.acquire(to="hypatia@example.org", account="charles")
        keys = list(client.scan_iter())
        assert len(keys) == 7
        assert all(key.startswith(b"{shop}:") for key in keys)
        lasting = {key for key in keys if client.pttl(key) < 0}
        assert lasting == {b"{shop}:secret", b"{shop}:secret-copy", b"{shop}:d:keys"}


def test_no_key_or_value_names_anybody(redis_client: Callable[[], Any]) -> None:
    """Whoever reads the server finds no address and no account; a suppression keeps the domain."""
    with redis_client() as client:
        store = RedisStore(client)
        Limiter(*LIMITS, store=store).acquire(to="hypatia@example.org", account="charles")
        SuppressionList(store).add("hypatia@example.org", reason="mailbox-unknown")
        SenderControl(store).acquire("charles", to="hypatia@example.org")
        kept = b"".join(client.dump(key) + key for key in client.scan_iter())
    assert kept
    assert [name for name in (b"hypatia", b"ypatia@", b"charles") if name in kept] == []


def test_a_client_that_decodes_is_understood(redis_client: Callable[..., Any]) -> None:
    """A client that was made to return text decides the same."""
    with redis_client(decode_responses=True) as client:
        limiter = Limiter(Limit("2/hour", per="account"), store=RedisStore(client), on_error="deny")
        assert [bool(limiter.acquire(account="ada")) for _ in range(3)] == [True, True, False]


def test_an_async_client_serves_the_async_verbs(redis_client: Callable[[], Any]) -> None:
    """With a client of asyncio the async verbs decide, and the others say what to use."""
    with redis_client() as client:
        port = client.connection_pool.connection_kwargs["port"]

    async def several() -> list[bool]:
        own = redis.asyncio.Redis(host="127.0.0.1", port=port)
        limiter = Limiter(Limit("2/hour", per="account"), store=RedisStore(own), on_error="deny")
        with pytest.raises(ConfigurationError, match="async methods"):
            limiter.acquire(account="ada")
        try:
            async with limiter.asending(account="ada") as first:
                pass
            rest = [await limiter.aacquire(account="ada") for _ in range(2)]
        finally:
            await own.aclose()
        return [bool(first), *map(bool, rest)]

    assert asyncio.run(several()) == [True, True, False]


class _Noting(redis.asyncio.Redis):
    """A client that notes what it was told."""

    told: ClassVar[list[Any]] = []

    async def execute_command(self, *command: Any, **how: Any) -> Any:
        """Note a command, and execute it."""
        self.told.append(command[0])
        return await super().execute_command(*command, **how)  # type: ignore[no-untyped-call]


def test_tasks_that_begin_together_learn_the_secret_once(redis_client: Callable[[], Any]) -> None:
    """One asks, and the others wait for it; in another event loop as well."""
    with redis_client() as client:
        port = client.connection_pool.connection_kwargs["port"]

        async def loads(number: int) -> int:
            client.flushall()
            _Noting.told.clear()
            async with _Noting(host="127.0.0.1", port=port) as own:
                store = RedisStore(own, timeout=20.0)
                assert await asyncio.gather(*(store.aload("a") for _ in range(number))) == [None] * number
            return len(_Noting.told) - number

        assert asyncio.run(loads(1)) == asyncio.run(loads(10)) > 0


def test_suppressions_live_in_redis(redis_client: Callable[[], Any]) -> None:
    """A suppression list works in Redis as it does elsewhere: added, found, listed, removed."""
    with redis_client() as client:
        suppressions = SuppressionList(RedisStore(client))
        suppressions.add("ada@example.org", reason="mailbox-unknown")
        assert suppressions.is_suppressed("ADA@example.org")
        assert [entry.reason for entry in suppressions] == ["mailbox-unknown"]
        suppressions.remove("ada@example.org")
        assert not suppressions.is_suppressed("ada@example.org")
