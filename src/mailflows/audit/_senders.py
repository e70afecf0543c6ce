"""Who sends as the flows' domains, compared with what is declared."""

from __future__ import annotations

from collections import Counter, defaultdict
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from mailflows._domain import registrable_domain
from mailflows._result import number_of
from mailflows.audit._report import finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailflows.audit._aggregates import DmarcReports
    from mailflows.audit._facts import RouteFacts
    from mailflows.audit._report import AuditFinding
    from mailflows.flow import Flow

__all__ = ["BULK", "sender_findings"]

BULK = 5_000
"""Messages a day to one provider from which all mail of an organisation's domain is held to the rules for
bulk senders: "close to 5,000" (Gmail sender guidelines FAQ, 2024-02)."""

_TOGETHER = {4: 24, 6: 48}
"""Prefixes whose addresses share one finding, because a provider's hosts are neighbours. Our choice."""


def sender_findings(known: Sequence[RouteFacts], reports: DmarcReports) -> Iterator[AuditFinding]:
    """Say who sends as a flow's domain and is not declared, and whose own mail fails."""
    if reports.unread:
        files = number_of(len(reports.unread), "file")
        yield finding("reports-unreadable", (), files=files, evidence=reports.unread)
    by_domain = {domain: facts for facts in known for domain in facts.route.domains}
    organisations = {registrable_domain(domain) for domain in by_domain}
    counts: dict[tuple[str, bool, bool], Counter[str]] = defaultdict(Counter)
    for (domain, ip, passed), count in reports.senders().items():
        if registrable_domain(domain) in organisations:
            facts = by_domain.get(domain)
            counts[domain, facts is not None and _is_declared(facts, ip), passed][ip] += count
    for (domain, is_declared, passed), ips in sorted(counts.items()):
        facts = by_domain.get(domain)
        flows = () if facts is None else (facts.route.flow,)
        words = {"whose": " and ".join(flows) or "any flow", "domain": domain}
        if passed and not is_declared:
            yield from _told("reports-undeclared-sender", flows, ips, words)
        elif is_declared and not passed:
            yield from _told("reports-failing-source", flows, ips, words)
        elif not passed:
            words |= {
                "messages": number_of(ips.total(), "message"),
                "sources": number_of(len(ips), "other IP address", "other IP addresses"),
            }
            yield finding("reports-forged", flows, evidence=_shown(ips), **words)
    yield from _bulk(reports, organisations)


def _is_declared(facts: RouteFacts, ip: str) -> bool:
    """Return whether an address is the flow's own, or one that its SPF record lets send."""
    address = ip_address(ip)
    return ip in facts.route.source_ips or any(
        address in network for network in facts.spf.networks if network.version == address.version
    )


def _told(
    code: str, flows: tuple[Flow, ...], ips: Counter[str], words: dict[str, str]
) -> Iterator[AuditFinding]:
    """Yield a finding for each network, the busiest first."""
    networks: dict[str, Counter[str]] = defaultdict(Counter)
    for ip, count in ips.items():
        prefix = _TOGETHER[ip_address(ip).version]
        networks[str(ip_network((ip, prefix), strict=False))][ip] = count
    for network, found in sorted(networks.items(), key=lambda item: -item[1].total()):
        shown = next(iter(found)) if len(found) == 1 else f"{len(found)} addresses of {network}"
        messages = number_of(found.total(), "message")
        yield finding(code, flows, messages=messages, ip=shown, evidence=_shown(found), **words)


def _shown(ips: Counter[str]) -> list[str]:
    return [f"{ip}: {count}" for ip, count in ips.most_common(20)]


def _bulk(reports: DmarcReports, organisations: set[str]) -> Iterator[AuditFinding]:
    """Say which organisations are bulk senders, over all their flows and subdomains."""
    days: Counter[tuple[str, str, object]] = Counter()
    for row in reports.rows:
        organisation = registrable_domain(row.domain)
        if row.passed and organisation in organisations:
            days[organisation, row.receiver, row.day] += row.count
    most: dict[tuple[str, str], int] = {}
    for (organisation, receiver, _), count in days.items():
        most[organisation, receiver] = max(count, most.get((organisation, receiver), 0))
    for (organisation, receiver), count in sorted(most.items()):
        if count >= BULK:
            yield finding("reports-bulk-sender", (), domain=organisation, receiver=receiver, count=count)
