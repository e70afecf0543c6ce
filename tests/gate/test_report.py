"""The loop is closed: what became of a message goes to every part that learns from it."""

from __future__ import annotations

import asyncio
import logging
import pickle
import smtplib
from typing import Any

import pytest

from mailflows import ConfigurationError, Envelope, Flow, Gate, Refused, StoreError
from mailflows.feedback import Action, Event, EventType, SuppressionList, from_reply, from_webhook
from mailflows.flows import FlowRoute, FlowSet
from mailflows.limits import Limit, Limiter, MemoryStore
from mailflows.reputation import Metric, Reputation
from mailflows.senders import SenderControl
from mailflows.testing import FixedClock
from three_flows import newsletter, note, reset, three_flows

ADDRESS = "ada@babbage.example"
COMPLAINT = Event(
    EventType.COMPLAINED, ADDRESS, flow=Flow.MARKETING, event_id="1", action=Action.SUPPRESS, provider="arf"
)


class ForgetfulStore(MemoryStore):
    """A store that is read and cannot be written."""

    def swap(self, *_: Any, **__: Any) -> bool:
        """Fail."""
        msg = "read only"
        raise StoreError(msg, store="forgetful")


def gate(store: MemoryStore | None = None) -> Gate:
    """Return a gate with all that learns."""
    kept = store or MemoryStore()
    return Gate(
        three_flows(),
        limiter=Limiter(Limit("1/day", per="recipient")),
        senders=SenderControl(kept),
        suppressions=SuppressionList(kept),
        reputation=Reputation(kept),
    )


def rates(found: Gate, flow: str) -> dict[Metric, tuple[int, int]]:
    """Return what the reputation counted."""
    assert found.reputation is not None
    return {rate.metric: (rate.hits, rate.total) for rate in found.reputation.check(flow).rates}


def test_sent() -> None:
    """A message that left counts once for each recipient, and keeps what it took from the limits."""
    found = gate()
    verdict = found.check(note(), flow="professional")
    events = found.report(verdict, "sent")
    assert [(e.type, e.recipient, e.flow, e.message_id) for e in events] == [
        (EventType.SENT, ADDRESS, Flow.PROFESSIONAL, "note-1@lovelace.example")
    ]
    assert rates(found, "professional")[Metric.BOUNCES] == (0, 1)
    assert found.check(note(), flow="professional").why[0].part == "limits"


@pytest.mark.parametrize(
    "outcome",
    [
        (550, "5.1.1 User unknown"),
        (550, b"5.1.1 User unknown"),
        smtplib.SMTPRecipientsRefused({ADDRESS: (550, b"5.1.1 User unknown")}),
        {ADDRESS: (550, b"5.1.1 User unknown")},
        from_reply(550, "5.1.1 User unknown", recipient=ADDRESS),
        [from_reply(550, "5.1.1 User unknown", recipient=ADDRESS)],
    ],
    ids="text bytes exception dictionary event events".split(),
)
def test_a_refusal_in_every_form(outcome: Any) -> None:
    """The limits get it back, sender and flow are counted, the address is suppressed."""
    found = gate()
    found.report(found.check(note(), flow="professional"), outcome)
    assert found.suppressions is not None
    assert found.senders is not None
    limiter = found.limiter_of(None)
    assert limiter is not None
    assert limiter.check(to=ADDRESS).remaining == 1
    assert found.suppressions.find(ADDRESS) is not None
    assert found.senders.check("charles@lovelace.example").invalid == 1
    assert rates(found, "professional")[Metric.BOUNCES] == (1, 1)


def test_not_sent_after_all() -> None:
    """No events: the limits get it back, and nobody learns anything."""
    found = gate()
    assert found.report(found.check(note(), flow="professional"), ()) == ()
    assert found.check(note(), flow="professional")
    assert rates(found, "professional")[Metric.BOUNCES] == (0, 0)


def test_a_broken_connection_blames_nobody() -> None:
    """It is a deferral, and neither sender nor recipient is at fault."""
    found = gate()
    (event,) = found.report(found.check(note(), flow="professional"), TimeoutError("slow"))
    assert (event.type, event.recipient) == (EventType.DEFERRED, ADDRESS)
    assert found.check(note(), flow="professional")


def test_events_that_come_later() -> None:
    """Bounces and complaints, from webhooks or mail, need no verdict."""
    found = gate()
    found.report(None, COMPLAINT)
    assert not found.check(newsletter(), flow="marketing")
    assert rates(found, "marketing")[Metric.COMPLAINTS] == (1, 1)


