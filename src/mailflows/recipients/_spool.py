"""The rows of a list on disk, as they were read and as they were judged, so that memory does not grow.

A temporary SQLite file holds the rows; it is gone when the report is, unless the report is saved. What the
DNS said is kept in the same way or, where the user names a file, in that file: an interrupted list resumes
from there.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from mailflows._mailbox import duplicate_key
from mailflows.errors import ConfigurationError
from mailflows.recipients._csv import PLAIN
from mailflows.recipients._domain import NOT_ASKED, DomainFacts
from mailflows.recipients._report import (
    OF_THE_LIST,
    Deliverability,
    DomainState,
    RecipientReport,
    Trait,
    make_reason,
)
from mailflows.recipients._status import SUPPRESSED

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from mailflows.recipients._csv import Dialect

__all__ = ["DomainCache", "Entry", "Judged", "JudgedRow", "Spool", "opened", "pack"]

DAY = 86_400.0

_REMEMBERED = 200_000
"""Domains that are kept in memory, so that it stays flat. A bound on work."""

_PAGE = 5_000  # bound: keeps work and memory flat


class _Closing(sqlite3.Connection):
    """Closed with what holds it: a report has no end to say so at, and Python 3.13 warns of what is left."""

    def __del__(self) -> None:
        self.close()


def opened(place: str | os.PathLike[str] = "", *, uri: bool = False) -> sqlite3.Connection:
    """Open a file of rows for any thread; without a name a private one on disk, which SQLite removes."""
    return sqlite3.connect(place, check_same_thread=False, factory=_Closing, uri=uri)


class Entry(NamedTuple):
    """One address of a row, or a row in which there is nothing to check.

    Attributes:
        id: Place among all entries.
        number: Place of its row among the input rows, from 0.
        line: Line of the file, or place in the iterable, from 1.
        text: The address as it was read.
        cells: The whole row as JSON, on its first entry only; `None` for a list without columns.
        problem: What is wrong where there is nothing to check; else empty.
        outcome: Number of what was found, or `None`.
        suggestion: What was probably meant, or `None`.
        first: Line of the row that writes to the same mailbox further up, or `None`.
        mark: Why its mailbox is not to be mailed, by a column of status; else empty.
    """

    id: int
    number: int
    line: int
    text: str
    cells: str | None
    problem: str
    outcome: int | None
    suggestion: str | None
    first: int | None
    mark: str


_JUDGED = (
    "FROM entry LEFT JOIN verdict ON verdict.id = entry.id LEFT JOIN alike ON alike.domain = entry.simple"
    " WHERE entry.problem = ''"
)
"""Every entry with a verdict of its own or, where its domain alone decides, that of the domain."""


class Spool:
    """The rows, in order, and what was found about them."""

    def __init__(self, database: sqlite3.Connection | None = None) -> None:
        if database is not None:
            self.database = database
            return
        # Small lists never leave memory.
        self.database = opened()
        self.database.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE entry (id INTEGER PRIMARY KEY,"
            " number, line, text, cells, problem, simple, key INTEGER, mark);"
            "CREATE TABLE verdict (id INTEGER PRIMARY KEY, outcome, suggestion, class);"
            "CREATE TABLE alike (domain TEXT PRIMARY KEY, outcome, class) WITHOUT ROWID;"
            "CREATE TABLE outcome (id INTEGER PRIMARY KEY, facts);"
            "CREATE TABLE meta (name TEXT PRIMARY KEY, value);"
        )

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def add(self, rows: Iterable[tuple[int, int, str, str | None, str, str | None, int | None, str]]) -> None:
        """Take entries in.

        Each is (number, line, text, cells, problem, domain if it alone decides, mailbox, mark).
        """
        self.database.executemany(
            "INSERT INTO entry (number, line, text, cells, problem, simple, key, mark)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    def spread_marks(self) -> None:
        """Mark every entry of a mailbox that is not to be mailed by one of them: who opted out stays out."""
        self.database.execute(
            "CREATE TEMP TABLE marked AS SELECT key, mark FROM entry"
            " WHERE mark != '' AND key IS NOT NULL GROUP BY key"
        )
        self.database.execute("CREATE UNIQUE INDEX temp.by_marked ON marked (key)")
        self.database.execute(
            "UPDATE entry SET mark = (SELECT mark FROM marked WHERE marked.key = entry.key)"
            " WHERE mark = '' AND key IN (SELECT key FROM marked)"
        )
        self.database.execute("DROP TABLE marked")

    def find_duplicates(self) -> int:
        """Find the entries that write to a mailbox of an earlier row; return how many."""
        self.database.execute("CREATE INDEX by_key ON entry (key, id) WHERE key IS NOT NULL")
        self.database.execute(
            "CREATE TABLE duplicate AS SELECT id, first FROM"
            " (SELECT id, MIN(id) OVER (PARTITION BY key) AS first FROM entry WHERE key IS NOT NULL)"
            " WHERE id > first"
        )
        self.database.execute("CREATE UNIQUE INDEX by_id ON duplicate (id)")
        (count,) = self.database.execute("SELECT COUNT(*) FROM duplicate").fetchone()
        return int(count)

    def unjudged(self) -> Iterator[list[tuple[int, str, str | None]]]:
        """Yield (id, text, domain if it alone decides) of what is to be judged, many at a time."""
        last = 0
        while True:
            page = self.database.execute(
                "SELECT id, text, simple FROM entry WHERE id > ? AND problem = '' ORDER BY id LIMIT ?",
                (last, _PAGE),
            ).fetchall()
            if not page:
                return
            last = page[-1][0]
            yield page

    def keep(self, verdicts: Iterable[tuple[int, int, str | None, int]]) -> None:
        """Keep what was found: (id, outcome, suggestion, class)."""
        self.database.executemany("INSERT INTO verdict VALUES (?, ?, ?, ?)", verdicts)

    def keep_alike(self, verdicts: Iterable[tuple[str, int, int]]) -> None:
        """Keep what was found about every entry of a domain that alone decides: (domain, outcome, class)."""
        self.database.executemany("INSERT OR REPLACE INTO alike VALUES (?, ?, ?)", verdicts)

    def keep_outcomes(self, found: Iterable[tuple[int, str]]) -> None:
        """Keep what many entries share, each under its number."""
        self.database.executemany("INSERT INTO outcome VALUES (?, ?)", found)

    def outcome(self, number: int) -> str:
        """Return what was kept under a number."""
        (facts,) = self.database.execute("SELECT facts FROM outcome WHERE id = ?", (number,)).fetchone()
        return str(facts)

    def classes(self) -> dict[int, int]:
        """Return how many mailboxes are in each class, each once and in the worst that was found.

        Those that are not to be mailed, by a column of status, are left out.
        """
        return dict(
            self.database.execute(
                "SELECT class, COUNT(*) FROM (SELECT MAX(COALESCE(verdict.class, alike.class)) AS class"  # noqa: S608 -- a constant
                f" {_JUDGED} AND entry.mark = '' GROUP BY COALESCE(entry.key, -entry.id)) GROUP BY class"
            )
        )

    def marks(self, suppressed: int) -> Counter[str]:
        """Return how many rows are left out because every address of them is marked, by the first mark.

        Args:
            suppressed: The class from which on an address is marked by what is known of it alone.
        """
        return Counter(
            dict(
                self.database.execute(
                    "SELECT why, COUNT(*) FROM (SELECT MIN(id), why, SUM(why = '') AS free FROM"  # noqa: S608 -- constants
                    " (SELECT entry.id, entry.number, CASE WHEN entry.mark != '' THEN entry.mark"
                    f" WHEN verdict.class >= ? THEN '{SUPPRESSED}' ELSE '' END AS why {_JUDGED})"
                    " GROUP BY number) WHERE free = 0 GROUP BY why",
                    (suppressed,),
                )
            )
        )

    def entries(self) -> Iterator[Entry]:
        """Yield every entry with what was found, in order."""
        last = 0
        while True:
            page = self.database.execute(
                "SELECT entry.id, entry.number, entry.line, entry.text, entry.cells, entry.problem,"
                " COALESCE(verdict.outcome, alike.outcome), verdict.suggestion, other.line, entry.mark"
                " FROM entry"
                " LEFT JOIN verdict ON verdict.id = entry.id LEFT JOIN alike ON alike.domain = entry.simple"
                " LEFT JOIN duplicate ON duplicate.id = entry.id"
                " LEFT JOIN entry AS other ON other.id = duplicate.first"
                " WHERE entry.id > ? ORDER BY entry.id LIMIT ?",
                (last, _PAGE),
            ).fetchall()
            if not page:
                return
            last = page[-1][0]
            yield from map(Entry._make, page)

    def outcomes(self) -> list[tuple[int, int]]:
        """Return how many entries share each outcome."""
        return self.database.execute(
            f"SELECT COALESCE(verdict.outcome, alike.outcome) AS found, COUNT(*) {_JUDGED} GROUP BY found"
        ).fetchall()

    def has_key(self, key: str) -> bool:
        """Return whether a mailbox is in the list."""
        found = self.database.execute("SELECT 1 FROM entry WHERE key = ? LIMIT 1", (number_of(key),))
        return found.fetchone() is not None

    def write_meta(self, name: str, value: str) -> None:
        """Store a text along with the rows."""
        self.database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
        self.database.commit()

    def read_meta(self, name: str) -> str:
        """Return a text stored along with the rows."""
        (value,) = self.database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(value)


def number_of(key: str) -> int:
    """Return a number that stands for a mailbox, the same in every process."""
    return int.from_bytes(blake2b(key.encode("utf-8", "replace"), digest_size=7).digest())


class DomainCache:
    """Which domains a list has, and what the DNS said of them.

    Args:
        cache: File that keeps what the DNS said; a temporary one by default.
        now: Unix seconds.
        max_age: Seconds for which it is believed.
    """

    def __init__(self, cache: str | os.PathLike[str] | None, *, now: float, max_age: float = 7 * DAY) -> None:
        self._domains = opened()
        self._domains.execute("CREATE TABLE wanted (name TEXT PRIMARY KEY) WITHOUT ROWID")
        self._now = now
        self._seen: set[str] = set()
        self._has_spilled = False
        self._unknown: dict[str, DomainFacts] = {}
        self.rest = NOT_ASKED
        try:
            self._facts = opened("" if cache is None else cache)
            self._facts.execute(
                "CREATE TABLE IF NOT EXISTS domain (name TEXT PRIMARY KEY, state, evidence, hosts, asked)"
            )
            self._facts.execute("DELETE FROM domain WHERE asked < ?", (now - max_age,))
            self._facts.commit()
        except sqlite3.Error as error:
            self._domains.close()
            msg = f"the cache file cannot be used: {error}"
            raise ConfigurationError(msg, field="cache") from error

    def close(self) -> None:
        """Close the files."""
        self._domains.close()
        self._facts.close()

    def is_new(self, domain: str) -> bool:
        """Return whether a domain was not seen before in this list, and remember it."""
        if domain in self._seen:
            return False
        if len(self._seen) >= _REMEMBERED:
            self._domains.executemany("INSERT OR IGNORE INTO wanted VALUES (?)", zip(self._seen))
            self._seen.clear()
            self._has_spilled = True
        self._seen.add(domain)
        return not self._has_spilled or not self._was_wanted(domain)

    def _was_wanted(self, domain: str) -> bool:
        found = self._domains.execute("SELECT 1 FROM wanted WHERE name = ?", (domain,))
        return found.fetchone() is not None

    def knows(self, domain: str) -> bool:
        """Return whether the DNS was asked about a domain before."""
        return self._facts.execute("SELECT 1 FROM domain WHERE name = ?", (domain,)).fetchone() is not None

    def keep(self, found: Iterable[tuple[str, DomainFacts]]) -> None:
        """Keep what the DNS said, at once: an interrupted list resumes from here.

        "No answer" is kept for this list only, so that it is asked again the next time.
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
        return DomainFacts(
            DomainState(str(found[0]).replace("_", "-")), found[1], tuple(json.loads(found[2]))
        )


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """One input row and what was found.

    Attributes:
        number: Place among the input rows, from 0.
        line: Line of the file, or place in the iterable, from 1.
        cells: The whole row, one text a column; empty for a list without columns.
        problem: What is wrong with a row in which there is nothing to check; else empty.
        reports: A report on each address of the row.
        firsts: For each report the line of the row that writes to the same mailbox further up, or `None`.
        marks: For each report why its mailbox is not to be mailed, by a column of status, or ``suppressed``;
            else empty.
    """

    number: int
    line: int
    cells: tuple[str, ...]
    problem: str
    reports: tuple[RecipientReport, ...]
    firsts: tuple[int | None, ...]
    marks: tuple[str, ...]


