"""The base of every result: a value that can be compared, pickled, turned into JSON, and displayed.

Mail is hostile input; everything that reaches HTML is escaped here, and nowhere else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from enum import Enum, StrEnum
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mailflows.errors import MissingExtra

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

__all__ = [
    "Bar",
    "Cell",
    "Permission",
    "Reason",
    "Result",
    "Results",
    "Severity",
    "Table",
    "View",
    "counted",
    "heading",
    "in_list",
    "number_of",
    "paragraph",
    "plain",
    "printable",
    "to_frame",
    "to_html",
    "to_page",
    "to_text",
]


class Severity(StrEnum):
    """How serious a finding is; severities can be compared.

    >>> Severity.ERROR > Severity.INFO
    True
    """

    INFO = "info"
    """Worth knowing."""

    WARNING = "warning"
    """Readers, filters or receivers may object."""

    ERROR = "error"
    """Do not send it like this."""

    @property
    def weight(self) -> int:
        """0 for info, 1 for warning, 2 for error."""
        return list(Severity).index(self)

    def __lt__(self, other: object) -> bool:
        return isinstance(other, Severity) and self.weight < other.weight

    def __le__(self, other: object) -> bool:
        return isinstance(other, Severity) and self.weight <= other.weight

    def __gt__(self, other: object) -> bool:
        return isinstance(other, Severity) and self.weight > other.weight

    def __ge__(self, other: object) -> bool:
        return isinstance(other, Severity) and self.weight >= other.weight


class View:
    """The base of whatever is displayed as small tables in a notebook, and can be saved as a page."""

    __slots__ = ()

    def save_html(self, path: str | os.PathLike[str]) -> None:
        """Write what a notebook shows as a standalone page, without scripts or external resources."""
        title = self._page_title()
        body = f"<main><h1>{escape(title)}</h1>{self._repr_html_()}</main>"
        Path(path).write_text(to_page(title, body), "utf-8")

    def _page_title(self) -> str:
        """Return the title of the page: by default the name of the class in words, such as "Lint report"."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(self).__name__).capitalize()

    def _repr_html_(self) -> str:
        """Return it as a small escaped table, for a notebook."""
        title, header, rows = self._table()
        return to_html(title, header, rows)

    def _table(self) -> Table:
        """Return title, header and rows of what a notebook shows."""
        raise NotImplementedError


