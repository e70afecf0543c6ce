"""Whose fault it is: the outside replies, and the same reply everywhere."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from mailflows.feedback import Action, BounceReason, Fault, from_reply, read_reply
from mailflows.limits import MemoryStore
from mailflows.reputation._counts import tally_of
from mailflows.senders import SenderControl
from shared_cases import cases

HERE = Path(__file__).parent
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


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table of replies."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("row", rows(HERE / "wordings.tsv"), ids=lambda row: row["text"][:50])
def test_other_wordings(row: dict[str, str]) -> None:
    """What no table has in these words is understood by its kind."""
    assert str(read_reply(int(row["code"]), row["text"]).action) == row["action"]


def test_the_open_corpus_of_replies() -> None:
    """Of replies of a hundred providers, suppressions are right, and our own faults are known."""
    found = rows(HERE.parents[1] / "corpus" / "replies.tsv")
    assert len(found) >= 500
    assert len({row["provider"] for row in found}) >= 30
    wrong = [row["text"] for row in found if suppresses(row) != (row["action"] == "suppress")]
    ours = [row for row in found if row["action"] in OURS and row["code"][0] == "5"]
    unknown = [row["text"] for row in ours if read_reply(int(row["code"]), row["text"]).action not in OURS]
    assert (wrong, unknown) == ([], [])


def suppresses(row: dict[str, str]) -> bool:
    """Say whether a reply suppresses its recipient."""
    return read_reply(int(row["code"]), row["text"]).action is Action.SUPPRESS


def test_the_corpus_says_of_each_class_what_the_library_says() -> None:
    """Fault and action of a row follow from its class."""
    for row in rows(HERE.parents[1] / "corpus" / "replies.tsv"):
        reason = BounceReason(row["class"])
        action = reason.action(final=row["code"][0] == "5")
        assert (str(reason.fault), str(action)) == (row["fault"], row["action"]), row["text"]