def pack(report: RecipientReport, unicode: str | None) -> str:
    """Return what a report shares with others of its domain and kind, as text."""
    facts = {
        "verdict": report.verdict,
        "reasons": [[r.code, dict(r.parameters), list(r.evidence), r.verdict] for r in report.reasons],
        "traits": sorted(report.traits),
        "domain": report.domain,
        "unicode": unicode,
        "state": report.domain_state,
        "hosts": report.mail_hosts,
        "provider": report.mail_provider,
        "utf8": report.needs_smtputf8,
    }
    return _encode(facts)


_encode = json.JSONEncoder(ensure_ascii=False).encode
"""Made once: `json.dumps` makes an encoder for each call with an option."""


class Judged:
    """The rows of a list with their verdicts, on disk.

    Args:
        spool: The rows.
        columns: Names of the columns; empty for a list without.
        column: The one with the addresses.
        checked_at: When they were judged.
        frame: The data frame that they came from, or `None`.
        dialect: How the file was written that they came from.
    """

    def __init__(  # noqa: PLR0913 -- made in two places
        self,
        spool: Spool,
        *,
        columns: list[str],
        column: str | None,
        checked_at: datetime,
        frame: Any = None,  # noqa: ANN401 -- pandas is optional
        dialect: Dialect = PLAIN,
    ) -> None:
        self.spool = spool
        self.dialect = dialect
        self.columns = tuple(columns)
        self.column = column
        self.frame = frame
        self.checked_at = checked_at
        self._unpacked: Callable[[int], dict[str, Any]] = lru_cache(maxsize=20_000)(self._unpack)

    def __del__(self) -> None:
        """Remove the temporary file with the report that used it."""
        if hasattr(self, "spool"):
            self.spool.close()

    def rows(self) -> Iterator[JudgedRow]:
        """Yield every input row, in order."""
        for number, group in groupby(self.spool.entries(), key=lambda entry: entry.number):
            entries = list(group)
            head = entries[0]
            judged = [entry for entry in entries if entry.outcome is not None]
            reports = tuple(map(self._report, judged))
            yield JudgedRow(
                number,
                head.line,
                self._cells(head),
                head.problem,
                reports,
                tuple(entry.first for entry in judged),
                tuple(
                    entry.mark or (SUPPRESSED if report.is_suppressed else "")
                    for entry, report in zip(judged, reports, strict=True)
                ),
            )

    def fates(self) -> Iterator[list[tuple[Deliverability, int | None, str, bool]]]:
        """Yield of every row what decides whether it is mailed, without the reports.

        Of each address: its verdict, the line that it duplicates, why a column of status says not to mail
        it, and whether it is suppressed.
        """
        for _, group in groupby(self.spool.entries(), key=lambda entry: entry.number):
            judged = [(entry, self._unpacked(entry.outcome)) for entry in group if entry.outcome is not None]
            yield [
                (facts["verdict"], entry.first, entry.mark, facts["is_suppressed"]) for entry, facts in judged
            ]

    def outcomes(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield what was found and how many rows share it."""
        for number, count in self.spool.outcomes():
            yield self._unpacked(number), count

    def _cells(self, entry: Entry) -> tuple[str, ...]:
        if not self.columns:
            return ()
        cells = json.loads(entry.cells) if entry.cells is not None else [entry.text]
        return tuple(cells) + ("",) * (len(self.columns) - len(cells))

    def _unpack(self, number: int) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.spool.outcome(number))
        facts["reasons"] = tuple(
            replace(
                make_reason(code, *evidence, **parameters),
                verdict=None if best is None else Deliverability(best),
            )
            for code, parameters, evidence, best in facts["reasons"]
        )
        facts["is_suppressed"] = any(reason.code in OF_THE_LIST for reason in facts["reasons"])
        facts["traits"] = frozenset(map(Trait, facts["traits"]))
        facts["hosts"] = tuple(facts["hosts"])
        facts["verdict"] = Deliverability(facts["verdict"])
        facts["state"] = DomainState(facts["state"])
        return facts

    def _report(self, entry: Entry) -> RecipientReport:
        assert entry.outcome is not None  # noqa: S101 -- it was judged
        facts = self._unpacked(entry.outcome)
        text, suggestion = entry.text, entry.suggestion
        local, readable = text.rpartition("@")[0], facts["unicode"] is not None
        return RecipientReport(
            address=text,
            verdict=facts["verdict"],
            reasons=facts["reasons"],
            normalized=f"{local}@{facts['unicode']}" if readable else None,
            ascii=f"{local}@{facts['domain']}" if readable and not facts["utf8"] else None,
            domain=facts["domain"],
            suggestion=suggestion,
            traits=facts["traits"],
            domain_state=facts["state"],
            mail_hosts=facts["hosts"],
            mail_provider=facts["provider"],
            duplicate_key=duplicate_key(local, facts["domain"]) if readable else None,
            needs_smtputf8=facts["utf8"],
            checked_at=self.checked_at,
        )

    def to_bytes(self) -> bytes:
        """Return the whole file, for a pickle."""
        self.spool.database.commit()
        return self.spool.database.serialize()

    @staticmethod
    def spool_of(data: bytes) -> Spool:
        """Return the rows of `to_bytes`."""
        database = opened(":memory:")
        database.deserialize(data)
        return Spool(database)
