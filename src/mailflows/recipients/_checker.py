"""Checking recipients: one address while a visitor waits, and the entry point for a whole list."""

from __future__ import annotations

import asyncio
import copy
import time
from functools import lru_cache
from typing import TYPE_CHECKING

from mailflows._clock import to_datetime
from mailflows.errors import AddressError, ConfigurationError
from mailflows.flow import Flow
from mailflows.recipients._catalogue import visitor_sentence
from mailflows.recipients._domain import NOT_ASKED, DomainFacts, ask_about
from mailflows.recipients._health import WELL, diagnose, probes, trusted
from mailflows.recipients._judge import Finding, Judge
from mailflows.recipients._report import (
    SLIPS,
    Deliverability,
    DomainState,
    RecipientReason,
    RecipientReport,
    make_reason,
)
from mailflows.recipients._traits import NONE, Overrides

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection
    from datetime import datetime

    from mailflows._clock import Clock, Timer
    from mailflows._dns import AnyResolver, Conversation
    from mailflows.recipients._asks import History
    from mailflows.recipients._list_report import ListReport
    from mailflows.recipients._rows import Rows

__all__ = [
    "RecipientChecker",
    "acheck_list",
    "acheck_recipient",
    "aensure_recipient",
    "check_list",
    "check_recipient",
    "ensure_recipient",
]

BUDGET = 5.0
"""Seconds for one address: as long as a person waits for a form. Our choice."""

_PROBE_EVERY = 600.0
"""Seconds after which the resolver is tried with names that do not exist again. Our choice."""


REFUSED: frozenset[str] = frozenset()
"""Codes that `ensure_recipient` refuses besides what is undeliverable, by default."""


