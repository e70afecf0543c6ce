"""Macros of SPF records, expanded (RFC 7208 section 7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from mailflows.audit._spf_record import MACRO

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

__all__ = ["Facts", "expand", "expand_domain", "needs_name"]

_MAX_NAME = 253  # RFC 1035 section 2.3.4
_UNRESERVED = "-._~"


@dataclass(frozen=True, slots=True)
class Facts:
    """The values of macros.

    Attributes:
        ip: Address of the client.
        sender: Address of MAIL FROM, with a local part.
        helo: What the client called itself.
        domain: The domain whose record is evaluated.
        name: Validated name of the client; looked up only if ``%{p}`` occurs.
        receiver: Name of the host that checks.
        seconds: Seconds since 1970.
    """

    ip: IPv4Address | IPv6Address
    sender: str
    helo: str
    domain: str
    name: str = "unknown"
    receiver: str = "unknown"
    seconds: int = 0

    def value(self, letter: str) -> str:
        """Return what a macro letter stands for."""
        local, _, domain = self.sender.rpartition("@")
        values = {
            "s": self.sender,
            "l": local,
            "o": domain,
            "d": self.domain,
            "i": _dotted(self.ip),
            "p": self.name,
            "v": "in-addr" if self.ip.version == 4 else "ip6",
            "h": self.helo,
            "c": str(self.ip),
            "r": self.receiver,
            "t": str(self.seconds),
        }
        return values[letter]


def needs_name(text: str) -> bool:
    """Return whether the client's validated name is needed, which costs questions."""
    return any((found[1] or "").lower() == "p" for found in MACRO.finditer(text))


def expand(text: str, facts: Facts) -> str:
    """Expand every macro of a text.

    >>> from ipaddress import IPv4Address
    >>> facts = Facts(IPv4Address("192.0.2.3"), "bob@mail.example.org", "h.example", "example.org")
    >>> expand("%{ir}.%{v}._spf.%{o2}", facts)
    '3.2.0.192.in-addr._spf.example.org'
    """
    return MACRO.sub(lambda found: _expanded(found, facts), text)


def _expanded(found: re.Match[str], facts: Facts) -> str:
    letter, digits, is_reversed, delimiters, escape = found.groups()
    if escape:
        return {"%": "%", "_": " ", "-": "%20"}[escape]
    parts = re.split(f"[{re.escape(delimiters or '.')}]", facts.value(letter.lower()))
    if is_reversed:
        parts.reverse()
    if digits:
        parts = parts[-int(digits) :]
    value = ".".join(parts)
    return quote(value, safe=_UNRESERVED) if letter.isupper() else value


def expand_domain(text: str, facts: Facts) -> str:
    """Expand to a domain; what is too long loses labels from the left (section 7.3)."""
    domain = expand(text, facts).removesuffix(".").lower()
    while len(domain) > _MAX_NAME and "." in domain:
        domain = domain.partition(".")[2]
    return domain


def _dotted(ip: IPv4Address | IPv6Address) -> str:
    if ip.version == 4:
        return str(ip)
    return ".".join(ip.exploded.replace(":", "").upper())
