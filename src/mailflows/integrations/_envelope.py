"""Addresses of an envelope: however they are spelled, the mailbox is what counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows.message import addresses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailflows.gate import Gate

__all__ = ["mailbox_of", "needs_utf8", "read_recipients"]

_PLAIN = re.compile(r"[^\s<>()\[\],;:\"\\@\x00-\x1f\x7f]+@[^\s<>()\[\],;:\"\\@\x00-\x1f\x7f]+")
_ATOM = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def mailbox_of(spelled: str) -> str | None:
    r"""Return the address that a text stands for, as it is said in an envelope; `None` where it is not one.

    >>> [mailbox_of(text) for text in ("Ada <ada@x.example>", "mailto:ada@x.example", '"ada"@x.example')]
    ['ada@x.example', 'ada@x.example', 'ada@x.example']
    >>> [mailbox_of(text) for text in ("ada", "ada@x.example, bob@x.example", "ada@x.example\r\nDATA")]
    [None, None, None]
    """
    text = spelled.strip(" \t")
    if _CONTROL.search(text):
        return None
    if text[:7].lower() == "mailto:":
        text = text[7:].partition("?")[0]
    text = text.removesuffix(".")
    if _PLAIN.fullmatch(text):
        return text
    found = addresses(text)
    address = found[0].address if len(found) == 1 else ""
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or ("@" in local and not local.startswith('"')):
        return None
    bare = local[1:-1] if local[:1] == '"' == local[-1:] and len(local) > 2 else ""
    return f"{bare}@{domain}" if _ATOM.fullmatch(bare) else address


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
