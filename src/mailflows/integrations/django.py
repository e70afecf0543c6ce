"""The gate in front of Django's e-mail: a backend that wraps another one, or sends by each flow's relay.

In the settings::

    EMAIL_BACKEND = "mailflows.integrations.django.GateBackend"
    MAILFLOWS = {
        "FLOWS": BASE_DIR / "flows.toml",  # or "GATE": "project.mail.gate"
        "BACKEND": "anymail.backends.postmark.EmailBackend",
    }

``BACKEND`` may also be a table with one for each flow; without it, messages leave by their flows' relays.
Per message, ``message.mailflows = {"flow": "transactional", "client": request_ip}`` says what is known.
"""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mailflows.errors import ConfigurationError, MailflowsError, MissingExtra

try:
    from django import conf  # its settings as a name of this module would be read by whoever inspects it
    from django.core.mail import get_connection
    from django.core.mail.backends.base import BaseEmailBackend
    from django.core.mail.message import sanitize_address
    from django.utils.module_loading import import_string
except ImportError as problem:
    extra = "django"
    raise MissingExtra(extra, "Django") from problem

from mailflows._mail.handover import wire_form
from mailflows.gate import Gate
from mailflows.integrations.smtplib import GateSMTP
from mailflows.message import Envelope, addresses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.mail import EmailMessage

    from mailflows.gate import Verdict

__all__ = ["GateBackend"]


class GateBackend(BaseEmailBackend):  # type: ignore[misc] # Django says nothing about its types
    """A Django e-mail backend that asks the gate, and hands what is accepted to another backend.

    With ``fail_silently`` a refusal counts as a message that was not sent; else `Refused` is raised.
    """

    def __init__(self, fail_silently: bool = False, **kwargs: Any) -> None:  # noqa: ANN401, FBT001, FBT002 -- as Django calls it
        super().__init__(fail_silently=fail_silently)
        found = dict(getattr(conf.settings, "MAILFLOWS", {}))
        self._gate = _gate(found.get("GATE"), found.get("FLOWS"))
        self._backend = found.get("BACKEND")
        self._arguments = kwargs

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send messages, and return how many left."""
        sent = 0
        with GateSMTP(self._gate) as smtp:
            for message in email_messages:
                try:
                    sent += self._send(message, smtp)
                except (MailflowsError, OSError):  # SMTPException is an OSError
                    if not self.fail_silently:
                        raise
        return sent

    def _send(self, message: EmailMessage, smtp: GateSMTP) -> bool:
        if not message.recipients():
            return False
        written = message.message()
        sender = sanitize_address(message.from_email, message.encoding or conf.settings.DEFAULT_CHARSET)
        mail_from = next((a.address for a in addresses(sender)), sender)
        to = tuple(a.address for line in message.recipients() for a in addresses(line))
        known = getattr(message, "mailflows", {})
        verdict = self._gate.ensure(written, envelope=Envelope(mail_from, to), **known)
        if self._backend is None:
            smtp.deliver(verdict, mail_from, wire_form(written))
            return True
        return self._hand_on(verdict, message)

    def _hand_on(self, verdict: Verdict, message: EmailMessage) -> bool:
        """Let another backend send it, to those who were accepted."""
        backend = self._backend
        path = backend.get(str(verdict.flow)) if isinstance(backend, dict) else backend
        if path is None:
            msg = f"MAILFLOWS['BACKEND'] names no backend for the {verdict.flow} flow"
            raise ConfigurationError(msg, field="BACKEND")
        copied = _only_to(verdict.accepted, message)
        try:
            sent = get_connection(path, **self._arguments).send_messages([copied])
        except BaseException as problem:
            self._gate.report(verdict, problem)
            raise
        finally:  # what a backend notes, such as anymail_status, is looked for on the message that was given
            for name in vars(copied).keys() - _OURS:
                setattr(message, name, getattr(copied, name))
        self._gate.report(verdict, "sent" if sent else ())
        return bool(sent)


_OURS = frozenset({"to", "cc", "bcc", "connection"})


def _only_to(accepted: tuple[str, ...], message: EmailMessage) -> EmailMessage:
    """Return the message with those recipients that may be written to."""
    allowed = frozenset(accepted)
    copied = copy.copy(message)
    copied.connection = None  # this backend's; some backends copy all that a message holds
    for name in ("to", "cc", "bcc"):
        lines = getattr(message, name)
        setattr(copied, name, [one for one in lines if allowed.issuperset(a.address for a in addresses(one))])
    return copied


@lru_cache(maxsize=8)
def _gate(dotted: str | Gate | None, flows: Any) -> Gate:  # noqa: ANN401 -- a path of any kind
    """Return the gate that the settings name; one for all connections, so that its state is shared."""
    if isinstance(dotted, Gate):
        return dotted
    if dotted is not None:
        found = import_string(dotted)
        gate = found if isinstance(found, Gate) else found()
        if isinstance(gate, Gate):
            return gate
        msg = (
            f"MAILFLOWS['GATE'] leads to a {type(gate).__name__}, not to a Gate or a function that makes one"
        )
        raise ConfigurationError(msg, field="GATE")
    if flows is None:
        msg = "MAILFLOWS names a gate: write 'FLOWS': BASE_DIR / 'flows.toml', or 'GATE': 'project.mail.gate'"
        raise ConfigurationError(msg, field="MAILFLOWS")
    return Gate.from_toml(flows)
