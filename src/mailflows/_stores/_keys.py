"""Keys of the hashes that stand for people: the newest writes, older ones are read until they are dropped."""

from __future__ import annotations

import time
from hashlib import blake2b
from secrets import token_bytes
from typing import TYPE_CHECKING, Any, TypeAlias

from mailflows._stores._meter import HASH_BITS
from mailflows.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from mailflows._clock import Timer

__all__ = [
    "NOTE",
    "KeyRing",
    "Secrets",
    "Steps",
    "StoreKeys",
    "answered",
    "loading",
    "stray_mark",
    "swapping",
]

Secrets: TypeAlias = "bytes | Sequence[bytes]"
"""A secret, or several, newest first."""

# https://csrc.nist.gov/pubs/sp/800/131/a/r2/final
SHORTEST = 16
"""Bytes of a secret: 128 bits, as NIST SP 800-131A asks of a key."""

# choice: 65,536 ids, of which a ring has two or three
MARK = 4
"""Hexadecimal digits of a digest that say which key made it."""

_MASK = (1 << HASH_BITS) - 1

# by definition: 128 bits
DIGEST = 32
"""Hexadecimal digits of a digest."""

# by definition: 48 bits more, so that no two keys are taken for each other
CHECK = 12
"""Hexadecimal digits that follow the id of a key where a store notes which keys it was written with."""

NOTE = "keys"
"""The document in which a store notes the names of its keys, the writing one first; never the keys."""

# choice: one look per second costs nothing compared with the decisions
_LOOK_EVERY = 1.0
"""Seconds after which a process notices a secret that another one has changed."""

# bound: 3 MB
REMEMBERED = 16_384
"""Digests whose values under older keys are remembered; about 200 bytes each."""


class KeyRing:
    """Makes keyed hashes.

    Args:
        secrets: Secrets of at least 16 bytes, newest first.

    Raises:
        ConfigurationError: If a secret is too short to be one, or none is there.

    Example:
        >>> secrets = [b"another secret now", b"a secret of old times"]
        >>> old, new = KeyRing(secrets[1]), KeyRing(secrets)
        >>> key = f"block:{new.digest('ada@example.org')}"
        >>> new.elsewhere(key) == [f"block:{old.digest('ada@example.org')}"]
        True
    """

    def __init__(self, secrets: Secrets) -> None:
        given = [secrets] if isinstance(secrets, bytes) else list(secrets)
        if not given:
            msg = "a list of secrets needs at least one, such as secrets.token_bytes(32)"
            raise ConfigurationError(msg, field="secret")
        for one in given:
            if len(one) < SHORTEST:
                least = f"a secret has at least {SHORTEST} bytes"
                msg = f"{least}, such as secrets.token_bytes(32); got {len(one)}"
                raise ConfigurationError(msg, field="secret")
        self._use([blake2b(one, digest_size=32).digest() for one in given])

    def _use(self, keys: list[bytes]) -> None:
        self._keys = keys
        self._marks = [_of_key(key, MARK, b"key id") for key in keys]
        self._older: dict[str, tuple[str, ...]] = {}

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys, newest first; every digest begins with that of the key that made it."""
        return tuple(self._marks)

    @property
    def names(self) -> tuple[str, ...]:
        """Longer names of the keys, newest first, each after the key's id; no key can be read there."""
        return tuple(
            mark + _of_key(key, CHECK, b"key name") for mark, key in zip(self._marks, self._keys, strict=True)
        )

    def __add__(self, older: KeyRing) -> KeyRing:
        """Return a ring that has the keys of another one, too, as older ones."""
        ring = KeyRing.__new__(KeyRing)
        ring._use(list(dict.fromkeys((*self._keys, *older._keys))))
        return ring

    def hash(self, text: str, size: int) -> bytes:
        """Return a keyed hash of so many bytes, by the newest key."""
        return blake2b(text.encode("utf-8", "replace"), key=self._keys[0], digest_size=size).digest()

    def number(self, text: str) -> int:
        """Return a keyed hash as the number that distinct meters count."""
        return int.from_bytes(self.hash(text, 8), "little") & _MASK

    def digest(self, text: str) -> str:
        """Return 32 hexadecimal digits: the id of the newest key, and a keyed hash."""
        digest = self._digest(0, text)
        if len(self._keys) > 1:
            if len(self._older) >= REMEMBERED:
                self._older.pop(next(iter(self._older)), None)
            self._older[digest] = tuple(self._digest(n, text) for n in range(1, len(self._keys)))
        return digest

    def _digest(self, number: int, text: str) -> str:
        size = (DIGEST - MARK) // 2
        said = blake2b(text.encode("utf-8", "replace"), key=self._keys[number], digest_size=size)
        return self._marks[number] + said.hexdigest()

    def elsewhere(self, key: str) -> list[str]:
        """Return where a document may still be that was written by an older key."""
        parts = key.split(":")
        if not any(part in self._older for part in parts):
            return []
        return [
            ":".join(self._older[part][number] if part in self._older else part for part in parts)
            for number in range(len(self._keys) - 1)
        ]


