"""Standard reports, complaints, and what is no report at all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailflows import Flow, MessageError
from mailflows.feedback import Event, Verp, parse_autoreply, parse_bounce

RETURNED = """Content-Type: message/rfc822

Message-ID: <42@sender.example>
From: news@sender.example
To: ada@one.example
Subject: Spring

Hello
"""


def report(fields: str, *, kind: str = "message/delivery-status", returned: str = RETURNED) -> bytes:
    """Return a standard report about some fields."""
    return f"""From: MAILER-DAEMON@mx.sender.example
To: news@sender.example
Subject: Undelivered Mail Returned to Sender
Date: Thu, 01 Jan 2026 12:00:00 +0100
Message-ID: <report-1@mx.sender.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=b="

--=b=
Content-Type: text/plain

Your message could not be delivered.

--=b=
Content-Type: {kind}

{fields}

--=b=
{returned}
--=b=--
""".encode()


def failed(
    recipient: str, said: str, *, status: str = "5.0.0", more: str = "", action: str = "failed"
) -> str:
    """Return the fields about one recipient."""
    return (
        f"Reporting-MTA: dns; mx.sender.example\n\nFinal-Recipient: rfc822; {recipient}\n{more}"
        f"Action: {action}\nStatus: {status}\nDiagnostic-Code: smtp; {said}\n"
    )


def only(events: tuple[Event, ...]) -> Event:
    """Return the one event of a report."""
    assert len(events) == 1
    return events[0]


UNKNOWN = report(failed("ada@one.example", "550 5.1.1 User unknown", status="5.1.1"))


def test_a_standard_report() -> None:
    """A standard report names recipient, status, reply, reason and action."""
    event = only(parse_bounce(UNKNOWN))
    assert (event.recipient, event.status, event.smtp_code, event.reason, event.action, event.provider) == (
        "ada@one.example",
        "5.1.1",
        550,
        "mailbox-unknown",
        "suppress",
        "dsn",
    )


def test_the_returned_message_is_named() -> None:
    """The Message-ID is that of the message that came back, not of the report."""
    assert only(parse_bounce(UNKNOWN)).message_id == "42@sender.example"


def test_the_time_is_utc() -> None:
    """Without a time of its own, an event happened when the report was written."""
    assert only(parse_bounce(UNKNOWN)).time == datetime(2026, 1, 1, 11, tzinfo=UTC)


def test_the_last_attempt_is_the_time() -> None:
    """Where the fields say when it was last tried, that is the time."""
    more = "Last-Attempt-Date: Wed, 31 Dec 2025 23:00:00 +0000\n"
    event = only(parse_bounce(report(failed("ada@one.example", "550 no", more=more))))
    assert event.time == datetime(2025, 12, 31, 23, tzinfo=UTC)


def test_the_flow_is_kept() -> None:
    """The flow whose return path received a report stands in its events."""
    assert only(parse_bounce(UNKNOWN, flow=Flow.MARKETING)).flow is Flow.MARKETING


def test_a_second_copy_has_the_same_name() -> None:
    """A report that comes twice, by another way, names the same events."""
    again = b"Received: from elsewhere by mx; Thu, 1 Jan 2026 12:00:00 +0000\n" + UNKNOWN
    assert only(parse_bounce(again)).event_id == only(parse_bounce(UNKNOWN)).event_id


def test_another_report_has_another_name() -> None:
    """By its Message-ID, or all of it where it has none: a mailbox may be full twice."""
    others = [UNKNOWN.replace(b"report-1@", b"report-2@"), UNKNOWN.replace(b"Message-ID: <report", b"X-Y: <")]
    others.append(others[1].replace(b"12:00", b"12:01"))
    names = {only(parse_bounce(raw)).event_id for raw in (UNKNOWN, *others)}
    assert len(names) == 4


def test_recipients_of_one_report_have_names_of_their_own() -> None:
    """Two recipients of a report are two events, each with its own id."""
    second = failed("bob@two.example", "552 5.2.2 Mailbox full", status="5.2.2").partition("\n\n")[2]
    events = parse_bounce(report(failed("ada@one.example", "550 5.1.1 User unknown") + "\n" + second))
    assert [(e.recipient, e.reason) for e in events] == [
        ("ada@one.example", "mailbox-unknown"),
        ("bob@two.example", "mailbox-full"),
    ]
    assert len({event.event_id for event in events}) == 2


def test_a_delay() -> None:
    """What is still tried is deferred, and never suppresses."""
    event = only(
        parse_bounce(
            report(failed("ada@one.example", "450 4.1.1 User unknown", action="delayed", status="4.1.1"))
        )
    )
    assert (event.type, event.action, event.permanent) == ("deferred", "retry", False)


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_a_delivery(action: str) -> None:
    """A receipt (RFC 3464 section 2.3.3) is an event, too, with its status: it sets soft bounces back."""
    event = only(parse_bounce(report(failed("ada@one.example", "250 ok", action=action, status="2.0.0"))))
    assert (event.type, event.action, event.status) == ("delivered", "none", "2.0.0")


def test_the_reply_is_kept_on_one_line() -> None:
    """What the server said stands in the event, folded lines joined."""
    event = only(parse_bounce(report(failed("ada@one.example", "550 5.1.1 User\n  unknown  here"))))
    assert event.smtp_reply == "550 5.1.1 User unknown here"


def test_an_answer_to_a_question_is_nothing() -> None:
    """`Deliverable`, the answer to a mere question, is neither a delivery nor a bounce."""
    assert (
        parse_bounce(report(failed("ada@one.example", "250 ok", action="deliverable", status="2.1.5"))) == ()
    )


def test_an_international_address() -> None:
    """A recipient in UTF-8 is read in its escaped form (RFC 6533)."""
    fields = "Final-Recipient: utf-8; j\\x{F6}rg@one.example\nAction: failed\nStatus: 5.1.1\n"
    event = only(parse_bounce(report(fields, kind="message/global-delivery-status")))
    assert event.recipient == "jörg@one.example"


def test_a_forwarded_address() -> None:
    """Where mail was forwarded, the address that we wrote to is told beside the dead one."""
    more = "Original-Recipient: rfc822; old@one.example\n"
    event = only(parse_bounce(report(failed("new@two.example", "550 5.1.1 User unknown", more=more))))
    assert (event.recipient, event.original_recipient) == ("new@two.example", "old@one.example")


def test_a_source_route_is_taken_off() -> None:
    """The route before an address (RFC 5321 appendix C) is no part of it."""
    event = only(parse_bounce(report(failed("@relay.example:ada@one.example", "550 5.1.1 User unknown"))))
    assert event.recipient == "ada@one.example"


def test_a_pipe_is_no_recipient() -> None:
    """Where the fields name a program, the header of Exim names the recipient."""
    raw = b"X-Failed-Recipients: ada@one.example\n" + report(
        failed("|/usr/bin/vacation", "local delivery failed")
    )
    assert only(parse_bounce(raw)).recipient == "ada@one.example"


def test_fields_torn_by_a_blank_line() -> None:
    """Fields behind a stray blank line still belong to their recipient."""
    fields = "Final-Recipient: rfc822; ada@one.example\n\nAction: failed\nStatus: 5.1.1\n"
    assert only(parse_bounce(report(fields))).status == "5.1.1"


def test_a_status_that_is_none() -> None:
    """A reply code where the enhanced status should be is not taken for one."""
    event = only(parse_bounce(report(failed("ada@one.example", "unknown user", status="550"))))
    assert (event.status, event.reason) == (None, "mailbox-unknown")


def test_a_nested_report() -> None:
    """A report inside another multipart is found."""
    inner = UNKNOWN.decode().partition("\n\n")[2]
    raw = (
        "From: MAILER-DAEMON@mx.example\nSubject: failure\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="=o="\n\n--=o=\n'
        f'Content-Type: multipart/report; boundary="=b="\n\n{inner}\n--=o=\n\nfooter of a gateway\n--=o=--\n'
    )
    assert only(parse_bounce(raw)).recipient == "ada@one.example"


def test_an_attached_report() -> None:
    """A report that a colleague forwards as an attachment is found."""
    raw = (
        b"From: bob@sender.example\nSubject: look at this\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/mixed; boundary="=o="\n\n--=o=\n\nDid you see?\n--=o=\n'
        b"Content-Type: message/rfc822\n\n" + UNKNOWN + b"\n--=o=--\n"
    )
    assert only(parse_bounce(raw)).recipient == "ada@one.example"


def test_an_attachment_that_is_no_message() -> None:
    """An attachment that only claims to be a message is passed over."""
    raw = (
        b"From: bob@sender.example\nSubject: x\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/mixed; boundary="=o="\n\n--=o=\n'
        b"Content-Type: message/rfc822\n\n\n--=o=--\n"
    )
    assert parse_bounce(raw) == ()


def test_a_message_whose_report_says_nothing() -> None:
    """A report without a word about anybody is about the recipient of the returned message."""
    event = only(parse_bounce(report("Reporting-MTA: dns; mx")))
    assert (event.recipient, event.reason, event.action) == ("ada@one.example", "other", "none")


def test_a_quoted_report() -> None:
    """A report that a colleague quotes with its fields is found."""
    quoted = "\n".join(
        "> " + line for line in failed("ada@one.example", "550 5.1.1 User unknown").split("\n")
    )
    raw = f"From: bob@sender.example\nSubject: Fwd: failure\n\nSee:\n{quoted}\n"
    assert only(parse_bounce(raw)).recipient == "ada@one.example"


def test_a_lost_boundary() -> None:
    """A report whose Content-Type was lost on the way is read from its text."""
    raw = UNKNOWN.replace(b"Content-Type: multipart/report; report-type=delivery-status; boundary", b"X-Was")
    assert only(parse_bounce(raw)).reason == "mailbox-unknown"


def test_the_original_says_nothing_about_recipients() -> None:
    """Addresses and codes in the message that came back are not taken for a report's."""
    returned = RETURNED.replace("Hello", "Write to eve@other.example. 550 5.1.1 user unknown")
    event = only(parse_bounce(report(failed("ada@one.example", "554 5.7.1 Relay denied"), returned=returned)))
    assert (event.recipient, event.action) == ("ada@one.example", "fix-config")


