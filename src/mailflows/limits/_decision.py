"""The decision of a limiter, with everything that a caller needs to report it or act on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mailflows._rates import duration
from mailflows._result import Permission, Reason, Result, plain
from mailflows._visitors import visitor_sentence
from mailflows.limits._attempt import Attempt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailflows._result import Cell, Table
    from mailflows._stores import Outcome
    from mailflows.limits._limit import Limit
    from mailflows.limits._partial import LeftOut

__all__ = ["Decision", "LimitReading"]


@dataclass(frozen=True, slots=True)
class LimitReading(Result):
    """The state of one rate of a limit after a decision.

    Attributes:
        rule: Name of the limit.
        per: The kind of key that it counts by.
        limit: Units that fit at once.
        remaining: Units that still fit now.
        reset_after: Seconds until all of them fit again.
        wait: Seconds until this attempt fits; 0.0 if it did, infinity if it never will.
    """

    rule: str
    per: str
    limit: int
    remaining: int
    reset_after: float
    wait: float

    def __str__(self) -> str:
        return f"{self.rule}: {self.remaining} of {self.limit} left"


class Decision(Permission):
    """Whether an attempt may proceed. A decision is true if it may.

    Only `accepted` and `refused`, which echo the caller's recipients, contain an address or another key. Two
    decisions are equal if their content is; a copy can be passed to `Limiter.report` like the original.

    Attributes:
        outcome: The store's decision, which `Limiter.report` needs.
        degraded: Whether the store failed to answer, so that the limiter's *on_error* decided.
        dry_run: Whether it is a dry run: everything is allowed, and `rule` is the limit that would have
            refused.

    Example:
        >>> from mailflows.limits import Limit, Limiter
        >>> limiter = Limiter(Limit("2/hour", per="recipient"))
        >>> decision = limiter.acquire(to="ada@example.org")
        >>> bool(decision), decision.rule, decision.remaining
        (True, None, 1)
    """

    __slots__ = (
        "_accepted",
        "_allowed",
        "_left_out",
        "_limits",
        "_problem",
        "_readings",
        "_recipients",
        "degraded",
        "dry_run",
        "outcome",
    )

    def __init__(  # noqa: PLR0913, PLR0917 -- made half a million times a second: positions are faster
        self,
        limits: Mapping[str, Limit | _Name],
        recipients: Attempt | Mapping[str, str],
        outcome: Outcome,
        degraded: bool = False,  # noqa: FBT001, FBT002
        dry_run: bool = False,  # noqa: FBT001, FBT002
        accepted: tuple[str, ...] | None = None,
        problem: str = "",
        left_out: Mapping[str, LeftOut] | None = None,
    ) -> None:
        self._limits = limits
        self._recipients = recipients
        self._readings: tuple[LimitReading, ...] | None = None
        self._allowed = outcome.at is not None or dry_run or outcome.wait <= 0.0
        self._accepted = accepted
        self._problem = problem
        self._left_out = left_out or {}
        self.outcome = outcome
        self.degraded = degraded
        self.dry_run = dry_run

    @property
    def allowed(self) -> bool:
        """Whether the attempt may proceed, perhaps after `delay`."""
        return self._allowed

    @property
    def _spelled(self) -> Mapping[str, str]:
        """Recipients by their keys, as they were spelled; looked at only when somebody asks."""
        found = self._recipients
        return found.spelled if isinstance(found, Attempt) else found

    @property
    def busy(self) -> bool:
        """Whether the store was too busy to decide in time."""
        return self.outcome.is_busy

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it was refused, or would have been in a dry run; empty if there were no issues."""
        if not self._refusing and not self.busy:
            return ()
        if self._problem:
            code = "unreadable-recipient"
        elif self.busy:
            code = "store-busy"
        elif not self.readings:
            code = "store-down"
        else:
            code = "limit-exceeded" if math.isfinite(self.outcome.wait) else "more-than-the-limit"
        known = {"rule": self.rule, "per": self.per, "retry_after": self._wait}
        return (Reason(code, self._refusal, part="limits", parameters=known),)

    @property
    def readings(self) -> tuple[LimitReading, ...]:
        """The state of every rate of every limit, one entry per counted key."""
        if self._readings is None:
            rows = zip(self.outcome.charges, self.outcome.readings(), strict=False)
            self._readings = tuple(
                LimitReading(
                    rule=self._limits[meter.id].name,
                    per=self._limits[meter.id].kind,
                    limit=meter.capacity,
                    remaining=max(0, math.floor(meter.capacity - used + 1e-6)),
                    reset_after=empty_in,
                    wait=wait,
                )
                for (meter, _, _), (used, empty_in, wait) in rows
            )
        return self._readings

    @property
    def _tightest(self) -> LimitReading | None:
        """The reading that refused, with the longest wait; or the one with the least left."""
        if not self.readings:
            return None
        if self._refusing:
            return max(self.readings, key=lambda reading: reading.wait)
        return min(self.readings, key=lambda reading: reading.remaining / reading.limit)

    @property
    def _refusing(self) -> bool:
        """Whether a limit says no, also where the decision is yes because of a dry run."""
        return not self.outcome.allowed

    @property
    def rule(self) -> str | None:
        """Name of the limit that refused, or that would have in a dry run; `None` if none did."""
        return self._tightest.rule if self._refusing and self._tightest else None

    @property
    def per(self) -> str | None:
        """Kind of key of the limit that decided: the one that refused, or the one with the least left."""
        return self._tightest.per if self._tightest else None

    @property
    def limit(self) -> int | None:
        """Units that the deciding limit allows at once."""
        return self._tightest.limit if self._tightest else None

    @property
    def remaining(self) -> int | None:
        """Units left in the deciding limit."""
        return self._tightest.remaining if self._tightest else None

    @property
    def reset_after(self) -> float:
        """Seconds until the deciding limit is fully available again."""
        return self._tightest.reset_after if self._tightest else 0.0

    @property
    def _wait(self) -> float | None:
        """Seconds until it fits, or `None` where that never comes."""
        return self.outcome.wait if math.isfinite(self.outcome.wait) else None

    @property
    def retry_after(self) -> float | None:
        """Seconds until the same attempt would be allowed; 0.0 if it is, `None` if it never will be."""
        return 0.0 if self._allowed else self._wait

    @property
    def delay(self) -> float:
        """Seconds to wait before sending, if a later moment was booked; otherwise 0.0."""
        return self.outcome.wait if self._allowed and self.outcome.at is not None else 0.0

    @property
    def accepted(self) -> tuple[str, ...]:
        """The recipients that may be sent to, as they were spelled."""
        spelled = self._spelled
        accepted = self._accepted if self._accepted is not None else spelled
        return tuple(spelled[key] for key in accepted) if self._allowed else ()

    @property
    def refused(self) -> tuple[str, ...]:
        """The recipients that may not, as they were spelled."""
        accepted = set(self.accepted)
        return tuple(r for r in self._spelled.values() if r not in accepted)

    @property
    def left_out(self) -> dict[str, tuple[str, str, float]]:
        """Refused recipients of a partial attempt, as spelled → rule, kind of its key, seconds to wait."""
        spelled = self._spelled
        return {
            spelled[key]: (self._limits[meter].name, self._limits[meter].kind, wait)
            for key, (meter, wait) in self._left_out.items()
        }

    @property
    def message(self) -> str:
        """One sentence for the person who waits, without an address."""
        if self._refusing and (self.dry_run or not self._allowed):
            return self._refusal
        return f"Allowed after {duration(self.delay)}." if self.delay >= 1 else "Allowed."

    def for_visitor(self, language: str | None = "en") -> str:
        """Return a sentence for the visitor of a form, without rule, key or count; empty if allowed.

        Show it where the limit is the visitor's own (`per` is ``client`` or ``account``): for a limit per
        recipient, show the same page as to everyone.

        Args:
            language: A language tag as browsers send it (``pt-BR``), or the whole Accept-Language field,
                whatever it says. The sentences are in fourteen languages; `None` and any other language get
                English.

        Example:
            >>> from mailflows.limits import Limit, Limiter
            >>> limiter = Limiter(Limit("1/hour", per="client"))
            >>> _ = limiter.acquire(client="192.0.2.7")
            >>> limiter.acquire(client="192.0.2.7").for_visitor("de")
            'Zu viele Versuche. Bitte versuchen Sie es in 60 Minuten erneut.'
        """
        if self._allowed:
            return ""
        if self._problem:
            return visitor_sentence("not-sent", language)
        if self._wait is None:
            return visitor_sentence("too-much", language)
        code = "later" if self.busy or self.degraded else "too-many"
        return visitor_sentence(code, language, wait=self._wait)

    @property
    def _refusal(self) -> str:
        if self._problem:
            return f"Refused: {self._problem}."
        reading = self._tightest
        what = f"Over the limit {reading.rule!r}" if reading else "The limits could not be checked"
        if self.busy:
            what = "The store of the limits is busy"
        if self._wait is None:
            return f"{what}: this attempt alone exceeds the limit."
        return f"{what}: try again in {duration(max(1.0, math.ceil(self._wait)))}."

    def headers(self) -> dict[str, str]:
        """Return HTTP header fields: Retry-After (RFC 9110 section 10.2.3) for a refusal, and RateLimit.

        The RateLimit fields are those of draft-ietf-httpapi-ratelimit-headers-10 (2025): quota ``q``,
        remaining ``r``, reset ``t``, in units and seconds.
        """
        reading = self._tightest
        fields = {}
        if reading is not None:
            name = _quoted(reading.rule)
            fields["RateLimit-Policy"] = f"{name};q={reading.limit}"
            fields["RateLimit"] = f"{name};r={reading.remaining};t={math.ceil(reading.reset_after)}"
        if not self._allowed and math.isfinite(self.outcome.wait):
            fields["Retry-After"] = str(max(1, math.ceil(self.outcome.wait)))
        return fields

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as plain data, ready for JSON and for logs: it contains no address."""
        return {
            "allowed": self.allowed,
            "rule": self.rule,
            "per": self.per,
            "limit": self.limit,
            "remaining": self.remaining,
            "retry_after": self.retry_after,
            "reset_after": self.reset_after,
            "delay": self.delay,
            "recipients": len(self._spelled),
            "accepted": len(self.accepted),
            "degraded": self.degraded,
            "busy": self.busy,
            "dry_run": self.dry_run,
            "message": self.message,
            "reasons": plain(self.reasons),
        }

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        said = "allowed" if self._allowed else "refused"
        marks = "".join(f", {m}" for m in ("degraded", "dry_run") if getattr(self, m))
        return f"<Decision {said}{marks}: {self.message}>"

    def _table(self) -> Table:
        rows: list[Sequence[Cell]] = [
            (
                r.rule,
                r.per,
                r.limit,
                r.remaining,
                duration(r.reset_after),
                "-" if not r.wait else duration(r.wait) if math.isfinite(r.wait) else "never fits",
            )
            for r in self.readings
        ]
        return self.message, ["rule", "per", "limit", "remaining", "reset after", "wait"], rows

    def _said(self) -> tuple[object, ...]:
        """Return all that a decision says."""
        return (
            self._allowed,
            self.readings,
            self.outcome.wait,
            self.outcome.at,
            self.busy,
            self._problem,
            self.degraded,
            self.dry_run,
            self.accepted,
            self.refused,
            tuple(self._left_out.items()),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decision) and self._said() == other._said()

    def __hash__(self) -> int:
        return hash(self._said())

    def __reduce__(self) -> tuple[object, ...]:
        """Take along what was asked for, and of the limits their names only: they may hold functions."""
        ids = {meter.id for meter, _, _ in self.outcome.charges} | {
            one.meter for one in self._left_out.values()
        }
        limits = {name: _Name(self._limits[name].name, self._limits[name].kind) for name in ids}
        kept = (
            *(dict(self._spelled), self.outcome, self.degraded, self.dry_run),
            *(self._accepted, self._problem, dict(self._left_out)),
        )
        return Decision, (limits, *kept)


class _Name(NamedTuple):
    """What a decision that was pickled knows of a limit."""

    name: str
    kind: str


def _quoted(text: str) -> str:
    """Return a name as a string of structured fields (RFC 9651 section 3.3.3): printable ASCII."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\' else "_" for c in text)
    return f'"{plain}"'
