"""The state of all parts, for an operator: breakers, senders, held mail, suppressions, limits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mailflows._result import Result
from mailflows.flow import Flow
from mailflows.gate._tally import DONE
from mailflows.held import HeldState
from mailflows.reputation import BreakerState, Metric

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mailflows._result import Table
    from mailflows.gate._parts import Parts
    from mailflows.gate._tally import TallyReport
    from mailflows.limits import Limiter
    from mailflows.reputation._standing import Standing

__all__ = ["GateStatus", "LimitUse", "status_of"]

LITTLE = 0.2
"""Share of a limit with which it is near its end. choice: early enough to act within its period."""

MOST_REASONS = 4
"""Reasons named in one row. choice: what fits beside the flow on a line of a terminal."""

Row: TypeAlias = tuple[str, str, str]

_COMMON = frozenset({"global", "flow"})
"""Keys that all mail of a flow shares."""


@dataclass(frozen=True, slots=True)
class LimitUse(Result):
    """How much of a limit over all mail of a flow is used up.

    Attributes:
        flow: The flow that it limits.
        limit: The name of the limit.
        remaining: Units that are left.
        units: Units that fit at once.
        is_background: Whether it is for mail without a client, such as that of a job: a preset's own.
    """

    flow: str
    limit: str
    remaining: int
    units: int
    is_background: bool = False

    @property
    def is_near_its_end(self) -> bool:
        """Whether a fifth or less is left."""
        return self.remaining <= self.units * LITTLE


@dataclass(frozen=True, slots=True)
class GateStatus(Result):
    """The state of all parts of a gate.

    Attributes:
        breakers: The state of each flow, and of each smaller scope that is stopped or on trial.
        blocked: Senders that are blocked, by reason.
        waiting: Messages that wait for manual review.
        oldest: When the oldest of them was held, or `None`.
        stopped: What was stopped today and yesterday, including deferred messages.
        dry_run: What a dry run would have stopped in seven days.
        suppressions: Suppressed addresses, by reason.
        limits: Limits over all mail of a flow, with what remains.
        rules: All other limits, as flow and name: each recipient, client, … has its own count; see
            ``mailflows limits show``.
        flows: The flows of the gate.
    """

    breakers: tuple[Standing, ...]
    blocked: dict[str, int]
    waiting: int
    oldest: datetime | None
    stopped: TallyReport
    dry_run: TallyReport
    suppressions: dict[str, int]
    limits: tuple[LimitUse, ...]
    rules: tuple[tuple[str, str], ...] = ()
    flows: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing needs attention: no open breaker, no blocked sender, no held mail."""
        is_closed = all(one.state is BreakerState.CLOSED for one in self.breakers)
        return is_closed and not self.blocked and not self.waiting

    def __str__(self) -> str:
        """Return one line."""
        broken = [str(one) for one in self.breakers if one.state is not BreakerState.CLOSED]
        said = [
            *broken,
            *([f"blocked senders: {sum(self.blocked.values())}"] if self.blocked else []),
            *([f"messages for manual review: {self.waiting}"] if self.waiting else []),
            *(f"{use.flow}: {use.limit} is nearly used up" for use in self.limits if use.is_near_its_end),
        ]
        return "; ".join(said) or "no breaker is open, and nothing is waiting"

    def _table(self, *, every: bool = False) -> Table:
        """Return one screen; with *every*, also the limits that nobody has used, and rare reasons."""
        most = None if every else MOST_REASONS
        rows = [*_flow_rows(self), *_reason_rows(self.stopped, most)]
        rows += [("blocked senders", reason, str(number)) for reason, number in sorted(self.blocked.items())]
        since = f", the oldest since {self.oldest:%Y-%m-%d %H:%M}" if self.oldest else ""
        rows.append(("waiting", "for manual review", f"{self.waiting}{since}"))
        if self.dry_run.messages:
            rows.append(("dry run", "all flows", str(self.dry_run)))
            rows += _reason_rows(self.dry_run, most, "would be ")
        if self.suppressions:
            ordered = sorted(self.suppressions.items(), key=lambda row: (-row[1], row[0]))
            reasons = [f"{reason} {number:,}" for reason, number in ordered]
            rows.append(("suppressed", "all flows", _first(reasons, most)))
        uses = [use for use in self.limits if every or use.remaining < use.units]
        rows += [("limit", f"{use.flow}: {use.limit}", _left(use)) for use in uses]
        if every:
            rows += [("limit", f"{flow}: {name}", "counted for each") for flow, name in self.rules]
        return str(self), ("what", "which", "state"), rows


