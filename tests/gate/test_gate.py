"""The gate: every part asked, one verdict, and nothing that ends in a crash."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from growth import MOST, growth
from hostile import GENERATORS
from mailflows import (
    Classifier,
    ConfigurationError,
    Envelope,
    Flow,
    Gate,
    Message,
    Refused,
    StoreError,
    Verdict,
)
from mailflows.feedback import SuppressionList, from_reply
from mailflows.flows import FlowRoute, FlowSet
from mailflows.gate import Context, Finding, GateDecision, Tally
from mailflows.limits import Limit, Limiter, MemoryStore, presets
from mailflows.recipients import RecipientChecker
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from mailflows.templates import TemplateMemory
from mailflows.testing import FakeDns, FixedClock
from three_flows import newsletter, note, reset, three_flows

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

    from mailflows.limits import Store

ADDRESS = "ada@babbage.example"


class DeadStore(MemoryStore):
    """A store that cannot be reached."""

    def load(self, key: str) -> bytes | None:  # noqa: ARG002 -- as every store
        """Fail."""
        msg = "gone"
        raise StoreError(msg, store="dead")

    decide = load  # type: ignore[assignment]


def codes(verdict: Verdict) -> set[str]:
    """Return part and code of what stopped a message."""
    return {f"{reason.part}/{reason.code}" for reason in verdict.why}


def full(store: MemoryStore | None = None, **parts: Any) -> Gate:
    """Return a gate with every part."""
    kept = store or MemoryStore()
    dns = FakeDns(
        {"babbage.example": {"MX": ["10 mx.babbage.example"]}, "mx.babbage.example": {"A": ["93.184.216.34"]}}
    )
    made: dict[str, Any] = {
        "recipients": RecipientChecker(resolver=dns),
        "limiter": {"transactional": presets.web_form(kept)},
        "senders": SenderControl(kept),
        "suppressions": SuppressionList(kept),
        "reputation": Reputation(kept),
        "templates": TemplateMemory(kept),
        "scanners": [clean],
    }
    return Gate(three_flows(), **made | parts)


def clean(_: bytes) -> None:
    """Find nothing."""


def broken(_: bytes) -> None:
    """Fail as a scanner does."""
    msg = f"no route to the scanner of {ADDRESS}"
    raise RuntimeError(msg)


@pytest.mark.parametrize(
    ("mail", "flow"),
    [(reset(), Flow.TRANSACTIONAL), (newsletter(), Flow.MARKETING), (note(), Flow.PROFESSIONAL)],
    ids=["transactional", "marketing", "professional"],
)
def test_each_flow_is_accepted_on_its_road(mail: EmailMessage, flow: Flow) -> None:
    """Three good messages, told apart by From and content."""
    verdict = Gate(three_flows()).check(mail, flow=flow)
    assert (verdict.decision, verdict.flow, verdict.accepted) == (GateDecision.ACCEPT, flow, (ADDRESS,))
    assert verdict.route is not None
    assert verdict.route.flow == flow


def test_every_part_says_something() -> None:
    """An operator sees all parts in their order, also those against which nothing speaks."""
    verdict = full().check(reset(), flow="transactional", client="192.0.2.1")
    assert verdict.decision is GateDecision.ACCEPT, verdict
    first = "message classifier route identity suppressions recipients templates guard"
    assert [r.part for r in verdict.reasons] == [*first.split(), "reputation", "scanners", "limits"]


def test_sync_and_async_agree() -> None:
    """One brain: the same verdict from both drivers."""
    for mail in (reset(), newsletter(), note()):
        one = full().check(mail, client="192.0.2.1")
        two = asyncio.run(full().acheck(mail, client="192.0.2.1"))
        assert one.to_dict() == two.to_dict()


def test_an_advert_on_the_transactional_flow() -> None:
    """It is refused, and the reason names the flow of its content."""
    advert = newsletter()
    advert.replace_header("From", "noreply@notify.lovelace.example")
    verdict = Gate(three_flows()).check(advert, flow="transactional")
    assert verdict.decision is GateDecision.REJECT
    assert "guard/marketing-on-transactional" in codes(verdict)


def test_never_routed_in_silence() -> None:
    """From is of one flow and the content another's: a person looks at it."""
    advert = newsletter()
    advert.replace_header("From", "noreply@notify.lovelace.example")
    verdict = Gate(three_flows()).check(advert)
    assert verdict.route is None
    assert "route/conflict" in codes(verdict)
    assert not verdict


