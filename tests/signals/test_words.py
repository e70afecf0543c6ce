"""How words are found: the language, the entries of a lexicon, the zones they stand in."""

from __future__ import annotations

import pytest

from mailflows.message import Message
from mailflows.signals import measure, words

LANGUAGES = {
    "merci de votre commande": "fr",
    "merci": "fr",
    "the order den": "en",
    "den": "",
    "Ça va": "",
    "": "",
    "zażółć": "pl",
    "Grüße aus Gießen": "de",
    "тикет закрыт": "ru",
    "ご注文": "ja",
    "注文番号": "zh",
    "это для вас и не что": "ru",
}


@pytest.mark.parametrize(("text", "language"), LANGUAGES.items())
def test_a_language_is_told_by_its_function_words_or_letters(text: str, language: str) -> None:
    """A word of one language alone tells it, one that several share does not; rare letters need no word."""
    assert words.language_of(words.tokens(text), text) == language


def concepts(text: str, language: str = "en") -> set[str]:
    """Return the concepts of a passage."""
    return words.concepts_of(text, words.tokens(text), language)


ENTRIES = {
    "unsubscribing": {"unsubscribe"},
    "unsubscrib": {"unsubscribe"},
    "unsubscri": set(),
    "opt out": {"unsubscribe"},
    "opt it out": set(),
    "out opt": set(),
    "opt": set(),
    "dear customers": {"greeting", "formal_salutation"},
    "dear custom": {"greeting"},
    "dear valued customers": {"greeting", "formal_salutation"},
    "dear valued shop": {"greeting"},
    "new features": {"novelty"},
}


@pytest.mark.parametrize(("text", "found"), ENTRIES.items())
def test_an_entry_is_found_whole(text: str, found: set[str]) -> None:
    """All of its words in a row; an open one with any ending, but not with less than itself."""
    assert concepts(text) == found


def test_without_a_language_a_text_is_read_as_english() -> None:
    """And one whose language has no lexicon says that."""
    assert concepts("unsubscribe here", "") == concepts("unsubscribe here")
    assert concepts("unsubscribe here", "xx") == set()
    chinese = Message.read("Subject: x\n\n漢字".encode())
    assert words.read(chinese).language == "zh"
    assert "words-unread-language" in measure(chinese)
    assert "words-unread-language" not in measure(Message.read(b"Subject: x\n\nunsubscribe here"))


def found_in(body: str, subject: str = "x") -> set[str]:
    """Return the signals of the words of a message."""
    message = Message.read(f"Subject: {subject}\n\n{body}".encode())
    return {name for name in measure(message) if name.startswith("words-")}


def _words(count: int) -> str:
    return " ".join(["mill"] * count)


@pytest.mark.parametrize(("before", "is_opening"), [(0, True), (49, True), (50, False)])
def test_the_opening_is_fifty_words(before: int, is_opening: bool) -> None:  # noqa: FBT001 -- a case
    """What stands later is in the text, and not at its beginning."""
    found = found_in(f"{_words(before)} unsubscribe")
    assert "words-body-unsubscribe" in found
    assert ("words-opening-unsubscribe" in found) is is_opening


@pytest.mark.parametrize(
    ("before", "after", "is_read"),
    [(349, 300, True), (350, 300, False), (350, 149, True), (350, 150, False), (400, 149, True)],
)
def test_concepts_are_looked_up_at_both_ends(before: int, after: int, is_read: bool) -> None:  # noqa: FBT001
    """In the first three hundred and fifty words, and the last hundred and fifty."""
    found = found_in(f"{_words(before)} unsubscribe {_words(after)}")
    assert ("words-body-unsubscribe" in found) is is_read


def test_a_short_text_is_looked_up_as_a_whole() -> None:
    """Five hundred words have no middle."""
    assert "words-body-unsubscribe" in found_in(f"{_words(350)} unsubscribe {_words(149)}")
    reading = words.read(Message.read(f"Subject: x\n\n{_words(501)}".encode()))
    assert len(words._ends_of(reading.body)) == 500
    assert len(words._ends_of(reading.body[:500])) == 500


def test_an_entry_may_stand_at_the_very_end() -> None:
    """Its second word is the last of the text; without it, it is none."""
    assert "words-body-unsubscribe" in found_in("you may opt out")
    assert "words-body-unsubscribe" not in found_in("you may opt")
    assert "words-subject-unsubscribe" in found_in("Hello", subject="How to opt out")


