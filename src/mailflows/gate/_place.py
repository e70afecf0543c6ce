"""Where state is kept: the store that ``[gate]`` names; the secret of its hashes is kept elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mailflows._stores._keys import KeyRing
from mailflows.errors import ConfigurationError, MissingExtra
from mailflows.limits import MemoryStore, RedisStore, SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mailflows.flows._file import SettingsFile
    from mailflows.limits import Store

__all__ = ["SECRETS", "missing_from_file", "secrets_in", "store_at", "store_from_file", "store_in"]

SECRETS = ("secret_env", "secret_file")
"""Keys that say where the secret is; it is never in the settings themselves."""

_SERVERS = ("redis:", "rediss:", "unix:")
"""How the URL of a server begins: with its slashes forgotten, it is not meant as the name of a file."""


def store_from_file(file: SettingsFile, *, read_only: bool = False) -> Store:
    """Return the store that a file names; without a name, state ends with the process."""
    table = file.tables.get("gate", {})
    with file.at("gate"):
        return store_in(table if isinstance(table, Mapping) else {}, file.path.parent, read_only=read_only)


def missing_from_file(file: SettingsFile) -> Path | None:
    """Return the store that a file names and that is not there yet, or `None`."""
    table = file.tables.get("gate", {})
    name = table.get("store") if isinstance(table, Mapping) else None
    if not isinstance(name, str) or _is_server(name):
        return None
    path = file.path.parent / name
    return None if _has_content(path) else path


def store_in(table: Mapping[str, Any], folder: Path, *, read_only: bool = False) -> Store:
    """Return the store that the table ``[gate]`` names.

    Raises:
        ConfigurationError: If there is no such place, or no such secret.
    """
    name = table.get("store")
    secrets = secrets_in(table, folder)
    if not isinstance(name, str):
        if secrets is not None:
            msg = "[gate] a secret does nothing without a store: add store"
            raise ConfigurationError(msg, field="store")
        return MemoryStore()
    return store_at(name, folder, secrets, read_only=read_only)


def secrets_in(table: Mapping[str, Any], folder: Path) -> tuple[bytes, ...] | None:
    """Return the secrets of a store, newest first; `None` where it makes its own.

    Raises:
        ConfigurationError: If one is not there, or too short; the text does not show it.
    """
    given = [key for key in SECRETS if table.get(key)]
    if not given:
        return None
    if len(given) > 1:
        msg = f"{' and '.join(given)} are both set: keep one of them"
        raise ConfigurationError(msg, field=given[1])
    (key,) = given
    names = [table[key]] if isinstance(table[key], str) else list(table[key])
    read = _of_variable if key == "secret_env" else _of_file
    secrets = tuple(read(str(name), folder) for name in names)
    try:
        KeyRing(secrets)
    except ConfigurationError as error:
        msg = f"{key}: {error}"
        raise ConfigurationError(msg, field=key) from None
    return secrets


def _of_variable(name: str, _folder: Path) -> bytes:
    if name not in os.environ:
        msg = f"secret_env: the environment has no variable {name[:60]}"
        raise ConfigurationError(msg, field="secret_env")
    return os.environ[name].strip().encode("utf-8", "surrogateescape")


def _of_file(name: str, folder: Path) -> bytes:
    path = folder / name
    try:
        return path.read_bytes().rstrip(b"\r\n")
    except (OSError, ValueError) as error:
        msg = f"secret_file: {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise ConfigurationError(msg, field="secret_file") from error


def store_at(name: str, folder: Path, secrets: Sequence[bytes] | None, *, read_only: bool = False) -> Store:
    """Return the store that is named: a Redis server, or a private file next to the settings.

    A store that is only read is not created: if there is no file yet, nothing was ever stored.
    """
    if _is_server(name):
        return RedisStore(_client(name), secret=secrets, read_only=read_only)
    file = folder / name
    if read_only:
        return SQLiteStore(file, secret=secrets, read_only=True) if _has_content(file) else MemoryStore()
    if not file.exists():
        with suppress(OSError):  # the store says by itself what is wrong with the place
            file.touch(0o600)
    return SQLiteStore(file, secret=secrets)


def _is_server(name: str) -> bool:
    return "://" in name or name.startswith(_SERVERS)


def _has_content(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


def _client(url: str) -> Any:  # noqa: ANN401 -- of an extra
    parts = urlsplit(url)
    if not url.startswith(tuple(f"{scheme}//" for scheme in _SERVERS)) or parts.password:
        scheme, has_slashes = url.partition(":")[0], "://" in url
        why = f"{scheme}:// is neither" if has_slashes else f"{scheme}: is written with two slashes"
        why = "its password does not belong in a file" if parts.password else why
        msg = (
            f"[gate] store is a file, or redis://host:port/0 without a password; {why}: for another client, "
            "use Gate.from_toml(path, store=RedisStore(client))"
        )
        raise ConfigurationError(msg, field="store")
    try:
        import redis  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise MissingExtra("redis", "redis") from error  # noqa: EM101 -- a name, no message
    return redis.Redis.from_url(url)
