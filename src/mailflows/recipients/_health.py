"""Asking the DNS about a list, and whether its answers can be trusted.

A broken resolver must not make good domains look dead.
"""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from mailflows._dns._wire import Question, Status
from mailflows._providers import large_mailbox_domains
from mailflows.recipients._domain import DomainFacts, ask_about
from mailflows.recipients._report import DEAD, DomainState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailflows._dns import AnyResolver, Conversation
    from mailflows.recipients._spool import DomainCache

__all__ = ["WELL", "Health", "ask_all", "diagnose", "probes", "trusted"]

_KEEP_EVERY = 200  # bound: keeps work and memory flat
_BAR_FROM = 5_000  # choice: rows that take longer than a look

_DEAD_RESOLVER = 40
"""Domains in a row without any answer, after which nothing more is asked. Our choice."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a resolver behaves.

    Attributes:
        trouble: What is wrong with it, or empty.
        invents: Whether it answers for names that do not exist, so that nothing it says can be used.
    """

    trouble: str = ""
    invents: bool = False


WELL = Health()


def probes(resolver: AnyResolver) -> list[Conversation[DomainFacts]]:
    """Return what to ask a resolver that is not known yet: names that nobody has registered.

    The system's own resolver is also asked for .com, because one without a way to the internet may say
    of every name that it does not exist. A resolver that the user chose may know only some zones.
    """
    asked = [ask_about(f"{secrets.token_hex(10)}.{ending}") for ending in ("com", "net")]
    if getattr(resolver, "is_system", False):
        asked.append(_ask_for_com())
    return asked


def _ask_for_com() -> Conversation[DomainFacts]:
    question = Question("com", "NS")
    answer = (yield (question,))[question]
    states = {
        Status.NXDOMAIN: DomainState.NXDOMAIN,
        Status.OK: DomainState.OK,
        Status.NODATA: DomainState.OK,
    }
    return DomainFacts(states.get(answer.status, DomainState.UNKNOWN), "NS of .com")


def diagnose(probed: Sequence[DomainFacts]) -> Health:
    """Say what the answers to `probes` mean."""
    if probed and all(map(_is_invented, probed[:2])):
        return Health("the resolver invents answers for names that do not exist", invents=True)
    if any(facts.state is DomainState.NXDOMAIN for facts in probed[2:]):
        return Health("the resolver does not even know .com")
    if any(facts.state is DomainState.UNKNOWN for facts in probed[2:]):
        return Health("the resolver gave no answer for .com")
    return WELL


def _is_invented(facts: DomainFacts) -> bool:
    """Return whether a name that nobody registered got anything but "it does not exist".

    An answer without records is one, too: under .com and .net the registry says NXDOMAIN, so a resolver that
    says "nothing of this kind" of everything has no way to the internet (RFC 2308 section 2.2).
    """
    return facts.state not in (DomainState.NXDOMAIN, DomainState.UNKNOWN)


def trusted(domain: str, facts: DomainFacts, health: Health) -> DomainFacts:
    """Return the facts, or "unknown" where they say more about the resolver than about the domain."""
    if health.invents or (health.trouble and facts.state in _DOUBTFUL):
        return DomainFacts(DomainState.UNKNOWN, f"{facts.evidence or facts.state}, but {health.trouble}")
    if facts.state in _DOUBTFUL and domain in large_mailbox_domains():
        return DomainFacts(
            DomainState.UNKNOWN, f"{facts.evidence} for a large provider: the resolver is at fault"
        )
    return facts


_DOUBTFUL = DEAD | {DomainState.IMPLICIT}
"""What a resolver that lies makes of good domains; without MX records they look as if they had none."""


class Census:
    """What the resolver said of the domains of a list, to see whether it can be trusted."""

    def __init__(self) -> None:
        self._states: Counter[DomainState] = Counter()
        self._stripped = ""

    def count(self, domain: str, facts: DomainFacts) -> None:
        """Count one domain."""
        self._states[facts.state] += 1
        if facts.state is DomainState.IMPLICIT and domain in large_mailbox_domains():
            self._stripped = domain

    def judge(self) -> Health:
        """Return whether so many failures are the domains' fault or the resolver's."""
        asked = self._states.total()
        unanswered = self._states[DomainState.UNKNOWN]
        dead = sum(self._states[state] for state in DEAD)
        if asked and unanswered == asked:
            return Health("the resolver gave no answer at all")
        if asked >= _FEW and unanswered > _SICK * asked:
            return Health(f"the resolver left {unanswered} of {asked} domains without an answer")
        if self._stripped:
            return Health(
                f"the resolver says that {self._stripped} has no mail host: it withholds MX records"
            )
        if asked >= _FEW and dead == asked:
            return Health(f"the resolver says that none of {asked} domains accepts mail")
        if asked >= _FEW and self._states[DomainState.IMPLICIT] == asked:
            return Health(
                f"the resolver finds no mail host for any of {asked} domains: it withholds MX records"
            )
        return WELL


_FEW = 20
"""Domains from which their answers together say something of the resolver; our judgement. Our choice."""

_SICK = 0.3
"""From this share of unanswered domains the resolver itself is broken; silent name servers of a list are 1 to
3 in a hundred (benchmarks/recipients_dns.py serves 1.3 %)."""


def ask_all(
    resolver: AnyResolver,
    domains: DomainCache,
    wanted: Iterator[str | None],
    progress: bool | Callable[[int, int], None] | None,  # noqa: FBT001 -- passed through
) -> Health:
    """Ask every domain once while the list is read, and look at how the resolver behaves."""
    probed = dict(resolver.run(probes(resolver), budget=5.0))
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
        for place, facts in resolver.run(conversations()):
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
