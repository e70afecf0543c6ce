"""Held mail: listed, released once, dropped, forgotten."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import ConfigurationError, Envelope, Gate, StoreError
from mailflows.gate import GateDecision
from mailflows.held import HeldMail, HeldState, _held
from mailflows.limits import MemoryStore, SQLiteStore
from mailflows.testing import FixedClock
from three_flows import note, reset, three_flows

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

TO = "ada@babbage.example"
SENDER = "charles@lovelace.example"


def odd() -> EmailMessage:
    """Return a note from a domain that belongs to no flow."""
    mail = note()
    mail.replace_header("From", "Charles <charles@elsewhere.example>")
    return mail


def ask(gate: Gate, mail: EmailMessage | None = None) -> Any:
    """Try to send."""
    return gate.check((mail or odd()).as_bytes(), envelope=Envelope(SENDER, (TO,)))


def test_held_until_somebody_decides() -> None:
    """Each attempt finds the same entry; the list says flow, sender, subject and why."""
    gate = Gate(three_flows())
    first, second = ask(gate), ask(gate)
    assert gate.held is not None
    (one,) = gate.held.list()
    assert (first.decision, first.held, second.held) == (GateDecision.HOLD, one.id, one.id)
    assert str(one).split()[0] == one.id
    assert "Re: Tuesday" in str(one)
    assert gate.held.show(one.id) == odd().as_bytes()


def test_released_once() -> None:
    """The next attempt is accepted by the flow that was chosen; what was sent is not let through again."""
    gate = Gate(three_flows())
    assert gate.held is not None
    held = ask(gate).held
    gate.held.release(held, flow="professional")
    verdict = ask(gate)
    assert (verdict.allowed, verdict.flow, verdict.accepted) == (True, "professional", (TO,))
    assert ask(gate).decision is GateDecision.DEFER, "it is already being sent"
    gate.report(verdict, "sent")
    assert gate.held.list(every=True) == ()
    assert ask(gate).decision is GateDecision.HOLD


def test_a_relay_that_defers_lets_it_be_tried_again() -> None:
    """What was not taken is still released; what is unknown is not sent twice."""
    gate = Gate(three_flows())
    assert gate.held is not None
    gate.held.release(ask(gate).held, flow="professional")
    gate.report(ask(gate), (451, "4.3.2 later"))
    assert ask(gate).allowed


def test_a_claim_ends() -> None:
    """A process that died while it sent does not keep a message for ever."""
    clock = FixedClock()
    gate = Gate(three_flows(), held=HeldMail(MemoryStore(), clock=clock))
    assert gate.held is not None
    gate.held.release(ask(gate).held, flow="professional")
    assert ask(gate).allowed
    assert not ask(gate).allowed
    clock.advance(_held.CLAIM)
    assert ask(gate).allowed


def test_dropped() -> None:
    """The next attempt is refused for good, and the bytes are gone."""
    gate = Gate(three_flows())
    assert gate.held is not None
    held = ask(gate).held
    gate.held.drop(held)
    verdict = ask(gate)
    assert (verdict.decision, verdict.why[0].code) == (GateDecision.REJECT, "dropped")
    assert gate.held.show(held) == b""
    assert gate.held.list() == ()


def test_a_release_is_for_one_message() -> None:
    """Another text, another recipient or another sender is another message."""
    gate = Gate(three_flows())
    assert gate.held is not None
    gate.held.release(ask(gate).held, flow="professional")
    other = odd()
    other.replace_header("Subject", "Re: Wednesday")
    assert not ask(gate, other)
    raw = odd().as_bytes()
    assert not gate.check(raw, envelope=Envelope(SENDER, (TO, "eve@babbage.example")))
    assert not gate.check(raw, envelope=Envelope("x@lovelace.example", (TO,)))


def test_an_attempt_is_known_again() -> None:
    """A program that writes Date, Message-ID and boundaries anew sends the same message."""
    gate = Gate(three_flows())
    assert gate.held is not None
    gate.held.release(ask(gate).held, flow="professional")
    again = odd()
    again.replace_header("Message-ID", "<other@lovelace.example>")
    again["Date"] = "Tue, 12 May 2026 09:12:00 +0000"
    assert ask(gate, again).allowed


def test_a_scanner_stops_what_was_released() -> None:
    """A person releases what was seen; a virus is found whoever released it."""
    from mailflows.gate import Finding

    gate = Gate(three_flows(), scanners=[lambda _: Finding("virus", "Eicar-Test")])
    assert gate.held is not None
    gate.held.release(ask(gate).held, flow="professional")
    assert ask(gate).decision is GateDecision.REJECT


def test_without_a_flow_it_needs_one() -> None:
    """A message of no flow is released by a flow that is said."""
    held = HeldMail()
    one = held.hold(b"Subject: x\n\nx", recipients=[TO])
    with pytest.raises(ConfigurationError, match="--flow professional"):
        held.release(one.id)
    assert held.release(one.id, flow="professional").state is HeldState.RELEASED
    with pytest.raises(ConfigurationError, match="no held message"):
        held.drop("abc")


def test_it_expires_and_is_forgotten() -> None:
    """Nothing waits for ever, and a person's mail is deleted where it is asked for."""
    store = MemoryStore()
    held = HeldMail(store)
    for to in (TO, "bob@babbage.example"):
        held.hold(b"Subject: x\n\nx", recipients=[to], mail_from="a@lovelace.example")
    assert held.forget(TO.upper()) == 1
    assert [one.recipients for one in held.list()] == [("bob@babbage.example",)]
    assert held.forget("a@lovelace.example") == 1


