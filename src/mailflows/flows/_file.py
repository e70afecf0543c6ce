"""A settings file: read once, and every error in it reported with file, line and fix."""

from __future__ import annotations

import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["SettingsFile"]


class SettingsFile:
    """The tables of a TOML file, and where each of them is.

    Args:
        path: The file.

    Raises:
        ConfigurationError: If it is not TOML in UTF-8; the text names file, line and cure.
        OSError: If it cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._text = _decoded(self.path)
        try:
            self.tables: dict[str, Any] = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            msg = f"{self.path}: {error}"
            raise ConfigurationError(msg, field="toml") from error
        except RecursionError as error:
            line = max(enumerate(self._text.splitlines(), 1), key=lambda row: _depth(row[1]))[0]
            msg = f"{self.path}, line {line}: brackets are nested too deeply; no setting needs that"
            raise ConfigurationError(msg, field="toml") from error

    @contextmanager
    def at(self, table: str) -> Iterator[None]:
        """Add file and line to a `ConfigurationError` about a table, such as ``flows.marketing``."""
        try:
            yield
        except ConfigurationError as error:
            line = self._line_of(table, error.field)
            msg = f"{self.path}{f', line {line}' if line else ''}: {error}"
            raise ConfigurationError(msg, field=error.field) from error

    def _line_of(self, table: str, key: str) -> int | None:
        """Return the line of a key in a table, or that of the table, or `None`."""
        start = None
        inside = not table
        for number, line in enumerate(self._text.splitlines(), 1):
            bare = line.partition("#")[0].strip()
            if bare.startswith("["):
                name = bare.strip("[] ")
                if name == f"{table}.{key}" or (not table and name.partition(".")[0] == key):
                    return number
                inside = name == table
                start = number if inside else start
            elif inside and bare.partition("=")[0].strip(" \"'") == key:
                return number
        return start


def _decoded(path: Path) -> str:
    raw = path.read_bytes()
    if raw.startswith(b"\xef\xbb\xbf"):
        msg = f"{path}, line 1: it begins with a byte order mark: save it as UTF-8 without BOM"
        raise ConfigurationError(msg, field="toml")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        msg = f"{path}, line {line}: it is not UTF-8: save it as UTF-8"
        raise ConfigurationError(msg, field="toml") from error


def _depth(line: str) -> int:
    return line.count("[") + line.count("{")
