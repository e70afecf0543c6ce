"""What one message costs a gate with shared state: in a process, a Redis server, an SQLite file.

Usage: python benchmarks/gate_shared.py

Processor time, not time on the clock, so that other work on the machine counts for little. The server's time
is what Redis says of itself (INFO cpu). With four processes at once, the commands that a message takes show
how often a document was changed by somebody else in between and was written again.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis
from recording import ROOT, write

from mailflows import Gate
from mailflows.feedback import SuppressionList
from mailflows.flows import FlowRoute, FlowSet
from mailflows.limits import RedisStore, SQLiteStore, presets
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from mailflows.templates import TemplateMemory

if TYPE_CHECKING:
    from mailflows.limits import Store

sys.path.insert(0, str(ROOT / "tests"))
from redis_server import RedisServer, wanted

MESSAGES, WARM, PROCESSES = 400, 50, 4


def gate_on(store: Store) -> Gate:
    """Return a gate with every part that has a state."""
    return Gate(
        FlowSet(FlowRoute("transactional", domains="notify.example.org")),
        limiter=presets.web_form(store),
        senders=SenderControl(store),
        suppressions=SuppressionList(store),
        reputation=Reputation(store),
        templates=TemplateMemory(store),
    )


def send(gate: Gate, first: int, number: int) -> int:
    """Ask about messages to many people and report them as sent; return how many were accepted."""
    accepted = 0
    for n in range(first, first + number):
        message = (
            f"From: noreply@notify.example.org\nTo: reader{n}@host{n % 50}.example\nSubject: Your order {n}\n"
            f"Message-ID: <{n}@notify.example.org>\n\nWe have received your payment for order {n}. "
            "Your parcel leaves tomorrow.\n"
        )
        client = f"10.{n // 250 % 250}.{n % 250}.9"
        verdict = gate.check(message, flow="transactional", client=client, form=f"form{n % 20}")
        if verdict:
            gate.report(verdict, "sent")
            accepted += 1
    return accepted


def measured(store: Store) -> tuple[float, int]:
    """Return milliseconds of this process for a message, and how many were accepted."""
    gate = gate_on(store)
    send(gate, 10_000, WARM)
    begun = time.process_time()
    accepted = send(gate, 20_000, MESSAGES)
    return (time.process_time() - begun) / MESSAGES * 1000, accepted


def worker(port: int, first: int) -> None:
    """Send a part of the messages from a process of its own."""
    gate = gate_on(RedisStore(redis.Redis(port=port)))
    send(gate, first, MESSAGES // PROCESSES)


def spent(client: redis.Redis) -> tuple[float, int]:
    """Return the seconds of processor time and the commands of a server so far."""
    info = client.info()
    return info["used_cpu_user"] + info["used_cpu_sys"], info["total_commands_processed"]


def on_redis() -> dict[str, Any]:
    """Measure a gate on a server, from one process and from several."""
    with RedisServer(wanted()) as server, server.client() as client:
        send(gate_on(RedisStore(server.client())), 10_000, WARM)
        before = spent(client)
        cpu, accepted = measured(RedisStore(server.client()))
        after = spent(client)
        whole = MESSAGES + WARM
        found = {
            "process_cpu_ms": round(cpu, 3),
            "accepted": accepted,
            "server_cpu_ms": round((after[0] - before[0]) / whole * 1000, 3),
            "commands": round((after[1] - before[1]) / whole, 1),
        }
        context = multiprocessing.get_context("spawn")
        workers = [
            context.Process(target=worker, args=(server.port, 50_000 + 1000 * n)) for n in range(PROCESSES)
        ]
        for one in workers:
            one.start()
        for one in workers:
            one.join()
        end = spent(client)
        found["commands_with_four_processes"] = round((end[1] - after[1]) / MESSAGES, 1)
        found["server_cpu_ms_with_four_processes"] = round((end[0] - after[0]) / MESSAGES * 1000, 3)
        return found


def on_sqlite() -> dict[str, Any]:
    """Measure a gate on a file; what it needs beyond one in memory is the file's."""
    with tempfile.TemporaryDirectory() as folder:
        cpu, accepted = measured(SQLiteStore(Path(folder) / "state.db"))
    return {"process_cpu_ms": round(cpu, 3), "accepted": accepted}


def main() -> None:
    """Measure, and write the results."""
    from mailflows.limits import MemoryStore  # noqa: PLC0415 -- beside the two others

    in_memory, _ = measured(MemoryStore())
    found = {
        "messages": MESSAGES,
        "memory": {"process_cpu_ms": round(in_memory, 3)},
        "sqlite": on_sqlite(),
        "redis": on_redis(),
    }
    write("gate_shared", found, packages=["redis"])


if __name__ == "__main__":
    main()
