"""Who fetched a link: told with its reasons, and never dropped."""

from __future__ import annotations

import csv
import json
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailflows import ConfigurationError, Flow
from mailflows._token import Purpose
from mailflows.feedback import Event, EventType
from mailflows.tracking import CampaignStats, Hit, HitKind, Tracked, judge_hit, judge_hits
from shared_cases import cases

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
            "human",
            "reader-proxy",
        ),
        (opened(user_agent="YahooMailProxy; https://help.yahoo.example"), "human", "reader-proxy"),
        (opened(user_agent=f"{BROWSER} Edge/12.246 Mozilla/5.0"), "privacy-proxy", "agent-privacy-proxy"),
        (opened(user_agent="Spark/3.1 (Mac)"), "human", None),
        (opened(user_agent="Mozilla/4.0 (compatible; MSIE 7.0; Microsoft Outlook 16.0)"), "human", None),
        (click(user_agent="Rust-reqwest/0.12"), "scanner", "agent-scanner"),
        (
            click(user_agent="Mozilla/5.0 (compatible; LinkGuard; +https://lg.example)"),
            "scanner",
            "agent-scanner",
        ),
        (click(user_agent="WhatsApp/2.24 A"), "scanner", "agent-scanner"),
        (click(user_agent=f"{BROWSER} [WhatsApp/2.24]"), "human", None),
        (click(address="40.107.1.2"), "uncertain", "network-scanner"),
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
    """The client that followed it stays a program, its pixel too; another client beside it is a person."""
    program = BROWSER.replace("140", "139")
    hits = [click(None, user_agent=program), click(after=62, user_agent=program), click(after=64)]
    later = [click(after=3600, user_agent=program), opened(after=50, user_agent=program)]
    kinds = {v.hit: str(v.kind) for v in judge_hits([*hits, *later])}
    assert [kinds[hit] for hit in (*hits, *later)] == ["scanner", "scanner", "human", "scanner", "scanner"]


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
    assert str(judge_hit(click(user_agent=""))) == "click by a scanner (the client sent no user agent)"


def test_a_double_click_and_a_hammer() -> None:
    """Two fetches of one link are impatience, a dozen in a minute are a program."""
    assert {v.kind for v in judge_hits([click(after=60), click(after=61)])} == {HitKind.HUMAN}
    assert {v.kind for v in judge_hits([click(after=60 + n) for n in range(12)])} == {HitKind.SCANNER}


def test_two_links_at_once() -> None:
    """Nobody follows two links within half a second."""
    hits = [click(f"https://shop.example/{n}", after=60 + 0.4 * n) for n in range(2)]
    assert {v.kind for v in judge_hits(hits, links=9)} == {HitKind.SCANNER}


def test_tabs_of_a_reader() -> None:
    """Who opened the message hours after it came may open all its links in tabs."""
    clicks = [click(f"https://shop.example/{n}", after=9000 + 2 * n) for n in range(5)]
    kinds = {
        v.kind for v in judge_hits([opened(after=8990), *clicks], delivered={("spring", "42"): NOW}, links=5)
    }
    assert kinds == {HitKind.HUMAN}


def test_a_scan_from_several_networks() -> None:
    """One program that spreads its links over networks is one scan, and a person beside it a person."""
    program = BROWSER.replace("140", "125")
    hits = [
        click(f"https://shop.example/{n}", after=60 + 5 * n, address=f"192.0.{n}.9", user_agent=program)
        for n in range(4)
    ]
    beside = click("https://shop.example/2", after=66, address="198.51.100.7")
    kinds = {v.hit: v.kind for v in judge_hits([*hits, beside], links=4)}
    assert {kinds[hit] for hit in hits} == {HitKind.SCANNER}
    assert kinds[beside] is HitKind.HUMAN


def test_a_scan_that_shifts_its_name_and_network() -> None:
    """A new browser from a new network for each link; who loaded the pixel on another client is a person."""
    hits = [
        click(
            f"https://shop.example/{n}",
            after=20 + 6 * n,
            address=f"192.0.{n}.9",
            user_agent=BROWSER.replace("140", str(110 + n)),
        )
        for n in range(4)
    ]
    reader = {"address": "198.51.100.7"}
    person = [opened(after=30, **reader), click("https://shop.example/2", after=34, **reader)]
    kinds = {v.hit: v.kind for v in judge_hits([*hits, *person], delivered={("spring", "42"): NOW})}
    assert {kinds[hit] for hit in hits} == {HitKind.SCANNER}
    assert {kinds[hit] for hit in person} == {HitKind.HUMAN}


