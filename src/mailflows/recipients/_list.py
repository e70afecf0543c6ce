"""Checking a whole list: read it once, ask each domain once, then judge row by row from disk."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from mailflows._clock import to_datetime
from mailflows._providers import provider_of
from mailflows.recipients import _lists, _policies
from mailflows.recipients._domain import NOT_ASKED, DomainFacts, ask_about
from mailflows.recipients._health import WELL, Health, diagnose, probes, trusted
from mailflows.recipients._list_report import ListReport
from mailflows.recipients._prediction import predict
from mailflows.recipients._report import DEAD, DomainState, RecipientReport, Trait, Verdict
from mailflows.recipients._rows import BadRow, Row, Rows, read_rows
from mailflows.recipients._spool import Spool

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from mailflows._dns import Door
    from mailflows.recipients._checker import History, RecipientChecker
    from mailflows.recipients._judge import Finding

__all__ = ["check_rows"]

_BATCH = 500
_KEEP_EVERY = 200
_EXAMPLES = 1000
"""Bad rows and typing errors that a report lists; the file of `ListReport.to_csv` has them all."""

_TOP = 20
_MOST_COUNTED = 100_000
_KEPT_FACTS = 100_000
_BAR_FROM = 5_000

_FEW = 20
_SICK = 0.3
"""From this share of unanswered domains, if there are more than a few, the resolver itself is sick."""

_DEAD_RESOLVER = 40
"""Domains in a row without any answer, after which nothing more is asked."""

Progress = "bool | Callable[[int, int], None] | None"


def check_rows(  # noqa: PLR0913 -- the settings of one list
    checker: RecipientChecker,
    rows: Rows,
    *,
    column: str | None,
    delivered: History | None,
    cache: str | os.PathLike[str] | None,
    progress: bool | Callable[[int, int], None] | None,
) -> ListReport:
    """Check a list with the settings of a checker; see `RecipientChecker.check_list`."""
    now = to_datetime(checker.clock())
    spool = Spool(cache, now=now.timestamp())
    tally = _Tally()
    domains = _take_in(checker, spool, read_rows(rows, column=column), tally)
    health = _ask(checker.resolver, spool, domains, progress) if checker.dns else WELL
    for _ in domains:  # what is left to read
        pass
    duplicates = spool.find_duplicates()
    judged = Judged(checker, spool, health)
    for report, first in judged:
        tally.count(report, is_duplicate=first is not None, is_delivered=_is_in(delivered, report))
    prediction = predict(
        tally.classes,
        dead=tally.dead,
        asked=tally.asked,
        bounced=tally.bounced,
        delivered=tally.classes["delivered"],
    )
    certain = checker.dns and not health.trouble
    return ListReport(
        rows=tally.rows,
        addresses=tally.checked,
        bad_rows=tally.bad,
        bad_row_examples=tuple(tally.bad_examples),
        verdicts={verdict: tally.verdicts[verdict] for verdict in Verdict},
        reasons=dict(tally.reasons.most_common()),
        traits={trait: tally.traits[trait] for trait in Trait},
        states={state: tally.states[state] for state in DomainState},
        dead_domain_share=tally.dead_rows / tally.checked if tally.checked else 0.0,
        typos=tuple(tally.typos),
        duplicates=duplicates,
        domains=spool.count_domains(),
        worst_domains=tuple(tally.worst.most_common(_TOP)),
        providers=tuple(tally.providers.most_common(_TOP)),
        known_bounces=tally.bounced,
        prediction=prediction,
        policies=tuple(
            _policies.judge(policy, prediction, is_certain=certain) for policy in _policies.known_policies()
        ),
        dns=checker.dns,
        resolver_trouble=health.trouble,
        sources=_lists.sources(),
        checked_at=now,
        judged=judged,
    )


def _take_in(
    checker: RecipientChecker, spool: Spool, rows: Iterator[Row | BadRow], tally: _Tally
) -> Iterator[str | None]:
    """Read the list into the spool, and yield each new domain; a row without text is counted as bad.

    Between batches `None` is yielded, so that the DNS is heard while a long list is read.
    """

    def readable() -> Iterator[tuple[int, str, str | None, str | None]]:
        for row in rows:
            tally.rows += 1
            if isinstance(row, BadRow):
                tally.bad += 1
                if len(tally.bad_examples) < _EXAMPLES:
                    tally.bad_examples.append((row.line, row.problem))
                continue
            text = str(row.value)[:_MAX_TEXT].encode("utf-8", "backslashreplace").decode()
            finding = checker.find(text)
            yield row.line, text, finding.domain, finding.key

    stream = readable()
    while batch := list(islice(stream, _BATCH)):
        yield from spool.add(batch)
        yield None


_MAX_TEXT = 2000
"""Characters of a cell that are kept; an address has 254."""


def _ask(
    door: Door,
    spool: Spool,
    domains: Iterator[str | None],
    progress: bool | Callable[[int, int], None] | None,  # noqa: FBT001 -- passed through
) -> Health:
    """Ask every domain once while the list is read, and look at how the resolver behaves."""
    probed = dict(door.run(probes(door), budget=5.0))
    health = diagnose([probed[number] for number in sorted(probed)])
    asked = unanswered = number = 0
    waiting: dict[int, str] = {}

    def conversations() -> Iterator[Any]:
        nonlocal number
        for domain in domains:
            if domain is None:
                yield None
            elif not spool.knows(domain):
                waiting[number] = domain
                number += 1
                yield ask_about(domain)

    found: list[tuple[str, DomainFacts]] = []
    with _Bar(progress) as bar:
        for place, facts in door.run(conversations()):
            asked += 1
            unanswered += facts.state is DomainState.UNKNOWN
            found.append((waiting.pop(place), facts))
            if len(found) >= _KEEP_EVERY:
                spool.keep(found)
                found.clear()
            bar.advance(asked, number)
            if asked == unanswered == _DEAD_RESOLVER:
                break
    spool.keep(found)
    spool.rest = DomainFacts(DomainState.UNKNOWN, "not asked: the resolver gave no answers")
    return health if health.trouble else _judge_answers(asked, unanswered)


def _judge_answers(asked: int, unanswered: int) -> Health:
    """Say whether so many domains without an answer are the domains' fault or the resolver's."""
    if asked and unanswered == asked:
        return Health("the resolver gave no answer at all")
    if asked >= _FEW and unanswered > _SICK * asked:
        return Health(f"the resolver left {unanswered} of {asked} domains without an answer")
    return WELL


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


class Judged:
    """The rows of a list with their verdicts, made anew from disk at every pass."""

    def __init__(self, checker: RecipientChecker, spool: Spool, health: Health) -> None:
        self._checker = checker
        self._spool = spool
        self._health = health
        self._facts: dict[str, DomainFacts] = {}

    def __iter__(self) -> Iterator[tuple[RecipientReport, int | None]]:
        """Yield each report, and the line of the row that writes to the same mailbox further up."""
        for _, report, first in self.with_lines():
            yield report, first

    def with_lines(self) -> Iterator[tuple[int, RecipientReport, int | None]]:
        """Yield (line, report, line of the row that it duplicates)."""
        for line, text, first in self._spool.rows():
            finding = self._checker.find(text)
            yield line, self._checker.conclude(finding, self._facts_of(finding)), first

    def _facts_of(self, finding: Finding) -> DomainFacts:
        domain = finding.domain
        if domain is None or not self._checker.dns:
            return NOT_ASKED
        facts = self._facts.get(domain)
        if facts is None:
            if len(self._facts) >= _KEPT_FACTS:
                self._facts.clear()
            facts = self._facts[domain] = trusted(domain, self._spool.facts(domain), self._health)
        return facts


def _is_in(history: History | None, report: RecipientReport) -> bool:
    if history is None or report.ascii is None:
        return False
    spellings = (report.address, report.ascii, report.ascii.lower())
    if callable(history):
        return any(map(history, spellings))
    return any(spelling in history for spelling in spellings)


@dataclass(slots=True)
class _Tally:
    """What is counted on the way."""

    rows: int = 0
    bad: int = 0
    checked: int = 0
    dead_rows: int = 0
    dead: int = 0
    asked: int = 0
    bounced: int = 0
    bad_examples: list[tuple[int, str]] = field(default_factory=list)
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    traits: Counter[Trait] = field(default_factory=Counter)
    states: Counter[DomainState] = field(default_factory=Counter)
    typos: list[tuple[str, str]] = field(default_factory=list)
    worst: Counter[str] = field(default_factory=Counter)
    providers: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)

    def count(self, report: RecipientReport, *, is_duplicate: bool, is_delivered: bool) -> None:
        """Count one row; duplicates are mailed once, so they do not count in the prediction."""
        self.checked += 1
        self.verdicts[report.verdict] += 1
        self.states[report.domain_state] += 1
        for reason in report.reasons:
            self.reasons[reason.code] += 1
        for trait in report.traits:
            self.traits[trait] += 1
        if report.suggestion and len(self.typos) < _EXAMPLES:
            self.typos.append((report.address, report.suggestion))
        is_dead = report.domain_state in DEAD
        self.dead_rows += is_dead
        if report.mail_hosts:
            _bounded(self.providers, _provider(report.mail_hosts[0]))
        if report.domain and report.verdict is Verdict.UNDELIVERABLE:
            _bounded(self.worst, report.domain)
        if is_duplicate:
            return
        if any(reason.code == "suppressed" for reason in report.reasons):
            self.bounced += 1
            return
        self.classes[_class_of(report, is_delivered=is_delivered)] += 1
        if (is_dead or report.domain_state is DomainState.OK) and Trait.FREE_MAIL not in report.traits:
            self.asked += 1
            self.dead += is_dead


def _bounded(counter: Counter[str], name: str) -> None:
    """Count a name; of very many the rare ones are forgotten, so that memory stays flat."""
    counter[name] += 1
    if len(counter) > _MOST_COUNTED:
        kept = counter.most_common(_MOST_COUNTED // 2)
        counter.clear()
        counter.update(dict(kept))


def _provider(host: str) -> str:
    known = _PROVIDERS.get(host)
    if known is None:
        if len(_PROVIDERS) > _MOST_COUNTED:
            _PROVIDERS.clear()
        known = _PROVIDERS[host] = provider_of("", mail_hosts=(host,)).name
    return known


_PROVIDERS: dict[str, str] = {}


def _class_of(report: RecipientReport, *, is_delivered: bool) -> str:  # noqa: PLR0911 -- a table in code
    """Return the class of an address for the prediction, the worst that holds."""
    if report.verdict is Verdict.UNDELIVERABLE:
        return "undeliverable"
    if is_delivered:
        return "delivered"
    if report.suggestion:
        return "typo"
    if report.domain_state is DomainState.UNKNOWN:
        return "unknown"
    if report.domain_state is DomainState.IMPLICIT:
        return "implicit"
    if Trait.DISPOSABLE in report.traits:
        return "disposable"
    if report.traits & {Trait.SUSPICIOUS, Trait.NO_REPLY, Trait.UNKNOWN_TLD}:
        return "suspicious"
    return "ordinary"
