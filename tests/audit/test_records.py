"""The records that an audit offers: what the provider really wants, and nothing invented."""

from __future__ import annotations

import pytest

from mailflows.audit import AuditReport, audit
from mailflows.flows import FlowRoute, FlowSet
from mailflows.testing import FakeDns


def report(*routes: FlowRoute, **zones: dict[str, list[str]]) -> AuditReport:
    """Return the audit of some routes; zones are named with underscores for dots."""
    return audit(
        FlowSet(*routes), resolver=FakeDns({name.replace("__", "."): z for name, z in zones.items()})
    )


def record(found: AuditReport, code: str) -> str:
    """Return the record of the one finding with a code."""
    (one,) = [finding for finding in found if finding.code == code]
    return one.record


@pytest.mark.parametrize(
    ("esp", "selector", "line"),
    [
        ("SendGrid", "s1", "s1._domainkey.news.example.org. CNAME s1.domainkey.ACCOUNT.wl.sendgrid.net."),
        ("Brevo", "brevo1", "brevo1._domainkey.news.example.org. CNAME b1.news-example-org.dkim.brevo.com."),
        ("Mandrill", "mte2", "mte2._domainkey.news.example.org. CNAME dkim2.mandrillapp.com."),
        ("SES", "abc123", "abc123._domainkey.news.example.org. CNAME abc123.dkim.amazonses.com."),
        ("Mailgun", "pdk1", "pdk1._domainkey.news.example.org. CNAME TARGET-THAT-THE-PROVIDER-SHOWS."),
        (
            "Office 365",
            "selector1",
            "selector1._domainkey.news.example.org. CNAME TARGET-THAT-THE-PROVIDER-SHOWS.",
        ),
        ("Mailjet", "mailjet", 'mailjet._domainkey.news.example.org. TXT "v=DKIM1; k=rsa; p=PUBLIC-KEY"'),
        ("", "own", 'own._domainkey.news.example.org. TXT "v=DKIM1; k=rsa; p=PUBLIC-KEY"'),
    ],
)
def test_the_kind_of_key_record_is_the_providers(esp: str, selector: str, line: str) -> None:
    """A provider that wants a CNAME is not given a TXT: it would never rotate its keys there."""
    route = FlowRoute("marketing", domains="news.example.org", esp=esp, dkim_selector=selector)
    assert record(report(route), "dkim-missing") == line


def test_one_dmarc_record_for_the_organisation() -> None:
    """Two flows on subdomains are offered one record, where it holds for both."""
    found = report(
        FlowRoute("marketing", domains="news.example.org"),
        FlowRoute("transactional", domains="notify.example.org"),
    )
    records = {one.record for one in found if one.code == "dmarc-missing"}
    assert records == {'_dmarc.example.org. TXT "v=DMARC1; p=none; rua=mailto:dmarc@example.org"'}


def test_no_mail_host_is_invented() -> None:
    """The MX that is offered is one that takes the organisation's mail; else its place is left open."""
    route = FlowRoute("marketing", domains="news.example.org")
    known = report(
        route, example__org={"MX": ["10 mx.host.example"]}, news__example__org={"A": ["192.0.2.1"]}
    )
    assert record(known, "dns-no-mx") == "news.example.org. MX 10 mx.host.example."
    unknown = report(route, news__example__org={"A": ["192.0.2.1"]}, example__org={"MX": ["0 ."]})
    assert record(unknown, "dns-no-mx") == "news.example.org. MX 10 HOST-THAT-ACCEPTS-YOUR-MAIL."


@pytest.mark.parametrize(
    ("esp", "flow", "is_found"),
    [
        ("MailOut", "transactional", True),
        ("Altospam", "marketing", True),
        ("Altospam MailOut", "professional", False),
        ("Microsoft 365", "marketing", True),
        ("Microsoft 365", "transactional", False),
        ("Brevo", "marketing", False),
    ],
)
def test_a_provider_that_does_not_take_a_flow(esp: str, flow: str, is_found: bool) -> None:  # noqa: FBT001
    """A relay for people's mail blocks who sends programs' mail over it: that is said, with its source."""
    found = [
        one
        for one in report(FlowRoute(flow, domains="news.example.org", esp=esp))
        if one.code == "esp-not-for-flow"
    ]
    assert bool(found) is is_found
    if found:
        assert found[0].severity == "error"
        assert ".com" in found[0].reference
