"""The gate in front of smtplib: each message goes through its flow's own relay and IP address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Self

from mailflows.integrations._delivery import Delivery
from mailflows.integrations._envelope import read_recipients, read_sender
from mailflows.integrations._relay import ANSWER_TIMEOUT, TIMEOUT, AnswerLost, Relays
from mailflows.integrations._relay_outcome import (
    answered,
    failure_of,
    outgoing,
    replies_of,
    reported,
    route_of,
)
from mailflows.integrations._submission import as_given, envelope_of, require_lines, said_in, told_if_unfit
from mailflows.message import Envelope

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping
    from email.message import Message as StdlibMessage

    from mailflows.gate import Gate, Verdict

__all__ = ["AnswerLost", "GateSMTP"]


class GateSMTP:
    """Sends what the gate accepts, as `smtplib.SMTP` does: ``send_message`` and ``sendmail``.

    It takes no host: each message goes to the relay of its flow, from the flow's source IP address, with its
    EHLO name and login. Connections are kept open until `quit`; one that the relay has closed is reopened.
    Like ``smtplib.SMTP``, it must be used from one thread only.

    Args:
        gate: The gate.
        timeout: Seconds to wait for each SMTP step up to the end of DATA.
        answer_timeout: Seconds to wait for the reply after the end of DATA: ten minutes, as RFC 5321 section
            4.5.3.2.6 asks. A client that gives up earlier may send a message twice.
        tls: ``opportunistic``, ``require`` or ``verify``, for flows that do not set it themselves; or an
            `ssl.SSLContext` for all relays, which overrides the flows.
        tls_ca: File with trusted CA certificates, for flows that do not set it themselves.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        timeout: float = TIMEOUT,
        answer_timeout: float = ANSWER_TIMEOUT,
        tls: ssl.SSLContext | str | None = None,
        tls_ca: str = "",
    ) -> None:
        gate.require_place("GateSMTP")
        self._gate = gate
        self._relays = Relays(timeout=timeout, answer_timeout=answer_timeout, tls=tls, tls_ca=tls_ca)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.quit()

    def send_message(
        self,
        msg: StdlibMessage,
        from_addr: str | None = None,
        to_addrs: str | Iterable[str] | None = None,
        **known: Any,  # noqa: ANN401 -- what Gate.check() takes
    ) -> Delivery:
        """Send a message object.

        Args:
            msg: The message; its Bcc and its ``X-Mailflows-`` headers are not sent.
            from_addr: Envelope sender; by default as in smtplib: Resent-Sender or Resent-From of a resent
                message, else Sender or From.
            to_addrs: Recipients; by default those of To, Cc and Bcc, or of their Resent- fields.
            known: ``client``, ``form``, ``account`` and ``flow``, as `Gate.check` takes them; else what the
                message's ``X-Mailflows-Client``, ``X-Mailflows-Form``, … headers say.

        Returns:
            The outcome for each recipient. It can be used like smtplib's dictionary of refused recipients.

        Raises:
            Refused: If the gate refuses it; the error's ``verdict`` says why.
            ConfigurationError: If the flow has no relay.
            MessageError: If it cannot be sent over SMTP.
            AnswerLost: If the relay may have accepted the message.
            smtplib.SMTPException: If the relay accepts it for none of the recipients.
            ValueError: If it was resent more than once, as in smtplib, or its sender cannot be read.
        """
        sender, recipients, content = envelope_of(msg, from_addr, to_addrs)
        return self.sendmail(sender, recipients, content, **known)

    def sendmail(
        self,
        from_addr: str,
        to_addrs: str | Iterable[str],
        msg: bytes | str,
        **known: Any,  # noqa: ANN401 -- what Gate.check() takes
    ) -> Delivery:
        """Send the bytes of a message; see `send_message`.

        Args:
            from_addr: Envelope sender, in any spelling; empty for the null sender.
            to_addrs: Recipients, in any spelling. One that cannot be read is refused.
            msg: The message.
            known: As `send_message`.
        """
        is_dry = self._gate.dry_run
        content = as_given(msg)
        to = read_recipients(to_addrs)
        with told_if_unfit(from_addr, to, content):
            sender = from_addr if is_dry else read_sender(from_addr)
            if not is_dry:
                require_lines(content)
        verdict = self._gate.ensure(content, envelope=Envelope(sender, tuple(to)), **said_in(content, known))
        return self.deliver(verdict, content, spelled=to)

    def deliver(
        self, verdict: Verdict, content: bytes, *, spelled: Mapping[str, str] | None = None
    ) -> Delivery:
        """Hand a message that was accepted to its relay, report what became of it, and return that.

        Args:
            verdict: What the gate said.
            content: The message, as it was judged; what is private is taken out here.
            spelled: How the caller spelled the recipients; in a dry run, the relay hears it.
        """
        names = spelled if spelled is not None and verdict.dry_run else {}
        to = {names.get(address, address): address for address in verdict.accepted}
        try:
            route = route_of(self._gate, verdict)
            taken = self._relays.deliver(route, verdict.mail_from, to, outgoing(verdict, route, content))
        except Exception as problem:  # noqa: BLE001 -- whatever it is, it is raised again
            self._failed(verdict, problem, to)
        answered(self._gate, verdict.route)
        refused = {to[address]: reply for address, reply in taken.refused.items()}
        delivery = Delivery.build(verdict, refused=refused, reply=taken.reply)
        self._gate.report(verdict, reported(delivery))
        return delivery

    def quit(self) -> None:
        """Close every connection."""
        self._relays.close()

    def _failed(self, verdict: Verdict, problem: Exception, to: Mapping[str, str]) -> NoReturn:
        """Report a message that nobody took, or perhaps somebody, and raise with what became of it."""
        refused = {to.get(address, address): reply for address, reply in replies_of(problem).items()}
        delivery = Delivery.build(
            verdict, refused=refused, failure=failure_of(problem, verdict.route, self._gate)
        )
        self._gate.report(verdict, reported(delivery, problem))
        problem.delivery = delivery  # type: ignore[attr-defined] # read by delivery_of()
        raise problem
