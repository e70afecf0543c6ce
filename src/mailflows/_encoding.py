"""How a file of text is encoded, as spreadsheets and mail tools write theirs."""

from __future__ import annotations

import codecs
from typing import IO

__all__ = ["encoding_of"]

_HEAD = 64 * 1024
"""Bytes that are looked at for a mark and for zeros (bound: as much as one read gives anyway)."""

_BYTE_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(binary: IO[bytes]) -> str:
    """Return the encoding of a file: by its mark, else UTF-8, else Windows-1252."""
    start = binary.tell()
    try:
        head = binary.read(_HEAD)
        for mark, name in _BYTE_MARKS:
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
