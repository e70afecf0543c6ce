"""The audit on a real name server: every planted fault is found, and none is invented."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from audit.zones import FAULTS, PARTLY, SEPARATE, Setup, clean, rsa_key
from dns_server import DnsServer, closed_port
from mailflows import Severity
from mailflows._dns import Resolver
from mailflows.audit import AuditReport, aaudit, audit
from mailflows.testing import FakeDns


def _audit(setup: Setup) -> AuditReport:
    zones: dict[str, Any] = {"": setup.zone()}
    with DnsServer(**zones) as server:
        return audit(setup.flows(), resolver=Resolver(["127.0.0.1"], port=server.port))


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str) -> None:
    """The fault is found by its code, and nothing else is."""
    break_it, codes = FAULTS[name]
    setup = clean(SEPARATE)
    break_it(setup)
    report = _audit(setup)
    assert set(report.codes) == codes, str(report)


def _published(setup: Setup, line: str) -> None:
    """Publish a line that a finding gives to copy."""
    name, kind, text = line.split(" ", 2)
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', text) if kind == "TXT" else [text]
    content = "".join(strings).replace('\\"', '"').replace("\\\\", "\\")
    setup.put(name.removesuffix("."), kind, content if kind == "TXT" else content.removesuffix("."))


NOT_TO_COPY = frozenset(
    "spf-malformed spf-broken-include spf-too-many-lookups spf-too-many-voids spf-void spf-too-wide spf-ptr "
    "spf-too-many-mail-hosts spf-too-long dmarc-several dmarc-malformed dmarc-spf-misaligned "
    "dmarc-dkim-misaligned dmarc-dead-reports dkim-no-selector dkim-unknown-selector dkim-several "
    "dkim-malformed dkim-revoked dkim-short-key dkim-weak-key dns-ehlo-mismatch dns-no-tracking-host "
    "dns-unanswered dns-mx-alias dns-mx-dead dns-generic-ptr dns-private-source shared-network "
    "shared-tracking-target shared-spf-networks shared-dkim-key shared-tracking-host shared-ehlo "
    "shared-relay shared-list-id shared-stream shared-account dmarc-many-targets dmarc-stray-text "
    "dmarc-wrong-place dns-mx-twice spf-lookalike".split()
)
"""Where the cure is no record, or only the owner or somebody else knows what stands in it."""

COPIED = [name for name, (_, codes) in FAULTS.items() if len(codes) == 1]


@pytest.mark.parametrize("name", COPIED)
def test_the_record_to_publish_ends_its_finding(name: str) -> None:
    """A record that a finding gives to copy makes that finding go away."""
    break_it, codes = FAULTS[name]
    setup = clean(SEPARATE)
    break_it(setup)
    first = audit(setup.flows(), resolver=FakeDns(setup.records))
    lines = [found.record for found in first if found.record and found.code in codes]
    if codes <= NOT_TO_COPY:
        assert not lines
        return
    assert lines, f"{codes} should say what to publish"
    for line in lines:
        _published(setup, line)
    again = audit(setup.flows(), resolver=FakeDns(setup.records))
    assert not codes & set(again.codes), f"{lines}: {again}"


def _with_ipv6(setup: Setup) -> None:
    setup.routes["marketing"]["source_ips"] = "2001:db8::20"
    setup.put("bounces.firm-news.example", "TXT", "v=spf1 ip6:2001:db8::20 -all")
    setup.put("out.firm-news.example", "AAAA", "2001:db8::20")
    setup.put("0.2.0.0" + ".0" * 20 + ".8.b.d.0.1.0.0.2.ip6.arpa", "PTR", "out.firm-news.example")


def _with_includes(setup: Setup) -> None:
    setup.put("bounces.firm-news.example", "TXT", "v=spf1 include:_spf.firm-news.example ~all")
    setup.put("_spf.firm-news.example", "TXT", "v=spf1 ip4:198.51.100.20 mx:firm-news.example ?all")
    setup.put("mx.firm-news.example", "A", "203.0.113.5")


def _with_agreed_reports(setup: Setup) -> None:
    setup.put("_dmarc.firm-news.example", "TXT", "v=DMARC1;p=quarantine;rua=mailto:a@dmarc.example")
    setup.put("firm-news.example._report._dmarc.dmarc.example", "TXT", "v=DMARC1;")
    setup.put("dmarc.example", "MX", "10 mx.firm.example")


def _with_a_short_setup(setup: Setup) -> None:
    """A provider sends, signs and takes bounces in the flow's own name."""
    route = setup.routes["marketing"]
    for name in ("source_ips", "ehlo", "relay", "tracking_host"):
        del route[name]
    route["esp"], route["stream"] = "Postmark", "broadcast"


def _by_a_known_provider(setup: Setup) -> None:
    """Two flows of one provider in accounts of their own, whose selectors nobody declared."""
    for number, flow in ((2, "marketing"), (3, "transactional")):
        route = setup.routes[flow]
        domain = route["domains"]
        route.update(dkim_selector=(), esp="SendGrid", stream=flow, relay="")
        keys = setup.records.pop(f"s{number}._domainkey.{domain}")["TXT"]
        target = f"s1.domainkey.u{number}000.wl00{number}.sendgrid.net"
        setup.put(f"s1._domainkey.{domain}", "CNAME", target)
        setup.put(target, "TXT", *keys)


def _with_all_newer_tags(setup: Setup) -> None:
    record = "v=DMARC1; p=reject; sp=reject; np=reject; psd=n; rua=mailto:r@firm-news.example"
    setup.put("_dmarc.firm-news.example", "TXT", record)


