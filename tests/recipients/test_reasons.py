"""Reasons: a code for each kind of fault, one catalogue, fourteen languages, and no address in a sentence."""

from __future__ import annotations

import string
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows import _data
from mailflows._visitors import LANGUAGES
from mailflows.errors import AddressError
from mailflows.recipients import (
    Deliverability,
    Overrides,
    RecipientChecker,
    Trait,
    check_recipient,
    ensure_recipient,
)
from mailflows.testing import FakeDns

CATALOGUE = tomllib.loads(_data.read("recipients/reasons.toml"))

KINDS = {
    "no-at-sign": ["ada", "ada.shop.fr"],
    "no-local-part": ["@shop.fr", " @shop.fr"],
    "no-domain": ["ada@"],
    "two-at-signs": ["ada@@shop.fr", "a@b@shop.fr"],
    "space-in-local-part": ["ad a@shop.fr"],
    "space-in-domain": ["ada@shop .fr"],
    "character-in-local-part": ["a,b@shop.fr", "a(b)@shop.fr"],
    "character-in-domain": ["ada@sh_op.fr", "ada@shop,fr"],
    "doubled-dot": ["a..b@shop.fr", "ada@shop..fr"],
    "dot-at-edge-of-local-part": [".ada@shop.fr", "ada.@shop.fr"],
    "dot-at-edge-of-domain": ["ada@.shop.fr", "ada@shop.fr."],
    "hyphen-at-edge": ["ada@-shop.fr", "ada@shop-.fr"],
    "hyphens-in-label": ["ada@sh--op.fr"],
    "address-literal": ["ada@[192.0.2.1]", "ada@[IPv6:::1]"],
    "quoted-local-part": ['"ada b"@shop.fr'],
    "display-name": ["Ada <ada@shop.fr>"],
    "several-addresses": ["ada@shop.fr, bob@shop.fr"],
    "no-dot-in-domain": ["ada@shop"],
    "numeric-ending": ["ada@shop.123", "ada@192.0.2.1"],
    "label-too-long": [f"ada@{'x' * 64}.fr"],
    "domain-too-long": [f"ada@{'xy.' * 90}fr"],
    "too-long": [f"{'a' * 200}@{'b' * 60}.fr", "a" * 3000],
    "invisible-character": ["ad\u200ba@shop.fr"],
    "line-break": ["ada@shop.fr\nBcc: x@shop.fr"],
    "control-character": ["ada\x07@shop.fr"],
    "empty": ["", "  "],
}


