"""Which kind of file is this? Packed text and workbooks are opened; what is no text is refused by name."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from typing import IO, TYPE_CHECKING, Any

from mailflows.errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["read_objects", "unpack", "workbook_rows"]

_OTHERS = (
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls); save it as .xlsx or .csv"),
    (b"%PDF", "a PDF"),
    (b"BZh", "a bzip2 archive; unpack it first"),
    (b"\xfd7zXZ", "an xz archive; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"Rar!", "a rar archive; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive; unpack it first"),
    (b"PAR1", "a Parquet file; read it with pandas and pass the frame"),
    (b"ARROW1", "an Arrow file; read it with pandas and pass the frame"),
    (b"SQLite format 3\x00", "an SQLite database; pass the rows of a query"),
    (b"{\\rtf", "a rich-text document; save it as plain text"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"!BDN", "an Outlook data file (.pst); export the contacts as .csv"),
)
_AS_TEXT = (
    ("begin:vcard", "a vCard file (.vcf); export the contacts as .csv"),
    ("<!doctype", "an HTML page; save the table as .csv"),
    ("<html", "an HTML page; save the table as .csv"),
    ("<?xml", "an XML file; export the list as .csv"),
    ("dn:", "an LDIF file; export the contacts as .csv"),
)
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_LISTS = (".csv", ".tsv", ".txt", ".tab", ".jsonl", ".json")


def _refuse(what: str) -> ConfigurationError:
    msg = f"this is {what}: it cannot be read as a list"
    return ConfigurationError(msg, field="rows")


def unpack(binary: IO[bytes]) -> tuple[IO[bytes], bool]:
    """Return what to read in place of a binary file, and whether it is a workbook.

    Raises:
        ConfigurationError: If it is of a kind that cannot be read, with the name of the kind.
    """
    start = binary.tell()
    head = binary.read(512)
    binary.seek(start)
    if head.startswith(_GZIP):
        return io.BufferedReader(gzip.GzipFile(fileobj=binary)), False
    if head.startswith(_ZIP):
        return _of_zip(binary)
    for mark, what in _OTHERS:
        if head.startswith(mark):
            raise _refuse(what)
    refuse_text(head.lstrip(b"\xef\xbb\xbf").decode("latin-1"))
    if b"\0" in head and not _may_be_utf16(head):
        what = "a binary file, no text"
        raise _refuse(what)
    return binary, False


def _may_be_utf16(head: bytes) -> bool:
    marks = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
    return head.startswith(marks) or head.count(0) * 3 > len(head)


def refuse_text(head: str) -> None:
    """Refuse text of a kind that is no list.

    Raises:
        ConfigurationError: With the name of the kind.
    """
    begin = head.lstrip().lower()
    for mark, what in _AS_TEXT:
        if begin.startswith(mark):
            raise _refuse(what)


def _of_zip(binary: IO[bytes]) -> tuple[IO[bytes], bool]:
    try:
        archive = zipfile.ZipFile(binary)
    except zipfile.BadZipFile as error:
        msg = "a damaged zip archive"
        raise _refuse(msg) from error
    names = [
        info.filename
        for info in archive.infolist()
        if not info.is_dir() and not info.filename.startswith("__MACOSX") and "/." not in f"/{info.filename}"
    ]
    if "xl/workbook.xml" in names:
        return binary, True
    if "mimetype" in names or "[Content_Types].xml" in names:
        what = "an office document; save the list as .xlsx or .csv"
        raise _refuse(what)
    lists = [name for name in names if name.lower().endswith(_LISTS)]
    if len(lists) != 1:
        what = f"a zip archive with {len(lists)} lists in it; unpack it and pass one of them"
        raise _refuse(what)
    return io.BufferedReader(io.BytesIO(archive.read(lists[0]))), False


def workbook_rows(binary: IO[bytes]) -> Iterator[list[str]]:
    """Yield the rows of the first sheet of an Excel workbook that has any, as text.

    Raises:
        MissingExtra: If openpyxl is not installed.
        ConfigurationError: If the workbook is damaged.
    """
    try:
        import openpyxl  # type: ignore[import-untyped] # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise MissingExtra("xlsx", "openpyxl") from error  # noqa: EM101 -- a name, no message
    try:
        book = openpyxl.load_workbook(binary, read_only=True, data_only=True)
    except Exception as error:
        what = "a damaged Excel workbook"
        raise _refuse(what) from error
    for sheet in book.worksheets:
        rows = ([_as_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True))
        first = next(rows, None)
        if first is not None:
            yield first
            yield from rows
            return


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def read_objects(text: IO[str], head: str) -> Iterator[Mapping[str, Any] | str | None] | None:
    """Return the objects of JSON or JSON lines, or `None` where text is neither.

    Args:
        text: The file, at its beginning.
        head: What it begins with.

    Raises:
        ConfigurationError: If it begins as JSON and is none.
    """
    begin = head.lstrip()
    if begin.startswith("{"):
        return _json_lines(text)
    if begin.startswith("[") and begin[1:].lstrip()[:1] in ("{", '"', "]"):
        return _json_array(text)
    return None


def _json_lines(text: IO[str]) -> Iterator[Mapping[str, Any] | str | None]:
    for number, line in enumerate(text):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            if not number:
                what = "JSON, but neither an array nor one object a line"
                raise _refuse(what) from error
            value = None
        yield value


def _json_array(text: IO[str]) -> Iterator[Mapping[str, Any] | str | None]:
    try:
        found = json.load(text)
    except ValueError as error:
        what = "a damaged JSON file"
        raise _refuse(what) from error
    yield from found
