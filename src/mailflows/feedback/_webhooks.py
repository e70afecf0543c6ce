"""What providers post about a message, as events: the differences are in a table."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mailflows.errors import MessageError
from mailflows.feedback._event import Action, BounceReason, Event, EventType
from mailflows.feedback._moment import moment_in
from mailflows.feedback._payload import SHAPES, items_of, parse, parts_of
from mailflows.feedback._reasons import codes, diagnose
from mailflows.feedback._report import ADDRESS
from mailflows.feedback._webhook_table import provider_row, squeezed

if TYPE_CHECKING:
    from datetime import datetime

    from mailflows.feedback._payload import Item
    from mailflows.feedback._webhook_table import Row
    from mailflows.flow import Flow

__all__ = ["from_webhook"]

_BAD = frozenset({EventType.BOUNCED, EventType.DEFERRED, EventType.REJECTED})
_LEFT = frozenset({EventType.COMPLAINED, EventType.UNSUBSCRIBED})
_ABOUT_ONE = _BAD | _LEFT | {EventType.SUBSCRIBED}
"""What happened to one recipient; where several are named, nobody knows to whom."""

_OPTED_OUT = frozenset({"unsubscribed", "complained"})
_SAYS_LITTLE = frozenset(
    {
        BounceReason.OTHER,
        BounceReason.POLICY,
        BounceReason.TEMPORARY,
        BounceReason.PROTOCOL,
        BounceReason.EXPIRED,
    }
)
"""Reasons of a reply that the provider's own class may know better."""

_ADDRESS = re.compile(ADDRESS)
_LONGEST_TAGS = 100
"""Tags of one event that are kept; bound: Mandrill allows 100 an account."""


def from_webhook(
    provider: str, payload: object, *, headers: Mapping[str, str] | None = None, flow: Flow | None = None
) -> tuple[Event, ...]:
    """Turn a provider's webhook payload into events.

    Verify the signature first if the provider signs: see `verify_webhook`. Anything that is not an event of a
    message (the handshake of Amazon SNS, a ping) gives no events; an unknown type is `EventType.OTHER`.

    Args:
        provider: One of `PROVIDERS`, such as ``sendgrid``, in any case, or another name of it.
        payload: The body as bytes or text, the parsed JSON, or the form fields. Dolist has no documented
            webhook: pass the statuses that you poll, as ``{"Status": …, "Recipient": …}``.
        headers: The request headers; Resend puts the event ID there.
        flow: The flow of the messages.

    Raises:
        ConfigurationError: If the provider is not known.
        MessageError: If the payload is not what the provider posts. If only some parts of a batch are
            damaged, those become events of type `EventType.OTHER` that keep the raw data.

    Example:
        >>> body = b'[{"event": "bounce", "email": "ada@example.org", "reason": "550 5.1.1 unknown user"}]'
        >>> print(*from_webhook("SendGrid", body))
        bounced: ada@example.org (mailbox-unknown 5.1.1), suppress
    """
    row = provider_row(provider)
    parsed = parse(payload)
    if parsed is None and isinstance(payload, str | bytes | bytearray | memoryview):
        raise _damaged(row, "it is neither JSON nor form data")
    if not isinstance(parsed, Mapping | list | tuple):
        raise _damaged(row, f"an object or a list was expected, not {type(parsed).__name__}")
    try:
        batch = parts_of(row.unpack, parsed)
    except SHAPES as problem:
        raise _damaged(row, _lacking(row)) from problem
    low = {str(key).lower(): value for key, value in (headers or {}).items()}
    found = [_read(row, part, low, flow) for part in batch]
    if found and all(events is None for events in found):
        raise _damaged(row, _lacking(row))
    return tuple(
        event
        for part, events in zip(batch, found, strict=True)
        for event in ((_unread(row, part, flow),) if events is None else events)
    )


def _read(row: Row, part: object, headers: Mapping[str, str], flow: Flow | None) -> tuple[Event, ...] | None:
    """Return the events of one part of a payload, or `None` where it is damaged."""
    try:
        return tuple(_event(row, item, headers, flow) for item in items_of(row.unpack, part))
    except SHAPES:
        return None


