"""Knowing a message again that is tried a second time."""

from __future__ import annotations

import re
from hashlib import blake2b

__all__ = ["fingerprint"]

_FRESH = re.compile(
    rb"^(?:date|message-id|received|return-path|dkim-signature|x-mailflows-flow):"
    rb"[^\n]*\n(?:[ \t][^\n]*\n)*",
    re.IGNORECASE | re.MULTILINE,
)
"""Header fields that a program may write anew for each attempt, as `EmailMessage` of Django does."""

_BOUNDARY = re.compile(rb"boundary\s*=\s*\"?([\w=.]{10,70})(?=[\"\s;]|\Z)", re.IGNORECASE)
"""A boundary as programs make them, anew each time; what could be read as a link is content."""

_BEFORE, _AFTER = rb"(\n--|boundary\s*=\s*\"?)", rb"(?=(?:--)?(?:\n|\Z)|[\"\s;])"
_MOST_BOUNDARIES = 50


def fingerprint(raw: bytes) -> str:
    r"""Return a hash of what a message says: the same for each attempt, another for each other text.

    >>> first = b"Date: Mon, 1 Jun 2026 10:00:00 +0000\nSubject: x\n\nHello"
    >>> fingerprint(first) == fingerprint(b"Subject: x\r\n\r\nHello\r\n")
    True
    """
    content = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").strip(b"\n")
    header, blank, body = content.partition(b"\n\n")
    said = _FRESH.sub(b"", header + b"\n") + blank + body
    for boundary in list(dict.fromkeys(_BOUNDARY.findall(said)))[:_MOST_BOUNDARIES]:
        said = re.sub(_BEFORE + re.escape(boundary) + _AFTER, rb"\1", said)
    return blake2b(said, digest_size=16).hexdigest()