def test_two_readers_of_one_address_are_people() -> None:
    """A shared mailbox: two clients follow links within a minute, and more of them in the evening."""
    hits = [
        click(
            f"https://shop.example/{n}",
            after=after,
            address=f"192.0.{n}.9",
            user_agent=BROWSER.replace("140", str(110 + n)),
        )
        for n, after in enumerate((60, 80, 9_000, 9_020, 9_040))
    ]
    verdicts = judge_hits(hits, delivered={("spring", "42"): NOW})
    assert {v.kind for v in verdicts} == {HitKind.HUMAN}


def test_a_client_that_scans_others_scans_everybody() -> None:
    """Proved with two recipients, the very same client is a scanner with the third."""
    facts: dict[str, Any] = {"address": "192.0.2.9"}
    hits = [click(None, recipient=str(n), **facts) for n in (1, 2)] + [click(recipient="3", **facts)]
    assert {v.kind for v in judge_hits(hits)} == {HitKind.SCANNER}
    assert judge_hit(click(recipient="3", **facts)).kind is HitKind.HUMAN


@pytest.mark.parametrize("seconds", [-3, -3600])
def test_clocks_that_disagree_prove_nothing(seconds: float) -> None:
    """A hit before the delivery was told is no scanner's for that."""
    assert judge_hit(click(after=seconds), delivered=NOW).kind is HitKind.HUMAN


def test_a_moment_without_a_zone_is_refused() -> None:
    """The error names the zone, at the first place that sees the time."""
    with pytest.raises(ConfigurationError, match="time zone"):
        Hit(click().tracked, datetime(2026, 3, 1))  # noqa: DTZ001


@pytest.mark.parametrize("audience", ["gmail", "apple", "microsoft", "mixed"])
def test_the_rates_of_an_audience_are_what_happened(audience: str) -> None:
    """97 % of the hits are judged right, and the rates come within two points of the truth."""
    truth = tomllib.loads(cases("content-2/audiences.toml"))[audience]
    rows = [json.loads(line) for line in cases(f"content-2/hits-{audience}.jsonl").splitlines()]
    told = csv.DictReader(cases(f"content-2/deliveries-{audience}.csv").splitlines())
    delivered = {("c", row["recipient"]): datetime.fromisoformat(row["delivered"]) for row in told}
    hits = {hit_of(row): row["truth"] == "person" for row in rows}
    verdicts = list(judge_hits(hits, delivered=delivered, links=truth["links"]))
    right = sum((v.kind is HitKind.HUMAN) == hits[v.hit] for v in verdicts)
    assert right >= 0.97 * len(hits)
    events = [Event(EventType.DELIVERED, recipient_id=recipient, campaign="c") for _, recipient in delivered]
    stats = CampaignStats.from_events([*events, *(v.to_event() for v in verdicts)], campaign="c")
    for name, key in (("opened by people", "opened"), ("clicked of opened", "clicked_of_opened")):
        assert stats.rate(name).share == pytest.approx(truth[key], abs=0.02)


def hit_of(row: dict[str, Any]) -> Hit:
    """Return a row of a simulated log as a hit."""
    url = None if row["link"] is None or row["link"] == "trap" else f"https://shop.example/{row['link']}"
    tracked = Tracked(Purpose(row["purpose"]), "c", row["recipient"], url, row["link"] == "trap", NOW, None)
    moment = datetime.fromisoformat(row["time"])
    return Hit(tracked, moment, row["method"], row["user_agent"], row["address"])


@pytest.mark.parametrize(("seconds", "is_person"), [(20, True), (2, True), (1.5, False), (0, False)])
def test_reader_who_changes_networks_stays_a_person(seconds: float, *, is_person: bool) -> None:
    """Who opens in one network and clicks in three others with the same program, later, is no scanner."""
    sent = datetime(2026, 9, 7, 6, tzinfo=UTC)
    agent = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/139.0.0.0 Mobile Safari/537.36"
    opening = Tracked(Purpose.OPEN, "c", "42", None, False, sent, None)  # noqa: FBT003 -- no honeypot
    opened_at = sent + timedelta(seconds=30)
    hits = [Hit(opening, opened_at, "GET", agent, "78.1.2.3")]
    for number in range(3):
        url = f"https://shop.example/{number}"
        click = Tracked(Purpose.CLICK, "c", "42", url, False, sent, None)  # noqa: FBT003 -- no honeypot
        moment = opened_at + timedelta(seconds=seconds + 0.1 * number)
        hits.append(Hit(click, moment, "GET", agent, f"92.{number}.2.3"))
    verdicts = judge_hits(hits, delivered={("c", "42"): sent}, links=7)
    assert (HitKind.SCANNER not in {verdict.kind for verdict in verdicts}) == is_person


