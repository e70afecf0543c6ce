"""Whether a webhook comes from the provider that it names: signatures and their freshness."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from mailflows.errors import ConfigurationError
from mailflows.feedback._sns import cryptography, signed_by_sns
from mailflows.feedback._webhook_table import provider_row

if TYPE_CHECKING:
    from collections.abc import Collection

    from mailflows._clock import Clock
    from mailflows._stores import Documents
    from mailflows.feedback._sns import CertificateFetcher
    from mailflows.feedback._webhook_table import Row

__all__ = ["verify_webhook"]

MAX_AGE = 300.0
"""Seconds that a signed time may be away: what the Svix libraries allow
(docs.svix.com/receiving/verifying-payloads/why, read 2026-11-29)."""

REMEMBER = 30 * 86400.0
"""Seconds for which a request without a signed time is remembered; choice: as
`SuppressionList(remember=)`."""


def verify_webhook(  # noqa: PLR0913 -- what the providers sign differs
    provider: str,
    body: bytes,
    *,
    key: str | bytes | None = None,
    headers: Mapping[str, str] | None = None,
    url: str = "",
    form: Mapping[str, str] | None = None,
    topic_arn: str | Collection[str] | None = None,
    fetch_certificate: CertificateFetcher | None = None,
    seen: Documents | None = None,
    max_age: float | None = MAX_AGE,
    clock: Clock = time.time,
) -> bool:
    """Check whether a provider signed a webhook with your key.

    Pass the body exactly as received. Brevo, Dolist, Mailchimp's audiences, Mailjet, Postmark and SparkPost
    do not sign: protect the URL for them with a password or a secret path.

    Args:
        provider: A provider that signs, in any case: ``sendgrid``, ``mandrill``, ``mailgun``, ``resend``,
            ``mailersend``, ``amazon_ses``, ``mailtrap``, ``postal`` or ``unisender_go``.
        body: The body of the request, unchanged.
        key: The provider's signing key. For SendGrid and Postal the public key; for Amazon SES the PEM
            certificate behind ``SigningCertURL``, which you fetch and keep.
        headers: The request headers, in any case. Standard Webhooks headers (``webhook-id``) are accepted
            like Svix's.
        url: The URL as entered in the provider's settings (Mandrill signs it).
        form: The form fields, if the framework has already consumed the body (Mandrill, Mailgun).
        topic_arn: Your Amazon SNS topic, or several. Always pass it: Amazon signs messages of anyone's topic.
        fetch_certificate: Fetches the certificate of Amazon SNS, instead of *key*; it is called only with a
            URL at Amazon.
        seen: A store that remembers requests of providers that sign no timestamp (Mandrill, MailerSend,
            Mailtrap, Postal, Unisender Go), so that each is accepted only once. Without it, a
            `SuppressionList` still counts each event once.
        max_age: Seconds that a signed timestamp may lie in the past or the future; `None` for no limit.
        clock: Returns the present moment in Unix seconds.

    Raises:
        ConfigurationError: If the provider does not sign, or the key is not valid.
        MissingExtra: For SendGrid, Amazon SES or Postal, if the extra ``webhooks`` is not installed.
        StoreError: If *seen* could not answer.

    Example:
        >>> body = b'{"type": "sent"}'
        >>> signature = hmac.new(b"secret", body, "sha256").hexdigest()
        >>> verify_webhook("MailerSend", body, key="secret", headers={"Signature": signature})
        True
    """
    row = _signing(provider)
    secret = _secret(key, is_needed=row.signed != "sns" or fetch_certificate is None)
    ready = _KEYS.get(row.signed, bytes)(secret) if secret is not None else None
    request = {
        "body": body,
        "headers": {str(name).lower(): str(value) for name, value in (headers or {}).items()},
        "url": url,
        "form": form,
        "signature": row.signature,
    }

    def check() -> float | None:
        if row.signed != "sns":
            return _SCHEMES[row.signed](request, ready)
        return signed_by_sns(
            body, topic_arn=topic_arn, key=secret, fetch_certificate=fetch_certificate, now=clock()
        )

    signed_at = _signed_at(check)
    if signed_at == _TIMELESS:
        return seen is None or _is_first(seen, row.name, request)
    return signed_at is not None and (max_age is None or abs(clock() - signed_at) <= max_age)


def _signing(provider: object) -> Row:
    """Return the row of a provider that signs.

    Raises:
        ConfigurationError: If it signs nothing.
    """
    row = provider_row(provider)
    if not row.signed:
        msg = f"{row.title} has no known signature scheme: protect the URL with a password"
        raise ConfigurationError(msg, field="provider")
    return row


def _signed_at(check: Callable[[], float | None]) -> float | None:
    """Return when a request was signed, or `None` where it was not, or is none of that scheme."""
    try:
        return check()
    except ConfigurationError:
        raise
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError, binascii.Error):
        return None


_TIMELESS = float("inf")
"""The time of what was signed without one."""

_Request = Mapping[str, Any]


def _secret(key: str | bytes | None, *, is_needed: bool) -> bytes | None:
    secret = key.encode() if isinstance(key, str) else key
    if not secret and (is_needed or secret is not None):
        msg = "key is empty; pass the signing key that the provider shows in its settings"
        raise ConfigurationError(msg, field="key")
    return secret


def _is_first(seen: Documents, provider: str, request: _Request) -> bool:
    """Return whether a request comes for the first time."""
    form = request["form"] or {}
    told = hashlib.sha256(request["body"] + json.dumps(sorted(form.items())).encode()).hexdigest()
    return seen.swap(f"webhook:{seen.digest(f'{provider} {told}')}", None, b"1", ttl=REMEMBER)


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())


def _hmac_sha256(request: _Request, key: bytes) -> float | None:
    """Check the hexadecimal HMAC of the body in the header that the row names."""
    expected = hmac.new(key, request["body"], hashlib.sha256).hexdigest()
    return _TIMELESS if _same(expected, request["headers"][request["signature"]].strip().lower()) else None


def _mailgun(request: _Request, key: bytes) -> float | None:
    """Check the signature inside the body, in the form of today or the old one."""
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


def _svix(request: _Request, secret: bytes) -> float | None:
    """Check a signature of the Svix scheme: of id, time and body, one of perhaps several."""
    headers = request["headers"]
    known = {name: headers.get(f"svix-{name}") or headers[f"webhook-{name}"] for name in _SVIX}
    seconds = int(float(known["timestamp"]))
    signed = f"{known['id']}.{seconds}.".encode() + request["body"]
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    given = [one.partition(",")[2] for one in known["signature"].split() if one.startswith("v1,")]
    return float(seconds) if any(_same(expected, one) for one in given) else None


_SVIX = ("id", "timestamp", "signature")


def _sendgrid(request: _Request, public: Any) -> float | None:  # noqa: ANN401 -- of an extra
    """Check an ECDSA signature over time and body."""
    headers = request["headers"]
    stamp = headers["x-twilio-email-event-webhook-timestamp"]
    signature = base64.b64decode(headers["x-twilio-email-event-webhook-signature"], validate=True)
    parts = cryptography()
    try:
        public.verify(signature, stamp.encode() + request["body"], parts["ecdsa"](parts["sha256"]()))
    except parts["invalid"]:
        return None
    return _seconds(stamp)


def _seconds(stamp: str) -> float:
    """Return a signed time; one that is not a number is never fresh."""
    try:
        return float(stamp)
    except ValueError:
        return float("nan")


def _postal(request: _Request, public: Any) -> float | None:  # noqa: ANN401 -- of an extra
    """Check an RSA signature over the body: of SHA-256 where there is one, else of SHA-1."""
    headers = request["headers"]
    parts = cryptography()
    is_new = "x-postal-signature-256" in headers
    given = headers["x-postal-signature-256" if is_new else "x-postal-signature"]
    algorithm = parts["sha256"] if is_new else parts["sha1"]
    try:
        public.verify(base64.b64decode(given), request["body"], parts["padding"](), algorithm())
    except parts["invalid"]:
        return None
    return _TIMELESS


_AUTH = re.compile(rb'("auth"\s{0,9}:\s{0,9}")([0-9a-fA-F]{32})(")')


def _unisender_go(request: _Request, key: bytes) -> float | None:
    """Check the MD5 of the body with the key in the place of ``auth``."""
    found = _AUTH.search(request["body"])
    if found is None:
        return None
    signed = request["body"][: found.start(2)] + key + request["body"][found.end(2) :]
    expected = hashlib.md5(signed, usedforsecurity=False).hexdigest()  # the provider's choice
    return _TIMELESS if _same(expected, found[2].decode().lower()) else None


def _svix_key(key: bytes) -> bytes:
    """Return the secret behind ``whsec_…``."""
    try:
        return base64.b64decode(key.removeprefix(b"whsec_"), validate=True)
    except binascii.Error as problem:
        msg = "this is not a signing secret, which is whsec_ followed by base64"
        raise ConfigurationError(msg, field="key") from problem


def _public_key(key: bytes, kind: str) -> Any:  # noqa: ANN401 -- of an extra
    """Return a public key that is PEM, or base64 of DER."""
    parts = cryptography()
    try:
        is_pem = key.lstrip().startswith(b"-----")
        public = parts["load_pem"](key) if is_pem else parts["load_der"](base64.b64decode(key))
    except (ValueError, TypeError) as problem:
        msg = "not a public key, which is base64, or a block that begins with -----BEGIN PUBLIC KEY-----"
        raise ConfigurationError(msg, field="key") from problem
    if not isinstance(public, parts[kind]):
        msg = f"this public key is of the wrong kind; an {kind.upper()} key is needed"
        raise ConfigurationError(msg, field="key")
    return public


_KEYS: Mapping[str, Callable[[bytes], Any]] = {
    "svix": _svix_key,
    "sendgrid": lambda key: _public_key(key, "ec"),
    "postal": lambda key: _public_key(key, "rsa"),
}
"""Prepares a key; a malformed one is reported, and does not make every request look forged."""

_SCHEMES: Mapping[str, Callable[[_Request, Any], float | None]] = {
    "hmac-sha256": _hmac_sha256,
    "mailgun": _mailgun,
    "mandrill": _mandrill,
    "postal": _postal,
    "sendgrid": _sendgrid,
    "svix": _svix,
    "unisender_go": _unisender_go,
}
"""The schemes that a row of the table may name, besides ``sns``."""
