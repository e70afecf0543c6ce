"""Hosts and the domains that somebody registered: the only code that asks the public suffix list."""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["host_of", "is_known_ending", "registrable_domain"]

_LONGEST = 253
"""Characters of a host name (RFC 1035 section 2.3.4)."""

_known: dict[str, str] = {}
_KNOWN_ROOM = 4096  # bound: hosts that are remembered


@cache
def _suffixes(*, only_icann: bool) -> Any:  # noqa: ANN401 -- publicsuffixlist has no type information
    """Load the public suffix list on first use, which takes about 20 ms."""
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 -- only where a host is looked at

    return PublicSuffixList(only_icann=only_icann)


def registrable_domain(host: str) -> str:
    """Return the domain that somebody registered, by the public suffix list; else the host itself.

    >>> registrable_domain("news.shop.example.co.uk")
    'example.co.uk'
    """
    host = host.rstrip(".").lower()
    if len(host) > _LONGEST:
        return host[-_LONGEST:]
    if len(_known) > _KNOWN_ROOM:
        _known.clear()
    if (found := _known.get(host)) is None:
        found = _known[host] = _suffixes(only_icann=False).privatesuffix(host) or host
    return found


def is_known_ending(ending: str) -> bool:
    """Return whether registries give names under an ending, such as ``fr`` or ``co.uk``.

    >>> is_known_ending("fr"), is_known_ending("co.uk"), is_known_ending("frr"), is_known_ending("con.br")
    (True, True, False, False)
    """
    suffixes = _suffixes(only_icann=True)
    # No registry gives out a name like this, but some give out one letter, as below x.bg.
    return bool(suffixes.publicsuffix(f"not-a-registry.{ending}", accept_unknown=False) == ending)


def host_of(url: str) -> str:
    """Return the host of a web address in lower case, without user and port.

    >>> host_of("https://user@Shop.example:8080/a?b")
    'shop.example'
    """
    rest = url.partition("//")[2]
    end = min((i for c in "/?#" if (i := rest.find(c)) >= 0), default=len(rest))
    return rest[:end].rpartition("@")[2].partition(":")[0].lower()
