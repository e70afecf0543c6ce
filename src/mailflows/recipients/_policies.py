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

if TYPE_CHECKING:
    from mailflows.recipients._prediction import Prediction

__all__ = ["Advice", "Policy", "PolicyVerdict", "judge", "known_policies"]


class Advice(StrEnum):
    """Whether to mail a list, best first."""

    GO = "go"
    SAMPLE_FIRST = "sample first"
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
class PolicyVerdict:
    """What a policy means for a list.

    Attributes:
        policy: The rule.
        advice: Go, sample first, or stop.
        sample: How many addresses, drawn at random, settle it if they bounce as rarely as expected;
            0 unless the advice is to sample.
        sentence: Why.
    """

    policy: Policy
    advice: Advice
    sample: int
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data."""
        return {
            "policy": self.policy.name,
            "advice": str(self.advice),
            "sample": self.sample,
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


def judge(policy: Policy, prediction: Prediction, *, is_certain: bool = True) -> PolicyVerdict:
    """Say what a policy means for a list.

    Args:
        policy: The rule.
        prediction: What is expected of the list.
        is_certain: Whether the DNS could be asked and believed; else nothing is better than a sample.
    """
    limit = policy.hard_bounce
    low, high = prediction.undiluted_low, prediction.undiluted_high
    if policy.max_recipients is not None and prediction.addresses > policy.max_recipients:
        most = policy.max_recipients
        return PolicyVerdict(
            policy, Advice.STOP, 0, f"{prediction.addresses} recipients; at most {most} are tolerated"
        )
    if low > limit:
        return PolicyVerdict(
            policy, Advice.STOP, 0, f"at least {low:.1%} will bounce; the limit is {limit:.0%}"
        )
    if high < limit and is_certain:
        return PolicyVerdict(
            policy, Advice.GO, 0, f"at most {high:.1%} will bounce; the limit is {limit:.0%}"
        )
    size = min(sample_size(min(prediction.rate, limit), limit), prediction.addresses)
    return PolicyVerdict(
        policy,
        Advice.SAMPLE_FIRST,
        size,
        f"between {low:.1%} and {high:.1%} will bounce; the limit is {limit:.0%}",
    )


def sample_size(expected: float, limit: float) -> int:
    """Return how many random addresses show with 95 % certainty that a list stays below a limit.

    Without a single bounce that takes ``log(0.05) / log(1 - limit)``; with as many as are expected,
    more. Where the expectation is near the limit no sample settles it cheaply: 2,000 are the most.

    >>> sample_size(0.0, 0.02)
    149
    """
    none = math.log(0.05) / math.log(1 - limit)
    gap = limit - expected
    if gap <= 0:
        return 2000
    spread = 1.645 * math.sqrt(expected * (1 - expected)) + 1.0 * math.sqrt(limit * (1 - limit)) * (
        expected > 0
    )
    return min(2000, math.ceil(max(none, (spread / gap) ** 2 if expected else 0.0)))