def _unread(row: Row, part: object, flow: Flow | None) -> Event:
    """Return the event of a damaged part, which is kept as it came; the parts around it are good."""
    raw = part if isinstance(part, Mapping) else {"damaged": part}
    return Event(EventType.OTHER, flow=flow, provider=row.name, raw=raw)


def _lacking(row: Row) -> str:
    return f"no part has the field {' or '.join(map('.'.join, row.paths['type']))}"


def _damaged(row: Row, what: str) -> MessageError:
    return MessageError(
        f"this is not a webhook payload of {row.title}: {what}; its payloads are documented at {row.page}"
    )


def _event(row: Row, item: Item, headers: Mapping[str, str], flow: Flow | None) -> Event:
    """Read one event by the provider's row."""
    known: Item = {**item, "headers": headers} if headers else item
    kind, force = _type(row, known)
    reply = str(_first(row, "reply", known) or "")
    note = str(_first(row, "note", known) or "")
    is_judged = kind in _BAD or force == "listed"
    verdict = _verdict(row, known, kind, force, reply or note) if is_judged else _good(kind)
    if force == "note":
        reply, note = "", reply
    return Event(
        kind,
        _recipient(_every(row, "recipient", known), kind),
        smtp_reply=reply,
        message_id=_text(_first(row, "message_id", known)),
        time=_time(row, known),
        flow=flow,
        event_id=_text(_first(row, "event_id", known)),
        campaign=_text(_first(row, "campaign", known)),
        tags=_tags(row, known),
        metadata=_metadata(row, item),
        list=_text(_head(_first(row, "list", known, last=False))),
        stream=_text(_head(_first(row, "stream", known))),
        description=_description(row, known, force) or note,
        url=_text(_first(row, "url", known)),
        user_agent=_text(_first(row, "user_agent", known)) or "",
        provider=row.name,
        raw=item,
        **verdict,
    )


def _description(row: Row, item: Item, force: str) -> str:
    """Return what the provider says besides the reply."""
    return "opened by a proxy" if force == "proxy" else _text(_first(row, "description", item)) or ""


def _type(row: Row, item: Item) -> tuple[EventType, str]:
    """Return what happened, and ``hard``, ``soft`` or ``proxy`` where the provider says so."""
    found = _every(row, "type", item)
    if not found:
        raise KeyError
    words = found[0] if isinstance(found[0], list) else found[:1]
    word = next((w for w in map(_word, words) if w in row.types), _word(words[0]))
    for kind in _every(row, "kind", item):
        for one in kind if isinstance(kind, list) else [kind]:
            meaning = row.types.get(f"{word}/{_word(one)}")
            if meaning is not None:
                return meaning
    return row.types.get(word, (EventType.OTHER, ""))


def _word(value: object) -> str:
    """Return a value of a vocabulary as the row has it."""
    return squeezed(str(value)[:200])


def _good(kind: EventType) -> dict[str, Any]:
    return {"action": Action.SUPPRESS if kind in _LEFT else Action.NONE}


def _verdict(row: Row, item: Item, kind: EventType, force: str, reply: str) -> dict[str, Any]:
    """Judge a bounce, a deferral or a refusal: why it was not tried, the reply, the provider's class."""
    words = [_word(value) for value in _every(row, "words", item)]
    refused = next((row.refused[word] for word in words if word in row.refused), "")
    if refused in _OPTED_OUT:
        return {"reason": BounceReason.POLICY, "permanent": True, "action": Action.SUPPRESS}
    code = str(_first(row, "code", item) or "")
    status = _text(_first(row, "status", item))
    said = diagnose(reply, status=status, code=int(code) if code in _REPLY_CODES else None)
    of_class = next((row.classes[word] for word in words if word in row.classes), "")
    reason = said.reason
    if refused:
        reason = BounceReason(refused)
    elif (kind is EventType.REJECTED or force == "listed") and codes(reply) == (None, None):
        reason = BounceReason(of_class or BounceReason.OTHER)  # the provider's words are not a server's reply
    elif of_class and reason in _SAYS_LITTLE:
        reason = BounceReason(of_class)
    final = (
        force in {"hard", "listed"}
        or kind is EventType.REJECTED
        or (kind is EventType.BOUNCED and force != "soft")
    )
    if reason is BounceReason.OTHER and not reply and not code:
        # The provider's class is all that is known: hard is its word for a dead address, soft for a delay.
        reason = {"hard": BounceReason.MAILBOX_UNKNOWN, "soft": BounceReason.TEMPORARY}.get(force, reason)
    return {
        "reason": reason,
        "status": said.status,
        "smtp_code": said.code,
        "permanent": {"hard": True, "soft": False}.get(force, said.permanent),
        "action": reason.action(final=final),
    }


