"""What commands write: text without what drives a terminal, JSON, and complaints on standard error."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from mailflows._result import printable

if TYPE_CHECKING:
    from mailflows.flows._file import SettingsFile

__all__ = ["STATUS", "complain", "say", "say_json", "settings_of"]

STATUS = (
    "Exit status: 0 done, and nothing needs attention; 1 done, and something does; 2 not done: wrong usage, "
    "or input that cannot be read."
)
"""The one set of exit statuses, as every command's help ends; docs/commands.md says more."""


def say(value: object = "") -> None:
    """Write a text to standard output; a file name or a subject in it cannot drive the terminal."""
    print(_safe(str(value)))


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
