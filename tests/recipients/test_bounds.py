"""Where the rules for addresses, domains and lists begin and end."""

from __future__ import annotations

from datetime import date

import pytest

from mailflows import check_list, check_recipient
from mailflows.recipients import RecipientChecker
from mailflows.recipients._bounce_rate import Advice, Policy, Prediction, _chance, judge, predict, sample_size
from mailflows.recipients._domain import DomainFacts
from mailflows.recipients._health import Census, diagnose, trusted
from mailflows.recipients._repair import addresses_in, repair, strip_markup
from mailflows.recipients._report import DomainState
from mailflows.recipients._signup import looks_random, signup_risk
from mailflows.recipients._spelling import _distance, correct_domain, looks_like
from mailflows.recipients._syntax import (
    Address,
    Unreadable,
    is_example,
    is_special_use,
    read_address,
    read_internal,
)
from mailflows.recipients._traits import Overrides, domain_traits, grammar_of, local_traits
from mailflows.testing import FakeDns


def labels(length: int, *, last: str = "fr") -> str:
    """Return a domain of so many letters, whose labels are as long as labels may be."""
    rest = length - len(last)
    pieces = []
    while rest > 0:
        size = min(63, rest - 1)
        pieces.append("x" * size)
        rest -= size + 1
    return ".".join([*pieces, last])


FAULTS = {
    "ada@" + labels(64 + 2): None,
    "ada@" + "x" * 63 + ".fr": None,
    "ada@" + "x" * 64 + ".fr": "label-too-long",
    "a" * 64 + "@" + labels(254 - 65): None,
    "a" * 64 + "@" + labels(254 - 64): "too-long",
    "a@" + labels(252): None,
    "a@" + labels(254): "domain-too-long",
    "ada@shop": "no-dot-in-domain",
    "ada@shop.f1": "numeric-ending",
    "ada@192.0.2.1": "numeric-ending",
    "ada@[192.0.2.1]": "address-literal",
    "@shop.fr": "no-local-part",
    " @shop.fr": "no-local-part",
    "ada@": "no-domain",
    "ada": "no-at-sign",
    "a@b@shop.fr": "two-at-signs",
    "a b@shop.fr": "space-in-local-part",
    "a..b@shop.fr": "doubled-dot",
    ".a@shop.fr": "dot-at-edge-of-local-part",
    "a.@shop.fr": "dot-at-edge-of-local-part",
    "a(b@shop.fr": "character-in-local-part",
    "a@sh op.fr": "space-in-domain",
    "a@shop..fr": "doubled-dot",
    "a@.shop.fr": "dot-at-edge-of-domain",
    "a@shop.fr.": "dot-at-edge-of-domain",
    "a@sh_op.fr": "character-in-domain",
    "a@-shop.fr": "hyphen-at-edge",
    "a@shop-.fr": "hyphen-at-edge",
    "a@sh--op.fr": "hyphens-in-label",
    "a@s--hop.fr": None,
    "a@xn--.fr": "hyphen-at-edge",
    "Ada <a@shop.fr>": "display-name",
    "a@shop.fr, b@shop.fr": "several-addresses",
    '"a b"@shop.fr': "quoted-local-part",
    "a\nb@shop.fr": "line-break",
    "a\x07b@shop.fr": "control-character",
    "a\u200bb@shop.fr": "invisible-character",
    "a@shop.test": "special-use",
    "a@shop.local": "special-use",
    "": "empty",
    "  ": "empty",
    "x" * 1025: "too-long",
    "x" * 1024: "no-at-sign",
}


@pytest.mark.parametrize(("text", "code"), FAULTS.items())
def test_each_fault_has_its_code(text: str, code: str | None) -> None:
    """And what is just inside the limits of RFC 5321 section 4.5.3.1 is an address."""
    found = read_address(text)
    if code is None:
        assert isinstance(found, Address)
    else:
        assert isinstance(found, Unreadable)
        assert found.code == code


