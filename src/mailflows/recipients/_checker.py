"""Checking recipients: one address in a request path, and the door to checking a whole list."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailflows.errors import AddressError
from mailflows.recipients import _lists
from mailflows.recipients._domain import NOT_ASKED, DomainFacts, ask_about
from mailflows.recipients._judge import Finding, Judge
from mailflows.recipients._report import DEAD, DomainState, RecipientReport, Verdict
from mailflows.recipients._traits import NONE, Overrides

if TYPE_CHECKING:
    from mailflows._dns import Conversation, Door
    from mailflows.flow import Flow

__all__ = [
    "History",
    "RecipientChecker",
    "acheck_recipient",
    "aensure_recipient",
    "check_recipient",
    "ensure_recipient",
]

History = Collection[str] | Callable[[str], bool]
"""Addresses that are known to bounce: a set, the keys of a mapping, or a function that says so."""

BUDGET = 5.0
"""Seconds for one address: as long as a person waits for a form."""

_PROBE_EVERY = 600.0
"""Seconds after which the resolver is tried with names that do not exist again."""


def utc_now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


class RecipientChecker:
    """Says whether to write to an address, and why.

    Args:
        resolver: What asks the DNS: a `mailflows.Resolver`, a `mailflows.testing.FakeDns`; the
            system's resolvers by default.
        dns: Whether to ask the DNS at all. Without it nothing leaves the machine, and the verdict on
            an address against which nothing speaks is «unknown».
        flow: The flow that the addresses are for. In marketing a role account is risky; elsewhere it
            is the usual address of a small firm or a town hall.
        bounced: Addresses that are known to bounce, such as a suppression list.
        overrides: What you know better than the lists.
        budget: Seconds of wall-clock time for one address, kept even if no answer comes.
        now: What says the time.

    Example:
        >>> checker = RecipientChecker(dns=False)
        >>> report = checker.check("bob@gmial.com")
        >>> report.suggestion, str(report.verdict)
        ('bob@gmail.com', 'risky')
    """

    def __init__(  # noqa: PLR0913 -- the settings of a checker
        self,
        *,
        resolver: Door | None = None,
        dns: bool = True,
        flow: Flow | None = None,
        bounced: History | None = None,
        overrides: Overrides = NONE,
        budget: float = BUDGET,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._resolver = resolver
        self.dns = dns
        self._judge = Judge(overrides=overrides, flow=flow)
        self._flow = flow
        self._bounced = bounced
        self._budget = budget
        self._now = now
        self._probed_at = float("-inf")
        self._lies = False

    @property
    def resolver(self) -> Door:
        """What asks the DNS; made on first use."""
        if self._resolver is None:
            from mailflows._dns import Resolver

            self._resolver = Resolver()
        return self._resolver

    def check(self, address: str) -> RecipientReport:
        """Check one address. Nothing is raised for a bad one: the report says what is wrong."""
        finding = self._judge.find(address)
        facts = NOT_ASKED
        if self.dns and (domain := finding.domain) is not None:
            results = dict(self.resolver.run(self._conversations(domain), budget=self._budget))
            facts = self._conclude(domain, results)
        return self._report(finding, facts)

    async def acheck(self, address: str) -> RecipientReport:
        """Check one address without blocking the event loop."""
        finding = self._judge.find(address)
        facts = NOT_ASKED
        if self.dns and (domain := finding.domain) is not None:
            conversations = self._conversations(domain)
            results = {n: r async for n, r in self.resolver.arun(conversations, budget=self._budget)}
            facts = self._conclude(domain, results)
        return self._report(finding, facts)

    def ensure(self, address: str) -> RecipientReport:
        """Check one address, and raise if it will bounce.

        Raises:
            AddressError: With a sentence for the person who typed the address.
        """
        return _ensured(self.check(address), address)

    async def aensure(self, address: str) -> RecipientReport:
        """Do what `ensure` does without blocking the event loop."""
        return _ensured(await self.acheck(address), address)

    def is_bounced(self, finding: Finding) -> bool:
        """Return whether an address is known to bounce."""
        if self._bounced is None or finding.profile is None:
            return False
        plain = f"{finding.local}@{finding.profile.ascii}"
        spellings = (finding.text, plain, plain.lower())
        if callable(self._bounced):
            return any(map(self._bounced, spellings))
        return any(spelling in self._bounced for spelling in spellings)

    def _report(self, finding: Finding, facts: DomainFacts) -> RecipientReport:
        suppressed = self._bounced is not None and self.is_bounced(finding)
        return self._judge.report(finding, facts, now=self._now(), is_suppressed=suppressed)

    def _conversations(self, domain: str) -> list[Conversation[DomainFacts]]:
        """Return what to ask: the domain, and now and then names that cannot exist."""
        asked = [ask_about(domain)]
        if time.monotonic() - self._probed_at > _PROBE_EVERY:
            asked += [ask_about(name) for name in random_names()]
        return asked

    def _conclude(self, domain: str, results: dict[int, DomainFacts]) -> DomainFacts:
        probes = [facts for number, facts in results.items() if number]
        if probes:
            self._probed_at = time.monotonic()
            self._lies = invents_answers(probes)
        return trusted(domain, results[0], lies=self._lies)


def random_names() -> tuple[str, str]:
    """Return two names that nobody has registered."""
    return f"{secrets.token_hex(10)}.com", f"{secrets.token_hex(10)}.net"


def invents_answers(probes: Collection[DomainFacts]) -> bool:
    """Return whether a resolver gives addresses for names that do not exist."""
    honest = {DomainState.NXDOMAIN, DomainState.UNKNOWN}
    return bool(probes) and all(
        facts.state not in honest and (facts.state is not DomainState.NO_MAIL or "not public" in facts.evidence)
        for facts in probes
    )


def trusted(domain: str, facts: DomainFacts, *, lies: bool = False) -> DomainFacts:
    """Return the facts, or «unknown» where they say more about the resolver than about the domain."""
    if lies:
        return DomainFacts(DomainState.UNKNOWN, "the resolver answers for names that do not exist")
    if facts.state in DEAD and domain in _lists.large_providers():
        return DomainFacts(DomainState.UNKNOWN, f"{facts.evidence} for a large provider: the resolver is at fault")
    return facts


def _ensured(report: RecipientReport, address: object) -> RecipientReport:
    if report.verdict is not Verdict.UNDELIVERABLE:
        return report
    reason = report.reasons[0]
    sentence = reason.sentence
    if report.suggestion:
        sentence = f"{sentence.rstrip('.')}. Did you mean {report.suggestion}?"
    raise AddressError(sentence, address=address, reason=reason.code)


_shared: dict[bool, RecipientChecker] = {}


def _default(*, dns: bool) -> RecipientChecker:
    if dns not in _shared:
        _shared[dns] = RecipientChecker(dns=dns)
    return _shared[dns]


def check_recipient(address: str, *, dns: bool = True) -> RecipientReport:
    """Check one address.

    Args:
        address: The address alone, as it was typed.
        dns: Whether to ask the DNS about the domain, for at most five seconds. It is the only thing
            that leaves the machine.

    Returns:
        A report with every field; nothing is raised for a bad address.

    Example:
        >>> check_recipient("ada@exam ple.org", dns=False).verdict
        <Verdict.UNDELIVERABLE: 'undeliverable'>
    """
    return _default(dns=dns).check(address)


async def acheck_recipient(address: str, *, dns: bool = True) -> RecipientReport:
    """Do what `check_recipient` does without blocking the event loop."""
    return await _default(dns=dns).acheck(address)


def ensure_recipient(address: str, *, dns: bool = True) -> RecipientReport:
    """Check one address, and raise if it will bounce.

    Raises:
        AddressError: With a sentence for the person who typed the address.

    Example:
        >>> ensure_recipient("ada@gmail", dns=False)
        Traceback (most recent call last):
        mailflows.errors.AddressError: The part after the @-sign is not valid. …
    """
    return _default(dns=dns).ensure(address)


async def aensure_recipient(address: str, *, dns: bool = True) -> RecipientReport:
    """Do what `ensure_recipient` does without blocking the event loop."""
    return await _default(dns=dns).aensure(address)
