"""What providers post about a message, as events: the variation is a table, the walk is written once."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from mailflows import _data
from mailflows.errors import ConfigurationError, MessageError
from mailflows.feedback._event import Action, BounceReason, Event, EventType
from mailflows.feedback._finding import ADDRESS
from mailflows.feedback._reasons import diagnose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows.flow import Flow

__all__ = ["PROVIDERS", "from_webhook", "provider_table"]

PROVIDERS = (
    *("amazon_ses", "brevo", "dolist", "mailersend", "mailgun", "mailjet", "mandrill"),
    *("postmark", "resend", "sendgrid", "sparkpost"),
)
"""The names that `from_webhook` knows."""

_ALSO = {
    "sendinblue": "brevo",
    "ses": "amazon_ses",
    "mailchimp": "mandrill",
    "mailchimp_transactional": "mandrill",
}
_BAD = frozenset({EventType.BOUNCED, EventType.DEFERRED, EventType.REJECTED})
_LEFT = frozenset({EventType.COMPLAINED, EventType.UNSUBSCRIBED})
_ADDRESS = re.compile(ADDRESS)
_MILLISECONDS = 1e11
"""A number of seconds above this would be the year 5138; it is in milliseconds."""

_Item = Mapping[str, Any]


def from_webhook(
    provider: str, payload: object, *, headers: Mapping[str, str] | None = None, flow: Flow | None = None
) -> tuple[Event, ...]:
    """Turn what a provider posted into events.

    Check the signature first, where the provider signs: `verify_webhook`. What is no event of a
    message (the handshake of Amazon SNS, a ping) gives nothing; an unknown type is `EventType.OTHER`.

    Args:
        provider: One of `PROVIDERS`, such as ``sendgrid``.
        payload: The body as bytes or text, the parsed JSON, or the fields of the form. Dolist has no
            webhook: pass the statuses that you ask for, as ``{"Status": …, "Recipient": …, "Ticket": …}``.
        headers: The request's headers; Resend names the event there.
        flow: The flow of the messages.

    Raises:
        ConfigurationError: If the provider is not known.
        MessageError: If the payload is not what the provider posts. Of a batch of which only some parts are
            damaged, those are events of the type `EventType.OTHER`, which keep what came.

    Example:
        >>> body = b'[{"event": "bounce", "email": "ada@example.org", "reason": "550 5.1.1 unknown user"}]'
        >>> print(*from_webhook("sendgrid", body))
        bounced: ada@example.org (mailbox-unknown 5.1.1), suppress
    """
    name = _ALSO.get(provider, provider)
    if name not in PROVIDERS:
        msg = f"provider {provider!r} is not known; it is one of {', '.join(PROVIDERS)}"
        raise ConfigurationError(msg, field="provider")
    table = provider_table()[name]
    low = {str(key).lower(): value for key, value in (headers or {}).items()}
    parsed = _parsed(payload, name)
    try:
        batch = _batch(table, parsed)
    except _SHAPES as problem:
        raise _damaged(name, f"its parts are not as {name} sends them") from problem
    found: list[tuple[Event, ...] | None] = [_read(name, table, item, low, flow) for item in batch]
    if found and all(events is None for events in found):
        raise _damaged(name, f"its parts are not as {name} sends them")
    return tuple(
        event
        for item, events in zip(batch, found, strict=True)
        for event in ((_unread(name, item, flow),) if events is None else events)
    )


_SHAPES = (AttributeError, KeyError, TypeError, IndexError, RecursionError)
"""What reading values of other types than expected ends in."""


def _read(
    name: str, table: _Item, item: object, headers: Mapping[str, str], flow: Flow | None
) -> tuple[Event, ...] | None:
    """Return the events of one part of a payload, or `None` where it is damaged."""
    try:
        return tuple(_event(name, table, one, headers, flow) for one in _items(table, item))
    except _SHAPES:
        return None


def _unread(name: str, item: object, flow: Flow | None) -> Event:
    """Return the event of a damaged part, which is kept as it came; the parts around it are good."""
    raw = item if isinstance(item, Mapping) else {"damaged": item}
    return Event(EventType.OTHER, flow=flow, provider=name, raw=raw)


@cache
def provider_table() -> dict[str, dict[str, Any]]:
    """Return the table of the data file."""
    return tomllib.loads(_data.read("feedback/webhooks.toml"))


def _damaged(name: str, what: str) -> MessageError:
    title, page = provider_table()[name]["title"], provider_table()[name]["page"]
    return MessageError(f"this is no webhook payload of {title}: {what}; what it sends is shown on {page}")


def _parsed(payload: object, name: str) -> object:
    """Return the payload as JSON values; a form is read where it is no JSON."""
    if isinstance(payload, bytes | bytearray | memoryview):
        payload = bytes(payload).decode("utf-8", "replace")
    if isinstance(payload, str):
        payload = _of_text(payload)
        if payload is None:
            raise _damaged(name, "it is neither JSON nor a form")
    if not isinstance(payload, Mapping | list | tuple):
        raise _damaged(name, f"an object or a list was expected, not {type(payload).__name__}")
    return payload


def _of_text(text: str) -> object:
    """Return what JSON or a URL-encoded form says, or `None`."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _form(text) or None


