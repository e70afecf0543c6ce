"""What providers post, as events."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows import ConfigurationError, Flow, MessageError, _data
from mailflows.feedback import PROVIDERS, from_webhook
from mailflows.feedback._event import BounceReason
from mailflows.feedback._signatures import _SCHEMES
from mailflows.feedback._webhook_table import PATHS, Row, provider_row

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = int(WHEN.timestamp())
KNOWN_KEYS = {*PATHS, *(field.name for field in fields(Row))} - {"name", "paths"}

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


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_hard_bounce(provider: str) -> None:
    """The row of a provider is enough to read its sample: a dead mailbox is suppressed, at its time."""
    (event,) = from_webhook(provider, provider_row(provider).sample)
    assert (event.type, event.recipient, event.reason, event.action, event.time, event.provider) == (
        "bounced",
        "ada@example.org",
        "mailbox-unknown",
        "suppress",
        WHEN,
        provider,
    )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_row_lacks_nothing(provider: str) -> None:
    """A row tells where its provider says what happened, to whom, when and why, and what its words mean."""
    row = provider_row(provider)
    keys = set(tomllib.loads(_data.read("feedback/webhooks.toml"))[provider])
    kinds = {kind for kind, _ in row.types.values()}
    wanted = {"bounced", "complained", "unsubscribed"}
    if provider == "postal":  # it reports nobody who complains or unsubscribes
        wanted = {"bounced"}
    lacking = {
        "a title": not row.title,
        "a page that documents it": not row.page.startswith("http"),
        **{f"a path to the {key}": key not in row.paths for key in ("type", "recipient", "time")},
        "an event_id, message_id or list, without which a copy counts twice": not (
            row.paths.keys() & {"event_id", "message_id", "list"}
        ),
        **{f"a word for {kind} in [types]": kind not in kinds for kind in wanted},
        "words, which refused and classes are looked up in": bool(row.refused or row.classes)
        and "words" not in row.paths,
        f"a scheme of _signatures.py in signed, not {row.signed!r}": row.signed not in {"", "sns", *_SCHEMES},
        "the header of the signature": row.signed == "hmac-sha256" and not row.signature,
        f"a meaning for {sorted(keys - KNOWN_KEYS)}: mistyped?": bool(keys - KNOWN_KEYS),
    }
    found = [what for what, is_lacking in lacking.items() if is_lacking]
    assert not found, f"[{provider}] lacks " + "; ".join(found)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_bytes_text_and_values_are_one(provider: str) -> None:
    """A payload may be bytes, text or parsed: the events are the same."""
    text = provider_row(provider).sample
    parsed = json.loads(text)
    assert (
        from_webhook(provider, text)
        == from_webhook(provider, parsed)
        == from_webhook(provider, text.encode())
    )


def test_a_form() -> None:
    """A form that no framework has read yet is read."""
    (event,) = from_webhook("mandrill", urlencode(json.loads(provider_row("mandrill").sample)).encode())
    assert event.recipient == "ada@example.org"


def test_a_variable_does_not_stand_in_for_a_field_of_mailgun() -> None:
    """Its old form sends a sender's variable and its own field under one name: of these its own counts."""
    form = "event=wedding&recipient=guest&event=clicked&recipient=ada%40one.example&timestamp=1767225600"
    (event,) = from_webhook("mailgun", form.encode())
    assert (event.type, event.recipient, event.time) == ("clicked", "ada@one.example", WHEN)


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
    "provider",
    [
        "brevo",
        "dolist",
        "mailchimp",
        "mailersend",
        "mailjet",
        "mailtrap",
        "postal",
        "postmark",
        "resend",
        "sendgrid",
    ],
)
def test_an_unknown_type_is_kept(provider: str) -> None:
    """An event of a type from the future is "other", with all that was sent."""
    *outer, name = provider_row(provider).paths["type"][0]
    item: dict[str, Any] = {"new": 1}
    item |= {outer[0]: {name: "of-the-future"}} if outer else {name: "of-the-future"}
    (event,) = from_webhook(provider, item)
    assert (event.type, event.raw) == ("other", item)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", "<html>", "[", "42", '"text"', "[1]", "[[]]"])
def test_a_damaged_payload(provider: str, payload: object) -> None:
    """What is no payload is said so, with the provider and its page."""
    with pytest.raises(MessageError, match="its payloads are documented at"):
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
    """Every word of the table means a word of ours."""
    row = provider_row(provider)
    ours = {*BounceReason, "unsubscribed", "complained"}
    assert {*row.refused.values(), *row.classes.values()} <= ours
    assert {force for _, force in row.types.values()} <= {"", "hard", "soft", "proxy", "listed", "note"}


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


@pytest.mark.parametrize(
    ("reason", "action"),
    [
        ("Invalid SMTPAPI header", "fix-config"),
        ("Invalid", "suppress"),
        ("Bounced Address", "suppress"),
        ("Spam Content (if Spam Checker app is enabled)", "pause-flow"),
    ],
)
def test_a_word_of_the_vocabulary_counts_whole(reason: str, action: str) -> None:
    """A provider's word counts where it is the whole field, and is no part of another sentence."""
    (event,) = from_webhook("sendgrid", [{"event": "dropped", "email": "a@b.example", "reason": reason}])
    assert (event.type, event.action) == ("rejected", action)


@pytest.mark.parametrize(
    ("reply", "of_class", "action"),
    [
        ("550 5.7.1 invalid DKIM signature", "Invalid Address", "fix-config"),
        ("550 rejected", "Invalid Address", "suppress"),
        ("550 rejected", "Reputation", "pause-flow"),
        ("550 5.1.1 user unknown", "Unclassified", "suppress"),
        ("550 rejected", "Unclassified", "none"),
    ],
)
def test_the_reply_comes_before_the_class(reply: str, of_class: str, action: str) -> None:
    """What the server said counts first; the provider's class where the reply says little."""
    item = {"event": "bounce", "email": "a@b.example", "reason": reply, "bounce_classification": of_class}
    (event,) = from_webhook("sendgrid", [item])
    assert event.action == action


def test_a_class_is_no_part_of_another_number() -> None:
    """SparkPost's class 100 is a challenge, and not class 10."""
    message = {"type": "bounce", "rcpt_to": "a@b.example", "bounce_class": "100", "error_code": "550"}
    (event,) = from_webhook("sparkpost", [{"msys": {"message_event": message}}])
    assert (event.type, event.action) == ("autoreplied", "none")


@pytest.mark.parametrize("name", ["SendGrid", "Send Grid", "SENDGRID"])
def test_a_name_in_other_letters(name: str) -> None:
    """A provider's name is read in any case."""
    assert from_webhook(name, provider_row("sendgrid").sample)[0].provider == "sendgrid"


def test_a_name_that_is_nearly_one() -> None:
    """Who mistypes a name is told the one that was meant."""
    with pytest.raises(ConfigurationError, match="did you mean sendgrid"):
        from_webhook("sendgird", {})


def test_another_providers_payload() -> None:
    """A payload of another provider is an error that names the missing field."""
    with pytest.raises(MessageError, match="no part has the field event"):
        from_webhook("sendgrid", provider_row("postmark").sample)


def test_a_bounce_of_one_among_several() -> None:
    """Where one bounce names several recipients, nobody knows whose it is."""
    data = {"email_id": "m", "to": ["a@b.example", "c@d.example"], "bounce": {"type": "Permanent"}}
    (event,) = from_webhook("resend", {"type": "email.bounced", "data": data})
    assert event.recipient is None


def test_topics_of_a_contact_list() -> None:
    """Who leaves one topic of a contact list of Amazon SES leaves that topic, and no other."""
    subscription = {
        "contactList": "news",
        "newTopicPreferences": {
            "unsubscribeAll": False,
            "topicSubscriptionStatus": [
                {"topicName": "sales", "subscriptionStatus": "OptOut"},
                {"topicName": "tips", "subscriptionStatus": "OptIn"},
            ],
        },
        "oldTopicPreferences": {
            "unsubscribeAll": False,
            "topicSubscriptionStatus": [
                {"topicName": "sales", "subscriptionStatus": "OptIn"},
                {"topicName": "tips", "subscriptionStatus": "OptIn"},
            ],
        },
    }
    mail = {"messageId": "m", "destination": ["a@b.example"]}
    events = from_webhook("ses", {"eventType": "Subscription", "mail": mail, "subscription": subscription})
    assert [(e.type, e.recipient, e.list) for e in events] == [("unsubscribed", "a@b.example", "sales")]


def test_an_open_by_a_proxy() -> None:
    """An open that a mail program made by itself says so."""
    item = {"event": "open", "email": "a@b.example", "sg_machine_open": True}
    (event,) = from_webhook("sendgrid", [item])
    assert (event.type, event.description) == ("opened", "opened by a proxy")


def test_tags_and_metadata() -> None:
    """All tags are kept, and what the sender told the provider; a tag may be JSON of several."""
    (brevo,) = from_webhook(
        "brevo", {"event": "click", "tag": '["a", "b"]', "X-Mailin-custom": '{"order": "17"}'}
    )
    (mailgun,) = from_webhook("mailgun", {"event": "clicked", "tag": ["a", "b"], "order": "17"})
    assert [(e.tags, e.metadata) for e in (brevo, mailgun)] == [(("a", "b"), {"order": "17"})] * 2


def test_the_page_names_every_provider() -> None:
    """The documentation has a line for each provider of the table."""
    page = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text("utf-8")
    assert [name for name in PROVIDERS if f"| `{name}`" not in page] == [], "docs/webhooks.md lacks a row"


def test_seconds_and_milliseconds_are_told_apart() -> None:
    """Today's moment in both is the same moment."""
    both = [
        from_webhook("sendgrid", [{"event": "open", "email": "a@b.example", "timestamp": stamp}])[0].time
        for stamp in (1_581_670_800, 1_581_670_800_000)
    ]
    assert both == [datetime(2020, 2, 14, 9, tzinfo=UTC)] * 2
