"""Signed envelope senders that identify mailing and recipient (VERP)."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mailflows._result import number_of
from mailflows._token import Purpose, Signer, text_of
from mailflows.errors import ConfigurationError, TokenError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailflows._clock import Clock
    from mailflows._token import Token
    from mailflows.feedback._event import Event

__all__ = ["Verp"]

_DOMAIN = re.compile(r"[^\s@<>\x00-\x20\x7f]+")

LIFETIME = 30 * 86400.0
"""Seconds that a return path holds: servers give up after five days (RFC 5321 section 4.5.4.1)."""


class Verp:
    """Makes an envelope sender for each recipient (VERP), and recognises it in bounces.

    The local part is a signed token of lower-case letters and digits, at most 64 octets; its letter case does
    not matter, because servers may change it. It contains IDs, never an address.

    Args:
        domain: The domain of the return path, whose mail you receive.
        keys: Secrets of at least 16 bytes. The first one signs; the others are older, and still accepted.
        lifetime: Seconds until a return path expires; `None` for never. 30 days by default: bounces come
            within five days, complaints later.
        clock: Returns the present moment in Unix seconds.

    Raises:
        ConfigurationError: If there is no domain or no key, or a key is too short.

    Example:
        >>> verp = Verp("bounces.example.org", keys=[b"a secret of thirty-two bytes ...."])
        >>> sender = verp.sender("spring", "10017")
        >>> verp.read(sender.upper())
        ('spring', '10017')
    """

    def __init__(
        self,
        domain: str,
        *,
        keys: Iterable[bytes],
        lifetime: float | None = LIFETIME,
        clock: Clock = time.time,
    ) -> None:
        if not _DOMAIN.fullmatch(text_of(domain)):
            msg = f"domain {domain!r} is not a domain; pass the domain of the return path, without @"
            raise ConfigurationError(msg, field="domain")
        self._domain = domain.lower()
        self._lifetime = lifetime
        self._signer = Signer(keys, clock=clock)

    def sender(self, campaign: str, recipient_id: str) -> str:
        """Return the envelope sender for one recipient of a mailing.

        Args:
            campaign: The ID of the mailing.
            recipient_id: Your id of the recipient; not the address. Numbers take half the space.

        Raises:
            ConfigurationError: If both together are too long for a local part.
        """
        token = self._signer.to_local(Purpose.BOUNCE, campaign, recipient_id, lifetime=self._lifetime)
        return f"{token}@{self._domain}"

    def read(self, address: str) -> tuple[str, str]:
        """Return the campaign and recipient ID of an envelope sender made by `sender`.

        Raises:
            TokenError: If it is not ours, or no longer valid; see its ``reason``.
        """
        local, at, domain = text_of(address).strip().strip("<>").rpartition("@")
        if not at or domain.lower() != self._domain:
            msg = "this is not one of our return paths: it has another domain"
            raise TokenError(msg, reason="malformed")
        return _fields(self._signer.from_local(local, Purpose.BOUNCE))

    def identify(self, events: Iterable[Event], addresses: Iterable[str]) -> tuple[Event, ...]:
        """Return events with campaign and recipient ID, or marked as not verified.

        Args:
            events: The events of a report.
            addresses: The addresses that the report was delivered to; the first with a token counts.
        """
        for address in addresses:
            try:
                campaign, recipient_id = self.read(address)
            except TokenError:
                continue
            known = {"campaign": campaign, "recipient_id": recipient_id, "verified": True}
            return tuple(replace(event, **known) for event in events)  # type: ignore[arg-type]
        return tuple(replace(event, verified=False) for event in events)


def _fields(token: Token) -> tuple[str, str]:
    """Return the two fields of a return path."""
    if len(token.fields) != 2:
        msg = f"this token has {number_of(len(token.fields), 'field')}; a return path has two"
        raise TokenError(msg, reason="malformed")
    return token.fields[0], token.fields[1]