@pytest.mark.parametrize(
    ("letters", "is_read"), [(words.LITTLE - 1, True), (words.LITTLE, False)], ids=["little text", "enough"]
)
def test_pictures_are_read_where_there_is_little_text(letters: int, is_read: bool) -> None:  # noqa: FBT001
    """Two or three sentences are enough to tell a message by."""
    page = f"<p>{'x' * letters}</p><img src=a alt='Unsubscribe'>"
    message = Message.read(f"Subject: x\nContent-Type: text/html\n\n{page}".encode())
    assert ("words-body-unsubscribe" in measure(message)) is is_read


def test_what_is_read_of_a_very_long_text_is_bounded() -> None:
    """The beginning and the end, with nothing that joins across the gap."""
    text = "a" * words.HEAD + "b" * words.TAIL
    assert words.read(Message.read(f"Subject: x\n\n{text}".encode())).text == text
    longer = words.read(Message.read(f"Subject: x\n\n{text}b".encode())).text
    assert longer == text[: words.HEAD] + "\n" + "b" * words.TAIL


@pytest.mark.parametrize(
    ("passage", "concept", "found"),
    [
        ("Please unsubscribe here", "unsubscribe", ("unsubscribe",)),
        ("Opt out or opt out", "unsubscribe", ("Opt out",)),
        ("Dear valued customers", "formal_salutation", ("Dear valued customers",)),
        ("Hello", "unsubscribe", ()),
    ],
)
def test_a_passage_is_quoted_as_it_is_written(passage: str, concept: str, found: tuple[str, ...]) -> None:
    """The longest entry, and each once."""
    assert words.passages_of([words.Marked.of(passage)], concept, "en") == found


def test_passages_of_several_texts_are_one_each() -> None:
    """The same words in another case are the same passage; a language without spaces has them, too."""
    texts = [words.Marked.of(text) for text in ("Opt out", "opt out", "unsubscribe")]
    assert words.passages_of(texts, "unsubscribe", "en") == ("Opt out", "unsubscribe")
    japanese = [words.Marked.of(text) for text in ("配信停止はこちら", "はい")]
    (found,) = words.passages_of(japanese, "unsubscribe", "ja")
    assert "配信停止はこちら".startswith(found)


@pytest.mark.parametrize(
    ("text", "is_found"),
    [("unsubscribe", True), ("se désinscrire", True), ("imprint", False), ("", False)],
)
def test_a_way_out_is_found_in_any_language(text: str, is_found: bool) -> None:  # noqa: FBT001 -- a case
    """Entries of several words, or of one long one, mean the same wherever they stand."""
    wanted = frozenset({"unsubscribe"})
    assert words.concepts_anywhere(words.tokens(text), wanted) == (wanted if is_found else set())


@pytest.mark.parametrize(("word", "is_telling"), [("abmeld", True), ("abmel", False)])
def test_a_short_word_means_something_else_elsewhere(word: str, is_telling: bool) -> None:  # noqa: FBT001
    """Six letters are enough; two words always are."""
    assert words._is_telling((word,)) is is_telling
    assert words._is_telling(("se", "ag"))


def test_a_greeting_is_found_in_any_language_by_its_long_words() -> None:
    """Of one word, six letters at least; a short one may be another word elsewhere."""
    wanted = frozenset({"greeting"})
    found = {word: words.concepts_anywhere((word,), wanted) for word in ("bonjour", "hola", "hej")}
    assert found == {"bonjour": wanted, "hola": set(), "hej": set()}


def test_only_a_language_without_spaces_is_searched_within_its_words() -> None:
    """Elsewhere a word within another one is none."""
    assert concepts("disregards") == set()
    assert concepts("このメールの配信停止はこちらから", "ja") >= {"unsubscribe"}


def test_zones_are_looked_up_apart() -> None:
    """Subject, opening, text, closing and links of a draft each have their own."""
    page = f"<p>unsubscribe {_words(60)} best regards</p><a href='https://a.example/'>shop now</a>"
    reading = words.read(Message.read(f"Subject: Your order\nContent-Type: text/html\n\n{page}".encode()))
    found = {zone: words.concepts_in(reading, zone) for zone in words.ZONES}
    assert "order" in found["subject"]
    assert "unsubscribe" in found["opening"] & found["body"]
    assert "unsubscribe" not in found["closing"] | found["subject"] | found["link"]
    assert "signoff" in found["closing"] & found["body"]
    assert "signoff" not in found["opening"]
    assert "call_to_action" in found["link"]


