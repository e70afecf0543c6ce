"""Whether the resolver itself can be believed: a sick one must not make good domains look dead."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailflows._dns._wire import Question, Status
from mailflows._providers import large_mailbox_domains
from mailflows.recipients._domain import DomainFacts, ask_about
from mailflows.recipients._report import DEAD, DomainState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailflows._dns import Conversation, Door

__all__ = ["WELL", "Health", "diagnose", "probes", "trusted"]


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
    if facts.state is DomainState.NO_MAIL:
        return "not public" in facts.evidence  # an address inside, as of a captive portal
    return facts.state not in (DomainState.NXDOMAIN, DomainState.UNKNOWN)


def trusted(domain: str, facts: DomainFacts, health: Health) -> DomainFacts:
    """Return the facts, or «unknown» where they say more about the resolver than about the domain."""
    if health.invents or (health.trouble and facts.state in DEAD):
        return DomainFacts(DomainState.UNKNOWN, f"{facts.evidence or facts.state}, but {health.trouble}")
    if facts.state in DEAD and domain in large_mailbox_domains():
        return DomainFacts(
            DomainState.UNKNOWN, f"{facts.evidence} for a large provider: the resolver is at fault"
        )
    return facts
