"""A recipient judged on its own, before there is a message: for the reply to RCPT TO."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows.errors import MailflowsError
from mailflows.gate._check import QUEUE_LIFETIME, TurnedAway
from mailflows.recipients import Deliverability

if TYPE_CHECKING:
    from mailflows.flow import Flow
    from mailflows.gate import Gate

__all__ = ["judged"]


def judged(gate: Gate, address: str, flow: Flow, *, is_late: bool = False) -> TurnedAway | None:
    """Return the refusal of a recipient, with its SMTP reply, or `None`.

    What cannot be asked without the message is asked with it; a part that fails says nothing here.

    Args:
        gate: The gate.
        address: The recipient.
        flow: The flow of the message.
        is_late: Whether the time for all recipients of the message is used up: then no DNS is asked.
    """
    found = _suppressed(gate, address, flow)
    if found is None and not is_late:
        found = _undeliverable(gate, address)
    return found or _limited(gate, address, flow)


def _suppressed(gate: Gate, address: str, flow: Flow) -> TurnedAway | None:
    if gate.suppressions is None:
        return None
    try:
        found = gate.suppressions.find(address, flow=flow)
    except MailflowsError:
        return None
    if found is None:
        return None
    said = f"{found.reply_status} on the suppression list ({found.reason})"
    return TurnedAway("RCPT", 550, said, part="suppressions", reason="suppressed")


def _undeliverable(gate: Gate, address: str) -> TurnedAway | None:
    if gate.recipients is None:
        return None
    try:
        report = gate.recipients.check(address)
    except MailflowsError:
        return None
    if report.verdict is not Deliverability.UNDELIVERABLE or not report.reasons:
        return None
    first = report.reasons[0]
    return TurnedAway("RCPT", 550, f"5.1.1 {first.sentence}", part="recipients", reason=first.code)


def _limited(gate: Gate, address: str, flow: Flow) -> TurnedAway | None:
    limiter = gate.limiter_of(flow)
    if limiter is None or limiter.dry_run:
        return None
    try:
        found = limiter.check(to=(address,), flow=flow)
    except (MailflowsError, ValueError):  # a limit asks for more than is known yet
        return None
    if found or found.retry_after is None:
        return None
    if found.degraded:
        said = "4.3.0 A check failed to run; try again later [limits]"
        return TurnedAway("RCPT", 451, said, part="limits", reason="failed")
    said = f"the limit {found.rule!r} is reached for this recipient"
    code, status = (550, "5.7.1") if found.retry_after > QUEUE_LIFETIME else (450, "4.7.1")
    return TurnedAway("RCPT", code, f"{status} {said}", part="limits", reason="limited")
