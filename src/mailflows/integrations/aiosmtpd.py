"""The gate in front of a relay: an aiosmtpd handler that accepts what may be sent, and relays it."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from mailflows._context import Context
from mailflows._mail.address import mailbox_of
from mailflows._mail.handover import without_ours
from mailflows.errors import ConfigurationError, MessageError
from mailflows.feedback import from_reply
from mailflows.gate._check import TurnedAway
from mailflows.gate._mail_log import tell_turned_away
from mailflows.integrations._delivery import Delivery, RecipientOutcome, RecipientState
from mailflows.integrations._envelope import needs_utf8, read_sender
from mailflows.integrations._notification import notification
from mailflows.integrations._recipient import judged
from mailflows.integrations._relay import ANSWER_TIMEOUT, TIMEOUT, RelayConnection, Relays, Taken
from mailflows.integrations._relay_outcome import (
    answered,
    cause_of,
    failure_of,
    outgoing,
    replies_of,
    reported,
    route_of,
)
from mailflows.integrations._submission import message_id_in, require_lines
from mailflows.message import Envelope, Message

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from aiosmtpd.smtp import Envelope as SmtpEnvelope
    from aiosmtpd.smtp import Session

    from mailflows.feedback import Event
    from mailflows.flow import Flow
    from mailflows.flows import FlowRoute
    from mailflows.gate import Gate, Verdict

__all__ = ["GateHandler"]

T = TypeVar("T")

FlowOf: TypeAlias = "Flow | str | Callable[[Session], Flow | str | None] | None"

_MOST_WAITING = 64
"""Messages whose relays are waited for at a time. bound: threads, each for the ten minutes
that an answer may take."""

_SHUTTING_DOWN = "421 4.3.2 The gate is shutting down"

_log = logging.getLogger("mailflows.integrations")


class GateHandler:
    """A handler for ``aiosmtpd.controller.Controller``: applications send to it, and it to the relays.

    It keeps no queue: it replies 250 only after the relay has done so. If the flow is known at RCPT TO (from
    *flow*, or from the domain of MAIL FROM), each recipient is checked and offered to the relay at once, and
    gets its own reply. If a recipient is refused later, while others get the message, the sender gets a
    delivery status notification (RFC 3464).

    Args:
        gate: The gate.
        flow: The flow of all incoming messages, or a function of the session that returns it, or `None`.
        client: A function of the session that returns the client IP address behind a message, for limits per
            client. The connecting host is usually an application, not a visitor, so by default there is none.
        account: A function of the session that returns the account of a message; by default the SMTP login,
            if there is one.
        timeout: Seconds to wait for each SMTP step up to the end of DATA.
        answer_timeout: Seconds to wait for the reply after the end of DATA (RFC 5321 section 4.5.3.2.6).
        tls: As for `GateSMTP`.
        tls_ca: As for `GateSMTP`.

    Raises:
        ConfigurationError: If *flow* has no route, the gate may hold messages but has nowhere to keep them,
            or one of your limits counts per client or account and not every message has one.
    """

    def __init__(  # noqa: PLR0913 -- what a handler can be told
        self,
        gate: Gate,
        *,
        flow: FlowOf = None,
        client: Callable[[Session], object] | None = None,
        account: Callable[[Session], object] | None = None,
        timeout: float = TIMEOUT,
        answer_timeout: float = ANSWER_TIMEOUT,
        tls: ssl.SSLContext | str | None = None,
        tls_ca: str = "",
    ) -> None:
        gate.require_place("GateHandler")
        said = {"client": client, "account": account}
        gate.require_keys("GateHandler", {name for name, known in said.items() if known is not None})
        self._gate = gate
        self._flow = flow if callable(flow) or flow is None else _known(gate, flow)
        self._client = client
        self._account = account or _login
        self._relays = Relays(timeout=timeout, answer_timeout=answer_timeout, tls=tls, tls_ca=tls_ca)
        weakref.finalize(self, self._relays.drop)  # aiosmtpd tells no handler that its server has stopped
        self._threads = ThreadPoolExecutor(_MOST_WAITING, thread_name_prefix="mailflows-relay")
        self._under_way = 0
        self._is_draining = False
        self._changed = threading.Condition()
        self._open: weakref.WeakKeyDictionary[SmtpEnvelope, _Transaction] = weakref.WeakKeyDictionary()

    def close(self) -> None:
        """Close what is idle; nothing is under way by then."""
        self._relays.close()
        self._threads.shutdown(wait=False)

    def drain(self, within: float = ANSWER_TIMEOUT) -> bool:
        """Accept no more messages, and wait for those in progress, so that a restart sends none twice.

        A client that gets no reply to its message sends it again. Call this from the main thread before you
        stop the controller.

        Args:
            within: Maximum number of seconds to wait.

        Returns:
            Whether no message is still in progress.
        """
        with self._changed:
            self._is_draining = True
            return self._changed.wait_for(lambda: self._under_way == 0, within)

    def _begun(self) -> bool:
        """Count a message, unless no more are taken."""
        with self._changed:
            self._under_way += not self._is_draining
            return not self._is_draining

    def _done(self) -> None:
        """Count a message as answered."""
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    async def handle_MAIL(  # noqa: N802 -- aiosmtpd's name
        self,
        _server: Any,  # noqa: ANN401 -- aiosmtpd's own
        session: Session,
        envelope: SmtpEnvelope,
        address: str,
        options: list[str],
    ) -> str:
        """Reply to MAIL FROM, and find out which flow it is."""
        if self._is_draining:
            return _SHUTTING_DOWN
        try:
            sender = address if self._gate.dry_run and address.strip("<> ") else read_sender(address)
        except ValueError:
            refused = TurnedAway("MAIL", 501, "5.1.7 The sender address cannot be read")
            tell_turned_away(address, (refused,))
            _count(self._threads, self._gate, address, None, [refused])
            return _line(f"{refused.code} {refused.text}")
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        declared = _known(self._gate, self._flow(session)) if callable(self._flow) else self._flow
        route = self._gate.flows.get(declared) if declared else _route_of_sender(self._gate, sender)
        utf8 = bool(getattr(envelope, "smtp_utf8", False))
        usable = route if route and route.server else None
        count = partial(_count, self._threads, self._gate, sender, route.flow if route else declared)
        transaction = _Transaction(sender, declared, usable, utf8, count)
        self._open[envelope] = transaction
        weakref.finalize(envelope, transaction.end)
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self,
        _server: Any,  # noqa: ANN401 -- aiosmtpd's own
        _session: Session,
        envelope: SmtpEnvelope,
        address: str,
        options: list[str],
    ) -> str:
        """Reply to RCPT TO: with the gate's reason, or with the relay's reply."""
        transaction = self._open[envelope]
        mailbox = mailbox_of(address)
        flow = transaction.route.flow if transaction.route else None
        if mailbox is None and not self._gate.is_dry(flow):
            text = "5.1.3 The recipient address cannot be read"
            return transaction.turn_away(TurnedAway("RCPT", 553, text, part="recipients", reason="syntax"))
        mailbox = mailbox or address
        if transaction.route is not None:
            if not self._gate.is_dry(flow):
                refusal = await self._in_thread(self._judged, transaction, mailbox, transaction.route.flow)
                if refusal is not None:
                    return transaction.turn_away(refusal)
            answer = await self._in_thread(self._offered, transaction, mailbox)
            if answer is not None:
                return answer
        envelope.rcpt_tos.append(mailbox)
        envelope.rcpt_options.extend(options)
        transaction.recipients += 1
        return "250 2.1.5 Ok"

    async def handle_RSET(self, _server: Any, _session: Session, envelope: SmtpEnvelope) -> str:  # noqa: ANN401, N802 -- aiosmtpd's name
        """Answer a client that gives its message up."""
        self._given_up(envelope)
        return "250 2.0.0 Ok"

    async def handle_QUIT(self, _server: Any, _session: Session, envelope: SmtpEnvelope) -> str:  # noqa: ANN401, N802 -- aiosmtpd's name
        """Answer a client that leaves."""
        self._given_up(envelope)
        return "221 2.0.0 Bye"

    def _given_up(self, envelope: SmtpEnvelope) -> None:
        transaction = self._open.get(envelope)
        if transaction is not None:
            transaction.end()

    async def handle_DATA(self, _server: Any, session: Session, envelope: SmtpEnvelope) -> str:  # noqa: ANN401, N802 -- aiosmtpd's name
        """Reply to DATA: with the relay's reply, or with the gate's reason."""
        transaction = self._open[envelope]
        if not self._begun():
            transaction.end()
            return _SHUTTING_DOWN
        try:
            return await self._answer(session, transaction, envelope)
        finally:  # aiosmtpd writes the reply before the loop turns
            asyncio.get_running_loop().call_soon(self._done)

    async def _answer(self, session: Session, transaction: _Transaction, envelope: SmtpEnvelope) -> str:
        """Return the reply to a message."""
        content = envelope.content or b""
        raw = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else bytes(content)
        try:
            verdict = await self._verdict(session, transaction, tuple(envelope.rcpt_tos), raw)
        except MessageError as problem:
            answer = transaction.turn_away(TurnedAway("DATA", 550, f"5.6.0 {problem}"), content=raw)
            transaction.abandon()
            return answer
        except Exception as problem:
            transaction.turn_away(TurnedAway("DATA", *_fault(problem), reason="failed"), content=raw)
            raise
        transaction.is_told = True  # the gate writes its line now, or when it hears what became of it
        if not verdict:
            transaction.give_back(self._relays)
            return _refusal(verdict)
        return await self._in_thread(self._handed_on, verdict, transaction, raw)

    async def _verdict(
        self, session: Session, transaction: _Transaction, to: tuple[str, ...], raw: bytes
    ) -> Verdict:
        """Return what the gate says of a message."""
        if not self._gate.dry_run:
            require_lines(raw)
        flow = transaction.declared
        if flow is None:
            flow = _flow_of_automatic(self._gate, transaction.sender, raw)
        client = self._client(session) if self._client else None
        return await self._gate._achecked(  # noqa: SLF001 -- as acheck(), of a message that was refused in part
            raw,
            Envelope(transaction.sender, to),
            Context(client=client, account=self._account(session), flow=flow),
            tuple(transaction.turned_away),
        )

    @staticmethod
    async def handle_exception(error: Exception) -> str:
        """Reply to a fault of our own: the mail is good, so it stays in the sender's queue."""
        _log.error("mail is deferred until this is fixed: %s", cause_of(error))
        code, text = _fault(error)
        return f"{code} {text}"

    async def _in_thread(self, function: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *args))

    def _judged(self, transaction: _Transaction, mailbox: str, flow: Flow) -> TurnedAway | None:
        """Judge a recipient, within the gate's budget for all recipients of a message.

        A DNS that is silent costs seconds for each: a client waits five minutes for a reply to RCPT (RFC 5321
        section 4.5.3.2.3), and names a hundred recipients.
        """
        parts = self._gate._parts  # noqa: SLF001 -- its budget holds for its integrations
        began = parts.timer()
        is_late = transaction.seconds_judged > parts.recipients_budget
        found = judged(self._gate, mailbox, flow, is_late=is_late)
        transaction.seconds_judged += parts.timer() - began
        return found

    def _offered(self, transaction: _Transaction, mailbox: str) -> str | None:
        """Offer a recipient to the relay, and return a refusal as it came, or `None`."""
        route = transaction.route
        if route is None:
            return None
        try:
            is_dry = self._gate.is_dry(route.flow)
            code, text = transaction.offer(self._relays, route, mailbox, is_dry=is_dry)
        except Exception as problem:  # noqa: BLE001 -- whatever it is, the mail stays with who sent it
            transaction.abandon()
            failure = failure_of(problem, route, self._gate)
            event = from_reply(failure.code or 451, failure.text)
            return transaction.turn_away(_turned_away(event, failure.text, route, by=failure.by))
        answered(self._gate, route)
        if code // 100 == 2:
            return None
        said = text.decode("utf-8", "replace")
        event = from_reply(code, said, recipient=mailbox, flow=route.flow)
        self._gate.report(None, event)
        return transaction.turn_away(_turned_away(event, said, route))

    def _handed_on(self, verdict: Verdict, transaction: _Transaction, raw: bytes) -> str:
        """Hand a message on, and return the reply that is true for all its recipients."""
        sender = transaction.sender
        try:
            route = route_of(self._gate, verdict)
            content = outgoing(verdict, route, raw)
            tell = partial(self._tell, verdict, route, sender, raw)
            refused, reply = transaction.deliver(self._relays, verdict, route, content, tell)
        except Exception as problem:  # noqa: BLE001 -- whatever it is, the mail stays with who sent it
            transaction.abandon()
            by_relay = replies_of(problem)
            delivery = Delivery.build(
                verdict, refused=by_relay, failure=failure_of(problem, verdict.route, self._gate)
            )
            self._gate.report(verdict, reported(delivery, problem))
            return _whole(delivery)
        answered(self._gate, route)
        delivery = Delivery.build(verdict, refused=refused, reply=reply)
        self._gate.report(verdict, reported(delivery))
        queued = f", queued as {delivery.queue_id}" if delivery.queue_id else ""
        return _line(f"250 2.0.0 Ok, accepted by the relay of its flow{queued}")

    def _tell(
        self,
        verdict: Verdict,
        route: FlowRoute,
        sender: str,
        raw: bytes,
        refused: dict[str, tuple[int, bytes]],
    ) -> None:
        """Tell the sender who does not get a message that others do get, before the relay takes it."""
        outcomes = Delivery.build(verdict, refused=refused).recipients
        failed = tuple(one for one in outcomes if one.state is not RecipientState.ACCEPTED)
        if not failed:
            return
        if not sender:  # RFC 5321 section 4.5.5: never in answer to the null sender
            _log.warning("automatic mail (%s) was refused for %d recipients", route.flow, len(failed))
            return
        reporter = route.ehlo or route.domains[0]
        report = notification(failed, sender=sender, reporter=reporter, message=without_ours(raw))
        self._relays.deliver(route, "", (sender,), report)


