"""What the gate says: a decision, a route, and what every part had to say about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mailflows._log import loggable
from mailflows._result import Permission, Reason, to_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailflows._context import Context
    from mailflows._result import Cell, Table
    from mailflows.classifier import Classification
    from mailflows.flow import Flow
    from mailflows.flows import FlowRoute
    from mailflows.limits import Decision

__all__ = ["GateDecision", "GateReason", "Receipt", "RefusedRecipient", "Verdict", "strictest"]


class GateDecision(StrEnum):
    """What to do with a message, the mildest first."""

    ACCEPT = "accept"
    """Send it, by the verdict's route, to the accepted recipients."""

    DEFER = "defer"
    """Not now; the same message may be accepted after ``retry_after``."""

    HOLD = "hold"
    """Keep it until a person has looked at it."""

    REJECT = "reject"
    """Do not send it; trying again is of no use."""


_ORDER = {decision: number for number, decision in enumerate(GateDecision)}


def strictest(decisions: Iterable[GateDecision]) -> GateDecision:
    """Return the strictest of several decisions; accept for none."""
    return max(decisions, key=_ORDER.__getitem__, default=GateDecision.ACCEPT)


@dataclass(frozen=True, slots=True)
class GateReason(Reason):
    """What one part said. Its code is ``ok`` where nothing speaks against the message.

    Attributes:
        decision: What it alone would lead to.
        retry_after: Seconds after which a deferred message is worth trying; `None` where nobody knows.
        degraded: Whether the part failed, so that its policy decided.
    """

    decision: GateDecision = GateDecision.ACCEPT
    retry_after: float | None = None
    degraded: bool = False

    __hash__ = Reason.__hash__

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentence", loggable(self.sentence))


@dataclass(frozen=True, slots=True)
class RefusedRecipient:
    """A recipient that must not be written to, or not now.

    Attributes:
        address: As it was given. It stands in no text of the verdict.
        part: The part that refused it.
        code: Why, as a code.
        sentence: Why, for a reader.
        retry_after: Seconds after which it may be accepted; `None` if trying again is of no use.
    """

    address: str = field(repr=False)
    part: str
    code: str
    sentence: str
    retry_after: float | None = None

    @property
    def reply(self) -> tuple[int, str]:
        """What an SMTP server would say about it (RFC 3463): 450 if it may be accepted later, else 550."""
        if self.retry_after is not None:
            return 450, f"4.7.0 {self.sentence}"
        status = "5.1.1" if self.part in {"recipients", "suppressions"} else "5.7.1"
        return 550, f"{status} {self.sentence}"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What `Gate.report` needs to close the loop."""

    limited: Decision | None = None
    sender: str | None = None
    account: str | None = None
    message_id: str | None = None
    released: str | None = None
    context: Context | None = None


@dataclass(frozen=True, slots=True)
class Verdict(Permission):
    """Whether a message may leave, by which route, to whom, and why. A verdict is true if it may.

    Attributes:
        decision: What to do with the message.
        flow: The flow that it belongs to, or `None` where that could not be told.
        route: The route by which it leaves, or `None` where there is none.
        retry_after: Seconds after which a deferred message is worth trying; else `None`.
        accepted: Recipients to send to, as they were given; nobody unless the decision is accept.
        refused: Recipients that a part refused, each with its reason.
        reasons: What every part said, in the order in which they were asked.
        classification: What the classifier said, or `None` where it was not asked or failed.
        would_be: The decision without a dry run; the same as *decision* otherwise.
        dry_run: Whether the gate only tries: the message leaves as it would without it.
        mail_from: The envelope sender to send with: the flow's return path, or what was given.
        headers: Header fields to send it with; each takes the place of those of its name.
        held: Its id in the place for held mail, where it is held and there is one.
    """

    decision: GateDecision
    flow: Flow | None
    route: FlowRoute | None
    retry_after: float | None
    accepted: tuple[str, ...] = field(repr=False)
    refused: tuple[RefusedRecipient, ...]
    reasons: tuple[GateReason, ...]
    classification: Classification | None = field(repr=False)
    would_be: GateDecision
    dry_run: bool = False
    mail_from: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    held: str | None = None
    receipt: Receipt = field(default=Receipt(), repr=False, compare=False)

    @property
    def allowed(self) -> bool:
        """Whether the message may leave now."""
        return self.decision is GateDecision.ACCEPT

    @property
    def findings(self) -> tuple[GateReason, ...]:
        """What is worth a look and stopped nothing."""
        return tuple(r for r in self.reasons if r.decision is GateDecision.ACCEPT and r.code != "ok")

    @property
    def why(self) -> tuple[GateReason, ...]:
        """What stopped the message, or would have without the dry run, the strictest first."""
        stopping = [r for r in self.reasons if r.decision is not GateDecision.ACCEPT]
        return tuple(sorted(stopping, key=lambda r: -_ORDER[r.decision]))

    @property
    def degraded(self) -> tuple[str, ...]:
        """The parts that failed, so that their policy decided."""
        return tuple(dict.fromkeys(r.part for r in self.reasons if r.degraded))

    def __str__(self) -> str:
        """Return one line, without an address."""
        trial = f"dry run, would be {self.would_be}: " if self.dry_run else ""
        why = "; ".join(f"{r.part}: {r.sentence}" for r in (self.why or self.findings))
        wait = f" (retry after {self.retry_after:.0f} s)" if self.retry_after is not None else ""
        return f"{trial}{self.decision} {self.flow or 'no flow'}{wait}: {why or 'nothing speaks against it'}"

    def metrics(self) -> list[tuple[str, int, dict[str, str]]]:
        """Return what counters go up by, for a hook: name, number, labels; see ``docs/operating.md``."""
        flow = str(self.flow or "none")
        decided = {"decision": str(self.decision), "would_be": str(self.would_be)}
        rows = [
            (
                "mailflows_gate_verdicts_total",
                1,
                {"flow": flow, **decided, "dry_run": str(self.dry_run).lower()},
            )
        ]
        rows += [
            (
                "mailflows_gate_reasons_total",
                1,
                {"flow": flow, "part": r.part, "code": r.code, "decision": str(r.decision)},
            )
            for r in (*self.why, *self.findings)
        ]
        counts = {"accepted": len(self.accepted), "refused": len(self.refused)}
        rows += [
            ("mailflows_gate_recipients_total", number, {"flow": flow, "outcome": outcome})
            for outcome, number in counts.items()
            if number
        ]
        return rows + [("mailflows_gate_degraded_total", 1, {"part": part}) for part in self.degraded]

    def explain(self) -> str:
        """Return what every part said, as a table for a terminal."""
        return to_text(_HEADER, self._rows())

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data, ready for JSON and for a log: no address is in it."""
        return {
            "decision": str(self.decision),
            "would_be": str(self.would_be),
            "dry_run": self.dry_run,
            "flow": str(self.flow) if self.flow else None,
            "route": self.route.to_dict() if self.route else None,
            "retry_after": self.retry_after,
            "accepted": len(self.accepted),
            "refused": [
                {"part": r.part, "code": r.code, "sentence": r.sentence, "retry_after": r.retry_after}
                for r in self.refused
            ],
            "reasons": [reason.to_dict() for reason in self.reasons],
            "degraded": list(self.degraded),
            "held": self.held,
        }

    def _table(self) -> Table:
        return str(self), _HEADER, self._rows()

    def _rows(self) -> list[list[Cell]]:
        return [[r.part, str(r.decision), r.code, r.sentence] for r in self.reasons]


_HEADER = ("part", "decision", "code", "what it says")
