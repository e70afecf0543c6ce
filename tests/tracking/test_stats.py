"""What a campaign achieved: counted once for each recipient, with what the numbers can tell."""

from __future__ import annotations

import json
import re
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import browser
from mailflows.errors import ConfigurationError, MissingExtra
from mailflows.feedback import BounceReason, Event, EventType
from mailflows.tracking import METRICS, CampaignStats, compare
from mailflows.tracking._people import _Seen

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCRIPT = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"
EVENTS = st.lists(
    st.builds(
        Event,
        type=st.sampled_from(EventType),
        recipient_id=st.sampled_from("abcde"),
        permanent=st.sampled_from([None, True, False]),
        time=st.sampled_from([None, NOW, NOW + timedelta(hours=3)]),
        user_agent=st.sampled_from(["", "Mozilla/5.0", "curl/8"]),
    ),
    max_size=30,
)


def many(kind: EventType, count: int, **facts: object) -> list[Event]:
    """Return an event of a kind for each of the first recipients."""
    return [Event(kind, recipient_id=str(n), campaign="spring", time=NOW, **facts) for n in range(count)]  # type: ignore[arg-type]


def campaign(clicks: int, *, of: int = 1000, name: str = "spring") -> CampaignStats:
    """Return a campaign with so many clicks."""
    events = many(EventType.DELIVERED, of) + many(EventType.CLICKED, clicks)
    return CampaignStats.from_events([replace(e, campaign=name) for e in events], campaign=name)


def counts(events: list[Event]) -> dict[str, tuple[int, int]]:
    """Return the counts of every rate."""
    return {rate.name: (rate.count, rate.of) for rate in CampaignStats.from_events(events).rates}


def test_a_whole_campaign() -> None:
    """Every rate has its own base."""
    events = [
        *many(EventType.SENT, 100),
        *many(EventType.DELIVERED, 90),
        *many(EventType.OPENED, 40, user_agent="Mozilla/5.0"),
        *many(EventType.OPENED, 30, user_agent="Mozilla/5.0 (X11) Firefox/140.0"),
        *many(EventType.CLICKED, 10),
        *many(EventType.UNSUBSCRIBED, 2),
        *many(EventType.COMPLAINED, 1),
        Event(EventType.BOUNCED, recipient_id="98", permanent=True),
        Event(EventType.BOUNCED, recipient_id="97", status="5.1.1"),
        Event(EventType.BOUNCED, recipient_id="96", status="4.2.2"),
        Event(EventType.BOUNCED, recipient_id="95", permanent=False),
    ]
    assert counts(events) == {
        "delivered": (90, 100),
        "opened": (40, 90),
        "opened by people": (30, 80),
        "clicked": (10, 90),
        "clicked of opened": (10, 30),
        "unsubscribed": (2, 90),
        "complained": (1, 90),
        "hard bounces": (2, 100),
        "soft bounces": (2, 100),
    }


@pytest.mark.property
@given(EVENTS, st.integers(0, 99))
def test_order_and_copies_do_not_matter(events: list[Event], seed: int) -> None:
    """Events come in any order, and some of them twice."""
    named = [replace(event, event_id=str(number)) for number, event in enumerate(events)]
    shuffled = named + named[::2]
    Random(seed).shuffle(shuffled)
    assert CampaignStats.from_events(shuffled).to_dict() == CampaignStats.from_events(named).to_dict()


@pytest.mark.property
@given(EVENTS)
def test_no_share_leaves_its_bounds(events: list[Event]) -> None:
    """Whatever comes, a part is never more than its whole, and the interval holds the share."""
    for rate in CampaignStats.from_events(events).rates:
        share = rate.low if rate.share is None else rate.share  # of nobody there is an interval only
        assert 0 <= rate.low <= share <= rate.high <= 1


def test_hits_are_counted_apart() -> None:
    """What proxies and scanners fetch is told, and no reader's interest."""
    judged = {"hit": {"kind": "scanner"}}
    events = [
        *many(EventType.DELIVERED, 10),
        *many(EventType.CLICKED, 3, raw=judged),
        *many(EventType.CLICKED, 3, raw=judged),
        Event(EventType.OPENED, recipient_id="1", user_agent="YahooMailProxy"),
    ]
    stats = CampaignStats.from_events(events)
    assert stats.hits == {"clicked by scanner": 6, "opened by human": 1}
    assert (
        stats.rate("clicked").count,
        stats.rate("opened").count,
        stats.rate("opened by people").count,
    ) == (0, 1, 1)


def test_without_deliveries_what_did_not_bounce_arrived() -> None:
    """Where the relay tells of no delivery, what was sent and did not come back counts."""
    events = [*many(EventType.SENT, 10), Event(EventType.BOUNCED, recipient_id="1", permanent=True)]
    assert counts(events)["delivered"] == (9, 10)


