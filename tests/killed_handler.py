"""A `GateHandler` that is killed at random moments, and a client that tries again what was not taken."""

from __future__ import annotations

import random
import smtplib
import socket
import subprocess
import sys
import threading
import time
from typing import Any

from delivery_scenes import KINDS
from smtp_server import MisbehavingRelay

SERVER = """
import sys, threading
from aiosmtpd.controller import Controller
from mailflows import Gate
from mailflows.flows import FlowRoute, FlowSet
from mailflows.integrations.aiosmtpd import GateHandler

flows = FlowSet(FlowRoute("transactional", domains="notify.example.org", relay=sys.argv[2]))
handler = GateHandler(Gate(flows))
controller = Controller(handler, hostname="127.0.0.1", port=int(sys.argv[1]), ready_timeout=30)
controller.start()
threading.Event().wait()
"""


class Server:
    """The handler in a process of its own, started again after each kill."""

    def __init__(self, relay: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._command = [sys.executable, "-c", SERVER, str(self.port), relay]
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(self._command)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """Kill it, in the middle of whatever it does."""
        self._process.kill()
        self._process.wait()


def attempt(port: int, sender: str, to: str, raw: bytes) -> str:
    """Send once, and say what the client knows: ``taken``, ``unknown`` or ``not taken``."""
    is_sent = False
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as smtp:
            smtp.ehlo()
            replies = (smtp.mail(sender), smtp.rcpt(to), smtp.docmd("DATA"))
            if [code for code, _ in replies] != [250, 250, 354]:
                return "not taken"
            smtp.send(raw + b".\r\n")
            is_sent = True
            return "taken" if smtp.getreply()[0] == 250 else "not taken"
    except (smtplib.SMTPException, OSError):
        return "unknown" if is_sent else "not taken"


def run(*, messages: int, kills: int, seed: int = 1) -> dict[str, Any]:
    """Send messages while the handler is killed, and count at the relay.

    Args:
        messages: How many, each to a recipient of its own.
        kills: How often the process is killed.
        seed: For the moments.
    """
    rng = random.Random(seed)
    text, sender, _ = KINDS["reset"]
    unknown = 0
    is_over = threading.Event()
    with MisbehavingRelay() as relay:
        server = Server(relay.url)
        done = 0

        def killer() -> None:
            for number in range(kills):
                # Spread over the run: after a share of the messages, and a moment of the next ones.
                while done < messages * number // kills and not is_over.wait(0.001):
                    pass
                time.sleep(rng.uniform(0.0, 0.03))
                server.kill()
                server.start()

        thread = threading.Thread(target=killer)
        thread.start()
        for number in range(messages):
            to = f"reader{number}@a.example.com"
            raw = text.format(to=to, number=number).encode()
            while (said := attempt(server.port, sender, to, raw)) != "taken":
                unknown += said == "unknown"
                time.sleep(0.01)
            done = number + 1
        is_over.set()
        thread.join()
        server.kill()
        counts = relay.counts()
    return {
        "messages": messages,
        "kills": kills,
        "lost": messages - len(counts),
        "duplicates": sum(counts.values()) - len(counts),
        "unknown": unknown,
    }
