"""What is refused at RCPT TO is counted, and told to hooks, like what is refused with the message."""

from __future__ import annotations

import smtplib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from delivery_scenes import ADA, BOB, GONE, KINDS, flows, raw
from mailflows import Gate
from mailflows.feedback import SuppressionList
from mailflows.integrations.aiosmtpd import GateHandler
from mailflows.integrations.smtplib import GateSMTP
from mailflows.limits import MemoryStore
from mailflows.recipients import RecipientChecker
from mailflows.testing import FixedClock
from smtp_server import MisbehavingRelay, SmtpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows.gate import Verdict
    from mailflows.recipients import RecipientReport

SENDER = KINDS["reset"][1]


class Watched:
    """A gate that suppresses one address, with what its hook was told."""

    def __init__(self, relay: str, **settings: Any) -> None:
        self.told: list[Verdict] = []
        suppressions = SuppressionList(MemoryStore())
        suppressions.add(GONE, reason="mailbox-unknown")
        self.gate = Gate(flows(relay), suppressions=suppressions, hooks=[self.told.append], **settings)

    @property
    def recipients(self) -> dict[tuple[str, str, str, str], int]:
        """The recipients of the tally."""
        rows = self.gate.tally.report(days=1).recipients
        return {(row.flow, row.decision, row.part, row.code): row.messages for row in rows}


@contextmanager
def handled(watched: Watched) -> Iterator[smtplib.SMTP]:
    """Connect to a gate in front of a relay; at the end, everything is counted."""
    handler = GateHandler(watched.gate)
    with SmtpServer("127.0.0.5", handler=handler) as server, smtplib.SMTP(server.host, server.port) as smtp:
        yield smtp
    handler._threads.shutdown(wait=True)


def test_a_message_that_never_came_is_counted() -> None:
    """Its only recipient was refused: hook and tally have it, with part and reason."""
    with MisbehavingRelay() as relay:
        watched = Watched(relay.url)
        with handled(watched) as smtp, pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            smtp.sendmail(SENDER, [GONE], raw(GONE))
    assert caught.value.recipients == {GONE: (550, b"5.1.1 on the suppression list (mailbox-unknown)")}
    (verdict,) = watched.told
    assert (verdict.decision, verdict.flow, verdict.allowed) == ("reject", "transactional", False)
    assert [(r.part, r.code) for r in verdict.why] == [("suppressions", "suppressed")]
    assert ("mailflows_gate_recipients_total", 1, {"flow": "transactional", "outcome": "refused"}) in (
        verdict.metrics()
    )
    assert GONE not in f"{verdict}{verdict.to_dict()}"
    report = watched.gate.tally.report(days=1)
    assert (report.messages, report.flows) == (1, {"transactional": {"reject": 1}})
    assert watched.recipients == {("transactional", "reject", "suppressions", "suppressed"): 1}


def test_one_of_two_recipients_is_counted_and_the_message_leaves() -> None:
    """The message is no stopped one; the recipient is a refused one, and the hook is told once."""
    with MisbehavingRelay() as relay:
        watched = Watched(relay.url)
        with handled(watched) as smtp:
            assert list(smtp.sendmail(SENDER, [ADA, GONE], raw(ADA, GONE))) == [GONE]
    (verdict,) = watched.told
    assert verdict.allowed
    assert ("mailflows_gate_recipients_total", 1, {"flow": "transactional", "outcome": "refused"}) in (
        verdict.metrics()
    )
    report = watched.gate.tally.report(days=1)
    assert (report.messages, report.flows) == (0, {})
    assert watched.recipients == {("transactional", "reject", "suppressions", "suppressed"): 1}


def test_what_the_relay_refuses_at_rcpt_is_counted_as_the_relays() -> None:
    """With its own reason: an unknown mailbox for good, a busy one for now."""
    replies = {ADA: "550 5.1.1 no such user", BOB: "450 4.2.1 try later"}
    with MisbehavingRelay(rcpt=replies) as relay:
        watched = Watched(relay.url)
        with handled(watched) as smtp, pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.sendmail(SENDER, [ADA, BOB], raw(ADA, BOB))
    (verdict,) = watched.told
    assert {r.part for r in verdict.why} == {"relay"}
    assert {(decision, part) for _, decision, part, _ in watched.recipients} == {
        ("reject", "relay"),
        ("defer", "relay"),
    }
    assert ("transactional", "reject", "relay", "mailbox-unknown") in watched.recipients


def test_a_client_that_only_says_hello_is_not_counted() -> None:
    """It left after an accepted recipient: nothing was refused."""
    with MisbehavingRelay() as relay:
        watched = Watched(relay.url)
        with handled(watched) as smtp:
            smtp.ehlo()
            smtp.mail(SENDER)
            smtp.rcpt(ADA)
    assert (watched.told, watched.recipients) == ([], {})
    assert watched.gate.tally.report(days=1).messages == 0


def test_refused_with_the_message_is_counted_alike() -> None:
    """Where there is no RCPT TO before the check, the recipient counts once, too."""
    with MisbehavingRelay() as relay:
        watched = Watched(relay.url)
        with GateSMTP(watched.gate) as smtp:
            smtp.sendmail(SENDER, [ADA, GONE], raw(ADA, GONE), flow="transactional")
    assert watched.recipients == {("transactional", "reject", "suppressions", "suppressed"): 1}
    assert watched.gate.tally.report(days=1).messages == 0


def test_a_silent_dns_is_waited_for_within_the_budget_of_the_message() -> None:
    """Three seconds a recipient, five for all: the third is not asked about at RCPT TO, and is accepted."""
    clock = FixedClock()
    asked: list[str] = []

    class Slow(RecipientChecker):
        def check(self, address: str) -> RecipientReport:
            asked.append(address)
            clock.advance(3.0)
            return super().check(address)

    with MisbehavingRelay() as relay:
        watched = Watched(relay.url, recipients=Slow(dns=False), recipients_budget=5.0, timer=clock)
        with handled(watched) as smtp:
            smtp.ehlo()
            smtp.mail(SENDER)
            assert [smtp.rcpt(f"ada{number}@a.example.com")[0] for number in range(5)] == [250] * 5
            assert len(asked) == 2
