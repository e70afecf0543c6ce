"""What providers do about bounces, and what that means for a list: go, sample first, or stop."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from datetime import date  # noqa: TC003 -- a field of a dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from mailflows import _data
from mailflows._result import Result

if TYPE_CHECKING:
    from mailflows.recipients._prediction import Prediction

__all__ = ["Advice", "Policy", "PolicyVerdict", "judge", "known_policies"]


class Advice(StrEnum):
    """Whether to mail a list, best first."""

    GO = "go"
    SAMPLE_FIRST = "sample-first"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Policy:
    """One provider's rule.

    Attributes:
        name: The provider.
        hard_bounce: Share of hard bounces at which it acts.
        rule: The rule in words.
        source: Page that says so.
        date: When the page was read.
        max_recipients: Largest mailing that is tolerated, or `None`.
        ours: Whether the share is a convention of this library, because none is published.
    """

    name: str
    hard_bounce: float
    rule: str
    source: str
    date: date
    max_recipients: int | None = None
    ours: bool = False


@dataclass(frozen=True, slots=True)
class PolicyVerdict(Result):
    """What a policy means for a list.

    Attributes:
        policy: The rule.
        advice: Go, sample first, or stop.
        sample: How many addresses, drawn at random, to mail first; 0 unless the advice is to sample.
        allowed: How many of them may bounce: with more, the list lies above the limit too often.
        sentence: Why.
    """

    policy: Policy
    advice: Advice
    sample: int
    allowed: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.policy.name}: {self.advice} ({self.sentence})"

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data."""
        return {
            "policy": self.policy.name,
            "advice": str(self.advice),
            "sample": self.sample,
            "allowed": self.allowed,
            "sentence": self.sentence,
            "rule": self.policy.rule,
            "source": self.policy.source,
            "date": self.policy.date.isoformat(),
            "limit": self.policy.hard_bounce,
            "limit_is_ours": self.policy.ours,
        }


@cache
def known_policies() -> tuple[Policy, ...]:
    """Return the policies of the data file.

    >>> [policy.name for policy in known_policies()][:2]
    ['Amazon SES', 'Brevo']
    """
    return tuple(Policy(**entry) for entry in tomllib.loads(_data.read("recipients/policies.toml"))["policy"])


def judge(
    policy: Policy, prediction: Prediction, *, is_certain: bool = True, is_believed: bool = True
) -> PolicyVerdict:
    """Say what a policy means for a list.

    Args:
        policy: The rule.
        prediction: What is expected of the list.
        is_certain: Whether the DNS was asked; else nothing is better than a sample.
        is_believed: Whether the resolver can be believed; else the list must be checked again first.
    """
    limit, low, high = policy.hard_bounce, prediction.low, prediction.high
    if not prediction.addresses:
        return _stop(policy, "there is nothing to mail")
    if policy.max_recipients is not None and prediction.rows > policy.max_recipients:
        return _stop(policy, f"{prediction.rows} recipients; at most {policy.max_recipients} are tolerated")
    if not is_believed:
        return _stop(policy, "the resolver cannot be believed; check the list again before mailing it")
    expected = f"between {low:.1%} and {high:.1%} will bounce; the limit is {limit:.0%}"
    if low > limit:
        return _stop(policy, expected)
    if high < limit and is_certain:
        return PolicyVerdict(policy, Advice.GO, 0, 0, expected)
    size, allowed = sample_size(prediction.addresses, limit, expected=min(prediction.rate, limit / 2))
    return PolicyVerdict(policy, Advice.SAMPLE_FIRST, size, allowed, expected)


def _stop(policy: Policy, sentence: str) -> PolicyVerdict:
    return PolicyVerdict(policy, Advice.STOP, 0, 0, sentence)


_CERTAIN = 0.05
"""Chance of mailing a list that lies above the limit although its sample was good enough. Our choice."""

_LIKELY = 0.8
"""Chance that the sample of a good list is good enough: a bar that is hardly ever met would be none.
Our choice."""

_MOST_SAMPLED = 2000


def sample_size(addresses: int, limit: float, *, expected: float = 0.0) -> tuple[int, int]:
    """Return how many random addresses to mail first, and how many of them may bounce at most.

    The smallest sample that a list just above the limit passes with a chance of 5 % and a list that bounces
    as expected with 80 %, drawn without putting back: of a short list a smaller sample tells as much.

    >>> sample_size(1_000_000, 0.02), sample_size(200, 0.02)
    ((149, 0), (90, 0))
    """
    too_many = math.floor(addresses * limit) + 1
    best = (addresses, math.floor(addresses * limit))
    for allowed in range(40):
        size = _smallest(addresses, too_many, allowed)
        if size > min(addresses, _MOST_SAMPLED):
            break
        best = (size, allowed)
        if _chance(addresses, round(addresses * expected), size, allowed) >= _LIKELY:
            break
    return best


def _smallest(addresses: int, bad: int, allowed: int) -> int:
    """Return the smallest sample in which so few bad ones are found with a chance of 5 % only."""
    low, high = allowed + 1, addresses + 1
    while low < high:
        middle = (low + high) // 2
        if middle <= addresses and _chance(addresses, bad, middle, allowed) > _CERTAIN:
            low = middle + 1
        else:
            high = middle
    return low


def _chance(addresses: int, bad: int, size: int, allowed: int) -> float:
    """Return the chance of at most so many bad ones in a sample without putting back (hypergeometric)."""
    whole = _log_choose(addresses, size)
    terms = (
        math.exp(_log_choose(bad, found) + _log_choose(addresses - bad, size - found) - whole)
        for found in range(allowed + 1)
        if found <= bad and 0 <= size - found <= addresses - bad
    )
    return min(1.0, math.fsum(terms))


def _log_choose(total: int, taken: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(taken + 1) - math.lgamma(total - taken + 1)
