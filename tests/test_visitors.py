"""What the visitor of a form is told."""

from __future__ import annotations

import tomllib

import pytest

from mailflows import ConfigurationError, Gate, _data
from mailflows._visitors import LANGUAGES, visitor_sentence
from mailflows.limits import Limit, Limiter, MemoryStore
from mailflows.testing import FixedClock
from three_flows import newsletter, reset, three_flows

TABLE = tomllib.loads(_data.read("visitors.toml"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", TABLE["sentences"])
def test_every_sentence_is_there_in_every_language(code: str, language: str) -> None:
    """Each is one text with its time filled in, and differs from the others."""
    said = visitor_sentence(code, language, wait=600)
    assert said.endswith(".")
    assert "{" not in said
    assert ("10" in said) is ("{wait}" in TABLE["sentences"][code][language])


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


def test_a_language_that_is_not_there() -> None:
    """It is told at once, also where nothing would be said."""
    with pytest.raises(ConfigurationError, match="'xx'"):
        Limiter(Limit("1/hour", per="client")).acquire(client="192.0.2.7").for_visitor("xx")