class RecipientChecker:
    """Checks whether mail can be sent to an address, and explains why or why not.

    Args:
        resolver: The resolver to query: a `mailflows.Resolver`, a `mailflows.testing.FakeDns`; the
            system's resolvers by default.
        dns: Whether to query the DNS at all. Without it nothing leaves the machine, and the verdict on an
            address without issues is "unknown".
        flow: The flow that the addresses are for. In marketing a role account is risky; elsewhere it is the
            usual address of a small company or a town hall. A whole list is for marketing unless this
            argument, or that of `check_list`, says otherwise.
        list: The mailing list that they are for: people who unsubscribed from it are suppressed for that list
            only.
        bounced: Addresses that are known to bounce: a set, a mapping, a function. Or your suppression list,
            which knows more: addresses suppressed for this flow or list are excluded, and only bounces count
            as bounces.
        overrides: Your corrections to the built-in lists.
        budget: Maximum number of seconds of wall-clock time for one address, even if no DNS answer comes.
        clock: Returns the current time in Unix seconds.
        timer: Returns monotonic seconds.

    Raises:
        ConfigurationError: If *bounced* is a single string, or *flow* is not a flow.

    Example:
        >>> checker = RecipientChecker(dns=False)
        >>> report = checker.check("bob@gmial.com")
        >>> report.suggestion, str(report.verdict)
        ('bob@gmail.com', 'risky')
    """

    def __init__(  # noqa: PLR0913 -- the settings of a checker
        self,
        *,
        resolver: AnyResolver | None = None,
        dns: bool = True,
        flow: Flow | str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
        bounced: History | None = None,
        overrides: Overrides = NONE,
        budget: float = BUDGET,
        clock: Clock = time.time,
        timer: Timer = time.monotonic,
    ) -> None:
        self._resolver = resolver
        self.dns = dns
        self._flow = None if flow is None else Flow(flow)
        self._list = list
        self._overrides = overrides
        self.judge = Judge(overrides=overrides, flow=self._flow)
        if isinstance(bounced, str | bytes):
            msg = "bounced must be a set of addresses, a mapping or a function, not one string"
            raise ConfigurationError(msg, field="bounced")
        self._bounced = bounced
        self._budget = budget
        self.clock = clock
        self._timer = timer
        self._probed_at = float("-inf")
        self._health = WELL

    @property
    def resolver(self) -> AnyResolver:
        """The DNS resolver, created on first use."""
        if self._resolver is None:
            from mailflows._dns import Resolver  # noqa: PLC0415 -- only where it is needed

            self._resolver = Resolver()
        return self._resolver

    def check(self, address: str) -> RecipientReport:
        """Check one address. A bad address raises nothing: the report says what is wrong."""
        finding = self.judge.find(address)
        results: dict[int, DomainFacts] = {}
        if self.dns and finding.domain is not None:
            results = dict(self.resolver.run(self._conversations(finding), budget=self._budget))
        return self._conclude(finding, results)

    async def acheck(self, address: str) -> RecipientReport:
        """Check one address without blocking the event loop."""
        finding = self.judge.find(address)
        results: dict[int, DomainFacts] = {}
        if self.dns and finding.domain is not None:
            asked = self.resolver.arun(self._conversations(finding), budget=self._budget)
            results = {number: facts async for number, facts in asked}
        return self._conclude(finding, results)

    def ensure(
        self, address: str, *, language: str | None = "en", refuse: Collection[str] = REFUSED
    ) -> RecipientReport:
        """Check one address, and raise if it will bounce.

        Args:
            address: As it was typed; blanks around it are left out.
            language: Of the sentence: a language tag (``fr-CA``) or the browser's whole Accept-Language
                field, whatever it says. The sentences are in fourteen languages; `None` and any other
                language get English.
            refuse: Codes of further reasons to refuse, such as ``disposable`` and ``typo``; by default only
                undeliverable addresses are refused.

        Returns:
            The report; store its `normalized`.

        Raises:
            AddressError: With a sentence for the person who typed the address.
        """
        return _ensured(self.check(_trimmed(address)), address, language, refuse)

    async def aensure(
        self, address: str, *, language: str | None = "en", refuse: Collection[str] = REFUSED
    ) -> RecipientReport:
        """Do what `ensure` does without blocking the event loop."""
        return _ensured(await self.acheck(_trimmed(address)), address, language, refuse)

    def check_list(  # noqa: PLR0913 -- the settings of one list
        self,
        rows: Rows,
        *,
        column: str | None = None,
        flow: Flow | str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
        delivered: History | None = None,
        cache: str | os.PathLike[str] | None = None,
        progress: bool | Callable[[int, int], None] | None = None,
        n_jobs: int = 1,
    ) -> ListReport:
        """Check a whole list: each domain is looked up once, and memory does not grow with the rows.

        Args:
            rows: Any iterable of addresses or mappings, a path or an open file of CSV, a pandas column
                or frame.
            column: Name of the column with the addresses; by default detected by name and content.
            flow: The flow that the list is for: that of the checker by default, or else marketing.
            list: The name of the mailing list; by default that of the checker.
            delivered: Addresses that accepted mail before; together with the checker's bounced ones they
                sharpen the prediction.
            cache: File that keeps DNS answers for a week, so that an interrupted check resumes from there. It
                contains domains, never addresses.
            progress: `True` for a bar (tqdm), `False` for none, a function of (done, total), or
                `None` for a bar on long lists in a terminal.
            n_jobs: Number of processes, as in joblib; -1 uses every core. Below a few hundred thousand rows
                one process is faster. Under ``joblib.parallel_config(backend=…)`` any joblib backend works.
                The report is the same.

        Raises:
            ConfigurationError: If there is no such column, or the cache file is not valid.
            OSError: If the file cannot be read.

        Example:
            >>> report = RecipientChecker(dns=False).check_list(["ada@example.org", "bob@gmial.com", None])
            >>> report.addresses, report.bad_rows, report.typos
            (2, 1, (('bob@gmial.com', 'bob@gmail.com'),))
        """
        from mailflows.recipients._list import check_rows  # noqa: PLC0415 -- only where it is needed

        return check_rows(
            self._for(flow, list),
            rows,
            column=column,
            delivered=delivered,
            cache=cache,
            progress=progress,
            n_jobs=n_jobs,
        )

    async def acheck_list(  # noqa: PLR0913 -- the settings of one list
        self,
        rows: Rows,
        *,
        column: str | None = None,
        flow: Flow | str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
        delivered: History | None = None,
        cache: str | os.PathLike[str] | None = None,
        progress: bool | Callable[[int, int], None] | None = None,
        n_jobs: int = 1,
    ) -> ListReport:
        """Do what `check_list` does without blocking the event loop: in a thread of its own."""
        return await asyncio.to_thread(
            self.check_list,
            rows,
            column=column,
            flow=flow,
            list=list,
            delivered=delivered,
            cache=cache,
            progress=progress,
            n_jobs=n_jobs,
        )

    def _for(self, flow: Flow | str | None, name: str | None) -> RecipientChecker:
        """Return the checker of one list: with the same resolver, for its flow and by its name."""
        wanted = Flow(flow or self._flow or Flow.MARKETING)
        name = self._list if name is None else name
        if (wanted, name) == (self._flow, self._list):
            return self
        if self.dns:
            _ = self.resolver  # made here, so that what it learns stays
        made = copy.copy(self)
        made._flow, made._list = wanted, name  # noqa: SLF001 -- its own twin
        made.judge = Judge(overrides=self._overrides, flow=wanted)
        return made

    @property
    def looks_up_addresses(self) -> bool:
        """Whether single addresses are looked up, as bouncing or as spam traps."""
        return self._bounced is not None or bool(self._overrides.traps)

    def conclude(
        self,
        finding: Finding,
        facts: DomainFacts,
        *,
        meant: DomainFacts = NOT_ASKED,
        further: tuple[RecipientReason, ...] = (),
        at: datetime | None = None,
    ) -> RecipientReport:
        """Return the verdict once the DNS has answered; the second half of a check."""
        return self.judge.report(
            finding,
            facts,
            now=to_datetime(self.clock()) if at is None else at,
            suppression=self._suppression(finding),
            meant=meant,
            further=further,
        )

    def _suppression(self, finding: Finding) -> RecipientReason | None:
        """Return why an address is not to be mailed, by what is known of it; or `None`."""
        if self._bounced is None or finding.profile is None:
            return None
        plain = f"{finding.local}@{finding.profile.ascii}"
        # A suppression list also knows who left one flow or list, or complained about it.
        if hasattr(self._bounced, "is_suppressed"):
            entry = self._bounced.find(plain, flow=self._flow, list=self._list)  # type: ignore[union-attr]
            return None if entry is None else _BOUNCED if entry.is_bounce else _do_not_mail(entry.reason)
        spellings = (finding.text, plain, plain.lower())
        is_known = self._bounced if callable(self._bounced) else self._bounced.__contains__
        return _BOUNCED if any(map(is_known, spellings)) else None

    def _conversations(self, finding: Finding) -> list[Conversation[DomainFacts]]:
        """Return what to ask: the domain, what was meant, and now and then whether the resolver is well."""
        asked = [ask_about(domain) for domain in (finding.domain, finding.meant_domain) if domain is not None]
        if self._timer() - self._probed_at > _PROBE_EVERY:
            asked += probes(self.resolver)
        return asked

    def _conclude(self, finding: Finding, results: dict[int, DomainFacts]) -> RecipientReport:
        domain, wanted = finding.domain, finding.meant_domain
        if domain is None or not results:
            return self.conclude(finding, NOT_ASKED)
        own = 1 if wanted is None else 2
        if len(results) > own:
            probed = [results[number] for number in range(own, len(results))]
            self._health = diagnose(probed)
            if all(facts.state is not DomainState.UNKNOWN for facts in probed):
                self._probed_at = self._timer()  # otherwise the next address asks again
        meant = NOT_ASKED if wanted is None else trusted(wanted, results[1], self._health)
        return self.conclude(finding, trusted(domain, results[0], self._health), meant=meant)


