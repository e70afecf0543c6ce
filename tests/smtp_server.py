"""A real SMTP server on loopback that remembers what came, and from where."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import socketserver
import struct
import threading
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any, Self

from aiosmtpd.controller import Controller

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

__all__ = ["Delivery", "Listener", "MisbehavingRelay", "SmtpServer"]


@dataclass(frozen=True)
class Delivery:
    """One message that was taken."""

    source: str
    ehlo: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes


class Listener(Controller):
    """aiosmtpd's controller, which hangs up before it stops.

    A connection that is still open when the loop ends warns whenever it is collected: in some other test.
    """

    def factory(self) -> Any:
        """Return the server of a connection, and remember it."""
        smtp = super().factory()  # type: ignore[no-untyped-call]
        self.__dict__.setdefault("connections", []).append(smtp)
        return smtp

    def stop(self, no_assert: bool = False) -> None:  # noqa: FBT001, FBT002 -- aiosmtpd's parameter
        """End the open connections, then the loop."""
        if self._thread is not None and self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(10)
        super().stop(no_assert)

    async def _hang_up(self) -> None:
        for smtp in self.__dict__.pop("connections", ()):
            for transport in (smtp.transport, smtp._original_transport):
                # Before Python 3.11.5 a TLS transport that is lost already raises instead.
                if transport is not None and getattr(transport, "_ssl_protocol", self) is not None:
                    transport.abort()
        for _turn in range(3):  # TLS is lost a turn after TCP
            await asyncio.sleep(0)


class SmtpServer:
    """Takes every message but those for ``unknown@…`` (550) and ``busy@…`` (450).

    Args:
        host: Address to listen on.
        handler: Another aiosmtpd handler in its place.
    """

    def __init__(self, host: str = "127.0.0.1", *, handler: object = None, **settings: Any) -> None:
        self.deliveries: list[Delivery] = []
        self.host = host
        with socket.socket() as probe:
            probe.bind((host, 0))
            self.port = probe.getsockname()[1]
        self._controller = Listener(
            self if handler is None else handler, hostname=host, port=self.port, ready_timeout=10, **settings
        )

    @property
    def url(self) -> str:
        """The server as a relay."""
        return f"smtp://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, _server: object, _session: object, envelope: Any, address: str, _options: list[str]
    ) -> str:
        """Answer a recipient."""
        if address.startswith("unknown@"):
            return "550 5.1.1 User unknown"
        if address.startswith("busy@"):
            return "450 4.2.1 Try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, _server: object, session: Any, envelope: Any) -> str:  # noqa: N802 -- as above
        """Remember a message."""
        self.deliveries.append(
            Delivery(
                session.peer[0],
                session.host_name,
                envelope.mail_from,
                tuple(envelope.rcpt_tos),
                envelope.content,
            )
        )
        return "250 2.0.0 Ok"


class MisbehavingRelay:
    """A relay that does what relays do: closes, greylists, drops, and answers late. It is its own witness.

    It is written with sockets alone, so that what it counts does not depend on what is tested.

    Args:
        close_after: Messages after which a session is ended with *reply*.
        reply: What it says then.
        rcpt: Answers to recipients, by pattern.
        first: Answers to the first attempt of each recipient, by pattern.
        final_dot: Answers to one message after the other, then 250; ``lost`` and ``drop`` close the
            connection after, and before, the message is kept.
        delay: Seconds before the answer to the final dot.
        mail: Answer to MAIL FROM.
        extensions: What EHLO names.
        content_drop: Whether the first connection is closed in the middle of the content.
        is_down: Whether it refuses connections until it is `started`.
    """

    def __init__(  # noqa: PLR0913 -- the ways to misbehave
        self,
        *,
        host: str = "127.0.0.1",
        close_after: int = 0,
        reply: str = "421 4.7.0 too many messages in this session",
        rcpt: Mapping[str, str] | None = None,
        first: Mapping[str, str] | None = None,
        final_dot: Iterable[str] = (),
        delay: float = 0.0,
        mail: str = "250 ok",
        extensions: Iterable[str] = ("8BITMIME", "SIZE 50000000"),
        content_drop: bool = False,
        is_down: bool = False,
    ) -> None:
        self.close_after = close_after
        self.reply = reply
        self.rcpt = dict(rcpt or {})
        self.first = dict(first or {})
        self.final_dot = list(final_dot)
        self.delay = delay
        self.mail = mail
        self.extensions = tuple(extensions)
        self.content_drop = content_drop
        self.deliveries: list[Delivery] = []
        self.sessions = 0
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        relay = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    _Session(relay, self).run()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server((host, 0), Handler, bind_and_activate=False)
        self._server.server_bind()  # nobody else gets its port, and who connects is refused
        self._is_down = is_down
        self.host, self.port = host, int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The server as a relay."""
        return f"smtp://{self.host}:{self.port}"

    def counts(self) -> Counter[str]:
        """Return how often each recipient got something."""
        return Counter(address for one in self.deliveries for address in one.recipients)

    def start(self) -> None:
        """Take connections."""
        self._server.server_activate()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self._is_down = False

    def __enter__(self) -> Self:
        if not self._is_down:
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_down:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def answer_to(self, address: str) -> str:
        """Return the answer to a recipient."""
        with self._lock:
            is_first = address not in self._seen
            self._seen.add(address)
        tables = (self.first, self.rcpt) if is_first else (self.rcpt,)
        return next((said for t in tables for p, said in t.items() if fnmatch(address, p)), "250 ok")

    def next_dot(self) -> str:
        """Return the answer to the next message."""
        with self._lock:
            return self.final_dot.pop(0) if self.final_dot else "250 queued"


