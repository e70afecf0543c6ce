"""How many of a list's addresses will bounce: one distribution over all rows, and how it is made.

The model. Every distinct address that would be mailed is in one class. What is certain to bounce, or nearly,
has a narrow rate; each risky class has a Beta prior of its own; the ordinary rest has one rate that the whole
list shares, its *quality*, of which mailboxes at large providers have a part. It has three unknown parts:

* how much *time* has passed, seen in the share of the list's own domains that died meanwhile;
* how many mailboxes die while one domain dies;
* how many addresses never existed, seen in what looks made up or broken.

Fixed draws from these distributions give the distribution of the list's bounce rate; its 5 % and 95 %
quantiles are the interval, for the headline and for every policy. No class bounces less than an ordinary
address, and the chance of a list of this length is that of all its rows: so a good row that is replaced by
a bad one can only raise both ends.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from datetime import date  # noqa: TC003 -- a field of a dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from mailflows import _data
from mailflows._result import Result, number_of
from mailflows.recipients._report import Deliverability, Trait

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from mailflows.recipients._report import RecipientReport

    Draws = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

__all__ = [
    "CLASSES",
    "CLASS_NAMES",
    "SUPPRESSED",
    "Advice",
    "Policy",
    "PolicyVerdict",
    "Prediction",
    "class_of",
    "judge",
    "known_policies",
    "predict",
    "unpublished_policy",
]

CLASSES: dict[str, tuple[float, float]] = {
    "delivered": (1.0, 299.0),  # took mail before
    "unknown": (1.2, 6.8),  # no answer from its name servers where others answer: mostly a passing fault
    "suspicious": (2.1, 3.9),  # made up when a form was filled in
    "implicit": (1.8, 3.2),  # an address record but no mail host
    "disposable": (2.0, 3.0),  # given up after use
    "typo": (3.2, 1.8),  # typo domains often exist, and some of them take any mail
    "undeliverable": (96.0, 2.0),  # no address, or a dead domain: a few come back to life
}
"""Class → Beta prior of its bounce rate, the mildest class first. Nobody publishes such rates: means and
widths are judgements, with the reason beside them.

Addresses of none of these classes are "ordinary" or, at a provider of free mailboxes, "provider"; those known
to bounce, and those whose owners want no mail, are not mailed.
"""

CLASS_NAMES = ("provider", "ordinary", *CLASSES, "suppressed", "do-not-mail")
SUPPRESSED = CLASS_NAMES.index("suppressed")
"""From this class on an address is not mailed: it is known to bounce, or its owner wants no mail."""

_TIME, _TIME_SPREAD = math.log(0.006), 1.5
"""Log of the share of domains that died, before any is seen: half of all lists between 0.2 and 1.7 %, 90 %
between 0.05 and 7 %. A list of this year to one of five years, at 0.3 to 4 % of firms' domains a year."""

_RATIO, _RATIO_SPREAD = math.log(3.0), 1.3
"""Log of how many mailboxes die while a domain dies: many at firms, few where boxes belong to functions or
providers keep them. Mailboxes of firms: 22.5 % a year (MarketingSherpa, as quoted at
https://savoirfaire-us.com/blog/email-list-decay-inevitable-not-necessarily-bad/, 2026-11-28); domains of
firms 1 to 10 % a year, our judgement, hence the spread."""

_NEVER, _NEVER_SPREAD = math.log(0.0028), 0.8
"""Log of the share that never existed: Mailchimp's customers see 0.18 to 0.53 % hard bounces by industry
(as quoted at https://datainnovation.io/en/email-bounce-rate-benchmark-by-industry-in-practice-lessons-from-high-volume-senders/,
2026-11-28), unchecked forms up to 1.8 % (alphagov/govuk-coronavirus-vulnerable-people-form#350)."""

_HIDDEN, _HIDDEN_SPREAD = math.log(0.5), 0.8
"""Log of how many addresses never existed for each that looks made up; our judgement."""

_PROVIDERS, _PROVIDERS_SPREAD = math.log(0.6), 0.35
"""Log of how often a mailbox at a large provider is gone for each at a firm: nobody loses it with a job, but
typing errors are as many; at most as often. Our judgement."""

_MOST_TRIALS = 400
"""A history is of another day, and not of a random part of the list: it counts as at most so many trials.
Our choice."""

_DRAWS = 4000  # our choice
_GRID = 400  # our choice
_QUANTILES = (0.05, 0.95)
_VISIBLE = ("suspicious", "disposable", "typo")


@dataclass(frozen=True, slots=True)
class Prediction(Result):
    """The hard bounces to expect if every distinct address is mailed once.

    Attributes:
        rate: Expected share, in [0, 1].
        low: Lower end of the 90 % interval.
        high: Upper end of the 90 % interval.
        addresses: Number of addresses that would be mailed.
        rows: Number of rows in the list, including empty and broken ones.
    """

    rate: float
    low: float
    high: float
    addresses: int
    rows: int

    def __str__(self) -> str:
        return f"{self.rate:.1%} ({self.low:.1%} to {self.high:.1%})"