def _form(text: str) -> dict[str, list[str]]:
    """Return the fields of a URL-encoded form, or nothing."""
    try:
        return parse_qs(text, max_num_fields=1000) if "=" in text[:200] else {}
    except ValueError:
        return {}


def _batch(table: _Item, payload: Any) -> list[Any]:  # noqa: ANN401 -- parsed JSON
    """Return the parts of a payload."""
    if table.get("unpack") == "mandrill_events" and isinstance(payload, Mapping):
        payload = _json(_last(payload["mandrill_events"]))
    return list(payload) if isinstance(payload, list | tuple) else [payload]


def _items(table: _Item, item: object) -> Iterator[_Item]:
    """Yield the single events of one part of a payload."""
    unpack = table.get("unpack", "")
    if not isinstance(item, Mapping):
        raise TypeError
    if unpack == "sns":
        yield from _notified(item)
    elif unpack == "event-data" and "event-data" in item:
        yield {"signature": item.get("signature") or {}, **item["event-data"]}
    elif unpack == "msys":
        yield from item["msys"].values()
    elif item:
        yield item


def _notified(item: _Item) -> Iterator[_Item]:
    """Yield one event for each recipient of a notification of Amazon SES, in or out of its SNS envelope."""
    document, envelope = item, {}
    if "Type" in item and "Message" in item:
        text = item["Message"]
        if item["Type"] != "Notification" or not str(text).lstrip().startswith("{"):
            return  # subscription traffic
        document, envelope = _json(text), {key: value for key, value in item.items() if key != "Message"}
    found: list[Any] = []
    for name, key in _SES_RECIPIENTS:
        found = found or list((document.get(name) or {}).get(key) or ())
    for recipient in found or document["mail"].get("destination") or [None]:
        yield {**document, "sns": envelope, "recipient": recipient}


_SES_RECIPIENTS = (
    ("bounce", "bouncedRecipients"),
    ("complaint", "complainedRecipients"),
    ("delivery", "recipients"),
    ("deliveryDelay", "delayedRecipients"),
)


def _json(text: object) -> Any:  # noqa: ANN401 -- parsed JSON
    """Return JSON that stands inside a text."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError) as problem:
        raise TypeError from problem


def _event(name: str, table: _Item, item: _Item, headers: Mapping[str, str], flow: Flow | None) -> Event:
    """Read one event by the provider's table."""
    known: _Item = {**item, "headers": headers} if headers else item
    kind, force = _type(table, known)
    reply = str(_find(table, "reply", known) or "")
    recipient = _address(_find(table, "recipient", known, "@"))
    verdict = _verdict(table, known, kind, force, reply) if kind in _BAD else _good(kind)
    return Event(
        kind,
        recipient,
        smtp_reply=reply,
        message_id=_text(_find(table, "message_id", known)),
        time=_moment(_find(table, "time", known, "time")),
        flow=flow,
        event_id=_text(_find(table, "event_id", known)),
        campaign=_text(_find(table, "campaign", known)),
        url=_text(_find(table, "url", known)),
        user_agent=_text(_find(table, "user_agent", known)) or "",
        provider=name,
        raw=item,
        **verdict,
    )


