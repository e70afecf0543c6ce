"""The tables of a campaign: links, bounces, providers, hours; what is said and never silently zero."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import browser
import shared_cases
from mailflows.errors import ConfigurationError
from mailflows.feedback import BounceReason, Event, EventType
from mailflows.tracking import CampaignStats, compare, recipients_needed

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)  # a Tuesday


def delivered(count: int, *, campaign: str = "spring") -> list[Event]:
    """Return a delivery for each of the first recipients."""
    return [Event(EventType.DELIVERED, recipient_id=str(n), campaign=campaign) for n in range(count)]


def clicked(who: int, url: str = "https://shop.example/a", **facts: object) -> Event:
    """Return a click of a recipient."""
    return Event(EventType.CLICKED, recipient_id=str(who), campaign="spring", url=url, **facts)  # type: ignore[arg-type]


def variant(name: str, clicks: int, of: int) -> CampaignStats:
    """Return a campaign with so many clicks."""
    events = [*delivered(of), *(clicked(n) for n in range(clicks))]
    return CampaignStats.from_events([replace(event, campaign=name) for event in events], campaign=name)


def test_links_are_counted_by_people_and_by_clicks() -> None:
    """The most clicked first; what scanners follow is left out."""
    other = "https://shop.example/b"
    events = [
        *delivered(9),
        *(clicked(n) for n in (1, 2, 2)),
        clicked(3, other),
        clicked(4, other, user_agent="curl/8"),
    ]
    stats = CampaignStats.from_events(events)
    assert [(row.url, row.people, row.total) for row in stats.links] == [
        ("https://shop.example/a", 2, 3),
        (other, 1, 1),
    ]
    assert (stats.rate("clicked").count, stats.rate("clicked").total) == (3, 4)
    assert stats.links[0].url in stats._repr_html_()


def test_a_late_bounce_takes_the_delivery_back() -> None:
    """Servers take a message and send a report hours later; a deferral that was delivered is delivered."""
    times = {"early": NOW, "late": NOW + timedelta(hours=1)}
    full = BounceReason.MAILBOX_FULL

    def count(permanent: bool, bounced: str, arrived: str) -> tuple[int, dict[str, int]]:  # noqa: FBT001
        events = [
            Event(EventType.BOUNCED, recipient_id="1", permanent=permanent, reason=full, time=times[bounced]),
            Event(EventType.DELIVERED, recipient_id="1", time=times[arrived]),
        ]
        stats = CampaignStats.from_events(events)
        return stats.rate("delivered").count, stats.bounces

    assert count(permanent=True, bounced="late", arrived="early") == (0, {"mailbox-full": 1})
    assert count(permanent=False, bounced="late", arrived="early") == (0, {"mailbox-full": 1})
    assert count(permanent=False, bounced="early", arrived="late") == (1, {})
    assert count(permanent=True, bounced="early", arrived="late") == (1, {})


def test_whose_click_came_has_received_it() -> None:
    """A bounce of a forwarded copy takes back nothing from a reader."""
    events = [Event(EventType.BOUNCED, recipient_id="1", permanent=True), clicked(1)]
    stats = CampaignStats.from_events(events)
    assert (stats.rate("delivered").count, stats.rate("hard bounces").count) == (1, 0)


def test_what_names_no_campaign_is_told() -> None:
    """Complaints often do not; those of another campaign are no riddle."""
    events = [
        *delivered(3),
        Event(EventType.COMPLAINED, recipient_id="1"),
        Event(EventType.COMPLAINED, recipient_id="2", campaign="autumn"),
    ]
    stats = CampaignStats.from_events(events, campaign="spring")
    assert stats.unattributed == {"complained": 1}
    assert "without a campaign" in stats._repr_html_()
    assert CampaignStats.from_events(events).unattributed == {}


def test_a_campaign_that_is_not_there_is_an_error() -> None:
    """A typing error must not look like a failure; before the first event there is nothing to say."""
    with pytest.raises(ConfigurationError, match="'spring'") as caught:
        CampaignStats.from_events(delivered(3), campaign="Spring")
    assert caught.value.field == "campaign"
    assert CampaignStats.from_events([], campaign="Spring").rate("delivered").of == 0


def test_a_time_without_a_zone_is_an_error() -> None:
    """Whatever else is in the stream."""
    with pytest.raises(ConfigurationError, match="time zone"):
        CampaignStats.from_events([clicked(1, time=datetime(2026, 11, 24, 9))])  # noqa: DTZ001


def test_providers_and_domains_have_intervals() -> None:
    """Two domains of one provider are one of its rows."""
    names = ["a@gmail.com", "b@googlemail.com", "c@shop.example"]
    events = [Event(EventType.DELIVERED, recipient=name) for name in names]
    events.append(Event(EventType.CLICKED, recipient="a@gmail.com"))
    stats = CampaignStats.from_events(events)
    assert [(row.name, row.sent) for row in stats.providers] == [("google", 2), ("shop.example", 1)]
    found = stats.to_dict()["domains"][0]
    assert (found["domain"], found["clicked"]["count"], found["clicked"]["of"]) == ("gmail.com", 1, 1)
    assert found["complained"]["interval"][1] > 0.7  # of one nothing is known


def test_hours_are_those_of_a_zone() -> None:
    """Half past eleven on Tuesday in London is Wednesday in Paris."""
    stats = CampaignStats.from_events([clicked(1, time=NOW)])
    assert stats.week()[1][23] == 1
    assert stats.week(zone="Europe/Paris")[2][0] == 1
    assert stats.timeline(zone="Europe/Paris")[0].start.hour == 0
    with pytest.raises(ConfigurationError) as caught:
        stats.week(zone="Europe/Nowhere")
    assert caught.value.field == "zone"
    with pytest.raises(ConfigurationError):
        stats.week("slept")


def test_who_leaves_is_on_the_time_line() -> None:
    """Unsubscribes, complaints and bounces beside opens and clicks."""
    kinds = (EventType.UNSUBSCRIBED, EventType.COMPLAINED)
    events = [Event(kind, recipient_id="1", time=NOW) for kind in kinds]
    events.append(Event(EventType.BOUNCED, recipient_id="2", permanent=True, time=NOW))
    (moment,) = CampaignStats.from_events(events).timeline()
    assert (moment.unsubscribed, moment.complained, moment.bounced) == (1, 1, 1)


@pytest.mark.parametrize(
    "table", ["rates", "links", "domains", "providers", "bounces", "hits", "timeline", "week"]
)
def test_every_table_is_a_frame(table: str) -> None:
    """With the notebook extra."""
    pytest.importorskip("pandas")
    stats = CampaignStats.from_events([Event(EventType.CLICKED, recipient="a@b.example", time=NOW)])
    assert len(stats.to_pandas(table)) == {"rates": 9, "week": 7, "bounces": 0}.get(table, 1)
    with pytest.raises(ConfigurationError, match="rates"):
        stats.to_pandas("rows")


@pytest.mark.parametrize("dark", [False, True])
def test_drawings_have_names_on_their_axes(dark: bool) -> None:  # noqa: FBT001
    """For a light and for a dark page."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    stats = CampaignStats.from_events([*delivered(5), clicked(1, time=NOW), clicked(2, time=NOW)])
    for axis in (stats.plot(dark=dark), stats.plot_timeline(dark=dark)):
        axis.figure.canvas.draw()
        assert axis.get_xlabel()
        assert sum(axis.figure.get_facecolor()[:3]) == (0 if dark else 3)


