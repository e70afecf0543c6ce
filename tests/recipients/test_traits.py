"""Traits, typing errors and duplicate keys, on the shared cases and beyond them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows._mailbox import duplicate_key, spelling_differences
from mailflows._providers import free_mail_domains, is_free_mail, large_mailbox_domains
from mailflows.recipients import RecipientChecker, Trait, _reference, check_recipient
from mailflows.recipients._spelling import correct_domain, looks_like
from mailflows.recipients._traits import NONE, PLAIN, _look_closely, is_ordinary, local_traits
from mailflows.testing import FakeDns
from shared_cases import cases

CHECKER = RecipientChecker(dns=False)
NAMES = (
    "marie jean pierre nathalie isabelle sylvie catherine francoise martine philippe michel "
    "alain patrick nicolas "
    "christophe laurent stephane guillaume aurelie celine emilie camille lea manon hugo lucas "
    "enzo jules zoe chloe "
    "james john robert michael william david mary patricia jennifer linda elizabeth barbara "
    "susan jessica sarah karen "
    "hans peter wolfgang klaus jurgen dieter manfred uwe ursula helga renate monika petra "
    "sabine heike schmidt muller "
    "giuseppe giovanni antonio mario luigi francesco angelo vincenzo maria anna rosa angela "
    "giovanna teresa lucia "
    "jose antonio manuel francisco juan carmen josefa isabel dolores pilar joao ana luis carlos "
    "paulo pedro tiago "
    "krzysztof przemyslaw grzegorz zbigniew wojciech katarzyna malgorzata agnieszka szczepan "
    "strzelczyk hrdlicka vlk "
    "olga sergey dmitry andrey natalia svetlana ahmed mohamed fatima youssef karim amina nguyen "
    "tran pham wang zhang "
    "priya rahul sanjay anjali hiroshi yuki sakura kim park sven bjorn astrid ingrid lars "
    "johansson andersson mcdonald"
).split()


def rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of a file of shared cases."""
    return [json.loads(line) for line in cases(f"recipient/{name}").splitlines()]


def test_shared_typing_errors() -> None:
    """At least 95 % are put right, the dubious ones left out."""
    clear = [row for row in rows("typo_positive_dev.jsonl") if not row["dubious"]]
    right = [
        row
        for row in clear
        if (correct_domain(row["domain"], known=_reference.well_known()) or row["domain"]) == row["expect"]
    ]
    assert len(right) >= 0.95 * len(clear)


def test_shared_real_domains_are_no_typing_errors() -> None:
    """At most 1 % of real domains get a suggestion."""
    real = rows("typo_negative_dev.jsonl")
    wrong = [row["domain"] for row in real if correct_domain(row["domain"], known=_reference.well_known())]
    assert len(wrong) <= 0.01 * len(real), wrong


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gmial.com", "gmail.com"),
        ("gmail.con", "gmail.com"),
        ("gmailcom", "gmail.com"),
        ("gmail.com.com", "gmail.com"),
        ("hotmial.fr", "hotmail.fr"),
        ("orange.ft", "orange.fr"),
        ("oragne.fr", "orange.fr"),
        ("wandoo.fr", "wanadoo.fr"),
        ("outlok.com", "outlook.com"),
        ("yahooo.fr", "yahoo.fr"),
        ("lapsote.net", "laposte.net"),
        ("acme.ocm", "acme.com"),
        ("t-onlin.de", "t-online.de"),
        ("libbero.it", "libero.it"),
        ("iclould.com", "icloud.com"),
        ("aoll.com", "aol.com"),
    ],
)
def test_slips_of_the_hand(typed: str, meant: str) -> None:
    """Doubled, swapped, missing and neighbouring letters, and endings, in several countries."""
    assert correct_domain(typed, known=_reference.well_known()) == meant


@pytest.mark.parametrize(
    "domain",
    "gmx.de ymail.com mail.com email.com pm.me bol.com live.be orange.es free.org yandex.com "
    "cloud.com mairie-lille.fr acme.io "
    "company.co example.museum startup.dev shop.xyz hotmail.ca msn.com aim.com gmail.hu "
    "proton.me a.b.c.d.org".split(),
)
def test_real_domains_are_let_be(domain: str) -> None:
    """A false "did you mean" annoys those who really live there."""
    assert correct_domain(domain, known=_reference.well_known()) is None