def test_what_was_rejected_was_not_sent() -> None:
    """A message that the provider refused counts nowhere."""
    assert counts([Event(EventType.REJECTED, recipient_id="1")])["delivered"] == (0, 0)


def test_an_id_and_an_address_are_one_recipient() -> None:
    """A delivery by address and a click by id meet through an event that has both."""
    events = [
        Event(EventType.DELIVERED, recipient="Ada@lovelace.example"),
        Event(EventType.SENT, recipient="ada@lovelace.example", recipient_id="42"),
        Event(EventType.CLICKED, recipient_id="42"),
    ]
    assert counts(events)["clicked"] == (1, 1)


def test_an_event_of_nobody_counts_in_the_totals_only() -> None:
    """An open without a recipient must be one fetched picture."""
    stats = CampaignStats.from_events([Event(EventType.OPENED)])
    assert (stats.hits, stats.rate("opened").of) == ({"opened by human": 1}, 0)


def test_only_one_campaign() -> None:
    """Events of other campaigns are left out where one is named."""
    events = [*many(EventType.SENT, 3), Event(EventType.SENT, recipient_id="9", campaign="autumn")]
    assert CampaignStats.from_events(events, campaign="spring").rate("delivered").of == 3


def test_domains() -> None:
    """Recipients are counted by the domain of their address, the largest first."""
    events = [
        Event(EventType.SENT, recipient="a@b.example"),
        *(Event(EventType.SENT, recipient=f"{n}@C.example") for n in range(2)),
        Event(EventType.BOUNCED, recipient="1@c.example", permanent=True),
    ]
    domains = CampaignStats.from_events(events).domains
    assert [(row.name, row.sent, row.bounced) for row in domains] == [
        ("c.example", 2, 1),
        ("b.example", 1, 0),
    ]


def test_the_time_line_has_no_gaps() -> None:
    """First opens and clicks of people, in even steps."""
    events = [
        Event(EventType.OPENED, recipient_id="1", time=NOW),
        Event(EventType.OPENED, recipient_id="1", time=NOW + timedelta(hours=9)),
        Event(EventType.CLICKED, recipient_id="2", time=NOW + timedelta(hours=2)),
        Event(EventType.OPENED, recipient_id="3", time=NOW, user_agent="YahooMailProxy"),
        Event(EventType.OPENED, recipient_id="4"),
    ]
    line = CampaignStats.from_events(events).timeline(step=timedelta(hours=1))
    assert [(m.start, m.opened, m.clicked) for m in line] == [
        (NOW, 2, 0),
        (NOW + timedelta(hours=1), 0, 0),
        (NOW + timedelta(hours=2), 0, 1),
    ]


def test_a_time_line_of_nothing_is_empty() -> None:
    """Without opens there are no steps."""
    assert CampaignStats.from_events([]).timeline() == ()


@pytest.mark.parametrize("step", [0, -1, 0.01])
def test_a_time_line_has_sensible_steps(step: float) -> None:
    """A step is positive, and does not make a million stretches."""
    events = [Event(EventType.OPENED, recipient_id=str(n), time=NOW + timedelta(days=n)) for n in range(9)]
    with pytest.raises(ConfigurationError) as caught:
        CampaignStats.from_events(events).timeline(step=step)
    assert caught.value.field == "step"


def test_small_numbers_are_said_to_be_small() -> None:
    """No complaint in two hundred still allows nearly two in a hundred."""
    rate = CampaignStats.from_events(many(EventType.DELIVERED, 200)).rate("complained")
    assert str(rate) == "complained: 0.0 % (0 of 200; 0.0 % to 1.9 %)"


def test_of_nobody_nothing_is_known() -> None:
    """Without recipients there is no share, and the interval is everything."""
    rate = CampaignStats.from_events([]).rate("clicked")
    assert (rate.share, rate.low, rate.high, str(rate)) == (
        None,
        0,
        1,
        "clicked: - (0 of 0; 0.0 % to 100.0 %)",
    )


def test_a_rate_that_does_not_exist() -> None:
    """The error names those that do."""
    with pytest.raises(ConfigurationError, match="clicked of opened"):
        campaign(1).rate("ctr")
    with pytest.raises(ConfigurationError, match="clicked of opened"):
        compare(campaign(1), campaign(1)).sentence("ctr")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (40, 80, '"clicked" is 4.0 points higher in b than in a'),
        (80, 40, '"clicked" is 4.0 points lower in b than in a'),
        (40, 45, 'There is no clear difference in "clicked" between a and b'),
    ],
)
def test_comparisons_say_what_can_be_told(first: int, second: int, expected: str) -> None:
    """A difference is claimed only where the interval leaves out none."""
    found = compare(campaign(first, name="a"), campaign(second, name="b"))
    assert found.sentence().startswith(expected)
    assert {d.name: d.is_clear for d in found}["clicked"] is not expected.startswith("There is no clear")