_BOUNCED = make_reason("suppressed", "history")


@lru_cache(maxsize=1000)
def _do_not_mail(why: str) -> RecipientReason:
    return make_reason("do-not-mail", why, why=why)


def _trimmed(address: object) -> str:
    """Return what was typed without the blanks and invisible characters around it."""
    return address.strip().strip("\ufeff\u200b\u2060").strip() if isinstance(address, str) else address  # type: ignore[return-value] # what is not text is reported as such


def _ensured(
    report: RecipientReport, address: object, language: str | None, refuse: Collection[str]
) -> RecipientReport:
    refused = report.reasons[0] if report.verdict is Deliverability.UNDELIVERABLE else None
    if refused is None:
        refused = next((reason for reason in report.reasons if reason.code in refuse), None)
        if refused is not None and report.suggestion:  # a slip is what the person can mend
            refused = next((reason for reason in report.reasons if reason.code in SLIPS), refused)
    if refused is None:
        return report
    text = visitor_sentence(refused.code, language, **dict(refused.parameters))
    domain = (report.suggestion or "").rpartition("@")[2]
    if domain and domain != report.domain and domain not in refused.parameters.values():
        text = f"{text} {visitor_sentence('did-you-mean', language, domain=domain)}"
    raise AddressError(text, address=address, reason=refused.code)


