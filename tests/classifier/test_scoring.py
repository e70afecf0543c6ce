"""How a model scores, what of a message it reads, and which reasons it gives, over small models."""

from __future__ import annotations

import json
import math
from itertools import islice, product
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import Classifier, ConfigurationError, Flow, ModelError
from mailflows.classifier import Model
from mailflows.classifier._model import _LARGEST, MAX_BYTES, digest_of
from mailflows.classifier._reasons import LONGEST_QUOTE, REASONS, Evidence
from mailflows.classifier._wording import HEAD, TAIL, Texts, marked, strongest_passages, texts_of, wording
from mailflows.message import Message
from mailflows.signals import words
from mailflows.signals.layout import number_seen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailflows.classifier import Classification
    from mailflows.classifier._wording import Weights


def model(  # noqa: PLR0913 -- the fields of a model
    signals: Mapping[str, Weights] | None = None,
    known: Mapping[str, Weights] | None = None,
    *,
    start: Weights = (0.0, 0.0, 0.0),
    share: float = 1.0,
    temperature: float = 1.0,
    threshold: float = 0.5,
) -> Model:
    """Return a model of a few weights."""
    return Model(start, signals or {}, known or {}, share, temperature, threshold, {"name": "small"})


def test_a_score_is_a_sum() -> None:
    """Start, value times weight for each known signal, and the wording; all over the temperature."""
    small = model({"a": (1, 2, 3)}, {"b:x": (3, 0, 1)}, start=(1, 0, 0), share=0.5, temperature=2)
    logits = small.logits({"a": 0.5, "unknown": 1}, {"b": ["x", "x", "y"], "s": ["x"]})
    assert logits == pytest.approx(((1 + 0.5 + 4.5) / 2, 1 / 2, (1.5 + 1.5) / 2))
    score = small.score({"a": 0.5, "unknown": 1}, {"b": ["x"]})
    assert score.logits == pytest.approx(logits)
    assert score.contributions == {"a": pytest.approx((0.25, 0.5, 0.75))}
    assert score.start == (0.5, 0, 0)
    assert score.wording == pytest.approx((2.25, 0, 0.75))


def test_long_messages_weigh_no_more_than_short_ones() -> None:
    """Nine words weigh three times one, as the square root of their number."""
    small = model(known={f"b:w{n}": (1.0, -1.0, 0.0) for n in range(9)})
    one = small.logits({}, {"b": ["w0"]})
    nine = small.logits({}, {"b": [f"w{n}" for n in range(9)]})
    assert one == pytest.approx((3, -3, 0))
    assert nine == pytest.approx((9, -9, 0))
    assert small.logits({}, {"b": ["other"]}) == (0, 0, 0)


def test_a_few_known_words_of_many_count_less() -> None:
    """In a language that was not learned they are known by accident; from three in ten on nothing changes."""
    small = model(known={f"b:w{n}": (1.0, 0.0, 0.0) for n in range(4)})
    known = [f"w{n}" for n in range(4)]
    score = {others: small.logits({}, {"b": known, "s": ["x"] * others})[0] for others in (0, 5)}
    assert score == {0: 6, 5: 6}
    foreign = {"b": known, "s": [f"x{n}" for n in range(36)]}
    assert small.logits({}, foreign)[0] == pytest.approx(4 * 3 / math.sqrt(0.3 * 40))
    assert small.logits({}, foreign | {"s": [f"x{n}" for n in range(9)]})[0] == pytest.approx(6)
    assert small.score({}, foreign).wording == pytest.approx(small.logits({}, foreign))


@pytest.mark.parametrize("weight", [-_LARGEST - 1.0, -_LARGEST, -0.0001, 0, 0.0001, _LARGEST, _LARGEST + 1.0])
def test_a_words_weight_is_kept_to_four_places_and_bounded(weight: float) -> None:
    """Whatever the weights beside it are."""
    kept = max(-_LARGEST, min(weight, _LARGEST))
    for known in ((weight, 0, 0), (0, weight, 0), (0, 0, weight), (weight, weight, weight)):
        found = model(known={"b:x": known}).logits({}, {"b": ["x"]})
        assert found == pytest.approx(tuple(3 * kept if one else 0 for one in known))