@pytest.mark.parametrize(
    ("domain", "is_reserved"),
    [
        ("shop.internal", True),
        ("internal", True),
        ("home.arpa", True),
        ("x.home.arpa", True),
        ("in-addr.arpa", True),
        ("arpa", False),
        ("internal.fr", False),
        ("home.fr", False),
    ],
)
def test_names_of_private_networks_are_reserved(domain: str, *, is_reserved: bool) -> None:
    """By their last labels (RFC 6761)."""
    assert is_special_use(domain) is is_reserved


@pytest.mark.parametrize(
    ("domain", "is_one"),
    [("example", True), ("a.example", True), ("a.example.com", True), ("example.fr", False), ("com", False)],
)
def test_names_of_documentation_are_known(domain: str, *, is_one: bool) -> None:
    """RFC 2606, with all below them."""
    assert is_example(domain) is is_one


MEANT = {
    "gmial.com": "gmail.com",
    "gmaill.com": "gmail.com",
    "gmail.con": "gmail.com",
    "gmailcom": "gmail.com",
    "gmail": "gmail.com",
    "gmail.com.com": "gmail.com",
    "www.gmail.com": "gmail.com",
    "www.gmial.com": "gmail.com",
    "gmailmail.com": "gmail.com",
    "outlok.com": "outlook.com",
    "oulook.fr": "outlook.fr",
    "hotmail.com.uk": "hotmail.co.uk",
    "yahoo.xom.br": "yahoo.com.br",
    "gmx.con": "gmx.com",
    "gmx.dee": "gmx.de",
    "web.d": "web.de",
    "charter.ne": "charter.net",
    "laposte.ne": "laposte.net",
    "mail.ruu": "mail.ru",
    "acme.con": "acme.com",
    "acme.comm": "acme.com",
    "acme.com.com": "acme.com",
    "acme.co.ukk": "acme.co.uk",
    "acme.comau": "acme.com.au",
    "acme.con.br": "acme.com.br",
    "acme.comcom": "acme.com",
    "acmecom": "acme.com",
    "acme.dee": "acme.de",
    "acmec.om": "acme.com",
}


@pytest.mark.parametrize(("typed", "meant"), MEANT.items())
def test_a_slip_is_mended(typed: str, meant: str) -> None:
    """In the name, in its ending, or in the dot between them."""
    assert correct_domain(typed, known=()) == meant
    assert correct_domain(typed, known={typed}) is None
    assert correct_domain(meant, known=()) is None


@pytest.mark.parametrize(
    "domain",
    "gmail.de yahoo.fr www.com acme.c acme.abc.br acme.commercial acme.comcomx mecom acme.xyz acmee.fr "
    "ab.om abc.om a.com shop.fr".split(),
)
def test_what_may_be_meant_as_it_is_typed_is_left_alone(domain: str) -> None:
    """Another real domain, or nothing that is near."""
    assert correct_domain(domain, known=()) is None


@pytest.mark.parametrize(("letters", "is_looked_at"), [(40, True), (41, False)])
def test_a_very_long_domain_is_nobodys_slip(letters: int, *, is_looked_at: bool) -> None:
    """Forty letters are looked at."""
    typed = "x" * (letters - 4) + ".con"
    assert (correct_domain(typed, known=()) is not None) is is_looked_at


COSTS = {
    ("", ""): 0.0,
    ("a", ""): 0.8,
    ("", "a"): 0.8,
    ("gmial", "gmail"): 0.5,
    ("gmaill", "gmail"): 0.4,
    ("gmil", "gmail"): 0.8,
    ("hmail", "gmail"): 0.7,
    ("xmail", "gmail"): 1.3,
    ("imail", "email"): 1.3,
    ("gmaik", "gmail"): 0.7,
    ("gmeil", "gmail"): 0.8,
    ("gmxil", "gmail"): 1.0,
    ("ggmail", "gmail"): 0.4,
    ("outlok", "outlook"): 0.4,
    ("ba", "ab"): 0.5,
    ("badc", "abcd"): 1.0,
}


@pytest.mark.parametrize(("words", "cost"), COSTS.items())
def test_a_slip_costs_what_it_is(words: tuple[str, str], cost: float) -> None:
    """A doubled letter least, then swapped ones, a neighbouring key, one too many or too few, another one."""
    assert _distance(*words) == pytest.approx(cost)


