"""An attempt to send, and the keys that limits count it by."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypedDict

from mailflows._mailbox import mailbox_key
from mailflows.message import Envelope, Message, addresses

if TYPE_CHECKING:
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
    "text_key",
]

_LONGEST = 200
_NEVER = 10**15
"""Units: more than any limit can allow, and few enough to reckon with."""


class Keys(TypedDict, total=False):
    """What an attempt may say about itself; a limit that counts by one of these needs it."""

    to: str | Iterable[str] | None
    """The recipients; those of the message by default."""

    client: object
    """The caller's IPv4 or IPv6 address, from a source that you trust: never an unchecked
    X-Forwarded-For."""

    account: object
    """Who is logged in."""

    form: object
    """Which form or endpoint."""

    flow: object
    """Which flow."""

    template: object
    """Which template."""

    content: str | bytes | None
    """What tells two messages apart, for limits per duplicate; subject and text by default."""

    cost: int | None
    """Units for keys that all recipients share; the number of recipients by default."""


class Attempt:
    """What is about to be sent, by whom and to whom, as limits see it.

    Args:
        message: The message, or `None`.
        keys: What is said beside it; see `Keys`.

    Raises:
        ValueError: If a key is unknown, or the cost is not a whole number of at least 0.

    Example:
        >>> Attempt(None, {"to": ["Ada@Example.org", "ada@example.org"], "form": "contact"}).recipients
        ('ada@example.org',)
    """

    __slots__ = ("_cost", "_spelled", "costs_one", "keys", "message")

    def __init__(self, message: Source | object | None, keys: Keys) -> None:
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
        """Canonical recipients, each once, with their first spelling."""
        if self._spelled is None:
            to = self.keys.get("to")
            if to is not None:
                self._spelled = _canonical(
                    (to,) if isinstance(to, str) or not isinstance(to, Iterable) else to
                )
            else:
                self._spelled = {} if self.message is None else _canonical(_recipients(self.message))
        return self._spelled

    @property
    def recipients(self) -> tuple[str, ...]:
        """Canonical recipients, each once, whatever its spelling and wherever it stands."""
        return tuple(self.spelled)

    @property
    def cost(self) -> int:
        """Units for a key that all recipients share: their number and at least one, unless it was given."""
        if self._cost is None:
            cost = self.keys.get("cost")
            self._cost = (len(self.spelled) or 1) if cost is None else _whole(cost)
        return self._cost

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
"""What an attempt may say beside its message."""


def _whole(cost: object) -> int:
    if isinstance(cost, int) and cost >= 0:
        return min(cost, _NEVER)
    msg = f"the cost of an attempt is a whole number of at least 0; got {cost!r}"
    raise ValueError(msg)


def _canonical(recipients: Iterable[str]) -> dict[str, str]:
    """Return the keys of recipients, each once, in order, with their first spelling."""
    found: dict[str, str] = {}
    for recipient in recipients:
        if not isinstance(recipient, str):
            msg = f"a recipient is text; got {type(recipient).__name__}"
            raise ValueError(msg)  # noqa: TRY004 -- the same error as for a recipient that is empty
        key = mailbox_key(recipient)
        if not key:
            msg = "a recipient is an address; got empty text"
            raise ValueError(msg)
        found.setdefault(key, recipient)
    return found


def _said(message: Any) -> str:
    """Return subject and text of a message."""
    if not _is_django(message):
        message = Message.read(message)
    return f"{message.subject}\n{message.body}"


def _is_django(message: object) -> bool:
    return callable(getattr(message, "recipients", None))


def _recipients(message: Any) -> Iterable[str]:
    """Return the recipients of a message: of its envelope where it has one, else To, Cc and Bcc."""
    if isinstance(message, Envelope):
        return message.recipients
    if _is_django(message):  # django.core.mail.EmailMessage, and what is made like it
        return [a.address for text in message.recipients() for a in addresses(text)]
    if hasattr(message, "get_all") and not isinstance(message, Message):  # email.message.Message
        headers = [str(v) for name in ("to", "cc", "bcc") for v in message.get_all(name, ())]
        return [a.address for value in headers for a in addresses(value)]
    read = Message.read(message)
    if read.envelope is not None and read.envelope.recipients:
        return read.envelope.recipients
    return [a.address for a in read.recipients]


def client_key(client: object) -> str:
    """Return the key of a client: an IPv4 address, or the /64 network of an IPv6 address.

    A host has a /64 to itself (RFC 6177 section 2), so that single addresses would be no limit at all.

    >>> client_key("192.0.2.7"), client_key("::ffff:192.0.2.7"), client_key("2001:db8:1:2:3::4")
    ('192.0.2.7', '192.0.2.7', '2001:db8:1:2::/64')
    """
    return _client_key(str(client))


@lru_cache(maxsize=8192)
def _client_key(text: str) -> str:
    packed = _packed(text)
    if len(packed) == 4:
        return socket.inet_ntop(socket.AF_INET, packed)
    return socket.inet_ntop(socket.AF_INET6, packed[:8] + bytes(8)) + "/64"


def network_key(client: object) -> str:
    """Return the key of a client's network: /24 of IPv4, /56 of IPv6, as providers hand them out.

    >>> network_key("192.0.2.7"), network_key("2001:db8:1:2ff::4")
    ('192.0.2.0/24', '2001:db8:1:200::/56')
    """
    return _network_key(str(client))


@lru_cache(maxsize=8192)
def _network_key(text: str) -> str:
    packed = _packed(text)
    if len(packed) == 4:
        return socket.inet_ntop(socket.AF_INET, packed[:3] + b"\0") + "/24"
    return socket.inet_ntop(socket.AF_INET6, packed[:7] + bytes(9)) + "/56"


def _packed(client: str) -> bytes:
    """Return the octets of an address."""
    text = client.strip().partition("%")[0]
    try:
        if ":" not in text:
            return socket.inet_pton(socket.AF_INET, text)
        packed = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError) as problem:
        found = "a mail address" if "@" in client else repr(client[:60])
        msg = f"client is one IPv4 or IPv6 address, such as '192.0.2.7'; got {found}"
        raise ValueError(msg) from problem
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
    "account": ("account", text_key),
    "form": ("form", text_key),
    "flow": ("flow", text_key),
    "template": ("template", text_key),
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
