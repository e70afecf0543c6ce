"""The checks of one flow: each looks at the facts and yields what it finds."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from mailflows._dns import Status
from mailflows._domain import registrable_domain
from mailflows.audit._dkim import DkimKey, read_key, read_tags
from mailflows.audit._dmarc import REMOVED
from mailflows.audit._facts import key_name, mail_hosts, report_permissions, selectors_of
from mailflows.audit._report import finding
from mailflows.audit._spf import LOOKUP_LIMIT, VOID_LIMIT, SpfResult
from mailflows.audit._suggested_records import (
    address_line,
    key_line,
    pointer_line,
    provider_key_line,
    spf_for,
    spf_merged,
    spf_with,
    spf_without,
    tags_line,
    text_line,
)
from mailflows.flows._esp import esp_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows._dns import Answer
    from mailflows.audit._dmarc import DmarcRecord, Walk
    from mailflows.audit._facts import RouteFacts
    from mailflows.audit._report import AuditFinding
    from mailflows.flows import FlowRoute

__all__ = ["flow_findings"]

_WIDEST = {4: 16, 6: 28}
"""Shortest prefixes that are not "very large": a /16 of IPv4 is 65,536 addresses."""

_DOCUMENTATION = tuple(
    map(ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"))
)
_IPV6 = 6  # by definition
_LONGEST_ANSWER = 450
"""Bytes of an SPF record that fit a DNS answer of 512 bytes with its header (RFC 7208 section 3.4)."""

_MOST_PLACES = 2  # RFC 9990 section 3: receivers need not send to more

_LEAST_BITS = 1024  # RFC 8301 section 3.2: verifiers need not accept shorter keys
_GOOD_BITS = 2048


def flow_findings(facts: RouteFacts) -> Iterator[AuditFinding]:
    """Yield all that is missing or weak on one flow."""
    checks = (
        _spf,
        _spf_reach,
        _sources,
        _dkim,
        _domains,
        _mail_hosts,
        _hosts,
        _addresses,
        _listings,
        _unanswered,
    )
    for check in checks:
        yield from check(facts)


def _spf(facts: RouteFacts) -> Iterator[AuditFinding]:
    """Look at the record itself."""
    spf, flows, domain = facts.spf, (facts.route.flow,), facts.spf.domain
    if domain in spf.unanswered:
        return
    others = [text for text in facts.answer(domain, "TXT").records if text not in spf.records]
    if lookalikes := [text for text in others if _LOOKALIKE.match(text)]:
        yield finding("spf-lookalike", flows, domain=domain, evidence=lookalikes)
    if not spf.records:
        wanted = spf_for(facts.route.source_ips)
        record = text_line(domain, wanted) if wanted else ""
        yield finding("spf-missing", flows, domain=domain, record=record)
    elif len(spf.records) > 1:
        record = text_line(domain, spf_merged(spf.records))
        count = len(spf.records)
        yield finding("spf-several", flows, domain=domain, count=count, evidence=spf.records, record=record)
    elif joined := _joined(spf.records[0]):
        record = text_line(domain, _parted(spf.records[0]))
        terms = ", ".join(joined)
        yield finding(
            "spf-joined-strings", flows, domain=domain, terms=terms, evidence=spf.records, record=record
        )
    elif domain in spf.broken:
        problem = spf.broken[domain]
        yield finding("spf-malformed", flows, domain=domain, problem=problem, evidence=spf.records)
    else:
        yield from _spf_tree(facts)


_JOINED = re.compile(
    r"(?<=[\w/])(?=(?:include|ip4|ip6|exists|redirect)[:=])|(?<=[a-z0-9])(?=[-~?+]all$)", re.IGNORECASE
)
"""Where a term goes on as if another began: two strings of a TXT record without a space between them."""


_LOOKALIKE = re.compile(r"\s*\"?\s*(?:v\s*=\s*spf|spf2\.0/)", re.IGNORECASE)
"""What was meant as an SPF record and is none: another version, Sender ID (RFC 4406), a quotation mark."""


def _joined(record: str) -> list[str]:
    """Return the terms that are two in one.

    >>> _joined("v=spf1 ip4:192.0.2.1include:_spf.esp.example mx-all")
    ['ip4:192.0.2.1include:_spf.esp.example', 'mx-all']
    """
    return [term for term in record.split()[1:] if _JOINED.search(term)]


def _parted(record: str) -> str:
    return " ".join(_JOINED.sub(" ", term) for term in record.split())


def _spf_tree(facts: RouteFacts) -> Iterator[AuditFinding]:
    """Look at a record that can be read, and at what it includes."""
    spf, flows, domain = facts.spf, (facts.route.flow,), facts.spf.domain
    for where, problem in spf.broken.items():
        told = f"{where}: {problem}"
        yield finding("spf-broken-include", flows, domain=domain, problem=told, evidence=spf.records)
    terms = spf.records[0].split()
    if twice := [term for term in dict.fromkeys(terms) if terms.count(term) > 1]:
        record = text_line(domain, " ".join(dict.fromkeys(terms)))
        told = " ".join(twice)
        yield finding(
            "spf-duplicate-terms", flows, domain=domain, terms=told, evidence=spf.records, record=record
        )
    if spf.ignored:
        record = text_line(domain, spf_without(spf.records[0], spf.ignored))
        told = " ".join(spf.ignored)
        yield finding(
            "spf-ignored-terms", flows, domain=domain, terms=told, evidence=spf.records, record=record
        )
    for target, count in spf.mail_hosts.items():
        if count > LOOKUP_LIMIT:
            yield finding("spf-too-many-mail-hosts", flows, domain=domain, target=target, count=count)
    size = len(spf.records[0].encode())
    if size > _LONGEST_ANSWER:
        yield finding("spf-too-long", flows, domain=domain, size=size, evidence=spf.records)
    if spf.lookups > LOOKUP_LIMIT:
        yield finding("spf-too-many-lookups", flows, domain=domain, count=spf.lookups, evidence=spf.records)
    if spf.voids:
        code = "spf-too-many-voids" if len(spf.voids) > VOID_LIMIT else "spf-void"
        evidence = [f"{name} has no {kind}" for name, kind in spf.voids.items()]
        yield finding(code, flows, domain=domain, count=len(spf.voids), evidence=evidence)
    ending = {"+": "spf-pass-all", "?": "spf-neutral-all", "": "spf-no-all"}.get(spf.last)
    if ending and not (ending == "spf-no-all" and spf.broken):
        record = text_line(domain, spf_with(spf.records[0], ending="~all"))
        yield finding(ending, flows, domain=domain, evidence=spf.records, record=record)


def _spf_reach(facts: RouteFacts) -> Iterator[AuditFinding]:
    """Check how wide the record is."""
    spf, flows = facts.spf, (facts.route.flow,)
    wide = [network for network in spf.networks if network.prefixlen < _WIDEST[network.version]]
    if wide:
        yield finding("spf-too-wide", flows, domain=spf.domain, evidence=map(str, wide))
    names = [term for term in spf.unexpanded if term.startswith("ptr:")]
    if names:
        yield finding("spf-ptr", flows, domain=spf.domain, evidence=names)
    others = [term for term in spf.unexpanded if not term.startswith("ptr:")]
    if others:
        yield finding("spf-not-expanded", flows, domain=spf.domain, evidence=others)


def _sources(facts: RouteFacts) -> Iterator[AuditFinding]:
    """Check whether SPF authorises the flow's own IP addresses; a broken record was reported above."""
    spf = facts.spf
    if len(spf.records) != 1 or spf.broken:
        return
    refused = (SpfResult.FAIL, SpfResult.SOFTFAIL, SpfResult.NEUTRAL)
    for ip, check in facts.sources.items():
        if check.result in refused:
            yield finding(
                "spf-source-refused",
                (facts.route.flow,),
                domain=spf.domain,
                result=f"{ip}, {check.result}",
                evidence=(str(check), *spf.records),
                record=text_line(spf.domain, spf_with(spf.records[0], ips=[ip])),
            )