COMPLAINT = """From: feedback@isp.example
Subject: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="=b="

--=b=
Content-Type: text/plain

This is an abuse report.
--=b=
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: isp/1
Version: 1
{more}
--=b=
{returned}
--=b=--
"""


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("abuse", ("complained", None, "suppress")),
        ("opt-out", ("unsubscribed", None, "suppress")),
        ("auth-failure", ("other", "auth-failure", "fix-config")),
        ("not-spam", ("other", None, "none")),
        ("x-of-the-future", ("complained", None, "suppress")),
    ],
)
def test_a_complaint(kind: str, found: tuple[str, str | None, str]) -> None:
    """A feedback report becomes an event as its type says."""
    event = only(parse_bounce(COMPLAINT.format(kind=kind, more="", returned=RETURNED)))
    assert (event.type, event.reason, event.action) == found


def test_a_complaint_of_outlook_has_no_fields() -> None:
    """Its feedback loop attaches the message, and names the recipient in a header of its own."""
    returned = (
        "Content-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: ada@one.example\nSubject: Sale\n\nHello"
    )
    head = "From: staff@hotmail.com\nSubject: complaint\nMIME-Version: 1.0\n"
    raw = f"{head}Content-Type: multipart/mixed; boundary=b\n\n--b\n{returned}\n--b--\n".encode()
    event = only(parse_bounce(raw))
    assert (event.type, event.recipient, event.action) == ("complained", "ada@one.example", "suppress")


