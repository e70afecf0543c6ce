"""Mail that lies between the flows: confirmations, pictures, shared mailboxes, what cannot be read."""

from __future__ import annotations

import pytest

import mailflows
from mailflows import Flow
from mailflows.message import Message
from mailflows.signals import measure


def mail(sender: str, subject: str, body: str, *extra: str) -> bytes:
    """Compose a message as an application holds it."""
    kind = "text/html" if body.startswith("<") else "text/plain"
    lines = [f"From: {sender}", "To: someone@mail.example", f"Subject: {subject}", *extra]
    return "\n".join([*lines, f"Content-Type: {kind}; charset=utf-8", "", body]).encode()


CONFIRMATIONS = {
    "English opt-in": (
        "Confirm your subscription to Marsh Notes",
        "You asked to join the list. Please confirm: https://marshnotes.example/c/81",
    ),
    "English opt-out": (
        "You are now unsubscribed",
        "You have been removed from our mailing list and will not receive any more newsletters.",
    ),
    "French opt-in": (
        "Confirmez votre abonnement",
        "Pour confirmer votre abonnement : https://lettre.example/ok/4\n\nSans confirmation, rien ne part.",
    ),
    "German opt-in": (
        "Anmeldung bestätigen",
        "Guten Tag,\n\nbitte bestätigen Sie die Anmeldung zum Rundbrief:\nhttps://rundbrief.example/b/7",
    ),
    "Spanish opt-out": ("Baja confirmada", "Has sido dado de baja de nuestro boletín, tal como pediste."),
    "Dutch opt-out": (
        "Je bent uitgeschreven",
        "Je bent uitgeschreven en krijgt geen nieuwsbrief meer van ons.",
    ),
}


@pytest.mark.parametrize("name", CONFIRMATIONS)
def test_confirming_a_subscription_is_no_marketing(name: str) -> None:
    """It follows an action of its reader, also from a newsletter's address; two lines may be unsure."""
    subject, body = CONFIRMATIONS[name]
    result = mailflows.classify(mail("Marsh Notes <newsletter@marshnotes.example>", subject, body))
    assert result.flow != Flow.MARKETING
    assert result.likely == Flow.TRANSACTIONAL or "opt-out" in name


@pytest.mark.parametrize("alt", ["", "Summer sale"])
def test_a_newsletter_made_of_pictures_never_leans_to_transactional(alt: str) -> None:
    """It is marketing or unsure, even without a word."""
    picture = (
        f'<a href="https://shop.example/s"><img src="https://shop.example/1.jpg" width="640" alt="{alt}"></a>'
    )
    page = f"<table width=640><tr><td>{picture}</td></tr><tr><td>{picture}</td></tr></table>"
    result = mailflows.classify(
        mail("Shop <hello@shop.example>", "New in", page, "List-Unsubscribe: <https://shop.example/u>")
    )
    assert result.likely == Flow.MARKETING


def test_alternative_texts_are_text_where_there_is_little_else() -> None:
    """What a picture says is found like any words."""
    page = '<img src="https://shop.example/1.jpg" alt="Up to 50% off, shop now and save with free shipping">'
    assert "words-body-offer" in measure(Message.read(mail("a@shop.example", "The week", page)))


def test_a_person_at_a_shared_mailbox_is_a_person() -> None:
    """The address is a desk's; the letter is not."""
    body = (
        "Hi Tom,\n\nI had a word with Anna and she can come on Friday. Could you leave the key with the "
        "neighbour? I will ring you when she is done.\n\nThanks,\nBeth"
    )
    result = mailflows.classify(
        mail(
            "Harbour Plumbing <info@harbourplumbing.example>",
            "Re: the boiler",
            body,
            "In-Reply-To: <1@a.example>",
        )
    )
    assert result.flow == Flow.PROFESSIONAL


def test_an_encrypted_message_is_said_to_be_so() -> None:
    """Only its headers could be judged, and the paragraph says that."""
    result = mailflows.classify(
        b"From: Ada <ada@lovelace.example>\nTo: b@c.example\nSubject: ...\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b\n\n'
        b"--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\n"
        b"Content-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n--b--\n"
    )
    assert result.reasons[0].code == "defect-encrypted"
    assert "only the headers could be judged" in result.explain()


def test_a_signed_message_is_not_an_encrypted_one() -> None:
    """S/MIME says which it is (RFC 8551 section 3.2.2)."""
    head = b"From: a@b.example\nSubject: x\nContent-Type: application/pkcs7-mime; smime-type="
    assert "headers-encrypted" in measure(Message.read(head + b"enveloped-data\n\nMIAG"))
    assert "headers-encrypted" not in measure(Message.read(head + b"signed-data\n\nMIAG"))
    signed = (
        b"From: a@b.example\nSubject: x\nContent-Type: multipart/signed; boundary=b\n\n--b\n\nHi\n--b--\n"
    )
    assert "headers-signed" in measure(Message.read(signed))


@pytest.mark.parametrize(
    ("line", "is_pair"),
    [
        ("Order number: 40812", True),
        ("https://shop.example/orders/40812", False),
        ("Subject: Re: the mill", False),
        ("Gesendet: Montag, 3. März 2025", False),
    ],
)
def test_addresses_and_quoted_heads_are_no_named_values(line: str, is_pair: bool) -> None:  # noqa: FBT001 -- a case
    """A form's lines name values; a link or the head of a quoted message does not."""
    found = measure(Message.read(mail("a@b.example", "x", f"Hello,\n{line}\n{line}\n")))
    assert ("layout-pair-lines" in found) is is_pair
