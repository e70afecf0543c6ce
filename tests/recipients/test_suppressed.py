"""A suppression list beside a mailing list: who bounced, who left, and for which mail that holds."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mailflows import Flow, check_list
from mailflows.feedback import SuppressionList
from mailflows.limits import MemoryStore
from mailflows.recipients import Deliverability, RecipientChecker

if TYPE_CHECKING:
    from mailflows.recipients import ListReport

NAMES = ("ada", "anna.berg", "bob", "clara.roth", "emil", "eve", "jan.kok", "kim", "lea", "paul.petit")
PEOPLE = [f"{name}@firm{number}.fr" for name in NAMES for number in range(30)]


@pytest.fixture
def suppressions() -> SuppressionList:
    """Return an empty list."""
    return SuppressionList(MemoryStore())


def checked(suppressions: SuppressionList, **settings: str) -> ListReport:
    """Return the report on everybody, without the DNS."""
    return check_list(PEOPLE, dns=False, bounced=suppressions, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", ["unsubscribed", "complained", "opted-out", "manual", "asked by phone"])
def test_who_left_did_not_bounce(suppressions: SuppressionList, reason: str) -> None:
    """People who left are not mailed, and say nothing of how many of the others will bounce."""
    for address in PEOPLE[:6]:
        suppressions.add(address, reason=reason)
    report, without = checked(suppressions), check_list(PEOPLE[6:], dns=False)
    assert report.known_bounces == 0
    assert report.prediction.addresses == without.prediction.addresses
    assert report.prediction.rate == pytest.approx(without.prediction.rate)
    assert not set(report.clean(risky=True, ignore_status=True)) & set(PEOPLE[:6])
    assert report.left_out() == report.do_not_mail == {"suppressed": 6}
    assert [one.name for one in report.segments(by_risk=True)] == ["not-asked", "do-not-mail"]
    assert report.worst_domains == ()


@pytest.mark.parametrize("reason", ["mailbox-unknown", "bounced", "domain-unknown", "mailbox-full"])
def test_what_bounced_did(suppressions: SuppressionList, reason: str) -> None:
    """Known bounces are not mailed, and tell of the list's age."""
    for address in PEOPLE[:6]:
        suppressions.add(address, reason=reason)
    report, without = checked(suppressions), check_list(PEOPLE[6:], dns=False)
    assert report.known_bounces == 6
    assert report.prediction.rate > without.prediction.rate
    assert report.left_out() == {"suppressed": 6}


def test_a_held_bounce_is_not_believed_yet(suppressions: SuppressionList) -> None:
    """A bounce that waits for a decision is not mailed, and not counted."""
    suppressions.put(replace(suppressions.entry(PEOPLE[0], reason="mailbox-unknown"), held=True))
    report = checked(suppressions)
    assert (report.known_bounces, report.do_not_mail) == (0, {"suppressed": 1})


def test_a_list_is_a_marketing_mailing_unless_said_otherwise(suppressions: SuppressionList) -> None:
    """Every way to check a list, or an address for a flow, knows who left that flow."""
    suppressions.add(PEOPLE[0], reason="unsubscribed", flow=Flow.MARKETING)
    checker = RecipientChecker(dns=False, bounced=suppressions)
    for report in (
        checked(suppressions),
        checker.check_list(PEOPLE),
        checker.check_list(PEOPLE, flow="marketing"),
        RecipientChecker(dns=False, bounced=suppressions, flow="marketing").check_list(PEOPLE),
    ):
        assert PEOPLE[0] not in list(report.clean())
        assert report.do_not_mail == {"suppressed": 1}
    for report in (
        checked(suppressions, flow="transactional"),
        checker.check_list(PEOPLE, flow="transactional"),
        RecipientChecker(dns=False, bounced=suppressions, flow="transactional").check_list(PEOPLE),
    ):
        assert list(report.clean()) == PEOPLE
    marketing = RecipientChecker(dns=False, bounced=suppressions, flow="marketing").check(PEOPLE[0])
    assert marketing.verdict is Deliverability.UNDELIVERABLE
    assert marketing.reasons[0].code == "do-not-mail"
    assert "bounce" not in str(marketing)
    assert checker.check(PEOPLE[0]).verdict is Deliverability.UNKNOWN


def test_the_asynchronous_check_knows_the_flow(suppressions: SuppressionList) -> None:
    """The asynchronous twin leaves out the same people."""
    suppressions.add(PEOPLE[0], reason="unsubscribed", flow=Flow.MARKETING)
    suppressions.add(PEOPLE[1], reason="unsubscribed", list="news")
    checker = RecipientChecker(dns=False, bounced=suppressions)

    def left_out(**settings: str) -> dict[str, int]:
        return asyncio.run(checker.acheck_list(PEOPLE, **settings)).do_not_mail  # type: ignore[arg-type]

    assert left_out() == {"suppressed": 1}
    assert left_out(list="news") == {"suppressed": 2}
    assert left_out(flow="transactional") == {}


def test_one_mailing_list_is_asked_about_by_its_name(suppressions: SuppressionList) -> None:
    """Who left one list is left out of that list alone."""
    suppressions.add(PEOPLE[0], reason="unsubscribed", list="news")
    assert checked(suppressions).do_not_mail == {}
    assert checked(suppressions, list="news").do_not_mail == {"suppressed": 1}
    alone = RecipientChecker(dns=False, bounced=suppressions, list="news")
    assert alone.check(PEOPLE[0]).reasons[0].code == "do-not-mail"
    assert alone.check_list(PEOPLE).do_not_mail == {"suppressed": 1}


def test_role_accounts_are_judged_by_the_flow_of_the_list() -> None:
    """For a notice to town halls, the address of an office is the usual one."""
    checker = RecipientChecker(dns=False)
    assert list(checker.check_list(["info@town.fr"]).clean()) == []
    assert list(checker.check_list(["info@town.fr"], flow="transactional").clean()) == ["info@town.fr"]


def test_marks_of_a_column_and_of_the_list_add_up(suppressions: SuppressionList) -> None:
    """A row is counted once, for the column where both say so; ignoring the column leaves the list."""
    suppressions.add("ada@shop.fr", reason="unsubscribed")
    suppressions.add("bob@shop.fr", reason="mailbox-unknown")
    text = (
        "email,status\nada@shop.fr,unsubscribed\nADA@shop.fr,subscribed\nbob@shop.fr,subscribed\n"
        "eve@shop.fr,cleaned\neve@shop.fr,subscribed\n,unsubscribed\n"
        "kim@shop.fr; eve@shop.fr,subscribed\nbob@shop.fr; eve@shop.fr,subscribed\n"
    )
    report = check_list(io.StringIO(text), dns=False, bounced=suppressions)
    marks = {name: n for name, n in report.left_out().items() if name not in {"bad-row", "duplicate"}}
    assert marks == report.do_not_mail
    assert report.do_not_mail == {"unsubscribed": 2, "bounced": 2, "suppressed": 2}
    assert report.rows == sum(report.left_out().values()) + 1
    assert [row["email"] for row in report.clean()] == ["kim@shop.fr"]
    assert [row["email"] for row in report.clean(ignore_status=True)] == ["eve@shop.fr", "kim@shop.fr"]
