"""What every integration does around handing a message to its relay: the route before, the report after."""

from __future__ import annotations

import logging
import smtplib
import ssl
import traceback
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailflows._result import printable
from mailflows.errors import ConfigurationError, MailflowsError, MessageError
from mailflows.integrations._delivery import Delivery, RecipientOutcome, RecipientState, events_of_unknown
from mailflows.integrations._relay import server_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mailflows.feedback import Event
    from mailflows.flow import Flow
    from mailflows.flows import FlowRoute
    from mailflows.gate import Gate, Verdict

__all__ = ["cause_of", "failure_of", "is_dry", "is_ours", "reported", "route_of"]

_log = logging.getLogger("mailflows.integrations")


def route_of(gate: Gate, verdict: Verdict) -> FlowRoute:
    """Return the route by which a message leaves; it has a relay.

    In a dry run a message that belongs to no flow leaves as it would without a gate: by the relay that all
    flows share.

    Raises:
        ConfigurationError: If there is none.
    """
    route = verdict.route
    if verdict.dry_run and (route is None or route.server is None):
        shared = {one.relay: one for one in gate.flows if one.server}
        route = next(iter(shared.values())) if len(shared) == 1 else route
    if route is None:
        msg = f'the {verdict.flow or "unknown"} flow has no relay: write relay = "smtp://host" in its table'
        raise ConfigurationError(msg, field="relay")
    server_of(route)
    return route


def is_dry(gate: Gate, flow: Flow | None) -> bool:
    """Say whether the gate only tries, wholly or for a flow."""
    dry: Any = gate.dry_run  # of all flows, or of some
    return flow in dry if isinstance(dry, Collection) else bool(dry)


def cause_of(problem: BaseException) -> str:
    """Return what went wrong, on one line and without an address.

    The texts of errors that are not ours may hold one; of those the kind and the place are said.
    """
    if isinstance(problem, MailflowsError | ssl.SSLError):
        return printable(f"{type(problem).__name__}: {problem}")
    if isinstance(problem, OSError) and problem.strerror:
        return printable(f"{type(problem).__name__}: {problem.strerror}")
    frames = traceback.extract_tb(problem.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(problem).__name__}{place}"


def is_ours(problem: BaseException) -> bool:
    """Say whether it is our own settings that are wrong: the mail is still good, and waits for them."""
    is_auth = isinstance(problem, smtplib.SMTPAuthenticationError | smtplib.SMTPNotSupportedError)
    return is_auth or isinstance(problem, ConfigurationError | ssl.SSLError)


def failure_of(problem: Exception) -> RecipientOutcome:
    """Return what holds for every recipient whom no reply was about."""
    deferred, refused = RecipientState.DEFERRED, RecipientState.REFUSED
    if type(problem).__name__ == "AnswerLost":
        return RecipientOutcome(
            "", RecipientState.UNKNOWN, "relay", None, "4.4.2 The relay's answer was lost"
        )
    if isinstance(problem, smtplib.SMTPNotSupportedError) and "SMTPUTF8" in str(problem):
        return RecipientOutcome(
            "", refused, "relay", 553, "5.6.7 The relay cannot carry this address (SMTPUTF8)"
        )
    if is_ours(problem):
        _log.error("mail is deferred until this is mended: %s", cause_of(problem))
        return RecipientOutcome(
            "", deferred, "settings", 451, "4.3.5 The way to the relay is not set up rightly"
        )
    if isinstance(problem, MessageError):
        return RecipientOutcome("", refused, "envelope", 550, "5.6.0 The message cannot be said over SMTP")
    code = getattr(problem, "smtp_code", getattr(problem, "code", None))
    if not isinstance(code, int) or code not in range(400, 600):
        if (
            isinstance(problem, OSError)
            and problem.errno is not None
            and not isinstance(problem, ConnectionError)
        ):
            _log.error("the relay cannot be reached: %s", problem.strerror)
        return RecipientOutcome("", deferred, "relay", 451, "4.4.1 The relay cannot be reached")
    text = getattr(problem, "smtp_error", getattr(problem, "message", ""))
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return RecipientOutcome("", refused if code >= 500 else deferred, "relay", code, said)


def reported(
    delivery: Delivery, verdict: Verdict, problem: BaseException | None = None
) -> Iterable[Event] | Mapping[str, tuple[int, bytes | str]] | BaseException:
    """Return what the gate is told of a delivery."""
    if delivery.unknown:
        return events_of_unknown(verdict)
    if problem is not None:
        return () if is_ours(problem) or isinstance(problem, MessageError) else problem
    by_relay = [one for one in delivery.recipients if one.by == "relay" and one.code is not None]
    return {one.address: (one.code or 451, one.text) for one in by_relay}
