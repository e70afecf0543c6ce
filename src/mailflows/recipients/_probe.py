"""Asking a mail server whether it knows a mailbox: off by default, and seldom a good idea.

Receivers see probing without mailing as harvesting of addresses and may list the sender for it, large
providers give no true answer, and most clouds close port 25. So nothing here connects by itself: a
`SmtpProbe` needs a connector, and only what a server says clearly is taken for an answer.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

__all__ = ["ProbeResult", "ProbeVerdict", "Reply", "SmtpConnection", "SmtpProbe", "smtplib_connector"]


class ProbeVerdict(StrEnum):
    """What a mail server let on about a mailbox."""

    ACCEPTED = "accepted"
    """It takes mail for this address, and refuses it for one that cannot exist."""

    CATCH_ALL = "catch_all"
    """It takes mail for any address, so nothing is known of this one."""

    NO_MAILBOX = "no_mailbox"
    """It says that there is no such mailbox."""

    BLOCKED_US = "blocked_us"
    """It refuses us, not the address: our reputation, our network or our policy."""

    UNKNOWN = "unknown"
    """It gave no clear answer: greylisting, a full mailbox, a limit, a dropped connection."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One SMTP reply: its code, and its text without the codes of the lines."""

    code: int
    text: str = ""

    @property
    def status(self) -> str:
        """The enhanced status code (RFC 3463), or empty."""
        found = _STATUS.match(self.text)
        return found[0].strip() if found else ""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What came of one probe.

    Attributes:
        verdict: What the server let on.
        evidence: The reply that decided, or what went wrong.
        retry_after: Seconds after which to ask again; `None` where that is of no use.
    """

    verdict: ProbeVerdict
    evidence: str
    retry_after: float | None = None


class SmtpConnection(Protocol):
    """An open connection to a mail server, as a connector makes it."""

    def ask(self, command: str | None) -> Reply:
        """Send a command and return the reply; `None` is for the greeting. Raises OSError if it is lost."""

    def close(self) -> None:
        """Close the connection."""


Connector = Callable[[str], SmtpConnection]
"""Opens a connection to a mail host, by its name; raises OSError where that is not possible."""

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
_GREYLIST = 900.0
"""Seconds: most greylists let the second attempt pass after 5 to 15 minutes."""
_BUSY = 3600.0

# What servers say of us rather than of the mailbox; from RFC 3463 section 3.8 and the words in use.
_ABOUT_US = re.compile(
    r"\bblock|\bblacklist|\bdenylist|\blisted\b|\brbl\b|dnsbl|spamhaus|barracuda|sorbs|spamcop|reputation|"
    r"\bpolicy\b|\bbanned|not allowed to send|sender|client host|reverse dns|\bptr\b|"
    r"relay(?:ing)? (?:access )?denied|access denied|authentication|\bspam\b|your (?:ip|network|host)|"
    r"\bhelo\b|\behlo\b|\bspf\b|\bdkim\b|\bdmarc\b",
    re.IGNORECASE,
)
_NO_MAILBOX = re.compile(
    r"no such (?:user|recipient|mailbox|address)|unknown (?:user|recipient|mailbox|address|local)|"
    r"(?:user|recipient|mailbox|address|account)[^.;]{0,60}(?:unknown|not found|does not exist|doesn't exist|"
    r"disabled|inactive|invalid|unavailable|rejected)|"
    r"does not have (?:an|a) [\w.]+ account|invalid (?:recipient|mailbox|address)|"
    r"not a (?:valid|known) (?:user|mailbox)",
    re.IGNORECASE,
)
_MAILBOX_STATUS = frozenset({"5.1.1", "5.1.6", "5.1.10", "5.2.1"})
_FULL = frozenset({"4.2.2", "5.2.2"})


class SmtpProbe:
    """Asks a mail server about a mailbox, and hangs up before a message is sent.

    Args:
        connector: Opens a connection, such as `smtplib_connector`; there is none by default.
        helo: Name that we greet with: one that resolves to our address.
        sender: Envelope sender; empty as in bounces by default.

    Example:
        >>> class Server:
        ...     def ask(self, command):
        ...         return Reply(550, "5.1.1 no such user") if command and "RCPT" in command else Reply(250)
        ...     def close(self): pass
        >>> probe = SmtpProbe(lambda host: Server(), helo="mail.example.org")
        >>> probe.check("ada@example.net", "mx.example.net").verdict
        <ProbeVerdict.NO_MAILBOX: 'no_mailbox'>
    """

    def __init__(self, connector: Connector, *, helo: str, sender: str = "") -> None:
        self._connector = connector
        self._helo = helo
        self._sender = sender

    def check(self, address: str, host: str) -> ProbeResult:
        """Ask one mail host about one address. Nothing is raised for what the server does."""
        try:
            connection = self._connector(host)
        except OSError as error:
            return ProbeResult(ProbeVerdict.UNKNOWN, f"no connection: {_said(error)}", _BUSY)
        talk = _talk(address, helo=self._helo, sender=self._sender)
        try:
            command = next(talk)
            while True:
                try:
                    reply = connection.ask(command)
                except OSError as error:
                    return ProbeResult(
                        ProbeVerdict.UNKNOWN, f"the connection was lost: {_said(error)}", _BUSY
                    )
                command = talk.send(reply)
        except StopIteration as stop:
            result: ProbeResult = stop.value
            return result
        finally:
            connection.close()

    async def acheck(self, address: str, host: str) -> ProbeResult:
        """Ask without blocking the event loop; the connector is used in a thread."""
        import asyncio  # noqa: PLC0415 -- only where an event loop runs

        return await asyncio.to_thread(self.check, address, host)


def _talk(address: str, *, helo: str, sender: str) -> Generator[str | None, Reply, ProbeResult]:
    """Hold the conversation: commands out, replies in, a result at the end."""
    if any(c in "\r\n\0<>" or not c.isprintable() for c in address + sender + helo):
        return ProbeResult(ProbeVerdict.UNKNOWN, "the address cannot stand in a command")
    secure = False
    for command in (None, f"EHLO {helo}", f"MAIL FROM:<{sender}>"):
        reply = yield command
        if reply.code == 530 and "STARTTLS" in reply.text.upper() and not secure:
            secure = True
            for step in ("STARTTLS", f"EHLO {helo}", command):
                reply = yield step
                if reply.code >= 400:
                    break
        if reply.code >= 400:
            return _refused_us(reply)
    return (yield from _recipients(address))


def _recipients(address: str) -> Generator[str | None, Reply, ProbeResult]:
    """Ask for an address that cannot exist first: a server that takes it says nothing about any."""
    local, _, domain = address.rpartition("@")
    nobody = yield f"RCPT TO:<{secrets.token_hex(8)}{len(local)}@{domain}>"
    if nobody.code < 300:
        return ProbeResult(ProbeVerdict.CATCH_ALL, f"it takes any address: {nobody.code} {nobody.text}"[:200])
    reply = yield f"RCPT TO:<{address}>"
    return judge_reply(reply)


def judge_reply(reply: Reply) -> ProbeResult:  # noqa: PLR0911 -- a table in code
    """Say what a reply to RCPT means.

    >>> judge_reply(Reply(550, "5.7.1 blocked using zen.spamhaus.org")).verdict
    <ProbeVerdict.BLOCKED_US: 'blocked_us'>
    >>> judge_reply(Reply(450, "4.2.0 greylisted")).retry_after
    900.0
    """
    said = f"{reply.code} {reply.text}"[:200]
    if 200 <= reply.code < 300:
        return ProbeResult(ProbeVerdict.ACCEPTED, said)
    if reply.status.startswith(("5.7.", "4.7.")) and reply.code >= 500:
        return ProbeResult(ProbeVerdict.BLOCKED_US, said)
    if reply.status in _FULL:
        return ProbeResult(ProbeVerdict.UNKNOWN, said, _BUSY)
    if reply.code >= 500:
        if reply.status in _MAILBOX_STATUS and not _ABOUT_US.search(reply.text):
            return ProbeResult(ProbeVerdict.NO_MAILBOX, said)
        if _ABOUT_US.search(reply.text) and not _NO_MAILBOX.search(reply.text):
            return ProbeResult(ProbeVerdict.BLOCKED_US, said)
        clear = reply.status in _MAILBOX_STATUS or (not reply.status and _NO_MAILBOX.search(reply.text))
        return ProbeResult(ProbeVerdict.NO_MAILBOX if clear else ProbeVerdict.UNKNOWN, said)
    return ProbeResult(ProbeVerdict.UNKNOWN, said, _GREYLIST if reply.code in (450, 451) else _BUSY)


def _refused_us(reply: Reply) -> ProbeResult:
    said = f"{reply.code} {reply.text}"[:200]
    if reply.code >= 500:
        return ProbeResult(ProbeVerdict.BLOCKED_US, said)
    return ProbeResult(ProbeVerdict.UNKNOWN, said, _BUSY)


def _said(error: OSError) -> str:
    return str(error.strerror or error)[:200] or type(error).__name__


def smtplib_connector(*, port: int = 25, timeout: float = 20.0) -> Connector:
    """Return a connector that uses the standard library's client.

    Args:
        port: Port of the mail hosts.
        timeout: Seconds to wait for each reply.
    """

    def connect(host: str) -> SmtpConnection:
        return _SmtplibConnection(host, port, timeout)

    return connect


class _SmtplibConnection:
    def __init__(self, host: str, port: int, timeout: float) -> None:
        import smtplib  # noqa: PLC0415 -- only where a probe is wanted

        self._smtp = smtplib.SMTP(timeout=timeout)
        self._greeting = self._smtp.connect(host, port)
        self._host = host

    def ask(self, command: str | None) -> Reply:
        """Send a command; STARTTLS is carried out if the server takes it."""
        import smtplib  # noqa: PLC0415 -- only where a probe is wanted

        try:
            if command is None:
                code, text = self._greeting
            elif command == "STARTTLS":
                self._smtp._host = self._host  # type: ignore[attr-defined] # noqa: SLF001 -- smtplib wants it for SNI
                code, text = self._smtp.starttls()
            else:
                self._smtp.putcmd(command)
                code, text = self._smtp.getreply()
        except smtplib.SMTPException as error:
            raise ConnectionError(str(error)) from error
        return Reply(code, text.decode("utf-8", "replace"))

    def close(self) -> None:
        """Take leave if the server still listens."""
        import contextlib  # noqa: PLC0415 -- only at the end
        import smtplib  # noqa: PLC0415 -- only where a probe is wanted

        with contextlib.suppress(OSError, smtplib.SMTPException):
            self._smtp.quit()
        self._smtp.close()