def _flow_rows(status: GateStatus) -> Iterator[Row]:
    """Yield the state of each flow, and each scope in one that is stopped."""
    flows = {one.scope: one for one in status.breakers if one.scope in set(Flow)}
    seen = [*status.flows, *(name for name in status.stopped.flows if name not in status.flows)]
    for name in seen:
        standing = flows.get(name)
        stopped = status.stopped.flows.get(name, {})
        said = [
            *((_state(standing), _sent(standing), *standing.notices) if standing else ()),
            *(f"{number:,} {DONE[decision]}" for decision, number in sorted(stopped.items())),
        ]
        yield "flow", "none" if name == "-" else name, "; ".join(filter(None, said)) or "nothing stopped"
    for one in status.breakers:
        if one.scope not in set(Flow):
            yield "part of a flow", one.scope, _state(one)


def _state(standing: Standing) -> str:
    """Return whether mail is sent, as nobody misreads it: a breaker that is closed lets mail through."""
    if standing.until is None:
        return "sending"
    word = _STATES[standing.state]
    return f"{word} until {standing.until:%Y-%m-%d %H:%M} UTC: {standing.reason}"


_STATES = {BreakerState.OPEN: "stopped", BreakerState.HALF_OPEN: "on trial"}


def _sent(standing: Standing) -> str:
    """Return what went out in the days that reputation counts."""
    found = next((rate for rate in standing.rates if rate.metric is Metric.BOUNCES), None)
    if found is None or not found.total:
        return ""
    noun = "recipient" if found.total == 1 else "recipients"
    return f"sent to {found.total:,} {noun} in 7 days, {found.share * 100:.2g} % bounced"


def _reason_rows(report: TallyReport, most: int | None, would: str = "") -> Iterator[Row]:
    """Yield why messages, and recipients, were stopped: a row for each flow and decision."""
    for kind, counts in (("", report.reasons), ("recipients ", report.recipients)):
        grouped: dict[tuple[str, str], list[str]] = {}
        for one in counts:
            what = f"{would}{kind}{DONE[one.decision] if not kind else _TO_RECIPIENT[one.decision]}"
            grouped.setdefault((what, one.flow), []).append(f"{one.part}/{one.code} {one.messages:,}")
        for (what, flow), why in sorted(grouped.items()):
            yield what, flow, _first(why, most)


def _first(words: list[str], most: int | None) -> str:
    """Return the first of several, and how many more there are."""
    more = f", {len(words) - most} more" if most and len(words) > most else ""
    return ", ".join(words[:most]) + more


_TO_RECIPIENT = {"reject": "refused", "defer": "deferred"}


def _left(use: LimitUse) -> str:
    warning = ", nearly used up" if use.is_near_its_end else ""
    only = ", for mail without a client" if use.is_background else ""
    return f"{use.remaining} of {use.units} left{warning}{only}"


def status_of(parts: Parts) -> GateStatus:
    """Return the state of all parts."""
    waiting = [one for one in parts.held.list() if one.state is HeldState.WAITING] if parts.held else []
    blocked = parts.senders.blocked() if parts.senders is not None else []
    return GateStatus(
        breakers=_breakers(parts),
        blocked=dict(Counter(verdict.reasons[0].code for _, verdict in blocked if verdict.reasons)),
        waiting=len(waiting),
        oldest=min((one.held_at for one in waiting), default=None),
        stopped=parts.tally.report(days=2),
        dry_run=parts.tally.report(days=7, dry_run=True),
        suppressions=dict(Counter(str(one.reason) for one in parts.suppressions or ())),
        limits=tuple(_uses(parts)),
        rules=tuple(_rules(parts)),
        flows=tuple(str(route.flow) for route in parts.flows),
    )


def _breakers(parts: Parts) -> tuple[Standing, ...]:
    """Return the state of each flow, and what is stopped within one: a form, the mail to a provider."""
    if parts.reputation is None:
        return ()
    flows = tuple(parts.reputation)
    known = {one.scope for one in flows}
    return (*flows, *(one for one in parts.reputation.stopped() if one.scope not in known))


def _limiters(parts: Parts) -> Iterator[tuple[Flow, Limiter, bool]]:
    """Yield the limiters of each flow, and whether it is the one for mail without a client."""
    for route in parts.flows:
        limiter = parts.limiters.get(route.flow)
        if limiter is not None:
            yield route.flow, limiter, False
            if limiter.background is not None:
                yield route.flow, limiter.background, True


def _uses(parts: Parts) -> Iterator[LimitUse]:
    """Yield what remains of the limits that need no key of a person."""
    for flow, limiter, is_background in _limiters(parts):
        common = limiter.without(lambda limit: limit.per not in _COMMON)
        for reading in common.check(flow=flow).readings if common.limits else ():
            yield LimitUse(str(flow), reading.rule, reading.remaining, reading.limit, is_background)


def _rules(parts: Parts) -> Iterator[tuple[str, str]]:
    """Yield the names of the limits that count for each recipient, client, … apart."""
    for flow, limiter, is_background in _limiters(parts):
        only = ", for mail without a client" if is_background else ""
        yield from ((str(flow), f"{one.name}{only}") for one in limiter.limits if one.per not in _COMMON)
