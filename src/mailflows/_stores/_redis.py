"""A store in Redis or Valkey: shared by many machines."""

from __future__ import annotations

import asyncio
import math
import re
import secrets
from functools import cached_property
from hashlib import blake2b, sha1
from typing import TYPE_CHECKING, Any

from mailflows import _data
from mailflows._stores._bucket import BucketMeter
from mailflows._stores._meter import HASH_BITS, DistinctMeter, GcraMeter
from mailflows._stores._redis_client import RedisClient
from mailflows._stores._store import Outcome, hash_key, seconds_to_wait
from mailflows.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailflows._stores._store import Charge

__all__ = ["RedisStore"]

_MICRO = 1_000_000
_MASK = (1 << HASH_BITS) - 1
_GLOB = re.compile(r"[*?\[\]^\\-]")
_FOREVER = 1e300
"""What stands for «no limit on the wait», in microseconds."""


class RedisStore:
    """Counters and documents in Redis or Valkey, exact for all machines that share the server.

    All limits of a decision are one script, in one round trip, by the server's own clock. Every key has
    the same hash tag, so that the script also works on a cluster, and a time to live.

    Args:
        client: A client of your own: ``redis.Redis`` or ``valkey.Valkey``, their cluster and sentinel
            clients, or ``redis.asyncio.Redis`` for the async verbs. Of a plain client the settings of its
            connections are used, with time limits of their own.
        scope: What separates applications on one server.
        timeout: Seconds after which a server that does not answer counts as down.
        patience: Seconds to wait while all connections are in use; then a decision is refused as busy.
        secret: Key of the hashes that stand for addresses; by default one is made and kept on the server.

    Raises:
        ConfigurationError: If the client cannot execute commands.

    Example:
        >>> import redis  # doctest: +SKIP
        >>> store = RedisStore(redis.Redis())  # doctest: +SKIP
    """

    def __init__(
        self,
        client: Any,
        *,
        scope: str = "mailflows",
        timeout: float = 0.25,
        patience: float = 2.0,
        secret: bytes | None = None,
    ) -> None:
        if not callable(getattr(client, "execute_command", None)):
            msg = f"client is a Redis or Valkey client object; got {type(client).__name__}"
            raise ConfigurationError(msg, field="client")
        if not scope or any(c in "{}" or not c.isprintable() for c in scope):
            msg = f"scope is printable text without braces; got {scope!r}"
            raise ConfigurationError(msg, field="scope")
        self.name = f"Redis {scope}"
        self._client = RedisClient(
            client, name=self.name, timeout=seconds_to_wait(timeout), patience=seconds_to_wait(patience)
        )
        self.is_async = self._client.is_async
        self._learning: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self._prefix = f"{{{scope}}}:"
        self._key = None if secret is None else hash_key(secret)

    def decide(
        self,
        charges: Sequence[Charge],
        *,
        within: float = 0.0,
        lease: float | None = None,
        look: bool = False,
    ) -> Outcome:
        """See `Store.decide`."""
        self._learn_key()
        asked = self._asked(charges, "look" if look else "take", within, lease)
        return _outcome(charges, self._script(_DECIDE, *asked), lease)

    async def adecide(
        self,
        charges: Sequence[Charge],
        *,
        within: float = 0.0,
        lease: float | None = None,
        look: bool = False,
    ) -> Outcome:
        """Do what `decide` does without blocking the event loop."""
        if not self.is_async:
            return await asyncio.to_thread(self.decide, charges, within=within, lease=lease, look=look)
        await self._alearn_key()
        asked = self._asked(charges, "look" if look else "take", within, lease)
        return _outcome(charges, await self._ascript(_DECIDE, *asked), lease)

    def settle(self, outcome: Outcome, *, keep: bool) -> None:
        """See `Store.settle`."""
        if outcome.at is not None:
            self._script(_DECIDE, *self._settled(outcome, keep=keep))

    async def asettle(self, outcome: Outcome, *, keep: bool) -> None:
        """Do what `settle` does without blocking the event loop."""
        if not self.is_async:
            await asyncio.to_thread(self.settle, outcome, keep=keep)
        elif outcome.at is not None:
            await self._ascript(_DECIDE, *self._settled(outcome, keep=keep))

    def _settled(self, outcome: Outcome, *, keep: bool) -> tuple[list[str], list[object]]:
        verb = "keep" if keep else "return"
        return self._asked(outcome.charges, verb, 0.0, outcome.lease, at=outcome.at or 0.0)

    def _asked(
        self,
        charges: Sequence[Charge],
        verb: str,
        within: float,
        lease: float | None,
        *,
        at: float = 0.0,
    ) -> tuple[list[str], list[object]]:
        """Return keys and arguments of the script."""
        keys = [f"{self._prefix}clock"]
        wait = repr(min(within * _MICRO, _FOREVER))
        arguments: list[object] = [verb, wait, -1 if lease is None else repr(lease * _MICRO), repr(at)]
        for meter, key, amount in charges:
            keys.append(self._prefix + self._hash(f"{meter.id}\n{key}", 12).hex())
            span = repr(meter.span * _MICRO)
            if isinstance(meter, DistinctMeter):
                numbers = {int.from_bytes(self._hash(v, 8), "little") & _MASK for v in _values(amount)}
                sampled = [f"{n:x}" for n in numbers if n < meter.threshold]
                unsampled = int(len(sampled) < len(numbers))
                head = ["distinct", meter.capacity, span, int(meter.strict), meter.places, unsampled]
                arguments += [*head, len(sampled), *sampled]
            elif isinstance(meter, GcraMeter):
                interval = repr(meter.interval * _MICRO)
                arguments += ["gcra", meter.capacity, span, int(meter.strict), interval, amount]
            elif isinstance(meter, BucketMeter):
                width = repr(meter.width * _MICRO)
                arguments += ["bucket", meter.capacity, span, int(meter.strict), width, amount]
            else:
                arguments += ["window", meter.capacity, span, int(meter.strict), amount]
        return keys, arguments

    def _hash(self, text: str, size: int) -> bytes:
        return blake2b(text.encode("utf-8", "replace"), key=self._key or b"", digest_size=size).digest()

    # Documents.

    def digest(self, text: str) -> str:
        """See `Documents.digest`."""
        self._learn_key()
        return self._hash(text, 16).hex()

    def load(self, key: str) -> bytes | None:
        """See `Documents.load`."""
        kept = self._client.run("GET", f"{self._prefix}d:{key}")
        return None if kept is None else _bytes(kept)

    def swap(self, key: str, old: bytes | None, new: bytes | None, *, ttl: float | None = None) -> bool:
        """See `Documents.swap`."""
        life = 0 if ttl is None else max(1, math.ceil(ttl * 1000))
        stood, shall = int(old is not None), int(new is not None)
        arguments = [stood, old or b"", shall, new or b"", life]
        return bool(int(self._script(_SWAP, [f"{self._prefix}d:{key}"], arguments)))

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See `Documents.scan`; the server is walked in pieces, never held up by KEYS."""
        head = f"{self._prefix}d:"
        pattern = _GLOB.sub(r"\\\g<0>", f"{head}{prefix}") + "*"
        cursor = "0"
        seen: set[str] = set()
        while True:
            cursor, keys = self._client.run("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            for raw in keys:
                key = _bytes(raw).decode()[len(head) :]
                value = self.load(key) if key not in seen else None
                if value is not None:
                    seen.add(key)
                    yield key, value
            if int(cursor) == 0:
                return

    def _learn_key(self) -> None:
        """Read the key of the hashes from the server, or put one there."""
        if self._key is None:
            name = f"{self._prefix}secret"
            self._client.run("SET", name, secrets.token_hex(16), "NX")
            self._key = hash_key(_bytes(self._client.run("GET", name)))

    async def _alearn_key(self) -> None:
        """Do the same for an event loop: one task reads it, and the others wait for that one."""
        if self._key is not None:
            return
        if self._learning is None or self._learning[0] is not asyncio.get_running_loop():
            self._learning = asyncio.get_running_loop(), asyncio.Lock()
        async with self._learning[1]:
            await self._alearn_key_once()

    async def _alearn_key_once(self) -> None:
        if self._key is None:
            name = f"{self._prefix}secret"
            await self._client.arun("SET", name, secrets.token_hex(16), "NX")
            self._key = hash_key(_bytes(await self._client.arun("GET", name)))

    # The server.

    def _script(self, script: _Script, keys: list[str], arguments: list[object]) -> Any:
        """Run a script; a server that was restarted has forgotten it, and is told again."""
        rest = (len(keys), *keys, *arguments)
        try:
            return self._client.run("EVALSHA", script.sha, *rest)
        except StoreError as problem:
            if not _is_forgotten(problem):
                raise
            return self._client.run("EVAL", script.text, *rest)

    async def _ascript(self, script: _Script, keys: list[str], arguments: list[object]) -> Any:
        rest = (len(keys), *keys, *arguments)
        try:
            return await self._client.arun("EVALSHA", script.sha, *rest)
        except StoreError as problem:
            if not _is_forgotten(problem):
                raise
            return await self._client.arun("EVAL", script.text, *rest)

    async def aclose(self) -> None:
        """Close the connections that were made for this event loop, beside those of your own client."""
        await self._client.aclose()

    def __repr__(self) -> str:
        return f"<RedisStore {self._prefix}>"


class _Script:
    """A script that the server knows by its hash."""

    def __init__(self, path: str) -> None:
        self._path = path

    @cached_property
    def text(self) -> str:
        return _data.read(self._path)

    @cached_property
    def sha(self) -> str:
        return sha1(self.text.encode(), usedforsecurity=False).hexdigest()


_DECIDE = _Script("redis/decide.lua")
_SWAP = _Script("redis/swap.lua")


def _outcome(charges: Sequence[Charge], reply: Any, lease: float | None) -> Outcome:
    """Read the script's answer."""
    numbers = [float(word) for word in _bytes(reply).split()]
    at, now, wait = numbers[:3]
    known = [
        (used, empty_in / _MICRO, math.inf if each < 0 else each / _MICRO)
        for used, empty_in, each in zip(numbers[3::3], numbers[4::3], numbers[5::3], strict=True)
    ]
    return Outcome(
        charges,
        now / _MICRO,
        math.inf if wait < 0 else wait / _MICRO,
        at=None if at < 0 else at,  # as the server has it: a quotient would not be found again
        lease=lease,
        known=known,
    )


def _values(amount: int | tuple[str, ...]) -> tuple[str, ...]:
    return amount if isinstance(amount, tuple) else ()


def _bytes(reply: Any) -> bytes:
    return reply if isinstance(reply, bytes) else str(reply).encode()


def _is_forgotten(problem: StoreError) -> bool:
    cause = problem.__cause__
    return type(cause).__name__ == "NoScriptError" or "NOSCRIPT" in str(cause)
