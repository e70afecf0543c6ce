"""What a mail server's reply asks a sender to do: the rules are data, in ``limits/replies.toml``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from mailflows import _data

__all__ = ["Reply", "ReplyAction", "classify_reply"]

LONGEST = 2000
"""Characters of a reply that are looked at; RFC 5321 section 4.5.3.1.5 allows 512 octets a line."""

# An enhanced status code (RFC 2034), and not a part of an IPv4 address.
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.]?\d)")

# Each line of a reply of several begins with the code (RFC 5321 section 4.2.1).
_CODE = re.compile(r"^\s*[2-5]\d\d(?:[ -]|$)", re.MULTILINE)


class ReplyAction(StrEnum):
    """What to do about a reply."""

    THROTTLE = "throttle"
    """Send more slowly to this provider."""

    CONCURRENCY = "concurrency"
    """Open fewer connections to this provider."""

    SUSPEND = "suspend"
    """Send nothing to this provider for a while."""

    RECIPIENT_THROTTLE = "recipient-throttle"
    """Send nothing to this recipient for a while."""

    RETRY = "retry"
    """Try this message again later; it says nothing about the pace."""

    INVALID_RECIPIENT = "invalid-recipient"
    """There is no such mailbox: never write to it again."""

    SOFT_RECIPIENT = "soft-recipient"
    """The mailbox is full or out of order; it is not an invalid recipient."""

    NONE = "none"
    """Nothing: it was taken, or refused for what the message is."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a reply asks for.

    Attributes:
        action: What to do.
        value: The new rate (such as ``10/min``) or number of connections, or `None` for «less than before».
        seconds: For how long, or `None` for «until it has recovered».
        rule: The rule that said so, in the reply table.
        is_permanent: Whether the code was 5xx: this message is not taken later, either.
    """

    action: ReplyAction
    value: str | None = None
    seconds: float | None = None
    rule: str = ""
    is_permanent: bool = False


@dataclass(frozen=True, slots=True)
class _Rule:
    """A row of the reply table."""

    name: str
    codes: tuple[str, ...]
    action: ReplyAction
    providers: frozenset[str]
    status: frozenset[str]
    words: tuple[str, ...]
    unless: tuple[str, ...]
    value: str | None
    seconds: float | None

    def matches(self, code: str, status: str, text: str) -> bool:
        """Return whether this rule speaks about a reply."""
        if not code.startswith(self.codes) or any(word in text for word in self.unless):
            return False
        if status in self.status or any(word in text for word in self.words):
            return True
        return not (self.status or self.words)


def classify_reply(code: int, text: str | bytes = "", provider: str | None = None) -> Reply:
    """Say what a reply to an SMTP command asks the sender to do.

    Args:
        code: The reply code, such as 421.
        text: What the server said, with or without the code; only the first 2,000 characters count.
        provider: The provider as `provider_of` names it (``google``, ``yahoo``, …), whose own rules come
            first; by default only the rules for everybody.

    Returns:
        What to do; a temporary failure that no rule knows is `ReplyAction.RETRY`.

    Raises:
        ValueError: If the code is not one of RFC 5321 section 4.2, 200 to 599.

    Example:
        >>> classify_reply(550, "5.1.1 No such user here").action
        <ReplyAction.INVALID_RECIPIENT: 'invalid-recipient'>
        >>> classify_reply(452, "4.2.2 The mailbox is full").action
        <ReplyAction.SOFT_RECIPIENT: 'soft-recipient'>
        >>> reply = classify_reply(421, "4.7.28 unusual rate of unsolicited mail", "google")
        >>> reply.action, reply.value, reply.seconds
        (<ReplyAction.THROTTLE: 'throttle'>, '10/min', 1800.0)
    """
    if code not in range(200, 600):
        msg = f"a reply code is a number from 200 to 599 (RFC 5321 section 4.2); got {code!r}"
        raise ValueError(msg)
    said = _plain(text)
    status = next((s for s in _STATUS.findall(said) if s[0] == str(code)[0]), "")
    for rule in _rules(provider or ""):
        if rule.matches(str(code), status, said):
            return Reply(rule.action, rule.value, rule.seconds, rule.name, code >= 500)
    return Reply(ReplyAction.NONE, is_permanent=code >= 500)  # pragma: no cover -- the table ends with all


def _plain(text: object) -> str:
    """Return a reply in lower case, on one line, without its codes; of what is no text, nothing."""
    head = text[:LONGEST] if isinstance(text, str | bytes) else ""
    words = head.decode("utf-8", "replace") if isinstance(head, bytes) else head
    return " ".join(_CODE.sub(" ", words).lower().split())


@cache
def _all_rules() -> tuple[_Rule, ...]:
    return tuple(_rule(entry) for entry in tomllib.loads(_data.read("limits/replies.toml"))["rule"])


@cache
def _rules(provider: str) -> tuple[_Rule, ...]:
    """Return the rules that hold for a provider, its own first."""
    rules = [rule for rule in _all_rules() if not rule.providers or provider in rule.providers]
    return tuple(sorted(rules, key=lambda rule: not rule.providers))


def _rule(entry: dict[str, Any]) -> _Rule:
    seconds = entry.get("seconds")
    return _Rule(
        name=entry["name"],
        codes=tuple(entry["codes"]),
        action=ReplyAction(entry["action"]),
        providers=frozenset(entry.get("providers", ())),
        status=frozenset(entry.get("status", ())),
        words=tuple(entry.get("words", ())),
        unless=tuple(entry.get("unless", ())),
        value=entry.get("value"),
        seconds=None if seconds is None else float(seconds),
    )
