"""Whether a provider signed what was posted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from mailflows import ConfigurationError, MissingExtra
from mailflows.feedback import confirmation_url, verify_webhook
from mailflows.limits import MemoryStore

NOW = 1_767_225_600.0
BODY = b'{"type": "sent"}'
Request = dict[str, Any]


def clock() -> float:
    """Return the present moment of these tests."""
    return NOW


def mailersend() -> Request:
    """Return a signed request."""
    signature = hmac.new(b"secret", BODY, hashlib.sha256).hexdigest()
    return {"body": BODY, "key": "secret", "headers": {"Signature": signature}}


def mailgun(stamp: float = NOW) -> Request:
    """Return a signed request; the signature stands in the body."""
    signature = hmac.new(b"secret", f"{stamp:.0f}tok".encode(), hashlib.sha256).hexdigest()
    signed = {"timestamp": f"{stamp:.0f}", "token": "tok", "signature": signature}
    return {"body": json.dumps({"signature": signed, "event-data": {}}).encode(), "key": "secret"}


def mandrill() -> Request:
    """Return a signed request; the address and the fields are signed."""
    url, text = "https://sender.example/hook", "https://sender.example/hookmandrill_events[]"
    signature = base64.b64encode(hmac.new(b"secret", text.encode(), hashlib.sha1).digest()).decode()
    headers = {"X-Mandrill-Signature": signature}
    return {"body": b"mandrill_events=%5B%5D", "key": "secret", "url": url, "headers": headers}


def resend(stamp: float = NOW) -> Request:
    """Return a signed request, with an older signature beside it."""
    text = f"msg_1.{stamp:.0f}.".encode() + BODY
    signature = base64.b64encode(hmac.new(b"secret", text, hashlib.sha256).digest()).decode()
    headers = {
        "Svix-Id": "msg_1",
        "Svix-Timestamp": f"{stamp:.0f}",
        "Svix-Signature": f"v1,b2xk v1,{signature}",
    }
    return {"body": BODY, "key": "whsec_" + base64.b64encode(b"secret").decode(), "headers": headers}


EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def sendgrid(stamp: float = NOW) -> Request:
    """Return a signed request."""
    public = EC_KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signature = EC_KEY.sign(f"{stamp:.0f}".encode() + BODY, ec.ECDSA(hashes.SHA256()))
    headers = {
        "X-Twilio-Email-Event-Webhook-Timestamp": f"{stamp:.0f}",
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
    }
    return {"body": BODY, "key": base64.b64encode(public).decode(), "headers": headers}


def certificate() -> bytes:
    """Return a certificate for the RSA key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.example")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(RSA_KEY.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=9))
        .sign(RSA_KEY, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)


def amazon_ses(
    stamp: float = NOW, *, url: str = "https://sns.eu-west-1.amazonaws.com/x.pem", version: str = "2"
) -> Request:
    """Return a signed notification."""
    document = {
        "Type": "Notification",
        "MessageId": "1",
        "TopicArn": "arn",
        "Message": "{}",
        "Timestamp": datetime.fromtimestamp(stamp, UTC).isoformat(),
        "SignatureVersion": version,
        "SigningCertURL": url,
    }
    text = "".join(
        f"{name}\n{document[name]}\n" for name in ("Message", "MessageId", "Timestamp", "TopicArn", "Type")
    )
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 -- SNS's version 1
    signature = RSA_KEY.sign(text.encode(), padding.PKCS1v15(), algorithm)
    document["Signature"] = base64.b64encode(signature).decode()
    return {"body": json.dumps(document).encode(), "key": certificate()}


REQUESTS = [amazon_ses, mailersend, mailgun, mandrill, resend, sendgrid]
TIMED = [amazon_ses, mailgun, resend, sendgrid]


@pytest.mark.parametrize("request_of", REQUESTS, ids=lambda made: made.__name__)
def test_a_true_signature(request_of: Any) -> None:
    """What the provider signed is accepted."""
    assert verify_webhook(request_of.__name__, **request_of(), clock=clock)


