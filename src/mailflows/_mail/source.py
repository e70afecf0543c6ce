"""Whatever a caller holds (bytes, text, a path, an open file, a message object) → bytes."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from mailflows.errors import MessageError

__all__ = ["SIZE_LIMIT", "Raw", "read"]

SIZE_LIMIT = 64 * 1024 * 1024
"""Bytes of a file that are read; providers refuse messages of half that size. A bound on work."""

_MAX_DEPTH = 20  # bound: keeps work and memory flat


@dataclass(frozen=True, slots=True)
class Raw:
    """The bytes of a message.

    Attributes:
        data: As they would be transferred.
        is_text: Whether somebody decoded them before, so that they are UTF-8 whatever they declare.
        defect: What had to be mended to get them, or an empty string.
    """

    data: bytes
    is_text: bool = False
    defect: str = ""


def read(source: object) -> Raw:
    """Return the bytes of anything that holds a message.

    Raises:
        MessageError: If it is something else, or a file that cannot be read.
    """
    if isinstance(source, bytes):
        return Raw(source)
    if isinstance(source, bytearray | memoryview):
        return Raw(bytes(source))
    if isinstance(source, str):
        return Raw(_encoded(source), is_text=True)
    if isinstance(source, os.PathLike):
        return Raw(_file_bytes(Path(source)))
    if callable(getattr(source, "as_bytes", None)):
        return _written(source)
    if callable(reader := getattr(source, "read", None)):
        return read(reader(SIZE_LIMIT + 1) or b"")
    msg = (
        f"cannot read a message from {type(source).__name__}; "
        "pass bytes, str, a path, an open file or an email message"
    )
    raise MessageError(msg)


def _encoded(text: str) -> bytes:
    """Encode text; bytes that Python smuggled through as surrogates (PEP 383) come back."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _file_bytes(path: Path) -> bytes:
    """Read a file, or say why it cannot be read."""
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):  # a device may have no end
            msg = f"{path}: is a directory" if stat.S_ISDIR(mode) else f"{path}: is no regular file"
            raise MessageError(msg)
        with path.open("rb") as handle:
            return handle.read(SIZE_LIMIT + 1)
    except (OSError, ValueError) as problem:  # ValueError: a NUL in the name
        if isinstance(problem, MessageError):
            raise
        msg = f"{path}: {getattr(problem, 'strerror', None) or problem}"
        raise MessageError(msg) from problem


def _written(source: object) -> Raw:
    """Write an email message object as bytes, by hand where the standard library cannot."""
    try:
        return Raw(bytes(source.as_bytes()))  # type: ignore[attr-defined]
    except Exception as problem:  # noqa: BLE001 -- whatever a foreign object raises
        try:
            return Raw(_by_hand(source, 0), defect="unwritable-message")
        except Exception:  # noqa: BLE001 -- it is no email message after all
            msg = f"this {type(source).__name__} cannot be written as bytes: {problem!r}"
            raise MessageError(msg) from problem


def _by_hand(source: object, depth: int) -> bytes:
    """Write headers and payload as they stand; a line break in a header starts no other header."""
    rows = [f"{name}: {' '.join(str(value).splitlines())}\n" for name, value in source.raw_items()]  # type: ignore[attr-defined]
    payload = source._payload  # type: ignore[attr-defined]  # noqa: SLF001 -- get_payload() encodes, and raises
    if not isinstance(payload, list):
        body = payload if isinstance(payload, bytes) else _encoded(str(payload or ""))
        return _encoded("".join(rows)) + b"\n" + body
    # The last Content-Type would not win, so the old one goes.
    rows = [row for row in rows if not row.lower().startswith("content-type:")]
    mark = f"=-by-hand-{depth}-="
    kind = source.get_content_type()  # type: ignore[attr-defined]
    rows.append(f'Content-Type: {kind}; boundary="{mark}"\n')
    lines = [_encoded("".join(rows))]
    for part in payload if depth < _MAX_DEPTH else ():
        content = _by_hand(part, depth + 1) if hasattr(part, "raw_items") else _encoded(f"\n{part}")
        lines += f"--{mark}".encode(), content
    return b"\n".join((*lines, f"--{mark}--\n".encode()))