def signed(**changed: object) -> str:
    """Return a small model file with some values changed, and the digest that fits."""
    content: dict[str, Any] = json.loads(model({"a": (1, 2, 3)}, {"b:x": (1, 2, 3)}).dumps()) | changed
    return json.dumps(content | {"digest": digest_of(content)})


@pytest.mark.parametrize(
    ("name", "value", "is_read"),
    [
        ("threshold", 0, True),
        ("threshold", 1, True),
        ("threshold", -0.01, False),
        ("threshold", 1.01, False),
        ("temperature", 0.01, True),
        ("temperature", 100, True),
        ("temperature", 0.0099, False),
        ("temperature", 100.1, False),
        ("start", [999_999, 0, -999_999], True),
        ("start", [1_000_000, 0, 0], False),
        ("start", [0, 0, -1_000_000], False),
        ("word_weights", [[1], [2]], False),
        ("word_weights", [[1], [2], [3], [4]], False),
        ("word_weights", [[1], [2], [3, 4]], False),
    ],
)
def test_the_numbers_of_a_model_have_bounds(name: str, value: object, is_read: bool) -> None:  # noqa: FBT001
    """What is just inside is read, what is just outside is refused."""
    text = signed(**{name: value})
    if is_read:
        assert json.loads(Model.loads(text).dumps())[name] == value
    else:
        with pytest.raises(ModelError):
            Model.loads(text)


def test_the_size_of_a_model_has_a_bound() -> None:
    """In bytes of its file, and in weights."""
    text = signed()
    assert Model.loads(text + " " * (MAX_BYTES - len(text))).threshold == 0.5
    with pytest.raises(ModelError, match="at most"):
        Model.loads(text + " " * (MAX_BYTES - len(text) + 1))
    for count, is_read in ((199_999, True), (200_000, False)):  # and one signal
        many = signed(vocabulary="\n" * (count - 1), word_weights=[[1] * count] * 3)
        if is_read:
            assert Model.loads(many).signals == {"a": (1, 2, 3)}
        else:
            with pytest.raises(ModelError, match="at most 200000 weights"):
                Model.loads(many)


def test_a_model_may_know_no_words() -> None:
    """Signals alone are enough."""
    text = signed(vocabulary="", word_weights=[[], [], []])
    assert Model.loads(text).words == {}


def test_a_model_names_itself() -> None:
    """By name and digest; one that was made in memory, by the digest of what it would write."""
    small = model()
    digest = json.loads(small.dumps())["digest"]
    assert small.version == f"small {digest[:12]}"
    assert Model.loads(small.dumps()).version == small.version
    nameless = Model((0.0, 0.0, 0.0), {}, {}, 1.0, 1.0, 0.5, {})
    assert nameless.version.startswith("own ")
    assert repr(Classifier(nameless)) == "<Classifier own model, threshold 0.5>"


@pytest.mark.parametrize("threshold", [0, 1, 0.5])
def test_the_ends_of_a_threshold_are_in(threshold: float) -> None:
    """A probability may be 0 or 1."""
    assert Classifier(model(), threshold=threshold).threshold == threshold
    for outside in (threshold - 1.01, threshold + 1.01):
        with pytest.raises(ConfigurationError):
            Classifier(model(), threshold=outside)


@pytest.mark.parametrize(("right", "is_allowed"), [(0, False), (0.01, True), (1, True), (1.01, False)])
def test_the_ends_of_a_calibration(right: float, is_allowed: bool) -> None:  # noqa: FBT001 -- a case
    """None right is no aim, all right is one."""
    messages = [b"Subject: x\n\nHello"] * 30
    flows = ["professional"] * 30
    classifier = Classifier(model(start=(9, 0, 0)))
    if is_allowed:
        assert classifier.calibrate(messages, flows, right=right).right == 1
    else:
        with pytest.raises(ConfigurationError, match="share in"):
            classifier.calibrate(messages, flows, right=right)


def judged(message: str, small: Model) -> Classification:
    """Classify a text with a small model."""
    return Classifier(small).classify(message.encode())


