"""Checking a whole list: read it once, ask each domain once, judge each row once.

What is counted on the way shows patterns that no row shows alone.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING

from mailflows._clock import to_datetime
from mailflows._providers import is_free_mail
from mailflows.errors import ConfigurationError
from mailflows.recipients import _bounce_rate, _reference
from mailflows.recipients._bounce_rate import CLASS_NAMES, SUPPRESSED, class_of, predict
from mailflows.recipients._domain import NOT_ASKED, DomainFacts
from mailflows.recipients._findings import list_finding
from mailflows.recipients._health import WELL, Health, ask_all, trusted
from mailflows.recipients._list_report import ListReport
from mailflows.recipients._report import (
    DEAD,
    Deliverability,
    DomainState,
    Trait,
    make_reason,
)
from mailflows.recipients._rows import Rows, Table, read_table, split_cell
from mailflows.recipients._spool import DomainCache, Judged, Spool, number_of, pack
from mailflows.recipients._status import MARKS
from mailflows.recipients._status import SUPPRESSED as MARK

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from mailflows._result import Reason
    from mailflows.recipients._asks import Asks, History
    from mailflows.recipients._judge import Finding, Judge
    from mailflows.recipients._report import RecipientReason, RecipientReport
    from mailflows.recipients._rows import Row

__all__ = ["check_rows"]

_BATCH = 500  # bound: keeps work and memory flat
_CHUNK = 2_000  # bound: rows that are sent to another process together
_TOP = 20  # bound: keeps work and memory flat
_KEPT_FACTS = 100_000  # bound: keeps work and memory flat
_KEPT_OUTCOMES = 50_000  # bound: keeps work and memory flat


def check_rows(  # noqa: PLR0913 -- the settings of one list
    checker: Asks,
    rows: Rows,
    *,
    column: str | None,
    delivered: History | None,
    cache: str | os.PathLike[str] | None,
    progress: bool | Callable[[int, int], None] | None,
    n_jobs: int = 1,
) -> ListReport:
    """Check a list with the settings of a checker; see `RecipientChecker.check_list`."""
    if n_jobs == 0:
        msg = "n_jobs must be a number of processes, or -1 for every core; 0 has no meaning"
        raise ConfigurationError(msg, field="n_jobs")
    now = checker.clock()
    table = read_table(rows, column=column)
    spool, tally, domains = Spool(), Tally(), DomainCache(cache, now=now)
    try:
        wanted = _take_in(checker, spool, domains, table, tally, n_jobs)
        health = ask_all(checker.resolver, domains, wanted, progress) if checker.dns else WELL
        for _ in wanted:  # what is left to read
            pass
        duplicates = spool.find_duplicates()
        if tally.is_marked:
            spool.spread_marks()
        serial = serial_shapes(tally)
        judging = _Judging(checker, spool, domains, health, delivered, serial, now)
        digest = judging.run(tally)
        if tally.is_marked or checker.looks_up_addresses:
            tally.marks = spool.marks(SUPPRESSED)
    except BaseException:
        spool.close()
        raise
    finally:
        domains.close()
    moment = to_datetime(now)
    judged = Judged(
        spool,
        columns=table.columns,
        column=table.column,
        checked_at=moment,
        frame=table.frame,
        dialect=table.dialect,
    )
    patterns = find_patterns(tally, serial, duplicates, table.status_columns)
    silent_rows, silent = table.silent
    if 0 < silent_rows < tally.rows:  # a column without any answer is not in use
        patterns.insert(0, ("consent-unsaid", silent_rows, silent))
    findings = tuple(list_finding(*one, tally=tally) for one in patterns)
    return _report(checker, table, tally, judged, health, duplicates, digest, findings)


def _report(  # noqa: PLR0913, PLR0917 -- all that was found
    checker: Asks,
    table: Table,
    tally: Tally,
    judged: Judged,
    health: Health,
    duplicates: int,
    digest: str,
    findings: tuple[Reason, ...],
) -> ListReport:
    classes = {CLASS_NAMES[number]: count for number, count in judged.spool.classes().items()}
    bounced = classes.pop("suppressed", 0)
    classes.pop("do-not-mail", None)
    if tally.unreadable:
        classes["undeliverable"] = classes.get("undeliverable", 0) + tally.unreadable
    prediction = predict(
        classes,
        dead=tally.dead,
        asked=tally.asked,
        bounced=bounced,
        delivered=classes.get("delivered", 0),
        rows=tally.rows,
    )
    policies = tuple(
        _bounce_rate.judge(policy, prediction, is_certain=checker.dns, is_believed=not health.trouble)
        for policy in _bounce_rate.known_policies()
    )
    return ListReport(
        rows=tally.rows,
        addresses=tally.checked,
        bad_rows=tally.bad,
        bad_row_examples=tuple(tally.bad_examples),
        verdicts={verdict: tally.verdicts[verdict] for verdict in Deliverability},
        reasons=dict(sorted(tally.reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
        traits={trait: tally.traits[trait] for trait in Trait},
        states={state: tally.states[state] for state in DomainState},
        dead_domain_share=tally.dead_rows / tally.checked if tally.checked else 0.0,
        mistyped=tally.mistyped,
        typos=tuple(tally.typos),
        duplicates=duplicates,
        domains=tally.domains,
        worst_domains=_most(tally.worst),
        providers=_most(tally.providers),
        known_bounces=bounced,
        findings=findings,
        prediction=prediction,
        policies=policies,
        dns=checker.dns,
        resolver_trouble=health.trouble,
        column=table.column,
        column_share=table.share,
        other_columns=table.others,
        do_not_mail={mark: tally.marks[mark] for mark in (*MARKS, MARK) if tally.marks[mark]},
        status_columns=table.status_columns,
        sources=_reference.sources(),
        checked_at=judged.checked_at,
        digest=digest,
        judged=judged,
    )


def _most(counter: Counter[str]) -> tuple[tuple[str, int], ...]:
    """Return the most frequent names; of those with one count the first by the alphabet."""
    return tuple(sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))[:_TOP])


def _take_in(  # noqa: PLR0913, PLR0917 -- made in one place
    checker: Asks, spool: Spool, domains: DomainCache, table: Table, tally: Tally, n_jobs: int
) -> Iterator[str | None]:
    """Read the list into the spool, and yield each new domain; a row without text is counted as bad.

    Between batches `None` is yielded, so that the DNS is heard while a long list is read.
    """
    asked: set[str] = set()
    for batch in _read_batches(checker.judge, table, n_jobs):
        tally.take_in(batch)
        spool.add(batch.entries)
        for domain, meant in batch.domains.items():
            if domains.is_new(domain):
                tally.domains += 1
                yield domain
                if meant and meant not in asked:
                    asked.add(meant)
                    yield meant
        yield None


Entries = list[tuple[int, int, str, str | None, str, str | None, int | None, str]]
"""As `Spool.add` takes them in."""


@dataclass(slots=True)
class _Batch:
    """What is found about some rows offline.

    Attributes:
        rows: How many.
        entries: What goes into the spool.
        domains: Each domain, and the one to ask about that was probably meant.
        shapes: How often each numbered local part occurs.
        is_marked: Whether a column of status says of one of them not to mail it.
        overlong: Lines of those with more cells than columns.
        bad: Line and problem of each row in which there is nothing to check.
    """

    rows: int
    entries: Entries = field(default_factory=list)
    domains: dict[str, str | None] = field(default_factory=dict)
    shapes: Counter[str] = field(default_factory=Counter)
    is_marked: bool = False
    overlong: list[int] = field(default_factory=list)
    bad: list[tuple[int, str]] = field(default_factory=list)


def _read_batches(judge: Judge, table: Table, n_jobs: int) -> Iterator[_Batch]:
    """Find out about all rows offline, in order, in this process or in several."""
    numbered = enumerate(table)
    if n_jobs == 1:
        while rows := list(islice(numbered, _BATCH)):
            yield _read_batch(judge, rows)
        return
    from joblib import Parallel, delayed, effective_n_jobs  # noqa: PLC0415 -- half a second

    chunks = iter(lambda: list(islice(numbered, _CHUNK)), [])
    # Block after block, so that memory does not grow; spool and DNS take in what is found meanwhile.
    with Parallel(n_jobs=n_jobs, return_as="generator") as run:
        while block := list(islice(chunks, 4 * effective_n_jobs(n_jobs))):
            yield from run(delayed(_read_batch)(judge, rows) for rows in block)


def _written(cells: list[str]) -> str:
    """Return cells as JSON; halves of characters, which no file can hold, become question marks."""
    text = _encode(cells)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


_encode = json.JSONEncoder(ensure_ascii=False).encode


def _read_batch(judge: Judge, rows: list[tuple[int, Row]]) -> _Batch:
    """Find out about rows offline."""
    batch = _Batch(len(rows))
    find, entries, domains, shapes = judge.find, batch.entries, batch.domains, batch.shapes
    for number, row in rows:
        cells = None if row.cells is None else _written(row.cells)
        if row.mark:
            batch.is_marked = True
        if row.is_overlong:
            batch.overlong.append(row.line)
        if row.problem:
            batch.bad.append((row.line, row.problem))
            entries.append((number, row.line, "", cells, row.problem, None, None, row.mark))
            continue
        finding = find(row.text)
        texts = [row.text] if finding.profile is not None else split_cell(row.text)
        if cells is None and texts != [row.text]:
            cells = _written([row.text])
        for text in texts:
            if text is not row.text:
                finding = find(text)
            shape = shape_of(finding)
            if shape is not None:
                shapes[shape] += 1
            domain, key = finding.domain, finding.key
            if domain is not None and domain not in domains:
                domains[domain] = finding.meant_domain
            simple = domain if finding.is_simple else None
            mailbox = None if key is None else number_of(key)
            entries.append((number, row.line, text, cells, "", simple, mailbox, row.mark))
            cells = None
    return batch


class _Judging:
    """The one pass in which every address gets its verdict."""

    def __init__(  # noqa: PLR0913, PLR0917 -- made in one place
        self,
        checker: Asks,
        spool: Spool,
        domains: DomainCache,
        health: Health,
        delivered: History | None,
        serial: dict[str, int],
        now: float,
    ) -> None:
        self._checker = checker
        self._spool = spool
        self._domains = domains
        self._health = health
        self._delivered = delivered
        self._serial = {shape: make_reason("serial", shape, count=count) for shape, count in serial.items()}
        self._now = to_datetime(now)
        self._facts: dict[str, DomainFacts] = {}
        self._outcomes: dict[tuple[str | None, tuple[RecipientReason, ...], bool], int] = {}
        self._counted: set[str] = set()
        self._of_domains: dict[str, RecipientReport] = {}
        self._alike: Counter[str] = Counter()
        self._new_domains: list[tuple[str, int, int]] = []
        self._new_outcomes: list[tuple[int, str]] = []
        self._outcome_count = 0
        self._is_without_history = delivered is None and not checker.looks_up_addresses

    def run(self, tally: Tally) -> str:
        """Judge all that was read, and return the digest of the verdicts."""
        digest = blake2b(digest_size=16)
        for page in self._spool.unjudged():
            if len(self._of_domains) > _KEPT_OUTCOMES:
                self._count_alike(tally)
                self._of_domains.clear()
            kept, lines = [], []
            for number, text, domain in page:
                if domain is not None and self._is_alike(text):
                    self._alike[domain] += 1
                    report = self._of_domains.get(domain) or self._of_domain(domain, text, tally)
                else:
                    finding = self._checker.judge.find(text)
                    report = self._judge(finding)
                    tally.count(report)
                    self._count_domain(report, tally)
                    kind = self._class_of(report, is_delivered=_is_in(self._delivered, report))
                    kept.append((number, self._outcome(report, finding), report.suggestion, kind))
                lines.append(f"{text}\0{report.verdict}\n")
            digest.update("".join(lines).encode())
            self._spool.keep(kept)
            self._spool.keep_alike(self._new_domains)
            self._spool.keep_outcomes(self._new_outcomes)
            self._new_domains.clear()
            self._new_outcomes.clear()
        self._count_alike(tally)
        return digest.hexdigest()

    def _count_alike(self, tally: Tally) -> None:
        for domain, times in self._alike.items():
            tally.count(self._of_domains[domain], times=times)
        self._alike.clear()

    def _is_alike(self, text: str) -> bool:
        """Return whether an address at a domain that alone decides needs no look of its own."""
        if not self._is_without_history:
            return False
        return not self._serial or not any(map(str.isdigit, text.partition("@")[0]))

    def _of_domain(self, domain: str, text: str, tally: Tally) -> RecipientReport:
        """Judge all plain addresses of a domain by the first of them."""
        finding = self._checker.judge.find(text)
        report = self._judge(finding)
        self._count_domain(report, tally)
        outcome = self._outcome(report, finding)
        self._new_domains.append((domain, outcome, self._class_of(report)))
        # What is of this one address is not kept: there may be many domains.
        report = replace(report, address="", normalized="", ascii=None, duplicate_key=None)
        self._of_domains[domain] = report
        return report

    def _judge(self, finding: Finding) -> RecipientReport:
        further: tuple[RecipientReason, ...] = ()
        if self._serial and (shape := shape_of(finding)) in self._serial:
            further = (self._serial[shape],)
        wanted = finding.meant_domain
        return self._checker.conclude(
            finding,
            self._facts_of(finding.domain),
            meant=NOT_ASKED if wanted is None else self._facts_of(wanted),
            further=further,
            at=self._now,
        )

    def _class_of(self, report: RecipientReport, *, is_delivered: bool = False) -> int:
        """Return the class of an address; that a sick resolver knows nothing of it is not its fault."""
        return class_of(report, is_delivered=is_delivered, is_heard=not self._health.trouble)

    def _outcome(self, report: RecipientReport, finding: Finding) -> int:
        key = (report.domain, report.reasons, finding.profile is None)
        known = self._outcomes.get(key)
        if known is None:
            if len(self._outcomes) >= _KEPT_OUTCOMES:
                self._outcomes.clear()
            unicode = finding.profile.unicode if finding.profile else None
            self._outcome_count += 1
            known = self._outcomes[key] = self._outcome_count
            self._new_outcomes.append((known, pack(report, unicode)))
        return known

    def _count_domain(self, report: RecipientReport, tally: Tally) -> None:
        """Count a domain that tells of the list's age: one of its own, dead or with ordinary addresses."""
        domain = report.domain
        if domain is None or domain in self._counted or is_free_mail(domain):
            return
        if report.domain_state in DEAD and report.domain_state is not DomainState.SPECIAL_USE:
            tally.dead += 1
        elif report.verdict is not Deliverability.DELIVERABLE or report.domain_state is not DomainState.OK:
            return
        tally.asked += 1
        self._counted.add(domain)

    def _facts_of(self, domain: str | None) -> DomainFacts:
        if domain is None or not self._checker.dns:
            return NOT_ASKED
        facts = self._facts.get(domain)
        if facts is None:
            if len(self._facts) >= _KEPT_FACTS:
                self._facts.clear()
            facts = self._facts[domain] = trusted(domain, self._domains.facts(domain), self._health)
        return facts


