"""What is measured in a message, over real cases."""

from __future__ import annotations

from email.message import EmailMessage
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows import Flow, classify
from mailflows.message import Message
from mailflows.signals import SIGNALS, measure, words

if TYPE_CHECKING:
    from pathlib import Path


def mail(body: str = "", *, html: str = "", **headers: str) -> Message:
    """Compose a message; a header's underscore stands for its dash."""
    message = EmailMessage()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    if html:
        message.add_alternative(html, subtype="html")
    return Message.read(message)


def test_every_measured_signal_is_documented_and_between_zero_and_one(root: Path) -> None:
    """Over the open corpus, no signal has an unknown name or leaves [0, 1]."""
    for path in islice(sorted((root / "corpus").glob("*/*/*.eml")), 0, None, 7):
        for name, value in measure(Message.read(path)).items():
            assert name in SIGNALS
            assert 0 < value <= 1


def test_a_signal_says_its_family_and_one_sentence() -> None:
    """Names are "family.what"; sentences are fit for a reader."""
    families = {"headers", "recipients", "sender", "subject", "links", "layout", "words", "skeleton"}
    assert {signal.family for signal in SIGNALS.values()} == families
    assert all(signal.sentence and not signal.sentence.endswith(".") for signal in SIGNALS.values())


@pytest.mark.parametrize(
    ("language", "subject", "concept"),
    [
        ("en", "Your order number 4711 has shipped", "shipping"),
        ("fr", "Votre commande n° 4711", "order"),
        ("de", "Ihre Bestellung 4711", "order"),
        ("es", "Tu pedido 4711", "order"),
        ("it", "Il tuo ordine 4711", "order"),
        ("pt", "A sua encomenda 4711", "order"),
        ("nl", "Je bestelling 4711", "order"),
        ("pl", "Twoje zamówienie 4711", "order"),
        ("ru", "Ваш заказ 4711", "order"),
        ("ja", "ご注文番号 4711", "order"),
    ],
)
def test_an_order_is_seen_in_every_language(language: str, subject: str, concept: str) -> None:
    """The lexicons know the same concepts in ten languages."""
    function_words = {
        "en": "this is the one that you and we have",
        "fr": "vous avez une nouvelle pour les",
        "de": "das ist für Sie und wir sind",
        "es": "para usted que está en la",
        "it": "questo è per te che non",
        "pt": "não é para você uma das",
        "nl": "het is voor je en niet van",
        "pl": "to jest dla nas i się nie",
        "ru": "это для вас и не что",
        "ja": "ありがとうございます",
    }
    message = mail(function_words[language], Subject=subject)
    assert words.read(message).language == language
    assert words.code("subject", concept) in measure(message)


def test_accents_may_be_missing() -> None:
    """Mail in plain ASCII French is still French, and still unsubscribes."""
    message = mail("Pour vous desinscrire de cette lettre, cliquez sur le lien dans les options")
    assert words.read(message).language == "fr"
    assert "words-body-unsubscribe" in measure(message)


def test_a_word_means_only_what_it_means_in_the_language() -> None:
    """`I` is a person in English and an article in Italian."""
    english = mail("I have seen that you are here and I like it")
    italian = mail("i libri della biblioteca per gli alunni che non hanno una tessera")
    assert "words-body-first-person" in measure(english)
    assert "words-body-first-person" not in measure(italian)


def test_a_discussion_lists_own_headers_are_set_aside() -> None:
    """A person's post through Mailman carries List-*; it says nothing of the author."""
    headers = {"From": "Ada <ada@lovelace.uk>", "List_Id": "<dev.lists.org>", "Precedence": "list"}
    post = measure(mail("Hello", **headers, List_Post="<mailto:dev@lists.org>"))
    campaign = measure(mail("Hello", **headers))
    assert "headers-campaign-list-id" in campaign
    assert "headers-precedence-bulk" in campaign
    assert not {"headers-campaign-list-id", "headers-precedence-bulk"} & post.keys()


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("ne-pas-repondre@banque.fr", "sender-no-reply"),
        ("noreply.kundenservice@shop.de", "sender-no-reply"),
        ("newsletter-fr@boutique.fr", "sender-news"),
        ("facturation@energie.fr", "sender-orders"),
        ("cron@web1.hoster.net", "sender-system"),
        ("ada.lovelace@analytical.uk", "sender-dotted-address"),
        ("ada@gmail.com", "sender-free-mail"),
        ("hello@news.boutique.fr", "sender-news-host"),
    ],
)
def test_the_senders_address_tells_what_it_is_for(sender: str, expected: str) -> None:
    """The part before the "@", and the host, in the words of several languages."""
    assert expected in measure(mail("Bonjour", From=sender))


def test_a_person_signs_and_is_greeted() -> None:
    """The sender's own name at the end and the recipient's at the beginning are a person's marks."""
    found = measure(
        mail(
            "Hi Charles,\n\nthe engine is ready.\n\nAda",
            From="Ada Lovelace <ada@lovelace.uk>",
            To="Charles Babbage <charles@babbage.uk>",
        )
    )
    assert {"layout-signed-by-sender", "layout-greets-recipient"} <= found.keys()
    assert {"sender-person-name", "sender-person-address"} <= found.keys()


