"""What the DNS says about a domain that should receive mail, as one conversation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailflows._dns._wire import Question, Status
from mailflows.recipients._report import DomainState

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from mailflows._dns import Conversation
    from mailflows._dns._wire import Answer

__all__ = ["DomainFacts", "ask_about"]

_MAX_HOSTS = 10
"""Mail hosts that answer before a domain is judged: a sender tries no more either. Hosts that do not exist
are not counted, as Postfix drops failed look-ups before its limit (smtp_mx_address_limit). Our choice."""

_MOST_ASKED = 30
"""Mail hosts that are looked up at all, so that a domain with hundreds cannot take the budget of a list.
A bound on work."""

_AT_ONCE = 5
"""Mail hosts that are looked up together. A bound on work."""


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """What is known of a domain from the DNS.

    Attributes:
        state: Whether it takes mail.
        evidence: The records, or the failure, that say so.
        mail_hosts: Names of the mail hosts, the preferred first.
    """

    state: DomainState
    evidence: str = ""
    mail_hosts: tuple[str, ...] = ()


NOT_ASKED = DomainFacts(DomainState.NOT_ASKED)


def ask_about(domain: str) -> Conversation[DomainFacts]:
    """Find out whether a domain accepts mail (RFC 5321 section 5.1).

    Args:
        domain: As A-labels in lower case.

    Returns:
        A conversation for `mailflows._dns`; its result is the facts.
    """
    asked = Question(domain, "MX")
    answer = (yield (asked,))[asked]
    if answer.status is Status.NXDOMAIN:
        # The name itself does not exist, so there is no address to fall back on.
        return DomainFacts(DomainState.NXDOMAIN, "NXDOMAIN")
    if answer.status is Status.NODATA:
        return (yield from _by_address(domain))
    if answer.status is not Status.OK:
        return DomainFacts(DomainState.UNKNOWN, f"MX: {answer.status.upper()}")
    return (yield from _by_hosts(answer.records))


def _by_address(domain: str) -> Conversation[DomainFacts]:
    """Judge a domain without MX records by its own addresses."""
    reach = yield from _reach(domain)
    if reach == "public":
        return DomainFacts(DomainState.IMPLICIT, "no MX, but an address", (domain,))
    if reach == "unknown":
        return DomainFacts(DomainState.UNKNOWN, "no MX, and no answer for A or AAAA")
    evidence = "no MX, and only addresses that are not public" if reach == "private" else "no MX, A or AAAA"
    return DomainFacts(DomainState.NO_MAIL, evidence)


def _by_hosts(records: Iterable[str]) -> Conversation[DomainFacts]:
    """Judge a domain by its mail hosts: it takes mail as soon as one of them can be reached."""
    hosts = _sorted_hosts(records)
    if not hosts:
        # RFC 7505 wants "0 ." alone; whatever its preference, the root is not a mail host.
        return DomainFacts(DomainState.NULL_MX, "MX 0 .")
    seen: list[str] = []
    for several in _in_groups(hosts[:_MOST_ASKED]):
        reached = yield from _reach_all(several)
        if "public" in reached:
            return DomainFacts(DomainState.OK, f"MX {several[reached.index('public')]}", hosts)
        seen += reached
        if sum(word != "none" for word in seen) >= _MAX_HOSTS:
            break
    if "unknown" in seen:
        return DomainFacts(DomainState.UNKNOWN, f"no address for the mail host {hosts[0]}: no answer", hosts)
    if len(seen) < len(hosts):
        return DomainFacts(
            DomainState.UNKNOWN, f"the first {len(seen)} of {len(hosts)} mail hosts are gone", hosts
        )
    if "private" in seen:
        return DomainFacts(DomainState.MX_PRIVATE, f"MX {hosts[0]} has no public address", hosts)
    return DomainFacts(DomainState.MX_BROKEN, f"MX {hosts[0]} does not exist", hosts)


def _sorted_hosts(records: Iterable[str]) -> tuple[str, ...]:
    """Return the mail hosts by preference, without the root that stands for "none".

    >>> _sorted_hosts(["20 b.example", "0 ", "10 a.example"])
    ('a.example', 'b.example')
    """
    pairs = sorted((int(preference), host) for preference, _, host in (r.partition(" ") for r in records))
    return tuple(dict.fromkeys(host for _, host in pairs if host not in ("", ".")))


def _in_groups(hosts: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the preferred host alone, which nearly always settles it, and the others a few at a time."""
    rest = [hosts[place : place + _AT_ONCE] for place in range(1, len(hosts), _AT_ONCE)]
    return [hosts[:1], *rest]


def _reach(host: str) -> Generator[tuple[Question, ...], Mapping[Question, Answer], str]:
    """Return how a host can be reached: public, private, none or unknown."""
    return (yield from _reach_all((host,)))[0]


def _reach_all(
    hosts: tuple[str, ...],
) -> Generator[tuple[Question, ...], Mapping[Question, Answer], list[str]]:
    """Return how each host can be reached; IPv6 is asked about only where IPv4 does not settle it."""
    found = ["none"] * len(hosts)
    open_ = [place for place, host in enumerate(hosts) if _is_host_name(host)]
    for kind in ("A", "AAAA"):
        questions = tuple(Question(hosts[place], kind) for place in open_)
        if not questions:
            break
        answers = yield questions
        left = []
        for place, question in zip(open_, questions, strict=True):
            word, goes_on = _heard(answers[question])
            if _REACHES.index(word) > _REACHES.index(found[place]):
                found[place] = word
            if goes_on:
                left.append(place)
        if "public" in found:
            break
        open_ = left
    return found


_REACHES = ("none", "private", "unknown", "public")


def _heard(answer: Answer) -> tuple[str, bool]:
    """Return what one answer says of a host, and whether the other kind of address is worth a question."""
    if answer.status is Status.OK:
        is_public = any(map(_is_public, answer.records))
        return ("public", False) if is_public else ("private", True)
    if answer.status is Status.NXDOMAIN:
        return "none", False
    return ("none" if answer.is_final else "unknown"), True


def _is_host_name(host: str) -> bool:
    """Return whether a name can be asked for; an IP address written as a name is none."""
    labels = host.split(".")
    fits = host.isascii() and len(host) < 254 and all(0 < len(label) < 64 for label in labels)
    return fits and not labels[-1].isdigit()


@lru_cache(maxsize=4096)
def _is_public(address: str) -> bool:
    return ip_address(address).is_global
