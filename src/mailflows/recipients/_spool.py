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
        self._rows.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, line, text, domain INTEGER, key INTEGER)")
        self._rows.execute("CREATE TABLE wanted (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
        self._now = now
        self._ids: dict[str, int] = {}
        self._unknown: dict[str, DomainFacts] = {}
        self.rest = NOT_ASKED
        try:
            self._facts = sqlite3.connect("" if cache is None else cache, check_same_thread=False)
            self._facts.execute(
                "CREATE TABLE IF NOT EXISTS domain (name TEXT PRIMARY KEY, state, evidence, hosts, asked REAL)"
            )
            self._facts.execute("DELETE FROM domain WHERE asked < ?", (now - max_age,))
            self._facts.commit()
        except sqlite3.Error as error:
            self._rows.close()
            raise ConfigurationError(f"the cache file cannot be used: {error}", field="cache") from error

    def close(self) -> None:
        """Give the files back."""
        self._rows.close()
        self._facts.close()

    def __del__(self) -> None:
        """Remove the temporary files with the report that used them."""
        if hasattr(self, "_facts"):
            self.close()

    def add(self, rows: Iterable[tuple[int, str, str | None, str | None]]) -> None:
        """Take rows in: (line, text, domain, duplicate key)."""
        self._rows.executemany(
            "INSERT INTO row (line, text, domain, key) VALUES (?, ?, ?, ?)",
            (
                (line, text, None if domain is None else self._id(domain), None if key is None else hash(key))
                for line, text, domain, key in rows
            ),
        )

    def _id(self, domain: str) -> int:
        known = self._ids.get(domain)
        if known is None:
            if len(self._ids) > 200_000:  # noqa: PLR2004 -- so that memory stays flat
                self._ids.clear()
            self._rows.execute("INSERT OR IGNORE INTO wanted (name) VALUES (?)", (domain,))
            (known,) = self._rows.execute("SELECT id FROM wanted WHERE name = ?", (domain,)).fetchone()
            self._ids[domain] = known
        return int(known)

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

    def unknown_domains(self) -> Iterator[str]:
        """Yield the domains of which nothing is known yet."""
        for (name,) in self._rows.execute("SELECT name FROM wanted ORDER BY id"):
            if self._facts.execute("SELECT 1 FROM domain WHERE name = ?", (name,)).fetchone() is None:
                yield name

    def count_domains(self) -> int:
        """Return how many domains the list has."""
        (count,) = self._rows.execute("SELECT COUNT(*) FROM wanted").fetchone()
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
                final.append((name, str(facts.state), facts.evidence, json.dumps(facts.mail_hosts), self._now))
        with self._facts:
            self._facts.executemany("INSERT OR REPLACE INTO domain VALUES (?, ?, ?, ?, ?)", final)

    def facts(self, domain: str) -> DomainFacts:
        """Return what is known of a domain."""
        found = self._facts.execute("SELECT state, evidence, hosts FROM domain WHERE name = ?", (domain,)).fetchone()
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