def test_zones_of_a_language_without_spaces_are_looked_up_apart() -> None:
    """By their first and last letters."""
    text = "配信停止はこちら" + "、" * 260 + "ご注文番号"
    reading = words.read(Message.read(f"Subject: x\n\n{text}".encode()))
    assert reading.language == "ja"
    found = {zone: words.concepts_in(reading, zone) for zone in words.ZONES}
    assert "unsubscribe" in found["opening"] & found["body"]
    assert "unsubscribe" not in found["closing"]
    assert "order" in found["closing"] & found["body"]
    assert "order" not in found["opening"]


def test_marked_words_keep_their_places() -> None:
    """The first and the last of them, in lower case, with where they stand."""
    marked = words.Marked.of("One two THREE")
    assert marked.tokens == ("one", "two", "three")
    assert [marked.text[start:end] for start, end in marked.first(2).spans] == ["One", "two"]
    assert marked.last(1).tokens == ("three",)
    assert [marked.text[start:end] for start, end in marked.last(1).spans] == ["THREE"]


LEFT = {
    "en": "You are unsubscribed. We have removed your address and you will no longer receive our letters.",
    "de": "Sie wurden abgemeldet. Ab sofort bekommen Sie keinen Newsletter mehr.",
    "fr": "Votre désabonnement est pris en compte, vous ne recevrez plus nos messages.",
    "es": "Le hemos dado de baja y ya no recibirá más correos.",
    "it": "La tua cancellazione è completata: non riceverai più i nostri messaggi.",
    "pt": "Removemos o seu endereço da lista e não receberá mais mensagens.",
    "nl": "Uw afmelding is verwerkt, u krijgt geen nieuwsbrief meer van ons.",
    "pl": "Usunęliśmy Państwa adres i nie będziemy już wysyłać wiadomości.",
    "ru": "Подписка отключена, вы больше не будете получать письма.",
    "cs": "Odhlášení proběhlo a vaši adresu jsme odstranili.",
    "sv": "Du är avanmäld och får inga fler nyhetsbrev.",
    "da": "Du er blevet afmeldt, og vi har slettet din adresse.",
    "tr": "Adresiniz listemizden çıkarıldı, bülten almayacaksınız.",
    "ja": "配信停止のお手続きが完了しました。今後お届けしません。",
}
PITCHES = {
    "en": "I am just following up on the note that I sent you: firms like yours do. Worth a quick call?",
    "de": "Betriebe wie Ihrer sparen mit uns einen Tag. Hätten Sie am Dienstag zehn Minuten Zeit?",
    "fr": "Je me permets de revenir vers vous: seriez-vous disponible pour un court échange?",
    "es": "Retomo mi correo: empresas como la suya ahorran un día. ¿Hablamos diez minutos?",
    "it": "Torno a scriverle perché le aziende come la vostra con noi risparmiano. Bastano dieci minuti.",
    "pt": "Não tive resposta ao meu último e-mail. Posso mostrar em dez minutos, sem compromisso?",
    "nl": "Ik kom even terug op mijn vorige mail: zal ik u morgen even bellen? Vrijblijvend.",
    "pl": "Wracam do mojej wiadomości: firmy takie jak Państwa oszczędzają dzień. Czy mogę zadzwonić?",
    "ru": "Напоминаю о своём письме: удобно созвониться на десять минут?",
    "cs": "Navazuji na svůj e-mail: firmy jako vaše ušetří den. Mohu vám zavolat?",
    "sv": "Jag har inte fått svar på mitt förra mejl. Ska vi ta ett kort samtal?",
    "da": "Jeg har ikke hørt fra jer efter min forrige mail. Skal vi tage en kort snak?",
    "tr": "Önceki mesajım hakkında dönüş alamadım. Kısa bir görüşme yapabilir miyiz?",
    "ja": "先日お送りした資料はご覧いただけましたでしょうか。15分だけお時間をいただけますか。",
}


@pytest.mark.parametrize(("concept", "texts"), [("list-confirmation", LEFT), ("sales-approach", PITCHES)])
def test_every_lexicon_knows_who_left_and_who_sells(concept: str, texts: dict[str, str]) -> None:
    """The confirmation of a list and a sales approach are told in all languages that have a lexicon."""
    missed = []
    for language, text in texts.items():
        message = Message.read(f"From: a@b.example\nContent-Type: text/plain; charset=utf-8\n\n{text}\n")
        if f"words-body-{concept}" not in measure(message):
            missed.append(language)
    assert missed == []
