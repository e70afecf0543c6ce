"""The judged list as a table: every row and column that was given, and the verdict."""

from __future__ import annotations

import codecs
import csv
import re
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mailflows._result import to_frame
from mailflows.errors import ConfigurationError, MissingExtra
from mailflows.recipients._report import Deliverability

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from mailflows.recipients._csv import Dialect
    from mailflows.recipients._spool import Judged, JudgedRow

__all__ = ["dialect_for", "to_data_frame", "write_csv", "write_rows", "writing"]

COLUMNS = (
    "line",
    "address",
    "verdict",
    "reasons",
    "suggestion",
    "traits",
    "domain_state",
    "mail_provider",
    "duplicate_of",
    "do_not_mail",
)
"""What is added to the user's columns; one that has such a name already gets ``checked_`` before it."""

BAD_ROW = "bad-row"
"""What stands in place of a verdict where there was nothing to check."""

_ORDER = {verdict: number for number, verdict in enumerate(Deliverability)}
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+\-]?[\d\s().,/-]*\Z")


def added_columns(own: Sequence[str]) -> tuple[str, ...]:
    """Return the names of what is added to columns of the user's own.

    >>> added_columns(["name", "address"])[:3]
    ('line', 'checked_address', 'verdict')
    """
    taken = set(own)
    found = []
    for name in COLUMNS:
        while name in taken:
            name = f"checked_{name}"  # noqa: PLW2901 -- until it is free
        found.append(name)
    return tuple(found)


def found_of(row: JudgedRow) -> tuple[object, ...]:
    """Return what was found about a row, by `COLUMNS`; of several addresses the worst decides."""
    if not row.reports:
        return (row.line, "", BAD_ROW, row.problem, "", "", "", "", None, "")
    worst = max(row.reports, key=lambda report: _ORDER[report.verdict])
    first = row.firsts[0] if all(one is not None for one in row.firsts) else None
    return (
        row.line,
        "; ".join(report.address for report in row.reports),
        str(worst.verdict),
        " ".join(reason.code for reason in worst.reasons),
        "; ".join(report.suggestion for report in row.reports if report.suggestion),
        " ".join(sorted(map(str, worst.traits))),
        str(worst.domain_state),
        worst.mail_provider or "",
        first,
        next(filter(None, row.marks), ""),
    )


def write_csv(
    judged: Judged, path: str | os.PathLike[str], dialect: Dialect, *, guard_formulas: bool
) -> None:
    """Write every row with its verdict."""
    rows = ([*row.cells, *found_of(row)] for row in judged.rows())
    columns = [*judged.columns, *added_columns(judged.columns)]
    write_rows(columns, rows, path, dialect, guard_formulas=guard_formulas)


def dialect_for(own: Dialect, delimiter: str | None, encoding: str | None) -> Dialect:
    """Return how to write: as the list was written but for what is asked for.

    Raises:
        ConfigurationError: If the delimiter is not one character, or there is no such encoding.
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        msg = f"a delimiter is one character, such as ';'; got {delimiter!r}"
        raise ConfigurationError(msg, field="delimiter")
    try:
        codecs.lookup(encoding or own.encoding)
    except LookupError as error:
        msg = f"there is no encoding {encoding!r}; use utf-8, utf-8-sig or cp1252"
        raise ConfigurationError(msg, field="encoding") from error
    return own._replace(delimiter=delimiter or own.delimiter, encoding=encoding or own.encoding)


@contextmanager
def writing(path: str | os.PathLike[str], encoding: str) -> Iterator[IO[str]]:
    """Open a file to write; a character that its encoding does not have is an error, and never a ``?``.

    What could not be decoded when the list was read is a ``?``, as nobody knows what it was.

    Raises:
        ConfigurationError: For such a character; the file is removed.
    """
    codecs.register_error("mailflows-undecoded", _undecoded)
    try:
        with Path(path).open("w", encoding=encoding, errors="mailflows-undecoded", newline="") as opened:
            yield opened
    except UnicodeEncodeError as error:
        Path(path).unlink(missing_ok=True)
        msg = f"{encoding} has no {error.object[error.start]!r}; write the list in utf-8-sig"
        raise ConfigurationError(msg, field="encoding") from error


def _undecoded(error: UnicodeError) -> tuple[str, int]:
    if isinstance(error, UnicodeEncodeError) and error.object[error.start] == "\ufffd":
        return "?", error.start + 1
    raise error


def write_rows(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    path: str | os.PathLike[str],
    dialect: Dialect,
    *,
    guard_formulas: bool,
) -> int:
    """Write a header and rows, and return how many.

    Raises:
        ConfigurationError: If the encoding has no such character; there is no half of a file then.
    """
    count = 0
    with writing(path, dialect.encoding) as opened:
        if dialect.names_delimiter:
            opened.write(f"sep={dialect.delimiter}{dialect.line_end}")
        writer = csv.writer(
            opened,
            delimiter=dialect.delimiter,
            lineterminator=dialect.line_end,
            quoting=csv.QUOTE_ALL if dialect.quotes_all else csv.QUOTE_MINIMAL,
        )
        writer.writerow(columns)
        for count, cells in enumerate(rows, 1):  # noqa: B007 -- the count of the last one is returned
            writer.writerow([_guarded(cell) for cell in cells] if guard_formulas else cells)
    return count


def _guarded(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula; a number is none.

    >>> _guarded("=1+1"), _guarded("-5"), _guarded("ada@shop.fr")
    ("'=1+1", '-5', 'ada@shop.fr')
    """
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.match(cell):
        return f"'{cell}"
    return cell


def to_data_frame(judged: Judged) -> Any:  # noqa: ANN401 -- pandas is optional
    """Return every row with its verdict, with the index that it had."""
    if judged.frame is None:
        rows: Iterator[tuple[object, ...]] = ((*row.cells, *found_of(row)) for row in judged.rows())
        return to_frame(rows, [*judged.columns, *added_columns(judged.columns)])
    try:
        import pandas as pd  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise MissingExtra("notebook", "pandas") from error  # noqa: EM101 -- a name, no message
    own = judged.frame
    names = added_columns([str(name) for name in own.columns])
    found = pd.DataFrame([found_of(row) for row in judged.rows()], columns=list(names), index=own.index)
    return pd.concat([own, found], axis=1)
