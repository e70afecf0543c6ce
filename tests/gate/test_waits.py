"""How long a message may be put off: never longer than it lives in the queue of who sends it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mailflows import Gate
from mailflows.gate import GateDecision
from mailflows.integrations._recipient import judged
from mailflows.limits import Limit, Limiter, MemoryStore, presets
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from mailflows.testing import FixedClock
from three_flows import newsletter, note, reset, three_flows

DAY = 86_400.0


def campaign(clock: FixedClock, **settings: Any) -> Gate:
    """Return a gate with the limits of a campaign."""
    limiter = presets.campaign(MemoryStore(clock=clock))
    return Gate(three_flows(), limiter={"marketing": limiter}, **settings)


def test_a_wait_beyond_the_queue_is_a_final_answer() -> None:
    """The same mailing again within a week is refused for good: a queue of five days gives up before that."""
    gate = campaign(FixedClock())
    assert gate.check(newsletter(), flow="marketing", template="spring")
    again = gate.check(newsletter(), flow="marketing", template="spring")
    assert (again.decision, again.retry_after) == (GateDecision.REJECT, None)
    assert again.reply == (
        550,
        (
            "5.7.1 Over the limit '1 per week of the same message to one recipient'; the next attempt could "
            "be made in 1 week, longer than a mail queue keeps a message, so it is refused permanently "
            "[limits/limited]"
        ),
    )
    assert again.why[0].retry_after == pytest.approx(7 * DAY)


def test_a_wait_within_the_queue_is_a_deferral() -> None:
    """Four days before the week is over the queue can wait for it (RFC 5321 section 4.5.4.1)."""
    clock = FixedClock()
    gate = campaign(clock)
    assert gate.check(newsletter(), flow="marketing", template="spring")
    clock.advance(3 * DAY + 3 * 3600)
    again = gate.check(newsletter(), flow="marketing", template="spring")
    assert again.decision is GateDecision.DEFER
    assert again.reply is not None
    assert again.reply[0] == 450


def test_recipients_left_out_for_a_week_are_told_so() -> None:
    """Who has had the mailing is refused for good; who has had too much today may be tried tomorrow."""
    clock = FixedClock()
    limiter = Limiter(
        Limit("1/week", per="duplicate"), Limit("1/day", per="recipient"), store=MemoryStore(clock=clock)
    )
    gate = Gate(three_flows(), limiter={"marketing": limiter})
    assert gate.check(newsletter("had@babbage.example"), flow="marketing", template="spring")
    clock.advance(2 * DAY)
    assert gate.check(newsletter("busy@babbage.example"), flow="marketing", template="other")
    to = "had@babbage.example, new@babbage.example, busy@babbage.example"
    verdict = gate.check(newsletter(to), flow="marketing", template="spring")
    assert verdict.accepted == ("new@babbage.example",)
    assert {one.address: one.reply[0] for one in verdict.refused} == {
        "had@babbage.example": 550,
        "busy@babbage.example": 450,
    }
    told = [reason for reason in verdict.reasons if reason.part == "limits"]
    assert [(one.parameters["per"], one.parameters["rule"]) for one in told] == [
        ("duplicate", "1 per week of the same message to one recipient"),
        ("recipient", "1 per day per recipient"),
    ]
    assert "1 per week of the same message to one recipient" in str(verdict.refused[0].sentence)


def test_a_refused_recipient_knows_how_long() -> None:
    """A recipient that is left out may be tried when its own limit allows, not after a guess."""
    clock = FixedClock()
    limiter = Limiter(Limit("1/day", per="recipient"), store=MemoryStore(clock=clock))
    gate = Gate(three_flows(), limiter=limiter)
    assert gate.check(newsletter("busy@babbage.example"), flow="marketing")
    clock.advance(DAY / 2)
    to = "new@babbage.example, busy@babbage.example"
    for verdict in (
        gate.check(newsletter(to), flow="marketing"),
        asyncio.run(gate.acheck(newsletter(to.replace("new", "newer")), flow="marketing")),
    ):
        (refused,) = verdict.refused
        assert refused.retry_after == pytest.approx(DAY / 2, rel=0.02)


def test_a_shared_limit_tells_who_is_left_out_when_there_is_room() -> None:
    """Ten at once are more than an account may ever; those left out fit when the hour is over."""
    limiter = Limiter(Limit("3/hour", per="account"), store=MemoryStore(clock=FixedClock()))
    gate = Gate(three_flows(), limiter=limiter)
    to = ", ".join(f"reader{n}@babbage.example" for n in range(10))
    verdict = gate.check(newsletter(to), flow="marketing", account="ada")
    assert len(verdict.accepted) == 3
    assert {(one.reply[0], round(one.retry_after or 0)) for one in verdict.refused} == {(450, 3600)}


def test_at_rcpt_the_same_rule_holds() -> None:
    """A recipient whose limit opens in a week hears a final answer at once."""
    limiter = Limiter(Limit("1/week", per="recipient"), store=MemoryStore(clock=FixedClock()))
    gate = Gate(three_flows(), limiter=limiter)
    assert gate.check(reset(), flow="transactional")
    found = judged(gate, "ada@babbage.example", gate.flows["transactional"].flow)
    assert found is not None
    assert (found.code, found.text[:5]) == (550, "5.7.1")


def test_a_long_block_of_a_sender_is_final() -> None:
    """Somebody blocked for a week hears it now, not from a bounce in five days."""
    senders = SenderControl(MemoryStore(), clock=FixedClock())
    senders.block("charles@lovelace.example", seconds=7 * DAY)
    verdict = Gate(three_flows(), senders=senders).check(note(), flow="professional")
    assert verdict.decision is GateDecision.REJECT


def test_a_long_stop_of_a_flow_is_final() -> None:
    """A flow stopped by hand for a month keeps nobody's queue full."""
    reputation = Reputation(MemoryStore(), clock=FixedClock())
    reputation.open("marketing", seconds=30 * DAY)
    verdict = Gate(three_flows(), reputation=reputation).check(newsletter(), flow="marketing")
    assert verdict.decision is GateDecision.REJECT
    assert {one.reply[0] for one in verdict.refused} == {550}


def test_a_dry_run_counts_what_really_left() -> None:
    """Limits count in a dry run as they would without it, so that its figures are those of the real thing."""
    clock = FixedClock()
    gate = campaign(clock, dry_run=True)
    first = gate.check(newsletter(), flow="marketing", template="spring")
    second = gate.check(newsletter(), flow="marketing", template="spring")
    assert (first.would_be, second.would_be) == (GateDecision.ACCEPT, GateDecision.REJECT)
    assert second.accepted == ("ada@babbage.example",)
    live = Gate(three_flows(), limiter={"marketing": gate.limiter_of(first.flow)})  # type: ignore[dict-item]
    assert not live.check(newsletter(), flow="marketing", template="spring"), "it left in the dry run"


def test_a_dry_run_takes_nothing_for_what_would_stay() -> None:
    """What would be refused by its content takes nothing from the limits, though it leaves."""
    limiter = Limiter(Limit("1/day", per="recipient"), store=MemoryStore(clock=FixedClock()))
    gate = Gate(three_flows(), limiter=limiter, dry_run=True)
    advert = gate.check(newsletter(), flow="transactional")
    assert advert.would_be is GateDecision.REJECT
    assert gate.check(reset(), flow="transactional").would_be is GateDecision.ACCEPT