def test_a_look_alike_is_that_of_a_large_provider() -> None:
    """In letters of another alphabet; plain ones are slips, and other names are their owners'."""
    assert looks_like("gm\u0430il.com") == "gmail.com"
    assert looks_like("gmail.com") is None
    assert looks_like("m\u00fcnchen.de") is None
    assert looks_like("sh\u043ep.fr") is None


LOCALS = {
    "ada": "",
    "ada.lovelace": "",
    "property": "",
    "test": "suspicious",
    "te.st": "suspicious",
    "asdfg": "suspicious",
    "gfdsa": "suspicious",
    "asdfgh12": "suspicious",
    "sdfg": "",
    "aaaaa": "suspicious",
    "aaaa": "",
    "aaaaab": "",
    "abc12345": "suspicious",
    "abcd12345": "",
    "12345": "",
    "bcdfghj": "suspicious",
    "bcdfgh": "",
    "a7k2m9x4b1cd": "suspicious",
    "a1b2c3defghi": "",
    "info": "role",
    "info2": "role",
    "info12": "role",
    "info123": "",
    "info.paris": "role",
    "paris.info": "",
    "no-reply": "no-reply role",
    "noreply.fr": "no-reply role",
    "ada+news": "subaddress",
    "+news": "",
    "www.ada": "markup",
}


@pytest.mark.parametrize(("local", "traits"), LOCALS.items())
def test_a_local_part_has_traits(local: str, traits: str) -> None:
    """Roles, tests and what a hand made on the keyboard; names have none."""
    assert {str(trait) for trait in local_traits(local).traits} == set(traits.split())


@pytest.mark.parametrize(
    ("local", "is_one"),
    [
        ("abcdef", True),
        ("abcde", False),
        ("a" * 30, True),
        ("a" * 31, False),
        ("a.b.c.d.e.f", True),
        ("a.b.c.d.e", False),
        ("abcdef+x", True),
        ("abcde+news", False),
        ("abc_def", False),
    ],
)
def test_a_provider_gives_out_addresses_by_its_rule(local: str, *, is_one: bool) -> None:
    """Gmail: six to thirty letters, dots do not count, what follows a plus sign neither."""
    rule = grammar_of("gmail.com")
    assert rule is not None
    assert rule.allows(local) is is_one
    assert grammar_of("shop.fr") is None


@pytest.mark.parametrize(
    ("local", "is_random"),
    [
        ("a1b2c", True),
        ("a1b2", False),
        ("a1b.c2d", True),
        ("bcdfg", True),
        ("bcdf", False),
        ("schst", False),
        ("abcdefghijklm123", True),
        ("abcdefghijklm12", False),
        ("aeioaeioaeioae12", False),
        ("ada+x7q2kd9v", False),
    ],
)
def test_a_local_part_may_look_random(local: str, *, is_random: bool) -> None:
    """Letters and digits that change places, five consonants in a row, or a long mixture."""
    assert looks_random(local) is is_random


RISKS = {
    ("ada@shop.fr", False): ("low", ""),
    ("ada@shop.fr", True): ("low", ""),
    ("info@shop.fr", False): ("medium", "role"),
    ("info@shop.fr", True): ("low", ""),
    ("x7q2kd9v@shop.fr", False): ("medium", "random-local-part"),
    ("x7q2kd9v@shop.fr", True): ("low", ""),
    ("ada@yopmail.com", True): ("medium", "disposable"),
    ("ada@yopmail.com", False): ("high", "disposable"),
    ("info@yopmail.com", False): ("high", "disposable role"),
    ("info@yopmail.com", True): ("medium", "disposable"),
    ("ada@shop", True): ("high", "no-dot-in-domain"),
}


@pytest.mark.parametrize(("case", "found"), RISKS.items())
def test_an_unknown_client_raises_a_risk(case: tuple[str, bool], found: tuple[str, str]) -> None:
    """By one; a role or a random local part counts with such a client alone."""
    address, known = case
    risk = signup_risk(check_recipient(address, dns=False), known_client=known)
    assert (risk.level.value, " ".join(reason.code for reason in risk.reasons)) == found
    assert f"{'a known' if known else 'an unknown'} client" in str(risk)