def _dkim(facts: RouteFacts) -> Iterator[AuditFinding]:
    """Look at the keys: those that are declared, or those where the flow's provider publishes them."""
    route = facts.route
    if not route.dkim_selector and not facts.selectors:
        code = "dkim-unknown-selector" if route.esp else "dkim-no-selector"
        looked = [key_name(route, selector) for selector in selectors_of(route)]
        yield finding(code, (route.flow,), esp=route.esp, evidence=looked)
    for selector in facts.selectors:
        name = key_name(route, selector)
        answer = facts.answer(name, "TXT")
        if not answer.is_final:
            continue
        if len(answer.records) == 1:
            yield from _key(facts, name, read_key(answer.records[0]), answer.records)
        elif answer.records:
            count = len(answer.records)
            yield finding("dkim-several", (route.flow,), name=name, count=count, evidence=answer.records)
        else:
            yield finding("dkim-missing", (route.flow,), name=name, record=_key_record(route, selector))


def _key_record(route: FlowRoute, selector: str) -> str:
    """Return the key record to publish: for most providers a CNAME, whose target they show."""
    name = key_name(route, selector)
    cnames = esp_named(route.esp).cnames if route.esp else {}
    target = cnames.get(selector, cnames.get("*"))
    return key_line(name) if target is None else provider_key_line(name, target)


