"""Django: a backend that asks the gate, in front of another backend or of the flows' relays."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from typing import TYPE_CHECKING, Any

import django
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core import mail as django_mail
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch
from django.utils.log import AdminEmailHandler

from django_mailers import GATE, mail_settings
from mailflows import ConfigurationError, Gate, Refused
from mailflows.feedback import SuppressionList
from mailflows.flows import FlowRoute, FlowSet
from mailflows.integrations import django as integration
from mailflows.integrations.django import GateMiddleware, not_delivered
from mailflows.limits import Limit, Limiter, MemoryStore
from three_flows import three_flows

if TYPE_CHECKING:
    from smtp_server import SmtpServer

if not settings.configured:
    settings.configure(
        **mail_settings(),
        USE_TZ=True,
        SECRET_KEY="tests",  # noqa: S106 -- of no site
    )
    django.setup()

LOCMEM = "django.core.mail.backends.locmem.EmailBackend"


def mail(to: list[str] | None = None, **known: Any) -> django_mail.EmailMessage:
    """Return a message as an application makes it."""
    message = django_mail.EmailMessage(
        "Reset your password",
        "Hello Ada,\n\nyour code to reset the password of your account is 406117. It expires in an hour.\n",
        "Harbour <noreply@notify.lovelace.example>",
        to or ["ada@babbage.example"],
    )
    message.mailflows = {"flow": "transactional", **known}
    return message


def configure(
    monkeypatch: pytest.MonkeyPatch, *, mailers: dict[str, dict[str, Any]] | None = None, **found: Any
) -> None:
    """Set what the settings say, and start with an empty outbox."""
    for name, value in {"MAILFLOWS": found, **mail_settings(others=mailers)}.items():
        monkeypatch.setattr(settings, name, value, raising=False)
    monkeypatch.setattr(django_mail, "outbox", [], raising=False)


def test_by_the_relay_of_the_flow(
    relays: dict[str, SmtpServer], urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without another backend, the message leaves by the road of its flow."""
    configure(monkeypatch, GATE=Gate(three_flows(**urls)))
    assert mail().send() == 1
    (delivery,) = relays["transactional"].deliveries
    assert (delivery.source, delivery.ehlo) == ("127.0.0.11", "transactional.lovelace.example")
    assert delivery.sender == "noreply@notify.lovelace.example"


def test_another_backend_gets_who_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrapped backend sends the same message, to those who may be written to."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add("gone@babbage.example")
    configure(monkeypatch, GATE=Gate(three_flows(), suppressions=suppressions), BACKEND=LOCMEM)
    message = mail(["Ada <ada@babbage.example>", "gone@babbage.example"])
    message.esp_extra = {"MessageStream": "outbound"}
    assert message.send() == 1
    (sent,) = django_mail.outbox
    assert (sent.to, sent.esp_extra) == (["Ada <ada@babbage.example>"], {"MessageStream": "outbound"})
    assert len(message.to) == 2


def test_one_backend_for_each_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow without a backend is said, and another one's is not taken."""
    configure(monkeypatch, GATE=Gate(three_flows()), BACKEND={"transactional": LOCMEM})
    assert mail().send() == 1
    configure(monkeypatch, GATE=Gate(three_flows()), BACKEND={"marketing": LOCMEM})
    with pytest.raises(ConfigurationError, match="transactional"):
        mail().send()


def test_a_refusal_is_raised_or_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Django has it: an error, or a message that does not count."""
    gate = Gate(three_flows(), limiter=Limiter(Limit("1/day", per="recipient")))
    configure(monkeypatch, GATE=gate, BACKEND=LOCMEM)
    assert mail().send() == 1
    with pytest.raises(Refused, match="1 per day"):
        mail().send()
    assert silently(mail()) == 0


def test_the_domain_of_the_sender_has_a_labels(
    relays: dict[str, SmtpServer], urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Django's own backend writes it, so that a relay without SMTPUTF8 takes it."""
    flows = FlowSet(FlowRoute("transactional", domains="xn--bcher-kva.example", relay=urls["transactional"]))
    configure(monkeypatch, GATE=Gate(flows))
    message = mail()
    message.from_email = "Bücher <noreply@bücher.example>"
    assert message.send() == 1
    (delivery,) = relays["transactional"].deliveries
    assert delivery.sender == "noreply@xn--bcher-kva.example"