REPAIRS = {
    "ada@shop.fr": None,
    "ada@shop,fr": "ada@shop.fr",
    " ada@shop.fr": "ada@shop.fr",
    "ada @shop.fr": "ada@shop.fr",
    "ada@@shop.fr": "ada@shop.fr",
    "ada@shop..fr": "ada@shop.fr",
    "ada@shop.fr.": "ada@shop.fr",
    ".ada@shop.fr": "ada@shop.fr",
    "ada@shop;fr": "ada@shop.fr",
    "ada lovelace@shop.fr": None,
    "name: ada@shop.fr": None,
    "Ada Lovelace <ada@shop.fr>": "ada@shop.fr",
    "mailto:ada@shop.fr": "ada@shop.fr",
    "ada(at)shop.fr": "ada@shop.fr",
    "ada[at]shop[dot]fr": "ada@shop.fr",
    "ada at shop.fr": None,
    "jo,hn@shop.fr": "jo.hn@shop.fr",
    "jo.,hn@shop.fr": "jo.hn@shop.fr",
    "jo;hn@shop.fr": None,
    "jo|hn@shop.fr": None,
    "Lovelace, Ada <ada@shop.fr>": "ada@shop.fr",
    "(office)ada@shop.fr": "ada@shop.fr",
    '"ada"@shop.fr': "ada@shop.fr",
    '"a da"@shop.fr': None,
    "'ada@shop.fr'": "ada@shop.fr",
    "ada@shop.fr, bob@shop.fr": None,
    "ada@shop.fr%20": "ada@shop.fr",
    "u003eada@shop.fr": "ada@shop.fr",
    "www.ada@shop.fr": "ada@shop.fr",
    "ada@shop.fr?subject=x": "ada@shop.fr",
    "a\nb@shop.fr": None,
    "ada@shop.fr\n": "ada@shop.fr",
    "ada@": None,
    "x" * 1013 + " ada@shop.fr": None,
}


@pytest.mark.parametrize(("text", "mended"), REPAIRS.items())
def test_a_slip_that_leaves_no_choice_is_mended(text: str, mended: str | None) -> None:
    """Blanks, dots, quotes and remains of markup; where there is a choice, nothing is guessed."""
    assert repair(text) == mended


