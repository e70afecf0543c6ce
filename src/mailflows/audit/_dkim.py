"""DKIM keys as they are published: tags, kind and length (RFC 6376 section 3.6.1)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

__all__ = ["DkimKey", "read_key", "read_tags"]

_MAX_KEY = 16_384
"""Characters of a record; a key of 16,384 bits has fewer than 3,000. A bound on work."""

_SEQUENCE, _INTEGER, _BIT_STRING = 0x30, 0x02, 0x03


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A published key.

    Attributes:
        problem: What is wrong with the record; empty for a key that can be used.
        kind: ``rsa``, ``ed25519`` or any other value of ``k=``.
        bits: Length of the key; 0 where there is none.
        key: The bytes of the key; empty for one that was revoked.
        is_revoked: Whether ``p=`` is empty.
        is_testing: Whether ``t=y`` asks receivers not to act on it.
        hashes: What ``h=`` allows; empty for all.
        services: What ``s=`` allows; empty for all.
    """

    problem: str
    kind: str
    bits: int
    key: bytes
    is_revoked: bool
    is_testing: bool
    hashes: tuple[str, ...]
    services: tuple[str, ...] = ()


def read_tags(text: str) -> dict[str, str]:
    """Return the tags of a tag list, names in lower case (RFC 6376 section 3.2).

    >>> read_tags("v=DKIM1; k=rsa; p=AB CD;")
    {'v': 'DKIM1', 'k': 'rsa', 'p': 'AB CD'}
    """
    pairs = (part.partition("=") for part in text.split(";") if part.strip())
    return {name.strip().lower(): content.strip() for name, _, content in pairs}


def read_key(text: str) -> DkimKey:
    """Read a key record; the result says what is wrong with it.

    >>> read_key("v=DKIM1; p=").is_revoked
    True
    """
    tags = read_tags(text[:_MAX_KEY])
    kind = tags.get("k", "rsa").lower()
    problem, bits, key = "", 0, b""
    if tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        problem = "it has no p= tag" if "p" not in tags else f"its v= tag is {tags['v'][:20]!r}, not DKIM1"
    else:
        try:
            key = base64.b64decode("".join(tags["p"].split()), validate=True)
            bits = _length(kind, key) if key else 0
        except (binascii.Error, ValueError, IndexError):
            problem = "its key cannot be read"
    return DkimKey(
        problem=problem,
        kind=kind,
        bits=bits,
        key=key,
        is_revoked=tags.get("p") == "",
        is_testing="y" in tags.get("t", "").replace(" ", "").split(":"),
        hashes=tuple(tags["h"].replace(" ", "").lower().split(":")) if tags.get("h") else (),
        services=tuple(tags["s"].replace(" ", "").lower().split(":")) if tags.get("s") else (),
    )


def _length(kind: str, key: bytes) -> int:
    if kind == "ed25519":  # RFC 8463: the bare 32 bytes
        if len(key) != 32:
            raise ValueError
        return 256
    return _rsa_bits(key)


def _rsa_bits(der: bytes) -> int:
    """Return the length of the modulus of an RSA key, as SubjectPublicKeyInfo or bare (RFC 8017)."""
    inside = _element(der, _SEQUENCE)[0]
    if inside[0] == _SEQUENCE:
        string = _element(_element(inside, _SEQUENCE)[1], _BIT_STRING)[0]
        inside = _element(string[1:], _SEQUENCE)[0]  # the first byte counts unused bits
    return int.from_bytes(_element(inside, _INTEGER)[0]).bit_length()


def _element(der: bytes, kind: int) -> tuple[bytes, bytes]:
    """Return the content of the first element, and what follows it (X.690 section 8.1)."""
    if der[0] != kind:
        raise ValueError
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start])
    if start + length > len(der):
        raise ValueError
    return der[start : start + length], der[start + length :]
