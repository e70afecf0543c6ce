"""An internationalised address (RFC 6531, 6532) on its whole way, or a clear refusal."""

from __future__ import annotations

import asyncio
import smtplib
from typing import TYPE_CHECKING

import aiosmtplib
import pytest

from mailflows import Gate, Refused
from mailflows.feedback import SuppressionList, Verp
from mailflows.integrations import RecipientState, delivery_of
from mailflows.integrations.aiosmtplib import send
from mailflows.integrations.smtplib import GateSMTP
from mailflows.limits import Limit, Limiter, MemoryStore
from mailflows.message import Message
from smtp_server import MisbehavingRelay
from three_flows import reset, three_flows

if TYPE_CHECKING:
    from smtp_server import SmtpServer

ZOE = "zoë@bücher.example"
VERP = Verp("notify.lovelace.example", keys=[b"a secret of thirty-two bytes ...."])


def mail() -> bytes:
    """Return a message to her, its header in UTF-8 as RFC 6532 allows."""
    return reset().as_bytes().replace(b"To: ada@babbage.example", f"To: Zoë <{ZOE}>".encode())


def test_it_is_read_counted_and_handed_over(relays: dict[str, SmtpServer], urls: dict[str, str]) -> None:
    """The reader, the limits, the return path and the relay mean the same mailbox, however it is spelled."""
    limiter = Limiter(Limit("1/hour", per="recipient"), store=MemoryStore())
    gate = Gate(three_flows(**urls), limiter=limiter)
    assert [address.address for address in Message.read(mail()).recipients] == [ZOE]
    with GateSMTP(gate) as smtp:
        assert smtp.sendmail(VERP.sender("spring", "10017"), [ZOE], mail(), flow="transactional") == {}
        with pytest.raises(Refused) as caught:
            smtp.sendmail(VERP.sender("spring", "10017"), ["zoë@xn--bcher-kva.example"], mail())
    assert "limits" in {reason.part for reason in caught.value.verdict.why}
    (delivery,) = relays["transactional"].deliveries
    assert delivery.recipients == (ZOE,)
    assert VERP.read(delivery.sender) == ("spring", "10017")
    assert f"To: Zoë <{ZOE}>\r\n".encode() in delivery.content


def test_who_complained_is_suppressed_in_any_spelling() -> None:
    """The list knows the domain in letters and in Punycode."""
    suppressions = SuppressionList(MemoryStore())
    suppressions.add("Zoë@xn--bcher-kva.example")
    gate = Gate(three_flows(), suppressions=suppressions)
    assert gate.check(mail(), flow="transactional").refused


def test_a_relay_without_the_extension_gets_nothing() -> None:
    """The refusal says what is missing."""
    with MisbehavingRelay() as relay:
        urls = {"transactional": relay.url}
        with (
            GateSMTP(Gate(three_flows(**urls))) as smtp,
            pytest.raises(smtplib.SMTPNotSupportedError, match="SMTPUTF8"),
        ):
            smtp.sendmail(VERP.sender("spring", "10017"), [ZOE], mail(), flow="transactional")
        assert relay.deliveries == []


def test_an_event_loop_is_refused_alike() -> None:
    """The relay was reached, so nobody waits for it: both integrations refuse the address for good."""
    with MisbehavingRelay() as relay:
        gate = Gate(three_flows(transactional=relay.url))
        with pytest.raises(aiosmtplib.SMTPNotSupported) as caught:
            asyncio.run(send(gate, mail(), recipients=[ZOE], flow="transactional"))
    delivery = delivery_of(caught.value)
    assert delivery is not None
    assert [(one.state, one.code) for one in delivery.recipients] == [(RecipientState.REFUSED, 553)]
