"""Events of a user's own: words for members, rows for events."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from mailflows.errors import ConfigurationError
from mailflows.feedback import Action, BounceReason, Event, EventType
from mailflows.flow import Flow
from mailflows.tracking import CampaignStats

if TYPE_CHECKING:
    from pathlib import Path

DELIVERED = {"type": "delivered", "recipient": "ada@one.example", "time": "2026-02-14T09:00:00Z"}


@pytest.mark.parametrize(
    ("field", "word", "meant"),
    [("type", "click", "clicked"), ("reason", "mailbox-unknwon", "mailbox-unknown"),
     ("action", "supress", "suppress"), ("flow", "markting", "marketing"), ("type", None, "valid EventType"),
     ("time", "yesterday", "2026-02-14T09:00:00Z")],
)  # fmt: skip
def test_a_wrong_word_says_which_was_meant(field: str, word: Any, meant: str) -> None:
    """A word that would count as nothing is an error."""
    with pytest.raises(ConfigurationError, match=meant) as caught:
        Event(**{"type": EventType.BOUNCED, field: word})
    assert caught.value.field == field


def test_words_are_members() -> None:
    """A word of each kind is as good as the member, and a text as the moment."""
    event = Event("bounced", reason="mailbox-full", action="retry", flow="marketing", time="2026-02-14 09:00")  # type: ignore[arg-type]
    assert (event.type, event.reason) == (EventType.BOUNCED, BounceReason.MAILBOX_FULL)
    assert (event.action, event.flow) == (Action.RETRY, Flow.MARKETING)
    assert event.time == datetime(2026, 2, 14, 9, tzinfo=UTC)
    assert isinstance(event.reason, BounceReason)


def test_rows_and_events_count_alike() -> None:
    """What was kept as JSON counts as the events that it was made of."""
    events = [Event("delivered", recipient_id=str(n)) for n in range(5)]  # type: ignore[arg-type]
    events += [Event("clicked", recipient_id="3", url="https://a.example/", time=datetime.now(UTC))]  # type: ignore[arg-type]
    kept = json.loads(json.dumps([event.to_dict() for event in events]))
    assert CampaignStats.from_events(kept).to_dict() == CampaignStats.from_events(events).to_dict()


@pytest.mark.parametrize("time", ["2026-02-14T09:00:00Z", "1771059600", 1771059600, 1771059600.0, "", None])
def test_a_time_of_a_row(time: Any) -> None:
    """A time is text or Unix seconds, or nothing."""
    stats = CampaignStats.from_events([DELIVERED | {"type": "opened", "time": time}])
    assert bool(stats.timeline()) == (time not in {"", None})


def test_columns_in_other_words() -> None:
    """Capitals, spaces and the commonest other names of columns are understood; others are left alone."""
    row = {"Email": "ada@one.example", "Event": "Clicked ", "Timestamp": "2026-02-14T09:00:00Z",
           "Link": "https://a.example/", "Recipient ID": 7.0, "colour": "red"}  # fmt: skip
    stats = CampaignStats.from_events([row])
    assert (stats.links[0].url, stats.links[0].people) == ("https://a.example/", 1)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"recipient": "ada@one.example", "what": "clicked"}, "what happened"),
        ({"type": "clicked"}, "identifies the recipient"),
        (DELIVERED | {"type": "clikked"}, "did you mean clicked"),
        (DELIVERED | {"time": "soon"}, "not a time"),
        ("delivered", "got str"),
        (None, "got NoneType"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(row: Any, said: str) -> None:
    """The error names the row and what is wrong with it."""
    with pytest.raises(ConfigurationError, match=rf"row 2: .*{said}"):
        CampaignStats.from_events([DELIVERED, row])


@pytest.mark.parametrize("events", [b"x", DELIVERED, Event(EventType.SENT), 7, None])
def test_one_event_is_not_several(events: Any) -> None:
    """What is no series of events is an error of its own."""
    with pytest.raises(ConfigurationError, match="events must be several"):
        CampaignStats.from_events(events)


def test_a_data_frame() -> None:
    """A data frame counts row by row; empty cells say nothing."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "recipient_id": [1, 2, 2],
            "type": ["delivered", "delivered", "clicked"],
            "url": [None, float("nan"), "https://a.example/"],
            "time": pandas.to_datetime(["2026-02-14T09:00Z", None, "2026-02-14T10:00Z"]),
        }
    )
    rate = CampaignStats.from_events(frame).rate("clicked")
    assert (rate.count, rate.of) == (1, 2)


