"""Templates over time: what kind of series a message belongs to, and which slot is abused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from growth import MOST, growth
from mailflows import ConfigurationError
from mailflows.limits import MemoryStore, SQLiteStore
from mailflows.message import Message
from mailflows.templates import Series, TemplateMemory, check_fields
from mailflows.templates._skeleton import Words, align, begun, gaps, learned, tokens_of
from mailflows.testing import FixedClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = [
    "Ada",
    "José",
    "Anne-Marie",
    "Li Wei",
    "Jean de La Tour",
    "Łukasz",
    "山田太郎",
    "",
    "O'Connor",
    "Zoë",
]
FORM = """From: Shop <hello@shop.example>
Subject: Welcome to the shop, {name}

Hello {name},

thank you for opening an account with us on day {number}.
Your customer number is {number}. To confirm your address, follow this link:
https://shop.example/confirm?token={number}

If it was not you, simply ignore this message.
"""


def _form(name: str, number: int = 0) -> Message:
    subject, _, body = FORM.partition("\n\n")
    head = subject.format(name=name.split("\n", maxsplit=1)[0].strip(), number=number)
    return Message.read(f"{head}\n\n{body.format(name=name, number=number)}")


def _trained(store: Any = None, **options: Any) -> TemplateMemory:
    memory = TemplateMemory(store or MemoryStore(), **options)
    for number, name in enumerate(NAMES):
        seen = memory.observe(_form(name, 51_000 + 7 * number), flow="transactional")
        assert seen.ok, str(seen)
    return memory


def test_a_known_skeleton_with_new_slots_is_transactional() -> None:
    """One text with other numbers each time is a strict model at work."""
    seen = _trained().observe(_form("Grace", 99_123), flow="transactional")
    assert (seen.series, seen.total, seen.ok) == (Series.TRANSACTIONAL, len(NAMES) + 1, True)


def test_one_text_to_many_is_a_mailing() -> None:
    """The same text again and again, but for a name, is a mailing."""
    memory = TemplateMemory(MemoryStore())
    text = "From: a@b.example\nSubject: News\n\nDear {},\nour autumn programme is out. Come and see us.\n"
    for name in (*NAMES, *NAMES):
        seen = memory.observe(text.format(name), flow="professional")
    assert seen.series is Series.MAILING
    assert seen.seen == 2 * len(NAMES)


def test_what_people_write_is_unique() -> None:
    """Messages that have nothing in common make no series."""
    memory = TemplateMemory(MemoryStore())
    texts = [
        "Could you send me the plans of the barn before Friday?",
        "The dog is well again, thanks to you!",
    ]
    for text in texts:
        seen = memory.observe(f"From: a@b.example\nSubject: x\n\n{text}\nYours", flow="professional")
        assert seen.series is Series.UNIQUE


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("You won! http://prizes.example/claim", "slot-link"),
        ("www.prizes.example", "slot-link"),
        ("bit.ly/3xyz", "slot-link"),
        ("Call +44 20 7946 0958", "slot-phone"),
        ("Ada\n\nDear customer, your account is locked", "slot-line-break"),
        (
            "Make money from home, thousands do it already and it takes ten minutes of your time each day",
            "slot-long-text",
        ),
        ("<b>Ada</b>", "slot-markup"),
    ],
)
def test_an_abused_slot_is_said(value: str, code: str) -> None:
    """A name that holds somebody's message raises an alarm that says which slot it is."""
    seen = _trained().observe(_form(value, 52_000), flow="transactional")
    assert code in {alarm.code for alarm in seen.alarms}, str(seen)
    assert any("Hello" in alarm.slot or "shop" in alarm.slot for alarm in seen.alarms)


def test_an_abused_message_is_not_learned() -> None:
    """Repeating the abuse does not make it usual; a person may accept a value, and then it is."""
    memory = _trained()
    for _ in range(20):
        assert not memory.observe(_form("see prizes.example/x", 1), flow="transactional").ok
    memory.observe(_form("Ada /k. GmbH www.ada.example", 1), flow="transactional", accept=True)
    assert memory.observe(_form("Bob GmbH www.bob.example", 1), flow="transactional").ok


