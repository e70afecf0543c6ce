"""The guard: what belongs on a flow, what is looked at, and what is refused."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from email.message import EmailMessage
from html import escape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows import Classification, ConfigurationError, Envelope, Flow, Message
from mailflows.flows import FlowRoute, FlowSet, GuardSettings, Outcome
from mailflows.flows._advert import (
    BODY_MARKS,
    BlockModel,
    KindModel,
    core_of_text,
    cores,
    known_kinds,
    shipped_kinds,
    traits,
)
from mailflows.signals import words
from mailflows.templates import Series
from mailflows.templates._memory import Observation
from mailflows.templates._slots import SlotAlarm

FLOWS = FlowSet(
    FlowRoute("professional", domains="example.org"),
    FlowRoute("marketing", domains="news.example.org", tracking_host="click.example.org"),
    FlowRoute("transactional", domains="notify.example.org"),
)
RECEIPT = """From: Shop <orders@notify.example.org>
To: ada@example.net
Subject: Your receipt for order 40812

Hello Ada,

we received your payment of 31.50 EUR for order 40812.
{}
Your parcel leaves tomorrow. The tracking number follows in another message.
"""
ADVERT = (
    "Summer sale! Take 30% off everything in our shop until Sunday. "
    "Use the code SUNNY at checkout, shop now and save."
)


def _said(flow: Flow | None) -> Classification:
    shares = {f: 0.98 if f is flow else 0.01 for f in Flow}
    return Classification(flow, flow or Flow.MARKETING, 0.98, shares, 3.0, (), (), "en")


def test_an_advert_in_a_receipt_is_refused() -> None:
    """A promotional block is found in the middle of a transactional message, with its text."""
    decision = FLOWS.guard(RECEIPT.format(ADVERT), "transactional", classification=_said(None))
    assert decision.codes == ("promotional-block",)
    assert decision.outcome is Outcome.REFUSE
    assert "Summer sale" in decision.reasons[0].evidence[0]


def test_an_advert_is_found_far_below_the_beginning() -> None:
    """What the classifier no longer reads is looked at, too."""
    lines = "\n".join(f"Item {n} of your order was packed at the depot." for n in range(250))
    text = RECEIPT.format(lines + "\n" + ADVERT)
    assert len(text) > 8_000
    decision = FLOWS.guard(text, "transactional", classification=_said(None))
    assert "promotional-block" in decision.codes


def test_a_receipt_is_allowed() -> None:
    """The same receipt without the advert is of its flow, and the shipped classifier agrees."""
    decision = FLOWS.guard(RECEIPT.format(""), "transactional")
    assert decision.outcome is Outcome.ALLOW, str(decision)


@pytest.mark.parametrize(
    ("flow", "content", "code", "outcome"),
    [
        ("professional", Flow.MARKETING, "marketing-on-professional", Outcome.REFUSE),
        ("professional", Flow.TRANSACTIONAL, "transactional-on-professional", Outcome.FLAG),
        ("marketing", Flow.TRANSACTIONAL, "transactional-on-marketing", Outcome.REFUSE),
        ("marketing", Flow.PROFESSIONAL, "professional-on-marketing", Outcome.FLAG),
    ],
)
def test_content_of_another_flow(flow: str, content: Flow, code: str, outcome: Outcome) -> None:
    """Each mix-up has its code and its outcome."""
    decision = FLOWS.guard(RECEIPT.format(""), flow, classification=_said(content))
    assert (decision.codes, decision.outcome) == ((code,), outcome)


@pytest.mark.parametrize("flow", list(Flow))
def test_the_guard_abstains_with_the_classifier(flow: Flow) -> None:
    """An unsure classifier says nothing against a message."""
    decision = FLOWS.guard(RECEIPT.format(""), flow, classification=_said(None))
    assert decision.abstained
    assert decision.outcome is Outcome.ALLOW


@pytest.mark.parametrize(
    ("count", "outcome"), [(29, Outcome.ALLOW), (30, Outcome.FLAG), (200, Outcome.REFUSE)]
)
def test_bulk_at_once_on_the_professional_flow(count: int, outcome: Outcome) -> None:
    """Recipients of the envelope count, also those that no header shows."""
    envelope = Envelope("a@example.org", tuple(f"p{n}@example.net" for n in range(count)))
    message = Message.read(RECEIPT.format(""), envelope=envelope)
    assert FLOWS.guard(message, "professional", classification=_said(None)).outcome is outcome
    assert FLOWS.guard(message, "marketing", classification=_said(None)).outcome is Outcome.ALLOW


@pytest.mark.parametrize(
    ("seen", "outcome"), [(19, Outcome.ALLOW), (20, Outcome.FLAG), (100, Outcome.REFUSE)]
)
def test_bulk_over_time_on_the_professional_flow(seen: int, outcome: Outcome) -> None:
    """Many messages that are nearly the same are a mailing, one by one."""
    observation = Observation(Series.MAILING, seen, seen, (), (), "t")
    decision = FLOWS.guard(
        RECEIPT.format(""), "professional", classification=_said(None), observation=observation
    )
    assert decision.outcome is outcome


def test_an_abused_form_is_refused() -> None:
    """What a memory of templates saw is passed on, with the slot."""
    alarm = SlotAlarm("slot-link", '"Hello …,"', '"Hello …," contains a link, which it never did before')
    observation = Observation(Series.TRANSACTIONAL, 9, 9, (), (alarm,), "t")
    decision = FLOWS.guard(
        RECEIPT.format(""), "transactional", classification=_said(None), observation=observation
    )
    assert (decision.codes, decision.reasons[0].evidence) == (("form-abuse",), ('"Hello …,"',))


FOOTERS = [
    "Northline plc, 8 Viaduct Road, Leeds LS1 4DY",
    "View in browser | Unsubscribe",
    "You receive our news and offers because you have an account.\nUnsubscribe | Manage preferences",
    "Learn more\n\u00a9 2026 | Northline plc | www.northline.example",
    "Follow us: Instagram | YouTube | TikTok",
    "Vous recevez ce message car vous \u00eates client.\nSe d\u00e9sinscrire | Mentions l\u00e9gales",
]
CONFIRMATIONS = {
    "en": (
        "Please confirm your subscription",
        (
            "Thank you for subscribing to our newsletter. Confirm your address with this link:\n\n{}\n\n"
            "If you did not subscribe, please ignore this message."
        ),
    ),
    "de": (
        "Bitte best\u00e4tigen Sie Ihre Anmeldung",
        (
            "Sie m\u00f6chten unseren Newsletter erhalten. Best\u00e4tigen Sie bitte Ihre Adresse:\n\n{}\n\n"
            "Haben Sie sich nicht angemeldet, ignorieren Sie diese Nachricht."
        ),
    ),
    "fr": (
        "Confirmez votre inscription",
        (
            "Vous souhaitez recevoir notre newsletter. Confirmez votre adresse avec ce lien :\n\n{}\n\n"
            "Si vous n\u2019avez rien demand\u00e9, ignorez ce message."
        ),
    ),
    "es": (
        "Confirma tu suscripci\u00f3n",
        (
            "Gracias por suscribirte a nuestro bolet\u00edn. Confirma tu correo en este enlace:\n\n{}\n\n"
            "Si no has sido t\u00fa, ignora este mensaje."
        ),
    ),
}
MARKETING = {
    "abandoned-cart": (
        "Your cart is waiting",
        "You left a lamp in your cart. Complete your order before it sells out.",
    ),
    "win-back": ("We miss you", "It has been a while since your last visit. Come back and see what is new."),
    "referral": ("Give 20, get 20", "Invite a friend with your link and you both get 20 dollars off."),
    "sale": ("Sommerschlussverkauf", "Bis Sonntag 30 % Rabatt auf alle Schuhe. Jetzt sichern."),
    "survey": (
        "Votre avis compte",
        "Sur une \u00e9chelle de 0 \u00e0 10, nous recommanderiez-vous \u00e0 un ami ?",
    ),
    "webinar": ("Join our free webinar", "Learn from our experts on 3 May. Register now, seats are limited."),
    "upgrade": ("Go further with Premium", "You are on the free plan. Upgrade now for unlimited storage."),
    "price-drop": (
        "Price drop on your wishlist",
        "Items you viewed are cheaper now. Buy them while supplies last.",
    ),
}


def _mail(subject: str, text: str, *, html: bool = False) -> Message:
    """Return a text as a message, or as the same message in HTML."""
    made = EmailMessage()
    made["From"], made["To"] = "no-reply@notify.example.org", "ada@example.net"
    made["Subject"] = subject
    made.set_content(text)
    if html:
        blocks = (escape(block).replace("\n", "<br>\n") for block in text.split("\n\n"))
        made.add_alternative("".join(f"<p>{block}</p>\n" for block in blocks), subtype="html")
    return Message.read(made.as_bytes())


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize("footer", FOOTERS)
@pytest.mark.parametrize("language", CONFIRMATIONS)
def test_footers_and_hosts_decide_nothing(language: str, footer: str, *, html: bool) -> None:
    """A double opt-in confirmation is allowed, whoever signs it and whatever its shop is called."""
    subject, text = CONFIRMATIONS[language]
    for host in ("www.example.org", "www.super-sale-outlet.example"):
        said = f"{text.format(f'https://{host}/confirm/8f3k')}\n\n{footer}"
        decision = FLOWS.guard(_mail(subject, said, html=html), "transactional")
        assert decision.outcome is Outcome.ALLOW, str(decision)


@pytest.mark.parametrize("kind", MARKETING)
def test_marketing_has_one_verdict_in_text_and_html(kind: str) -> None:
    """What is composed for many does not leave as a notice, and its kind is named where it is told."""
    subject, text = MARKETING[kind]
    said = f"Hello Ada,\n\n{text}\n\nhttps://www.example.org/x\n\nUnsubscribe"
    plain, page = (FLOWS.guard(_mail(subject, said, html=html), "transactional") for html in (False, True))
    assert plain.outcome is page.outcome is Outcome.REFUSE, str(plain)
    assert plain.codes[0] == page.codes[0] == "marketing-on-transactional"
    assert "reads as marketing, not transactional" in str(plain)


BANNER = "Get 20% off your next order with code BACK20. Shop now!"
SHIPPED = "Hello Ada,\n\nyour order 8841 left our warehouse today.\n\nIt should arrive on Thursday.\n\n{}\n\n"


@pytest.mark.parametrize("html", [False, True])
def test_a_banner_above_a_footer_is_looked_at_and_not_refused(*, html: bool) -> None:
    """What a house puts on top of the footer of all its mail stops no notice; inside the text it does."""
    footer = "Unsubscribe | Privacy\n\nKestrel Goods Ltd, 3 Mill Lane, Bristol BS1 4QA"
    banner = FLOWS.guard(_mail("Your order", SHIPPED.format(BANNER) + footer, html=html), "transactional")
    assert (banner.outcome, banner.codes) == (Outcome.FLAG, ("promotional-block",)), str(banner)
    inside = SHIPPED.format(f"{BANNER}\n\nTrack it in your account whenever you like.") + footer
    assert FLOWS.guard(_mail("Your order", inside, html=html), "transactional").outcome is Outcome.REFUSE
    bare = SHIPPED.format(BANNER)
    assert FLOWS.guard(_mail("Your order", bare, html=html), "transactional").outcome is Outcome.REFUSE
    short = f"Hello Ada,\n\n{BANNER}\n\n{footer}"  # below so little it is the message
    assert FLOWS.guard(_mail("Your order", short, html=html), "transactional").outcome is Outcome.REFUSE
    long = SHIPPED.format(f"{BANNER} {BANNER} {BANNER}") + footer  # 30 words have something to tell
    assert FLOWS.guard(_mail("Your order", long, html=html), "transactional").outcome is Outcome.REFUSE


def test_an_advert_in_one_part_only_is_found() -> None:
    """The plain text that few readers see is judged as the HTML is."""
    subject, text = MARKETING["abandoned-cart"]
    made = EmailMessage()
    made["From"], made["Subject"] = "no-reply@notify.example.org", subject
    made.set_content(text)
    made.add_alternative("<p>Your receipt of 3 May: 12.00 EUR, paid by card.</p>", subtype="html")
    assert FLOWS.guard(made.as_bytes(), "transactional").outcome is Outcome.REFUSE


def test_a_kind_can_be_moved() -> None:
    """Whoever is asked for reviews by contract says so, and the guard follows; and the other way round."""
    subject, text = MARKETING["survey"]
    message = _mail(subject, text)
    assert not FLOWS.guard(message, "transactional").allowed
    moved = GuardSettings(kinds={"survey": "transactional"})
    assert FLOWS.guard(message, "transactional", settings=moved).outcome is Outcome.ALLOW
    subject, text = CONFIRMATIONS["en"]
    strict = GuardSettings(kinds={"double-opt-in": "marketing"})
    assert not FLOWS.guard(_mail(subject, text), "transactional", settings=strict).allowed


def test_the_classifier_alone_refuses_no_notice() -> None:
    """What it says of the whole counts only where it says it of the core, too."""
    decision = FLOWS.guard(RECEIPT.format(""), "transactional", classification=_said(Flow.MARKETING))
    assert decision.outcome is Outcome.ALLOW


TRACKED = """From: a@example.org
Subject: x
Content-Type: text/html

