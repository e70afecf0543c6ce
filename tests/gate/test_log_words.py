"""The words of the line that the log has for each message, and two things that a gate is made of."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import Flow, Gate, Message
from mailflows.classifier import Model
from mailflows.feedback import Event, EventType
from mailflows.gate import Context, Finding, GateDecision
from mailflows.gate._check import Check, TurnedAway
from mailflows.gate._mail_log import _LONGEST_WORD, _counted, _sender, _states, _why, _word
from mailflows.gate._parts import _findings

if TYPE_CHECKING:
    from pathlib import Path

RAW = b"From: a@x.example\nTo: b@x.example, c@x.example\nSubject: s\n\nHello"


def checked() -> Check:
    """Return a message for two that nobody has looked at."""
    return Check(Message.read(RAW), RAW, Context())


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("abc", "abc"),
        ('a b"c\td\x1b', "a?b?c?d?"),
        ("x" * _LONGEST_WORD, "x" * _LONGEST_WORD),
        ("x" * (_LONGEST_WORD + 1), "x" * _LONGEST_WORD + "…"),
    ],
)
def test_a_word_of_the_log_is_one_word(text: str, word: str) -> None:
    """No white space, no quotation mark, nothing that drives a terminal, and not without end."""
    assert _word(text) == word


@pytest.mark.parametrize(
    ("address", "shown"),
    [("", "<>"), ("ada@x.example", "…@x.example"), ("a@b@x.example", "…@x.example"), ("ada", "…")],
)
def test_a_sender_is_shown_without_its_local_part(address: str, shown: str) -> None:
    """It may name a person; the null sender is that of a report."""
    assert _sender(address) == shown


@pytest.mark.parametrize(
    ("states", "fields"),
    [
        ({}, [("status", "-")]),
        ({"sent": 2}, [("status", "sent")]),
        ({"sent": 2, "refused": 0}, [("status", "sent")]),
        ({"sent": 2, "refused": 1}, [("status", "mixed"), ("refused", "1"), ("sent", "2")]),
    ],
)
def test_a_state_is_told_or_all_of_them(states: dict[str, int], fields: list[tuple[str, str]]) -> None:
    """With the number of recipients where they differ."""
    assert list(_counted(Counter(states))) == fields


BOUNCED = Event(EventType.BOUNCED, "b@x.example", smtp_code=550, smtp_reply="no")


def test_why_a_message_did_not_leave() -> None:
    """The gate's reasons, else the relay's reply, else who was refused, else what was turned away."""
    stopped = checked()
    stopped.say("guard", "no", "no", GateDecision.REJECT)
    assert _why(stopped.verdict(dry_run=False), [BOUNCED]) == "guard: no"
    fine = checked().verdict(dry_run=False)
    sent = Event(EventType.SENT, "c@x.example", smtp_code=250, smtp_reply="ok")
    assert _why(fine, [sent, Event(EventType.BOUNCED, "b@x.example"), BOUNCED]) == "550 no"
    assert _why(fine, [sent]) == ""
    some = checked()
    some.refuse("recipients", "unknown", "it is unknown", ["b@x.example"])
    assert _why(some.verdict(dry_run=False), [sent]) == "recipients: it is unknown"
    assert _why(some.verdict(dry_run=True), [sent]) == ""
    away = checked()
    away.turned_away = (TurnedAway("RCPT", 550, "who?"), TurnedAway("RCPT", 450, "later"))
    assert _why(away.verdict(dry_run=False), []) == "550 who?"


@pytest.mark.parametrize(
    ("events", "reply", "states"),
    [
        ([], None, {"unsent": 2}),
        ([], (None, "gone"), {"unsent": 2}),
        ([], (450, "later"), {"deferred": 2}),
        ([], (500, "no"), {"refused": 2}),
        ([BOUNCED, Event(EventType.SENT, "c@x.example")], None, {"refused": 1, "sent": 1}),
    ],
)
def test_every_recipient_has_a_state(
    events: list[Event], reply: tuple[int | None, str] | None, states: dict[str, int]
) -> None:
    """By its event; without one, by the relay's reply to all of them."""
    assert dict(_states(checked().verdict(dry_run=False), events, reply)) == states


def test_those_whom_the_gate_left_out_have_a_state_too() -> None:
    """For good or for now; in a dry run nobody was left out."""
    some = checked()
    some.refuse("recipients", "unknown", "it is unknown", ["b@x.example"])
    sent = [Event(EventType.SENT, "c@x.example")]
    assert dict(_states(some.verdict(dry_run=False), sent, None)) == {"refused": 1, "sent": 1}
    assert dict(_states(some.verdict(dry_run=True), sent, None)) == {"sent": 1}
    later = checked()
    later.refuse("limits", "limited", "full", ["b@x.example"], retry=60.0)
    assert dict(_states(later.verdict(dry_run=False), sent, None)) == {"deferred": 1, "sent": 1}


FOUND = Finding("virus", "a virus")


@pytest.mark.parametrize(
    ("answer", "found"),
    [(None, ()), (FOUND, (FOUND,)), ([FOUND, FOUND], (FOUND, FOUND)), (iter([FOUND]), (FOUND,)), ([], ())],
)
def test_a_scanner_answers_with_findings(answer: Any, found: tuple[Finding, ...]) -> None:
    """None, one or several."""
    assert _findings(answer) == found


@pytest.mark.parametrize("answer", ["virus", b"virus", {"virus": 1}, [1], 7, True])
def test_another_answer_of_a_scanner_is_a_fault_of_it(answer: Any) -> None:
    """Its kind is named, also of a text, which is no several."""
    with pytest.raises(TypeError, match="a scanner must return None, a Finding or several; got"):
        _findings(answer)


def test_a_file_may_name_its_own_model(tmp_path: Path) -> None:
    """Beside itself, with a threshold of its own."""
    Model.shipped().save(tmp_path / "own.json")
    flows = tmp_path / "flows.toml"
    tables = (
        '[flows.transactional]\ndomains = "x.example"\n[classifier]\nmodel = "own.json"\nthreshold = 0.5\n'
    )
    flows.write_text(tables, "utf-8")
    gate = Gate.from_toml(flows)
    assert gate.check(RAW, flow=Flow.TRANSACTIONAL).classification is not None
    assert gate._parts.classifier.threshold == 0.5


def test_a_file_may_ask_for_rules_alone_and_for_a_providers_limits(tmp_path: Path) -> None:
    """Without a trained model; by any spelling of the provider."""
    flows = tmp_path / "flows.toml"
    flows.write_text(
        '[flows.professional]\ndomains = "x.example"\n[classifier]\nheuristic = true\nthreshold = 0.5\n'
        '[limits]\nprofessional = "Gmail"\n',
        "utf-8",
    )
    gate = Gate.from_toml(flows)
    classifier = gate._parts.classifier
    assert (classifier.model.about["name"], classifier.threshold) == ("heuristics", 0.5)
    limiter = gate._parts.limiters[Flow.PROFESSIONAL]
    assert [limit.kind for limit in limiter.limits] == ["account"]
