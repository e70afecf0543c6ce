"""Signatures with the flow's own key: made last, so that they hold for what arrives."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from delivery_scenes import KINDS, Sender, flows
from mailflows import ConfigurationError, Gate
from mailflows.integrations.smtplib import GateSMTP
from smtp_server import MisbehavingRelay

if TYPE_CHECKING:
    from pathlib import Path

TEXT, FROM, FLOW = KINDS["reset"]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """Return a private key in a file, and the record of its public half."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file = tmp_path_factory.mktemp("dkim") / "tx.pem"
    file.write_bytes(
        made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    public = made.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return file, b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


@pytest.mark.parametrize("by", ["GateSMTP", "aiosmtplib", "GateHandler"])
def test_a_signature_holds(by: str, key: tuple[Path, bytes]) -> None:
    """It covers the field that the provider's stream needs, and a Bcc that was left out does not break it."""
    file, record = key
    route = {"dkim_key": str(file), "dkim_selector": "tx", "esp": "postmark", "stream": "outbound"}
    raw = TEXT.format(to="ada@a.example.com", number=1).replace(
        "Subject:", "Bcc: b@a.example.com\r\nSubject:"
    )
    with MisbehavingRelay() as relay:
        with Sender(Gate(flows(relay.url, transactional=route)), by) as sender:
            assert sender.send(FROM, ["ada@a.example.com"], raw.encode()) == []
        (taken,) = relay.deliveries

    def look(name: bytes, **_: Any) -> bytes:
        assert name == b"tx._domainkey.notify.example.org."
        return record

    assert b"X-PM-Message-Stream: outbound\r\n" in taken.content
    assert dkim.verify(taken.content, dnsfunc=look)
    assert not dkim.verify(taken.content.replace(b"406117", b"406118"), dnsfunc=look)


def test_a_key_that_is_none(tmp_path: Path) -> None:
    """It is a fault of the settings, which names the file; nothing is sent unsigned."""
    file = tmp_path / "none.pem"
    file.write_text("not a key")
    with MisbehavingRelay() as relay:
        gate = Gate(flows(relay.url, transactional={"dkim_key": str(file), "dkim_selector": "tx"}))
        with GateSMTP(gate) as smtp, pytest.raises(ConfigurationError, match="dkim_key"):
            smtp.sendmail(FROM, "ada@a.example.com", TEXT.format(to="a@a.example.com", number=1), flow=FLOW)
        assert relay.deliveries == []
