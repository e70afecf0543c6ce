"""The recipients of a campaign by name: in memory while they are few, else in parts of a temporary file."""

from __future__ import annotations

import pickle
from array import array
from contextlib import AbstractContextManager
from dataclasses import fields
from operator import attrgetter
from sys import intern
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

from mailflows.tracking._person import Person

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Crowd"]

# bound: names of recipients in memory, about a hundred megabytes; measured by benchmarks/tracking_stats.py
_MOST = 200_000
# choice: fifty million recipients are read back two hundred thousand at a time
_PARTS = 256

_fields = attrgetter(*(one.name for one in fields(Person)))


class Crowd(AbstractContextManager["Crowd"]):
    """The recipients that a stream of events is about, each known by an id, an address, or both.

    What is learnt of a recipient can be joined in any order. So where there are too many names, what is known
    is written away, by the hash of the name, and what the file says of one name is joined in the end. Names
    are compared whole: nobody is taken for somebody else.

    Args:
        most: Names that are held in memory.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._names = 0
        self._by_id: dict[str, Person] = {}
        self._by_address: dict[str, Person] = {}
        self._ids: dict[str, str] = {}
        self._file: _PartedFile | None = None

    def __exit__(self, *_: object) -> None:
        """Remove the file, if there is one."""
        if self._file is not None:
            self._file.close()

    def __bool__(self) -> bool:
        """Return whether there is anybody."""
        return bool(self._names or self._file)

    def find(self, recipient_id: str | None, address: str | None) -> Person | None:
        """Return a recipient, to be changed before the next one is asked for; `None` without any name."""
        if self._names >= self._most:
            self._write_away()
        address = address.strip().lower() if address else ""
        if known := recipient_id or self._ids.get(address):
            person = self._by_id.get(known)
            if person is None:
                person = self._by_id[known] = Person()
                self._names += 1
            if address and address not in self._ids:
                self._ids[address] = known
                self._names += 1
                if earlier := self._by_address.pop(address, None):
                    person.join(earlier)
        elif address:
            person = self._by_address.get(address)
            if person is None:
                person = self._by_address[address] = Person()
                self._names += 1
        else:
            return None
        if address and not person.domain:
            person.domain = intern(address.rpartition("@")[2])
        return person

    def people(self) -> Iterator[Person]:
        """Yield each recipient once; nobody can be found afterwards."""
        if self._file is None:
            for address, person in self._by_address.items():
                _join(self._by_id, address, person)
            yield from self._by_id.values()
            return
        self._write_away()
        self._name_by_id(self._file)
        for part in range(_PARTS):
            found: dict[str, Person] = {}
            for name, *known in self._file.read("person", part):
                _join(found, name, Person(*known))
            yield from found.values()

    def _name_by_id(self, file: _PartedFile) -> None:
        """Put what is known by an address to what is known by the id that some event gave it."""
        for part in range(_PARTS):
            ids: dict[str, str] = {}
            for address, known in file.read("id", part):
                ids.setdefault(address, known)
            for address, *known in file.read("address", part):
                if len(self._by_id) >= self._most:
                    self._write_away()
                _join(self._by_id, ids.get(address, address), Person(*known))
        self._write_away()

    def _write_away(self) -> None:
        """Empty the memory into the file."""
        if self._file is None:
            self._file = _PartedFile()
        self._file.write("person", ((name, *_fields(one)) for name, one in self._by_id.items()))
        self._file.write("address", ((name, *_fields(one)) for name, one in self._by_address.items()))
        self._file.write("id", self._ids.items())
        for table in (self._by_id, self._by_address, self._ids):
            table.clear()
        self._names = 0


def _join(people: dict[str, Person], name: str, person: Person) -> None:
    if earlier := people.get(name):
        earlier.join(person)
    else:
        people[name] = person


class _PartedFile:
    """Rows in a file without a name, of several kinds, in parts by the hash of their first cell."""

    def __init__(self) -> None:
        self._file: IO[bytes] = TemporaryFile()  # noqa: SIM115 -- closed with the crowd
        self._places: dict[tuple[str, int], array[int]] = {}
        self._end = 0

    def write(self, kind: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Put rows behind those of their kind."""
        parts: list[list[tuple[Any, ...]]] = [[] for _ in range(_PARTS)]
        for row in rows:
            parts[hash(row[0]) % _PARTS].append(row)
        self._file.seek(self._end)
        for number, part in enumerate(parts):
            if part:
                self._places.setdefault((kind, number), array("Q")).append(self._end)
                pickle.dump(part, self._file)
                self._end = self._file.tell()

    def read(self, kind: str, part: int) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a part, those that came first first."""
        for place in self._places.get((kind, part), ()):
            self._file.seek(place)
            yield from pickle.load(self._file)  # noqa: S301 -- a file of this process that no other can open

    def close(self) -> None:
        """Give the file up: with it, it is gone."""
        self._file.close()
