"""Which kind of file is this? Packed text and workbooks are opened; what is not text is refused by name."""

from __future__ import annotations

import gzip
import json
import struct
import tempfile
import zipfile
import zlib
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
    (b"PK\x05\x06", "an empty zip archive"),
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
_LISTS = (".csv", ".tsv", ".txt", ".tab", ".jsonl", ".json", ".xlsx")
_NESTED = "a packed file inside another; unpack it first"
_DAMAGED = (OSError, EOFError, ValueError, NotImplementedError, struct.error, zlib.error, zipfile.BadZipFile)
"""What the standard library raises about damaged archives."""

_IN_MEMORY = 8 * 1024 * 1024  # bound: a larger list is unpacked to disk
_MOST_UNPACKED = 4 * 1024**3  # bound: what a small packed file may become


def _refuse(what: str) -> ConfigurationError:
    msg = f"this is {what}: it cannot be read as a list"
    return ConfigurationError(msg, field="rows")


def unpack(binary: IO[bytes], *, is_inside: bool = False) -> tuple[IO[bytes], bool]:
    """Return what to read in place of a binary file, and whether it is a workbook.

    Args:
        binary: The file, at its beginning.
        is_inside: Whether it came out of a packed file.

    Raises:
        ConfigurationError: If it is of a kind that cannot be read, with the name of the kind.
    """
    start = binary.tell()
    head = binary.read(512)
    binary.seek(start)
    if head.startswith(_ZIP):
        return _of_zip(binary, is_inside=is_inside)
    if head.startswith(_GZIP):
        if is_inside:
            raise _refuse(_NESTED)
        with gzip.GzipFile(fileobj=binary) as packed:
            return _unpacked(packed, "a damaged gzip file")  # type: ignore[arg-type] # it is read like any file
    for mark, what in _OTHERS:
        if head.startswith(mark):
            raise _refuse(what)
    refuse_text(head.lstrip(b"\xef\xbb\xbf").decode("latin-1"))
    if not _may_be_utf16(head) and (b"\0" in head or _controls_in(head) > _FEW * len(head)):
        what = "a binary file, not text"
        raise _refuse(what)
    return binary, False


_FEW = 0.03
"""Share of control characters up to which a file is text; random bytes have ten times as many. Our choice."""

_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f"))


def _controls_in(head: bytes) -> int:
    return len(head) - len(head.translate(None, _CONTROLS))


def _may_be_utf16(head: bytes) -> bool:
    marks = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
    return head.startswith(marks) or head.count(0) * 3 > len(head)


def refuse_text(head: str) -> None:
    """Refuse text of a kind that is not a list.

    Raises:
        ConfigurationError: With the name of the kind.
    """
    begin = head.lstrip().lower()
    for mark, what in _AS_TEXT:
        if begin.startswith(mark):
            raise _refuse(what)


def _unpacked(packed: IO[bytes], damaged: str) -> tuple[IO[bytes], bool]:
    """Return what is in a packed file: all of it first, so that no part of a damaged one is judged."""
    kept = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 -- who reads it closes it
    try:
        _copy(packed, kept, damaged)
        return unpack(kept, is_inside=True)
    except BaseException:
        kept.close()
        raise


def _copy(packed: IO[bytes], kept: IO[bytes], damaged: str) -> None:
    while block := _read(packed, damaged):
        kept.write(block)
        if kept.tell() > _MOST_UNPACKED:
            what = f"a compressed file that unpacks to more than {_MOST_UNPACKED >> 30} GB; unpack it first"
            raise _refuse(what)
    kept.seek(0)


def _read(packed: IO[bytes], damaged: str) -> bytes:
    try:
        return packed.read(1 << 20)
    except _DAMAGED as error:
        raise _refuse(damaged) from error


def _of_zip(binary: IO[bytes], *, is_inside: bool) -> tuple[IO[bytes], bool]:
    damaged = "a damaged zip archive"
    try:
        archive = zipfile.ZipFile(binary)
    except _DAMAGED as error:
        raise _refuse(damaged) from error
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
    if is_inside:
        raise _refuse(_NESTED)
    lists = [name for name in names if name.lower().endswith(_LISTS)]
    if len(lists) != 1:
        what = f"a zip archive with {len(lists)} lists in it; unpack it and pass one of them"
        raise _refuse(what)
    if archive.getinfo(lists[0]).flag_bits & 1:
        what = "an encrypted zip archive; unpack it first"
        raise _refuse(what)
    try:
        packed = archive.open(lists[0])
    except _DAMAGED as error:
        raise _refuse(damaged) from error
    with packed:
        return _unpacked(packed, damaged)


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
    lines = iter(text)
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            if not number:
                yield from _json_answer(line + "".join(lines))
                return
            value = None
        if not number and _list_in(value) is not None:
            yield from _list_in(value) or ()
        else:
            yield value


def _json_answer(text: str) -> list[Any]:
    """Return the list of one object, as an API answers: ``{"contacts": […], "count": 2}``."""
    try:
        found = _list_in(json.loads(text))
    except (ValueError, RecursionError) as error:
        what = "JSON, but neither an array nor one object per line"
        raise _refuse(what) from error
    if found is None:
        what = "a JSON object that does not contain exactly one list"
        raise _refuse(what)
    return found


def _list_in(value: object) -> list[Any] | None:
    """Return the one list of objects that an object holds beside no address of its own, or `None`."""
    if not isinstance(value, dict):
        return None
    lists = [one for one in value.values() if isinstance(one, list) and one and isinstance(one[0], dict)]
    has_address = any(isinstance(one, str) and "@" in one for one in value.values())
    return lists[0] if len(lists) == 1 and not has_address else None


def _json_array(text: IO[str]) -> Iterator[Mapping[str, Any] | str | None]:
    try:
        found = json.load(text)
    except (ValueError, RecursionError) as error:
        what = "a damaged JSON file"
        raise _refuse(what) from error
    yield from found
