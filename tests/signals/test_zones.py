"""Zones: what a message says is told apart from who sends it and what it answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows.message import Message
from mailflows.signals import words
from mailflows.signals.zones import ZoneKind, zones, zones_of_text

BODY = (
    "Hello Ms Okafor,\n\nyour rail card was renewed today and is valid until 31 March 2027.\nPaid: 30.00 GBP"
)

FOOTERS = {
    "en": "You get this message because you travel with Northline.\nUnsubscribe | Privacy policy",
    "en postal": "Northline Railways plc, 8 Viaduct Road, Leeds LS1 4DY",
    "en links": "View in browser | Manage preferences",
    "en copyright": "Help centre\n© 2026 Northline | 8 Viaduct Road, Leeds | www.northline.example",
    "de": "Nordbahn GmbH, Hafenweg 3, 24103 Kiel. Amtsgericht Kiel HRB 1234\nImpressum | Datenschutz",
    "fr": "Vous recevez ce message car vous êtes client.\nSe désinscrire | Mentions légales",
    "es": "Ha recibido este correo porque está suscrito.\nDarse de baja | Política de privacidad",
    "it": "Ricevi questa email perché sei iscritto.\nAnnulla l'iscrizione | Informativa sulla privacy",
    "nl": "U ontvangt deze e-mail omdat u klant bent.\nUitschrijven | Privacyverklaring",
    "pt": "Você recebeu este e-mail porque é cliente.\nCancelar inscrição | Política de privacidade",
    "pl": "Otrzymujesz tę wiadomość, ponieważ jesteś klientem.\nWypisz się | Polityka prywatności",
    "ru": "Вы получили это письмо, потому что подписаны.\nОтписаться | Политика конфиденциальности",
    "ja": "このメールは会員の皆様にお送りしています。\n配信停止はこちら",
}


def kinds(text: str) -> list[str]:
    """Return the kinds of zones in order."""
    return [str(zone.kind) for zone in zones_of_text(text)]


@pytest.mark.parametrize("footer", FOOTERS.values(), ids=FOOTERS)
def test_a_footer_is_no_body(footer: str) -> None:
    """In every language, and in another one than the message's, the footer is told from the text."""
    (body, *rest) = zones_of_text(f"{BODY}\n\n{footer}")
    assert (body.kind, body.text) == (ZoneKind.BODY, BODY.replace("\n\n", "\n"))
    assert "\n".join(zone.text for zone in rest) == footer


@pytest.mark.parametrize("footer", FOOTERS.values(), ids=FOOTERS)
def test_html_has_the_zones_of_its_text(footer: str) -> None:
    """What stands in paragraphs of HTML is read as it is in plain text."""
    text = f"{BODY}\n\n{footer}"
    page = "".join(f"<p>{'<br>'.join(block.split(chr(10)))}</p>\n\n" for block in text.split("\n\n"))
    message = Message.read(f"Subject: x\nContent-Type: text/html; charset=utf-8\n\n{page}".encode())
    assert [(z.kind, z.text) for z in zones(message)] == [(z.kind, z.text) for z in zones_of_text(text)]


@pytest.mark.parametrize(
    "quoted",
    [
        "On Mon, 4 May 2026 at 09:12, Ben Adeyemi wrote:\n> Is Thursday fine?\n> Ben",
        "-----Original Message-----\nFrom: Ben Adeyemi\nSent: Monday\nTo: Ada\nSubject: Hi\n\nIs it fine?",
        "Von: Ben Adeyemi\nGesendet: Montag\nAn: Ada\nBetreff: Donnerstag\n\nPasst Donnerstag?",
        "De : Ben Adeyemi\nEnvoyé : lundi\nÀ : Ada\nObjet : jeudi\n\nJeudi te convient ?",
    ],
)
def test_an_earlier_message_is_quoted(quoted: str) -> None:
    """What a person answers to is told from what they write."""
    assert kinds(f"Thursday is fine with me, see you then at the yard.\n\n{quoted}") == ["body", "quoted"]


def test_a_signature_is_told_from_the_text() -> None:
    """A sign-off and who signs stand apart."""
    text = "Could you send me the drawings by Friday, please?\n\nKind regards\nHelen Ashdown\nAshdown Joinery"
    assert kinds(text) == ["body", "signature"]


def test_a_disclaimer_is_told_from_the_text() -> None:
    """A notice of confidentiality says nothing about the message."""
    notice = "This e-mail is confidential and intended solely for the person it is addressed to."
    assert kinds(f"The contract is ready for you to sign.\n\n{notice}") == ["body", "disclaimer"]


def test_an_address_alone_is_a_call_to_action() -> None:
    """A web address on a line of its own is what the reader shall follow."""
    found = kinds("Please choose a new password here:\n\nhttps://northline.example/r/1\n\nIt ends soon.")
    assert found == ["body", "call-to-action", "body"]


