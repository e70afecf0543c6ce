"""Outside messages in odd forms: what a relay gets is what was judged, by every way that leads to one."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import smtplib
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import Gate, MailflowsError
from mailflows.feedback import SuppressionList
from mailflows.flows import FlowRoute, FlowSet
from mailflows.integrations import aiosmtplib
from mailflows.integrations.aiosmtpd import GateHandler
from mailflows.integrations.smtplib import GateSMTP
from mailflows.limits import MemoryStore
from mailflows.message import Message
from shared_cases import cases
from smtp_server import SmtpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SENDER, ADA = "no-reply@notify.example.org", "ada@example.net"
RESET = (
    b"From: no-reply@notify.example.org\nTo: ada@example.net\nSubject: Reset your password\n"
    b"Date: Sat, 28 Nov 2026 20:00:00 +0000\nMessage-ID: <1@notify.example.org>\n\n"
    b"Hello, use this code to reset your password: 406117. It expires in 10 minutes.\n"
)


@pytest.fixture
def relay() -> Iterator[SmtpServer]:
    """Take what is sent."""
    with SmtpServer() as server:
        yield server


def gate(relay: SmtpServer, **parts: Any) -> Gate:
    """Return a gate with the flows of the outside cases."""
    return Gate(
        FlowSet(
            FlowRoute("professional", domains="example.org", relay=relay.url),
            FlowRoute("marketing", domains="news.example.org", relay=relay.url),
            FlowRoute("transactional", domains="notify.example.org", relay=relay.url),
        ),
        **parts,
    )


def by_smtplib(gate: Gate, raw: bytes, to: list[str]) -> None:
    """Send with GateSMTP."""
    with GateSMTP(gate) as smtp:
        smtp.sendmail(SENDER, to, raw, flow="transactional")


def by_aiosmtplib(gate: Gate, raw: bytes, to: list[str]) -> None:
    """Send with aiosmtplib."""
    asyncio.run(aiosmtplib.send(gate, raw, sender=SENDER, recipients=to, flow="transactional"))


def by_handler(gate: Gate, raw: bytes, to: list[str]) -> None:
    """Send through an SMTP server of ours; the client only cares for line ends and dots, as any does."""
    with (
        SmtpServer(handler=GateHandler(gate, flow="transactional")) as server,
        smtplib.SMTP(server.host, server.port) as smtp,
    ):
        smtp.sendmail(SENDER, to, raw)


WAYS = [by_smtplib, by_aiosmtplib, by_handler]


@pytest.mark.parametrize("send", WAYS)
def test_outside_forms_arrive_as_they_were_read(
    relay: SmtpServer, send: Callable[[Gate, bytes, list[str]], None]
) -> None:
    """From, To, Subject and words are those of `Message.read`, and Bcc is nowhere; or it is refused."""
    asked = gate(relay)
    for row in map(json.loads, cases("message-2/forms.jsonl").splitlines()):
        raw = row["message"].encode("latin-1")
        relay.deliveries.clear()
        try:
            send(asked, raw, [ADA])
        except (MailflowsError, smtplib.SMTPException):
            assert not row.get("must_go"), row["id"]
            continue
        (delivery,) = relay.deliveries
        assert b"secret.example" not in delivery.content, row["id"]
        # smtplib mends line ends before our server sees them, so that only what it was given can be compared.
        seen = Message.read(raw if send is not by_handler else delivery.content)
        for policy in (email.policy.compat32, email.policy.SMTP):
            read = email.message_from_bytes(delivery.content, policy=policy)
            for name in ("from", "to", "subject"):
                assert str(read[name] or "").split() == seen.get(name).split(), (row["id"], name)
            texts = [part.get_payload(decode=True) for part in read.walk() if not part.is_multipart()]
            shown = b"".join(text for text in texts if isinstance(text, bytes)).decode("latin-1")
            assert shown.split() == (seen.text + seen.html).split(), row["id"]


@pytest.mark.parametrize("send", WAYS[:2])
def test_outside_spellings_of_who_complained(
    relay: SmtpServer, send: Callable[[Gate, bytes, list[str]], None]
) -> None:
    """Who complained is not mailed, however spelled, and the person beside them is."""
    for row in map(json.loads, cases("message-2/suppressed.jsonl").splitlines()):
        if row["kind"] == "envelope":
            suppressions = SuppressionList(MemoryStore())
            suppressions.add(row["suppressed"])
            relay.deliveries.clear()
            send(gate(relay, suppressions=suppressions), RESET, [row["recipient"], ADA])
            assert [one.recipients for one in relay.deliveries] == [(ADA,)], row["id"]


@pytest.mark.parametrize("as_bytes", [False, True])
def test_outside_messages_that_were_resent(relay: SmtpServer, *, as_bytes: bool) -> None:
    """They reach whom smtplib reaches, also where only their bytes are known."""
    asked = gate(relay)
    for row in map(json.loads, cases("message-2/resent.jsonl").splitlines()):
        mail = EmailMessage()
        for name, value in row["headers"]:
            mail[name] = value
        mail.set_content("use this code to reset your password: 406117.")
        given: Any = mail.as_bytes() if as_bytes else mail
        relay.deliveries.clear()
        with GateSMTP(asked) as smtp:
            smtp.send_message(given, flow="transactional")
        asyncio.run(aiosmtplib.send(asked, given, flow="transactional"))
        assert [sorted(one.recipients) for one in relay.deliveries] == [sorted(row["reached"])] * 2, row["id"]
