"""What the flows have published, looked up as conversations with the DNS."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailflows._dns import Answer, Conversation, Question
from mailflows._domain import registrable_domain
from mailflows.audit._dmarc import Walk, walk, walk_questions
from mailflows.audit._spf import SpfCheck, check_host
from mailflows.audit._spf_networks import Expansion, expand_spf
from mailflows.flows._esp import accounts_in, esp_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailflows.flows._route import FlowRoute

__all__ = [
    "RouteFacts",
    "audit_conversations",
    "key_name",
    "mail_hosts",
    "report_permissions",
    "selectors_of",
]

_Rounds = Generator[tuple[Question, ...], Mapping[Question, Answer], None]


@dataclass(slots=True)
class RouteFacts:
    """What the DNS says about one route.

    Attributes:
        route: Whose facts.
        spf: The record of the return-path, expanded.
        sources: Source address → whether SPF lets it send.
        walks: Domain → its DMARC tree walk, for From, signing and return-path domains.
        answers: All other questions.
        listings: Source address and block list → the answers that mean a listing.
    """

    route: FlowRoute
    spf: Expansion
    sources: dict[str, SpfCheck] = field(default_factory=dict)
    walks: dict[str, Walk] = field(default_factory=dict)
    answers: dict[Question, Answer] = field(default_factory=dict)
    listings: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    @property
    def selectors(self) -> tuple[str, ...]:
        """The selectors that are declared; else those of the provider that lead to a key."""
        if self.route.dkim_selector:
            return self.route.dkim_selector
        guessed = {s: self.answer(key_name(self.route, s), "TXT") for s in selectors_of(self.route)}
        return tuple(selector for selector, answer in guessed.items() if answer.records)

    @property
    def accounts(self) -> dict[tuple[str, str], str]:
        """What identifies an account with a provider: (provider, account) → where it stands."""
        found: dict[tuple[str, str], str] = {}
        for question, answer in self.answers.items():
            for provider, account in (a for text in answer.records for a in accounts_in(question.kind, text)):
                found.setdefault((provider, account), f"{question.name} {question.kind}")
        return found

    def organisation_mx(self, domain: str) -> tuple[str, ...]:
        """Return the MX records of the organisation's own domain: who takes its mail can take this, too."""
        found = self.answers.get(Question(registrable_domain(domain), "MX"))
        pairs = [one.partition(" ") for one in found.records] if found else []
        return tuple(f"{number} {host.removesuffix('.')}." for number, _, host in pairs if host.strip("."))

    def answer(self, name: str, kind: str) -> Answer:
        """Return the answer to a question that was asked."""
        return self.answers[Question(name, kind)]


def audit_conversations(
    routes: Sequence[FlowRoute], *, blocklists: Sequence[str] = ()
) -> list[Conversation[RouteFacts]]:
    """Return the conversations of an audit, one for each route, to be run at once."""
    return [_look(route, blocklists) for route in routes]


def _look(route: FlowRoute, blocklists: Sequence[str]) -> Conversation[RouteFacts]:
    facts = RouteFacts(route, Expansion(route.return_path))
    yield from _direct(route, facts)
    yield from _followed(route, facts)
    yield from _listed(route, facts, blocklists)
    facts.spf = yield from expand_spf(route.return_path)
    for ip in route.source_ips:
        sender = f"postmaster@{route.return_path}"
        facts.sources[ip] = yield from check_host(ip, sender=sender, helo=route.ehlo or route.return_path)
    return facts


