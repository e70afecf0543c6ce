"""Reports that somebody wrote to make a reader hang or fall over."""

from __future__ import annotations

import random
import tomllib
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from growth import MOST, growth
from hostile import mutated
from mailflows import MessageError
from mailflows.feedback import parse_autoreply, parse_bounce

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = b"From: MAILER-DAEMON@mx.example\nSubject: Undelivered Mail\n"
DSN = (
    HEAD + b'MIME-Version: 1.0\nContent-Type: multipart/report; boundary="b"\n\n--b\n\nSorry.\n--b\n'
    b"Content-Type: message/delivery-status\n\n"
)
FAILED = b"Final-Recipient: rfc822; ada@one.example\nAction: failed\nStatus: 5.1.1\n"
RETURNED = b"\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <1@sender.example>\nTo: ada@one.example\n\n"
DULL = b"All work and no play makes Jack a dull boy. "
MEGABYTE = 1024 * 1024

REPORTS = tomllib.loads(Path(__file__).with_name("layouts.toml").read_text("utf-8"))["report"]
ORIGINALS = [
    DSN + FAILED + RETURNED + b"Hello\n--b--\n",
    *(
        f"From: {r['from']}\nSubject: {r['subject']}\n{r.get('more', '')}\n{r['text']}".encode()
        for r in REPORTS
    ),
]


def test_thirty_megabytes_that_came_back() -> None:
    """A returned message of 30 MB changes nothing that is found, and costs in proportion."""
    returned = repeated(DSN + FAILED + RETURNED, DULL, b"\n--b--\n")
    (event,) = parse_bounce(returned(30 * MEGABYTE))
    assert (event.recipient, event.message_id) == ("ada@one.example", "1@sender.example")
    assert growth(returned, parse_bounce, 8 * MEGABYTE) < MOST


def test_thirty_megabytes_behind_a_text() -> None:
    """The same without parts: a text, and the message behind it."""
    text = b"\n<ada@one.example>: user unknown\n\n--- Below this line is a copy of the message.\n\n"
    returned = repeated(HEAD + text + b"Received: x\nMessage-ID: <1@sender.example>\n\n", DULL)
    (event,) = parse_bounce(returned(30 * MEGABYTE))
    assert (event.recipient, event.message_id) == ("ada@one.example", "1@sender.example")
    assert growth(returned, parse_bounce, 8 * MEGABYTE) < MOST


def test_memory_stays_small() -> None:
    """Reading 30 MB takes no more than the message once again."""
    raw = repeated(DSN + FAILED + RETURNED, DULL, b"\n--b--\n")(30 * MEGABYTE)
    tracemalloc.start()
    parse_bounce(raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 36 * 1024 * 1024


def repeated(head: bytes, unit: bytes, tail: bytes = b"") -> Callable[[int], bytes]:
    """Return what makes a message of any size that repeats a unit."""
    return lambda size: head + unit * (size // len(unit)) + tail


def counted(head: bytes, unit: bytes) -> Callable[[int], bytes]:
    """Return what makes a message of any size whose units have a number."""
    return lambda size: head + b"".join(unit % number for number in range(size // len(unit)))


STATUS_PART = b"\n--b\nContent-Type: message/delivery-status\n\nAction: failed\n"
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "recipients": counted(DSN, b"Final-Recipient: rfc822; a%d@x.example\nAction: failed\nStatus: 5.1.1\n\n"),
    "one field": repeated(DSN + b"Final-Recipient: rfc822; ", b"a"),
    "an address of at-signs": repeated(HEAD + b"\n", b"a@"),
    "addresses": repeated(HEAD + b"\nuser unknown\n", b"a@b.example\n"),
    "addresses on a line": repeated(HEAD + b"\n550 failed: ", b"<a@b.example> "),
    "different addresses": counted(HEAD + b"\nuser unknown\n", b"a%d@b.example\n"),
    "addresses in sentences": counted(HEAD + b"\nuser unknown\n", b"failed: a%d@b.example\n"),
    "blank lines": repeated(HEAD + b"\n", b"\n", b"original message follows\n" * 1000),
    "headers in the text": repeated(HEAD + b"\n550 x\n", b"Received: x\n"),
    "quotes": repeated(HEAD + b"\n", b"> ", b"Final-Recipient: rfc822; a@b.example\n"),
    "quoted fields": repeated(HEAD + b"\n", b"> Final-Recipient: rfc822; a@b.example\n"),
    "failed recipients": repeated(HEAD + b"X-Failed-Recipients: ", b"a@b.example, ", b"\n\nx"),
    "digits": repeated(HEAD + b"\n<a@b.example>: ", b"5.1."),
    "json": repeated(HEAD + b'\n{"notificationType": ', b"["),
    "status parts": repeated(DSN, STATUS_PART),
    "feedback": repeated(
        DSN.replace(b"delivery-status", b"feedback-report"), b"Original-Rcpt-To: a@b.example\n"
    ),
    "attached in attached": repeated(b"Subject: x\n", b"Content-Type: message/rfc822\n\nSubject: x\n"),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_megabyte(name: str) -> None:
    """A megabyte that is meant to take long costs in proportion to its length."""
    assert growth(HOSTILE[name], parse_bounce, 1_000_000) < MOST


@pytest.mark.parametrize("number", range(500))
def test_a_mutated_report(number: int) -> None:
    """A damaged report gives events or nothing; `tasks/fuzz_bounces.py` tries ten thousand."""
    chance = random.Random(number)
    raw = mutated(chance.choice(ORIGINALS), chance)
    try:
        events = parse_bounce(raw)
        parse_autoreply(raw)
    except MessageError:  # nothing of a message was left
        return
    assert all(str(event) for event in events)


def test_a_field_of_many_lines_is_read_in_linear_time() -> None:
    """A megabyte of continuation lines costs in proportion to its length."""
    assert growth(repeated(DSN + FAILED + b"Diagnostic-Code:\n", b" a\n"), parse_bounce, 1_000_000) < MOST
