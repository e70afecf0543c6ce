"""Who takes the mail of a domain."""

from __future__ import annotations

import pytest

from mailflows._providers import _entries, ask_for_provider, is_free_mail, provider_of
from mailflows.message import Message
from mailflows.pacing import Pacer
from mailflows.recipients import RecipientChecker, Trait
from mailflows.signals import measure
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


@pytest.mark.parametrize(
    "domain", ["Gmail.com", "outlook.co.id", "laposte.net", "11mail.com", "verizon.net."]
)
def test_free_mailboxes_are_known(domain: str) -> None:
    """Large providers and the many small ones are asked in one place, however the domain is written."""
    assert is_free_mail(domain)
    assert provider_of(domain).is_free


def test_a_firm_at_a_large_host_is_no_free_mailbox() -> None:
    """Google takes the mail of many firms; their domains are their own."""
    firm = provider_of("shop.example", mail_hosts=("aspmx.l.google.com",))
    assert (firm.name, firm.is_known, firm.is_free) == ("google", True, False)


def test_each_domain_and_each_mail_host_has_one_provider() -> None:
    """No domain and no suffix stands in two rows of the table."""
    for kind in ("domains", "mx"):
        stated = [key for entry in _entries().values() for key in entry.get(kind, ())]
        assert len(stated) == len(set(stated))


@pytest.mark.parametrize("domain", ["gmail.com", "hotmail.be", "yahoo.com.tw", "web.de", "free.fr"])
def test_every_part_gives_one_answer(domain: str) -> None:
    """Signals, the recipient checker and the pacer agree about who a domain belongs to."""
    seen = measure(Message.read(f"From: Ada <ada@{domain}>\nSubject: x\n\nHello"))
    assert "sender-free-mail" in seen
    assert Trait.FREE_MAIL in RecipientChecker(dns=False).check(f"ada.lovelace@{domain}").traits
    assert Pacer().schedule(f"ada@{domain}").provider == provider_of(domain).name