class _Session:
    """One connection to a misbehaving relay."""

    def __init__(self, relay: MisbehavingRelay, handler: socketserver.StreamRequestHandler) -> None:
        self.relay = relay
        self.handler = handler
        self.ehlo = self.sender = ""
        self.to: list[str] = []
        self.messages = 0

    def say(self, text: str) -> None:
        self.handler.wfile.write(text.encode() + b"\r\n")

    def run(self) -> None:
        self.relay.sessions += 1
        self.say("220 relay.example ESMTP")
        while line := self.handler.rfile.readline():
            verb, _, rest = line.decode("utf-8", "replace").rstrip("\r\n").partition(" ")
            if not self.obey(verb.upper(), rest):
                return

    def obey(self, verb: str, rest: str) -> bool:
        """Answer a command, and say whether to go on."""
        relay = self.relay
        if verb in {"EHLO", "HELO"}:
            self.ehlo = rest
            self.say("\r\n".join(["250-relay.example", *(f"250-{e}" for e in relay.extensions), "250 HELP"]))
        elif verb == "MAIL":
            if relay.close_after and self.messages >= relay.close_after:
                self.say(relay.reply)
                return False
            self.sender, self.to = rest.partition("<")[2].partition(">")[0], []
            self.say(relay.mail)
        elif verb == "RCPT":
            address = rest.partition("<")[2].rpartition(">")[0]
            said = relay.answer_to(address)
            if said.startswith("2"):
                self.to.append(address)
            self.say(said)
        elif verb == "DATA":
            return self.data()
        elif verb == "QUIT":
            self.say("221 bye")
            return False
        else:
            self.say("250 ok")
        return True

    def data(self) -> bool:
        """Take a message, or lose it."""
        relay = self.relay
        if not self.to:
            self.say("554 5.5.1 no valid recipients")
            return True
        self.say("354 go ahead")
        if relay.content_drop:
            relay.content_drop = False
            self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        lines: list[bytes] = []
        while (line := self.handler.rfile.readline()) and line != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        if not line:
            return False
        said = relay.next_dot()
        if relay.delay:
            threading.Event().wait(relay.delay)
        if said == "drop":
            return False
        if said.startswith("2") or said == "lost":
            source = self.handler.client_address[0]
            kept = Delivery(source, self.ehlo, self.sender, tuple(self.to), b"".join(lines))
            relay.deliveries.append(kept)
        if said == "lost":
            return False
        self.messages += 1
        self.to = []
        self.say(said)
        return not said.startswith("421")