LINKED = """<a href="https://click.news.boutique.fr/ls/click?upn={token}"><img src="a" alt="Voir"></a>
<a href="https://www.boutique.fr/soldes?utm_source=nl&amp;utm_medium=email">Soldes</a>
<a href="https://boutique.fr/desabonnement?id=3">Se désabonner</a>
<a href="mailto:bonjour@boutique.fr">nous écrire</a>"""


def test_links_tell_tracking_campaign_and_unsubscribing() -> None:
    """A click counter, campaign parameters, an unsubscribe address, and the sender's own domain."""
    found = measure(mail("x", html=LINKED.format(token="a" * 80), From="Boutique <bonjour@boutique.fr>"))
    assert found["links-tracking-share"] == pytest.approx(1 / 3)
    assert found["links-utm-share"] == pytest.approx(1 / 3)
    assert found["links-own-share"] == 1.0
    assert {"links-unsubscribe", "links-mail-to-sender", "links-few"} <= found.keys()
    assert "links-foreign" not in found


def test_registrable_domains_follow_the_public_suffix_list() -> None:
    """Two shops under co.uk are not one owner."""
    found = measure(mail("https://shop.one.co.uk/a https://two.co.uk/b", From="x@one.co.uk"))
    assert found["links-own-share"] == 0.5


def test_layout_knows_whose_hand_wrote_the_html() -> None:
    """Outlook's, Gmail's and a tool's marks."""
    assert "layout-client-outlook" in measure(mail("a", html='<p class="MsoNormal">Hello</p>'))
    assert "layout-client-gmail" in measure(mail("a", html='<div dir="ltr">Hello</div>'))


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        ("Total: 49,90 €", "layout-money"),
        ("Celkem 1 978 Kč", "layout-money"),
        ("Toplam 788,90 TL", "layout-money"),
        ("only $ 12 today", "layout-money"),
        ("save 20 % now", "layout-percent"),
        ("şimdi %20 indirim", "layout-percent"),
        ("on 03/11/2026", "layout-dates"),
        ("at 14:30", "layout-dates"),
        ("3月14日", "layout-dates"),
        ("order #A1234567", "layout-references"),
        ("INV-2041 is due", "layout-references"),
        ("parcel 7740018823", "layout-references"),
    ],
)
def test_a_number_is_told_by_what_stands_around_it(text: str, signal: str) -> None:
    """Money, percentages, dates and references each have their signal, and none has two."""
    found = measure(mail(f"Hello,\n{text}\n", Subject="x"))
    told = {"layout-money", "layout-percent", "layout-dates", "layout-references"} & found.keys()
    assert told == {signal}


@pytest.mark.parametrize("text", ["in 2026 we met", "three of 12 came", "https://a.example/x%20y%2Fz"])
def test_a_number_may_tell_nothing(text: str) -> None:
    """A year, a count, and an escape in a web address."""
    found = measure(mail(f"Hello,\n{text}\n", Subject="x"))
    assert not {"layout-money", "layout-percent", "layout-dates", "layout-references"} & found.keys()


@pytest.mark.property
@given(st.binary(max_size=2000), st.text(max_size=300))
def test_nothing_makes_measuring_fail(raw: bytes, subject: str) -> None:
    """Any bytes and any subject are measured."""
    head = f"Subject: {subject}\nContent-Type: text/html\n\n".encode("utf-8", "replace")
    found = measure(Message.read(b"From: a@b.fr\n" + head + raw))
    assert all(0 < value <= 1 for value in found.values())


FILLER = "The committee met again and went through the plan of the garden without any haste at all. \n" * 80


@pytest.mark.parametrize(
    ("ending", "signal"),
    [
        ("\n-- \nAda Lovelace\n", "layout-signature-mark"),
        ("\nTo unsubscribe from this newsletter, follow the link below.\n", "words-body-unsubscribe"),
    ],
)
def test_the_end_of_a_long_text_is_measured_too(ending: str, signal: str) -> None:
    """Signature and footer stand at the end, however long the text before them is."""
    assert len(FILLER) > 7_000
    short, long, without = (mail(body, Subject="Minutes") for body in (ending, FILLER + ending, FILLER))
    assert [signal in measure(message) for message in (short, long, without)] == [True, True, False]


def test_the_end_of_a_long_text_changes_the_verdict() -> None:
    """A newsletter is one by its footer, although thousands of characters stand before it."""
    footer = (
        "You receive this newsletter because you subscribed at our shop.\n"
        "Unsubscribe | View in your browser | Privacy policy\n"
        "Special offer: 20% off everything until Sunday, free shipping. Shop now!\n"
    )
    without, with_footer = (classify(mail(body, Subject="News")) for body in (FILLER, FILLER + footer))
    shares = [result.probabilities[Flow.MARKETING] for result in (without, with_footer)]
    assert shares[1] > shares[0]
