"""Shapes of reports that break a rule, hide something, or carry more than the report."""

from __future__ import annotations

import csv
import smtplib
from pathlib import Path

import pytest

from mailflows.feedback import Event, Verp, from_smtp_exception, parse_autoreply, parse_bounce

KEY = b"a secret of thirty-two bytes ...."


def mail(*lines: str, subject: str = "Undelivered Mail Returned to Sender", more: str = "") -> bytes:
    """Return a robot's mail."""
    head = f"From: MAILER-DAEMON@mx.example\nTo: news@sender.example\nSubject: {subject}\n{more}"
    return (head + "\n" + "\n".join(lines) + "\n").encode()


def report(
    told: str, status: str, *, kind: str = "delivery-status", subject: str = "Undelivered Mail"
) -> bytes:
    """Return a report with fields of a kind."""
    more = f"MIME-Version: 1.0\nContent-Type: multipart/report; report-type={kind}; boundary=b\n"
    parts = ["--b", "Content-Type: text/plain; charset=utf-8", "", told]
    return mail(
        *parts, "--b", f"Content-Type: message/{kind}", "", status, "--b--", subject=subject, more=more
    )


def found(raw: bytes) -> list[tuple[str | None, str, str]]:
    """Return recipient, class and action of each event."""
    return [(e.recipient, str(e.reason), str(e.action)) for e in parse_bounce(raw)]


def failed(address: str, status: str = "5.0.0") -> str:
    """Return the group of a recipient."""
    return f"Final-Recipient: rfc822; {address}\nAction: failed\nStatus: {status}\n"


FOOTERS = [
    "-- \nChecked by a virus scanner; spam is blocked.",
    "________________________\nThis e-mail was scanned for spam and viruses by the gateway of Example plc.",
    "This message has been scanned for viruses and spam by MailGuard.",
    "Disclaimer: mail that violates our policy may be blocked as spam.",
    "Diese E-Mail wurde auf Viren geprüft. Spam wird abgelehnt.",
]


@pytest.mark.parametrize("footer", FOOTERS)
def test_a_footer_is_not_the_diagnosis(footer: str) -> None:
    """What a scanner writes below a report says nothing of why it failed."""
    told = f"Delivery to the following recipient failed.\n\n  ada@one.example\n\n{footer}"
    assert found(report(told, f"Reporting-MTA: dns; mx\n\n{failed('ada@one.example')}")) == [
        ("ada@one.example", "other", "none")
    ]
    assert found(mail(told)) == [("ada@one.example", "other", "none")]


def test_a_sentence_that_refuses_is_heard() -> None:
    """A report without codes that says why the message was refused is believed."""
    told = "Your message to <ada@one.example> was rejected because it looks like spam."
    assert found(mail(told)) == [("ada@one.example", "blocked-content", "pause-flow")]


def test_several_recipients_whose_words_stand_in_the_text() -> None:
    """Where the fields are empty, each recipient has the line that names it."""
    told = (
        "For the following list of recipients:\n\n"
        "ada@one.example: 550 5.1.1 No such user\nbob@two.example: 552 5.2.2 Over quota\n"
        "eve@three.example: 554 5.7.1 blocked using an RBL\n"
    )
    status = "\n".join(map(failed, ("ada@one.example", "bob@two.example", "eve@three.example")))
    assert found(report(told, f"Reporting-MTA: dns; mx\n\n{status}")) == [
        ("ada@one.example", "mailbox-unknown", "suppress"),
        ("bob@two.example", "mailbox-full", "retry"),
        ("eve@three.example", "blocked-reputation", "pause-flow"),
    ]


def test_groups_without_a_blank_line() -> None:
    """Another recipient field begins a group, with or without the original one before it."""
    group = "Original-Recipient: rfc822;{0}\nFinal-Recipient: rfc822;{0}\nAction: failed\nStatus: {1}\n"
    status = group.format("ada@one.example", "5.1.1") + group.format("bob@two.example", "5.2.2")
    assert found(report("Failed.", f"Reporting-MTA: dns; mx\n\n{status}")) == [
        ("ada@one.example", "mailbox-unknown", "suppress"),
        ("bob@two.example", "mailbox-full", "retry"),
    ]


def test_a_report_that_another_robot_wraps() -> None:
    """A report attached to a gateway's notice counts, not the notice."""
    inner = report("Failed.", f"Reporting-MTA: dns; mx\n\n{failed('ada@one.example', '5.1.1')}").decode()
    raw = mail(
        *("--o", "Content-Type: text/plain", "", "A message was returned.", "--o"),
        *("Content-Type: message/rfc822", "", inner, "--o--"),
        more="MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=o\n",
    )
    assert found(raw) == [("ada@one.example", "mailbox-unknown", "suppress")]


