"""The gate in front of aiosmtplib: each message goes through its flow's own relay and IP address."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from mailflows.errors import MissingExtra

try:
    import aiosmtplib
except ImportError as problem:
    extra = "aiosmtplib"
    raise MissingExtra(extra, "aiosmtplib") from problem

from mailflows.integrations import _relay
from mailflows.integrations._delivery import Delivery
from mailflows.integrations._envelope import needs_utf8, read_recipients, read_sender
from mailflows.integrations._relay import ANSWER_TIMEOUT, TIMEOUT, is_loopback, server_of, source_of
from mailflows.integrations._relay_outcome import (
    answered,
    failure_of,
    outgoing,
    replies_of,
    reported,
    route_of,
)
from mailflows.integrations._submission import envelope_of, require_lines, said_in, told_if_unfit
from mailflows.integrations._tls import checked, tell_downgrade, unchecked, why_not
from mailflows.message import Envelope

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message as StdlibMessage

    from mailflows.flows import FlowRoute
    from mailflows.gate import Gate, Verdict

__all__ = ["AnswerLost", "send"]


class AnswerLost(aiosmtplib.SMTPServerDisconnected, _relay.AnswerLost):
    """Raised if the relay's reply to a message was lost: the message may have been accepted or not."""


class _AddressNotSupported(aiosmtplib.SMTPNotSupported, _relay.AddressNotSupported):
    """Raised where an address needs SMTPUTF8 (RFC 6531) and the relay does not have it."""


async def send(  # noqa: PLR0913 -- as aiosmtplib.send()
    gate: Gate,
    message: StdlibMessage | bytes | str,
    *,
    sender: str | None = None,
    recipients: str | Iterable[str] | None = None,
    timeout: float = TIMEOUT,  # noqa: ASYNC109 -- what aiosmtplib is given
    answer_timeout: float = ANSWER_TIMEOUT,
    tls: ssl.SSLContext | None = None,
    **known: Any,  # noqa: ANN401 -- what Gate.check() takes
) -> Delivery:
    """Send what the gate accepts, as `aiosmtplib.send` does, through the flow's own relay.

    Args:
        gate: The gate.
        message: The message; its Bcc and its ``X-Mailflows-`` headers are not sent.
        sender: Envelope sender; by default that of Resent-Sender, Resent-From, Sender or From.
        recipients: Recipients, in any spelling; by default those of To, Cc and Bcc, or of their Resent-
            fields.
        timeout: Seconds to wait for each SMTP step up to the end of DATA.
        answer_timeout: Seconds to wait for the reply after the end of DATA (RFC 5321 section 4.5.3.2.6).
        tls: An `ssl.SSLContext`, instead of the flow's settings (``tls``, ``tls_ca``).
        known: ``client``, ``form``, ``account`` and ``flow``, as `Gate.check` takes them; else what the
            message's ``X-Mailflows-Client``, ``X-Mailflows-Form``, … headers say.

    Returns:
        The outcome for each recipient. It can be used like the dictionary of refused recipients, each with
        code and text.

    Raises:
        Refused: If the gate refuses it; the error's ``verdict`` says why.
        ConfigurationError: If the flow has no relay.
        MessageError: If it cannot be sent over SMTP.
        AnswerLost: If the relay may have accepted the message.
        aiosmtplib.SMTPException: If the relay accepts it for none of the recipients.
        ValueError: If it was resent more than once, or its sender cannot be read.
    """
    found, to_all, content = envelope_of(message, sender, recipients)
    gate.require_place("aiosmtplib.send()")
    to = read_recipients(to_all)
    with told_if_unfit(found, to, content):
        said = found if gate.dry_run else read_sender(found)
        if not gate.dry_run:
            require_lines(content)
    verdict = await gate.aensure(content, envelope=Envelope(said, tuple(to)), **said_in(content, known))
    names = {to.get(a, a) if verdict.dry_run else a: a for a in verdict.accepted}
    conversation = _Conversation(timeout, answer_timeout, tls)
    try:
        route = route_of(gate, verdict)
        data = await asyncio.to_thread(outgoing, verdict, route, content)
        answers, reply = await conversation.deliver(route, verdict.mail_from, tuple(names), data)
    except Exception as problem:  # noqa: BLE001 -- whatever it is, it is raised again
        await _failed(gate, verdict, problem, names)
    answered(gate, verdict.route)
    refused = {names[address]: answer for address, answer in answers.items()}
    delivery = Delivery.build(verdict, refused=refused, reply=reply, as_text=True)
    await gate.areport(verdict, reported(delivery))
    return delivery


async def _failed(gate: Gate, verdict: Verdict, problem: Exception, names: dict[str, str]) -> NoReturn:
    """Report a message that nobody took, or perhaps somebody, and raise with what became of it."""
    delivery = Delivery.build(
        verdict,
        refused={names.get(address, address): reply for address, reply in replies_of(problem).items()},
        failure=failure_of(problem, verdict.route, gate),
        as_text=True,
    )
    await gate.areport(verdict, reported(delivery, problem))
    problem.delivery = delivery  # type: ignore[attr-defined] # read by delivery_of()
    raise problem


