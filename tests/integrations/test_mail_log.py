"""The mail log: one line for each message, whatever became of it and wherever it was stopped."""

from __future__ import annotations

import gc
import logging
import re
import smtplib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from delivery_scenes import ADA, BOB, GONE, INTEGRATIONS, KINDS, flows, raw, sending
from mailflows import Gate, MessageError, Refused
from mailflows.feedback import SuppressionList
from mailflows.integrations.aiosmtpd import GateHandler
from mailflows.integrations.smtplib import GateSMTP
from mailflows.limits import MemoryStore
from smtp_server import MisbehavingRelay, SmtpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

SENDER = KINDS["reset"][1]
QUEUED = "250 2.0.0 Ok: queued as 4Fxyz91mWk"


class MailLog:
    """The lines of the mail log, each as its fields."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    @property
    def lines(self) -> list[str]:
        """The lines as written."""
        return [one.getMessage() for one in self._caplog.records if one.name == "mailflows.mail"]

    @property
    def only(self) -> dict[str, str]:
        """The fields of the one line that there is."""
        (line,) = self.lines
        return fields(line)


def fields(line: str) -> dict[str, str]:
    """Return the fields of a line, as a program would read them."""
    pairs = re.findall(r'(?:^| )([a-z-]+)=("[^"]*"|\S*)', line)
    assert " ".join(f"{name}={value}" for name, value in pairs) == line, line
    return {name: value.strip('"') for name, value in pairs}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[MailLog]:
    """Give the mail log."""
    with caplog.at_level(logging.INFO, logger="mailflows"):
        yield MailLog(caplog)


@pytest.mark.parametrize("by", INTEGRATIONS)
def test_a_message_that_left(by: str, log: MailLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Message-ID, sender, recipients, flow, relay, and the relay's reply with its queue id."""
    with MisbehavingRelay(final_dot=[QUEUED]) as relay, sending(by, relay, monkeypatch) as sender:
        assert sender.send(SENDER, [ADA, BOB], raw(ADA, BOB, number=7)) == []
        server = f"{relay.host}:{relay.port}"
    said = log.only
    assert said.pop("message-id").endswith("@notify.example.org>" if by != "Django" else ">")
    assert float(said.pop("delay")) < 60
    assert said == {
        "from": "…@notify.example.org",
        "nrcpt": "2",
        "flow": "transactional",
        "verdict": "accept",
        "relay": server,
        "status": "sent",
        "queued-as": "4Fxyz91mWk",
        "reply": QUEUED,
    }


def test_the_message_id_is_found_whole(log: MailLog) -> None:
    """It stands as in the message, in angle brackets, to be searched for."""
    with MisbehavingRelay() as relay, GateSMTP(Gate(flows(relay.url))) as smtp:
        smtp.sendmail(SENDER, [ADA], raw(ADA, number=7), flow="transactional")
    assert log.only["message-id"] == "<7@notify.example.org>"


