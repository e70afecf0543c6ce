"""Transfer encodings, edited in place: decoded bytes are replaced, and the coded ones around them stay.

quoted-printable keeps its lines within 76 characters (RFC 2045 section 6.7), base64 is written in lines as
long as they were, because every byte behind an edit moves.
"""

from __future__ import annotations

import binascii
import contextlib
import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from mailflows._mail.header import decode_base64, parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "TRANSFER_GROWTH",
    "ByteEdit",
    "Places",
    "as_base64",
    "decoded",
    "spliced_data",
    "spliced_printable",
    "transfer_encoding",
]

_QP_WIDTH = 76  # RFC 2045 section 6.7
_BASE64_WIDTH = 76  # RFC 2045 section 6.8

# A soft line break, or a byte in hexadecimal; everything else stands for itself.
_QP_MARK = re.compile(rb"=(?:[ \t]{0,99}(\r?\n)|[0-9A-Fa-f]{2})")
_PRINTED = frozenset(b"!\"#$%&'()*+,-./0123456789:;<>?@[\\]^_`{|}~ \t") | frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)


ByteEdit = tuple[int, int, bytes, bool]
"""Start and end in the decoded bytes, what stands there then, and whether it is verbatim."""


# What `binascii.a2b_qp` does not read: blanks behind a soft line break (RFC 2045 section 6.7), and «==».
_UNUSUAL_QP = re.compile(rb"=[= \t]")

TRANSFER_GROWTH = {"base64": 2, "quoted-printable": 3, "uuencode": 2}
"""The encodings that are undone, and how much longer than its text a body may be."""

_OTHER_NAMES = dict.fromkeys(("x-uuencode", "uue", "x-uue"), "uuencode")


def transfer_encoding(headers: Mapping[str, str]) -> str:
    """Return the encoding that must be undone, a key of `TRANSFER_GROWTH`, or an empty string.

    >>> transfer_encoding({"content-transfer-encoding": "(x) BASE64"}), transfer_encoding({})
    ('base64', '')
    """
    value = headers.get("content-transfer-encoding", "")
    name = parameters(value)[0] if value else ""
    name = _OTHER_NAMES.get(name, name)
    return name if name in TRANSFER_GROWTH else ""


def decoded(body: bytes, encoding: str) -> bytes:
    """Undo a transfer encoding; without one, a body stays as it is."""
    if encoding == "base64":
        return decode_base64(body)
    if encoding == "quoted-printable":
        if not _UNUSUAL_QP.search(body):
            return binascii.a2b_qp(body)
        return _QP_MARK.sub(lambda m: b"" if m[1] else bytes((int(m[0][1:], 16),)), body)
    return _from_uuencode(body) if encoding == "uuencode" else body


def _from_uuencode(body: bytes) -> bytes:
    """Decode the lines between «begin» and «end»; a line that is none is left out."""
    pieces = []
    is_open = is_coded = False
    for line in body.splitlines():
        if line.startswith(b"begin "):
            is_open = is_coded = True
        elif line.strip() == b"end":
            is_open = False
        elif is_open:
            try:
                pieces.append(binascii.a2b_uu(line))
            except binascii.Error:  # some software leaves out or adds blanks at the end
                size = ((line[0] - 32 & 63) * 4 + 5) // 3
                with contextlib.suppress(binascii.Error):
                    pieces.append(binascii.a2b_uu(line[:size]))
    return b"".join(pieces) if is_coded else body


def spliced_data(data: bytes, edits: Sequence[ByteEdit]) -> bytes:
    """Put the new bytes in their places."""
    ends = [0, *(end for _, end, _, _ in edits)]
    pieces = [data[end:start] + new for end, (start, _, new, _) in zip(ends, edits, strict=False)]
    return b"".join((*pieces, data[ends[-1] :]))


class Places:
    """Where the decoded bytes of a quoted-printable body stand, behind any soft line break."""

    def __init__(self, body: bytes) -> None:
        self._decoded_ends, self._raw_ends = [0], [0]
        for match in _QP_MARK.finditer(body):
            between = match.start() - self._raw_ends[-1]
            self._decoded_ends.append(self._decoded_ends[-1] + between + (match[1] is None))
            self._raw_ends.append(match.end())

    def __call__(self, decoded: int) -> int:
        """Return the offset in the body of the byte with this number."""
        last = bisect_right(self._decoded_ends, decoded) - 1
        return self._raw_ends[last] + decoded - self._decoded_ends[last]


def spliced_printable(body: bytes, edits: Sequence[ByteEdit], newline: bytes) -> bytes:
    """Put new bytes into a quoted-printable body, and keep its lines within 76 characters."""
    place = Places(body)
    pieces: list[bytes] = []
    position = column = 0
    stops = [place(start) for start, *_ in edits[1:]] + [len(body)]
    for (start, end, new, is_verbatim), stop in zip(edits, stops, strict=True):
        first = place(start)
        kept = body[position:first]
        line = kept.rfind(b"\n")
        column = column + len(kept) if line < 0 else len(kept) - line - 1
        position = place(end)
        if is_verbatim:
            coded, column = new, _column_behind(column, new)
        else:
            coded, column = _as_printable(new, column, newline)
            line_end = body.find(b"\n", position, stop)
            rest = body[position : line_end if line_end >= 0 else stop].rstrip(b"\r")
            # Behind what goes on with another edit there must be room for its first byte.
            if column + len(rest) > (_QP_WIDTH if line_end >= 0 else _QP_WIDTH - 4):
                coded, column = coded + b"=" + newline, 0
        pieces += kept, coded
    return b"".join((*pieces, body[position:]))


def _column_behind(column: int, coded: bytes) -> int:
    line = coded.rfind(b"\n")
    return column + len(coded) if line < 0 else len(coded) - line - 1


def _as_printable(data: bytes, column: int, newline: bytes) -> tuple[bytes, int]:
    """Encode bytes from a column on, and return the column behind them.

    No soft line break stands before the first byte: it would not be found when the bytes are replaced.
    """
    pieces: list[bytes] = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines):
        if number:
            pieces.append(newline)
            column = 0
        is_ended = number + 1 < len(lines)
        shown = line.removesuffix(b"\r") if is_ended else line
        for place, byte in enumerate(shown, 1):
            is_lost = is_ended and place == len(shown) and byte in b" \t"  # at the end of a line
            coded = bytes((byte,)) if byte in _PRINTED and not is_lost else b"=%02X" % byte
            if pieces and column + len(coded) >= _QP_WIDTH:
                pieces.append(b"=" + newline)
                column = 0
            pieces.append(coded)
            column += len(coded)
    return b"".join(pieces), column


def as_base64(data: bytes, body: bytes, *, newline: bytes | None = None) -> bytes:
    """Encode a part in lines as long as those of its old body, with the white space that stood behind it."""
    first, line_end, _ = body.partition(b"\n")
    newline = b"\r\n" if first.endswith(b"\r") else b"\n" if line_end or newline is None else newline
    width = len(first.strip()) if b"\n" in body.strip() else max(len(first.strip()), _BASE64_WIDTH)
    text = binascii.b2a_base64(data, newline=False)
    rows = [text[at : at + width] for at in range(0, len(text), width)] if width else [text]
    return newline.join(rows) + body[len(body.rstrip()) :]
