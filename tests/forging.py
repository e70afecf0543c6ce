"""Ways to forge a token, for the tests and for ``tasks/forge_tokens.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailflows.errors import TokenError
from mailflows.tracking import Purpose, Tracker

if TYPE_CHECKING:
    from random import Random

URL_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
LOCAL_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def genuine(tracker: Tracker) -> dict[Purpose, list[str]]:
    """Return tokens of every purpose, for several recipients and links."""
    found: dict[Purpose, list[str]] = {purpose: [] for purpose in Purpose}
    for number in range(20):
        who: Any = {"campaign": f"spring-{number % 3}", "recipient": str(number)}
        raw = f'Content-Type: text/html\n\n<a href="https://shop.example/?n={number}">x</a>'.encode()
        sent = tracker.rewrite(raw, **who).decode()
        for purpose, mark in ((Purpose.CLICK, "/c/"), (Purpose.OPEN, "/o/")):
            found[purpose].append(sent.partition(mark)[2].partition('"')[0])
        found[Purpose.UNSUBSCRIBE].append(tracker.unsubscribe_url(**who).rpartition("/")[2])
        address = tracker.bounce_address("b.example", campaign=str(number % 3), recipient=str(number))
        found[Purpose.BOUNCE].append(address.partition("@")[0])
    return found


def mutated(text: str, purpose: Purpose, others: list[str], chance: Random) -> str:
    """Return a token that is not the one given, and none of the others either."""
    letters = LOCAL_LETTERS if purpose is Purpose.BOUNCE else URL_LETTERS
    place, end = sorted(chance.randrange(len(text) + 1) for _ in range(2))
    other = chance.choice(others)
    made = chance.choice(
        (
            text[:place] + chance.choice(letters) + text[place + 1 :],  # one letter
            text[:place] + "".join(chance.choices(letters, k=3)) + text[place + 3 :],  # a few
            text[:place] + text[end:],  # a piece lost
            text[:place] + text[place:end] + text[place:],  # a piece doubled
            text[:place] + other[place:],  # two tokens joined
            text[:-22] + other[-22:],  # another one's signature
            "".join(chance.choices(letters, k=len(text))),
            text + chance.choice(letters),
            text.swapcase() if purpose is not Purpose.BOUNCE else text[::-1],
        )
    )
    return made if made != text and made not in others else text[1:]


def is_accepted(tracker: Tracker, text: str, purpose: Purpose) -> bool:
    """Say whether a token is taken for one of ours; anything but a `TokenError` is a defect."""
    try:
        tracker.decode(text, purpose)
    except TokenError:
        return False
    return True


def forgeries(tracker: Tracker, count: int, chance: Random) -> list[tuple[str, Purpose]]:
    """Return the mutations that were accepted, of so many that were tried: none, it is hoped."""
    tokens = genuine(tracker)
    accepted = []
    for number in range(count):
        purpose = tuple(Purpose)[number % len(Purpose)]
        made = mutated(chance.choice(tokens[purpose]), purpose, tokens[purpose], chance)
        if is_accepted(tracker, made, purpose):
            accepted.append((made, purpose))
    return accepted


def swaps(tracker: Tracker) -> list[tuple[Purpose, Purpose]]:
    """Return the pairs of purposes of which one's genuine tokens were accepted for the other."""
    return [
        (made, asked)
        for made, texts in genuine(tracker).items()
        for asked in Purpose
        if asked is not made and any(is_accepted(tracker, text, asked) for text in texts)
    ]
