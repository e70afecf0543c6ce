"""Whose fault it is: the outside replies, and the same reply everywhere."""

from __future__ import annotations

import json

import pytest

from mailflows.feedback import Action, Fault, from_reply, read_reply
from mailflows.limits import MemoryStore
from mailflows.reputation._record import tally_of
from mailflows.senders import SenderControl
from shared_cases import cases

OURS = frozenset({Action.PAUSE_FLOW, Action.FIX_CONFIG})


def test_outside_replies() -> None:
    """Each of the outside replies has a right action; ours never suppress, and say what to mend."""
    wrong = []
    for line in cases("feedback-2/replies.jsonl").splitlines():
        row = json.loads(line)
        event = from_reply(row["code"], row["text"], recipient="ada@example.org")
        is_right = event.action in row["action"] and (event.action is Action.SUPPRESS) == row["unknown"]
        if not is_right or (row["own"] and event.action not in OURS):
            wrong.append((row["text"], str(event.reason), str(event.action)))
    assert wrong == []


def test_the_same_reply_means_the_same_everywhere() -> None:
    """Who is suppressed counts as an invalid recipient of its sender and of its flow, and nobody else."""
    for line in cases("feedback-2/replies.jsonl").splitlines():
        row = json.loads(line)
        code, text = row["code"], row["text"]
        event = from_reply(code, text, recipient="ada@example.org")
        senders = SenderControl(store=MemoryStore())
        invalid = senders.report("bob@sender.example", code=code, text=text).invalid
        assert invalid == (event.action is Action.SUPPRESS) == tally_of(event).counts.bounced, text
        assert read_reply(code, text).is_unknown == bool(invalid)


@pytest.mark.parametrize(
    ("code", "text", "fault"),
    [
        (550, "5.1.1 User unknown", Fault.RECIPIENT),
        (552, "5.2.2 Mailbox full", Fault.RECIPIENT),
        (550, "5.7.26 This message does not pass DMARC", Fault.SENDER),
        (535, "5.7.8 Authentication credentials invalid", Fault.RELAY),
        (451, "4.3.2 System is shutting down", Fault.RECEIVER),
        (250, "2.0.0 Ok", None),
    ],
)
def test_fault(code: int, text: str, fault: Fault | None) -> None:
    """Sender, relay, recipient and receiver are told apart."""
    assert read_reply(code, text).fault == fault
