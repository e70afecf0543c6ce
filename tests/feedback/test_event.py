"""What an event says of itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from mailflows.feedback import Action, BounceReason, Event, EventType

BOUNCE = Event(
    EventType.BOUNCED,
    "ada@example.org",
    reason=BounceReason.MAILBOX_UNKNOWN,
    status="5.1.1",
    smtp_code=550,
    action=Action.SUPPRESS,
    time=datetime(2026, 1, 1, tzinfo=UTC),
    raw={"event": "bounce"},
)


def test_one_line() -> None:
    """An event is told in one line."""
    assert str(BOUNCE) == "bounced: ada@example.org (mailbox-unknown 5.1.1), suppress"


def test_a_line_break_in_an_address_stays_out_of_the_line() -> None:
    """What a report says cannot start a line of a log."""
    assert "\n" not in str(Event(EventType.BOUNCED, "ada@example.org\nroot: login"))


def test_plain_data() -> None:
    """An event as plain data is ready for JSON and has every field."""
    data = json.loads(json.dumps(BOUNCE.to_dict()))
    assert (data["type"], data["time"], data["raw"], data["flow"]) == (
        "bounced",
        "2026-01-01T00:00:00+00:00",
        {"event": "bounce"},
        None,
    )


def test_raw_bytes_are_left_out_of_plain_data() -> None:
    """The bytes of a report, perhaps megabytes, are had from the event only."""
    assert Event(EventType.BOUNCED, raw=b"x").to_dict()["raw"] is None


def test_html_is_escaped() -> None:
    """What a server said does not run in a notebook."""
    shown = Event(EventType.BOUNCED, "a@b.example", smtp_reply="<script>x</script>")._repr_html_()
    assert "<script>" not in shown


def test_the_original_recipient_is_who_was_written_to() -> None:
    """Behind a forward, the address of our list is the original one."""
    event = Event(EventType.BOUNCED, "new@two.example", original_recipient="old@one.example")
    assert event.written_to == "old@one.example"


def test_the_table_shows_what_is_known() -> None:
    """A field without a value has no row, and neither has the payload."""
    shown = Event(EventType.BOUNCED, "ada@one.example", raw={"secret": "payload"})._repr_html_()
    assert ("ada@one.example" in shown, "payload" in shown, "message_id" in shown) == (True, False, False)
