"""The DNS record that fixes a finding: lines of a zone file, ready to copy."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "address_line",
    "key_line",
    "pointer_line",
    "provider_key_line",
    "spf_for",
    "spf_merged",
    "spf_with",
    "spf_without",
    "tags_line",
    "text_line",
]

_STRING = 255  # RFC 1035 section 3.3: the longest string of a TXT record
_POINTER = "\\"


def text_line(name: str, text: str) -> str:
    """Return a TXT record as a line of a zone file, in strings that are joined without a space.

    >>> text_line("news.example.org", "v=spf1 ip4:192.0.2.1 -all")
    'news.example.org. TXT "v=spf1 ip4:192.0.2.1 -all"'
    """
    safe = text.replace(_POINTER, _POINTER * 2).replace('"', _POINTER + '"')
    strings = [safe[start : start + _STRING] for start in range(0, len(safe), _STRING)] or [""]
    return f"{name}. TXT " + " ".join(f'"{string}"' for string in strings)


def address_line(name: str, ip: str) -> str:
    """Return an address record.

    >>> address_line("out.example.org", "2001:db8::1")
    'out.example.org. AAAA 2001:db8::1'
    """
    return f"{name}. {'A' if ip_address(ip).version == 4 else 'AAAA'} {ip}"


def pointer_line(ip: str, name: str) -> str:
    """Return the reverse record of an address."""
    return f"{ip_address(ip).reverse_pointer}. PTR {name}."


def tags_line(name: str, tags: Mapping[str, str], **changed: str | None) -> str:
    """Return a record of tags with some of them changed, or taken out where the new value is `None`.

    >>> tags_line("_dmarc.example.org", {"v": "DMARC1", "p": "none", "pct": "50"}, p="reject", pct=None)
    '_dmarc.example.org. TXT "v=DMARC1; p=reject"'
    """
    wanted = {**tags, **changed}
    return text_line(name, "; ".join(f"{tag}={value}" for tag, value in wanted.items() if value is not None))


def key_line(name: str) -> str:
    """Return a template for a key record; only the signer has the key."""
    return text_line(name, "v=DKIM1; k=rsa; p=PUBLIC-KEY")


def provider_key_line(name: str, target: str) -> str:
    """Return a template for a key record that is a CNAME to the host of a provider.

    >>> provider_key_line("s1._domainkey.news.example.org", "s1.domainkey.{account}.wl.sendgrid.net")
    's1._domainkey.news.example.org. CNAME s1.domainkey.ACCOUNT.wl.sendgrid.net.'
    """
    selector, _, domain = name.partition("._domainkey.")
    known = {"selector": selector, "domain-with-dashes": domain.replace(".", "-")}
    filled = re.sub(r"\{([\w-]+)\}", lambda m: known.get(m[1], m[1].upper()), target)
    return f"{name}. CNAME {filled or 'TARGET-THAT-THE-PROVIDER-SHOWS'}."


def spf_for(ips: Iterable[str]) -> str:
    """Return an SPF record that lets these addresses send; empty where there are none."""
    terms = [_term(ip) for ip in ips]
    return " ".join(["v=spf1", *terms, "-all"]) if terms else ""


def spf_with(record: str, *, ips: Iterable[str] = (), ending: str = "") -> str:
    """Return an SPF record with further addresses in front of its ending, or with another ending.

    >>> spf_with("v=spf1 mx ?all", ips=["192.0.2.9"], ending="-all")
    'v=spf1 mx ip4:192.0.2.9 -all'
    """
    terms = record.split()
    last = next((term for term in terms if term.lower().lstrip("+-~?") == "all"), "")
    rest = [term for term in terms if term != last]
    closing = [ending or last] if ending or last else []
    return " ".join([*rest, *map(_term, ips), *closing])


def spf_without(record: str, unwanted: Iterable[str]) -> str:
    """Return an SPF record without some of its terms."""
    left = set(unwanted)
    return " ".join(term for term in record.split() if term not in left)


def spf_merged(records: Iterable[str]) -> str:
    """Return one SPF record out of several: all terms once, and the ending of the last.

    >>> spf_merged(["v=spf1 mx ~all", "v=spf1 include:_spf.esp.example mx -all"])
    'v=spf1 mx include:_spf.esp.example -all'
    """
    terms = [term for record in records for term in record.split()[1:]]
    endings = [term for term in terms if term.lower().lstrip("+-~?") == "all"]
    return " ".join(["v=spf1", *dict.fromkeys(t for t in terms if t not in endings), *endings[-1:]])


def _term(ip: str) -> str:
    return f"ip{ip_address(ip).version}:{ip}"
