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
from mailflows.reputation._certainty import deviations_above
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
    "notices",
    "opened",
    "rates",
    "thresholds_for",
    "trial_failed",
    "without_suspects",
]


_SUSPECT = 2
"""Hits that make a smaller scope a suspect. choice: one may be a typo, and counts for the larger scope."""


_OF_WARN = 0.7
"""Share of *warn* that a sustained rate must certainly be above. choice: at 0.5 one list in five of 4 % was
stopped, and with it a form whose visitors mistype (`benchmarks/flows_breaker.py`)."""


class BreakerState(StrEnum):
    """Whether mail may be sent."""

    CLOSED = "closed"
    """Mail is sent."""

    OPEN = "open"
    """Mail is stopped for a time."""

    HALF_OPEN = "half-open"
    """A few messages are let through, to see whether the problem is over."""


class Metric(StrEnum):
    """A rate that counts against a flow."""

    BOUNCES = "bounces"
    COMPLAINTS = "complaints"
    BLOCKS = "blocks"
    DEFERRALS = "deferrals"


_FINAL = frozenset({Metric.BOUNCES, Metric.BLOCKS})
"""Outcomes that are final: deferred mail arrives later, and complaints have a *stop* near their *warn*."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A published threshold for a rate.

    Attributes:
        metric: What is counted.
        warn: The rate to stay below, as a share in [0, 1]. Bounces and blocks that stay above it stop the
            flow.
        stop: The share that has consequences.
        provider: Who measures it, such as ``gmail`` or ``ses``.
        source: Where it is published.
        notice: The share above which the operator is notified, but nothing is stopped; `None` for never.

    Raises:
        ConfigurationError: If the shares are not 0 < *notice* <= *warn* <= *stop* < 1.

    Example:
        >>> from mailflows.reputation import Metric
        >>> Threshold(Metric.BOUNCES, warn=0.02, stop=0.05, provider="own").stop
        0.05
    """

    metric: Metric
    warn: float
    stop: float
    provider: str = "own"
    source: str = ""
    notice: float | None = None

    def __post_init__(self) -> None:
        if self.notice is not None and not 0.0 < self.notice <= self.warn:
            msg = f"notice must be above 0 and at most warn, {self.warn}; got {self.notice}"
            raise ConfigurationError(msg, field="notice")
        if not 0.0 < self.warn <= self.stop < 1.0:
            msg = f"warn must be between 0 and stop, and stop below 1; got {self.warn} and {self.stop}"
            raise ConfigurationError(msg, field="warn")


