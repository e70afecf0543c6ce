"""Django: a backend that asks the gate, in front of another backend or of the flows' relays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import django
import pytest
from django.conf import settings
from django.core import mail as django_mail

from mailflows import ConfigurationError, Gate, Refused
from mailflows.feedback import SuppressionList
from mailflows.limits import Limit, Limiter, MemoryStore
from three_flows import three_flows

if TYPE_CHECKING:
    from smtp_server import SmtpServer

if not settings.configured:
    settings.configure(EMAIL_BACKEND="mailflows.integrations.django.GateBackend", USE_TZ=True)
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


def configure(monkeypatch: pytest.MonkeyPatch, **found: Any) -> None:
    """Set what the settings say, and start with an empty outbox."""
    monkeypatch.setattr(settings, "MAILFLOWS", found, raising=False)
    monkeypatch.setattr(settings, "EMAIL_BACKEND", "mailflows.integrations.django.GateBackend")
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
    gate = Gate(three_flows(), limiter=Limiter(Limit("1/day", per="client")))
    configure(monkeypatch, GATE=gate, BACKEND=LOCMEM)
    assert mail(client="192.0.2.1").send() == 1
    with pytest.raises(Refused, match="limits"):
        mail(client="192.0.2.1").send()
    assert mail(client="192.0.2.1").send(fail_silently=True) == 0


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
    assert django_mail.get_connection().send_messages([message]) == 0


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
