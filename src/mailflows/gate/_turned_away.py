"""What is said of a message that never came, since it was refused at MAIL, RCPT or DATA: a verdict, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows.gate._check import DEFAULT_RETRY, GateDecision, GateReason, Receipt, Verdict, strictest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailflows.flow import Flow
    from mailflows.gate._check import TurnedAway

__all__ = ["verdict_without_message"]


def verdict_without_message(sender: str, flow: Flow | None, turned_away: Iterable[TurnedAway]) -> Verdict:
    """Return the verdict on a message of which only the envelope was seen, for hooks and the tally.

    Args:
        sender: Envelope sender.
        flow: The flow that the integration knew, or `None`.
        turned_away: What was refused, at least one.
    """
    away = tuple(turned_away)
    reasons = dict.fromkeys((one.part, one.reason, one.text, one.state) for one in away)
    found = tuple(
        GateReason(reason, text, part, decision=_DECISIONS[state]) for part, reason, text, state in reasons
    )
    decision = strictest(reason.decision for reason in found)
    return Verdict(
        decision=decision,
        flow=flow,
        route=None,
        retry_after=DEFAULT_RETRY if decision is GateDecision.DEFER else None,
        accepted=(),
        refused=(),
        reasons=found,
        classification=None,
        would_be=decision,
        mail_from=sender,
        receipt=Receipt(mail_from=sender, turned_away=away),
    )


_DECISIONS = {"refused": GateDecision.REJECT, "deferred": GateDecision.DEFER}
