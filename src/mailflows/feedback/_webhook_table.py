"""The table of providers, made ready: what a row says, and which words it knows."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from mailflows import _data
from mailflows._provider_names import meant_provider
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError
from mailflows.feedback._event import EventType

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PATHS", "Row", "provider_name", "provider_row", "providers", "squeezed"]

PATHS = (
    *("type", "kind", "recipient", "time", "message_id", "event_id", "reply", "note", "status", "code"),
    *("words", "description", "url", "user_agent", "campaign", "tags", "metadata", "list", "stream"),
)
"""The keys of a row that are paths into the payload."""


@dataclass(frozen=True, slots=True)
class Row:
    """What the table says about a provider.

    Attributes:
        name: What `from_webhook` is called with.
        title: How the provider calls itself.
        page: Where it documents what it posts.
        also: Other names that people write.
        unpack: How single events are found.
        signed: The scheme of its signature; empty where it signs nothing.
        signature: The header of the signature, in lower case.
        paths: For each field the paths to it, split at the dots.
        types: What "type/kind" or "type" means, and ``hard``, ``soft``, … where it says so.
        refused: Words for why it did not even try.
        classes: Words for what it makes of a reply.
        known: The fields that are not metadata; empty where metadata have a field of their own.
        sample: What it posts about a mailbox that does not exist.
    """

    name: str
    title: str
    page: str
    also: tuple[str, ...]
    unpack: str
    signed: str
    signature: str
    paths: Mapping[str, tuple[tuple[str, ...], ...]]
    types: Mapping[str, tuple[EventType, str]]
    refused: Mapping[str, str]
    classes: Mapping[str, str]
    known: frozenset[str]
    sample: str


@cache
def _rows() -> dict[str, Row]:
    """Return the rows of the data file."""
    return {
        name: _row(name, raw) for name, raw in tomllib.loads(_data.read("feedback/webhooks.toml")).items()
    }


def _row(name: str, raw: Mapping[str, Any]) -> Row:
    return Row(
        name=name,
        title=raw["title"],
        page=raw["page"],
        also=tuple(raw.get("also", ())),
        unpack=raw.get("unpack", ""),
        signed=raw.get("signed", ""),
        signature=raw.get("signature", ""),
        paths={field: tuple(map(_path, raw[field])) for field in PATHS if field in raw},
        types={_type_key(key): _meaning(value) for key, value in raw["types"].items()},
        refused={squeezed(key): value for key, value in raw.get("refused", {}).items()},
        classes={squeezed(key): value for key, value in raw.get("classes", {}).items()},
        known=frozenset(raw.get("known", ())),
        sample=raw["sample"],
    )


def _path(text: str) -> tuple[str, ...]:
    """Split a path at its dots; a key with an @ or a bracket ends it and is kept whole.

    >>> _path("mail.headers@X-Tag"), _path("data[email]"), _path("headers.svix-id")
    (('mail', 'headers', '@x-tag'), ('data[email]',), ('headers', 'svix-id'))
    """
    place, at, header = text.partition("@")
    keys = tuple(place.split("."))
    return (*keys, f"@{header.lower()}") if at else keys


def _type_key(text: str) -> str:
    word, slash, kind = text.partition("/")
    return f"{squeezed(word)}/{squeezed(kind)}" if slash else squeezed(word)


def _meaning(text: str) -> tuple[EventType, str]:
    kind, _, force = text.partition(" ")
    return EventType(kind), force


@lru_cache(maxsize=4096)
def squeezed(word: str) -> str:
    """Return a word of a vocabulary as the table's keys are compared: whole, but in any case and spelling.

    >>> squeezed("hardBounce") == squeezed("hard_bounce") == squeezed("Hard Bounce")
    True
    >>> squeezed("Spam Content (if Spam Checker app is enabled)") == squeezed("spam content")
    True
    """
    plain = word.strip().lower()
    if plain.endswith(")") and " (" in plain:
        plain = plain[: plain.index(" (")]
    return "".join(c for c in plain if c not in " _-.")


@cache
def providers() -> tuple[str, ...]:
    """Return the names of the providers of the table, in alphabetical order."""
    return tuple(sorted(_rows()))


@cache
def _names() -> dict[str, str]:
    """Return which row each name and alias means."""
    return {squeezed(known): name for name, row in _rows().items() for known in (name, row.title, *row.also)}


def provider_name(provider: object) -> str:
    """Return the name of a provider in the table, however it is written.

    Raises:
        ConfigurationError: If none is meant.

    Example:
        >>> provider_name("SendGrid"), provider_name("SES")
        ('sendgrid', 'amazon_ses')
    """
    names = _names()
    meant = None
    if isinstance(provider, str):
        meant = squeezed(provider) if squeezed(provider) in names else meant_provider(provider, names)
    if meant is None:
        also = (alias for row in _rows().values() for alias in row.also)
        hint = did_you_mean(provider, (*providers(), *also), choices=providers())
        msg = f"provider {str(provider)[:60]!r} is unknown: {hint}"
        raise ConfigurationError(msg, field="provider")
    return names[meant]


def provider_row(provider: object) -> Row:
    """Return the row of a provider."""
    return _rows()[provider_name(provider)]
