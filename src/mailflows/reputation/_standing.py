"""How a flow stands, what stops a message, and whether one may be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mailflows._result import Permission, Result, to_html

if TYPE_CHECKING:
    from datetime import datetime

    from mailflows._result import Cell
    from mailflows.reputation._breaker import BreakerState, MetricRate

__all__ = ["ReputationVerdict", "Standing", "Stop"]


@dataclass(frozen=True, slots=True)
class Standing(Result):
    """The state of a flow, or of a part of it.

    Attributes:
        scope: Such as ``marketing``, ``marketing to google`` or ``transactional by form signup``.
        state: Whether mail may be sent.
        rates: Every rate of the window, with its interval.
        reason: Why it was stopped; empty while it is closed.
        until: When the stop or the trial ends, in UTC; `None` while it is closed.
        notices: Rates that an operator should know about, although nothing is stopped; logged once a day.
    """

    scope: str
    state: BreakerState
    rates: tuple[MetricRate, ...]
    reason: str
    until: datetime | None
    notices: tuple[str, ...] = ()

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return "; ".join((f"{self.scope}: {self.state}{why}", *self.notices))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return {
            "scope": self.scope,
            "state": str(self.state),
            "reason": self.reason,
            "until": self.until.isoformat() if self.until else None,
            "notices": list(self.notices),
            "rates": {
                str(rate.metric): {"hits": rate.hits, "total": rate.total, "low": rate.low, "high": rate.high}
                for rate in self.rates
            },
        }

    def _repr_html_(self) -> str:
        """Return the state as a small table, for a notebook."""
        rows: list[list[Cell]] = [
            [str(r.metric), r.hits, r.total, f"{r.low:.2%} to {r.high:.2%}"] for r in self.rates
        ]
        return to_html(str(self), ["rate", "hits", "of", "95 % interval"], rows)


@dataclass(frozen=True, slots=True)
class Stop(Result):
    """One breaker that is open now.

    Attributes:
        scope: What is stopped, as `Standing.scope`.
        sentence: Why, without an address.
        retry_after: Seconds until mail is let through again.
        provider: The mailbox provider that it applies to, or `None` for all mail of the scope.
    """

    scope: str
    sentence: str
    retry_after: float
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class ReputationVerdict(Permission):
    """Whether mail of a flow may be sent. True if it may, at least to some of the recipients.

    Attributes:
        accepted: Recipients that mail may be sent to, as they were given.
        refused: Recipients at a provider to which the flow is stopped.
        stops: The breakers that are open.
        allowed: Whether the flow and the sender may send mail at all.
        degraded: Whether the store failed to answer, so that *on_error* decided.
    """

    allowed: bool
    accepted: tuple[str, ...]
    refused: tuple[str, ...]
    stops: tuple[Stop, ...]
    degraded: bool = False

    @property
    def retry_after(self) -> float | None:
        """Seconds until everything that is stopped is let through again; 0.0 if nothing is stopped."""
        return max((stop.retry_after for stop in self.stops), default=0.0)

    def __str__(self) -> str:
        why = "; ".join(f"{stop.scope} is stopped: {stop.sentence}" for stop in self.stops)
        return why or "no issues found"
