"""What smtplib and aiosmtplib raise, as events."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime
from typing import Any

import aiosmtplib
import pytest

from mailflows import ConfigurationError, Flow
from mailflows.feedback import from_reply, from_smtp_exception
from mailflows.testing import FixedClock

UNKNOWN = (550, b"5.1.1 User unknown")


@pytest.mark.parametrize(
    ("code", "text", "found"),
    [
        (250, "2.0.0 queued", ("sent", None, "none", None)),
        (550, "5.1.1 No such user", ("bounced", "mailbox-unknown", "suppress", True)),
        (450, "4.1.1 No such user", ("deferred", "mailbox-unknown", "retry", False)),
        (
            554,
            b"5.7.1 blocked using zen.dnsbl.example",
            ("bounced", "blocked-reputation", "pause-flow", True),
        ),
        (421, "", ("deferred", "temporary", "retry", False)),
        (550, "", ("bounced", "other", "none", True)),
        (552, "", ("bounced", "mailbox-full", "retry", True)),
    ],
)
def test_reply(code: int, text: str | bytes, found: tuple[str, str | None, str, bool | None]) -> None:
    """A reply becomes an event by its code and its words."""
    event = from_reply(code, text)
    assert (event.type, event.reason, event.action, event.permanent) == found


def test_no_reply_code() -> None:
    """A number that is no reply code is said so."""
    with pytest.raises(ConfigurationError, match="reply code"):
        from_reply(42)


def test_facts_of_the_message_are_kept() -> None:
    """What the caller knows of the message stands in the event."""
    error = smtplib.SMTPRecipientsRefused({"ada@one.example": UNKNOWN})
    clock = FixedClock()
    (event,) = from_smtp_exception(error, message_id="1@x", flow=Flow.TRANSACTIONAL, clock=clock)
    assert (event.message_id, event.flow, event.time, event.provider) == (
        "1@x",
        "transactional",
        datetime(2026, 1, 1, tzinfo=UTC),
        "smtp",
    )


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPRecipientsRefused({"ada@one.example": UNKNOWN, "bob@two.example": (452, b"4.2.2 full")}),
        aiosmtplib.SMTPRecipientsRefused(
            [
                aiosmtplib.SMTPRecipientRefused(550, "5.1.1 User unknown", "ada@one.example"),
                aiosmtplib.SMTPRecipientRefused(452, "4.2.2 full", "bob@two.example"),
            ]
        ),
        {"ada@one.example": UNKNOWN, "bob@two.example": (452, b"4.2.2 full")},
    ],
    ids=["smtplib", "aiosmtplib", "the return value of sendmail"],
)
def test_refused_recipients(error: BaseException) -> None:
    """Each refused recipient is an event of its own."""
    assert [(e.recipient, e.type, e.reason) for e in from_smtp_exception(error)] == [
        ("ada@one.example", "bounced", "mailbox-unknown"),
        ("bob@two.example", "deferred", "mailbox-full"),
    ]


def test_a_refused_sender_for_another_reason() -> None:
    """What is said of the sender keeps its reason where that blames no address."""
    error = smtplib.SMTPSenderRefused(554, b"5.7.1 blocked using a blocklist", "news@sender.example")
    assert [event.action for event in from_smtp_exception(error)] == ["pause-flow"]


def test_one_refused_recipient() -> None:
    """The exception of aiosmtplib for a single recipient names it."""
    error = aiosmtplib.SMTPRecipientRefused(550, "5.1.1 User unknown", "ada@one.example")
    assert [event.recipient for event in from_smtp_exception(error)] == ["ada@one.example"]


@pytest.mark.parametrize(
    "error",
    [smtplib.SMTPDataError(554, b"5.7.1 spam"), aiosmtplib.SMTPDataError(554, "5.7.1 spam")],
    ids=["smtplib", "aiosmtplib"],
)
def test_refused_data(error: BaseException) -> None:
    """A refusal of the message is one for each of its recipients."""
    events = from_smtp_exception(error, recipients=["ada@one.example", "bob@two.example"])
    assert [(e.recipient, e.reason) for e in events] == [
        ("ada@one.example", "blocked-content"),
        ("bob@two.example", "blocked-content"),
    ]


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPSenderRefused(550, b"5.1.1 User unknown", "news@sender.example"),
        aiosmtplib.SMTPSenderRefused(550, "5.1.1 User unknown", "news@sender.example"),
        smtplib.SMTPAuthenticationError(535, b"5.1.1 User unknown"),
    ],
    ids=["smtplib", "aiosmtplib", "login"],
)
def test_a_refused_sender_suppresses_no_recipient(error: BaseException) -> None:
    """What is said of the sender is nothing to hold against a recipient."""
    (event,) = from_smtp_exception(error, recipients=["ada@one.example"])
    assert event.action == "fix-config"


@pytest.mark.parametrize(
    "error",
    [TimeoutError("timed out"), smtplib.SMTPServerDisconnected("gone"), aiosmtplib.SMTPTimeoutError("slow")],
    ids=["timeout", "smtplib", "aiosmtplib"],
)
def test_a_broken_connection_is_a_deferral(error: BaseException) -> None:
    """Without a reply nobody refused anything: the message may be taken later."""
    (event,) = from_smtp_exception(error, recipients=["ada@one.example"])
    assert (event.type, event.reason, event.action, event.smtp_code) == (
        "deferred",
        "connection",
        "retry",
        None,
    )


@pytest.mark.parametrize("reply", [None, (99, b"x"), ("550", b"x"), (0, b""), (550,), "x"])
def test_a_refusal_without_a_reply_blames_nobody(reply: object) -> None:
    """Where a library has no reply of a recipient, it is a deferral, and the others are read."""
    error = smtplib.SMTPRecipientsRefused({"ada@one.example": reply, "bob@two.example": UNKNOWN})  # type: ignore[dict-item]
    assert [event.type for event in from_smtp_exception(error)] == ["deferred", "bounced"]


@pytest.mark.parametrize("code", [None, "550", 550.5, 10**400])
def test_a_code_of_a_wrong_type_is_a_clear_error(code: Any) -> None:
    """What is no whole number from 200 to 599 is told what is expected."""
    with pytest.raises(ConfigurationError, match="is not an SMTP reply code"):
        from_reply(code)


def test_a_reply_without_text_says_nothing() -> None:
    """The word "None" is nobody's answer."""
    assert from_reply(550, None).smtp_reply == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "type_"),
    [(400, "deferred"), (499, "deferred"), (500, "bounced"), (501, "bounced"), (599, "bounced")],
)
def test_the_first_digit_says_whether_it_is_final(code: int, type_: str) -> None:
    """From 400 a reply puts off, from 500 it refuses (RFC 5321 section 4.2.1), from any of the doors."""
    (event,) = from_smtp_exception(smtplib.SMTPResponseException(code, b"no"), recipients=["ada@one.example"])
    assert (from_reply(code, "no").type, event.type, event.smtp_code) == (type_, type_, code)