def test_a_part_that_is_not_always_there_raises_no_alarm() -> None:
    """A block of its own lines, with a link, may come and go."""
    memory = TemplateMemory(MemoryStore())
    block = "\nYour voucher is waiting: https://shop.example/voucher\nIt ends soon.\n"
    for number in range(30):
        message = _form(NAMES[number % len(NAMES)], 60_000 + number)
        text = FORM.partition("\n\n")[0].format(name="x", number=1) + "\n\n" + message.text
        seen = memory.observe(text + (block if number % 3 == 2 else ""), flow="transactional")
        assert seen.ok, str(seen)


def test_flows_and_senders_have_their_own_templates() -> None:
    """What one sender or flow has taught says nothing of another."""
    memory = _trained()
    assert memory.observe(_form("Ada", 1), flow="marketing").series is Series.UNIQUE
    assert memory.observe(_form("Ada", 1), flow="transactional", sender="form-7").series is Series.UNIQUE


def test_counting_is_by_window() -> None:
    """After the window a series is counted anew, and is still known."""
    clock = FixedClock()
    memory = _trained(window=3600, clock=clock)
    clock.advance(3601)
    seen = memory.observe(_form("Grace", 99_123), flow="transactional")
    assert (seen.seen, seen.total) == (1, len(NAMES) + 1)


def test_the_memory_outlives_a_process(tmp_path: Path) -> None:
    """A second memory on the same file knows the template, and no word of a message is in it."""
    path = tmp_path / "templates.db"
    _trained(SQLiteStore(path))
    memory = TemplateMemory(SQLiteStore(path))
    assert not memory.observe(_form("see prizes.example/x", 1), flow="transactional").ok
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"customer" not in content
    assert b"shop.example" not in content


def test_two_processes_see_each_others_messages() -> None:
    """What one has read before never stands in for what the store holds by now."""
    store = MemoryStore()
    one, two = TemplateMemory(store), TemplateMemory(store)
    totals = [
        memory.observe(_form(name, 51_000 + number), flow="transactional").total
        for number, name in enumerate(NAMES)
        for memory in (one, two)
    ]
    assert totals == list(range(1, 2 * len(NAMES) + 1))
    assert two.forget("hello@shop.example") == 1
    assert one.observe(_form("Grace", 1), flow="transactional").total == 1


