"""Three Celery workers behind one real Redis: what one of them learns, all of them hold to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from redis_server import RedisServer, wanted
from smtp_server import MisbehavingRelay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest.importorskip("celery")

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 3


@pytest.fixture(scope="module")
def sender() -> Iterator[Any]:
    """Start a server, a relay and three workers; give the relay, and what sends many and waits."""
    with RedisServer(wanted()) as server, MisbehavingRelay(rcpt={"gone*": "550 5.1.1 no such user"}) as relay:
        broker = f"redis://127.0.0.1:{server.port}/0"
        path = str(ROOT / "src")
        environment = {**os.environ, "BROKER": broker, "RELAY": relay.url, "PYTHONPATH": path}
        options = ["--pool", "solo", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        command = [sys.executable, "-m", "celery", "--app", "sender", "worker", *options]
        workers = [
            subprocess.Popen(
                [*command, "--hostname", f"worker{number}@localhost"],
                env=environment,
                cwd=ROOT / "examples/celery",
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for number in range(WORKERS)
        ]
        try:
            yield relay, _asking(broker)
        finally:
            for worker in workers:
                worker.send_signal(signal.SIGKILL)
            for worker in workers:
                worker.wait()


def _asking(broker: str) -> Callable[..., list[tuple[int, str]]]:
    """Return a function that gives tasks to the workers and waits for their answers."""
    from celery import Celery

    app = Celery("sender", broker=broker, backend=broker)
    deadline = time.monotonic() + 60
    while len(app.control.ping(timeout=0.5)) < WORKERS:
        assert time.monotonic() < deadline, "the workers do not start"

    def ask(recipients: list[str], **known: Any) -> list[tuple[int, str]]:
        tasks = [app.send_task("sender.send", (to, number), known) for number, to in enumerate(recipients)]
        return [tuple(task.get(timeout=60)) for task in tasks]

    return ask


def test_a_limit_holds_over_three_processes(sender: Any) -> None:
    """Sixty resets for one victim from a form: three arrive, whichever worker they came to."""
    relay, ask = sender
    answers = ask(["victim@babbage.example"] * 60, client="192.0.2.7")
    assert relay.counts()["victim@babbage.example"] == 3
    assert Counter(said for _, said in answers) == {"sent": 3, "limits": 57}
    assert len({process for process, _ in answers}) == WORKERS


def test_who_is_gone_is_gone_for_all(sender: Any) -> None:
    """The relay hears of a mailbox that does not exist once; then every worker leaves it out."""
    _, ask = sender
    assert ask(["gone1@babbage.example"]) == [(pytest.approx(0, abs=10**9), "relay")]
    answers = ask(["gone1@babbage.example"] * 2)
    assert {said for _, said in answers} == {"suppressions"}


def test_a_bombed_form_stops_in_every_process(sender: Any) -> None:
    """The breaker of a form, and not that of another, opens by what three workers saw together."""
    relay, ask = sender
    ask([f"reader{number}@{number}.example" for number in range(100)], form="reset")
    answers = ask([f"gone{number}@{number}.example" for number in range(100, 180)], form="sign-up")
    assert Counter(said for _, said in answers)["relay"] < 30
    assert ask(["ada@babbage.example"], form="reset")[0][1] == "sent"
    assert relay.counts()["ada@babbage.example"] == 1


def test_a_sender_is_stopped_by_what_all_saw(sender: Any) -> None:
    """An account that writes to people who do not exist is stopped within fifty of them."""
    _, ask = sender
    people = [f"gone{number}@elsewhere{number}.example" for number in range(500, 580)]
    answers = ask(people, account="ada@harbour.example")
    said = Counter(said for _, said in answers)
    assert said["relay"] < 50
    assert set(said) <= {"relay", "senders", "reputation", "guard"}
