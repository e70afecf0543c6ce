"""What may be logged: one line, without control characters and without the person it is about."""

from __future__ import annotations

import re

__all__ = ["loggable"]

_LOCAL_PART = re.compile(r"(?:\"[^\"@]{0,64}\"|[^\s<>()\[\],;:\"@]{1,64})@")

_LONGEST = 500
"""Characters. bound: a log line of a few such texts stays readable, and a hostile one short."""


def loggable(text: str) -> str:
    r"""Return a text as it may be logged: on one line, without control characters and local parts.

    >>> loggable("no such user: ada@example.org\r\nroot: login")
    'no such user: …@example.org\ufffd\ufffdroot: login'
    """
    line = text[:_LONGEST]
    if not line.isprintable():
        line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return _LOCAL_PART.sub("…@", line) if "@" in line else line
