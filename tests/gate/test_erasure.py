"""Erasing a person: one call, every part; and the verbs that work in an event loop alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from async_store import AsyncStore
from mailflows import Context, Envelope, Gate, StoreError
from mailflows.feedback import SuppressionList
from mailflows.gate import Tally
from mailflows.gate._erasure import Forgotten
from mailflows.held import HeldMail
from mailflows.limits import Limit, Limiter, MemoryStore
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from mailflows.templates import TemplateMemory
from mailflows.testing import FixedClock
from three_flows import note, three_flows

if TYPE_CHECKING:
    from email.message import EmailMessage

ADA, CHARLES = "ada@babbage.example", "charles@lovelace.example"


def whole_gate(kept: Any, **parts: Any) -> Gate:
    """Return a gate with everything that remembers people."""
    every: dict[str, Any] = {
        "limiter": Limiter(Limit("9/day", per="recipient"), store=kept),
        "senders": SenderControl(kept),
        "suppressions": SuppressionList(kept),
        "reputation": Reputation(kept),
        "templates": TemplateMemory(kept),
        "held": HeldMail(kept),
    }
    return Gate(three_flows(), **every | parts)


def odd() -> EmailMessage:
    """Return a note from a domain that belongs to no flow: it is held."""
    mail = note()
    mail.replace_header("From", "Charles <charles@elsewhere.example>")
    return mail


def people_in(kept: MemoryStore) -> set[str]:
    """Return the kinds of documents that are about somebody."""
    return {key.partition(":")[0] for key, _ in kept.scan("")} - {"gate-tally", "outage"}


def test_a_person_is_erased_from_every_part() -> None:
    """What Charles sent and what Ada got is gone, but for the objection of who complained."""
    kept = MemoryStore()
    gate = whole_gate(kept)
    envelope = Envelope(CHARLES, (ADA,))
    gate.report(gate.check(note().as_bytes(), envelope=envelope, flow="professional"), "sent")
    gate.check(odd().as_bytes(), envelope=envelope)
    assert gate.suppressions is not None
    gate.suppressions.add(ADA, reason="complained")
    assert {"sender", "reputation", "templates", "held", "suppressed"} <= people_in(kept)

    erased = gate.forget(f"Charles <{CHARLES}>")
    assert (erased.senders, erased.held, erased.templates >= 1, erased.reputation >= 1) == (1, 1, True, True)
    gate.forget(ADA)
    gate.forget("charles@elsewhere.example")
    assert people_in(kept) & {"sender", "templates", "template", "held", "held-mail"} == set()
    assert gate.suppressions.is_suppressed(ADA)
    limiter = gate.limiter_of(None)
    assert limiter is not None
    assert limiter.check(to=ADA).remaining == 9
    assert str(gate.forget("nobody@example.net")).startswith("erased: ")


def test_every_part_is_asked_though_one_fails() -> None:
    """The first problem is raised at the end, and the others have forgotten."""

    class Broken(MemoryStore):
        def load(self, key: str) -> bytes | None:  # noqa: ARG002 -- as the store
            msg = "down"
            raise StoreError(msg, store="broken")

    kept = MemoryStore()
    gate = Gate(three_flows(), senders=SenderControl(Broken()), held=HeldMail(kept))
    gate.check(odd().as_bytes(), envelope=Envelope(CHARLES, (ADA,)))
    with pytest.raises(StoreError):
        gate.forget(CHARLES)
    assert gate.held is not None
    assert gate.held.list(every=True) == ()


def test_in_an_event_loop_no_part_asks_the_store_in_a_thread() -> None:
    """A store of redis.asyncio has no other verbs: check, report, hold, release, forget are awaited."""

    async def way() -> None:
        kept: Any = AsyncStore()
        gate = whole_gate(kept, tally=Tally(kept), on_error={"templates": "reject", "senders": "reject"})
        envelope = Envelope(CHARLES, (ADA,))
        verdict = await gate.acheck(note().as_bytes(), envelope=envelope, flow="professional")
        assert verdict.allowed, str(verdict)
        assert not verdict.degraded, str(verdict)
        await gate.areport(verdict, "sent")
        held = (await gate.acheck(odd().as_bytes(), envelope=envelope)).held
        assert gate.held is not None
        assert held is not None
        assert [one.id for one in await gate.held.alist()] == [held]
        assert await gate.held.ashow(held) == odd().as_bytes()
        await gate.held.arelease(held, flow="professional")
        assert (await gate.acheck(odd().as_bytes(), envelope=envelope)).allowed
        assert (await gate.tally.areport()).stopped == {"hold": 1}
        assert gate.suppressions is not None
        await gate.suppressions.aadd(ADA, reason="complained")
        assert await gate.suppressions.ais_suppressed(f"Ada <{ADA}>")
        assert await gate.suppressions.acounts() == {("global", "complained"): 1}
        erased = await gate.aforget(CHARLES)
        assert (erased.senders, erased.held) == (1, 1)
        assert (await gate.aforget(ADA)).suppressions == 1

    asyncio.run(way())


def test_limits_and_senders_take_the_one_record() -> None:
    """What is said beside the record counts; the rest is taken from it."""
    limiter = Limiter(Limit("1/hour", per="client"), Limit("9/hour", per="form"))
    seen = Context(client="192.0.2.7", form="contact")
    assert limiter.acquire(to=ADA, context=seen).allowed
    assert limiter.acquire(to=ADA, context=seen).rule == "1 per hour per client"
    assert limiter.acquire(to=ADA, client="192.0.2.8", context=seen).allowed
    control = SenderControl(MemoryStore(), clock=FixedClock())
    with pytest.raises(ValueError, match="IPv4 or IPv6"):
        control.acquire(CHARLES, to=ADA, context=Context(client="ada@example.org"))


def test_what_was_erased_is_counted_in_english() -> None:
    """One of each is said in the singular, several in the plural."""
    assert str(Forgotten(limits=1, senders=1, held=1)) == "erased: 1 limit, 1 sender, 1 held"
    assert str(Forgotten(suppressions=2, reputation=2)) == "erased: 2 suppressions, 2 reputation"
