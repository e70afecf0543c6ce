"""The audit of a set of flows: what each lacks in the DNS, and what two of them share."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import combinations
from typing import TYPE_CHECKING

from mailflows._domain import registrable_domain
from mailflows.audit._checks import flow_findings
from mailflows.audit._dkim import read_key
from mailflows.audit._facts import audit_conversations, key_name
from mailflows.audit._report import AuditReport, finding
from mailflows.audit._samples import sample_findings
from mailflows.audit._senders import sender_findings
from mailflows.audit._spf_networks import overlap
from mailflows.flows._esp import esp_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mailflows._dns import AnyResolver
    from mailflows.audit._aggregates import DmarcReports
    from mailflows.audit._facts import RouteFacts
    from mailflows.audit._report import AuditFinding
    from mailflows.flows import FlowRoute, FlowSet
    from mailflows.message import Source

__all__ = ["AUDIT_BUDGET", "aaudit", "audit", "judge"]

AUDIT_BUDGET = 30.0
"""Seconds that an audit may take by default: a DNS that is half down is waited for. Our choice."""


def audit(  # noqa: PLR0913 -- what may be held against the flows
    flows: FlowSet,
    *,
    resolver: AnyResolver | None = None,
    budget: float = AUDIT_BUDGET,
    blocklists: Sequence[str] = (),
    samples: Iterable[Source] = (),
    reports: DmarcReports | None = None,
) -> AuditReport:
    """Look up what the flows have published, and say what is missing, weak or shared.

    Args:
        flows: The declared flows.
        resolver: The resolver to query; the system's by default.
        budget: Maximum number of seconds of wall-clock time; queries without an answer by then are
            "unanswered".
        blocklists: DNS blocklists to query for the source IP addresses (RFC 5782), such as
            ``zen.spamhaus.org``; none by default, because most have terms of use.
        samples: Messages as they were sent, including signatures: bytes, `Message` or paths. They are
            compared with what is declared and published.
        reports: DMARC aggregate reports, from `read_reports`: who sends as the flows' domains.

    Raises:
        MessageError: If a sample is not a message.

    Example:
        >>> from mailflows.flows import FlowRoute, FlowSet
        >>> from mailflows.testing import FakeDns
        >>> flows = FlowSet(FlowRoute("marketing", domains="news.example.org"))
        >>> "dmarc-missing" in audit(flows, resolver=FakeDns({})).codes  # the real DNS without resolver=
        True
    """
    routes = tuple(flows)
    found = dict(
        _given_or_default(resolver).run(audit_conversations(routes, blocklists=blocklists), budget=budget)
    )
    return judge(routes, found, samples=samples, reports=reports)


async def aaudit(  # noqa: PLR0913 -- the twin
    flows: FlowSet,
    *,
    resolver: AnyResolver | None = None,
    budget: float = AUDIT_BUDGET,
    blocklists: Sequence[str] = (),
    samples: Iterable[Source] = (),
    reports: DmarcReports | None = None,
) -> AuditReport:
    """Do what `audit` does without blocking the event loop."""
    routes = tuple(flows)
    results = _given_or_default(resolver).arun(
        audit_conversations(routes, blocklists=blocklists), budget=budget
    )
    found = {number: facts async for number, facts in results}
    return judge(routes, found, samples=samples, reports=reports)


def _given_or_default(resolver: AnyResolver | None) -> AnyResolver:
    from mailflows._dns import Resolver  # noqa: PLC0415 -- only where the DNS is asked

    return Resolver() if resolver is None else resolver


def judge(
    routes: Sequence[FlowRoute],
    facts: Mapping[int, RouteFacts],
    *,
    samples: Iterable[Source] = (),
    reports: DmarcReports | None = None,
) -> AuditReport:
    """Say what is missing, weak or shared.

    Args:
        routes: The routes, in the order of their conversations.
        facts: What each conversation found, by its number.
        samples: Messages as they were sent.
        reports: DMARC aggregate reports.
    """
    known = [facts[number] for number in range(len(routes))]
    findings = [found for one in known for found in (*_misplaced(one.route), *flow_findings(one))]
    for one, other in combinations(known, 2):
        findings += [*_declared(one.route, other.route), *_published(one, other)]
        findings += [*_neighbours(one, other), *_organisation(one, other), *_accounts(one, other)]
    findings += sample_findings(known, samples)
    if reports is not None:
        findings += sender_findings(known, reports)
    return AuditReport.of(findings)


def _misplaced(route: FlowRoute) -> Iterator[AuditFinding]:
    """Yield a finding where a provider does not accept the mail of a flow at all."""
    esp = esp_named(route.esp) if route.esp else None
    if esp and esp.takes and str(route.flow) not in esp.takes:
        words = {"flow": route.flow, "takes": " and ".join(esp.takes), "source": esp.takes_source}
        yield finding("esp-not-for-flow", (route.flow,), esp=esp.name, **words)


def _declared(one: FlowRoute, other: FlowRoute) -> Iterator[AuditFinding]:
    """Compare what the routes say themselves."""
    flows = (one.flow, other.flow)
    for ip in one.source_ips:
        if ip in other.source_ips:
            yield finding("shared-source-ip", flows, ip=ip)
    if one.return_path == other.return_path:
        yield finding("shared-return-path", flows, domain=one.return_path)
    if one.tracking_host and one.tracking_host == other.tracking_host:
        yield finding("shared-tracking-host", flows, host=one.tracking_host)
    if one.ehlo and one.ehlo == other.ehlo:
        yield finding("shared-ehlo", flows, host=one.ehlo)
    if one.server and one.server == other.server:
        yield finding("shared-relay", flows, host=one.server.host)
    if one.esp and (one.esp.lower(), one.stream) == (other.esp.lower(), other.stream):
        yield finding("shared-stream", flows, esp=one.esp)
    if one.list_id and one.list_id == other.list_id:
        yield finding("shared-list-id", flows, list_id=one.list_id)


def _neighbours(one: RouteFacts, other: RouteFacts) -> Iterator[AuditFinding]:
    """Compare networks and tracking hosts: what is listed together with what."""
    flows = (one.route.flow, other.route.flow)
    mine, theirs = set(one.route.source_ips), set(other.route.source_ips)
    pairs = [(a, b) for a in mine - theirs for b in theirs - mine if _network(a) == _network(b)]
    for network in sorted({str(_network(a)) for a, _ in pairs}):
        yield finding(
            "shared-network", flows, network=network, evidence=sorted({ip for p in pairs for ip in p})
        )
    hosts = one.route.tracking_host, other.route.tracking_host
    if all(hosts) and hosts[0] != hosts[1]:
        targets = [
            set(facts.answer(host, "CNAME").records) for facts, host in zip((one, other), hosts, strict=True)
        ]
        for target in sorted(targets[0] & targets[1]):
            yield finding("shared-tracking-target", flows, target=target, evidence=hosts)


_NEIGHBOURHOOD = {4: 24, 6: 48}
"""What receivers and blocklists judge as one: a /24 of IPv4, a /48 of IPv6 (RFC 6177: a site at most)."""


def _network(ip: str) -> IPv4Network | IPv6Network:
    return ip_network((ip, _NEIGHBOURHOOD[ip_address(ip).version]), strict=False)


def _published(one: RouteFacts, other: RouteFacts) -> Iterator[AuditFinding]:
    """Compare keys and networks."""
    flows = (one.route.flow, other.route.flow)
    keys, others = _keys(one), _keys(other)
    same_names = [name for name in keys if name in others]
    for name in same_names:
        yield finding("shared-dkim-selector", flows, name=name)
    same_keys = [(a, b) for a in keys for b in others if a != b and keys[a] and keys[a] == others[b]]
    if same_keys:
        yield finding("shared-dkim-key", flows, evidence=[f"{a} = {b}" for a, b in same_keys])
    if one.route.return_path == other.route.return_path:
        return  # one record, said above
    shared = overlap(one.spf.networks, other.spf.networks)
    if shared:
        yield finding(
            "shared-spf-networks", flows, evidence=[_where(network, one, other) for network in shared]
        )


def _where(network: object, one: RouteFacts, other: RouteFacts) -> str:
    """Return a shared network, and by which records it is let in."""
    paths = [
        " → ".join(path)
        for facts in (one, other)
        for known, path in facts.spf.networks.items()
        if known == network
    ]
    return f"{network} ({'; '.join(paths)})"


def _keys(facts: RouteFacts) -> dict[str, bytes]:
    """Map the name of each key record to the key, empty where it cannot be read."""
    found = {}
    for selector in facts.selectors:
        name = key_name(facts.route, selector)
        records = facts.answer(name, "TXT").records
        found[name] = read_key(records[0]).key if len(records) == 1 else b""
    return found


def _accounts(one: RouteFacts, other: RouteFacts) -> Iterator[AuditFinding]:
    """Yield a finding where both flows' records name the same account at a provider."""
    mine, theirs = one.accounts, other.accounts
    for provider, account in sorted(mine.keys() & theirs.keys()):
        evidence = dict.fromkeys((mine[provider, account], theirs[provider, account]))
        flows = (one.route.flow, other.route.flow)
        yield finding("shared-account", flows, esp=provider, account=account, evidence=evidence)


def _organisation(one: RouteFacts, other: RouteFacts) -> Iterator[AuditFinding]:
    """Yield a finding for flows that are separated only by subdomains."""
    shared = [organisation for organisation in _organisations(one) if organisation in _organisations(other)]
    for domain in shared:
        yield finding("shared-organisation", (one.route.flow, other.route.flow), domain=domain)


def _organisations(facts: RouteFacts) -> list[str]:
    """Return the organisations of the From domains; by the public suffix list where DMARC has no record."""
    return list(
        dict.fromkeys(
            facts.walks[domain].organisation if facts.walks[domain].records else registrable_domain(domain)
            for domain in facts.route.domains
        )
    )
