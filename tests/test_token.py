"""Tokens that we wrote are known again, and nothing else is."""

from __future__ import annotations

import math
import random
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows._token import LOCAL_ROOM, MAX_LOCAL, MAX_URL, Purpose, Signer, _unpacked
from mailflows.errors import ConfigurationError, TokenError
from mailflows.testing import FixedClock

KEY, OLD, FOREIGN = b"k" * 32, b"o" * 32, b"f" * 32
FIELDS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=4)
NUMBERS = st.text("0123456789abcdef", min_size=1, max_size=12)
WRITINGS = ("url", "local")


def signer(*keys: bytes, clock: FixedClock | None = None) -> Signer:
    """Return a signer with these keys and a clock that stands still."""
    return Signer(keys or (KEY,), clock=clock or FixedClock())


def write(own: Signer, writing: str, purpose: Purpose, *fields: str, lifetime: float | None = None) -> str:
    """Make a token in one of the two writings."""
    text: str = getattr(own, f"to_{writing}")(purpose, *fields, lifetime=lifetime)
    return text


def read(own: Signer, writing: str, text: str, purpose: Purpose) -> tuple[str, ...]:
    """Return the fields of a token in one of the two writings."""
    fields: tuple[str, ...] = getattr(own, f"from_{writing}")(text, purpose).fields
    return fields


def refusal(own: Signer, writing: str, text: str, purpose: Purpose = Purpose.CLICK) -> str:
    """Return why a token is refused."""
    with pytest.raises(TokenError) as caught:
        read(own, writing, text, purpose)
    return caught.value.reason


@pytest.mark.property
@given(FIELDS, st.sampled_from(Purpose))
def test_fields_come_back_from_a_url(fields: list[str], purpose: Purpose) -> None:
    """What was written into a token is read from it, whatever it was."""
    assert signer().from_url(signer().to_url(purpose, *fields), purpose).fields == tuple(fields)


@pytest.mark.property
@given(NUMBERS, NUMBERS, st.data())
def test_a_local_part_keeps_its_meaning_in_any_case(
    campaign: str, recipient: str, data: st.DataObject
) -> None:
    """A token in a local part is at most 64 octets long, and may be shouted on its way."""
    text = signer().to_local(Purpose.BOUNCE, campaign, recipient)
    shouted = "".join(c.upper() if data.draw(st.booleans()) else c for c in text)
    assert len(text) <= MAX_LOCAL
    assert signer().from_local(shouted, Purpose.BOUNCE).fields == (campaign, recipient)


@pytest.mark.property
@given(st.text(max_size=80))
def test_any_text_is_refused_with_a_token_error(text: str) -> None:
    """Nothing that was not signed is accepted, and nothing else is raised."""
    assert refusal(signer(), "url", text) in {"malformed", "signature", "version"}
    assert refusal(signer(), "local", text) in {"malformed", "signature", "version"}


@pytest.mark.parametrize("writing", WRITINGS)
def test_a_token_for_one_purpose_is_none_for_another(writing: str) -> None:
    """No purpose is accepted for another, also if the purpose inside is exchanged."""
    for made in Purpose:
        for asked in set(Purpose) - {made}:
            text = write(signer(), writing, made, "1")
            assert refusal(signer(), writing, text, asked) == "purpose"


