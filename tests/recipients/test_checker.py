"""Checking one address."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mailflows._dns._wire import Answer, Question, Status
from mailflows.errors import AddressError, ConfigurationError
from mailflows.feedback import SuppressionList
from mailflows.flow import Flow
from mailflows.limits import MemoryStore
from mailflows.recipients import (
    Deliverability,
    DomainState,
    Overrides,
    RecipientChecker,
    Trait,
    check_recipient,
    ensure_recipient,
)
from mailflows.testing import FakeDns, FixedClock

if TYPE_CHECKING:
    from collections.abc import Mapping

MAIL = {"MX": ["10 mx.host.fr"]}
HOST = {"mx.host.fr": {"A": ["93.184.216.34"]}}


def checker(records: Mapping[str, Any] | None = None, **settings: Any) -> RecipientChecker:
    """Return a checker over a DNS from memory."""
    return RecipientChecker(resolver=FakeDns({**HOST, **(records or {})}), clock=FixedClock(), **settings)


def test_a_good_address_is_deliverable() -> None:
    """An address at a domain with a reachable mail host is deliverable, and every field says so."""
    report = checker({"shop.fr": MAIL}).check("Ada.Lovelace@Shop.fr")
    assert report.verdict is Deliverability.DELIVERABLE
    assert report.normalized == report.ascii == "Ada.Lovelace@shop.fr"
    assert report.domain == "shop.fr"
    assert report.domain_state is DomainState.OK
    assert report.mail_hosts == ("mx.host.fr",)
    assert report.duplicate_key == "ada.lovelace@shop.fr"
    assert report.checked_at == FixedClock().now
    assert report.reasons == ()


@pytest.mark.parametrize(
    "value", [None, b"ada@shop.fr", 7, "", "   ", "\x00@\x01", "a" * 10_000 + "@b.fr", "\ud800@b.fr"]
)
def test_what_is_no_address_is_reported_not_raised(value: object) -> None:
    """Whatever is given, there is a report that says what is wrong."""
    report = check_recipient(value, dns=False)  # type: ignore[arg-type]
    assert report.verdict is Deliverability.UNDELIVERABLE
    assert report.reasons[0].sentence
    assert report.normalized is None


def test_without_the_dns_the_report_says_so() -> None:
    """With the DNS off nothing is claimed about the domain."""
    dns = FakeDns()
    report = RecipientChecker(resolver=dns, dns=False).check("ada@shop.fr")
    assert report.domain_state is DomainState.NOT_ASKED
    assert report.verdict is Deliverability.UNKNOWN
    assert dns.asked == []


def test_a_typing_error_is_suggested_though_the_domain_has_mail_hosts() -> None:
    """Misspelt domains of large providers often have MX records."""
    report = checker({"gmil.com": MAIL}).check("bob@gmil.com")
    assert report.suggestion == "bob@gmail.com"
    assert report.verdict is Deliverability.RISKY


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("bob@gmail", "bob@gmail.com"),
        ("bob@gmail,com", "bob@gmail.com"),
        (" bob@shop.fr ", "bob@shop.fr"),
        ("<bob@shop.fr>", "bob@shop.fr"),
        ("bob@shop..fr", "bob@shop.fr"),
        ("nothing at all", None),
    ],
)
def test_slips_that_leave_no_choice_are_suggested(typed: str, meant: str | None) -> None:
    """What is no address may still show what was meant; it is not put in place."""
    report = check_recipient(typed, dns=False)
    assert report.suggestion == meant
    assert report.normalized is None


def test_a_role_account_weighs_only_in_marketing() -> None:
    """``info@`` is the usual address of a small firm."""
    assert checker({"shop.fr": MAIL}).check("info@shop.fr").verdict is Deliverability.DELIVERABLE
    report = checker({"shop.fr": MAIL}, flow=Flow.MARKETING).check("info@shop.fr")
    assert report.verdict is Deliverability.RISKY
    assert Trait.ROLE in report.traits


def test_the_word_of_a_flow_is_the_flow() -> None:
    """A str judges as the flow does, and a word that is none is told."""
    judged = RecipientChecker(dns=False, flow="marketing").check("info@shop.fr")
    assert judged.verdict == RecipientChecker(dns=False, flow=Flow.MARKETING).check("info@shop.fr").verdict
    with pytest.raises(ValueError, match="newsletter"):
        RecipientChecker(dns=False, flow="newsletter")


def test_an_address_known_to_bounce_is_undeliverable() -> None:
    """A suppression list may be a set, a mapping or a function."""
    for bounced in ({"ada@shop.fr"}, {"ada@shop.fr": "550"}, lambda address: address == "ada@shop.fr"):
        report = checker({"shop.fr": MAIL}, bounced=bounced).check("Ada@shop.fr")
        assert report.verdict is Deliverability.UNDELIVERABLE
        assert report.reasons[0].code == "suppressed"


def test_the_user_knows_better_than_the_lists() -> None:
    """Entries can be added and taken out."""
    overrides = Overrides.of(disposable={"shop.fr"}, not_disposable={"yopmail.com"}, known={"gmial.com"})
    tuned = checker(overrides=overrides, dns=False)
    assert Trait.DISPOSABLE in tuned.check("ada@mail.shop.fr").traits
    assert Trait.DISPOSABLE not in tuned.check("ada@yopmail.com").traits
    assert tuned.check("ada@gmial.com").suggestion is None


def test_a_large_provider_is_never_called_dead() -> None:
    """A resolver that says gmail.com does not exist is at fault itself."""
    assert checker().check("ada.lovelace@gmail.com").verdict is Deliverability.UNKNOWN


def test_a_resolver_that_invents_answers_calls_nobody_bad() -> None:
    """A resolver that has an address for every name says nothing about any."""

    class Portal(FakeDns):
        """A hotel's resolver."""

        def answer(self, question: Question) -> Answer:
            return (
                Answer(Status.OK, ("10.0.0.1",), 60.0)
                if question.kind == "A"
                else Answer(Status.NODATA, (), 60.0)
            )

    assert RecipientChecker(resolver=Portal()).check("ada@shop.fr").verdict is Deliverability.UNKNOWN


