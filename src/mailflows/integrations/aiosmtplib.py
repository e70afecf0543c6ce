"""The gate in front of aiosmtplib: every message by its flow's own relay, from its own address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailflows.errors import MissingExtra

try:
    import aiosmtplib
except ImportError as problem:
    extra = "aiosmtplib"
    raise MissingExtra(extra, "aiosmtplib") from problem

from mailflows._mail.handover import needs_utf8, wire_form
from mailflows.integrations._road import relay_of, replies, source_of
from mailflows.message import Envelope, Message

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable
    from email.message import Message as StdlibMessage

    from mailflows.gate import Gate, Verdict

__all__ = ["send"]


async def send(  # noqa: PLR0913 -- as aiosmtplib.send()
    gate: Gate,
    message: StdlibMessage | bytes | str,
    *,
    sender: str | None = None,
    recipients: str | Iterable[str] | None = None,
    timeout: float = 30.0,  # noqa: ASYNC109 -- what aiosmtplib is given
    tls: ssl.SSLContext | None = None,
    **known: Any,  # noqa: ANN401 -- what Gate.check() takes
) -> dict[str, tuple[int, str]]:
    """Send what the gate accepts, as `aiosmtplib.send` does, by the flow's own relay and source address.

    Args:
        gate: The gate.
        message: The message; its Bcc and its flow header are not sent.
        sender: Envelope sender; the address of From by default.
        recipients: Those of To, Cc and Bcc by default.
        timeout: Seconds to wait for the relay.
        tls: How TLS is spoken; certificates are checked by default.
        known: ``client``, ``form``, ``account`` and ``flow``, as `Gate.check` takes them.

    Returns:
        The recipients that were refused, by the gate or by the relay, each with code and text.

    Raises:
        Refused: If the gate does not let it leave; its ``verdict`` says why.
        ConfigurationError: If the flow has no relay.
        aiosmtplib.SMTPException: If the relay takes it for nobody.
    """
    seen = Message.read(message)
    to = (recipients,) if isinstance(recipients, str) else tuple(recipients or ())
    to = to or tuple(address.address for address in seen.recipients)
    mail_from = seen.sender.address if sender is None else sender
    verdict = await gate.aensure(message, envelope=Envelope(mail_from, to), **known)
    try:
        refused = await _deliver(verdict, mail_from, wire_form(message), timeout, tls)
    except BaseException as problem:
        await gate.areport(verdict, problem)
        raise
    await gate.areport(verdict, refused)
    by_gate = {name: (code, text.decode()) for name, (code, text) in replies(verdict).items()}
    return by_gate | refused


async def _deliver(
    verdict: Verdict,
    sender: str,
    content: bytes,
    timeout: float,  # noqa: ASYNC109 -- what aiosmtplib is given
    tls: ssl.SSLContext | None,
) -> dict[str, tuple[int, str]]:
    """Hand a message to the relay of its verdict, and return whom the relay refused."""
    route, server = relay_of(verdict)
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        local_hostname=route.ehlo or None,
        source_address=source_of(route),
        timeout=timeout,
        use_tls=server.is_tls,
        # A password never travels in clear: with a login, STARTTLS is no choice.
        start_tls=True if server.username and not server.is_tls else None,
        tls_context=tls,
    )
    options = ["SMTPUTF8", "BODY=8BITMIME"] if needs_utf8((sender, *verdict.accepted)) else []
    async with client:
        if server.username:
            await client.login(server.username, route.secret())
        refused, _ = await client.sendmail(sender, list(verdict.accepted), content, mail_options=options)
    return {name: (reply[0], reply[1]) for name, reply in refused.items()}
