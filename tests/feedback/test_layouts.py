"""Reports that are no standard ones: who was not reached, why, and what to do."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from mailflows.feedback import parse_bounce

REPORTS = tomllib.loads(Path(__file__).with_name("layouts.toml").read_text("utf-8"))["report"]


def message(report: dict[str, Any]) -> bytes:
    """Return a report as it comes."""
    content = "" if "Content-Type" in report.get("more", "") else "Content-Type: text/plain; charset=utf-8\n"
    head = f"From: {report['from']}\nTo: news@sender.example\nSubject: {report['subject']}\n"
    text: str = head + content + report.get("more", "") + "\n" + report["text"]
    return text.encode()


@pytest.mark.parametrize("report", REPORTS, ids=[report["name"] for report in REPORTS])
def test_layout(report: dict[str, Any]) -> None:
    """Each recipient that a report names gets its reason and its action, and nobody else is named."""
    events = parse_bounce(message(report))
    assert [[e.recipient, str(e.reason), str(e.action)] for e in events] == report["found"]


@pytest.mark.parametrize(
    "report", [r for r in REPORTS if "type" in r], ids=[r["name"] for r in REPORTS if "type" in r]
)
def test_a_delay_is_no_bounce(report: dict[str, Any]) -> None:
    """What is still tried is deferred."""
    assert [str(event.type) for event in parse_bounce(message(report))] == [report["type"]]


@pytest.mark.parametrize(
    "report", [r for r in REPORTS if "message_id" in r], ids=[r["name"] for r in REPORTS if "message_id" in r]
)
def test_the_returned_message_is_named(report: dict[str, Any]) -> None:
    """The Message-ID of what came back is found in the text behind the report."""
    assert {event.message_id for event in parse_bounce(message(report))} == {report["message_id"]}
