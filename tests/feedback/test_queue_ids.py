"""The queue id under which a server takes a message, and by which its reports name it."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows import _data
from mailflows.feedback import from_reply, parse_bounce

SHAPES: list[dict[str, Any]] = tomllib.loads(_data.read("feedback/queue-ids.toml"))["shape"]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape["server"])
def test_a_shape_of_the_table(shape: dict[str, Any]) -> None:
    """The event of the reply has the id, whichever shape comes first in the table."""
    assert from_reply(250, shape["sample"], recipient="ada@example.org").queue_id == shape["id"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.0.0 Ok: queued as 9D2A81C0B7", "9D2A81C0B7"),
        ("2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4FxyzAB12z", "4FxyzAB12z"),
        ("OK id=1uAbCd-0001XY-2F", "1uAbCd-0001XY-2F"),
        ("ok ; id=20120227140036M0700qer4ne", "20120227140036M0700qer4ne"),
        ("Requested mail action okay, completed: id=1MabcD-1abcde0f1g-00abcd", "1MabcD-1abcde0f1g-00abcd"),
        ("2.0.0 7fb3c1a2 Message accepted for delivery", "7fb3c1a2"),
        ("2.6.0 <a@b.example> [InternalId=23138874] Queued mail for delivery", "23138874"),
        ("OK queued as 3f0a7c1e-2b4d-4e8f-9a1b-0c2d3e4f5a6b.", "3f0a7c1e-2b4d-4e8f-9a1b-0c2d3e4f5a6b"),
    ],
)
def test_replies_as_servers_give_them(text: str, expected: str) -> None:
    """One behind a content filter, old and new ids of Exim, an id at the end of a sentence."""
    assert from_reply(250, text).queue_id == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "2.0.0 Ok", "ok dirdel", "Queued mail for delivery", "2.5.0 Message accepted for delivery"),
        *("Great success", "queued", "2.0.0 Ok: queued as", "Requested mail action okay, completed"),
    ],
)
def test_a_reply_that_names_none(text: str) -> None:
    """No word is taken for an id."""
    assert from_reply(250, text).queue_id is None


def test_a_refusal_has_none() -> None:
    """What was not taken is in no queue, whatever the reply says."""
    assert from_reply(451, "4.3.0 queued as 4Fxyz91mWk, and thrown away").queue_id is None


@pytest.mark.property
@given(st.text(max_size=300))
def test_an_id_is_one_word(text: str) -> None:
    """Whatever a server says: an id has no white space, no quotes and no control characters."""
    found = from_reply(250, f"queued as {text}").queue_id
    assert found is None or (found.isascii() and found.isprintable() and not set(found) & set(" \"'"))


def test_a_report_names_the_queue_id() -> None:
    """Postfix writes the id into its bounce, so the bounce can be matched with the reply."""
    report = (
        b"From: MAILER-DAEMON@relay.example (Mail Delivery System)\r\n"
        b"Subject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain\r\n\r\nIt could not be delivered.\r\n\r\n"
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; relay.example\r\n"
        b"X-Postfix-Queue-ID: 4Fxyz91mWk\r\nX-Postfix-Sender: rfc822; noreply@shop.example\r\n\r\n"
        b"Final-Recipient: rfc822; gone@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        b"Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\n\r\n--b--\r\n"
    )
    (event,) = parse_bounce(report)
    assert (event.recipient, event.queue_id) == ("gone@example.org", "4Fxyz91mWk")