def test_a_confidence_that_equals_the_threshold_is_enough() -> None:
    """Exactly so."""
    share = judged("Subject: x\n\nHello", model(start=(1, 0, 0))).confidence
    assert share == pytest.approx(math.e / (math.e + 2))
    assert judged("Subject: x\n\nHello", model(start=(1, 0, 0), threshold=share)).flow == Flow.PROFESSIONAL
    above = math.nextafter(share, 1)
    assert judged("Subject: x\n\nHello", model(start=(1, 0, 0), threshold=above)).flow is None


def test_a_certain_case_leaves_the_others_what_it_does_not_take() -> None:
    """In the proportion that the model gives them."""
    report = "Subject: x\nAuto-Submitted: auto-replied\n\nHello"
    found = judged(report, model(start=(math.log(3), 0, 0)))
    assert found.flow == Flow.TRANSACTIONAL
    assert list(found.probabilities.values()) == pytest.approx([0.0075, 0.0025, 0.99])
    assert found.reasons[0].code == "rule-automatic-reply"


def test_defects_stand_before_rules() -> None:
    """What could not be read comes first: nothing else is certain then."""
    sealed = "Subject: x\nAuto-Submitted: auto-replied\nContent-Type: application/pkcs7-mime\n\nHello"
    codes = [reason.code for reason in judged(sealed, model()).reasons]
    assert codes[:2] == ["defect-encrypted", "rule-automatic-reply"]
    unread = sealed.replace("application/pkcs7-mime", "text/plain") + "\n" + "x " * 600_000
    found = judged(unread, model(start=(0, 0, 9)))
    assert found.flow is None
    assert found.likely == Flow.TRANSACTIONAL
    assert [reason.code for reason in found.reasons][:2] == ["defect-unread-text", "rule-automatic-reply"]


def test_a_message_without_words_is_encrypted_first() -> None:
    """And unreadable then, as nothing else stands in it."""
    found = judged("From: a@b.example\nContent-Type: application/pkcs7-mime\n\n", model())
    assert [reason.code for reason in found.reasons] == ["defect-encrypted", "defect-unreadable"]
    assert judged("From: a@b.example\nSubject: x\n\n", model()).likely is not None
    assert judged("From: a@b.example\n\nx", model()).likely is not None


def test_the_strongest_reasons_are_shown() -> None:
    """Eight at most, strongest first, those against it last, each with its exact weight."""
    letter = (
        "Subject: x\nX-Priority: 1\nAuto-Submitted: yes\nFeedback-ID: x\nIn-Reply-To: x\nCc: a@b.example\n"
    )
    weights: dict[str, Weights] = {
        "headers-high-priority": (3, 0, 0),
        "headers-auto-submitted": (-6, 0, 0),
        "headers-feedback-id": (6, 0, 0),
        "headers-in-reply-to": (1.5, 0, 0),
        "recipients-copied": (0, 0, 0),
    }
    found = judged(f"{letter}\n\nHello", model(weights, start=(9, 0, 0)))
    assert {reason.code: reason.weight for reason in found.reasons} == pytest.approx(
        {
            "headers-feedback-id": 4,
            "headers-high-priority": 2,
            "headers-in-reply-to": 1,
            "headers-auto-submitted": -4,
        }
    )
    assert [reason.weight for reason in found.reasons] == pytest.approx([4, 2, 1, -4])
    assert found.rest == pytest.approx(6)


def test_no_more_reasons_than_one_reads() -> None:
    """What is weaker stands in the rest."""
    letter = (
        "From: noreply@mail.shop.example\nTo: ada@shop.example\nCc: b@shop.example\nX-Priority: 1\n"
        "Auto-Submitted: yes\nFeedback-ID: x\nIn-Reply-To: x\nPrecedence: bulk\nList-Unsubscribe: <x>\n"
        "List-Id: x\nSubject: [tag] Is it 20 % of #4711?\n\nHello"
    )
    measured = (
        "headers-high-priority headers-auto-submitted headers-feedback-id headers-in-reply-to "
        "headers-precedence-bulk headers-list-unsubscribe headers-campaign-list-id subject-tagged "
        "subject-percent subject-number subject-question"
    ).split()
    weights: dict[str, Weights] = {name: (float(at + 3), 0.0, 0.0) for at, name in enumerate(measured)}
    found = judged(letter, model(weights))
    assert [reason.code for reason in found.reasons] == measured[: -REASONS - 1 : -1]


