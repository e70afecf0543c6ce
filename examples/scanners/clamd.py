"""A scanner for the gate: it asks clamd whether a message contains a virus.

    gate = Gate(flows, scanners=[Clamd("127.0.0.1", 3310)])

It speaks the INSTREAM command of clamd's protocol (clamd(8)). If clamd cannot be reached, the scanner raises,
and the gate's policy for scanners decides: by default, such a message is deferred.
"""

from __future__ import annotations

import socket
import struct

from mailflows.gate import Finding

CHUNK = 1 << 16
MOST_REPLY = 4096


class Clamd:
    """Asks a clamd over TCP, or over its local socket.

    Args:
        host: Its address; or the path of its socket, if *port* is `None`.
        port: Its port; 3310 is the usual one.
        timeout: Seconds to wait for a connection and for each answer.
    """

    def __init__(self, host: str, port: int | None = 3310, *, timeout: float = 10.0) -> None:
        self._host = host
        self._port = port
        self._timeout = timeout

    def __call__(self, raw: bytes) -> Finding | None:
        """Return what clamd found, or `None`.

        Raises:
            OSError: If it cannot be reached, or could not scan.
        """
        with self._connect() as connection:
            connection.sendall(b"zINSTREAM\0")
            for start in range(0, len(raw), CHUNK):
                chunk = raw[start : start + CHUNK]
                connection.sendall(struct.pack("!I", len(chunk)) + chunk)
            connection.sendall(struct.pack("!I", 0))
            reply = _read(connection)
        said = reply.partition(b": ")[2].strip(b"\0 \n").decode("utf-8", "replace")
        if said.endswith(" FOUND"):
            return Finding("virus", said.removesuffix(" FOUND"))
        if said != "OK":
            msg = f"clamd could not scan: {said or 'no answer'}"
            raise OSError(msg)
        return None

    def _connect(self) -> socket.socket:
        if self._port is not None:
            return socket.create_connection((self._host, self._port), timeout=self._timeout)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._timeout)
        try:
            connection.connect(self._host)
        except OSError:
            connection.close()
            raise
        return connection


def _read(connection: socket.socket) -> bytes:
    """Read one answer, which ends with a NUL or with the connection."""
    reply = b""
    while b"\0" not in reply and len(reply) < MOST_REPLY:
        more = connection.recv(MOST_REPLY)
        if not more:
            break
        reply += more
    return reply