def silently(message: django_mail.EmailMessage) -> int:
    """Send a message without an error, whatever becomes of it."""
    return integration.GateBackend(fail_silently=True).send_messages([message])


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("rely", r"neither a dotted path nor in MAILERS: did you mean relay\?"),
        ("self", "the gate itself"),
        (GATE, "the gate itself"),
    ],
)
def test_what_is_to_send_is_there_and_not_the_gate(
    monkeypatch: pytest.MonkeyPatch, backend: str, said: str
) -> None:
    """A name that no mailer has, and a gate behind itself, would never send anything."""
    mailers = {"relay": {"BACKEND": LOCMEM}, "self": {"BACKEND": GATE}}
    configure(monkeypatch, mailers=mailers, GATE=Gate(three_flows()), BACKEND=backend)
    with pytest.raises(ConfigurationError, match=said):
        mail().send()


def test_a_mailer_has_its_flow_and_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Django 6.1 makes one: by its name, with what its OPTIONS say; a message may say another flow."""
    configure(monkeypatch, GATE=Gate(three_flows()), BACKEND=LOCMEM)
    mailer = integration.GateBackend(alias="resets", flow="transactional")
    message = mail()
    del message.mailflows
    assert mailer.send_messages([message]) == 1
    assert (mailer.alias if hasattr(mailer, "alias") else "resets") == "resets"
    with pytest.raises(Refused, match="reject marketing"):
        mailer.send_messages([mail(flow="marketing")])


def test_a_limit_that_counts_by_what_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told when the backend is made, with what to write; the middleware knows the client."""
    gate = Gate(three_flows(), limiter=Limiter(Limit("1/day", per="client")))
    configure(monkeypatch, GATE=gate, BACKEND=LOCMEM)
    with pytest.raises(ConfigurationError, match="optional=True"):
        integration.GateBackend()
    monkeypatch.setattr(settings, "MIDDLEWARE", ["mailflows.integrations.django.GateMiddleware"])
    assert mail(client="192.0.2.1").send() == 1


def test_a_gate_that_may_hold_has_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held must not vanish behind Django's password reset."""
    configure(monkeypatch, GATE=Gate(three_flows(), held=None), BACKEND=LOCMEM)
    with pytest.raises(ConfigurationError, match="held=HeldMail"):
        integration.GateBackend()


def test_the_gate_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """By a file, by a dotted path, or not at all, which is said."""
    file = tmp_path / "flows.toml"
    file.write_text('[flows.transactional]\ndomains = ["notify.lovelace.example"]\n')
    configure(monkeypatch, FLOWS=file, BACKEND=LOCMEM)
    assert mail().send() == 1
    configure(monkeypatch, GATE="mailflows.Gate.nothing", BACKEND=LOCMEM)
    with pytest.raises(ImportError):
        mail().send()
    configure(monkeypatch)
    with pytest.raises(ConfigurationError, match="FLOWS"):
        mail().send()


def test_nobody_to_write_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message without recipients is not sent and is no error, as in Django's own backend."""
    configure(monkeypatch, GATE=Gate(three_flows()), BACKEND=LOCMEM)
    message = mail()
    message.to = []
    assert integration.GateBackend().send_messages([message]) == 0


def test_in_front_of_anymail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its backends get those who are accepted, and what they note is on the message that was sent."""
    monkeypatch.setattr(settings, "ANYMAIL", {}, raising=False)
    suppressions = SuppressionList(MemoryStore())
    suppressions.add("gone@babbage.example")
    gate = Gate(three_flows(), suppressions=suppressions)
    configure(monkeypatch, GATE=gate, BACKEND="anymail.backends.test.EmailBackend")
    message = mail(["ada@babbage.example", "gone@babbage.example"])
    message.tags = ["reset"]
    assert message.send() == 1
    assert set(message.anymail_status.recipients) == {"ada@babbage.example"}
    assert django_mail.outbox[0].anymail_test_params["tags"] == ["reset"]


def test_the_middleware_names_client_and_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail that a request causes is counted per client; mail of a task is not, and passes."""
    limiter = Limiter(Limit("1/day", per="client", optional=True))
    configure(monkeypatch, GATE=Gate(three_flows(), limiter=limiter), BACKEND=LOCMEM)
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = "192.0.2.1"

    def view(_: HttpRequest) -> HttpResponse:
        return HttpResponse(str(mail().send()))

    behind = GateMiddleware(view)
    assert behind(request).content == b"1"
    with pytest.raises(Refused, match="limits"):
        behind(request)
    assert [mail().send() for _ in range(3)] == [1, 1, 1]


