"""The messages that a command is given: files, folders, an mbox, or standard input."""

from __future__ import annotations

import gzip
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows._mail.archive import archived, mbox_messages, starts_mbox
from mailflows._mail.reader import SIZE_LIMIT
from mailflows.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["messages", "payloads", "read_bytes"]


def messages(paths: Sequence[str]) -> Iterator[tuple[str, bytes | Path | MessageError]]:
    """Yield (name, bytes) of every message, or (name, error) of what cannot be read."""
    for name in paths:
        path = Path(name)
        if name == "-":
            yield from _standard_input()
        else:
            yield from archived(path, name)


def payloads(paths: Sequence[str]) -> Iterator[tuple[str, bytes | MessageError]]:
    """Yield (name, bytes) of every file that is named or in a folder, or (name, error); .gz is unpacked."""
    for name in paths:
        files = sorted(map(str, Path(name).rglob("*"))) if name != "-" and Path(name).is_dir() else [name]
        for file in files:
            if name != file and not Path(file).is_file():
                continue
            try:
                content = read_bytes(file)
                yield file, gzip.decompress(content) if file.endswith(".gz") else content
            except (OSError, EOFError, zlib.error) as problem:
                yield file, MessageError(f"is not a gzip file: {problem}")
            except MessageError as problem:
                yield file, problem


def _standard_input() -> Iterator[tuple[str, bytes]]:
    """Yield what comes on standard input: a message, or the messages of an mbox."""
    content = sys.stdin.buffer.read(SIZE_LIMIT + 1)
    if not starts_mbox(content):
        yield "-", content
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mbox"
        path.write_bytes(content)
        yield from mbox_messages(path, "-")


def read_bytes(name: str) -> bytes:
    """Return the bytes of one file, or of standard input for ``-``.

    Raises:
        MessageError: If the file cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as problem:
        raise MessageError(problem.strerror or str(problem)) from problem
