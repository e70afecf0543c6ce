"""A connection to the relay of a flow, which knows how far a message has got."""

from __future__ import annotations

import smtplib
import ssl
import threading
from collections import deque
from contextlib import suppress
from dataclasses import replace
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from mailflows.errors import ConfigurationError
from mailflows.integrations._envelope import is_plain, needs_utf8
from mailflows.integrations._tls import checked, tell_downgrade, unchecked, why_not

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailflows.flows import FlowRoute
    from mailflows.flows._route import Relay

__all__ = [
    "ABOUT_LOGIN",
    "ANSWER_TIMEOUT",
    "TIMEOUT",
    "AddressNotSupported",
    "AnswerLost",
    "NoGreeting",
    "RelayConnection",
    "Relays",
    "Stage",
    "Taken",
    "is_loopback",
    "server_of",
    "source_of",
    "with_tls",
]

ABOUT_LOGIN = frozenset({530, 534, 535, 538})
"""RFC 4954 section 6: a login is required, too weak, wrong, or must be encrypted."""

TIMEOUT = 60.0
"""Seconds for each step before the end of a message. choice: below the five minutes of RFC 5321 section
4.5.3.2, since a request waits; who waits longer is deferred, and loses nothing."""

ANSWER_TIMEOUT = 600.0
"""Seconds for the answer to a whole message: RFC 5321 section 4.5.3.2.6; a shorter time makes duplicates."""

_KEPT = 8
"""Idle connections that are kept to one relay. bound: below what relays allow one client, such as
the fifty of Postfix (smtpd_client_connection_count_limit)."""


class AddressNotSupported(smtplib.SMTPNotSupportedError):
    """Raised where an address needs SMTPUTF8 (RFC 6531) and the relay does not have it."""


class AnswerLost(smtplib.SMTPServerDisconnected):
    """Raised if the relay's reply to a whole message was lost: the message may have been accepted or not."""


class NoGreeting(smtplib.SMTPServerDisconnected):
    """Raised if a relay was reached and did not greet."""


class Stage(IntEnum):
    """How far a message has got."""

    IDLE = 0
    ENVELOPE = 1
    CONTENT = 2
    ANSWER = 3
    """The final dot was sent, and no reply was read."""


def server_of(route: FlowRoute) -> Relay:
    """Return the relay of a route.

    Raises:
        ConfigurationError: If it has none.
    """
    server = route.server
    if server is None:
        msg = f'the {route.flow} flow has no relay: write relay = "smtp://host" in its table'
        raise ConfigurationError(msg, field="relay")
    return server


def source_of(route: FlowRoute) -> tuple[str, int] | None:
    """Return the address to send from, as sockets take it."""
    return (route.source_ips[0], 0) if route.source_ips else None


def with_tls(route: FlowRoute, tls: ssl.SSLContext | str | None, tls_ca: str) -> FlowRoute:
    """Return a route that says how TLS is spoken, where it says nothing and the caller does."""
    mode = tls if isinstance(tls, str) else ""
    if not (mode or tls_ca) or route.tls or route.tls_ca:
        return route
    return replace(route, tls=mode, tls_ca=tls_ca)


