"""From the gate to the relay: nothing lost, nothing twice, and everybody told, whatever the relay does."""

from __future__ import annotations

import email
import json
import logging
import smtplib
from typing import TYPE_CHECKING, Any

import pytest

import shared_cases
from delivery_scenes import ADA, BOB, GONE, INTEGRATIONS, KINDS, Sender, flows, raw, sending
from mailflows import Gate, MessageError
from mailflows.feedback import EventType, SuppressionList, parse_bounce
from mailflows.integrations import RecipientState, delivery_of
from mailflows.integrations.aiosmtpd import GateHandler
from mailflows.integrations.smtplib import AnswerLost, GateSMTP
from mailflows.limits import Limit, Limiter, MemoryStore
from smtp_server import MisbehavingRelay, SmtpServer

if TYPE_CHECKING:
    from collections.abc import Mapping


def send(sender: Sender, *to: str, kind: str = "reset") -> list[str]:
    """Send a message, and return who is left."""
    return sender.send(KINDS[kind][1], list(to), raw(*to, kind=kind))


@pytest.mark.parametrize("by", INTEGRATIONS)
def test_one_of_two_is_unknown(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other gets the message, once, and the sender hears of the one."""
    with MisbehavingRelay(rcpt={GONE: "550 5.1.1 no such user"}) as relay:
        with sending(by, relay, monkeypatch) as sender:
            assert send(sender, BOB, GONE) == []
        assert relay.counts() == {BOB: 1}
    assert (sender.told, sender.codes) == ({GONE}, [550])


@pytest.mark.parametrize("by", INTEGRATIONS)
def test_one_of_two_is_greylisted(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the message at the second attempt, and the other not twice."""
    with MisbehavingRelay(first={GONE: "452 4.2.2 mailbox full"}) as relay:
        with sending(by, relay, monkeypatch) as sender:
            assert send(sender, BOB, GONE) == []
        assert relay.counts() == {BOB: 1, GONE: 1}


@pytest.mark.parametrize("by", INTEGRATIONS)
def test_a_session_that_is_closed(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After two messages the relay says 421: the next ones are sent on a new connection."""
    with MisbehavingRelay(close_after=2) as relay:
        with sending(by, relay, monkeypatch) as sender:
            left = [send(sender, f"reader{n}@a.example.com") for n in range(6)]
        assert left == [[]] * 6
        assert relay.counts() == {f"reader{n}@a.example.com": 1 for n in range(6)}


@pytest.mark.parametrize("by", INTEGRATIONS)
@pytest.mark.parametrize("said", ["421 4.3.0 not now", "451 4.3.0 try later", "drop"])
def test_a_message_that_is_not_taken(by: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second attempt delivers it, once."""
    with MisbehavingRelay(final_dot=[said]) as relay:
        with sending(by, relay, monkeypatch) as sender:
            assert send(sender, ADA) == []
        assert relay.counts() == {ADA: 1}
    assert len(sender.codes) == 1


@pytest.mark.parametrize("by", INTEGRATIONS)
def test_an_answer_that_is_lost(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows whether it was taken: limits count it, the event says unknown, the sender decides."""
    limiter, store = Limiter(Limit("5/day", per="recipient")), MemoryStore()
    with MisbehavingRelay(final_dot=["lost"]) as relay:
        parts: Any = {"limiter": limiter, "suppressions": SuppressionList(store)}
        with sending(by, relay, monkeypatch, **parts) as sender:
            assert sender.send(KINDS["reset"][1], [ADA], raw(ADA), attempts=1) == [ADA]
        assert relay.counts() == {ADA: 1}
    assert limiter.check(to=ADA).remaining == 4
    assert sender.codes == [451]


def test_the_event_of_a_lost_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks and reputation hear that it is unknown, which is neither sent nor deferred."""
    with MisbehavingRelay(final_dot=["lost"]) as relay, GateSMTP(gate := Gate(flows(relay.url))) as smtp:
        events: list[Any] = []
        report = gate.report
        monkeypatch.setattr(gate, "report", lambda *args: events.append(report(*args)))
        with pytest.raises(AnswerLost) as caught:
            smtp.sendmail(KINDS["reset"][1], [ADA, BOB], raw(ADA, BOB), flow="transactional")
    assert [event.type for event in events[0]] == [EventType.UNKNOWN, EventType.UNKNOWN]
    found = delivery_of(caught.value)
    assert found is not None
    assert found.unknown == (ADA, BOB)
    assert {one.state for one in found.recipients} == {RecipientState.UNKNOWN}


@pytest.mark.parametrize("by", ["GateSMTP", "GateHandler", "Django"])
def test_a_connection_that_breaks_in_the_content(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The final dot was not sent, so it is deferred, and limits get back what was taken."""
    limiter = Limiter(Limit("5/day", per="recipient"))
    body = raw(ADA) + b"It was not you? Ignore this message. " * 2 + b"\r\n"
    large = body + b"One more line of this letter.\r\n" * 400_000
    with MisbehavingRelay(content_drop=True) as relay:
        with sending(by, relay, monkeypatch, limiter=limiter) as sender:
            sender.send(KINDS["reset"][1], [ADA], large, attempts=1)
        assert relay.counts() == {}
    assert limiter.check(to=ADA).remaining == 5


def test_a_slow_answer_is_waited_for() -> None:
    """A second is more than the time of the other steps here, and less than that of an answer."""
    with MisbehavingRelay(delay=0.6) as relay:
        with GateSMTP(Gate(flows(relay.url)), timeout=0.3) as smtp:
            assert smtp.sendmail(KINDS["reset"][1], ADA, raw(ADA), flow="transactional") == {}
        assert relay.counts() == {ADA: 1}


@pytest.mark.parametrize("by", INTEGRATIONS)
def test_a_relay_that_is_down(
    by: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Everybody is deferred, nobody refused, and the log says which relay it is."""
    with sending(by, "smtp://127.0.0.9:1", monkeypatch) as sender:
        assert sender.send(KINDS["reset"][1], [ADA], raw(ADA), attempts=1) == [ADA]
    assert sender.codes == [451]
    assert "the relay 127.0.0.9:1 of the transactional flow cannot be reached" in caplog.text


@pytest.mark.parametrize("by", INTEGRATIONS)
def test_the_outage_of_a_relay_is_two_lines(
    by: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """However many messages it touches: one when it begins, and one when the relay answers again."""
    with MisbehavingRelay(is_down=True) as relay, sending(by, relay, monkeypatch) as sender:
        for number in range(5):
            sender.send(KINDS["reset"][1], [ADA], raw(ADA, number=number), attempts=1)
        relay.start()
        for number in range(3):
            sender.send(KINDS["reset"][1], [BOB], raw(BOB, number=number), attempts=1)
    lines = [
        r.getMessage() for r in caplog.records if r.name == "mailflows.gate" and r.levelno >= logging.WARNING
    ]
    name = f"the relay 127.0.0.1:{relay.port} of the transactional flow"
    begin, end = lines
    assert begin.startswith(
        f"{name} cannot be reached, its mail is deferred (logged once, until it works again)"
    )
    assert end == f"{name} works again; failures: 5"


@pytest.mark.parametrize(
    "extra",
    [{"relay": "", "esp": "postmark"}, {"source_ips": "192.0.2.77"}],
    ids=["no relay", "a source address that is not ours"],
)
def test_faults_of_our_own_bounce_no_mail(extra: Mapping[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """What is wrong in the settings is 4xx, and its cause is in the log."""
    with MisbehavingRelay() as relay:
        gate = Gate(flows(relay.url, transactional=extra))
        with caplog.at_level(logging.ERROR, "mailflows"), Sender(gate, "GateHandler") as sender:
            assert sender.send(KINDS["reset"][1], [ADA], raw(ADA), attempts=1) == [ADA]
        assert relay.counts() == {}
    assert sender.codes == [451]
    assert any(record.levelno == logging.ERROR for record in caplog.records)


def test_a_refusal_after_the_message_is_a_notification() -> None:
    """Where the flow is not known at RCPT, the sender gets a report of who was refused (RFC 3464)."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add(GONE)
    with MisbehavingRelay(rcpt={"unknown@*": "550 5.1.1 no such user"}) as relay:
        gate = Gate(flows(relay.url), suppressions=suppressions)
        with Sender(gate, "GateHandler") as sender:
            to = [BOB, GONE, "unknown@b.example.com"]
            assert sender.send("bounce-1@elsewhere.example", to, raw(*to)) == []
        assert sender.told == set()
        counts = relay.counts()
        assert counts == {BOB: 1, "bounce-1@elsewhere.example": 1}
        (report,) = [one for one in relay.deliveries if not one.sender]
    bounces = parse_bounce(report.content)
    assert {(event.recipient, event.status) for event in bounces} == {
        (GONE, "5.7.1"),  # suppressed by hand: nobody has said that the mailbox is dead
        ("unknown@b.example.com", "5.1.1"),
    }
    parsed = email.message_from_bytes(report.content)
    assert parsed.get_content_type() == "multipart/report"
    assert parsed["Auto-Submitted"] == "auto-replied"


def test_no_notification_for_automatic_mail() -> None:
    """What was sent with the null sender is never answered (RFC 5321 section 4.5.5)."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add(GONE)
    with MisbehavingRelay() as relay:
        with Sender(Gate(flows(relay.url), suppressions=suppressions), "GateHandler") as sender:
            assert sender.send("", [BOB, GONE], raw(BOB, GONE)) == []
        assert [(one.sender, one.recipients) for one in relay.deliveries] == [("", (BOB,))]


def test_a_notification_that_cannot_be_sent() -> None:
    """Then nobody is told 250: the message stays with who sent it, and reaches nobody."""
    with MisbehavingRelay(rcpt={GONE: "550 5.1.1 no", "bounce@*": "451 4.3.0 later"}) as relay:
        with Sender(Gate(flows(relay.url)), "GateHandler") as sender:
            left = sender.send("bounce@elsewhere.example", [BOB, GONE], raw(BOB, GONE), attempts=1)
        assert relay.deliveries == []
    assert left == [BOB, GONE]


def test_what_smuggles_is_refused() -> None:
    """A dot between bare line feeds ends the message for some servers only: nothing is sent."""
    smuggled = raw(ADA) + b"one\r\n\n.\nMAIL FROM:<ceo@bank.example>\r\n"
    with MisbehavingRelay() as relay:
        gate = Gate(flows(relay.url))
        with GateSMTP(gate) as smtp, pytest.raises(MessageError, match="smuggling"):
            smtp.sendmail(KINDS["reset"][1], ADA, smuggled, flow="transactional")
        with GateSMTP(gate) as smtp, pytest.raises(MessageError, match="998"):
            smtp.sendmail(KINDS["reset"][1], ADA, raw(ADA) + b"x" * 999, flow="transactional")
        assert relay.deliveries == []


def test_a_fault_says_no_python(caplog: pytest.LogCaptureFixture) -> None:
    """A function for the flow that names none is our fault: 4xx, in plain words."""
    handler = GateHandler(Gate(flows("smtp://127.0.0.9:1")), flow=lambda _: "marketting")
    with (
        SmtpServer(handler=handler) as server,
        smtplib.SMTP(server.host, server.port, timeout=10) as smtp,
        pytest.raises(smtplib.SMTPSenderRefused) as caught,
    ):
        smtp.sendmail("no-reply@notify.example.org", [ADA], raw(ADA))
    assert (caught.value.smtp_code, caught.value.smtp_error) == (
        451,
        b"4.3.5 This relay is misconfigured",
    )
    assert "marketting" in caplog.text


def test_the_flow_of_a_handler() -> None:
    """All that comes in is of it, whatever MAIL FROM says."""
    with MisbehavingRelay(rcpt={GONE: "550 5.1.1 no such user"}) as relay:
        handler = GateHandler(Gate(flows(relay.url)), flow="transactional")
        with SmtpServer(handler=handler) as server, smtplib.SMTP(server.host, server.port) as smtp:
            refused = smtp.sendmail("bounce-1@elsewhere.example", [BOB, GONE], raw(BOB, GONE))
        assert set(refused) == {GONE}
        assert relay.counts() == {BOB: 1}


def test_smtputf8_is_told() -> None:
    """A relay that cannot carry an address refuses it for good, in words; the login is not to blame."""
    with MisbehavingRelay() as relay, GateSMTP(Gate(flows(relay.url))) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="SMTPUTF8") as caught:
            smtp.sendmail(KINDS["reset"][1], "zoë@a.example.com", raw(ADA), flow="transactional")
        found = delivery_of(caught.value)
        assert found is not None
        assert [(one.state, one.code) for one in found.recipients] == [(RecipientState.REFUSED, 553)]
        assert relay.deliveries == []


def scene_of(row: Mapping[str, Any]) -> MisbehavingRelay:
    """Return the relay of an outside case."""
    said = row["relay"]
    found = {name: said[name] for name in ("close_after", "reply", "rcpt") if name in said}
    if "from_second_attempt" in said:
        found = {"first": said["rcpt"]}
    if "rcpt_first_attempt" in said:
        found["first"] = said["rcpt_first_attempt"]
    dots = [dot for dot in said.get("final_dot", ()) if not dot.startswith("250")]
    found["final_dot"] = ["lost" if dot.startswith("(") else dot for dot in dots]
    return MisbehavingRelay(delay=0.3 if "final_dot_after_seconds" in said else 0.0, **found)


def test_outside_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scene of each integration delivers as often as it must, and tells whom it must."""
    rows = [json.loads(line) for line in shared_cases.cases("flows-2/delivery.jsonl").splitlines()]
    wrong = []
    for row in rows:
        must = row["must"]
        if (
            {"limits", "flows", "dry_run"} & row.keys()
            or row["message"] not in KINDS
            or "down" in row["relay"]
        ):
            continue  # those have tests of their own
        for by in row["by"]:
            parts: dict[str, Any] = {}
            if "suppressed" in row:
                parts["suppressions"] = SuppressionList(MemoryStore())
                for address in row["suppressed"]:
                    parts["suppressions"].add(address)
            with scene_of(row) as relay:
                with sending(by, relay, monkeypatch, **parts) as sender:
                    for number in range(row.get("messages", 1)):
                        to = row.get("recipients", [f"reader{number}@a.example.com"])
                        send(sender, *to)
                counts = relay.counts()
            each = set(counts.values())
            fits = all(counts[a] == n for a, n in must.get("delivered", {}).items())
            fits &= set(must.get("told", ())) <= sender.told
            fits &= "delivered_each" not in must or each == {must["delivered_each"]}
            fits &= not each or max(each) <= must.get("delivered_at_most", 1)
            if not fits:
                wrong.append((row["id"], by, counts, sender.told))
    assert wrong == []
