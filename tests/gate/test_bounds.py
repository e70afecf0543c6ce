"""What a verdict is made of, where its parts begin to count, and what is learned afterwards."""

from __future__ import annotations

import smtplib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import Envelope, Flow, Gate, Message, StoreError
from mailflows.feedback import Event, EventType, SuppressionList
from mailflows.flows import FlowRoute, FlowSet
from mailflows.gate import Context, GateDecision, Tally
from mailflows.gate._calls import Failure
from mailflows.gate._check import DEFAULT_RETRY, QUEUE_LIFETIME, Check, RefusedRecipient, TurnedAway, Verdict
from mailflows.gate._erasure import Forgotten
from mailflows.gate._identity import doubts, has_one_click
from mailflows.gate._limit_keys import absent_keys, fitted, needs_of
from mailflows.gate._outcome import events_of
from mailflows.limits import Limit, Limiter, MemoryStore, presets
from mailflows.senders import SenderControl
from mailflows.testing import FixedClock
from three_flows import note, reset, three_flows

if TYPE_CHECKING:
    from collections.abc import Callable

ACCEPT, DEFER, HOLD, REJECT = GateDecision
RAW = b"From: a@notify.lovelace.example\nTo: b@x.example, c@x.example\nSubject: s\n\nHello"


def checked(raw: bytes = RAW, **context: Any) -> Check:
    """Return a message that nobody has looked at."""
    return Check(Message.read(raw), raw, Context(**context))


def test_the_strictest_part_decides() -> None:
    """A message that nobody speaks against goes on; without recipients it does not."""
    check = checked()
    assert check.goes_on is True
    check.say("a", "ok", "fine")
    assert (check.goes_on, check.decision) == (True, ACCEPT)
    check.say("b", "later", "later", DEFER)
    check.say("c", "look", "look at it", HOLD)
    assert (check.goes_on, check.decision) == (False, HOLD)
    check.say("d", "no", "no", REJECT)
    verdict = check.verdict(dry_run=False)
    assert (verdict.decision, verdict.would_be, verdict.accepted) == (REJECT, REJECT, ())
    assert [reason.code for reason in verdict.why] == ["no", "look", "later"]
    empty = checked()
    empty.open = []
    assert empty.goes_on is False


def test_a_dry_run_sends_everything_as_it_came() -> None:
    """And says what it would have done."""
    check = checked()
    check.headers["X-New"] = "1"
    check.mail_from = "new@x.example"
    check.say("a", "no", "no", REJECT)
    verdict = check.verdict(dry_run=True)
    assert (verdict.decision, verdict.would_be, verdict.retry_after) == (ACCEPT, REJECT, None)
    assert verdict.accepted == ("b@x.example", "c@x.example")
    assert (verdict.headers, verdict.mail_from) == ((), "")
    assert str(verdict) == "dry run: no flow would be rejected: a: no"
    assert verdict.reply is None


@pytest.mark.parametrize(
    ("waits", "retry"),
    [
        ([None], DEFAULT_RETRY),
        ([60.0], 60.0),
        ([60.0, 120.0], 120.0),
        ([60.0, None], DEFAULT_RETRY),
        ([QUEUE_LIFETIME], QUEUE_LIFETIME),
    ],
)
def test_a_deferral_waits_for_the_longest(waits: list[float | None], retry: float) -> None:
    """Or as long as a queue waits between two looks, where a part does not say."""
    check = checked()
    for wait in waits:
        check.say("a", "later", "later", DEFER, retry_after=wait)
    verdict = check.verdict(dry_run=False)
    assert (verdict.decision, verdict.retry_after) == (DEFER, retry)
    assert str(verdict) == f"defer no flow (retry after {retry:.0f} s): a: later"
    assert verdict.reply == (450, "4.7.1 later [a/later]")


