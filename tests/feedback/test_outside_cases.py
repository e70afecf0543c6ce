"""Real bounces and the payloads of providers, which are not part of the project."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from bounce_cases import judged

from mailflows.feedback import from_webhook, parse_bounce, verify_webhook
from shared_cases import ROOT, cases

BOUNCES = ROOT / "cases" / "feedback" / "bounces"

RECORDED = {
    *("amazon_ses", "brevo", "mailersend", "mailgun", "mailjet"),
    *("mandrill", "postmark", "resend", "sendgrid", "sparkpost"),
}
"""Providers whose payloads were recorded."""

WORDS = {"failed": "rejected", "unknown": "other", "autoresponded": "autoreplied"}
"""Words of the outside cases that are others here."""

ELSEWHERE = {
    # A time that the outside cases take for milliseconds, or do not read.
    "BrevoDeliveryTestCase.test_complaint",
    "BrevoDeliveryTestCase.test_error_email",
    "SparkPostDeliveryTestCase.test_generation_failure_event",
    # First opens are "unknown" there unless an option says that they are opens; here they are opens.
    "SparkPostDeliveryTestCase.test_amp_events",
    "SparkPostDeliveryTestCase.test_initial_open_event_as_unknown",
}


@pytest.fixture(scope="module")
def quality() -> Any:
    """Return what comes of the outside bounces."""
    cases("feedback/bounces/expected.json")
    return judged(BOUNCES)


def test_exact_recipients(quality: Any) -> None:
    """In 98 of 100 files the recipients are exactly the expected ones."""
    assert quality.share_exact >= 0.98, quality.wrong_files


def test_suppressions_that_are_given_are_right(quality: Any) -> None:
    """Of the suppressions that are given, 97 of 100 are hard bounces."""
    assert quality.precision >= 0.97


def test_hard_bounces_are_suppressed(quality: Any) -> None:
    """Of the hard bounces, 95 of 100 are suppressed."""
    assert quality.recall >= 0.95


@pytest.mark.parametrize("number", ["01", "02"])
def test_what_is_no_bounce(number: str) -> None:
    """Nothing is found in messages that are no bounces."""
    raw = cases(f"feedback/bounces/not/is-not-bounce-{number}.eml")
    assert parse_bounce(raw) == ()


@pytest.mark.parametrize("provider", sorted(RECORDED))
def test_payloads(provider: str) -> None:
    """What a provider posts gives the expected events."""
    for case in json.loads(cases(f"feedback/webhooks/{provider}.json")):
        if case["name"] in ELSEWHERE:
            continue
        headers = {name: str(value) for name, value in (case.get("headers") or {}).items()}
        found = [
            (e.type, e.recipient, e.message_id, e.event_id, e.time, e.url, e.user_agent or None)
            for e in from_webhook(provider, case["payload"], headers=headers)
        ]
        assert found == [_expected(event) for event in case["expected"]], case["name"]


def _expected(event: dict[str, Any]) -> tuple[object, ...]:
    """Return an event of the outside cases in our words."""
    moment, name = event["timestamp"], event["message_id"]
    return (
        WORDS.get(event["event_type"], event["event_type"]),
        event["recipient"],
        name.strip("<>") if name else None,
        event["event_id"],
        datetime.fromisoformat(moment) if moment else None,
        event["click_url"],
        event["user_agent"],
    )


def test_signatures() -> None:
    """What providers signed is accepted, what was changed is not."""
    for provider, requests in json.loads(cases("feedback/webhooks/signatures.json")).items():
        for case in requests:
            headers = {name: str(value) for name, value in case["headers"].items()}
            accepted = verify_webhook(
                provider,
                case["body"].encode(),
                key=case["key"],
                headers=headers | {"Content-Type": case["content_type"]},
                url=case.get("url") or "",
                max_age=None,
            )
            assert accepted is case["accepted"], case["name"]