def _of_key(key: bytes, digits: int, person: bytes) -> str:
    return blake2b(key, digest_size=digits // 2, person=person).hexdigest()


def stray_mark(keys: Iterable[str], known: Sequence[str]) -> str | None:
    """Return the ID of an unknown key that wrote one of these documents, or `None`.

    >>> stray_mark(["tally:2026", "block:aa11" + 28 * "0", "block:bb22" + 28 * "0"], ["aa11"])
    'bb22'
    """
    for key in keys:
        for part in key.split(":"):
            if len(part) == DIGEST and part[:MARK] not in known and not part.strip("0123456789abcdef"):
                return part[:MARK]
    return None


Steps: TypeAlias = "Generator[tuple[str, tuple[Any, ...]], Any, Any]"
"""What to ask a store, by verb and arguments, so that one text serves its sync and its async driver."""


def answered(steps: Steps, store: object) -> Any:
    """Do each step by the store's method of its name, and return what the steps return."""
    answer: Any = None
    while True:
        try:
            verb, arguments = steps.send(answer)
        except StopIteration as done:
            return done.value
        answer = getattr(store, f"_{verb}")(*arguments)


def loading(ring: KeyRing | None, key: str) -> Steps:
    """Load a document, from where an older key wrote it if need be."""
    found = yield "load_at", (key,)
    for place in ring.elsewhere(key) if found is None and ring is not None else ():
        found = yield "load_at", (place,)
        if found is not None:
            break
    return found


def swapping(
    ring: KeyRing | None, key: str, old: bytes | None, new: bytes | None, ttl: float | None
) -> Steps:
    """Swap a document; one that an older key wrote moves to where the newest one has it."""
    places = ring.elsewhere(key) if old is not None and ring is not None else []
    if not places or (yield "load_at", (key,)) is not None:
        return (yield "swap_at", (key, old, new, ttl))
    for place in places:
        if (yield "load_at", (place,)) == old:
            if new is not None and not (yield "swap_at", (key, None, new, ttl)):
                return False
            moved = yield "swap_at", (place, old, None, None)
            return moved or new is not None
    return False


class StoreKeys:
    """The keys that a store is read and written with, once they are known to be the right ones.

    With the wrong keys no entry would be found, and mail could be sent to everyone; so that is an error. A
    store notes the names of its keys in a document; without that note, the keys are recognised by the digests
    in its documents.

    Args:
        secret: The user's secret, if given.
        is_read_only: Whether nothing is noted, because a store that is only read adopts no secret.
        timer: Returns monotonic seconds.
    """

    def __init__(
        self, secret: Secrets | None, *, is_read_only: bool = False, timer: Timer = time.monotonic
    ) -> None:
        self.is_read_only = is_read_only
        self.own = None if secret is None else KeyRing(secret)
        self.ring: KeyRing | None = None
        self._timer = timer
        self._due = float("-inf")

    @property
    def is_due(self) -> bool:
        """Whether it is time to look at the note: before anything is looked for, and once a second."""
        return self.ring is None or self._timer() >= self._due

    def fitted(self, made: bytes | None, store: str) -> Steps:
        """Return the keys, and note them in the store.

        Args:
            made: The secret that the store made for itself, if any.
            store: Its name.

        Raises:
            StoreError: If they do not fit.
        """
        found = yield from self._found(None if made is None else KeyRing(made), store)
        if self.ring is None or self.ring.names != found.names:  # else it remembers digests
            self.ring = found
        self._due = self._timer() + _LOOK_EVERY
        return self.ring

    def _found(self, made: KeyRing | None, store: str) -> Steps:
        while True:
            note = yield "load_at", (NOTE,)
            noted = [] if note is None else bytes(note).decode("ascii", "replace").split()
            ring = self._with(made) if made and set(made.names) & set(noted) else self.own or made
            if ring is None and self.is_read_only and not noted:
                ring = KeyRing(token_bytes(32))  # nothing was ever kept there, so nobody is in it
            if ring is None or (noted and noted[0] not in ring.names):
                raise self._unfit(store)
            if not noted or not set(noted) <= set(ring.names):
                stray = yield "stray_at", (ring.ids,)
                if stray is not None and made is not None and stray in made.ids:
                    ring = self._with(made)
                    stray = yield "stray_at", (ring.ids,)
                if stray is not None:
                    raise _left_over(store) if noted else self._unfit(store)
            names = " ".join(ring.names).encode()
            if names == note or self.is_read_only or (yield "swap_at", (NOTE, note, names, None)):
                return ring

    def _with(self, made: KeyRing) -> KeyRing:
        """Return the keys of the user, and as an older one that of the store."""
        return made if self.own is None else self.own + made

    def _unfit(self, store: str) -> StoreError:
        what = "none was given" if self.own is None else "the secret given is not that one"
        msg = (
            f"{store}: it was written with another secret, and {what}; no entry in it would be found. "
            "Open it with its secret (secret=, or secret_env or secret_file in flows.toml); "
            "to rotate it, pass both, the new one first"
        )
        return StoreError(msg, store=store, is_lost=True)


def _left_over(store: str) -> StoreError:
    msg = (
        f"{store}: documents in it were written with an older secret that was not given, and would not be "
        "found; pass that one, too: secret=[new, old]"
    )
    return StoreError(msg, store=store, is_lost=True)
