"""Checking a whole list: read it once, ask each domain once, judge each row once."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from mailflows._clock import to_datetime
from mailflows._providers import is_free_mail
from mailflows.recipients import _lists, _policies
from mailflows.recipients._domain import NOT_ASKED, DomainFacts, ask_about
from mailflows.recipients._health import WELL, Census, Health, diagnose, probes, trusted
from mailflows.recipients._judged import Judged, pack
from mailflows.recipients._list_report import ListReport
from mailflows.recipients._patterns import find_patterns, serial_shapes
from mailflows.recipients._prediction import predict
from mailflows.recipients._report import (
    DEAD,
    Deliverability,
    DomainState,
    RecipientReport,
    Trait,
    make_reason,
)
from mailflows.recipients._rows import Rows, Table, read_table, split_cell
from mailflows.recipients._spool import DomainCache, Spool
from mailflows.recipients._tally import CLASS_NAMES, SUPPRESSED, Tally, class_of, shape_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from mailflows._dns import Door
    from mailflows.recipients._asking import Asks, History
    from mailflows.recipients._judge import Finding
    from mailflows.recipients._report import RecipientReason

__all__ = ["check_rows"]

_BATCH = 500  # bound: keeps work and memory flat
_KEEP_EVERY = 200  # bound: keeps work and memory flat
_TOP = 20  # bound: keeps work and memory flat
_KEPT_FACTS = 100_000  # bound: keeps work and memory flat
_KEPT_OUTCOMES = 50_000  # bound: keeps work and memory flat
_BAR_FROM = 5_000  # choice: rows that take longer than a look

_DEAD_RESOLVER = 40
"""Domains in a row without any answer, after which nothing more is asked. Our choice."""


def check_rows(  # noqa: PLR0913 -- the settings of one list
    checker: Asks,
    rows: Rows,
    *,
    column: str | None,
    delivered: History | None,
    cache: str | os.PathLike[str] | None,
    progress: bool | Callable[[int, int], None] | None,
) -> ListReport:
    """Check a list with the settings of a checker; see `RecipientChecker.check_list`."""
    now = checker.clock()
    table = read_table(rows, column=column)
    spool, tally, domains = Spool(), Tally(), DomainCache(cache, now=now)
    try:
        wanted = _take_in(checker, spool, domains, table, tally)
        health = _ask(checker.resolver, domains, wanted, progress) if checker.dns else WELL
        for _ in wanted:  # what is left to read
            pass
        duplicates = spool.find_duplicates()
        serial = serial_shapes(tally)
        judging = _Judging(checker, spool, domains, health, delivered, serial, now)
        digest = judging.run(tally)
    except BaseException:
        spool.close()
        raise
    finally:
        domains.close()
    moment = to_datetime(now)
    judged = Judged(spool, columns=table.columns, column=table.column, checked_at=moment, frame=table.frame)
    return _report(
        checker, table, tally, judged, health, duplicates, digest, find_patterns(tally, serial, duplicates)
    )


def _report(  # noqa: PLR0913, PLR0917 -- all that was found
    checker: Asks,
    table: Table,
    tally: Tally,
    judged: Judged,
    health: Health,
    duplicates: int,
    digest: str,
    findings: Any,  # noqa: ANN401 -- passed through
) -> ListReport:
    classes = {CLASS_NAMES[number]: count for number, count in judged.spool.classes().items()}
    bounced = classes.pop(CLASS_NAMES[SUPPRESSED], 0)
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
        _policies.judge(policy, prediction, is_certain=checker.dns, is_believed=not health.trouble)
        for policy in _policies.known_policies()
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
        typos=tuple(tally.typos),
        duplicates=duplicates,
        domains=tally.domains,
        worst_domains=tuple(tally.worst.most_common(_TOP)),
        providers=tuple(tally.providers.most_common(_TOP)),
        known_bounces=bounced,
        findings=findings,
        prediction=prediction,
        policies=policies,
        dns=checker.dns,
        resolver_trouble=health.trouble,
        column=table.column,
        column_share=table.share,
        other_columns=table.others,
        sources=_lists.sources(),
        checked_at=judged.checked_at,
        digest=digest,
        judged=judged,
    )


def _take_in(
    checker: Asks, spool: Spool, domains: DomainCache, table: Table, tally: Tally
) -> Iterator[str | None]:
    """Read the list into the spool, and yield each new domain; a row without text is counted as bad.

    Between batches `None` is yielded, so that the DNS is heard while a long list is read.
    """
    new: list[str] = []
    meant: set[str] = set()

    def read() -> Iterator[tuple[int, int, str, str | None, str, str | None, str | None]]:
        for number, row in enumerate(table):
            tally.rows += 1
            cells = None if row.cells is None else json.dumps(row.cells, ensure_ascii=False)
            if row.problem:
                tally.bad_row(row.line, row.problem)
                yield number, row.line, "", cells, row.problem, None, None
                continue
            texts = split_cell(row.text)
            if cells is None and texts != [row.text]:
                cells = json.dumps([row.text], ensure_ascii=False)
            tally.several += len(texts) > 1
            for text in texts:
                finding = checker.find(text)
                tally.read(finding)
                domain = finding.domain
                if domain is not None and domains.is_new(domain):
                    tally.domains += 1
                    new.append(domain)
                    if (wanted := finding.meant_domain) and wanted not in meant:
                        meant.add(wanted)
                        new.append(wanted)
                simple = finding.profile.ascii if finding.is_simple and finding.profile else None
                yield number, row.line, text, cells, "", simple, finding.key
                cells = None

    stream = read()
    while batch := list(islice(stream, _BATCH)):
        spool.add(batch)
        yield from new
        new.clear()
        yield None


def _ask(
    door: Door,
    domains: DomainCache,
    wanted: Iterator[str | None],
    progress: bool | Callable[[int, int], None] | None,  # noqa: FBT001 -- passed through
) -> Health:
    """Ask every domain once while the list is read, and look at how the resolver behaves."""
    probed = dict(door.run(probes(door), budget=5.0))
    health = diagnose([probed[number] for number in sorted(probed)])
    census = Census()
    asked = unanswered = number = 0
    waiting: dict[int, str] = {}

    def conversations() -> Iterator[Any]:
        nonlocal number
        for domain in wanted:
            if domain is None:
                yield None
            elif domains.knows(domain):
                census.count(domain, domains.facts(domain))
            else:
                waiting[number] = domain
                number += 1
                yield ask_about(domain)

    found: list[tuple[str, DomainFacts]] = []
    with _Bar(progress) as bar:
        for place, facts in door.run(conversations()):
            asked += 1
            unanswered += facts.state is DomainState.UNKNOWN
            domain = waiting.pop(place)
            census.count(domain, facts)
            found.append((domain, facts))
            if len(found) >= _KEEP_EVERY:
                domains.keep(found)
                found.clear()
            bar.advance(asked, number)
            if asked == unanswered == _DEAD_RESOLVER:
                break
    domains.keep(found)
    domains.rest = DomainFacts(DomainState.UNKNOWN, "not asked: the resolver gave no answers")
    return health if health.trouble else census.judge()


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
        self._of_domains: dict[str, tuple[RecipientReport, int, int]] = {}
        self._is_without_history = delivered is None and not checker.looks_up_addresses

    def run(self, tally: Tally) -> str:
        """Judge all that was read, and return the digest of the verdicts."""
        digest = blake2b(digest_size=16)
        for page in self._spool.unjudged():
            if len(self._of_domains) > _KEPT_OUTCOMES:
                self._of_domains.clear()
            kept = []
            alike: Counter[str] = Counter()
            for number, text, domain in page:
                if domain is not None and self._is_alike(text):
                    alike[domain] += 1
                    report, outcome, kind = self._of_domain(domain, text, tally)
                else:
                    finding = self._checker.find(text)
                    report = self._judge(finding)
                    tally.count(report)
                    self._count_domain(report, tally)
                    outcome = self._outcome(report, finding)
                    kind = class_of(report, is_delivered=_is_in(self._delivered, report))
                kept.append((number, outcome, report.suggestion, kind))
                digest.update(f"{text}\0{report.verdict}\n".encode())
            for domain, times in alike.items():
                tally.count(self._of_domains[domain][0], times=times)
            self._spool.keep(kept)
        return digest.hexdigest()

    def _is_alike(self, text: str) -> bool:
        """Return whether an address at a domain that alone decides needs no look of its own."""
        if not self._is_without_history:
            return False
        return not self._serial or not any(map(str.isdigit, text.partition("@")[0]))

    def _of_domain(self, domain: str, text: str, tally: Tally) -> tuple[RecipientReport, int, int]:
        """Return what all plain addresses of a domain share, found out from the first of them."""
        known = self._of_domains.get(domain)
        if known is None:
            finding = self._checker.find(text)
            report = self._judge(finding)
            self._count_domain(report, tally)
            known = report, self._outcome(report, finding), class_of(report, is_delivered=False)
            self._of_domains[domain] = known
        return known

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

    def _outcome(self, report: RecipientReport, finding: Finding) -> int:
        key = (report.domain, report.reasons, finding.profile is None)
        known = self._outcomes.get(key)
        if known is None:
            if len(self._outcomes) >= _KEPT_OUTCOMES:
                self._outcomes.clear()
            unicode = finding.profile.unicode if finding.profile else None
            known = self._outcomes[key] = self._spool.keep_outcome(pack(report, unicode))
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


class _Bar:
    """A progress bar on long lists, where tqdm is installed, or the user's own function."""

    def __init__(self, progress: bool | Callable[[int, int], None] | None) -> None:  # noqa: FBT001 -- one setting
        self._tell = progress if callable(progress) else None
        self._wanted = progress is True or progress is None
        self._only_terminal = progress is None
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, done: int, seen: int) -> None:
        """Show how many domains are done, of those seen so far."""
        if self._tell is not None:
            self._tell(done, seen)
        if self._wanted and self._bar is None and (not self._only_terminal or seen >= _BAR_FROM):
            self._bar = self._open()
        if self._bar is not None:
            self._bar.total = seen
            self._bar.update(done - self._bar.n)

    def _open(self) -> Any:  # noqa: ANN401 -- tqdm is optional
        self._wanted = False
        try:
            from tqdm.auto import tqdm  # noqa: PLC0415 -- optional
        except ImportError:
            return None
        return tqdm(unit=" domains", leave=False, disable=None if self._only_terminal else False)