def test_a_conflict_may_be_rejected() -> None:
    """What becomes of a conflict is a setting."""
    gate = Gate(three_flows(), on_conflict="reject")
    assert gate.check(note(), flow="marketing").decision is GateDecision.REJECT


@pytest.mark.parametrize(
    ("raw", "decision", "code"),
    [
        (b"To: a@b.example\nSubject: x\n\nHello", "reject", "message/no-from"),
        (b"From: \nTo: a@b.example\n\nHello", "reject", "message/no-from"),
        (b"From: a@lovelace.example\n" * 10 + b"To: a@b.example\n\nHi", "reject", "message/several-from"),
        (
            b"From: "
            + b", ".join(b"p%d@lovelace.example" % n for n in range(10))
            + b"\nTo: a@b.example\n\nHi",
            "hold",
            "route/conflict",
        ),
        (
            b"From: a@lovelace.example\nSender: eve@elsewhere.example\nTo: a@b.example\n\nHi",
            "hold",
            "route/conflict",
        ),
        (b"From: a@lovelace.example\nSubject: x\n\nHello", "reject", "message/no-recipients"),
        (b"", "reject", "message/unreadable"),
        (b'{"not": "mail"}', "reject", "message/unreadable"),
    ],
    ids="no-from empty-from ten-fields ten-mailboxes forged-sender no-recipients nothing json".split(),
)
def test_a_bad_message_gets_a_verdict(raw: bytes, decision: str, code: str) -> None:
    """Never a crash: the verdict says what is wrong."""
    verdict = Gate(three_flows()).check(raw, flow="professional")
    assert verdict.decision == decision
    assert code in codes(verdict)


@pytest.mark.parametrize("name", GENERATORS)
def test_hostile_bytes_get_a_verdict(name: str) -> None:
    """Whatever comes, all parts answer, in time that grows with its length."""

    def check(raw: bytes) -> None:
        assert isinstance(full().check(raw, client="192.0.2.1"), Verdict)

    assert growth(GENERATORS[name], check, 20_000) < MOST


def test_recipients_are_left_out_one_by_one() -> None:
    """The suppressed and the undeliverable are refused, each with its reason; the others get the message."""
    gate = full(limiter=None)
    assert gate.suppressions is not None
    gate.suppressions.add("gone@babbage.example")
    to = (ADDRESS, "gone@babbage.example", "x@nowhere.example", "no-address@")
    verdict = gate.check(reset(), envelope=Envelope("", to))
    assert verdict.accepted == (ADDRESS,)
    assert [(r.address, r.part) for r in verdict.refused] == [
        ("no-address@", "message"),
        ("gone@babbage.example", "suppressions"),
        ("x@nowhere.example", "recipients"),
    ]
    assert {r.reply[0] for r in verdict.refused} == {550}


def test_nobody_left_is_a_refusal() -> None:
    """A message for suppressed recipients only does not leave."""
    gate = full()
    assert gate.suppressions is not None
    gate.suppressions.add(ADDRESS)
    verdict = gate.check(reset(), client="192.0.2.1")
    assert (verdict.decision, verdict.accepted) == (GateDecision.REJECT, ())


def test_suppressed_for_one_flow() -> None:
    """Who left the newsletter still gets the password reset."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add(ADDRESS, reason="unsubscribed", flow=Flow.MARKETING)
    gate = Gate(three_flows(), suppressions=suppressions)
    assert not gate.check(newsletter(), flow="marketing")
    assert gate.check(reset(), flow="transactional")


@pytest.mark.parametrize(
    ("reason", "action"),
    [
        ("mailbox-unknown", "suppress"),
        ("Hard bounce", "suppress"),
        ("complained", "none"),
        ("unsubscribed", "none"),
        ("manual", "none"),
        ("left the company's list", "none"),
    ],
)
def test_only_a_dead_mailbox_is_refused_as_one(reason: str, action: str) -> None:
    """An application that learns from our reply must not take who complained for dead, for all mail."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add(ADDRESS, reason=reason)
    (refused,) = Gate(three_flows(), suppressions=suppressions).check(reset(), flow="transactional").refused
    assert str(from_reply(*refused.reply, recipient=ADDRESS).action) == action


