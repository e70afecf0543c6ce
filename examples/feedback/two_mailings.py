"""Send a mailing to a server that refuses 8 % of it, and a second one that skips exactly the dead addresses.

Usage: python examples/feedback/two_mailings.py

The server is a scripted one on this machine (aiosmtpd, in the extra ``dev``); nothing leaves it.
"""

from __future__ import annotations

import smtplib
import socket
import sys
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import TYPE_CHECKING

from aiosmtpd.controller import Controller

from mailflows import Flow
from mailflows.feedback import SuppressionList, from_smtp_exception
from mailflows.limits import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiosmtpd.smtp import SMTP, Envelope, Session

BASE = [f"customer{number}@shop.example" for number in range(200)]
DEAD = frozenset(BASE[::25])  # 4 % of the mailboxes are gone …
FULL = frozenset(BASE[1::50])  # … 2 % are full …
BLOCKED = frozenset(BASE[2::50])  # … and for 2 % the server finds fault with the sender.

REPLIES = (
    (DEAD, "550 5.1.1 User unknown"),
    (FULL, "552 5.2.2 Mailbox full"),
    (BLOCKED, "550 5.7.1 Message rejected: sending IP is on a block list"),
)


class ScriptedServer:
    """Refuses some recipients, and counts what it accepts."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    async def handle_RCPT(  # noqa: N802 -- the name and the arguments are aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Answer RCPT TO as the script says."""
        for addresses, reply in REPLIES:
            if address in addresses:
                return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Accept the message."""
        self.taken += envelope.rcpt_tos
        return "250 2.0.0 taken"


@dataclass
class Mailing:
    """The outcome of a mailing."""

    skipped: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def send(smtp: smtplib.SMTP, base: Iterable[str], suppressions: SuppressionList) -> Mailing:
    """Send to everybody who is not suppressed, and learn from the server's replies."""
    mailing = Mailing()
    for address in base:
        if suppressions.is_suppressed(address, flow=Flow.MARKETING):
            mailing.skipped.append(address)
            continue
        try:
            smtp.send_message(message_to(address))
        except smtplib.SMTPException as problem:
            mailing.refused.append(address)
            for event in from_smtp_exception(problem, recipients=[address], flow=Flow.MARKETING):
                suppressions.apply(event)
    return mailing


def message_to(address: str) -> EmailMessage:
    """Return the message for one recipient."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "news@sender.example", address, "Spring"
    message.set_content("New things in spring.")
    return message


def run() -> tuple[Mailing, Mailing]:
    """Run both mailings against a server on a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(ScriptedServer(), hostname="127.0.0.1", port=port)
    controller.start()
    suppressions = SuppressionList(MemoryStore())
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
            return send(smtp, BASE, suppressions), send(smtp, BASE, suppressions)
    finally:
        controller.stop()


if __name__ == "__main__":
    first, second = run()
    sys.stdout.write(
        f"first mailing: {len(BASE)} recipients, {len(first.refused)} refused\n"
        f"second mailing: {len(second.skipped)} skipped, {len(second.refused)} refused\n"
    )
