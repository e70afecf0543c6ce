"""Return paths that name mailing and recipient."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows import ConfigurationError
from mailflows._token import Purpose, Signer
from mailflows.errors import TokenError
from mailflows.feedback import Event, EventType, Verp
from mailflows.testing import FixedClock

KEY = b"a secret of thirty-two bytes ...."
ROOM = st.from_regex(r"[a-z0-9]{1,6}", fullmatch=True)


@pytest.mark.property
@given(ROOM, ROOM)
def test_there_and_back(campaign: str, recipient_id: str) -> None:
    """Any two short ids come back, whatever case a server makes of them, from a local part of 64 octets."""
    verp = Verp("bounces.example.org", keys=[KEY])
    sender = verp.sender(campaign, recipient_id)
    assert len(sender.partition("@")[0]) <= 64
    assert verp.read(sender.upper()) == verp.read(f"<{sender}>") == (campaign, recipient_id)


@pytest.mark.property
@given(st.integers(0, 60), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_changed_letter(position: int, letter: str) -> None:
    """A return path with any letter changed is not ours."""
    verp = Verp("bounces.example.org", keys=[KEY], clock=FixedClock())
    sender = verp.sender("spring", "10017")
    local = sender.partition("@")[0]
    position %= len(local)
    forged = local[:position] + letter + local[position + 1 :]
    if forged == local:
        return
    with pytest.raises(TokenError):
        verp.read(f"{forged}@bounces.example.org")


@pytest.mark.parametrize("address", ["", "@", "bounce@bounces.example.org", "a@b.example", "x" * 9999])
def test_no_return_path(address: str) -> None:
    """What is no return path of ours is said so."""
    with pytest.raises(TokenError):
        Verp("bounces.example.org", keys=[KEY]).read(address)


def test_a_token_of_other_fields() -> None:
    """A bounce token that holds no mailing and recipient is no return path."""
    token = Signer([KEY]).to_local(Purpose.BOUNCE, "alone")
    with pytest.raises(TokenError, match="two"):
        Verp("bounces.example.org", keys=[KEY]).read(f"{token}@bounces.example.org")


def test_another_domain() -> None:
    """A token at another domain is not ours."""
    sender = Verp("bounces.example.org", keys=[KEY]).sender("spring", "1")
    with pytest.raises(TokenError):
        Verp("other.example.org", keys=[KEY]).read(sender)


def test_an_older_key() -> None:
    """After a change of keys the return paths of before still hold."""
    sender = Verp("bounces.example.org", keys=[KEY]).sender("spring", "1")
    assert Verp("bounces.example.org", keys=[b"n" * 32, KEY]).read(sender) == ("spring", "1")


def test_expiry() -> None:
    """A return path of long ago no longer holds."""
    clock = FixedClock()
    verp = Verp("bounces.example.org", keys=[KEY], clock=clock)
    sender = verp.sender("spring", "1")
    clock.advance(31 * 86400)
    with pytest.raises(TokenError):
        verp.read(sender)


def test_ids_that_are_too_long() -> None:
    """Ids that no local part can hold are said so."""
    with pytest.raises(ConfigurationError):
        Verp("bounces.example.org", keys=[KEY]).sender("a-campaign-with-a-name", "f" * 32 + "x")


@pytest.mark.parametrize("domain", ["", "bounce@example.org"])
def test_no_domain(domain: str) -> None:
    """A domain that is none is said so."""
    with pytest.raises(ConfigurationError):
        Verp(domain, keys=[KEY])


def test_the_first_address_with_a_token_counts() -> None:
    """Of several addresses of a report, the one with a token says whose it is."""
    verp = Verp("bounces.example.org", keys=[KEY])
    (event,) = verp.identify([Event(EventType.BOUNCED)], ["root@mx.example", verp.sender("spring", "7")])
    assert (event.verified, event.recipient_id) == (True, "7")


@pytest.mark.parametrize("address", [None, 5, b"x@bounces.example.org"])
def test_what_is_no_text_is_no_return_path(address: Any) -> None:
    """An envelope without a recipient must be refused like one of another domain."""
    with pytest.raises(TokenError, match="not one of our return paths"):
        Verp("bounces.example.org", keys=[KEY]).read(address)


@pytest.mark.parametrize("domain", ["", "a@b.example", "b.example\r\nBcc: x", " ", "b\0.example", None])
def test_a_domain_that_would_break_the_envelope(domain: Any) -> None:
    """What would end the line of an SMTP command is no domain."""
    with pytest.raises(ConfigurationError, match="is not a domain"):
        Verp(domain, keys=[KEY])
