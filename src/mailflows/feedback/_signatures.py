"""Whether a webhook comes from the provider that it names: signatures and their freshness."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from mailflows.errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from mailflows._clock import Clock

__all__ = ["verify_webhook"]

MAX_AGE = 300.0
"""Seconds that a signed time may be away: what the Svix scheme and SendGrid's libraries allow."""

_CERTIFICATE_HOST = re.compile(r"sns\.[a-z0-9-]{3,30}\.amazonaws\.com(?:\.cn)?")
_SNS_FIELDS = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


def verify_webhook(  # noqa: PLR0913 -- what the providers sign differs
    provider: str,
    body: bytes,
    *,
    key: str | bytes,
    headers: Mapping[str, str] | None = None,
    url: str = "",
    form: Mapping[str, str] | None = None,
    max_age: float | None = MAX_AGE,
    clock: Clock = time.time,
) -> bool:
    """Say whether a provider signed a webhook with your key.

    Pass the body exactly as it came. Brevo, Dolist, Mailjet, Postmark and SparkPost do not sign: protect
    their address with a password or a secret path.

    Args:
        provider: ``sendgrid``, ``mandrill``, ``mailgun``, ``resend``, ``mailersend`` or ``amazon_ses``.
        body: The body of the request, unchanged.
        key: The provider's signing key. For SendGrid the public key; for Amazon SES the PEM certificate
            behind ``SigningCertURL``, which you fetch and keep; only a host of Amazon's is accepted there.
        headers: The headers of the request, in any case.
        url: The address as it stands in the provider's settings (Mandrill signs it).
        form: The fields of a form, where the framework has read the body already (Mandrill).
        max_age: Seconds that a signed time may lie in the past or the future; `None` for any. Mandrill and
            MailerSend sign no time.
        clock: Returns the present moment in Unix seconds.

    Raises:
        ConfigurationError: If the provider signs nothing, or the key is not one.
        MissingExtra: If SendGrid or Amazon SES is asked for without the extra ``webhooks``.

    Example:
        >>> body = b'{"type": "sent"}'
        >>> signature = hmac.new(b"secret", body, "sha256").hexdigest()
        >>> verify_webhook("mailersend", body, key="secret", headers={"Signature": signature})
        True
    """
    check = _CHECKS.get(provider)
    if check is None:
        msg = f"{provider!r} signs nothing that is known here; {', '.join(sorted(_CHECKS))} do"
        raise ConfigurationError(msg, field="provider")
    secret = key.encode() if isinstance(key, str) else key
    if not secret:
        msg = "key is empty; pass the signing key that the provider shows in its settings"
        raise ConfigurationError(msg, field="key")
    low = {str(name).lower(): str(value) for name, value in (headers or {}).items()}
    request = {"body": body, "headers": low, "url": url, "form": form}
    try:
        signed_at = check(request, secret)
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError, binascii.Error):
        return False
    if signed_at is None or max_age is None or signed_at == _TIMELESS:
        return signed_at is not None
    return abs(clock() - signed_at) <= max_age


_TIMELESS = float("inf")
"""The time of what was signed without one."""

_Request = Mapping[str, Any]


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())


def _mailersend(request: _Request, key: bytes) -> float | None:
    expected = hmac.new(key, request["body"], hashlib.sha256).hexdigest()
    return _TIMELESS if _same(expected, request["headers"]["signature"]) else None


def _mailgun(request: _Request, key: bytes) -> float | None:
    """Check the signature that stands inside the body, in the form of today or the old one."""
    form = request["form"]
    document = dict(form) if form is not None else _document(request["body"])
    signed = document.get("signature")
    parts: Mapping[str, str] = signed if isinstance(signed, Mapping) else document
    expected = hmac.new(key, f"{parts['timestamp']}{parts['token']}".encode(), hashlib.sha256).hexdigest()
    return float(parts["timestamp"]) if _same(expected, str(parts["signature"])) else None


def _document(body: bytes) -> dict[str, Any]:
    """Return the fields of a JSON body or of a form."""
    text = body.decode("utf-8")
    found = json.loads(text) if text.lstrip().startswith("{") else dict(parse_qsl(text, max_num_fields=1000))
    return dict(found)