def test_three_variants_that_are_equal_are_rarely_told_apart() -> None:
    """Of true ties at most one family in twenty has a clear difference."""
    chance = random.Random(7)

    def draw(number: int) -> CampaignStats:
        return variant(str(number), sum(chance.random() < 0.05 for _ in range(150)), 150)

    clear = sum(
        any(d.is_clear for d in compare(*map(draw, range(3))) if d.name == "clicked") for _ in range(100)
    )
    assert clear <= 9  # one in twenty, and two standard errors
    found = compare(variant("a", 10, 500), variant("b", 50, 500), variant("c", 52, 500))
    assert [d.campaigns for d in found if d.name == "clicked" and d.is_clear] == [("a", "b"), ("a", "c")]


def test_small_numbers_need_the_exact_test() -> None:
    """Four of ten against none looks clear, and happens by chance once in twelve times."""
    (found,) = [d for d in compare(variant("a", 0, 10), variant("b", 4, 10)) if d.name == "clicked"]
    assert (found.low > 0, round(found.chance or 0, 3), found.is_clear) == (True, 0.087, False)


def test_a_plan_tells_how_many_it_takes() -> None:
    """Fleiss' number, more for more variants, and fewer for a larger difference."""
    assert recipients_needed(0.04, difference=0.02) == recipients_needed(0.06, difference=-0.02) == 1863
    assert (
        recipients_needed(0.04, difference=0.02, variants=3) > 1863 > recipients_needed(0.04, difference=0.04)
    )
    for wrong in ({"share": 0.99, "difference": 0.02}, {"share": 0.1, "difference": 0}):
        with pytest.raises(ConfigurationError):
            recipients_needed(**wrong)  # type: ignore[arg-type]


