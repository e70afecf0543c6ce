"""The rows of a file of separated values: a quotation mark left open costs its own row, and no other."""

from __future__ import annotations

import csv
import os
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, TypeAlias

from mailflows._encoding import encoding_of
from mailflows._mail.address import mailbox_of
from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["File", "Rows", "opened", "split"]

File: TypeAlias = str | os.PathLike[str] | IO[str]
"""A path, or an open file of text."""

_DELIMITERS = ",;\t|"
_MOST_LINES = 50
"""Lines that one quoted cell may take, such as a long reply of a server (bound: what a stray mark costs)."""


@dataclass(slots=True)
class Rows:
    """The header of a file and its rows, each with the number of its first line.

    Attributes:
        header: The names of the columns.
        delimiter: What separates the cells.
    """

    lines: Iterator[str]
    header: Sequence[str] = ()
    delimiter: str = ","
    _number: int = 0
    _waiting: deque[str] = field(default_factory=deque)

    @classmethod
    def of(cls, file: Iterable[str]) -> Rows:
        """Read the header of a file; ``sep=;``, which Excel writes, is obeyed.

        Raises:
            ConfigurationError: If the first row is none of such a file.
        """
        rows = cls(iter(file))
        first = (rows._next() or "").lstrip("\ufeff")
        wanted = first[4:5] if first[:4].lower() == "sep=" else ""
        if wanted:
            first = rows._next() or ""
        rows.delimiter = wanted or max(_DELIMITERS, key=lambda mark: len(split(first, mark) or ()))
        header = split(first, rows.delimiter)
        if header is None:
            msg = "this is not a CSV file: its first row has an open quotation mark, or is too long"
            raise ConfigurationError(msg, field="file")
        rows.header = header
        return rows

    def __iter__(self) -> Iterator[tuple[int, list[str] | None]]:
        """Yield each row with its line, `None` in the place of one that cannot be read."""
        while (line := self._next()) is not None:
            number = self._number
            if line.strip():
                cells = split(line, self.delimiter)
                yield number, self._continued(line) if cells is None else cells

    def _next(self) -> str | None:
        line = self._waiting.popleft() if self._waiting else next(self.lines, None)
        self._number += line is not None
        return None if line is None else line.rstrip("\r\n")

    def _continued(self, line: str) -> list[str] | None:
        """Return a row that goes on over several lines, or `None` where its quotation mark is a stray one."""
        taken: list[str] = []
        for following in islice(iter(self._next, None), _MOST_LINES):
            taken.append(following)
            if self._is_row(following):
                break  # what follows is a row by itself, so the mark before it is a stray one
            cells = split("\n".join((line, *taken)), self.delimiter)
            if cells is not None:
                return cells
        self._waiting.extendleft(f"{one}\n" for one in reversed(taken))
        self._number -= len(taken)
        return None

    def _is_row(self, line: str) -> bool:
        """Return whether a line is a whole row with an address, were it not for stray marks of its own."""
        cells = split(line.replace('"', ""), self.delimiter)
        is_whole = cells is not None and len(cells) == len(self.header)
        return is_whole and any(mailbox_of(cell) for cell in cells or ())


@contextmanager
def opened(file: File, mode: Literal["r", "w"]) -> Iterator[IO[str]]:
    """Open a path in the encoding that it is in, to write in UTF-8; an open file is taken as it is."""
    if not isinstance(file, str | os.PathLike):
        yield file
        return
    encoding = "utf-8"
    if mode == "r":
        with Path(file).open("rb") as binary:
            encoding = encoding_of(binary)
    with Path(file).open(mode, encoding=encoding, newline="") as text:
        yield text


def split(line: str, delimiter: str) -> list[str] | None:
    """Return the cells of a row, or `None` where a quotation mark is left open or a cell is too long.

    >>> split('a,"b, c"', ","), split('"a,b', ",")
    (['a', 'b, c'], None)
    """
    for strict in (True, False):
        reader = csv.reader([line, ""], delimiter=delimiter, strict=strict)
        try:
            return next(reader) or [""]
        except csv.Error:
            if reader.line_num > 1:  # an open quotation mark reached for the line after it
                return None
    return None
