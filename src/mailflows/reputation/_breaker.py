"""When a flow is stopped and restarted: pure rules over what is remembered of it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from mailflows import _data
from mailflows._providers import provider_of
from mailflows._wilson import wilson
from mailflows.errors import ConfigurationError
from mailflows.reputation._counts import DAY, Counts, ReputationRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BreakerPolicy",
    "BreakerState",
    "Metric",
    "MetricRate",
    "Threshold",
    "advanced",
    "is_over",
    "judged",
    "large_names",
    "large_provider_of",
    "opened",
    "rates",
    "thresholds_for",
    "trial_failed",
    "without_suspects",
]


_SUSPECT = 2
"""Hits that make a smaller scope a suspect. choice: one may be a typo, and counts for the larger scope."""


class BreakerState(StrEnum):
    """Whether mail may be sent."""

    CLOSED = "closed"
    """Mail is sent."""

    OPEN = "open"
    """Mail is stopped for a time."""

    HALF_OPEN = "half-open"
    """A few messages are sent, to see whether the problem is over."""


class Metric(StrEnum):
    """A rate that counts against a flow."""

    BOUNCES = "bounces"
    COMPLAINTS = "complaints"
    BLOCKS = "blocks"
    DEFERRALS = "deferrals"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A published threshold for a rate.

    Attributes:
        metric: What is counted.
        warn: The share to stay below, in [0, 1].
        stop: The share that has consequences.
        provider: Who measures it, such as ``gmail`` or ``ses``.
        source: Where it is said.
    """

    metric: Metric
    warn: float
    stop: float
    provider: str = "own"
    source: str = ""

    def __post_init__(self) -> None:
        if not 0.0 < self.warn <= self.stop < 1.0:
            msg = f"warn must be between 0 and stop, and stop below 1; got {self.warn} and {self.stop}"
            raise ConfigurationError(msg, field="warn")


@dataclass(frozen=True, slots=True)
class MetricRate:
    """A rate with what the counted number says about the true one.

    Attributes:
        metric: What was counted.
        hits: How often.
        total: Out of how many.
        low: Lower end of the 95 % interval (Wilson).
        high: Its upper end.
    """

    metric: Metric
    hits: int
    total: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The counted share; 0.0 of nothing."""
        return self.hits / self.total if self.total else 0.0

    def __str__(self) -> str:
        return (
            f"{self.metric} {self.share:.2%} ({self.low:.2%} to {self.high:.2%}; {self.hits} of {self.total})"
        )


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens, and how it closes again.

    It opens where the share is above a published *stop* and certainly above the *warn* that goes with it: one
    complaint among three hundred messages is above 0.3 % and certain of nothing. A moderate rate that
    is certainly above *warn* opens it after *lasting* days.

    The defaults were chosen by ``benchmarks/flows_breaker.py``, which measures what they mean for clean flows
    and for bad ones.

    Attributes:
        certainty: Standard deviations of that certainty: many, since it is asked after every message.
        min_hits: Hits below which nothing opens.
        window: Days that are counted.
        lasting: Days with mail after which a rate that is certainly above *warn* is enough.
        pauses: Seconds of the first, second, … stop within *remember*.
        remember: Seconds for which a stop makes the next one longer.
        trial: Recipients that may pass while it is half-open.
        settle: Seconds that a trial lasts at least: bounces take their time.
    """

    certainty: float = 4.0
    min_hits: int = 5
    window: int = 7
    lasting: int = 4
    pauses: tuple[float, ...] = (3600.0, 4 * 3600.0, DAY)
    remember: float = 7 * DAY
    trial: int = 50
    settle: float = 900.0

    def __post_init__(self) -> None:
        if not self.pauses or min(self.pauses) <= 0:
            msg = "pauses must list the seconds of at least one stop, such as (3600, 14400)"
            raise ConfigurationError(msg, field="pauses")
        for name in ("certainty", "min_hits", "window", "lasting", "trial"):
            if getattr(self, name) <= 0:
                msg = f"{name} must be a positive number; got {getattr(self, name)}"
                raise ConfigurationError(msg, field=name)


