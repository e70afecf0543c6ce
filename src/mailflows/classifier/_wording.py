"""The wording of a message: which known words it uses, by the place they stand in.

The vocabulary of the model holds only words that several independent sources use, so that neither
names nor one sender's habits are learned.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailflows.message import Message
    from mailflows.signals.words import Reading

__all__ = ["HEAD", "TAIL", "wording"]

HEAD = 280
TAIL = 170
"""Tokens at the beginning and the end of the body that count."""

_TOKEN = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")


def _shape(token: str) -> str:
    """Return the token, its digits as zeros: amounts and numbers are alike.

    >>> _shape("2026"), _shape("b2b"), _shape("vente")
    ('0000', 'b0b', 'vente')
    """
    if token.isalpha():
        return token
    return _DIGIT.sub("0", token[:12])


def wording(message: Message, reading: Reading) -> set[str]:
    """Return the words used, marked by place: subject, body, link text, sender's address."""
    body = reading.body
    if len(body) > HEAD + TAIL:
        body = body[:HEAD] + body[-TAIL:]
    subject = [_shape(token) for token in reading.subject]
    found = {"b:" + _shape(token) for token in set(body)}
    found.update("s:" + token for token in subject)
    found.update(f"s:{a} {b}" for a, b in pairwise(subject))
    found.update("l:" + _shape(token) for token in set(reading.links))
    found.update("f:" + token for token in _TOKEN.findall(message.sender.local))
    return found