@pytest.mark.parametrize(
    "text",
    [
        "We have removed your address from our newsletter, as you asked.",
        "Your order\nOak stool x1 59.00 GBP\nDelivery 4.00 GBP\nTotal 63.00 GBP",
        "We are changing our terms of service on 1 July, please read them.",
        "Unsubscribe",
    ],
)
def test_a_message_is_never_all_footer(text: str) -> None:
    """What is said first is the text, whatever its words."""
    assert kinds(text) == ["body"]


def test_the_words_of_a_host_are_no_wording() -> None:
    """A shop called after an offer is no footer and no advert."""
    text = "Your parcel is at the shop, please bring your card.\n\nhttps://www.unsubscribe-sale.example/p/1"
    assert kinds(text) == ["body", "call-to-action"]


@given(st.text(max_size=300))
def test_no_line_is_lost(text: str) -> None:
    """Every line that shows something stands in exactly one zone, in order."""
    shown = [line.strip() for line in text.split("\n") if line.strip()]
    assert "\n".join(zone.text for zone in zones_of_text(text)).split("\n") == (shown or [""])


LONG = "the slogan of the house in words " * 20
READ_BEFORE = {
    "blank lines": f"\n\n{BODY}\n \n\nView in browser | Manage preferences",
    "addresses": f"{BODY}\nhttps://www.unsubscribe.example/terms\nmail@sale.example",
    "a line without an end": f"{BODY}\n{LONG} Unsubscribe here\nUnsubscribe",
    "other scripts": f"{BODY}\nВы получили это письмо, потому что подписаны.\n配信停止はこちら",
    "a language told by its letters": "ご注文ありがとうございます。\n商品は明日届きます。\n配信停止はこちら",
    "such letters once": f"{BODY}\n{BODY}\n配\nUnsubscribe",
    "what is not seen": f"{BODY}\nUn\u200bsubscribe",
    "more than is read": f"{BODY}\n" + f"{LONG}\n" * 12 + "Unsubscribe",
}


@pytest.mark.parametrize("text", READ_BEFORE.values(), ids=READ_BEFORE)
def test_words_that_were_read_before_change_no_zone(text: str) -> None:
    """A message that was classified has the zones of one that was not."""
    message = Message.read(f"Subject: x\nContent-Type: text/plain; charset=utf-8\n\n{text}".encode())
    fresh = zones(message)
    words.read(message)
    assert zones(message) == fresh


def test_words_are_shared_only_where_they_are_those_of_the_body() -> None:
    """A text that was cut, or in which something is not seen, has other lines than the body."""
    whole, cut, unseen = (
        Message.read(f"Subject: x\nContent-Type: text/plain; charset=utf-8\n\n{READ_BEFORE[name]}".encode())
        for name in ("addresses", "more than is read", "what is not seen")
    )
    assert words.already_read(whole) is None
    for message in (whole, cut, unseen):
        words.read(message)
    shared = words.already_read(whole)
    assert shared is not None
    assert [list(line) for line in shared.lines] == [
        list(words.tokens(line)) for line in whole.body.split("\n")
    ]
    assert (words.already_read(cut), words.already_read(unseen)) == (None, None)


def test_a_copy_with_another_text_is_read_again() -> None:
    """What was read of a message is not that of its copy."""
    message = Message.read(f"Subject: x\n\n{BODY}".encode())
    words.read(message)
    assert words.read(message.replace(text="Unsubscribe")).text == "Unsubscribe"


@pytest.mark.parametrize(("between", "kind"), [(2, "quoted"), (3, "body")])
def test_the_fields_of_a_head_stand_in_five_lines(between: int, kind: str) -> None:
    """Fields that stand further apart are those of a form."""
    lines = ["From: Ben Adeyemi", "Sent: Monday", *["Noon"] * between, "Subject: Hi"]
    text = "\n".join(["Thursday is fine with me, see you then at the yard.", *lines])
    assert zones_of_text(text)[-1].kind == kind


def test_a_footer_below_answers_between_the_lines_is_found() -> None:
    """What is answered line by line has a footer, too, and quoted lines stay quoted."""
    text = (
        "On Monday Ada wrote:\n> Shall we meet?\nYes, at noon.\n> And where?\nAt the quay, by the ferry.\n\n"
        "(c) 2026 Harbour Ltd, 14 Quay Street, Portland\nView in browser | Unsubscribe"
    )
    found = zones_of_text(f"Hello Ada,\n{text}")
    assert found[-1].kind is ZoneKind.FOOTER
    assert "Unsubscribe" in found[-1].text
    assert [zone.text for zone in found if zone.kind is ZoneKind.QUOTED][-1] == "> And where?"