def test_what_would_wait_longer_than_a_queue_is_refused() -> None:
    """In the words of who refused it, with the reason."""
    check = checked()
    check.say("a", "later", "later", DEFER, retry_after=QUEUE_LIFETIME + 1)
    verdict = check.verdict(dry_run=False)
    assert (verdict.decision, verdict.retry_after) == (REJECT, None)
    assert verdict.why[0].sentence.startswith("later")
    assert verdict.why[0].sentence != "later"
    check = checked()
    check.refuse("limits", "limited", "full", ["b@x.example"], retry=QUEUE_LIFETIME + 1)
    (gone,) = check.refused
    assert gone.retry_after is None
    assert gone.reply[0] == 550


def test_recipients_are_left_out_until_nobody_is_left() -> None:
    """Then the message is refused, or deferred where one of them may come back."""
    check = checked()
    check.refuse("suppressions", "suppressed", "gone", [])
    assert (check.refused, check.reasons) == ([], [])
    check.refuse("suppressions", "suppressed", "gone", ["b@x.example", "z@x.example"])
    assert (check.open, check.goes_on) == (["c@x.example"], True)
    assert [reason.sentence for reason in check.reasons] == ["1 recipient: gone"]
    check.refuse("recipients", "unknown", "unknown", ["c@x.example"])
    assert check.verdict(dry_run=False).decision is REJECT
    later = checked()
    later.refuse("limits", "limited", "full", ["b@x.example"], retry=70.0)
    later.refuse("recipients", "unknown", "unknown", ["c@x.example"])
    verdict = later.verdict(dry_run=False)
    assert (verdict.decision, verdict.retry_after) == (DEFER, 70.0)


REFUSED = RefusedRecipient("b@x.example", "recipients", "unknown", "it is unknown")


@pytest.mark.parametrize(
    ("refused", "reply"),
    [
        (replace(REFUSED, status="5.1.1"), (550, "5.1.1 it is unknown")),
        (REFUSED, (550, "5.7.1 it is unknown")),
        (replace(REFUSED, retry_after=9.0), (450, "4.7.0 it is unknown")),
        (
            replace(REFUSED, retry_after=9.0, degraded=True),
            (451, "4.3.0 A check failed to run; try again later [recipients]"),
        ),
        (replace(REFUSED, degraded=True), (550, "5.3.0 A check failed to run [recipients]")),
    ],
)
def test_a_refused_recipient_has_a_reply(refused: RefusedRecipient, reply: tuple[int, str]) -> None:
    """Of RFC 3463: the mailbox, our policy, or a fault of this system."""
    assert refused.reply == reply


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        ([("a", "no", REJECT, False)], (550, "5.7.1 said [a/no]")),
        ([("a", "unread-text", REJECT, False)], (550, "5.6.0 said [a/unread-text]")),
        ([("a", "look", HOLD, False)], (451, "4.7.1 Held for manual review: said [a/look]")),
        ([("a", "unread-text", HOLD, False)], (451, "4.7.1 Held for manual review: said [a/unread-text]")),
        ([("a", "no", REJECT, True)], (550, "5.3.0 A check failed to run [a]")),
        ([("a", "no", DEFER, True)], (451, "4.3.0 A check failed to run; try again later [a]")),
        ([("a", "no", REJECT, True), ("b", "x", REJECT, False)], (550, "5.7.1 said [b/x]")),
        ([("a", "no", REJECT, False), ("b", "x", DEFER, False)], (550, "5.7.1 said [a/no]")),
    ],
)
def test_a_message_has_a_reply(
    said: list[tuple[str, str, GateDecision, bool]], reply: tuple[int, str]
) -> None:
    """The reasons that decided; a check that failed only where nothing else did."""
    check = checked()
    for part, code, decision, degraded in said:
        check.say(part, code, "said", decision, degraded=degraded)
    assert check.verdict(dry_run=False).reply == reply


def test_where_all_recipients_are_refused_alike_that_is_the_reply() -> None:
    """Else the message's own reasons are."""
    check = checked()
    check.refuse("recipients", "unknown", "it is unknown", check.given, status="5.1.1")
    assert check.verdict(dry_run=False).reply == (550, "5.1.1 it is unknown")
    check = checked()
    check.refuse("recipients", "unknown", "it is unknown", ["b@x.example"])
    check.refuse("limits", "limited", "no more", ["c@x.example"])
    reply = check.verdict(dry_run=False).reply
    assert reply is not None
    assert reply[1].startswith("5.7.1 ")


