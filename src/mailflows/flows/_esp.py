"""Providers that send for a flow, and how a message names the stream, sub-account or IP pool."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from mailflows import _data
from mailflows._provider_names import meant_provider, spellings_of
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Esp", "accounts_in", "esp_named", "stream_headers"]


@dataclass(frozen=True, slots=True)
class Esp:
    """An email service provider (ESP).

    Attributes:
        name: The name in its own spelling.
        stream: Its own word for a stream; empty if no header or request field can name one.
        plain: Header fields for SMTP, with ``{stream}`` and ``{ip_pool}`` to be filled in.
        json: Header fields whose value is a JSON object.
        request: Keys of its API request.
        selectors: DKIM selectors that it uses for all customers; empty if each customer has different ones.
        accounts: Kind of record → regular expression whose group is the account.
        cnames: Selector (``*`` for any) → target of its CNAME, with what each customer has in braces; empty
            where only the provider shows it.
        takes: The flows that it accepts; empty for all.
        takes_source: The page that says so.
    """

    name: str
    stream: str
    plain: Mapping[str, str]
    json: Mapping[str, Mapping[str, Any]]
    request: Mapping[str, Any]
    selectors: tuple[str, ...] = ()
    accounts: Mapping[str, str] = field(default_factory=dict)
    cnames: Mapping[str, str] = field(default_factory=dict)
    takes: tuple[str, ...] = ()
    takes_source: str = ""

    @property
    def knows_pools(self) -> bool:
        """Whether an IP pool can be chosen per message."""
        return "{ip_pool}" in str((self.plain, self.json, self.request))

    def headers(self, values: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
        """Return the header fields that assign a message to its stream and IP pool.

        Args:
            values: ``stream`` and ``ip_pool``; what is empty is left out.
            given: Existing fields of the message, by lower-case name: a JSON object keeps its other keys.
        """
        found: dict[str, str] = _filled(self.plain, values)
        for name, template in self.json.items():
            wanted = _filled(template, values)
            if wanted:
                found[name] = json.dumps(_merged(_object(given.get(name.lower(), "")), wanted))
        return found

    def fields(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Return the corresponding keys of an API request."""
        found: dict[str, Any] = _filled(self.request, values)
        return found


@cache
def _esps() -> dict[str, Esp]:
    """Return every provider by its name."""
    found = {}
    for name, row in tomllib.loads(_data.read("flows/esps.toml")).items():
        esp = Esp(
            name,
            row.get("stream", ""),
            row.get("headers", {}),
            row.get("json", {}),
            row.get("fields", {}),
            tuple(row.get("selectors", ())),
            row.get("accounts", {}),
            row.get("cnames", {}),
            tuple(row.get("takes", ())),
            row.get("takes_source", ""),
        )
        found[name] = esp
    return found


def esp_named(name: str) -> Esp:
    """Return the provider of a name, in any common spelling.

    Raises:
        ConfigurationError: If there is none in the table; the text says which was meant.
    """
    esps = _esps()
    if (found := meant_provider(name, esps)) is not None:
        return esps[found]
    hint = did_you_mean(name, spellings_of(esps), choices=esps)
    msg = f"esp: {name!r} is not in our table of providers: {hint}; leave esp out for a plain SMTP relay"
    raise ConfigurationError(msg, field="esp")


def accounts_in(kind: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield provider and account where a DNS record tells whose account with a provider it belongs to.

    >>> list(accounts_in("CNAME", "s1.domainkey.u2041877.wl204.sendgrid.net"))
    [('SendGrid', 'u2041877')]
    """
    for esp in _esps().values():
        expression = esp.accounts.get(kind)
        if expression and (found := re.search(expression, text, re.IGNORECASE)):
            yield esp.name, found[1].lower()


@cache
def stream_headers() -> frozenset[str]:
    """Return the names, in lower case, of the plain header fields that name a stream."""
    return frozenset(
        name.lower() for esp in _esps().values() for name, value in esp.plain.items() if value == "{stream}"
    )


def _filled(template: Any, values: Mapping[str, str]) -> Any:  # noqa: ANN401 -- JSON
    """Fill in a template, and leave out what no value is known for."""
    if isinstance(template, str):
        return values.get(template.strip("{}"), "")
    if isinstance(template, list):
        return [one for part in template if (one := _filled(part, values))]
    return {key: one for key, part in template.items() if (one := _filled(part, values))}


def _object(text: str) -> dict[str, Any]:
    """Return the JSON object that a field holds; an empty one where it holds none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _merged(given: dict[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given with what is wanted in its place."""
    merged = dict(given)
    for key, value in wanted.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
