"""How risky it is to write to the address of a sign-up."""

from __future__ import annotations

import random
import string

import pytest

from mailflows.recipients import RecipientChecker, RiskLevel, signup_risk
from mailflows.recipients._signup import looks_random

CHECKER = RecipientChecker(dns=False)


@pytest.mark.parametrize(
    ("address", "unknown", "known"),
    [
        ("ada.lovelace@shop.fr", RiskLevel.LOW, RiskLevel.LOW),
        ("j.dupont84@gmail.com", RiskLevel.LOW, RiskLevel.LOW),
        ("info@shop.fr", RiskLevel.MEDIUM, RiskLevel.LOW),
        ("x7q2kd9v@shop.fr", RiskLevel.MEDIUM, RiskLevel.LOW),
        ("xkqjzvwp@shop.fr", RiskLevel.HIGH, RiskLevel.MEDIUM),
        ("qwerty@shop.fr", RiskLevel.HIGH, RiskLevel.MEDIUM),
        ("ada@yopmail.com", RiskLevel.HIGH, RiskLevel.MEDIUM),
        ("3125550100@vtext.com", RiskLevel.HIGH, RiskLevel.MEDIUM),
        ("ada@shop", RiskLevel.HIGH, RiskLevel.HIGH),
    ],
)
def test_an_unknown_client_raises_the_risk(address: str, unknown: RiskLevel, known: RiskLevel) -> None:
    """Role accounts and random-looking names count only there; what is bad counts more."""
    report = CHECKER.check(address)
    assert signup_risk(report).level is unknown
    assert signup_risk(report, known_client=True).level is known


def test_a_risk_says_why() -> None:
    """Every risk above low has a reason with a code; a low one may have none."""
    for address in ("info@shop.fr", "x7q2kd9v@shop.fr", "ada@yopmail.com", "nobody"):
        risk = signup_risk(CHECKER.check(address))
        assert risk.reasons
        assert risk.reasons[0].sentence.rstrip(".") in str(risk)
    assert signup_risk(CHECKER.check("ada@shop.fr")).reasons == ()


NAMES = """
krzysztof.szczepanski goldschmidt schwartz brzezinski knightsbridge wojciech.grzybowski hirschfeld angstrom
strzelczyk jean-luc.picard marie_curie anne.marie.dupont1984 m.schmidt van.der.berg o.brien ngozi.okonjo
nguyen.thi.minh.khai bjornstjerne szymon.przybylski christophe.lefebvre85 rhys.llewellyn jdoe2 a.b.c ng lhm
schlachtschmidt kjartan hrvoje.vrdoljak zbigniew.wszelaki oskar2010 2pac maria.del.carmen.fernandez.garcia
""".split()


@pytest.mark.parametrize("name", NAMES)
def test_no_name_looks_random(name: str) -> None:
    """Names of many languages, with initials and years."""
    assert not looks_random(name)


def test_random_letters_do() -> None:
    """Of local parts that a program makes from letters and digits, most are noticed."""
    rng = random.Random(4)
    made = ["".join(rng.choices(string.ascii_lowercase + string.digits, k=12)) for _ in range(300)]
    assert sum(map(looks_random, made)) > 0.75 * len(made)