def _is_in(history: History | None, report: RecipientReport) -> bool:
    if history is None or report.ascii is None:
        return False
    spellings = (report.address, report.ascii, report.ascii.lower())
    if callable(history):
        return any(map(history, spellings))
    return any(spelling in history for spelling in spellings)


_EXAMPLES = 1000
"""Bad rows and typing errors that a report lists; the file of `ListReport.to_csv` has them all.
A bound on work."""

_LINES = 5  # choice: enough to see what went wrong

_MOST_COUNTED = 50_000  # bound: keeps work and memory flat


@dataclass(slots=True)
class Tally:
    """What is counted on the way."""

    rows: int = 0
    bad: int = 0
    unreadable: int = 0
    checked: int = 0
    dead_rows: int = 0
    dead: int = 0
    asked: int = 0
    domains: int = 0
    bad_examples: list[tuple[int, str]] = field(default_factory=list)
    verdicts: Counter[Deliverability] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    traits: Counter[Trait] = field(default_factory=Counter)
    states: Counter[DomainState] = field(default_factory=Counter)
    mistyped: int = 0
    typos: list[tuple[str, str]] = field(default_factory=list)
    worst: Counter[str] = field(default_factory=Counter)
    providers: Counter[str] = field(default_factory=Counter)
    addresses_at: Counter[str] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)
    is_marked: bool = False
    overlong: int = 0
    overlong_lines: list[int] = field(default_factory=list)
    marks: Counter[str] = field(default_factory=Counter)

    def take_in(self, batch: _Batch) -> None:
        """Count some rows before the DNS is heard."""
        self.rows += batch.rows
        self.bad += len(batch.bad)
        self.unreadable += sum(problem != "empty" for _, problem in batch.bad)
        self.bad_examples += batch.bad[: _EXAMPLES - len(self.bad_examples)]
        for shape, count in batch.shapes.items():
            bounded(self.shapes, shape, count)
        self.is_marked = self.is_marked or batch.is_marked
        self.overlong += len(batch.overlong)
        self.overlong_lines += batch.overlong[: _LINES - len(self.overlong_lines)]

    def count(self, report: RecipientReport, *, times: int = 1) -> None:
        """Count a judged address, or so many that were judged alike."""
        self.checked += times
        self.verdicts[report.verdict] += times
        self.states[report.domain_state] += times
        for reason in report.reasons:
            self.reasons[reason.code] += times
        for trait in report.traits:
            self.traits[trait] += times
        if report.suggestion:
            self.mistyped += times
            if len(self.typos) < _EXAMPLES:
                self.typos.append((report.address, report.suggestion))
        self.dead_rows += times * (report.domain_state in DEAD)
        if report.domain and report.normalized is not None:
            bounded(self.addresses_at, report.domain, times)
        if report.mail_provider:
            bounded(self.providers, report.mail_provider, times)
        if report.domain and report.verdict is Deliverability.UNDELIVERABLE and not report.is_suppressed:
            bounded(self.worst, report.domain, times)