def test_who_released_a_message_has_judged_it() -> None:
    """Nothing is held again, and what a person has judged is not judged anew; the rest counts."""
    check = checked()
    check.released = object()  # type: ignore[assignment]
    for part in ("route", "identity", "guard"):
        check.say(part, "no", "no", REJECT)
    check.say("scanners", "look", "look", HOLD)
    assert check.decision is ACCEPT
    check.say("scanners", "no", "no", REJECT)
    assert check.decision is REJECT


def test_who_sends_is_the_account_or_the_author_or_the_envelope() -> None:
    """In this order."""
    assert checked(account="ada").sender == "ada"
    assert checked().sender == "a@notify.lovelace.example"
    bare = Message.read(b"Subject: s\n\nx", envelope=Envelope("e@x.example", ("b@x.example", "b@x.example")))
    check = Check(bare, None, Context())
    assert (check.sender, check.given, check.mail_from) == ("e@x.example", ("b@x.example",), "e@x.example")
    assert checked().envelope_sender == ""


@pytest.mark.parametrize(("code", "state"), [(499, "deferred"), (500, "refused")])
def test_what_was_turned_away_is_refused_or_deferred(code: int, state: str) -> None:
    """By the first digit."""
    assert TurnedAway("RCPT", code, "x").state == state


def test_a_verdict_tells_a_visitor_when_to_come_back() -> None:
    """The wait of the limit; another reason to wait, or none at all, in other words."""
    limited = checked()
    limited.say("limits", "limited", "full", DEFER, retry_after=120.0)
    assert "2 minutes" in limited.verdict(dry_run=False).for_visitor("en")
    refused, later = checked(), checked()
    refused.say("guard", "no", "no", REJECT)
    later.say("senders", "later", "later", DEFER, retry_after=120.0)
    said = {one.verdict(dry_run=False).for_visitor("en") for one in (refused, later, limited)}
    assert len(said) == 3
    assert checked().verdict(dry_run=False).for_visitor("en") == ""


def test_counters_count_what_was_decided() -> None:
    """Recipients by outcome, only where there are any."""
    check = checked()
    check.refuse("recipients", "unknown", "it is unknown", ["b@x.example"])
    check.say("limits", "degraded", "the store is down", degraded=True)
    rows = check.verdict(dry_run=False).metrics()
    counted = {(name, labels.get("outcome", labels.get("part", ""))): number for name, number, labels in rows}
    assert counted == {
        ("mailflows_gate_verdicts_total", ""): 1,
        ("mailflows_gate_reasons_total", "recipients"): 1,
        ("mailflows_gate_reasons_total", "limits"): 1,
        ("mailflows_gate_recipients_total", "accepted"): 1,
        ("mailflows_gate_recipients_total", "refused"): 1,
        ("mailflows_gate_degraded_total", "limits"): 1,
    }
    none = checked().verdict(dry_run=False).metrics()
    assert [labels["outcome"] for name, _, labels in none if "outcome" in labels] == ["accepted"]


def verdict() -> Verdict:
    """Return a verdict on a message for two."""
    check = checked()
    check.flow = Flow.TRANSACTIONAL
    return check.verdict(dry_run=False)


