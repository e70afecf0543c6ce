"""TLS and login: what a relay with a password sees, over real connections."""

from __future__ import annotations

import asyncio
import ipaddress
import smtplib
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiosmtplib
import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailflows import Gate
from mailflows.flows import FlowRoute, FlowSet
from mailflows.integrations.aiosmtplib import send
from mailflows.integrations.smtplib import GateSMTP
from smtp_server import SmtpServer
from three_flows import reset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "127.0.0.6"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a key and a certificate for the relay's address, made now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "relay.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    """Take one name with one password."""
    return AuthResult(success=data == LoginPassword(b"app", b"secret"), handled=False)


@pytest.fixture
def relay(certificate: Path) -> Iterator[SmtpServer]:
    """Start a relay that wants TLS and a login."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = SmtpServer(
        HOST, tls_context=context, require_starttls=True, authenticator=authenticate, auth_required=True
    )
    with server:
        yield server


def gate(relay: SmtpServer, password: str) -> Gate:
    """Return a gate whose only flow leaves by the relay."""
    url = f"smtp://app@{relay.host}:{relay.port}"
    return Gate(
        FlowSet(
            FlowRoute(
                "transactional", domains="notify.lovelace.example", relay=url, password=lambda: password
            )
        )
    )


def trusting(certificate: Path) -> ssl.SSLContext:
    """Return how TLS is spoken where the relay's certificate is known."""
    return ssl.create_default_context(cafile=str(certificate))


def test_login_over_tls(relay: SmtpServer, certificate: Path) -> None:
    """The message is taken after STARTTLS and login."""
    with GateSMTP(gate(relay, "secret"), tls=trusting(certificate)) as smtp:
        smtp.send_message(reset(), flow="transactional")
    assert len(relay.deliveries) == 1


def test_login_over_tls_in_an_event_loop(relay: SmtpServer, certificate: Path) -> None:
    """So it is with aiosmtplib."""
    asyncio.run(send(gate(relay, "secret"), reset(), flow="transactional", tls=trusting(certificate)))
    assert len(relay.deliveries) == 1


def test_nothing_is_open_behind_an_event_loop(
    relay: SmtpServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a message has been sent the socket is closed, however slowly the relay ends TLS."""
    used: list[Any] = []
    close = aiosmtplib.SMTP.close

    def record(client: aiosmtplib.SMTP) -> None:
        used.append(client.transport)
        close(client)

    monkeypatch.setattr(aiosmtplib.SMTP, "close", record)

    async def are_closing() -> list[bool]:
        await send(gate(relay, "secret"), reset(), flow="transactional", tls=trusting(certificate))
        sockets = [transport._ssl_protocol._transport for transport in used if transport is not None]
        return [one is None or one.is_closing() for one in sockets]

    assert asyncio.run(are_closing()) == [True]


def test_a_certificate_that_nobody_knows(relay: SmtpServer) -> None:
    """Certificates are checked by default: the password is not said."""
    with GateSMTP(gate(relay, "secret")) as smtp, pytest.raises(ssl.SSLCertVerificationError):
        smtp.send_message(reset(), flow="transactional")
    assert relay.deliveries == []


def test_a_wrong_password(relay: SmtpServer, certificate: Path) -> None:
    """The error of the relay is raised, and says no password."""
    with (
        GateSMTP(gate(relay, "wrong"), tls=trusting(certificate)) as smtp,
        pytest.raises(smtplib.SMTPAuthenticationError) as caught,
    ):
        smtp.send_message(reset(), flow="transactional")
    assert "wrong" not in str(caught.value)


def open_relay(certificate: Path | None) -> SmtpServer:
    """Return a relay without a login, with STARTTLS where it has a certificate."""
    if certificate is None:
        return SmtpServer(HOST)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return SmtpServer(HOST, tls_context=context)


def sent_with(server: SmtpServer, how: str, **route: Any) -> int:
    """Send a message to a relay, and return how many it has."""
    flow = FlowRoute("transactional", domains="notify.lovelace.example", relay=server.url, **route)
    with server:
        if how == "aiosmtplib":
            asyncio.run(send(Gate(FlowSet(flow)), reset(), flow="transactional"))
        else:
            with GateSMTP(Gate(FlowSet(flow))) as smtp:
                smtp.send_message(reset(), flow="transactional")
    return len(server.deliveries)


both = pytest.mark.parametrize("how", ["smtplib", "aiosmtplib"])


@both
def test_opportunistic_by_default(
    how: str, certificate: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of one's own making is no reason not to encrypt; it is logged once."""
    monkeypatch.setattr("mailflows.integrations._tls._told", set())
    assert sent_with(open_relay(certificate), how) == 1
    (record,) = [r for r in caplog.records if r.name == "mailflows.integrations"]
    assert "its certificate cannot be verified (self-signed certificate)" in record.getMessage()
    assert HOST in record.getMessage()


@both
def test_a_relay_without_tls(how: str) -> None:
    """By default mail goes in clear then; where TLS is required it does not."""
    assert sent_with(open_relay(None), how) == 1
    with pytest.raises((smtplib.SMTPException, aiosmtplib.SMTPException), match=r"STARTTLS.*|.*extension"):
        sent_with(open_relay(None), how, tls="require")


@both
def test_required_and_verified(how: str, certificate: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With ``require`` no certificate is asked for, with ``verify`` one that is trusted, by ``tls_ca``."""
    assert sent_with(open_relay(certificate), how, tls="require") == 1
    assert sent_with(open_relay(certificate), how, tls_ca=str(certificate)) == 1
    assert not [r for r in caplog.records if r.name == "mailflows.integrations"]
    with pytest.raises(ssl.SSLCertVerificationError, match=r"127\.0\.0\.6.*self-signed.*tls_ca") as caught:
        sent_with(open_relay(certificate), how, tls="verify")
    assert ('"relay"' in str(caught.value)) == (how == "smtplib")


def test_how_tls_is_spoken_where_the_flow_says_nothing(certificate: Path) -> None:
    """The caller, or Django's settings, say it for all flows that do not."""
    with open_relay(certificate) as server:
        route = FlowRoute("transactional", domains="notify.lovelace.example", relay=server.url)
        with (
            GateSMTP(Gate(FlowSet(route)), tls="verify") as smtp,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            smtp.send_message(reset(), flow="transactional")
        with GateSMTP(Gate(FlowSet(route)), tls="verify", tls_ca=str(certificate)) as smtp:
            smtp.send_message(reset(), flow="transactional")
    assert len(server.deliveries) == 1