def predict(  # noqa: PLR0913 -- what is known of a list
    counts: Mapping[str, int],
    *,
    dead: int = 0,
    asked: int = 0,
    bounced: int = 0,
    delivered: int = 0,
    rows: int | None = None,
) -> Prediction:
    """Predict the hard-bounce rate of a list.

    Args:
        counts: Distinct addresses by class, ``provider``, ``ordinary`` and those of `CLASSES`; known bounces
            are not among them.
        dead: Domains of the list that are dead, among those…
        asked: …that belong to somebody of its own: providers of free mail stay, whatever the list's age.
        bounced: Addresses of this list that are known to have bounced.
        delivered: Addresses of this list that are known to have taken mail.
        rows: All rows of the list, also those that would not be mailed; by default the sum of *counts*.

    Example:
        >>> fresh = predict({"ordinary": 10_000}, asked=3_000)
        >>> aged = predict({"ordinary": 10_000, "undeliverable": 600}, dead=150, asked=3_000)
        >>> fresh.high < 0.02 and fresh.high < aged.low
        True
        >>> known = predict({"ordinary": 10_000}, bounced=20, delivered=4000)
        >>> unknown = predict({"ordinary": 10_000})
        >>> known.high - known.low < unknown.high - unknown.low
        True
    """
    import numpy as np  # noqa: PLC0415 -- slow to import

    total = sum(counts.values())
    rows = max(total, rows or 0)
    if not total:
        return Prediction(0.0, 0.0, 0.0, 0, rows)
    visible = sum(counts.get(name, 0) for name in _VISIBLE) / total
    quality = _quality(dead, asked, visible)
    if bounced + delivered:
        quality = _weighed_by_history(quality, bounced, delivered)
    bounces = counts.get("ordinary", 0) * quality + counts.get("provider", 0) * quality * _of_providers()
    for name, rates in _class_draws().items():
        if counts.get(name, 0):
            least = 0.0 if name == "delivered" else quality
            bounces = bounces + counts[name] * np.maximum(rates, least)
    rates = bounces / total
    low, high = _interval(rates, rows)
    return Prediction(float(rates.mean()), low, high, total, rows)


def _quality(dead: int, asked: int, visible: float) -> Draws:
    """Return draws of the bounce rate of ordinary addresses."""
    import numpy as np  # noqa: PLC0415 -- slow to import

    grid = np.linspace(_TIME - 5 * _TIME_SPREAD, 0.9, _GRID)
    times = np.exp(grid)
    log_weight = -0.5 * ((grid - _TIME) / _TIME_SPREAD) ** 2
    log_weight = log_weight + dead * np.log(-np.expm1(-times)) - (asked - dead) * times
    weight = np.exp(log_weight - log_weight.max())
    chance = np.cumsum(weight)
    time = np.exp(np.interp(_uniform(), (chance - weight / 2) / chance[-1], grid))
    normal = _normals()
    ratio = np.exp(_RATIO + _RATIO_SPREAD * normal[0])
    never = np.exp(_NEVER + _NEVER_SPREAD * normal[1])
    never = np.minimum(0.5, never + visible * np.exp(_HIDDEN + _HIDDEN_SPREAD * normal[2]))
    quality: Draws = 1.0 - (1.0 - never) * np.exp(-ratio * time)
    return quality


def _weighed_by_history(quality: Draws, bounced: int, delivered: int) -> Draws:
    """Return draws of the quality once some of the list's own addresses were mailed."""
    import numpy as np  # noqa: PLC0415 -- slow to import

    order = np.sort(np.clip(quality, 1e-9, 1 - 1e-9))
    trust = min(1.0, _MOST_TRIALS / (bounced + delivered))
    log_weight = trust * (bounced * np.log(order) + delivered * np.log1p(-order))
    weight = np.exp(log_weight - log_weight.max())
    chance = np.cumsum(weight)
    return np.interp(_uniform(), (chance - weight / 2) / chance[-1], order)


def _interval(rates: Draws, rows: int) -> tuple[float, float]:
    """Return the ends of the interval, with the chance of a list of this length added.

    Where the chance would lead below none or above all, it ends there: so more bad rows never lower an end.
    """
    import numpy as np  # noqa: PLC0415 -- slow to import

    spread = np.sqrt(np.clip(rates * (1 - rates), 0.0, None) / rows)
    low, high = np.quantile(np.clip(rates + _normals()[3] * spread, 0.0, 1.0), _QUANTILES)
    return max(0.0, float(low) - 0.5 / rows), min(1.0, float(high) + 0.5 / rows)


@cache
def _uniform() -> Draws:
    import numpy as np  # noqa: PLC0415 -- slow to import

    # Evenly spaced, in an order that has nothing to do with the other draws.
    return np.random.default_rng(1).permutation((np.arange(_DRAWS) + 0.5) / _DRAWS)