def test_it_outlives_the_process(tmp_path: Path) -> None:
    """In a file, another process finds it, with the bytes as they were."""
    raw = b"Subject: x\r\n\r\n\xff\x00bytes"
    one = HeldMail(SQLiteStore(tmp_path / "state.db")).hold(raw, recipients=[TO], flow="marketing", why="odd")
    other = HeldMail(SQLiteStore(tmp_path / "state.db"))
    assert (other.list(), other.show(one.id)) == ((one,), raw)
    assert asyncio.run(other.ashow(one.id)) == raw


def test_a_full_place_defers() -> None:
    """A flood fills no disk: its sender keeps what there is no room for."""
    gate = Gate(three_flows(), held=HeldMail(room=len(odd().as_bytes()) * 3 // 2))
    assert ask(gate).held is not None
    other = odd()
    other.replace_header("Subject", "Another one")
    verdict = ask(gate, other)
    assert (verdict.decision, verdict.degraded) == (GateDecision.DEFER, ("held",))


def test_a_place_that_fails_defers() -> None:
    """Where it cannot be told whether a message was dropped, its sender keeps it."""

    class Gone(MemoryStore):
        def load(self, key: str) -> bytes | None:  # noqa: ARG002 -- as every store
            msg = "gone"
            raise StoreError(msg, store="gone")

    gate = Gate(three_flows(), held=HeldMail(Gone()))
    verdict = gate.check(reset().as_bytes(), flow="transactional")
    assert (verdict.decision, verdict.degraded) == (GateDecision.DEFER, ("held",))


def test_a_gate_that_may_hold_needs_a_place() -> None:
    """An integration says at once that there is none, and what to write."""
    with pytest.raises(ConfigurationError, match=r"held=HeldMail\(store\)"):
        Gate(three_flows(), held=None).require_place("GateHandler")
    Gate(three_flows(), held=None, on_conflict="reject", on_error={"route": "defer"}).require_place("x")
    Gate(three_flows()).require_place("GateHandler")


def test_good_mail_leaves_nothing_there() -> None:
    """What is accepted is not kept."""
    gate = Gate(three_flows())
    assert gate.check(note().as_bytes(), flow="professional")
    assert gate.held is not None
    assert gate.held.list(every=True) == ()


def test_holding_many_counts_them_now_and_then() -> None:
    """A hundred messages are not read again for each further one, and the room still ends where it ends."""

    class Counted(MemoryStore):
        scans = 0

        def scan(self, prefix: str) -> Any:
            self.scans += 1
            return super().scan(prefix)

    store, clock = Counted(), FixedClock()
    held = HeldMail(store, room=100_000, clock=clock)
    for number in range(100):
        held.hold(b"Subject: %d\n\n" % number + b"x" * 900, recipients=("ada@example.net",))
    assert store.scans <= 2
    with pytest.raises(StoreError, match="no more room"):
        held.hold(b"Subject: x\n\n" + b"x" * 20_000, recipients=("ada@example.net",))
    for one in held.list():
        held.drop(one.id)
    clock.advance(61)
    held.hold(b"Subject: y\n\n" + b"x" * 20_000, recipients=("ada@example.net",))