@pytest.mark.parametrize("request_of", REQUESTS, ids=lambda made: made.__name__)
def test_another_body(request_of: Any) -> None:
    """A body that was changed is not accepted."""
    request = request_of()
    body = (
        request["body"]
        .replace(b"sent", b"open")
        .replace(b"tok", b"tik")
        .replace(b"%5B", b"%5B1")
        .replace(b'"{}"', b'"{1}"')
    )
    assert not verify_webhook(request_of.__name__, **request | {"body": body}, clock=clock)


@pytest.mark.parametrize(
    "request_of", [mailersend, mailgun, mandrill, resend], ids=lambda made: made.__name__
)
def test_another_key(request_of: Any) -> None:
    """What somebody else signed is not accepted."""
    assert not verify_webhook(request_of.__name__, **request_of() | {"key": "b3RoZXI="}, clock=clock)


@pytest.mark.parametrize(
    "request_of", [mailersend, mandrill, resend, sendgrid], ids=lambda made: made.__name__
)
def test_no_signature(request_of: Any) -> None:
    """What nobody signed is not accepted."""
    assert not verify_webhook(request_of.__name__, **request_of() | {"headers": {}}, clock=clock)


@pytest.mark.parametrize("request_of", TIMED, ids=lambda made: made.__name__)
@pytest.mark.parametrize("away", [-301, 301])
def test_an_old_signature(request_of: Any, away: float) -> None:
    """What was signed long ago, or will be, is not accepted: somebody plays it again."""
    assert not verify_webhook(request_of.__name__, **request_of(NOW + away), clock=clock)


@pytest.mark.parametrize("request_of", TIMED, ids=lambda made: made.__name__)
def test_any_time(request_of: Any) -> None:
    """Without a limit the time of a signature does not matter."""
    assert verify_webhook(request_of.__name__, **request_of(NOW - 1e6), clock=clock, max_age=None)


def test_the_old_form_of_mailgun() -> None:
    """The fields of Mailgun's old form are signed, too."""
    signature = hmac.new(b"secret", b"1tok", hashlib.sha256).hexdigest()
    body = f"timestamp=1&token=tok&signature={signature}".encode()
    assert verify_webhook("mailgun", body, key="secret", max_age=None)


def test_the_first_version_of_sns() -> None:
    """Amazon SNS signs with SHA-1 unless it was told otherwise."""
    assert verify_webhook("amazon_ses", **amazon_ses(version="1"), clock=clock)


def test_a_form_that_was_read_before() -> None:
    """Where the framework has read the form, its fields are enough."""
    request = mandrill() | {"body": b"", "form": {"mandrill_events": "[]"}}
    assert verify_webhook("mandrill", **request)


def test_the_password_of_an_address_is_not_signed() -> None:
    """Mandrill posts to it, and signs the address without it."""
    request = mandrill()
    with_password = request["url"].replace("https://", "https://us:er@")
    assert verify_webhook("mandrill", **request | {"url": with_password})
    assert not verify_webhook("mandrill", **request | {"url": request["url"].replace("hook", "hock")})


@pytest.mark.parametrize(
    "part", ["Content-Disposition: form-data\r\n\r\nx", 'Content-Disposition: form-data; name="x"', ""]
)
def test_a_part_without_a_name_or_a_value_is_passed_over(part: str) -> None:
    """The named ones are signed."""
    named = 'Content-Disposition: form-data; name="mandrill_events"\r\n\r\n[]'
    body = "".join(f"--b\r\n{one}\r\n" for one in (part, named)) + "--b--\r\n"
    headers = mandrill()["headers"] | {"Content-Type": "multipart/form-data; boundary=b"}
    assert verify_webhook("mandrill", **mandrill() | {"body": body.encode(), "headers": headers})


def test_a_form_in_parts() -> None:
    """A form in parts (RFC 7578) is read."""
    body = b'--b\r\nContent-Disposition: form-data; name="mandrill_events"\r\n\r\n[]\r\n--b--\r\n'
    assert verify_webhook("mandrill", **mandrill() | {"body": body})


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/x.pem",
        "http://sns.eu-west-1.amazonaws.com/x.pem",
        "https://sns.x.amazonaws.com.evil.example/",
        "https://sns.s3-us-west-2.amazonaws.com/x.pem",
        "https://sns.eu-west-1.amazonaws.com:444/x.pem",
        "https://sns.eu-west-1.amazonaws.com/?Action=Get",
        "https://sns.eu-west-1.amazonaws.com/x.pem?y",
        "https://sns.eu-west-1.amazonaws.com@evil.example/x.pem",
    ],
)
def test_a_certificate_from_elsewhere(url: str) -> None:
    """Only a certificate of Amazon's host may be named."""
    assert not verify_webhook("amazon_ses", **amazon_ses(url=url), clock=clock)


