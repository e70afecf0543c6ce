"""Laws of the gate that hold for any input."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailflows import Envelope, Flow, Gate
from mailflows.feedback import SuppressionList
from mailflows.gate import GateDecision
from mailflows.limits import Limit, Limiter, MemoryStore
from mailflows.recipients import RecipientChecker
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from mailflows.templates import TemplateMemory
from three_flows import reset, three_flows

ADDRESSES = st.lists(
    st.text(max_size=20) | st.sampled_from(["ada@babbage.example", "no@x", "@", ""]), max_size=6
)
FLOWS = st.sampled_from([None, *Flow])


def full(*, dry_run: bool = False) -> Gate:
    """Return a gate with every part that needs no network."""
    store = MemoryStore()
    return Gate(
        three_flows(),
        recipients=RecipientChecker(dns=False),
        limiter=Limiter(Limit("2/day", per="recipient")),
        senders=SenderControl(store),
        suppressions=SuppressionList(store),
        reputation=Reputation(store),
        templates=TemplateMemory(store),
        dry_run=dry_run,
    )


GATE, TRYING = full(), full(dry_run=True)


@pytest.mark.property
@given(st.binary(max_size=400), ADDRESSES, FLOWS)
def test_any_bytes_get_a_verdict(raw: bytes, to: list[str], flow: Flow | None) -> None:
    """Whatever is asked is answered, and can be shown."""
    verdict = GATE.check(raw, envelope=Envelope("", tuple(to)), flow=flow)
    assert verdict.reasons
    assert str(verdict) + verdict.explain() + verdict._repr_html_()


@pytest.mark.property
@given(ADDRESSES)
def test_every_recipient_has_one_fate(to: list[str]) -> None:
    """Who was given is accepted, refused, or stopped with the whole message; nobody twice, nobody new."""
    verdict = GATE.check(reset(), envelope=Envelope("", tuple(to)), flow="transactional")
    refused = [one.address for one in verdict.refused]
    given_once = list(dict.fromkeys(to)) or ["ada@babbage.example"]
    assert sorted([*verdict.accepted, *refused]) == sorted(set(verdict.accepted) | set(refused))
    assert set(verdict.accepted) | set(refused) <= set(given_once)
    if verdict:
        assert sorted([*verdict.accepted, *refused]) == sorted(given_once)
    else:
        assert verdict.accepted == ()


@pytest.mark.property
@settings(max_examples=50)
@given(st.binary(max_size=200), FLOWS)
def test_a_dry_run_stops_nothing_that_can_be_sent(raw: bytes, flow: Flow | None) -> None:
    """What can be read is accepted, and what would have been is said."""
    verdict = TRYING.check(b"From: a@lovelace.example\nTo: b@babbage.example\n\n" + raw, flow=flow)
    assert verdict.decision is GateDecision.ACCEPT
    assert (verdict.would_be is GateDecision.ACCEPT) is not bool(verdict.why)
