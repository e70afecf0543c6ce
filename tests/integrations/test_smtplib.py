"""smtplib: each message by its flow's own relay, seen by real servers on loopback."""

from __future__ import annotations

import smtplib
from typing import TYPE_CHECKING

import pytest

from mailflows import ConfigurationError, Gate, Refused
from mailflows.feedback import SuppressionList
from mailflows.integrations.smtplib import GateSMTP
from mailflows.limits import Limit, Limiter, MemoryStore
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from three_flows import newsletter, note, reset, three_flows

if TYPE_CHECKING:
    from smtp_server import SmtpServer


def test_each_flow_leaves_by_its_own_road(relays: dict[str, SmtpServer], urls: dict[str, str]) -> None:
    """Relay, source address and EHLO name are those of the flow."""
    with GateSMTP(Gate(three_flows(**urls))) as smtp:
        smtp.send_message(reset(), flow="transactional")
        smtp.send_message(newsletter(), flow="marketing")
        smtp.send_message(note(), flow="professional")
    seen = {flow: [(d.source, d.ehlo) for d in relay.deliveries] for flow, relay in relays.items()}
    assert seen == {
        "transactional": [("127.0.0.11", "transactional.lovelace.example")],
        "marketing": [("127.0.0.12", "marketing.lovelace.example")],
        "professional": [("127.0.0.13", "professional.lovelace.example")],
    }


def test_envelope_and_content(relays: dict[str, SmtpServer], urls: dict[str, str]) -> None:
    """The envelope is that of the message; Bcc and the flow header stay here."""
    mail = reset()
    mail["Bcc"], mail["X-Mailflows-Flow"] = "archive@babbage.example", "transactional"
    with GateSMTP(Gate(three_flows(**urls))) as smtp:
        assert smtp.send_message(mail) == {}
    (delivery,) = relays["transactional"].deliveries
    assert delivery.sender == "noreply@notify.lovelace.example"
    assert delivery.recipients == ("ada@babbage.example", "archive@babbage.example")
    assert b"archive" not in delivery.content
    assert b"X-Mailflows" not in delivery.content


def test_one_connection_for_several(relays: dict[str, SmtpServer], urls: dict[str, str]) -> None:
    """Messages of one flow share a connection, and one that was lost is made anew."""
    with GateSMTP(Gate(three_flows(**urls))) as smtp:
        smtp.send_message(reset(), flow="transactional")
        next(iter(smtp._relays._idle.values()))[0].close()
        smtp.send_message(reset(), flow="transactional")
        smtp.send_message(reset(), flow="transactional")
    assert len(relays["transactional"].deliveries) == 3


def test_refused_messages_do_not_leave(relays: dict[str, SmtpServer], urls: dict[str, str]) -> None:
    """An advert from the transactional domain raises, with the verdict, and reaches no relay."""
    advert = newsletter()
    advert.replace_header("From", "noreply@notify.lovelace.example")
    with GateSMTP(Gate(three_flows(**urls))) as smtp, pytest.raises(Refused) as caught:
        smtp.send_message(advert, flow="transactional")
    assert "marketing-on-transactional" in {reason.code for reason in caught.value.verdict.why}
    assert [relay.deliveries for relay in relays.values()] == [[], [], []]


def test_what_the_relay_says_is_learned(relays: dict[str, SmtpServer], urls: dict[str, str]) -> None:
    """Unknown recipients are suppressed, counted and said, while the others get the message."""
    store = MemoryStore()
    suppressions, reputation = SuppressionList(store), Reputation(store)
    gate = Gate(three_flows(**urls), suppressions=suppressions, reputation=reputation)
    with GateSMTP(gate) as smtp:
        refused = smtp.send_message(
            reset("ada@babbage.example, unknown@babbage.example"), flow="transactional"
        )
        again = smtp.send_message(reset("ada@babbage.example, unknown@babbage.example"), flow="transactional")
    assert refused["unknown@babbage.example"][0] == 550
    assert again["unknown@babbage.example"][1].startswith(b"5.1.1 on the suppression list")
    assert [d.recipients for d in relays["transactional"].deliveries] == [("ada@babbage.example",)] * 2
    rates = {str(rate.metric): (rate.hits, rate.total) for rate in reputation.check("transactional").rates}
    assert rates["bounces"] == (1, 3)


def test_limits_get_back_what_was_not_taken(urls: dict[str, str]) -> None:
    """A message that no relay took costs the account nothing."""
    limiter = Limiter(Limit("1/day", per="account"))
    gate = Gate(three_flows(**urls), limiter=limiter, senders=SenderControl(MemoryStore()))
    with GateSMTP(gate) as smtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.send_message(reset("busy@babbage.example"), flow="transactional", account="web")
        assert smtp.send_message(reset(), flow="transactional", account="web") == {}
        with pytest.raises(Refused, match="limits"):
            smtp.send_message(reset(), flow="transactional", account="web")


def test_a_relay_that_is_down_is_nobodys_fault(urls: dict[str, str]) -> None:
    """A refused connection is raised as it is, and gives the limits back."""
    limiter = Limiter(Limit("1/day", per="recipient"))
    gate = Gate(three_flows(**urls | {"marketing": "smtp://127.0.0.9:1"}), limiter=limiter)
    with GateSMTP(gate) as smtp, pytest.raises(OSError, match="refused"):
        smtp.send_message(newsletter(), flow="marketing")
    assert limiter.check(to="ada@babbage.example").remaining == 1


def test_a_flow_without_a_relay(urls: dict[str, str]) -> None:
    """The error names what to write."""
    del urls["marketing"]
    with GateSMTP(Gate(three_flows(**urls))) as smtp, pytest.raises(ConfigurationError, match="relay = "):
        smtp.send_message(newsletter(), flow="marketing")


def test_no_login_without_tls(monkeypatch: pytest.MonkeyPatch, relays: dict[str, SmtpServer]) -> None:
    """A relay that offers no STARTTLS never sees a password."""
    relay = relays["transactional"]
    monkeypatch.setenv("RELAY_PASSWORD", "secret")
    from mailflows.flows import FlowRoute, FlowSet

    route = FlowRoute(
        "transactional",
        domains="notify.lovelace.example",
        relay=f"smtp://app@{relay.host}:{relay.port}",
        password_env="RELAY_PASSWORD",  # noqa: S106 -- the name of a variable
    )
    with GateSMTP(Gate(FlowSet(route))) as smtp, pytest.raises(smtplib.SMTPNotSupportedError):
        smtp.send_message(reset(), flow="transactional")
    assert relay.deliveries == []


def test_addresses_that_are_not_ascii(relays: dict[str, SmtpServer], urls: dict[str, str]) -> None:
    """They are said with SMTPUTF8, where the relay offers it."""
    mail = reset()
    with GateSMTP(Gate(three_flows(**urls))) as smtp:
        refused = smtp.sendmail(
            "noreply@notify.lovelace.example", "zoë@babbage.example", mail.as_bytes(), flow="transactional"
        )
    assert refused == {}
    assert relays["transactional"].deliveries[0].recipients == ("zoë@babbage.example",)


def test_a_dry_run_sends_to_all(relays: dict[str, SmtpServer], urls: dict[str, str]) -> None:
    """Who would be refused gets the message, and is not said to be refused."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add("ada@babbage.example")
    with GateSMTP(Gate(three_flows(**urls), suppressions=suppressions, dry_run=True)) as smtp:
        assert smtp.send_message(reset(), flow="transactional") == {}
    assert relays["transactional"].deliveries[0].recipients == ("ada@babbage.example",)
