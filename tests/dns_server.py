"""A real authoritative name server on loopback, over UDP and TCP, for tests and benchmarks."""

from __future__ import annotations

import random
import socket
import socketserver
import threading
from typing import TYPE_CHECKING, Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone

if TYPE_CHECKING:
    from types import TracebackType

SOA = "ns hostmaster 1 3600 600 86400 300"


class DnsServer:
    """Answers from zones, as an authoritative server does, with faults on demand.

    Args:
        zones: Zone files by origin. Names beginning with ``servfail-``, ``refused-`` or ``silent-`` get
            that answer, or none; names beginning with ``flaky-`` get one only when asked again.
    """

    def __init__(self, **zones: str) -> None:
        self.zones = [
            dns.zone.from_text(
                text, origin=origin.replace("_", ".") + ".", relativize=False, check_origin=False
            )
            for origin, text in zones.items()
        ]
        self.asked: list[tuple[str, str, str]] = []
        self._seen: set[str] = set()
        while True:  # one port for both
            self._udp = socketserver.ThreadingUDPServer(("127.0.0.1", 0), _handler(self, over_tcp=False))
            self.port = self._udp.server_address[1]
            try:
                self._tcp = socketserver.ThreadingTCPServer(
                    ("127.0.0.1", self.port), _handler(self, over_tcp=True)
                )
            except OSError:
                self._udp.server_close()
                continue
            break

    def __enter__(self) -> Self:
        self._threads = [
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            for server in (self._udp, self._tcp)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def reply(self, wire: bytes, *, over_tcp: bool) -> bytes | None:
        """Return the bytes of the answer, or `None` to stay silent."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        self.asked.append((name, dns.rdatatype.to_text(question.rdtype), "tcp" if over_tcp else "udp"))
        fault = name.partition("-")[0]
        if fault == "silent" or (fault == "flaky" and not self._second(name + str(question.rdtype))):
            return None
        answer = dns.message.make_response(query, recursion_available=True)
        if fault in ("servfail", "refused"):
            answer.set_rcode(dns.rcode.SERVFAIL if fault == "servfail" else dns.rcode.REFUSED)
        else:
            self._fill(answer, question.name, question.rdtype)
        if over_tcp:
            return answer.to_wire(max_size=65_535)
        try:
            return answer.to_wire(max_size=query.payload or 512)
        except dns.exception.TooBig:
            cut = dns.message.make_response(query)
            cut.flags |= dns.flags.TC
            return cut.to_wire()

    def _second(self, name: str) -> bool:
        seen = name in self._seen
        self._seen.add(name)
        return seen

    def _fill(self, answer: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> None:
        zone = next((zone for zone in self.zones if name.is_subdomain(zone.origin or dns.name.root)), None)
        if zone is None:
            answer.set_rcode(dns.rcode.NXDOMAIN if not self.zones else dns.rcode.REFUSED)
            return
        for _ in range(8):
            found = zone.get_rrset(name, kind)
            if found is not None:
                answer.answer.append(found)
                return
            alias = zone.get_rrset(name, "CNAME")
            if alias is None:
                break
            answer.answer.append(alias)
            name = alias[0].target
        exists = any(known == name or known.is_subdomain(name) for known in zone.nodes)
        answer.set_rcode(dns.rcode.NOERROR if exists else dns.rcode.NXDOMAIN)
        answer.authority.append(
            dns.rrset.from_text(
                zone.origin or dns.name.root, 300, "IN", "SOA", f"ns. h. {random.randint(1, 9)} 1 1 1 300"
            )
        )


def _handler(server: DnsServer, *, over_tcp: bool) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if not over_tcp:
                wire, sock = self.request
                reply = server.reply(wire, over_tcp=False)
                if reply is not None:
                    sock.sendto(reply, self.client_address)
                return
            head = self._read(2)
            if head:
                reply = server.reply(self._read(int.from_bytes(head)), over_tcp=True)
                if reply is not None:
                    self.request.sendall(len(reply).to_bytes(2) + reply)

        def _read(self, count: int) -> bytes:
            data = b""
            while len(data) < count:
                chunk = self.request.recv(count - len(data))
                if not chunk:
                    return b""
                data += chunk
            return data

    return Handler


def closed_port() -> int:
    """Return a port of this machine at which nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
    return port
