"""Whose reputation: a flow, its mail to one provider, and smaller scopes that may be to blame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailflows._mailbox import mailbox_key
from mailflows._provider_names import meant_provider, spellings_of
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.reputation._breaker import large_names

if TYPE_CHECKING:
    from mailflows._context import Context

__all__ = ["KINDS", "Scope", "personal_scopes", "scope_meant", "scope_named", "scopes_of"]

KINDS = ("account", "form", "campaign", "sender", "template", "tenant")
"""What may be to blame within a flow, the smallest first: the first that explains the evidence stops.

A From address sends many campaigns and serves many forms, so it is larger than each of them.
"""

_PERSONAL = frozenset({"sender", "account"})
"""Kinds whose names are kept only as keyed hashes, and shown to nobody."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What has counts and a breaker of its own.

    Attributes:
        flow: The flow that it is part of.
        kind: One of `KINDS`; empty for the flow itself.
        name: The form, campaign, … by name; empty for the flow itself.
        provider: The mailbox provider, where only the mail to it is meant.
    """

    flow: Flow
    kind: str = ""
    name: str = ""
    provider: str | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """What tells it from others of the same store."""
        return (str(self.flow), self.kind, self.name, self.provider or "")

    @property
    def is_watched(self) -> bool:
        """Whether its notices are logged: once for a campaign and once for the flow, not for each sender."""
        return not self.provider and self.kind in {"", "campaign"}

    def __str__(self) -> str:
        if self.provider:
            return f"{self.flow} to {self.provider}"
        if not self.kind:
            return str(self.flow)
        if self.kind in _PERSONAL:
            return f"{self.flow} by {'an' if self.kind == 'account' else 'a'} {self.kind}"
        return f"{self.flow} by {self.kind} {self.name}"


def scopes_of(flow: Flow, sender: str | None, context: Context | None) -> tuple[Scope, ...]:
    """Return what a message is evidence about, the smallest first and the flow last."""
    known = {} if context is None else context.known()
    if sender:
        known = known | {"sender": mailbox_key(sender) if "@" in sender else sender}
    found = [Scope(flow, kind, str(known[kind])) for kind in KINDS if kind in known]
    return (*found, Scope(flow))


def personal_scopes(address: str) -> tuple[Scope, ...]:
    """Return every scope that is about one person."""
    names = dict.fromkeys((mailbox_key(address) if "@" in address else address, address))
    kinds = sorted(_PERSONAL)
    return tuple(Scope(flow, kind, name) for flow in Flow for kind in kinds for name in names)


def scope_named(flow: Flow, scope: str | None) -> Scope:
    """Return a scope by its name, such as ``form:signup`` or ``campaign:spring``; the flow by default.

    Raises:
        ConfigurationError: If it names no kind.
    """
    if not scope:
        return Scope(flow)
    kind, colon, name = scope.partition(":")
    if kind not in KINDS or not colon or not name:
        msg = f"scope must be one of {', '.join(KINDS)} with a name, such as form:signup; got {scope!r}"
        raise ConfigurationError(msg, field="scope")
    return Scope(flow, kind, mailbox_key(name) if kind in _PERSONAL and "@" in name else name)


def scope_meant(flow: Flow | str, scope: str | None, provider: str | None = None) -> Scope:
    """Return a flow, a smaller scope of it by its name, or its mail to a big provider.

    Raises:
        ConfigurationError: If there is no such scope, or no such provider.
    """
    if not provider:
        return scope_named(Flow(flow), scope)
    name = meant_provider(provider, large_names())
    if name is None:  # a breaker that no message meets would be opened in silence
        hint = did_you_mean(provider, spellings_of(large_names()), choices=large_names())
        msg = f"provider: {provider!r} has no breaker of its own: {hint}"
        raise ConfigurationError(msg, field="provider")
    return Scope(Flow(flow), provider=name)
