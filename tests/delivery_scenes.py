"""Scenes between an application and a misbehaving relay, by each integration, counted by the relay."""

from __future__ import annotations

import asyncio
import smtplib
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import aiosmtplib

from mailflows import Gate, Refused
from mailflows.flows import FlowRoute, FlowSet
from mailflows.integrations import delivery_of
from mailflows.integrations.aiosmtpd import GateHandler
from mailflows.integrations.aiosmtplib import send
from mailflows.integrations.smtplib import GateSMTP
from smtp_server import SmtpServer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from smtp_server import MisbehavingRelay

INTEGRATIONS = ("GateSMTP", "aiosmtplib", "GateHandler", "Django")

DOMAINS = {
    "professional": "example.org",
    "marketing": "news.example.org",
    "transactional": "notify.example.org",
}

RESET = (
    "From: Cedar <no-reply@notify.example.org>\r\nTo: {to}\r\nSubject: Reset your password\r\n"
    "Message-ID: <{number}@notify.example.org>\r\nDate: Tue, 12 May 2026 09:12:00 +0000\r\n\r\n"
    "Hello Ada,\r\n\r\nsomebody asked to reset the password of your account. Use this code: 406117.\r\n"
    "It expires in ten minutes. If it was not you, ignore this message.\r\n"
)
PERSON = (
    "From: Helen <helen@example.org>\r\nTo: {to}\r\nSubject: Re: shelving\r\n"
    "Message-ID: <{number}@example.org>\r\nDate: Tue, 12 May 2026 09:12:00 +0000\r\n"
    "In-Reply-To: <a1@a.example.com>\r\n\r\n"
    "Dear Marcus,\r\n\r\nthanks for the drawings. Thursday works for me, shall we say ten?\r\n\r\n"
    "Best,\r\nHelen\r\n"
)
KINDS = {
    "reset": (RESET, "no-reply@notify.example.org", "transactional"),
    "person": (PERSON, "helen@example.org", "professional"),
}


ADA, BOB, GONE = "ada@a.example.com", "bob@b.example.com", "gone@b.example.com"


def flows(url: str, **extra: Mapping[str, Any]) -> FlowSet:
    """Return three flows that leave by one relay; *extra* changes some of them."""
    return FlowSet(
        *(
            FlowRoute(flow, **({"domains": domain, "relay": url} | dict(extra.get(flow, {}))))
            for flow, domain in DOMAINS.items()
        )
    )


def raw(*to: str, kind: str = "reset", number: int = 0) -> bytes:
    """Return a message."""
    return KINDS[kind][0].format(to=", ".join(to), number=number).encode()


def sending(
    by: str,
    relay: MisbehavingRelay | str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    kind: str = "reset",
    **parts: Any,
) -> Sender:
    """Return an application that sends by an integration to a relay, or its address."""
    import django
    from django.conf import settings

    from django_mailers import mail_settings

    if not settings.configured:
        settings.configure(USE_TZ=True, SECRET_KEY="tests")  # noqa: S106 -- of no site
        django.setup()
    gate = Gate(flows(relay if isinstance(relay, str) else relay.url), **parts)
    monkeypatch.setattr(settings, "MAILFLOWS", {"GATE": gate}, raising=False)
    for name, value in mail_settings().items():
        monkeypatch.setattr(settings, name, value, raising=False)
    return Sender(gate, by, {"flow": KINDS[kind][2]})


@dataclass
class Sender:
    """An application that tries again what was answered 4xx or raised, and notes what it has heard.

    Args:
        gate: The gate.
        by: The integration.
        known: What is said to the gate, such as ``flow``.
        told: Recipients of whom something was said.
        codes: What was said, in order.
    """

    gate: Gate
    by: str
    known: dict[str, Any] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    codes: list[int] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        if self.by == "GateHandler":
            self.server = self._stack.enter_context(SmtpServer(handler=GateHandler(self.gate)))
        if self.by == "GateSMTP":
            self._smtp = self._stack.enter_context(GateSMTP(self.gate))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def send(self, sender: str, to: list[str], raw: bytes, *, attempts: int = 3) -> list[str]:
        """Send, and return who is left after some attempts."""
        for _ in range(attempts):
            refused = self._once(sender, to, raw)
            self.told |= refused.keys()
            self.codes += refused.values()
            to = [address for address, code in refused.items() if code < 500]
            if not to:
                break
        return to

    def _once(self, sender: str, to: list[str], raw: bytes) -> dict[str, int]:
        """Return the recipients that did not get it, each with a code."""
        try:
            found = getattr(self, f"_by_{self.by.lower()}")(sender, to, raw)
        except smtplib.SMTPRecipientsRefused as problem:
            found = problem.recipients
        except (smtplib.SMTPException, aiosmtplib.SMTPException, OSError) as problem:
            delivery = delivery_of(problem)
            code = getattr(problem, "smtp_code", 451)
            found = delivery if delivery is not None else dict.fromkeys(to, (code, b""))
        except Refused as problem:
            code = 451 if problem.verdict.retry_after is not None else 550
            found = dict.fromkeys(to, (code, b""))
        return {address: reply[0] for address, reply in found.items()}

    def _by_gatesmtp(self, sender: str, to: list[str], raw: bytes) -> Mapping[str, Any]:
        return self._smtp.sendmail(sender, to, raw, **self.known)

    def _by_aiosmtplib(self, sender: str, to: list[str], raw: bytes) -> Mapping[str, Any]:
        return asyncio.run(send(self.gate, raw, sender=sender, recipients=to, **self.known))

    def _by_gatehandler(self, sender: str, to: list[str], raw: bytes) -> Mapping[str, Any]:
        with smtplib.SMTP(self.server.host, self.server.port, timeout=90) as smtp:
            return smtp.sendmail(sender, to, raw)

    def _by_django(self, sender: str, to: list[str], raw: bytes) -> Mapping[str, Any]:
        from django.core.mail import EmailMessage

        head, _, body = raw.decode().partition("\r\n\r\n")
        subject = next(line[9:] for line in head.split("\r\n") if line.startswith("Subject: "))
        name = next(line[6:] for line in head.split("\r\n") if line.startswith("From: "))
        message = EmailMessage(subject, body, name or sender, to)
        message.mailflows = self.known
        message.send()
        found: Mapping[str, Any] = message.mailflows_delivery
        return found