def test_what_tells_a_reader_nothing_fills_up_to_three_reasons() -> None:
    """A message of no other signs has at least those."""
    letter = "From: Shop <a@b.shop.example>\nTo: Ada <ada@x.example>\nSubject: the mill\n\nHello"
    dull = {"sender-deep-host", "recipients-named", "subject-lower-case", "layout-short", "links-none"}
    weights: dict[str, Weights] = dict.fromkeys(sorted(dull), (3.0, 0.0, 0.0))
    assert len(judged(letter, model(weights)).reasons) == 3
    weights |= {"layout-no-text": (0.3, 0, 0), "sender-program-name": (0.3, 0, 0)}
    codes = [reason.code for reason in judged(letter, model(weights)).reasons]
    assert len(codes) == 3
    assert {"layout-no-text", "sender-program-name"} < set(codes)


def test_words_are_never_the_first_reason_beside_a_fact() -> None:
    """Though they weigh more; alone, or beside what speaks against it, they are."""
    letter = "Subject: mill wheel\nFeedback-ID: x\n\nHello"
    known: dict[str, Weights] = {"s:mill": (9.0, 0, 0)}
    fact = judged(letter, model({"headers-feedback-id": (0.5, 0, 0)}, known))
    assert [reason.code for reason in fact.reasons] == ["headers-feedback-id", "wording"]
    against = judged(letter, model({"headers-feedback-id": (-0.5, 0, 0)}, known))
    assert [reason.code for reason in against.reasons] == ["wording", "headers-feedback-id"]
    alone = judged(letter, model({}, known))
    assert [reason.sentence for reason in alone.reasons] == [
        '"mill" in the subject: words typical of professional mail'
    ]


def test_the_wording_names_words_that_no_other_reason_quotes() -> None:
    """Where there are such words; "unsubscribe" twice says no more than once."""
    unsubscribe: dict[str, Weights] = {"words-body-unsubscribe": (1.0, 0, 0)}
    known: dict[str, Weights] = {"b:unsubscribe": (4.0, 0, 0), "b:brunch": (2.5, 0, 0)}
    letter = "Subject: x\n\nBrunch, every day.\n\nUnsubscribe"
    both = judged(letter, model(unsubscribe, known)).reasons
    assert [(one.code, one.evidence) for one in both] == [
        ("words-unsubscribe", ("Unsubscribe",)),
        ("wording", ("Brunch",)),
    ]
    alone = judged(letter, model(unsubscribe, {"b:unsubscribe": (4.0, 0, 0)})).reasons
    assert alone[1].evidence == ("Unsubscribe",)
    weak = judged(letter, model(unsubscribe, known | {"b:brunch": (1.9, 0, 0)})).reasons
    assert weak[1].evidence == ("Unsubscribe",)


def test_a_header_that_settles_it_is_named_once() -> None:
    """The signal of the same header stands in the rest."""
    letter = "From: a@b.example\nAuto-Submitted: auto-replied\nSubject: x\n\nI am away."
    weights: dict[str, Weights] = {
        "headers-auto-replied": (0, 0, 3.0),
        "headers-auto-submitted": (0, 0, 2.0),
        "words-body-first-person": (0, 0, 1.0),
    }
    found = Classifier(model(weights)).classify(letter)
    assert [one.code for one in found.reasons] == ["rule-automatic-reply", "words-first-person"]
    assert sum(one.weight or 0.0 for one in found.reasons) + found.rest == pytest.approx(found.score)


def test_what_was_seen_is_quoted_on_one_line_and_not_too_long() -> None:
    """The last word that does not fit is left out."""
    weights: dict[str, Weights] = {"subject-question": (3, 0, 0), "headers-feedback-id": (2, 0, 0)}
    fits = "a" * (LONGEST_QUOTE - 7) + " words?"
    seen, header = judged(f"Subject: {fits}\nFeedback-ID: one  two\n\nx", model(weights)).reasons
    assert seen.sentence == f'the subject asks a question: "{fits}"'
    assert header.sentence.endswith(': "one two"')
    cut = judged(f"Subject: a{fits}\n\nx", model(weights)).reasons[0]
    assert cut.sentence.endswith(f': "a{fits.removesuffix(" words?")}…"')
    assert cut.evidence == (f"a{fits}",)


