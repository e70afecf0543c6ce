"""Recipients beyond what fits into memory: the same counts, from a file that is gone in the end."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows.feedback import Event, EventType
from mailflows.tracking import CampaignStats
from mailflows.tracking._crowd import Crowd
from mailflows.tracking._people import gather
from mailflows.tracking._tally import OTHER_LINKS, Tally, tallied

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = [(who, f"{who}@{domain}.example") for who, domain in zip("abcde", "xxyyz", strict=True)]
# Each recipient is named by id, by address, or by both.
EVENTS = st.lists(
    st.builds(
        lambda name, has, **facts: Event(
            recipient_id=name[0] if has != "address" else None,
            recipient=name[1] if has != "id" else None,
            **facts,
        ),
        st.sampled_from(NAMES),
        st.sampled_from(["id", "address", "both"]),
        type=st.sampled_from(EventType),
        permanent=st.sampled_from([None, True, False]),
        time=st.sampled_from([None, NOW, NOW + timedelta(hours=3)]),
        url=st.sampled_from(["https://shop.example/a", "https://shop.example/b?utm_source=n", None]),
        user_agent=st.sampled_from(["", "Mozilla/5.0", "curl/8"]),
    ),
    max_size=30,
)


def counted(events: Iterable[Event], most: int) -> Tally:
    """Return what recipients come to, with so many names in memory."""
    with Crowd(most) as crowd:
        found = gather(events, crowd)
        return tallied(crowd.people(), tells_deliveries=found.tells_deliveries)


@pytest.mark.property
@given(EVENTS, st.integers(1, 9))
def test_what_is_written_away_counts_as_what_is_not(events: list[Event], most: int) -> None:
    """Whatever comes in whatever order, and however little fits into memory."""
    assert counted(events, most) == counted(events, 1_000_000)


def test_who_was_known_by_an_address_first_is_joined_in_the_file() -> None:
    """Although the event that names both comes when the first is written away, and so does the last."""
    others = [Event(EventType.DELIVERED, recipient_id=str(n)) for n in range(50)]
    events = [
        Event(EventType.DELIVERED, recipient="Ada@lovelace.example"),
        *others,
        Event(EventType.SENT, recipient="ada@lovelace.example", recipient_id="ada"),
        *others,
        Event(EventType.CLICKED, recipient="ada@lovelace.example", url="https://shop.example/"),
        Event(EventType.CLICKED, recipient_id="ada", url="https://shop.example/"),
    ]
    found = counted(events, 7)
    assert found.kinds.total() == 51
    assert (found.readers, found.clicks) == ({"https://shop.example/": 1}, {"https://shop.example/": 2})
    assert found.domain_clicks == {"lovelace.example": 2}


def stream(recipients: int) -> Iterator[Event]:
    """Yield a delivery to each recipient, then a click of each second one."""
    for number in range(recipients):
        yield Event(
            EventType.DELIVERED, f"u{number}@d{number % 9}.example", recipient_id=str(number), time=NOW
        )
    for number in range(0, recipients, 2):
        yield Event(EventType.CLICKED, recipient_id=str(number), url="https://shop.example/", time=NOW)


def test_memory_does_not_hold_all_recipients() -> None:
    """Where a tenth of the names fits, it takes far less than where all do."""

    def peak(most: int) -> int:
        tracemalloc.start()
        found = counted(stream(6_000), most)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (found.kinds.total(), found.clicks.total()) == (6_000, 3_000)
        return highest

    assert 2 * peak(1_000) < peak(1_000_000)


def test_the_file_is_gone_in_the_end() -> None:
    """Also where the events stop with an error."""

    def broken() -> Iterator[Event]:
        yield from stream(100)
        raise InterruptedError

    before = open_files()
    with pytest.raises(InterruptedError):
        counted(broken(), 10)
    assert open_files() == before


def open_files() -> int:
    """Return how many files this process has open; none where the system does not tell."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def test_links_of_each_recipients_own_are_counted_together() -> None:
    """Ten thousand links have a row each, the others one; nothing is lost."""
    events = [
        Event(EventType.CLICKED, recipient_id=str(n), url=f"https://shop.example/?u={n}")
        for n in range(10_500)
    ]
    stats = CampaignStats.from_events([*events, replace(events[0], recipient_id="0")])
    assert len(stats.links) == 10_001
    assert (stats.links[0].url, stats.links[0].people) == (OTHER_LINKS, 500)
    assert sum(row.total for row in stats.links) == 10_501
