"""Whether the resolver itself can be believed: a sick one must not make good domains look dead."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailflows._dns._wire import Question, Status
from mailflows._providers import large_mailbox_domains
from mailflows.recipients._domain import DomainFacts, ask_about
from mailflows.recipients._report import DEAD, DomainState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailflows._dns import Conversation, Door

__all__ = ["WELL", "Census", "Health", "diagnose", "probes", "trusted"]


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


def probes(door: Door) -> list[Conversation[DomainFacts]]:
    """Return what to ask a resolver that is not known yet: names that nobody has registered.

    The system's own resolver is also asked for .com, because one without a way to the internet may say
    of every name that it does not exist. A resolver that the user chose may know only some zones.
    """
    asked = [ask_about(f"{secrets.token_hex(10)}.{ending}") for ending in ("com", "net")]
    if getattr(door, "is_system", False):
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
        return Health("the resolver answers for names that do not exist", invents=True)
    if any(facts.state is DomainState.NXDOMAIN for facts in probed[2:]):
        return Health("the resolver does not even know .com")
    if any(facts.state is DomainState.UNKNOWN for facts in probed[2:]):
        return Health("the resolver gave no answer about .com")
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
    """What the resolver said of the domains of a list, to see whether it can be believed."""

    def __init__(self) -> None:
        self._states: Counter[DomainState] = Counter()
        self._stripped = ""

    def count(self, domain: str, facts: DomainFacts) -> None:
        """Count one domain."""
        self._states[facts.state] += 1
        if facts.state is DomainState.IMPLICIT and domain in large_mailbox_domains():
            self._stripped = domain

    def judge(self) -> Health:
        """Say whether so many failures are the domains' fault or the resolver's."""
        asked = self._states.total()
        unanswered = self._states[DomainState.UNKNOWN]
        dead = sum(self._states[state] for state in DEAD)
        if asked and unanswered == asked:
            return Health("the resolver gave no answer at all")
        if asked >= _FEW and unanswered > _SICK * asked:
            return Health(f"the resolver left {unanswered} of {asked} domains without an answer")
        if self._stripped:
            return Health(
                f"the resolver says that {self._stripped} has no mail host: it holds MX records back"
            )
        if asked >= _FEW and dead == asked:
            return Health(f"the resolver says of all {asked} domains that they take no mail")
        if asked >= _FEW and self._states[DomainState.IMPLICIT] == asked:
            return Health(
                f"the resolver knows no mail host of any of {asked} domains: it holds MX records back"
            )
        return WELL


_FEW = 20
"""Domains from which their answers together say something of the resolver; our judgement. Our choice."""

_SICK = 0.3
"""From this share of unanswered domains the resolver itself is sick; silent name servers of a list are 1 to
3 in a hundred (benchmarks/recipients_dns.py serves 1.3 %)."""