def test_apple_unsubscribes_by_mail_of_the_recipient() -> None:
    """Who presses Unsubscribe in Apple Mail sends a message with a header of its own: its sender leaves."""
    raw = b"From: Ada <ada@one.example>\nTo: leave@sender.example\nX-Apple-Unsubscribe: true\n\nUnsubscribe\n"
    event = only(parse_bounce(raw))
    assert (event.type, event.recipient) == ("unsubscribed", "ada@one.example")


def test_a_complaint_names_the_recipient_of_the_message() -> None:
    """Where the fields name nobody, the recipient of the returned message complained."""
    event = only(parse_bounce(COMPLAINT.format(kind="abuse", more="", returned=RETURNED)))
    assert (event.recipient, event.message_id) == ("ada@one.example", "42@sender.example")


def test_a_complaint_about_several() -> None:
    """A feedback report may name several recipients (RFC 5965 section 3.2)."""
    more = "Original-Rcpt-To: <ada@one.example>\nOriginal-Rcpt-To: <bob@two.example>"
    events = parse_bounce(COMPLAINT.format(kind="abuse", more=more, returned=RETURNED))
    assert [event.recipient for event in events] == ["ada@one.example", "bob@two.example"]


def test_a_complaint_without_a_name_suppresses_nobody() -> None:
    """A complaint whose recipient was blacked out is counted, and suppresses nobody."""
    returned = RETURNED.replace("ada@one.example", "undisclosed")
    event = only(parse_bounce(COMPLAINT.format(kind="abuse", more="", returned=returned)))
    assert (event.recipient, event.action) == (None, "none")


ABSENT = [
    ("From: ada@one.example\nAuto-Submitted: auto-replied\nSubject: Re: Spring\n", "I am away."),
    ("From: ada@one.example\nReturn-Path: <>\nSubject: Automatic reply: Spring\n", "I am away."),
    ("From: ada@one.example\nSubject: Réponse automatique : printemps\n", "Je suis absente."),
    ("From: ada@one.example\nSubject: Ausente do escritório: oferta\n", "Volto na segunda-feira."),
    ("From: ada@one.example\nSubject: Frånvarande: vår\n", "Jag är tillbaka på måndag."),
    ("From: ada@one.example\nPrecedence: auto_reply\nSubject: Spring\n", "Ask\nbob@one.example\nnow."),
    ("From: ada@one.example\nX-Autoreply: yes\nSubject: Spring\n", "550 5.1.1 is what others say."),
]