@pytest.mark.parametrize(
    ("provider", "key", "field"), [("postmark", "x", "provider"), ("mailersend", "", "key")]
)
def test_misuse(provider: str, key: str, field: str) -> None:
    """A provider that signs nothing, and a key that is empty, are said so."""
    with pytest.raises(ConfigurationError) as caught:
        verify_webhook(provider, BODY, key=key)
    assert caught.value.field == field


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without cryptography, the command that installs it is named."""
    signed = sendgrid()
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(MissingExtra, match="webhooks"):
        verify_webhook("sendgrid", **signed)


@pytest.mark.parametrize("stamp", ["inf", "9" * 400, "nan", "-1e999"])
def test_a_time_that_is_no_number_is_not_signed(stamp: str) -> None:
    """A stamp beyond all numbers is refused like any forgery."""
    headers = {"svix-id": "x", "svix-timestamp": stamp, "svix-signature": "v1,x"}
    assert verify_webhook("resend", BODY, key="whsec_aaaa", headers=headers) is False


def test_a_body_nested_without_end_is_not_signed() -> None:
    """A hundred thousand brackets are no notification, and no crash."""
    assert verify_webhook("amazon_ses", b"[" * 100_000, key=certificate()) is False


@pytest.mark.parametrize(("topic", "is_ours"), [("arn", True), (["other", "arn"], True), ("other", False)])
def test_a_topic_of_somebody_else(topic: Any, *, is_ours: bool) -> None:
    """Amazon signs for everybody: a message of another topic than ours is refused."""
    assert verify_webhook("ses", **amazon_ses(), topic_arn=topic, clock=clock) is is_ours


def test_a_certificate_that_has_expired() -> None:
    """A certificate is good for its time, and not a day longer."""
    late = NOW + 10 * 86400.0
    assert not verify_webhook("amazon_ses", **amazon_ses(late), clock=lambda: late)


@pytest.mark.parametrize(
    ("days", "is_true"), [(-1 / 86400, False), (0, True), (9, True), (9 + 1 / 86400, False)]
)
def test_a_certificate_is_good_from_its_first_second_to_its_last(days: float, *, is_true: bool) -> None:
    """Both included (RFC 5280 section 4.1.2.5)."""
    moment = NOW + days * 86400.0
    assert verify_webhook("amazon_ses", **amazon_ses(moment), clock=lambda: moment) is is_true


def test_a_certificate_is_fetched_after_the_check() -> None:
    """The fetcher is asked for an address of Amazon's, and for no other."""
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return certificate()

    bodies = [
        amazon_ses(url=url)["body"]
        for url in ("https://sns.eu-west-1.amazonaws.com/x.pem", "https://x.example/x.pem")
    ]
    found = [verify_webhook("amazon_ses", body, fetch_certificate=fetch, clock=clock) for body in bodies]
    assert (found, asked) == ([True, False], ["https://sns.eu-west-1.amazonaws.com/x.pem"])


def confirmation(url: str, topic: str = "arn:aws:sns:eu-west-1:1:mail") -> bytes:
    """Return a signed request to confirm a subscription."""
    document = {
        "Type": "SubscriptionConfirmation",
        "MessageId": "1",
        "TopicArn": topic,
        "Message": "You have chosen to subscribe",
        "Token": "t",
        "SubscribeURL": url,
        "Timestamp": "2026-01-01T00:00:00Z",
        "SignatureVersion": "2",
        "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/x.pem",
    }
    names = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    text = "".join(f"{name}\n{document[name]}\n" for name in names)
    document["Signature"] = base64.b64encode(
        RSA_KEY.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    ).decode()
    return json.dumps(document).encode()


ARN = "arn:aws:sns:eu-west-1:1:mail"
CONFIRM = f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={ARN}&Token=t"


