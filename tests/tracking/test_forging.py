"""Forged tokens are refused; ``tasks/forge_tokens.py`` tries a million of them."""

from __future__ import annotations

from random import Random

from forging import forgeries, genuine, is_accepted, swaps
from mailflows.tracking import Tracker

TRACKER = Tracker([b"k" * 32], "https://t.shop.example/")


def test_the_genuine_are_accepted() -> None:
    """The trials begin with tokens that are good."""
    assert all(
        is_accepted(TRACKER, text, purpose) for purpose, texts in genuine(TRACKER).items() for text in texts
    )


def test_mutations_are_refused() -> None:
    """Of twenty thousand mutations none is accepted, and nothing but a `TokenError` is raised."""
    assert forgeries(TRACKER, 20_000, Random(1)) == []


def test_no_purpose_stands_in_for_another() -> None:
    """A genuine token is refused for every purpose but its own."""
    assert swaps(TRACKER) == []
