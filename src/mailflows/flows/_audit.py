"""The judgement of an audit: what each flow lacks, and what flows share; pure."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from mailflows.flows._audit_checks import flow_findings
from mailflows.flows._audit_facts import key_name
from mailflows.flows._audit_report import AuditReport, finding
from mailflows.flows._dkim import read_key
from mailflows.flows._spf_networks import overlap
from mailflows.signals.links import registrable_domain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mailflows.flows._audit_facts import RouteFacts
    from mailflows.flows._audit_report import Finding
    from mailflows.flows._route import FlowRoute

__all__ = ["judge"]


def judge(routes: Sequence[FlowRoute], facts: Mapping[int, RouteFacts]) -> AuditReport:
    """Say what is missing, weak or shared.

    Args:
        routes: The routes, in the order of their conversations.
        facts: What each conversation found, by its number.
    """
    known = [facts[number] for number in range(len(routes))]
    findings = [found for one in known for found in flow_findings(one)]
    for one, other in combinations(known, 2):
        findings += [*_declared(one.route, other.route), *_published(one, other), *_organisation(one, other)]
    return AuditReport.of(findings)


def _declared(one: FlowRoute, other: FlowRoute) -> Iterator[Finding]:
    """Compare what the routes say themselves."""
    flows = (one.flow, other.flow)
    for ip in one.source_ips:
        if ip in other.source_ips:
            yield finding("shared.source-ip", flows, ip=ip)
    if one.return_path == other.return_path:
        yield finding("shared.return-path", flows, domain=one.return_path)
    if one.tracking_host and one.tracking_host == other.tracking_host:
        yield finding("shared.tracking-host", flows, host=one.tracking_host)
    if one.ehlo and one.ehlo == other.ehlo:
        yield finding("shared.ehlo", flows, host=one.ehlo)
    if one.server and one.server == other.server:
        yield finding("shared.relay", flows, host=one.server.host)
    if one.esp and (one.esp.lower(), one.stream) == (other.esp.lower(), other.stream):
        yield finding("shared.stream", flows, esp=one.esp)
    if one.list_id and one.list_id == other.list_id:
        yield finding("shared.list-id", flows, list_id=one.list_id)


def _published(one: RouteFacts, other: RouteFacts) -> Iterator[Finding]:
    """Compare keys and networks."""
    flows = (one.route.flow, other.route.flow)
    keys, others = _keys(one), _keys(other)
    same_names = [name for name in keys if name in others]
    for name in same_names:
        yield finding("shared.dkim-selector", flows, name=name)
    same_keys = [(a, b) for a in keys for b in others if a != b and keys[a] and keys[a] == others[b]]
    if same_keys:
        yield finding("shared.dkim-key", flows, evidence=[f"{a} = {b}" for a, b in same_keys])
    if one.route.return_path == other.route.return_path:
        return  # one record, said above
    shared = overlap(one.spf.networks, other.spf.networks)
    if shared:
        yield finding(
            "shared.spf-networks", flows, evidence=[_where(network, one, other) for network in shared]
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
    for selector in facts.route.dkim_selector:
        name = key_name(facts.route, selector)
        records = facts.answer(name, "TXT").records
        found[name] = read_key(records[0]).key if len(records) == 1 else b""
    return found


def _organisation(one: RouteFacts, other: RouteFacts) -> Iterator[Finding]:
    """Say which flows are separate only by sub-domains."""
    shared = [organisation for organisation in _organisations(one) if organisation in _organisations(other)]
    for domain in shared:
        yield finding("shared.organisation", (one.route.flow, other.route.flow), domain=domain)


def _organisations(facts: RouteFacts) -> list[str]:
    """Return the organisations of the From domains; by the public suffix list where DMARC has no record."""
    return list(
        dict.fromkeys(
            facts.walks[domain].organisation if facts.walks[domain].records else registrable_domain(domain)
            for domain in facts.route.domains
        )
    )
