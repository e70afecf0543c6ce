"""Records of CSV, line by line: a stray quote costs its own row, and no other."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["PLAIN", "Dialect", "delimiter_of", "dialect_of", "records"]

_DELIMITERS = ",;\t|"
_MOST_LINES = 50
"""Lines of one record; a longer one began with a quote that is never closed. A bound on work."""

_CELL = 4 * 1024 * 1024  # bound: keeps work and memory flat


def delimiter_of(sample: str) -> str:
    r"""Return the delimiter that divides the lines of a sample most evenly, a comma where there is none.

    >>> delimiter_of("a;b;c\\nd;e;f"), delimiter_of("ada@shop.fr")
    (';', ',')
    """
    lines = [line for line in sample.splitlines()[:50] if line.strip()]

    def evenness(delimiter: str) -> tuple[float, int]:
        counts = [line.count(delimiter) for line in lines]
        usual = max(set(counts), key=counts.count, default=0)
        return (counts.count(usual) / len(counts) if usual else 0.0, usual)

    best = max(_DELIMITERS, key=evenness)
    if evenness(best)[1]:
        return best
    # One line of a pasted list, or lines that are shorter than most: the one that occurs at all.
    return max(_DELIMITERS, key=sample.count) if any(d in sample for d in _DELIMITERS) else ","


class Dialect(NamedTuple):
    """How a file of CSV is written, so that what is made of it opens where it was opened.

    Attributes:
        delimiter: The delimiter between two cells.
        encoding: As `codecs` names it; ``utf-8-sig`` begins with a mark.
        line_end: What ends a line.
        quotes_all: Whether every cell is in quotes, or only those that need it.
        names_delimiter: Whether the first line is ``sep=;``, as Excel reads it.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    line_end: str = "\r\n"
    quotes_all: bool = False
    names_delimiter: bool = False


PLAIN = Dialect()
"""What is written for a list that was no file of CSV (RFC 4180)."""


def dialect_of(sample: str, encoding: str) -> Dialect:
    r"""Return how a file is written, by its beginning.

    >>> dialect_of('"email";"city"\n"ada@shop.fr";"Paris"\n', "cp1252")
    Dialect(delimiter=';', encoding='cp1252', line_end='\n', quotes_all=True, names_delimiter=False)
    """
    first, end, rest = sample.partition("\n")
    line_end = "\r\n" if first.endswith("\r") or not end else "\n"
    head = first.strip()
    names_delimiter = head.lower().startswith("sep=") and len(head) <= len("sep=") + 1
    if names_delimiter:
        delimiter = head[len("sep=") :] or "\t"
        head = rest.partition("\n")[0].strip()
    else:
        delimiter = delimiter_of(sample)
    quotes_all = bool(head) and all(
        len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in head.split(delimiter)
    )
    return Dialect(delimiter, encoding, line_end, quotes_all, names_delimiter)


def records(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """Yield (line, cells, what is wrong) for each record.

    A quoted cell may hold line breaks (RFC 4180); a quote that is never closed, or is closed in the middle
    of a cell far below, costs the one line that it stands in.
    """
    source = iter(lines)
    waiting: list[str] = []
    number = 0
    while True:
        line = waiting.pop(0) if waiting else next(source, None)
        if line is None:
            return
        number += 1
        bare = line.rstrip("\r\n")
        if '"' not in bare:
            yield number, bare.split(delimiter) if bare else [], ""
            continue
        cells = _parse(line, delimiter)
        taken = 0
        joined = line
        while cells is None and taken < _MOST_LINES and len(joined) < _CELL:
            if taken == len(waiting):
                following = next(source, None)
                if following is None:
                    break
                waiting.append(following)
            joined += waiting[taken]
            taken += 1
            if waiting[taken - 1].count('"') % 2 or '"' in waiting[taken - 1]:
                cells = _parse(joined, delimiter)
        if cells is None:
            yield number, bare.split(delimiter), "a quotation mark is never closed"
            continue
        yield number, cells, ""
        del waiting[:taken]
        number += taken


def _parse(text: str, delimiter: str) -> list[str] | None:
    """Return the cells of one whole record, or `None` where it does not end here."""
    before = csv.field_size_limit(2 * _CELL)
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return _parse_loosely(text, delimiter)
    finally:
        csv.field_size_limit(before)
    return rows[0] if rows else []


def _parse_loosely(text: str, delimiter: str) -> list[str] | None:
    """Read a record with quotes inside a cell, as ``"Ada" <a@shop.fr>,1``; they must pair off."""
    bare = text.rstrip("\r\n")
    if "\n" in bare or bare.count('"') % 2:
        return None
    cells: list[str] = []
    open_cell = ""
    for piece in bare.split(delimiter):
        open_cell = f"{open_cell}{delimiter}{piece}" if open_cell else piece
        if open_cell.count('"') % 2 == 0:
            cells.append(open_cell)
            open_cell = ""
    return cells