def test_no_well_known_domain_is_a_typing_error_or_disposable() -> None:
    """The guard list holds against every other list."""
    for domain in _reference.well_known() | large_mailbox_domains():
        report = CHECKER.check(f"ada@{domain}")
        assert report.suggestion is None, domain
        assert Trait.DISPOSABLE not in report.traits, domain


def test_shared_disposable_domains_are_found() -> None:
    """All of the curated ones, and their subdomains."""
    missed = [
        row["domain"]
        for row in rows("disposable_gold_dev.jsonl")
        if Trait.DISPOSABLE not in CHECKER.check(f"ada@{row['domain']}").traits
        or Trait.DISPOSABLE not in CHECKER.check(f"ada@mx.{row['domain']}").traits
    ]
    assert missed == []


def test_shared_controversial_domains_are_not_disposable() -> None:
    """Relays and providers that other lists call disposable serve real people."""
    for row in rows("domain_class_sample.jsonl"):
        traits = CHECKER.check(f"ada@{row['domain']}").traits
        assert Trait.DISPOSABLE not in traits, row
        assert (Trait.ALIAS_RELAY in traits) == (row["expect"] == "alias_relay"), row


def test_shared_free_mail_domains_are_known() -> None:
    """At least 95 % of those that several lists name; disposable ones are not free-mail."""
    listed = [row["domain"] for row in rows("free_gold.jsonl")]
    known = [d for d in listed if CHECKER.check(f"ada@{d}").traits & {Trait.FREE_MAIL, Trait.DISPOSABLE}]
    assert len(known) >= 0.95 * len(listed)
    assert not free_mail_domains() & _reference.disposable()


def test_the_lists_keep_their_sizes_and_never_hold_what_they_must_not() -> None:
    """Upstream lists copy each other's errors: a rebuilt list must still make sense."""
    assert len(_reference.disposable()) > 5000
    assert len(free_mail_domains()) > 4000
    assert len(_reference.roles()) > 900
    assert "yopmail.com" in _reference.disposable()
    for domain in ("gmial.com", "yaho.com", "hotmial.com"):
        assert domain not in free_mail_domains()


def test_every_list_says_where_it_is_from() -> None:
    """Source, date and licence are known, and so the age is."""
    for source in _reference.sources():
        assert source.version
        assert source.date is not None, source.name


def test_shared_roles_are_known() -> None:
    """At least 97 % of what three lists name, without places, first names, brands and numbers."""
    left_out = {
        "alexa",
        "alla",
        "angels",
        "apple",
        "captain",
        "captains",
        "facebook",
        "gardner",
        "itunes",
        "jira",
        "la",
        "ny",
        "nyc",
        "berlin",
        "boston",
        "caltrain",
        "chef",
        "chicago",
        "china",
        "denver",
        "europe",
        "france",
        "india",
        "montreal",
        "newyork",
        "paris",
        "sanfrancisco",
        "seattle",
        "singapore",
        "stockholm",
        "sydney",
        "uk",
        "us",
        "usa",
        "friends",
        "instagram",
        "paypal",
        "shopify",
        "stripe",
        "twitter",
        "random",
        "ca",
        "lt",
        "md",
        "mt",
        "pd",
        "se",
        "sf",
        "ta",
        "cm",
        "android",
        "iphone",
        "homes",
        "salesforce",
        "ap",
        "bd",
        "cs",
        "ir",
        "pm",
        "rd",
        "hi",
        "dean",
        "sfo",
    }
    named = [
        row["local"]
        for row in rows("roles_union.jsonl")
        if row["n"] >= 3 and row["local"] not in left_out and not row["local"].isdigit()
    ]
    known = [local for local in named if local_traits(local).traits & {Trait.ROLE, Trait.NO_REPLY}]
    assert len(known) >= 0.97 * len(named)


@pytest.mark.parametrize(
    "local",
    "info-fr contact.paris accueil secretariat service-client facturation mairie bonjour "
    "vertrieb rechnung vendite ufficio "
    "ventas atencion-al-cliente vendas atendimento sales2 support-team klantenservice biuro".split(),
)
def test_roles_of_several_languages(local: str) -> None:
    """French, German, Spanish, Italian and Portuguese words, with places and numbers."""
    assert Trait.ROLE in local_traits(local).traits