class Result(View):
    """The base of every result: what a frozen, slotted dataclass needs to be displayed and stored.

    Equality, pickling and copying come from the fields. A subclass gives `__str__`, one line, and
    `_table`, what a notebook shows.
    """

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return every field as plain data, ready for JSON; every key is always there."""
        return {one.name: plain(getattr(self, one.name)) for one in fields(self) if one.repr or one.compare}  # type: ignore[arg-type]

    def to_flat(self) -> dict[str, Any]:
        """Return `to_dict` flattened, as a row of a table: nested keys become ``reasons.0.code``."""
        return dict(_flat(self.to_dict(), ""))

    def _table(self) -> Table:
        """Return title, header and rows of what a notebook shows; by default one row per field."""
        return str(self), ["field", "value"], [(name, str(value)) for name, value in self.to_flat().items()]

    def _cells(self) -> dict[str, Cell]:
        """Return the cells of this result in a table of several."""
        return {"result": str(self)}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # IPython takes the __repr__ that a dataclass has before what it inherits.
        if "_repr_pretty_" not in vars(cls):
            cls._repr_pretty_ = _pretty  # type: ignore[attr-defined]


def _pretty(self: Result, printer: Any, _cycle: bool) -> None:  # noqa: ANN401, FBT001 -- IPython's protocol
    """Let a list of results be a line each in a notebook, not a wall."""
    printer.text(str(self))


R_co = TypeVar("R_co", bound=Result, covariant=True)


class Results(tuple[R_co, ...], View):
    r"""Several results as one table, in a notebook or on a page, such as those of `classify_many`.

    It is a tuple of results. A notebook shows the first twenty; `to_frame` has them all.

    Example:
        >>> from mailflows import Results, classify
        >>> mails = [b"Subject: Tuesday\n\nDear Ada, noon?", b"%PDF-1.7"]
        >>> results = Results(map(classify, mails))
        >>> len(results), results[1].reasons[0].code
        (2, 'defect-unreadable')
        >>> print(results.to_text())  # doctest: +ELLIPSIS
        #  flow...
    """

    __slots__ = ()

    def to_text(self) -> str:
        """Return all results as a plain-text table."""
        header, rows = self._lines(self)
        return to_text(header, rows)

    def to_frame(self) -> Any:  # noqa: ANN401 -- pandas is an extra
        """Return a pandas DataFrame with one row per result, without lists such as the reasons.

        Raises:
            MissingExtra: If pandas is not installed.
        """
        rows = [dict(_flat(_without_lists(one.to_dict()), "")) for one in self]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        return to_frame(({name: row.get(name) for name in columns} for row in rows), columns)

    def __repr__(self) -> str:
        return f"<{self._title()}>"

    def _title(self) -> str:
        kinds = ", ".join(sorted({type(one).__name__ for one in self})) or "nothing"
        return f"{number_of(len(self), 'result')}: {kinds}"

    def _table(self) -> Table:
        header, rows = self._lines(self[:_SHOWN])
        more = len(self) - _SHOWN
        title = self._title() + (f"; the first {_SHOWN} of them, to_frame() has them all" if more > 0 else "")
        return title, header, rows

    @staticmethod
    def _lines(results: Iterable[Result]) -> tuple[list[str], list[list[Cell]]]:
        """Return header and rows of a table of results."""
        found = [one._cells() for one in results]  # noqa: SLF001 -- of the base above
        names = list(dict.fromkeys(name for row in found for name in row))
        return ["#", *names], [[n, *(row.get(name) for name in names)] for n, row in enumerate(found)]


# choice: rows that fit a screen
_SHOWN = 20


def _without_lists(value: dict[str, Any]) -> dict[str, Any]:
    """Return plain data without what is a list, on each level."""
    return {
        key: _without_lists(one) if isinstance(one, dict) else one
        for key, one in value.items()
        if not isinstance(one, list)
    }


class Permission(Result):
    """A result that says whether something is allowed: true if it is, false if not."""

    __slots__ = ()

    if TYPE_CHECKING:  # a field or a property of the subclass; a property here would be taken for a default

        @property
        def allowed(self) -> bool:
            """Whether it is allowed."""
            ...

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True, slots=True)
class Reason(Result):
    """One finding, and its weight.

    Attributes:
        code: A stable word in kebab-case, unique within its part, such as ``null-mx``.
        sentence: What it means, in plain English.
        part: The part of the library that says so, such as ``recipients``.
        parameters: The values in the sentence, for your own translation.
        weight: Its share of the score, if there is one; else `None`.
        severity: How serious it is, if that depends on the code alone; else `None`.
        evidence: What was seen: a record, a passage, a line of a list.

    Example:
        >>> from mailflows import check_recipient
        >>> reason = check_recipient("ada@", dns=False).reasons[0]
        >>> reason.code, reason.sentence
        ('no-domain', 'There is nothing after the @ sign.')
    """

    code: str
    sentence: str
    part: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)  # a dictionary has no hash
    weight: float | None = None
    severity: Severity | None = None
    evidence: tuple[str, ...] = ()

    def __str__(self) -> str:
        return printable(self.sentence)

    def _table(self) -> Table:
        rows = [(self.code, self.sentence, "; ".join(self.evidence))]
        return self.sentence, ["code", "what was found", "evidence"], rows


def plain(value: Any) -> Any:  # noqa: ANN401 -- any field of any result
    """Return a value as JSON has it: enums as their words, moments in ISO 8601, infinities as `None`.

    >>> plain({"wait": math.inf, "found": frozenset({"b", "a"})})
    {'wait': None, 'found': ['a', 'b']}
    """
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(one) for key, one in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(map(plain, value))
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:  # noqa: ANN401 -- any field of any result
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, int | str) else str(value)


def _flat(value: Any, name: str) -> Iterable[tuple[str, Any]]:  # noqa: ANN401 -- of plain data
    """Yield the leaves of plain data with their dotted names; an empty branch is `None`."""
    if isinstance(value, dict | list) and value:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, one in pairs:
            yield from _flat(one, f"{name}.{key}" if name else str(key))
    else:
        yield name, None if isinstance(value, dict | list) else value


# choice: what reads well on a screen and on paper, by day and by night; lines have the colour of the text
_STYLE = (
    "<style>:root{color-scheme:light dark}"
    "body{font:16px/1.55 system-ui,-apple-system,'Segoe UI',sans-serif;margin:0}"
    "body{background:Canvas;color:CanvasText}"
    "main{max-width:64rem;margin:0 auto;padding:2.5rem 1.5rem 4rem}"
    "h1{font-size:1.6rem;line-height:1.25;font-weight:650;margin:0 0 1rem;text-wrap:balance}"
    "p{max-width:44rem;margin:.6rem 0 1.2rem}main>div{margin:1.8rem 0 0}"
    "table{border-collapse:collapse;margin:.5rem 0;font-variant-numeric:tabular-nums;font-size:.94rem}"
    "th,td{padding:.35rem 1.4rem .35rem 0;vertical-align:top;"
    "border-bottom:1px solid color-mix(in srgb,CanvasText 14%,transparent)}"
    "th{font-weight:600;border-bottom-color:color-mix(in srgb,CanvasText 45%,transparent)}"
    "tbody tr:last-child td{border-bottom:0}"
    "@media print{main{padding:0}}</style>"
)


def to_page(title: str, body: str, style: str = "") -> str:
    """Return a page of its own, without scripts or outside resources.

    Args:
        title: Text for the tab.
        body: Escaped HTML.
        style: What it needs beyond the style of all pages.
    """
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{escape(title)} - mailflows</title>{_STYLE}{style}</head><body>{body}</body></html>\n"
    )


# choice: characters of a cell that stay on one line, such as "62 (5.5 % to 8.8 %)"
_SHORT = 24


@dataclass(frozen=True, slots=True)
class Bar:
    """A quantity in [-1, 1] that is drawn: to the right where it is positive."""

    value: float
    label: str = ""

    def __str__(self) -> str:
        return self.label or f"{self.value:+.2f}"


Cell = str | Bar | float | int | None
"""What a row may contain."""

Table = tuple[str, "Sequence[str]", "Sequence[Sequence[Cell]]"]
"""Title, header and rows."""


def number_of(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun.

    >>> number_of(1, "recipient"), number_of(2, "recipient"), number_of(0, "entry", "entries")
    ('1 recipient', '2 recipients', '0 entries')
    """
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def in_list(words: Sequence[str]) -> str:
    """Return words as a sentence has them.

    >>> in_list(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


class Counted(int):
    """A number that a sentence of a data file inflects.

    >>> "{n:address|addresses} {n:~is|are} risky".format(n=Counted(1))
    '1 address is risky'
    """

    def __format__(self, spec: str) -> str:
        if spec.startswith("~"):
            one, _, many = spec[1:].partition("|")
            return one if self == 1 else many
        one, _, many = spec.partition("|")
        return number_of(self, one, many) if len(spec) > 1 and spec[0].isalpha() else super().__format__(spec)


def counted(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a sentence is filled with, so that its numbers can be inflected."""
    return {name: Counted(one) if type(one) is int else one for name, one in parameters.items()}


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