class _Transaction:
    """One MAIL FROM with its recipients, and the relay that hears of them meanwhile."""

    def __init__(
        self,
        sender: str,
        declared: Flow | None,
        route: FlowRoute | None,
        utf8: bool,  # noqa: FBT001
        count: Callable[[list[TurnedAway]], None],
    ) -> None:
        self.sender = sender
        self.declared = declared
        self.route = route
        self.recipients = 0
        self.seconds_judged = 0.0
        self.turned_away: list[TurnedAway] = []
        self.is_told = False
        self._utf8 = utf8
        self._count = count
        self._connection: RelayConnection | None = None
        self._said = sender
        self._offered: list[str] = []

    def offer(self, relays: Relays, route: FlowRoute, mailbox: str, *, is_dry: bool) -> tuple[int, bytes]:
        """Offer a recipient to the relay, and return its reply."""
        if self._connection is None:
            self._said = route.mail_from(self.sender) if not is_dry else self.sender
            self._connection, answers = relays.offer(route, self._said, (mailbox,), utf8=self._utf8)
            code, text = answers[mailbox]
        else:
            if needs_utf8((mailbox,)) and not self._utf8:
                return 553, b"5.6.7 The address needs SMTPUTF8, which MAIL FROM did not ask for"
            code, text = self._connection.recipient(mailbox)
        if code // 100 == 2:
            self._offered.append(mailbox)
        return code, text

    def turn_away(self, refused: TurnedAway, *, content: bytes | None = None) -> str:
        """Note a refusal for the log, and return it as the reply; with *content* it ends the message."""
        self.turned_away.append(refused)
        if content is not None:
            self._tell(message_id_in(content))
        return _reply(refused.code, refused.text)

    def _tell(self, message_id: str | None = None) -> None:
        """Write the line of a message that the gate was not asked about."""
        if not self.is_told and (self.turned_away or self.recipients):
            tell_turned_away(
                self.sender,
                self.turned_away,
                flow=self.route.flow if self.route else self.declared,
                message_id=message_id,
                recipients=self.recipients,
            )
            if self.turned_away:
                self._count(self.turned_away)
        self.is_told = True

    def deliver(
        self,
        relays: Relays,
        verdict: Verdict,
        route: FlowRoute,
        content: bytes,
        tell: Callable[[dict[str, tuple[int, bytes]]], None],
    ) -> Taken:
        """Hand the message over, and return what the relay said; *tell* is called before."""
        refused: dict[str, tuple[int, bytes]] = {}
        sender, to = verdict.mail_from, verdict.accepted
        is_as_offered = self.route == route and self._said == sender and set(self._offered) == set(to)
        if self._connection is None or not is_as_offered:
            self.give_back(relays)
            connection, answers = relays.offer(route, sender, to, size=len(content), utf8=self._utf8)
            self._connection = connection
            refused = {address: reply for address, reply in answers.items() if reply[0] // 100 != 2}
            if len(refused) == len(answers):
                raise smtplib.SMTPRecipientsRefused(refused)
        tell(refused)
        connection, self._connection = (
            self._connection,
            None,
        )  # ours until the answer, whatever the client does
        return Taken(refused, relays.finish(connection, content))

    def give_back(self, relays: Relays) -> None:
        """Take the offers back, and keep the connection for the next message."""
        connection, self._connection = self._connection, None
        self._offered.clear()
        if connection is not None:
            relays.give_back(connection)

    def end(self) -> None:
        """Write the line of a message that did not come, and abandon it."""
        self._tell()
        self.abandon()

    def abandon(self) -> None:
        """Close the connection: nothing was sent on it, and nothing will be."""
        connection, self._connection = self._connection, None
        self._offered.clear()
        if connection is not None:
            connection.close()


def _count(
    threads: ThreadPoolExecutor, gate: Gate, sender: str, flow: Flow | None, turned_away: list[TurnedAway]
) -> None:
    """Tell hooks and tally of a message that never came; the loop does not wait for their store."""
    tell = partial(gate._count_turned_away, sender, flow, tuple(turned_away))  # noqa: SLF001 -- for integrations
    try:
        threads.submit(tell)
    except RuntimeError:  # the handler is closed, or the process ends
        tell()


def _turned_away(event: Event, text: str, route: FlowRoute, *, by: str = "relay") -> TurnedAway:
    """Return the refusal of a recipient by a relay."""
    relay = f"{route.server.host}:{route.server.port}" if route.server else ""
    why = str(event.reason or event.type)
    return TurnedAway("RCPT", event.smtp_code or 451, text, relay, part=by, reason=why)


def _known(gate: Gate, flow: Flow | str | None) -> Flow | None:
    if flow is None:
        return None
    route = gate.flows.get(flow)
    if route is None:
        msg = f"flow must be one of {', '.join(one.flow for one in gate.flows)}; got {flow!r}"
        raise ConfigurationError(msg, field="flow")
    return route.flow


def _route_of_sender(gate: Gate, sender: str) -> FlowRoute | None:
    """Return the route of the flow to which the domain of MAIL FROM belongs, if it is of one alone."""
    domain = sender.rpartition("@")[2].lower()
    if not domain:
        return None
    found = [one for one in gate.flows if domain in one.domains or domain == one.return_path]
    return found[0] if len(found) == 1 else None


def _flow_of_automatic(gate: Gate, sender: str, raw: bytes) -> Flow | None:
    """Return the flow of what programs send for people: that of its domain, however it reads.

    Reports and receipts have the null sender (RFC 3464, RFC 8098), answers say so (RFC 3834), invitations
    are calendar data (RFC 6047).
    """
    message = Message.read(raw)
    is_answer = message.get("auto-submitted").strip().lower().startswith("auto-replied")
    is_invitation = any(part.content_type == "text/calendar" for part in message.parts)
    if sender and not is_answer and not is_invitation:
        return None
    route = gate.flows.of_domain(message.sender.domain)
    return route.flow if route else None


def _login(session: Session) -> str | None:
    login = getattr(session.auth_data, "login", None)
    return login.decode("utf-8", "replace") if isinstance(login, bytes) else login


def _fault(error: Exception) -> tuple[int, str]:
    """Return the reply to a message where something of ours is wrong."""
    if isinstance(error, ConfigurationError):
        return 451, "4.3.5 This relay is misconfigured"
    return 451, "4.3.0 Try again later"


def _refusal(verdict: Verdict) -> str:
    """Return the reply to a message that the gate does not let leave."""
    code, text = verdict.reply or (451, "4.3.0 Try again later")
    return _line(f"{code} {text}")


def _whole(delivery: Delivery) -> str:
    """Return the one reply for a message that nobody got, or nobody for sure: 4xx if anybody may yet."""
    open_states = {RecipientState.DEFERRED, RecipientState.UNKNOWN}
    worth: Iterable[RecipientOutcome] = [o for o in delivery.recipients if o.state in open_states]
    one = next(iter(worth or delivery.recipients))
    return _reply(one.code or 451, one.text)


def _reply(code: int, text: str) -> str:
    """Return a reply of the relay or the gate; a 421 ends the relay's session, not ours (RFC 5321 3.8)."""
    return _line(f"{451 if code == 421 else code} {text}")


def _line(text: str) -> str:
    """Return a reply of one line in printable ASCII, within the 512 octets of RFC 5321 section 4.5.3.1.5."""
    shown = text.replace("\N{HORIZONTAL ELLIPSIS}", "...").replace("\n", " ").replace("\r", "")
    return "".join(c if " " <= c <= "~" else "?" for c in shown)[:500]
