"""A relay on loopback that accepts mail and counts it, made of plain sockets, independent of mailflows."""

from __future__ import annotations

import socketserver
import threading
from collections import Counter
from fnmatch import fnmatch
from typing import Self


class Sink:
    """A relay for one flow.

    Attributes:
        rcpt: Answers to recipients, by pattern; 250 to all others.
        mail: The reply to MAIL FROM: 250, or that of a relay that is out of order.
    """

    def __init__(self) -> None:
        self.rcpt: dict[str, str] = {}
        self.mail = "250 ok"
        self.taken: list[tuple[str, bytes]] = []
        sink = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                sink.talk(self)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Session)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The relay, as flows.toml names it."""
        return f"smtp://127.0.0.1:{self._server.server_address[1]}"

    def counts(self) -> Counter[str]:
        """Return how many messages each recipient got."""
        return Counter(address for address, _ in self.taken)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def talk(self, session: socketserver.StreamRequestHandler) -> None:
        """Hold one SMTP session (RFC 5321), no more of it than is needed."""
        to: list[str] = []

        def say(text: str) -> None:
            session.wfile.write(f"{text}\r\n".encode())

        say("220 sink.example")
        while line := session.rfile.readline():
            verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            match verb.upper():
                case "MAIL":
                    to.clear()
                    say(self.mail)
                case "RCPT":
                    address = rest.partition("<")[2].rpartition(">")[0]
                    said = next((s for p, s in self.rcpt.items() if fnmatch(address, p)), "250 ok")
                    if said.startswith("2"):
                        to.append(address)
                    say(said)
                case "DATA" if to:
                    say("354 go ahead")
                    content = b"".join(iter(session.rfile.readline, b".\r\n"))
                    self.taken += [(address, content) for address in to]
                    say("250 taken")
                case "DATA":
                    say("554 5.5.1 no recipients")
                case "QUIT":
                    say("221 bye")
                    return
                case _:
                    say("250 ok")
