"""aiosmtpd: the gate as a filter in front of the relays of the flows."""

from __future__ import annotations

import smtplib
import threading
from concurrent.futures import ThreadPoolExecutor
from email.policy import SMTP
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import ConfigurationError, Gate
from mailflows.feedback import SuppressionList
from mailflows.integrations.aiosmtpd import GateHandler
from mailflows.limits import Limit, Limiter, MemoryStore
from smtp_server import MisbehavingRelay, SmtpServer
from three_flows import newsletter, note, reset, three_flows

if TYPE_CHECKING:
    from email.message import EmailMessage


def submit(gate: Gate, mail: EmailMessage, **settings: Any) -> dict[str, tuple[int, bytes]]:
    """Send a message to the filter, as an application does."""
    server = SmtpServer("127.0.0.5", handler=GateHandler(gate, **settings))
    with server, smtplib.SMTP(server.host, server.port, timeout=10) as smtp:
        return smtp.send_message(mail)


def test_messages_leave_by_their_flows(relays: dict[str, SmtpServer], urls: dict[str, str]) -> None:
    """What comes in at one door leaves by the road of its flow, told by From and content."""
    gate = Gate(three_flows(**urls))
    submit(gate, newsletter())
    submit(gate, note())
    assert [d.source for d in relays["marketing"].deliveries] == ["127.0.0.12"]
    assert [d.source for d in relays["professional"].deliveries] == ["127.0.0.13"]


def test_what_belongs_to_no_flow_stays_with_its_sender(
    relays: dict[str, SmtpServer], urls: dict[str, str]
) -> None:
    """A held message is answered 451, so that it stays in the queue of who sent it."""
    with pytest.raises(smtplib.SMTPDataError) as caught:
        submit(Gate(three_flows(**urls)), reset(sender="Eve <eve@elsewhere.example>"))
    assert caught.value.smtp_code == 451
    assert [relay.deliveries for relay in relays.values()] == [[], [], []]


def test_a_limit_answers_with_a_deferral(urls: dict[str, str]) -> None:
    """Too many from one client: try again later."""
    gate = Gate(three_flows(**urls), limiter=Limiter(Limit("1/day", per="client")))

    def client(session: Any) -> object:
        return session.peer[0]

    submit(gate, newsletter(), client=client)
    with pytest.raises(smtplib.SMTPDataError) as caught:
        submit(gate, newsletter(), client=client)
    assert caught.value.smtp_code == 450


def test_a_limit_that_nobody_can_count(urls: dict[str, str]) -> None:
    """One per client, and no client is named: that is said at once, with what to write, and holds no mail."""
    gate = Gate(three_flows(**urls), limiter=Limiter(Limit("1/day", per="client")))
    with pytest.raises(ConfigurationError, match="optional=True"):
        GateHandler(gate)


def test_each_recipient_hears_its_own_answer(relays: dict[str, SmtpServer], urls: dict[str, str]) -> None:
    """One dead address keeps nobody else from the mail, and the application knows."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add("gone@babbage.example")
    gate = Gate(three_flows(**urls), suppressions=suppressions)
    to = "ada@babbage.example, gone@babbage.example, busy@babbage.example"
    refused = submit(gate, newsletter(to))
    assert {address: code for address, (code, _) in refused.items()} == {
        "gone@babbage.example": 550,
        "busy@babbage.example": 450,
    }
    assert [d.recipients for d in relays["marketing"].deliveries] == [("ada@babbage.example",)]


def test_the_relays_own_answer_is_passed_on(urls: dict[str, str]) -> None:
    """What the relay says of the recipient, the application hears."""
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        submit(Gate(three_flows(**urls)), newsletter("unknown@babbage.example"))
    assert list(caught.value.recipients.values()) == [(550, b"5.1.1 User unknown")]


def test_the_queue_id_of_the_relay_is_passed_on() -> None:
    """The log of who sends names the message as the relay's log does."""
    with MisbehavingRelay(final_dot=["250 2.0.0 Ok: queued as 4Fxyz91mWk"]) as relay:
        gate = Gate(three_flows(transactional=relay.url))
        door = SmtpServer("127.0.0.5", handler=GateHandler(gate, flow="transactional"))
        with door, smtplib.SMTP(door.host, door.port, timeout=30) as client:
            client.ehlo()
            client.mail("noreply@notify.lovelace.example")
            client.rcpt("ada@babbage.example")
            code, text = client.data(reset().as_bytes(policy=SMTP))
    assert (code, text) == (250, b"2.0.0 Ok, accepted by the relay of its flow, queued as 4Fxyz91mWk")


def test_a_restart_waits_for_what_is_under_way() -> None:
    """Who has sent a message hears what became of it, so nobody sends it twice; who comes later hears 421."""
    with MisbehavingRelay(delay=0.5) as relay:
        handler = GateHandler(Gate(three_flows(transactional=relay.url)), flow="transactional")
        with SmtpServer("127.0.0.5", handler=handler) as door:

            def send() -> dict[str, tuple[int, bytes]]:
                with smtplib.SMTP(door.host, door.port, timeout=60) as client:
                    return client.send_message(reset())

            with ThreadPoolExecutor(1) as pool:
                sent = pool.submit(send)
                while not handler._under_way and not sent.done():
                    threading.Event().wait(0.01)
                assert handler.drain(60)
                assert sent.done() or not sent.result(60)
            assert sent.result(60) == {}
            with pytest.raises(smtplib.SMTPSenderRefused, match="shutting down"):
                send()
    assert len(relay.deliveries) == 1


def test_a_restart_does_not_wait_for_ever() -> None:
    """After the time it says that something is still under way."""
    handler = GateHandler(Gate(three_flows(transactional="smtp://127.0.0.9:1")))
    assert handler._begun()
    assert not handler.drain(0.01)
    handler._done()
    assert handler.drain(0.01)
    assert not handler._begun()


def test_a_relay_that_is_down(urls: dict[str, str]) -> None:
    """The message stays with who sent it."""
    gate = Gate(three_flows(**urls | {"marketing": "smtp://127.0.0.9:1"}))
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        submit(gate, newsletter())
    assert [code for code, _ in caught.value.recipients.values()] == [451]