<p>Hello, see <a href="https://click.example.org/t/1">this</a>.</p>{}
"""


@pytest.mark.parametrize("flow", ["professional", "transactional"])
def test_tracking_is_flagged_where_nobody_agreed_to_it(flow: str) -> None:
    """A tracking host and a pixel are flagged on personal and transactional mail, not on a mailing."""
    pixel = '<img src="https://click.example.org/o.gif" width="1" height="1">'
    message = TRACKED.format(pixel)
    decision = FLOWS.guard(message, flow, classification=_said(None))
    assert set(decision.codes) == {"tracking-links", "tracking-pixel"}
    assert decision.outcome is Outcome.FLAG
    assert FLOWS.guard(message, "marketing", classification=_said(None)).outcome is Outcome.ALLOW


@pytest.mark.parametrize(
    "content",
    [
        {"flag_recipients": 10, "refuse_recipients": 5},
        {"flag_alike": 200},
        {"flag_block": 2.0, "refuse_block": 1.0},
        {"kinds": {"abandoned-card": "marketing"}},
        {"kinds": {"survey": "newsletter"}},
    ],
)
def test_settings_that_contradict_themselves_are_refused(content: dict[str, Any]) -> None:
    """What flags must not lie above what refuses, and a kind and its place must be known."""
    with pytest.raises(ConfigurationError):
        GuardSettings(**content)


def test_a_decision_can_be_shown_and_stored() -> None:
    """A decision is a line, plain data and escaped HTML."""
    text = RECEIPT.format(ADVERT + " <script>")
    decision = FLOWS.guard(text, "transactional", classification=_said(None))
    assert "refuse on transactional" in str(decision)
    assert decision.to_dict()["reasons"][0]["code"] == "promotional-block"
    assert "<script>" not in decision._repr_html_()


@pytest.mark.property
@given(st.text(max_size=400), st.sampled_from(list(Flow)))
def test_any_text_gets_a_decision(text: str, flow: Flow) -> None:
    """Whatever a message holds, the guard decides."""
    decision = FLOWS.guard("Subject: x\n\n" + text, flow, classification=_said(None))
    assert decision.outcome in Outcome


def test_texts_kept_aside_get_their_verdict() -> None:
    """Of texts that taught nothing, no notice is refused, few are flagged, and marketing is stopped."""
    path = Path(__file__).parents[2] / "benchmarks" / "guard_texts.tsv"
    with path.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened, delimiter="\t", quoting=csv.QUOTE_NONE))
    said: dict[bool, Counter[Outcome]] = {True: Counter(), False: Counter()}
    for row in rows:
        message = _mail(row["subject"], row["text"], html=False)
        is_clean = known_kinds()[row["kind"]].place == "transactional"
        said[is_clean][FLOWS.guard(message, "transactional").outcome] += 1
    clean, marketing = said[True], said[False]
    assert clean[Outcome.REFUSE] == 0
    assert clean[Outcome.FLAG] <= 0.03 * clean.total()
    assert marketing[Outcome.ALLOW] <= 0.05 * marketing.total()
    assert marketing[Outcome.REFUSE] >= 0.85 * marketing.total()


def test_a_few_words_say_little() -> None:
    """A note of a few words is no marketing, whatever they are."""
    for text in ("Hello, see this.", "Here it is.", "Done"):
        assert FLOWS.guard(_mail("Note", text, html=False), "transactional").outcome is Outcome.ALLOW


def test_every_kind_was_taught() -> None:
    """A kind of the table without texts in corpus/kinds.tsv would never be recognised."""
    assert set(known_kinds()) == set(shipped_kinds().kinds), "add texts, then run tasks/train_kinds.py"


def test_the_order_of_words_in_a_set_decides_nothing() -> None:
    """A score is the exact sum, which no order of adding changes: every process says the same of a text."""
    model = BlockModel(0.5, {"w:a": 1e16, "w:b": 1.0, "w:c": -1e16}, flag=1.0, refuse=2.0)
    assert model.score({"w:a", "w:b", "w:c", "w:unknown"}) == 1.5


@pytest.mark.parametrize(
    ("subject", "text", "marks"),
    [
        ("Order SK-20881", "Total: 116,10 €", {"cents", "price", "number", "number in subject"}),
        ("Rechnung", "Betrag EUR 1.204,50 bis 14.05.2026", {"cents", "date"}),
        ("Code", "Your code is 406117, valid until 18:30", {"number", "clock"}),
        ("New sign-in", "From 203.0.113.45 with the card *4410", {"network", "masked"}),
        ("【予約】", "10月8日 19:00、2,980円", {"date", "clock", "price"}),
        ("Ready?", "Jackets from $39, 40% off", {"question in subject", "price", "percent"}),
        ("\U0001f389 Party", "Come!", {"picture in subject", "exclamation"}),
        ("Hello", "See you at noon", set()),
    ],
)
def test_marks_are_those_of_the_text(subject: str, text: str, marks: set[str]) -> None:
    """What a notice looks like in any language: numbers of orders, times, dates, exact amounts."""
    found = {one.removeprefix("m:") for one in traits(core_of_text(subject, text)) if one.startswith("m:")}
    assert found == marks


def test_filler_text_says_nothing() -> None:
    """A template that nobody has filled in is judged by its own words alone."""
    own = "Your order has shipped. Track it here."
    filler = (
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore "
        "et dolore magna aliqua."
    )
    told = traits(core_of_text("Shipped", f"{own}\n\n{filler}"))
    assert {one for one in told if one[:2] == "w:"} <= traits(core_of_text("Shipped", own)) | {"w:do"}
    assert "w:est" in traits(core_of_text("Votre colis", "Votre colis est en route et sera livré demain."))


CURRENCY = r"(?:[$€£¥₽円]|EUR|USD|GBP|PLN|TL\b|zł|kr\b|руб|Kč)"
PLAIN_MARKS = {
    "m:clock": rf"(?<![\d.,])(?:[01]?\d|2[0-3])[:.h][0-5]\d(?!\d|[.,]\d|\s?(?:%|{CURRENCY}))",
    "m:date": r"(?<!\d)\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(?!\d)|(?<!\d)\d{4}-\d\d-\d\d(?!\d)|\d月\d{1,2}日",
    "m:network": r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])",
}
"""The marks that are written for speed, as one would write them down."""

PIECES = [*"0123459.,:/-h %$€x*•月日", "24", "192.0.2.1", "2026-11-29", "29.11.2026", "EUR", "TL", "kr", "\n"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_a_mark_written_for_speed_finds_the_same(text: str) -> None:
    """A pattern that begins with a digit and then looks behind it matches where the plain one does."""
    for name, plain in PLAIN_MARKS.items():
        assert BODY_MARKS[name].stands_in(text) is (re.search(plain, text) is not None), name


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_the_signs_of_a_mark_stand_in_all_that_it_matches(text: str) -> None:
    """A text without any of them is not searched."""
    for name, mark in BODY_MARKS.items():
        assert mark.stands_in(text) is (mark.pattern.search(text) is not None), name


@pytest.mark.parametrize("currency", "$ € £ ¥ ₽ 円 EUR USD GBP PLN TL zł kr руб Kč".split())
def test_an_exact_amount_is_seen_in_each_currency(currency: str) -> None:
    """Before and behind the number."""
    assert BODY_MARKS["m:cents"].stands_in(f"Total: 49,90 {currency}")
    assert BODY_MARKS["m:cents"].stands_in(f"Total: {currency} 49,90")


def test_a_kind_is_the_sum_of_what_the_message_holds() -> None:
    """Known traits weigh by the length of all, unknown words too; the odds by the nearest of both sides."""
    model = KindModel(
        traits={"w:sale": (3.0, 2.0), "c:offer": (4.0, 1.0)},
        start=-1.0,
        kinds={"sale": 0.5, "receipt": 0.25},
        telling={"w:sale": {"sale": 2.0}, "c:offer": {"receipt": 1.0}},
        flag=0.0,
        refuse=0.0,
        named=0.0,
    )
    found = {"w:sale", "c:offer", "w:unknown", "s:unknown", "p:sale unknown", *(f"w:{n}" for n in range(3))}
    length = math.sqrt(3**2 + 4**2 + 5 * 4**2)
    assert model.values(found) == {"c:offer": 4 / length, "w:sale": 3 / length}
    sale, receipt = 0.5 + 2 * 3 / length, 0.25 + 4 / length
    odds = -1 + 4 / length + 2 * 3 / length + 0.25 * (sale - receipt)
    kind, said = model.read(found)
    assert kind == "sale"
    assert said == pytest.approx(odds * 0.5**2)


@pytest.mark.parametrize("letters", [399, 400, 401, 1_000])
def test_a_long_line_is_read_to_its_end(letters: int) -> None:
    """Zones look at the beginning of a line, the guard at all of it."""
    line = ("word " * letters)[: letters - 5] + " last"
    (read,) = core_of_text("Your order", f"{line}\n").lines
    assert (len(read.text), read.tokens[-1]) == (letters, "last")


@pytest.mark.parametrize(
    "text",
    [
        "Hello Ada,\n\nyour order 40812 left today.\nhttps://shop.example/track/1\n\nUnsubscribe",
        "Bonjour,\n\n" + "votre commande est partie hier soir, " * 20 + "merci.\n\n© 2026 Boutique",
        "ご注文ありがとうございます。\n商品は明日届きます。\n配信停止はこちら",
    ],
)
def test_a_message_that_was_classified_has_the_same_core(text: str) -> None:
    """Words that were found before are those that are found anew."""
    message = Message.read(f"Subject: x\nContent-Type: text/plain; charset=utf-8\n\n{text}")
    fresh = cores(message)
    words.read(message)
    assert cores(message) == fresh