def test_all_addresses_of_a_cell_are_found() -> None:
    """Once each, without what surrounds them."""
    assert addresses_in("Ada <ada@shop.fr>; 'bob@shop.fr' / carl@ shop.fr.") == [
        "ada@shop.fr",
        "bob@shop.fr",
        "carl@shop.fr",
    ]
    assert addresses_in("ada@shop.fr/bob@shop.fr, ada@shop.fr") == ["ada@shop.fr", "bob@shop.fr"]
    assert addresses_in("\u00abada@shop.fr\u00bb bob\uff20shop.fr") == ["ada@shop.fr", "bob@shop.fr"]
    assert addresses_in("ada@shop, none@, @none") == []
    limit = 64 * 1024
    assert addresses_in("x " * ((limit - 12) // 2) + " ada@shop.fr") == ["ada@shop.fr"]
    assert addresses_in("x " * (limit // 2) + "ada@shop.fr") == []
    assert strip_markup("ada") is None
    assert strip_markup("%20") is None


@pytest.mark.parametrize(
    ("addresses", "limit", "size"),
    [
        (1000, 0.02, (132, 0)),
        (100, 0.02, (63, 0)),
        (50, 0.02, (39, 0)),
        (49, 0.02, (47, 0)),
        (1, 0.02, (1, 0)),
    ],
)
def test_a_sample_is_as_small_as_it_may_be(addresses: int, limit: float, size: tuple[int, int]) -> None:
    """A list just above the limit passes with a chance of 5 %, drawn without putting back."""
    assert sample_size(addresses, limit) == size
    bad = int(addresses * limit) + 1
    assert _chance(addresses, bad, *size) <= 0.05
    assert _chance(addresses, bad, size[0] - 1, size[1]) > 0.05


def test_a_sample_grows_until_a_good_list_passes() -> None:
    """With a chance of 80 %."""
    assert sample_size(1000, 0.02, expected=0.005) == (269, 2)
    assert sample_size(1000, 0.02, expected=0.01) == (486, 6)
    assert _chance(1000, 5, 269, 2) >= 0.8
    assert _chance(1000, 5, 132, 0) < 0.8
    assert [round(_chance(10, 3, 4, n), 3) for n in (0, 1, 3)] == [0.167, 0.667, 1.0]
    assert _chance(10, 3, 0, 0) == _chance(10, 0, 4, 0) == pytest.approx(1.0)


@pytest.mark.parametrize("addresses", [1, 2, 10, 49, 60, 200])
@pytest.mark.parametrize("expected", [0.0, 0.02, 0.1, 1.0])
def test_a_sample_allows_no_more_than_the_whole_list(addresses: int, expected: float) -> None:
    """However bad a list is expected to be: all of it with one too many does not pass."""
    size, allowed = sample_size(addresses, 0.02, expected=expected)
    assert size <= addresses
    assert allowed <= addresses * 0.02


POLICY = Policy("a provider", 0.02, "no more", "https://x.example/", date(2026, 1, 1), max_recipients=1000)


@pytest.mark.parametrize(
    ("low", "high", "addresses", "advice"),
    [
        (0.0, 0.019, 1000, Advice.GO),
        (0.0, 0.02, 1000, Advice.SAMPLE_FIRST),
        (0.02, 0.03, 1000, Advice.SAMPLE_FIRST),
        (0.021, 0.03, 1000, Advice.STOP),
        (0.0, 0.019, 1001, Advice.STOP),
        (0.0, 0.0, 0, Advice.STOP),
    ],
)
def test_a_policy_is_asked_by_the_ends_of_the_interval(
    low: float, high: float, addresses: int, advice: Advice
) -> None:
    """Wholly below the limit is good, wholly above is not, and between is a sample."""
    found = judge(POLICY, Prediction((low + high) / 2, low, high, addresses, addresses))
    assert found.advice is advice
    assert (found.sample > 0) is (advice is Advice.SAMPLE_FIRST)


def test_without_an_answer_of_the_dns_nothing_is_better_than_a_sample() -> None:
    """And with one that cannot be believed, nothing is sent."""
    fine = Prediction(0.001, 0.0, 0.002, 500, 500)
    assert judge(POLICY, fine, is_certain=False).advice is Advice.SAMPLE_FIRST
    assert judge(POLICY, fine, is_believed=False).advice is Advice.STOP


def test_a_list_of_nobody_bounces_nowhere() -> None:
    """Its rows are counted all the same."""
    assert predict({}, rows=7) == Prediction(0.0, 0.0, 0.0, 0, 7)
    assert predict({"ordinary": 5}, rows=3).rows == 5


OK, DEAD = DomainFacts(DomainState.OK), DomainFacts(DomainState.NXDOMAIN)
SILENT, IMPLICIT = DomainFacts(DomainState.UNKNOWN), DomainFacts(DomainState.IMPLICIT)


def heard(*facts: DomainFacts, domain: str = "shop.fr") -> str:
    """Return the trouble that a list's answers show."""
    census = Census()
    for one in facts:
        census.count(domain, one)
    return census.judge().trouble


@pytest.mark.parametrize(
    ("facts", "trouble"),
    [
        ([], ""),
        ([SILENT], "no answer at all"),
        ([SILENT, OK], ""),
        ([SILENT] * 6 + [OK] * 14, ""),
        ([SILENT] * 7 + [OK] * 13, "7 of 20 domains"),
        ([SILENT] * 18 + [OK], ""),
        ([DEAD] * 20, "none of 20 domains"),
        ([DEAD] * 19, ""),
        ([DEAD] * 19 + [OK], ""),
        ([IMPLICIT] * 20, "for any of 20 domains"),
        ([IMPLICIT] * 19, ""),
        ([IMPLICIT] * 19 + [OK], ""),
    ],
)
def test_many_failures_are_the_resolvers(facts: list[DomainFacts], trouble: str) -> None:
    """From twenty domains on; where none of all answers, at once."""
    found = heard(*facts)
    assert trouble in found
    assert bool(found) is bool(trouble)


def test_a_large_provider_has_mail_hosts() -> None:
    """A resolver that knows none, or says that it is dead, is at fault."""
    assert "withholds MX records" in heard(IMPLICIT, OK, domain="gmail.com")
    assert heard(IMPLICIT, OK) == ""
    well, ill = diagnose([DEAD, DEAD, OK]), diagnose([OK, OK, OK])
    assert (well.trouble, well.invents) == ("", False)
    assert ill.invents
    assert trusted("gmail.com", DEAD, well).state is DomainState.UNKNOWN
    assert trusted("shop.fr", DEAD, well) is DEAD
    assert trusted("gmail.com", OK, well) is OK
    assert trusted("shop.fr", OK, ill).state is DomainState.UNKNOWN


@pytest.mark.parametrize(
    ("probed", "trouble"),
    [
        ([DEAD, DEAD, OK], ""),
        ([DEAD, OK, OK], ""),
        ([OK, OK, OK], "invents answers"),
        ([IMPLICIT, OK, OK], "invents answers"),
        ([SILENT, OK, OK], ""),
        ([DEAD, DEAD, DEAD], "does not even know .com"),
        ([DEAD, DEAD, SILENT], "no answer for .com"),
        ([], ""),
    ],
)
def test_a_resolver_is_tried_with_names_that_nobody_has(probed: list[DomainFacts], trouble: str) -> None:
    """Both must not exist, and .com must."""
    found = diagnose(probed).trouble
    assert trouble in found
    assert bool(found) is bool(trouble)


def test_what_is_known_of_a_domain_is_known_of_those_below() -> None:
    """Disposable ones, relays and your own corrections; not of the ending."""
    assert {str(t) for t in domain_traits("mx.yopmail.com", unicode="mx.yopmail.com").traits} == {
        "disposable"
    }
    assert domain_traits("yopmail.com.shop.fr", unicode="yopmail.com.shop.fr").traits == frozenset()


def test_free_mail_that_you_call_disposable_is_that_alone() -> None:
    """Nobody writes to a disposable mailbox because its provider is a large one."""

    def codes(**known: frozenset[str]) -> list[str]:
        found = domain_traits("gmail.com", unicode="gmail.com", overrides=Overrides(**known))
        return [reason.code for reason in found.reasons]

    assert codes() == ["free-mail"]
    assert codes(disposable=frozenset({"gmail.com"})) == ["disposable"]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("root@files", True),
        ("root@files.lan", True),
        ("ro..ot@files", False),
        ("ro ot@files", False),
        ("root@-files", False),
        ("root@fi_les", False),
        ("root@", False),
        ("root@" + labels(249, last="lan"), True),
        ("root@" + labels(250, last="lan"), False),
    ],
)
def test_an_internal_address_needs_no_dot(text: str, *, is_one: bool) -> None:
    """But all else that an address needs: a local part, a host name, and at most 254 characters."""
    assert (read_internal(text) is not None) is is_one


def test_a_good_address_needs_no_explanation() -> None:
    """A sentence is for the person who can mend something."""
    dns = FakeDns({"shop.fr": {"MX": ["10 mx.shop.fr"]}, "mx.shop.fr": {"A": ["93.184.216.34"]}})
    checker = RecipientChecker(resolver=dns)
    good = checker.check("ada@shop.fr")
    assert (str(good.verdict), good.explain(), good.explain(language="fr")) == ("deliverable", "", "")
    assert checker.check("ada@nowhere.fr").explain()


@pytest.mark.parametrize(("slips", "named"), [(10, 10), (11, 10)])
def test_ten_typing_errors_are_named(slips: int, named: int) -> None:
    """The rest stands in the table."""
    report = check_list([f"ada{number}@gmial.com" for number in range(slips)], dns=False)
    line = str(report).partition("Typing errors")[2].partition("\n")[0]
    assert line.startswith(": " if slips == named else f" ({named} of {slips}): ")
    assert line.count(" → ") == named
    assert len(report.typos) == slips