MDN = (
    "Final-Recipient: rfc822;ada@one.example\nOriginal-Message-ID: <1@sender.example>\n"
    "Disposition: automatic-action/MDN-sent-automatically; {}\n"
)


@pytest.mark.parametrize(
    ("subject", "told", "disposition", "expected"),
    [
        ("Rejected: Spring", "Your message was rejected: Mailbox is full", "deleted", ["mailbox-full"]),
        ("Automatically rejected mail", "I do not want your mail.", "deleted", ["other"]),
        ("Not read: Spring", "Your message was deleted without being read.", "deleted", []),
        ("Read: Spring", "Your message was read.", "displayed", []),
        ("Rejected: Spring", "rejected", "displayed", []),
    ],
)
def test_a_disposition_notification(subject: str, told: str, disposition: str, expected: list[str]) -> None:
    """Sieve refuses as a disposition notification; a receipt, or a deletion, is no bounce."""
    raw = report(told, MDN.format(disposition), kind="disposition-notification", subject=subject)
    assert [str(event.reason) for event in parse_bounce(raw)] == expected


def test_exim_hides_where_it_forwards_to() -> None:
    """The address that was written to counts, not the one that is not disclosed."""
    lines = ("The following address(es) failed:", "", "  undisclosed address")
    raw = mail(
        *lines, "    (generated from ada@one.example)", "    Unrouteable address", more="Return-Path: <>\n"
    )
    assert [recipient for recipient, _, _ in found(raw)] == ["ada@one.example"]


@pytest.mark.parametrize(
    "address", ["redacted@one.example", "[redacted]@one.example", "redacted-17@one.example",
                "wX9kQ2bYc0m3u8RtLxZpVg1aN4c=@one.example"],
)  # fmt: skip
def test_a_redacted_recipient_is_nobody(address: str) -> None:
    """A complaint that hides who complained suppresses no made-up address (RFC 6590)."""
    fields = f"Feedback-Type: abuse\nUser-Agent: X/1\nVersion: 1\nOriginal-Rcpt-To: <{address}>\n"
    (event,) = parse_bounce(report("A complaint.", fields, kind="feedback-report"))
    assert (event.type, event.recipient, event.action) == ("complained", None, "none")


@pytest.mark.parametrize("place", ["fields", "returned"])
def test_a_complaint_with_our_token_is_verified(place: str) -> None:
    """The envelope sender that a complaint names vouches for it, and nothing else does."""
    verp = Verp("bounces.sender.example", keys=[KEY])
    sender = verp.sender("spring", "10017")
    named = f"Original-Mail-From: <{sender}>\n" if place == "fields" else ""
    path = f"Return-Path: <{sender}>\n" if place == "returned" else ""
    fields = f"Feedback-Type: abuse\nVersion: 1\n{named}Original-Rcpt-To: <ada@one.example>\n"
    raw = report("A complaint.", fields, kind="feedback-report").replace(
        b"--b--",
        f"--b\nContent-Type: message/rfc822\n\n{path}To: ada@one.example\nSubject: x\n\nx\n--b--".encode(),
    )
    (event,) = parse_bounce(raw, verp=verp)
    assert (event.verified, event.campaign, event.recipient_id) == (True, "spring", "10017")
    (other,) = parse_bounce(
        raw, verp=Verp("bounces.sender.example", keys=[b"another secret of 32 bytes ....."])
    )
    assert other.verified is False


def test_more_recipients_than_are_read_are_said() -> None:
    """Nobody is dropped in silence."""
    status = "Reporting-MTA: dns; mx\n\n" + "\n".join(
        failed(f"a{n}@b.example", "5.1.1") for n in range(20_100)
    )
    *events, last = parse_bounce(report("Failed.", status))
    assert (len(events), last.type, "more than 20000" in last.description) == (20_000, "other", True)


def suppressed(events: tuple[Event, ...]) -> list[str | None]:
    """Return whom the events would suppress."""
    return [event.recipient for event in events if event.action == "suppress"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("5.1.1 No such user", []),
        ("5.1.1 <bob@two.example>: no such user", ["bob@two.example"]),
        ("5.1.1 <eve@three.example>: no such user", []),
        ("5.1.1 <ada@one.example> <bob@two.example>: no such users", []),
    ],
)
def test_one_reply_for_several_recipients(said: str, expected: list[str]) -> None:
    """After DATA one reply is for all: it accuses only whom it names."""
    error = smtplib.SMTPDataError(550, said.encode())
    events = from_smtp_exception(error, recipients=["ada@one.example", "bob@two.example"])
    assert suppressed(events) == expected