@cache
def _published() -> tuple[Threshold, ...]:
    rows = tomllib.loads(_data.read("flows/thresholds.toml"))["rates"]
    return tuple(
        Threshold(Metric(row["metric"]), row["warn"], row["stop"], row["provider"], row["source"])
        for row in rows
    )


@cache
def _large() -> frozenset[str]:
    return frozenset(tomllib.loads(_data.read("flows/thresholds.toml"))["large"])


def large_names() -> tuple[str, ...]:
    """Return the providers to which the mail of a flow has a breaker of its own."""
    return tuple(sorted(_large()))


def large_provider_of(address: str) -> str | None:
    """Return the large provider of an address, or `None`: the many others share the flow's own count."""
    name = provider_of(address.rpartition("@")[2]).name
    return name if name in _large() else None


def thresholds_for(provider: str | None, given: Iterable[Threshold] | None = None) -> tuple[Threshold, ...]:
    """Return one threshold a metric: the provider's own, else the strictest."""
    found: dict[Metric, Threshold] = {}
    known = _published() if given is None else tuple(given)
    for threshold in sorted(known, key=lambda t: (t.provider != provider, t.stop)):
        found.setdefault(threshold.metric, threshold)
    return tuple(found.values())


def rates(counts: Counts) -> tuple[MetricRate, ...]:
    """Return every rate of what was counted, with its interval."""
    return tuple(
        MetricRate(metric, hits, total, *wilson(hits, total, 1.96))
        for metric, (hits, total) in _shares(counts).items()
    )


def _shares(counts: Counts) -> dict[Metric, tuple[int, int]]:
    """Return hits and total of every metric."""
    sent = counts.attempts
    tried = sent + counts.deferred
    return {
        Metric.BOUNCES: (counts.bounced, sent),
        Metric.COMPLAINTS: (counts.complained, max(sent, counts.complained)),
        Metric.BLOCKS: (counts.blocked, max(sent, counts.blocked)),
        Metric.DEFERRALS: (counts.deferred, tried),
    }


def judged(
    record: ReputationRecord, thresholds: Iterable[Threshold], policy: BreakerPolicy
) -> tuple[str, str] | None:
    """Return code and sentence of what opens a breaker, or `None`.

    Smaller scopes explain their own part: the larger one is judged by the rest.
    """
    known = tuple(thresholds)
    rest, is_whole = without_suspects(record, known, policy)
    shares = _shares(rest)
    for threshold in known:
        hits, total = shares[threshold.metric]
        when = "7 days" if policy.window == 7 else f"{policy.window} days"
        if is_over(hits, total, threshold, policy) or _is_lasting(record, hits, total, threshold, policy):
            return threshold.metric, _sentence(when, hits, total, threshold)
        recent = record.recent.count("1"), len(record.recent)
        if threshold.metric is Metric.BOUNCES and is_whole and is_over(*recent, threshold, policy):
            return threshold.metric, _sentence("the last hundred", *recent, threshold)
    return None


def without_suspects(
    record: ReputationRecord, thresholds: Iterable[Threshold], policy: BreakerPolicy
) -> tuple[Counts, bool]:
    """Return the counts without the smaller scopes that may explain the harm, and whether there were none.

    Those above a *stop* are left out, of the kind that did the most harm: a form that is bombed is not yet
    certainly guilty after three bounces, and with a few of other mail they would stop all that its From
    address sends. Each is stopped by its own breaker, a few messages later. Where nothing but suspects is
    left, only those that are guilty for certain are left out, or the worst: a scope all of whose mail is bad
    is guilty itself.
    """
    known = tuple(thresholds)
    suspects: dict[str, list[Counts]] = {}
    for key in record.parts:
        counts = record.part(key)
        if _is_suspect(counts, known):
            suspects.setdefault(key.partition(":")[0], []).append(counts)  # of one kind: no message twice
    if not suspects:
        return record.total, True
    worst_kind = max(suspects.values(), key=lambda several: sum(map(_harm, several)))
    rest = _without(record.total, worst_kind)
    if not rest.attempts:
        guilty = [one for one in worst_kind if _is_guilty(one, known, policy)]
        rest = _without(record.total, guilty or [max(worst_kind, key=_harm)])
    return rest, False


