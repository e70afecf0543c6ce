"""Mailbox providers: who receives the mail of a domain, and who offers free mailboxes; one table for all.

The large ones are in ``data/providers.toml``; thousands of small ones that give free mailboxes, of which
no more is known, in ``data/free-mail.txt``.
"""

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

__all__ = [
    "Provider",
    "ask_for_provider",
    "free_mail_domains",
    "is_free_mail",
    "large_mailbox_domains",
    "large_providers",
    "provider_of",
]


@dataclass(frozen=True, slots=True)
class Provider:
    """A mailbox provider, which receives the mail of many domains, and how fast to send there.

    Attributes:
        name: Its name in the table (``google``, ``yahoo``, …), else the registered domain of the mail hosts.
        rate: Initial rate in messages per second.
        connections: Concurrent connections.
        is_known: Whether the provider is in the table.
        is_free: Whether it is a free mailbox provider, or an access provider with mailboxes for its
            subscribers.
    """

    name: str
    rate: float
    connections: int
    is_known: bool = True
    is_free: bool = False


def provider_of(domain: str, *, mail_hosts: tuple[str, ...] = ()) -> Provider:
    """Return the provider of a domain.

    Args:
        domain: The part after the @ sign.
        mail_hosts: Names of its mail hosts, the preferred first, if known. Without them only the table of
            domains is used, and an unknown domain counts as its own provider.

    Example:
        >>> provider_of("gmail.com").name, provider_of("shop.example").name
        ('google', 'shop.example')
        >>> provider_of("shop.example", mail_hosts=("aspmx.l.google.com",)).name
        'google'
    """
    domain = _canonical(domain)
    table = _table()
    if mail_hosts:
        host = _canonical(mail_hosts[0])
        labels = host.split(".")
        suffixes = (".".join(labels[i:]) for i in range(len(labels)))
        name = next((table["mx"][suffix] for suffix in suffixes if suffix in table["mx"]), None)
        return _provider(name or _owner(host), domain)
    return _provider(table["domains"].get(domain, domain), domain)


def is_free_mail(domain: str) -> bool:
    """Return whether a domain is a free mailbox provider's, or one for the subscribers of a network.

    A company whose mail is hosted by Google does not count: the domain decides, not who hosts its mail.

    >>> is_free_mail("Gmail.com"), is_free_mail("shop.example")
    (True, False)
    """
    return _canonical(domain) in free_mail_domains()


@cache
def free_mail_domains() -> frozenset[str]:
    """Return all domains of free and consumer mailboxes."""
    return frozenset(_data.read_sections("free-mail.txt")[""]) | large_mailbox_domains()


@cache
def large_mailbox_domains() -> frozenset[str]:
    """Return the domains of the large providers of free mailboxes: those of the table."""
    return frozenset(
        domain for entry in _entries().values() if entry.get("free") for domain in entry.get("domains", ())
    )


def _canonical(host: str) -> str:
    return host.strip().rstrip(".").lower()


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


def _provider(name: str, domain: str) -> Provider:
    is_known = name in _entries() and name != "default"
    rate, connections = _pace(name if is_known else "default")
    return Provider(name, rate, connections, is_known=is_known, is_free=domain in free_mail_domains())


def large_providers() -> tuple[Provider, ...]:
    """Return every provider of the table, by name."""
    return tuple(_provider(name, "") for name in sorted(_entries()) if name != "default")


@cache
def _pace(name: str) -> tuple[float, int]:
    """Return messages per second and connections of an entry of the table."""
    entry = {**_entries()["default"], **_entries()[name]}
    (rate,) = parse_rates(entry["rate"])
    return rate.limit / rate.period, entry["connections"]


@cache
def _entries() -> dict[str, dict[str, Any]]:
    return tomllib.loads(_data.read("providers.toml"))


@cache
def _table() -> dict[str, dict[str, str]]:
    """Return the names of providers by suffix of a mail host, and by domain."""
    return {
        kind: {key: name for name, entry in _entries().items() for key in entry.get(kind, ())}
        for kind in ("mx", "domains")
    }
