"""Asking a scripted mail server on loopback about mailboxes."""

from __future__ import annotations

import asyncio
import socketserver
import threading
from typing import TYPE_CHECKING

import pytest

from dns_server import closed_port
from mailflows.recipients import ProbeVerdict, SmtpProbe, smtplib_connector

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD = {"ada": "250 2.1.5 ok"}


class ScriptedServer(socketserver.ThreadingTCPServer):
    """Speaks SMTP as its script says; a reply of «drop» closes the connection."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: dict[str, str] = {}
        self.heard: list[str] = []


class _Handler(socketserver.StreamRequestHandler):
    server: ScriptedServer

    def handle(self) -> None:
        if not self._say("greeting", "220 mx ESMTP"):
            return
        for raw in self.rfile:
            line = raw.decode("ascii").rstrip("\r\n")
            self.server.heard.append(line)
            verb = line.split(":")[0].split(" ")[0].upper()
            local = line.partition("<")[2].partition("@")[0]
            if verb == "RCPT":
                fallback = self.server.script.get("RCPT", "550 5.1.1 no such user")
                if not self._say(f"RCPT {local}", fallback):
                    return
            elif not self._say(verb, "221 bye" if verb == "QUIT" else "250 ok") or verb == "QUIT":
                return

    def _say(self, key: str, usual: str) -> bool:
        reply = self.server.script.get(key, usual)
        if reply == "drop":
            return False
        self.wfile.write(f"{reply}\r\n".encode())
        return True


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Run a server for one test."""
    with ScriptedServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def probe(server: ScriptedServer) -> SmtpProbe:
    """Return a probe that connects to the server whatever the host."""
    connect = smtplib_connector(port=server.server_address[1], timeout=2)
    return SmtpProbe(lambda _: connect("127.0.0.1"), helo="mail.example.org")


BEHAVIOURS = {
    "the mailbox exists": ({"RCPT ada": "250 2.1.5 ok"}, ProbeVerdict.ACCEPTED),
    "there is no such mailbox": (
        {"RCPT ada": "550 5.1.1 <ada@example.net>: user unknown"},
        ProbeVerdict.NO_MAILBOX,
    ),
    "no such mailbox, in words only": ({"RCPT ada": "550 No such user here"}, ProbeVerdict.NO_MAILBOX),
    "the account is disabled": ({"RCPT ada": "550 5.2.1 The account is disabled"}, ProbeVerdict.NO_MAILBOX),
    "it takes any address": ({"RCPT": "250 ok"}, ProbeVerdict.CATCH_ALL),
    "greylisting": ({"RCPT ada": "450 4.2.0 Greylisted, try later"}, ProbeVerdict.UNKNOWN),
    "too busy": ({"RCPT ada": "421 4.7.0 too many connections"}, ProbeVerdict.UNKNOWN),
    "the mailbox is full": ({"RCPT ada": "552 5.2.2 mailbox full"}, ProbeVerdict.UNKNOWN),
    "a block list at RCPT": (
        {"RCPT ada": "550 5.7.1 blocked using zen.spamhaus.org"},
        ProbeVerdict.BLOCKED_US,
    ),
    "a block list in words": ({"RCPT ada": "554 Your IP is listed at barracuda"}, ProbeVerdict.BLOCKED_US),
    "policy at MAIL": ({"MAIL": "550 5.7.1 sender rejected"}, ProbeVerdict.BLOCKED_US),
    "refused at the greeting": ({"greeting": "554 no service for you"}, ProbeVerdict.BLOCKED_US),
    "busy at the greeting": ({"greeting": "421 try later"}, ProbeVerdict.UNKNOWN),
    "TLS is wanted and not offered": (
        {"MAIL": "530 5.7.0 Must issue a STARTTLS command first"},
        ProbeVerdict.UNKNOWN,
    ),
    "dropped at RCPT": ({"RCPT ada": "drop"}, ProbeVerdict.UNKNOWN),
    "dropped at the greeting": ({"greeting": "drop"}, ProbeVerdict.UNKNOWN),
    "an unclear refusal": ({"RCPT ada": "550 requested action not taken"}, ProbeVerdict.UNKNOWN),
    "too many recipients": ({"RCPT ada": "452 4.5.3 too many recipients"}, ProbeVerdict.UNKNOWN),
}


@pytest.mark.parametrize(("script", "verdict"), BEHAVIOURS.values(), ids=BEHAVIOURS)
def test_what_a_server_lets_on(server: ScriptedServer, script: dict[str, str], verdict: ProbeVerdict) -> None:
    """Only clear words about the mailbox count; words about us are said to be about us."""
    server.script = script
    assert probe(server).check("ada@example.net", "mx").verdict is verdict


def test_greylisting_says_when_to_come_back(server: ScriptedServer) -> None:
    """Most greylists let the second attempt pass after a quarter of an hour."""
    server.script = {"RCPT ada": "451 4.7.1 Greylisted"}
    result = probe(server).check("ada@example.net", "mx")
    assert result.verdict is ProbeVerdict.UNKNOWN
    assert result.retry_after == 900


def test_no_message_is_ever_sent(server: ScriptedServer) -> None:
    """The probe hangs up before DATA, and asks for a mailbox that cannot exist first."""
    server.script = {"RCPT ada": "250 ok"}
    probe(server).check("ada@example.net", "mx")
    recipients = [line for line in server.heard if line.startswith("RCPT")]
    assert len(recipients) == 2
    assert recipients[1] == "RCPT TO:<ada@example.net>"
    assert not any(line.startswith("DATA") for line in server.heard)


@pytest.mark.parametrize("address", ["ada@example.net>\r\nDATA", "a\x00b@example.net", "<ada@example.net"])
def test_an_address_cannot_carry_commands(server: ScriptedServer, address: str) -> None:
    """What would break out of the command is not sent."""
    assert probe(server).check(address, "mx").verdict is ProbeVerdict.UNKNOWN
    assert not any(line.startswith(("RCPT", "DATA")) for line in server.heard)


def test_no_connection_is_unknown() -> None:
    """Port 25 is closed in most clouds: that says nothing about the mailbox."""
    connect = smtplib_connector(port=closed_port(), timeout=1)
    result = SmtpProbe(lambda _: connect("127.0.0.1"), helo="x.example").check("ada@example.net", "mx")
    assert result.verdict is ProbeVerdict.UNKNOWN
    assert result.retry_after is not None


def test_the_async_twin(server: ScriptedServer) -> None:
    """It says the same without blocking the event loop."""
    server.script = {"RCPT ada": "250 ok"}
    assert asyncio.run(probe(server).acheck("ada@example.net", "mx")).verdict is ProbeVerdict.ACCEPTED
