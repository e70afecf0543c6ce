"""A store that is down: what the verdict, the reply and the log say of it."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any, cast

import pytest

from mailflows import Flow, Gate, StoreError
from mailflows._stores._documents import Outage
from mailflows.feedback import SuppressionList, from_reply
from mailflows.gate import GateDecision, Tally
from mailflows.held import HeldMail
from mailflows.integrations._recipient import judged
from mailflows.limits import Limit, Limiter, MemoryStore
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from mailflows.testing import FixedClock
from three_flows import newsletter, note, reset, three_flows


class FailingStore(MemoryStore):
    """A store that can be taken away and given back."""

    name = "Redis at 192.0.2.9"
    is_down = True

    def _stumble(self) -> None:
        if self.is_down:
            msg = "Redis at 192.0.2.9: Error 111, connection refused"
            raise StoreError(msg, store=self.name)

    def load(self, key: str) -> bytes | None:
        """Return a document, or fail."""
        self._stumble()
        return super().load(key)

    def swap(self, key: str, old: bytes | None, new: bytes | None, **how: Any) -> bool:
        """Change a document, or fail."""
        self._stumble()
        return super().swap(key, old, new, **how)


class DeadCounts:
    """A store of counts that cannot be reached."""

    name = "Redis at 192.0.2.9"

    def decide(self, *_: object, **__: object) -> Any:
        """Fail."""
        msg = "Redis at 192.0.2.9: Error 111, connection refused"
        raise StoreError(msg, store=self.name)


def gate_on(store: FailingStore, **settings: Any) -> Gate:
    """Return a gate that keeps everything in one store."""
    return Gate(
        three_flows(),
        held=HeldMail(store),
        suppressions=SuppressionList(store),
        reputation=Reputation(store),
        senders=SenderControl(store),
        tally=Tally(store),
        **settings,
    )


def replied(gate: Gate, mail: Any, **known: Any) -> str:
    """Return what an SMTP client hears of a message."""
    code, text = gate.check(mail, **known).reply or (250, "")
    return f"{code} {text}"


def test_a_store_that_is_down_is_no_fault_of_the_sender() -> None:
    """RFC 3463: 4.3.0 is a mail system's fault, 4.7.1 a policy against the sender; each is said once."""
    reply = replied(gate_on(FailingStore()), reset(), flow="transactional")
    assert reply == "451 4.3.0 A check failed to run; try again later [held, suppressions]"


def test_a_refusal_for_content_tells_the_content_alone() -> None:
    """Whose advert is refused does not hear of our store, which is down as well."""
    reply = replied(gate_on(FailingStore()), newsletter(), flow="transactional")
    assert reply.startswith("550 5.7.1 the content reads as marketing")
    assert "check" not in reply


def test_one_sentence_is_said_once() -> None:
    """Two parts that say the same are named beside one sentence, and no exception's name is shown."""
    verdict = gate_on(FailingStore()).check(reset(), flow="transactional")
    assert str(verdict) == (
        "defer transactional (retry after 300 s): held, suppressions: the check failed to run: "
        "the store did not answer"
    )
    assert [r.parameters["error"] for r in verdict.why] == [
        "StoreError: Redis at 192.0.2.9: Error 111, connection refused"
    ] * 2


def test_a_policy_may_refuse_for_good() -> None:
    """Even then the reply blames the system: 5.3.0."""
    gate = gate_on(FailingStore(), on_error={"held": "reject"})
    assert replied(gate, reset(), flow="transactional").startswith("550 5.3.0 A check failed to run")


@pytest.mark.parametrize(
    "parts",
    [
        {"limiter": Limiter(Limit("1/day", per="global"), store=cast("Any", DeadCounts()), on_error="deny")},
        {"reputation": Reputation(FailingStore(), on_error="deny")},
        {"senders": SenderControl(FailingStore(), on_error="deny")},
    ],
    ids=["limits", "reputation", "senders"],
)
def test_parts_that_deny_blame_the_system(parts: dict[str, Any]) -> None:
    """Parts with on_error="deny" defer, and nobody is said to have sent too much."""
    verdict = Gate(three_flows(), **parts).check(reset(), flow="transactional", account="ada")
    assert verdict.decision is GateDecision.DEFER
    assert verdict.degraded
    assert verdict.reply == (451, f"4.3.0 A check failed to run; try again later [{verdict.degraded[0]}]")


def test_an_outage_is_logged_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    """A hundred messages, each asked about by five parts, are one warning; the end is another."""
    store = FailingStore()
    gate = gate_on(store)
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            gate.report(gate.check(reset(), flow="transactional", account="ada"), "sent")
        during = [record.getMessage() for record in caplog.records]
        caplog.clear()
        store.is_down = False
        for _ in range(3):
            gate.report(gate.check(reset(), flow="transactional", account="ada"), "sent")
        after = [record.getMessage() for record in caplog.records]
    assert during == [
        (
            "the store is failing: Redis at 192.0.2.9: Error 111, connection refused; "
            "until it works again, each part follows its on_error (logged once)"
        )
    ]
    (end,) = after
    assert re.fullmatch(r"the store works again: Redis at 192\.0\.2\.9, after \d+ s; failed calls: \d+", end)