@cache
def _normals() -> Draws:
    import numpy as np  # noqa: PLC0415 -- slow to import

    return np.random.default_rng(2).standard_normal((5, _DRAWS))


@cache
def _of_providers() -> Draws:
    import numpy as np  # noqa: PLC0415 -- slow to import

    share: Draws = np.minimum(1.0, np.exp(_PROVIDERS + _PROVIDERS_SPREAD * _normals()[4]))
    return share


@cache
def _class_draws() -> dict[str, Draws]:
    """Return draws of the rate of each class."""
    import numpy as np  # noqa: PLC0415 -- slow to import

    return {
        name: np.random.default_rng(10 + number).beta(a, b, _DRAWS)
        for number, (name, (a, b)) in enumerate(CLASSES.items())
    }


def class_of(report: RecipientReport, *, is_delivered: bool, is_heard: bool = True) -> int:
    """Return the class of an address for the prediction, the worst that holds.

    Args:
        report: What was found about the address.
        is_delivered: Whether it took mail before.
        is_heard: Whether the resolver answers; else that a domain gave no answer says nothing about it.
    """
    plain = CLASS_NAMES.index("provider" if Trait.FREE_MAIL in report.traits else "ordinary")
    if report.verdict is Deliverability.DELIVERABLE:
        return CLASS_NAMES.index("delivered") if is_delivered else plain
    codes = {reason.code for reason in report.reasons if reason.verdict is not None}
    for code in ("suppressed", "do-not-mail"):
        if code in codes:
            return CLASS_NAMES.index(code)
    if report.verdict is Deliverability.UNDELIVERABLE:
        return CLASS_NAMES.index("undeliverable")
    if is_delivered:
        return CLASS_NAMES.index("delivered")
    if not is_heard:
        codes.discard("unknown")
    return max((CLASS_NAMES.index(_CLASS_OF[code]) for code in codes if code in _CLASS_OF), default=plain)


_CLASS_OF = {
    "unknown": "unknown",
    "implicit": "implicit",
    "disposable": "disposable",
    "disposable-host": "disposable",
    "parked": "typo",
    "typo": "typo",
    "documentation": "undeliverable",
    "markup": "typo",
    "confusable": "typo",
    "provider-grammar": "typo",
    "suspicious": "suspicious",
    "serial": "suspicious",
    "no-reply": "suspicious",
    "unknown-tld": "suspicious",
    "long-local-part": "suspicious",
}
"""Code of a reason → class of the prediction; a role is no worse than a person."""


class Advice(StrEnum):
    """Whether to send to a list, best first."""

    GO = "go"
    SAMPLE_FIRST = "sample-first"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Policy:
    """One provider's rule.

    Attributes:
        name: The name of the provider.
        hard_bounce: Share of hard bounces at which it acts.
        rule: The rule in words.
        source: The page with the rule.
        date: When the page was read.
        max_recipients: Largest tolerated mailing, or `None` for no limit.
        ours: Whether the share is a convention of this library, because none is published.

    Example:
        >>> from mailflows import check_list
        >>> policy = check_list([], dns=False).policy("brevo").policy
        >>> policy.name, policy.hard_bounce
        ('Brevo', 0.02)
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
    """What a provider's policy means for a list.

    Attributes:
        policy: The rule.
        advice: Send, send a sample first, or stop.
        sample: How many addresses, drawn at random, to mail first; 0 unless the advice is to sample.
        allowed: How many of these may bounce; with more, the list is probably above the limit.
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
    return tuple(Policy(**entry) for entry in _table()["policy"])


def unpublished_policy(name: str) -> Policy:
    """Return what is applied for a provider that publishes no limit.

    >>> unpublished_policy("Mailgun").hard_bounce == min(one.hard_bounce for one in known_policies())
    True
    """
    entry = _table()["unpublished"]
    return Policy(**{**entry, "name": name, "rule": entry["rule"].format(name=name), "ours": True})


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(_data.read("recipients/policies.toml"))


def judge(
    policy: Policy, prediction: Prediction, *, is_certain: bool = True, is_believed: bool = True
) -> PolicyVerdict:
    """Say what a policy means for a list.

    Args:
        policy: The rule.
        prediction: What is expected of the list.
        is_certain: Whether the DNS was asked; else nothing is better than a sample.
        is_believed: Whether the resolver can be trusted; if not, the list must be checked again first.
    """
    limit, low, high = policy.hard_bounce, prediction.low, prediction.high
    if not prediction.addresses:
        return _stop(policy, "there is nobody to send to")
    if policy.max_recipients is not None and prediction.addresses > policy.max_recipients:
        return _stop(
            policy,
            f"{number_of(prediction.addresses, 'recipient')}; at most {policy.max_recipients} are tolerated",
        )
    if not is_believed:
        return _stop(policy, "the DNS resolver is unreliable; check the list again before you send to it")
    expected = f"between {low:.1%} and {high:.1%} are expected to bounce; the limit is {limit:.0%}"
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
    as expected with 80 %, drawn without replacement: for a short list, a smaller sample says as much.

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
