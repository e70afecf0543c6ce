"""A Celery worker that sends: a deferral is tried again when it is worth it, a final refusal is not."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mailflows.feedback import SuppressionList
from mailflows.flows import FlowRoute, FlowSet
from mailflows.gate import Finding, Gate, GateDecision
from mailflows.integrations import retry_after
from mailflows.limits import Limit, Limiter, MemoryStore
from smtp_server import MisbehavingRelay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest.importorskip("celery")

FILE = Path(__file__).resolve().parents[2] / "examples/celery/retries.py"
ADA, BUSY, GONE = "ada@babbage.example", "busy@babbage.example", "gone@babbage.example"


class Worker:
    """A worker of the example, and what became of its tasks.

    Attributes:
        module: The example.
        waits: The countdown of every retry, of which none is waited for.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.waits: list[float] = []

    def send(self, *recipients: str) -> Any:
        """Give the worker a task, and return what the last attempt returned or raised."""
        return self.module.send.delay(list(recipients), 7).get(timeout=60, propagate=False)

    def behind(self, **parts: Any) -> None:
        """Give the worker another gate before the same relay."""
        self.module.gate = Gate(self.module.gate.flows, **parts)


@pytest.fixture
def relay() -> Iterator[MisbehavingRelay]:
    """Start a relay that greylists one and knows another not."""
    with MisbehavingRelay(
        first={BUSY: "450 4.2.1 greylisted"}, rcpt={GONE: "550 5.1.1 no such user"}
    ) as server:
        yield server


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    """Start a worker of the example with a broker in memory, and give the example."""
    from celery import signals
    from celery.contrib.testing.worker import start_worker

    spec = importlib.util.spec_from_file_location("retries", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BROKER", "memory://")
        patch.setenv("RESULTS", "cache+memory://")
        patch.setenv("RELAY", "smtp://127.0.0.1:1")
        spec.loader.exec_module(module)
    # Celery sets up no logging where somebody says that they do: what it sets would outlast these tests.
    signals.setup_logging.connect(_keep_logging)
    try:
        with start_worker(module.app, pool="solo", perform_ping_check=False):
            yield module
    finally:
        signals.setup_logging.disconnect(_keep_logging)


def _keep_logging(**_: Any) -> None:
    """Leave logging as it is."""


@pytest.fixture
def worker(running: Any, relay: MisbehavingRelay, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """Give the worker a gate before a relay; it waits for no retry."""
    found = Worker(running)
    retry: Callable[..., Any] = running.send.retry

    def at_once(*args: Any, countdown: float, **how: Any) -> Any:
        found.waits.append(countdown)
        return retry(*args, countdown=0, **how)

    monkeypatch.setattr(running.send, "retry", at_once)
    route = FlowRoute("transactional", domains="notify.harbour.example", relay=relay.url)
    monkeypatch.setattr(running, "gate", Gate(FlowSet(route)))
    return found


def test_a_task_that_sends(worker: Worker, relay: MisbehavingRelay) -> None:
    """It passes the gate, and leaves by the relay of its flow, once."""
    assert worker.send(ADA) == 1
    assert (relay.counts(), worker.waits) == ({ADA: 1}, [])


def test_a_greylisted_recipient_is_tried_again(worker: Worker, relay: MisbehavingRelay) -> None:
    """After five minutes, as the relay names no time; who got it at first does not get it again."""
    assert worker.send(ADA, BUSY) == 1
    assert relay.counts() == {ADA: 1, BUSY: 1}
    assert worker.waits == [300.0]


def test_all_are_greylisted(worker: Worker, relay: MisbehavingRelay) -> None:
    """An exception is read like a delivery."""
    assert worker.send(BUSY) == 1
    assert (relay.counts(), worker.waits) == ({BUSY: 1}, [300.0])


def test_a_relay_that_refuses_is_not_asked_again(worker: Worker, relay: MisbehavingRelay) -> None:
    """The task fails at its first attempt."""
    assert type(worker.send(GONE)).__name__ == "SMTPRecipientsRefused"
    assert (relay.sessions, worker.waits) == (1, [])


def test_a_gate_that_refuses_is_not_asked_again(worker: Worker, relay: MisbehavingRelay) -> None:
    """A suppressed address is a final refusal: the task fails at once, and the relay hears nothing."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add(ADA)
    worker.behind(suppressions=suppressions)
    assert "suppression list" in str(worker.send(ADA))
    assert (relay.sessions, worker.waits) == (0, [])


def test_a_limit_says_when(worker: Worker, relay: MisbehavingRelay) -> None:
    """The countdown is the time until the limit has room; it is told for every attempt of the task."""
    worker.behind(limiter=Limiter(Limit("1/hour", per="recipient")))
    assert worker.send(ADA) == 1
    assert "Over the limit" in str(worker.send(ADA))  # after all attempts, none of which waited
    assert relay.counts() == {ADA: 1}
    assert len(worker.waits) == 13
    assert all(3000 < wait <= 3600 for wait in worker.waits)


def test_what_is_held_is_tried_again(worker: Worker) -> None:
    """An hour later, as a person looks at it first: it leaves by the first attempt after its release."""
    worker.behind(scanners=[lambda _: Finding("odd", "a person should look", GateDecision.HOLD)])
    worker.send(ADA)
    assert set(worker.waits) == {3600.0}


@pytest.mark.parametrize(
    ("problem", "wait"), [(OSError("no route"), 300.0), (ValueError("?"), 300.0)], ids=["network", "ours"]
)
def test_an_error_without_a_verdict_is_tried_again(problem: Exception, wait: float) -> None:
    """Nobody has refused the message: it is still good."""
    assert retry_after(problem) == wait
