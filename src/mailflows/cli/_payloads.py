"""Webhook payloads that a command is given, as events; what cannot be read is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows._result import printable
from mailflows.cli._terminal import complain, counted
from mailflows.cli.messages import payloads
from mailflows.errors import MailflowsError, MessageError
from mailflows.feedback import PROVIDERS, EventType, from_webhook
from mailflows.feedback._webhook_table import provider_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailflows.feedback import Event
    from mailflows.flow import Flow

__all__ = ["Payloads"]


class Payloads:
    """Reads payloads of a provider.

    Args:
        provider: Who posted them.
        paths: Files, folders, or ``-``.
        flow: The flow of the messages.

    Attributes:
        status: The exit status so far: 1 where no event of a payload is understood, 2 where it cannot be
            read, or looks like that of another provider.
    """

    def __init__(self, provider: str, paths: Sequence[str], *, flow: Flow | None = None) -> None:
        self._row = provider_row(provider)
        self._paths = paths
        self._flow = flow
        self.status = 0

    def __iter__(self) -> Iterator[tuple[str, Event]]:
        """Yield the events, each with the name of its payload."""
        for name, content in counted(payloads(self._paths), "payloads"):
            try:
                if isinstance(content, MessageError):
                    raise content
                events = from_webhook(self._row.name, content, flow=self._flow)
            except MessageError as problem:
                self._complain(name, str(problem), 2)
                continue
            if events and all(event.type is EventType.OTHER for event in events):
                self._wonder(name, content)
            yield from ((name, event) for event in events)

    def _wonder(self, name: str, content: bytes) -> None:
        """Say that nothing is understood, and whose payload it may be."""
        said = f"it contains no event that {self._row.title} is known to send"
        others = " or ".join(provider_row(other).title for other in _likely(content))
        if others:
            self._complain(name, f"{said}; it looks like a payload of {others}", 2)
        else:
            self._complain(name, said, 1)

    def _complain(self, name: str, said: str, status: int) -> None:
        complain(f"{printable(name)}: {said}")
        self.status = max(self.status, status)


_TELLING = ("recipient", "time", "message_id", "event_id", "smtp_reply", "url", "status")


def _likely(content: bytes) -> list[str]:
    """Return the providers whose tables find most in a payload: some post what looks alike."""
    scores = {provider: _found_by(provider, content) for provider in PROVIDERS}
    most = max(scores.values())
    return [provider for provider, score in scores.items() if most and score == most]


def _found_by(provider: str, content: bytes) -> int:
    """Return how many fields a provider's table finds in the events that it understands."""
    try:
        events = from_webhook(provider, content)
    except MailflowsError:
        return 0
    understood = [event for event in events if event.type is not EventType.OTHER and event.recipient]
    return sum(bool(getattr(event, name)) for event in understood for name in _TELLING)
