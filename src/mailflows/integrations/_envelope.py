"""Addresses of an envelope: however they are spelled, the mailbox is what counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows._mail.address import mailbox_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailflows.gate import Gate

__all__ = ["needs_utf8", "read_recipients"]


def read_recipients(gate: Gate, given: str | Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the mailboxes of recipients, each with its first spelling, and what cannot be read.

    In a dry run of the whole gate, what cannot be read goes on as it is: so it would without a gate.
    """
    known: dict[str, str] = {}
    unread: list[str] = []
    for spelled in (given,) if isinstance(given, str) else given:
        mailbox = mailbox_of(spelled)
        if mailbox is None and gate.dry_run is True:
            mailbox = spelled
        if mailbox is None:
            unread.append(spelled)
        else:
            known.setdefault(mailbox, spelled)
    return known, tuple(unread)


def needs_utf8(texts: Iterable[str]) -> bool:
    """Return whether an address can only be said with SMTPUTF8 (RFC 6531)."""
    return not all(text.isascii() for text in texts)
