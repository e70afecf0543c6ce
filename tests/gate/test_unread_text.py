"""Text that a reader may show and that was not read does not pass as read."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from growth import MOST, growth
from mailflows import classify
from mailflows.flows import FlowRoute, FlowSet
from mailflows.gate import Gate, GateDecision
from mailflows.message import Message
from shared_cases import cases

HEAD = b"From: noreply@notify.oak.example\nTo: ada@lovelace.example\nSubject: Reset your password\n"
RESET = b"Hello Ada, use this code to reset your password: 4711. It expires in ten minutes.\n"


def gate(domain: str) -> Gate:
    """Return a gate with the three flows of a domain."""
    return Gate(
        FlowSet(
            FlowRoute("professional", domains=domain),
            FlowRoute("marketing", domains=f"news.{domain}"),
            FlowRoute("transactional", domains=f"notify.{domain}"),
        ),
        held=None,
    )


@pytest.mark.parametrize(
    ("body", "defect"),
    [
        (b"\n" + RESET + b"\n" * 300_000 + b"Sale!", "long-text"),
        (b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 201 + b"--b--\n", "many-parts"),
        (
            b"Content-Type: multipart/mixed; boundary=a; boundary*=us-ascii''b\n\n--b\n\nx\n--b--\n",
            "ambiguous-boundary",
        ),
    ],
    ids=["cut", "parts", "boundary"],
)
def test_what_was_not_read_is_refused_where_applications_send(body: bytes, defect: str) -> None:
    """The classifier is unsure, and the gate refuses."""
    assert Message.read(HEAD + body).unread == (defect,)
    assert classify(HEAD + body).flow is None
    verdict = gate("oak.example").check(HEAD + body, flow="transactional")
    assert verdict.decision is GateDecision.REJECT
    assert "unread-text" in {reason.code for reason in verdict.why}


def test_outside_disguises() -> None:
    """An advert in disguise is no plain accept; a reset in an ordinary form is accepted."""
    asked = gate("example.org")
    for row in map(json.loads, cases("message-2/adverts.jsonl").splitlines()):
        raw = "".join(p if isinstance(p, str) else p[0] * p[1] for p in row["message"]).encode("latin-1")
        verdict = asked.check(raw, flow="transactional")
        is_plain = verdict.decision is GateDecision.ACCEPT and not verdict.findings
        assert is_plain == (row["want"] == "accept"), row["id"]


def test_outside_senders() -> None:
    """Who is accepted as the sender is who the standard library reads."""
    asked = gate("example.org")
    for row in map(json.loads, cases("message-2/senders.jsonl").splitlines()):
        fields = {"From": "no-reply@notify.example.org", "To": "ada@example.net"} | {
            row["field"]: row["value"]
        }
        head = "".join(f"{name}: {value}\n" for name, value in fields.items()).encode("latin-1")
        raw = head + b"Subject: Reset your password\nDate: Sat, 28 Nov 2026 20:00:00 +0000\n\n" + RESET
        verdict = asked.check(raw, flow="transactional")
        is_accepted = verdict.decision is GateDecision.ACCEPT
        found = [Message.read(raw).sender.address] if row["field"] == "From" else list(verdict.accepted)
        assert not is_accepted or found == row["reads"], row["value"]
        assert is_accepted or row["kind"] != "ordinary", row["value"]


def test_outside_floods() -> None:
    """A flood of one mark costs in proportion to its bytes: four times as many never cost sixteen times.

    The 150 ms for a megabyte are measured by ``benchmarks/hostile_input.py``.
    """
    asked = gate("example.org")
    asked.check(HEAD + b"\n" + RESET, flow="transactional")
    for row in map(json.loads, cases("message-2/floods.jsonl").splitlines()):
        assert (
            growth(partial(flooded, row), partial(asked.check, flow="transactional"), row["bytes"]) < MOST
        ), row


def flooded(row: dict[str, Any], size: int) -> bytes:
    """Return a message with so many bytes of one mark, in its HTML or in its From."""
    flood: bytes = row["unit"].encode() * (size // len(row["unit"]))
    if row["kind"] == "html":
        return HEAD + b"Content-Type: text/html\n\n" + flood
    return b"From: " + flood + HEAD.replace(b"From: ", b"") + b"\n" + RESET
