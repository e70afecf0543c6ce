"""The gate before a relay that speaks TLS and wants a login, with a certificate authority of its own."""

from __future__ import annotations

import ipaddress
import logging
import smtplib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailflows import Gate
from mailflows.flows import FlowRoute, FlowSet
from mailflows.integrations.aiosmtpd import GateHandler
from smtp_server import SmtpServer
from three_flows import reset

if TYPE_CHECKING:
    from pathlib import Path

HOST = "127.0.0.7"
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Authority:
    """A certificate authority."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Authority:
        """Make one."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Harbour CA")])
        made = (
            cls._begun(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(cls._may_sign(), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return cls(key, made, folder)

    @property
    def file(self) -> str:
        """The file that trusts it."""
        return str(self.folder / "ca.pem")

    @staticmethod
    def _may_sign() -> x509.KeyUsage:
        """Return the usage that RFC 5280 section 4.2.1.3 asks of an authority (checked from Python 3.13)."""
        asked = {"key_cert_sign", "crl_sign"}
        others = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment")
        unused = (*others, "key_agreement", "encipher_only", "decipher_only")
        return x509.KeyUsage(**dict.fromkeys(asked, True), **dict.fromkeys(unused, False))

    @staticmethod
    def _begun(name: x509.Name, issuer: x509.Name, key: Any, *, days: int = 1) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=9))
            .not_valid_after(NOW + timedelta(days=days))
        )

    def server(self, *, host: str = HOST, days: int = 1) -> ssl.SSLContext:
        """Return a server's side of TLS, with a certificate for a host."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay.harbour.example")])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        made = (
            self._begun(name, self.certificate.subject, key.public_key(), days=days)
            .add_extension(names, critical=False)
            .add_extension(authority, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        file = self.folder / f"relay{host}{days}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Make a certificate authority."""
    return Authority.create(tmp_path_factory.mktemp("ca"))


class Logins:
    """Takes one name with one password, and remembers all."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def __call__(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        """Answer a login."""
        self.seen.append(data)
        return AuthResult(success=data == LoginPassword(b"app", b"secret"), handled=False)


def relay(context: ssl.SSLContext, how: str, logins: Logins) -> SmtpServer:
    """Return a relay with STARTTLS or with TLS from the first byte, and a login."""
    auth: dict[str, Any] = {"authenticator": logins, "auth_required": True}
    if how == "starttls":
        return SmtpServer(HOST, tls_context=context, require_starttls=True, **auth)
    return SmtpServer(HOST, ssl_context=context, auth_require_tls=False, **auth)


def submit(server: SmtpServer, how: str, times: int = 1, **route: Any) -> list[tuple[int, str]]:
    """Send messages to a gate before a relay, and return what the application hears of each."""
    scheme = "smtp" if how == "starttls" else "smtps"
    url = f"{scheme}://app@{server.host}:{server.port}"
    settings: dict[str, Any] = {"domains": "notify.lovelace.example", "relay": url, **route}
    settings.setdefault("password", lambda: "secret")
    gate = Gate(FlowSet(FlowRoute("transactional", **settings)))
    said: list[tuple[int, str]] = []
    with server, SmtpServer("127.0.0.5", handler=GateHandler(gate)) as door:
        for _ in range(times):
            with smtplib.SMTP(door.host, door.port, timeout=30) as client:
                try:
                    client.send_message(reset())
                    said.append((250, ""))
                except smtplib.SMTPRecipientsRefused as problem:
                    ((code, text),) = problem.recipients.values()
                    said.append((code, text.decode()))
    return said


pytestmark = pytest.mark.filterwarnings(
    "ignore:Requiring AUTH while not requiring TLS"
)  # TLS is there already
both = pytest.mark.parametrize("how", ["starttls", "implicit"])


@both
def test_the_login_is_said_over_tls_that_is_checked(how: str, authority: Authority) -> None:
    """A message that came in without a login leaves with the flow's own, once the certificate was checked."""
    logins = Logins()
    server = relay(authority.server(), how, logins)
    assert submit(server, how, 2, tls_ca=authority.file) == [(250, ""), (250, "")]
    assert len(server.deliveries) == 2
    assert logins.seen == [LoginPassword(b"app", b"secret")], "one login for both, on one connection"


@both
@pytest.mark.parametrize(
    ("flaw", "trusts", "told"),
    [
        ({}, False, "unable to get local issuer certificate"),
        ({"days": -1}, True, "certificate has expired"),
        ({"host": "127.0.0.99"}, True, "IP address mismatch, certificate is not valid for '127.0.0.7'"),
    ],
    ids=["unknown-issuer", "expired", "other-host"],
)
def test_a_wrong_certificate_is_told_in_words(  # noqa: PLR0913, PLR0917 -- the table
    how: str,
    flaw: dict[str, Any],
    trusts: bool,  # noqa: FBT001
    told: str,
    authority: Authority,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log names relay, certificate, fault and setting, once; the mail stays where it is."""
    logins = Logins()
    server = relay(authority.server(**flaw), how, logins)
    route = {"tls_ca": authority.file} if trusts else {"tls": "verify"}
    with caplog.at_level(logging.WARNING, logger="mailflows"):
        said = submit(server, how, 3, **route)
    assert said == [(451, "4.3.5 The connection to the relay is misconfigured")] * 3
    assert (server.deliveries, logins.seen) == ([], []), "no password is said"
    (line,) = [r.getMessage() for r in caplog.records if r.name.startswith("mailflows")]
    assert f"relay {HOST}:{server.port} of the transactional flow" in line
    assert told in line
    assert "relay.harbour.example" in line
    assert 'tls = "require"' in line


@both
def test_a_wrong_password_is_told_in_words(
    how: str, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """The mail waits for the right one; neither the log nor the application sees what was tried."""
    server = relay(authority.server(), how, Logins())
    with caplog.at_level(logging.WARNING, logger="mailflows"):
        said = submit(server, how, 2, tls_ca=authority.file, password=lambda: "hunter2")
    assert said == [(451, "4.3.5 The connection to the relay is misconfigured")] * 2
    (line,) = [r.getMessage() for r in caplog.records if r.name.startswith("mailflows")]
    assert "refused the login (535" in line
    assert "hunter2" not in line


def test_a_relay_that_does_not_speak_tls_at_once(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """smtps:// before a relay that wants STARTTLS: the scheme is named."""
    server = relay(authority.server(), "starttls", Logins())
    with caplog.at_level(logging.WARNING, logger="mailflows"):
        said = submit(server, "implicit", tls_ca=authority.file)
    assert said == [(451, "4.3.5 The connection to the relay is misconfigured")]
    (line,) = [r.getMessage() for r in caplog.records if r.name.startswith("mailflows")]
    assert 'relay = "smtp://' in line
