"""Every setting that names a provider finds it by any common spelling, through one table."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from mailflows import ConfigurationError, Gate, _data
from mailflows._provider_names import folded, meant_provider
from mailflows._providers import large_providers
from mailflows.flows import FlowRoute
from mailflows.flows._esp import _esps
from mailflows.limits import MemoryStore, presets
from mailflows.pacing import Pacer
from mailflows.recipients._bounce_rate import known_policies
from mailflows.reputation import Reputation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS: list[list[str]] = tomllib.loads(_data.read("provider-names.toml"))["names"]


def test_a_spelling_means_one_provider() -> None:
    """No word stands in two rows: else the order of the file would decide."""
    words = [word for row in ROWS for word in {folded(one) for one in row}]
    assert sorted(words) == sorted(set(words))


def test_each_row_is_a_provider_of_some_table() -> None:
    """A row whose provider no table knows would be found by nobody."""
    known = {*_esps(), *presets.account_providers(), *(one.name for one in large_providers())}
    known |= {policy.name for policy in known_policies()}
    assert [row for row in ROWS if meant_provider(row[0], known) is None] == []


@pytest.mark.parametrize(
    "spelling", ["microsoft-365", "Microsoft 365", "Office 365", "o365", "M365", "Exchange Online"]
)
def test_microsoft_365_is_found_everywhere(spelling: str, tmp_path: Path) -> None:
    """As the limits of an account, in the file of a gate, and as the provider of a flow."""
    assert presets.account(spelling).limits[0].name == "30 per minute per account"
    (tmp_path / "flows.toml").write_text(
        f'[flows.professional]\ndomains = ["example.org"]\nesp = "{spelling}"\n'
        f'[limits]\nprofessional = "{spelling}"\n'
    )
    gate = Gate.from_toml(tmp_path / "flows.toml")
    limiter = gate.limiter_of(gate.flows["professional"].flow)
    assert limiter is not None
    assert limiter.limits[0].name == "30 per minute per account"
    assert gate.flows["professional"].esp == "Microsoft 365"


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("Resend", "Resend"),
        ("AWS", "Amazon SES"),
        ("Sendethic", "Message Business"),
        ("G Suite", "Google Workspace"),
        ("send-in-blue", "Brevo"),
        ("Twilio SendGrid", "SendGrid"),
        ("MailOut", "Altospam"),
    ],
)
def test_the_provider_of_a_flow(spelling: str, name: str) -> None:
    """Former names and short ones, too."""
    assert FlowRoute("professional", domains="example.org", esp=spelling).esp == name


def test_the_pace_of_a_provider() -> None:
    """By its name, a name of its mailboxes, or one of its domains: all are one rate."""
    for word in ("google", "Gmail", "gmail.com", "GoogleMail"):
        pacer = Pacer(rates={word: "1/s"})
        assert [round(pacer.schedule("ada@gmail.com").delay) for _ in range(2)] == [0, 1], word
    own = Pacer(rates={"shop.example": "1/s"}, connections={"Yahoo!": 3})
    assert [round(own.schedule("ada@shop.example").delay) for _ in range(2)] == [0, 1]


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: Pacer(rates={"gogle": "10/s"}), "rates"),
        (lambda: Pacer(connections={"gogle": 3}), "connections"),
        (lambda: Reputation(MemoryStore()).open("marketing", seconds=9, provider="gogle"), "provider"),
        (lambda: Reputation(MemoryStore()).check("marketing", provider="gogle"), "provider"),
        (lambda: presets.account("gogle-workspace"), "provider"),
        (lambda: FlowRoute("professional", domains="example.org", esp="gogle workspace"), "esp"),
    ],
)
def test_a_slip_of_the_pen_is_told(call: Callable[[], object], field: str) -> None:
    """A name that nobody has is never ignored in silence: the error says which was meant."""
    with pytest.raises(ConfigurationError, match="did you mean g") as caught:
        call()
    assert caught.value.field == field


def test_nothing_like_it_lists_the_names_once_each() -> None:
    """Where no name is near, those of the table are listed, without their other spellings."""
    with pytest.raises(ConfigurationError, match=r"choose from default, apple, .*google") as caught:
        Pacer(rates={"xyzzy": "10/s"})
    assert "gmail" not in str(caught.value)


def test_the_breaker_towards_a_provider_by_any_name() -> None:
    """What is opened for Gmail stops the mail to Google."""
    reputation = Reputation(MemoryStore())
    reputation.open("marketing", seconds=60, provider="Gmail")
    assert reputation.acquire("marketing", recipients=["ada@gmail.com"]).refused == ("ada@gmail.com",)
    assert reputation.close("marketing", provider="googlemail").state == "closed"
    assert reputation.acquire("marketing", recipients=["ada@gmail.com"]).allowed


def test_a_preset_that_is_nearly_right(tmp_path: Path) -> None:
    """A preset written with a dash is told the right name."""
    (tmp_path / "flows.toml").write_text(
        '[flows.transactional]\ndomains = ["example.org"]\n[limits]\ntransactional = "web-form"\n'
    )
    with pytest.raises(ConfigurationError, match="did you mean web_form"):
        Gate.from_toml(tmp_path / "flows.toml")
