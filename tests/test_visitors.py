"""What the visitor of a form is told."""

from __future__ import annotations

import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows import Gate, _data
from mailflows._visitors import LANGUAGES, _form, visitor_language, visitor_sentence
from mailflows.errors import AddressError
from mailflows.limits import Limit, Limiter, MemoryStore
from mailflows.recipients import check_recipient, ensure_recipient
from mailflows.testing import FixedClock
from three_flows import newsletter, reset, three_flows

TABLE = tomllib.loads(_data.read("visitors.toml"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", TABLE["sentences"])
def test_every_sentence_is_there_in_every_language(code: str, language: str) -> None:
    """Each is one text with its time filled in, and differs from the others."""
    said = visitor_sentence(code, language, wait=600)
    assert said.endswith((".", "\N{IDEOGRAPHIC FULL STOP}"))
    assert "{" not in said
    has_wait = "{wait}" in TABLE["sentences"][code]["en"]
    assert ("{wait}" in TABLE["sentences"][code][language]) is has_wait
    assert re.findall(r"\d+", said) == ["10"] * has_wait, "no count beside the time"
    assert not re.search(r"limit|rule|quota|per |recipient|client", said, re.IGNORECASE)
    assert language == "en" or said != visitor_sentence(code, "en", wait=600)


def test_the_languages_are_those_of_the_lexicon() -> None:
    """Whoever's mail is understood is told in the same language; every table has every language."""
    assert set(LANGUAGES) == set(_data.names("lexicon"))
    for entries in (*TABLE["sentences"].values(), *TABLE["units"].values()):
        assert set(entries) == set(LANGUAGES)
    ruled = [language for languages in TABLE["plurals"].values() for language in languages]
    assert sorted(ruled) == sorted(LANGUAGES)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("ru", "1 час, 2 часа, 5 часов, 11 часов, 21 час, 22 часа, 25 часов, 32 часа"),
        ("pl", "1 godzinę, 2 godziny, 5 godzin, 11 godzin, 21 godzin, 22 godziny, 25 godzin, 32 godziny"),
        ("cs", "1 hodinu, 2 hodiny, 5 hodin, 11 hodin, 21 hodin, 22 hodin, 25 hodin, 32 hodin"),
        ("sv", "1 timme, 2 timmar, 5 timmar, 11 timmar, 21 timmar, 22 timmar, 25 timmar, 32 timmar"),
        ("tr", "1 saat, 2 saat, 5 saat, 11 saat, 21 saat, 22 saat, 25 saat, 32 saat"),
        ("ja", "1時間, 2時間, 5時間, 11時間, 21時間, 22時間, 25時間, 32時間"),
    ],
)
def test_numbers_take_their_form(language: str, said: str) -> None:
    """One, few and many are told as the language has them."""
    forms = TABLE["units"]["hour"][language]
    numbers = (1, 2, 5, 11, 21, 22, 25, 32)
    assert ", ".join(forms[_form(language, n)].format(n=n) for n in numbers) == said


@pytest.mark.parametrize(
    ("text", "language"),
    [
        *(("pt-BR", "pt"), ("pt_PT", "pt"), ("TR", "tr"), (" sv-SE ", "sv"), ("*", "en"), ("", "en")),
        *(("ko", "en"), ("zh-Hans-CN", "en"), ("nb-NO", "en")),
        *(("fil-PH", "en"), ("ast", "en"), ("hsb", "en")),
        ("cs-CZ,cs;q=0.9,en;q=0.8", "cs"),
        ("en;q=0.5, da , de;q=0.9", "da"),
        ("ko-KR,ko;q=0.9", "en"),
        ("ko-KR,ko;q=0.9,it;q=0.1,*;q=0.05", "it"),
        ("fr;q=0, es;q=0.2", "es"),
        ("fr;q=banana, es;q=0.2", "es"),
        ("ru;q=0.7;x=1, nl;q=0.2", "nl"),
        *((",;,;", "en"), (";q=1", "en"), ("x" * 100_000 + ",pl", "pl"), ("," * 100_000, "en")),
        *(("xx", "en"), ("klingon", "en"), ("i-klingon", "en"), ("x", "en"), ("-", "en"), ("_", "en")),
        *(("english", "en"), ("'\"><script>", "en"), ("\x00\ud800", "en"), (None, "en")),
    ],
)
def test_a_language_as_browsers_give_it(text: str | None, language: str) -> None:
    """A tag or a whole Accept-Language field; English where the visitor reads nothing that we write."""
    assert visitor_language(text) == language
    assert visitor_sentence("not-sent", text) == TABLE["sentences"]["not-sent"][language]


@pytest.mark.parametrize(
    ("wait", "said"),
    [
        (0.2, "1 minute."),
        (60, "1 minute."),
        (61, "2 minutes."),
        (5399, "90 minutes."),
        (5400, "2 hours."),
        (129_601, "2 days."),
    ],
)
def test_a_wait_is_rounded_up(wait: float, said: str) -> None:
    """Who comes back then is not sent away again."""
    assert visitor_sentence("too-many", "en", wait=wait).endswith(f"in {said}")


def test_a_decision_tells_no_rule() -> None:
    """Neither what is counted, nor of whom, nor how many there are."""
    limiter = Limiter(Limit("7/hour", per="client"), store=MemoryStore(clock=FixedClock()))
    assert limiter.acquire(client="192.0.2.7", cost=7).for_visitor("fr") == ""
    refused = limiter.acquire(client="192.0.2.7")
    assert refused.for_visitor("fr_FR") == "Trop de tentatives. Veuillez réessayer dans 60 minutes."
    assert (
        limiter.acquire(client="192.0.2.7", cost=8).for_visitor() == "This is more than can be sent at once."
    )
    assert "7" not in refused.for_visitor()


def test_a_verdict_tells_the_same() -> None:
    """Behind a gate: a limit says when; an advert in a form is not told why it stays."""
    limiter = Limiter(Limit("1/hour", per="client"), store=MemoryStore(clock=FixedClock()))
    gate = Gate(three_flows(), limiter=limiter)
    assert gate.check(reset(), flow="transactional", client="192.0.2.7").for_visitor("de") == ""
    limited = gate.check(reset(), flow="transactional", client="192.0.2.7")
    assert limited.for_visitor("de") == "Zu viele Versuche. Bitte versuchen Sie es in 60 Minuten erneut."
    advert = gate.check(newsletter(), flow="transactional", client="192.0.2.8")
    assert advert.for_visitor("de") == "Die Nachricht kann nicht gesendet werden."


@given(st.one_of(st.none(), st.text(max_size=40), st.text("aefrxz-_*;,=q.019 ", max_size=40)))
def test_no_header_raises(header: str | None) -> None:
    """A visitor chooses the field; everything that says something to visitors takes it as it came."""
    limiter = Limiter(Limit("1/hour", per="client"), store=MemoryStore(clock=FixedClock()))
    assert limiter.acquire(client="192.0.2.7").for_visitor(header) == ""
    assert "60" in limiter.acquire(client="192.0.2.7").for_visitor(header)
    refused = Gate(three_flows()).check(newsletter(), flow="transactional")
    assert refused.for_visitor(header).endswith((".", "\N{IDEOGRAPHIC FULL STOP}"))
    assert check_recipient("ada@", dns=False).explain(language=header)
    with pytest.raises(AddressError):
        ensure_recipient("ada@", dns=False, language=header)
    assert ensure_recipient("ada@shop.fr", dns=False, language=header).normalized == "ada@shop.fr"