class _Conversation:
    """One message on one connection."""

    def __init__(self, timeout: float, answer_timeout: float, tls: ssl.SSLContext | None) -> None:
        self._timeout = timeout
        self._answer_timeout = answer_timeout
        self._tls = tls

    async def deliver(
        self, route: FlowRoute, sender: str, to: tuple[str, ...], content: bytes
    ) -> tuple[dict[str, tuple[int, str]], tuple[int, str]]:
        """Send a message, and return the refused recipients and the reply to the message."""
        client = await self._connected(route)
        transport = client.transport  # which the client forgets when it has said QUIT
        try:
            refused = await self._offer(client, route, sender, to, len(content))
            try:
                reply = await client.data(content, timeout=self._answer_timeout)
            except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError) as problem:
                msg = (
                    f"the reply of relay {server_of(route).host} was lost: the message may or may "
                    "not have been accepted"
                )
                raise AnswerLost(msg) from problem
            await _goodbye(client)
        finally:
            _hang_up(client, transport)
        return refused, (reply.code, reply.message)

    @staticmethod
    async def _offer(
        client: aiosmtplib.SMTP, route: FlowRoute, sender: str, to: tuple[str, ...], size: int
    ) -> dict[str, tuple[int, str]]:
        """Send the envelope, and return the recipients that the relay refused."""
        is_utf8 = needs_utf8((sender, *to))
        if is_utf8 and not client.supports_extension("smtputf8"):
            msg = (
                f"relay {server_of(route).host} does not support SMTPUTF8 (RFC 6531), which an address needs"
            )
            raise _AddressNotSupported(msg)
        options = ["SMTPUTF8", "BODY=8BITMIME"] if is_utf8 else []
        options += [f"size={size}"] if client.supports_extension("size") else []
        encoding = "utf-8" if is_utf8 else "ascii"
        await client.mail(sender, options=options, encoding=encoding)
        refused: list[aiosmtplib.SMTPRecipientRefused] = []
        for address in to:
            try:
                await client.rcpt(address, encoding=encoding)
            except aiosmtplib.SMTPRecipientRefused as problem:
                if problem.code == 421:  # RFC 5321 section 3.8: it is closing
                    raise aiosmtplib.SMTPResponseException(problem.code, problem.message) from problem
                refused.append(problem)
        if len(refused) == len(to):
            raise aiosmtplib.SMTPRecipientsRefused(refused)
        return {one.recipient: (one.code, one.message) for one in refused}

    async def _connected(self, route: FlowRoute) -> aiosmtplib.SMTP:
        """Return a session, encrypted as the route wants it, and logged in."""
        server = server_of(route)
        mode = "verify" if self._tls is not None else route.tls_mode
        must = mode != "opportunistic" or bool(server.username)
        context = self._tls or checked(route.tls_ca)
        try:
            client = await self._opened(route, context, True if must else None)
        except Exception as problem:
            reason = _certificate_error(problem)
            if reason is not None and mode != "verify":
                if mode == "opportunistic":
                    tell_downgrade(route, f"its certificate cannot be verified ({reason.verify_message})")
                client = await self._opened(route, unchecked(), True if must else None)
            elif reason is not None:
                raise why_not(route, reason, None) from problem
            elif isinstance(problem.__cause__ or problem, ssl.SSLError) and not must and not server.is_tls:
                tell_downgrade(route, "mail is sent in cleartext, because TLS failed")
                client = await self._opened(route, None, False)  # noqa: FBT003 -- aiosmtplib's word
            else:
                raise
        if client.get_transport_info("cipher") is None and not is_loopback(server.host):
            tell_downgrade(route, "mail is sent in cleartext, because it does not offer STARTTLS")
        if server.username:
            try:
                await client.login(server.username, route.secret())
            except BaseException:
                _hang_up(client, client.transport)
                raise
        return client

    async def _opened(
        self,
        route: FlowRoute,
        context: ssl.SSLContext | None,
        start_tls: bool | None,  # noqa: FBT001
    ) -> aiosmtplib.SMTP:
        server = server_of(route)
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=route.ehlo or None,
            source_address=source_of(route),
            timeout=self._timeout,
            use_tls=server.is_tls,
            start_tls=None if server.is_tls else start_tls,
            tls_context=context,
        )
        await client.connect()
        try:
            await client._ehlo_or_helo_if_needed()  # noqa: SLF001 -- before its extensions are asked
        except BaseException:
            _hang_up(client, client.transport)
            raise
        return client


def _hang_up(client: aiosmtplib.SMTP, transport: asyncio.BaseTransport | None) -> None:
    """Close a connection at once: the end of TLS is sent, and the relay's is not waited for.

    Otherwise the socket is still open where the event loop ends with the message, as in `asyncio.run`.
    """
    client.close()
    if transport is not None:
        transport.abort()  # type: ignore[attr-defined] # typed as its base


async def _goodbye(client: aiosmtplib.SMTP) -> None:
    with suppress(aiosmtplib.SMTPException, OSError):  # the message has been answered: nothing is lost
        await client.quit()


def _certificate_error(problem: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """Return the certificate's error in a chain of errors."""
    seen = 0
    while problem is not None and seen < 10:
        if isinstance(problem, ssl.SSLCertVerificationError):
            return problem
        problem, seen = problem.__cause__ or problem.__context__, seen + 1
    return None