def test_the_envelope_counts() -> None:
    """With an envelope, its recipients are meant, not those of the headers."""
    envelope = Envelope("bounces@notify.lovelace.example", ("grace@babbage.example",))
    verdict = Gate(three_flows()).check(reset(), envelope=envelope, flow="transactional")
    assert verdict.accepted == ("grace@babbage.example",)


def test_limits_defer_and_say_when() -> None:
    """The refusal comes with the seconds to wait."""
    gate = full()
    for _ in range(6):
        verdict = gate.check(reset(), flow="transactional", client="192.0.2.1")
    assert verdict.decision is GateDecision.DEFER
    assert verdict.retry_after is not None
    assert codes(verdict) == {"limits/limited"}


def test_leaning_to_the_declared_flow_is_nothing_to_tell() -> None:
    """A classifier that is not sure enough speaks up only where it leans elsewhere."""
    gate = Gate(three_flows(), classifier=Classifier(threshold=0.9999999))
    own = gate.check(reset(), flow="transactional")
    assert "classifier/unsure" not in codes(own)
    assert "classifier/unsure" in {f"{r.part}/{r.code}" for r in gate.check(reset()).reasons}


def test_a_form_learns_whose_limit_it_was() -> None:
    """A limit of the victim's is kept from the visitor, one of the visitor's own is said."""
    for per, known in {"recipient": "192.0.2.{}", "client": "192.0.2.7"}.items():
        gate = Gate(three_flows(), limiter=Limiter(Limit("1/day", per=per)))
        for number in range(2):
            verdict = gate.check(reset(), flow="transactional", client=known.format(number))
        assert verdict.why[0].parameters == {"per": per, "rule": f"1 per day per {per}"}


def test_what_stays_here_costs_no_limit() -> None:
    """Limits are asked last: a refused message takes nothing."""
    limiter = Limiter(Limit("1/day", per="recipient"))
    gate = Gate(three_flows(), limiter=limiter)
    assert not gate.check(newsletter(), flow="transactional")
    assert gate.check(reset(), flow="transactional")


def test_a_limit_for_some_recipients() -> None:
    """Who was written to too often is left out for now; the others get the message."""
    gate = Gate(three_flows(), limiter=Limiter(Limit("1/day", per="recipient")))
    gate.check(newsletter(), flow="marketing")
    verdict = gate.check(newsletter(f"{ADDRESS}, grace@babbage.example"), flow="marketing")
    assert verdict.accepted == ("grace@babbage.example",)
    (refused,) = verdict.refused
    assert refused.retry_after is not None
    assert refused.reply[0] == 450


def test_a_preset_fits_where_it_stands() -> None:
    """Mail of a background job has no client: it has limits of its own, wider than those of a visitor."""
    gate = full(recipients=None)
    mails = [reset() for _ in range(21)]
    for number, mail in enumerate(mails):
        mail.set_content(f"Hello Ada,\n\nyour code is {number:02}6117. It expires in ten minutes.\n")
    visited = [gate.check(mail, flow="transactional", client="192.0.2.7") for mail in mails[:4]]
    assert [verdict.decision for verdict in visited] == ["accept", "accept", "accept", "defer"]
    verdicts = [gate.check(mail, flow="transactional") for mail in mails]
    assert [verdict.decision for verdict in verdicts] == ["accept"] * 20 + ["defer"]


def test_a_job_in_a_loop_is_stopped() -> None:
    """The same to the same person again and again is a fault, not mail."""
    gate = full(recipients=None)
    assert [gate.check(reset(), flow="transactional").allowed for _ in range(6)] == [True] * 4 + [False] * 2


