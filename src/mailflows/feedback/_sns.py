"""Amazon SNS: whose certificate may sign, which topic is ours, and how a subscription is confirmed."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from mailflows.errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from mailflows._clock import Clock

__all__ = ["CertificateFetcher", "confirmation_url", "cryptography", "signed_by_sns"]

CertificateFetcher: TypeAlias = Callable[[str], bytes]
"""Returns the certificate behind an address of Amazon's; `functools.cache` keeps what it returned."""

_HOST = re.compile(r"sns\.[a-z]{2}(?:-[a-z]+)+-\d{1,2}\.amazonaws\.com(?:\.cn)?")
"""``sns.<region>.amazonaws.com``; a region is such as ``eu-west-1``, ``us-gov-east-1`` or ``cn-north-1``."""

_PEM = re.compile(r"/[\w-]{1,200}\.pem", re.ASCII)
_FIELDS = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_BAD = (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError)


def signed_by_sns(
    body: bytes,
    *,
    topic_arn: str | Collection[str] | None,
    key: bytes | None,
    fetch_certificate: CertificateFetcher | None,
    now: float,
) -> float | None:
    """Return when Amazon SNS signed a message, or `None` where it did not, or for another topic.

    Raises:
        ConfigurationError: If the key is not a certificate.
        MissingExtra: Without the package cryptography.
    """
    given = None if key is None else _certificate(key)
    document = json.loads(body)
    if not _is_certificate_url(document["SigningCertURL"]) or not _is_ours(document["TopicArn"], topic_arn):
        return None
    if given is None and fetch_certificate is not None:
        given = _certificate(fetch_certificate(document["SigningCertURL"]))
    if given is None or not _holds(given, now):
        return None
    fields = [name for name in _FIELDS if document.get(name) is not None]
    text = "".join(f"{name}\n{document[name]}\n" for name in fields)
    parts = cryptography()
    algorithm = parts["sha256"] if document["SignatureVersion"] == "2" else parts["sha1"]
    try:
        signature = base64.b64decode(document["Signature"], validate=True)
        given.public_key().verify(signature, text.encode(), parts["padding"](), algorithm())
    except parts["invalid"]:
        return None
    return datetime.fromisoformat(document["Timestamp"]).timestamp()


def confirmation_url(  # noqa: PLR0913 -- as `verify_webhook`
    body: bytes,
    *,
    topic_arn: str | Collection[str],
    key: str | bytes | None = None,
    fetch_certificate: CertificateFetcher | None = None,
    max_age: float | None = 3600.0,
    clock: Clock = time.time,
) -> str | None:
    """Return the URL to fetch once to confirm a subscription to your SNS topic, or `None`.

    It is returned only if Amazon signed the request, for one of your topics, and the URL is Amazon's, so that
    a URL chosen by an attacker is never fetched.

    Args:
        body: The body of the request, unchanged.
        topic_arn: Your topic, or several.
        key: The PEM certificate behind ``SigningCertURL``.
        fetch_certificate: Fetches the certificate instead; called only with a URL at Amazon.
        max_age: Seconds that the signed timestamp may lie in the past or the future; `None` for no limit.
        clock: Returns the present moment in Unix seconds.

    Raises:
        ConfigurationError: If the key is not a certificate, or there is neither key nor fetcher.
        MissingExtra: Without the extra ``webhooks``.

    Example:
        >>> confirmation_url(b'{"Type": "Notification"}', topic_arn="arn:…", fetch_certificate=print) is None
        True
    """
    if key is None and fetch_certificate is None:
        msg = "pass the certificate as key=, or fetch_certificate="
        raise ConfigurationError(msg, field="key")
    secret = key.encode() if isinstance(key, str) else key
    try:
        document = json.loads(body)
        if document["Type"] != "SubscriptionConfirmation":
            return None
        signed_at = signed_by_sns(
            body, topic_arn=topic_arn, key=secret, fetch_certificate=fetch_certificate, now=clock()
        )
        url = str(document["SubscribeURL"])
        asked = parse_qs(urlsplit(url).query)
        is_ours = _is_amazons(url) and asked["Action"] == ["ConfirmSubscription"] and len(asked["Token"]) == 1
        is_ours = is_ours and _is_ours(asked["TopicArn"][0], topic_arn)
    except ConfigurationError:
        raise
    except _BAD:
        return None
    is_fresh = signed_at is not None and (max_age is None or abs(clock() - signed_at) <= max_age)
    return url if is_fresh and is_ours else None


def _is_amazons(url: str) -> bool:
    """Return whether an address is one of SNS itself: its host, over TLS, on the ordinary port."""
    parts = urlsplit(url)
    return (
        parts.scheme == "https"
        and _HOST.fullmatch(parts.hostname or "") is not None
        and parts.port in {None, 443}
        and "@" not in parts.netloc
    )


def _is_certificate_url(url: str) -> bool:
    parts = urlsplit(url)
    return (
        _is_amazons(url) and _PEM.fullmatch(parts.path) is not None and not parts.query and not parts.fragment
    )


def _is_ours(topic: object, wanted: str | Collection[str] | None) -> bool:
    return wanted is None or topic in ({wanted} if isinstance(wanted, str) else set(wanted))


def _certificate(pem: bytes) -> Any:  # noqa: ANN401 -- of an extra
    """Return a certificate."""
    parts = cryptography()
    try:
        return parts["load_certificate"](pem)
    except (ValueError, TypeError) as problem:
        msg = "this is not a PEM certificate; pass the certificate at SigningCertURL"
        raise ConfigurationError(msg, field="key") from problem


def _holds(certificate: Any, now: float) -> bool:  # noqa: ANN401 -- of an extra
    """Return whether a certificate has begun and not expired."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return bool(begins.timestamp() <= now <= ends.timestamp())


def cryptography() -> Mapping[str, Any]:
    """Return what is used of the package cryptography.

    Raises:
        MissingExtra: If it is not installed.
    """
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 -- an extra
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            load_der_public_key,
            load_pem_public_key,
        )
        from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415
    except ImportError as problem:
        extra = "webhooks"
        raise MissingExtra(extra, "cryptography") from problem
    return {
        "invalid": InvalidSignature,
        "ecdsa": ec.ECDSA,
        "ec": ec.EllipticCurvePublicKey,
        "rsa": rsa.RSAPublicKey,
        "sha1": hashes.SHA1,
        "sha256": hashes.SHA256,
        "padding": padding.PKCS1v15,
        "load_der": load_der_public_key,
        "load_pem": load_pem_public_key,
        "load_certificate": load_pem_x509_certificate,
    }
