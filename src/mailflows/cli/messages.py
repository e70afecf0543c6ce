"""The messages that a command is given: files, folders, an mbox, or standard input."""

from __future__ import annotations

import mailbox
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows._mail.source import SIZE_LIMIT
from mailflows.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["messages", "read_bytes"]

MESSAGE_ENDINGS = (".eml", ".msg", ".txt", ".mbox", "")
"""Endings of the files that are looked at in a folder; a file that is named is always read."""


_MAILDIR = ("cur", "new")
"""Folders of a Maildir whose files are messages, whatever their names are; ``tmp`` has unfinished ones."""


def messages(paths: Sequence[str]) -> Iterator[tuple[str, bytes | Path | MessageError]]:
    """Yield (name, bytes) of every message, or (name, error) of what cannot be read."""
    for name in paths:
        path = Path(name)
        if name == "-":
            yield from _standard_input()
        elif path.is_dir():
            inside = [p for p in sorted(path.rglob("*")) if p.is_file() and _is_message(p)]
            if not inside:
                yield (
                    name,
                    MessageError(
                        f"no messages in this folder (looked for {', '.join(filter(None, MESSAGE_ENDINGS))})"
                    ),
                )
            for file in inside:
                yield from _file_messages(file)
        else:
            yield from _file_messages(path)


def _is_message(path: Path) -> bool:
    """Say whether a file of a folder is looked at: by its ending, or because a Maildir keeps it."""
    return path.suffix.lower() in MESSAGE_ENDINGS or path.parent.name in _MAILDIR


def _file_messages(path: Path) -> Iterator[tuple[str, bytes | Path | MessageError]]:
    """Yield the message of a file, or every message of an mbox, whatever the file is called."""
    try:
        with path.open("rb") as handle:
            is_mbox = handle.read(len(_MBOX)) == _MBOX
        if is_mbox:
            yield from _mbox_messages(path, str(path))
        else:
            yield str(path), path
    except (OSError, ValueError, mailbox.Error) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        yield str(path), MessageError(reason)


_MBOX = b"From "


def _mbox_messages(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the messages of an mbox, numbered from one."""
    with closing(mailbox.mbox(path, create=False)) as box:
        for number, key in enumerate(box.keys(), 1):
            yield f"{name}:{number}", box.get_bytes(key)


def _standard_input() -> Iterator[tuple[str, bytes]]:
    """Yield what comes on standard input: a message, or the messages of an mbox."""
    content = sys.stdin.buffer.read(SIZE_LIMIT + 1)
    if not content.startswith(_MBOX):
        yield "-", content
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mbox"
        path.write_bytes(content)
        yield from _mbox_messages(path, "-")


def read_bytes(name: str) -> bytes:
    """Return the bytes of one file, or of standard input for ``-``.

    Raises:
        MessageError: If the file cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as problem:
        raise MessageError(problem.strerror or str(problem)) from problem
