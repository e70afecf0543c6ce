"""What servers say, and what it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growth import MOST, growth
from mailflows.feedback import BounceReason
from mailflows.feedback._reasons import _table, codes, diagnose

REPLIES = [
    (
        "550 5.1.1 <ada@one.example>: Recipient address rejected: User unknown in virtual mailbox table",
        "mailbox-unknown",
    ),
    ("550-5.1.1 The email account that you tried to reach does not exist. Please try", "mailbox-unknown"),
    ("550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "mailbox-unknown"),
    (
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        "mailbox-unknown",
    ),
    ("554 delivery error: dd This user doesn't have a mail.example account", "mailbox-unknown"),
    ("550 Requested action not taken: mailbox unavailable", "mailbox-unknown"),
    ("550 5.1.1 Utilisateur inconnu", "mailbox-unknown"),
    ("550 Empfänger unbekannt", "mailbox-unknown"),
    ("550 5.1.6 Mailbox has moved, no forwarding address", "mailbox-unknown"),
    (
        "Host or domain name not found. Name service error for name=x.example type=MX: Host not found",
        "domain-unknown",
    ),
    ("550 5.1.2 Bad destination host 'DNS Hard Error looking up x.example (MX): NXDomain'", "domain-unknown"),
    ("556 5.1.10 Recipient address has null MX", "null-mx"),
    (
        "Host or domain name not found. Name service error for x type=MX: Host not found, try again",
        "routing",
    ),
    ("452 4.2.2 The email account that you tried to reach is over quota", "mailbox-full"),
    ("552 5.2.2 Mailbox size limit exceeded", "mailbox-full"),
    ("550 5.2.1 The email account that you tried to reach is disabled", "mailbox-disabled"),
    (
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.dnsbl.example",
        "blocked-reputation",
    ),
    ("550 5.7.1 [192.0.2.1 19] very low reputation of the sending domain", "blocked-reputation"),
    ("421 4.7.1 Fix reverse DNS for 192.0.2.1", "auth-failure"),
    ("550 5.7.1 This message looks like spam", "blocked-content"),
    ("554 5.6.0 Message contains a virus", "virus"),
    (
        "550-5.7.26 Unauthenticated email from x.example is not accepted due to\n550 5.7.26 DMARC policy",
        "auth-failure",
    ),
    ("550 5.7.23 SPF validation failed", "auth-failure"),
    ("550 5.7.509 Access denied, sending domain x.example does not pass DMARC verification", "auth-failure"),
    ("554 5.7.1 <ada@one.example>: Relay access denied", "relay-denied"),
    (
        "553 5.1.8 <news@x.example>... Domain of sender address news@x.example does not exist",
        "sender-invalid",
    ),
    ("550 5.7.1 Sender address rejected: unknown sender", "sender-invalid"),
    ("530 5.7.0 Must issue a STARTTLS command first", "auth-failure"),
    ("421 4.7.28 Our system has detected an unusual rate of unsolicited mail", "rate"),
    ("452 4.5.3 Too many recipients", "too-many-recipients"),
    ("450 4.2.0 Greylisted, try again in 300 seconds", "greylisted"),
    ("450 4.1.1 <ada@one.example>: Recipient address rejected: Greylisted", "greylisted"),
    ("connect to mx.one.example[192.0.2.1]:25: Connection refused", "connection"),
    ("552 5.3.4 Message size exceeds fixed maximum message size", "too-big"),
    ("554 5.4.7 Delivery expired (message too old): retry timeout exceeded", "expired"),
    (
        "SMTP error after MAIL FROM:<x@b.example>: 550 5.1.0 b.example does not exist",
        "sender-invalid",
    ),
    (
        "host mx.b.example[192.0.2.1] said: 550 5.1.1 User unknown (in reply to MAIL FROM command)",
        "sender-invalid",
    ),
    ("550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient", "too-big"),
    ("The address may not exist", "other"),
    ("550 5.1.1 User unknown -- this mail was scanned for spam and viruses by a gateway", "mailbox-unknown"),
    ("User mailbox exceeds allowed size: ada@one.example", "mailbox-full"),
    ("hello", "other"),
]


@pytest.mark.parametrize(("reply", "reason"), REPLIES, ids=[reply[:40] for reply, _ in REPLIES])
def test_reason(reply: str, reason: str) -> None:
    """A reply means what servers mean by it."""
    assert str(diagnose(reply).reason) == reason


@pytest.mark.parametrize("reason", sorted(set(BounceReason) - {BounceReason.OTHER}))
def test_every_reason_is_in_the_table(reason: BounceReason) -> None:
    """Each reason can be found by words or by a status."""
    table = _table()
    assert reason in {rule.reason for rule in table.said} | set(table.status.values())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("550 5.1.1 unknown", ("5.1.1", 550)),
        ("host 192.0.2.1[192.0.2.1]:25 said: 450-4.2.1 later", ("4.2.1", 450)),
        ("Sorry. (#5.1.1)", ("5.1.1", None)),
        ("from 5.1.1.7 after 550000 seconds", (None, None)),
        ("queue id 4.96.1-550.2", (None, None)),
    ],
)
def test_codes(text: str, found: tuple[str | None, int | None]) -> None:
    """Codes are found, addresses of hosts and other numbers are not."""
    assert codes(text) == found


def test_words_of_an_address_mean_nothing() -> None:
    """A reply is not about spam because the address is."""
    assert diagnose("550 5.1.1 <spam-virus-dmarc@one.example>: User unknown").reason == "mailbox-unknown"


def test_a_general_status_gives_way() -> None:
    """Where the field says only "failed", the reply's own status is taken."""
    assert diagnose("550 5.7.26 no", status="5.0.0").status == "5.7.26"


@pytest.mark.parametrize("reason", sorted(set(BounceReason)))
def test_only_dead_addresses_are_suppressed(reason: BounceReason) -> None:
    """No reason but an unknown mailbox or domain suppresses at once."""
    dead = {BounceReason.MAILBOX_UNKNOWN, BounceReason.DOMAIN_UNKNOWN, BounceReason.NULL_MX}
    assert (reason.action(final=True) == "suppress") == (reason in dead)
    assert reason.is_unknown == (reason in dead)


@pytest.mark.parametrize("reason", sorted(set(BounceReason)))
def test_nothing_is_suppressed_while_it_is_tried(reason: BounceReason) -> None:
    """What is still tried suppresses nobody."""
    assert reason.action(final=False) != "suppress"


@pytest.mark.property
@given(st.text(max_size=500))
def test_any_text_has_a_reason(text: str) -> None:
    """Whatever a server says, there is one reason and nothing is raised."""
    assert diagnose(text).reason in set(BounceReason)


@pytest.mark.parametrize("unit", ["5.1.1", "5", "a@", "a@b", "no such ", "550-", "user ", " ", "(", "@"])
def test_a_long_reply_takes_no_time(unit: str) -> None:
    """A megabyte of anything costs at most in proportion to its length."""
    assert growth(lambda size: unit * (size // len(unit)), diagnose, 1_000_000) < MOST