@pytest.mark.parametrize("by", INTEGRATIONS)
def test_some_are_refused_by_the_relay(by: str, log: MailLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says how many got it and how many did not, with the first reason."""
    with (
        MisbehavingRelay(rcpt={GONE: "550 5.1.1 no such user"}) as relay,
        sending(by, relay, monkeypatch) as sender,
    ):
        sender.send(SENDER, [BOB, GONE], raw(BOB, GONE))
    said = log.only
    assert (said["status"], said["sent"], said["refused"], said["nrcpt"]) == ("mixed", "1", "1", "2")
    assert said["why"] == "550 5.1.1 no such user"


@pytest.mark.parametrize("by", INTEGRATIONS)
@pytest.mark.parametrize(
    ("relay", "status", "reply"),
    [
        ({"rcpt": {ADA: "550 5.1.1 no such user"}}, "refused", "550 5.1.1 no such user"),
        ({"mail": "451 4.3.0 not now"}, "deferred", "451 4.3.0 not now"),
        ({"final_dot": ["554 5.7.1 no thanks"]}, "refused", "554 5.7.1 no thanks"),
        ({"final_dot": ["421 4.3.0 closing"]}, "deferred", "421 4.3.0 closing"),
        ({"final_dot": ["lost"]}, "unknown", "4.4.2 The relay's reply was lost"),
    ],
    ids=["rcpt", "mail", "data", "421", "lost"],
)
def test_nobody_got_it(  # noqa: PLR0913, PLR0917 -- the table
    by: str, relay: dict[str, Any], status: str, reply: str, log: MailLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the relay said no, one line has what it said."""
    with MisbehavingRelay(**relay) as server, sending(by, server, monkeypatch) as sender:
        sender.send(SENDER, [ADA], raw(ADA), attempts=1)
        name = f"{server.host}:{server.port}"
    said = log.only
    assert (said["status"], said["reply"], said["relay"]) == (status, reply, name)
    assert said["queued-as"] == "-"


@pytest.mark.parametrize("by", INTEGRATIONS)
def test_a_relay_that_is_down(by: str, log: MailLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is deferred, and the line says which relay it was."""
    with MisbehavingRelay(is_down=True) as relay, sending(by, relay, monkeypatch) as sender:
        gone = f"{relay.host}:{relay.port}"
        sender.send(SENDER, [ADA], raw(ADA), attempts=1)
    said = log.only
    assert (said["status"], said["reply"]) == ("deferred", "451 4.4.1 The relay cannot be reached")
    assert said["relay"] == gone


@pytest.mark.parametrize("by", INTEGRATIONS)
def test_a_refusal_by_the_gate(by: str, log: MailLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suppressed recipient: at RCPT or at the check, it is one line, and no relay stands in it."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add(ADA)
    with MisbehavingRelay() as relay, sending(by, relay, monkeypatch, suppressions=suppressions) as sender:
        sender.send(SENDER, [ADA], raw(ADA))
    said = log.only
    assert (said["status"], said["relay"], said["nrcpt"]) == ("refused", "-", "1")
    assert "suppression list" in said.get("why", "") + said.get("reply", "")


@pytest.mark.parametrize("flow", [None, "transactional"], ids=["by the domain", "declared"])
def test_a_refusal_at_rcpt_names_its_flow(flow: str | None, log: MailLog) -> None:
    """A recipient is refused at RCPT only where the flow is known: whoever greps for the flow finds it."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add(GONE)
    with (
        MisbehavingRelay() as relay,
        session(Gate(flows(relay.url), suppressions=suppressions), flow=flow) as client,
    ):
        client.mail(SENDER)
        assert client.rcpt(GONE)[0] == 550
        client.docmd("QUIT")
    assert (log.only["flow"], log.only["verdict"], log.only["at"]) == ("transactional", "-", "RCPT")


@contextmanager
def session(gate: Gate, **settings: Any) -> Iterator[smtplib.SMTP]:
    """Give a client that has greeted a server with the gate; what it leaves behind is freed."""
    handler = GateHandler(gate, **settings)
    with SmtpServer("127.0.0.5", handler=handler) as server:
        client = smtplib.SMTP(server.host, server.port, timeout=30)
        try:
            client.ehlo()
            yield client
        finally:
            client.close()
    del server, handler
    gc.collect()


def test_a_sender_that_cannot_be_read(log: MailLog) -> None:
    """MAIL FROM is refused, and leaves a line."""
    with MisbehavingRelay() as relay, session(Gate(flows(relay.url))) as client:
        assert client.docmd("MAIL", "FROM:<ada@@example..org>")[0] in {501, 553}
    assert [fields(line)["at"] for line in log.lines] in ([], ["MAIL"])


def test_one_of_two_refused_at_rcpt_is_in_the_line_of_the_message(log: MailLog) -> None:
    """The message that some get has one line, which counts who was turned away before."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add(GONE)
    with MisbehavingRelay(final_dot=[QUEUED]) as relay:
        gate = Gate(flows(relay.url), suppressions=suppressions)
        with session(gate, flow="transactional") as client:
            client.sendmail(SENDER, [GONE, ADA], raw(ADA, GONE))
    said = log.only
    assert (said["nrcpt"], said["status"], said["sent"], said["refused"]) == ("2", "mixed", "1", "1")
    assert said["queued-as"] == "4Fxyz91mWk"
    assert said["why"].startswith("550 5.7.1 on the suppression list (manual)")


@pytest.mark.parametrize("end", ["RSET", "QUIT", "lost"])
def test_a_client_that_goes_away(end: str, log: MailLog) -> None:
    """A recipient was accepted and no message came: that is a line, too, once."""
    with MisbehavingRelay() as relay, session(Gate(flows(relay.url)), flow="transactional") as client:
        client.mail(SENDER)
        client.rcpt(ADA)
        if end != "lost":
            client.docmd(end)
    said = log.only
    assert (said["status"], said["nrcpt"], said["at"]) == ("abandoned", "1", "RCPT")


def test_nothing_came_in(log: MailLog) -> None:
    """A probe that names no recipient is no message."""
    with MisbehavingRelay() as relay, session(Gate(flows(relay.url)), flow="transactional") as client:
        client.mail(SENDER)
        client.docmd("RSET")
    assert log.lines == []


@pytest.mark.parametrize("by", ["GateSMTP", "aiosmtplib"])  # Django folds long lines
def test_a_message_that_cannot_be_sent(by: str, log: MailLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of 2,000 octets is refused before the gate is asked, and leaves its line."""
    content = raw(ADA, number=9) + b"x" * 2000 + b"\r\n"
    with (
        MisbehavingRelay() as relay,
        sending(by, relay, monkeypatch) as sender,
        pytest.raises(MessageError),
    ):
        sender.send(SENDER, [ADA], content, attempts=1)
    said = log.only
    assert (said["status"], said["at"], said["nrcpt"]) == ("refused", "DATA", "1")
    assert said["message-id"] == "<9@notify.example.org>"
    assert said["reply"].startswith("550 5.6.0 a ")


def test_a_message_that_is_smuggled(log: MailLog) -> None:
    """A dot between mixed line ends is refused at the end of DATA."""
    with MisbehavingRelay() as relay, session(Gate(flows(relay.url)), flow="transactional") as client:
        client.mail(SENDER)
        client.rcpt(ADA)
        client.docmd("DATA")
        client.send(raw(ADA, number=9) + b"text\r\n..\nMAIL FROM:<a@b.example>\r\n\r\n.\r\n")
        assert client.getreply()[0] == 550
    said = log.only
    assert (said["status"], said["at"], said["nrcpt"]) == ("refused", "DATA", "1")
    assert said["message-id"] == "<9@notify.example.org>"


def test_a_dry_run_says_what_would_have_been(log: MailLog) -> None:
    """One line at the end, with the relay's reply and what the gate would have done."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add(ADA)
    with (
        MisbehavingRelay(final_dot=[QUEUED]) as relay,
        GateSMTP(Gate(flows(relay.url), suppressions=suppressions, dry_run=True)) as smtp,
    ):
        smtp.sendmail(SENDER, [ADA], raw(ADA), flow="transactional")
    said = log.only
    assert (said["verdict"], said["would-be"], said["status"]) == ("accept", "reject", "sent")
    assert "suppression list" in said["why"]


def test_a_held_message_is_named(log: MailLog) -> None:
    """The line has the id by which it is released."""
    with (
        MisbehavingRelay() as relay,
        GateSMTP(gate := Gate(flows(relay.url))) as smtp,
        pytest.raises(Refused),
    ):
        smtp.sendmail("eve@elsewhere.example", [ADA], raw(ADA).replace(b"notify.example.org", b"x.example"))
    assert gate.held is not None
    said = log.only
    assert (said["status"], said["held"]) == ("held", next(iter(gate.held.list())).id)


HOSTILE = [
    "a b@x.example> relay=evil queued-as=FAKE",
    '"\\" status=sent',
    "a\u2028b\x1b[2J@x.example",
    "\u202egro.elpmaxe@x",
    "x" * 5000 + "@x.example",
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_no_header_adds_a_field_or_a_line(hostile: str, log: MailLog) -> None:
    """A Message-ID that looks like fields of the log stays one value of one line."""
    content = raw(ADA).replace(b"<0@notify.example.org>", f"<{hostile}>".encode())
    with (
        MisbehavingRelay(final_dot=[QUEUED]) as relay,
        GateSMTP(Gate(flows(relay.url))) as smtp,
        suppress(Refused, MessageError),  # some are stopped for it
    ):
        smtp.sendmail(SENDER, [ADA], content, flow="transactional")
    said = log.only
    assert said["relay"] in {f"{relay.host}:{relay.port}", "-"}
    assert said["queued-as"] in {"4Fxyz91mWk", "-"}
    (line,) = log.lines
    assert line.isprintable()
    assert len(line) < 1500


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_no_reply_adds_a_field_or_a_line(hostile: str, log: MailLog) -> None:
    """What a relay says stays within its quotes, and shows no local part."""
    answer = f'550 5.1.1 <victim@example.org> unknown" status=sent {hostile}'.replace("\n", " ")
    with (
        MisbehavingRelay(rcpt={ADA: answer[:900]}) as relay,
        GateSMTP(Gate(flows(relay.url))) as smtp,
        pytest.raises(smtplib.SMTPRecipientsRefused),
    ):
        smtp.sendmail(SENDER, [ADA], raw(ADA), flow="transactional")
    said = log.only
    assert said["status"] == "refused"
    assert "victim" not in log.lines[0]
    assert log.lines[0].isprintable()


def test_the_result_and_the_event_have_the_queue_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a bounce that names it can be matched with the message."""
    with MisbehavingRelay(final_dot=[QUEUED]) as relay, GateSMTP(gate := Gate(flows(relay.url))) as smtp:
        events: list[Any] = []
        report = gate.report
        monkeypatch.setattr(gate, "report", lambda *args: events.extend(report(*args)))
        delivery = smtp.sendmail(SENDER, [ADA], raw(ADA), flow="transactional")
    assert (delivery.queue_id, delivery.recipients[0].queue_id) == ("4Fxyz91mWk", "4Fxyz91mWk")
    assert (delivery.recipients[0].code, delivery.recipients[0].text) == (250, QUEUED[4:])
    assert [(e.queue_id, e.smtp_code, e.status) for e in events] == [("4Fxyz91mWk", 250, "2.0.0")]


def test_who_reports_with_the_reply_has_the_queue_id(log: MailLog) -> None:
    """An application that sends by itself tells the reply, and gets the same line."""
    gate = Gate(flows("smtp://relay.example"))
    (event,) = gate.report(gate.check(raw(ADA), flow="transactional"), (250, QUEUED[4:]))
    assert event.queue_id == "4Fxyz91mWk"
    assert log.only["queued-as"] == "4Fxyz91mWk"


def test_a_check_alone_leaves_a_line_if_it_stops(log: MailLog) -> None:
    """What may leave is not at its end yet."""
    gate = Gate(flows("smtp://relay.example"))
    gate.check(raw(ADA), flow="transactional")
    assert log.lines == []
    assert not gate.check(raw(ADA).replace(b"notify.example.org", b"x.example"), flow="transactional")
    assert log.only["verdict"] == "hold"


def test_events_that_come_later_leave_none(log: MailLog) -> None:
    """A bounce is no message that came in."""
    gate = Gate(flows("smtp://relay.example"))
    gate.report(None, gate.report(gate.check(raw(ADA), flow="transactional"), (550, "5.1.1 no such user")))
    assert len(log.lines) == 1
