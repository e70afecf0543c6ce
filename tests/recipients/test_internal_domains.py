"""Domains that exist inside a sender's own network alone, and what is said first of a slip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailflows import Gate
from mailflows.cli import main
from mailflows.errors import AddressError, ConfigurationError
from mailflows.recipients import Deliverability, DomainState, Overrides, RecipientChecker, signup_risk
from mailflows.testing import FakeDns

if TYPE_CHECKING:
    from pathlib import Path

INSIDE = [
    "ada@firm.lan",
    "ada@mail.firm.local",
    "ada@shop.test",
    "kim@localhost",
    "ada@files",
    "ada@corp.example",
]
OURS = Overrides.of(internal_domains={"Firm.lan", "firm.local", "test", "localhost", "files", "corp.example"})


@pytest.mark.parametrize("dns", [True, False])
@pytest.mark.parametrize("address", INSIDE)
def test_a_domain_of_ones_own_network_takes_mail(address: str, *, dns: bool) -> None:
    """A sender who names it, or a domain above it, knows better than the world's DNS, which is not asked."""
    resolver = FakeDns({}, default="nxdomain")
    assert RecipientChecker(resolver=resolver, dns=dns).check(address).verdict in {
        Deliverability.UNDELIVERABLE,
        Deliverability.RISKY,  # names for documentation, where the DNS is not asked
    }
    report = RecipientChecker(resolver=resolver, dns=dns, overrides=OURS).check(address)
    assert report.verdict is Deliverability.DELIVERABLE
    assert report.domain_state is DomainState.OK
    assert report.normalized == report.ascii == address
    assert report.suggestion is None
    listed = RecipientChecker(resolver=resolver, dns=dns, overrides=OURS).check_list([address, address])
    assert list(listed.clean()) == [address]
    assert listed.duplicates == 1


@pytest.mark.parametrize(
    "address", ["ada@firm.internal", "ada@otherfirm.lan", "ada@file", "ada@xfiles", "a b@firm.lan"]
)
def test_other_reserved_names_stay_undeliverable(address: str) -> None:
    """Only what is named, and what is below it."""
    assert RecipientChecker(dns=False, overrides=OURS).check(address).verdict is Deliverability.UNDELIVERABLE


def test_roles_and_traps_are_seen_inside_too() -> None:
    """An internal domain says nothing of the part before the @ sign."""
    known = Overrides.of(internal_domains={"firm.lan"}, traps={"trap@firm.lan"})
    checker = RecipientChecker(dns=False, overrides=known, flow="marketing")
    assert checker.check("info@firm.lan").verdict is Deliverability.RISKY
    assert checker.check("trap@firm.lan").verdict is Deliverability.UNDELIVERABLE


def test_a_gate_and_the_command_line_know_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same name in flows.toml, and an option of the commands."""
    file = tmp_path / "flows.toml"
    text = '[flows.transactional]\ndomains = ["notify.example.org"]\n[recipients]\ninternal_domains = '
    file.write_text(f'{text}["firm.lan"]\n', "utf-8")
    gate = Gate.from_toml(file)
    assert gate.recipients is not None
    assert gate.recipients.check("ada@firm.lan").verdict is Deliverability.DELIVERABLE
    file.write_text(f"{text}7\n", "utf-8")
    with pytest.raises(ConfigurationError, match="internal_domains"):
        Gate.from_toml(file)
    assert main(["check", "--no-dns", "ada@firm.lan"]) == 1
    assert main(["check", "--no-dns", "--internal-domain", "firm.lan", "ada@firm.lan"]) == 0
    assert "deliverable" in capsys.readouterr().out


def test_a_slip_is_named_before_what_the_slip_leads_to() -> None:
    """Who meant a provider is told so, whatever stands at the domain that they typed."""
    world = {"gmial.com": {"A": ["93.184.216.34"]}, "gmail.com": {"MX": ["10 mx.gmail.com"]}}
    world["mx.gmail.com"] = {"A": ["93.184.216.34"]}
    world["yopmail.com"] = world["gmail.com"]
    checker = RecipientChecker(resolver=FakeDns(world), overrides=Overrides.of(disposable={"gmial.com"}))
    report = checker.check("bob@gmial.com")
    assert [reason.code for reason in report.reasons] == ["typo", "implicit", "disposable"]
    assert report.suggestion == "bob@gmail.com"
    assert [reason.code for reason in signup_risk(report).reasons] == ["typo", "disposable"]
    with pytest.raises(AddressError, match=r"typo for gmail\.com") as caught:
        checker.ensure("bob@gmial.com", refuse={"disposable"})
    assert caught.value.reason == "typo"
    with pytest.raises(AddressError, match="disposable"):
        checker.ensure("bob@yopmail.com", refuse={"disposable"})