@pytest.mark.parametrize(
    ("word", "rate"),
    [("Open", "opened"), ("Click", "clicked"), ("geklickt", "clicked"), ("désabonné", "unsubscribed"),
     ("Spam report", "complained"), ("Hard Bounce", "hard bounces"), ("soft_bounce", "soft bounces"),
     ("Bounce", "hard bounces")],
)  # fmt: skip
def test_words_of_other_tools(word: str, rate: str) -> None:
    """What mail tools call an event is understood in their words."""
    rows = [{"Email": f"{name}@one.example", "Event": "Sent"} for name in ("ada", "bob")]
    found = CampaignStats.from_events([*rows, {"Email": "ada@one.example", "Event": word}]).rate(rate)
    assert found.count == 1


def test_american_dates_are_read_alike(tmp_path: Path) -> None:
    """Of a file and of rows: one day above twelve decides about all, and a row that contradicts is named."""
    text = (
        "email,event,time\nada@one.example,open,03/04/2026 9:05 PM\nbob@one.example,open,03/24/2026 9:05 AM\n"
    )
    path = tmp_path / "events.csv"
    path.write_text(text, encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    for events in (path, io.StringIO(text), rows, iter(rows)):
        first = CampaignStats.from_events(events).timeline()[0].start
        assert f"{first:%Y-%m-%d %H}" == "2026-03-04 21"
    with pytest.raises(ConfigurationError, match=r'row 3: 24/03/2026 .*dates="day-first"'):
        CampaignStats.from_events([*rows, rows[0] | {"time": "24/03/2026"}])
    with pytest.raises(ConfigurationError, match="row 2: 03/24/2026"):
        CampaignStats.from_events(rows, dates="day-first")


def test_dates_of_two_readings_are_told() -> None:
    """The day is first, as before, and the warning says how to choose; a choice is quiet."""
    rows = [DELIVERED | {"type": "opened", "time": "03/04/2026"}]
    with pytest.warns(UserWarning, match=r"03/04/2026 are ambiguous"):
        stats = CampaignStats.from_events(rows)
    assert stats.timeline()[0].start.month == 4
    assert CampaignStats.from_events(rows, dates="month-first").timeline()[0].start.month == 3
    assert CampaignStats.from_events(rows, dates="day-first").timeline()[0].start.month == 4
    with pytest.raises(ConfigurationError, match="day-first, month-first"):
        CampaignStats.from_events(rows, dates="us")  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_file_of_rows(tmp_path: Path, encoding: str) -> None:
    """A CSV is read from its path: semicolons, German names, day before month, any usual encoding."""
    path = tmp_path / "events.csv"
    rows = ["E-Mail;Ereignis;Datum;Kampagne", "ada@one.example;zugestellt;14.02.2026 09:00;Frühling",
            "ada@one.example;geöffnet;14.02.2026 10:30;Frühling", ""]  # fmt: skip
    path.write_bytes("\r\n".join(rows).encode(encoding))
    for name in (path, str(path)):
        stats = CampaignStats.from_events(name, campaign="Frühling")
        assert (stats.rate("delivered").count, stats.rate("opened").count) == (1, 1)
        assert stats.timeline()[0].start == datetime(2026, 2, 14, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "column", ["Link", "Clicked link", "Link clicked", "URL clicked", "Lien cliqué", "Angeklickter Link"]
)
def test_an_open_file(tmp_path: Path, column: str) -> None:
    """It is read like its path, whatever the column of links is called; a binary one says what to do."""
    path = tmp_path / "events.csv"
    path.write_text(f"Email,Event,{column}\nada@one.example,Clicked,https://a.example/\n", "utf-8")
    with path.open(encoding="utf-8") as file:
        assert [link.url for link in CampaignStats.from_events(file).links] == ["https://a.example/"]
    with path.open("rb") as binary, pytest.raises(ConfigurationError, match="open it as text"):
        CampaignStats.from_events(binary)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_list", [False, True])
def test_a_file_of_json(tmp_path: Path, *, is_list: bool) -> None:
    """JSON lines and one JSON list are read from their path; what is neither is an error."""
    path = tmp_path / "events.json"
    path.write_text(json.dumps([DELIVERED]) if is_list else f"{json.dumps(DELIVERED)}\n")
    assert CampaignStats.from_events(path).rate("delivered").count == 1
    path.write_text("[1" if is_list else "{1")
    with pytest.raises(ConfigurationError, match="neither JSON lines"):
        CampaignStats.from_events(path)
