"""The gate in front of smtplib: every message by its flow's own relay, from its own address."""

from __future__ import annotations

import smtplib
import ssl
from typing import TYPE_CHECKING, Any, Self

from mailflows._mail.handover import needs_utf8, wire_form
from mailflows.integrations._road import relay_of, replies, source_of
from mailflows.message import Envelope, Message

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message as StdlibMessage

    from mailflows.flow import Flow
    from mailflows.gate import Gate, Verdict

__all__ = ["GateSMTP"]


class GateSMTP:
    """Sends what the gate accepts, as `smtplib.SMTP` does: ``send_message`` and ``sendmail``.

    There is no host to connect to: each message goes to the relay of its flow, from the flow's source
    address, with its EHLO name and login. Connections are kept until `quit`, one a flow. It is for one
    thread, as an ``smtplib.SMTP`` is.

    Args:
        gate: The gate.
        timeout: Seconds to wait for a relay.
        tls: How TLS is spoken; certificates are checked by default.
    """

    def __init__(self, gate: Gate, *, timeout: float = 30.0, tls: ssl.SSLContext | None = None) -> None:
        self._gate = gate
        self._timeout = timeout
        self._tls = tls
        self._connections: dict[Flow, smtplib.SMTP] = {}

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
    ) -> dict[str, tuple[int, bytes]]:
        """Send a message object.

        Args:
            msg: The message; its Bcc and its flow header are not sent.
            from_addr: Envelope sender; the address of Sender or From by default.
            to_addrs: Recipients; those of To, Cc and Bcc by default.
            known: ``client``, ``form``, ``account`` and ``flow``, as `Gate.check` takes them.

        Returns:
            The recipients that were refused, by the gate or by the relay, each with code and text.

        Raises:
            Refused: If the gate does not let it leave; its ``verdict`` says why.
            ConfigurationError: If the flow has no relay.
            smtplib.SMTPException: If the relay takes it for nobody.
        """
        seen = Message.read(msg)
        sender = from_addr or msg.get("Sender") or seen.sender.address
        sender = Message.read(f"From: {sender}\n\n").sender.address or sender
        to = tuple(a.address for a in seen.recipients) if to_addrs is None else to_addrs
        return self.sendmail(sender, to, wire_form(msg), seen=msg, **known)

    def sendmail(
        self,
        from_addr: str,
        to_addrs: str | Iterable[str],
        msg: bytes | str,
        *,
        seen: StdlibMessage | None = None,
        **known: Any,  # noqa: ANN401 -- what Gate.check() takes
    ) -> dict[str, tuple[int, bytes]]:
        """Send the bytes of a message; see `send_message`.

        Args:
            from_addr: Envelope sender.
            to_addrs: Recipients.
            msg: The message.
            seen: What the gate shall look at, where it is not what is sent.
            known: As `send_message`.
        """
        to = (to_addrs,) if isinstance(to_addrs, str) else tuple(to_addrs)
        verdict = self._gate.ensure(msg if seen is None else seen, envelope=Envelope(from_addr, to), **known)
        return replies(verdict) | self.deliver(verdict, from_addr, wire_form(msg))

    def deliver(self, verdict: Verdict, from_addr: str, content: bytes) -> dict[str, tuple[int, bytes]]:
        """Hand a message that was accepted to its relay, and report what became of it."""
        options = ("SMTPUTF8", "BODY=8BITMIME") if needs_utf8((from_addr, *verdict.accepted)) else ()
        try:
            refused = self._connection(verdict).sendmail(from_addr, verdict.accepted, content, options)
        except BaseException as problem:
            self._gate.report(verdict, problem)
            raise
        self._gate.report(verdict, refused)
        return refused

    def quit(self) -> None:
        """Close every connection."""
        while self._connections:
            _, connection = self._connections.popitem()
            try:
                connection.quit()
            except smtplib.SMTPException:
                connection.close()

    def _connection(self, verdict: Verdict) -> smtplib.SMTP:
        """Return a connection to the relay of a verdict that is alive."""
        route, _ = relay_of(verdict)
        kept = self._connections.pop(route.flow, None)
        if kept is None or not _is_alive(kept):
            kept = self._connect(verdict)
        self._connections[route.flow] = kept
        return kept

    def _connect(self, verdict: Verdict) -> smtplib.SMTP:
        route, server = relay_of(verdict)
        common: dict[str, Any] = {"timeout": self._timeout, "source_address": source_of(route)}
        context = self._tls or ssl.create_default_context()
        if server.is_tls:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, route.ehlo or None, context=context, **common
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, route.ehlo or None, **common)
        try:
            connection.ehlo()
            # A password never travels in clear: without STARTTLS there is no login.
            if not server.is_tls and (server.username or connection.has_extn("starttls")):
                connection.starttls(context=context)
            if server.username:
                connection.login(server.username, route.secret())
        except BaseException:
            connection.close()
            raise
        return connection


def _is_alive(connection: smtplib.SMTP) -> bool:
    try:
        return connection.noop()[0] == 250
    except (smtplib.SMTPException, OSError):
        connection.close()
        return False
