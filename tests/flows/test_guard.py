"""The guard: what belongs on a flow, what is looked at, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows import Classification, ConfigurationError, Envelope, Flow, Message
from mailflows.flows import FlowRoute, FlowSet, GuardSettings, Outcome
from mailflows.templates import Observation, Series, SlotAlarm

FLOWS = FlowSet(
    FlowRoute("professional", domains="example.org"),
    FlowRoute("marketing", domains="news.example.org", tracking_host="click.example.org"),
    FlowRoute("transactional", domains="notify.example.org"),
)
RECEIPT = """From: Shop <orders@notify.example.org>
To: ada@example.net
Subject: Your receipt for order 40812

Hello Ada,

we received your payment of 31.50 EUR for order 40812.
{}
Your parcel leaves tomorrow. The tracking number follows in another message.
"""
ADVERT = (
    "Summer sale! Take 30% off everything in our shop until Sunday. "
    "Use the code SUNNY at checkout, shop now and save."
)


def _said(flow: Flow | None) -> Classification:
    shares = {f: 0.98 if f is flow else 0.01 for f in Flow}
    return Classification(flow, flow or Flow.MARKETING, 0.98, shares, 3.0, (), (), "en")


def test_an_advert_in_a_receipt_is_refused() -> None:
    """A promotional block is found in the middle of a transactional message, with its text."""
    decision = FLOWS.guard(RECEIPT.format(ADVERT), "transactional", classification=_said(None))
    assert decision.codes == ("promotional-block",)
    assert decision.outcome is Outcome.REFUSE
    assert "Summer sale" in decision.reasons[0].evidence[0]


def test_an_advert_is_found_far_below_the_beginning() -> None:
    """What the classifier no longer reads is looked at, too."""
    lines = "\n".join(f"Item {n} of your order was packed at the depot." for n in range(250))
    text = RECEIPT.format(lines + "\n" + ADVERT)
    assert len(text) > 8_000
    decision = FLOWS.guard(text, "transactional", classification=_said(None))
    assert "promotional-block" in decision.codes


def test_a_receipt_is_allowed() -> None:
    """The same receipt without the advert is of its flow, and the shipped classifier agrees."""
    decision = FLOWS.guard(RECEIPT.format(""), "transactional")
    assert decision.outcome is Outcome.ALLOW, str(decision)


@pytest.mark.parametrize(
    ("flow", "content", "code", "outcome"),
    [
        ("professional", Flow.MARKETING, "marketing-on-professional", Outcome.REFUSE),
        ("professional", Flow.TRANSACTIONAL, "transactional-on-professional", Outcome.FLAG),
        ("marketing", Flow.TRANSACTIONAL, "transactional-on-marketing", Outcome.REFUSE),
        ("marketing", Flow.PROFESSIONAL, "professional-on-marketing", Outcome.FLAG),
        ("transactional", Flow.MARKETING, "marketing-on-transactional", Outcome.REFUSE),
        ("transactional", Flow.PROFESSIONAL, "professional-on-transactional", Outcome.FLAG),
    ],
)
def test_content_of_another_flow(flow: str, content: Flow, code: str, outcome: Outcome) -> None:
    """Each mix-up has its code and its outcome."""
    decision = FLOWS.guard(RECEIPT.format(""), flow, classification=_said(content))
    assert (decision.codes, decision.outcome) == ((code,), outcome)


@pytest.mark.parametrize("flow", list(Flow))
def test_the_guard_abstains_with_the_classifier(flow: Flow) -> None:
    """An unsure classifier says nothing against a message."""
    decision = FLOWS.guard(RECEIPT.format(""), flow, classification=_said(None))
    assert decision.abstained
    assert decision.outcome is Outcome.ALLOW


@pytest.mark.parametrize(
    ("count", "outcome"), [(29, Outcome.ALLOW), (30, Outcome.FLAG), (200, Outcome.REFUSE)]
)
def test_bulk_at_once_on_the_professional_flow(count: int, outcome: Outcome) -> None:
    """Recipients of the envelope count, also those that no header shows."""
    envelope = Envelope("a@example.org", tuple(f"p{n}@example.net" for n in range(count)))
    message = Message.read(RECEIPT.format(""), envelope=envelope)
    assert FLOWS.guard(message, "professional", classification=_said(None)).outcome is outcome
    assert FLOWS.guard(message, "marketing", classification=_said(None)).outcome is Outcome.ALLOW


@pytest.mark.parametrize(
    ("seen", "outcome"), [(19, Outcome.ALLOW), (20, Outcome.FLAG), (100, Outcome.REFUSE)]
)
def test_bulk_over_time_on_the_professional_flow(seen: int, outcome: Outcome) -> None:
    """Many messages that are nearly the same are a mailing, one by one."""
    observation = Observation(Series.MAILING, seen, seen, (), (), "t")
    decision = FLOWS.guard(
        RECEIPT.format(""), "professional", classification=_said(None), observation=observation
    )
    assert decision.outcome is outcome


def test_an_abused_form_is_refused() -> None:
    """What a memory of templates saw is passed on, with the slot."""
    alarm = SlotAlarm("slot.link", "«Hello …,»", "«Hello …,» holds a link, and never did")
    observation = Observation(Series.TRANSACTIONAL, 9, 9, (), (alarm,), "t")
    decision = FLOWS.guard(
        RECEIPT.format(""), "transactional", classification=_said(None), observation=observation
    )
    assert (decision.codes, decision.reasons[0].evidence) == (("form-abuse",), ("«Hello …,»",))


TRACKED = """From: a@example.org
Subject: x
Content-Type: text/html

<p>Hello, see <a href="https://click.example.org/t/1">this</a>.</p>{}
"""


@pytest.mark.parametrize("flow", ["professional", "transactional"])
def test_tracking_is_flagged_where_nobody_agreed_to_it(flow: str) -> None:
    """A tracking host and a pixel are flagged on personal and transactional mail, not on a mailing."""
    pixel = '<img src="https://click.example.org/o.gif" width="1" height="1">'
    message = TRACKED.format(pixel)
    decision = FLOWS.guard(message, flow, classification=_said(None))
    assert set(decision.codes) == {"tracking-links", "tracking-pixel"}
    assert decision.outcome is Outcome.FLAG
    assert FLOWS.guard(message, "marketing", classification=_said(None)).outcome is Outcome.ALLOW


@pytest.mark.parametrize(
    "content",
    [
        {"flag_recipients": 10, "refuse_recipients": 5},
        {"flag_alike": 200},
        {"flag_block": 2.0, "refuse_block": 1.0},
    ],
)
def test_thresholds_that_contradict_themselves_are_refused(content: dict[str, Any]) -> None:
    """What flags must not lie above what refuses."""
    with pytest.raises(ConfigurationError):
        GuardSettings(**content)


def test_a_decision_can_be_shown_and_stored() -> None:
    """A decision is a line, plain data and escaped HTML."""
    text = RECEIPT.format(ADVERT + " <script>")
    decision = FLOWS.guard(text, "transactional", classification=_said(None))
    assert "refuse on transactional" in str(decision)
    assert decision.to_dict()["reasons"][0]["code"] == "promotional-block"
    assert "<script>" not in decision._repr_html_()


@pytest.mark.property
@given(st.text(max_size=400), st.sampled_from(list(Flow)))
def test_any_text_gets_a_decision(text: str, flow: Flow) -> None:
    """Whatever a message holds, the guard decides."""
    decision = FLOWS.guard("Subject: x\n\n" + text, flow, classification=_said(None))
    assert decision.outcome in Outcome
