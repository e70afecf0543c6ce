"""Who takes the mail of a domain."""

from __future__ import annotations

import pytest

from mailflows._providers import ask_for_provider, provider_of
from mailflows.testing import FakeDns


@pytest.mark.parametrize(
    ("domain", "hosts", "name"),
    [
        ("gmail.com", (), "google"),
        ("Yahoo.FR.", (), "yahoo"),
        ("shop.example", (), "shop.example"),
        ("shop.example", ("ASPMX.L.google.com.",), "google"),
        ("shop.example", ("shop-example.mail.protection.outlook.com",), "outlook"),
        ("shop.example", ("mx2.host.co.uk", "aspmx.l.google.com"), "host.co.uk"),
        ("shop.example", ("mx.notgoogle.com",), "notgoogle.com"),
    ],
)
def test_domains_are_grouped(domain: str, hosts: tuple[str, ...], name: str) -> None:
    """Mail hosts come before the table of domains, and only whole labels of a suffix count."""
    assert provider_of(domain, mail_hosts=hosts).name == name


def test_the_preferred_mail_host_counts() -> None:
    """The MX with the lowest preference names the provider, whatever the order of the records."""
    dns = FakeDns({"shop.example": {"MX": ["20 mx.other.example", "10 aspmx.l.google.com"]}})
    assert next(found.name for _, found in dns.run([ask_for_provider("shop.example")])) == "google"


@pytest.mark.parametrize("records", ["timeout", "servfail", {"MX": ["0 ."]}])
def test_without_an_answer_the_domain_stands_for_itself(records: object) -> None:
    """A resolver that fails stops nobody, and a domain without mail hosts is a provider of its own."""
    dns = FakeDns({"shop.example": records})  # type: ignore[dict-item]
    assert next(found.name for _, found in dns.run([ask_for_provider("shop.example")])) == "shop.example"


def test_a_known_provider_has_its_rate() -> None:
    """A large provider is begun with faster than an unknown host."""
    assert provider_of("gmail.com").rate > provider_of("shop.example").rate > 0
