"""Who a message claims to be from, against what its flow declares: one thing changed in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mailflows import Envelope
from mailflows.flows import FlowRoute, FlowSet
from mailflows.gate import Gate, GateDecision, Verdict
from three_flows import newsletter, note, reset

if TYPE_CHECKING:
    from email.message import EmailMessage

FLOWS = FlowSet(
    FlowRoute("professional", domains="lovelace.example", dkim_selector="pro"),
    FlowRoute(
        "marketing",
        domains="news.lovelace.example",
        return_path="bounces.news.lovelace.example",
        dkim_selector="mk",
        list_id="offers.lovelace.example",
    ),
    FlowRoute(
        "transactional",
        domains="notify.lovelace.example",
        return_path="bounces.notify.lovelace.example",
        dkim_selector="tx",
    ),
)
ONE_CLICK = "no-one-click-unsubscribe"
MESSAGES = {"professional": note, "marketing": newsletter, "transactional": reset}


def checked(flow: str, fields: dict[str, str], *, mail_from: str = "", **context: Any) -> Verdict:
    """Return the verdict on an ordinary message of a flow, with some of its fields in other words."""
    mail: EmailMessage = MESSAGES[flow]()
    mail["Date"] = "Tue, 12 May 2026 09:12:00 +0000"
    for name, value in fields.items():
        del mail[name]
        mail[name] = value
    envelope = Envelope(mail_from, ("ada@babbage.example",))
    return Gate(FLOWS, held=None, on_conflict="reject").check(
        mail.as_bytes(), envelope=envelope, flow=flow, **context
    )


def signed(domain: str, selector: str) -> str:
    """Return a signature field of a domain's key; nobody checks what it signs."""
    return f"v=1; a=rsa-sha256; d={domain}; s={selector}; h=from; bh=AAAA; b=AAAA"


CASES: list[tuple[str, dict[str, str], dict[str, Any], str | None, str]] = [
    ("transactional", {}, {}, None, ""),
    ("transactional", {}, {"mail_from": "b@bounces.notify.lovelace.example"}, None, ""),
    ("transactional", {}, {"mail_from": "b@Notify.Lovelace.example."}, None, ""),
    ("transactional", {}, {"mail_from": "b@other.lovelace.example"}, None, ""),
    (
        "transactional",
        {},
        {"mail_from": "b@bounces.news.lovelace.example"},
        "return-path-of-other-flow",
        "the marketing flow",
    ),
    ("transactional", {}, {"mail_from": "b@babbage.example"}, "foreign-return-path", "babbage.example"),
    ("transactional", {"DKIM-Signature": signed("notify.lovelace.example", "tx")}, {}, None, ""),
    (
        "transactional",
        {"DKIM-Signature": signed("news.lovelace.example", "mk")},
        {},
        "dkim-of-other-flow",
        "the marketing flow",
    ),
    (
        "transactional",
        {"DKIM-Signature": signed("notify.lovelace.example", "old")},
        {},
        "dkim-unknown-key",
        "not declared",
    ),
    ("transactional", {"DKIM-Signature": signed("esp.example", "k1")}, {}, "dkim-not-aligned", "esp.example"),
    ("transactional", {"DKIM-Signature": "v=1; a=rsa-sha256"}, {}, "dkim-not-aligned", "no domain"),
    ("marketing", {"List-Id": "Offers <offers.lovelace.example>"}, {}, None, ""),
    ("marketing", {"List-Id": "<other.lovelace.example>"}, {}, "foreign-list-id", "other.lovelace.example"),
    ("transactional", {"List-Id": "<offers.lovelace.example>"}, {}, "foreign-list-id", "the marketing flow"),
    ("transactional", {"List-Id": "<unknown.example>"}, {}, None, ""),
    ("marketing", {"List-Unsubscribe": "<mailto:leave@news.lovelace.example?subject=x>"}, {}, None, ""),
    (
        "marketing",
        {"List-Unsubscribe": "<https://news.lovelace.example/u>, <mailto:leave@esp.example?subject=x>"},
        {},
        "foreign-unsubscribe",
        "esp.example",
    ),
    ("professional", {}, {"account": "charles@lovelace.example"}, None, ""),
    ("professional", {}, {"account": "charles"}, None, ""),
    ("professional", {}, {"account": "ada@lovelace.example"}, "from-not-of-account", "not the address"),
    (
        "professional",
        {"Sender": "ada@lovelace.example"},
        {"account": "ada@lovelace.example"},
        None,
        "",
    ),
    ("transactional", {}, {"account": "ada@lovelace.example"}, None, ""),
    ("transactional", {"Return-Path": "<x@y.example>"}, {}, "forged-field", "only receivers"),
]


@pytest.mark.parametrize(("flow", "fields", "around", "code", "words"), CASES)
def test_who_it_claims_to_be_from(
    flow: str, fields: dict[str, str], around: dict[str, Any], code: str | None, words: str
) -> None:
    """What fits the flow is not mentioned; what does not is named, with whose it is."""
    verdict = checked(flow, fields, **around)
    found = [r for r in (*verdict.why, *verdict.findings) if r.part == "identity" and r.code != ONE_CLICK]
    assert [reason.code for reason in found] == ([code] if code else [])
    assert all(words in reason.sentence for reason in found)


@pytest.mark.parametrize(
    ("code", "is_refused"),
    [("return-path-of-other-flow", True), ("dkim-of-other-flow", True), ("foreign-return-path", False)],
)
def test_only_what_is_another_flows_stops_a_message(code: str, *, is_refused: bool) -> None:
    """A conflict between flows is decided by ``on_conflict``; the rest is reported."""
    flow, fields, around, *_ = next(case for case in CASES if case[3] == code)
    assert (checked(flow, fields, **around).decision is GateDecision.REJECT) == is_refused


@pytest.mark.parametrize(
    ("unsubscribe", "post"),
    [
        ("<https://news.lovelace.example/u/1>", "no"),
        ("<mailto:u@news.lovelace.example>", "List-Unsubscribe=One-Click"),
    ],
)
def test_one_click_needs_both_fields(unsubscribe: str, post: str) -> None:
    """An https address and the POST field (RFC 8058 section 3.1): marketing with one of them is refused."""
    both = {"List-Unsubscribe": unsubscribe, "List-Unsubscribe-Post": post}
    assert checked("marketing", {}).allowed
    assert not checked("marketing", both).allowed