@pytest.mark.parametrize(("code", "text"), [(code, text) for code, texts in KINDS.items() for text in texts])
def test_each_kind_of_fault_has_a_code_of_its_own(code: str, text: str) -> None:
    """An application translates by code."""
    assert check_recipient(text, dns=False).reasons[0].code == code


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_sentence_is_there_in_every_language(code: str) -> None:
    """With no parameter that the English one lacks, and each in words of its own."""

    def parameters(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    entry = CATALOGUE[code]
    shown = CATALOGUE[entry.get("visitor", code)]
    assert entry.get("verdict") in (None, *map(str, Deliverability))
    assert set(shown) - {"verdict"} == set(LANGUAGES)
    assert len({shown[language] for language in LANGUAGES}) == len(LANGUAGES)
    for language in LANGUAGES:
        assert shown[language].endswith((".", "?", "。", "？"))
        assert parameters(shown[language]) <= parameters(shown["en"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_shows_no_rule_and_no_count(language: str) -> None:
    """What our own lists say is not the visitor's to know."""
    for code, entry in CATALOGUE.items():
        assert "{count}" not in CATALOGUE[entry.get("visitor", code)][language]
    own = RecipientChecker(dns=False, overrides=Overrides(traps=frozenset({"trap@shop.fr"})))
    with pytest.raises(AddressError) as caught:
        own.ensure("trap@shop.fr", language=language)
    assert str(caught.value) == CATALOGUE["unusable"][language]
    assert own.check("trap@shop.fr").reasons[0].sentence == CATALOGUE["spam-trap"]["en"]


@given(st.text(max_size=60), st.sampled_from(LANGUAGES))
def test_anything_has_a_sentence(text: str, language: str) -> None:
    """In each language, and an error never repeats what stands before the @ sign."""
    report = check_recipient(text, dns=False)
    if report.verdict is Deliverability.UNDELIVERABLE:
        assert report.explain(language=language)


@pytest.mark.parametrize(
    "address", ["zaphod@gmail", "zaphod@gmail.c om", "zaphod@shop..fr", "%20zaphod@@gmial.com"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_error_never_repeats_the_person(address: str, language: str) -> None:
    """Not even in a suggestion: the text may stand in a log."""
    with pytest.raises(AddressError) as caught:
        ensure_recipient(address, dns=False, language=language)
    assert "zaphod" not in str(caught.value)


def test_a_form_may_refuse_more() -> None:
    """By code; blanks around the address are no fault."""
    assert ensure_recipient(" ada@yopmail.com\u200b ", dns=False).normalized == "ada@yopmail.com"
    with pytest.raises(AddressError) as caught:
        ensure_recipient("ada@yopmail.com", dns=False, refuse={"disposable", "typo"})
    assert caught.value.reason == "disposable"
    with pytest.raises(AddressError, match="gmail"):
        ensure_recipient("ada@gmial.com", dns=False, refuse={"typo"})


@pytest.mark.parametrize("language", ["fr", "fr-CA", "fr_FR", "FR", "fr-ca"])
def test_a_region_speaks_its_language(language: str) -> None:
    """What a browser or Django calls a language is understood: `fr-CA`, `en-us`."""
    with pytest.raises(AddressError, match="Veuillez saisir une seule adresse"):
        ensure_recipient("ada@shop.fr, bob@shop.fr", dns=False, language=language)
    report = RecipientChecker(dns=False).check("ada")
    assert report.explain(language=language) == report.explain(language="fr")


@pytest.mark.parametrize(
    ("language", "spoken"),
    [
        ("pt-BR", "pt"),
        ("ko", "en"),
        ("*", "en"),
        ("klingon", "en"),
        ("ko,fr;q=0.5", "fr"),
        ("ko-KR,ko;q=0.9,de;q=0.4,fr;q=0.3", "de"),
        ("fr;q=0.2,de;q=0.8", "de"),
    ],
)
def test_what_a_browser_sends_is_a_language(language: str, spoken: str) -> None:
    """A visitor chooses the Accept-Language field: none of its languages is an error page."""
    texts = []
    for asked in (language, spoken):
        with pytest.raises(AddressError) as caught:
            ensure_recipient("ada@", dns=False, language=asked)
        texts.append(str(caught.value))
    assert texts[0] == texts[1]
    report = RecipientChecker(dns=False).check("ada@")
    assert report.explain(language=language) == report.explain(language=spoken)


def world(domain: str, mx: str = "mx.host.fr") -> RecipientChecker:
    """Return a checker in whose world a domain has one mail host."""
    records = {domain: {"MX": [f"10 {mx}"]}, mx: {"A": ["93.184.216.34"]}}
    return RecipientChecker(resolver=FakeDns(records))


@pytest.mark.parametrize(
    ("address", "verdict"),
    [
        ("abcde@gmail.com", Deliverability.RISKY),
        ("abcdef@gmail.com", Deliverability.DELIVERABLE),
        ("a.b.c.d.e@gmail.com", Deliverability.RISKY),
        ("abcdef+anything_goes@gmail.com", Deliverability.DELIVERABLE),
        ("ada_lovelace@gmail.com", Deliverability.RISKY),
        (f"{'a' * 31}@gmail.com", Deliverability.RISKY),
        ("1ada@icloud.com", Deliverability.RISKY),
        ("ada_lovelace@yahoo.com", Deliverability.DELIVERABLE),
        ("ada@yahoo.com", Deliverability.RISKY),
        ("ada-lovelace@hotmail.com", Deliverability.DELIVERABLE),
        ("a@shop.fr", Deliverability.DELIVERABLE),
    ],
)
def test_what_a_provider_cannot_have_given_out_is_risky(address: str, verdict: Deliverability) -> None:
    """By the provider's own grammar; nobody else has one."""
    assert world(address.partition("@")[2]).check(address).verdict is verdict


def test_the_mail_host_tells_of_a_fresh_domain() -> None:
    """A disposable or a parking service behind it; an ordinary host says nothing but who it is."""
    assert Trait.DISPOSABLE in world("fresh.fr", "mail.mailinator.com").check("ada@fresh.fr").traits
    assert Trait.PARKED in world("fresh.fr", "mx.parkingcrew.net").check("ada@fresh.fr").traits
    plain = world("fresh.fr", "aspmx.l.google.com").check("ada@fresh.fr")
    assert (plain.verdict, plain.mail_provider) == (Deliverability.DELIVERABLE, "google")


def test_a_new_top_level_domain_exists_once_it_has_mail_hosts() -> None:
    """Our list may be older than the domain."""
    assert check_recipient("ada@shop.newtld", dns=False).verdict is Deliverability.RISKY
    report = world("shop.newtld").check("ada@shop.newtld")
    assert (report.verdict, report.suggestion) == (Deliverability.DELIVERABLE, None)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("u003eada@shop.fr", "ada@shop.fr"),
        ("%20ada@shop.fr", "ada@shop.fr"),
        ("www.ada@shop.fr", "ada@shop.fr"),
        ("ada&quot@shop.fr", "ada@shop.fr"),
        ("ada.lovelace@www.gmail.com", "ada.lovelace@gmail.com"),
    ],
)
def test_remains_of_markup_are_taken_off(typed: str, meant: str) -> None:
    """What a scraper leaves is risky, and the address within is suggested."""
    report = check_recipient(typed, dns=False)
    assert (report.verdict, report.suggestion) == (Deliverability.RISKY, meant)


@pytest.mark.parametrize(
    "domain", ["foo.test", "foo.invalid", "foo.internal", "foo.lan", "home.arpa", "foo.alt"]
)
def test_private_names_take_no_mail(domain: str) -> None:
    """Whatever a resolver of the house says, and nothing is asked."""
    dns = FakeDns({domain: {"MX": ["10 mx.host.fr"]}, "mx.host.fr": {"A": ["93.184.216.34"]}})
    report = RecipientChecker(resolver=dns).check(f"ada@{domain}")
    assert (report.verdict, str(report.domain_state)) == (Deliverability.UNDELIVERABLE, "special-use")
    assert not dns.asked


@pytest.mark.parametrize(
    ("address", "reason"),
    [("5551234567@vtext.com", "sms-gateway"), ("5551234567@txt.att.net", "sms-gateway")],
)
def test_a_gateway_to_phones_is_a_trait_of_its_own(address: str, reason: str) -> None:
    """It is what people flood who flood phones."""
    assert Trait(reason) in check_recipient(address, dns=False).traits