@pytest.mark.parametrize(
    ("outcome", "types", "was_taken"),
    [
        ("sent", ["sent", "sent"], True),
        ("unknown", ["unknown", "unknown"], True),
        ((250, "ok"), ["sent", "sent"], True),
        ((399, "go on"), ["sent", "sent"], True),
        ((400, "later"), ["deferred", "deferred"], False),
        ((550, b"no"), ["bounced", "bounced"], False),
        ({}, ["sent", "sent"], True),
        ({"b@x.example": (550, b"no")}, ["sent", "bounced"], True),
        ({"b@x.example": (550, b"no"), "c@x.example": (450, b"no")}, ["bounced", "deferred"], False),
        (smtplib.SMTPDataError(550, b"no"), ["bounced", "bounced"], False),
        (OSError("gone"), ["deferred", "deferred"], False),
        (Event(EventType.SENT, "b@x.example"), ["sent"], True),
        (Event(EventType.DELIVERED, "b@x.example"), ["delivered"], True),
        (Event(EventType.BOUNCED, "b@x.example"), ["bounced"], False),
        (Event(EventType.DEFERRED, "b@x.example"), ["deferred"], False),
        (Event(EventType.REJECTED, "b@x.example"), ["rejected"], False),
        ([Event(EventType.BOUNCED, "b@x.example"), Event(EventType.SENT)], ["bounced", "sent"], True),
        ([Event(EventType.BOUNCED, "b@x.example")], ["bounced"], False),
        ([], [], False),
    ],
)
def test_an_outcome_is_read_in_any_form(outcome: Any, types: list[str], *, was_taken: bool) -> None:
    """And whether somebody took the message."""
    events, taken = events_of(verdict(), outcome)
    assert (sorted(str(event.type) for event in events), taken) == (sorted(types), was_taken)


@pytest.mark.parametrize("outcome", ["gone", b"sent", 250, None, [1], (250, 1), ("250", "ok")])
def test_what_is_no_outcome_is_refused(outcome: Any) -> None:
    """With the forms that are."""
    with pytest.raises(TypeError, match="an outcome must be"):
        events_of(verdict(), outcome)


def test_who_learns_from_an_outcome() -> None:
    """Senders count those that were taken once, and each other event by itself."""
    told: list[tuple[Any, Any]] = []

    class Senders(SenderControl):
        def report(self, _: str, event: Event | None = None, *, valid: int = 0) -> None:  # type: ignore[override]
            told.append((valid, event and str(event.type)))

    store = MemoryStore()
    gate = Gate(three_flows(), held=None, senders=Senders(store), suppressions=SuppressionList(store))
    sent = gate.check(note().as_bytes(), flow="professional", account="charles@lovelace.example")
    assert sent.allowed
    to = sent.accepted[0]
    gate.report(sent, [Event(EventType.SENT, to), Event(EventType.SENT, to), Event(EventType.BOUNCED, to)])
    assert told == [(2, None), (0, "bounced")]
    told.clear()
    gate.report(sent, "unknown")
    assert told == []
    server = gate.check(reset().as_bytes(), flow="transactional")
    gate.report(server, "sent")
    assert told == []


def named(*names: str) -> str:
    """Return what stands in a field twice."""
    return "\n".join(f"{name}: x" for name in names)


ROUTES = three_flows()


def codes_of(fields: str, *, mail_from: str = "", **context: Any) -> list[str]:
    """Return what does not fit a message of the transactional flow."""
    raw = f"From: a@notify.lovelace.example\nTo: b@x.example\n{fields}\n\nHello".encode()
    route = ROUTES["transactional"]
    found = doubts(ROUTES, route, Message.read(raw), mail_from, Context(**context))
    return [doubt.code for doubt in found]


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        (named("List-Id"), []),
        (named("List-Id", "List-Id"), ["field-twice"]),
        (named("List-Id", "List-Id", "List-Id"), ["field-twice"]),
        (named("Subject", "Subject"), ["field-twice"]),
        (named("Received", "Received"), []),
        (named("Delivered-To"), ["forged-field"]),
        (named("Arc-Seal", "Received-Spf"), ["forged-field", "forged-field"]),
    ],
)
def test_a_field_that_stands_twice_or_is_a_receivers(fields: str, codes: list[str]) -> None:
    """Twice is once too often."""
    assert codes_of(fields) == codes


