"""What headers, recipients, sender and subject show, at the places where a signal begins and ends."""

from __future__ import annotations

import string

import pytest

from signal_rows import shown, told

HEADERS = {
    "Auto-Submitted: auto-generated": "auto-submitted",
    "Auto-Submitted: no": "",
    "Auto-Submitted: auto-replied (vacation)": "auto-submitted auto-replied",
    "X-Priority: 1 (Highest)": "high-priority",
    "X-Priority: 2": "high-priority",
    "X-Priority: 3": "",
    "Importance: High": "high-priority",
    "Importance: normal": "",
    "In-Reply-To: <1@a.example>": "in-reply-to",
    "References: <1@a.example>": "",
    "References: <1@a.example> <2@a.example>": "long-thread",
    "Feedback-ID: a:b:c": "feedback-id",
    "X-Auto-Response-Suppress: All": "suppress-responses service-headers",
    "X-Campaign-Id: 7": "tool-headers",
    "X-Jenkins-Job: build": "service-headers",
    "Thread-Topic: the mill": "person-headers",
    "X-House: ours": "",
    "Message-ID: <CAabcdefghijklmnopqrstuvwxyz0123456789@mail.gmail.com>": "client-message-id",
    "Message-ID: <17.3.JavaMail.app@web1.shop.example>": "server-message-id",
    "Message-ID: <20260101@shop.example>": "",
    "X-Mailer: Mailchimp Mailer": "marketing-tool",
    "X-Mailer: PHPMailer 6.9": "mail-library",
    "User-Agent: Mozilla Thunderbird": "mail-client",
    "X-Mailer: Our Mailer 3": "",
    "X-Mailer: Mailchimp with PHPMailer for Outlook": "marketing-tool",
    "X-Mailer: PHPMailer for Outlook": "mail-library",
    "Precedence: bulk": "precedence-bulk",
    "Precedence: list": "precedence-bulk",
    "Precedence: junk": "precedence-bulk",
    "Precedence: first-class": "",
    "List-Unsubscribe: <https://a.example/u>": "list-unsubscribe",
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click": "one-click",
    "List-Id: <news.a.example>": "campaign-list-id",
    "Content-Type: multipart/report; boundary=b": "delivery-report",
    "Content-Type: multipart/signed; boundary=b": "signed",
    "Content-Type: application/pkcs7-mime; smime-type=enveloped-data": "encrypted",
    "Content-Type: application/pkcs7-mime; smime-type=signed-data": "",
    "Content-Type: multipart/encrypted; boundary=b": "encrypted",
}


@pytest.mark.parametrize(("line", "row"), HEADERS.items())
def test_a_header_shows_who_made_a_message(line: str, row: str) -> None:
    """One header, and the signals of this family that it sets."""
    assert shown("headers", "From: a@b.example", line) == told(row)


LIST = (
    "List-Id: <x.a.example>",
    "List-Unsubscribe: <https://a.example/u>",
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    "Precedence: list",
    "Reply-To: dev@a.example",
)


def test_only_a_list_that_takes_posts_is_a_discussion_list() -> None:
    """RFC 2369 section 3.4: "List-Post: NO" says that nobody can post."""
    own = ("From: ada@b.example", *LIST)
    assert shown("headers", *own, "List-Post: <mailto:dev@a.example>") == {}
    announced = shown("headers", *own, "List-Post: NO (posting not allowed)")
    assert announced == told("list-unsubscribe one-click campaign-list-id precedence-bulk")
    assert "reply-elsewhere" not in shown("sender", *own, "List-Post: <mailto:dev@a.example>")
    assert "reply-elsewhere" in shown("sender", *own, "List-Post: NO")


def _mailboxes(count: int) -> str:
    return "To: " + ", ".join(f"{letter}@x.example" for letter in string.ascii_lowercase[:count])


RECIPIENTS = {
    "X-House: ours": "none",
    "To: ada@x.example": "",
    _mailboxes(2): "many=0.333",
    _mailboxes(3): "many=0.667",
    _mailboxes(5): "many=0.667",
    _mailboxes(6): "many",
    "To: x@x.example\nCc: y@x.example": "many=0.333 copied",
    "To: Ada Lovelace <ada@x.example>": "named",
    'To: "ada@x.example" <ada@x.example>': "",
    "To: ada@b.example": "same-domain",
    "To: x@x.example, ada@b.example": "many=0.333 same-domain",
    "To: a@b.example": "same-domain is-sender",
    "To: ada.lovelace@x.example": "person",
    "To: a.lovelace@x.example": "",
    "To: team@x.example": "list",
    "To: newsletter@x.example": "list",
    "To: dev-l@x.example": "list",
    "To: engine-dev@x.example": "person list",
    "To: walter@x.example": "",
}


@pytest.mark.parametrize(("lines", "row"), RECIPIENTS.items())
def test_recipients_are_counted_and_looked_at(lines: str, row: str) -> None:
    """How many there are, and who the first is."""
    assert shown("recipients", "From: a@b.example", lines) == told(row)


SENDERS = {
    "a@shop.example": "",
    "a@www.shop.example": "deep-host=0.5",
    "a@x.y.shop.example": "deep-host",
    "a@news.example": "",
    "a@news.shop.example": "news-host deep-host=0.5",
    "a@alerts.eu.shop.example": "system-host deep-host",
    "ada12345@shop.example": "",
    "ada123456@shop.example": "random-address",
    "b" * 30 + "@shop.example": "",
    "b" * 31 + "@shop.example": "random-address",
    "ada.lovelace@shop.example": "dotted-address",
    "a_lovelace@shop.example": "dotted-address",
    "no-reply@shop.example": "no-reply",
    "shop-noreply-fr@shop.example": "no-reply",
    "info@shop.example": "",
    "e-mail.ci-2@shop.example": "",
    "web-cron-1@shop.example": "system",
    "invoices+ada@shop.example": "orders",
    "a@localhost": "",
    "ada@gmail.com": "free-mail",
}


