"""Archives of messages: an mbox, a Maildir, a folder of message files."""

from __future__ import annotations

import mailbox
import re
from contextlib import closing
from typing import TYPE_CHECKING

from mailflows.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["archived", "holds_many", "mbox_messages", "starts_mbox"]

MESSAGE_ENDINGS = (".eml", ".msg", ".txt", ".mbox", "")
"""Endings of the files that are looked at in a folder; a file that is named is always read."""

_MAILDIR = ("cur", "new")
"""Folders of a Maildir whose files are messages, whatever their names are; ``tmp`` has unfinished ones."""

_MBOX = b"From "
_NEXT = re.compile(rb"\n\r?\nFrom [^\r\n]{0,200}\d{4}\r?\n[!-9;-~]{1,80}:")
"""Where another message begins: a blank line, one that ends in a year, a header (RFC 4155)."""


def archived(path: Path, name: str = "") -> Iterator[tuple[str, bytes | Path | MessageError]]:
    """Yield (name, message) of all that a file, an mbox, a Maildir or a folder holds, or (name, error).

    Args:
        path: The file or the folder.
        name: What to call it in names; its path by default.
    """
    if not path.is_dir():
        yield from _file_messages(path)
        return
    inside = [p for p in sorted(path.rglob("*")) if p.is_file() and _is_message(p)]
    if not inside:
        endings = ", ".join(filter(None, MESSAGE_ENDINGS))
        yield name or str(path), MessageError(f"no messages found in this folder (looked for {endings})")
    for file in inside:
        yield from _file_messages(file)


def holds_many(path: Path) -> bool:
    """Return whether a path is a folder, or an mbox with more than one message."""
    if path.is_dir():
        return True
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return starts_mbox(content) and _NEXT.search(content) is not None


def starts_mbox(content: bytes) -> bool:
    """Return whether content begins as an mbox does."""
    return content.startswith(_MBOX)


def mbox_messages(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the messages of an mbox, numbered from one."""
    with closing(mailbox.mbox(path, create=False)) as box:
        for number, key in enumerate(box.keys(), 1):
            yield f"{name}:{number}", box.get_bytes(key)


def _is_message(path: Path) -> bool:
    """Return whether a file of a folder is looked at: by its ending, or because a Maildir keeps it."""
    return path.suffix.lower() in MESSAGE_ENDINGS or path.parent.name in _MAILDIR


def _file_messages(path: Path) -> Iterator[tuple[str, bytes | Path | MessageError]]:
    """Yield the message of a file, or every message of an mbox, whatever the file is called."""
    try:
        with path.open("rb") as handle:
            is_mbox = starts_mbox(handle.read(len(_MBOX)))
        if is_mbox:
            yield from mbox_messages(path, str(path))
        else:
            yield str(path), path
    except (OSError, ValueError, mailbox.Error) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        yield str(path), MessageError(reason)
