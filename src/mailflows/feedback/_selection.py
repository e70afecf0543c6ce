"""Which entries of a suppression list an operator means, and what became of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from mailflows._providers import provider_of
from mailflows._result import Result
from mailflows.errors import ConfigurationError
from mailflows.feedback._event import BounceReason, EventType
from mailflows.feedback._webhook_table import provider_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailflows._result import Table
    from mailflows.feedback._entry import Suppression
    from mailflows.feedback._event import Event

__all__ = ["Selection", "Undone", "is_lifted"]


@dataclass(frozen=True, slots=True)
class Selection:
    """What an entry must be to be meant; everything that is given must hold.

    Attributes:
        domain: The domain of the address.
        mailbox_provider: Who runs the mailbox, as `provider_of` calls it: ``google``, or the domain.
        esp: Where they came from: a provider of webhooks, ``dsn``, ``smtp``, …
        since: The first moment, by the event's time or the entry's.
        until: The last moment.
        reason: The reason. Without it only bounces are meant: a complaint stays, an unsubscription, too.
    """

    domain: str | None = None
    mailbox_provider: str | None = None
    esp: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if not any((self.domain, self.mailbox_provider, self.esp, self.since, self.until, self.reason)):
            msg = "say which entries to select: domain=, mailbox_provider=, esp=, since=, until= or reason="
            raise ConfigurationError(msg, field="domain")
        for name in ("since", "until"):
            moment = getattr(self, name)
            if moment is not None and (not isinstance(moment, datetime) or moment.tzinfo is None):
                msg = f"{name} needs a time zone, such as datetime(2026, 11, 20, 9, tzinfo=UTC)"
                raise ConfigurationError(msg, field=name)
        if self.domain:
            object.__setattr__(self, "domain", self.domain.strip().lower().lstrip("@").rstrip("."))
        if self.esp:
            object.__setattr__(self, "esp", _teller(self.esp))

    def __contains__(self, entry: Suppression) -> bool:
        """Return whether an entry is meant."""
        if self.reason is None and entry.reason not in _BOUNCES:
            return False
        return (
            self.reason in {None, entry.reason}
            and self.domain in {None, entry.domain}
            and self.esp in {None, entry.provider}
            and (self.mailbox_provider is None or self.mailbox_provider.lower() == _home(entry))
            and self._is_in_time(entry)
        )

    def _is_in_time(self, entry: Suppression) -> bool:
        return any(
            (self.since is None or moment >= self.since) and (self.until is None or moment <= self.until)
            for moment in (entry.event_time, entry.time)
            if moment is not None
        )


_BOUNCES = frozenset(map(str, BounceReason))


def _home(entry: Suppression) -> str | None:
    return provider_of(entry.domain).name.lower() if entry.domain else None


def _teller(esp: str) -> str:
    """Return who told it as entries have it: a provider of the table, or another word as it is."""
    try:
        return provider_name(esp)
    except ConfigurationError:
        return esp.strip().lower()  # dsn, arf, smtp, or a word of the caller's own events


@dataclass(frozen=True, slots=True)
class Undone(Result):
    """The result of undoing suppressions.

    Attributes:
        undone: How many entries were removed; in a preview, how many would be.
        is_preview: Whether nothing was changed.
        entries: These entries.
    """

    undone: int
    is_preview: bool
    entries: tuple[Suppression, ...]

    @property
    def by_reason(self) -> Mapping[str, int]:
        """How many of each reason."""
        return dict(Counter(entry.reason for entry in self.entries).most_common())

    @property
    def by_domain(self) -> Mapping[str, int]:
        """How many of each domain, the most frequent first."""
        return dict(Counter(entry.domain or "unknown" for entry in self.entries).most_common())

    def __str__(self) -> str:
        """Return one line."""
        reasons = ", ".join(f"{reason} {count}" for reason, count in self.by_reason.items())
        count = f"{self.undone} {'entry' if self.undone == 1 else 'entries'}"
        line = f"{count} would be undone" if self.is_preview else f"{count} undone"
        return f"{line} ({reasons})" if reasons else line

    def _table(self) -> Table:
        return str(self), ["domain", "entries"], list(self.by_domain.items())


def is_lifted(entry: Suppression, event: Event) -> bool:
    """Return whether somebody who came back is no longer meant by an entry."""
    if entry.provider != event.provider or entry.reason == EventType.COMPLAINED:
        return False
    if event.list is not None and entry.about not in {None, event.list}:
        return False
    told = entry.event_time or entry.time
    return event.time is None or entry.event_time is None or told <= event.time
