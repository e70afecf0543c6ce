"""The queue id that a server names in its reply to a message that it has taken."""

from __future__ import annotations

import re
import tomllib
from functools import cache

from mailflows import _data

__all__ = ["queue_id_in"]

_LONGEST = 1000
"""Characters of a reply that are read: RFC 5321 section 4.5.3.1.5 allows 512 octets a line. A bound on
work."""


def queue_id_in(reply: str | bytes) -> str | None:
    """Return the queue id that the reply to a whole message names, or `None`; the shapes are in a table.

    >>> queue_id_in("2.0.0 Ok: queued as 4Fxyz91mWkz3hB")
    '4Fxyz91mWkz3hB'
    >>> queue_id_in("2.0.0 Ok")
    """
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    line = " ".join(text[:_LONGEST].split())
    return next((found[1].rstrip(".") for shape in _shapes() if (found := shape.search(line))), None)


@cache
def _shapes() -> tuple[re.Pattern[str], ...]:
    rows = tomllib.loads(_data.read("feedback/queue-ids.toml"))["shape"]
    return tuple(re.compile(row["says"], re.ASCII | re.IGNORECASE) for row in rows)
