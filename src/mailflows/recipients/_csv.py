"""Records of CSV, line by line: a stray quote costs its own row, and no other."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["delimiter_of", "records"]

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
