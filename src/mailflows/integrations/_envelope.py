"""Addresses of an envelope: however they are spelled, the mailbox is what counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows._mail.address import mailbox_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["is_plain", "needs_utf8", "read_recipients", "read_sender"]

_PLAIN = re.compile(r"[^\s<>()\[\],;:\"\\@\x00-\x1f\x7f]+@[^\s<>()\[\],;:\"\\@\x00-\x1f\x7f]+")


def is_plain(address: str) -> bool:
    """Return whether an address is ASCII and can stand between angle brackets as it is."""
    return address.isascii() and _PLAIN.fullmatch(address) is not None


def read_recipients(given: str | Iterable[str]) -> dict[str, str]:
    """Return the mailboxes of recipients, each with its first spelling; the gate refuses the others."""
    known: dict[str, str] = {}
    for spelled in (given,) if isinstance(given, str) else given:
        known.setdefault(mailbox_of(spelled) or spelled, spelled)
    return known


def read_sender(given: str) -> str:
    """Return the envelope sender for a text in any spelling; empty for the null sender.

    Raises:
        ValueError: If it cannot be read.
    """
    if not given.strip(" <>"):
        return ""
    found = mailbox_of(given)
    if found is None:
        msg = "the envelope sender cannot be read as an address"
        raise ValueError(msg)
    return found


def needs_utf8(texts: Iterable[str]) -> bool:
    """Return whether an address needs SMTPUTF8 (RFC 6531)."""
    return not all(text.isascii() for text in texts)