def test_one_part_that_fails_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The message has left: a store that is down is logged, and the limits still learn."""
    found = gate(ForgetfulStore())
    verdict = found.check(reset(), flow="transactional")
    with caplog.at_level(logging.WARNING):
        found.report(verdict, (550, "5.1.1 User unknown"))
    assert "the store is failing: read only" in caplog.text
    assert ADDRESS not in caplog.text
    limiter = found.limiter_of(None)
    assert limiter is not None
    assert limiter.check(to=ADDRESS).remaining == 1


@pytest.mark.parametrize("outcome", ["delivered", 250, None, [1]])
def test_what_is_no_outcome(outcome: Any) -> None:
    """The error says what is one."""
    found = gate()
    with pytest.raises(TypeError, match="an outcome must be"):
        found.report(None, outcome)


def test_sending_reports_by_itself() -> None:
    """A block that raises gives back; one that ends keeps."""
    found = gate()
    with pytest.raises(KeyError), found.sending(note(), flow="professional"):
        raise KeyError
    with found.sending(note(), flow="professional") as verdict:
        assert verdict.accepted == (ADDRESS,)
    with pytest.raises(Refused), found.sending(note(), flow="professional"):
        pytest.fail("the block is not entered")


def test_sending_in_an_event_loop() -> None:
    """The async twin does the same."""
    found = gate()

    async def run() -> None:
        with pytest.raises(KeyError):
            async with found.asending(note(), flow="professional"):
                raise KeyError
        async with found.asending(note(), flow="professional"):
            pass

    asyncio.run(run())
    assert rates(found, "professional")[Metric.BOUNCES] == (0, 1)


def test_the_decorator_of_an_sdk_call() -> None:
    """The function is called for what may leave, with what it was given, and told nothing of the gate."""
    found = gate()

    @found.guard(flow="stream", client=lambda given: given["request"]["ip"])
    def send(message: Any, stream: str, request: dict[str, str]) -> str:
        return f"sent on {stream} for {request['ip']}: {message['Subject']}"

    known = {"stream": "transactional", "request": {"ip": "192.0.2.1"}}
    assert send(reset(), **known) == "sent on transactional for 192.0.2.1: Reset your password"  # type: ignore[arg-type]
    with pytest.raises(Refused) as caught:
        send(newsletter(), **known)  # type: ignore[arg-type]
    assert caught.value.verdict.flow is Flow.TRANSACTIONAL


def test_the_decorator_of_a_coroutine() -> None:
    """A coroutine function stays one."""
    found = gate()

    @found.guard("mail", flow=lambda _: "transactional")
    async def send(mail: Any) -> str:
        await asyncio.sleep(0)
        return str(mail["To"])

    assert asyncio.run(send(reset())) == ADDRESS


@pytest.mark.parametrize("known", [{"flow": "nothing"}, {"stream": "mail"}])
def test_a_decorator_of_nothing(known: dict[str, str]) -> None:
    """A parameter that is not there, or a name that no gate asks for, is said at once."""
    with pytest.raises(ConfigurationError):

        @gate().guard("mail", **known)
        def send(mail: Any) -> None: ...


def test_a_decorated_function_writes_to_all_or_to_nobody() -> None:
    """An SDK call cannot leave anybody out, so a suppressed recipient stops it, and limits are given back."""
    found = gate()
    assert found.suppressions is not None
    found.suppressions.add("gone@babbage.example")
    called: list[object] = []

    @found.guard("mail", flow=lambda _: "transactional")
    def send(mail: Any) -> None:
        called.append(mail)

    with pytest.raises(Refused, match="refused recipients: 1 \\(suppressions"):
        send(reset(f"{ADDRESS}, gone@babbage.example"))
    assert called == []
    limiter = found.limiter_of(None)
    assert limiter is not None
    assert limiter.check(to=ADDRESS).remaining == 1


def test_blast_radius_is_zero() -> None:
    """With marketing at 30 % invalid recipients, every message of the other flows passes the whole gate."""
    store, clock = MemoryStore(), FixedClock()
    found = Gate(
        three_flows(),
        senders=SenderControl(store, clock=clock),
        suppressions=SuppressionList(store),
        reputation=Reputation(store),
    )
    passed = dict.fromkeys(Flow, 0)
    mails = {Flow.TRANSACTIONAL: reset(), Flow.MARKETING: newsletter(), Flow.PROFESSIONAL: note()}
    for number in range(150):
        clock.advance(60)  # as fast as people write, not as tests do
        for flow, mail in mails.items():
            # Each flow has its own recipients: who does not exist is suppressed for all of them, rightly.
            envelope = Envelope("", (f"p{number}@{flow}.example",))
            verdict = found.check(mail, envelope=envelope, flow=flow)
            is_bad = flow is Flow.MARKETING and number % 10 < 3
            passed[flow] += bool(verdict)
            if verdict:
                found.report(verdict, (550, "5.1.1 User unknown") if is_bad else "sent")
    assert passed[Flow.PROFESSIONAL] == passed[Flow.TRANSACTIONAL] == 150
    assert passed[Flow.MARKETING] < 50


def test_a_refusal_survives_a_queue() -> None:
    """A worker's result is pickled: the verdict comes with it."""
    with pytest.raises(Refused) as caught:
        gate().ensure(newsletter(), flow="transactional")
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.verdict == caught.value.verdict


@pytest.mark.parametrize(
    ("provider", "payload"),
    [
        ("postmark", {"RecordType": "SpamComplaint", "Email": "eve@example.net", "MessageStream": "news"}),
        ("brevo", {"event": "spam", "email": "eve@example.net", "tags": ["news"]}),
        ("sendgrid", [{"event": "spamreport", "email": "eve@example.net", "category": ["news", "spring"]}]),
    ],
)
def test_a_stream_names_the_flow_of_an_event(provider: str, payload: Any) -> None:
    """A complaint about the newsletter does not end password resets; of two flows, or of none, it does."""

    def stopped(*streams: str) -> list[bool]:
        routes = [
            FlowRoute(flow, domains=f"{flow}.example.org", esp=provider, stream=stream)
            for flow, stream in zip(("transactional", "marketing"), streams, strict=True)
        ]
        suppressions = SuppressionList(MemoryStore())
        gate = Gate(FlowSet(*routes), suppressions=suppressions)
        gate.report(None, from_webhook(provider, payload))
        return [suppressions.is_suppressed("eve@example.net", flow=route.flow) for route in routes]

    assert stopped("outbound", "news") == [False, True]
    assert stopped("news", "broadcast") == [True, False]
    assert stopped("news", "news") == [True, True]
    assert stopped("outbound", "broadcast") == [True, True]
    (event,) = Gate(FlowSet(FlowRoute("marketing", domains="x.example", esp=provider, stream="news"))).report(
        None, from_webhook(provider, payload, flow=Flow.TRANSACTIONAL)
    )
    assert event.flow == "transactional"