def test_the_middleware_in_an_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of two requests at the same time is its own."""
    seen: list[Any] = []
    gate = Gate(three_flows(), limiter=Limiter(Limit("1/day", per="client", optional=True)))
    configure(monkeypatch, GATE=gate, BACKEND=LOCMEM, CLIENT=lambda request: request.META["HTTP_X_REAL_IP"])

    async def view(_: HttpRequest) -> HttpResponse:
        await asyncio.sleep(0)
        seen.append(await sync_to_async(mail().send)())
        return HttpResponse()

    async def both() -> None:
        requests = [HttpRequest(), HttpRequest()]
        for number, request in enumerate(requests):
            request.META["HTTP_X_REAL_IP"] = f"192.0.2.{number + 1}"
        await asyncio.gather(*map(GateMiddleware(view), requests))

    asyncio.run(both())
    assert seen == [1, 1]


def test_a_refusal_is_seen(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever swallows the exception, as Django's password reset does: it is in the log, and signalled."""
    told: list[Any] = []
    suppressions = SuppressionList(MemoryStore())
    suppressions.add("ada@babbage.example")
    configure(monkeypatch, GATE=Gate(three_flows(), suppressions=suppressions), BACKEND=LOCMEM)

    def note(**facts: Any) -> None:
        told.append(facts)

    not_delivered.connect(note)
    try:
        assert silently(mail()) == 0
    finally:
        not_delivered.disconnect(note)
    assert isinstance(told[0]["error"], Refused)
    (record,) = [r for r in caplog.records if r.name == "mailflows.integrations"]
    assert record.levelname == "ERROR"
    assert record.getMessage().startswith("mail was not delivered to anyone: Refused: reject transactional: ")
    assert "ada" not in record.getMessage()


