"""How every result is shown: one structure of rows becomes text, escaped HTML, or a table.

What a message says may be hostile; everything that reaches HTML is escaped here, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from mailflows.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Bar", "Cell", "printable", "to_frame", "to_html", "to_text"]


@dataclass(frozen=True, slots=True)
class Bar:
    """A quantity in [-1, 1] that is drawn: to the right where it is positive."""

    value: float
    label: str = ""

    def __str__(self) -> str:
        return self.label or f"{self.value:+.2f}"


Cell = str | Bar | float | int | None
"""What may stand in a row."""


def to_text(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Set rows as a plain table with aligned columns.

    >>> print(to_text(["flow", "share"], [["marketing", 0.5]]))
    flow       share
    marketing  0.5
    """
    lines = [list(header), *([_plain(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def to_html(title: str, header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Set rows as a small HTML table without scripts or outside resources."""
    head = "".join(f"<th style='text-align:left'>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(_html_cell(cell) for cell in row)}</tr>" for row in rows)
    return (
        f"<div><strong>{escape(title)}</strong>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def to_frame(rows: Iterable[object], columns: Sequence[str]) -> Any:  # noqa: ANN401 -- pandas is an extra
    """Return rows, tuples or dictionaries, as a pandas DataFrame.

    Raises:
        MissingExtra: If pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise MissingExtra("notebook", "pandas") from error  # noqa: EM101 -- a name, no message
    return pd.DataFrame(list(rows), columns=list(columns))


def printable(text: str) -> str:
    r"""Return a text on one line, without the control characters that would drive a terminal.

    >>> printable("Offers\x1b[2J") == "Offers\ufffd[2J"
    True
    """
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _plain(cell: Cell) -> str:
    """Return a cell as one line of text."""
    if cell is None:
        return "-"
    text = str(cell) if not isinstance(cell, float) else f"{cell:.3g}"
    return printable(text)


def _html_cell(cell: Cell) -> str:
    if not isinstance(cell, Bar):
        return f"<td style='text-align:left'>{escape(_plain(cell))}</td>"
    share = min(1.0, abs(cell.value))
    colour = "#4c78a8" if cell.value >= 0 else "#e45756"
    return (
        "<td style='text-align:left'>"
        f"<span style='display:inline-block;width:{share * 8:.2f}em;height:.7em;background:{colour}'></span>"
        f" {escape(str(cell))}</td>"
    )