class RelayConnection:
    """One connection; for one message at a time.

    Attributes:
        route: Whose relay it is.
        stage: How far the message has got.
        is_used: Whether it has carried a message before, so that the relay may have closed it since.
    """

    def __init__(
        self, route: FlowRoute, *, timeout: float, answer_timeout: float, tls: ssl.SSLContext | None
    ) -> None:
        self.route = route
        self.stage = Stage.IDLE
        self.is_used = False
        self._timeout = timeout
        self._answer_timeout = answer_timeout
        self._smtp = _connected(route, timeout, tls)

    def mail(self, sender: str, *, options: Iterable[str] = (), utf8: bool = False) -> None:
        """Send MAIL FROM.

        Raises:
            smtplib.SMTPSenderRefused: If the relay says no.
            AddressNotSupported: If it has no SMTPUTF8, and an address needs it.
        """
        self.stage = Stage.ENVELOPE
        said = [*options]
        if utf8 or needs_utf8((sender,)):
            if not self._smtp.has_extn("smtputf8"):
                msg = (
                    f"relay {server_of(self.route).host} does not support SMTPUTF8 (RFC 6531), "
                    "which an address needs"
                )
                raise AddressNotSupported(msg)
            said += ["SMTPUTF8", "BODY=8BITMIME"]
        if is_plain(sender) and not utf8:  # what smtplib reads again at some cost
            code, text = self._smtp.docmd("MAIL", " ".join([f"FROM:<{sender}>", *said]))
        else:
            code, text = self._smtp.mail(sender, said)
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, text, sender)

    def size_option(self, size: int | None) -> tuple[str, ...]:
        """Return the SIZE parameter of MAIL FROM, for a relay that supports it (RFC 1870)."""
        return (f"size={size}",) if size is not None and self._smtp.has_extn("size") else ()

    def recipient(self, address: str) -> tuple[int, bytes]:
        """Send RCPT TO, and return the relay's reply.

        Raises:
            smtplib.SMTPServerDisconnected: If it closes the connection, also with a reply of 421.
            smtplib.SMTPAuthenticationError: If it requires a login, which is not the recipient's fault.
        """
        if is_plain(address):
            code, text = self._smtp.docmd("RCPT", f"TO:<{address}>")
        else:
            code, text = self._smtp.rcpt(address)
        if code == 421:  # RFC 5321 section 3.8: it is closing
            self.close()
            raise smtplib.SMTPResponseException(code, text)
        if code in ABOUT_LOGIN:
            raise smtplib.SMTPAuthenticationError(code, text)
        return code, text

    def content(self, data: bytes) -> tuple[int, bytes]:
        """Send the content, and return the reply.

        Raises:
            smtplib.SMTPDataError: If the relay refuses it.
            AnswerLost: If no answer came to the whole of it.
        """
        self.stage = Stage.CONTENT
        code, text = self._smtp.docmd("DATA")
        if code != 354:
            raise smtplib.SMTPDataError(code, text)
        self._smtp.send(_dotted(data))
        self.stage = Stage.ANSWER
        if self._smtp.sock is not None:
            self._smtp.sock.settimeout(self._answer_timeout)
        try:
            code, text = self._smtp.getreply()
        except (smtplib.SMTPException, OSError) as problem:
            raise self._lost() from problem
        if code not in range(200, 600):  # no reply that anybody could read
            raise self._lost()
        self.stage, self.is_used = Stage.IDLE, True
        if self._smtp.sock is not None:
            self._smtp.sock.settimeout(self._timeout)
        if code // 100 != 2:
            raise smtplib.SMTPDataError(code, text)
        return code, text

    def _lost(self) -> AnswerLost:
        host = server_of(self.route).host
        msg = f"the reply of relay {host} was lost: the message may or may not have been accepted"
        return AnswerLost(msg)

    def reset(self) -> bool:
        """Abandon the current message, and return whether the connection is still usable."""
        self.is_used = True
        try:
            if self.stage is not Stage.IDLE:
                self._smtp.rset()
        except (smtplib.SMTPException, OSError):
            self.close()
        self.stage = Stage.IDLE
        return self._smtp.sock is not None

    def quit(self) -> None:
        """Send QUIT, and close."""
        with suppress(smtplib.SMTPException, OSError):
            self._smtp.quit()
        self.close()

    def close(self) -> None:
        """Close without QUIT."""
        self._smtp.close()


class Taken(NamedTuple):
    """What a relay said that took a message, for all its recipients or for some."""

    refused: dict[str, tuple[int, bytes]]
    reply: tuple[int, bytes]