_shared: dict[bool, RecipientChecker] = {}


def _default(*, dns: bool) -> RecipientChecker:
    if dns not in _shared:
        _shared[dns] = RecipientChecker(dns=dns)
    return _shared[dns]


def check_recipient(address: str, *, dns: bool = True) -> RecipientReport:
    """Check one address.

    Args:
        address: The address alone, as it was typed.
        dns: Whether to look up the domain in the DNS, for at most five seconds. Nothing else leaves the
            machine.

    Returns:
        A report with every field; nothing is raised for a bad address.

    Example:
        >>> check_recipient("ada@exam ple.org", dns=False).verdict
        <Deliverability.UNDELIVERABLE: 'undeliverable'>
    """
    return _default(dns=dns).check(address)


async def acheck_recipient(address: str, *, dns: bool = True) -> RecipientReport:
    """Do what `check_recipient` does without blocking the event loop."""
    return await _default(dns=dns).acheck(address)


def ensure_recipient(
    address: str, *, dns: bool = True, language: str | None = "en", refuse: Collection[str] = REFUSED
) -> RecipientReport:
    """Check one address, and raise if it will bounce.

    Args:
        address: As it was typed; blanks around it are left out.
        dns: Whether to look up the domain in the DNS.
        language: Of the sentence for the person who typed it: a language tag (``fr-CA``) or the browser's
            whole Accept-Language field, whatever it says. The sentences are in fourteen languages; `None`
            and any other language get English.
        refuse: Codes of further reasons to refuse, such as ``{"disposable", "typo"}``; by default only
            undeliverable addresses are refused.

    Raises:
        AddressError: With a sentence for the person who typed the address.

    Example:
        >>> ensure_recipient("ada@gmail", dns=False)
        Traceback (most recent call last):
        mailflows.errors.AddressError: The domain has no dot; an ending such as .com is missing. …
    """
    return _default(dns=dns).ensure(address, language=language, refuse=refuse)


async def aensure_recipient(
    address: str, *, dns: bool = True, language: str | None = "en", refuse: Collection[str] = REFUSED
) -> RecipientReport:
    """Do what `ensure_recipient` does without blocking the event loop."""
    return await _default(dns=dns).aensure(address, language=language, refuse=refuse)


def check_list(  # noqa: PLR0913 -- the settings of one list
    rows: Rows,
    *,
    column: str | None = None,
    dns: bool = True,
    flow: Flow | str | None = Flow.MARKETING,
    list: str | None = None,  # noqa: A002 -- its name
    bounced: History | None = None,
    progress: bool | Callable[[int, int], None] | None = None,
    n_jobs: int = 1,
) -> ListReport:
    """Check a whole list; `RecipientChecker.check_list` takes your own resolver, cache and data.

    Args:
        rows: Any iterable of addresses, a path or an open file of CSV, a pandas column.
        column: Name of the column with the addresses; by default detected.
        dns: Whether to look up the domains in the DNS.
        flow: The flow that the list is for; by default marketing, where role accounts are risky.
        list: The name of the mailing list in your suppression list.
        bounced: Your suppression list, or addresses that are known to bounce; as for `RecipientChecker`.
        progress: As in `RecipientChecker.check_list`.
        n_jobs: Number of processes, likewise.

    Raises:
        ConfigurationError: If there is no such column.
        OSError: If the file cannot be read.

    Example:
        >>> check_list(["ada@example.org", "ADA@example.org"], dns=False).duplicates
        1
    """
    checker = RecipientChecker(dns=dns, flow=flow, list=list, bounced=bounced)
    return checker.check_list(rows, column=column, progress=progress, n_jobs=n_jobs)


async def acheck_list(  # noqa: PLR0913 -- the settings of one list
    rows: Rows,
    *,
    column: str | None = None,
    dns: bool = True,
    flow: Flow | str | None = Flow.MARKETING,
    list: str | None = None,  # noqa: A002 -- its name
    bounced: History | None = None,
    progress: bool | Callable[[int, int], None] | None = None,
    n_jobs: int = 1,
) -> ListReport:
    """Do what `check_list` does without blocking the event loop."""
    checker = RecipientChecker(dns=dns, flow=flow, list=list, bounced=bounced)
    return await checker.acheck_list(rows, column=column, progress=progress, n_jobs=n_jobs)