def _key(facts: RouteFacts, name: str, key: DkimKey, evidence: tuple[str, ...]) -> Iterator[AuditFinding]:
    flows = (facts.route.flow,)
    if key.problem:
        yield finding("dkim-malformed", flows, name=name, problem=key.problem, evidence=evidence)
    elif key.is_revoked:
        yield finding("dkim-revoked", flows, name=name, evidence=evidence)
    elif key.kind == "rsa" and key.bits < _GOOD_BITS:
        code = "dkim-short-key" if key.bits < _LEAST_BITS else "dkim-weak-key"
        yield finding(code, flows, name=name, bits=key.bits, evidence=evidence)
    tags = read_tags(evidence[0])
    if key.is_testing:
        record = tags_line(name, tags, t=None)
        yield finding("dkim-testing", flows, name=name, evidence=evidence, record=record)
    if key.services and not {"email", "*"} & set(key.services):
        record, services = tags_line(name, tags, s=None), ":".join(key.services)
        yield finding(
            "dkim-not-for-mail", flows, name=name, services=services, evidence=evidence, record=record
        )
    if key.hashes and "sha256" not in key.hashes:
        record = tags_line(name, tags, h=None)
        yield finding("dkim-sha1", flows, name=name, evidence=evidence, record=record)


def _domains(facts: RouteFacts) -> Iterator[AuditFinding]:
    """Look at each From domain."""
    flows = (facts.route.flow,)
    for domain in facts.route.domains:
        found = facts.walks[domain]
        mx = facts.answer(domain, "MX")
        if mx.status is Status.NXDOMAIN:
            yield finding("dns-no-domain", flows, domain=domain)
        elif mx.is_final and not _takes_mail(mx.records):
            hosts = facts.organisation_mx(domain) or ("10 HOST-THAT-ACCEPTS-YOUR-MAIL.",)
            record = "\n".join(f"{domain}. MX {one}" for one in hosts)
            yield finding("dns-no-mx", flows, domain=domain, evidence=mx.records, record=record)
        yield from _dmarc(facts, domain, found)
        if found.record is not None:
            yield from _alignment(facts, domain, found.record)


def _takes_mail(records: tuple[str, ...]) -> bool:
    """Return whether there is an MX other than the null MX (RFC 7505)."""
    return any(record.partition(" ")[2] not in {"", "."} for record in records)


