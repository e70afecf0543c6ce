"""An attempt to send, and the keys that limits count it by."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, TypedDict, cast

from mailflows.limits._recipients import canonical, is_django, recipients_of
from mailflows.message import Message

if TYPE_CHECKING:
    from mailflows._context import Context
    from mailflows.message import Source

__all__ = [
    "BY_ATTEMPT",
    "BY_RECIPIENT",
    "KEYS",
    "KINDS",
    "Attempt",
    "Keys",
    "client_key",
    "keys_of",
    "network_key",
    "site_key",
    "text_key",
]

# bound: the length of a key
_LONGEST = 200
# bound: what doubles reckon exactly
_NEVER = 10**15
"""Units: more than any limit can allow, and few enough to calculate with."""


class Keys(TypedDict, total=False):
    """The keys of an attempt; a limit that counts by a key needs it.

    Example:
        >>> keys: Keys = {"to": "ada@example.org", "client": "192.0.2.7"}
        >>> from mailflows.limits import Limit, Limiter
        >>> bool(Limiter(Limit("1/hour", per="client")).acquire(**keys))
        True
    """

    to: str | Iterable[str] | None
    """The recipients; by default those of the message."""

    client: object
    """The caller's IPv4 or IPv6 address, with or without a port, from a source that you trust: never an
    unchecked X-Forwarded-For. All that is not an address shares one counter."""

    account: object
    """The account that is logged in."""

    form: object
    """The form or endpoint."""

    flow: object
    """The flow."""

    template: object
    """The template."""

    campaign: object
    """The mailing."""

    tenant: object
    """The customer on whose behalf the message is sent, where several share an application."""

    plan: object
    """The customer's plan: nothing is counted by it, but a function of rates may use it."""

    content: str | bytes | None
    """What identifies the content, for limits per duplicate; by default subject and text."""

    context: Context | None
    """The same keys as one record, as a gate passes them on; keys given separately take precedence."""

    cost: int | None
    """Units to take from keys that all recipients share; by default the number of recipients."""


class Attempt:
    """An attempt to send, as limits see it: what, by whom and to whom.

    Args:
        message: The message, or `None`.
        keys: What is known of it besides the message; see `Keys`.

    Raises:
        ValueError: If a key is unknown, or the cost is not a whole number of at least 0.

    Example:
        >>> Attempt(None, {"to": ["Ada@Example.org", "ada@example.org"], "form": "contact"}).recipients
        ('ada@example.org',)
    """

    __slots__ = ("_cost", "_spelled", "costs_one", "keys", "message")

    def __init__(self, message: Source | object | None, keys: Keys) -> None:
        if (context := keys.get("context")) is not None:
            keys = cast("Keys", context.known() | keys)
        self.message = message
        self.keys = keys
        self._spelled: dict[str, str] | None = None
        self._cost: int | None = None
        # Many attempts are only counted by who makes them: nothing is looked up for those.
        self.costs_one = message is None and "to" not in keys and "cost" not in keys
        if not keys.keys() <= KEYS:
            unknown = ", ".join(sorted(keys.keys() - KEYS))
            msg = f"limits count by {', '.join(sorted(KEYS))}; got {unknown}"
            raise ValueError(msg)

    @property
    def spelled(self) -> dict[str, str]:
        """Canonical recipients, each once, with their first spelling.

        Raises:
            ValueError: If a recipient is not an address.
        """
        if self._spelled is None:
            to = self.keys.get("to")
            if to is not None:
                self._spelled = _canonical(
                    (to,) if isinstance(to, str) or not isinstance(to, Iterable) else to
                )
            else:
                self._spelled = {} if self.message is None else _canonical(recipients_of(self.message))
        return self._spelled

    @property
    def recipients(self) -> tuple[str, ...]:
        """Canonical recipients, each mailbox once, however it is spelled."""
        return tuple(self.spelled)

    @property
    def cost(self) -> int:
        """Units for a key shared by all recipients: their number, at least one, unless given.

        Raises:
            ValueError: If the number of units is not a whole number of at least one.
        """
        if self._cost is None:
            cost = self.keys.get("cost")
            self._cost = (len(self.spelled) or 1) if cost is None else _whole(cost)
        return self._cost

    def forget_recipients(self) -> None:
        """Have none: those that were given cannot be read."""
        self._spelled = {}

    def to(self, recipients: tuple[str, ...]) -> Attempt:
        """Return the same attempt with some of its recipients only."""
        same = Attempt(self.message, self.keys)
        same._spelled = {recipient: self.spelled[recipient] for recipient in recipients}
        return same

    @property
    def content(self) -> str | None:
        """What tells two messages to one recipient apart.

        The content that was given, else the template, else a hash of subject and text.
        """
        given: tuple[object, object] = (self.keys.get("content"), self.keys.get("template"))
        content = given[0] if given[0] is not None else given[1]
        if content is not None:
            return text_key(content)
        return None if self.message is None else _hash(_said(self.message))


KEYS = frozenset(Keys.__annotations__)
"""What an attempt may say besides its message."""


def _whole(cost: object) -> int:
    if isinstance(cost, int) and cost >= 0:
        return min(cost, _NEVER)
    msg = f"the cost of an attempt must be a whole number of at least 0; got {cost!r}"
    raise ValueError(msg)


def _canonical(recipients: Iterable[str]) -> dict[str, str]:
    """Return the keys of recipients, each once, in order, with their first spelling."""
    found: dict[str, str] = {}
    for recipient in recipients:
        if not isinstance(recipient, str):
            msg = f"a recipient must be text; got {type(recipient).__name__}"
            raise ValueError(msg)  # noqa: TRY004 -- the same error as for a cost that is none
        found.setdefault(canonical(recipient), recipient)
    return found


