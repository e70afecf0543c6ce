"""What providers post, as events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows import ConfigurationError, Flow, MessageError
from mailflows.feedback import PROVIDERS, EventType, from_webhook
from mailflows.feedback._event import BounceReason
from mailflows.feedback._webhooks import provider_table

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = int(WHEN.timestamp())

SNS = {"Type": "Notification", "MessageId": "n-1", "Timestamp": "2026-01-01T00:00:00Z"}
SES_BOUNCE = {
    "eventType": "Bounce",
    "bounce": {
        "bounceType": "Permanent",
        "bouncedRecipients": [
            {"emailAddress": "ada@one.example", "diagnosticCode": "smtp; 550 5.1.1 unknown user"},
            {"emailAddress": "bob@two.example", "diagnosticCode": "smtp; 550 5.7.1 spam"},
        ],
    },
    "mail": {"messageId": "m-1", "destination": ["ada@one.example", "bob@two.example"]},
}

BOUNCES: dict[str, Any] = {
    "sendgrid": [
        {
            "event": "bounce",
            "email": "ada@one.example",
            "timestamp": SECONDS,
            "reason": "550 5.1.1 unknown user",
        }
    ],
    "brevo": {
        "event": "hard_bounce",
        "email": "ada@one.example",
        "ts_epoch": SECONDS * 1000,
        "reason": "550 5.1.1 unknown user",
    },
    "mandrill": {
        "mandrill_events": json.dumps(
            [
                {
                    "event": "hard_bounce",
                    "ts": SECONDS,
                    "msg": {"email": "ada@one.example", "diag": "smtp;550 5.1.1 x"},
                }
            ]
        )
    },
    "mailjet": {
        "event": "bounce",
        "time": SECONDS,
        "email": "ada@one.example",
        "hard_bounce": True,
        "error": "user unknown",
    },
    "dolist": {
        "Status": "HardBounce",
        "Recipient": "ada@one.example",
        "Date": "2026-01-01T00:00:00Z",
        "Ticket": "t-1",
    },
    "postmark": {
        "RecordType": "Bounce",
        "Type": "HardBounce",
        "Email": "ada@one.example",
        "BouncedAt": "2026-01-01T01:00:00+01:00",
        "Details": "smtp;550 5.1.1 unknown user",
    },
    "amazon_ses": SNS
    | {
        "Message": json.dumps(
            SES_BOUNCE
            | {
                "bounce": SES_BOUNCE["bounce"]
                | {"bouncedRecipients": SES_BOUNCE["bounce"]["bouncedRecipients"][:1]}
            }
        )
    },
    "mailgun": {
        "signature": {"token": "t"},
        "event-data": {
            "event": "failed",
            "severity": "permanent",
            "timestamp": float(SECONDS),
            "recipient": "ada@one.example",
            "delivery-status": {"code": 550, "message": "5.1.1 unknown user"},
        },
    },
    "sparkpost": [
        {
            "msys": {
                "message_event": {
                    "type": "bounce",
                    "bounce_class": "10",
                    "rcpt_to": "ada@one.example",
                    "timestamp": str(SECONDS),
                }
            }
        }
    ],
    "resend": {
        "type": "email.bounced",
        "created_at": "2026-01-01T00:00:00Z",
        "data": {"to": ["ada@one.example"]},
    },
    "mailersend": {
        "type": "activity.hard_bounced",
        "data": {
            "type": "hard_bounced",
            "created_at": "2026-01-01T00:00:00Z",
            "email": {"recipient": {"email": "ada@one.example"}},
            "morph": {"reason": "Unknown user"},
        },
    },
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_hard_bounce(provider: str) -> None:
    """Every provider's report of a dead mailbox suppresses it, at its time."""
    (event,) = from_webhook(provider, BOUNCES[provider])
    assert (event.type, event.recipient, event.reason, event.action, event.time, event.provider) == (
        "bounced",
        "ada@one.example",
        "mailbox-unknown",
        "suppress",
        WHEN,
        provider,
    )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_bytes_text_and_values_are_one(provider: str) -> None:
    """A payload may be bytes, text or parsed: the events are the same."""
    parsed = BOUNCES[provider]
    text = json.dumps(parsed)
    assert (
        from_webhook(provider, text)
        == from_webhook(provider, parsed)
        == from_webhook(provider, text.encode())
    )