def _with_an_edwards_key(setup: Setup) -> None:
    key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    setup.put("s2._domainkey.firm-news.example", "TXT", f"v=DKIM1; k=ed25519; p={key}")


@pytest.mark.parametrize(
    "change",
    [
        None,
        _with_ipv6,
        _with_includes,
        _with_agreed_reports,
        _with_a_short_setup,
        _with_an_edwards_key,
        _by_a_known_provider,
        _with_all_newer_tags,
    ],
)
def test_nothing_is_invented(change: Any) -> None:
    """Flows that are well kept apart have no finding."""
    setup = clean(SEPARATE, seed=40)
    if change:
        change(setup)
    report = _audit(setup)
    assert report.codes == (), str(report)
    assert report.ok


def test_subdomains_are_partly_separate() -> None:
    """Subdomains of one organisation are no fault, and the report says what they are."""
    report = _audit(clean(PARTLY))
    assert report.codes == ("shared-organisation",), str(report)
    assert report.ok
    assert "partly separate" in str(report)


def test_a_subdomain_inherits_by_the_tree_walk() -> None:
    """A subdomain without a record of its own has the policy that its organisation wants for it."""
    setup = clean(PARTLY)
    del setup.records["_dmarc.news.firm.example"]
    setup.put("_dmarc.firm.example", "TXT", "v=DMARC1; p=reject; sp=none; rua=mailto:r@firm.example")
    report = _audit(setup)
    codes = {"dmarc-policy-none", "dmarc-open-subdomains", "shared-organisation"}
    assert set(report.codes) == codes, str(report)
    assert [f.flows for f in report if f.code == "dmarc-policy-none"] == [("marketing",)]


def test_a_finding_names_every_flow_that_it_touches() -> None:
    """What the organisation's record lacks is one finding, of all flows below it."""
    setup = clean(PARTLY)
    for domain in ("news.firm.example", "tx.firm.example"):
        del setup.records[f"_dmarc.{domain}"]
    setup.put("_dmarc.firm.example", "TXT", "v=DMARC1; p=reject; pct=50; rua=mailto:r@firm.example")
    report = _audit(setup)
    found = [f.flows for f in report if f.code == "dmarc-removed-tag"]
    assert found == [("professional", "marketing", "transactional")]


def test_both_drivers_find_the_same() -> None:
    """The async audit and one without a network see what the sync one sees."""
    setup = clean(SEPARATE)
    FAULTS["11 look-ups"][0](setup)
    zones: dict[str, Any] = {"": setup.zone()}
    with DnsServer(**zones) as server:
        resolver = Resolver(["127.0.0.1"], port=server.port)
        sync = audit(setup.flows(), resolver=resolver)
        in_loop = asyncio.run(aaudit(setup.flows(), resolver=resolver))
    faked = audit(setup.flows(), resolver=FakeDns(setup.records))
    assert sync == in_loop == faked


def test_a_resolver_that_is_down_is_said() -> None:
    """Without answers there is one finding a flow, and no accusation."""
    resolver = Resolver(["127.0.0.1"], port=closed_port())
    report = audit(clean(SEPARATE).flows(), resolver=resolver)
    assert report.codes == ("dns-unanswered",)
    assert not report.ok


def test_a_report_can_be_shown_and_stored() -> None:
    """A report is a table, HTML, plain data and a data frame."""
    setup = clean(SEPARATE)
    setup.put("_dmarc.firm-news.example", "TXT", "v=DMARC1; p=none; rua=mailto:r@firm-news.example; x=<b>")
    report = audit(setup.flows(), resolver=FakeDns(setup.records))
    assert json.loads(json.dumps(report.to_dict()))["findings"][0]["code"] == "dmarc-policy-none"
    assert "dmarc-policy-none" in report._repr_html_()
    assert list(report.to_pandas()["code"]) == ["dmarc-policy-none", "dmarc-ignored"]
    assert report.summary == "2 warnings"
    assert next(iter(report)).severity is Severity.WARNING
    assert len(report.findings) == 2


def test_key_lengths_are_read() -> None:
    """The length of a key is that of its modulus."""
    from mailflows.audit._dkim import read_key

    assert [read_key("p=" + rsa_key(bits)).bits for bits in (512, 1024, 1536, 2048, 4096)] == [
        512,
        1024,
        1536,
        2048,
        4096,
    ]


@pytest.mark.parametrize("text", ["p=AAAA", "p=!!", "p=MIIB", "k=ed25519; p=AAAA", "v=DKIM2; p=AAAA", ""])
def test_a_broken_key_is_said(text: str) -> None:
    """Whatever stands in a key record, reading it ends with a problem."""
    from mailflows.audit._dkim import read_key

    assert read_key(text).problem


@pytest.mark.parametrize(
    ("answer", "codes"),
    [("127.0.0.2", {"dns-blocklisted"}), ("127.255.255.254", set()), (None, set())],
    ids=["listed", "the list serves no open resolver", "not listed"],
)
def test_block_lists_are_asked_where_they_are_named(answer: str | None, codes: set[str]) -> None:
    """A listing is told; an answer that only says "I do not serve you" is none."""
    setup = clean(SEPARATE)
    if answer:
        setup.put("20.100.51.198.zen.lists.example", "A", answer)
    dns = FakeDns(setup.records)
    assert set(audit(setup.flows(), resolver=dns, blocklists=["zen.lists.example"]).codes) == codes
    assert audit(setup.flows(), resolver=FakeDns(setup.records)).codes == ()
