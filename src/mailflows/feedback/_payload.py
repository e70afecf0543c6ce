"""A provider's payload, taken apart: bytes, JSON or a form, and the single events inside."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import parse_qs

__all__ = ["SHAPES", "UNPACKERS", "Item", "items_of", "parse", "parts_of"]

Item: TypeAlias = Mapping[str, Any]

SHAPES = (AttributeError, KeyError, TypeError, IndexError, RecursionError)
"""What reading values of other types than expected ends in."""


def parse(payload: object) -> object:
    """Return a payload as JSON values; a form is read where it is not JSON; `None` where it is neither."""
    if isinstance(payload, bytes | bytearray | memoryview):
        payload = bytes(payload).decode("utf-8", "replace")
    return _of_text(payload) if isinstance(payload, str) else payload


def _of_text(text: str) -> object:
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


def parts_of(unpack: str, payload: Any) -> list[Any]:  # noqa: ANN401 -- parsed JSON
    """Return the parts of a payload, each of which may be damaged without harm to the others."""
    if unpack == "mandrill_events" and isinstance(payload, Mapping):
        payload = _json(_last(payload["mandrill_events"]))
    elif unpack == "events" and isinstance(payload, Mapping) and "events" in payload:
        payload = payload["events"]
    elif unpack == "events_by_user" and isinstance(payload, Mapping):
        payload = [
            {**{name: user[name] for name in user if name != "events"}, **event}
            for user in payload["events_by_user"]
            for event in user["events"]
        ]
    return list(payload) if isinstance(payload, list | tuple) else [payload]


def items_of(unpack: str, part: object) -> Iterator[Item]:
    """Yield the single events of one part of a payload."""
    if not isinstance(part, Mapping):
        raise TypeError
    unpacker = UNPACKERS.get(unpack)
    if unpacker is not None:
        yield from unpacker(part)
    elif part:
        yield part


def _mailgun(part: Item) -> Iterator[Item]:
    if "event-data" in part:
        yield {"signature": part.get("signature") or {}, **part["event-data"]}
    elif part:
        own = {key: value for key, value in part.items() if key not in _MAILGUN_FORM}
        yield {**part, "user-variables": {**own, **_shadowed(part)}}


_MAILGUN_FORM = frozenset(
    "event recipient domain ip country region city user-agent device-type client-type client-name client-os "
    "campaign-id campaign-name tag url mailing-list timestamp token signature message-headers Message-Id "
    "message-id code error notification reason description body-plain attachment-count attachment-1 h "
    "X-Mailgun-Sid X-Mailgun-Tag X-Mailgun-Variables".split()
)
"""Fields of Mailgun's old form; every other is a variable of the sender's."""


def _shadowed(part: Item) -> Item:
    """Return the variables that have the name of a field: a form then holds both values under one name."""
    twice = {key: value for key, value in part.items() if isinstance(value, list) and len(value) == 2}
    fields = {key: value[-1] for key, value in twice.items() if key in {"event", "recipient"}}
    return fields | {
        key: value[0] for key, value in twice.items() if key in {"timestamp", "token", "signature"}
    }


def _msys(part: Item) -> Iterator[Item]:
    yield from part["msys"].values()


def _sns(part: Item) -> Iterator[Item]:
    """Yield the events of a notification of Amazon SES: bare, or in an envelope of SNS or EventBridge."""
    document, envelope = part, {}
    if "Type" in part and "Message" in part:
        text = part["Message"]
        if part["Type"] != "Notification" or not str(text).lstrip().startswith("{"):
            return  # subscription traffic
        document = _json(text)
        envelope = {"sns": {key: value for key, value in part.items() if key != "Message"}}
    if "detail-type" in document and "detail" in document:
        envelope = {**envelope, "eventbridge": {k: v for k, v in document.items() if k != "detail"}}
        document = document["detail"]
    for recipient in _recipients(document):
        for change in _changes(document):
            yield {**document, **envelope, "recipient": recipient, **change}


_SES_RECIPIENTS = (
    ("bounce", "bouncedRecipients"),
    ("complaint", "complainedRecipients"),
    ("delivery", "recipients"),
    ("deliveryDelay", "delayedRecipients"),
)


def _recipients(document: Item) -> list[Any]:
    """Return whom a notification is about; of several to whom it was sent, all stand as one list."""
    for name, key in _SES_RECIPIENTS:
        found = list((document.get(name) or {}).get(key) or ())
        if found:
            return found
    sent_to = document["mail"].get("destination") or [None]
    is_of_one = any(document.get(name) for name in ("bounce", "complaint", "subscription"))
    return [sent_to] if is_of_one else list(sent_to)


def _changes(document: Item) -> Iterator[Item]:
    """Yield the topics that somebody left or joined; an empty item where it is about no subscription."""
    subscription = document.get("subscription")
    if not isinstance(subscription, Mapping):
        yield {}
        return
    new, old = (subscription.get(name) or {} for name in ("newTopicPreferences", "oldTopicPreferences"))
    if new.get("unsubscribeAll") or old.get("unsubscribeAll"):
        word = "OptOut" if new.get("unsubscribeAll") else "OptIn"
        yield {"subscription": {**subscription, "change": word}}
        return
    topics = new.get("topicSubscriptionStatus") or ()
    if not topics and new.get("unsubscribeAll") is False:
        yield {"subscription": {**subscription, "change": "OptIn"}}
    was = {one["topicName"]: one["subscriptionStatus"] for one in old.get("topicSubscriptionStatus") or ()}
    for one in topics:
        name, word = one["topicName"], one["subscriptionStatus"]
        if was.get(name) != word:
            yield {"subscription": {**subscription, "change": word, "topic": name}}


UNPACKERS: Mapping[str, Callable[[Item], Iterator[Item]]] = {
    "event-data": _mailgun,
    "msys": _msys,
    "sns": _sns,
}


def _json(text: object) -> Any:  # noqa: ANN401 -- parsed JSON
    """Return JSON that stands inside a text."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError) as problem:
        raise TypeError from problem


def _last(value: Any) -> Any:  # noqa: ANN401 -- parsed JSON
    return value[-1] if isinstance(value, list) and len(value) and isinstance(value[-1], str) else value