def kinds(hits: list[Hit], *, delivered: bool = True) -> list[str]:
    """Return the kinds of hits in order of time, each message delivered at `NOW`."""
    moments = {("spring", hit.tracked.recipient): NOW for hit in hits} if delivered else None
    found = sorted(judge_hits(hits, delivered=moments, links=7), key=lambda verdict: verdict.hit.time)
    return [str(verdict.kind) for verdict in found]


def test_a_mail_program_in_a_scanners_network_is_a_reader() -> None:
    """Outlook on a phone loads pictures from Microsoft's network; a browser there stays uncertain."""
    app = opened(address="52.102.3.4", user_agent="Outlook-iOS/4.2409.0 (iOS 17.4)")
    assert kinds([app, opened(after=61, address="52.102.3.4")]) == ["human", "uncertain"]


def test_who_opened_through_a_proxy_may_click_from_many_networks() -> None:
    """Gmail loads the picture, Apple's relay follows each link from another network; else it is a scan."""
    proxy = opened(after=20, address="66.249.80.1", user_agent="Mozilla/5.0 (via ggpht.com GoogleImageProxy)")
    relayed = [
        click(f"https://shop.example/{n}", after=30 + 9 * n, address=f"104.28.{n}.7") for n in range(4)
    ]
    assert kinds([proxy, *relayed]) == ["human"] * 5
    assert kinds(relayed) == ["scanner"] * 4


@pytest.mark.parametrize(("gap", "kind"), [(0.4, "scanner"), (1.0, "human")])
def test_who_clicks_as_the_message_loads_is_no_reader(gap: float, kind: str) -> None:
    """A bot that fills in forms follows one link, with the picture or right behind it."""
    assert kinds([opened(after=30), click(after=30 + gap)]) == [kind] * 2
    assert kinds([opened(after=30), click(after=30 + gap)], delivered=False) == [kind] * 2
    # Ten minutes later, scanners are gone; a slow picture is likelier.
    assert kinds([opened(after=700), click(after=700 + gap)]) == ["human"] * 2


def test_two_tabs_of_a_late_reader() -> None:
    """Two links within a second are a scanner's, unless they are two alone, read before, and late."""
    one, other, third = (click(f"https://shop.example/{n}", after=900 + 0.7 * n) for n in range(3))
    assert kinds([opened(after=890), one, other]) == ["human"] * 3
    assert kinds([one, other]) == ["scanner"] * 2
    assert kinds([opened(after=890), one, other, third]) == ["scanner"] * 4
    assert kinds([opened(after=899), one, other]) == ["scanner"] * 3


def test_hasty_readers_are_no_proof_against_all_of_their_address() -> None:
    """Of phones behind a carrier's address two click at once; those who read stay people."""
    phone = {"address": "100.64.7.1"}
    hasty = [
        click(f"https://shop.example/{n}", after=900 + n / 2, recipient=who, **phone)
        for who in "ab"
        for n in range(2)
    ]
    read = [
        Hit(
            replace(opened().tracked, recipient=str(n)),
            NOW + timedelta(seconds=60 + n),
            "GET",
            BROWSER,
            "100.64.7.1",
        )
        for n in range(3)
    ]
    assert kinds([*hasty, *read]) == ["human"] * 3 + ["scanner"] * 4
    assert kinds([*hasty, *read[:2]]) == ["scanner"] * 6


def test_a_scanner_that_rotates_its_address_is_one_client() -> None:
    """Privacy addresses of IPv6 share a /64; whose neighbour is a scanner is none."""
    scans = [
        click(
            f"https://shop.example/{n}", after=20 + n / 2, recipient=who, address=f"2a05:d018:77:5::{who}{n}"
        )
        for who in "ab"
        for n in range(2)
    ]
    lone = click(after=90, recipient="c", address="2a05:d018:77:5:1:2:3:4")
    neighbour = click(after=91, recipient="d", address="2a05:d018:77:6:1:2:3:4")
    assert kinds([*scans, lone, neighbour]) == ["scanner"] * 5 + ["human"]


def test_prompt_clicks_beside_one_proof_are_a_scanners() -> None:
    """One address follows a link of each message within a minute, unread; once within two seconds."""
    found = [click(after=1 + 9 * n, recipient=str(n), address="18.156.0.7") for n in range(5)]
    assert kinds(found) == ["scanner"] * 5
    assert kinds(found[:4]) == ["scanner"] + ["human"] * 3
    assert kinds(found[1:]) == ["human"] * 4
