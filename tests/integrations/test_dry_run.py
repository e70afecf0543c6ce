"""A dry run changes nothing: relays get the bytes and the recipients that they would get without a gate."""

from __future__ import annotations

import asyncio
import random
import smtplib
from typing import TYPE_CHECKING

import aiosmtplib
import pytest

from delivery_scenes import KINDS, flows
from mailflows import Gate
from mailflows.feedback import SuppressionList
from mailflows.integrations.aiosmtpd import GateHandler
from mailflows.integrations.aiosmtplib import send
from mailflows.integrations.smtplib import GateSMTP
from mailflows.limits import Limit, Limiter, MemoryStore
from smtp_server import MisbehavingRelay, SmtpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BODIES = (
    b"Hello Ada,\r\n\r\nuse this code: 406117.\r\n",
    b".\r\n..two dots\r\n.\r\nand more\r\n",
    b"Huge spring sale! 50% off everything, only until Sunday. Buy now!\r\n",
    "Grüße aus München, Zoë\r\n".encode(),
    b"no line end at the end",
    b"\r\n\r\nblank lines first\r\n" * 30,
)
HEADS = (
    b"From: Cedar <no-reply@notify.example.org>\r\nTo: ada@a.example.com\r\nSubject: Reset your password\r\n",
    b"From: x@old.example.org\r\nTo: ada@a.example.com\r\nBcc: boss@a.example.com\r\nSubject: Greetings\r\n",
    b"Subject: note\r\n",
    b"From: a@example.org\r\nFrom: b@news.example.org\r\nSubject: =?utf-8?q?two?=\r\nSubject: again\r\n",
    b"From: Helen <helen@example.org>\r\nX-Mailflows-Flow: marketing\r\nSubject: Re: \r\n folded\r\n",
    b"From: News <hi@news.example.org>\r\nTo: ada@a.example.com\r\nSubject: Sale\r\nDKIM-Signature: v=1\r\n",
)
RECIPIENTS = ("ada@a.example.com", "gone@b.example.com", "Bob <bob@a.example.com>", "<eve@a.example.com>")


def mailings(number: int) -> Iterator[tuple[str, list[str], bytes]]:
    """Give envelopes and messages of many kinds, the same each time."""
    rng = random.Random(7)
    for _ in range(number):
        head, body = rng.choice(HEADS), rng.choice(BODIES)
        to = rng.sample(RECIPIENTS, rng.randint(1, 3))
        senders = [kind[1] for kind in KINDS.values()]
        sender = rng.choice([*senders, "", "bounce@elsewhere.example"])
        yield sender, to, head + b"\r\n" + body


def plain(relay: MisbehavingRelay, number: int) -> None:
    """Send without a gate."""
    with smtplib.SMTP(relay.host, relay.port, timeout=10) as smtp:
        for sender, to, raw in mailings(number):
            smtp.sendmail(sender, to, raw)


def plain_async(relay: MisbehavingRelay, number: int) -> None:
    """Send without a gate, by aiosmtplib."""

    async def run() -> None:
        async with aiosmtplib.SMTP(hostname=relay.host, port=relay.port, start_tls=False) as smtp:
            for sender, to, raw in mailings(number):
                await smtp.sendmail(sender, to, raw)

    asyncio.run(run())


def gated(relay: MisbehavingRelay, number: int) -> None:
    """Send by `GateSMTP`."""
    with GateSMTP(strict(relay)) as smtp:
        for sender, to, raw in mailings(number):
            assert smtp.sendmail(sender, to, raw) == {}


def gated_async(relay: MisbehavingRelay, number: int) -> None:
    """Send by `send`."""
    gate = strict(relay)

    async def run() -> None:
        for sender, to, raw in mailings(number):
            assert await send(gate, raw, sender=sender, recipients=to) == {}

    asyncio.run(run())


def handled(relay: MisbehavingRelay, number: int) -> None:
    """Send to a `GateHandler`."""
    with (
        SmtpServer(handler=GateHandler(strict(relay)), enable_SMTPUTF8=True) as server,
        smtplib.SMTP(server.host, server.port, timeout=10) as smtp,
    ):
        for sender, to, raw in mailings(number):
            assert smtp.sendmail(sender, to, raw) == {}


def strict(relay: MisbehavingRelay) -> Gate:
    """Return a gate that would stop much of it, and only tries."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add("gone@b.example.com")
    limiter = Limiter(Limit("3/day", per="recipient"))
    routes = {"return_path": "bounces.notify.example.org", "esp": "postmark", "stream": "outbound"}
    return Gate(
        flows(relay.url, transactional=routes), suppressions=suppressions, limiter=limiter, dry_run=True
    )


Run = "Callable[[MisbehavingRelay, int], None]"


@pytest.mark.parametrize(
    ("without", "with_gate"),
    [(plain, gated), (plain_async, gated_async), (plain, handled)],
    ids=["GateSMTP", "aiosmtplib", "GateHandler"],
)
def test_nothing_changes(without: Callable[..., None], with_gate: Callable[..., None]) -> None:
    """A hundred messages of all kinds arrive as they do without a gate, but for what is said to the gate."""
    with MisbehavingRelay() as bare, MisbehavingRelay() as relay:
        without(bare, 100)
        with_gate(relay, 100)
    said = b"X-Mailflows-Flow: marketing\r\n"
    expected = [(one.sender, one.recipients, one.content.replace(said, b"")) for one in bare.deliveries]
    assert len(expected) == 100
    assert [(one.sender, one.recipients, one.content) for one in relay.deliveries] == expected