class Relays:
    """Connections to relays, kept while they are of use; for several threads."""

    def __init__(
        self,
        *,
        timeout: float,
        answer_timeout: float,
        tls: ssl.SSLContext | str | None = None,
        tls_ca: str = "",
    ) -> None:
        self._timeout = timeout
        self._answer_timeout = answer_timeout
        self._tls = tls
        self._tls_ca = tls_ca
        self._idle: dict[FlowRoute, deque[RelayConnection]] = {}
        self._lock = threading.Lock()

    def take(self, route: FlowRoute) -> RelayConnection:
        """Return an idle connection, or a new one."""
        with self._lock:
            idle = self._idle.get(route)
            found = idle.pop() if idle else None
        return found or self.connect(route)

    def connect(self, route: FlowRoute) -> RelayConnection:
        """Return a new connection."""
        context = self._tls if isinstance(self._tls, ssl.SSLContext) else None
        return RelayConnection(
            with_tls(route, self._tls, self._tls_ca),
            timeout=self._timeout,
            answer_timeout=self._answer_timeout,
            tls=context,
        )

    def give_back(self, connection: RelayConnection) -> None:
        """Keep a connection, or close it if it is no longer usable."""
        if not connection.reset():
            return
        with self._lock:
            idle = self._idle.setdefault(connection.route, deque())
            is_kept = len(idle) < _KEPT
            if is_kept:
                idle.append(connection)
        if not is_kept:
            connection.quit()

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            found = [one for idle in self._idle.values() for one in idle]
            self._idle.clear()
        for connection in found:
            connection.quit()

    def drop(self) -> None:
        """Close all idle connections without QUIT, as nothing waits for a reply any more."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    def offer(
        self,
        route: FlowRoute,
        sender: str,
        recipients: Iterable[str],
        *,
        size: int | None = None,
        utf8: bool = False,
    ) -> tuple[RelayConnection, dict[str, tuple[int, bytes]]]:
        """Offer an envelope, and return the connection with the answers to the recipients.

        Nothing has been sent by then: where a kept connection turns out to be closed, a new one is tried.
        """
        to = tuple(recipients)
        connection = self.take(route)
        try:
            return connection, _offered(connection, sender, to, size, utf8)
        except (smtplib.SMTPServerDisconnected, smtplib.SMTPResponseException) as problem:
            connection.close()
            is_closing = getattr(problem, "smtp_code", 421) == 421
            if not (connection.is_used and is_closing):
                raise
        except BaseException:
            connection.close()
            raise
        connection = self.connect(route)
        try:
            return connection, _offered(connection, sender, to, size, utf8)
        except BaseException:
            connection.close()
            raise

    def deliver(self, route: FlowRoute, sender: str, recipients: Iterable[str], data: bytes) -> Taken:
        """Hand over a message, and return what the relay said.

        Raises:
            smtplib.SMTPRecipientsRefused: If it refused everybody.
            AnswerLost: If its answer was lost.
            smtplib.SMTPException: If it did not take the message.
            OSError: If it cannot be reached.
        """
        connection, answers = self.offer(route, sender, recipients, size=len(data))
        refused = {address: reply for address, reply in answers.items() if reply[0] // 100 != 2}
        if len(refused) == len(answers):
            self.give_back(connection)
            raise smtplib.SMTPRecipientsRefused(refused)
        return Taken(refused, self.finish(connection, data))

    def finish(self, connection: RelayConnection, data: bytes) -> tuple[int, bytes]:
        """Send the content to the recipients that were accepted, keep the connection, and return the reply.

        Raises:
            AnswerLost: If the relay's answer was lost.
            smtplib.SMTPException: If it did not take the message.
        """
        try:
            reply = connection.content(data)
        except smtplib.SMTPDataError as problem:
            if problem.smtp_code == 421:
                connection.close()
            else:
                self.give_back(connection)
            raise
        except BaseException:
            connection.close()
            raise
        self.give_back(connection)
        return reply


def _offered(
    connection: RelayConnection,
    sender: str,
    recipients: tuple[str, ...],
    size: int | None,
    utf8: bool,  # noqa: FBT001 -- of one caller
) -> dict[str, tuple[int, bytes]]:
    connection.mail(sender, options=connection.size_option(size), utf8=utf8 or needs_utf8(recipients))
    return {address: connection.recipient(address) for address in recipients}


def _dotted(data: bytes) -> bytes:
    """Return the data to send: dot-stuffed, with the final dot (RFC 5321 section 4.5.2)."""
    stuffed = data.replace(b"\r\n.", b"\r\n..")
    first = b"." if data.startswith(b".") else b""
    end = b".\r\n" if data.endswith(b"\r\n") else b"\r\n.\r\n"
    return b"".join((first, stuffed, end))


def _connected(route: FlowRoute, timeout: float, tls: ssl.SSLContext | None) -> smtplib.SMTP:
    """Return a session with the relay of a route, encrypted as the route wants it, and logged in."""
    server = server_of(route)
    smtp = _Encrypted(route, timeout, tls).session()
    try:
        if server.username:
            smtp.login(server.username, route.secret())
    except BaseException:
        smtp.close()
        raise
    return smtp


class _Encrypted:
    """Opens a session, and falls back where the route allows it."""

    def __init__(self, route: FlowRoute, timeout: float, tls: ssl.SSLContext | None) -> None:
        self._route = route
        self._server = server_of(route)
        self._timeout = timeout
        self._given = tls
        self._mode = "verify" if tls is not None else route.tls_mode

    def session(self) -> smtplib.SMTP:
        """Return it, with a greeting and TLS done."""
        context = self._given or checked(self._route.tls_ca)
        try:
            return self._try(context)
        except ssl.SSLCertVerificationError as problem:
            if self._mode == "verify":
                raise why_not(self._route, problem, self._certificate()) from problem
            if self._mode == "opportunistic":
                tell_downgrade(self._route, f"its certificate cannot be verified ({problem.verify_message})")
            return self._try(unchecked())
        except ssl.SSLError as problem:
            if self._mode != "opportunistic" or self._server.is_tls or self._server.username:
                raise
            tell_downgrade(self._route, f"mail is sent in cleartext, because TLS failed ({problem.reason})")
            return self._try(None)

    def _try(self, context: ssl.SSLContext | None) -> smtplib.SMTP:
        smtp = self._opened(context)
        try:
            smtp.ehlo_or_helo_if_needed()
            if not self._server.is_tls:
                self._start_tls(smtp, context)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _start_tls(self, smtp: smtplib.SMTP, context: ssl.SSLContext | None) -> None:
        """Start TLS if the relay offers it; otherwise raise if the route requires it."""
        if smtp.has_extn("starttls"):
            if context is not None:
                smtp.starttls(context=context)
                smtp.ehlo()
            return
        # A password never travels in the clear: without STARTTLS there is no login.
        if self._mode != "opportunistic" or self._server.username:
            msg = (
                f"relay {self._server.host}:{self._server.port} of the {self._route.flow} flow does not "
                'offer STARTTLS; without a login, tls = "opportunistic" allows cleartext'
            )
            raise smtplib.SMTPNotSupportedError(msg)
        if not is_loopback(self._server.host):
            tell_downgrade(self._route, "mail is sent in cleartext, because it does not offer STARTTLS")

    def _opened(self, context: ssl.SSLContext | None) -> smtplib.SMTP:
        host, port, ehlo = self._server.host, self._server.port, self._route.ehlo or None
        source = source_of(self._route)
        if self._server.is_tls:
            return smtplib.SMTP_SSL(
                host, port, ehlo, context=context, timeout=self._timeout, source_address=source
            )
        try:
            return smtplib.SMTP(host, port, ehlo, timeout=self._timeout, source_address=source)
        except smtplib.SMTPServerDisconnected as problem:  # a host that cannot be reached is another error
            msg = "it accepted the connection and sent no greeting, like a port that expects implicit TLS"
            raise NoGreeting(msg) from problem

    def _certificate(self) -> bytes | None:
        """Return the certificate that was refused, for the error."""
        with suppress(smtplib.SMTPException, OSError):
            smtp = self._try(unchecked())
            try:
                socket = smtp.sock
                return socket.getpeercert(binary_form=True) if isinstance(socket, ssl.SSLSocket) else None
            finally:
                smtp.close()
        return None


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, so that nobody can listen in."""
    return host == "localhost" or host.startswith("127.") or host == "::1"
