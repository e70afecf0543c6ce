"""The user's own events: rows of a file or a data frame, objects of JSON, made into events."""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from mailflows import _data
from mailflows.errors import ConfigurationError
from mailflows.feedback._event import Event, EventType
from mailflows.feedback._export_table import bare, columns
from mailflows.feedback._moment import DateOrder
from mailflows.feedback._rows import File, Rows, opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["recorded"]

_TIMES = (int, float)
_LASTING = {"hard": True, "soft": False}
"""Words for a bounce that say whether it is permanent."""


@cache
def _table() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(_data.read("feedback/events.toml"))


@cache
def _columns() -> Mapping[str, str]:
    """Return which field a column is, by its bare name."""
    named = _table()["columns"] | {"recipient": list(columns("address")), "time": list(columns("time"))}
    also = {bare(name): field for field, names in named.items() for name in names}
    return also | {bare(one.name): one.name for one in fields(Event)}


@cache
def _words() -> Mapping[str, str]:
    """Return what happened by the word for it, ``hard`` and ``soft`` for bounces that say so."""
    also = {bare(word): kind for kind, words in _table()["words"].items() for word in words}
    return also | {bare(kind): str(kind) for kind in EventType}


def recorded(events: Any, dates: str | None = None) -> Iterator[Event]:  # noqa: ANN401 -- whatever a caller holds
    """Yield events: those that are given, and those that rows or a file of rows describe.

    Args:
        events: What a caller holds.
        dates: Whether the rows write the day or the month first, as `DateOrder` has it.

    Raises:
        ConfigurationError: For what is neither; the text names the row, from 1.
        OSError: If the file cannot be read.
    """
    order = DateOrder(dates)
    if isinstance(events, str | os.PathLike) or hasattr(events, "readline"):
        return _each(_rows_of(events), order)
    to_dict = getattr(events, "to_dict", None)
    if hasattr(events, "columns") and callable(to_dict):  # a data frame
        events = to_dict("records")
    if isinstance(events, bytes | Mapping | Event) or not hasattr(events, "__iter__"):
        msg = (
            "events must be several events or rows: a list, a generator, a data frame, the path of a CSV "
            "file, an open file; "
            f"got {_kind(events)}"
        )
        raise ConfigurationError(msg, field="events")
    return _each(events, order)


def _rows_of(source: File) -> Iterator[object]:
    """Yield the rows of a file: a table with a header, JSON lines, or one JSON list."""
    with opened(source, "r") as file:
        first = next((line for line in file if line.strip()), "")
        if not isinstance(first, str):
            msg = "the file of events is open in binary mode: open it as text, or pass its path"
            raise ConfigurationError(msg, field="events")
        lines = chain([first], file)
        if first.lstrip()[:1] in {"{", "["}:
            yield from _objects(first, lines)
        else:
            yield from _cells(lines)


def _objects(first: str, lines: Iterator[str]) -> Iterator[object]:
    try:
        if first.lstrip().startswith("["):
            yield from json.loads("".join(lines))
        else:
            yield from (json.loads(line) for line in lines if line.strip())
    except ValueError as error:
        msg = f"this is neither JSON lines nor one JSON list: {error}"
        raise ConfigurationError(msg, field="events") from error


def _cells(lines: Iterator[str]) -> Iterator[object]:
    rows = Rows.of(lines)
    for number, cells in rows:
        if cells is None:
            msg = f"line {number}: this row cannot be read; is a quotation mark left open in it?"
            raise ConfigurationError(msg, field="events")
        yield dict(zip(rows.header, cells, strict=False))


_Said = tuple[int, Event | dict[str, Any]]
"""The number of a row, and its event or the fields of one, in the words of the file."""


def _each(events: Iterable[object], order: DateOrder) -> Iterator[Event]:
    """Yield events; those that are none yet wait until the order of their dates is known."""
    numbered = enumerate(events, 1)
    for number, one in numbered:
        if not isinstance(one, Event):
            yield from _made(chain([(number, one)], numbered), order)
            return
        yield one


def _made(numbered: Iterable[tuple[int, object]], order: DateOrder) -> Iterator[Event]:
    for number, said in order.settled(_fields(numbered), _dates_of):
        if isinstance(said, Event):
            yield said
            continue
        with _named(number):
            event = Event(**_told(said, order))
        yield event


def _fields(numbered: Iterable[tuple[int, object]]) -> Iterator[_Said]:
    for number, one in numbered:
        if isinstance(one, Event):
            yield number, one
            continue
        with _named(number):
            said = _fields_of(one)
        yield number, said


@contextmanager
def _named(number: int) -> Iterator[None]:
    """Let an error name the row."""
    try:
        yield
    except ConfigurationError as error:
        msg = f"row {number}: {error}"
        raise ConfigurationError(msg, field=error.field) from error


def _dates_of(row: _Said) -> tuple[str, ...]:
    time = None if isinstance(row[1], Event) else row[1].get("time")
    return (time,) if isinstance(time, str) else ()


def _fields_of(row: object) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        msg = f"expected an event, or a mapping with its fields; got {_kind(row)}"
        raise ConfigurationError(msg, field="events")
    said: dict[str, Any] = {}
    for key, value in row.items():
        name = _columns().get(bare(str(key)))
        if name is not None and name not in said and not _is_empty(value):
            said[name] = value.strip() if isinstance(value, str) else value
    if "type" not in said:
        there = ", ".join(str(key)[:30] for key in list(row)[:10]) or "nothing"
        msg = f"no column says what happened: name one type, with words such as delivered; found {there}"
        raise ConfigurationError(msg, field="type")
    if not said.keys() & {"recipient", "recipient_id"}:
        msg = "no column identifies the recipient: name one recipient or recipient_id"
        raise ConfigurationError(msg, field="recipient")
    return said


def _told(said: dict[str, Any], order: DateOrder) -> dict[str, Any]:
    """Return fields as an event has them."""
    for name in ("recipient_id", "event_id", "campaign", "list"):  # a column of numbers
        if name in said:
            value = said[name]
            said[name] = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if isinstance(said.get("time"), _TIMES):  # Unix seconds
        said["time"] = str(said["time"])
    if isinstance(said.get("time"), str):
        if order.contradicts(said["time"]):
            msg = (
                f"{said['time'][:30]} is not a date with day and month in the order of the other rows: write"
                ' 2026-02-14T09:00:00Z, or pass dates="day-first" or dates="month-first"'
            )
            raise ConfigurationError(msg, field="time")
        said["time"] = order.moment(said["time"]) or said["time"]
    if isinstance(said["type"], str):
        word = _words().get(bare(said["type"]), said["type"].lower())
        if word in _LASTING:
            said.setdefault("permanent", _LASTING[word])
            word = EventType.BOUNCED
        said["type"] = word
    if "tags" in said:
        tags = said["tags"].split(",") if isinstance(said["tags"], str) else said["tags"]
        said["tags"] = tuple(filter(None, (str(tag).strip() for tag in tags)))
    return said


def _is_empty(value: object) -> bool:
    """Return whether a cell says nothing: nothing, a text of spaces, or not-a-number."""
    if value is None or value == "":
        return True
    if isinstance(value, str):
        return not value.strip()
    return (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in {"NAType", "NaTType"}


def _kind(value: object) -> str:
    return type(value).__name__