def test_the_raising_form_has_a_sentence_for_the_person_who_typed() -> None:
    """The error carries address and reason, and does not repeat the address in its text."""
    with pytest.raises(AddressError, match=r"Did you mean an address at gmail\.com") as caught:
        ensure_recipient("bob@gmail", dns=False)
    assert caught.value.reason == "no-dot-in-domain"
    assert caught.value.address == "bob@gmail"
    assert "bob" not in str(caught.value)


def test_the_async_twin_says_the_same() -> None:
    """One conversation, two drivers."""
    both = checker({"shop.fr": MAIL, "dead.fr": {"MX": ["0 ."]}})
    for address in ("ada@shop.fr", "ada@dead.fr", "no address"):
        assert asyncio.run(both.acheck(address)).to_dict() == both.check(address).to_dict()


def test_what_is_shown_is_escaped() -> None:
    """An address is hostile text."""
    report = check_recipient("<script>alert(1)</script>@x.fr", dns=False)
    assert "<script>" not in report._repr_html_()


@pytest.mark.parametrize("answer", ["timeout", "servfail", "nxdomain"])
def test_a_resolver_that_does_not_answer_about_com_calls_nobody_bad(answer: str) -> None:
    """A lost packet at the start must not make every domain dead for ten minutes."""
    door = FakeDns({"com": answer})
    vars(door)["is_system"] = True
    checker = RecipientChecker(resolver=door)
    for _ in range(2):
        assert checker.check("a@shop.fr").verdict is Deliverability.UNKNOWN


def test_one_string_is_no_set_of_addresses() -> None:
    """`a@b.fr` stands in the text `gone-a@b.fr`, but was not meant."""
    with pytest.raises(ConfigurationError):
        RecipientChecker(dns=False, bounced="gone-a@b.fr")
    with pytest.raises(ConfigurationError):
        Overrides.of(known="gmial.com")


@pytest.mark.parametrize("text", ["Ada a@shop.fr", "tel: 0612 a@shop.fr"])
def test_a_name_before_the_address_is_not_glued_to_it(text: str) -> None:
    """A suggestion is for slips that leave no choice."""
    assert check_recipient(text, dns=False).suggestion is None


def test_a_suppression_list_is_asked_for_the_flow() -> None:
    """Who left the newsletter is not written to on that flow, and still gets a receipt."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add("ada@shop.fr", flow=Flow.MARKETING)
    verdicts = [
        RecipientChecker(dns=False, flow=flow, bounced=suppressions).check("Ada@Shop.fr").verdict
        for flow in (Flow.MARKETING, Flow.TRANSACTIONAL)
    ]
    assert verdicts == [Deliverability.UNDELIVERABLE, Deliverability.UNKNOWN]
