"""What every integration does around handing a message to its relay: the route before, the report after."""

from __future__ import annotations

import logging
import smtplib
import ssl
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows._log import loggable
from mailflows._mail.edit import with_headers
from mailflows._mail.handover import wire_form, without_ours
from mailflows._result import printable
from mailflows.errors import ConfigurationError, MailflowsError, MessageError
from mailflows.gate._outcome import HandedOver
from mailflows.integrations._delivery import Delivery, RecipientOutcome, RecipientState
from mailflows.integrations._dkim import signed
from mailflows.integrations._relay import ABOUT_LOGIN, AddressNotSupported, AnswerLost, NoGreeting, server_of

if TYPE_CHECKING:
    from mailflows.flows import FlowRoute
    from mailflows.gate import Gate, Verdict
    from mailflows.gate._outages import Outages
    from mailflows.gate._outcome import Outcome

__all__ = ["answered", "cause_of", "failure_of", "is_ours", "outgoing", "replies_of", "reported", "route_of"]

_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"})
"""What OpenSSL says where a plaintext greeting came instead of TLS."""


_BEFORE_MAIL = frozenset({"SMTPConnectError", "SMTPConnectResponseError", "SMTPHeloError"})
"""Errors of smtplib and aiosmtplib for a refusal in the greeting or at EHLO."""

_IMPLICIT_TLS = 465
"""RFC 8314 section 7.3: submissions, TLS from the first byte."""

_CLEARTEXT_FIRST = frozenset({25, 587})
"""RFC 5321 section 4.5.4.2 and RFC 6409 section 3.1: the server greets in cleartext, and STARTTLS follows."""


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


def outgoing(verdict: Verdict, route: FlowRoute, content: bytes) -> bytes:
    """Return the bytes that leave: in a dry run those that were given, else with what the flow declares.

    What an application says to the gate (X-Mailflows-…) never leaves.

    Raises:
        MessageError: If they cannot be sent over SMTP.
        ConfigurationError: If the flow's key cannot be used.
    """
    if verdict.dry_run:
        return without_ours(content)
    return signed(with_headers(wire_form(content), verdict.headers), route)


def cause_of(problem: BaseException) -> str:
    """Return what went wrong, on one line and without an address.

    Texts of foreign errors may contain one, so only their type and place are given.
    """
    if refusal := _refusal_of_us(problem):
        return refusal
    if isinstance(problem, ssl.SSLError) and getattr(problem, "reason", None) in _NO_TLS:
        hint = 'relay = "smtp://…" for STARTTLS'
        return f"it has no implicit TLS on this port: write {hint}, or use another port"
    if isinstance(problem, NoGreeting):
        return str(problem)
    if isinstance(problem, MailflowsError | ssl.SSLError | smtplib.SMTPNotSupportedError):
        return printable(f"{type(problem).__name__}: {loggable(str(problem))}")
    if isinstance(problem, OSError) and problem.strerror:
        return printable(f"{type(problem).__name__}: {problem.strerror}")
    frames = traceback.extract_tb(problem.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(problem).__name__}{place}"


def _refusal_of_us(problem: BaseException) -> str:
    """Return why the relay does not talk to us, or nothing."""
    if _wants_login(problem):
        code, text = _replies_in(problem)[0]
        said = f"({code} {loggable(_shown(text))})"
        hint = f'it requires a login {said}: write relay = "smtp://user@host" and password_env'
        return hint if code == 530 else f"it refused the login {said}"  # RFC 4954 section 6
    if _refuses_session(problem):
        code, text = _reply_in(problem)
        return f"it refuses the session ({code} {loggable(_shown(text))})"
    return ""


def _with_hint(cause: str, route: FlowRoute | None) -> str:
    """Return a cause, and what to write where the scheme of a relay does not fit its port.

    Whatever the error is: a port that waits for TLS and a client that waits for a greeting only time out.
    """
    server = route.server if route else None
    if server is None:
        return cause
    if not server.is_tls and server.port == _IMPLICIT_TLS:
        return f'{cause}; port 465 expects TLS from the first byte: write relay = "smtps://…:465"'
    if server.is_tls and server.port in _CLEARTEXT_FIRST:
        return f'{cause}; port {server.port} begins in cleartext: write relay = "smtp://…:{server.port}"'
    return cause


def is_ours(problem: BaseException) -> bool:
    """Return whether it is our own settings that are wrong: the mail is still good, and waits for them."""
    is_tls_or_auth = isinstance(problem, smtplib.SMTPAuthenticationError | smtplib.SMTPNotSupportedError)
    is_known = is_tls_or_auth or isinstance(problem, ConfigurationError | ssl.SSLError)
    return is_known or _wants_login(problem) or _refuses_session(problem)


def _wants_login(problem: BaseException) -> bool:
    """Say whether every reply is about a login: nothing is wrong with message or recipients."""
    replies = _replies_in(problem)
    return bool(replies) and all(code in ABOUT_LOGIN for code, _ in replies)


def _refuses_session(problem: BaseException) -> bool:
    """Say whether the relay refused us before it heard of a message.

    Postfix skips such a server, too, and keeps the mail (smtp_skip_5xx_greeting, postconf(5)).
    """
    code, _ = _reply_in(problem)
    is_early = any(one.__name__ in _BEFORE_MAIL for one in type(problem).__mro__)
    return is_early and isinstance(code, int) and code >= 500