@pytest.mark.parametrize(
    ("mail_from", "codes"),
    [
        ("", []),
        ("b@bounces.provider.example", []),
        ("b@notify.lovelace.example", []),
        ("b@NOTIFY.lovelace.example.", []),
        ("b@elsewhere.lovelace.example", []),
        ("b@news.lovelace.example", ["return-path-of-other-flow"]),
        ("b@back.news.example", ["return-path-of-other-flow"]),
        ("b@other.provider.example", []),
        ("b@stranger.example", ["foreign-return-path"]),
    ],
)
def test_an_envelope_sender_is_the_flows_own(mail_from: str, codes: list[str]) -> None:
    """Its return path, which may be a provider's, or one of its domains; never another flow's."""
    route = FlowRoute(
        Flow.TRANSACTIONAL, domains=["notify.lovelace.example"], return_path="bounces.provider.example"
    )
    other = FlowRoute(Flow.MARKETING, domains=["news.lovelace.example"], return_path="back.news.example")
    message = Message.read(RAW)
    found = doubts(FlowSet(route, other), route, message, mail_from, Context())
    assert [doubt.code for doubt in found] == codes


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (TimeoutError(), "no answer in time"),
        (TimeoutError("no answer within 5 s"), "no answer within 5 s"),
        (StoreError("x", store="x"), "the store did not answer"),
        (StoreError("x", store="x", is_busy=True), "the store is busy"),
        (ValueError("the address is empty"), "the address is empty"),
        (KeyError("secret of ours"), "an unexpected error"),
    ],
)
def test_a_part_that_fails_is_told_in_words(problem: Exception, said: str) -> None:
    """Its own where it has some for people; an exception that nobody foresaw shows nothing."""
    assert Failure(problem).sentence == said


@pytest.mark.parametrize(
    ("unsubscribe", "post", "is_one"),
    [
        ("<https://x.example/u>", "List-Unsubscribe=One-Click", True),
        ("<HTTPS://x.example/u>", "list-unsubscribe = one-click", True),
        ("<http://x.example/u>", "List-Unsubscribe=One-Click", False),
        ("<https://x.example/u>", "", False),
        ("<mailto:u@x.example>", "List-Unsubscribe=One-Click", False),
    ],
)
def test_one_click_needs_both_fields(unsubscribe: str, post: str, *, is_one: bool) -> None:
    """RFC 8058 section 3.1: an https address, and the other field in these words."""
    raw = f"From: a@x.example\nList-Unsubscribe: {unsubscribe}\nList-Unsubscribe-Post: {post}\n\nx"
    assert has_one_click(Message.read(raw)) is is_one


@pytest.mark.parametrize(
    ("given", "absent"),
    [
        ({}, {"client", "form"}),
        ({"client": "192.0.2.7"}, {"form"}),
        ({"client": "192.0.2.7", "form": "a", "account": "b"}, set()),
    ],
)
def test_what_limits_count_by_and_a_message_does_not_say(given: dict[str, str], absent: set[str]) -> None:
    """Keys of the user must be given; optional ones, and functions, ask for nothing."""
    own = Limiter(
        Limit("9/hour", per="client"),
        Limit("9/hour", per=("form", "recipient")),
        Limit("9/hour", per="account", optional=True),
        Limit("9/hour", per=lambda _: "x", name="f"),
        Limit("9 distinct/hour", per="global", of="client_site"),
        store=MemoryStore(),
    )
    found = absent_keys(own, given)
    assert found == absent
    assert (fitted(own, found) is own) is (not absent)
    if absent:
        assert fitted(own, found) is None
        assert needs_of(own, found) in absent


def test_a_preset_fits_what_a_message_says() -> None:
    """Without a client it is the one of jobs; without anything else, less of itself."""
    form = presets.web_form(MemoryStore())
    assert fitted(form, frozenset({"client"})) is form.background
    assert fitted(form, frozenset()) is form
    assert fitted(form, frozenset({"account"})) is not form.background
    person = presets.professional(MemoryStore())
    assert person.background is None
    less = fitted(person, frozenset({"account"}))
    assert less is not None
    assert [limit.of for limit in less.limits] == ["client"]


def test_what_was_erased_is_told_in_one_line() -> None:
    """Or that it was nothing."""
    assert str(Forgotten()) == "erased: nothing"
    assert str(Forgotten(limits=1, held=2)) == "erased: 1 limit, 2 held"


