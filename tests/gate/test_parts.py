"""What each part adds to a verdict, by parts that answer what they are told to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import Envelope, Flow, Gate
from mailflows.gate import GateDecision, Verdict
from mailflows.limits import Limit, Limiter, MemoryStore
from mailflows.recipients import RecipientChecker
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from mailflows.testing import FixedClock
from three_flows import newsletter, note, reset, three_flows

if TYPE_CHECKING:
    from email.message import EmailMessage

ADA = "ada@babbage.example"


def codes(verdict: Verdict, part: str) -> list[str]:
    """Return what one part said."""
    return [reason.code for reason in verdict.reasons if reason.part == part]


def several(mail: EmailMessage, *names: str) -> EmailMessage:
    """Return a message for several."""
    del mail["To"]
    mail["To"] = ", ".join(f"{name}@shop.fr" for name in names)
    return mail


class Classified:
    """A classifier that is told what to say."""

    def __init__(self, flow: Flow | None, likely: Flow | None) -> None:
        self.said = SimpleNamespace(flow=flow, likely=likely, confidence=0.9)

    def classify(self, _message: object) -> Any:
        """Say it."""
        return self.said


@pytest.mark.parametrize(
    ("flow", "likely", "code", "sentence"),
    [
        (Flow.TRANSACTIONAL, Flow.TRANSACTIONAL, "ok", "transactional, 90% sure"),
        (Flow.MARKETING, Flow.MARKETING, "ok", "marketing, 90% sure"),
        (None, Flow.TRANSACTIONAL, "ok", "probably transactional, 90% sure"),
        (None, Flow.MARKETING, "unsure", "unsure, 90% sure"),
        (None, None, "unsure", "unsure, 90% sure"),
    ],
)
def test_leaning_to_the_declared_flow_agrees_with_it(
    flow: Flow | None, likely: Flow | None, code: str, sentence: str
) -> None:
    """What is told of the classifier is the flow, and what it leans to only where that was declared."""
    from mailflows.gate._check import Check
    from mailflows.gate._parts import classify
    from mailflows.message import Message

    check = Check(Message.read(reset().as_bytes()), None, _declared(Flow.TRANSACTIONAL))
    steps = classify(SimpleNamespace(classifier=Classified(flow, likely)), check)  # type: ignore[arg-type]
    call = next(steps)
    assert call.name == "classify"
    with pytest.raises(StopIteration):
        steps.send(Classified(flow, likely).said)
    assert [(reason.code, reason.sentence) for reason in check.reasons] == [(code, sentence)]


def _declared(flow: Flow | None) -> Any:
    from mailflows.gate import Context

    return Context(flow=flow)


@pytest.mark.parametrize(("budget", "unchecked"), [(8.0, 0), (7.9, 1), (4.0, 1), (3.9, 2), (0.0, 2)])
def test_the_budget_of_recipients_is_used_up(budget: float, unchecked: int) -> None:
    """Each is begun while there is time; to the end of it, and no longer."""
    clock = FixedClock()

    class Slow(RecipientChecker):
        def check(self, address: str) -> Any:
            clock.advance(4)
            return super().check(address)

    gate = Gate(three_flows(), held=None, recipients=Slow(dns=False), recipients_budget=budget, timer=clock)
    verdict = gate.check(several(reset(), "ada", "bob", "eve"), flow="transactional")
    assert len(verdict.accepted) == 3
    said = [reason.sentence for reason in verdict.reasons if reason.code == "unchecked"]
    assert bool(said) is bool(unchecked)
    assert (codes(verdict, "recipients") == ["ok"]) is (not unchecked)
    if unchecked:
        assert said[0].startswith(f"{unchecked} recipient")


def test_doubtful_recipients_are_counted_and_sent_to() -> None:
    """Those that will bounce are left out; the part says that all is well only where it is."""
    gate = Gate(three_flows(), held=None, recipients=RecipientChecker(dns=False))
    mail = reset()
    to = ("ada@shop.fr", "bob@gmial.com", "eve@gmial.com", "no-domain@")
    verdict = gate.check(mail.as_bytes(), envelope=Envelope("", to), flow="transactional")
    assert verdict.accepted == to[:3]
    assert codes(verdict, "recipients") == ["typo"]
    (doubtful,) = [reason for reason in verdict.reasons if reason.part == "recipients"]
    assert doubtful.sentence.startswith("2 recipients are")
    strict = Gate(
        three_flows(),
        held=None,
        recipients=RecipientChecker(dns=False),
        refuse_recipients={"transactional": ["typo"]},
    )
    verdict = strict.check(mail.as_bytes(), envelope=Envelope("", to), flow="transactional")
    assert verdict.accepted == to[:1]
    assert {one.code for one in verdict.refused} == {"typo", "unreadable-address"}


@pytest.mark.parametrize(
    ("mail", "flow", "account", "is_asked"),
    [
        (note(), "professional", None, True),
        (note(), "professional", "charles@lovelace.example", True),
        (reset(), "transactional", None, False),
        (reset(), "transactional", "shop", True),
        (newsletter(), "marketing", None, False),
    ],
)
def test_a_person_or_an_account_is_asked_about(
    mail: EmailMessage, flow: str, account: str | None, *, is_asked: bool
) -> None:
    """Servers that send without an account are not persons."""
    gate = Gate(three_flows(), held=None, senders=SenderControl(MemoryStore()))
    verdict = gate.check(mail, flow=flow, account=account)
    assert bool(codes(verdict, "senders")) is is_asked
    assert (verdict.receipt.sender is not None) is is_asked


def test_what_was_refused_before_asks_no_sender() -> None:
    """It would count for nothing."""
    gate = Gate(three_flows(), held=None, senders=SenderControl(MemoryStore()), on_conflict="reject")
    advert = newsletter()
    advert.replace_header("From", "Charles <charles@lovelace.example>")
    verdict = gate.check(advert, flow="professional", account="charles@lovelace.example")
    assert not verdict
    assert codes(verdict, "senders") == []


def test_a_limit_defers_or_leaves_some_out() -> None:
    """Those who do not fit, each with the wait of its own limit."""
    store = MemoryStore(clock=FixedClock())
    few = Limiter(Limit("2/hour", per="recipient"), Limit("2/hour", per="global"), store=store)
    gate = Gate(three_flows(), held=None, limiter=few)
    verdict = gate.check(several(reset(), "ada", "bob", "eve"), flow="transactional")
    assert len(verdict.accepted) == 2
    (gone,) = verdict.refused
    assert (gone.part, gone.code) == ("limits", "limited")
    later = gate.check(reset(), flow="transactional")
    assert (later.decision, later.retry_after) == (GateDecision.DEFER, 3600.0)


def test_conflicts_decide_what_becomes_of_a_message_without_a_route() -> None:
    """As they are told to; where they are accepted, there still is no route, and a person looks."""
    advert = newsletter()
    advert.replace_header("From", "noreply@notify.lovelace.example")
    strict = Gate(three_flows(), held=None, on_conflict="reject").check(advert)
    assert strict.decision is GateDecision.REJECT
    assert codes(strict, "route") == ["conflict"]
    mild = Gate(three_flows(), held=None, on_conflict="accept").check(advert)
    assert not mild.allowed
    assert codes(mild, "route") == ["conflict", "no-flow"]
    assert mild.route is None
    fine = Gate(three_flows(), held=None).check(newsletter())
    assert codes(fine, "route") == ["ok"]
    dry = Gate(three_flows(), held=None, dry_run=["transactional"]).check(advert)
    assert (dry.allowed, dry.dry_run) == (True, True)
    assert dry.route is not None
    wet = Gate(three_flows(), held=None, dry_run=["marketing"]).check(advert)
    assert (wet.allowed, wet.dry_run, wet.route) == (False, False, None)


def test_only_marketing_needs_one_click() -> None:
    """And may be given it where it goes to one."""
    bare = newsletter()
    del bare["List-Unsubscribe-Post"]
    gate = Gate(three_flows(), held=None, on_missing_unsubscribe="reject")
    assert codes(gate.check(bare, flow="marketing"), "identity") == ["no-one-click-unsubscribe"]
    assert codes(gate.check(reset(), flow="transactional"), "identity") == ["ok"]
    given = {
        "marketing": lambda to, _context: {
            "List-Unsubscribe": f"<https://news.lovelace.example/u/{to}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    }
    gate = Gate(three_flows(), held=None, unsubscribe=given)
    one = gate.check(bare, flow="marketing")
    assert dict(one.headers)["List-Unsubscribe"] == f"<https://news.lovelace.example/u/{ADA}>"
    two = gate.check(several(bare, "ada", "bob"), flow="marketing")
    assert "no-one-click-unsubscribe" in codes(two, "identity")
    assert "List-Unsubscribe" not in dict(two.headers)


def test_what_a_program_sends_for_a_person_is_judged_as_a_servers() -> None:
    """An automatic answer belongs where the person's mail does; other mail of a server does not."""
    gate = Gate(three_flows(), held=None)
    mail = reset(sender="Charles <charles@lovelace.example>")
    assert codes(gate.check(mail, flow="professional"), "guard") == ["transactional-on-professional"]
    mail.replace_header("Auto-Submitted", "auto-replied")
    assert codes(gate.check(mail, flow="professional"), "guard") == ["ok"]


def test_what_was_refused_before_asks_no_reputation() -> None:
    """Nor does a message of no flow; else the flow is asked about."""
    gate = Gate(three_flows(), held=None, reputation=Reputation(MemoryStore()), on_conflict="reject")
    assert codes(gate.check(reset(), flow="transactional"), "reputation") == ["ok"]
    advert = newsletter()
    advert.replace_header("From", "noreply@notify.lovelace.example")
    assert codes(gate.check(advert, flow="transactional"), "reputation") == []
    assert codes(gate.check(b"From: a@elsewhere.example\nTo: b@x.example\n\nx"), "reputation") == []
