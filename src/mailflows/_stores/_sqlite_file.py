"""An SQLite file that threads and processes share: connections of their own, and short transactions."""

from __future__ import annotations

import os
import random
import secrets
import sqlite3
import struct
import threading
import time
import weakref
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["SQLiteFile"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS states (key BLOB PRIMARY KEY, state, until REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (key TEXT PRIMARY KEY, value BLOB, until REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ending ON documents (until) WHERE until IS NOT NULL;
"""

_inherited: list[sqlite3.Connection] = []
"""Connections of a parent process: they must be neither used nor closed here (sqlite.org/howtocorrupt.html,
section 2.6)."""


class _Gate:
    """Keeps a fork out of the middle of a step.

    SQLite notes in the process's own memory who holds a lock. A child that is made while another thread
    holds one inherits the note, and not the thread: to it, the file would be locked for ever.
    """

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin with nobody inside, as a child does."""
        self._changed = threading.Condition(threading.Lock())
        self._inside = 0
        self._is_closed = False

    def __enter__(self) -> None:
        with self._changed:
            while self._is_closed:
                self._changed.wait()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in, and wait for those inside; not for ever, should the forking thread be one."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: self._inside == 0, timeout=LONGEST_STEP)

    def open(self) -> None:
        """Let all in again."""
        with self._changed:
            self._is_closed = False
            self._changed.notify_all()


LONGEST_STEP = 1.0
"""Seconds for which a fork waits for the steps that have begun."""

_gate = _Gate()


class SQLiteFile:
    """An SQLite file, opened on first use by each thread and process for itself.

    Args:
        path: The file; made with its tables if it is not there.
        timeout: Seconds after which a transaction gives up because others hold the lock.
    """

    def __init__(self, path: str | os.PathLike[str], *, timeout: float) -> None:
        self.path = Path(path).absolute()
        self.name = f"SQLite {self.path}"
        self._timeout = timeout
        self._mine = threading.local()
        self._opened: weakref.WeakSet[_Connection] = weakref.WeakSet()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Cursor]:
        """Hold the file for one step; whatever goes wrong, it is as before, and a `StoreError`."""
        with _gate:
            yield from self._step()

    def _step(self) -> Iterator[sqlite3.Cursor]:
        try:
            cursor = self._cursor()
            self._patiently(lambda: cursor.execute("BEGIN IMMEDIATE"))
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                if cursor.connection.in_transaction:
                    cursor.execute("ROLLBACK")
                raise
        except (sqlite3.Error, struct.error) as problem:  # the latter for a state that was damaged
            msg = f"{self.name}: {problem}"
            raise StoreError(msg, store=self.name) from problem

    def secret(self) -> bytes:
        """Return the secret that was made with the file.

        Raises:
            StoreError: If the file cannot be opened.
        """
        with self.transaction() as cursor:
            (kept,) = cursor.execute("SELECT value FROM facts WHERE name = 'secret'").fetchone()
            return bytes(kept)

    def close(self) -> None:
        """Close the connections that this process opened; the next use opens the file again."""
        for connection in list(self._opened):
            connection.close()
        self._opened = weakref.WeakSet()
        self._mine = threading.local()

    def _patiently(self, step: Callable[[], object]) -> None:
        """Take a step that needs the lock; where others hold it, try again soon, each at another moment.

        SQLite's own busy handler sleeps up to 100 ms at a time, and the same for all. A rare collision ends
        in a moment, so the first pause is short; where many write, each hand-over makes the next one read the
        file anew, so longer pauses let each do several decisions in a row (benchmarks/limits_sqlite.py).
        """
        deadline = time.monotonic() + self._timeout
        pause = 0.001
        while True:
            try:
                step()
            except sqlite3.OperationalError as problem:
                if problem.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(pause * random.random())  # noqa: S311 -- no secret
                pause = 0.01
            else:
                return

    def _cursor(self) -> sqlite3.Cursor:
        """Return this thread's own cursor, in this process."""
        mine: _Connection | None = getattr(self._mine, "connection", None)
        if mine is None or mine.owner != os.getpid() or mine.file != self.identity():
            self._mine.connection = (
                None  # of a file that was deleted or replaced: closed before it is forgotten
            )
            cursor = self._open()
            mine = self._mine.connection = _Connection(cursor, self.identity())
            self._opened.add(mine)
        return mine.cursor

    def identity(self) -> tuple[int, int] | None:
        """Return what tells the file from another one that is put in its place; `None` for no file."""
        try:
            found = os.stat(self.path)  # noqa: PTH116 -- asked at every step: faster
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _open(self) -> sqlite3.Cursor:
        """Open the file, and make its tables."""
        connection = sqlite3.connect(self.path, timeout=0.0, isolation_level=None, check_same_thread=False)
        try:
            cursor = connection.cursor()
            self._patiently(lambda: _prepare(cursor))
        except BaseException:
            connection.close()
            raise
        return cursor


class _Connection:
    """A connection of one thread in one process, which closes it when the thread ends."""

    __slots__ = ("__weakref__", "cursor", "file", "owner")

    def __init__(self, cursor: sqlite3.Cursor, file: tuple[int, int] | None) -> None:
        self.cursor = cursor
        self.file = file
        self.owner = os.getpid()

    def close(self) -> None:
        """Close what this process opened; what it inherited must only be kept from being closed."""
        if self.owner == os.getpid():
            self.cursor.connection.close()
        else:
            _inherited.append(self.cursor.connection)

    def __del__(self) -> None:
        self.close()


def _prepare(cursor: sqlite3.Cursor) -> None:
    """Set how the file is used, and make what is missing in it."""
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    if cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'ending'").fetchone() is None:
        cursor.executescript(_SCHEMA)
    if cursor.execute("SELECT 1 FROM facts WHERE name = 'secret'").fetchone() is None:
        cursor.execute("INSERT OR IGNORE INTO facts VALUES ('secret', ?)", (secrets.token_bytes(32),))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_gate.close, after_in_parent=_gate.open, after_in_child=_gate.renew)
