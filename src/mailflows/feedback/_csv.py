"""A suppression list as CSV: to keep it, to give it to a provider, and to import one from elsewhere."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import IO, TYPE_CHECKING, Any, Literal, cast

from mailflows._mail.address import mailbox_of
from mailflows._result import Result
from mailflows.errors import ConfigurationError
from mailflows.feedback._entry import OPTED_OUT, Suppression, is_of_mailbox
from mailflows.feedback._event import BounceReason, Fault
from mailflows.feedback._export_table import (
    bare,
    columns,
    flag_of,
    formats,
    is_no,
    is_yes,
    meaning,
    reason_of_file,
)
from mailflows.feedback._moment import DateOrder
from mailflows.feedback._reasons import codes, diagnose
from mailflows.feedback._rows import Rows, opened
from mailflows.feedback._webhook_table import provider_name
from mailflows.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailflows.feedback._rows import File
    from mailflows.feedback._suppression import SuppressionList

__all__ = ["ImportResult", "export_suppressions", "import_suppressions"]

_COLUMNS = tuple(one.name for one in fields(Suppression))
_OWN = {"key", "reason", "time"}
_KEY = re.compile(r"[0-9a-f]{32}", re.ASCII)
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)
_FORMULA = frozenset("=+-@\t\r")
_MAX_PROBLEMS = 100
"""Problems that are listed (bound: a page); the others are counted."""

_LOOK = 20
"""Rows that are looked at to find the column of addresses (choice: as many as a person would)."""

_SOFT = timedelta(days=180)
"""How long a soft bounce or a block of a file suppresses: as `SuppressionList(soft_expires=)` by default."""

_LONGEST_REASON = 64
"""Characters of a reason that is kept as it is (bound: an entry is a few hundred bytes)."""


@dataclass(frozen=True, slots=True)
class ImportResult(Result):
    """The result of importing a suppression file.

    Attributes:
        added: Rows whose addresses are now suppressed.
        skipped: Rows that could not be read.
        problems: The first hundred problems, each with its line number; without addresses.
        free: Rows that suppress nobody: blocks that were the sender's fault, and entries that were removed or
            have expired.
    """

    added: int
    skipped: int
    problems: tuple[str, ...]
    free: int = 0

    def __str__(self) -> str:
        """Return one line."""
        free = f", {self.free} not to be suppressed" if self.free else ""
        return f"{self.added} added, {self.skipped} skipped{free}"


def export_suppressions(
    suppressions: SuppressionList, file: File, *, provider: str | None = None, flow: Flow | None = None
) -> int:
    r"""Write a suppression list as CSV, and return the number of rows.

    If the list does not keep addresses in plain text, the rows hold keyed hashes, which can be imported into
    a store with the same secret. A provider needs the addresses.

    Args:
        suppressions: The list.
        file: A path, or an open text file.
        provider: The provider whose format to write; by default our own format.
        flow: The flow that you send through the provider. Entries for that flow are written in addition to
            those for all mail; entries for other flows are not, because a provider's list has no scopes.
            Without it, only entries for all mail are written in a provider's format.

    Raises:
        ConfigurationError: If the provider's format is not known, or the list keeps no addresses in plain
            text.
        StoreError: If the store could not answer.

    Example:
        >>> import io
        >>> from mailflows.feedback import SuppressionList
        >>> from mailflows.limits import MemoryStore
        >>> suppressions = SuppressionList(MemoryStore(), clear=True)
        >>> entry = suppressions.add("ada@example.org", reason="complained")
        >>> file = io.StringIO()
        >>> export_suppressions(suppressions, file, provider="amazon_ses")
        1
        >>> file.getvalue().split(",")[:4]
        ['EmailAddress', 'Reason', 'LastUpdateTime\nada@example.org', 'COMPLAINT']
    """
    table = None if provider is None else _format(provider)
    with opened(file, "w") as text:
        return _write(suppressions, text, table, flow)


def _write(
    suppressions: SuppressionList, file: IO[str], table: Mapping[str, Any] | None, flow: Flow | None
) -> int:
    names = _COLUMNS if table is None else tuple(table["columns"])
    delimiter = "," if table is None else table.get("delimiter", ",")
    writer = csv.DictWriter(file, names, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    count = 0
    for entry in suppressions:
        if flow is not None and entry.flow not in {None, flow}:
            continue
        if table is None:
            row: Mapping[str, Any] = entry.to_dict() | {"held": "yes" if entry.held else ""}
        elif (entry.flow is None or flow is not None) and entry.list is None:
            row = _row_for(table, entry)
        else:
            continue
        writer.writerow({name: _guarded(value) for name, value in row.items()})
        count += 1
    return count


def _format(provider: str) -> Mapping[str, Any]:
    name = provider_name(provider)
    if name not in formats():
        msg = f"there is no suppression file format for {name}; choose from {', '.join(sorted(formats()))}"
        raise ConfigurationError(msg, field="provider")
    return formats()[name]


def _row_for(table: Mapping[str, Any], entry: Suppression) -> dict[str, Any]:
    """Return an entry in the columns of a provider."""
    if entry.address is None:
        msg = (
            "a provider needs addresses, but this list has only keyed hashes: use SuppressionList(clear=True)"
        )
        raise ConfigurationError(msg, field="provider")
    kind = entry.reason if entry.reason in {"complained", "unsubscribed"} else "bounced"
    kind = "unsubscribed" if entry.reason in {OPTED_OUT, "manual"} else kind
    known = {
        "address": entry.address,
        "reason": entry.reason,
        "kind": table.get("kinds", {}).get(kind, kind),
        "time": entry.time.isoformat(timespec="seconds"),
        "minute": f"{entry.time:%Y-%m-%d %H:%M:%S}",
        "seconds": int(entry.time.timestamp()),
        "expires": f"{entry.expires:%Y-%m-%d %H:%M:%S}" if entry.expires else "",
        "scope": entry.scope,
        "code": entry.smtp_code or (550 if kind == "bounced" else ""),
        "star": "*" if kind == "unsubscribed" else "",
        "yes": "Yes",
        "origin": "Recipient" if kind != "unsubscribed" else "Customer",
        "type": "non_transactional" if entry.flow is Flow.MARKETING else "transactional",
    }
    return {name: known[what] for name, what in table["columns"].items()}


def import_suppressions(
    suppressions: SuppressionList,
    file: File | Iterator[str],
    *,
    reason: str = "imported",
    flow: Flow | None = None,
    dates: Literal["day-first", "month-first"] | None = None,
) -> ImportResult:
    r"""Import a suppression list from CSV: one of ours, or a provider's export.

    The exports of SendGrid, Mailchimp, Mandrill, Brevo, Mailgun, Mailjet, Postmark and Amazon SES are read
    with their reasons and dates, separated by commas, semicolons or tabs, with English, French or German
    names of columns. Entries that were the sender's fault (a block), have expired or were removed suppress
    nobody.

    Args:
        suppressions: The list to add to.
        file: A path, an open text file, or an iterator of its lines; its first row names the
            columns: ``key``, or ``address`` or ``email``.
        reason: The reason for rows that give none.
        flow: The flow for people who unsubscribed, complained or were added by hand, where their row names
            none; all flows by default. Pass `Flow.MARKETING` for the export of a newsletter tool. Bounces in
            it suppress for all flows even then, because a mailbox that does not exist gets no other mail,
            either.
        dates: ``day-first`` or ``month-first``: the order in dates such as ``03/04/2026``. By default the
            rows decide: one date with a day above 12 settles it for all. If there is none, the day is assumed
            to come first, with a `UserWarning`.

    Raises:
        ConfigurationError: If it is not a file, or has no column of addresses or keys.
        StoreError: If the store could not answer; rows imported before remain.

    Example:
        >>> import io
        >>> from mailflows.feedback import SuppressionList
        >>> from mailflows.limits import MemoryStore
        >>> suppressions = SuppressionList(MemoryStore())
        >>> file = io.StringIO("email\nada@example.org\nno address\n")
        >>> print(import_suppressions(suppressions, file))
        1 added, 1 skipped
        >>> suppressions.is_suppressed("ada@example.org")
        True
    """
    _require_file(file)
    with opened(cast("File", file), "r") as text:  # lines are taken as they are
        return _read(suppressions, text, reason, flow, DateOrder(dates))


def _require_file(file: object) -> None:
    if not (isinstance(file, str | os.PathLike) or hasattr(file, "read") or isinstance(file, Iterator)):
        msg = (
            f"file must be a path or an open text file; got {type(file).__name__}; rows of your own are added"
            " one by one: suppressions.add(address, reason=..., flow=...)"
        )
        raise ConfigurationError(msg, field="file")


def _read(
    suppressions: SuppressionList, file: IO[str], reason: str, flow: Flow | None, order: DateOrder
) -> ImportResult:
    rows = Rows.of(file)
    counted = iter(rows)
    first = list(islice(counted, _LOOK))
    names = {bare(name): place for place, name in reversed(list(enumerate(rows.header))) if name.strip()}
    place = _place_of_addresses(rows.header, names, [cells for _, cells in first if cells])
    reader = _Reader(suppressions, names, place, suppressions.now, reason, flow, order)
    dated = [names[name] for name in names if _is_of_time(name)]
    added, free, skipped = 0, 0, 0
    problems: list[str] = []
    for line, cells in order.settled(chain(first, counted), lambda row: _cells_at(row[1], dated)):
        try:
            told, is_added = reader.take(cells)
            added += is_added
            free += not is_added
        except ValueError as problem:
            skipped += 1
            told = str(problem)
        if told and len(problems) < _MAX_PROBLEMS:
            problems.append(f"line {line}: {told}")
    return ImportResult(added, skipped, tuple(problems), free)


def _place_of_addresses(header: Any, names: Mapping[str, int], rows: list[list[str]]) -> int | None:  # noqa: ANN401
    """Return which column holds the addresses: by its name, else by what stands in it."""

    def share(place: int) -> float:
        found = [
            bool(mailbox_of(_bare(row[place]))) for row in rows if place < len(row) and row[place].strip()
        ]
        return sum(found) / len(found) if found else 0.0

    named = [names[name] for name in columns("address") if name in names]
    if named:
        return max(named, key=share)
    if any("@" in name for name in header):
        pass  # a bare list without names: its first row is an address
    elif rows:
        best = max(range(len(header)), key=share, default=0)
        if share(best) > 0.5:
            return best
    if "key" in names:
        return None
    found = (
        ", ".join(sorted(name.strip().lower()[:60] for name in header if name and "@" not in name)) or "none"
    )
    msg = f'no column "address", "email" or "key" in the first row; found: {found}'
    if any(mailbox_of(name) for name in header):
        msg += '; that is an address: add a first line "email"'
    raise ConfigurationError(msg, field="file")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Takes the rows of one file."""

    suppressions: SuppressionList
    names: Mapping[str, int]
    place: int | None
    now: datetime
    reason: str
    flow: Flow | None
    order: DateOrder

    def take(self, cells: list[str] | None) -> tuple[str, bool]:
        """Add one row; return what is odd about it, and whether it suppresses now."""
        if cells is None:
            msg = "this row cannot be read; is a quotation mark left open in it?"
            raise ValueError(msg)
        row = {name: _bare(cells[place].strip()) for name, place in self.names.items() if place < len(cells)}
        word, facts = self._why(row)
        odd: list[str] = []
        since = self._moment(row, columns("time"), odd) or self._flagged_since(row) or self.now
        since = min(since, self.now)  # nobody is suppressed since tomorrow
        until = self._moment(row, columns("expires"), odd)
        if word == "soft":
            word, until = "blocked", until or since + _SOFT
        entry = self._entry(row, cells, reason=word, flow=self._flow(row, word), time=since, expires=until)
        is_lifted = any(row.get(name) and not is_no(row[name]) for name in columns("lifted"))
        is_kept = word != "free" and not is_lifted and self.suppressions.put(replace(entry, **facts))
        return "; ".join(odd), is_kept

    def _entry(self, row: Mapping[str, str], cells: list[str], **said: Any) -> Suppression:  # noqa: ANN401 -- what `SuppressionList.entry` takes
        """Return the entry of a row, by its address or its key."""
        name = row.get("list") or None
        said |= {"list": name, "flow": None if name else said["flow"]}
        address = (
            _bare(cells[self.place].strip()) if self.place is not None and self.place < len(cells) else ""
        )
        if address:
            return self.suppressions.entry(_whole(address), **said)
        if _KEY.fullmatch(row.get("key", "")):
            return Suppression(row["key"], **said)
        msg = "neither an address nor a key of 32 hexadecimal digits"
        raise ValueError(msg)

    def _why(self, row: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
        """Return the reason of a row in our words, ``free`` or ``soft``, and what the server had said."""
        if self.names.keys() >= _OWN:
            return row.get("reason") or self.reason, self._kept(row)
        cells = [row[name] for name in columns("word") if row.get(name)]
        told = [row[name] for name in columns("leaving") if meaning(row.get(name, "")) == "complained"]
        for cell in (*told, *cells):
            word = meaning(cell)
            if word is not None:
                return word, {}
        said = self._said(row)
        if said is not None:
            return said
        flagged = {name: word for name in self.names if (word := flag_of(name))}
        for name, word in flagged.items():
            cell = row.get(name, "")
            if cell and not is_no(cell) and (is_yes(cell) or self._date(cell)):
                return word, {}
        if flagged:
            return "free", {}
        literal = next((cell for cell in cells if _is_word(cell)), None)
        return reason_of_file(self.names) or literal or self.reason, {}

    def _said(self, row: Mapping[str, str]) -> tuple[str, dict[str, Any]] | None:
        """Return what a server's reply in the row means, or `None` where there is none."""
        reply = next(
            (row[name] for name in columns("reply") if row.get(name) and codes(row[name]) != (None, None)), ""
        )
        given = [row[name] for name in columns("status") if row.get(name)]
        status = next((cell for cell in given if _STATUS.fullmatch(cell)), None)
        code = next((int(cell) for cell in given if re.fullmatch(r"[45][0-5]\d", cell, re.ASCII)), None)
        if not reply and status is None and code is None:
            return None
        text = reply or next((row[name] for name in columns("reply") if row.get(name)), "")
        said = diagnose(text, status=status, code=code)
        facts = {"status": said.status, "smtp_code": said.code}
        if said.reason.is_unknown:
            return str(said.reason), facts
        if said.reason is BounceReason.OTHER or (said.reason.is_counted and said.permanent is not False):
            return ("bounced" if said.reason is BounceReason.OTHER else str(said.reason)), facts
        is_ours = said.reason.fault is not Fault.RECIPIENT
        return ("free" if is_ours else str(said.reason)), facts

    def _moment(self, row: Mapping[str, str], names: tuple[str, ...], odd: list[str]) -> datetime | None:
        """Return a moment of the row; one that cannot be parsed is reported, and the row still counts."""
        for name in names:
            if row.get(name) and not is_no(row[name]):
                moment = self._date(row[name])
                if moment is None:
                    odd.append(
                        f"the {name} is not a date such as 2026-01-31T12:00:00Z; the row is "
                        "imported without it"
                    )
                return moment
        return None

    def _flow(self, row: Mapping[str, str], reason: str) -> Flow | None:
        """Return the flow of a row; a bounce that names none is about the mailbox, so about all mail.

        The error repeats nothing, since a column too many puts an address here.
        """
        if not row.get("flow"):
            return None if is_of_mailbox(reason) else self.flow
        try:
            return Flow(row["flow"])
        except ValueError:
            msg = f"the flow must be one of {', '.join(Flow)}"
            raise ValueError(msg) from None

    def _flagged_since(self, row: Mapping[str, str]) -> datetime | None:
        """Return the moment of a column such as CLEAN_TIME, or of any column that is called like a date."""
        flagged = [value for name, value in row.items() if value and flag_of(name)]
        dated = [value for name, value in row.items() if name.endswith(_LIKE_A_DATE)]
        return next(filter(None, map(self._date, chain(flagged, dated))), None)

    def _kept(self, row: Mapping[str, str]) -> dict[str, Any]:
        """Return what a row of ours says besides reason, scope and time."""
        known: dict[str, Any] = {
            name: row[bare(name)]
            for name in ("domain", "provider", "status", "event_id", "about")
            if row.get(bare(name))
        }
        if row.get("smtpcode", "").isdecimal():
            known["smtp_code"] = int(row["smtpcode"])
        if row.get("eventtime") and (moment := self._date(row["eventtime"])):
            known["event_time"] = moment
        return known | ({"held": True} if is_yes(row.get("held", "")) else {})

    def _date(self, cell: str) -> datetime | None:
        """Return a date as exports write it: ISO 8601, Unix seconds, mail's form, or a spreadsheet's."""
        is_number = cell.replace(".", "", 1).isdecimal()
        return None if is_number and float(cell) < _FIRST_SECOND else self.order.moment(cell)


_LIKE_A_DATE = ("at", "time", "date", "am", "le")
"""How the names of columns with a date end: "created at", "gesperrt am", "désabonné le"."""


def _is_of_time(name: str) -> bool:
    """Return whether a column may hold the moment that counts."""
    named = {*columns("time"), *columns("expires")}
    return name in named or name.endswith(_LIKE_A_DATE) or flag_of(name) is not None


def _cells_at(cells: list[str] | None, places: list[int]) -> list[str]:
    return [cells[place].strip() for place in places if place < len(cells)] if cells else []


def _whole(cell: str) -> str:
    """Return the address of a cell; a quotation mark left open makes one cell of many rows."""
    if not cell.isprintable() and "\n" in cell:
        msg = "an address cannot contain line breaks; is a quotation mark left open?"
        raise ValueError(msg)
    address = mailbox_of(cell)
    if address is None:
        msg = "this is not a single address"
        raise ValueError(msg)
    return address


def _is_word(cell: str) -> bool:
    """Return whether a cell can be kept as a reason: short, without an address or a line break."""
    return len(cell) <= _LONGEST_REASON and cell.isprintable() and "@" not in cell


_FIRST_SECOND = 946684800.0
"""1 January 2000: a smaller number in a column of dates is a count or an id."""


def _guarded(value: object) -> object:
    """Return a cell that a spreadsheet does not take for a formula, and any file can hold."""
    if not isinstance(value, str):
        return value
    text = value.encode("utf-8", "replace").decode()
    return f"'{text}" if text.lstrip("'")[:1] in _FORMULA else text


def _bare(cell: str) -> str:
    """Return a cell as it was before `_guarded`."""
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'")[:1] in _FORMULA else cell