ANSWERS = [
    ("Auto: Spring", "Auto-Submitted: auto-replied (vacation)\n"),
    ("Spring", "Auto-Submitted: Auto-Replied; owner-email=ada@one.example\n"),
    ("Re: Spring", "X-Autoreply: yes\n"),
    ("Re: Spring", "X-POST-MessageClass: 9; Autoresponder\n"),
    *[
        (f"{name}: Spring", "")
        for name in (
            *("Automatic reply", "Out of Office", "Automatische Antwort", "Abwesenheitsnotiz"),
            *("Réponse automatique", "Respuesta automática", "Risposta automatica", "Resposta automática"),
            *("Automatisch antwoord", "Autosvar", "Automatisk svar", "Automaattinen vastaus"),
            *("Automatyczna odpowiedź", "Automatická odpověď", "Automatikus válasz", "Răspuns automat"),
            *(
                "Otomatik yanıt",
                "Автоматический ответ",
                "Αυτόματη απάντηση",
                "自動応答",
                "自动答复",
                "자동 회신",
            ),
        )
    ],
    ("Absence du bureau : Spring", ""),
    ("Fuori sede", ""),
    ("Ada Lovelace is out of the office", ""),
    ("Ada Lovelace est absente.", ""),
]


@pytest.mark.parametrize(("subject", "headers"), ANSWERS)
def test_an_automatic_answer(subject: str, headers: str) -> None:
    """An absence message is known in the languages of Exchange, and is no bounce."""
    raw = f"From: Ada <ada@one.example>\nSubject: {subject}\n{headers}\nAway.\n".encode()
    event = parse_autoreply(raw)
    assert event is not None
    assert (event.recipient, parse_bounce(raw)) == ("ada@one.example", ())


@pytest.mark.parametrize(
    ("subject", "headers"),
    [
        ("Re: Out of office plans", "In-Reply-To: <1@sender.example>\n"),
        ("Out of office plans for June", ""),
        ("Re: Automatic reply: Spring", ""),
        ("AW: Abwesenheitsnotiz: Spring", ""),
        ("Your ticket 17", "Auto-Submitted: auto-generated\n"),
        ("Spring", "X-Autoreply: no\n"),
        ("On leave of absence policy", ""),
    ],
)
def test_a_persons_words_are_no_automatic_answer(subject: str, headers: str) -> None:
    """A person who writes about absences, and a ticket system, are none."""
    raw = f"From: Ada <ada@one.example>\nSubject: {subject}\n{headers}\nShall we meet?\n".encode()
    assert parse_autoreply(raw) is None


def languages() -> list[dict[str, str]]:
    """Return subject, text and action of reports without fields, in twenty languages."""
    with (Path(__file__).parent / "languages.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("row", languages(), ids=lambda row: row["subject"])
def test_a_report_in_another_language(row: dict[str, str]) -> None:
    """A server that writes for the people of its country is understood."""
    more = "Return-Path: <>\nContent-Type: text/plain; charset=utf-8\n"
    raw = mail(row["text"].replace("|", "\n"), subject=row["subject"], more=more)
    assert [(recipient, done) for recipient, _, done in found(raw)] == [("ada@one.example", row["action"])]


def test_two_recipients_are_told_apart_by_their_words() -> None:
    """Two are as many as need it: each has the line that names it, not the other's."""
    told = "ada@one.example: 550 5.1.1 No such user\nbob@two.example: 552 5.2.2 Over quota\n"
    status = "\n".join(map(failed, ("ada@one.example", "bob@two.example")))
    assert found(report(told, f"Reporting-MTA: dns; mx\n\n{status}")) == [
        ("ada@one.example", "mailbox-unknown", "suppress"),
        ("bob@two.example", "mailbox-full", "retry"),
    ]


@pytest.mark.parametrize("sign", ["", "X-Failed-Recipients: ada@one.example\n"])
def test_a_sign_of_a_failure_outweighs_the_header_of_an_answer(sign: str) -> None:
    """One sign is enough: status fields, or Exim's header. Without any it is an automatic answer."""
    auto = "Auto-Submitted: auto-replied\n"
    kind = "MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n"
    status = ("--b", "Content-Type: message/delivery-status", "", failed("ada@one.example", "5.1.1"), "--b--")
    lines, more = (("Away.",), auto + sign) if sign else (status, auto + kind)
    assert parse_autoreply(by_a_person(mail(*lines, subject="Away", more=more))) is None
    assert parse_autoreply(by_a_person(mail("Away.", subject="Away", more=auto))) is not None


def by_a_person(raw: bytes) -> bytes:
    """Return a robot's mail as that of somebody."""
    return raw.replace(b"MAILER-DAEMON@mx.example", b"ada@one.example")


def test_a_robot_that_names_the_recipient_in_a_sentence() -> None:
    """The address behind "could not be delivered to" is the recipient, that of a contact is not."""
    told = (
        "Your message could not be delivered to ada@one.example, as no such mailbox is here.\n"
        "Please contact help@one.example with questions."
    )
    assert [recipient for recipient, _, _ in found(mail(told))] == ["ada@one.example"]
