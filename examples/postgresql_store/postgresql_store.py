"""A store in PostgreSQL: limits, suppressions and the rest in a database that the application already has."""

from __future__ import annotations

from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias

import psycopg

from mailflows import StoreError
from mailflows.limits import RowStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
Secrets: TypeAlias = "bytes | Sequence[bytes]"

TABLE = """
CREATE TABLE IF NOT EXISTS mailflows (
    key text COLLATE "C" PRIMARY KEY, value bytea NOT NULL, until double precision NOT NULL
);
CREATE INDEX IF NOT EXISTS mailflows_until ON mailflows (until);
"""
NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(key, 0)) FROM unnest(%s::text[]) AS key"
GET = "SELECT value, until FROM mailflows WHERE key = %s"
PUT = (
    "INSERT INTO mailflows VALUES (%s, %s, %s) "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value, until = excluded.until"
)
ROWS = "SELECT key, value, until FROM mailflows WHERE key >= %s AND key < %s"


class PostgreSQLStore(RowStore):
    """Counters and documents in a table, exact for all machines that share the database.

    An advisory lock covers each row of a transaction, whether it exists or not (PostgreSQL manual, 13.3.5).
    The clock is the server's, the same for all. Connections are opened as threads need them, and reused.

    Args:
        conninfo: What psycopg connects to, such as ``postgresql://app@localhost/app``.
        timeout: Seconds to wait for a connection, and for a lock.
        secret: See `RowStore`.
    """

    def __init__(self, conninfo: str, *, timeout: float = 2.0, secret: Secrets | None = None) -> None:
        super().__init__("PostgreSQL", secret=secret)
        self._conninfo, self._timeout = conninfo, timeout
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        with self._connected() as connection:
            connection.execute(TABLE)

    @contextmanager
    def transaction(self, keys: Sequence[str]) -> Iterator[_Rows]:
        """See `RowStore.transaction`."""
        with self._connected() as connection, connection.transaction():
            connection.execute(LOCK, [list(keys)])
            yield _Rows(connection)

    def rows(self, prefix: str) -> list[tuple[str, bytes, float]]:
        """See `RowStore.rows`."""
        with self._connected() as connection:
            found = connection.execute(ROWS, [prefix, prefix + "\x7f"]).fetchall()
        return [(key, bytes(value), until) for key, value, until in found]

    def purge(self) -> int:
        """Delete the rows that have expired, and return how many; once an hour is often enough."""
        with self._connected() as connection:
            now = _Rows(connection).now()
            return connection.execute("DELETE FROM mailflows WHERE until < %s", [now]).rowcount

    def close(self) -> None:
        """Close idle connections; the next use opens a new one."""
        while not self._idle.empty():
            self._idle.get_nowait().close()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Yield a connection for exclusive use; a broken one is closed."""
        connection = None
        try:
            connection = self._taken()
            yield connection
        except psycopg.errors.LockNotAvailable as problem:
            msg = f"{self.name}: busy; others held the same rows for {self._timeout:g} s"
            raise StoreError(msg, store=self.name, is_busy=True) from problem
        except psycopg.Error as problem:
            msg = f"{self.name}: {type(problem).__name__}"
            raise StoreError(msg, store=self.name) from problem
        finally:
            if connection is not None and not connection.closed:
                self._idle.put(connection)

    def _taken(self) -> Connection:
        try:
            return self._idle.get_nowait()
        except Empty:
            seconds = max(2, round(self._timeout))  # the least that libpq takes
            options = f"-c lock_timeout={self._timeout * 1000:.0f}"
            return psycopg.connect(self._conninfo, autocommit=True, connect_timeout=seconds, options=options)


class _Rows:
    """Rows that a transaction holds."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def now(self) -> float:
        """See `mailflows.limits.Rows`."""
        (row,) = self._connection.execute(NOW).fetchall()
        return float(row[0])

    def get(self, key: str) -> tuple[bytes, float] | None:
        """See `mailflows.limits.Rows`."""
        row = self._connection.execute(GET, [key]).fetchone()
        return None if row is None else (bytes(row[0]), row[1])

    def put(self, key: str, value: bytes | None, until: float) -> None:
        """See `mailflows.limits.Rows`."""
        if value is None:
            self._connection.execute("DELETE FROM mailflows WHERE key = %s", [key])
        else:
            self._connection.execute(PUT, [key, value, until])