def test_a_comparison_with_nothing() -> None:
    """Of an empty campaign nothing is claimed."""
    assert compare(campaign(0, of=0), campaign(3)).sentence().startswith("No statement about")


def test_results_are_plain_data() -> None:
    """Both results are ready for JSON, with every rate and no recipient."""
    one = campaign(3)
    written = json.dumps([one.to_dict(), compare(one, campaign(4)).to_dict()])
    assert [rate["name"] for rate in json.loads(written)[0]["rates"]] == list(METRICS)
    assert "recipient" not in written


def test_tables() -> None:
    """Printed, the results are tables of one line a rate."""
    assert ["clicked", "3.0", "%", "30", "1000"] in [
        line.split()[:5] for line in str(campaign(30)).splitlines()
    ]
    assert str(CampaignStats.from_events([])).startswith("All campaigns")
    assert len(str(compare(campaign(1), campaign(2))).splitlines()) == len(METRICS) + 1
    assert "\x1b" not in str(campaign(1, name="\x1b[2J")) + str(
        compare(campaign(1, name="\x1b"), campaign(1))
    )


def test_pandas_and_plot() -> None:
    """With the notebook extra the rates are a frame and a drawing."""
    pytest.importorskip("pandas")
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    frame = campaign(30).to_pandas()
    assert frame.loc["clicked", "share"] == pytest.approx(0.03)
    axis = campaign(30, name="$x_{").plot()
    axis.figure.canvas.draw()
    assert axis is campaign(30).plot(axis)