_REPLY_CODES = frozenset(map(str, range(200, 560)))


def _every(row: Row, field: str, item: Item) -> list[Any]:
    """Return what stands at the paths of a field."""
    found = [_at(item, path) for path in row.paths.get(field, ())]
    return [value for value in found if value is not None and value not in ("", [], {})]


def _first(row: Row, field: str, item: Item, *, last: bool = True) -> Any:  # noqa: ANN401 -- parsed JSON
    """Return what stands at the first path that leads somewhere; of several values the last, or all."""
    for path in row.paths.get(field, ()):
        value = _at(item, path)
        if value is not None and value not in ("", [], {}):
            return value[-1] if last and isinstance(value, list) else value
    return None


def _at(item: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 -- parsed JSON
    """Follow a path; ``@name`` picks the values of one header from a list of them."""
    for key in path:
        if key[:1] == "@":
            return _of_header(item, key[1:])
        if type(item) is not dict and not isinstance(item, Mapping):  # the first alone is ten times as fast
            return None
        item = item.get(key)
    return item


def _of_header(headers: object, name: str) -> list[str]:
    """Return the values of one header, of objects with ``name`` and ``value``."""
    listed = headers if isinstance(headers, list) else []
    named = [one for one in listed if isinstance(one, Mapping) and str(one.get("name")).lower() == name]
    return [str(one.get("value")) for one in named]


def _recipient(values: list[Any], kind: EventType) -> str | None:
    """Return whom it happened to; where several are named and only one is meant, nobody."""
    value = values[0] if values else None
    if isinstance(value, list):
        fitting = [one for one in value if "@" in str(one)] or value
        value = fitting[0] if len(fitting) == 1 or kind not in _ABOUT_ONE else None
    if not isinstance(value, str):
        return None
    found = _ADDRESS.findall(value)
    if len(found) > 1 and kind in _ABOUT_ONE:
        return None
    return str(found[0]) if found else value.strip() or None


def _time(row: Row, item: Item) -> datetime | None:
    """Return when it happened; of several values the first that is a time."""
    for value in _every(row, "time", item):
        for one in value if isinstance(value, list) else [value]:
            moment = moment_in(one)
            if moment is not None:
                return moment
        return None
    return None


def _tags(row: Row, item: Item) -> tuple[str, ...]:
    """Return the tags of the first path that leads to any; a tag may be JSON of several."""
    for value in _every(row, "tags", item):
        listed = value if isinstance(value, list) else [value]
        if len(listed) == 1 and str(listed[0]).startswith("["):
            listed = _of_json(listed[0], list, listed)
        if isinstance(value, Mapping):
            continue
        return tuple(str(one) for one in listed if one not in ("", None))[:_LONGEST_TAGS]
    return ()


def _metadata(row: Row, item: Item) -> Mapping[str, Any]:
    """Return what the sender told the provider about the message."""
    for value in _every(row, "metadata", item):
        one = _head(value) if isinstance(value, list) else value
        found = _of_json(one, dict, {}) if isinstance(one, str) else one
        if isinstance(found, Mapping) and found:
            return dict(found)
    return {key: item[key] for key in item if key not in row.known} if row.known else {}


def _of_json(text: object, shape: type, instead: Any) -> Any:  # noqa: ANN401 -- parsed JSON
    """Return JSON of a shape that stands in a field, or something else."""
    try:
        found = json.loads(str(text))
    except (ValueError, RecursionError):
        return instead
    return found if isinstance(found, shape) else instead


def _head(value: Any) -> Any:  # noqa: ANN401 -- parsed JSON
    return value[0] if isinstance(value, list) and value else value


def _text(value: object) -> str | None:
    """Return a value as text, or `None`; an id stands without angle brackets."""
    if value is None or value == "":
        return None
    return str(value).strip().removeprefix("<").removesuffix(">") or None
