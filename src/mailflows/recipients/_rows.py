"""Reading a list, one row at a time: any iterable, a file of many kinds, a pandas column or frame.

Rows in are rows accounted for: each is given back as one or more addresses, or as a bad row with its number.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from mailflows._encoding import encoding_of
from mailflows._result import number_of
from mailflows.errors import ConfigurationError
from mailflows.recipients._csv import PLAIN, dialect_of, records
from mailflows.recipients._formats import read_objects, refuse_text, unpack, workbook_rows
from mailflows.recipients._repair import addresses_in
from mailflows.recipients._status import StatusColumns
from mailflows.recipients._syntax import Address, read_address

__all__ = ["Row", "Rows", "Table", "read_table", "split_cell"]

Rows = Iterable[Any] | str | os.PathLike[str] | IO[str] | IO[bytes]
"""What a list may be."""

_COLUMN_WORDS = frozenset(
    """
    email, e-mail, e_mail, mail, courriel, emailaddress, email address, email_address, adresse email,
    adresse e-mail, adresse mail, correo, correo electronico, correo electrónico, e-mail-adresse, epost,
    indirizzo email, posta elettronica, endereco de email, recipient, address, destinataire, e-mail address,
    e-mail 1 - value, email 1, primary email, emails, mail address, mailadresse, e-mailadresse, adres
    e-mail, subscriber
    """.replace("\n    ", " ")
    .strip()
    .split(", ")
)
_SNIFF = 64 * 1024
_PROBE_ROWS = 100
_HEADER_WITHIN = 20
"""Rows among which the header is looked for: exports have a title and a date above it. A bound on work."""

_MAX_TEXT = 2000
"""Characters of a cell with one address that are kept; an address has 254."""

_MAX_LIST = 64 * 1024 * 1024
"""Characters of a cell with many addresses, such as a pasted line, that are read. A bound on work."""


class Row(NamedTuple):
    """One input row.

    Attributes:
        line: Line of the file, or place in the iterable, counted from 1.
        text: The value in the column, without the spaces around it; empty where there is nothing to check.
        cells: The whole row as text, or `None` for a list without columns.
        problem: What is wrong with a row in which there is nothing to check; else empty.
        mark: Why it is not to be mailed, by a column of status; else empty.
        is_overlong: Whether it had more cells than there are columns; the surplus is in one of *cells*.
    """

    line: int
    text: str
    cells: list[str] | None = None
    problem: str = ""
    mark: str = ""
    is_overlong: bool = False


class Table:
    """A list that is being read.

    Attributes:
        columns: Names of all columns; empty for a list without.
        column: The one that was taken, or `None`.
        share: Share of its first rows that hold an address.
        others: Further columns that hold addresses.
        frame: The data frame or series that was given, or `None`.
        every_cell: Whether there are no columns: every cell of a row is an address, as of a pasted line.
        dialect: How the file is written.
        status_columns: Columns that say who is not to be mailed.
    """

    def __init__(self, rows: Iterator[Row], *, frame: Any = None) -> None:  # noqa: ANN401 -- pandas is optional
        self.rows = rows
        self.columns: list[str] = []
        self.column: str | None = None
        self.share = 0.0
        self.others: tuple[str, ...] = ()
        self.frame = frame
        self.every_cell = False
        self.dialect = PLAIN
        self._status: StatusColumns | None = None

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows; those that a column of status says not to mail are marked."""
        first = list(islice(self.rows, _PROBE_ROWS))
        if not self.columns:
            return chain(first, self.rows)
        self._status = StatusColumns()
        self._status.probe(self.columns, [row.cells for row in first if row.cells], besides=self.column)
        return self._marked(self._status, chain(first, self.rows))

    def _marked(self, status: StatusColumns, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            mark = status.mark(self.columns, row.cells) if row.cells else ""
            yield row._replace(mark=mark) if mark else row

    @property
    def status_columns(self) -> tuple[str, ...]:
        """Names of the columns that say who is not to be mailed."""
        return self._status.names if self._status else ()

    @property
    def silent(self) -> tuple[int, tuple[str, ...]]:
        """Kept rows of which a column of consent says nothing: how many, and the names of these columns."""
        return (self._status.silent_rows, self._status.silent) if self._status else (0, ())

    def take(self, names: list[str], rows: list[list[str]], column: str | None) -> int:
        """Choose the column by its name and by what stands in it; return its place."""
        place, shares = _find_column(names, rows, column)
        self.columns = names
        self.column = names[place] if place < len(names) else None
        self.share = shares[place] if place < len(shares) else 0.0
        self.others = tuple(
            name for other, name in enumerate(names) if other != place and shares[other] > _SOME
        )
        return place


_SOME = 0.2
"""Share of addresses from which another column is reported. Our choice."""


def read_table(rows: Rows, *, column: str | None = None) -> Table:
    """Open a list for reading row by row.

    Args:
        rows: A path or an open file, a pandas series or frame, or any iterable of addresses or of mappings.
        column: Name of the column; found by its name and its content by default.

    Raises:
        ConfigurationError: If there is no such column, none that holds addresses, or the file is of a kind
        that
            cannot be read.
        OSError: If the file cannot be read.

    Example:
        >>> [row.text for row in read_table(["ada@shop.fr", {"email": "bob@shop.fr"}])]
        ['ada@shop.fr', 'bob@shop.fr']
    """
    table = Table(iter(()))
    column = None if column is None else str(column)  # a frame may have numbers for names
    if isinstance(rows, str) and "@" in rows and not Path(rows).exists():
        msg = "rows must be several addresses or a file; for one address use check_recipient()"
        raise ConfigurationError(msg, field="rows")
    if isinstance(rows, (str, os.PathLike)):
        table.rows = _read_path(Path(rows), table, column)
    elif hasattr(rows, "read"):
        table.rows = _read_file(rows, table, column)  # type: ignore[arg-type] # a file
    elif isinstance(rows, (bytes, bytearray)):
        msg = "rows must be an iterable or a file; open bytes as a file"
        raise ConfigurationError(msg, field="rows")
    elif hasattr(rows, "columns") and hasattr(rows, "itertuples"):
        table.frame = rows.copy(deep=False)  # type: ignore[union-attr] # a data frame
        table.rows = _read_frame(rows, table, column)
    elif hasattr(rows, "index") and hasattr(rows, "to_frame"):
        table.frame = rows.to_frame()
        table.rows = (_checked(line, value) for line, value in enumerate(rows, 1))
    else:
        table.rows = _read_iterable(rows, table, column)
    return table


def _read_iterable(rows: Iterable[Any], table: Table, column: str | None) -> Iterator[Row]:
    for line, value in enumerate(rows, 1):
        yield _of_mapping(line, value, table, column) if isinstance(value, Mapping) else _checked(line, value)


def _of_mapping(line: int, value: Mapping[Any, Any], table: Table, column: str | None) -> Row:
    """Read one mapping; its keys are columns, and a key that comes later is a further one."""
    known = table.columns
    for key in value:
        if str(key) not in known:
            known.append(str(key).encode("utf-8", "replace").decode())
    if table.column is None:
        names = [str(key) for key in value]
        table.column = column or next(
            (name for name in names if _is_column_word(name)),
            next((str(key) for key, cell in value.items() if isinstance(cell, str) and "@" in cell), None),
        )
    named = {str(key): cell for key, cell in value.items()}
    cells = [_cell(named.get(name)) for name in known]
    found = _checked(line, named.get(table.column) if table.column else None)
    return found._replace(cells=cells)


def _read_frame(frame: Any, table: Table, column: str | None) -> Iterator[Row]:  # noqa: ANN401 -- pandas is optional
    names = [str(name) for name in frame.columns]
    first = [[_cell(cell) for cell in cells] for cells in frame.head(_PROBE_ROWS).itertuples(index=False)]
    place = table.take(names, first, column)
    for line, values in enumerate(frame.itertuples(index=False, name=None), 1):
        yield _checked(line, values[place])._replace(cells=[_cell(cell) for cell in values])


def _cell(value: object) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "" if _is_missing(value) else str(value)


def _is_missing(value: object) -> bool:
    is_nan = isinstance(value, float) and value != value  # noqa: PLR0124 -- an empty cell of pandas
    return value is None or is_nan or type(value).__name__ in {"NAType", "NaTType"}


def _checked(line: int, value: object) -> Row:
    if isinstance(value, str):
        value = value.strip().strip("\ufeff")
        if not value:
            return Row(line, "", None, "empty")
        if not value.isascii():
            value = value.encode("utf-8", "backslashreplace").decode()
        if len(value) > _MAX_TEXT:
            value = value[: _MAX_TEXT if value.count("@") < 2 else _MAX_LIST]
        return Row(line, value)
    if _is_missing(value):
        return Row(line, "", None, "empty")
    return Row(line, "", None, f"not text but {type(value).__name__}")


_PLAIN = re.compile(r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9.\-]+\Z")
_MARKS = re.compile(r"[<(\[;|\u2039\u201c\u00ab\"]|:\s|:::|\s/\s|\bmailto:", re.IGNORECASE)


def split_cell(text: str) -> list[str]:  # noqa: PLR0911 -- one line a kind of cell
    """Return every address that a cell holds; the whole text where it is one, or none can be told.

    >>> split_cell("Ada <ada@shop.fr>; bob@shop.fr"), split_cell("ada @shop.fr")
    (['ada@shop.fr', 'bob@shop.fr'], ['ada @shop.fr'])
    """
    if _PLAIN.match(text) or "@" not in text:
        return [text]
    if len(text) > _MAX_TEXT:
        return _split_long(text)
    if text.count("@") == 1 and not _MARKS.search(text):
        return [text]
    if isinstance(read_address(text), Address):
        return [text]
    found = addresses_in(text)
    wanted = text.count("@")
    if len(found) == 1 and text.count(found[0]) == wanted:
        return found  # alone, or as a link that shows it
    if not found or wanted == 1:
        return [text]
    if len(found) < wanted:
        left = re.split(r"[,;|\s]+", text)
        found += [piece for piece in left if "@" in piece and not any(one in piece for one in found)]
    return found if len(found) > 1 or len(set(re.findall(r"\S+@\S+", text))) > 1 else [text]


def _split_long(text: str) -> list[str]:
    """Return every address of a long text, a piece between separators at a time."""
    pieces = [piece.strip() for piece in _SEPARATORS.split(text) if "@" in piece]
    found = [one for piece in pieces for one in split_cell(piece[:_MAX_TEXT])]
    return list(dict.fromkeys(found)) or [text[:_MAX_TEXT]]


_SEPARATORS = re.compile(r"[,;|\n\t]+|:::")


def _read_path(path: Path, table: Table, column: str | None) -> Iterator[Row]:
    with path.open("rb") as opened:
        yield from _read_file(opened, table, column)


def _read_file(opened: IO[bytes] | IO[str], table: Table, column: str | None) -> Iterator[Row]:
    binary: Any = getattr(opened, "buffer", opened)
    if isinstance(opened, io.StringIO) or not _is_binary(binary):
        yield from _read_text(opened, table, column, "utf-8")  # type: ignore[arg-type] # already text
        return
    if not binary.seekable():
        binary = io.BytesIO(binary.read())
    inner, is_workbook = unpack(binary)
    if is_workbook:
        numbered = ((line, cells, "") for line, cells in enumerate(workbook_rows(inner), 1))
        yield from _read_records(numbered, table, column)
        return
    encoding = encoding_of(inner)
    wrapped = io.TextIOWrapper(inner, encoding=encoding, errors="replace", newline="")
    try:
        yield from _read_text(wrapped, table, column, encoding)
    finally:
        wrapped.detach()  # the file is its owner's to close
        if inner is not binary:
            inner.close()


def _read_text(text: IO[str], table: Table, column: str | None, encoding: str) -> Iterator[Row]:
    sample = text.read(_SNIFF)
    refuse_text(sample[:512])
    whole = _Again(sample, text)
    objects = read_objects(whole, sample[:_SNIFF])  # type: ignore[arg-type] # read and iterate are all it needs
    if objects is not None:
        yield from _read_iterable(objects, table, column)
        return
    lines: Iterator[str] = iter(whole)
    table.dialect = dialect_of(sample, encoding)
    skipped = int(table.dialect.names_delimiter)
    for _ in range(skipped):
        next(lines)
    found = records(lines, table.dialect.delimiter)
    numbered = ((line + skipped, cells, wrong) for line, cells, wrong in found)
    yield from _read_records(numbered, table, column)


class _Again:
    """What was read for a look, and the rest, as one text."""

    def __init__(self, sample: str, rest: IO[str]) -> None:
        self._sample = sample
        self._rest = rest

    def read(self) -> str:
        return self._sample + self._rest.read()

    def __iter__(self) -> Iterator[str]:
        lines = io.StringIO(self._sample, newline="")
        last = ""
        for line in lines:
            if last:
                yield last
            last = line
        if last.endswith("\n"):
            yield last
            last = ""
        following = self._rest.readline()
        if last or following:
            yield last + following
        yield from self._rest


Record = tuple[int, list[str], str]


def _read_records(found: Iterator[Record], table: Table, column: str | None) -> Iterator[Row]:
    head = list(islice(found, _PROBE_ROWS))
    sound = [(at, cells) for at, (_, cells, wrong) in enumerate(head) if any(cells) and not wrong]
    if not sound:
        yield from (Row(line, "", cells, wrong or "empty") for line, cells, wrong in head if any(cells))
        return
    header = _header_at([cells for _, cells in sound], column)
    body = [cells for _, cells in sound[0 if header is None else header + 1 :]]
    named = sound[header][1] if header is not None else []
    width = _width(len(named), body)
    names = _names(named, width)
    place = 0
    if header is None and column is None and (width == 1 or _all_addresses(body)):
        table.every_cell = True  # a list without columns
    else:
        place = table.take(names, body, column)
    begin = 0 if header is None else sound[header][0] + 1
    for line, cells, wrong in chain(head[begin:], found):
        yield _of_record(line, cells, wrong, place, table)


def _of_record(line: int, cells: list[str], wrong: str, place: int, table: Table) -> Row:
    if table.every_cell:
        found = _checked(line, "; ".join(cell for cell in cells if cell.strip()))
        return found._replace(text="", problem=wrong) if wrong else found
    width = len(table.columns)
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    is_overlong = len(cells) > width
    if is_overlong:
        cells = _folded(cells, width, place, table.dialect.delimiter)
    if wrong:
        return Row(line, "", cells, wrong)
    if place < len(cells):
        found = _checked(line, cells[place])
        return found._replace(cells=cells if width > 1 else None, is_overlong=is_overlong)
    return Row(line, "", cells, f"only {number_of(len(cells), 'column')}" if any(cells) else "empty")


def _folded(cells: list[str], width: int, place: int, delimiter: str) -> list[str]:
    """Return the cells of a row that has too many in so many columns, without losing one.

    Where the address stands further right than it should, the cell before it was torn apart: a delimiter
    in a name that has no quotes. Else the surplus goes into the last column, unless that is the address.

    >>> _folded(["Smith", " John", "john@shop.fr"], 2, 1, ";"), _folded(["Ada", "a@shop.fr", "x"], 2, 1, ";")
    (['Smith; John', 'john@shop.fr'], ['Ada;x', 'a@shop.fr'])
    """
    surplus = len(cells) - width
    is_torn = place > 0 and "@" not in cells[place] and "@" in cells[place + surplus]
    if is_torn:
        first, torn, rest = cells[: place - 1], cells[place - 1 : place + surplus], cells[place + surplus :]
    elif place < width - 1 or not place:
        first, torn, rest = cells[: width - 1], cells[width - 1 :], []
    else:
        first, torn, rest = cells[: place - 1], [cells[place - 1], *cells[width:]], [cells[place]]
    return [*first, delimiter.join(torn), *rest]


def _width(named: int, body: list[list[str]]) -> int:
    """Return how many columns there are: those of the header or, where most rows have more, of these."""
    filled = [max((at for at, cell in enumerate(cells, 1) if cell.strip()), default=0) for cells in body]
    usual, times = Counter(filled).most_common(1)[0] if filled else (0, 0)
    if not named:
        return max(usual, 1)
    return max(named, usual if times > max(1, len(filled) / 2) else 0)


def _names(header: list[str], width: int) -> list[str]:
    names = [name.strip().strip("\ufeff") for name in header]
    names += [f"column {place + 1}" for place in range(len(names), width)]
    return [name or f"column {place + 1}" for place, name in enumerate(names)]


def _all_addresses(rows: list[list[str]]) -> bool:
    cells = [cell for row in rows for cell in row if cell.strip()]
    return bool(cells) and all("@" in cell for cell in cells)


def _header_at(rows: list[list[str]], column: str | None) -> int | None:
    """Return the place of the header among the first rows, or `None` where there is none."""
    early = rows[:_HEADER_WITHIN]
    if column is not None:
        for place, row in enumerate(early):
            if column.strip().lower() in [cell.strip().strip("\ufeff").lower() for cell in row]:
                return place
    first = next((place for place, row in enumerate(rows) if any("@" in cell for cell in row)), None)
    named = _named_header(early)
    if named is not None:
        return named
    if first == 0:
        return None
    above = early if first is None else early[:first]
    if first is None and max(map(len, rows)) == 1:
        return None  # no address in sight, and nothing to choose from
    filled = [_filled(row) for row in above]
    return filled.index(max(filled))


def _named_header(early: list[list[str]]) -> int | None:
    """Return the place of a row with a column's word; a line with an address above it has fewer cells."""
    for place, row in enumerate(early):
        if any(map(_is_column_word, row)) and not any("@" in cell for cell in row):
            above = [one for one in early[:place] if any("@" in cell for cell in one)]
            return place if all(_filled(one) < _filled(row) for one in above) else None
    return None


def _filled(row: list[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)


def _find_column(names: list[str], rows: list[list[str]], column: str | None) -> tuple[int, list[float]]:
    """Return the place of the column, and the share of addresses in each."""
    lowered = [name.strip().strip("\ufeff").lower() for name in names]
    width = max(map(len, [names, *rows]))
    signs = [sum("@" in row[place] for row in rows if place < len(row)) for place in range(width)]
    shares = [count / max(1, len(rows)) for count in signs]
    if column is not None:
        if column.strip().lower() in lowered:
            return lowered.index(column.strip().lower()), shares
        msg = f"there is no column {column!r}; the columns are {', '.join(names)[:500]}"
        raise ConfigurationError(msg, field="column")
    named = [place for place, name in enumerate(lowered) if _is_column_word(name)]
    best = max(range(width), key=lambda place: (signs[place], place in named, -place), default=0)
    if named and signs[best] <= 2 * max(signs[place] for place in named):
        return max(named, key=lambda place: (signs[place], -place)), shares
    if (width and signs[best]) or width == 1:
        return best, shares
    msg = f"no column contains addresses; name one of {', '.join(names)[:500]}"
    raise ConfigurationError(msg, field="column")


def _is_column_word(name: str) -> bool:
    return name.strip().strip("\ufeff").lower() in _COLUMN_WORDS


def _is_binary(opened: Any) -> bool:  # noqa: ANN401 -- any kind of file
    return isinstance(opened, (io.BufferedIOBase, io.RawIOBase)) or "b" in str(getattr(opened, "mode", ""))
