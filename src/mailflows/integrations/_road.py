"""What every integration does before it hands a message to its road."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows.errors import ConfigurationError
from mailflows.flows import FLOW_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message as StdlibMessage

    from mailflows.flows import FlowRoute, Relay
    from mailflows.gate import Verdict

__all__ = ["needs_utf8", "relay_of", "replies", "source_of", "transferable"]

_LINE_END = re.compile(rb"\r\n|\r|\n")
_PRIVATE = frozenset({FLOW_HEADER.lower().encode(), b"bcc", b"resent-bcc"})


def transferable(message: bytes | str | StdlibMessage) -> bytes:
    r"""Return a message as it goes over the wire: lines end with CRLF, and what is private is left out.

    Bcc would tell everybody; a bare line feed can smuggle a second message past some servers.

    >>> transferable("Subject: x\nBcc: ada@example.org,\n bob@example.org\nTo: c@example.org\n\nHi\n")
    b'Subject: x\r\nTo: c@example.org\r\n\r\nHi\r\n'
    """
    if isinstance(message, str):
        raw = message.encode("utf-8", "surrogateescape")
    else:
        raw = message if isinstance(message, bytes) else message.as_bytes()
    lines = _LINE_END.sub(b"\r\n", raw).split(b"\r\n")
    end = lines.index(b"") if b"" in lines else len(lines)
    kept: list[bytes] = []
    is_private = False
    for line in lines[:end]:
        if line[:1] not in {b" ", b"\t"}:
            is_private = line.partition(b":")[0].strip().lower() in _PRIVATE
        if not is_private:
            kept.append(line)
    return b"\r\n".join([*kept, *lines[end:]])


def relay_of(verdict: Verdict) -> tuple[FlowRoute, Relay]:
    """Return the route of a verdict, and its relay.

    Raises:
        ConfigurationError: If the message has no route, or one without a relay.
    """
    route = verdict.route
    server = route.server if route else None
    if route is None or server is None:
        msg = f'the {verdict.flow or "unknown"} flow has no relay: write relay = "smtp://host" in its table'
        raise ConfigurationError(msg, field="relay")
    return route, server


def source_of(route: FlowRoute) -> tuple[str, int] | None:
    """Return the address to send from, as sockets take it."""
    return (route.source_ips[0], 0) if route.source_ips else None


def needs_utf8(addresses: Iterable[str]) -> bool:
    """Return whether an address can only be said with SMTPUTF8 (RFC 6531)."""
    return not all(address.isascii() for address in addresses)


def replies(verdict: Verdict) -> dict[str, tuple[int, bytes]]:
    """Return what the gate says to each recipient that it refused, as smtplib returns it."""
    if verdict.dry_run:
        return {}
    return {one.address: (one.reply[0], one.reply[1].encode("utf-8", "replace")) for one in verdict.refused}