def _replies_in(problem: BaseException) -> list[tuple[object, object]]:
    """Return the replies that an exception carries: one, or one of each recipient."""
    recipients = getattr(problem, "recipients", None)
    if isinstance(recipients, dict):
        return list(recipients.values())
    if isinstance(recipients, list):  # aiosmtplib
        return [_reply_in(one) for one in recipients]
    code, text = _reply_in(problem)
    return [(code, text)] if isinstance(code, int) else []


def failure_of(problem: Exception, route: FlowRoute | None, gate: Gate) -> RecipientOutcome:
    """Return what holds for every recipient whom no reply was about.

    The log names the relay of the route once, until it `answered`: not for every message.
    """
    deferred, refused = RecipientState.DEFERRED, RecipientState.REFUSED
    if isinstance(problem, AnswerLost):
        return RecipientOutcome("", RecipientState.UNKNOWN, "relay", None, "4.4.2 The relay's reply was lost")
    if isinstance(problem, AddressNotSupported):
        return RecipientOutcome(
            "", refused, "relay", 553, "5.6.7 The relay does not support SMTPUTF8, which this address needs"
        )
    if is_ours(problem):
        said = "cannot be used; its mail is deferred until this is fixed"
        cause = _with_hint(cause_of(problem), route)
        _outages(gate).failed(_named(route), cause, said=said, level=logging.ERROR)
        return RecipientOutcome(
            "", deferred, "settings", 451, "4.3.5 The connection to the relay is misconfigured"
        )
    if isinstance(problem, MessageError):
        return RecipientOutcome("", refused, "envelope", 550, "5.6.0 The message cannot be sent over SMTP")
    replied = _replied(problem)
    if replied is None:
        said = "cannot be reached, its mail is deferred"
        cause = _with_hint(cause_of(problem), route)
        _outages(gate).failed(_named(route), cause, said=said, level=logging.ERROR)
        return RecipientOutcome("", deferred, "relay", 451, "4.4.1 The relay cannot be reached")
    answered(gate, route)
    return replied


def answered(gate: Gate, route: FlowRoute | None) -> None:
    """Note that a relay answered; the end of an outage is logged."""
    outages = _outages(gate)
    if outages.any:
        outages.answered(_named(route))


def _outages(gate: Gate) -> Outages:
    return gate._parts.outages  # noqa: SLF001 -- what its own integrations fail at is kept with the rest


def _named(route: FlowRoute | None) -> str:
    """Return which relay it is, without the name of its account."""
    if route is None or not route.relay:
        return "the relay"
    return printable(
        f"the relay {route.relay.rpartition('@')[2].rpartition('//')[2]} of the {route.flow} flow"
    )


def replies_of(problem: BaseException) -> dict[str, tuple[int, bytes | str]]:
    """Return what the relay said to each recipient whom it refused; nothing where it was about us."""
    recipients = getattr(problem, "recipients", None)
    if is_ours(problem) or not recipients:
        return {}
    if isinstance(recipients, dict):
        return dict(recipients)
    return {one.recipient: (one.code, one.message) for one in recipients}  # aiosmtplib


def _replied(problem: Exception) -> RecipientOutcome | None:
    """Return what the relay answered, or `None` where it did not."""
    code, text = _reply_in(problem)
    if isinstance(problem, smtplib.SMTPRecipientsRefused):  # each has its own reply; one stands for the rest
        code, text = next(iter(problem.recipients.values()), (451, b""))
    if not isinstance(code, int) or code not in range(400, 600):
        return None
    state = RecipientState.REFUSED if code >= 500 else RecipientState.DEFERRED
    return RecipientOutcome("", state, "relay", code, _shown(text))


def _reply_in(problem: BaseException) -> tuple[object, object]:
    """Return code and text of the reply that an exception of smtplib or aiosmtplib carries."""
    code: object = getattr(problem, "smtp_code", getattr(problem, "code", None))
    return code, getattr(problem, "smtp_error", getattr(problem, "message", ""))


def _shown(text: object) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def reported(delivery: Delivery, problem: BaseException | None = None) -> HandedOver:
    """Return the outcome of a delivery to report to the gate."""
    return HandedOver(_outcome(delivery, problem), _of_all(delivery))


def _outcome(delivery: Delivery, problem: BaseException | None) -> Outcome:
    if delivery.unknown:
        return "unknown"
    if problem is not None:
        return () if is_ours(problem) or isinstance(problem, MessageError) else problem
    failed = [one for one in delivery.recipients if one.state is not RecipientState.ACCEPTED]
    return {one.address: (one.code or 451, one.text) for one in failed if one.by == "relay"}


def _of_all(delivery: Delivery) -> tuple[int | None, str] | None:
    """Return what was said of the whole message: to who gets it, else to the first who does not."""
    handed_on = [one for one in delivery.recipients if one.by != "gate"]
    taken = [one for one in handed_on if one.state is RecipientState.ACCEPTED]
    one = next(iter(taken or handed_on), None)
    return (one.code, one.text) if one and (one.code or one.text) else None