def _dmarc(facts: RouteFacts, domain: str, found: Walk) -> Iterator[AuditFinding]:
    flows = (facts.route.flow,)
    for name in found.several:
        yield finding("dmarc-several", flows, domain=name)
    for name, texts in found.stray.items():
        yield finding("dmarc-stray-text", flows, domain=name, evidence=texts)
    for text in facts.answer(domain, "TXT").records:
        if text.lower().replace(" ", "").startswith("v=dmarc1"):
            record_line = "" if found.record else text_line(f"_dmarc.{domain}", text)
            yield finding("dmarc-wrong-place", flows, domain=domain, evidence=(text,), record=record_line)
    for name, problem in found.malformed.items():
        yield finding("dmarc-malformed", flows, domain=name, problem=problem)
    record = found.record
    if record is None:
        if not (found.several or found.malformed or found.unanswered):
            place = registrable_domain(domain)  # one record there holds for its subdomains, too
            wanted = {"v": "DMARC1", "p": "none", "rua": f"mailto:dmarc@{place}"}
            record_line = tags_line(f"_dmarc.{place}", wanted)
            yield finding("dmarc-missing", flows, domain=domain, place=place, record=record_line)
        return
    yield from _policy(facts, domain, record)
    yield from _writing(facts, record)
    yield from _reports(facts, record.domain, found)


def _policy(facts: RouteFacts, domain: str, record: DmarcRecord) -> Iterator[AuditFinding]:
    """Check the policy of a DMARC record."""
    flows, tags = (facts.route.flow,), record.tags
    evidence = ("; ".join(f"{name}={content}" for name, content in tags.items()),)

    def found(
        code: str, changed: dict[str, str | None], *, where: str = record.domain, told: str = ""
    ) -> AuditFinding:
        line = tags_line(f"_dmarc.{record.domain}", tags, **changed)
        return finding(code, flows, domain=where, tags=told, evidence=evidence, record=line)

    policy = record.policy_for(domain)
    if policy == "none":
        yield found("dmarc-policy-none", {"p": "quarantine", "sp": None}, where=domain)
    if not record.report_domains:
        code = "dmarc-invalid-reports" if tags.get("rua") else "dmarc-no-reports"
        yield found(code, {"rua": f"mailto:dmarc@{record.domain}"})
    if tags.get("t", "n").lower() == "y":
        yield found("dmarc-testing", {"t": None})
    if removed := [tag for tag in REMOVED if tag in tags]:
        yield found("dmarc-removed-tag", dict.fromkeys(removed), told=", ".join(removed))
    if tags.get("psd", "u").lower() == "y" and domain == record.domain:
        yield found("dmarc-public-suffix", {"psd": None})
    weak = [tag for tag in ("sp", "np") if tags.get(tag, "").lower() == "none"]
    if weak and policy != "none" and domain == record.domain:
        told = ", ".join(f"{tag}=none" for tag in weak)
        yield found("dmarc-open-subdomains", dict.fromkeys(weak), told=told)


def _writing(facts: RouteFacts, record: DmarcRecord) -> Iterator[AuditFinding]:
    """Check the syntax of a DMARC record."""
    flows, tags, domain = (facts.route.flow,), record.tags, record.domain
    name, evidence = f"_dmarc.{domain}", (record.text,)
    if record.ignored:
        unwanted = dict.fromkeys(one.partition("=")[0] for one in record.ignored)
        line, told = tags_line(name, tags, **unwanted), ", ".join(record.ignored)
        yield finding("dmarc-ignored", flows, domain=domain, tags=told, evidence=evidence, record=line)
    if list(tags)[1:2] != ["p"] and "p" in tags:
        line = tags_line(name, {"v": tags["v"], "p": tags["p"], **tags})
        yield finding("dmarc-tag-order", flows, domain=domain, evidence=evidence, record=line)
    for tag in ("rua", "ruf"):
        places = record.places_of(tag)
        if any("!" in place for place in places):
            line = tags_line(name, tags, **{tag: ",".join(place.partition("!")[0] for place in places)})
            yield finding("dmarc-size-limit", flows, domain=domain, tags=tag, evidence=evidence, record=line)
        wrong = record.unusable(tag)
        if wrong and (tag == "ruf" or len(wrong) < len(places)):  # without any, it was told above
            kept = ",".join(place for place in places if place not in wrong)
            line, told = tags_line(name, tags, **{tag: kept or None}), f"{tag}={','.join(wrong)}"
            yield finding("dmarc-ignored", flows, domain=domain, tags=told, evidence=evidence, record=line)
        if len(places) > _MOST_PLACES:
            yield finding("dmarc-many-targets", flows, domain=domain, tags=tag, evidence=places)


