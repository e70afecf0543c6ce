"""Keys of the hashes that stand for people: the newest writes, older ones are read until they are dropped."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeAlias

from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

__all__ = ["KeyRing", "Secrets", "Steps", "loading", "swapping"]

Secrets: TypeAlias = "bytes | Sequence[bytes]"
"""A secret, or several, newest first."""

# https://csrc.nist.gov/pubs/sp/800/131/a/r2/final
SHORTEST = 16
"""Bytes of a secret: 128 bits, as NIST SP 800-131A asks of a key."""

# choice: 65,536 ids, of which a ring has two or three
MARK = 4
"""Hexadecimal digits of a digest that say which key made it."""

# bound: 3 MB
REMEMBERED = 16_384
"""Digests of which is remembered what they are by older keys; about 200 bytes each."""


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
            msg = "a list of secrets has at least one, such as secrets.token_bytes(32)"
            raise ConfigurationError(msg, field="secret")
        for one in given:
            if len(one) < SHORTEST:
                least = f"a secret has at least {SHORTEST} bytes"
                msg = f"{least}, such as secrets.token_bytes(32); got {len(one)}"
                raise ConfigurationError(msg, field="secret")
        self._keys = [blake2b(one, digest_size=32).digest() for one in given]
        self._marks = [
            blake2b(key, digest_size=MARK // 2, person=b"key id").hexdigest() for key in self._keys
        ]
        self._older: dict[str, tuple[str, ...]] = {}

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys, newest first; every digest begins with that of the key that made it."""
        return tuple(self._marks)

    def hash(self, text: str, size: int) -> bytes:
        """Return a keyed hash of so many bytes, by the newest key."""
        return blake2b(text.encode("utf-8", "replace"), key=self._keys[0], digest_size=size).digest()

    def digest(self, text: str) -> str:
        """Return 32 hexadecimal digits: the id of the newest key, and a keyed hash."""
        digest, *older = (self._digest(number, text) for number in range(len(self._keys)))
        if older:
            if len(self._older) >= REMEMBERED:
                self._older.pop(next(iter(self._older)), None)
            self._older[digest] = tuple(older)
        return digest

    def _digest(self, number: int, text: str) -> str:
        size = 16 - MARK // 2
        said = blake2b(text.encode("utf-8", "replace"), key=self._keys[number], digest_size=size)
        return self._marks[number] + said.hexdigest()

    def elsewhere(self, key: str) -> list[str]:
        """Return where a document may still be that was written by an older key."""
        if not self._older:
            return []
        for part in key.split(":"):
            if part in self._older:
                return [key.replace(part, older) for older in self._older[part]]
        return []


Steps: TypeAlias = "Generator[tuple[str, tuple[Any, ...]], Any, Any]"
"""What to ask a store, by verb and arguments, so that one text serves its sync and its async driver."""


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
