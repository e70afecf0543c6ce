"""How a reply affects the pace: the rules are data, in ``feedback/pace.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from mailflows import _data

if TYPE_CHECKING:
    from mailflows.feedback._event import BounceReason

__all__ = ["PaceChange", "PaceRule", "pace_rule"]


class PaceChange(StrEnum):
    """How a reply affects the sending rate to a provider."""

    THROTTLE = "throttle"
    """Send more slowly to this provider."""

    CONCURRENCY = "concurrency"
    """Open fewer connections to this provider."""

    SUSPEND = "suspend"
    """Send nothing to this provider for a while."""

    RECIPIENT_THROTTLE = "recipient-throttle"
    """Send nothing to this recipient for a while."""


@dataclass(frozen=True, slots=True)
class PaceRule:
    """A row of the table.

    Attributes:
        name: Its name.
        pace: What it asks for, or `None` where it only says how long to wait.
        rate: The new rate (such as ``10/min``) or number of connections; `None` for "less than before".
        seconds: For how long; `None` for "until it has recovered".
    """

    name: str
    pace: PaceChange | None
    rate: str | None
    seconds: float | None
    providers: frozenset[str]
    codes: tuple[str, ...]
    reasons: frozenset[str]
    status: frozenset[str]
    words: tuple[str, ...]

    def matches(self, reason: BounceReason, code: str, status: str, text: str) -> bool:
        """Return whether this rule speaks about a reply."""
        if not code.startswith(self.codes) or (self.reasons and reason not in self.reasons):
            return False
        if status in self.status or any(word in text for word in self.words):
            return True
        return not (self.status or self.words)


def pace_rule(
    reason: BounceReason, *, code: int, status: str | None, text: str, provider: str | None
) -> PaceRule | None:
    """Return the first rule about a reply, the provider's own first, or `None`."""
    for rule in _rules(provider or ""):
        if rule.matches(reason, str(code), status or "", text):
            return rule
    return None


@cache
def _rules(provider: str) -> tuple[PaceRule, ...]:
    """Return the rules that hold for a provider, its own first."""
    rules = [rule for rule in _table() if not rule.providers or provider in rule.providers]
    return tuple(sorted(rules, key=lambda rule: not rule.providers))


@cache
def _table() -> tuple[PaceRule, ...]:
    return tuple(_rule(entry) for entry in tomllib.loads(_data.read("feedback/pace.toml"))["rule"])


def _rule(entry: dict[str, Any]) -> PaceRule:
    seconds = entry.get("seconds")
    return PaceRule(
        name=entry["name"],
        pace=PaceChange(entry["pace"]) if "pace" in entry else None,
        rate=entry.get("rate"),
        seconds=None if seconds is None else float(seconds),
        providers=frozenset(entry.get("providers", ())),
        codes=tuple(entry.get("codes", ("4", "5"))),
        reasons=frozenset(entry.get("reasons", ())),
        status=frozenset(entry.get("status", ())),
        words=tuple(entry.get("words", ())),
    )
