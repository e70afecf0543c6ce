"""The sockets of the DNS client, for threads and for event loops: they only move bytes.

Both give what arrived as (what, id, bytes), with what being "udp", "tcp", "failed" (a TCP connection,
by the id of its question) or "refused" (nobody listens; by the number of the server).
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from mailflows._dns._exchange import Packet

__all__ = ["AsyncSockets", "Sockets"]

Arrival = tuple[str, int, bytes]
Server = tuple[str, int]

_RECEIVE = 65_535
_BUFFER = 4 * 1024 * 1024
_MANY = 256
"""Datagrams read before the sender has its turn again. Our choice."""


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _udp(server: Server) -> socket.socket:
    """Return a connected socket: the system drops what others send, and picks a random port."""
    made = socket.socket(_family(server[0]), socket.SOCK_DGRAM)
    made.setblocking(False)  # noqa: FBT003 -- the socket's own signature
    with contextlib.suppress(OSError):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    try:
        made.connect(server)
    except OSError:
        made.close()
        raise
    return made


class Sockets:
    """The sockets of one call in one thread."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = servers
        self._selector = selectors.DefaultSelector()
        self._udp: list[socket.socket | None] = []
        self._tcp: list[_Tcp] = []
        self._pending: list[Arrival] = []

    def __enter__(self) -> Self:
        for number, server in enumerate(self._servers):
            try:
                made = _udp(server)
            except OSError:  # no route to it
                self._udp.append(None)
                continue
            self._udp.append(made)
            self._selector.register(made, selectors.EVENT_READ, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for made in self._udp:
            if made is not None:
                made.close()
        for connection in self._tcp:
            connection.close()
        self._selector.close()

    def send(self, packet: Packet) -> None:
        """Send a question to the resolver whose turn it is."""
        number = packet.attempt % len(self._servers)
        if packet.over_tcp:
            self._connect(packet, self._servers[number])
            return
        made = self._udp[number]
        if made is None:
            self._pending.append(("failed", packet.ident, b""))
            return
        try:
            made.send(packet.wire)
        except ConnectionRefusedError:
            self._pending.append(("refused", number, b""))
        except BlockingIOError:
            pass  # the buffer is full: as good as lost, and asked again
        except OSError:
            self._pending.append(("failed", packet.ident, b""))

    def wait(self, seconds: float) -> list[Arrival]:
        """Return what arrives, waiting up to *seconds* for the first."""
        arrived, self._pending = self._pending, []
        for key, _ in self._selector.select(0 if arrived else seconds):
            if isinstance(key.data, _Tcp):
                outcome = key.data.go_on()
                if outcome is None:
                    self._selector.modify(key.fileobj, key.data.events, key.data)
                else:
                    self._selector.unregister(key.fileobj)
                    key.data.close()
                    self._tcp.remove(key.data)
                    arrived.append(outcome)
            elif isinstance(key.fileobj, socket.socket):
                _drain(key.fileobj, key.data, arrived)
        return arrived

    def _connect(self, packet: Packet, server: Server) -> None:
        connection = _Tcp(packet, server)
        if not connection.is_open:
            self._pending.append(("failed", packet.ident, b""))
            return
        self._tcp.append(connection)
        self._selector.register(connection.socket, selectors.EVENT_WRITE, connection)


def _drain(made: socket.socket, number: int, arrived: list[Arrival]) -> None:
    try:
        for _ in range(_MANY):
            arrived.append(("udp", 0, made.recv(_RECEIVE)))  # noqa: PERF401 -- kept when it ends by an error
    except BlockingIOError:
        pass
    except ConnectionRefusedError:
        arrived.append(("refused", number, b""))
    except OSError:
        pass  # a network error of one datagram: the question runs into its timeout


class _Tcp:
    """One question over TCP, without blocking (RFC 1035 section 4.2.2)."""

    def __init__(self, packet: Packet, server: Server) -> None:
        self._ident = packet.ident
        self._out = len(packet.wire).to_bytes(2) + packet.wire
        self._in = b""
        self.is_open = True
        self.socket = socket.socket(_family(server[0]), socket.SOCK_STREAM)
        self.socket.setblocking(False)  # noqa: FBT003 -- the socket's own signature
        try:
            self.socket.connect(server)
        except BlockingIOError:
            pass  # under way; it becomes writable when it stands
        except OSError:
            self.close()

    @property
    def events(self) -> int:
        """What to wait for: room to write, and after that something to read."""
        return selectors.EVENT_WRITE if self._out else selectors.EVENT_READ

    def go_on(self) -> Arrival | None:
        """Send and receive what is possible; return the outcome when there is one."""
        try:
            if self._out:
                self._out = self._out[self.socket.send(self._out) :]
                return None
            chunk = self.socket.recv(_RECEIVE)
        except BlockingIOError:
            return None
        except OSError:
            return "failed", self._ident, b""
        if not chunk:
            return "failed", self._ident, b""
        self._in += chunk
        length = int.from_bytes(self._in[:2])
        if len(self._in) < 2 or len(self._in) < 2 + length:
            return None
        return "tcp", self._ident, self._in[2 : 2 + length]

    def close(self) -> None:
        """Close the socket."""
        self.is_open = False
        self.socket.close()


class AsyncSockets:
    """The sockets of one call in an event loop."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = servers
        self._udp: list[asyncio.DatagramTransport | None] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._arrived: list[Arrival] = []
        self._event = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number, server in enumerate(self._servers):
            try:
                made = _udp(server)
            except OSError:
                self._udp.append(None)
                continue
            receiver = _Receiver(self._arrive, number)
            transport, _ = await loop.create_datagram_endpoint(lambda r=receiver: r, sock=made)  # type: ignore[misc]
            self._udp.append(transport)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for transport in self._udp:
            if transport is not None:
                transport.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # let the transports close their sockets

    def send(self, packet: Packet) -> None:
        """Send a question to the resolver whose turn it is."""
        number = packet.attempt % len(self._servers)
        if packet.over_tcp:
            task = asyncio.get_running_loop().create_task(self._over_tcp(packet, self._servers[number]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        transport = self._udp[number]
        if transport is None:
            self._arrive(("failed", packet.ident, b""))
        else:
            transport.sendto(packet.wire)

    async def wait(self, seconds: float) -> list[Arrival]:
        """Return what arrives, waiting up to *seconds* for the first."""
        if not self._arrived:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._event.wait()
        self._event.clear()
        arrived, self._arrived = self._arrived, []
        return arrived

    def _arrive(self, arrival: Arrival) -> None:
        self._arrived.append(arrival)
        self._event.set()

    async def _over_tcp(self, packet: Packet, server: Server) -> None:
        try:
            reader, writer = await asyncio.open_connection(*server)
            try:
                writer.write(len(packet.wire).to_bytes(2) + packet.wire)
                length = int.from_bytes(await reader.readexactly(2))
                self._arrive(("tcp", packet.ident, await reader.readexactly(length)))
            finally:
                writer.close()
        except (OSError, EOFError):
            self._arrive(("failed", packet.ident, b""))


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, arrive: Callable[[Arrival], None], number: int) -> None:
        self._arrive = arrive
        self._number = number

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 -- the socket is connected
        self._arrive(("udp", 0, data))

    def error_received(self, exc: Exception) -> None:
        if isinstance(exc, ConnectionRefusedError):
            self._arrive(("refused", self._number, b""))
