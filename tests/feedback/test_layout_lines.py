"""Reports for people, line by line: whom they name, what they say of each, and where the message begins."""

from __future__ import annotations

import pytest

from mailflows.feedback import parse_bounce
from mailflows.feedback._address import domain_of, home_of
from mailflows.feedback._layouts import split_returned, told_about


def report(text: str, *fields: str, subject: str = "Undelivered Mail") -> list[tuple[str, str]]:
    """Return the events of a robot's report, each with the reply that it quotes."""
    head = ["From: MAILER-DAEMON@mx.example", "To: me@own.example", f"Subject: {subject}", *fields]
    raw = "\n".join([*head, "", text]).encode()
    return [(str(event), event.smtp_reply) for event in parse_bounce(raw)]


UNKNOWN = "bounced: ada@x.example (mailbox-unknown 5.1.1), suppress"


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("<ada@x.example>: 550 5.1.1 unknown", [(UNKNOWN, "550 5.1.1 unknown")]),
        (
            "<ada@x.example>: 550 5.1.1 no\n<bob@x.example>: 452 4.2.2 full",
            [
                (UNKNOWN, "550 5.1.1 no"),
                ("bounced: bob@x.example (mailbox-full 4.2.2), retry", "452 4.2.2 full"),
            ],
        ),
        (
            "<me@own.example>: 550 5.1.1 unknown",
            [("bounced: me@own.example (mailbox-unknown 5.1.1), suppress", "550 5.1.1 unknown")],
        ),
        (
            "The message to ada@x.example could not be delivered, contact bob@x.example",
            [
                (
                    "bounced: ada@x.example (other)",
                    "The message to ada@x.example could not be delivered, contact bob@x.example",
                )
            ],
        ),
        ("<me@own.example>: 550 5.1.1 no\n<ada@x.example>: 550 5.1.1 no", [(UNKNOWN, "550 5.1.1 no")]),
    ],
)
def test_a_report_in_words_names_its_recipients(text: str, events: list[tuple[str, str]]) -> None:
    """Each with its own reply; who only is to be asked is none, nor is the sender beside another."""
    assert report(text) == events


def test_a_robot_that_tells_of_something_else_says_nothing() -> None:
    """Maintenance and holidays are no failures."""
    assert report("We are on holiday, ada@x.example", subject="Maintenance") == []


def test_a_field_may_name_those_who_failed() -> None:
    """Each once; the reply is then that of all."""
    failed = "X-Failed-Recipients: ada@x.example, ada@x.example, bob@x.example"
    found = report("550 5.1.1 no", failed)
    assert [line for line, _ in found] == [UNKNOWN, UNKNOWN.replace("ada", "bob")]
    assert report("550 5.1.1 no", "X-Failed-Recipients: ada@x.example") == [(UNKNOWN, "550 5.1.1 no")]


@pytest.mark.parametrize(
    ("recipients", "text", "told"),
    [
        (["Ada@x.example"], "the whole text", {"ada@x.example": "the whole text"}),
        (
            ["ada@x.example", "bob@x.example"],
            "<ada@x.example>: one\n<bob@x.example>: two\n",
            {"ada@x.example": "one", "bob@x.example": "two"},
        ),
        (
            ["ada@x.example", "bob@x.example"],
            "no\nabout ADA@x.example here\nno\nand ada@x.example again",
            {"ada@x.example": "about ADA@x.example here\nand ada@x.example again", "bob@x.example": ""},
        ),
        ([], "nobody", {}),
    ],
)
def test_what_a_text_tells_of_one_is_told_of_that_one(
    recipients: list[str], text: str, told: dict[str, str]
) -> None:
    """Of one alone the whole text; of several, what stands behind each or in its lines."""
    assert told_about(recipients, text) == told


FIRST = "Return-Path: <me@own.example>"


@pytest.mark.parametrize(
    ("lines", "at"),
    [
        (["said", "----- Original message -----", "x"], 1),
        (["----- Original message -----", "x"], None),
        (["", "----- Original message -----", "x"], None),
        (["said", FIRST, "From: a@x.example"], 1),
        (["said", FIRST, " folded", "To: b@x.example"], 1),
        (["said", FIRST, "\tfolded", "To: b@x.example"], 1),
        (["said", FIRST, "", "more"], None),
        (["said", FIRST, "one", "two", "To: b@x.example"], 1),
        (["said", FIRST, "one", "two", "three", "To: b@x.example"], None),
        (["said", FIRST, *[" folded"] * 10, "To: b@x.example"], 1),
        (["said", FIRST, *[" folded"] * 11, "To: b@x.example"], None),
        (["said", "Subject: x", "To: b@x.example"], None),
    ],
)
def test_a_report_ends_where_the_returned_message_begins(lines: list[str], at: int | None) -> None:
    """At a line that says so, or at its header: a field that only a message has, and another near it."""
    told, returned = split_returned("\n".join(lines))
    assert told.split("\n") == (lines if at is None else lines[:at])
    assert returned.split("\n") == ([""] if at is None else lines[at:])


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("a@X.Example", "x.example"),
        ("a@m\u00fcnchen.example", "xn--mnchen-3ya.example"),
        ("a@b@x.example", "x.example"),
    ],
)
def test_a_domain_is_written_in_a_labels(address: str, domain: str) -> None:
    """In lower case, behind the last sign."""
    assert domain_of(address) == domain
    assert home_of("a@gmail.com") == home_of("b@googlemail.com") == "google"
