"""Reading a list: any iterable, a CSV file with its column, a pandas column. One row at a time."""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["BadRow", "Row", "Rows", "read_rows"]

Rows = Iterable[Any] | str | os.PathLike[str] | IO[str] | IO[bytes]
"""What a list may be."""

_COLUMN_WORDS = frozenset(
    """
    email, e-mail, e_mail, mail, courriel, emailaddress, email address, email_address, adresse email,
    adresse e-mail, adresse mail, correo, correo electronico, correo electrónico, e-mail-adresse, epost,
    indirizzo email, posta elettronica, endereco de email, recipient, address, destinataire
    """.replace("\n    ", " ")
    .strip()
    .split(", ")
)
_DELIMITERS = ",;\t|"
_SNIFF = 64 * 1024
_PROBE_ROWS = 100
_CELL = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One row with something in its column.

    Attributes:
        line: Line of the file, or place in the iterable, counted from 1.
        value: What stands there: text without the spaces around it, or what is no text.
    """

    line: int
    value: object


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row in which there is nothing to check.

    Attributes:
        line: As in `Row`.
        problem: What is wrong with it.
    """

    line: int
    problem: str


def read_rows(rows: Rows, *, column: str | None = None) -> Iterator[Row | BadRow]:
    """Read a list row by row; a bad row is told of and the others are kept.

    Args:
        rows: A path or an open file of CSV, a pandas series or frame, or any iterable of addresses or of
            mappings.
        column: Name of the column; found by its name and its content by default.

    Raises:
        ConfigurationError: If there is no such column, or none that holds addresses.
        OSError: If the file cannot be read.

    Example:
        >>> [row.value for row in read_rows(["ada@example.org", {"email": "bob@example.org"}])]
        ['ada@example.org', 'bob@example.org']
    """
    if isinstance(rows, (str, os.PathLike)):
        with Path(rows).open("rb") as opened:
            yield from _read_csv(opened, column)
    elif hasattr(rows, "read"):
        yield from _read_csv(rows, column)  # type: ignore[arg-type] # a file
    elif hasattr(rows, "columns") and hasattr(rows, "itertuples"):
        yield from _read_frame(rows, column)
    elif isinstance(rows, (bytes, bytearray)):
        msg = "rows are an iterable or a file; for bytes open them as a file"
        raise ConfigurationError(msg, field="rows")
    else:
        for line, value in enumerate(rows, 1):
            yield _checked(line, _of_mapping(value, column))


def _of_mapping(value: object, column: str | None) -> object:
    if not isinstance(value, Mapping):
        return value
    if column is not None:
        return value.get(column)
    return next((value[key] for key in value if _is_column_word(str(key))), None)


def _read_frame(frame: Any, column: str | None) -> Iterator[Row | BadRow]:  # noqa: ANN401 -- pandas is optional
    names = [str(name) for name in frame.columns]
    first = [[str(cell) for cell in cells] for cells in frame.head(_PROBE_ROWS).itertuples(index=False)]
    place = _find_column(names, first, column)
    for line, value in enumerate(frame.iloc[:, place], 1):
        yield _checked(line, value)


def _checked(line: int, value: object) -> Row | BadRow:
    if isinstance(value, str):
        value = value.strip().strip("\ufeff")
        return Row(line, value) if value else BadRow(line, "empty")
    is_nan = isinstance(value, float) and value != value  # noqa: PLR0124 -- an empty cell of pandas
    if value is None or is_nan or type(value).__name__ in {"NAType", "NaTType"}:
        return BadRow(line, "empty")
    return BadRow(line, f"not text but {type(value).__name__}")


def _read_csv(opened: IO[bytes] | IO[str], column: str | None) -> Iterator[Row | BadRow]:
    with _as_text(opened) as text, _wide_cells():
        sample = text.read(_SNIFF)
        reader = csv.reader(_chain(sample, text), delimiter=_delimiter(sample))
        head: list[tuple[int, list[str] | None]] = []
        for line_and_cells in _lines(reader):
            head.append(line_and_cells)
            if len(head) >= _PROBE_ROWS:
                break
        filled = [cells for _, cells in head if cells]
        if not filled:
            return
        place, has_header = _layout(filled, column)
        skipped = not has_header
        for line, cells in _chain_pairs(head, reader):
            if not skipped and cells:
                skipped = True
                continue
            if cells is None:
                yield BadRow(line, "a cell of more than 4 MB, or a quote that is never closed")
            elif place < len(cells):
                yield _checked(line, cells[place])
            else:
                yield BadRow(line, "empty" if not any(cells) else f"only {len(cells)} columns")


