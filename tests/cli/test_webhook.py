"""The command ``webhook``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mailflows.cli import main

if TYPE_CHECKING:
    from pathlib import Path

BODY = (
    '[{"event": "bounce", "email": "ada@one.example", "reason": "550 5.1.1 User unknown", "status": "5.1.1"}]'
)


def test_a_payload_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line an event, with what it means and what to do; as JSON, without the payload."""
    file = tmp_path / "body.json"
    file.write_text(BODY, "utf-8")
    assert main(["webhook", "SendGrid", str(file)]) == 0
    line = capsys.readouterr().out.splitlines()[1].split()
    assert line[1:] == ["ada@one.example", "bounced", "mailbox-unknown", "5.1.1", "suppress"]
    assert main(["webhook", "sendgrid", "--json", "--flow", "marketing", str(file)]) == 0
    event = json.loads(capsys.readouterr().out)
    assert (event["recipient"], event["flow"], "raw" in event) == ("ada@one.example", "marketing", False)


def test_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another payload and a missing file are named; for an unknown provider, the one that was meant."""
    file = tmp_path / "body.json"
    file.write_text('{"hello": 1}', "utf-8")
    assert main(["webhook", "postmark", str(file), str(tmp_path / "gone")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert main(["webhook", "sendgird", str(file)]) == 2
    assert "sendgrid" in capsys.readouterr().err


SAMPLES = {
    "sendgrid": BODY,
    "postmark": '{"RecordType": "Delivery", "MessageID": "m-1", "Recipient": "ada@one.example", '
    '"DeliveredAt": "2026-02-14T09:00:00Z"}',
    "resend": '{"type": "email.bounced", "created_at": "2026-02-14T09:00:00Z", "data": {"email_id": "m-1", '
    '"to": ["ada@one.example"]}}',
    "mailgun": '{"event-data": {"event": "failed", "severity": "permanent", "timestamp": 1771059600.5, '
    '"id": "e-1", "recipient": "ada@one.example"}}',
    "sparkpost": '[{"msys": {"message_event": {"type": "bounce", "rcpt_to": "ada@one.example", '
    '"timestamp": "1771059600", "event_id": "e-1"}}}]',
}


@pytest.mark.parametrize("named", SAMPLES)
@pytest.mark.parametrize("posted", SAMPLES)
def test_another_providers_payload_is_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], named: str, posted: str
) -> None:
    """A payload of another provider is understood, or it is told whose it looks like; never "other" and 0."""
    file = tmp_path / "body.json"
    file.write_text(SAMPLES[posted], "utf-8")
    status = main(["webhook", named, str(file)])
    shown = capsys.readouterr()
    assert status == (0 if named == posted else 2)
    assert (
        " other " not in shown.out
        or f" {posted}" in shown.err.lower().partition("looks like a payload of")[2]
    )


def test_only_those_whose_payload_fits_best_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mailtrap posts what looks like SendGrid's; one field that Mailjet's table finds in it is not enough."""
    file = tmp_path / "body.json"
    file.write_text(SAMPLES["sendgrid"], "utf-8")
    main(["webhook", "brevo", str(file)])
    assert capsys.readouterr().err.rstrip().endswith("it looks like a payload of Mailtrap or SendGrid")


def test_an_unknown_event_of_the_provider(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An event that nobody knows is shown, and the status says that something needs attention."""
    file = tmp_path / "body.json"
    file.write_text('[{"event": "rewarmed", "sg_event_id": "e-1"}]', "utf-8")
    assert main(["webhook", "sendgrid", str(file)]) == 1
    assert "contains no event" in capsys.readouterr().err


def test_stats_of_another_providers_payload(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who measures a campaign by the wrong provider is told so, not that no campaign is named."""
    file = tmp_path / "body.json"
    file.write_text(SAMPLES["sendgrid"], "utf-8")
    assert main(["stats", "brevo", str(file)]) == 2
    assert "SendGrid" in capsys.readouterr().err