def test_a_limit_of_yours_needs_its_key() -> None:
    """It must not count nothing in silence: who calls is told what to write, and no message is held."""
    gate = full(limiter={"transactional": Limiter(Limit("5/hour", per="client"))})
    with pytest.raises(ConfigurationError, match="pass client=, or write optional=True") as caught:
        gate.check(reset(), flow="transactional")
    assert caught.value.field == "client"
    with pytest.raises(ConfigurationError, match="GateHandler does not know the client of every message"):
        gate.require_keys("GateHandler", {"account"})
    gate.require_keys("GateHandler", {"client"})


def test_the_envelope_sender_stands_in_for_an_account() -> None:
    """A person without a login is limited by the address that sends."""
    gate = Gate(three_flows(), limiter={"professional": Limiter(Limit("1/day", per="account"))})
    for sender, decision in [("a", "accept"), ("b", "accept"), ("a", "defer")]:
        envelope = Envelope(f"{sender}@lovelace.example", (ADDRESS,))
        assert gate.check(note(), envelope=envelope, flow="professional").decision == decision


def test_a_stopped_flow_defers() -> None:
    """The breaker of a flow stops it, and no other."""
    gate = full(limiter=None)
    assert gate.reputation is not None
    gate.reputation.count("marketing", sent=1000, bounced=200)
    verdict = gate.check(newsletter(), flow="marketing")
    assert verdict.decision is GateDecision.DEFER
    assert verdict.retry_after == pytest.approx(3600, abs=5)
    assert gate.check(reset(), flow="transactional")


def test_a_blocked_sender_is_stopped() -> None:
    """A person with many invalid recipients waits; a block for good is a refusal."""
    gate = full()
    assert gate.senders is not None
    gate.senders.report("charles@lovelace.example", invalid=8, valid=2)
    assert gate.check(note(), flow="professional").decision is GateDecision.DEFER
    gate.senders.unblock("charles@lovelace.example")
    gate.senders.block("charles@lovelace.example")
    assert gate.check(note(), flow="professional").decision is GateDecision.REJECT


def test_an_abused_slot_is_refused() -> None:
    """A name field that suddenly holds an advert with a link stops the mail of a form."""
    gate = full(limiter=None, recipients=None)
    text = "Hello {},\n\nwelcome to the library. Your card number is {}. Please confirm your address soon.\n"
    for number, name in enumerate("Ada Grace Mary Emmy Marie Lise Rosa Anne".split()):
        mail = reset()
        mail.set_content(text.format(name, 1000 + number))
        gate.check(mail, flow="transactional")
    mail.set_content(text.format("WIN A PHONE http://prize.example/x", 2000))
    assert "guard/form-abuse" in codes(gate.check(mail, flow="transactional"))


def test_scanners_are_heard() -> None:
    """What a scanner finds decides as it says; its bytes are those of the message."""
    seen: list[bytes] = []

    def virus(raw: bytes) -> list[Finding]:
        seen.append(raw)
        return [Finding("virus", "Eicar-Test"), Finding("spam", "a little", GateDecision.HOLD)]

    verdict = Gate(three_flows(), scanners=[virus]).check(reset().as_bytes(), flow="transactional")
    assert verdict.decision is GateDecision.REJECT
    assert codes(verdict) == {"scanners/virus", "scanners/spam"}
    assert seen == [reset().as_bytes()]


def test_an_async_scanner() -> None:
    """Coroutine functions are awaited by acheck(); check() says what to use, and does not crash."""

    async def scan(_: bytes) -> Finding:
        await asyncio.sleep(0)
        return Finding("virus", "x")

    gate = Gate(three_flows(), scanners=[scan])
    assert codes(asyncio.run(gate.acheck(reset(), flow="transactional"))) == {"scanners/virus"}
    assert "acheck()" in str(gate.check(reset(), flow="transactional"))