@dataclass(frozen=True, slots=True)
class MetricRate:
    """A rate with its confidence interval.

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
        """The counted share; 0.0 if nothing was counted."""
        return self.hits / self.total if self.total else 0.0

    def __str__(self) -> str:
        return (
            f"{self.metric} {self.share:.2%} ({self.low:.2%} to {self.high:.2%}; {self.hits} of {self.total})"
        )


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens, and how it closes again.

    It opens when the share is above a published *stop* and, with *certainty*, above the *warn* that goes with
    it: one complaint among three hundred messages is above 0.3 %, but proves nothing. Bounces and blocks,
    which are final, open it when their share is above *warn* and certainly above 70 % of it, so that a
    campaign that keeps bouncing at 6 % is stopped before its end. Any rate that is certainly above *warn*
    opens it after *lasting* days.

    The defaults were chosen by ``benchmarks/flows_breaker.py``, which measures what they mean for clean flows
    and for bad ones.

    Attributes:
        certainty: Standard deviations of that certainty: many, because the rate is tested after every
            message.
        min_hits: Bounces, complaints, … below which no breaker opens.
        window: Days over which rates are counted.
        lasting: Days with mail after which a rate that is certainly above *warn* opens it.
        pauses: Seconds of the first, second, … stop within *remember*.
        remember: Seconds during which a stop makes the next one longer.
        trial: Recipients that mail may be sent to while it is half-open.
        settle: Minimum number of seconds that a trial lasts, because bounces take a while.

    Raises:
        ConfigurationError: If a number is not positive, or there is no pause.

    Example:
        >>> BreakerPolicy(trial=20).pauses
        (3600.0, 14400.0, 86400.0)
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
        Threshold(
            Metric(row["metric"]), row["warn"], row["stop"], row["provider"], row["source"], row.get("notice")
        )
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
    has_lasted = len(record.days) >= policy.lasting
    for threshold in known:
        hits, total = shares[threshold.metric]
        limit = _limit_passed(hits, total, threshold, policy)
        if not limit and has_lasted and _is_certain(hits, total, threshold.warn, policy):
            limit = f"certainly above {threshold.warn:.2g}"
        if limit:
            return threshold.metric, _sentence(_window(policy), hits, total, limit, threshold)
        recent = record.recent.count("1"), len(record.recent)
        if threshold.metric is Metric.BOUNCES and is_whole and is_over(*recent, threshold, policy):
            limit = _limits(threshold.stop, threshold.warn)
            return threshold.metric, _sentence("the last hundred", *recent, limit, threshold)
    return None


def notices(
    record: ReputationRecord, thresholds: Iterable[Threshold], policy: BreakerPolicy
) -> tuple[str, ...]:
    """Return a sentence for each rate that an operator should know of, although nothing stops."""
    known = tuple(thresholds)
    shares = _shares(without_suspects(record, known, policy)[0])
    return tuple(
        f"{hits} {threshold.metric} of {total} ({_window(policy)}), {100 * hits / total:.1f} %, are "
        f"certainly above {threshold.notice:.2g}: check where these addresses come from"
        for threshold in known
        for hits, total in (shares[threshold.metric],)
        if threshold.notice is not None and _is_certain(hits, total, threshold.notice, policy)
    )


def without_suspects(
    record: ReputationRecord, thresholds: Iterable[Threshold], policy: BreakerPolicy
) -> tuple[Counts, bool]:
    """Return the counts without the smaller scopes that may explain the harm, and whether there were none.

    Those above a share that may stop them are left out, of the kind that did the most harm: a form that is
    bombed is not yet certainly guilty after three bounces, and with a few of other mail they would stop all
    that its From address sends. Each is stopped by its own breaker, a few messages later. Where nothing but
    suspects is left, only those that are guilty for certain are left out, or the worst: a scope all of whose
    mail is bad is guilty itself.
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
    return any(_limit_passed(*shares[threshold.metric], threshold, policy) for threshold in thresholds)


def _is_suspect(counts: Counts, thresholds: Iterable[Threshold]) -> bool:
    shares = _shares(counts)
    return any(
        hits >= _SUSPECT and hits > _lowest_stop(threshold) * total
        for threshold in thresholds
        for hits, total in (shares[threshold.metric],)
    )


def _lowest_stop(threshold: Threshold) -> float:
    """Return the share from which on a rate may stop something at once."""
    return threshold.warn if threshold.metric in _FINAL else threshold.stop


def _harm(counts: Counts) -> int:
    return counts.bounced + counts.complained + counts.blocked


def is_over(hits: int, total: int, threshold: Threshold, policy: BreakerPolicy) -> bool:
    """Return whether a share is above *stop* and certainly above *warn*."""
    return hits > threshold.stop * total and _is_certain(hits, total, threshold.warn, policy)


def _limit_passed(hits: int, total: int, threshold: Threshold, policy: BreakerPolicy) -> str:
    """Return the limit that stops a share at once, in words; empty where none does."""
    if is_over(hits, total, threshold, policy):
        return _limits(threshold.stop, threshold.warn)
    surely = _OF_WARN * threshold.warn
    if (
        threshold.metric in _FINAL
        and hits > threshold.warn * total
        and _is_certain(hits, total, surely, policy)
    ):
        return _limits(threshold.warn, surely)
    return ""


def _is_certain(hits: int, total: int, rate: float, policy: BreakerPolicy) -> bool:
    return hits >= policy.min_hits and deviations_above(hits, total, rate) > policy.certainty


def _limits(above: float, certainly: float) -> str:
    return f"above {above:.2g} and certainly above {certainly:.2g}"


def _window(policy: BreakerPolicy) -> str:
    return f"{policy.window} days"


def _sentence(when: str, hits: int, total: int, limit: str, threshold: Threshold) -> str:
    return f"{hits} {threshold.metric} of {total} ({when}) are {limit} ({threshold.provider})"


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
            limit = f"above {threshold.stop:.2g}"
            return threshold.metric, _sentence("the trial", hits, total, limit, threshold)
    return None