def _mandrill(request: _Request, key: bytes) -> float | None:
    form = request["form"]
    fields = dict(form) if form is not None else _form(request["body"], request["headers"])
    given = request["headers"]["x-mandrill-signature"]
    for url in (request["url"], _without_password(request["url"])):
        signed = url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
        expected = base64.b64encode(hmac.new(key, signed.encode(), hashlib.sha1).digest()).decode()
        if _same(expected, given):
            return _TIMELESS
    return None


def _form(body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a form, URL-encoded or in parts."""
    kind = headers.get("content-type", "")
    if body.startswith(b"--") or "multipart/" in kind:
        return _form_parts(body)
    return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=1000))


def _form_parts(body: bytes) -> dict[str, str]:
    """Return the fields of a multipart form (RFC 7578); its first line is the boundary."""
    boundary, _, rest = body.partition(b"\r\n")
    fields = {}
    for part in (b"\r\n" + rest).split(b"\r\n" + boundary):
        head, blank, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]{1,200})"', head)
        if blank and name:
            fields[name[1].decode("utf-8")] = value.decode("utf-8")
    return fields


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _resend(request: _Request, key: bytes) -> float | None:
    """Check a signature of the Svix scheme: of id, time and body, one of perhaps several."""
    headers = request["headers"]
    secret = base64.b64decode(key.removeprefix(b"whsec_"), validate=True)
    seconds = int(float(headers["svix-timestamp"]))
    signed = f"{headers['svix-id']}.{seconds}.".encode() + request["body"]
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    given = [one.partition(",")[2] for one in headers["svix-signature"].split() if one.startswith("v1,")]
    return float(seconds) if any(_same(expected, one) for one in given) else None


def _sendgrid(request: _Request, key: bytes) -> float | None:
    """Check an ECDSA signature over time and body."""
    headers = request["headers"]
    stamp = headers["x-twilio-email-event-webhook-timestamp"]
    signature = base64.b64decode(headers["x-twilio-email-event-webhook-signature"], validate=True)
    hazmat = _cryptography()
    try:
        public = hazmat["load_der"](base64.b64decode(key))
        public.verify(signature, stamp.encode() + request["body"], hazmat["ecdsa"](hazmat["sha256"]()))
    except hazmat["invalid"]:
        return None
    return _seconds(stamp)


def _seconds(stamp: str) -> float:
    """Return a signed time; one that is no number is never fresh."""
    try:
        return float(stamp)
    except ValueError:
        return float("nan")


def _amazon_ses(request: _Request, key: bytes) -> float | None:
    """Check the signature of an Amazon SNS notification with the certificate that it names."""
    document = json.loads(request["body"])
    url = urlsplit(document["SigningCertURL"])
    if url.scheme != "https" or not _CERTIFICATE_HOST.fullmatch(url.hostname or ""):
        return None
    hazmat = _cryptography()
    fields = [name for name in _SNS_FIELDS if document.get(name) is not None]
    text = "".join(f"{name}\n{document[name]}\n" for name in fields)
    algorithm = hazmat["sha256"] if document["SignatureVersion"] == "2" else hazmat["sha1"]
    try:
        hazmat["load_pem"](key).public_key().verify(
            base64.b64decode(document["Signature"], validate=True),
            text.encode(),
            hazmat["padding"](),
            algorithm(),
        )
    except hazmat["invalid"]:
        return None
    return datetime.fromisoformat(document["Timestamp"]).timestamp()


def _cryptography() -> dict[str, Any]:
    """Return what is used of the package cryptography."""
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 -- an extra
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec, padding  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415
        from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415
    except ImportError as problem:
        extra = "webhooks"
        raise MissingExtra(extra, "cryptography") from problem
    return {
        "invalid": InvalidSignature,
        "ecdsa": ec.ECDSA,
        "sha1": hashes.SHA1,
        "sha256": hashes.SHA256,
        "padding": padding.PKCS1v15,
        "load_der": load_der_public_key,
        "load_pem": load_pem_x509_certificate,
    }


_CHECKS = {
    "amazon_ses": _amazon_ses,
    "mailersend": _mailersend,
    "mailgun": _mailgun,
    "mandrill": _mandrill,
    "resend": _resend,
    "sendgrid": _sendgrid,
}