def _direct(route: FlowRoute, facts: RouteFacts) -> _Rounds:
    """Ask all that is known from the route alone."""
    signed = dict.fromkeys((*route.domains, route.dkim_domain, route.return_path))
    questions = [question for domain in signed for question in walk_questions(domain)]
    organisations = map(registrable_domain, route.domains)
    receiving = dict.fromkeys((*route.domains, route.return_path, *organisations))
    questions += [Question(domain, "MX") for domain in receiving]
    names = [key_name(route, selector) for selector in selectors_of(route)]
    questions += [Question(name, kind) for name in names for kind in ("TXT", "CNAME")]
    questions += [Question(route.return_path, "CNAME")]
    questions += [Question(domain, "TXT") for domain in dict.fromkeys((*route.domains, route.return_path))]
    questions += [Question(ip_address(ip).reverse_pointer, "PTR") for ip in route.source_ips]
    for host in filter(None, (route.ehlo, route.tracking_host)):
        questions += [Question(host, "A"), Question(host, "AAAA"), Question(host, "CNAME")]
    facts.answers |= yield tuple(questions)
    facts.walks = {domain: walk(domain, facts.answers) for domain in signed}


def _followed(route: FlowRoute, facts: RouteFacts) -> _Rounds:
    """Ask what the first answers lead to: names of addresses, and who takes reports."""
    questions = []
    for ip in route.source_ips:
        address = ip_address(ip)
        kind = "A" if address.version == 4 else "AAAA"
        names = facts.answer(address.reverse_pointer, "PTR").records
        questions += [Question(name, kind) for name in names]
    for domain in route.domains:
        found = facts.walks[domain]
        questions += [Question(name, "TXT") for _, name in report_permissions(found)]
        if found.record is not None:
            targets = (*found.record.domains_of("rua"), *found.record.domains_of("ruf"))
            questions += [Question(target, kind) for target in targets for kind in ("MX", "A", "AAAA")]
    for domain in dict.fromkeys((*route.domains, route.return_path)):
        hosts = mail_hosts(facts.answer(domain, "MX"))
        questions += [Question(host, kind) for host in hosts for kind in ("CNAME", "A", "AAAA")]
    facts.answers |= yield tuple(dict.fromkeys(questions))


def _listed(route: FlowRoute, facts: RouteFacts, blocklists: Sequence[str]) -> _Rounds:
    """Ask the block lists that the user names about the source addresses (RFC 5782)."""
    asked = {
        Question(f"{_reversed(ip)}.{zone}", "A"): (ip, zone) for ip in route.source_ips for zone in blocklists
    }
    answers = yield tuple(asked)
    for question, place in asked.items():
        listed = tuple(text for text in answers[question].records if _is_listing(text))
        if listed:
            facts.listings[place] = listed


def _reversed(ip: str) -> str:
    """Return an address as block lists are asked about it."""
    return ip_address(ip).reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


def _is_listing(text: str) -> bool:
    """Return whether an answer means a listing: 127.255.255.x says that the list does not serve who asks."""
    return text.startswith("127.") and not text.startswith("127.255.255.")


def mail_hosts(answer: Answer) -> tuple[str, ...]:
    """Return the hosts of MX records, without the null MX (RFC 7505)."""
    hosts = (record.partition(" ")[2].removesuffix(".").lower() for record in answer.records)
    return tuple(host for host in hosts if host)


def selectors_of(route: FlowRoute) -> tuple[str, ...]:
    """Return the declared selectors of a flow, or those that its provider uses for everybody."""
    if route.dkim_selector or not route.esp:
        return route.dkim_selector
    return esp_named(route.esp).selectors


def key_name(route: FlowRoute, selector: str) -> str:
    """Return where the key of a selector is published."""
    return f"{selector}._domainkey.{route.dkim_domain}"


def report_permissions(found: Walk) -> list[tuple[str, str]]:
    """Return the outside domains that agree to take reports, and where they say so (RFC 9990 section 4)."""
    record = found.record
    if record is None:
        return []
    targets = dict.fromkeys((*record.domains_of("rua"), *record.domains_of("ruf")))
    outside = [d for d in targets if not f".{d}".endswith("." + found.organisation)]
    return [(domain, f"{record.domain}._report._dmarc.{domain}") for domain in outside]
