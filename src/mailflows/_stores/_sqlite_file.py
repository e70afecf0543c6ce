"""An SQLite file shared by threads and processes: one connection per process, and retries for locks."""

from __future__ import annotations

import os
import random
import secrets
import sqlite3
import struct
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows._stores import _forks
from mailflows.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["SQLiteFile"]

_TABLES = (
    "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS states (key BLOB PRIMARY KEY, state, until REAL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS documents (key TEXT PRIMARY KEY, value BLOB, until REAL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS ending ON documents (until) WHERE until IS NOT NULL",
)

# by definition: counts the changes of the tables
VERSION = 1
"""Of the tables; kept in the file as ``user_version``."""

_CONTENTION = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
"""Others are in the file; the last is what a race for the write-ahead log gives (sqlite.org/rescode.html)."""

_inherited: list[sqlite3.Connection] = []
"""Connections of a parent process: they must be neither used nor closed here (sqlite.org/howtocorrupt.html,
section 2.6)."""


class SQLiteFile:
    """An SQLite file, opened on first use by each process for itself.

    SQLite lets one writer in at a time, so the threads of a process share one connection and queue for it;
    that is fairer, and cheaper, than many connections that find each other's locks.

    Args:
        path: The file; made with its tables if it is not there.
        timeout: Seconds for which a transaction waits while others are in the file.
        is_read_only: Whether it is only looked at: nothing is made, and nothing can be written.
    """

    def __init__(self, path: str | os.PathLike[str], *, timeout: float, is_read_only: bool = False) -> None:
        self.is_read_only = is_read_only
        self._begin = "BEGIN" if is_read_only else "BEGIN IMMEDIATE"
        self.path = Path(path).absolute()
        self._place = str(self.path)
        self.name = f"SQLite {self.path}"
        self._timeout = timeout
        self._lock = threading.Lock()
        self._cursor: sqlite3.Cursor | None = None
        self._opened: tuple[int, int] | None = None
        _forks.note(self)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Cursor]:
        """Lock the file for one step; on any failure, roll back and raise a `StoreError`."""
        deadline = time.monotonic() + self._timeout
        lock = self._lock
        if not lock.acquire(timeout=self._timeout):
            raise self._busy()
        try:
            yield from self._step(deadline)
        finally:
            lock.release()

    def _step(self, deadline: float) -> Iterator[sqlite3.Cursor]:
        try:
            cursor = self._current(deadline)
            try:
                cursor.execute(self._begin)  # at once, where nobody else is in the file
            except sqlite3.OperationalError:
                self._patiently(lambda: cursor.execute(self._begin), deadline)
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                if cursor.connection.in_transaction:
                    cursor.execute("ROLLBACK")
                raise
        except (sqlite3.Error, struct.error) as problem:  # the latter for a state that was damaged
            if _is_contention(problem):
                raise self._busy() from problem
            msg = f"{self.name}: {problem}"
            raise StoreError(msg, store=self.name) from problem

    def _busy(self) -> StoreError:
        msg = f"{self.name}: busy; other processes kept the file locked for {self._timeout:g} s"
        return StoreError(msg, store=self.name, is_busy=True)

    def secret(self, *, is_needed: bool) -> bytes | None:
        """Return the secret that was made with the file.

        Raises:
            StoreError: If the file cannot be opened, or has lost it and it is needed.
        """
        with self.transaction() as cursor:
            row = cursor.execute("SELECT value FROM facts WHERE name = 'secret'").fetchone()
        if row is None and is_needed:
            msg = (
                f"{self.name}: the secret for its hashes is gone; restore the file from a backup, "
                "or delete it"
            )
            raise StoreError(msg, store=self.name, is_lost=True)
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        """Close the connection of this process; the next use opens the file again."""
        with self._lock:
            self._forget()

    def _patiently(self, step: Callable[[], object], deadline: float) -> None:
        """Take a step that needs the lock; if it is held, retry soon, with jitter.

        SQLite's own busy handler sleeps up to 100 ms at a time, and the same for all. A rare collision ends
        in a moment, so the first pause is short; where many write, each hand-over makes the next one read the
        file anew, so longer pauses let each do several decisions in a row (benchmarks/limits_sqlite.py).
        """
        pause = 0.001
        while True:
            try:
                step()
            except sqlite3.OperationalError as problem:
                if not _is_contention(problem) or time.monotonic() > deadline:
                    raise
                time.sleep(pause * random.random())  # noqa: S311 -- no secret
                pause = 0.01
            else:
                return

    def _current(self, deadline: float) -> sqlite3.Cursor:
        """Return the cursor of this process; of a file that was deleted or replaced, of the new one."""
        if self._cursor is None or self._opened != self.identity():
            self._forget()
            self._cursor = self._open(deadline)
            self._opened = self.identity()
        return self._cursor

    def identity(self) -> tuple[int, int] | None:
        """Return what tells the file from another one that is put in its place; `None` for no file."""
        try:
            found = os.stat(self._place)  # noqa: PTH116 -- asked at every step: faster
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _open(self, deadline: float) -> sqlite3.Cursor:
        """Open the file, and make its tables."""
        place = f"{self.path.as_uri()}?mode={'ro' if self.is_read_only else 'rwc'}"
        connection = sqlite3.connect(
            place, uri=True, timeout=0.0, isolation_level=None, check_same_thread=False
        )
        try:
            cursor = connection.cursor()
            self._patiently(lambda: (_look if self.is_read_only else _prepare)(cursor), deadline)
        except BaseException:
            connection.close()
            raise
        return cursor

    def _forget(self) -> None:
        """Close the connection."""
        if self._cursor is not None:
            self._cursor.connection.close()
            self._cursor = None

    def _after_fork(self) -> None:
        """Open the file anew in a child."""
        if self._cursor is not None:
            _inherited.append(self._cursor.connection)
            self._cursor = None

    def __del__(self) -> None:
        if getattr(self, "_cursor", None) is not None:
            self._forget()


def _is_contention(problem: Exception) -> bool:
    """Return whether a problem only says that others are in the file."""
    return getattr(problem, "sqlite_errorcode", 0) & 0xFF in _CONTENTION


def _look(cursor: sqlite3.Cursor) -> None:
    """See that there are tables of this version."""
    found = cursor.execute("PRAGMA user_version").fetchone()[0]
    if found != VERSION:
        msg = (
            f"its tables have version {found}, but this release reads {VERSION}; it may not be a "
            "mailflows store"
        )
        raise sqlite3.DatabaseError(msg)


def _prepare(cursor: sqlite3.Cursor) -> None:
    """Set how the file is used, and make what is missing in it, all of it or nothing."""
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    found = cursor.execute("PRAGMA user_version").fetchone()[0]
    if found == VERSION:
        return
    if found > VERSION:
        msg = f"its tables have version {found}, but this release supports only {VERSION}: upgrade mailflows"
        raise sqlite3.DatabaseError(msg)
    cursor.execute("BEGIN IMMEDIATE")
    try:
        is_new = cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone() is None
        for table in _TABLES:
            cursor.execute(table)
        if is_new:
            cursor.execute("INSERT INTO facts VALUES ('secret', ?)", (secrets.token_bytes(32),))
        cursor.execute(f"PRAGMA user_version = {VERSION}")
        cursor.execute("COMMIT")
    except BaseException:
        cursor.execute("ROLLBACK")
        raise
