"""Who goes by a user agent or comes from a network: the table of programs, and what a name alone says."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from mailflows import _data
from mailflows._token import Purpose

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Network, IPv6Network

__all__ = ["HitKind", "Program", "by_agent", "by_network", "kind_of_agent", "network_of", "site_of"]


class HitKind(StrEnum):
    """Who made a hit."""

    HUMAN = "human"
    """A person, or a mail provider's proxy that fetches when the reader opens the message."""

    UNCERTAIN = "uncertain"
    """A browser in a scanner's network, without further evidence: a person, or the scanner."""

    PRIVACY_PROXY = "privacy-proxy"
    """The reader's mail provider fetched it before anyone read the message, or without anyone reading it."""

    SCANNER = "scanner"
    """A program that follows links to check them, or to show a preview."""

    @property
    def label(self) -> str:
        """The label shown to readers."""
        return _LABELS[self]


_LABELS = {
    HitKind.HUMAN: "a person",
    HitKind.UNCERTAIN: "a person or a scanner",
    HitKind.PRIVACY_PROXY: "a privacy proxy",
    HitKind.SCANNER: "a scanner",
}


@dataclass(frozen=True, slots=True)
class Program:
    """What an entry of the table says.

    Attributes:
        name: Who it is, for a reader.
        kind: What its fetches mean; a reader's proxy is a human with `is_proxy`.
        is_proxy: Whether it fetches for the reader, whose place and device are then unknown.
        hides: Whether the reader's own opens are never seen.
    """

    name: str
    kind: HitKind
    is_proxy: bool
    hides: bool
    agents: tuple[str, ...]
    starts: tuple[str, ...]
    exact: tuple[str, ...]
    networks: tuple[IPv4Network | IPv6Network, ...]
    purposes: frozenset[Purpose]

    def goes_by(self, agent: str, purpose: Purpose) -> bool:
        """Return whether a lower-case user agent is that of this program when it fetches for a purpose."""
        if purpose not in self.purposes:
            return False
        return (
            agent in self.exact or agent.startswith(self.starts) or any(part in agent for part in self.agents)
        )


def _lower(words: list[str]) -> tuple[str, ...]:
    return tuple(word.lower() for word in words)


@cache
def _programs() -> tuple[Program, ...]:
    """Return the table of programs that fetch links and pictures."""
    return tuple(
        Program(
            name=row["name"],
            kind=HitKind.HUMAN if row["kind"] == "reader-proxy" else HitKind(row["kind"]),
            is_proxy=row["kind"] == "reader-proxy",
            hides=row.get("hides", False),
            agents=_lower(row.get("agents", [])),
            starts=_lower(row.get("starts", [])),
            exact=_lower(row.get("exact", [])),
            networks=tuple(map(ip_network, row.get("networks", ()))),
            purposes=frozenset(map(Purpose, row.get("purposes", (Purpose.OPEN, Purpose.CLICK)))),
        )
        for row in tomllib.loads(_data.read("tracking/agents.toml"))["program"]
    )


# A browser begins so; "compatible" inside is what other programs write, but for old Internet Explorers.
_BROWSER = re.compile(r"(?:mozilla|opera)/\d")
_ANNOUNCED = re.compile(r"compatible;(?!\s{0,3}msie)|\+https?://")

_UNNAMED = Program("an unnamed client", HitKind.SCANNER, False, False, (), (), (), (), frozenset())  # noqa: FBT003
_LIBRARY = Program("a non-browser program", HitKind.SCANNER, False, False, (), (), (), (), frozenset())  # noqa: FBT003


def by_agent(user_agent: str, purpose: Purpose) -> Program | None:
    """Return who goes by a user agent; `None` for an ordinary browser.

    What does not even begin like a browser, and is not a mail program, is a library or a command-line client.

    >>> by_agent("curl/8.5.0", Purpose.CLICK).kind
    <HitKind.SCANNER: 'scanner'>
    """
    agent = user_agent.strip().lower()
    if not agent:
        return _UNNAMED
    found = next((program for program in _programs() if program.goes_by(agent, purpose)), None)
    if found is None and (_ANNOUNCED.search(agent) or not _BROWSER.match(agent)):
        return _LIBRARY
    return found


def kind_of_agent(user_agent: str, purpose: Purpose) -> tuple[HitKind, bool]:
    """Return who fetches with this user agent, where nothing else is known, and whether it hides opens."""
    found = by_agent(user_agent, purpose)
    return (HitKind.HUMAN, False) if found is None else (found.kind, found.hides)


def by_network(address: str, purpose: Purpose) -> Program | None:
    """Return who holds the network of an address, where that is known."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    for program in _programs():
        if purpose in program.purposes and any(parsed in network for network in program.networks):
            return program
    return None


_PREFIXES = {4: 24, 6: 48}
"""What one client's addresses have in common: a /24 of IPv4, a /48 of IPv6 (RFC 6177: a site at most)."""


def network_of(address: str) -> str:
    """Return the network of an IP address; for any other text, the text itself."""
    return _within(address, _PREFIXES)


_SITES = {4: 32, 6: 64}
"""What one machine's addresses share: all of IPv4, the /64 of IPv6 in which they rotate (RFC 8981)."""


def site_of(address: str) -> str:
    """Return the key of a machine, or of the few behind one IP address; else the text itself."""
    return _within(address, _SITES)


def _within(address: str, prefixes: Mapping[int, int]) -> str:
    try:
        version = ip_address(address).version
    except ValueError:
        return address
    return str(ip_network((address, prefixes[version]), strict=False))
