"""DMARC aggregate reports: who sends in the name of a domain, as receivers saw it (RFC 7489, RFC 9990)."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import BytesIO
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from mailflows._mail import structure
from mailflows._mail.decoding import decoded, transfer_encoding
from mailflows._result import Result, number_of, to_text
from mailflows.errors import MessageError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from mailflows._result import Cell, Table

__all__ = ["DmarcReports", "DmarcRow", "read_reports"]

_MOST_BYTES = 50_000_000  # bound: unpacked; the largest receivers' reports have some megabytes
_MOST_FILES = 1_000  # bound: files of one archive
_MOST_TEXT = 1_000  # bound: letters of one element
_DEEPEST = 50  # bound: elements in one another

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_WITH_GZIP_HEAD = 31  # by definition: zlib's window of 15 bits, and 16 for gzip's head


@dataclass(frozen=True, slots=True)
class DmarcRow(Result):
    """What one receiver saw from one IP address.

    Attributes:
        receiver: The reporting organisation, such as ``google.com``.
        day: The day on which the report's interval begins, in UTC.
        domain: The From domain.
        ip: The sending IP address.
        count: Number of messages.
        passed: Whether DMARC passed: SPF or DKIM, aligned.
    """

    receiver: str
    day: date
    domain: str
    ip: str
    count: int
    passed: bool

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return {
            "receiver": self.receiver,
            "day": self.day.isoformat(),
            "domain": self.domain,
            "ip": self.ip,
            "count": self.count,
            "passed": self.passed,
        }


@dataclass(frozen=True, slots=True)
class DmarcReports(Result):
    """The rows of many reports; a report that occurs twice counts once.

    Attributes:
        rows: What the receivers saw.
        reports: Number of reports that they come from.
        unread: Files that are not reports, each with the reason.
    """

    rows: tuple[DmarcRow, ...]
    reports: int
    unread: tuple[str, ...] = ()

    def senders(self) -> dict[tuple[str, str, bool], int]:
        """Return how many messages each IP address sent as each domain: (domain, ip, passed) → count."""
        found: Counter[tuple[str, str, bool]] = Counter()
        for row in self.rows:
            found[row.domain, row.ip, row.passed] += row.count
        return dict(found.most_common())

    def _table(self) -> Table:
        rows: list[list[Cell]] = [
            [domain, ip, "passed" if passed else "failed", count]
            for (domain, ip, passed), count in self.senders().items()
        ]
        return number_of(self.reports, "report"), ["domain", "address", "DMARC", "messages"], rows

    def __str__(self) -> str:
        _, header, rows = self._table()
        return to_text(header, rows) if rows else f"{number_of(self.reports, 'report')}, no messages"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return {
            "reports": self.reports,
            "rows": [row.to_dict() for row in self.rows],
            "unread": list(self.unread),
        }


def read_reports(*paths: str | os.PathLike[str]) -> DmarcReports:
    """Read DMARC aggregate reports: XML, gzip, zip, the messages they came in, and folders of these.

    Files that are not reports are listed in `DmarcReports.unread`. No entity is expanded and no URL is
    fetched: a report with a document type is refused.

    Args:
        paths: Files and folders.

    Raises:
        OSError: If a path does not exist or cannot be read.

    Example:
        >>> reports = read_reports("examples/flows/reports")
        >>> reports.reports, sum(row.count for row in reports.rows if row.passed)
        (2, 1204)
    """
    rows: list[DmarcRow] = []
    seen: set[tuple[str, str]] = set()
    unread: list[str] = []
    for file in (file for path in paths for file in _files(Path(path))):
        try:
            for content in _unpacked(file.name, file.read_bytes()):
                key, found = _read(content)
                if key not in seen:
                    seen.add(key)
                    rows += found
        except _NoReportError as problem:
            unread.append(f"{file.name}: {problem}")
    return DmarcReports(tuple(rows), len(seen), tuple(unread))


class _NoReportError(Exception):
    """These bytes are not a report; the text says why."""


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(file for file in path.rglob("*") if file.is_file())
    else:
        yield path


def _unpacked(name: str, content: bytes) -> Iterator[bytes]:
    """Yield the XML documents of a file."""
    if content.startswith(_GZIP):
        yield _gunzipped(content)
    elif content.startswith(_ZIP):
        yield from _unzipped(content)
    elif content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        yield content
    else:
        yield from _attached(name, content)


def _gunzipped(content: bytes) -> bytes:
    unpacker = zlib.decompressobj(_WITH_GZIP_HEAD)
    try:
        found = unpacker.decompress(content, _MOST_BYTES)
    except zlib.error as problem:
        msg = f"its gzip data is damaged ({problem})"
        raise _NoReportError(msg) from problem
    if unpacker.unconsumed_tail:
        msg = f"it unpacks to more than {_MOST_BYTES} bytes"
        raise _NoReportError(msg)
    return found


def _unzipped(content: bytes) -> Iterator[bytes]:
    left = _MOST_BYTES
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            for member in archive.infolist()[:_MOST_FILES]:
                if not member.filename.lower().endswith(".xml"):
                    continue
                with archive.open(member) as opened:  # the size that the archive tells may be a lie
                    found = opened.read(left + 1)
                left -= len(found)
                if left < 0:
                    msg = f"it unpacks to more than {_MOST_BYTES} bytes"
                    raise _NoReportError(msg)
                yield found
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, EOFError) as problem:
        msg = f"its zip archive cannot be unpacked ({problem})"
        raise _NoReportError(msg) from problem


def _attached(name: str, content: bytes) -> Iterator[bytes]:
    """Yield the reports that a message carries."""
    found = [part for part in _parts(content) if _may_be_report(part)]
    if not found:
        msg = "it is neither XML, gzip, zip nor a message that carries one of them"
        raise _NoReportError(msg)
    for part in found:
        yield from _unpacked(name, part)


def _parts(content: bytes) -> list[bytes]:
    """Return the decoded parts of a message; none of what is not a message."""
    try:
        found = structure.head(content)
    except MessageError:
        return []
    headers = structure.content_fields(found, _ignored)
    leaves = structure.leaves(content, headers, found.body, len(content), _ignored)
    return [decoded(content[leaf.start : leaf.stop], transfer_encoding(leaf.headers)) for leaf in leaves]


def _ignored(_defect: str) -> None:
    """Ignore a defect: a report in a damaged message is still a report."""


def _may_be_report(part: bytes) -> bool:
    return part.startswith((_GZIP, _ZIP)) or part.lstrip().startswith(b"<?xml")


class _Reader:
    """Collects the rows of a report while expat walks through it."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._text = ""
        self._row: dict[str, str] = {}
        self.about: dict[str, str] = {}
        self.found: list[dict[str, str]] = []

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._path.append(name.rpartition(":")[2])
        self._text = ""
        if len(self._path) > _DEEPEST:
            msg = "its elements are nested too deeply"
            raise _NoReportError(msg)

    def text(self, text: str) -> None:
        if len(self._text) < _MOST_TEXT:
            self._text += text

    def end(self, _name: str) -> None:
        path, text = "/".join(self._path[1:]), self._text.strip()
        self._path.pop()
        self._text = ""
        if path == "record":
            self.found.append(self._row)
            self._row = {}
        elif path.startswith("record/"):
            self._row.setdefault(path.removeprefix("record/"), text)
        elif text:
            self.about.setdefault(path, text)