class Watched(MemoryStore):
    """A store that notes what it is asked, and may let somebody else write first.

    Attributes:
        verbs: What it was asked.
        before: Called before the next swap, once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.verbs: list[str] = []
        self.before: Callable[[], object] | None = None

    def load(self, key: str) -> bytes | None:
        """Note it."""
        self.verbs.append("load")
        return super().load(key)

    def swap(self, key: str, old: bytes | None, new: bytes | None, *, ttl: float | None = None) -> bool:
        """Note it, and let the other one write."""
        self.verbs.append("swap")
        first, self.before = self.before, None
        if first is not None:
            first()
        return super().swap(key, old, new, ttl=ttl)


def test_a_message_costs_few_calls_of_the_store() -> None:
    """The index is read once; it is written where a template is new or another one was used last."""
    store = Watched()
    memory = TemplateMemory(store)
    memory.observe(_form("Ada", 51_000), flow="transactional")
    assert store.verbs == ["load", "swap", "swap"]
    for number, name in enumerate(NAMES):
        memory.observe(_form(name, 51_001 + number), flow="transactional")
    store.verbs.clear()
    memory.observe(_form("Grace", 99_123), flow="transactional")
    assert store.verbs == ["load", "load", "swap"]


def test_who_writes_first_is_not_lost() -> None:
    """Two new templates at once both stand in the index: whoever is second reads it again."""
    store = Watched()
    one, two = TemplateMemory(store), TemplateMemory(store)
    other = "From: hello@shop.example\nSubject: News\n\nour autumn programme is out now, come and see us soon"
    store.before = lambda: two.observe(other, flow="transactional")
    one.observe(_form("Ada", 51_000), flow="transactional")
    assert one.observe(_form("José", 51_007), flow="transactional").total == 2
    assert one.observe(other, flow="transactional").total == 2
    assert one.forget("hello@shop.example") == 2


def test_the_first_message_of_a_template_may_come_twice_at_once() -> None:
    """Two processes that begin the same template leave one, once in the index."""
    store = Watched()
    one, two = TemplateMemory(store), TemplateMemory(store)
    store.before = lambda: two.observe(_form("Ada", 51_000), flow="transactional")
    assert one.observe(_form("Ada", 51_000), flow="transactional").series is Series.UNIQUE
    assert one.forget("hello@shop.example") == 1


def test_what_is_remembered_goes_when_it_is_unused() -> None:
    """Index and template of a message last as long as was said."""
    clock = FixedClock()
    store = MemoryStore(clock=clock)
    memory = TemplateMemory(store, kept_for=100.0, clock=clock)
    memory.observe(_form("Ada", 51_000), flow="transactional")
    clock.advance(99.0)
    assert len(list(store.scan("template"))) == 2
    clock.advance(2.0)
    assert list(store.scan("template")) == []


@pytest.mark.parametrize(
    "line",
    [
        "Your order O'Neill, 12 items -- total: 49,90 EUR!",
        "see https://shop.example/a?b=1. Thanks",
        "write to ada@example.org, please",
        "山田太郎 様、ご注文 ¥1,200",
        "a\u2003b\tc  d_e",
        "x" * 250 + " end",
    ],
)
def test_a_line_without_addresses_has_the_same_tokens(line: str) -> None:
    """The fast way to split a line finds what the whole one finds."""
    words = Words(lambda word: word.encode())
    found = tokens_of(Message.read(f"Subject: x\nContent-Type: text/plain; charset=utf-8\n\n{line}"), words)
    together = tokens_of(
        Message.read(f"Subject: x\nContent-Type: text/plain; charset=utf-8\n\n{line} a@b.example"), words
    )
    assert found[2:-1] == together[2:-2]


def test_documents_stay_small_and_few() -> None:
    """A sender that never repeats itself leaves a bounded index, and a template some thousand bytes."""
    store = MemoryStore()
    memory = TemplateMemory(store)
    for number in range(60):
        words = " ".join(f"w{chr(97 + number % 26)}{chr(97 + number // 26)}{n}x" for n in range(900))
        memory.observe(f"From: a@b.example\nSubject: x\n\n{words}", flow="professional")
    index = dict(store.scan("templates:"))
    assert max(len(document) for document in index.values()) < 8_000
    assert max(len(document) for _, document in store.scan("template:")) < 40_000


@pytest.mark.parametrize("content", [{"learn": 0}, {"many": -1}, {"window": 0}, {"kept_for": 0}])
def test_settings_are_positive(content: dict[str, Any]) -> None:
    """A number that makes no sense is refused by its name."""
    with pytest.raises(ConfigurationError) as caught:
        TemplateMemory(MemoryStore(), **content)
    assert caught.value.field == next(iter(content))


def test_an_observation_can_be_shown_and_stored() -> None:
    """An observation is a line, plain data and escaped HTML."""
    seen = _trained().observe(_form("<b>x</b> http://x.example", 1), flow="transactional")
    assert seen.to_dict()["series"] == "transactional"
    assert "contains a link" in str(seen) + str(seen.to_dict())
    assert "<b>" not in seen._repr_html_()


def test_hostile_messages_take_bounded_time() -> None:
    """Words that repeat without end do not make aligning slow: it costs in proportion to them."""
    memory = TemplateMemory(MemoryStore())

    def texts(size: int) -> list[str]:
        return [unit * (size // len(unit)) for unit in ("a b ", "a ", "a.b@", "http://", "1 a ")]

    def observe(every: list[str]) -> None:
        for text in every * 3:
            memory.observe(f"From: a@b.example\nSubject: x\n\n{text}", flow="professional")

    assert growth(texts, observe, 200_000) < MOST


WORDS = st.lists(st.sampled_from("red green blue the a sea , . 7 12 http://x.example/1".split()), max_size=40)


@pytest.mark.property
@settings(max_examples=200)
@given(WORDS, WORDS)
def test_alignment_keeps_order_and_words(first: list[str], second: list[str]) -> None:
    """Pairs rise on both sides, pair equal words, and learning leaves only what both have."""
    one, two = (
        tokens_of(Message.read("Subject: s\n\n" + " ".join(words)), Words(str.encode))
        for words in (first, second)
    )
    skeleton = begun(one)
    pairs, share = align(skeleton, two)
    assert pairs == sorted(pairs)
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
    assert all(skeleton.fixed[a] == two[b].mark for a, b in pairs)
    assert 0 <= share <= 1
    after = learned(skeleton, gaps(skeleton, two, pairs), pairs)
    assert len(after.fixed) == len(pairs)
    assert align(after, two)[1] == 1.0 or not after.fixed


def test_only_plain_words_are_kept_in_memory() -> None:
    """A word is hashed once; codes, links and addresses are read anew, and nothing is kept of them."""
    hashed: list[str] = []

    def mark(word: str) -> bytes:
        hashed.append(word)
        return word.encode()

    words = Words(mark)
    message = Message.read("Subject: a code\n\na code 4711 for ada@example.org: https://x.example/4711 code")
    found = [tokens_of(message, words) for _ in range(2)]
    assert found[0] == found[1]
    assert [hashed.count(word) for word in ("code", "4711", "ada@example.org", "//x.example")] == [1, 2, 2, 2]
    assert not any(character in written for written in words for character in "4@/")


@pytest.mark.parametrize(
    "value",
    [
        "Ada",
        "José María",
        "O'Connor-Smith",
        "Dr. H. Weiß",
        "山田太郎",
        "12 rue de la Paix",
        "75002",
        None,
        "J.R.R.",
    ],
)
def test_usual_values_of_a_form_are_well(value: object) -> None:
    """Names, streets and towns raise no alarm."""
    assert check_fields({"field": value}).ok


def test_fields_may_be_allowed_more() -> None:
    """A comment may have lines and a length; the name beside it may not."""
    fields = {"name": "Ada\nx", "comment": "One line.\nAnother. " + "word " * 40}
    report = check_fields(fields, allow={"comment": ["slot-line-break", "slot-long-text"]})
    assert [(alarm.slot, alarm.code) for alarm in report.alarms] == [("name", "slot-line-break")]
    assert "name" in str(report)
    assert report.to_dict()["ok"] is False
    assert "<table>" in report._repr_html_()


@pytest.mark.parametrize("allow", [{"nmae": ["slot-link"]}, {"name": ["link"]}])
def test_a_wrong_allowance_is_refused(allow: dict[str, list[str]]) -> None:
    """A misspelt field or code is said."""
    with pytest.raises(ConfigurationError):
        check_fields({"name": "Ada"}, allow=allow)


WELCOMES = {
    "en": (
        "Hello {n},\n\n"
        "thank you for opening an account. Your customer number is {k}. Confirm your address here:"
    ),
    "de": (
        "Hallo {n},\n\n"
        "vielen Dank für Ihre Anmeldung. Ihre Kundennummer lautet {k}. Bestätigen Sie die Adresse:"
    ),
    "fr": (
        "Bonjour {n},\n\n"
        "merci d'avoir ouvert un compte. Votre numéro client est {k}. Confirmez votre adresse :"
    ),
    "es": (
        "Hola, {n}:\n\ngracias por abrir una cuenta. Tu número de cliente es {k}. Confirma tu dirección aquí:"
    ),
    "it": (
        "Ciao {n},\n\n"
        "grazie per aver aperto un account. Il tuo numero cliente è {k}. Conferma l'indirizzo qui:"
    ),
    "nl": (
        "Hallo {n},\n\n"
        "bedankt voor het openen van een account. Je klantnummer is {k}. Bevestig je adres hier:"
    ),
    "pl": (
        "Cześć {n},\n\n"
        "dziękujemy za założenie konta w sklepie. Twój numer klienta to {k}. Potwierdź swój adres:"
    ),
    "pt": (
        "Olá {n},\n\n"
        "obrigado por abrir uma conta. O seu número de cliente é {k}. Confirme o seu endereço aqui:"
    ),
    "ru": (
        "Здравствуйте, {n}!\n\n"
        "Спасибо за регистрацию в магазине. Ваш номер клиента {k}. Подтвердите свой адрес здесь:"
    ),
    "ja": (
        "{n} 様\n\n"
        "ご登録いただきありがとうございます。お客様番号は{k}です。次のリンクからアドレスを確認してください。"
    ),
}


@pytest.mark.parametrize("language", WELCOMES)
def test_a_new_template_is_watched_from_its_fourth_message(language: str) -> None:
    """In every language a name that is a link is told while the template is new, and nothing else is."""
    memory = TemplateMemory(MemoryStore())

    def observed(name: str, number: int) -> Any:
        text = WELCOMES[language].format(n=name, k=number)
        head = "From: shop@shop.example\nSubject: Shop\nContent-Type: text/plain; charset=utf-8"
        return memory.observe(f"{head}\n\n{text}\nhttps://shop.example/c?t={number}", flow="transactional")

    for number, name in enumerate(("Ada", "Jean de La Tour", "Łukasz")):
        assert observed(name, 51_000 + 7 * number).ok
    bad = observed("Claim it: https://prizes.example/x", 60_000)
    assert [alarm.code for alarm in bad.alarms] == ["slot-link"]
    assert observed("山田太郎", 60_007).ok
