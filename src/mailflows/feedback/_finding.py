"""What one place in a report says about one recipient, before it is judged."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mailflows import _data

__all__ = ["ADDRESS", "Finding", "bare_address", "is_redacted"]

ADDRESS = (
    r"(?:\"[^\"\s@]{1,64}\"|[^\s<>()\[\]\"',;:@|]{1,128})@[^\s<>()\[\]\"',;:@|]{1,253}[^\s<>()\[\]\"',;:@|.]"
)
"""An address in running text; RFC 5321 section 4.5.3.1 limits its length."""

_HASHED = re.compile(r"[A-Za-z0-9+/]{20,86}={1,2}")
"""A keyed hash in Base64, as RFC 6590 proposes it; no mailbox ends with an equals sign."""

_WHOLE = re.compile(ADDRESS)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is said about one recipient.

    Attributes:
        recipient: The address, or an empty string.
        original: The address that was written to, where it is another.
        said: What the server or the software said.
        status: Enhanced status code, where a field of its own has it.
        final: Whether it was given up (True), is still tried (False), or was delivered (`None`).
        time: When it was last tried, as written.
        fields: The fields it was read from, if any.
    """

    recipient: str
    original: str = ""
    said: str = ""
    status: str = ""
    final: bool | None = True
    time: str = ""
    fields: dict[str, str] = field(default_factory=dict)


def bare_address(text: str) -> str:
    """Return the address in a text that should be one, or an empty string.

    >>> bare_address("<ada@example.org>"), bare_address("|/usr/bin/vacation")
    ('ada@example.org', '')
    """
    text = text.strip().strip("<>").strip()
    if text.startswith("@") and ":" in text:  # a source route (RFC 5321 appendix C)
        text = text.partition(":")[2]
    return text if _WHOLE.fullmatch(text) else ""


def is_redacted(address: str) -> bool:
    """Say whether an address stands for one that the report hides (RFC 6590).

    >>> is_redacted("redacted@isp.example"), is_redacted("ada@example.org")
    (True, False)
    """
    local = address.rpartition("@")[0].strip("[](){}<>-_*.\"'")
    words = _data.read_sections("feedback/layouts.txt")["redacted"]
    first = re.split(r"[-_.+=]", local.lower(), maxsplit=1)[0]
    return not local or first in words or _HASHED.fullmatch(address.rpartition("@")[0]) is not None
