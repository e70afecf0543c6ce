"""The gate in front of Django's email: a backend that wraps another one, or sends through each flow's relay.

In the settings::

    EMAIL_BACKEND = "mailflows.integrations.django.GateBackend"  # from Django 6.1 on in MAILERS
    MIDDLEWARE = [..., "mailflows.integrations.django.GateMiddleware"]
    MAILFLOWS = {
        "FLOWS": BASE_DIR / "flows.toml",  # or "GATE": "project.mail.gate"
        "BACKEND": "anymail.backends.postmark.EmailBackend",  # or the name of another of the MAILERS
    }

In front of a queue, such as django-post-office, `QueueBackend` keeps these details with each message.

``BACKEND`` may also be a table with one backend per flow; without it, messages are sent through their flows'
relays. For a single message, set ``message.mailflows = {"flow": "transactional", "client": request_ip}``;
afterwards, ``message.mailflows_delivery`` has the outcome for each recipient.
"""

from __future__ import annotations

import copy
import logging
import re
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError, MailflowsError, MissingExtra, Refused

try:
    from asgiref.sync import iscoroutinefunction, markcoroutinefunction
    from django import conf  # its settings as a name of this module would be read by whoever inspects it
    from django.core.mail.backends import smtp
    from django.core.mail.backends.base import BaseEmailBackend
    from django.dispatch import Signal
    from django.utils.module_loading import import_string
except ImportError as problem:
    extra = "django"
    raise MissingExtra(extra, "Django") from problem

from mailflows._mail.address import mailbox_of
from mailflows._mail.handover import OURS
from mailflows._mailbox import a_labels
from mailflows.gate import Gate, GateDecision
from mailflows.integrations._delivery import Delivery, delivery_of
from mailflows.integrations._envelope import read_recipients
from mailflows.integrations._relay import ANSWER_TIMEOUT, TIMEOUT
from mailflows.integrations._relay_outcome import answered, cause_of, failure_of, replies_of, reported
from mailflows.integrations._submission import require_lines, said_of, told_if_unfit
from mailflows.integrations.smtplib import GateSMTP
from mailflows.message import Envelope

if TYPE_CHECKING:
    import smtplib
    from collections.abc import Callable, Iterator, Sequence

    from django.core.mail import EmailMessage

    from mailflows.gate import Verdict

__all__ = ["GateBackend", "GateMiddleware", "QueueBackend", "not_delivered", "site_gate"]

not_delivered = Signal()
"""Sent where somebody does not get a message: *message*, *delivery* (or `None`) and *error* (or `None`)."""

_SETTINGS = (
    *("FLOWS", "GATE", "BACKEND", "QUEUE", "CLIENT", "FORM", "SERVER_FLOW"),
    *("TLS", "TLS_CA", "TIMEOUT", "ANSWER_TIMEOUT"),
)

_LINE_END = re.compile(rb"\r\n|\r|\n")

_log = logging.getLogger("mailflows.integrations")

_request: ContextVar[Any] = ContextVar("mailflows_request", default=None)


def site_gate() -> Gate:
    """Return the gate of the site: the one that `GateBackend` uses, for a view, a task or a command.

    Raises:
        ConfigurationError: If ``MAILFLOWS`` names none.
    """
    found = _settings()
    return _gate(found.get("GATE"), found.get("FLOWS"))


