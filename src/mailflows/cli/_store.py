"""The store that a command works on: that of a gate, or one that is named directly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mailflows.cli._terminal import complain
from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from mailflows.flows._file import SettingsFile
    from mailflows.limits import Store

__all__ = [
    "STORES",
    "add_secret",
    "add_store",
    "settings_named",
    "store_named",
    "store_of",
    "store_to_look_at",
]

STORES = "FLOWS.toml of a gate, an SQLite file, or redis://host:6379/0"

_SQLITE = b"SQLite format 3\0"
"""How a file of SQLite begins (sqlite.org/fileformat.html, section 1.3)."""


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which store is meant."""
    parser.add_argument("file", metavar="FILE", help=STORES)
    add_secret(parser)


def add_secret(parser: argparse.ArgumentParser) -> None:
    """Add the argument that says where the secret of such a store is."""
    parser.add_argument(
        "--secret-env",
        action="append",
        metavar="NAME",
        help="environment variable with the secret of an SQLite file or Redis; repeat for older secrets",
    )


def store_of(options: argparse.Namespace, *, read_only: bool = False) -> Store:
    """Open the store that was named; none is created. With *read_only*, it is only read.

    Raises:
        ConfigurationError: If there is none, or its secret is missing.
    """
    return store_named(options.file, options.secret_env, read_only=read_only)


def store_named(
    name: str, secret_env: list[str] | None, *, is_made: bool = False, read_only: bool = False
) -> Store:
    """Open a store by the file of its gate, or directly; with *is_made*, make the SQLite file if it is new.

    Raises:
        ConfigurationError: If there is none, or its secret is missing.
    """
    from mailflows.gate._place import secrets_in, store_at  # noqa: PLC0415 -- only where it is needed

    path = Path(name)
    is_new = is_made and path.suffix != ".toml" and not path.exists()
    if "://" not in name and not is_new and _is_settings(path):
        return _of_gate(path, has_secret=bool(secret_env), read_only=read_only)
    return store_at(name, Path(), secrets_in({"secret_env": secret_env}, Path()), read_only=read_only)


def settings_named(name: str) -> SettingsFile | None:
    """Return the file of a gate that is named, or `None` where it is a store by itself."""
    from mailflows.flows._file import SettingsFile  # noqa: PLC0415 -- only where it is needed

    return SettingsFile(Path(name)) if "://" not in name and _is_settings(Path(name)) else None


def store_to_look_at(file: SettingsFile) -> Store:
    """Open the store of a gate for reading only; one that is not there yet is said, and not made."""
    from mailflows.gate._place import missing_from_file, store_from_file  # noqa: PLC0415 -- only where it is needed

    missing = missing_from_file(file)
    if missing is not None:
        complain(f"{missing}: this store does not exist yet, so it holds no data")
    return store_from_file(file, read_only=True)


def _is_settings(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
    except OSError as problem:
        msg = f"{path}: {problem.strerror or problem}"
        raise ConfigurationError(msg, field="store") from problem
    return head not in {_SQLITE, b""}


def _of_gate(path: Path, *, has_secret: bool, read_only: bool) -> Store:
    from mailflows.flows._file import SettingsFile  # noqa: PLC0415 -- only where it is needed
    from mailflows.gate._place import store_from_file  # noqa: PLC0415

    file = SettingsFile(path)
    table = file.tables.get("gate")
    if not isinstance(table, dict) or not isinstance(table.get("store"), str):
        msg = f'{path}: no store is named: write store = "state.db" in [gate]'
        raise ConfigurationError(msg, field="store")
    if has_secret:
        msg = f"--secret-env does not apply to a gate; {path} names its own store: write secret_env in [gate]"
        raise ConfigurationError(msg, field="secret_env")
    return store_to_look_at(file) if read_only else store_from_file(file)