def test_what_the_relay_says_of_some_is_told(
    relays: dict[str, SmtpServer],
    urls: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Through a relay of a flow, and through Django's own backend, which drops it."""
    relay = relays["transactional"]
    smtp = {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {"host": relay.host, "port": relay.port},
    }
    for backend in (None, "relay"):
        configure(monkeypatch, mailers={"relay": smtp}, GATE=Gate(three_flows(**urls)), BACKEND=backend)
        message = mail(["ada@babbage.example", "unknown@babbage.example", "busy@babbage.example"])
        assert message.send() == 1
        delivery = message.mailflows_delivery
        assert delivery.refused == ("unknown@babbage.example",)
        assert delivery.deferred == ("busy@babbage.example",)
        assert delivery.accepted == ("ada@babbage.example",)
    assert [d.recipients for d in relay.deliveries] == [("ada@babbage.example",)] * 2
    said = "mail was not delivered to all recipients: 1 accepted, 1 refused, 1 deferred"
    assert len([r for r in caplog.records if r.getMessage().startswith(said)]) == 2


def test_operational_mail_has_a_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail to the admins leaves, though SERVER_EMAIL is of no flow's domain."""
    monkeypatch.setattr(
        settings,
        "ADMINS",
        ["ops@babbage.example"] if django.VERSION >= (6,) else [("Ops", "ops@babbage.example")],
    )
    configure(monkeypatch, GATE=Gate(three_flows()), BACKEND=LOCMEM)
    django_mail.mail_admins("Error: division by zero", "Traceback of the report of the night.\n")
    assert [sent.to for sent in django_mail.outbox] == [["ops@babbage.example"]]


def test_a_refusal_never_raises_in_a_logging_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The admins are suppressed: an error is logged, its mail refused, and nothing runs in circles."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add("ops@babbage.example")
    suppressions.add("ada@babbage.example")
    monkeypatch.setattr(
        settings,
        "ADMINS",
        ["ops@babbage.example"] if django.VERSION >= (6,) else [("Ops", "ops@babbage.example")],
    )
    configure(monkeypatch, GATE=Gate(three_flows(), suppressions=suppressions), BACKEND=LOCMEM)
    django_mail.mail_admins("Error", "Traceback of the report of the night.\n")
    handler = AdminEmailHandler()
    handler.setLevel(logging.ERROR)
    logger = logging.getLogger("mailflows.integrations")
    logger.addHandler(handler)
    try:
        assert silently(mail()) == 0
    finally:
        logger.removeHandler(handler)
    assert django_mail.outbox == []


def test_an_unknown_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the one that was meant."""
    configure(monkeypatch, GATE=Gate(three_flows()), BACKENDS=LOCMEM)
    with pytest.raises(ConfigurationError, match="BACKEND"):
        mail().send()


def request_for(view: str, address: str = "192.0.2.9") -> Any:
    """Return a request that a named view answers."""
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = address
    request.resolver_match = ResolverMatch(len, (), {}, view, route="accounts/reset/")
    return request


def contexts(monkeypatch: pytest.MonkeyPatch, **found: Any) -> list[Any]:
    """Configure a gate, and return the list to which it adds what it knew of each message."""
    seen: list[Any] = []
    gate = Gate(three_flows(), hooks=[lambda verdict: seen.append(verdict.receipt.context)])
    configure(monkeypatch, **{"GATE": gate, "BACKEND": LOCMEM, **found})
    return seen


def test_the_middleware_names_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the view is the form, so that limits and breakers of one form hold."""
    seen = contexts(monkeypatch)
    GateMiddleware(lambda _: mail().send())(request_for("password_reset"))
    assert (seen[0].client, seen[0].form) == ("192.0.2.9", "password_reset")
    monkeypatch.setitem(settings.MAILFLOWS, "FORM", lambda request: request.path_info or "by hand")
    GateMiddleware(lambda _: mail().send())(request_for("password_reset"))
    assert seen[1].form == "by hand"


def test_fields_say_what_is_known_and_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """X-Mailflows-Form is read, and the wrapped backend does not get it; the message given keeps it."""
    seen = contexts(monkeypatch)
    message = mail()
    del message.mailflows
    message.extra_headers = {"X-Mailflows-Flow": "transactional", "x-mailflows-form": "sign-up", "X-Tag": "a"}
    assert message.send() == 1
    assert (str(seen[0].flow), seen[0].form) == ("transactional", "sign-up")
    (sent,) = django_mail.outbox
    assert sent.extra_headers == {"X-Tag": "a"}
    assert b"mailflows" not in sent.message().as_bytes().lower()
    assert len(message.extra_headers) == 3


def test_fields_stay_here_in_a_dry_run_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a dry run the other backend gets everybody, and still no field of ours."""
    configure(monkeypatch, GATE=Gate(three_flows(), dry_run=True), BACKEND=LOCMEM)
    message = mail()
    message.extra_headers = {"X-Mailflows-Form": "sign-up"}
    assert message.send() == 1
    assert django_mail.outbox[0].extra_headers == {}


@pytest.mark.parametrize("wrong", [{"from": "sign-up"}, {"forms": "sign-up"}, "sign-up", 7])
def test_a_slip_of_the_pen_is_told(monkeypatch: pytest.MonkeyPatch, wrong: Any) -> None:
    """What nobody reads is an error of ours with what was meant, no TypeError."""
    configure(monkeypatch, GATE=Gate(three_flows()), BACKEND=LOCMEM)
    message = mail()
    message.mailflows = wrong
    with pytest.raises(ConfigurationError, match="form"):
        message.send()


def test_a_thread_without_its_request_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A thread does not inherit the request; with a copy of the context it does, and nothing is said."""
    seen = contexts(monkeypatch)
    integration._tell_missing_request.cache_clear()

    def view(_: Any) -> None:
        copied = contextvars.copy_context()
        for work in (lambda: copied.run(mail().send), mail().send, mail().send):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()

    with caplog.at_level(logging.WARNING):
        GateMiddleware(view)(request_for("password_reset"))
    assert [one.client for one in seen] == ["192.0.2.9", None, None]
    told = [record.getMessage() for record in caplog.records if "copy_context" in record.getMessage()]
    assert len(told) == 1


def test_the_gate_of_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """A view gets the gate that the backend asks."""
    gate = Gate(three_flows())
    configure(monkeypatch, GATE=gate)
    assert integration.site_gate() is gate


def test_a_queue_keeps_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """In front of a queue, client and form go into fields; behind it, the gate reads them."""
    seen = contexts(monkeypatch, QUEUE=LOCMEM)
    message = mail(template="reset")
    queue = integration.QueueBackend()
    GateMiddleware(lambda _: queue.send_messages([message]))(request_for("password_reset"))
    (queued,) = django_mail.outbox
    assert queued.extra_headers == {
        "X-Mailflows-Client": "192.0.2.9",
        "X-Mailflows-Form": "password_reset",
        "X-Mailflows-Flow": "transactional",
        "X-Mailflows-Template": "reset",
        "X-Mailflows-Queued": "",
    }
    assert message.extra_headers == {}
    del queued.mailflows  # as a queue that keeps fields only
    django_mail.outbox.clear()
    assert integration.GateBackend().send_messages([queued]) == 1
    assert (seen[0].client, seen[0].form, seen[0].template) == ("192.0.2.9", "password_reset", "reset")
    assert django_mail.outbox[0].extra_headers == {}


def test_a_queue_that_passes_mail_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would queue the same message forever, since to queue a message is to have sent it."""
    configure(monkeypatch, GATE=Gate(three_flows()), QUEUE=LOCMEM)
    integration.QueueBackend().send_messages([mail(template="reset")])
    (queued,) = django_mail.outbox
    with pytest.raises(ConfigurationError, match="DEFAULT_MAILER"):
        integration.QueueBackend().send_messages([queued])
    assert django_mail.outbox == [queued]


def test_a_queue_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without QUEUE there is nothing to hand a message to."""
    configure(monkeypatch, GATE=Gate(three_flows()))
    with pytest.raises(ConfigurationError, match="QUEUE"):
        integration.QueueBackend()
