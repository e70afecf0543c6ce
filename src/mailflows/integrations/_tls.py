"""TLS with relays, in the modes of Postfix: opportunistic, required, or with a verified certificate."""

from __future__ import annotations

import hashlib
import logging
import ssl
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    from mailflows.flows import FlowRoute

__all__ = ["checked", "tell_downgrade", "unchecked", "why_not"]

_log = logging.getLogger("mailflows.integrations")


@lru_cache(maxsize=32)
def checked(ca_file: str) -> ssl.SSLContext:
    """Return a context that checks certificates, by a file or by the system.

    Raises:
        ConfigurationError: If the file holds no certificates.
    """
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as problem:
        msg = f"tls_ca: {ca_file} cannot be read as PEM certificates ({type(problem).__name__})"
        raise ConfigurationError(msg, field="tls_ca") from problem


@lru_cache(maxsize=1)
def unchecked() -> ssl.SSLContext:
    """Return a context that encrypts without verifying the certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


_told: set[tuple[str, int, str]] = set()


def tell_downgrade(route: FlowRoute, what: str) -> None:
    """Log once that mail goes to a relay with less protection than it could have."""
    server = route.server
    if server is None or (key := (server.host, server.port, what)) in _told:
        return
    _told.add(key)
    _log.warning(
        'relay %s:%d of the %s flow: %s; set tls = "require" or "verify" in its table to refuse this',
        server.host,
        server.port,
        route.flow,
        what,
    )


def why_not(
    route: FlowRoute, problem: ssl.SSLCertVerificationError, certificate: bytes | None
) -> ssl.SSLCertVerificationError:
    """Return a certificate's error with its peer, the certificate, and the settings that would help."""
    server = route.server
    peer = f"{server.host}:{server.port}" if server else "the relay"
    shown = _described(certificate) if certificate else "a certificate"
    text = (
        f"relay {peer} of the {route.flow} flow presented {shown}: {problem.verify_message}. "
        'Set tls_ca = "file.pem" to trust its issuer, or tls = "require" to skip this check'
    )
    return ssl.SSLCertVerificationError(problem.errno or 1, text)


_COMMON_NAME = bytes.fromhex("0603550403")  # the object identifier 2.5.4.3 in DER


def _described(certificate: bytes) -> str:
    """Return the common name of a certificate, the second in it, and what tells it from all others."""
    digest = hashlib.sha256(certificate).hexdigest()
    name = ""
    with suppress(IndexError, ValueError):
        place = certificate.rindex(_COMMON_NAME) + len(_COMMON_NAME)
        size = certificate[place + 1]
        name = certificate[place + 2 : place + 2 + size].decode("utf-8", "replace")
    shown = "".join(c for c in name if c.isprintable())[:100]
    return f'the certificate of "{shown or "nobody"}" (SHA-256 {digest[:16]}…)'