@pytest.mark.parametrize(("package", "method"), [("pandas", "to_pandas"), ("matplotlib.pyplot", "plot")])
def test_without_the_extra(package: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, the error is the command that installs it."""
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(MissingExtra, match=r"\[notebook\]"):
        getattr(campaign(1), method)()


def hostile_report() -> str:
    """Return notebook reports of campaigns and domains whose names are markup."""
    events = [Event(EventType.SENT, recipient=f"a@{SCRIPT}", campaign=SCRIPT)]
    one = CampaignStats.from_events(events, campaign=SCRIPT)
    return one._repr_html_() + compare(one, one)._repr_html_()


def test_reports_hold_no_markup_of_others() -> None:
    """A campaign or a domain with tags in it is text."""
    found = hostile_report()
    assert not re.search(r"<(script|img)", found)
    assert found.count("&lt;script&gt;") >= 2


def test_reports_run_nothing_in_a_browser(tmp_path: Path) -> None:
    """In a real browser, a script in a name stays text, and one of the page itself runs."""
    safe = browser.dumped(f"<title>quiet</title>{hostile_report()}", tmp_path)
    assert "<title>quiet</title>" in safe
    assert "<title>ran</title>" in browser.dumped(f"<title>quiet</title>{SCRIPT}", tmp_path)


MESSAGE = (
    f"<p>{SCRIPT}<a href='https://shop.example/a?x=1&amp;utm_source=n'>Shoes</a> <a href='https://shop.example/b'>"
    "Hats</a> <a href='mailto:a@shop.example'>Write</a> <a href='https://shop.example/c'>Coats</a>"
)


def clicked_map() -> str:
    """Return the map of a message of which three links were clicked by three, one and nobody."""
    clicks = [("1", "a?x=1&utm_campaign=s"), ("2", "a?x=1&utm_campaign=s"), ("3", "a?x=1"), ("1", "b")]
    events = [
        Event(EventType.CLICKED, recipient_id=who, url=f"https://shop.example/{path}") for who, path in clicks
    ]
    return CampaignStats.from_events(events).click_map(MESSAGE)


def test_a_click_map_shows_the_people_at_each_link() -> None:
    """Parameters of campaigns make no difference, and what nobody clicked says so."""
    assert re.findall(r"3px&#x27;&gt;([^&]*)&lt;/span", clicked_map()) == ["3 (100.0 %)", "1 (33.3 %)", "0"]


def test_nothing_runs_in_a_click_map(tmp_path: Path) -> None:
    """The message stands in a frame without scripts, in a real browser."""
    assert "<title>Clicks</title>" in browser.dumped(clicked_map(), tmp_path)


def test_a_long_address_does_not_push_the_numbers_away() -> None:
    """Its cell may break anywhere."""
    events = [Event(EventType.CLICKED, recipient_id="1", url=f"https://shop.example/{'x' * 90}")]
    page = CampaignStats.from_events(events)._repr_html_()
    assert re.search(r"overflow-wrap:anywhere[^>]*>https://shop.example/x", page)


def test_the_memory_of_what_came_twice_is_bounded() -> None:
    """What comes again soon is known; a log without end does not fill the memory."""
    seen = _Seen(1000)
    assert [seen.before(str(n)) for n in (*range(1000), *range(1000))] == [False] * 1000 + [True] * 1000
    tracemalloc.start()
    found = [seen.before(str(n)) for n in range(1000, 200_000)]
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not any(found)
    assert kept < 4_000_000


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SHOP = "https://shop.example/"


def test_a_campaign_explains_itself_in_a_paragraph() -> None:
    """What arrived, who opened and clicked and how sure that is, who left, and what is not counted."""
    events = [
        *many(EventType.SENT, 1000),
        *many(EventType.DELIVERED, 980),
        *many(EventType.OPENED, 300, user_agent=FIREFOX),
        *[
            replace(e, recipient_id=f"{n + 300}")
            for n, e in enumerate(many(EventType.OPENED, 200, user_agent="Mozilla/5.0"))
        ],
        *many(EventType.CLICKED, 40, url=SHOP, user_agent=FIREFOX),
        *many(EventType.CLICKED, 3, url=SHOP, user_agent="curl/8"),
        *many(EventType.UNSUBSCRIBED, 5),
        *[
            Event(EventType.BOUNCED, recipient_id=str(n), campaign="spring", permanent=True)
            for n in range(980, 990)
        ],
        Event(
            EventType.BOUNCED,
            recipient_id="990",
            campaign="spring",
            reason=BounceReason.MAILBOX_FULL,
            permanent=False,
        ),
        Event(EventType.COMPLAINED, recipient_id="7"),
    ]
    assert CampaignStats.from_events(events, campaign="spring").explain() == (
        'The campaign "spring" was sent to 1000 recipients and delivered to 980 of them (98.0 %). '
        "Bounced: 10 permanently and 1 temporarily; the most frequent known reason is mailbox full (1). "
        "Opened by people: 300 of 780 (38.5 %) whose opens can be seen; those of 200 others are hidden by "
        "their mail program. Clicked: 40 of 980 (4.1 %), with 95% certainty between 3.0 % and 5.5 %; most "
        "often https://shop.example/ (40 people). 3 clicks by security scanners and link previews are "
        "not counted. 5 unsubscribed (0.5 %) and nobody complained. 1 event (1 complained) is not counted, "
        "because they name no campaign."
    )


def test_a_campaign_of_nobody_says_so_and_no_more() -> None:
    """No rate is made of nothing."""
    assert (
        CampaignStats.from_events([]).explain()
        == "The messages were sent to nobody, according to the events."
    )


@pytest.mark.parametrize(
    ("delivered", "complaints", "bounced", "said", "unsaid"),
    [
        (10_000, 0, 10, [], ["Complaints", "Permanent bounces"]),
        (10_000, 10, 0, [], ["Complaints"]),
        (
            10_000,
            11,
            0,
            ["Complaints should stay below 0.1 %; with so few, it may be chance: watch"],
            ["pause"],
        ),
        (10_000, 25, 0, ["Complaints should stay below 0.1 %: watch"], ["pause", "chance"]),
        (200, 1, 0, ["may be chance"], ["pause"]),
        (10_000, 60, 0, ["Complaints are above the 0.3 %", "pause"], ["should stay"]),
        (1000, 0, 100, ["Permanent bounces are above 5.0 %"], ["Complaints"]),
        (1000, 0, 55, [], ["Permanent bounces"]),
    ],
)
def test_it_says_what_to_do_where_providers_act(
    delivered: int, complaints: int, bounced: int, said: list[str], unsaid: list[str]
) -> None:
    """Only what is surely above a limit is called so: one complaint of two hundred people proves nothing."""
    events = [*many(EventType.DELIVERED, delivered), *many(EventType.COMPLAINED, complaints)]
    events += [
        Event(EventType.BOUNCED, recipient_id=f"b{n}", campaign="spring", permanent=True)
        for n in range(bounced)
    ]
    text = CampaignStats.from_events(events).explain()
    assert all(words in text for words in said), text
    assert not any(words in text for words in unsaid), text


def test_a_few_clicks_are_called_few() -> None:
    """Up to twenty-nine an interval is wide."""
    assert "So few clicks say little" in campaign(29).explain()
    assert "So few clicks say little" not in campaign(30).explain()
    assert "So few clicks say little" not in campaign(0).explain()
