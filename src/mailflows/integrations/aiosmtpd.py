"""The gate in front of a relay: an aiosmtpd handler that takes what may leave and hands it on."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from mailflows._mail.handover import wire_form
from mailflows.gate import GateDecision, Verdict
from mailflows.integrations.smtplib import GateSMTP
from mailflows.message import Envelope

if TYPE_CHECKING:
    import ssl

    from aiosmtpd.smtp import Envelope as SmtpEnvelope
    from aiosmtpd.smtp import Session

    from mailflows.gate import Gate

__all__ = ["GateHandler"]

Deliver: TypeAlias = Callable[[Verdict, str, bytes], "dict[str, tuple[int, bytes]]"]

_CODES = {
    GateDecision.DEFER: "450 4.7.1",
    GateDecision.HOLD: "451 4.7.1 Held for a person to look at:",
    GateDecision.REJECT: "550 5.7.1",
}
"""Replies (RFC 5321, RFC 3463). What is held stays in the queue of who sent it: nothing is lost."""


class GateHandler:
    """A handler for ``aiosmtpd.controller.Controller``: applications send to it, and it to the relays.

    It keeps no queue: a message is answered when its relay has answered. A message that the gate accepts for
    some recipients only is refused whole, since one reply must be true for all; split such mailings before.

    Args:
        gate: The gate.
        timeout: Seconds to wait for a relay.
        tls: How TLS is spoken with relays; certificates are checked by default.
        deliver: What hands over an accepted message, as `GateSMTP.deliver` does; that by default.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        timeout: float = 30.0,
        tls: ssl.SSLContext | None = None,
        deliver: Deliver | None = None,
    ) -> None:
        self._gate = gate
        self._timeout = timeout
        self._tls = tls
        self._given = deliver

    async def handle_DATA(self, _server: Any, session: Session, envelope: SmtpEnvelope) -> str:  # noqa: ANN401, N802 -- aiosmtpd's name
        """Answer a message: with the reply of its relay, or with the gate's reason."""
        content = envelope.content or b""
        raw = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else bytes(content)
        sender = envelope.mail_from or ""
        login = getattr(session.auth_data, "login", None)
        verdict = await self._gate.acheck(
            raw,
            envelope=Envelope(sender, tuple(envelope.rcpt_tos)),
            client=session.peer[0] if session.peer else None,
            account=login.decode("utf-8", "replace") if isinstance(login, bytes) else login,
        )
        if not verdict:
            return _line(f"{_CODES[verdict.decision]} {_sentences(verdict)}")
        if verdict.refused and not verdict.dry_run:
            await self._gate.areport(verdict, ())  # gives back what was taken
            code, text = verdict.refused[0].reply
            return _line(f"{code} {text} ({len(verdict.refused)} of {len(envelope.rcpt_tos)} recipients)")
        return await asyncio.to_thread(self._handed_on, verdict, sender, wire_form(raw))

    def _handed_on(self, verdict: Verdict, sender: str, content: bytes) -> str:
        try:
            refused = self._deliver(verdict, sender, content)
        except smtplib.SMTPRecipientsRefused as problem:
            code, text = next(iter(problem.recipients.values()))
            return _line(f"{code} {_text(text)}")
        except smtplib.SMTPResponseException as problem:
            return _line(f"{problem.smtp_code} {_text(problem.smtp_error)}")
        except (smtplib.SMTPException, OSError):
            return "451 4.4.1 The relay of this flow cannot be reached"
        if refused:  # taken for some: a second attempt would reach them twice
            return _line(f"250 2.0.0 Taken, but refused for {len(refused)} recipients")
        return "250 2.0.0 Taken by the relay of its flow"

    def _deliver(self, verdict: Verdict, sender: str, content: bytes) -> dict[str, tuple[int, bytes]]:
        if self._given is not None:
            return self._given(verdict, sender, content)
        with GateSMTP(self._gate, timeout=self._timeout, tls=self._tls) as smtp:
            return smtp.deliver(verdict, sender, content)


def _sentences(verdict: Verdict) -> str:
    return "; ".join(f"{reason.sentence} [{reason.part}/{reason.code}]" for reason in verdict.why)


def _text(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply


def _line(text: str) -> str:
    """Return a reply of one line in printable ASCII, within the 512 octets of RFC 5321 section 4.5.3.1.5."""
    return "".join(c if " " <= c <= "~" else "?" for c in text.replace("…", "..."))[:500]