def _refused(*_: object) -> None:
    msg = "it declares a document type or an entity, which reports never need"
    raise _NoReportError(msg)


def _read(content: bytes) -> tuple[tuple[str, str], list[DmarcRow]]:
    """Return what tells a report from others, and its rows."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refused
    parser.EntityDeclHandler = _refused
    try:
        parser.Parse(content, True)  # noqa: FBT003 -- its own signature
    except (expat.ExpatError, ValueError, LookupError) as problem:
        msg = f"its XML is damaged ({problem})"
        raise _NoReportError(msg) from problem
    about = reader.about
    receiver = about.get("report_metadata/org_name", "").lower()
    if not receiver or "policy_published/domain" not in about:
        msg = "it is XML, but not a DMARC report"
        raise _NoReportError(msg)
    day = _day(about.get("report_metadata/date_range/begin", ""))
    key = receiver, about.get("report_metadata/report_id", "") or str(hash(content))
    default = about["policy_published/domain"]
    return key, [row for found in reader.found if (row := _row(found, receiver, day, default))]


def _row(found: dict[str, str], receiver: str, day: date, default: str) -> DmarcRow | None:
    """Return a row; one without an address or a count says nothing."""
    try:
        ip, count = str(ip_address(found["row/source_ip"])), int(found["row/count"])
    except (KeyError, ValueError):
        return None
    verdicts = (found.get(f"row/policy_evaluated/{kind}", "").lower() for kind in ("dkim", "spf"))
    domain = (found.get("identifiers/header_from") or default).lower().rstrip(".")
    return DmarcRow(receiver, day, domain, ip, max(0, count), "pass" in list(verdicts))


def _day(seconds: str) -> date:
    try:
        return datetime.fromtimestamp(int(float(seconds)), UTC).date()
    except (ValueError, OverflowError, OSError):
        return date(1970, 1, 1)