def heading(text: str) -> str:
    """Return a heading above several tables."""
    return f"<p style='margin:.4em 0'><strong>{escape(printable(text))}</strong></p>"


def paragraph(text: str) -> str:
    """Set a paragraph as HTML, in lines that can be read."""
    return f"<p style='max-width:44em;line-height:1.5'>{escape(printable(text))}</p>"


def to_html(title: str, header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Set rows as a small HTML table without scripts or outside resources."""
    head = "".join(f"<th style='text-align:left'>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(_html_cell(cell) for cell in row)}</tr>" for row in rows)
    return (
        f"<div style='max-width:100%;overflow-x:auto'><strong>{escape(title)}</strong>"
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
        text = _plain(cell)
        # A long address breaks, so that the columns behind it stay in sight.
        if max(map(len, text.split()), default=0) > 40:
            wraps = ";overflow-wrap:anywhere;min-width:16em"
        else:
            wraps = ";white-space:nowrap" if len(text) <= _SHORT else ""
        return f"<td style='text-align:left{wraps}'>{escape(text)}</td>"
    share = min(1.0, abs(cell.value))
    colour = "#4c78a8" if cell.value >= 0 else "#e45756"
    return (
        "<td style='text-align:left;white-space:nowrap'>"
        f"<span style='display:inline-block;width:{share * 8:.2f}em;height:.7em;background:{colour}'></span>"
        f" {escape(str(cell))}</td>"
    )
