"""What commands write: text without control characters, JSON, and errors on standard error."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Literal, TypeVar

from mailflows._result import printable, to_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mailflows._result import Cell
    from mailflows.flows._file import SettingsFile

__all__ = ["STATUS", "Tone", "complain", "counted", "say", "say_json", "say_table", "settings_of"]

STATUS = (
    "Exit status: 0 done, and nothing needs attention; 1 done, and something does; 2 not done: invalid "
    "usage, or input that cannot be read."
)
"""The one set of exit statuses, as every command's help ends; docs/commands.md says more."""


def say(value: object = "") -> None:
    """Write a text to standard output; a file name or a subject in it cannot drive the terminal."""
    print(_safe(str(value)))


Tone = Literal["good", "doubtful", "bad", ""]
"""What a row of a table tells, which a terminal shows in colour; the words say the same."""

_COLOURS = {"good": "32", "doubtful": "33", "bad": "31", "": ""}


def say_table(header: Sequence[str], rows: Sequence[Sequence[Cell]], tones: Sequence[Tone] = ()) -> None:
    """Write a table to standard output; on a terminal, in the colours of its rows.

    Nothing is coloured where standard output is a file or a pipe, where NO_COLOR is set (no-color.org), or
    where the terminal is a dumb one.
    """
    lines = to_text(header, rows).split("\n")
    if not tones or not _is_colourful():
        say("\n".join(lines))
        return
    for line, tone in zip(lines, ("", *tones), strict=True):
        text = printable(line)
        print(f"\x1b[{_COLOURS[tone]}m{text}\x1b[0m" if tone else text)


def _is_colourful() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


T = TypeVar("T")

# choice: seconds; what is over before needs no counter, and a line that changes faster cannot be read
_PATIENCE, _EVERY = 2.0, 0.25


def counted(items: Iterable[T], what: str) -> Iterator[T]:
    """Yield items, and count them on standard error while it takes long; on a terminal only.

    Args:
        items: What is worked through.
        what: What they are, in the plural.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    begun = time.monotonic()
    shown = 0.0
    for number, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - begun > _PATIENCE and now - shown > _EVERY:
            shown = now
            print(f"\r\x1b[K{number:,} {what}", end="", file=sys.stderr, flush=True)
    if shown:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def say_json(value: object) -> None:
    """Write one line of JSON, in which what no terminal should see is escaped."""
    text = json.dumps(value, ensure_ascii=False)
    print("".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text))


def complain(value: object) -> None:
    """Write a text to standard error, with the name of the program."""
    print(_safe(f"mailflows: {value}"), file=sys.stderr)


def _safe(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def settings_of(path: str) -> SettingsFile | None:
    """Read the file of a gate; where that cannot be, complain and return `None`."""
    from mailflows.flows._file import SettingsFile  # noqa: PLC0415 -- only for commands about a gate

    try:
        return SettingsFile(path)
    except OSError as problem:
        complain(f"{path}: {problem.strerror or problem}")
        return None
