"""The page of a campaign and its drawings: readable in light and dark, wide and narrow; no name runs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

import pytest

import browser
from mailflows.content._color import Color, contrast, parse_color
from mailflows.feedback import BounceReason, Event, EventType
from mailflows.tracking import CampaignStats, compare

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
SCRIPT = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"


def campaign(name: str = "spring") -> CampaignStats:
    """Return a campaign of which every table has rows, and every name is hostile."""
    who: dict[str, Any] = {"campaign": name, "time": NOW}
    events = [Event(EventType.DELIVERED, f"u{n}@{SCRIPT}", recipient_id=str(n), **who) for n in range(20)]
    events += [
        Event(EventType.CLICKED, recipient_id="1", url=f"https://shop.example/{'x' * 200}?{SCRIPT}", **who),
        Event(EventType.OPENED, recipient_id="2", user_agent=SCRIPT, **who),
        Event(EventType.OPENED, recipient_id="2", user_agent="Mozilla/5.0 (X11) Firefox/140.0", **who),
        Event(EventType.BOUNCED, recipient_id="3", permanent=True, reason=BounceReason.MAILBOX_FULL, **who),
        Event(EventType.COMPLAINED, recipient_id="4"),
    ]
    return CampaignStats.from_events(events, campaign=name)


def saved(folder: Path, name: str = "spring") -> str:
    """Return the page of a campaign."""
    campaign(name).save_html(folder / "saved.html", zone="Europe/Paris")
    return (folder / "saved.html").read_text("utf-8")


def test_one_call_writes_the_whole_page(tmp_path: Path) -> None:
    """Its name, the figures that matter first, every table, and hours in the readers' zone."""
    page = saved(tmp_path)
    assert "<title>Campaign &quot;spring&quot; - mailflows</title>" in page
    assert "<dt>clicked</dt><dd>5.3 %<small>1 of 19</small>" in page
    for title in ("Rates", "Links that people clicked", "By provider", "Bounces", "Opens and clicks in all"):
        assert f"<strong>{title}</strong>" in page
    assert "(Europe/Paris)" in page
    without = page.replace(escape(SCRIPT), "")
    assert not re.search(r"<(script|link|img|iframe)|url\(|(src|href)=", without)


def test_the_page_runs_nothing_of_others(tmp_path: Path) -> None:
    """Whatever campaign, link, domain and user agent are called, in a real browser."""
    shown = browser.dumped(saved(tmp_path, SCRIPT), tmp_path)
    assert "<title>ran</title>" not in shown
    assert "<dt>clicked</dt>" in shown


@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_is_no_wider_than_the_screen(width: int, tmp_path: Path) -> None:
    """Tables scroll, the page does not; at the width of a desk even the table of rates does not."""
    measure = (
        "d=this.contentDocument.documentElement;r=d.querySelector('main > div');"
        "document.title=[d.scrollWidth,r.scrollWidth-r.clientWidth]"
    )
    page = escape(saved(tmp_path))
    frame = f'<iframe style=\'width:{width}px;border:0\' srcdoc="{page}" onload="{measure}"></iframe>'
    title = re.search(r"<title>(\d+),(\d+)</title>", browser.dumped(frame, tmp_path))
    assert title is not None
    assert int(title[1]) <= width
    assert width < 1000 or title[2] == "0"


def test_the_page_can_be_read_in_light_and_dark(tmp_path: Path) -> None:
    """Text has a contrast of 4.5 to card and paper, the bars one of 3 (WCAG 2.2, 1.4.3 and 1.4.11)."""
    page = saved(tmp_path)
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w+)", part))
        for part in page.split("@media (prefers-color-scheme: dark)")
    )
    bars = set(re.findall(r"height:.7em;background:(#\w+)", page))
    assert light.keys() == dark.keys()
    assert bars
    for colours in (light, dark):
        for behind in ("paper", "card"):
            assert min(against(colours[behind], colours[name]) for name in ("ink", "quiet")) >= 4.5
            assert min(against(colours[behind], bar) for bar in bars) >= 3


def against(one: str, other: str) -> float:
    """Return the contrast of two colours."""
    first, second = parse_color(one), parse_color(other)
    assert isinstance(first, Color)
    assert isinstance(second, Color)
    return contrast(first, second)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_drawings_can_be_read_in_light_and_dark(dark: bool, given: bool) -> None:  # noqa: FBT001
    """As drawn: labels with units, and the colours of text and lines, on axes of ours or given."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    def axes() -> Any:
        return plt.subplots()[1] if given else None

    one = campaign()
    drawn = {
        "share of recipients (%), with its interval": one.plot(axes(), dark=dark),
        "time (UTC)": one.plot_timeline(axes(), dark=dark),
        "difference (percentage points), with its interval; blue where it is clear": compare(
            one, campaign()
        ).plot(axes(), dark=dark),
    }
    for label, axis in drawn.items():
        assert axis.get_xlabel() == label
        assert axis.get_ylabel() in {"rate", "opened, clicked (recipients per 1:00:00)"}
        for part in axis.figure.axes:
            behind = matplotlib.colors.to_hex(axis.get_facecolor())
            texts = [
                part.xaxis.label,
                part.yaxis.label,
                part.title,
                *part.get_xticklabels(),
                *part.get_yticklabels(),
            ]
            said = [text for text in texts if text.get_text()]
            assert min(against(behind, matplotlib.colors.to_hex(text.get_color())) for text in said) >= 4.5
            lines = [matplotlib.colors.to_hex(line.get_color()) for line in part.get_lines()]
            assert min(against(behind, line) for line in lines) >= 3
        plt.close(axis.figure)


def test_codes_stand_beside_labels() -> None:
    """In plain data and in frames: a word for machines, and one for readers."""
    one = campaign()
    rate = one.rate("opened by people").to_dict()
    assert (rate["code"], rate["label"]) == (
        "opened-by-people",
        "Opened by people, of those whose opens can be seen",
    )
    pytest.importorskip("pandas")
    hits = one.to_pandas("hits")
    assert list(hits["code"]) == ["clicked-by-human", "opened-by-human", "opened-by-scanner"]
    assert list(hits["label"]) == ["clicked by a person", "opened by a person", "opened by a scanner"]
    assert one.to_pandas().loc["clicked", ["code", "label"]].tolist() == ["clicked", "Clicked by people"]
    (bounce,) = one.to_pandas("bounces").reset_index().to_dict("records")
    assert bounce == {
        "reason": "mailbox-full",
        "label": "mailbox full",
        "fault": "recipient",
        "recipients": 1,
    }


def test_a_comparison_is_a_frame() -> None:
    """One row for each pair and rate, with everything that the sentence is made of."""
    pytest.importorskip("pandas")
    frame = compare(campaign(), campaign(), campaign()).to_pandas()
    assert len(frame) == 3 * 9
    clicked = frame.loc["clicked"].iloc[0]
    assert (clicked["first_share"], clicked["difference"], clicked["is_clear"]) == (1 / 19, 0, False)


def test_the_week_of_a_frame_is_told_in_a_zone() -> None:
    """What is counted, and whose hours."""
    pytest.importorskip("pandas")
    frame = campaign().to_pandas("week", what="opened", zone="Europe/Paris")
    assert frame.loc["Wed", "0"] == 1
    assert campaign().to_pandas("unattributed").loc["complained", "total"] == 1
