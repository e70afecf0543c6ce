"""Signed tokens: what we wrote into a message is recognised when it comes back.

A token says what it is for, when it was made, until when it holds, and a few short fields. It is signed with
HMAC-SHA-256 (RFC 2104), of which 128 bits are kept, the least that RFC 2104 section 5 allows for it.
Nothing in it is secret, so nothing in it may be an address.

The layout, before it is written as text::

    1 byte   version (upper half) and purpose (lower half)
    1 byte   id of the key: a hash of it, so that of many old keys the right one is asked
    4 bytes  issued: seconds since 2020-01-01 UTC
    2 bytes  lifetime: hours, 0 for "always"
    n bytes  fields, each with its length in front
    16 bytes signature over all of that

The purpose chooses the key that signs, too: a token for one purpose is a forgery for every other.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import math
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from mailflows._clock import to_datetime
from mailflows._result import number_of
from mailflows.errors import ConfigurationError, TokenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailflows._clock import Clock

__all__ = ["LOCAL_ROOM", "MAX_LOCAL", "MAX_URL", "Purpose", "Signer", "Token", "text_of"]

VERSION = 1  # choice: the first layout, above
MAX_URL = 4096  # bound: twice what a tracked target may have, in base64
"""Characters of a token in a URL; a longer one is not looked at."""

MAX_LOCAL = 64
"""Octets of the local part of an address (RFC 5321 section 4.5.3.1.1)."""

_SIGNATURE = 16  # RFC 2104 section 5: half of the digest at least
_HEAD = 8  # choice: the layout above, octets in front of the fields
LOCAL_ROOM = MAX_LOCAL * 5 // 8 - _HEAD - _SIGNATURE
"""Bytes that the fields of a token in a local part may take, their lengths included."""

_MIN_KEY = 16  # RFC 2104 section 3: a key shorter than the tag weakens it
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_HOUR = 3600.0
_MAX_LIFETIME = 65535 * _HOUR
_URL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_LOCAL = re.compile(r"[a-z2-7]+", re.ASCII)
_HEX = re.compile(r"[0-9a-f]+", re.ASCII)


class Purpose(StrEnum):
    """The purpose of a token; it is invalid for any other."""

    OPEN = "open"
    CLICK = "click"
    UNSUBSCRIBE = "unsubscribe"
    BOUNCE = "bounce"


_PURPOSES = tuple(Purpose)


@dataclass(frozen=True, slots=True)
class Token:
    """The content of a signed token.

    Attributes:
        purpose: What it is valid for.
        fields: The texts that it carries.
        issued: When it was made, in UTC, to the second.
        expires: When it expires, in UTC; `None` for never.
        key_id: Which key signed it, in hexadecimal: once an old key's ID no longer comes back, you can remove
            it.
    """

    purpose: Purpose
    fields: tuple[str, ...]
    issued: datetime
    expires: datetime | None
    key_id: str


class Signer:
    """Makes signed tokens, and verifies those that come back.

    Args:
        keys: Secrets of at least 16 bytes, such as ``secrets.token_bytes(32)``. The first one signs; the
            others are older, and still accepted until you remove them.
        clock: Returns the present moment in Unix seconds.

    Raises:
        ConfigurationError: If there is no key, or one is too short.

    Example:
        >>> signer = Signer([b"a secret of thirty-two bytes ...."])
        >>> text = signer.to_url(Purpose.UNSUBSCRIBE, "spring", "42")
        >>> signer.from_url(text, Purpose.UNSUBSCRIBE).fields
        ('spring', '42')
        >>> signer.from_url(text, Purpose.CLICK)
        Traceback (most recent call last):
        mailflows.errors.TokenError: this token is for 'unsubscribe', not for 'click'
    """

    __slots__ = ("_clock", "_keys")

    def __init__(self, keys: Iterable[bytes], *, clock: Clock = time.time) -> None:
        self._keys = tuple(_Key.of(_checked(key)) for key in _several(keys))
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Signer with {number_of(len(self._keys), 'key')}>"

    def to_url(self, purpose: Purpose, *fields: str, lifetime: float | None = None) -> str:
        """Return a token as base64url without padding (RFC 4648 section 5).

        Args:
            purpose: What it is valid for.
            fields: The texts to carry; never an address, because anyone can read them.
            lifetime: Seconds until it expires, rounded up to whole hours; `None` for never.

        Raises:
            ConfigurationError: If the fields are too long or not text, the lifetime is not positive, or the
                clock is before 2020.
        """
        text = _to_base64(self._sign(purpose, fields, lifetime))
        if len(text) > MAX_URL:
            msg = (
                f"the token would have {len(text)} characters, but at most {MAX_URL} fit; shorten the fields"
            )
            raise ConfigurationError(msg, field="fields")
        return text

    def to_local(self, purpose: Purpose, *fields: str, lifetime: float | None = None) -> str:
        """Return a token as lower-case base32 (RFC 4648 section 6), for the local part of an address.

        Mail systems may change the case of a local part, so case carries no meaning: `from_local` reads any.

        Args:
            purpose: What it is valid for.
            fields: The texts to carry. Together they take at most `LOCAL_ROOM` bytes: one for each field, one
                for each character, half a byte for each digit of a decimal or lower-case hexadecimal number.
            lifetime: Seconds until it expires, rounded up to whole hours; `None` for never.

        Raises:
            ConfigurationError: If it would be longer than 64 octets, the lifetime is not positive, or as
                `to_url`.

        Example:
            >>> Signer([bytes(16)]).to_local(Purpose.BOUNCE, "42", "10017").isalnum()
            True
        """
        raw = self._sign(purpose, fields, lifetime)
        if (spare := LOCAL_ROOM - (len(raw) - _HEAD - _SIGNATURE)) < 0:
            msg = (
                f"these fields are {number_of(-spare, 'byte')} too long for the local part of an address; "
                "shorten the ids, or use numbers, which take half the space"
            )
            raise ConfigurationError(msg, field="fields")
        return _to_base32(raw)

    def from_url(self, text: str, purpose: Purpose, *, late: bool = False) -> Token:
        """Read a token that `to_url` made.

        Args:
            text: The token.
            purpose: What it must be good for.
            late: Whether it may have expired.

        Raises:
            TokenError: If it is not ours, is for another purpose, or has expired; see its ``reason``.
        """
        text = text_of(text)
        if len(text) > MAX_URL or not _URL.fullmatch(text):
            raise _malformed()
        return self._verify(_raw(text, _from_base64, _to_base64), purpose, late=late)

    def from_local(self, text: str, purpose: Purpose, *, late: bool = False) -> Token:
        """Read a token that `to_local` made, in any case.

        Args:
            text: The token.
            purpose: What it must be good for.
            late: Whether it may have expired.

        Raises:
            TokenError: If it is not ours, is for another purpose, or has expired; see its ``reason``.
        """
        text = text_of(text)
        text = text.lower() if text.isascii() else ""  # the Kelvin sign becomes a "k"
        if len(text) > MAX_LOCAL or not _LOCAL.fullmatch(text):
            raise _malformed()
        return self._verify(_raw(text, _from_base32, _to_base32), purpose, late=late)

    def _sign(self, purpose: Purpose, fields: tuple[str, ...], lifetime: float | None) -> bytes:
        """Return the bytes of a token."""
        issued = _stamp(to_datetime(self._clock()))
        kind = VERSION << 4 | _PURPOSES.index(purpose)
        key = self._keys[0]
        head = bytes((kind, key.number)) + issued.to_bytes(4, "big") + _hours(lifetime).to_bytes(2, "big")
        body = head + b"".join(map(_packed, fields))
        return body + _signature(key.secrets[purpose], body)

    def _verify(self, raw: bytes, purpose: Purpose, *, late: bool) -> Token:
        """Return what a token says once its signature, its purpose and its time are right."""
        if len(raw) < _HEAD + _SIGNATURE:
            raise _malformed()
        version, number = divmod(raw[0], 16)
        if version != VERSION:
            msg = f"this token is of version {version}; only version {VERSION} is supported"
            raise TokenError(msg, reason="version")
        if number >= len(_PURPOSES):
            raise _malformed()
        found = _PURPOSES[number]
        body, signature = raw[:-_SIGNATURE], raw[-_SIGNATURE:]
        keys = (key for key in self._keys if key.number == raw[1])
        if not any(hmac.compare_digest(_signature(key.secrets[found], body), signature) for key in keys):
            msg = "this token was not signed with any of these keys; after a rotation, keep the old key, too"
            raise TokenError(msg, reason="signature")
        if found != purpose:
            msg = f"this token is for '{found}', not for '{purpose}'"
            raise TokenError(msg, reason="purpose")
        token = Token(found, _unpacked(body[_HEAD:]), *_times(body), key_id=f"{raw[1]:02x}")
        return token if late else self._in_time(token)

    def _in_time(self, token: Token) -> Token:
        """Return a token that has not expired."""
        if token.expires is not None and self._clock() >= token.expires.timestamp():
            msg = f"this token expired on {token.expires:%Y-%m-%d at %H:%M} UTC"
            raise TokenError(msg, reason="expired")
        return token


def text_of(value: object) -> str:
    """Return text as a token; for anything but text, such as a missing parameter, an empty one."""
    return value if isinstance(value, str) else ""


def _several(keys: object) -> tuple[object, ...]:
    """Refuse an empty list, and one key in the place of a list."""
    if isinstance(keys, bytes | str) or not isinstance(keys, Iterable) or not (found := tuple(keys)):
        msg = "pass a list of secret keys, newest first, such as [secrets.token_bytes(32)]"
        raise ConfigurationError(msg, field="keys")
    return found


def _checked(key: object) -> bytes:
    """Return a key that is worth the name; the error does not repeat it."""
    if not isinstance(key, bytes) or len(key) < _MIN_KEY:
        found = f"{len(key)} bytes" if isinstance(key, bytes) else type(key).__name__
        msg = (
            f"a key needs at least {_MIN_KEY} random bytes, but this is {found}; use secrets.token_bytes(32)"
        )
        raise ConfigurationError(msg, field="keys")
    return key


@dataclass(frozen=True, slots=True, repr=False)
class _Key:
    """One key of the user.

    Attributes:
        number: Its id in tokens; two may have the same, then both are tried.
        secrets: A key for each purpose, so that none can stand in for another.
    """

    number: int
    secrets: dict[Purpose, bytes]

    @classmethod
    def of(cls, key: bytes) -> _Key:
        """Return what is derived from a key."""
        secrets = {
            p: hmac.digest(key, f"mailflows token {VERSION} {p}".encode(), hashlib.sha256) for p in Purpose
        }
        return cls(hmac.digest(key, b"mailflows key id", hashlib.sha256)[0], secrets)


def _signature(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, hashlib.sha256)[:_SIGNATURE]


def _stamp(moment: datetime) -> int:
    """Return a moment as it is written; a machine that does not know the time has one before 2020."""
    seconds = int((moment - _EPOCH).total_seconds())
    if not 0 <= seconds < 1 << 32:
        msg = f"tokens are made from 2020 to 2156, but the clock says {moment:%Y-%m-%d}; set the clock"
        raise ConfigurationError(msg, field="clock")
    return seconds


def _hours(lifetime: object) -> int:
    """Return a lifetime in whole hours, none of them lost; 0 for always."""
    if lifetime is None:
        return 0
    if not isinstance(lifetime, int | float) or not 0 < lifetime <= _MAX_LIFETIME:
        msg = (
            f"lifetime must be above 0 and at most {_MAX_LIFETIME:.0f} seconds, or None for no expiry; "
            f"got {lifetime!r}"
        )
        raise ConfigurationError(msg, field="lifetime")
    return math.ceil(lifetime / _HOUR)


def _times(body: bytes) -> tuple[datetime, datetime | None]:
    """Return when a token was issued, and when it expires."""
    issued = _EPOCH + timedelta(seconds=int.from_bytes(body[2:6], "big"))
    hours = int.from_bytes(body[6:8], "big")
    return issued, issued + timedelta(hours=hours) if hours else None


def _packed(text: object) -> bytes:
    """Write a field: three times its length in bytes, plus how it is written, and its bytes.

    Numbers, decimal or hexadecimal, take half the room: VERP has little of it.
    """
    if not isinstance(text, str):
        msg = f"a field must be text, such as '42'; got {type(text).__name__}"
        raise ConfigurationError(msg, field="fields")
    if _HEX.fullmatch(text):
        is_odd = len(text) % 2
        data, kind = bytes.fromhex("0" * is_odd + text), 1 + is_odd
    else:
        data, kind = _encoded(text), 0
    return _varint(len(data) * 3 + kind) + data


def _encoded(text: str) -> bytes:
    """Return text in UTF-8; half a character, as damaged JSON has it, cannot be written."""
    try:
        return text.encode()
    except UnicodeEncodeError as problem:
        msg = f"a field must be text in Unicode; character {problem.start} is a lone surrogate"
        raise ConfigurationError(msg, field="fields") from None


def _unpacked(data: bytes) -> tuple[str, ...]:
    """Read fields; they are signed, so they are as `_packed` wrote them."""
    fields = []
    while data:
        number, data = _varint_of(data)
        size, kind = divmod(number, 3)
        piece, data = data[:size], data[size:]
        fields.append(piece.hex()[kind - 1 :] if kind else piece.decode())
    return tuple(fields)


def _varint(number: int) -> bytes:
    """Write a number in groups of seven bits, the lowest first."""
    pieces = bytearray()
    while number > 127:
        pieces.append(number & 127 | 128)
        number >>= 7
    return bytes((*pieces, number))


def _varint_of(data: bytes) -> tuple[int, bytes]:
    """Read a number in groups of seven bits, and return what is behind it."""
    number = shift = 0
    for position, byte in enumerate(data, 1):
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, data[position:]
    raise _malformed()


def _raw(text: str, decode: Callable[[str], bytes], encode: Callable[[bytes], str]) -> bytes:
    """Undo a writing that has exactly one text for each token."""
    try:
        raw = decode(text)
    except ValueError as problem:
        raise _malformed() from problem
    if encode(raw) != text:  # the last character has bits to spare
        raise _malformed()
    return raw


def _malformed() -> TokenError:
    """Return the error for what was never a token; it does not repeat what came, which may be anything."""
    return TokenError(
        "this is not a valid token: it was truncated, changed, or made with another key", reason="malformed"
    )


def _to_base64(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).decode().rstrip("=").replace("+", "-").replace("/", "_")


def _from_base64(text: str) -> bytes:
    text = text.replace("-", "+").replace("_", "/")
    return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)


def _to_base32(raw: bytes) -> str:
    from base64 import b32encode  # noqa: PLC0415 -- for bounces only

    return b32encode(raw).decode().rstrip("=").lower()


def _from_base32(text: str) -> bytes:
    from base64 import b32decode  # noqa: PLC0415 -- for bounces only

    return b32decode(text.upper() + "=" * (-len(text) % 8))
