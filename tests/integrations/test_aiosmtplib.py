"""aiosmtplib: the same in an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiosmtplib
import pytest

from mailflows import Gate, Refused
from mailflows.feedback import SuppressionList
from mailflows.integrations.aiosmtplib import send
from mailflows.limits import Limit, Limiter, MemoryStore
from three_flows import newsletter, reset, three_flows

if TYPE_CHECKING:
    from smtp_server import SmtpServer


def test_each_flow_leaves_by_its_own_road(relays: dict[str, SmtpServer], urls: dict[str, str]) -> None:
    """Relay, source address and EHLO name are those of the flow, also for messages at the same time."""
    gate = Gate(three_flows(**urls))

    async def both() -> None:
        await asyncio.gather(
            send(gate, reset(), flow="transactional"), send(gate, newsletter(), flow="marketing")
        )

    asyncio.run(both())
    assert [(d.source, d.ehlo) for d in relays["transactional"].deliveries] == [
        ("127.0.0.11", "transactional.lovelace.example")
    ]
    assert [d.source for d in relays["marketing"].deliveries] == ["127.0.0.12"]


def test_what_the_relay_says_is_learned(relays: dict[str, SmtpServer], urls: dict[str, str]) -> None:
    """Who was unknown is left out the next time, and said."""
    gate = Gate(three_flows(**urls), suppressions=SuppressionList(MemoryStore()))
    mail = reset("ada@babbage.example, unknown@babbage.example")
    first = asyncio.run(send(gate, mail, flow="transactional"))
    second = asyncio.run(send(gate, mail, flow="transactional"))
    assert first["unknown@babbage.example"][0] == second["unknown@babbage.example"][0] == 550
    assert len(relays["transactional"].deliveries) == 2


def test_refused_messages_do_not_leave(relays: dict[str, SmtpServer], urls: dict[str, str]) -> None:
    """A refusal carries the verdict."""
    gate = Gate(three_flows(**urls))
    with pytest.raises(Refused) as caught:
        asyncio.run(send(gate, newsletter(), flow="transactional"))
    assert not caught.value.verdict
    assert relays["transactional"].deliveries == []


def test_limits_get_back_what_was_not_taken(urls: dict[str, str]) -> None:
    """A message that the relay took for nobody costs nothing."""
    limiter = Limiter(Limit("1/day", per="recipient"))
    gate = Gate(three_flows(**urls), limiter=limiter)
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        asyncio.run(send(gate, reset("busy@babbage.example"), flow="transactional"))
    assert limiter.check(to="busy@babbage.example").remaining == 1
