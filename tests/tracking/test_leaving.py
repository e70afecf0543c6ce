"""A link that leaves a list is never tracked, whatever its language, and no product is taken for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shared_cases
from mailflows.tracking import Tracker
from mailflows.tracking._leaving import pattern

TRACKER = Tracker([b"k" * 32], "https://t.shop.example/")

LEAVING = """
Please remove me | E-Mail-Benachrichtigungen verwalten | Interrompi la ricezione
Abonnement beheren | הגדרות דיוור | Sluta skicka
Opt out | Leave this mailing list | I no longer want these emails
Turn off these notifications | No longer interested?
Je ne souhaite plus recevoir d'e-mails | Mettre à jour vos préférences
Aus dem Verteiler austragen | Abo kündigen
Salir de la lista | Dejar de recibir estos correos | Gerir preferências
Descadastrar | Rimuovimi dalla lista
Ik wil geen e-mails meer ontvangen | Schrijf je uit | Zmień preferencje
Wypisz mnie z listy | Zrušit zasílání novinek
Отказ от рассылки | Больше не присылать | Керувати підпискою | Listeden çık
E-posta tercihlerimi değiştir
Διαγραφή από τη λίστα | Αλλαγή προτιμήσεων | إدارة الاشتراك
إيقاف استلام الرسائل | לביטול המנוי | ניהול העדפות
구독 취소 | 더 이상 받고 싶지 않아요 | 登録解除 | 配信設定の変更
取消订阅 | 停止接收邮件 | Lopeta tilaus | Muuta asetuksia
Hírlevél lemondása | Iratkozz le | Anulează abonarea | Modifică preferințele
Säg upp prenumeration | Afmeld nyhedsbrev
"""

OFFERS = """
Cancel any time for free | Stop snoring tonight | Remove stains for good
Choose your size | Renew your subscription
Want to stop writing Dockerfiles? | Arrêter de fumer | Modifier ma commande
Kostenlos stornieren | Flecken entfernen
Cancelar sin coste | Baja California te espera | Pare de fumar | Lista nozze
Smetti di fumare | Gratis annuleren
Usuń plamy | Zrušit rezervaci zdarma | Список покупок | Безкоштовне скасування
Ücretsiz iptal | Δωρεάν ακύρωση
إلغاء مجاني | ביטול חינם | 무료 취소 | キャンセル無料 | 取消订单 | Poista tahrat
Ingyenes lemondás | Elimină petele
Ge bort en prenumeration | Ta bort fläckar | Sign up for our newsletter | Meldet euch
Afbestil gratis | Avbestill gratis | Subscribe now | View this email in your browser
"""

SENTENCES = [
    ("If you no longer wish to receive these emails, {}.", "click here", True),
    ("Wenn Sie keine E-Mails mehr erhalten möchten, klicken Sie bitte {}.", "hier", True),
    ("メールの配信停止は{}", "こちら", True),
    ("Wilt u zich uitschrijven? {}.", "Klik hier", True),
    ("Getting too much mail from us? {}", "Tell us here", True),
    ("Caso não queira mais receber nossas mensagens, {}.", "clique aqui", True),
    ("Wil je onze nieuwsbrief niet meer ontvangen? {}", "Klik dan hier", True),
    ("Si prefieres no recibir este boletín, {}.", "avísanos aquí", True),
    ("Prefer silence? Turn these mails off {}.", "with one click", True),
    ("Don't miss our mails. {} to read the story.", "Click here", False),
    ("You can cancel your order {}.", "here", False),
    ("You signed up for our newsletter: {} to confirm.", "click here", False),
    ("<i>Unsubscribe:</i> {}", '<img src="x.png" alt="">', True),
    ("<a href='https://x.example/new'>Click here</a> for shoes, or {} to unsubscribe.", "here", True),
    ("If you cannot see this email, {}.", "click here", False),
    ("Si vous ne visualisez pas correctement cet e-mail, {}.", "cliquez ici", False),
    ("Unsubscribe at any time.</p><p>{} for the shoes.", "Click here", False),
    ("<a href='https://x.example/leave'>Unsubscribe</a> | {}", "Privacy", False),
]

ADDRESSES = [
    ("https://shop.us7.list-manage.com/profile?u=1&id=2", True),
    ("https://r.mail.shop.example/mk/un/abc", True),
    ("https://shop.example/?na=u&nk=1", True),
    ("https://shop.example/email/subscriptions/7", True),
    ("https://shop.example/account/notifications/email?token=1", True),
    ("https://shop.example/one_click_unsubscribe?v=1", True),
    ("https://shop.example/gdpr/withdraw-consent?x=1", True),
    ("https://shop.example/stop-emails?x=1", True),
    ("https://shop.example/lists/leave?m=1", True),
    ("https://shop.example/do-not-email?x=1", True),
    ("https://optout.shop.example/7", True),
    ("https://optoutdoor.example/tents", False),
    ("https://shop.example/unsub-woofer", False),
    ("https://shop.example/preferences-quiz", False),
    ("https://shop.example/subscriptions/coffee", False),
    ("https://shop.example/?na=blue", False),
    ("https://list-manage.example/profile-pillow", False),
    ("https://shop.us7.list-manage.com/track/click?u=1&id=2", False),
]


def reason(html: str) -> str:
    """Return why the last link of a page is left alone."""
    raw = f"Content-Type: text/html; charset=utf-8\n\n{html}".encode()
    return TRACKER.links(raw)[-1].skipped


def named(text: str) -> list[str]:
    """Return the phrases of a table."""
    return [phrase.strip() for line in text.strip().splitlines() for phrase in line.split("|")]


@pytest.mark.parametrize("phrase", named(LEAVING))
def test_what_leaves_a_list_is_not_tracked(phrase: str) -> None:
    """In every language, as text and as the name of a picture."""
    assert reason(f'<a href="https://x.example/l/7">{phrase}</a>') == "unsubscribe"
    picture = f"""<a href="https://x.example/l/7"><img src="u.png" alt="{phrase}"></a>"""
    assert reason(picture) == "unsubscribe"


@pytest.mark.parametrize("phrase", named(OFFERS))
def test_an_offer_is_tracked(phrase: str) -> None:
    """What may be cancelled, stopped or removed may be a room, smoking or a stain."""
    assert reason(f'<a href="https://x.example/l/7">{phrase}</a>') == ""


@pytest.mark.parametrize("kind", ["leaves", "offer"])
def test_a_thousand_phrases_in_22_languages(kind: str) -> None:
    """None that leaves a list is tracked, and every offer is."""
    table = (Path(__file__).parent / "leaving.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in table if line.startswith(kind)]
    wanted = "unsubscribe" if kind == "leaves" else ""
    assert len({language for _, language, _ in rows}) == 22
    wrong = [row for row in rows if reason(f'<a href="https://x.example/l/7">{row[2]}</a>') != wanted]
    assert wrong == []


@pytest.mark.parametrize(("sentence", "text", "leaves"), SENTENCES)
def test_the_sentence_around_tells_what_here_means(sentence: str, text: str, leaves: bool) -> None:  # noqa: FBT001
    """A link that only points is judged by its sentence, up to the next link or block."""
    link = f'<a href="https://x.example/l/7">{text}</a>'
    assert (reason(f"<p>{sentence.format(link)}</p>") == "unsubscribe") is leaves


@pytest.mark.parametrize(("url", "leaves"), ADDRESSES)
def test_the_address_tells_where_no_word_does(url: str, leaves: bool) -> None:  # noqa: FBT001
    """By a piece, by two that follow each other, or by what a service for mailings writes."""
    found = reason(f'<a href="{url}">See</a>'.replace("&", "&amp;"))
    assert (found == "unsubscribe") is leaves


def test_outside_links() -> None:
    """The outside list holds 22 languages, hidden letters, and products that only sound so."""
    for row in map(json.loads, shared_cases.cases("content-2/unsubscribe-links.jsonl").splitlines()):
        found = "left" if reason(row["html"]) == "unsubscribe" else "tracked"
        assert found == row["want"], row


WORDS = st.text("ab", min_size=1, max_size=4)
ENTRIES = st.lists(
    st.one_of(WORDS, WORDS.map("{}*".format), st.builds("{} {}".format, WORDS, WORDS)), min_size=1
)


@pytest.mark.property
@given(ENTRIES, st.lists(WORDS).map(" ".join))
def test_a_tree_of_letters_finds_what_its_entries_find(entries: list[str], text: str) -> None:
    """As if each were looked for alone, and the longest that fits at the first place where one does."""
    alone = [found.span() for entry in entries if (found := pattern([entry]).search(text))]
    first = min((start for start, _ in alone), default=0)
    together = pattern(entries).search(text)
    expected = (first, max(end for start, end in alone if start == first)) if alone else None
    assert (together.span() if together else None) == expected


@pytest.mark.property
@given(st.lists(WORDS, min_size=1), WORDS)
def test_entries_inside_words_are_found_like_each_alone(entries: list[str], text: str) -> None:
    """In languages that write words together an entry may stand anywhere."""
    assert bool(pattern(entries, inside=True).search(text)) is any(entry in text for entry in entries)