@pytest.mark.parametrize(("sender", "row"), SENDERS.items())
def test_a_senders_address_shows_what_it_is_for(sender: str, row: str) -> None:
    """The local part, the host, how long and how random they are."""
    found = shown("sender", f"From: {sender}")
    assert found.pop("no-name") == 1
    assert found == told(row)


def test_a_message_without_a_sender_says_so() -> None:
    """Nothing else is measured then."""
    assert shown("sender", "Subject: x") == {"none": 1}


NAMES = {
    "Ada Lovelace <bob@engine.example>": "person-name",
    "Ada Lovelace <lovelace@engine.example>": "person-name person-address",
    "Ada Lovelace <info@engine.example>": "",
    "ADA LOVELACE <bob@engine.example>": "",
    "ada lovelace <bob@engine.example>": "",
    "Ada de Lovelace Byron <bob@engine.example>": "person-name",
    "Ada King of Lovelace Byron <bob@engine.example>": "",
    "Ada <bob@engine.example>": "company-name",
    "Ada Lovelace <ada@lovelace.example>": "person-name person-address company-name name-is-domain",
    "Ada from Engine <bob@engine.example>": "name-at-company company-name name-is-domain",
    "Ada from Engine <ada@engine.example>": "person-address company-name name-is-domain",
    "Blue Engine <hi@blue-engine.example>": "company-name name-is-domain",
    "Blueengine <hi@blue-engine.example>": "company-name name-is-domain",
    "Engi <hi@engine.example>": "company-name name-is-domain",
    "Eng <hi@engine.example>": "company-name",
    "A Blu Ca <x@ca.example>": "person-name",
    "Cab Works <x@cab.example>": "company-name name-is-domain",
    "The blue newsletter <x@engine.example>": "news-name",
    "Red Alerts <x@engine.example>": "program-name person-name",
    "Blue Support <x@engine.example>": "desk-name person-name",
    "x@engine.example <x@engine.example>": "no-name",
}


@pytest.mark.parametrize(("sender", "row"), NAMES.items())
def test_a_senders_name_shows_whose_it_is(sender: str, row: str) -> None:
    """A person's, an organisation's, a person at one, a program's, a team's."""
    name, _, address = sender.rpartition(" ")
    assert shown("sender", f'From: "{name}" {address}') == told(row)


REPLIES = {
    "a@shop.example": "",
    "b@shop.example": "reply-elsewhere",
    "b@other.example": "reply-elsewhere reply-other-domain",
    "a+17@shop.example": "reply-elsewhere bounce-address",
    "r12345@shop.example": "reply-elsewhere",
    "r123456@shop.example": "reply-elsewhere bounce-address",
}


@pytest.mark.parametrize(("answers", "row"), REPLIES.items())
def test_where_answers_go_is_measured(answers: str, row: str) -> None:
    """To the sender, to somebody else, to an address that was generated."""
    found = shown("sender", "From: a@shop.example", f"Reply-To: {answers}")
    assert found == told(f"no-name {row}")


SUBJECTS = {
    "Fwd: the mill": "forward",
    "WG: Die Mühle": "forward",
    "Forward march": "",
    "[dev] the mill": "tagged",
    "Re: [dev] the mill": "tagged",
    "The mill [dev]": "",
    "Order #4711": "number",
    "Room 12": "",
    "INV-2041": "number",
    "AB123": "",
    "Parcel 123456": "number",
    "Parcel 12345": "",
    "Letter No. 12": "issue",
    "Letter No. 1204": "",
    "12/03/2026": "date",
    "Letter No. 12-4": "",
    "Ausgabe 7": "issue",
    "Tulpen 03/2026": "issue",
    "Tulpen 03/1026": "",
    "第12号": "issue",
    "Order 12": "",
    "Ping for 2026-04-20": "date",
    "Ping for 2026-04-2": "",
    "Le 3/12/2026": "date",
    "Le 3/12": "",
    "5月12日": "date",
    "Tomorrow at 9:30": "date",
    "Tomorrow at 9": "",
    "-20 %": "percent",
    "%20 indirim": "percent",
    "20 percent": "",
    "Only 49 €": "money",
    "€ 49 only": "money",
    "49 only": "",
    "Sun ☀": "emoji",
    "Hi 😀": "emoji",
    "→ Here": "",
    "Здравствуйте": "",
    "日本語": "",
    "한국어": "",
    "ｆｕｌｌ": "lower-case",
    "Hello!": "exclamation",
    "はい！": "exclamation",
    "Why?": "question",
    "なぜ？": "question",
    "the mill": "lower-case",
    "Out of office": "automatic-reply",
    "Re: Out of office": "",
    "[PATCH 1/2] mm: fix": "tagged patch",
    "[RFC] an idea": "tagged patch",
}


@pytest.mark.parametrize(("subject", "row"), SUBJECTS.items())
def test_the_form_of_a_subject_is_measured(subject: str, row: str) -> None:
    """What stands in it, apart from its words."""
    assert shown("subject", "From: a@b.example", f"Subject: {subject}") == told(row)
    assert shown("subject", "From: a@b.example", "Subject: \t") == {"none": 1}