def _said(message: Any) -> str:
    """Return subject and text of a message."""
    if not is_django(message):
        message = Message.read(message)
    return f"{message.subject}\n{message.body}"


UNKNOWN_CLIENT = "unknown"
"""The one key of all clients without an address: a Unix socket, a test client, a header of nonsense. They
share one counter, so that nonsense brings no quota of its own."""


def client_key(client: object) -> str:
    """Return the key of a client: an IPv4 address, or the /64 network of an IPv6 address.

    A host has a /64 to itself (RFC 6177 section 2), so that single addresses would be no limit at all.

    >>> client_key("192.0.2.7:5555"), client_key("::ffff:192.0.2.7"), client_key("[2001:db8:1:2:3::4]:443")
    ('192.0.2.7', '192.0.2.7', '2001:db8:1:2::/64')
    >>> client_key(""), client_key("testclient")
    ('unknown', 'unknown')
    """
    return _network(client, 4, 8)


def network_key(client: object) -> str:
    """Return the key of a client's network: /24 of IPv4, /56 of IPv6, as providers hand them out.

    >>> network_key("192.0.2.7"), network_key("2001:db8:1:2ff::4")
    ('192.0.2.0/24', '2001:db8:1:200::/56')
    """
    return _network(client, 3, 7)


def site_key(client: object) -> str:
    """Return the key of a client's site: /24 of IPv4, /48 of IPv6, as companies and hosters get them.

    >>> site_key("192.0.2.7"), site_key("2001:db8:1:2ff::4")
    ('192.0.2.0/24', '2001:db8:1::/48')
    """
    return _network(client, 3, 6)


def _network(client: object, kept_4: int, kept_6: int) -> str:
    """Return the network of an address, of so many octets of IPv4 or IPv6."""
    if not isinstance(client, str | IPv4Address | IPv6Address):
        msg = f"client must be one IPv4 or IPv6 address, such as '192.0.2.7'; got {type(client).__name__}"
        raise ValueError(msg)  # noqa: TRY004 -- the same error as for a mail address
    packed = _packed(str(client))
    if packed is None:
        return UNKNOWN_CLIENT
    family, kept = (socket.AF_INET, kept_4) if len(packed) == 4 else (socket.AF_INET6, kept_6)
    net = socket.inet_ntop(family, packed[:kept] + bytes(len(packed) - kept))
    return net if kept == len(packed) else f"{net}/{8 * kept}"


_WITH_PORT = re.compile(r"(\d+\.\d+\.\d+\.\d+)(?::\d{1,5})?|\[([0-9A-Fa-f:.%\w]+)\](?::\d{1,5})?")


@lru_cache(maxsize=8192)
def _packed(client: str) -> bytes | None:
    """Return the octets of an address, with or without a port, or `None` for none."""
    if "@" in client:
        msg = "client must be one IPv4 or IPv6 address, such as '192.0.2.7'; got a mail address"
        raise ValueError(msg)
    text = client.strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    text = text.partition("%")[0]
    try:
        if ":" not in text:
            return socket.inet_pton(socket.AF_INET, text)
        packed = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return None
    return packed[12:] if packed[:12] == _MAPPED else packed


_MAPPED = bytes(10) + b"\xff\xff"


def text_key(value: object) -> str:
    """Return a value as a key of bounded length."""
    if isinstance(value, str) and len(value) <= _LONGEST:
        return value
    text = _spelled(value)
    return text if len(text) <= _LONGEST else _hash(text)


def _spelled(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


_Several = Callable[[Attempt], "Iterable[tuple[str, int]] | None"]


def _domains(attempt: Attempt) -> Iterable[tuple[str, int]]:
    return Counter(recipient.rpartition("@")[2] for recipient in attempt.spelled).items()


def _duplicates(attempt: Attempt) -> Iterable[tuple[str, int]] | None:
    content = attempt.content
    return None if content is None else [(f"{r}\n{content}", 1) for r in attempt.spelled]


BY_RECIPIENT: dict[str, _Several] = {
    "recipient": lambda attempt: [(r, 1) for r in attempt.spelled],
    "recipient_domain": _domains,
    "duplicate": _duplicates,
}
"""Kinds of keys of which one attempt has several: each with the number of recipients it stands for."""

BY_ATTEMPT: dict[str, tuple[str, Callable[[Any], str]]] = {
    "client": ("client", client_key),
    "client_network": ("client", network_key),
    "client_site": ("client", site_key),
    "account": ("account", text_key),
    "form": ("form", text_key),
    "flow": ("flow", text_key),
    "template": ("template", text_key),
    "campaign": ("campaign", text_key),
    "tenant": ("tenant", text_key),
}
"""Kinds of which an attempt has one: the key of `Keys` that it comes from, and its canonical form."""

KINDS = (*BY_RECIPIENT, *BY_ATTEMPT, "global")


def keys_of(kind: str, attempt: Attempt) -> list[tuple[str, int]] | None:
    """Return the keys of one kind, each with its cost, or `None` where the attempt does not say."""
    if kind in BY_RECIPIENT:
        return list(BY_RECIPIENT[kind](attempt) or ()) or None
    if kind == "global":
        return [("", attempt.cost)]
    name, canonical = BY_ATTEMPT[kind]
    value = attempt.keys.get(name)
    return None if value is None else [(canonical(value), attempt.cost)]
