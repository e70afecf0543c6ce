"""Destination providers: who takes the mail of a domain, by its mail hosts or by a table of domains."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from mailflows import _data
from mailflows._dns import Question
from mailflows._domain import registrable_domain
from mailflows._rates import parse_rates

if TYPE_CHECKING:
    from mailflows._dns import Conversation

__all__ = ["Provider", "ask_for_provider", "provider_of"]


@dataclass(frozen=True, slots=True)
class Provider:
    """Who takes the mail of many domains, and how fast to send there.

    Attributes:
        name: A name of the table (``google``, ``yahoo``, …), else the domain that owns the mail hosts.
        rate: Messages per second to begin with.
        connections: Connections at once.
        is_known: Whether it stands in the table.
    """

    name: str
    rate: float
    connections: int
    is_known: bool = True


def provider_of(domain: str, *, mail_hosts: tuple[str, ...] = ()) -> Provider:
    """Return the provider of a domain.

    Args:
        domain: The part after the @-sign.
        mail_hosts: Names of its mail hosts, the preferred first, where they are known. Without them only
            the table of domains is looked at, and an unknown domain is a provider by itself.

    Example:
        >>> provider_of("gmail.com").name, provider_of("shop.example").name
        ('google', 'shop.example')
        >>> provider_of("shop.example", mail_hosts=("aspmx.l.google.com",)).name
        'google'
    """
    domain = domain.strip().rstrip(".").lower()
    table = _table()
    if mail_hosts:
        host = mail_hosts[0].rstrip(".").lower()
        labels = host.split(".")
        suffixes = (".".join(labels[i:]) for i in range(len(labels)))
        name = next((table["mx"][suffix] for suffix in suffixes if suffix in table["mx"]), None)
        return _provider(name or _owner(host))
    return _provider(table["domains"].get(domain, domain))


def ask_for_provider(domain: str) -> Conversation[Provider]:
    """Find the provider of a domain by its MX records; without an answer, by the table of domains.

    Args:
        domain: As A-labels in lower case.

    Returns:
        A conversation for `mailflows._dns`.
    """
    question = Question(domain, "MX")
    records = (yield (question,))[question].records
    pairs = sorted((int(preference), host) for preference, _, host in (r.partition(" ") for r in records))
    return provider_of(domain, mail_hosts=tuple(host for _, host in pairs if host not in {"", "."}))


def _owner(host: str) -> str:
    """Return the domain that somebody registered, which all of a provider's mail hosts share."""
    return registrable_domain(host) or host


def _provider(name: str) -> Provider:
    entries = _entries()
    entry = entries.get(name, entries["default"])
    (rate,) = parse_rates(entry["rate"])
    return Provider(name, rate.limit / rate.period, entry["connections"], name in entries)


@cache
def _entries() -> dict[str, dict[str, Any]]:
    return tomllib.loads(_data.read("limits/providers.toml"))


@cache
def _table() -> dict[str, dict[str, str]]:
    """Return the names of providers by suffix of a mail host, and by domain."""
    return {
        kind: {key: name for name, entry in _entries().items() for key in entry.get(kind, ())}
        for kind in ("mx", "domains")
    }
