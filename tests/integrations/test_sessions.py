"""A relay that refuses us, and not the message: its mail waits until that is fixed, and nobody is bounced."""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from delivery_scenes import ADA, BOB, INTEGRATIONS, KINDS, raw, sending

if TYPE_CHECKING:
    from collections.abc import Iterator

OK = "250 ok"


@contextmanager
def refusing(**replies: str) -> Iterator[str]:
    """Start a relay that answers commands with what is given, and with 250 otherwise; yield its address."""
    said = {name.upper().encode(): reply for name, reply in replies.items()}

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say(replies.get("greeting", "220 hi"))
            for line in self.rfile:
                word = line[:4].strip().upper()
                self._say("221 bye" if word == b"QUIT" else said.get(word, OK))
                if word == b"QUIT":
                    return

        def _say(self, reply: str) -> None:
            self.wfile.write(f"{reply}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"smtp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("by", INTEGRATIONS)
@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ({"greeting": "554 5.7.1 not you"}, "it refuses the session (554 5.7.1 not you)"),
        ({"ehlo": "554 no", "helo": "554 no"}, "it refuses the session (554 no)"),
        (
            {"mail": "530 5.7.0 Must issue AUTH first"},
            "it requires a login (530 5.7.0 Must issue AUTH first)",
        ),
        (
            {"rcpt": "530 5.7.0 Authentication required"},
            "it requires a login (530 5.7.0 Authentication required)",
        ),
    ],
    ids=["greeting", "ehlo", "mail", "rcpt"],
)
def test_nobody_is_bounced_for_our_settings(
    by: str,
    replies: dict[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client keeps the mail (451), and one line in the log says what the relay wants."""
    with refusing(**replies) as url, sending(by, url, monkeypatch) as sender:
        sender.send(KINDS["reset"][1], [ADA, BOB], raw(ADA, BOB), attempts=2)
    assert set(sender.codes) == {451}
    lines = [one.getMessage() for one in caplog.records if one.name == "mailflows.gate"]
    assert [said in line for line in lines] == [True]