def test_a_form() -> None:
    """A form that no framework has read yet is read."""
    (event,) = from_webhook("mandrill", urlencode(BOUNCES["mandrill"]).encode())
    assert event.recipient == "ada@one.example"


def test_one_event_for_each_recipient() -> None:
    """A notification about two recipients is two events, each with its own reply."""
    events = from_webhook("amazon_ses", SNS | {"Message": json.dumps(SES_BOUNCE)})
    assert [(e.recipient, e.reason, e.action) for e in events] == [
        ("ada@one.example", "mailbox-unknown", "suppress"),
        ("bob@two.example", "blocked-content", "pause-flow"),
    ]


def test_a_notification_out_of_its_envelope() -> None:
    """What EventBridge or Firehose deliver without SNS is read, too."""
    assert len(from_webhook("amazon_ses", SES_BOUNCE)) == 2


def test_a_subscription_is_no_event() -> None:
    """The handshake of Amazon SNS gives nothing."""
    handshake = {
        "Type": "SubscriptionConfirmation",
        "Message": "You have chosen …",
        "SubscribeURL": "https://x",
    }
    assert from_webhook("amazon_ses", handshake) == ()


SOFT: dict[str, Any] = {
    "sendgrid": [
        {"event": "bounce", "type": "blocked", "email": "a@b.example", "reason": "550 5.1.1 unknown user"}
    ],
    "brevo": {"event": "soft_bounce", "email": "a@b.example", "reason": "550 5.1.1 unknown user"},
    "dolist": {"Status": "SoftBounce", "Recipient": "a@b.example"},
    "mailjet": {"event": "bounce", "hard_bounce": False, "email": "a@b.example", "error": "user unknown"},
    "mailgun": {"event-data": {"event": "failed", "severity": "temporary", "recipient": "a@b.example"}},
    "amazon_ses": {
        "eventType": "Bounce",
        "bounce": {"bounceType": "Transient"},
        "mail": {"destination": ["a@b.example"]},
    },
}


@pytest.mark.parametrize("provider", sorted(SOFT))
def test_a_soft_bounce_suppresses_nobody(provider: str) -> None:
    """What a provider calls temporary suppresses nobody, whatever the reply says."""
    (event,) = from_webhook(provider, SOFT[provider])
    assert event.action != "suppress"


GONE: dict[str, Any] = {
    "sendgrid": [{"event": "spamreport", "email": "a@b.example"}],
    "brevo": {"event": "unsubscribe", "email": "a@b.example"},
    "dolist": {"Status": "Stop", "Recipient": "a@b.example"},
    "mailjet": {"event": "spam", "email": "a@b.example"},
    "mailgun": {"event-data": {"event": "complained", "recipient": "a@b.example"}},
    "postmark": {"RecordType": "SpamComplaint", "Email": "a@b.example"},
    "mandrill": {"mandrill_events": '[{"event": "unsub", "msg": {"email": "a@b.example"}}]'},
}


@pytest.mark.parametrize("provider", sorted(GONE))
def test_who_complains_or_leaves_is_suppressed(provider: str) -> None:
    """A complaint and an unsubscription suppress."""
    (event,) = from_webhook(provider, GONE[provider])
    assert event.action == "suppress"


def test_a_click() -> None:
    """A click says where, and by what."""
    item = {"event": "click", "email": "a@b.example", "url": "https://sender.example/x", "useragent": "M/5"}
    (event,) = from_webhook("sendgrid", [item], flow=Flow.MARKETING)
    assert (event.type, event.url, event.user_agent, event.flow) == (
        "clicked",
        "https://sender.example/x",
        "M/5",
        "marketing",
    )


