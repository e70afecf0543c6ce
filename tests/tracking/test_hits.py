"""Who fetched a link: told with its reasons, and never dropped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailflows import Flow
from mailflows.feedback import EventType
from mailflows.tracking import Hit, HitKind, Tracked, judge_hit, judge_hits
from mailflows.tracking._addresses import Purpose

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"


def click(
    url: str | None = "https://shop.example/", *, after: float = 60, recipient: str = "42", **facts: str
) -> Hit:
    """Return a click of a browser, some seconds after delivery."""
    tracked = Tracked(Purpose.CLICK, "spring", recipient, url, url is None, NOW, None)
    return Hit(tracked, NOW + timedelta(seconds=after), **({"user_agent": BROWSER} | facts))


def opened(*, after: float = 60, **facts: str) -> Hit:
    """Return a fetched pixel, some seconds after delivery."""
    tracked = Tracked(Purpose.OPEN, "spring", "42", None, False, NOW, None)  # noqa: FBT003 -- no honeypot
    return Hit(tracked, NOW + timedelta(seconds=after), **({"user_agent": BROWSER} | facts))


@pytest.mark.parametrize(
    ("hit", "kind", "code"),
    [
        (click(), "human", None),
        (opened(), "human", None),
        (opened(user_agent="Mozilla/5.0"), "privacy-proxy", "agent-privacy-proxy"),
        (
            opened(user_agent="Mozilla/5.0 (via ggpht.com GoogleImageProxy)"),
            "privacy-proxy",
            "agent-privacy-proxy",
        ),
        (
            opened(user_agent="YahooMailProxy; https://help.yahoo.example"),
            "privacy-proxy",
            "agent-privacy-proxy",
        ),
        (opened(address="17.58.1.2"), "privacy-proxy", "network-privacy-proxy"),
        (opened(address="192.0.2.1"), "human", None),
        (opened(address="no address"), "human", None),
        (opened(after=0.5), "privacy-proxy", "too-soon"),
        (click(after=0.5), "scanner", "too-soon"),
        (click(method="HEAD"), "scanner", "head-request"),
        (click(user_agent=""), "scanner", "no-user-agent"),
        (click(user_agent="curl/8.5"), "scanner", "agent-scanner"),
        (click(user_agent=BROWSER.replace("Chrome", "HeadlessChrome")), "scanner", "agent-scanner"),
        (click(None), "scanner", "honeypot"),
    ],
)
def test_kinds(hit: Hit, kind: str, code: str | None) -> None:
    """Each sign leads to its kind, and stands in the reasons."""
    verdict = judge_hit(hit, delivered=NOW)
    assert (verdict.kind, [reason.code for reason in verdict.reasons]) == (kind, [code] if code else [])


def test_a_scanner_outweighs_a_proxy() -> None:
    """What asks without fetching is a scanner, also from a proxy's network."""
    assert judge_hit(click(method="HEAD", address="17.1.1.1")).kind is HitKind.SCANNER


def test_all_links_at_once() -> None:
    """Whoever follows all links within seconds is no reader; two of them in two tabs may be."""
    hits = [click(f"https://shop.example/{n}", after=60 + n) for n in range(3)]
    assert {v.kind for v in judge_hits(hits, links=3)} == {HitKind.SCANNER}
    assert {v.kind for v in judge_hits(hits[:2], links=2)} == {HitKind.HUMAN}
    assert {v.kind for v in judge_hits(hits)} == {HitKind.HUMAN}
    many = [click(f"https://shop.example/{n}", after=60 + n) for n in range(5)]
    assert {v.kind for v in judge_hits(many, links=40)} == {HitKind.SCANNER}


def test_links_over_an_hour() -> None:
    """A reader who follows every link in turn is one."""
    hits = [click(f"https://shop.example/{n}", after=60 + 600 * n) for n in range(6)]
    assert {v.kind for v in judge_hits(hits, links=6)} == {HitKind.HUMAN}


def test_the_company_of_a_honeypot() -> None:
    """What comes with it comes from the same program; an hour later it does not."""
    hits = [click(None, after=60), click(after=62), click(after=3600)]
    assert [v.kind for v in judge_hits(hits)] == ["scanner", "scanner", "human"]


def test_recipients_are_judged_apart() -> None:
    """Five recipients who click at once are no scanner."""
    hits = [click(f"https://shop.example/{n}", recipient=str(n)) for n in range(5)]
    assert {v.kind for v in judge_hits(hits, links=5)} == {HitKind.HUMAN}


def test_delivery_is_looked_up_by_campaign_and_recipient() -> None:
    """Each message has its own moment."""
    (verdict,) = judge_hits([click(after=1)], delivered={("spring", "42"): NOW})
    assert verdict.kind is HitKind.SCANNER


def test_a_flood_is_judged_in_time() -> None:
    """Twenty thousand requests of one client in a second are judged one by one."""
    hits = [click(f"https://shop.example/{n % 7}", after=60 + n / 20_000) for n in range(20_000)]
    assert all(verdict.kind is HitKind.SCANNER for verdict in judge_hits(hits))


def test_a_hit_becomes_an_event() -> None:
    """The event has the words of the feedback part, and keeps kind and reasons, but no IP address."""
    event = judge_hit(opened(user_agent="Mozilla/5.0", address="192.0.2.7")).to_event(flow=Flow.MARKETING)
    assert (event.type, event.campaign, event.recipient_id, event.verified) == (
        EventType.OPENED,
        "spring",
        "42",
        True,
    )
    assert isinstance(event.raw, dict)
    assert event.raw["hit"]["kind"] == "privacy-proxy"
    assert "192.0.2.7" not in repr(event.raw)
    assert judge_hit(click()).to_event().url == "https://shop.example/"


def test_one_line() -> None:
    """A verdict says itself."""
    assert str(judge_hit(click())) == "click by a human"
    assert str(judge_hit(click(user_agent=""))) == "click by a scanner (the client did not name itself)"