def _chain_pairs(
    head: list[tuple[int, list[str] | None]],
    reader: Any,  # noqa: ANN401 -- csv has no name for it
) -> Iterator[tuple[int, list[str] | None]]:
    yield from head
    yield from _lines(reader)


_MOST_LINES = 50
"""Lines of one record; a longer one began with a quote that is never closed."""


def _lines(reader: Any) -> Iterator[tuple[int, list[str] | None]]:  # noqa: ANN401 -- csv has no name for it
    """Yield (line, cells); `None` for what the reader cannot take."""
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield line, None
        else:
            yield line, None if reader.line_num - line > _MOST_LINES else cells


def _chain(sample: str, rest: IO[str]) -> Iterator[str]:
    """Yield the lines of what was read for a look, and of the rest."""
    lines = io.StringIO(sample, newline="")
    last = ""
    for line in lines:
        if last:
            yield last
        last = line
    if last.endswith("\n"):
        yield last
        last = ""
    following = rest.readline()
    if last or following:
        yield last + following
    yield from rest


@contextmanager
def _wide_cells() -> Generator[None, None, None]:
    before = csv.field_size_limit(_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


@contextmanager
def _as_text(opened: IO[bytes] | IO[str]) -> Generator[IO[str], None, None]:
    """Open a file as text in its encoding: by its mark, else UTF-8, else Windows-1252."""
    binary: Any = getattr(opened, "buffer", opened)
    if isinstance(opened, io.StringIO) or not _is_binary(binary):
        yield opened  # type: ignore[misc] # already text
        return
    if not binary.seekable():
        binary = io.BytesIO(binary.read())
    wrapped = io.TextIOWrapper(binary, encoding=_encoding(binary), errors="replace", newline="")
    try:
        yield wrapped
    finally:
        wrapped.detach()  # the file is its owner's to close


def _is_binary(opened: Any) -> bool:  # noqa: ANN401 -- any kind of file
    return isinstance(opened, (io.BufferedIOBase, io.RawIOBase)) or "b" in str(getattr(opened, "mode", ""))


_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _encoding(binary: IO[bytes]) -> str:
    start = binary.tell()
    try:
        head = binary.read(_SNIFF)
        for mark, name in _MARKS:
            if head.startswith(mark):
                return name
        if head.count(0) * 3 > len(head):
            return "utf-16-le" if len(head) > 1 and not head[1] else "utf-16-be"
        decoder = codecs.getincrementaldecoder("utf-8")()
        while head:
            decoder.decode(head)
            head = binary.read(1 << 20)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    else:
        return "utf-8"
    finally:
        binary.seek(start)


def _delimiter(sample: str) -> str:
    """Return the delimiter that splits the lines most evenly; the comma where there is none."""
    lines = [line for line in sample.splitlines()[:50] if line.strip()]

    def evenness(delimiter: str) -> tuple[float, int]:
        counts = [line.count(delimiter) for line in lines]
        usual = max(set(counts), key=counts.count, default=0)
        return (counts.count(usual) / len(counts) if usual else 0.0, usual)

    best = max(_DELIMITERS, key=evenness)
    return best if evenness(best)[1] else ","


def _layout(rows: list[list[str]], column: str | None) -> tuple[int, bool]:
    """Return the place of the column, and whether the first row is a header."""
    header = rows[0]
    has_header = not any("@" in cell for cell in header)
    if column is not None and column.strip().lower() in [cell.strip().lower() for cell in header]:
        has_header = True
    names = header if has_header else [f"column {n}" for n in range(1, len(header) + 1)]
    return _find_column(names, rows[1:] if has_header else rows, column), has_header


def _find_column(names: list[str], rows: list[list[str]], column: str | None) -> int:
    lowered = [name.strip().strip("\ufeff").lower() for name in names]
    if column is not None:
        if column.strip().lower() in lowered:
            return lowered.index(column.strip().lower())
        msg = f"there is no column {column!r}; there are {', '.join(names)[:500]}"
        raise ConfigurationError(msg, field="column")
    width = max(map(len, [names, *rows]))
    signs = [sum("@" in row[place] for row in rows if place < len(row)) for place in range(width)]
    named = [place for place, name in enumerate(lowered) if _is_column_word(name)]
    best = max(range(width), key=lambda place: (signs[place], place in named, -place), default=0)
    if named and signs[best] <= 2 * max(signs[place] for place in named):
        return max(named, key=lambda place: (signs[place], -place))
    if signs[best] or width == 1:
        return best
    msg = f"no column holds addresses; name one of {', '.join(names)[:500]}"
    raise ConfigurationError(msg, field="column")


def _is_column_word(name: str) -> bool:
    return name.strip().lower() in _COLUMN_WORDS
