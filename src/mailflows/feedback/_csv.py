"""A suppression list as CSV: to take it along, and to bring one from elsewhere."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from mailflows.errors import ConfigurationError
from mailflows.feedback._suppression import Suppression
from mailflows.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mailflows.feedback._suppression import SuppressionList

__all__ = ["ImportResult", "export_suppressions", "import_suppressions"]

_COLUMNS = ("key", "address", "reason", "time", "expires", "flow", "list")
_ADDRESS = ("address", "email", "e-mail", "email address", "recipient", "emailaddress")
_KEY = re.compile(r"[0-9a-f]{32}", re.ASCII)
_FORMULA = frozenset("=+-@\t\r")
_MAX_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of the rows of a file.

    Attributes:
        added: Rows that are suppressed now.
        skipped: Rows that could not be read.
        problems: The first hundred of them, each with its line number; without addresses.
    """

    added: int
    skipped: int
    problems: tuple[str, ...]

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.added} added, {self.skipped} skipped"


def export_suppressions(suppressions: SuppressionList, file: IO[str]) -> int:
    """Write a suppression list as CSV, and return the number of rows.

    Without addresses in clear, the rows hold keyed hashes: they can be read again into a store with the
    same secret.

    Args:
        suppressions: The list.
        file: An open text file.

    Raises:
        StoreError: If the store could not answer.

    Example:
        >>> import io
        >>> from mailflows.feedback import SuppressionList
        >>> from mailflows.limits import MemoryStore
        >>> suppressions = SuppressionList(MemoryStore())
        >>> entry = suppressions.add("ada@example.org", reason="complaint")
        >>> file = io.StringIO()
        >>> export_suppressions(suppressions, file)
        1
    """
    writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    count = 0
    for entry in suppressions:
        writer.writerow({k: _guarded(v) for k, v in entry.to_dict().items()})
        count += 1
    return count


def import_suppressions(
    suppressions: SuppressionList, file: IO[str], *, reason: str = "imported", flow: Flow | None = None
) -> ImportResult:
    r"""Read a suppression list from CSV: one of ours, or a provider's export with a column of addresses.

    Args:
        suppressions: The list to add to.
        file: An open text file whose first row names the columns; ``key``, or ``address`` or ``email``.
        reason: The reason where the file gives none.
        flow: The flow of the rows that name none; all flows by default.

    Raises:
        ConfigurationError: If there is no column of addresses or keys.
        StoreError: If the store could not answer; the rows before are kept.

    Example:
        >>> import io
        >>> from mailflows.feedback import SuppressionList
        >>> from mailflows.limits import MemoryStore
        >>> suppressions = SuppressionList(MemoryStore())
        >>> file = io.StringIO("email\nada@example.org\nno address\n")
        >>> print(import_suppressions(suppressions, file))
        1 added, 1 skipped
        >>> "ada@example.org" in suppressions
        True
    """
    reader = csv.DictReader(file)
    names = {name.strip().lower().lstrip("\ufeff"): name for name in _header(reader) if name}
    column = next((names[name] for name in _ADDRESS if name in names), None)
    if column is None and "key" not in names:
        found = ", ".join(sorted(name[:60] for name in names if "@" not in name)) or "none"
        msg = f"no column «address», «email» or «key» in the first row; found: {found}"
        raise ConfigurationError(msg, field="file")
    added, problems, skipped = 0, [], 0
    for row in _rows(reader):
        try:
            low = _cells(row, names)
            _take(suppressions, low, _bare((row.get(column) or "").strip()) if column else "", reason, flow)
            added += 1
        except ValueError as problem:
            skipped += 1
            problems += [f"line {reader.line_num}: {problem}"] if skipped <= _MAX_PROBLEMS else []
    return ImportResult(added, skipped, tuple(problems))


_Row: TypeAlias = "dict[str | Any, str | Any]"


def _header(reader: csv.DictReader[str]) -> Sequence[str]:
    """Return the names of the columns."""
    try:
        return reader.fieldnames or ()
    except csv.Error as problem:
        msg = f"the first row is none of a CSV file: {problem}"
        raise ConfigurationError(msg, field="file") from problem


def _rows(reader: csv.DictReader[str]) -> Iterator[_Row]:
    """Yield each row, an empty one in the place of one that cannot be read."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:  # such as a field of more than 131,072 characters
            yield {}


def _cells(row: _Row, names: Mapping[str, str]) -> dict[str, str]:
    """Return the cells of a row by the names of their columns in lower case."""
    if not row:
        msg = "this row cannot be read; is a quotation mark left open before it?"
        raise ValueError(msg)
    return {name: _bare((row.get(original) or "").strip()) for name, original in names.items()}


def _take(
    suppressions: SuppressionList, row: Mapping[str, str], address: str, reason: str, flow: Flow | None
) -> None:
    """Add one row."""
    facts: dict[str, Any] = {
        "reason": row.get("reason") or reason,
        "time": _moment(row.get("time", "")) or datetime.now(UTC),
        "expires": _moment(row.get("expires", "")),
        "flow": _flow(row["flow"]) if row.get("flow") else flow,
        "list": row.get("list") or None,
    }
    key = row.get("key", "")
    if address:
        suppressions.add(_whole(address), **facts)
    elif _KEY.fullmatch(key):
        suppressions.put(Suppression(key, **facts))
    else:
        msg = "neither an address nor a key of 32 hexadecimal digits"
        raise ValueError(msg)


def _whole(address: str) -> str:
    """Return an address that is one; a quotation mark left open makes one cell of many rows."""
    if not address.isprintable():
        msg = "an address has no line breaks; is a quotation mark left open?"
        raise ValueError(msg)
    return address


def _flow(word: str) -> Flow:
    """Return a flow; the error repeats nothing, since a column too many puts an address here."""
    try:
        return Flow(word)
    except ValueError:
        msg = f"the flow is none of {', '.join(Flow)}"
        raise ValueError(msg) from None


def _moment(text: str) -> datetime | None:
    """Return a time of the file, or `None` where there is none."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        msg = "a time is not as ISO 8601 has it, such as 2026-01-31T12:00:00Z"
        raise ValueError(msg) from None


def _guarded(value: object) -> object:
    """Return a cell that a spreadsheet does not take for a formula, and any file can hold."""
    if not isinstance(value, str):
        return value
    text = value.encode("utf-8", "replace").decode()
    return f"'{text}" if text.lstrip("'")[:1] in _FORMULA else text


def _bare(cell: str) -> str:
    """Return a cell as it was before `_guarded`."""
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'")[:1] in _FORMULA else cell
