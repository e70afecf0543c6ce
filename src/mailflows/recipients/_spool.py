"""The rows of a list on disk while it is judged, so that memory does not grow with it.

A temporary SQLite file holds the rows; it is gone when the report is. What the DNS said is kept in the
same way or, where the user names a file, in that file: a list that was interrupted goes on from there.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from mailflows.errors import ConfigurationError
from mailflows.recipients._domain import NOT_ASKED, DomainFacts
from mailflows.recipients._report import DomainState

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

__all__ = ["Spool"]

DAY = 86_400.0

_REMEMBERED = 200_000
"""Domains that are kept in memory, so that it stays flat."""


class Spool:
    """Rows, what is known of their domains, and which rows write to one mailbox.

    Args:
        cache: File that keeps what the DNS said; a temporary one by default.
        now: Seconds since 1970.
        max_age: Seconds for which it is believed.
    """

    def __init__(self, cache: str | os.PathLike[str] | None, *, now: float, max_age: float = 7 * DAY) -> None:
        # An empty name is a private file on disk that SQLite removes; small lists never leave memory.
        self._rows = sqlite3.connect("", check_same_thread=False)
        self._rows.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, line, text, key INTEGER)")
        self._domains = sqlite3.connect("", check_same_thread=False)
        self._domains.execute("CREATE TABLE wanted (name TEXT PRIMARY KEY) WITHOUT ROWID")
        self._now = now
        self._seen: set[str] = set()
        self._unknown: dict[str, DomainFacts] = {}
        self.rest = NOT_ASKED
        try:
            self._facts = sqlite3.connect("" if cache is None else cache, check_same_thread=False)
            self._facts.execute(
                "CREATE TABLE IF NOT EXISTS domain (name TEXT PRIMARY KEY, state, evidence, hosts, asked)"
            )
            self._facts.execute("DELETE FROM domain WHERE asked < ?", (now - max_age,))
            self._facts.commit()
        except sqlite3.Error as error:
            self._rows.close()
            self._domains.close()
            msg = f"the cache file cannot be used: {error}"
            raise ConfigurationError(msg, field="cache") from error

    def close(self) -> None:
        """Give the files back."""
        self._rows.close()
        self._domains.close()
        self._facts.close()

    def __del__(self) -> None:
        """Remove the temporary files with the report that used them."""
        if hasattr(self, "_facts"):
            self.close()

    def add(self, rows: Iterable[tuple[int, str, str | None, str | None]]) -> list[str]:
        """Take rows in: (line, text, domain, duplicate key); return the domains that are new."""
        new: list[str] = []
        self._rows.executemany(
            "INSERT INTO row (line, text, key) VALUES (?, ?, ?)",
            (
                (line, text, None if key is None else hash(key))
                for line, text, _, key in self._noting(rows, new)
            ),
        )
        return new

    def _noting(
        self, rows: Iterable[tuple[int, str, str | None, str | None]], new: list[str]
    ) -> Iterator[tuple[int, str, str | None, str | None]]:
        for row in rows:
            domain = row[2]
            if domain is not None and domain not in self._seen:
                if len(self._seen) > _REMEMBERED:
                    self._seen.clear()
                self._seen.add(domain)
                if self._domains.execute("INSERT OR IGNORE INTO wanted VALUES (?)", (domain,)).rowcount:
                    new.append(domain)
            yield row

    def find_duplicates(self) -> int:
        """Find the rows that write to a mailbox that stands further up; return how many."""
        self._rows.execute("CREATE INDEX by_key ON row (key, number) WHERE key IS NOT NULL")
        self._rows.execute(
            "CREATE TABLE duplicate AS SELECT number, first FROM"
            " (SELECT number, MIN(number) OVER (PARTITION BY key) AS first FROM row WHERE key IS NOT NULL)"
            " WHERE number > first"
        )
        self._rows.execute("CREATE UNIQUE INDEX by_number ON duplicate (number)")
        (count,) = self._rows.execute("SELECT COUNT(*) FROM duplicate").fetchone()
        return int(count)

    def knows(self, domain: str) -> bool:
        """Return whether the DNS was asked about a domain before."""
        return self._facts.execute("SELECT 1 FROM domain WHERE name = ?", (domain,)).fetchone() is not None

    def count_domains(self) -> int:
        """Return how many domains the list has."""
        (count,) = self._domains.execute("SELECT COUNT(*) FROM wanted").fetchone()
        return int(count)

    def keep(self, found: Iterable[tuple[str, DomainFacts]]) -> None:
        """Keep what the DNS said, at once: an interrupted list goes on from here.

        «No answer» is kept for this list only, so that it is asked again the next time.
        """
        final = []
        for name, facts in found:
            if facts.state is DomainState.UNKNOWN:
                self._unknown[name] = facts
            else:
                final.append(
                    (name, str(facts.state), facts.evidence, json.dumps(facts.mail_hosts), self._now)
                )
        with self._facts:
            self._facts.executemany("INSERT OR REPLACE INTO domain VALUES (?, ?, ?, ?, ?)", final)

    def facts(self, domain: str) -> DomainFacts:
        """Return what is known of a domain."""
        found = self._facts.execute(
            "SELECT state, evidence, hosts FROM domain WHERE name = ?", (domain,)
        ).fetchone()
        if found is None:
            return self._unknown.get(domain, self.rest)
        return DomainFacts(DomainState(found[0]), found[1], tuple(json.loads(found[2])))

    def rows(self) -> Iterator[tuple[int, str, int | None]]:
        """Yield (line, text, line of the row it duplicates)."""
        yield from self._rows.execute(
            "SELECT row.line, row.text, other.line FROM row"
            " LEFT JOIN duplicate ON duplicate.number = row.number"
            " LEFT JOIN row AS other ON other.number = duplicate.first ORDER BY row.number"
        )
