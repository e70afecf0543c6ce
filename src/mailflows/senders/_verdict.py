"""The status of a sender, and whether it may send."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mailflows._result import Permission, Reason

if TYPE_CHECKING:
    from datetime import datetime

    from mailflows._result import Table

__all__ = ["SenderKind", "SenderStatus", "SenderVerdict"]


class SenderStatus(StrEnum):
    """The status of a sender."""

    CLEAR = "clear"
    WARNED = "warned"
    HELD = "held"
    """This message waits for manual review; the sender is not blocked."""

    BLOCKED = "blocked"


class SenderKind(StrEnum):
    """The kind of sender, if it was declared; by default that is learned from its mail."""

    PERSON = "person"
    SHARED = "shared"
    """Several people who answer strangers, such as sales@."""

    MACHINE = "machine"
    """A server that writes at any hour, such as alerts@."""


@dataclass(frozen=True, slots=True)
class SenderVerdict(Permission):
    """Whether a sender may send. True if it may.

    Attributes:
        allowed: Whether this message may be sent.
        status: The sender's status: clear, warned, held (this message) or blocked.
        reasons: Evidence against the sender or the message, the strongest first. The weights are evidence for
            a stolen account, in nats.
        until: When a block ends, in UTC; `None` without a block, or for one that never ends.
        retry_after: Seconds until the same may be tried again; 0.0 if allowed, `None` for never.
        outcomes: Recipients within about a week whose outcome is known.
        invalid: Those among them that do not exist.
        degraded: Whether the store failed to answer, so that *on_error* decided.
    """

    allowed: bool
    status: SenderStatus
    reasons: tuple[Reason, ...] = ()
    until: datetime | None = None
    retry_after: float | None = 0.0
    outcomes: int = 0
    invalid: int = 0
    degraded: bool = False

    def __str__(self) -> str:
        """Return one line, without an address."""
        said = "may send" if self.allowed else "may not send"
        why = "; ".join(reason.sentence for reason in self.reasons)
        return f"{self.status}: {said}" + (f" ({why})" if why else "")

    def _table(self) -> Table:
        rows = [(reason.code, reason.sentence, reason.weight) for reason in self.reasons]
        return str(self.status), ["reason", "what was found", "weight"], rows
