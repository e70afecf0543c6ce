"""Events of a user's own: rows of a CSV or a data frame, objects of JSON, made into events."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from mailflows.errors import ConfigurationError
from mailflows.feedback._event import Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["recorded"]

_ALSO = {
    "event": "type",
    "email": "recipient",
    "address": "recipient",
    "timestamp": "time",
    "date": "time",
    "link": "url",
    "message-id": "message_id",
}
"""What columns are often called, and the field that it is."""

_FIELDS = frozenset(one.name for one in fields(Event))
_TIMES = (int, float)


def recorded(events: object) -> Iterator[Event]:
    """Yield events: those that are given, and those that rows tell.

    Raises:
        ConfigurationError: For what is neither; the text names the row, from 1.
    """
    to_dict = getattr(events, "to_dict", None)
    if hasattr(events, "columns") and callable(to_dict):  # a data frame
        events = to_dict("records")
    if isinstance(events, str | bytes | Mapping | Event) or not hasattr(events, "__iter__"):
        msg = f"events are several events or rows: a list, a generator, a data frame; got {_kind(events)}"
        raise ConfigurationError(msg, field="events")
    return _each(events)


def _each(events: Iterable[object]) -> Iterator[Event]:
    for number, one in enumerate(events, 1):
        if isinstance(one, Event):
            yield one
            continue
        try:
            yield _event_of(one)
        except ConfigurationError as error:
            msg = f"row {number}: {error}"
            raise ConfigurationError(msg, field=error.field) from error


def _event_of(row: object) -> Event:
    if not isinstance(row, Mapping):
        msg = f"an event, or a mapping with its fields, is expected; got {_kind(row)}"
        raise ConfigurationError(msg, field="events")
    said: dict[str, Any] = {}
    for key, value in row.items():
        name = str(key).strip().lower()
        name = _ALSO.get(name, name.replace(" ", "_"))
        if name in _FIELDS and name not in said and not _is_empty(value):
            said[name] = value.strip() if isinstance(value, str) else value
    if "type" not in said:
        there = ", ".join(str(key)[:30] for key in list(row)[:10]) or "nothing"
        msg = f"no column says what happened: name it type, with words such as delivered; there is {there}"
        raise ConfigurationError(msg, field="type")
    if not said.keys() & {"recipient", "recipient_id"}:
        msg = "no column says to whom it happened: name it recipient, or recipient_id"
        raise ConfigurationError(msg, field="recipient")
    return Event(**_told(said))


def _told(said: dict[str, Any]) -> dict[str, Any]:
    """Return fields as an event has them."""
    for name in ("recipient_id", "event_id", "campaign", "list"):  # a column of numbers
        if name in said:
            value = said[name]
            said[name] = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if isinstance(said.get("time"), _TIMES):  # Unix seconds
        said["time"] = str(said["time"])
    if isinstance(said["type"], str):
        said["type"] = said["type"].lower()
    if "tags" in said:
        tags = said["tags"].split(",") if isinstance(said["tags"], str) else said["tags"]
        said["tags"] = tuple(filter(None, (str(tag).strip() for tag in tags)))
    return said


def _is_empty(value: object) -> bool:
    """Say whether a cell says nothing: nothing, a text of spaces, or not-a-number."""
    if value is None or value == "":
        return True
    if isinstance(value, str):
        return not value.strip()
    return (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in {"NAType", "NaTType"}


def _kind(value: object) -> str:
    return type(value).__name__
