"""An SPF record as it is written: terms, their domains and networks (RFC 7208 sections 4.5, 4.6 and 12)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MACRO", "Mechanism", "SpfRecord", "SpfSyntaxError", "parse_spf", "select_spf"]

Network = IPv4Network | IPv6Network

VERSION = "v=spf1"
COUNTED = frozenset({"include", "a", "mx", "ptr", "exists"})
"""Mechanisms that ask the DNS; with ``redirect`` they count against the limit (section 4.6.4)."""

MACRO = re.compile(r"%\{([a-z])([0-9]{0,3})(r?)([.\-+,/_=]*)\}|%([%_-])", re.IGNORECASE)
_LITERAL = re.compile(r"[!-$&-~]+")
_MAY_FOLLOW = re.compile(r"(?:redirect|exp|r[apr])=", re.IGNORECASE)
"""Modifiers that count behind ``all``, too (RFC 7208 section 6.2, RFC 6652 section 3), and redirect, which is
reported wherever it is; any other is most often a token of some service that was pasted into the wrong
place."""

_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=", re.IGNORECASE)
_MECHANISM = re.compile(r"([+?~-]?)([a-z][a-z0-9_.-]*)", re.IGNORECASE)
_PREFIXES = re.compile(r"(?:/(0|[1-9][0-9]{0,2}))?(?://(0|[1-9][0-9]{0,2}))?$")
_TOP_LABEL = re.compile(r"(?=[a-z0-9-]*[a-z-])[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.IGNORECASE)
_DOMAIN_LETTERS = frozenset("slodiphv")
_ALL_LETTERS = _DOMAIN_LETTERS | frozenset("crt")


class SpfSyntaxError(ValueError):
    """Raised for a record that breaks the syntax of RFC 7208; the text says which term."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One mechanism of a record.

    Attributes:
        qualifier: ``+``, ``-``, ``~`` or ``?``.
        name: In lower case.
        domain: The domain, macros unexpanded; empty for that of the record.
        network: The network of ``ip4`` and ``ip6``.
        prefixes: Lengths that are compared of an IPv4 and an IPv6 address, for ``a`` and ``mx``.
    """

    qualifier: str
    name: str
    domain: str = ""
    network: Network | None = None
    prefixes: tuple[int, int] = (32, 128)


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """A record: mechanisms in order, and the two known modifiers.

    Attributes:
        mechanisms: In order.
        redirect: Domain of ``redirect=``, macros unexpanded; `None` where there is none.
        exp: Domain of ``exp=``, likewise.
        text: As it was published.
    """

    mechanisms: tuple[Mechanism, ...]
    redirect: str | None
    exp: str | None
    text: str

    @property
    def ignored_terms(self) -> tuple[str, ...]:
        """The terms that ``all`` keeps from being looked at: what follows it, and redirects."""
        terms = self.text.split()[1:]
        names = [term.lstrip("+-~?").lower() for term in terms]
        if "all" not in names:
            return ()
        after = [term for term in terms[names.index("all") + 1 :] if not _MAY_FOLLOW.match(term)]
        return (*after, *(term for term in terms if term.lower().startswith("redirect=")))


def select_spf(texts: tuple[str, ...]) -> list[str]:
    """Return those TXT records that are SPF records (section 4.5).

    >>> select_spf(("v=spf1 -all", "v=spf10", "a note"))
    ['v=spf1 -all']
    """
    return [text for text in texts if text.lower() == VERSION or text.lower().startswith(VERSION + " ")]


def parse_spf(text: str) -> SpfRecord:
    """Read a record.

    Raises:
        SpfSyntaxError: If any term is malformed: then the whole record is (section 4.6).

    >>> [m.name for m in parse_spf("v=spf1 mx ip4:192.0.2.0/24 -all").mechanisms]
    ['mx', 'ip4', 'all']
    """
    mechanisms = []
    modifiers: dict[str, str] = {}
    for term in text[len(VERSION) :].split(" "):
        found = _MODIFIER.match(term)
        if found:
            _add_modifier(modifiers, found[1].lower(), term[found.end() :], term)
        elif term:
            mechanisms.append(_mechanism(term))
    return SpfRecord(tuple(mechanisms), modifiers.get("redirect"), modifiers.get("exp"), text)


def _add_modifier(modifiers: dict[str, str], name: str, content: str, term: str) -> None:
    if name not in {"redirect", "exp"}:  # unknown modifiers are passed over, if they are well formed
        require_macros(content, term)
        return
    if name in modifiers:
        msg = f"{name}= occurs twice"
        raise SpfSyntaxError(msg)
    _require_domain(content, term)
    modifiers[name] = content


def _mechanism(term: str) -> Mechanism:
    found = _MECHANISM.match(term)
    name = found[2].lower() if found else ""
    read = _READERS.get(name)
    if found is None or read is None:
        msg = f"{_shown(term)} is not a mechanism"
        raise SpfSyntaxError(msg)
    return read(found[1] or "+", term[found.end() :], term)


def _all(qualifier: str, rest: str, term: str) -> Mechanism:
    if rest:
        msg = f"{_shown(term)}: all takes no argument"
        raise SpfSyntaxError(msg)
    return Mechanism(qualifier, "all")


def _domain_only(qualifier: str, rest: str, term: str, *, name: str, needed: bool) -> Mechanism:
    if not rest and not needed:
        return Mechanism(qualifier, name)
    if not rest.startswith(":"):
        msg = f"{_shown(term)}: expected {name}:domain"
        raise SpfSyntaxError(msg)
    _require_domain(rest[1:], term)
    return Mechanism(qualifier, name, rest[1:])


def _domain_and_prefixes(qualifier: str, rest: str, term: str, *, name: str) -> Mechanism:
    found = _PREFIXES.search(rest)
    four, six = (found[1], found[2]) if found else (None, None)
    prefixes = (int(four or 32), int(six or 128))
    if (four and prefixes[0] > 32) or (six and prefixes[1] > 128):
        msg = f"{_shown(term)}: a prefix is at most /32 for IPv4 and //128 for IPv6"
        raise SpfSyntaxError(msg)
    domain = rest[: found.start()] if found else rest
    plain = _domain_only(qualifier, domain, term, name=name, needed=False)
    return Mechanism(qualifier, name, plain.domain, None, prefixes)


def _network(qualifier: str, rest: str, term: str, *, name: str) -> Mechanism:
    address, slash, prefix = rest[1:].partition("/")
    most = 32 if name == "ip4" else 128
    well_formed = rest.startswith(":") and "%" not in address
    if slash:
        well_formed &= bool(re.fullmatch(r"0|[1-9][0-9]{0,2}", prefix)) and int(prefix) <= most
    try:
        if not well_formed:
            raise ValueError  # noqa: TRY301 -- one message for every way to be wrong
        length = int(prefix) if slash else most
        network: Network
        if name == "ip4":
            network = IPv4Network((IPv4Address(address), length), strict=False)
        else:
            network = IPv6Network((IPv6Address(address), length), strict=False)
    except ValueError as error:
        msg = f"{_shown(term)}: expected {name}: with an address and at most /{most}"
        raise SpfSyntaxError(msg) from error
    return Mechanism(qualifier, name, "", network)


_READERS: dict[str, Callable[[str, str, str], Mechanism]] = {
    "all": _all,
    "include": partial(_domain_only, name="include", needed=True),
    "exists": partial(_domain_only, name="exists", needed=True),
    "ptr": partial(_domain_only, name="ptr", needed=False),
    "a": partial(_domain_and_prefixes, name="a"),
    "mx": partial(_domain_and_prefixes, name="mx"),
    "ip4": partial(_network, name="ip4"),
    "ip6": partial(_network, name="ip6"),
}


def require_macros(text: str, term: str, *, letters: frozenset[str] = _ALL_LETTERS) -> bool:
    """Refuse a malformed macro string, and return whether it ends with a macro (section 7.1)."""
    position = 0
    found = None
    while position < len(text):
        found = MACRO.match(text, position)
        if found and found[1] and not (found[1].lower() in letters and int(found[2] or 1)):
            msg = f"{_shown(term)}: the macro {found[0]} is not valid here"
            raise SpfSyntaxError(msg)
        literal = None if found else _LITERAL.match(text, position)
        end = found or literal
        if end is None:
            msg = f"{_shown(term)}: write %% for a percent sign, and %{{d}} for a macro"
            raise SpfSyntaxError(msg)
        position = end.end()
    return found is not None


def _require_domain(text: str, term: str) -> None:
    """Refuse what is not a domain-spec: it ends with a top label or a macro."""
    if require_macros(text, term, letters=_DOMAIN_LETTERS):
        return
    before, dot, last = text.removesuffix(".").rpartition(".")
    if not (before and dot and _TOP_LABEL.fullmatch(last)):
        msg = f"{_shown(term)}: {_shown(text) if text else 'an empty name'} is not a domain"
        raise SpfSyntaxError(msg)


def _shown(text: str) -> str:
    return repr(text[:80])