def test_a_quotation_mark_does_not_end_a_quoted_passage() -> None:
    """It becomes an apostrophe in the sentence; the evidence has it as it was."""
    asked = judged('Subject: was "no" said?\n\nx', model({"subject-question": (3, 0, 0)})).reasons[0]
    assert asked.sentence == "the subject asks a question: \"was 'no' said?\""
    assert asked.evidence == ('was "no" said?',)


def texts(subject: str = "", body: str = "", labels: str = "", language: str = "") -> Texts:
    """Return what of a message was read."""
    return Texts(subject, body, labels, "", "", language)


KNOWN: dict[str, Weights] = {
    f"{mark}:{word}": (strength, 0.0, 0.0)
    for mark in "sbl"
    for word, strength in {
        "order": 3.0,
        "shipped": 3.0,
        "your": 3.0,
        "parcel": 3.0,
        "today": 3.0,
        "weak": 1.0,
        "tea": 9.0,
        "0000": 9.0,
        "gift": 2.0,
        "card": 1.6,
        "lamp": 1.5,
        "sofa": 1.4,
    }.items()
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("order", ["order"]),
        ("Order has shipped", ["shipped"]),
        ("order shipped", ["order shipped"]),
        ("order-shipped", ["order-shipped"]),
        ("order, shipped", ["shipped"]),
        ("order shipped parcel today", ["order shipped parcel today"]),
        ("order shipped parcel today gift", ["order shipped parcel today"]),
        ("tea", []),
        ("tea order", ["tea order"]),
        ("order tea", ["order"]),
        ("0000 order", ["order"]),
        ("order 2041", ["order"]),
        ("order https://parcel.example/today shipped", ["shipped"]),
        ("you don't order gift cards", ["order gift"]),
        ("l'order", ["l'order"]),
        ("the shop’s shipped order’s", ["shipped order’s"]),
        ("wouldn't've today", ["today"]),
        ("gift, card, lamp, sofa", ["gift", "card", "lamp"]),
        ("order, lamp", ["order", "lamp"]),
        ("order order shipped", ["order shipped"]),
        ("order, sofa", ["order"]),
        ("order, gift order", ["gift order"]),
        ("order shipped Order shipped", ["order shipped"]),
        ("shipped shipped", ["shipped"]),
        ("nothing", []),
        ("", []),
    ],
)
def test_the_words_that_speak_most_are_named(text: str, found: list[str]) -> None:
    """Neighbours together, four at most; no figure, no short word at the end, and not what is much weaker."""
    assert strongest_passages(texts(body=text), KNOWN, 0) == [("in the text", one) for one in found]


def test_a_passage_has_the_whole_of_a_word_with_an_apostrophe() -> None:
    """Half of "don't" is no word."""
    known: dict[str, Weights] = {"b:t": (3, 0, 0), "b:need": (2, 0, 0), "b:couldn": (2, 0, 0)}
    assert strongest_passages(texts(body="You don't need that"), known, 0) == [("in the text", "don't need")]
    assert strongest_passages(texts(body="We couldn't go"), {"b:couldn": (2, 0, 0)}, 0) == [
        ("in the text", "couldn't")
    ]


def test_one_short_word_is_named_only_where_nothing_says_more() -> None:
    """Beside "your order" a word such as "there" convinces nobody."""
    known: dict[str, Weights] = {"b:there": (3, 0, 0), "b:order": (2, 0, 0), "b:shipped": (2, 0, 0)}
    assert strongest_passages(texts(body="there, order shipped"), known, 0) == [
        ("in the text", "order shipped")
    ]
    assert strongest_passages(texts(body="there"), known, 0) == [("in the text", "there")]


