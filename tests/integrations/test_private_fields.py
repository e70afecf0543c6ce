"""What an application says to the gate in X-Mailflows- fields is read, and leaves by no integration."""

from __future__ import annotations

import asyncio
import smtplib
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import ConfigurationError, Gate
from mailflows.integrations.aiosmtpd import GateHandler
from mailflows.integrations.aiosmtplib import send
from mailflows.integrations.smtplib import GateSMTP
from smtp_server import MisbehavingRelay, SmtpServer
from three_flows import reset, three_flows

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage

    from mailflows import Verdict

SAID = {
    "X-Mailflows-Flow": "transactional",
    "X-Mailflows-Form": "sign-up",
    "x-mailflows-client": "192.0.2.7",
    "X-MAILFLOWS-TEMPLATE": "reset",
    "X-Mailflows-Campaign": "spring",
    "X-Mailflows-Tenant": "harbour",
}


def mail() -> EmailMessage:
    """Return a message that says all that a gate reads."""
    found = reset()
    for name, value in SAID.items():
        found[name] = value
    return found


def by_smtplib(gate: Gate) -> None:
    """Send a message object, and its bytes."""
    with GateSMTP(gate) as smtp:
        smtp.send_message(mail())
        smtp.sendmail("noreply@notify.lovelace.example", ["ada@babbage.example"], mail().as_bytes())


def by_aiosmtplib(gate: Gate) -> None:
    """Send a message object, and its bytes."""

    async def both() -> None:
        await send(gate, mail())
        await send(gate, mail().as_bytes())

    asyncio.run(both())


def by_aiosmtpd(gate: Gate) -> None:
    """Send through the filter, twice."""
    with (
        SmtpServer(handler=GateHandler(gate)) as server,
        smtplib.SMTP(server.host, server.port, timeout=10) as smtp,
    ):
        smtp.send_message(mail())
        smtp.send_message(mail())


@pytest.mark.parametrize("is_dry", [False, True], ids=["live", "dry run"])
@pytest.mark.parametrize("by", [by_smtplib, by_aiosmtplib, by_aiosmtpd])
def test_no_field_of_ours_leaves(by: Callable[[Gate], None], is_dry: bool) -> None:  # noqa: FBT001
    """Neither in a dry run, in which all else is as it was given."""
    with MisbehavingRelay() as relay:
        by(Gate(three_flows(transactional=relay.url), dry_run=is_dry))
    assert len(relay.deliveries) == 2
    for one in relay.deliveries:
        assert b"x-mailflows" not in one.content.lower()
        assert b"Reset your password" in one.content


@pytest.mark.parametrize("by", [by_smtplib, by_aiosmtplib])
def test_what_an_application_says_in_fields_is_known(by: Callable[[Gate], None]) -> None:
    """Form, client, template, campaign and tenant reach limits and reputation."""
    seen: list[Verdict] = []
    with MisbehavingRelay() as relay:
        by(Gate(three_flows(transactional=relay.url), hooks=[seen.append]))
    for verdict in seen:
        context = verdict.receipt.context
        assert context is not None
        assert (context.form, context.client, context.template) == ("sign-up", "192.0.2.7", "reset")
        assert (context.campaign, context.tenant) == ("spring", "harbour")


def test_what_is_said_beside_a_message_counts() -> None:
    """A keyword goes before the field of the same name."""
    seen: list[Verdict] = []
    with (
        MisbehavingRelay() as relay,
        GateSMTP(Gate(three_flows(transactional=relay.url), hooks=[seen.append])) as smtp,
    ):
        smtp.send_message(mail(), form="reset", account=None)
    context: Any = seen[0].receipt.context
    assert (context.form, context.client) == ("reset", "192.0.2.7")


def test_a_filter_believes_no_field_about_who_sends() -> None:
    """Whoever may connect could name another account, and so pass the limits of its own."""
    seen: list[Verdict] = []
    with MisbehavingRelay() as relay:
        gate = Gate(three_flows(transactional=relay.url), hooks=[seen.append])
        with (
            SmtpServer(handler=GateHandler(gate)) as server,
            smtplib.SMTP(server.host, server.port, timeout=10) as smtp,
        ):
            message = mail()
            message["X-Mailflows-Account"] = "somebody-else"
            smtp.send_message(message)
    context: Any = seen[0].receipt.context
    assert (context.client, context.account, context.form) == (None, None, None)


def test_a_slip_of_the_pen_in_a_field() -> None:
    """A field that nobody reads would pass the limits in silence."""
    message = reset()
    message["X-Mailflows-From"] = "sign-up"
    with (
        GateSMTP(Gate(three_flows())) as smtp,
        pytest.raises(ConfigurationError, match=r"did you mean form\?"),
    ):
        smtp.send_message(message)