class BusyStore(FailingStore):
    """A store that another process keeps locked."""

    name = "SQLite state.db"

    def _stumble(self) -> None:
        if self.is_down:
            msg = "SQLite state.db: busy; other processes kept the file locked for 2 s"
            raise StoreError(msg, store=self.name, is_busy=True)

    def decide(self, *given: Any, **how: Any) -> Any:
        """Decide, or be busy."""
        self._stumble()
        return super().decide(*given, **how)

    def digest(self, text: str) -> str:
        """Return a hash, or be busy: SQLite reads its secret first."""
        self._stumble()
        return super().digest(text)


def test_a_busy_store_is_one_sentence(caplog: pytest.LogCaptureFixture) -> None:
    """A lock that lasts is an outage like any other: no part is named by its method, and mail waits."""
    store = BusyStore()
    limiter = Limiter(Limit("1000/day", per="global"), store=cast("Any", store))
    gate = gate_on(store, limiter=limiter)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            verdict = gate.check(reset(), flow="transactional", account="ada")
            assert not verdict.allowed
            gate.report(None, from_reply(550, "5.1.1 User unknown", recipient="a@b.example"))
        (begin,) = (record.getMessage() for record in caplog.records)
        caplog.clear()
        store.is_down = False
        for _ in range(2):
            gate.report(gate.check(reset(), flow="transactional", account="ada"), "sent")
            gate.report(None, from_reply(550, "5.1.1 User unknown", recipient="a@b.example"))
            gate.check(newsletter(), flow="transactional")
        (end,) = (record.getMessage() for record in caplog.records)
    assert begin == (
        "the store is failing: SQLite state.db: busy; other processes kept the file locked for 2 s; "
        "until it works again, each part follows its on_error (logged once)"
    )
    assert end.startswith("the store works again: SQLite state.db, after ")


class FullStore(FailingStore):
    """A store on a disk that is full: it reads, and cannot write."""

    name = "SQLite state.db"

    def load(self, key: str) -> bytes | None:
        """Return a document."""
        return MemoryStore.load(self, key)


def test_a_full_disk_is_one_outage(caplog: pytest.LogCaptureFixture) -> None:
    """What can still be read, or what another part can write, is not the end; what failed works again is."""
    store = FullStore()
    suppressions, held = SuppressionList(store), HeldMail(store)
    with caplog.at_level(logging.WARNING):
        for number in range(20):
            with pytest.raises(StoreError):
                suppressions.add(f"gone{number}@babbage.example")
            assert suppressions.find("ada@babbage.example") is None
            store.is_down = False
            held.hold(reset().as_bytes(), recipients=["ada@babbage.example"])
            store.is_down = True
        assert len(caplog.records) == 1
        store.is_down = False
        suppressions.add("gone@babbage.example")
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "the store is failing",
        "the store works again",
    ]


def test_an_outage_is_over_after_a_minute_without_a_failure() -> None:
    """What failed may never be tried again: the store is well all the same."""
    timer = FixedClock()
    outage = Outage(timer=timer)
    outage.failed(StoreError("gone", store="x"), "reputation")
    outage.answered("x", "reading")
    timer.advance(59.0)
    outage.answered("x", "reading")
    assert outage.is_open
    timer.advance(1.0)
    outage.answered("x", "reading")
    assert not outage.is_open


def test_a_policy_is_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """Where a part answers by its policy, its store is still down: nothing is said to work again."""

    class Part(SenderControl):
        """A part that fails at first, and then knows that its store is down."""

        calls = 0

        def acquire(self, *args: Any, **kwargs: Any) -> Any:
            """Fail, then answer by the policy."""
            self.calls += 1
            if self.calls == 1:
                msg = "gone"
                raise RuntimeError(msg)
            return super().acquire(*args, **kwargs)

    gate = Gate(three_flows(), senders=Part(FailingStore(), on_error="allow"))
    with caplog.at_level(logging.WARNING, logger="mailflows.gate"):
        for _ in range(3):
            gate.check(reset(), flow="transactional", account="ada")
    assert [record.getMessage() for record in caplog.records if record.name == "mailflows.gate"] == [
        "Part.acquire is failing (logged once, until it works again): RuntimeError"
    ]


def test_the_async_gate_logs_alike(caplog: pytest.LogCaptureFixture) -> None:
    """Both drivers share what was said already."""
    gate = gate_on(FailingStore())

    async def several() -> None:
        for _ in range(5):
            await gate.acheck(reset(), flow="transactional")

    with caplog.at_level(logging.WARNING):
        asyncio.run(several())
        for _ in range(5):
            gate.check(reset(), flow="transactional")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == len(set(lines))


def test_what_is_reported_in_an_outage_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Outcomes that nobody could be told of are one line, too."""
    store = FailingStore()
    store.is_down = False
    gate = gate_on(store)
    verdicts = [gate.check(note(), flow="professional") for _ in range(20)]
    store.is_down = True
    with caplog.at_level(logging.WARNING):
        for verdict in verdicts:
            gate.report(verdict, "sent")
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("the store is failing: Redis at 192.0.2.9")


def test_a_recipient_hears_of_the_system(caplog: pytest.LogCaptureFixture) -> None:
    """At RCPT TO, too: limits that cannot be asked are a fault of this system."""
    limiter = Limiter(Limit("1/day", per="recipient"), store=cast("Any", DeadCounts()), on_error="deny")
    with caplog.at_level(logging.CRITICAL):
        found = judged(Gate(three_flows(), limiter=limiter), "ada@babbage.example", Flow.TRANSACTIONAL)
    assert found is not None
    assert (found.code, found.text) == (451, "4.3.0 A check failed to run; try again later [limits]")
    assert (found.part, found.reason, found.state) == ("limits", "failed", "deferred")
