"""A store in Redis or Valkey: shared by many machines."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import secrets
from functools import cached_property
from hashlib import sha1
from typing import TYPE_CHECKING, Any, TypeAlias

from mailflows import _data
from mailflows._stores._bucket import BucketMeter
from mailflows._stores._keys import NOTE, StoreKeys, loading, stray_mark, swapping
from mailflows._stores._meter import DistinctMeter, GcraMeter
from mailflows._stores._redis_client import RedisClient
from mailflows._stores._store import Outcome, seconds_to_wait
from mailflows.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator, Sequence

    from mailflows._stores._keys import KeyRing, Secrets, Steps
    from mailflows._stores._store import Charge

__all__ = ["RedisStore"]

# by definition
_MICRO = 1_000_000
_GLOB = re.compile(r"[*?\[\]^\\-]")
# bound: the largest wait that is written
_FOREVER = 1e300
"""What stands for "no limit on the wait", in microseconds."""

_EVICTION = re.compile(r"maxmemory_policy\W+([a-z-]+)")
_ROOM = re.compile(r"maxmemory'?\W+(\d+)")

_Talk: TypeAlias = "Generator[tuple[object, ...], Any, Any]"
"""A conversation with the server: commands out, replies in; one text for the sync and the async driver."""

_log = logging.getLogger("mailflows.limits")


class RedisStore:
    """Counters and documents in Redis or Valkey, exact across all machines that share the server.

    All limits of a decision are checked by one script, in one round trip, by the server's own clock. Every
    key has the same hash tag, so that the script also works on a cluster, and counters have a time to
    live.

    The server must not evict keys (``maxmemory-policy noeviction``): every evicted key is a lost limit or
    block. If it may evict keys, a warning is logged on first use.

    Args:
        client: Your client: ``redis.Redis`` or ``valkey.Valkey``, their cluster and sentinel clients, or
            ``redis.asyncio.Redis`` for the async methods. From a plain client, only the connection settings
            are used; the timeouts are those below.
        scope: A name that separates applications on one server.
        timeout: Seconds after which a server that does not answer counts as down.
        patience: Seconds to wait while all connections are in use; then a decision is refused as busy.
        secret: Key of the hashes that stand for addresses, or several, newest first: the newest writes, and
            documents of older ones are found. By default one is generated and kept on the server, and every
            decision checks that it is still there, so a flushed server is noticed.
        read_only: Whether the server is only read: no secret is created or stored, and any write raises a
            `StoreError`.

    Raises:
        ConfigurationError: If the client cannot execute commands.

    Example:
        >>> import redis  # doctest: +SKIP
        >>> store = RedisStore(redis.Redis())  # doctest: +SKIP
    """

    def __init__(  # noqa: PLR0913 -- the settings of a store
        self,
        client: Any,
        *,
        scope: str = "mailflows",
        timeout: float = 0.25,
        patience: float = 2.0,
        secret: Secrets | None = None,
        read_only: bool = False,
    ) -> None:
        if not callable(getattr(client, "execute_command", None)):
            msg = f"client must be a Redis or Valkey client object; got {type(client).__name__}"
            raise ConfigurationError(msg, field="client")
        if not scope or any(c in "{}" or not c.isprintable() for c in scope):
            msg = f"scope must be printable text without braces; got {scope!r}"
            raise ConfigurationError(msg, field="scope")
        self.name = f"Redis {scope}"
        self._client = RedisClient(
            client, name=self.name, timeout=seconds_to_wait(timeout), patience=seconds_to_wait(patience)
        )
        self.is_async = self._client.is_async
        self._prefix = f"{{{scope}}}:"
        self._keys = StoreKeys(secret, is_read_only=read_only)
        self._kept = ""  # the secret that the server has, where it is not the user's own
        self._is_ready = False
        self._learning: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    # Counters.

    def decide(
        self,
        charges: Sequence[Charge],
        *,
        within: float = 0.0,
        lease: float | None = None,
        look: bool = False,
    ) -> Outcome:
        """See `Store.decide`."""
        self._get_ready()
        reply = self._hold(self._deciding(charges, "look" if look else "take", within=within, lease=lease))
        return _outcome(charges, reply, lease)

    async def adecide(
        self,
        charges: Sequence[Charge],
        *,
        within: float = 0.0,
        lease: float | None = None,
        look: bool = False,
    ) -> Outcome:
        """Do what `decide` does without blocking the event loop."""
        await self._aget_ready()
        talk = self._deciding(charges, "look" if look else "take", within=within, lease=lease)
        return _outcome(charges, await self._ahold(talk), lease)

    def settle(self, outcome: Outcome, *, keep: bool) -> None:
        """See `Store.settle`."""
        if outcome.at is not None:
            self._get_ready()
            self._hold(self._settling(outcome, keep=keep))

    async def asettle(self, outcome: Outcome, *, keep: bool) -> None:
        """Do what `settle` does without blocking the event loop."""
        if outcome.at is not None:
            await self._aget_ready()
            await self._ahold(self._settling(outcome, keep=keep))

    def reset(self, charges: Sequence[Charge]) -> None:
        """See `Store.reset`."""
        self._get_ready()
        self._hold(self._resetting(charges))

    async def areset(self, charges: Sequence[Charge]) -> None:
        """Do what `reset` does without blocking the event loop."""
        await self._aget_ready()
        await self._ahold(self._resetting(charges))

    def _resetting(self, charges: Sequence[Charge]) -> _Talk:
        self._require_writable()
        yield ("DEL", *(self._place(meter.id, key) for meter, key, _ in charges))

    def _settling(self, outcome: Outcome, *, keep: bool) -> _Talk:
        verb = "keep" if keep else "return"
        return self._deciding(outcome.charges, verb, lease=outcome.lease, at=outcome.at or 0.0)

    def _deciding(
        self,
        charges: Sequence[Charge],
        verb: str,
        *,
        within: float = 0.0,
        lease: float | None = None,
        at: float = 0.0,
    ) -> _Talk:
        """Ask the script; where the server has lost the secret, find out what is left of it."""
        self._require_writable()  # also to look: the script keeps the time
        for _ in range(2):
            asked = self._asked(charges, verb, within, lease, at)
            try:
                return (yield from _running(_DECIDE, *asked))
            except StoreError as problem:
                if "SECRETLOST" not in str(problem.__cause__):
                    raise
                yield from self._learning_again()
        raise self._lost()

    def _asked(
        self, charges: Sequence[Charge], verb: str, within: float, lease: float | None, at: float
    ) -> tuple[list[str], list[object]]:
        """Return keys and arguments of the script."""
        keys = [f"{self._prefix}clock", f"{self._prefix}secret"]
        wait = repr(min(within * _MICRO, _FOREVER))
        life = -1 if lease is None else repr(lease * _MICRO)
        arguments: list[object] = [verb, wait, life, repr(at), self._kept]
        for meter, key, amount in charges:
            keys.append(self._place(meter.id, key))
            span = repr(meter.span * _MICRO)
            if isinstance(meter, DistinctMeter):
                numbers = {self._ring.number(value) for value in _values(amount)}
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

    def _place(self, meter_id: str, key: str) -> str:
        return self._prefix + self._ring.hash(f"{meter_id}\n{key}", 12).hex()

    @property
    def _ring(self) -> KeyRing:
        if self._keys.ring is None:
            raise self._lost()
        return self._keys.ring

    # Documents.

    def digest(self, text: str) -> str:
        """See `Documents.digest`."""
        self._get_ready()
        return self._ring.digest(text)

    async def adigest(self, text: str) -> str:
        """Do what `digest` does without blocking the event loop."""
        await self._aget_ready()
        return self._ring.digest(text)

    def load(self, key: str) -> bytes | None:
        """See `Documents.load`."""
        self._get_ready()
        return self._hold(self._talking(loading(self._ring, key)))  # type: ignore[no-any-return]

    async def aload(self, key: str) -> bytes | None:
        """Do what `load` does without blocking the event loop."""
        await self._aget_ready()
        return await self._ahold(self._talking(loading(self._ring, key)))  # type: ignore[no-any-return]

    def swap(self, key: str, old: bytes | None, new: bytes | None, *, ttl: float | None = None) -> bool:
        """See `Documents.swap`."""
        self._get_ready()
        return bool(self._hold(self._talking(swapping(self._ring, key, old, new, ttl))))

    async def aswap(
        self, key: str, old: bytes | None, new: bytes | None, *, ttl: float | None = None
    ) -> bool:
        """Do what `swap` does without blocking the event loop."""
        await self._aget_ready()
        return bool(await self._ahold(self._talking(swapping(self._ring, key, old, new, ttl))))

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See `Documents.scan`; the server is walked in pieces, never held up by KEYS."""
        self._get_ready()
        cursor: str | None = "0"
        seen: set[str] = set()
        while cursor is not None:
            cursor, found = self._hold(self._scanning(prefix, cursor, seen))
            yield from found

    async def ascan(self, prefix: str) -> AsyncIterator[tuple[str, bytes]]:
        """Do what `scan` does without blocking the event loop."""
        await self._aget_ready()
        cursor: str | None = "0"
        seen: set[str] = set()
        while cursor is not None:
            cursor, found = await self._ahold(self._scanning(prefix, cursor, seen))
            for each in found:
                yield each

    def _scanning(self, prefix: str, cursor: str, seen: set[str]) -> _Talk:
        """Return the next piece of a walk, and where it goes on."""
        after, keys = yield from self._keys_at(prefix, cursor)
        found = []
        for key in keys:
            value = None if key in seen or key == NOTE else (yield ("GET", f"{self._prefix}d:{key}"))
            if value is not None:
                seen.add(key)
                found.append((key, _bytes(value)))
        return after, found

    def _keys_at(self, prefix: str, cursor: str) -> _Talk:
        """Return where a walk goes on, and the keys of the documents in one piece of it."""
        head = f"{self._prefix}d:"
        pattern = _GLOB.sub(r"\\\g<0>", f"{head}{prefix}") + "*"
        after, places = yield ("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
        keys = [_bytes(raw).decode()[len(head) :] for raw in places]
        return (None if int(after) == 0 else str(int(after))), keys

    def _stray_at(self, known: Sequence[str]) -> _Talk:
        cursor: str | None = "0"
        stray = None
        while cursor is not None and stray is None:
            cursor, keys = yield from self._keys_at("", cursor)
            stray = stray_mark(keys, known)
        return stray

    def _talking(self, steps: Steps) -> _Talk:
        """Turn what is asked of documents into commands."""
        answer = None
        while True:
            try:
                verb, arguments = steps.send(answer)
            except StopIteration as done:
                return done.value
            answer = yield from getattr(self, f"_{verb}")(*arguments)

    def _load_at(self, key: str) -> _Talk:
        """Load one document, and check in the same step that the secret is still there."""
        place = f"{self._prefix}d:{key}"
        if self._keys.own is not None or self._keys.is_read_only:
            kept = yield ("GET", place)
        else:
            kept, secret = yield ("MGET", place, f"{self._prefix}secret")
            if secret is None or _bytes(secret).decode() != self._kept:
                yield from self._learning_again()
        return None if kept is None else _bytes(kept)

    def _swap_at(self, key: str, old: bytes | None, new: bytes | None, ttl: float | None) -> _Talk:
        self._require_writable()
        life = 0 if ttl is None else max(1, math.ceil(ttl * 1000))
        arguments = [int(old is not None), old or b"", int(new is not None), new or b"", life]
        return bool(int((yield from _running(_SWAP, [f"{self._prefix}d:{key}"], arguments))))

    # The secret.

    def _get_ready(self) -> None:
        """Learn the keys before anything is decided, and see whether the server may evict."""
        if not self._is_ready or self._keys.is_due:  # threads that begin together all ask, and learn the same
            self._hold(self._getting_ready())

    async def _aget_ready(self) -> None:
        """Do the same for an event loop: one task asks, and the others wait for it."""
        if self._is_ready and not self._keys.is_due:
            return
        loop = asyncio.get_running_loop()
        if self._learning is None or self._learning[0] is not loop:
            self._learning = loop, asyncio.Lock()
        async with self._learning[1]:
            if not self._is_ready or self._keys.is_due:
                await self._ahold(self._getting_ready())

    def _getting_ready(self) -> _Talk:
        if self._keys.own is None and not self._keys.is_read_only:
            if not self._kept:
                yield from self._learning_secret()
            made: bytes | None = self._kept.encode()
        else:
            kept = yield ("GET", f"{self._prefix}secret")
            made = None if kept is None else _bytes(kept)
        yield from self._talking(self._keys.fitted(made, self.name))
        if not self._is_ready:
            yield from self._warning_of_eviction()
            self._is_ready = True

    def _warning_of_eviction(self) -> _Talk:
        """Warn if the server may evict keys."""
        try:
            memory = str((yield ("INFO", "memory")))
        except StoreError:  # the user of the connection may not ask
            memory = ""
        policy, room = _EVICTION.search(memory), _ROOM.search(memory)
        if policy and policy[1] != "noeviction" and (room is None or int(room[1]) > 0):
            _log.warning(
                "%s: maxmemory-policy is %s: the server may drop limits and blocks; set noeviction",
                self.name,
                policy[1],
            )

    def _learning_secret(self) -> _Talk:
        """Read the secret, or put one there; return what had become of it."""
        names = [f"{self._prefix}{name}" for name in ("secret", "secret-copy", "clock")]
        reply = yield from _running(_LEARN, names, [secrets.token_hex(16), self._kept])
        state, _, kept = _bytes(reply).decode().partition(" ")
        if state == "lost":
            raise self._lost()
        if kept != self._kept:
            self._kept, self._keys.ring = kept, None
        return state

    def _learning_again(self) -> _Talk:
        """Go on where the copy is there; else say that what the server held is lost."""
        known = self._kept
        state = yield from self._learning_secret()
        if state in {"healed", "kept"} and known == self._kept:
            _log.warning("%s: the secret was missing, and was restored from its copy", self.name)
            return
        raise self._lost()

    def _require_writable(self) -> None:
        if self._keys.is_read_only:
            msg = f"{self.name}: it was opened read-only (read_only=True)"
            raise StoreError(msg, store=self.name)

    def _lost(self) -> StoreError:
        msg = (
            f"{self.name}: the secret for its hashes is gone, and with it the limits and blocks; the server "
            "was emptied, or evicts keys (set maxmemory-policy noeviction); to keep the secret elsewhere, "
            "pass it as secret="
        )
        return StoreError(msg, store=self.name, is_lost=True)

    # The server.

    def _hold(self, talk: _Talk) -> Any:
        """Hold a conversation."""
        answer: Any = None
        problem: StoreError | None = None
        while True:
            try:
                command = talk.send(answer) if problem is None else talk.throw(problem)
            except StopIteration as done:
                return done.value
            try:
                answer, problem = self._client.run(*command, at=self._prefix), None
            except StoreError as found:
                problem = found

    async def _ahold(self, talk: _Talk) -> Any:
        """Do the same for an event loop."""
        answer: Any = None
        problem: StoreError | None = None
        while True:
            try:
                command = talk.send(answer) if problem is None else talk.throw(problem)
            except StopIteration as done:
                return done.value
            try:
                answer, problem = await self._client.arun(*command, at=self._prefix), None
            except StoreError as found:
                problem = found

    def close(self) -> None:
        """Close the connections of this process; those of your own client stay as they are."""
        self._client.close()

    async def aclose(self) -> None:
        """Close the connections that were made for this event loop; those of your own client stay open."""
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
_LEARN = _Script("redis/learn.lua")
_SWAP = _Script("redis/swap.lua")


def _running(script: _Script, keys: Sequence[str], arguments: Sequence[object]) -> _Talk:
    """Run a script, and load it again if a restarted server no longer has it."""
    rest = (len(keys), *keys, *arguments)
    try:
        return (yield ("EVALSHA", script.sha, *rest))
    except StoreError as problem:
        cause = problem.__cause__
        if type(cause).__name__ != "NoScriptError" and "NOSCRIPT" not in str(cause):
            raise
    return (yield ("EVAL", script.text, *rest))


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