@pytest.mark.parametrize(
    ("parts", "part", "decision"),
    [
        ({"scanners": [broken]}, "scanners", "defer"),
        ({"suppressions": SuppressionList(DeadStore())}, "suppressions", "defer"),
        ({"templates": TemplateMemory(DeadStore())}, "templates", "accept"),
        ({"reputation": Reputation(DeadStore())}, "reputation", "accept"),
        ({"reputation": Reputation(DeadStore(), on_error="deny")}, "reputation", "defer"),
        ({"senders": SenderControl(DeadStore())}, "senders", "accept"),
        (
            {"limiter": Limiter(Limit("1/day", per="global"), store=cast("Store", DeadStore()))},
            "limits",
            "defer",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_part_that_fails(parts: dict[str, Any], part: str, decision: str) -> None:
    """Its policy decides, the verdict says so, and no address is told."""
    verdict = full(**{"limiter": None} | parts).check(note(), flow="professional")
    assert verdict.decision == decision, verdict
    assert part in verdict.degraded or "looked up" in str(verdict)
    assert ADDRESS not in str(verdict)


def test_the_policy_of_a_part_is_a_setting() -> None:
    """A scanner that is down may be passed over."""
    gate = Gate(three_flows(), scanners=[broken], on_error={"scanners": "accept"})
    verdict = gate.check(reset(), flow="transactional")
    assert verdict
    assert verdict.degraded == ("scanners",)


def test_dns_that_is_down_harms_nobody() -> None:
    """A resolver without answers makes recipients doubtful, never refused."""
    gate = full(recipients=RecipientChecker(resolver=FakeDns(default="servfail")), limiter=None)
    verdict = gate.check(reset(), flow="transactional")
    assert verdict.accepted == (ADDRESS,)
    assert "recipients" in {reason.part for reason in verdict.findings}


def test_the_time_for_recipients_is_bounded() -> None:
    """A mailing to many is not held up: who was not checked in time is said."""
    clock = FixedClock()

    class Slow(RecipientChecker):
        def check(self, address: str) -> Any:
            clock.advance(4)
            return super().check(address)

    gate = Gate(three_flows(), recipients=Slow(dns=False), timer=clock)
    to = ", ".join(f"p{number}@babbage.example" for number in range(10))
    verdict = gate.check(newsletter(to), flow="marketing")
    assert "8 recipients were not checked" in str(verdict)
    assert len(verdict.accepted) == 10


def test_a_dry_run_accepts_and_says() -> None:
    """For a first week: everything passes, and the verdict says what would have been."""
    verdict = Gate(three_flows(), dry_run=True).check(newsletter(), flow="transactional")
    assert (verdict.decision, verdict.would_be) == (GateDecision.ACCEPT, GateDecision.REJECT)
    assert verdict.accepted == (ADDRESS,)
    assert str(verdict).startswith("dry run: transactional would be rejected: ")


def test_a_message_needs_bytes_for_scanners() -> None:
    """A Message has none: the scanners' policy decides."""
    gate = Gate(three_flows(), scanners=[clean])
    assert gate.check(Message.read(reset()), flow="transactional").degraded == ("scanners",)


def test_every_kind_of_source(tmp_path: Path) -> None:
    """Bytes, text, a file, an open file and an object are the same message."""
    file = tmp_path / "a.eml"
    file.write_bytes(reset().as_bytes())
    gate = Gate(three_flows(), scanners=[clean])
    with file.open("rb") as handle:
        sources: list[Any] = [reset(), reset().as_bytes(), reset().as_string(), file, handle]
        said = [gate.check(source, flow="transactional").to_dict() for source in sources]
    assert said == [said[0]] * 5


def test_no_address_in_what_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the line, nor the table, nor the data, nor the log holds an address."""
    gate = full()
    assert gate.suppressions is not None
    gate.suppressions.add(ADDRESS)
    with caplog.at_level(logging.DEBUG):
        verdict = gate.check(reset(f"{ADDRESS}, eve@nowhere.example"), client="192.0.2.1")
        said = (
            f"{verdict}{verdict!r}{verdict.explain()}{verdict.to_dict()}{verdict._repr_html_()}{caplog.text}"
        )
    assert [name for name in (ADDRESS, "eve@", "noreply@") if name in said] == []


def test_a_hostile_sentence_is_shown_as_text() -> None:
    """What a scanner says cannot run in a notebook or move the cursor of a terminal."""

    def evil(_: bytes) -> Finding:
        return Finding("virus", "<script>\x1b[2J")

    verdict = Gate(three_flows(), scanners=[evil]).check(reset(), flow="transactional")
    assert "<script>" not in verdict._repr_html_()
    assert "\x1b" not in str(verdict) + verdict.explain()


def test_hooks_get_every_verdict() -> None:
    """For metrics; one that fails stops no mail."""
    seen: list[Verdict] = []

    def bad(_: Verdict) -> None:
        raise RuntimeError

    gate = Gate(three_flows(), hooks=[bad, seen.append])
    gate.check(reset(), flow="transactional")
    gate.check(b"")
    assert [bool(verdict) for verdict in seen] == [True, False]


def test_ensure_raises_with_the_verdict() -> None:
    """The raise-style twin, sync and async."""
    gate = Gate(three_flows())
    with pytest.raises(Refused) as caught:
        gate.ensure(newsletter(), flow="transactional")
    assert caught.value.verdict.decision is GateDecision.REJECT
    assert asyncio.run(gate.aensure(reset(), flow="transactional"))


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Gate(three_flows(), on_conflict="perhaps"), "on_conflict"),
        (lambda: Gate(three_flows(), suppressions={ADDRESS}), "suppressions"),  # type: ignore[arg-type]
        (lambda: Gate(three_flows(), limiter=3), "limiter"),  # type: ignore[arg-type]
        (lambda: Gate(three_flows(), held="held.db"), "held"),  # type: ignore[arg-type]
        (lambda: Gate(three_flows(), scanners=clean), "scanners"),  # type: ignore[arg-type]
        (lambda: Gate(three_flows(), hooks=["print"]), "hooks"),  # type: ignore[list-item]
        (lambda: Gate(three_flows(), dry_run="advert"), "flow"),
        (lambda: Gate(three_flows(), on_error={"dns": "accept"}), "on_error"),
        (lambda: Gate(three_flows(), on_error={"limits": "maybe"}), "on_error"),
        (lambda: Gate(three_flows()).check(b"", flow="adverts"), "flow"),
    ],
)
def test_misuse(make: Any, field: str) -> None:
    """What cannot be meant is raised, with the field."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert caught.value.field == field


class Broken:
    """Fails at whatever it is asked."""

    def classify(self, *_: Any, **__: Any) -> None:
        """Fail."""
        raise KeyError

    check = classify


@pytest.mark.parametrize(("flow", "decision"), [("transactional", "accept"), (None, "hold")])
def test_a_classifier_that_fails(flow: str | None, decision: str) -> None:
    """A declared flow needs none; without one, a person looks at the message."""
    broken: Any = Broken()
    verdict = Gate(three_flows(), classifier=broken).check(reset(), flow=flow)
    assert (verdict.decision, verdict.degraded) == (decision, ("classifier",))


def test_a_checker_of_recipients_that_fails() -> None:
    """Nobody is left out because of a fault of ours."""
    broken: Any = Broken()
    verdict = Gate(three_flows(), recipients=broken).check(reset(), flow="transactional")
    assert (verdict.accepted, verdict.degraded) == ((ADDRESS,), ("recipients",))


def test_an_unsure_classifier_without_a_road() -> None:
    """What belongs to no flow at all is held, and the reason says so."""
    bare = b"From: a@elsewhere.example\nTo: b@babbage.example\n\nx"
    verdict = Gate(three_flows()).check(bare)
    assert verdict.decision is GateDecision.HOLD
    assert verdict.why[0].part == "route"


def test_a_conflict_that_is_accepted_needs_a_road() -> None:
    """Where nothing says by which road, a message is held, whatever becomes of conflicts."""
    advert = newsletter()
    advert.replace_header("From", "noreply@notify.lovelace.example")
    verdict = Gate(three_flows(), on_conflict="accept").check(advert)
    assert "route/no-flow" in codes(verdict)


def test_a_dry_run_has_a_road() -> None:
    """A message that would be held is sent by the flow it seems to be of."""
    advert = newsletter()
    advert.replace_header("From", "noreply@notify.lovelace.example")
    verdict = Gate(three_flows(), dry_run=True).check(advert)
    assert verdict
    assert verdict.route is not None


def test_a_dry_run_changes_nothing() -> None:
    """Whatever the gate would say, envelope and recipients are as they were given, and no field is added."""
    flows = FlowSet(
        FlowRoute(
            "transactional",
            domains="notify.lovelace.example",
            return_path="b.notify.lovelace.example",
            esp="Postmark",
            stream="outbound",
        )
    )
    suppressions = SuppressionList(MemoryStore())
    suppressions.add(ADDRESS)
    to = (ADDRESS, "Grace <grace@babbage.example>", "no-address@")
    envelope = Envelope("noreply@notify.lovelace.example", to)
    for raw in (reset().as_bytes(), newsletter().as_bytes(), b"", b'{"not": "mail"}'):
        dry = Gate(flows, suppressions=suppressions, dry_run=True).check(raw, envelope=envelope)
        assert (dry.allowed, dry.accepted, dry.mail_from, dry.headers, dry.held) == (
            True,
            to,
            envelope.sender,
            (),
            None,
        )
        assert dry.would_be is not GateDecision.ACCEPT or dry.refused
    real = Gate(flows).check(reset().as_bytes(), envelope=envelope, flow="transactional")
    assert real.mail_from == "noreply@b.notify.lovelace.example"
    assert dict(real.headers) == {"X-PM-Message-Stream": "outbound"}
    assert real.accepted == to[:2]


@pytest.mark.parametrize("how", [["transactional"], "transactional"])
def test_a_dry_run_of_one_flow(how: Any) -> None:
    """The other flows are protected meanwhile."""
    gate = Gate(three_flows(), dry_run=how)
    advert = gate.check(newsletter(), flow="transactional")
    assert (advert.allowed, advert.would_be) == (True, GateDecision.REJECT)
    assert not gate.check(reset(), flow="marketing")
    assert gate.dry_run is False


def test_a_dry_run_needs_no_key() -> None:
    """A limit without its key is a fault of the settings; a dry run stops nothing for it."""
    gate = Gate(three_flows(), limiter=Limiter(Limit("1/day", per="client")), dry_run=True)
    assert gate.check(reset(), flow="transactional")


def test_what_a_dry_run_would_have_done_is_counted() -> None:
    """By flow, part and reason, over days; what passes without one costs nothing."""
    store, clock = MemoryStore(), FixedClock()
    gate = Gate(three_flows(), dry_run=True, tally=Tally(store, clock=clock))
    for _ in range(3):
        gate.check(reset(), flow="transactional")
    gate.check(newsletter(), flow="transactional")
    clock.advance(86_400)
    asyncio.run(gate.acheck(newsletter(), flow="transactional"))
    report = gate.tally.report(dry_run=True)
    assert str(report) == "in the last 7 days 2 of 5 would have been rejected"
    first = report.reasons[0]
    assert (first.flow, first.part, first.messages) == ("transactional", "guard", 2)
    assert gate.tally.report(days=1, dry_run=True).messages == 1
    assert gate.tally.report().messages == 0
    assert ADDRESS not in f"{report.to_dict()}{report._repr_html_()}"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_scanner_that_never_answers(*, is_async: bool) -> None:
    """Its time is up, and its policy decides; also where it is a generator, or a coroutine."""
    forever = threading.Event()

    def stuck(_: bytes) -> None:
        forever.wait(30)

    def drip(_: bytes) -> Any:
        yield Finding("spam", "a little")
        forever.wait(30)

    async def asleep(_: bytes) -> None:
        await asyncio.sleep(30)

    for scanner in (stuck, drip, *([asleep] if is_async else [])):
        gate = Gate(three_flows(), scanners=[scanner], scanner_timeout=0.05)
        started = time.monotonic()
        verdict = (
            asyncio.run(gate.acheck(reset().as_bytes(), flow="transactional"))
            if is_async
            else gate.check(reset().as_bytes(), flow="transactional")
        )
        assert (verdict.decision, verdict.degraded) == (GateDecision.DEFER, ("scanners",)), scanner
        assert time.monotonic() - started < 15
    forever.set()


@pytest.mark.parametrize("answer", [True, "virus", b"x", {"code": "virus"}, [("virus", "x")], 7, object()])
def test_a_scanner_that_answers_something_else(answer: object) -> None:
    """It has failed, sync and async, and no exception leaves the gate."""
    gate = Gate(three_flows(), scanners=[lambda _: answer])
    verdicts = [
        gate.check(reset().as_bytes(), flow="transactional"),
        asyncio.run(gate.acheck(reset().as_bytes(), flow="transactional")),
    ]
    assert [(v.decision, v.degraded) for v in verdicts] == [("defer", ("scanners",))] * 2


def test_a_finding_with_an_unknown_decision() -> None:
    """A word that is none is a failure of the scanner."""
    wrong: Any = "quarantine"
    gate = Gate(three_flows(), scanners=[lambda _: Finding("virus", "x", wrong)])
    assert gate.check(reset().as_bytes(), flow="transactional").degraded == ("scanners",)


def test_a_mailing_is_given_what_it_lacks() -> None:
    """The flow's tracker adds List-Unsubscribe for one recipient; for several at once it cannot."""
    mail = newsletter()
    del mail["List-Unsubscribe"], mail["List-Unsubscribe-Post"]
    assert codes(Gate(three_flows()).check(mail, flow="marketing")) == {"identity/no-one-click-unsubscribe"}

    def fields(to: str, context: Context) -> dict[str, str]:
        return {"List-Unsubscribe": f"<https://t.lovelace.example/{context.campaign}/{len(to)}>"}

    gate = Gate(three_flows(), unsubscribe={"marketing": fields})
    verdict = gate.check(mail, flow="marketing", campaign="spring")
    assert dict(verdict.headers) == {"List-Unsubscribe": "<https://t.lovelace.example/spring/19>"}
    two = Envelope("hello@news.lovelace.example", (ADDRESS, "grace@babbage.example"))
    assert not gate.check(mail, envelope=two, flow="marketing", campaign="spring")
    assert Gate(three_flows(), on_missing_unsubscribe="accept").check(mail, flow="marketing")


def test_any_spelling_meets_the_list() -> None:
    """Who complained is not mailed again, however the address is written, without a checker, too."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add(ADDRESS)
    gate = Gate(three_flows(), suppressions=suppressions)
    for spelled in (f"Ada <{ADDRESS}>", f"<{ADDRESS}>", f"mailto:{ADDRESS}", ADDRESS.upper()):
        envelope = Envelope("", (spelled, "grace@babbage.example"))
        verdict = gate.check(reset(), envelope=envelope, flow="transactional")
        assert verdict.accepted == ("grace@babbage.example",), spelled


def test_a_verdict_is_a_value() -> None:
    """It compares, pickles and copies, and its truth is whether the message may leave."""
    verdict = Gate(three_flows()).check(reset(), flow="transactional")
    assert pickle.loads(pickle.dumps(verdict)) == copy.deepcopy(verdict) == verdict
    assert bool(verdict) is verdict.allowed is True


def test_flows_come_from_a_set() -> None:
    """A path is not one, and the error says what to write."""
    path: Any = "flows.toml"
    with pytest.raises(ConfigurationError, match=r"Gate\.from_toml\(path\)"):
        Gate(path)


def test_a_flow_is_as_strict_as_it_is_told() -> None:
    """Marketing leaves out role accounts and disposable addresses; a reset goes there as before."""
    strict = {"marketing": ["role"]}
    gate = full(recipients=RecipientChecker(dns=False), limiter=None, refuse_recipients=strict)
    to = f"info@babbage.example, {ADDRESS}"
    verdict = gate.check(newsletter(to), flow="marketing")
    assert (verdict.accepted, [(one.part, one.code) for one in verdict.refused]) == (
        (ADDRESS,),
        [("recipients", "role")],
    )
    assert gate.check(reset(to), flow="transactional").accepted == ("info@babbage.example", ADDRESS)


@pytest.mark.parametrize(
    ("given", "said"),
    [({"marketing": ["rolle"]}, "role"), ({"news": ["role"]}, "marketing"), ({"marketing": "role"}, "list")],
)
def test_a_strictness_that_names_nothing(given: Any, said: str) -> None:
    """A wrong code or flow is told when the gate is made, with what there is."""
    with pytest.raises(ConfigurationError, match=said):
        full(refuse_recipients=given)