def test_names_of_people_are_neither_roles_nor_suspicious() -> None:
    """At least 99 % of names of many languages pass, alone and with a surname and a year."""
    tried = [
        *NAMES,
        *(f"{a}.{b}" for a, b in zip(NAMES, reversed(NAMES), strict=True)),
        *(f"{n}1984" for n in NAMES),
    ]
    wrong = [local for local in tried if local_traits(local).traits]
    assert len(wrong) <= 0.01 * len(tried), wrong


@pytest.mark.parametrize(
    "local",
    [
        "asdfgh",
        "qwertyuiop",
        "azerty",
        "test",
        "test123",
        "aaaaaa",
        "xkcdqwrtz",
        "a7k2m9x4b1z8",
        "abc12345",
        "no-reply",
        "noreply-shop",
    ],
)
def test_what_looks_made_up_is_said_to_look_so(local: str) -> None:
    """Worded "looks like", because it may be real."""
    found = local_traits(local)
    assert found.traits & {Trait.SUSPICIOUS, Trait.NO_REPLY}
    assert all(
        "looks" in reason.sentence for reason in found.reasons if reason.code in ("suspicious", "no_reply")
    )


@pytest.mark.property
@given(st.from_regex(r"[a-z]{1,12}([._-][a-z]{1,10}){0,2}[0-9]{0,5}", fullmatch=True))
def test_the_quick_look_lets_pass_only_what_the_close_look_does(local: str) -> None:
    """What is called ordinary has no trait."""
    if is_ordinary(local):
        assert _look_closely(local, NONE) is PLAIN


def test_the_quick_look_lets_pass_no_role_and_no_reply() -> None:
    """Each word of the tables, alone, with a number and in two parts."""
    words = _reference.roles() | _reference.no_replies()
    locals_ = [made for word in sorted(words) for made in (word, f"{word}2", f"{word}.fr", f"the-{word}")]
    assert [one for one in locals_ if is_ordinary(one) and _look_closely(one, NONE) is not PLAIN] == []


def test_shared_look_alikes_are_flagged_and_others_are_not() -> None:
    """Homographs of well-known domains; names in their own script are fine."""
    for row in rows("eai_idn_sample.jsonl"):
        report = CHECKER.check(row["address"])
        assert (Trait.CONFUSABLE in report.traits) == (row["lookalike_of"] is not None)
        if row["lookalike_of"]:
            assert (report.suggestion or "").endswith("@" + row["lookalike_of"])


@pytest.mark.parametrize(
    ("domain", "victim"),
    [
        ("gmáil.com", "gmail.com"),
        ("ɢmail.com", "gmail.com"),
        ("оutlook.com", "outlook.com"),
        ("раураl.com", "paypal.com"),
    ],
)
def test_look_alikes(domain: str, victim: str) -> None:
    """Accents, small capitals, and Cyrillic."""
    assert looks_like(domain) == victim


@pytest.mark.parametrize(
    "domain", ["münchen.de", "пример.рф", "例子.公司", "société.fr", "ελλάδα.gr", "faß.de"]
)
def test_honest_international_names(domain: str) -> None:
    """Most names in other scripts look like nothing else."""
    assert looks_like(domain) is None


def test_shared_duplicate_keys() -> None:
    """Case, tags, dots and aliases fold as the providers fold them."""
    for row in rows("normalisation_pairs.jsonl"):
        assert CHECKER.check(row["input"]).duplicate_key == row["key"], row


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("Ada@x.fr", "ada@x.fr", ("case",)),
        ("ada+a@x.fr", "ada@x.fr", ("tag",)),
        ("a.da@gmail.com", "ada@gmail.com", ("dots",)),
        ("ada@googlemail.com", "ada@gmail.com", ("alias",)),
        ("ada@münchen.de", "ada@xn--mnchen-3ya.de", ("idn",)),
        ("ada@x.fr", "ada@x.fr", ()),
    ],
)
def test_the_reason_of_a_duplicate(first: str, second: str, why: tuple[str, ...]) -> None:
    """Two spellings of one mailbox share a key, and it is said in what they differ."""
    assert CHECKER.check(first).duplicate_key == CHECKER.check(second).duplicate_key
    assert spelling_differences(first, second) == why