def test_words_are_named_with_the_place_where_they_weigh_most() -> None:
    """Once, however often they stand there."""
    known: dict[str, Weights] = {"s:order": (1, 0, 0), "b:order": (2, 0, 0), "l:order": (3, 0, 0)}
    everywhere = texts("order", "Order", "ORDER")
    assert strongest_passages(everywhere, known, 0) == [("in a link", "ORDER")]
    same: dict[str, Weights] = dict.fromkeys(("s:order", "b:order", "l:order"), (2.0, 0.0, 0.0))
    assert strongest_passages(everywhere, same, 0) == [("in the subject", "order")]


def test_a_word_of_every_text_is_not_named() -> None:
    """In the language of the message."""
    assert strongest_passages(texts(body="your", language="en"), KNOWN, 0) == []
    assert strongest_passages(texts(body="your", language="fr"), KNOWN, 0) == [("in the text", "your")]


def test_a_word_of_a_few_signs_is_named_where_signs_say_more() -> None:
    """Two kana or Han letters are a word, one is not."""
    known: dict[str, Weights] = {"b:注文": (2, 0, 0), "b:注": (2, 0, 0)}
    assert strongest_passages(texts(body="注文"), known, 0) == [("in the text", "注文")]
    assert strongest_passages(texts(body="注"), known, 0) == []


def test_a_word_speaks_for_a_flow_by_what_it_has_above_the_mean() -> None:
    """The same for all flows is nothing; less than the mean speaks against it."""
    known: dict[str, Weights] = {"b:same": (2, 2, 2), "b:other": (0, 3, 0), "b:third": (1, 0, 0.4)}
    assert strongest_passages(texts(body="same other third"), known, 0) == [("in the text", "third")]
    assert strongest_passages(texts(body="same other third"), known, 1) == [("in the text", "other")]
    assert strongest_passages(texts(body="third"), known, 2) == []


def read(subject: str, body: str) -> dict[str, list[str]]:
    """Return the words that are used of a message."""
    message = Message.read(f"From: ada.order2041@b.example\nSubject: {subject}\n\n{body}".encode())
    reading = words.read(message)
    used = wording(message, reading)
    assert texts_of(message, reading).wording == used
    return dict(used)


def test_the_words_of_a_message_have_places() -> None:
    """Subject with its neighbours, text, sender; digits are zeros, and long numbers are cut."""
    assert read("Order 2041 shipped", "It weighs 12345678901234567 kg") == {
        "b": ["it", "weighs", "0" * 12, "kg"],
        "s": ["order", "0000", "shipped", "order 0000", "0000 shipped"],
        "l": [],
        "f": ["ada", "order0000"],
    }
    assert marked({"s": ["a"], "b": ["a", "a"]}) == {"s:a", "b:a"}


def test_the_middle_of_a_long_text_is_not_read() -> None:
    """The first and the last words count."""
    body = ["".join(letters) for letters in islice(product("abcdefgh", repeat=3), HEAD + TAIL + 1)]
    assert read("x", " ".join(body[:-1]))["b"] == body[:-1]
    assert read("x", " ".join(body))["b"] == body[:HEAD] + body[-TAIL:]


def test_reasons_travel_without_the_model() -> None:
    """And are the same with it again."""
    small = model({"subject-question": (1, 0, 0)})
    evidence = judged("Subject: Is it?\n\nHello", small)._why
    assert isinstance(evidence, Evidence)
    assert evidence.without_model()(small) == evidence


@pytest.mark.parametrize(
    ("text", "name", "seen"),
    [
        ("In 2026 it was 49,90 € a month", "layout-money", "49,90 €"),
        ("It was (€ 49).", "layout-money", "49"),
        ("Order:\nA-20417, please", "layout-references", "A-20417"),
        ("From 20 % on", "layout-percent", "20 %"),
        ("See https://a.example/x?id=b2041234&y=1 there", "layout-references", "b2041234"),
        ("See (https://a.example/x/2041234/).", "layout-references", "2041234"),
        ("In 2026", "layout-money", ""),
    ],
)
def test_a_number_is_quoted_as_it_is_written(text: str, name: str, seen: str) -> None:
    """With what stands around it, and without the punctuation; empty where none is counted."""
    assert number_seen(text, name) == seen