def test_a_campaign_is_a_page(tmp_path: Path) -> None:
    """One call writes it, and a real browser shows all tables, whatever the links are called."""
    url = "https://shop.example/<script>document.title='ran'</script>"
    events = [Event(EventType.CLICKED, recipient="a@b.example", url=url, time=NOW)]
    CampaignStats.from_events(events).save_html(tmp_path / "page.html")
    shown = browser.dumped((tmp_path / "page.html").read_text("utf-8"), tmp_path)
    for name in ("Links that people clicked", "By provider", "By domain", "First clicks by weekday"):
        assert name in shown
    assert "<title>ran</title>" not in shown


def test_outside_campaigns() -> None:
    """The outside list: what is wanted of each stands in the figures, or in the error."""
    for row in map(json.loads, shared_cases.cases("content-2/stats.jsonl").splitlines()):
        events = [event_of(found) for found in row["events"]]
        if isinstance(row["want"], str) and row["want"] != "no error":
            with pytest.raises(ConfigurationError, match=r"time zone|'Spring'"):
                CampaignStats.from_events(events, campaign=row["campaign"])
            continue
        found = CampaignStats.from_events(events, campaign=row["campaign"]).to_dict()
        rates = {rate["name"]: rate for rate in found["rates"]}
        for name, want in {} if row["want"] == "no error" else row["want"].items():
            if name == "domains":
                rows = {one["domain"]: one["clicked"] for one in found["domains"]}
                got = {key: {"clicked": numbers(one)} for key, one in rows.items()}
            elif name in rates:
                got = (
                    {key: rates[name][key] for key in want}
                    if isinstance(want, dict)
                    else rates[name]["count"]
                )
            else:
                got = found[name]
            assert got == want, (row["id"], name)


def numbers(rate: dict[str, object]) -> list[object]:
    """Return count, of, low and high of a rate."""
    low, high = rate["interval"]  # type: ignore[misc]
    return [rate["count"], rate["of"], round(low, 4), round(high, 4)]  # type: ignore[has-type]


def event_of(row: dict[str, str]) -> Event:
    """Return a row of the outside list as an event."""
    facts: dict[str, object] = dict(row)
    facts["type"] = EventType(row["type"])
    if "time" in row:
        facts["time"] = datetime.fromisoformat(row["time"])
    if "reason" in row:
        facts["reason"] = BounceReason(row["reason"])
    return Event(**facts)  # type: ignore[arg-type]