def test_a_key_keeps_what_matters() -> None:
    """Dots count outside Gmail, also at firms that Google hosts; a lone plus is no tag."""
    assert duplicate_key("a.b", "firm.fr") != duplicate_key("ab", "firm.fr")
    assert duplicate_key("+33612345678", "firm.fr") == "+33612345678@firm.fr"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("mail.ruu", "mail.ru"),
        ("ymail.con", "ymail.com"),
        ("gmx.con", "gmx.com"),
        ("yahoo.com.auu", "yahoo.com.au"),
        ("web.dee", "web.de"),
        ("acme.co.ukk", "acme.co.uk"),
        ("acme.couk", "acme.co.uk"),
        ("acme.con.br", "acme.com.br"),
        ("acme.combr", "acme.com.br"),
        ("mail.acme.con", "mail.acme.com"),
        ("verizon.ne", "verizon.net"),
        ("acme.ne", None),
        ("acme.om", None),
        ("mail.bg", None),
        ("internode.on.net", None),
        ("acme.com.br", None),
        ("con.br", None),
    ],
)
def test_endings_are_mended_and_names_are_kept(typed: str, meant: str | None) -> None:
    """A stranger's provider never gets the mail: the name that was typed stays."""
    found = check_recipient(f"ada.lovelace@{typed}", dns=False).suggestion
    assert found == (meant and f"ada.lovelace@{meant}")


def test_a_suggestion_is_one_that_takes_mail() -> None:
    """What the DNS says of the domain that was meant counts, too."""
    dead = RecipientChecker(resolver=FakeDns()).check("ada@acme.con")
    assert dead.suggestion is None
    records = {"acme.com": {"MX": ["10 mx.host.fr"]}, "mx.host.fr": {"A": ["93.184.216.34"]}}
    assert RecipientChecker(resolver=FakeDns(records)).check("ada@acme.con").suggestion == "ada@acme.com"


def slips_in(domain: str) -> set[str]:
    """Return every neighbour swap and doubled letter of a domain, and a missing letter of a long name."""
    name, _, ending = domain.partition(".")
    made = {f"{name[:i]}{name[i + 1]}{name[i]}{name[i + 2 :]}.{ending}" for i in range(len(name) - 1)}
    made |= {f"{name[:i]}{name[i]}{name[i:]}.{ending}" for i in range(len(name))}
    made |= {f"{name}.{ending[:i]}{ending[i]}{ending[i:]}" for i in range(len(ending)) if ending[i] != "."}
    if len(name) > 6:
        made |= {f"{name[:i]}{name[i + 1 :]}.{ending}" for i in range(1, len(name))}
    return made - {domain}


def test_a_slip_never_leads_to_another_provider() -> None:
    """Every swap, doubling and dropped letter at every provider: the one that was meant, or nobody."""
    known = _reference.well_known()
    targets = {domain for domain, _ in _reference.typo_targets()}
    slips = {(typed, target) for target in targets for typed in slips_in(target)}
    claimed = {typed for typed, _ in slips if is_free_mail(typed) or typed in known}
    meant = {typed: correct_domain(typed, known=known) for typed, _ in slips if typed not in claimed}
    wrong = [(t, d, meant[t]) for t, d in slips if t in meant and meant[t] not in (d, None)]
    wrong = [(t, d, said) for t, d, said in wrong if said is None or t not in slips_in(said)]
    assert wrong == []
    right = sum(meant[typed] == target for typed, target in slips if typed in meant)
    assert right > 0.85 * len(meant)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gmail.co.uk", "gmail.com"),  # Gmail has no such mailboxes
        ("www.gmial.com", "gmail.com"),
        ("gmail.ney", "gmail.com"),
        ("mail.ddk", "mail.dk"),
        ("online.noo", "online.no"),
        ("comhme.se", "comhem.se"),
        ("hotmial.com.br", "hotmail.com.br"),
        ("wanadou.fr", "wanadoo.fr"),
        ("acme.noo", "acme.no"),
        ("acme.co.ua", None),  # a firm gives out names there
        ("www.gov.uk", None),
        ("rocketmill.co.uk", None),
    ],
)
def test_slips_at_providers_of_every_country(typed: str, meant: str | None) -> None:
    """Large providers of each country, and nobody else's domain."""
    assert correct_domain(typed, known=_reference.well_known()) == meant