def _without(total: Counts, parts: Iterable[Counts]) -> Counts:
    for counts in parts:
        total = total.without(counts)
    return total


def _is_guilty(counts: Counts, thresholds: Iterable[Threshold], policy: BreakerPolicy) -> bool:
    shares = _shares(counts)
    return any(is_over(*shares[threshold.metric], threshold, policy) for threshold in thresholds)


def _is_suspect(counts: Counts, thresholds: Iterable[Threshold]) -> bool:
    shares = _shares(counts)
    return any(
        hits >= _SUSPECT and hits > threshold.stop * total
        for threshold in thresholds
        for hits, total in (shares[threshold.metric],)
    )


def _harm(counts: Counts) -> int:
    return counts.bounced + counts.complained + counts.blocked


def is_over(hits: int, total: int, threshold: Threshold, policy: BreakerPolicy) -> bool:
    """Return whether a share is above *stop* and certainly above *warn*."""
    if hits < policy.min_hits or hits <= threshold.stop * total:
        return False
    return wilson(hits, total, policy.certainty)[0] > threshold.warn


def _is_lasting(
    record: ReputationRecord, hits: int, total: int, threshold: Threshold, policy: BreakerPolicy
) -> bool:
    """Return whether a moderate rate has lasted: certainly above *warn*, on several days."""
    if len(record.days) < policy.lasting or hits < policy.min_hits:
        return False
    return wilson(hits, total, policy.certainty)[0] > threshold.warn


def _sentence(when: str, hits: int, total: int, threshold: Threshold) -> str:
    above = f"above {threshold.stop:.2g} and " if hits > threshold.stop * total else ""
    return (
        f"{hits} {threshold.metric} of {total} ({when}) are {above}certainly above {threshold.warn:.2g} "
        f"({threshold.provider})"
    )


def opened(
    record: ReputationRecord, reason: str, policy: BreakerPolicy, now: float, *, seconds: float | None = None
) -> ReputationRecord:
    """Return the record of a breaker that opens now; what led to it does not count again."""
    stops = tuple(at for at in record.stops if at > now - policy.remember)
    pause = policy.pauses[min(len(stops), len(policy.pauses) - 1)] if seconds is None else seconds
    return replace(
        record,
        state=BreakerState.OPEN.value,
        until=now + pause,
        reason=reason,
        stops=(*stops, now)[-20:],
        days={},
        recent="",
        let=0,
        parts={},
    )


def advanced(record: ReputationRecord, policy: BreakerPolicy, now: float) -> ReputationRecord:
    """Return the record as the time that passed makes it: half-open after a stop, closed after a trial."""
    if record.state == BreakerState.OPEN and now >= record.until:
        record = replace(record, state=BreakerState.HALF_OPEN.value, until=now + policy.settle, let=0)
    if record.state == BreakerState.HALF_OPEN and now >= record.until:
        is_tried = record.total.attempts >= min(policy.trial, record.let) > 0
        if is_tried:  # and nothing has opened it again
            return replace(record, state=BreakerState.CLOSED.value, reason="", let=0)
        if record.let >= policy.trial:  # nobody said what became of the trial: try again
            return replace(record, until=now + policy.settle, let=0)
    return record


def trial_failed(record: ReputationRecord, thresholds: Iterable[Threshold]) -> tuple[str, str] | None:
    """Return why a trial failed: two hits above *stop* are enough where there was trouble before."""
    if record.state != BreakerState.HALF_OPEN:
        return None
    shares = _shares(record.total)
    for threshold in thresholds:
        hits, total = shares[threshold.metric]
        if hits >= 2 and hits > threshold.stop * total:
            return threshold.metric, _sentence("the trial", hits, total, threshold)
    return None