def _reports(facts: RouteFacts, domain: str, found: Walk) -> Iterator[AuditFinding]:
    """Check whether outside domains that are to receive reports have agreed."""
    for target, name in report_permissions(found):
        answer = facts.answer(name, "TXT")
        agreed = any(text.lower().replace(" ", "").startswith("v=dmarc1") for text in answer.records)
        if answer.is_final and not agreed:
            record = text_line(name, "v=DMARC1")
            flows = (facts.route.flow,)
            yield finding(
                "dmarc-report-refused", flows, target=target, domain=domain, name=name, record=record
            )

    if found.record is not None:
        for target in dict.fromkeys((*found.record.domains_of("rua"), *found.record.domains_of("ruf"))):
            answers = [facts.answer(target, kind) for kind in ("MX", "A", "AAAA")]
            is_known = all(answer.is_final for answer in answers) and target not in facts.route.domains
            if is_known and not _may_take_mail(*answers):  # its own domains were looked at before
                yield finding("dmarc-dead-reports", (facts.route.flow,), target=target, domain=domain)


def _may_take_mail(mx: Answer, *addresses: Answer) -> bool:
    """Return whether mail to a domain has somewhere to go: an MX, or an own address (RFC 5321, 5.1)."""
    return bool(mail_hosts(mx)) if mx.records else any(answer.records for answer in addresses)


def _mail_hosts(facts: RouteFacts) -> Iterator[AuditFinding]:
    """Check the hosts that receive replies and bounces."""
    route, flows = facts.route, (facts.route.flow,)
    for domain in dict.fromkeys((*route.domains, route.return_path)):
        hosts = mail_hosts(facts.answer(domain, "MX"))
        for host in [host for host in dict.fromkeys(hosts) if hosts.count(host) > 1]:
            yield finding("dns-mx-twice", flows, domain=domain, host=host)
        for host in dict.fromkeys(hosts):
            alias = facts.answer(host, "CNAME")
            addresses = [facts.answer(host, kind) for kind in ("A", "AAAA")]
            if alias.records:
                yield finding("dns-mx-alias", flows, domain=domain, host=host, evidence=alias.records)
            elif all(answer.is_final and not answer.records for answer in addresses):
                yield finding("dns-mx-dead", flows, domain=domain, host=host)


def _listings(facts: RouteFacts) -> Iterator[AuditFinding]:
    """Yield a finding for each source IP address on a blocklist."""
    for (ip, zone), answers in facts.listings.items():
        yield finding("dns-blocklisted", (facts.route.flow,), ip=ip, zone=zone, evidence=answers)


def _is_generic(name: str, ip: str) -> bool:
    """Return whether a host's name is made of its address, as names of dial-up lines are.

    M3AAWG "Sender Best Common Practices" (version 3.0, 2015) asks for names that tell who sends.

    >>> _is_generic("host-192-0-2-7.pool.example", "192.0.2.7"), _is_generic("out7.example.org", "192.0.2.7")
    (True, False)
    """
    address = ip_address(ip)
    if address.version == _IPV6:
        return address.exploded.replace(":", "") in name.replace("-", "").replace(".", "")
    octets = [f"0*{octet}" for octet in ip.split(".")]
    orders = (octets, octets[::-1])
    return any(re.search(r"(?<!\d)" + r"[.\-_x]".join(order) + r"(?!\d)", name) for order in orders)


