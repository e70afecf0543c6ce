"""What the gate costs between an application and its relay, and what a handler that is killed loses.

``python benchmarks/relays.py`` writes ``results/relays.json``; long: ``--kills 100 --messages 2000``.
"""

from __future__ import annotations

import argparse
import asyncio
import smtplib
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from recording import ROOT, write

sys.path.insert(0, str(ROOT / "tests"))

import killed_handler
from delivery_scenes import KINDS, flows
from mailflows import Gate, Verdict
from mailflows.integrations.smtplib import GateSMTP
from mailflows.message import Envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEXT, SENDER, FLOW = KINDS["reset"]
ENVELOPE = Envelope(SENDER, ("ada@a.example.com",))
SMALL = TEXT.format(to="ada@a.example.com", number=1).encode()
LINE = b"MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMzQ1Njc4OWFiY2RlZmdoaWpr\r\n"


SINK = """
import sys
sys.path.insert(0, sys.argv[1])
from smtp_server import MisbehavingRelay
with MisbehavingRelay() as relay:
    print(relay.url, flush=True)
    sys.stdin.read()
"""


@contextmanager
def sink() -> Iterator[str]:
    """Start a relay in a process of its own, so that it takes no time of this one."""
    command = [sys.executable, "-c", SINK, str(ROOT / "tests")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        yield process.stdout.readline().strip() if process.stdout else ""
        process.kill()


def address(url: str) -> tuple[str, int]:
    """Return host and port."""
    host, _, port = url.removeprefix("smtp://").partition(":")
    return host, int(port)


def large(megabytes: int) -> bytes:
    """Return a message with an attachment."""
    head = (
        SMALL.partition(b"\r\n\r\n")[0]
        + b"\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n"
    )
    attached = b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    body = SMALL.partition(b"\r\n\r\n")[2]
    rows = LINE * (megabytes * 1_000_000 // len(LINE))
    return b"".join(
        (
            head,
            b"\r\n--x\r\nContent-Type: text/plain\r\n\r\n",
            body,
            b"\r\n--x\r\n",
            attached,
            rows,
            b"--x--\r\n",
        )
    )


def speed(number: int) -> dict[str, float]:
    """Compare messages a second to the same sink, the gate's own time apart; the best of several rounds."""
    ratios = []
    for _ in range(5):
        with sink() as url:
            gate = Gate(flows(url))
            verdict = gate.check(SMALL, envelope=ENVELOPE, flow=FLOW)
            with smtplib.SMTP(*address(url)) as smtp:
                plain = taken(partial(smtp.sendmail, SENDER, "ada@a.example.com", SMALL), number)
            with GateSMTP(gate) as gated:
                ours = taken(partial(gated.deliver, verdict, SMALL), number)
            ours -= taken(
                partial(gate.report, verdict, {}), number
            )  # the gate's own time is measured elsewhere
        ratios.append((plain / ours, number / plain, number / ours))
    ratio, before, after = statistics.median_low(ratios)
    return {"ratio": ratio, "plain_per_second": before, "gate_smtp_per_second": after}


def taken(send: Callable[[], object], number: int) -> float:
    """Return the seconds of a number of calls."""
    send()
    start = time.perf_counter()
    for _ in range(number):
        send()
    return time.perf_counter() - start


def cpu(megabytes: int) -> dict[str, float]:
    """Compare the processor time of a large message, without and with the gate's check."""
    raw = large(megabytes)
    found: dict[str, list[float]] = {"plain": [], "handed_over": [], "checked_and_handed_over": []}
    for _ in range(3):
        with sink() as url, GateSMTP(gate := Gate(flows(url))) as gated:
            verdict = gate.check(raw, envelope=ENVELOPE, flow=FLOW)
            with smtplib.SMTP(*address(url)) as smtp:
                found["plain"].append(burnt(partial(smtp.sendmail, SENDER, "ada@a.example.com", raw)))
            found["handed_over"].append(burnt(partial(gated.deliver, verdict, raw)))
            whole = burnt(partial(gated.sendmail, SENDER, "ada@a.example.com", raw, flow=FLOW))
            found["checked_and_handed_over"].append(whole)
    best = {f"{name}_seconds": min(values) for name, values in found.items()}
    plain = best["plain_seconds"]
    return best | {
        "ratio_handed_over": best["handed_over_seconds"] / plain,
        "ratio_with_check": best["checked_and_handed_over_seconds"] / plain,
    }


def burnt(send: Callable[[], object]) -> float:
    """Return the processor seconds of a call, of this process with all threads."""
    start = time.process_time()
    send()
    return time.process_time() - start


def blocking(megabytes: int) -> dict[str, float]:
    """Measure how long `acheck` keeps the event loop from anything else."""

    async def run(raw: bytes) -> float:
        gate = Gate(flows("smtp://127.0.0.1:1"))
        await gate.acheck(SMALL, envelope=ENVELOPE, flow=FLOW)  # loads the model
        longest = 0.0
        is_over = False

        async def beat() -> None:
            nonlocal longest
            last = time.perf_counter()
            while not is_over:
                await asyncio.sleep(0.001)
                now = time.perf_counter()
                longest, last = max(longest, now - last), now

        task = asyncio.create_task(beat())
        await asyncio.sleep(0.01)
        verdict: Verdict = await gate.acheck(raw, envelope=ENVELOPE, flow=FLOW)
        is_over = True
        await task
        if not verdict:
            raise SystemExit(str(verdict))
        return longest

    small, big = (min(asyncio.run(run(raw)) for _ in range(3)) for raw in (SMALL, large(megabytes)))
    return {"small_message_ms": small * 1e3, "large_message_ms": big * 1e3}


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=400)
    parser.add_argument("--kills", type=int, default=20)
    args = parser.parse_args()
    results: dict[str, Any] = {
        "speed": speed(400),
        "cpu_20_mb": cpu(20),
        "acheck_blocks": blocking(20),
        "kills": killed_handler.run(messages=args.messages, kills=args.kills),
    }
    write("relays", results)


if __name__ == "__main__":
    main()