class GateBackend(BaseEmailBackend):  # type: ignore[misc] # Django says nothing about its types
    """A Django email backend that checks each message with the gate, and passes it on to another backend.

    With ``fail_silently`` a refused message counts as not sent; otherwise `Refused` is raised. Either way it
    is logged, and the signal `not_delivered` is sent, because Django's password reset swallows exceptions.
    Mail from ``SERVER_EMAIL``, which reports another error, never raises `Refused`.

    Args:
        fail_silently: Whether a message that cannot be sent raises no exception.
        alias: Its name in ``MAILERS`` (Django 6.1).
        flow: The flow of messages that declare none; by default the gate determines it.
        **kwargs: Arguments for the backend behind it.
    """

    def __init__(
        self,
        fail_silently: bool = False,  # noqa: FBT001, FBT002 -- as Django calls it
        *,
        alias: str | None = None,
        flow: str | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(alias=alias)
        self.fail_silently = fail_silently
        self._flow = flow
        found = _settings()
        self._gate = site_gate()
        self._backend = found.get("BACKEND")
        self._server_flow = found.get("SERVER_FLOW")
        self._wire = {
            "timeout": found.get("TIMEOUT", TIMEOUT),
            "answer_timeout": found.get("ANSWER_TIMEOUT", ANSWER_TIMEOUT),
            "tls": found.get("TLS"),
            "tls_ca": str(found.get("TLS_CA", "")),
        }
        self._arguments = _arguments(alias, kwargs)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send messages, and return how many left."""
        sent = 0
        with GateSMTP(self._gate, **self._wire) as connection:
            for message in email_messages:
                try:
                    sent += self._send(message, connection)
                except (MailflowsError, OSError) as problem:  # SMTPException is an OSError
                    self._tell(message, delivery_of(problem), problem)
                    if not self.fail_silently and not (
                        _is_operational(message) and isinstance(problem, Refused)
                    ):
                        raise
        return sent

    def _send(self, message: EmailMessage, connection: GateSMTP) -> bool:
        if not message.recipients():
            return False
        content = _LINE_END.sub(b"\r\n", message.message().as_bytes())
        mail_from = _sender_of(message)
        to = tuple(read_recipients(message.recipients()))
        gate = self._gate_for(message)
        if not gate.dry_run:
            with told_if_unfit(mail_from, to, content):
                require_lines(content)
        verdict = gate.ensure(content, envelope=Envelope(mail_from, to), **self._known(message))
        if self._backend is None:
            delivery = connection.deliver(verdict, content)
        else:
            delivery = self._hand_on(verdict, message)
        message.mailflows_delivery = delivery
        if delivery:
            self._tell(message, delivery, None)
        return bool(delivery.accepted)

    def _gate_for(self, message: EmailMessage) -> Gate:
        """Return the gate; for operational mail one that does not mind a From of another domain."""
        if not _is_operational(message):
            return self._gate
        gate = copy.copy(self._gate)
        gate._parts = replace(gate._parts, on_conflict=GateDecision.ACCEPT)  # noqa: SLF001 -- a copy of our own
        return gate

    def _known(self, message: EmailMessage) -> dict[str, Any]:
        """Return what is known of a message: of the request that caused it, and what it says itself."""
        known = _of_request() | ({"flow": self._flow} if self._flow else {})
        if _is_operational(message):
            known = {"flow": self._server_flow or _operational_flow(self._gate)}
        said = known | _said(message)
        if "client" not in said and _has_served and _request.get() is None and not _is_operational(message):
            _tell_missing_request()
        return said

    def _hand_on(self, verdict: Verdict, message: EmailMessage) -> Delivery:
        """Let another backend send it, to those who were accepted."""
        backend = self._backend
        path = backend.get(str(verdict.flow)) if isinstance(backend, dict) else backend
        if path is None:
            self._gate.report(verdict, ())
            msg = f"MAILFLOWS['BACKEND'] names no backend for the {verdict.flow} flow"
            raise ConfigurationError(msg, field="BACKEND")
        copied = _only_to(verdict, message)
        other = _backend(path, self._arguments)
        try:
            sent = other.send_messages([copied])
        except Exception as problem:
            failure = failure_of(problem, None, self._gate)
            found = Delivery.build(verdict, refused=replies_of(problem), failure=failure)
            self._gate.report(verdict, reported(found, problem))
            problem.delivery = message.mailflows_delivery = found  # type: ignore[attr-defined]
            raise
        finally:  # what a backend notes, such as anymail_status, is looked for on the message that was given
            for name in vars(copied).keys() - _OURS:
                setattr(message, name, getattr(copied, name))
        answered(self._gate, None)
        delivery = Delivery.build(verdict, refused=getattr(other, "mailflows_refused", {}))
        self._gate.report(verdict, reported(delivery) if sent else ())
        return delivery if sent else Delivery.of_unsent(verdict)

    def _tell(self, message: EmailMessage, delivery: Delivery | None, error: Exception | None) -> None:
        """Log what did not reach somebody, and send the signal; neither repeats an address."""
        said = str(delivery) if delivery is not None else cause_of(error) if error else "it was not sent"
        # An error would be mailed to the admins, and if that mail is refused, again and again.
        is_loud = error is not None and not _is_operational(message)
        level = logging.ERROR if is_loud else logging.WARNING
        _log.log(level, "mail was %s: %s", _reach(delivery), said)
        not_delivered.send_robust(type(self), message=message, delivery=delivery, error=error)


def _reach(delivery: Delivery | None) -> str:
    """Return whom a message reached that did not reach everybody."""
    if delivery is not None and delivery.accepted:
        return "not delivered to all recipients"
    if delivery is not None and delivery.unknown:
        return "perhaps not delivered"
    return "not delivered to anyone"


class QueueBackend(BaseEmailBackend):  # type: ignore[misc] # Django says nothing about its types
    """A Django email backend in front of a queue: keeps client, form, … with each message.

    A queue such as django-post-office keeps the fields of a message, but neither ``message.mailflows`` nor
    the request. This backend therefore writes them to header fields ``X-Mailflows-Client``,
    ``X-Mailflows-Form``, …, and passes the message to ``MAILFLOWS["QUEUE"]``. `GateBackend`, behind the
    queue, reads and removes them.
    """

    def __init__(self, fail_silently: bool = False, *, alias: str | None = None, **kwargs: Any) -> None:  # noqa: ANN401, FBT001, FBT002 -- as Django calls it
        super().__init__(alias=alias)
        path = _settings().get("QUEUE")
        if path is None:
            msg = "MAILFLOWS has no backend for the queue: write 'QUEUE': 'post_office.EmailBackend'"
            raise ConfigurationError(msg, field="QUEUE")
        silence = {"fail_silently": True} if fail_silently else {}  # Django 6.1 warns of a False, too
        self._queue = _backend(path, _arguments(alias, kwargs) | silence)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Queue messages, and return how many the queue says were sent at once.

        Raises:
            ConfigurationError: If the queue passes its messages back, and so would queue them forever.
        """
        if any(_QUEUED in one.extra_headers for one in email_messages):
            msg = (
                "the queue passes its messages back to QueueBackend: let it send through GateBackend. With "
                "MAILERS, django-post-office sends through the mailer named by POST_OFFICE['DEFAULT_MAILER']"
            )
            raise ConfigurationError(msg, field="QUEUE")
        sent: int | None = self._queue.send_messages([_with_known(one) for one in email_messages])
        return sent or 0


_QUEUED = "X-Mailflows-Queued"
"""The field of a message that was queued. It is empty, because what has a value is a detail for the gate."""


def _with_known(message: EmailMessage) -> EmailMessage:
    """Return a message that says in its own fields what is known of it."""
    copied = copy.copy(message)
    fields = {
        f"X-Mailflows-{name.title()}": str(value) for name, value in (_of_request() | _said(message)).items()
    }
    copied.extra_headers = _without_ours(message.extra_headers) | fields | {_QUEUED: ""}
    return copied


def _said(message: EmailMessage) -> dict[str, Any]:
    """Return what a message says of itself, in its fields and beside it."""
    pairs = ((str(name), str(value)) for name, value in message.extra_headers.items())
    return said_of(pairs, getattr(message, "mailflows", {}))


def _without_ours(headers: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in headers.items() if not str(name).lower().startswith(OURS)}


_has_served = False


@cache
def _tell_missing_request() -> None:
    """Say once that mail has no request in a process that answers them: a thread does not inherit its own."""
    _log.warning(
        "mail without a client, from a thread or a task outside any request: limits per client do not apply. "
        "Start it with contextvars.copy_context().run, or set message.mailflows = {'client': ...}"
    )


class GateMiddleware:
    """Adds the client, the account and the form of each request to the mail that it triggers.

    The client is ``REMOTE_ADDR``; behind a proxy, ``MAILFLOWS["CLIENT"]`` is a function of the request, or
    its dotted path, that returns it. The form is the name of the view, or what ``MAILFLOWS["FORM"]``, another
    such function, returns.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:  # noqa: ANN401 -- Django's
        """Answer a request, and remember meanwhile whose it is."""
        if self._is_async:
            return self._later(request)
        with _during(request):
            return self._get_response(request)

    async def _later(self, request: Any) -> Any:  # noqa: ANN401 -- Django's
        with _during(request):
            return await self._get_response(request)


@contextmanager
def _during(request: object) -> Iterator[None]:
    global _has_served  # noqa: PLW0603 -- said once a process
    _has_served = True
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def _of_request() -> dict[str, Any]:
    """Return client and account of the request under way; nothing in a task, a shell or a test."""
    request = _request.get()
    if request is None:
        return {}
    settings = _settings()
    client = _by(settings.get("CLIENT"), request) or request.META.get("REMOTE_ADDR")
    form = _by(settings.get("FORM"), request) or _view_of(request)
    user: Any = getattr(request, "user", None)
    account = user.get_username() if getattr(user, "is_authenticated", False) else None
    known = {"client": client, "account": account, "form": form}
    return {name: value for name, value in known.items() if value}


def _by(how: Any, request: Any) -> object:  # noqa: ANN401 -- Django's
    """Return what a function of the request, or of its dotted path, says; `None` without one."""
    return (import_string(how) if isinstance(how, str) else how)(request) if how else None


def _view_of(request: Any) -> str | None:  # noqa: ANN401 -- Django's
    """Return the name of the view that answers a request, or the route that leads to it."""
    found = getattr(request, "resolver_match", None)
    return (found.view_name or found.route or None) if found else None


def _settings() -> dict[str, Any]:
    found = dict(getattr(conf.settings, "MAILFLOWS", {}))
    for name in found:
        if name not in _SETTINGS:
            msg = f"MAILFLOWS has an unknown key {name}: {did_you_mean(name, _SETTINGS)}"
            raise ConfigurationError(msg, field=name)
    return found


def _sender_of(message: EmailMessage) -> str:
    """Return who sends a message, with A-labels as its domain: not every relay speaks SMTPUTF8 (RFC 6531)."""
    found = mailbox_of(message.from_email)
    if found is None:
        return str(message.from_email)
    local, at, domain = found.rpartition("@")
    return local + at + a_labels(domain)


def _is_operational(message: EmailMessage) -> bool:
    """Return whether a message is the site's own, as of `mail_admins`."""
    return mailbox_of(message.from_email or "") == mailbox_of(conf.settings.SERVER_EMAIL)


def _operational_flow(gate: Gate) -> str | None:
    """Return the flow of operational mail: transactional where there is one."""
    flows = [str(route.flow) for route in gate.flows]
    return "transactional" if "transactional" in flows else next(iter(flows), None)


_OURS = frozenset({"to", "cc", "bcc", "connection", "_connection", "extra_headers", "mailflows_delivery"})


def _only_to(verdict: Verdict, message: EmailMessage) -> EmailMessage:
    """Return the message with those recipients that may be written to; in a dry run, with all."""
    copied = copy.copy(message)
    for name in {"connection", "_connection"} & vars(copied).keys():  # Django before 6.1, and since
        setattr(copied, name, None)  # this backend's; some backends copy all that a message holds
    copied.extra_headers = _without_ours(message.extra_headers)
    if verdict.dry_run:
        return copied
    allowed = frozenset(verdict.accepted)
    for name in ("to", "cc", "bcc"):
        setattr(copied, name, [one for one in getattr(message, name) if mailbox_of(one) in allowed])
    return copied


def _arguments(alias: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """Return what the backend behind this one is made with: the name that stands for its settings, too."""
    given.pop("_ignore_unknown_kwargs", None)  # Django 6.1 to its own base class
    return given | ({"alias": alias} if alias else {})


def _backend(name: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 -- somebody else's
    """Make the backend of a dotted path or, as in Django 6.1, of a name in ``MAILERS``.

    Raises:
        ConfigurationError: If it is the gate itself, or there is none of that name.
    """
    mailers = getattr(conf.settings, "MAILERS", {})
    if name in mailers:
        found = mailers[name]
        kind, arguments = _telling(found.get("BACKEND", _SMTP)), found.get("OPTIONS", {}) | {"alias": name}
    elif "." in name:
        kind = _telling(name)
    else:
        meant = did_you_mean(name, mailers)
        msg = f"MAILFLOWS names {name}, which is neither a dotted path nor in MAILERS: {meant}"
        raise ConfigurationError(msg, field="BACKEND")
    if isinstance(kind, type) and issubclass(kind, GateBackend | QueueBackend):
        msg = f"MAILFLOWS names {name}, which is the gate itself: name what is to send behind it"
        raise ConfigurationError(msg, field="BACKEND")
    return kind(**arguments)


_SMTP = "django.core.mail.backends.smtp.EmailBackend"
"""Django's own default of ``BACKEND`` in ``MAILERS``."""


@lru_cache(maxsize=32)
def _telling(path: str) -> Any:  # noqa: ANN401 -- a class of somebody else's
    """Return the class of a backend; of one over smtplib, a child that notes whom the relay refused."""
    found = import_string(path)
    if not (isinstance(found, type) and issubclass(found, smtp.EmailBackend)):
        return found
    return type(f"Telling{found.__name__}", (_Telling, found), {})


class _Telling:
    """Notes what smtplib returns, which Django's backend drops."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        """Return the class of connections, with a memory."""
        base: type[smtplib.SMTP] = super().connection_class  # type: ignore[misc]
        refused: dict[str, tuple[int, bytes]] = self.__dict__.setdefault("mailflows_refused", {})

        class Noting(base):  # type: ignore[valid-type, misc]
            def sendmail(self, *args: Any, **kwargs: Any) -> dict[str, tuple[int, bytes]]:  # noqa: ANN401
                found: dict[str, tuple[int, bytes]] = super().sendmail(*args, **kwargs)
                refused.update(found)
                return found

        return Noting


@lru_cache(maxsize=8)
def _gate(dotted: str | Gate | None, flows: Any) -> Gate:  # noqa: ANN401 -- a path of any kind
    """Return the gate that the settings name; one for all connections, so that its state is shared.

    Raises:
        ConfigurationError: If there is none, if it may hold messages and has no place for them, or if a limit
            counts by what is not known of every message.
    """
    gate = _named_gate(dotted, flows)
    gate.require_place("GateBackend")
    middleware = f"{__name__}.{GateMiddleware.__name__}"
    gate.require_keys("GateBackend", {"client"} if middleware in conf.settings.MIDDLEWARE else ())
    return gate


def _named_gate(dotted: str | Gate | None, flows: Any) -> Gate:  # noqa: ANN401 -- a path of any kind
    """Return the gate that the settings name."""
    if isinstance(dotted, Gate):
        return dotted
    if dotted is not None:
        found = import_string(dotted)
        gate = found if isinstance(found, Gate) else found()
        if isinstance(gate, Gate):
            return gate
        msg = f"MAILFLOWS['GATE'] is a {type(gate).__name__}, not a Gate or a function that returns one"
        raise ConfigurationError(msg, field="GATE")
    if flows is None:
        msg = "MAILFLOWS has no gate: write 'FLOWS': BASE_DIR / 'flows.toml', or 'GATE': 'project.mail.gate'"
        raise ConfigurationError(msg, field="MAILFLOWS")
    return Gate.from_toml(flows)
