"""A resolver for benchmarks: answers from memory on loopback after a latency, and may drop what is too much.

It runs in a process of its own, so that it does not compete with the measured client for the interpreter.
"""

from __future__ import annotations

import multiprocessing
import random
import select
import socket
import struct
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

A, MX, AAAA = 1, 15, 28
# Shares of a dirty base, as measured on one of 8,000 domains.
MIX = (
    ("mx", 0.868), ("nx", 0.068), ("a", 0.027), ("null", 0.012), ("nodata", 0.008), ("servfail", 0.007),
    ("silent", 0.006), ("aaaa", 0.004),
)  # fmt: skip


def domains(count: int, *, clean: bool = False) -> dict[str, str]:
    """Return domain → kind, the same every time."""
    rng = random.Random(3)
    kinds, weights = zip(*MIX, strict=True)
    chosen = ["mx"] * count if clean else rng.choices(kinds, weights, k=count)
    return {f"firm-{n}.{rng.choice(['fr', 'com', 'de', 'net'])}": kind for n, kind in enumerate(chosen)}


def zone(named: dict[str, str]) -> dict[tuple[bytes, int], tuple[int, int, bytes] | None]:
    """Return (name, kind) → (response code, number of answers, answers); `None` for silence."""
    rng = random.Random(4)
    answers: dict[tuple[bytes, int], tuple[int, int, bytes] | None] = {}
    address = struct.pack("!HHHIH", 0xC00C, A, 1, 300, 4) + bytes((93, 184, 216, 34))
    for name, kind in named.items():
        owner = encode(name)
        for record in (MX, A, AAAA):
            answers[owner, record] = {"nx": (3, 0, b""), "servfail": (2, 0, b""), "silent": None}.get(
                kind, (0, 0, b"")
            )
        if kind in ("mx", "null"):
            # Half of the firms have a mail host of their own, half one of thirty providers.
            host = f"mx.{name}" if rng.random() < 0.5 else f"mx{rng.randrange(30)}.provider.net"
            data = struct.pack("!H", 10) + (encode(host) if kind == "mx" else b"\0")
            answers[owner, MX] = (0, 1, struct.pack("!HHHIH", 0xC00C, MX, 1, 300, len(data)) + data)
            answers[encode(host), A] = (0, 1, address)
        elif kind == "a":
            answers[owner, A] = (0, 1, address)
        elif kind == "aaaa":
            data = bytes.fromhex("26062800022000010000000000000001")
            answers[owner, AAAA] = (0, 1, struct.pack("!HHHIH", 0xC00C, AAAA, 1, 300, 16) + data)
    return answers


def encode(name: str) -> bytes:
    """Return a name as labels."""
    return b"".join(bytes((len(label),)) + label.encode() for label in name.split(".")) + b"\0"


@contextmanager
def resolver(named: dict[str, str], *, latency: float = 0.02, limit: float | None = None) -> Iterator[int]:
    """Serve in another process; give the port."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
    process = multiprocessing.get_context("fork").Process(
        target=_serve, args=(sock, named, latency, limit), daemon=True
    )
    process.start()
    try:
        yield sock.getsockname()[1]
    finally:
        process.terminate()
        process.join()
        sock.close()


def _serve(sock: socket.socket, named: dict[str, str], latency: float, limit: float | None) -> None:
    answers = zone(named)
    sock.setblocking(False)  # noqa: FBT003 -- the socket's own signature
    leaving: deque[tuple[float, bytes, tuple[str, int]]] = deque()
    burst = (limit or 0) / 10
    tokens, filled = burst, time.monotonic()
    while True:
        wait = max(0.0, leaving[0][0] - time.monotonic()) if leaving else 1.0
        select.select([sock], [], [], wait)
        now = time.monotonic()
        for _ in range(500):
            try:
                wire, client = sock.recvfrom(2048)
            except BlockingIOError:
                break
            if limit is not None:
                tokens, filled = min(burst, tokens + (now - filled) * limit), now
                if tokens < 1:
                    continue
                tokens -= 1
            reply = _reply(wire, answers)
            if reply:
                leaving.append((now + latency, reply, client))
        now = time.monotonic()
        while leaving and leaving[0][0] <= now:
            _, reply, client = leaving.popleft()
            try:
                sock.sendto(reply, client)
            except OSError:
                continue


def _reply(wire: bytes, answers: dict[tuple[bytes, int], tuple[int, int, bytes] | None]) -> bytes | None:
    end = wire.index(0, 12) + 1
    name, kind = wire[12:end].lower(), int.from_bytes(wire[end : end + 2])
    found = answers.get(
        (name, kind), (3 if (name, MX) not in answers and (name, A) not in answers else 0, 0, b"")
    )
    if found is None:
        return None
    code, count, records = found
    return wire[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, count, 0, 0) + wire[12 : end + 4] + records