def test_a_subscription_to_confirm() -> None:
    """A subscription of our topic has an address to fetch."""
    assert confirmation_url(confirmation(CONFIRM), topic_arn=ARN, key=certificate(), clock=clock) == CONFIRM


@pytest.mark.parametrize(
    "body",
    [
        confirmation(CONFIRM, "arn:aws:sns:eu-west-1:2:theirs"),
        confirmation(CONFIRM.replace("amazonaws.com", "amazonaws.com.evil.example")),
        confirmation(CONFIRM.replace("Confirm", "Un")),
        confirmation(CONFIRM).replace(b"chosen", b"asked"),
        amazon_ses()["body"],
        b"[]",
    ],
)
def test_a_subscription_that_is_not_confirmed(body: bytes) -> None:
    """Another topic, another host, another action, a forgery: there is nothing to fetch."""
    assert confirmation_url(body, topic_arn=ARN, key=certificate(), clock=clock) is None


@pytest.mark.parametrize(("away", "is_taken"), [(0, True), (300, True), (301, False)])
def test_a_subscription_is_confirmed_within_five_minutes(away: float, *, is_taken: bool) -> None:
    """Of the moment that is signed; None takes any."""

    def late() -> float:
        return NOW + away

    body = confirmation(CONFIRM)
    near = confirmation_url(body, topic_arn=ARN, key=certificate(), max_age=300, clock=late)
    assert (near == CONFIRM) is is_taken
    assert (
        confirmation_url(body, topic_arn=ARN, key=certificate(), max_age=None, clock=lambda: NOW) == CONFIRM
    )


@pytest.mark.parametrize("provider", ["amazon_ses", "postal", "resend", "sendgrid"])
def test_a_malformed_key(provider: str) -> None:
    """A key that is none is told at once, and not taken for a forgery of every request for ever."""
    with pytest.raises(ConfigurationError) as caught:
        verify_webhook(provider, BODY, key="not a key")
    assert caught.value.field == "key"


def test_a_key_of_another_kind() -> None:
    """SendGrid signs with an elliptic curve: the public key of another scheme is told."""
    public = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with pytest.raises(ConfigurationError, match="wrong kind"):
        verify_webhook("sendgrid", BODY, key=public)


def test_a_request_that_signs_no_time_is_accepted_once() -> None:
    """Where no time is signed, a store knows the request again."""
    seen = MemoryStore()
    assert [verify_webhook("mandrill", **mandrill(), seen=seen) for _ in range(2)] == [True, False]
    assert [verify_webhook("mailersend", **mailersend(), seen=seen) for _ in range(2)] == [True, False]


def test_the_headers_of_standard_webhooks() -> None:
    """The names of Standard Webhooks count as those of Svix."""
    request = resend()
    headers = {name.replace("Svix", "webhook"): value for name, value in request["headers"].items()}
    assert verify_webhook("Resend", **request | {"headers": headers}, clock=clock)


def test_mailtrap() -> None:
    """A provider that signs the body alike needs only its header in the table."""
    signature = hmac.new(b"secret", BODY, hashlib.sha256).hexdigest()
    assert verify_webhook("mailtrap", BODY, key="secret", headers={"Mailtrap-Signature": signature})


@pytest.mark.parametrize(
    ("header", "algorithm"), [("X-Postal-Signature", hashes.SHA1), ("X-Postal-Signature-256", hashes.SHA256)]
)
def test_postal(header: str, algorithm: Any) -> None:
    """Postal signs the body with the key of its server."""
    public = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signature = base64.b64encode(RSA_KEY.sign(BODY, padding.PKCS1v15(), algorithm())).decode()
    found = [
        verify_webhook("postal", body, key=base64.b64encode(public), headers={header: signature})
        for body in (BODY, BODY + b" ")
    ]
    assert found == [True, False]


def test_unisender_go() -> None:
    """Unisender Go puts a hash of the body and the key into the body."""
    with_key = b'{"auth":"secret","events_by_user":[]}'
    body = with_key.replace(b"secret", hashlib.md5(with_key).hexdigest().encode())  # noqa: S324 -- the provider's
    assert [verify_webhook("unisender_go", body, key=key) for key in ("secret", "other")] == [True, False]