@pytest.mark.parametrize(
    "provider", [name for name in PROVIDERS if name not in {"amazon_ses", "mandrill", "mailgun", "sparkpost"}]
)
def test_an_unknown_type_is_kept(provider: str) -> None:
    """An event of a type from the future is «other», with all that was sent."""
    name = provider_table()[provider]["type"][0]
    item: dict[str, Any] = {"new": 1}
    if "." in name:
        item["data"] = {"type": "of-the-future"}
    else:
        item[name] = "of-the-future"
    (event,) = from_webhook(provider, item)
    assert (event.type, event.raw) == ("other", item)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", "<html>", "[", "42", '"text"', "[1]", "[[]]"])
def test_a_damaged_payload(provider: str, payload: object) -> None:
    """What is no payload is said so, with the provider and its page."""
    with pytest.raises(MessageError, match="what it sends is shown on"):
        from_webhook(provider, payload)


def test_nested_too_deep() -> None:
    """JSON that nests without end is damaged, not a crash."""
    with pytest.raises(MessageError):
        from_webhook("sendgrid", "[" * 100_000)


@pytest.mark.parametrize(
    ("stamp", "found"),
    [
        (SECONDS, WHEN),
        (SECONDS * 1000, WHEN),
        (str(SECONDS), WHEN),
        ("2026-01-01T00:00:00", WHEN),
        ("soon", None),
        (1e300, None),
        ("nan", None),
        (True, None),
    ],
)
def test_times(stamp: object, found: datetime | None) -> None:
    """A time is read in seconds, milliseconds and ISO 8601; what is none is left out."""
    (event,) = from_webhook("sendgrid", [{"event": "open", "email": "a@b.example", "timestamp": stamp}])
    assert event.time == found


def test_a_form_with_too_many_fields() -> None:
    """A form of a hundred thousand fields is refused, not read."""
    with pytest.raises(MessageError):
        from_webhook("mailgun", "a=1&" * 100_000)


def test_json_inside_that_is_none() -> None:
    """Text that should be JSON inside the payload is damaged, too."""
    with pytest.raises(MessageError):
        from_webhook("mandrill", {"mandrill_events": "["})


def test_an_unknown_provider() -> None:
    """A provider that is not known is said so, with those that are."""
    with pytest.raises(ConfigurationError, match="sendgrid"):
        from_webhook("pigeon-post", {})


def test_no_address_in_the_error() -> None:
    """What is wrong with a payload is told without its addresses."""
    with pytest.raises(MessageError) as caught:
        from_webhook("amazon_ses", {"eventType": "Bounce", "mail": "ada@one.example"})
    assert "ada" not in str(caught.value)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_table_uses_our_words(provider: str) -> None:
    """Every type and every detail of the table is a word of ours."""
    table = provider_table()[provider]
    assert {word.partition(" ")[0] for word in table["types"].values()} <= set(EventType)
    assert set(table["details"].values()) <= {*BounceReason, "unsubscribed", "complained"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "event type email msg mail bounce recipient timestamp time data to Type Message eventType "
                "RecordType mandrill_events event-data msys reason signature bouncedRecipients Status".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.property
@given(st.sampled_from(PROVIDERS), JSON)
def test_any_json_is_events_or_an_error_of_ours(provider: str, payload: object) -> None:
    """Whatever JSON is posted, there are events or a `MessageError`."""
    try:
        events = from_webhook(provider, payload)
    except MessageError:
        return
    assert all(event.provider == provider for event in events)


@pytest.mark.parametrize("bad", [None, 5, "x", [1]])
def test_one_damaged_event_costs_no_other(bad: Any) -> None:
    """Of a batch the good events are read, and what is damaged is kept as it came."""
    good = {"event": "bounce", "email": "ada@one.example", "reason": "550 5.1.1 unknown user"}
    events = from_webhook("sendgrid", [good, bad, good])
    assert [event.type for event in events] == ["bounced", "other", "bounced"]
    assert events[1].to_dict()["raw"] == {"damaged": bad}


def test_a_damaged_notification_costs_no_other() -> None:
    """The same where an object has another shape than the provider's."""
    good = {"event": "hard_bounce", "msg": {"email": "ada@one.example"}, "ts": SECONDS}
    events = from_webhook("sparkpost", [{"msys": 5}, {"msys": {"message_event": {"type": "bounce"}}}])
    assert [event.type for event in events] == ["other", "bounced"]
    assert len(from_webhook("mandrill", [good, None])) == 2


@pytest.mark.parametrize("stamp", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_out_of_the_calendar_is_none(stamp: str) -> None:
    """A moment that UTC has no date for is not known, and the event is read."""
    (event,) = from_webhook("sendgrid", [{"event": "bounce", "email": "ada@one.example", "timestamp": stamp}])
    assert (event.type, event.time) == ("bounced", None)