def bounded(counter: Counter[str], name: str, times: int = 1) -> None:
    """Count a name; of very many the rare ones are forgotten, so that memory stays flat."""
    counter[name] += times
    if len(counter) > _MOST_COUNTED:
        kept = counter.most_common(_MOST_COUNTED // 2)
        counter.clear()
        counter.update(dict(kept))


_DIGITS = re.compile(r"\d+")
_LONGEST_STEM = 40  # bound: keeps work and memory flat


def shape_of(finding: Finding) -> str | None:
    """Return a local part with ``#`` for its number, and its domain; `None` for one without a number."""
    local = finding.local
    if finding.profile is None or len(local) > _LONGEST_STEM:
        return None
    shape = _DIGITS.sub("#", local)
    if shape == local:
        return None
    return f"{shape.lower()}@{finding.profile.ascii}"


# Thresholds of this library: nobody publishes any. Each is far above what lists of real people show in
# tests/recipients, and a finding refuses nothing.
_SERIAL_ROWS = 20  # our choice
_SERIAL_SHARE = 0.005  # our choice
_ONE_FIRM_ROWS, _ONE_FIRM_SHARE = 1_000, 0.2
_ROLE_SHARE = 0.15  # our choice
_MADE_UP_SHARE = 0.02  # our choice
_DUPLICATE_SHARE = 0.05  # our choice
_DISPOSABLE_SHARE = 0.02  # our choice
_ENOUGH = 100  # our choice
_MOSTLY = 0.5  # choice: more than half


def serial_shapes(tally: Tally) -> dict[str, int]:
    """Return the shapes of local parts that occur in so many rows that somebody counted them up."""
    least = max(_SERIAL_ROWS, _SERIAL_SHARE * tally.rows)
    return {shape: count for shape, count in tally.shapes.most_common(1000) if count >= least}


Pattern = tuple[str, int, tuple[str, ...]]
"""Code of a finding, how many rows it concerns, and examples."""


def find_patterns(
    tally: Tally, serial: dict[str, int], duplicates: int, columns: tuple[str, ...]
) -> list[Pattern]:
    """Return what is unusual about a list as a whole; *columns* are those of a status."""
    total, suppressed = tally.checked, tally.marks[MARK]
    marked = tally.marks.total() - suppressed
    found: list[Pattern] = []
    if marked:
        code = "mostly-not-to-mail" if marked > _MOSTLY * tally.rows else "marked-rows"
        found.append((code, marked, columns))
    if tally.overlong:
        found.append(("overlong-rows", tally.overlong, tuple(map(str, tally.overlong_lines))))
    if suppressed:
        found.append(("suppressed-rows", suppressed, ()))
    if serial:
        found.append(("serial-addresses", sum(serial.values()), tuple(serial)[:3]))
    for domain, count in tally.addresses_at.most_common(50):
        if count >= max(_ONE_FIRM_ROWS, _ONE_FIRM_SHARE * total) and not is_free_mail(domain):
            found.append(("one-domain", count, (domain,)))
            break
    shares = (
        ("many-role-accounts", tally.traits[Trait.ROLE], _ROLE_SHARE),
        ("many-made-up", tally.traits[Trait.SUSPICIOUS], _MADE_UP_SHARE),
        ("many-disposable", tally.traits[Trait.DISPOSABLE], _DISPOSABLE_SHARE),
        ("many-duplicates", duplicates, _DUPLICATE_SHARE),
    )
    found += [
        (code, count, ()) for code, count, usual in shares if total >= _ENOUGH and count > usual * total
    ]
    if traps := tally.traits[Trait.SPAM_TRAP]:
        found.append(("spam-traps", traps, ()))
    return found
