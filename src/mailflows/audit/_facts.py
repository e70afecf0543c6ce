"""What the flows have published, looked up as conversations with the DNS."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailflows._dns import Answer, Conversation, Question
from mailflows.audit._dmarc import Walk, walk, walk_questions
from mailflows.audit._spf import SpfCheck, check_host
from mailflows.audit._spf_networks import Expansion, expand_spf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailflows.flows._route import FlowRoute

__all__ = ["RouteFacts", "audit_conversations", "key_name", "report_permissions"]

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
    """

    route: FlowRoute
    spf: Expansion
    sources: dict[str, SpfCheck] = field(default_factory=dict)
    walks: dict[str, Walk] = field(default_factory=dict)
    answers: dict[Question, Answer] = field(default_factory=dict)

    def answer(self, name: str, kind: str) -> Answer:
        """Return the answer to a question that was asked."""
        return self.answers[Question(name, kind)]


def audit_conversations(routes: Sequence[FlowRoute]) -> list[Conversation[RouteFacts]]:
    """Return the conversations of an audit, one a route, to be held at once."""
    return [_look(route) for route in routes]


def _look(route: FlowRoute) -> Conversation[RouteFacts]:
    facts = RouteFacts(route, Expansion(route.return_path))
    yield from _direct(route, facts)
    yield from _followed(route, facts)
    facts.spf = yield from expand_spf(route.return_path)
    for ip in route.source_ips:
        sender = f"postmaster@{route.return_path}"
        facts.sources[ip] = yield from check_host(ip, sender=sender, helo=route.ehlo or route.return_path)
    return facts


def _direct(route: FlowRoute, facts: RouteFacts) -> _Rounds:
    """Ask all that is known from the route alone."""
    signed = dict.fromkeys((*route.domains, route.dkim_domain, route.return_path))
    questions = [question for domain in signed for question in walk_questions(domain)]
    questions += [Question(domain, "MX") for domain in dict.fromkeys((*route.domains, route.return_path))]
    questions += [Question(key_name(route, selector), "TXT") for selector in route.dkim_selector]
    questions += [Question(ip_address(ip).reverse_pointer, "PTR") for ip in route.source_ips]
    for host in filter(None, (route.ehlo, route.tracking_host)):
        questions += [Question(host, "A"), Question(host, "AAAA")]
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
        questions += [Question(name, "TXT") for _, name in report_permissions(facts.walks[domain])]
    facts.answers |= yield tuple(questions)


def key_name(route: FlowRoute, selector: str) -> str:
    """Return where the key of a selector is published."""
    return f"{selector}._domainkey.{route.dkim_domain}"


def report_permissions(found: Walk) -> list[tuple[str, str]]:
    """Return who takes reports outside the organisation, and where they say so (RFC 9990 section 4)."""
    record = found.record
    if record is None:
        return []
    outside = [d for d in record.report_domains if not f".{d}".endswith("." + found.organisation)]
    return [(domain, f"{record.domain}._report._dmarc.{domain}") for domain in outside]