def test_an_exchanged_purpose_breaks_the_signature() -> None:
    """The signature covers the purpose."""
    text = signer().to_url(Purpose.OPEN, "1")
    raw = bytearray(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert raw[0] == 0x10  # version 1, purpose 0
    raw[0] = 0x11
    changed = urlsafe_b64encode(raw).decode().rstrip("=")
    assert refusal(signer(), "url", changed, Purpose.CLICK) == "signature"


@pytest.mark.parametrize("writing", WRITINGS)
def test_mutations_are_refused(writing: str) -> None:
    """A change of one place, a lost or an added character: none is accepted."""
    text = write(signer(), writing, Purpose.CLICK, "12", "345")
    alphabet = "abcdefghijklmnopqrstuvwxyz234567" if writing == "local" else "ABCXYZabcxyz0189-_"
    chance = random.Random(1)
    for place in range(len(text)):
        for letter in {*alphabet} - {text[place]}:
            refusal(signer(), writing, text[:place] + letter + text[place + 1 :])
        refusal(signer(), writing, text[:place] + text[place + 1 :])
        refusal(signer(), writing, text[:place] + chance.choice(alphabet) + text[place:])


def test_spare_bits_are_refused() -> None:
    """A token has one writing: the bits that base64 does not use cannot be changed."""
    text = signer().to_url(Purpose.CLICK, "x")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(text) % 4 == 3
    twin = alphabet[alphabet.index(text[-1]) + 1]
    assert refusal(signer(), "url", text[:-1] + twin) == "malformed"


def test_keys_are_rotated() -> None:
    """A token of the old key is accepted as long as that key is listed, and new ones are of the new key."""
    old = signer(OLD).to_url(Purpose.OPEN, "1")
    assert read(signer(KEY, OLD), "url", old, Purpose.OPEN) == ("1",)
    assert refusal(signer(KEY), "url", old, Purpose.OPEN) == "signature"
    new = signer(KEY, OLD).to_url(Purpose.OPEN, "1")
    assert read(signer(KEY), "url", new, Purpose.OPEN) == ("1",)


def test_a_token_names_its_key() -> None:
    """An old key may go once its id comes no more; an id alone proves nothing."""
    old, new = signer(OLD).to_url(Purpose.OPEN, "1"), signer(KEY, OLD).to_url(Purpose.OPEN, "1")
    ids = [signer(KEY, OLD).from_url(text, Purpose.OPEN).key_id for text in (old, new)]
    assert len(set(ids)) == 2
    raw = bytearray(urlsafe_b64decode(old + "=" * (-len(old) % 4)))
    assert f"{raw[1]:02x}" == ids[0]
    raw[1] = int(ids[1], 16)
    changed = urlsafe_b64encode(raw).decode().rstrip("=")
    assert refusal(signer(KEY, OLD), "url", changed, Purpose.OPEN) == "signature"


def test_a_foreign_key_is_refused() -> None:
    """Who does not have the key cannot sign."""
    assert refusal(signer(), "url", signer(FOREIGN).to_url(Purpose.CLICK, "1")) == "signature"


def test_a_token_expires() -> None:
    """It holds for its lifetime, to the second, and not longer."""
    clock = FixedClock()
    own = signer(clock=clock)
    text = own.to_url(Purpose.CLICK, "1", lifetime=7200)
    clock.advance(7199)
    assert own.from_url(text, Purpose.CLICK).expires == clock.now + timedelta(seconds=1)
    clock.advance(1)
    assert refusal(own, "url", text) == "expired"
    assert own.from_url(text, Purpose.CLICK, late=True).fields == ("1",)


def test_a_lifetime_is_rounded_up_to_hours() -> None:
    """No part of a lifetime is lost."""
    token = signer().from_url(signer().to_url(Purpose.CLICK, lifetime=1), Purpose.CLICK)
    assert token.expires == token.issued + timedelta(hours=1)


def test_without_a_lifetime_a_token_holds_always() -> None:
    """An unsubscribe link of years ago still works."""
    clock = FixedClock()
    text = signer(clock=clock).to_url(Purpose.UNSUBSCRIBE, "1")
    clock.advance(timedelta(days=20 * 365))
    assert signer(clock=clock).from_url(text, Purpose.UNSUBSCRIBE).issued == FixedClock().now


def test_another_version_is_named() -> None:
    """A token of a later release is refused as such."""
    assert refusal(signer(), "url", "IA" + signer().to_url(Purpose.CLICK, "1")[2:]) == "version"


def test_an_unknown_purpose_is_refused() -> None:
    """A purpose that does not exist yet is no token."""
    assert refusal(signer(), "url", "HA" + signer().to_url(Purpose.CLICK, "1")[2:]) == "malformed"


@pytest.mark.parametrize("text", ["", "A", "EA", "a" * (MAX_URL + 1), "EA==", "EA\n", "é" * 40])
def test_what_was_never_a_token_is_malformed(text: str) -> None:
    """Length and alphabet are looked at first."""
    assert refusal(signer(), "url", text) == "malformed"


def test_a_letter_that_only_lowers_to_ascii_is_refused() -> None:
    """The Kelvin sign is no "k"."""
    text = signer().to_local(Purpose.BOUNCE, "1", "17")
    assert refusal(signer(), "local", text.replace("k", "\u212a") + "\u212a", Purpose.BOUNCE) == "malformed"


def test_the_room_of_a_local_part_is_used_to_the_last_byte() -> None:
    """As many fields fit as promised; one byte more is an error that says so."""
    field = "x" * (LOCAL_ROOM - 1)
    assert len(signer().to_local(Purpose.BOUNCE, field)) == MAX_LOCAL
    with pytest.raises(ConfigurationError, match=r"1 byte too long"):
        signer().to_local(Purpose.BOUNCE, field + "x")


def test_a_token_that_could_not_be_read_again_is_not_made() -> None:
    """The limit of a URL holds for both directions."""
    with pytest.raises(ConfigurationError, match="4096"):
        signer().to_url(Purpose.CLICK, "x" * MAX_URL)


@pytest.mark.parametrize("lifetime", [0, -1, float("nan"), 1e12])
def test_a_senseless_lifetime_is_refused(lifetime: float) -> None:
    """A token that is dead when it is born helps nobody."""
    with pytest.raises(ConfigurationError) as caught:
        signer().to_url(Purpose.OPEN, lifetime=lifetime)
    assert caught.value.field == "lifetime"


@pytest.mark.parametrize("keys", [[], b"k" * 32, [b"short"], ["k" * 32]])
def test_weak_keys_are_refused_without_being_shown(keys: object) -> None:
    """A key is a list of enough bytes; what came is not repeated, it may be a secret."""
    with pytest.raises(ConfigurationError) as caught:
        Signer(keys)  # type: ignore[arg-type]
    assert (caught.value.field, "short" in str(caught.value)) == ("keys", False)


def test_keys_are_not_shown() -> None:
    """A signer in a log gives nothing away."""
    assert repr(signer(KEY, OLD)) == "<Signer with 2 keys>"


def test_fields_that_break_off_are_malformed() -> None:
    """A length without its end is an error of ours, also under a good signature."""
    with pytest.raises(TokenError) as caught:
        _unpacked(b"\x80")
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize("text", [None, b"abc", 5, ["a"]])
def test_what_is_no_text_is_no_token(writing: str, text: Any) -> None:
    """A parameter that is missing from a request is as wrong as one that was changed."""
    assert refusal(signer(), writing, text) == "malformed"


@pytest.mark.parametrize("field", ["\ud800", 42, None, b"x"])
@pytest.mark.parametrize("writing", WRITINGS)
def test_a_field_that_cannot_be_written(writing: str, field: Any) -> None:
    """A number, or half a character out of damaged JSON, is told what is expected."""
    with pytest.raises(ConfigurationError, match=r"a field (is|must be) text"):
        write(signer(), writing, Purpose.CLICK, field)


@pytest.mark.parametrize("year", [1970, 2019, 2157])
def test_a_clock_that_is_not_set(year: int) -> None:
    """A machine that starts in 1970 is told so, and signs nothing with a time that it cannot write."""
    with pytest.raises(ConfigurationError, match=f"the clock says {year}"):
        signer(clock=FixedClock(datetime(year, 1, 1, tzinfo=UTC))).to_url(Purpose.CLICK, "a")


@pytest.mark.parametrize("lifetime", ["x", math.nan, math.inf, timedelta(hours=1)])
def test_a_lifetime_that_is_no_number_of_seconds(lifetime: Any) -> None:
    """Whatever stands for a lifetime and is none is told what is expected."""
    with pytest.raises(ConfigurationError, match="lifetime must be above 0 and at most"):
        signer().to_url(Purpose.CLICK, "a", lifetime=lifetime)