def _alignment(facts: RouteFacts, domain: str, record: DmarcRecord) -> Iterator[AuditFinding]:
    """Look whether SPF and DKIM count for a From domain (RFC 9989 section 4.4)."""
    route = facts.route
    if route.return_path != domain and not _are_aligned(facts, domain, route.return_path, record, "aspf"):
        yield finding("dmarc-spf-misaligned", (route.flow,), path=route.return_path, domain=domain)
    if route.dkim_domain != domain and not _are_aligned(facts, domain, route.dkim_domain, record, "adkim"):
        yield finding("dmarc-dkim-misaligned", (route.flow,), signer=route.dkim_domain, domain=domain)


def _are_aligned(facts: RouteFacts, domain: str, other: str, record: DmarcRecord, mode: str) -> bool:
    if record.is_strict(mode):
        return False
    walks = facts.walks
    return walks[domain].organisation == walks[other].organisation or walks[other].unanswered


def _hosts(facts: RouteFacts) -> Iterator[AuditFinding]:
    """Look at the return-path, the EHLO name and the tracking host."""
    route, flows = facts.route, (facts.route.flow,)
    mx = facts.answer(route.return_path, "MX")
    if route.return_path not in route.domains and mx.is_final and not _takes_mail(mx.records):
        record = f"{route.return_path}. MX 10 mail.{route.domains[0]}."
        yield finding("dns-no-return-mx", flows, domain=route.return_path, evidence=mx.records, record=record)
    if route.tracking_host:
        answers = [facts.answer(route.tracking_host, kind) for kind in ("A", "AAAA")]
        if all(answer.is_final and not answer.records for answer in answers):
            yield finding("dns-no-tracking-host", flows, host=route.tracking_host)


def _addresses(facts: RouteFacts) -> Iterator[AuditFinding]:
    """Look at the names of the source addresses."""
    route, flows = facts.route, (facts.route.flow,)
    for ip in route.source_ips:
        address = ip_address(ip)
        kind = "A" if address.version == 4 else "AAAA"
        if not address.is_global and not _is_documentation(address):
            yield finding("dns-private-source", flows, ip=ip)
            continue
        pointer = facts.answer(address.reverse_pointer, "PTR")
        names = pointer.records
        generic = [name for name in names if _is_generic(name, ip)]
        if generic:
            yield finding("dns-generic-ptr", flows, ip=ip, name=generic[0], evidence=names)
        if pointer.is_final and not names:
            record = pointer_line(ip, route.ehlo or f"out.{route.domains[0]}")
            yield finding("dns-no-ptr", flows, ip=ip, record=record)
        answers = [facts.answer(name, kind) for name in names]
        if names and all(a.is_final and ip not in a.records for a in answers):
            record = address_line(names[0], ip)
            yield finding("dns-ptr-unconfirmed", flows, ip=ip, evidence=names, record=record)
        elif names and route.ehlo and route.ehlo not in names:
            yield finding("dns-ehlo-mismatch", flows, ip=ip, ehlo=route.ehlo, names=", ".join(names))
        if route.ehlo:
            forward = facts.answer(route.ehlo, kind)
            if forward.is_final and ip not in forward.records:
                record = address_line(route.ehlo, ip)
                yield finding(
                    "dns-ehlo-address",
                    flows,
                    ehlo=route.ehlo,
                    ip=ip,
                    evidence=forward.records,
                    record=record,
                )


def _is_documentation(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is kept for documentation (RFC 5737, RFC 3849): as good as public."""
    return any(address in network for network in _DOCUMENTATION if network.version == address.version)


def _unanswered(facts: RouteFacts) -> Iterator[AuditFinding]:
    """Yield a finding for queries without an answer."""
    open_names = [q.name for q, answer in facts.answers.items() if not answer.is_final]
    open_names += facts.spf.unanswered
    if open_names:
        names = list(dict.fromkeys(open_names))
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        yield finding("dns-unanswered", (facts.route.flow,), names=shown, evidence=names)