def _type(table: _Item, item: _Item) -> tuple[EventType, str]:
    """Return what happened, and ``hard`` or ``soft`` where the provider says so."""
    types: Mapping[str, str] = table["types"]
    word = _text(_first_of(_every(table, "type", item), types)) or ""
    kinds = [
        str(value).lower() if isinstance(value, bool) else str(value) for value in _every(table, "kind", item)
    ]
    found = next((types[key] for k in kinds if (key := f"{word} {k}") in types), types.get(word, "other"))
    kind, _, force = found.partition(" ")
    return EventType(kind), force


def _good(kind: EventType) -> dict[str, Any]:
    return {"action": Action.SUPPRESS if kind in _LEFT else Action.NONE}


def _verdict(table: _Item, item: _Item, kind: EventType, force: str, reply: str) -> dict[str, Any]:
    """Judge a bounce, a deferral or a refusal: by the provider's word for it, else by the reply."""
    code = str(_find(table, "code", item) or "")
    said = diagnose(
        reply,
        status=_text(_find(table, "status", item)),
        code=int(code) if code in _REPLY_CODES else None,
    )
    detail = " ".join(str(value) for value in _every(table, "detail", item)).lower()
    word = next((v for key, v in table["details"].items() if key.lower() in detail), "")
    final = force == "hard" or kind is EventType.REJECTED or (kind is EventType.BOUNCED and force != "soft")
    if word in {"unsubscribed", "complained"}:
        return {"reason": BounceReason.POLICY, "permanent": True, "action": Action.SUPPRESS}
    reason = BounceReason(word) if word else said.reason
    if force == "hard" and reason is BounceReason.OTHER:
        reason = (
            BounceReason.MAILBOX_UNKNOWN
        )  # a hard bounce without a word is what providers call a dead address
    return {
        "reason": reason,
        "status": said.status,
        "smtp_code": said.code,
        "permanent": {"hard": True, "soft": False}.get(force, said.permanent),
        "action": reason.action(final=final),
    }


_REPLY_CODES = frozenset(map(str, range(200, 560)))


def _every(table: _Item, field: str, item: _Item) -> list[Any]:
    """Return what stands at the paths of a field."""
    found = [_at(item, path) for path in table.get(field, ())]
    return [value for value in found if value not in (None, "", [], {})]


def _find(table: _Item, field: str, item: _Item, form: str = "") -> Any:  # noqa: ANN401 -- parsed JSON
    """Return what stands at the first path that leads somewhere; of several values, the one of that form."""
    for value in _every(table, field, item):
        if not isinstance(value, list):
            return value
        fitting = [v for v in value if (form == "@" and "@" in str(v)) or (form == "time" and _moment(v))]
        return fitting[0] if fitting else value[-1]
    return None


def _first_of(values: list[Any], known: Mapping[str, str]) -> Any:  # noqa: ANN401 -- parsed JSON
    """Return the first value, or the one of several that is known."""
    for value in values:
        if isinstance(value, list):
            return next((v for v in value if str(v) in known), value[0])
        return value
    return None


def _last(value: Any) -> Any:  # noqa: ANN401 -- parsed JSON
    return value[-1] if isinstance(value, list) and len(value) and isinstance(value[-1], str) else value


def _at(item: Any, path: str) -> Any:  # noqa: ANN401 -- parsed JSON
    """Follow a dotted path; a key that has dots itself is found, too."""
    for key in path.split("."):
        if not isinstance(item, Mapping):
            return None
        item = item.get(key)
    return item


def _text(value: object) -> str | None:
    """Return a value as text, or `None`; an id stands without angle brackets."""
    if value is None or value == "":
        return None
    return str(value).strip().removeprefix("<").removesuffix(">") or None


def _address(value: object) -> str | None:
    """Return a recipient without its name."""
    if not isinstance(value, str):
        return None
    found = _ADDRESS.search(value)
    return found[0] if found else value.strip() or None


def _moment(value: object) -> datetime | None:
    """Return a time in seconds, in milliseconds, or in ISO 8601 as a moment in UTC."""
    try:
        seconds = float(str(value))
    except ValueError:
        return _iso(str(value))
    if not math.isfinite(seconds) or isinstance(value, bool):
        return None
    try:
        return datetime.fromtimestamp(seconds / 1000 if seconds > _MILLISECONDS else seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the latter beyond the years 1 to 9999
        return None