@pytest.mark.parametrize(("headers", "text"), ABSENT, ids=range(len(ABSENT)))
def test_an_absence_is_no_bounce(headers: str, text: str) -> None:
    """An absence message gives no bounce, whatever it says."""
    assert parse_bounce(f"{headers}\n{text}\n") == ()


@pytest.mark.parametrize(("headers", "text"), ABSENT, ids=range(len(ABSENT)))
def test_an_absence_is_an_automatic_answer(headers: str, text: str) -> None:
    """An absence message is told by who sent it."""
    event = parse_autoreply(f"{headers}\n{text}\n")
    assert event is not None
    assert (event.type, event.recipient, event.action) == ("autoreplied", "ada@one.example", "none")


@pytest.mark.parametrize(
    "raw",
    [
        "From: ada@one.example\nTo: news@x.example\nSubject: Re: Spring\n\nThanks! Ask bob@two.example\n",
        "From: postmaster@one.example\nSubject: Maintenance on Sunday\n\nQuestions?\nhelp@one.example\n",
        "From: ada@one.example\nReturn-Path: <>\nSubject: Re: Spring\n\nNew address:\nada@two.example\n",
        "From: ada@one.example\nSubject: my mail\n\nIt could not be delivered to bob@x.example: 550 5.1.1\n",
        "From: no-reply@parcels.example\nSubject: Delivery delayed\n\nSorry! Ask\nhelp@parcels.example\n",
        "From: ada@one.example\nSubject: Your application was rejected\n\nQuestions?\nbob@one.example\n",
    ],
    ids=["answer", "maintenance", "vacation without headers", "a person who asks", "parcel", "application"],
)
def test_no_report(raw: str) -> None:
    """What a person or an administrator writes is no bounce."""
    assert parse_bounce(raw) == ()


def test_a_bounce_is_no_automatic_answer() -> None:
    """A report that calls itself "auto-replied", as Exim and Postfix do, stays a report."""
    assert parse_autoreply(b"Auto-Submitted: auto-replied\n" + UNKNOWN) is None


def test_no_message() -> None:
    """What is no message at all is said so."""
    with pytest.raises(MessageError):
        parse_bounce(b"")


def test_a_notification_by_mail() -> None:
    """A notification of Amazon SES that was subscribed by mail is read as its webhook."""
    text = (
        '{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bouncedRecipients":'
        '[{"emailAddress":"ada@one.example","diagnosticCode":"smtp; 550 5.1.1 user unknown"}]},'
        '"mail":{"messageId":"1","destination":["ada@one.example"]}}\n\n--\nTo unsubscribe, click\n'
    )
    head = "From: no-reply@sns.amazonaws.com\nSubject: AWS Notification Message\n\n"
    for said in (text, text.replace("notificationType", "eventType")):  # SES's notifications, and its events
        event = only(parse_bounce(head + said))
        assert (event.recipient, event.action, event.provider) == (
            "ada@one.example",
            "suppress",
            "amazon_ses",
        )
    assert parse_bounce(head + '{"status": "Bounce of ada@one.example"}') == ()
    assert parse_bounce(head + f"Look: {text}") == ()


VERP = Verp("bounces.sender.example", keys=[b"k" * 32])


def test_a_valid_return_path_vouches_for_an_event() -> None:
    """A report to a return path of ours says which mailing and which recipient it was."""
    event = only(parse_bounce(UNKNOWN, verp=VERP, delivered_to=VERP.sender("spring", "17")))
    assert (event.campaign, event.recipient_id, event.verified) == ("spring", "17", True)


def test_the_return_path_is_found_in_the_headers() -> None:
    """Without the envelope recipient, the headers say where a report was delivered."""
    raw = f"Delivered-To: {VERP.sender('spring', '17').upper()}\n".encode() + UNKNOWN
    assert only(parse_bounce(raw, verp=VERP)).recipient_id == "17"


def test_a_forged_bounce_is_not_verified() -> None:
    """A report that came to no return path of ours is told so."""
    assert only(parse_bounce(UNKNOWN, verp=VERP)).verified is False


def test_a_bounce_that_hides_everything() -> None:
    """A report that says nothing is an event if its return path is ours."""
    raw = "From: MAILER-DAEMON@mx.example\nSubject: failure notice\n\nSorry.\n"
    event = only(parse_bounce(raw, verp=VERP, delivered_to=VERP.sender("spring", "17")))
    assert (event.type, event.recipient, event.recipient_id) == ("bounced", None, "17")


def test_an_absence_at_a_return_path_is_no_bounce() -> None:
    """An absence message to the return path of a recipient must be still none."""
    raw = (
        "From: ada@one.example\nReturn-Path: <>\nAuto-Submitted: auto-replied\nSubject: away\n\nBack soon.\n"
    )
    assert parse_bounce(raw, verp=VERP, delivered_to=VERP.sender("spring", "17")) == ()