def test_a_tally_counts_by_days() -> None:
    """What passes is counted in a dry run only; today is one of the days."""
    clock = FixedClock()
    tally = Tally(MemoryStore(clock=clock), clock=clock)
    stopped, passed = checked(), checked()
    stopped.say("guard", "no", "no", REJECT)
    for dry_run in (False, True):
        for check in (stopped, stopped, passed):
            tally.note(check.verdict(dry_run=dry_run))
    clock.advance(86_400.0)
    tally.note(stopped.verdict(dry_run=False))
    assert [tally.report(days=days).messages for days in (1, 2, 3)] == [1, 3, 3]
    found = tally.report(days=2)
    assert found.stopped == {"reject": 3}
    assert [(c.flow, c.decision, c.part, c.code, c.messages) for c in found.reasons] == [
        ("-", "reject", "guard", "no", 3)
    ]
    assert str(found) == "in the last 2 days 3 were rejected"
    dry = tally.report(days=2, dry_run=True)
    assert (dry.messages, dry.stopped) == (3, {"reject": 2})
    assert str(dry) == "in the last 2 days 2 of 3 would have been rejected"
    assert str(tally.report(days=1, dry_run=True)) == "in the last 1 days none of 0 would have been stopped"


def test_of_what_was_turned_away_recipients_are_counted() -> None:
    """A refused MAIL or DATA is about all of a message, which is counted itself."""
    clock = FixedClock()
    tally = Tally(MemoryStore(clock=clock), clock=clock)
    check = checked()
    check.turned_away = (
        TurnedAway("MAIL", 550, "no"),
        TurnedAway("RCPT", 550, "no", part="relay", reason="unknown"),
        TurnedAway("RCPT", 450, "later", part="relay", reason="full"),
        TurnedAway("RCPT", 550, "no", part="relay", reason="unknown"),
        TurnedAway("DATA", 450, "later"),
    )
    tally.note(check.verdict(dry_run=False))
    found = {(c.decision, c.part, c.code): c.messages for c in tally.report(days=1).recipients}
    assert found == {("reject", "relay", "unknown"): 2, ("defer", "relay", "full"): 1}


@pytest.mark.parametrize(
    ("author", "codes"), [("", []), ("From: eve@notify.lovelace.example", ["from-not-of-account"])]
)
def test_a_message_without_an_author_is_nobodys(author: str, codes: list[str]) -> None:
    """It is refused for that, and not as somebody else's."""
    route = FlowRoute(
        Flow.TRANSACTIONAL,
        domains=["notify.lovelace.example"],
        account_may_send={"shop": ["ada@notify.lovelace.example"]},
    )
    message = Message.read(f"{author}\nTo: b@x.example\nSubject: s\n\nHello".lstrip().encode())
    found = doubts(FlowSet(route), route, message, "", Context(account="shop"))
    assert [doubt.code for doubt in found] == codes


def test_a_flow_may_be_tried_alone() -> None:
    """Where its flow is not known, a message is only looked at if every flow is."""
    flows = FlowSet(*(FlowRoute(flow, domains=f"{flow}.lovelace.example") for flow in Flow))
    some = Gate(flows, held=None, dry_run=["marketing"])
    assert [some.is_dry(flow) for flow in (Flow.MARKETING, Flow.TRANSACTIONAL, None)] == [True, False, False]
    assert Gate(flows, held=None, dry_run=True).is_dry(None) is True
    assert Gate(flows, held=None).is_dry(Flow.MARKETING) is False


@pytest.mark.parametrize("make", [presets.web_form, presets.contact_form, presets.background])
def test_a_preset_without_a_visitor_limits_what_it_can(make: Callable[[], Limiter]) -> None:
    """A preset is a proposal: mail of a job has no client, and the rest of the limits still count."""
    gate = Gate(three_flows(), limiter={"transactional": make()})
    verdicts = [gate.check(reset(), flow="transactional") for _ in range(100)]
    assert verdicts[0].allowed
    assert not verdicts[-1].allowed
    assert {reason.part for reason in verdicts[-1].why} == {"limits"}
