"""How well hits are judged on simulated audiences, whose truth is known.

    python benchmarks/tracking_hits.py [SEEDS]

Twenty-one audiences of 400 recipients, each with readers, mail providers' proxies and scanners of its own,
ten seeds by default. They are simulations by the makers of this library: they show that known behaviour is
told apart, not what stands in your log. Writes ``results/tracking_hits.json``.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from recording import write

from mailflows._token import Purpose
from mailflows.feedback import Event, EventType
from mailflows.tracking import CampaignStats, Hit, HitKind, Tracked, judge_hits

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2026, 9, 7, 6, tzinfo=UTC)
RECIPIENTS, LINKS = 400, 7
CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 {}Safari/537.36"
DESKTOPS = ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; CrOS x86_64 14541.0.0")
PHONES = ("Linux; Android 10; K", "Linux; Android 14; SM-S921B", "Linux; Android 13; Pixel 7a")
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_{0} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.{0} Mobile/15E148 Safari/604.1"
)
MAC_MAIL = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
GMAIL_AHEAD = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
    "Safari/537.36 Edge/12.246 Mozilla/5.0"
)
YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
PROGRAMS = (
    "Go-http-client/2.0",
    "python-httpx/0.27.0",
    "Java/17.0.9",
    "okhttp/4.12.0",
    "axios/1.7.2",
    "Mozilla/5.0 (compatible; LinkInspector/2.1; +https://inspect.example/)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0",
    "libwww-perl/6.72",
)
PREVIEWS = (
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "TelegramBot (like TwitterBot)",
    "WhatsApp/2.23.20.0",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
)
ODD_READERS = (
    (
        "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/127.0.0.0 "
        "Mobile DuckDuckGo/5 Safari/537.36"
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.4 Safari/605.1.15 Ddg/17.4"
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Mailspring/1.13.3 "
        "Chrome/112.0.5615.204 Electron/24.8.0 Safari/537.36"
    ),
    "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.9.0",
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Mobile/15E148 [FBAN/FBIOS;FBAV/460.0.0]"
    ),
    (
        "Mozilla/5.0 (iPad; CPU OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/300.0 "
        "Mobile/15E148 Safari/604.1"
    ),
    (
        "Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-A536B) AppleWebKit/537.36 (KHTML, like Gecko) "
        "SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36"
    ),
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Win64; x64; Trident/7.0; Microsoft Outlook 16.0)",
    "Opera/9.80 (Android; Opera Mini/36.2/191.256; U; en) Presto/2.12.423 Version/12.16",
)


@dataclass
class Log:
    """The requests of an audience, with what they really were.

    Attributes:
        truth: Each request, and whether a person is behind it.
        delivered: When each message came, as the sender's log tells it.
        hidden: Recipients whose openings nobody can see.
    """

    dice: random.Random
    truth: dict[Hit, bool] = field(default_factory=dict)
    delivered: dict[tuple[str, str], datetime] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)

    def add(
        self,
        who: str,
        moment: datetime,
        client: tuple[str, str],
        link: int | str | None,
        **facts: Any,  # noqa: ANN401 -- person, method
    ) -> None:
        """Note a request: of the pixel (`None`), a link, or the hidden one."""
        person = facts.pop("person", False)
        is_trap = link == "trap"
        url = None if link is None or is_trap else f"https://shop.example/{link}"
        purpose = Purpose.OPEN if link is None else Purpose.CLICK
        tracked = Tracked(purpose, "c", who, url, is_trap, START, None)
        self.truth[Hit(tracked, moment, facts.get("method", "GET"), client[0], client[1])] = person

    def after(self, who: str, least: float, most: float) -> datetime:
        """Return a moment some seconds after delivery."""
        return self.delivered["c", who] + timedelta(seconds=self.dice.uniform(least, most))

    def address(self, start: str = "") -> str:
        """Return an address of a home, an office or a phone, or one of a block."""
        first = start or f"{self.dice.choice((78, 81, 92, 109, 151, 176, 188))}.{self.dice.randrange(256)}"
        missing = 3 - first.count(".")
        return ".".join([first, *(str(self.dice.randrange(1, 255)) for _ in range(missing))])

    def browser(self) -> str:
        """Return the browser of a person."""
        kind = self.dice.random()
        version = self.dice.randrange(118, 141)
        if kind < 0.45:
            return CHROME.format(self.dice.choice(DESKTOPS), version, "")
        if kind < 0.7:
            return CHROME.format(self.dice.choice(PHONES), version, "Mobile ")
        return IPHONE.format(self.dice.randrange(7)) if kind < 0.9 else self.dice.choice(ODD_READERS)


def reads(log: Log, who: str, *, opens: tuple[str, str] | None, seen: bool = True) -> None:
    """Let a person open a message, and perhaps click, as people do."""
    dice = log.dice
    client = log.browser(), log.address()
    moment = log.after(who, 40, 60 * 60 * 30)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        if seen:
            log.add(who, moment, opens or client, None, person=True)
        if dice.random() < 0.22:
            followed(log, who, moment, client)
        moment += timedelta(seconds=dice.uniform(300, 40_000))


def followed(log: Log, who: str, moment: datetime, client: tuple[str, str]) -> None:
    """Let a person click: once, twice by impatience, some links in tabs, or one after the other."""
    dice = log.dice
    moment += timedelta(seconds=dice.uniform(4, 200))
    links = dice.sample(range(LINKS), dice.choice((1, 1, 1, 1, 1, 2, 2, 3)))
    for link in links:
        log.add(who, moment, client, link, person=True)
        if dice.random() < 0.1:
            moment += timedelta(seconds=dice.uniform(0.2, 2))
            log.add(who, moment, client, link, person=True)
        moment += timedelta(seconds=dice.uniform(1.4, 90))


def scans(  # noqa: PLR0913 -- a scene
    log: Log, who: str, agent: str, addresses: list[str], *, start: float, gap: tuple[float, float]
) -> None:
    """Let a scanner follow the links of a message, from one or several addresses in turn."""
    dice = log.dice
    moment = log.after(who, start, start * 2.5)
    links: list[int | str] = [*range(LINKS)]
    if dice.random() < 0.5:
        dice.shuffle(links)
    if dice.random() < 0.4:
        links.insert(dice.randrange(LINKS), "trap")
    if dice.random() < 0.3:
        log.add(who, moment - timedelta(seconds=0.3), (agent, addresses[0]), None)
    for number, link in enumerate(links):
        log.add(who, moment, (agent, addresses[number % len(addresses)]), link)
        moment += timedelta(seconds=dice.uniform(*gap))


def offices(log: Log, who: str) -> None:
    """Companies behind one address each, with a filter in a cloud that opens all links at once."""
    dice = log.dice
    company = int(who) % 20
    if company % 2:
        agent = CHROME.format(DESKTOPS[0], 110 + company, "")
        cloud = [log.address(f"{dice.choice((3, 18, 34, 35, 52))}.{200 + company}") for _ in range(3)]
        scans(log, who, agent, cloud[: 1 + company % 3], start=5, gap=(0.1, 4))
    if dice.random() < 0.4:
        office = CHROME.format(DESKTOPS[0], 139, ""), f"203.0.113.{company + 1}"
        moment = log.after(who, 60, 60 * 60 * 9)
        log.add(who, moment, office, None, person=True)
        if dice.random() < 0.25:
            followed(log, who, moment, office)


def homes(log: Log, who: str) -> None:
    """Gmail, Yahoo and Apple readers; what is fetched ahead says nothing."""
    provider = log.dice.random()
    if provider < 0.45:
        if log.dice.random() < 0.5:
            log.add(who, log.after(who, 0.3, 20), (GMAIL_AHEAD, log.address("66.249")), None)
        if log.dice.random() < 0.4:
            reads(log, who, opens=(GMAIL, log.address("66.249")))
    elif provider < 0.65:
        if log.dice.random() < 0.35:
            reads(log, who, opens=(YAHOO, log.address("87.248")))
    elif provider < 0.85:
        log.hidden.add(who)
        log.add(who, log.after(who, 10, 20_000), ("Mozilla/5.0", log.address("17.58")), None)
        if log.dice.random() < 0.4:
            reads(log, who, opens=None, seen=False)
    elif log.dice.random() < 0.4:
        reads(log, who, opens=None)


def rewritten(log: Log, who: str) -> None:
    """A provider that checks each link again at the moment it is clicked, and some at delivery."""
    if log.dice.random() < 0.2:
        agent = CHROME.format(DESKTOPS[0], 121, "").replace("Safari/537.36", "Safari/537.36 Edg/121.0.0.0")
        scans(log, who, agent, [log.address("40.94"), log.address("40.94")], start=20, gap=(0.5, 12))
    if log.dice.random() < 0.45:
        client = log.browser(), log.address()
        moment = log.after(who, 60, 100_000)
        log.add(who, moment, client, None, person=True)
        if log.dice.random() < 0.3:
            link = log.dice.randrange(LINKS)
            moment += timedelta(seconds=log.dice.uniform(5, 60))
            checker = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", log.address("104.47")
            log.add(who, moment, checker, link, method="HEAD")
            log.add(who, moment + timedelta(seconds=log.dice.uniform(0.5, 3)), client, link, person=True)


def campus(log: Log, who: str) -> None:
    """Slow scanners: minutes for one message, some after an hour in quarantine, and programs by name."""
    kind = log.dice.random()
    if kind < 0.25:
        agent = f"Mozilla/5.0 (X11; Linux x86_64; rv:{int(who) % 9 + 102}.0) Gecko/20100101 Firefox/102.0"
        scans(log, who, agent, [log.address("128.138")], start=30, gap=(4, 15))
    elif kind < 0.35:
        scans(log, who, log.dice.choice(PROGRAMS), [log.address("137.99")], start=1800, gap=(0.2, 30))
    elif kind < 0.45:
        log.add(who, log.after(who, 3, 900), (log.dice.choice(PROGRAMS), log.address("35.1")), 0)
    if log.dice.random() < 0.4:
        reads(log, who, opens=None)


def chats(log: Log, who: str) -> None:
    """Readers with odd programs, who pass links on to chats that show previews."""
    if log.dice.random() < 0.5:
        reads(log, who, opens=(log.dice.choice(ODD_READERS), log.address()))
    if log.dice.random() < 0.3:
        link = log.dice.choice((None, 0, 1, 2))
        log.add(who, log.after(who, 600, 90_000), (log.dice.choice(PREVIEWS), log.address()), link)


def clocks(log: Log, who: str) -> None:
    """A sender whose clock is wrong by up to twenty seconds, and readers who open everything."""
    dice = log.dice
    if dice.random() < 0.2:
        agent = CHROME.format(DESKTOPS[1], 115, "")
        scans(log, who, agent, [log.address("54.161")], start=1, gap=(0, 0.6))
    if dice.random() < 0.5:
        reads(log, who, opens=None)
    if dice.random() < 0.05:
        client = log.browser(), log.address()
        moment = log.after(who, 4_000, 80_000)
        log.add(who, moment, client, None, person=True)
        for link in range(LINKS):
            moment += timedelta(seconds=dice.uniform(2.5, 40))
            log.add(who, moment, client, link, person=True)
    shift = timedelta(seconds=dice.uniform(-20, 20))
    log.delivered["c", who] += shift


def shifting(log: Log, who: str) -> None:
    """Scanners that come from another network with another browser for each link, or for some links only."""
    dice = log.dice
    if dice.random() < 0.3:
        moment = log.after(who, 4, 60)
        links = dice.sample(range(LINKS), dice.choice((4, 5, LINKS, LINKS)))
        for link in links:
            agent = CHROME.format(dice.choice(DESKTOPS), dice.randrange(100, 130), "")
            log.add(who, moment, (agent, log.address(f"{dice.choice((3, 13, 20, 34, 44))}")), link)
            moment += timedelta(seconds=dice.uniform(0.2, 8))
    elif dice.random() < 0.2:
        client = CHROME.format(DESKTOPS[0], 117, ""), log.address("34.90")
        moment = log.after(who, 3, 40)
        for link in dice.sample(range(LINKS), dice.choice((2, 3, 4))):
            log.add(who, moment, client, link)
            moment += timedelta(seconds=dice.uniform(0.05, 0.8))
    if dice.random() < 0.4:
        reads(log, who, opens=None)


EDGE_AHEAD = CHROME.format(DESKTOPS[0], 120, "").replace("Safari/537.36", "Safari/537.36 Edg/120.0.0.0")
MANAGED = CHROME.format(DESKTOPS[0], 139, "")  # one image for every desk of a company


def desks(log: Log, who: str) -> None:
    """One company behind one address and one managed browser, its own scanner beside the people."""
    dice = log.dice
    office = MANAGED, f"203.0.113.{int(who) % 2 + 1}"
    if dice.random() < 0.15:
        agent = CHROME.format(DESKTOPS[0], 109, "")
        scans(log, who, agent, [office[1]], start=8, gap=(0.2, 3))
    if dice.random() < 0.5:
        moment = log.after(who, 20, 60 * 60 * 9)
        log.add(who, moment, office, None, person=True)
        if dice.random() < 0.4:
            followed(log, who, moment, office)


def sandboxes(log: Log, who: str) -> None:
    """Sandboxes with whole browsers that load the page and its pictures, minutes after delivery."""
    dice = log.dice
    if dice.random() < 0.35:
        client = CHROME.format(dice.choice(DESKTOPS), dice.randrange(112, 132), ""), log.address("52.17")
        moment = log.after(who, 90, 500)
        log.add(who, moment, client, None)
        for link in range(LINKS):
            moment += timedelta(seconds=dice.uniform(0.4, 12))
            log.add(who, moment, client, link)
    if dice.random() < 0.4:
        reads(log, who, opens=None)


def movers(log: Log, who: str) -> None:
    """People who change networks and devices: VPNs, trains, a phone, then a desk, forwarded mail."""
    dice = log.dice
    if dice.random() > 0.5:
        return
    phone, desk = CHROME.format(dice.choice(PHONES), 139, "Mobile "), log.browser()
    moment = log.after(who, 15, dice.choice((500, 60 * 60 * 20)))
    log.add(who, moment, (phone, log.address()), None, person=True)
    if dice.random() < 0.4:  # opened in one cell, clicked in the next, each link from another exit of a VPN
        for link in dice.sample(range(LINKS), dice.choice((1, 2, 3, 4))):
            moment += timedelta(seconds=dice.uniform(3, 60))
            log.add(who, moment, (phone, log.address()), link, person=True)
    if dice.random() < 0.3:
        client = desk, log.address()
        moment += timedelta(seconds=dice.uniform(600, 40_000))
        log.add(who, moment, client, None, person=True)
        followed(log, who, moment, client)
    if dice.random() < 0.2:  # passed on to three colleagues who open it within a minute
        moment += timedelta(seconds=dice.uniform(60, 9_000))
        for _ in range(3):
            client = log.browser(), log.address()
            moment += timedelta(seconds=dice.uniform(2, 30))
            log.add(who, moment, client, None, person=True)
            if dice.random() < 0.5:
                log.add(who, moment + timedelta(seconds=8), client, dice.randrange(LINKS), person=True)


def textual(log: Log, who: str) -> None:
    """People without pictures: a click, or a few in tabs, is all that is seen; some within a minute."""
    dice = log.dice
    if dice.random() < 0.4:
        client = log.browser(), log.address()
        moment = log.after(who, 12, dice.choice((60, 600, 60_000)))
        followed(log, who, moment, client)
    elif dice.random() < 0.2:
        agent = CHROME.format(DESKTOPS[0], 116, "")
        scans(log, who, agent, [log.address("54.72")], start=6, gap=(0.1, 2))


def samples(log: Log, who: str) -> None:
    """Scanners that look at one or two links of a message only, from a few addresses, for many recipients."""
    dice = log.dice
    if dice.random() < 0.4:
        number = dice.randrange(3)
        client = CHROME.format(DESKTOPS[0], 105 + number, ""), f"18.156.{number}.7"
        moment = log.after(who, 0.4, 30)
        for link in dice.sample(range(LINKS), dice.choice((1, 1, 2))):
            log.add(who, moment, client, link)
            moment += timedelta(seconds=dice.uniform(0.3, 5))
    if dice.random() < 0.4:
        reads(log, who, opens=None)


def refetched(log: Log, who: str) -> None:
    """Proxies that come back: Gmail for each opening, Apple days later, Outlook's add-ins at delivery."""
    dice = log.dice
    kind = dice.random()
    if kind < 0.4:
        if dice.random() < 0.5:
            moment = log.after(who, 1, 60 * 60 * 40)
            for _ in range(dice.choice((1, 2, 3, 6))):
                log.add(who, moment, (GMAIL, log.address("74.125")), None, person=True)
                moment += timedelta(seconds=dice.uniform(1, 40_000))
    elif kind < 0.7:
        log.hidden.add(who)
        for day in range(dice.choice((1, 2, 4))):
            moment = log.after(who, day * 86_400 + 5, day * 86_400 + 80_000)
            log.add(who, moment, ("Mozilla/5.0", log.address(f"17.{dice.choice((58, 22, 246))}")), None)
        if dice.random() < 0.4:
            reads(log, who, opens=None, seen=False)
    elif dice.random() < 0.4:
        if dice.random() < 0.5:
            log.add(who, log.after(who, 0.2, 1.8), (EDGE_AHEAD, log.address("20.190")), None)
        reads(log, who, opens=None)


def outlook_phones(log: Log, who: str) -> None:
    """Outlook on phones, which loads pictures from Microsoft's network, where its scanner runs, too."""
    dice = log.dice
    if dice.random() < 0.3:
        agent = CHROME.format(DESKTOPS[0], 121, "").replace("Safari/537.36", "Safari/537.36 Edg/121.0.0.0")
        scans(log, who, agent, [log.address("40.94"), log.address("52.101")], start=8, gap=(0.2, 6))
    if dice.random() < 0.45:
        app = dice.choice(
            ("Outlook-iOS/4.2409.0 (com.microsoft.Office.Outlook; iOS 17.4)", "Outlook-Android/4.2410")
        )
        moment = log.after(who, 30, 100_000)
        for _ in range(dice.choice((1, 1, 2))):
            log.add(
                who,
                moment,
                (app, log.address(dice.choice(("40.95", "52.102", "104.47.9")))),
                None,
                person=True,
            )
            if dice.random() < 0.3:
                followed(log, who, moment, (log.browser(), log.address()))
            moment += timedelta(seconds=dice.uniform(200, 40_000))


def relayed_phones(log: Log, who: str) -> None:
    """Gmail's app for opening, Safari behind Apple's relay for clicks: each link from another network."""
    dice = log.dice
    if dice.random() < 0.3:
        log.add(who, log.after(who, 0.3, 20), (GMAIL_AHEAD, log.address("66.249")), None)
    if dice.random() < 0.5:
        moment = log.after(who, 15, dice.choice((300, 60 * 60 * 30)))
        log.add(who, moment, (GMAIL, log.address("66.249")), None, person=True)
        if dice.random() < 0.5:
            phone = IPHONE.format(dice.randrange(7))
            for link in dice.sample(range(LINKS), dice.choice((1, 2, 3, 4))):
                moment += timedelta(seconds=dice.uniform(4, 35))
                exit_ = log.address(dice.choice(("104.28", "172.225", "146.75", "140.248")))
                log.add(who, moment, (phone, exit_), link, person=True)


def gateways(log: Log, who: str) -> None:
    """Offices behind one address, with a sandbox behind the same one that comes before delivery or after."""
    dice = log.dice
    company = int(who) % 10
    gate = f"198.51.100.{company + 1}"
    if company % 3:
        sandbox = CHROME.format(DESKTOPS[0], 100 + company, "")
        scans(log, who, sandbox, [gate], start=dice.choice((-3, 4, 90)), gap=(0.05, 3))
    if dice.random() < 0.45:
        desk = CHROME.format(DESKTOPS[company % 2], 139 + int(who) % 3, ""), gate
        moment = log.after(who, 20, 60 * 60 * 9)
        log.add(who, moment, desk, None, person=True)
        if dice.random() < 0.3:
            followed(log, who, moment, desk)


def listed(log: Log, who: str) -> None:
    """Addresses of lists: one message, read by up to thirty people, some without pictures."""
    dice = log.dice
    for _ in range(dice.choice((1, 3, 10, 30)) if int(who) % 4 == 0 else 1):
        client = log.browser(), log.address()
        moment = log.after(who, 20, 30) + timedelta(seconds=dice.expovariate(1 / 7_000))
        if dice.random() < 0.7:
            log.add(who, moment, client, None, person=True)
        if dice.random() < 0.3:
            followed(log, who, moment, client)
    if dice.random() < 0.15:
        scans(log, who, CHROME.format(DESKTOPS[0], 117, ""), [log.address("34.213")], start=5, gap=(0.1, 3))


def panes(log: Log, who: str) -> None:
    """Webmail that shows each message in a pane as it comes: many openings, clicks within seconds."""
    dice = log.dice
    if dice.random() < 0.5:
        client = log.browser(), log.address()
        moment = log.after(who, 2.5, dice.choice((20, 30_000)))
        for _ in range(dice.choice((1, 2, 4, 7))):
            log.add(who, moment, client, None, person=True)
            if dice.random() < 0.15:
                moment += timedelta(seconds=dice.uniform(2.5, 15))
                log.add(who, moment, client, dice.randrange(LINKS), person=True)
            moment += timedelta(seconds=dice.uniform(1.2, 600))


def form_fillers(log: Log, who: str) -> None:
    """Bots with browsers that load the message, follow one link at once and come back to fill in its form."""
    dice = log.dice
    if dice.random() < 0.4:
        bot = CHROME.format(dice.choice(DESKTOPS), dice.randrange(120, 140), ""), log.address("45.155")
        moment, link = log.after(who, 3, 400), dice.randrange(LINKS)
        log.add(who, moment, bot, None)
        for _ in range(dice.choice((1, 2, 3))):
            moment += timedelta(seconds=dice.uniform(0.1, 0.8))
            log.add(who, moment, bot, link)
    if dice.random() < 0.4:
        reads(log, who, opens=None)


def rotating(log: Log, who: str) -> None:
    """Privacy addresses of IPv6: people's within their /64, and a scanner's, for each request another."""
    dice = log.dice

    def inside(site: str) -> str:
        return f"{site}::{dice.randrange(1, 65_536):x}:{dice.randrange(1, 65_536):x}"

    if dice.random() < 0.4:
        agent = CHROME.format(DESKTOPS[0], 108, "")
        moment = log.after(who, 2, 60)
        for link in dice.sample(range(LINKS), dice.choice((1, 1, 2, 7))):
            log.add(who, moment, (agent, inside("2a05:d018:77:5")), link)
            moment += timedelta(seconds=dice.uniform(0.2, 1.5))
    if dice.random() < 0.45:
        agent, site = log.browser(), f"2003:e5:{int(who) + 16:x}:{dice.randrange(256):x}"
        moment = log.after(who, 30, 90_000)
        for _ in range(dice.choice((1, 2, 3))):
            log.add(who, moment, (agent, inside(site)), None, person=True)
            if dice.random() < 0.3:
                followed(log, who, moment, (agent, inside(site)))
            moment += timedelta(seconds=dice.uniform(300, 40_000))


def carriers(log: Log, who: str) -> None:
    """Thousands of phones behind a few addresses of a carrier, with few user agents; some are hasty."""
    dice = log.dice
    phone = IPHONE.format(dice.randrange(2)), f"100.64.7.{dice.randrange(1, 7)}"
    if dice.random() < 0.55:
        moment = log.after(who, 20, 90_000)
        log.add(who, moment, phone, None, person=True)
        if dice.random() < 0.3:
            followed(log, who, moment, phone)
        elif dice.random() < 0.04:  # two links in tabs, as fast as two thumbs are
            moment += timedelta(seconds=dice.uniform(4, 100))
            for link in dice.sample(range(LINKS), 2):
                moment += timedelta(seconds=dice.uniform(0.5, 0.9))
                log.add(who, moment, phone, link, person=True)
    if dice.random() < 0.1:
        scans(log, who, CHROME.format(DESKTOPS[0], 112, ""), [log.address("3.121")], start=4, gap=(0.1, 2))


AUDIENCES: dict[str, Callable[[Log, str], None]] = {
    "offices behind a cloud filter": offices,
    "homes": homes,
    "links checked when clicked": rewritten,
    "slow scanners": campus,
    "previews and odd readers": chats,
    "wrong clocks": clocks,
    "shifting scanners": shifting,
    "one company's desks": desks,
    "sandboxes with browsers": sandboxes,
    "people who move": movers,
    "no pictures": textual,
    "scanners of a link or two": samples,
    "proxies that come back": refetched,
    "Outlook on phones": outlook_phones,
    "Gmail behind Apple's relay": relayed_phones,
    "a sandbox behind the office's address": gateways,
    "addresses of lists": listed,
    "panes of webmail": panes,
    "bots that fill in forms": form_fillers,
    "addresses that rotate": rotating,
    "a carrier's few addresses": carriers,
}


def main() -> None:
    """Simulate, judge, and write what was right."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    rows = {name: [measured(name, seed) for seed in range(seeds)] for name in AUDIENCES}
    result = {
        "seeds": seeds,
        "recipients": RECIPIENTS,
        "wanted": {"right": 0.97, "lost": 0.01, "passed": 0.02},
    }
    result["audiences"] = {name: summary(found) for name, found in rows.items()}
    write("tracking_hits", result)


def measured(name: str, seed: int) -> dict[str, float]:
    """Return what became of one audience."""
    log = Log(random.Random(f"{name} {seed}"))
    for number in range(RECIPIENTS):
        log.delivered["c", str(number)] = START + timedelta(seconds=log.dice.uniform(0, 1200))
        AUDIENCES[name](log, str(number))
    verdicts = list(judge_hits(log.truth, delivered=log.delivered, links=LINKS))
    taken = {verdict.hit: verdict.kind is HitKind.HUMAN for verdict in verdicts}
    people = [hit for hit, is_person in log.truth.items() if is_person]
    others = [hit for hit, is_person in log.truth.items() if not is_person]
    deliveries = [Event(EventType.DELIVERED, recipient_id=who, campaign="c") for _, who in log.delivered]
    stats = CampaignStats.from_events([*deliveries, *(v.to_event() for v in verdicts)], campaign="c")
    opened, clicked = truth_of(log)
    return {
        "hits": len(taken),
        "right": sum(taken[hit] == is_person for hit, is_person in log.truth.items()) / len(taken),
        "lost": sum(not taken[hit] for hit in people) / max(1, len(people)),
        "passed": sum(taken[hit] for hit in others) / max(1, len(others)),
        "opened off": off(stats.rate("opened by people").share, opened),
        "clicked off": off(stats.rate("clicked of opened").share, clicked),
    }


def off(told: float | None, truth: float | None) -> float:
    """Return how far a share is from the truth; where nobody was seen to open, none must be told."""
    if told is None or truth is None:
        return float(told is not truth)
    return abs(told - truth)


def truth_of(log: Log) -> tuple[float, float | None]:
    """Return the shares of openers, and of clickers among them, where openings can be seen."""
    seen = {who for _, who in log.delivered} - log.hidden
    people = [hit for hit, is_person in log.truth.items() if is_person and hit.tracked.recipient in seen]
    openers = {hit.tracked.recipient for hit in people if not hit.is_click}
    clickers = {hit.tracked.recipient for hit in people if hit.is_click}
    return len(openers | clickers) / len(seen), len(openers & clickers) / len(openers) if openers else None


def summary(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the hits in all, and the worst of the seeds."""
    worst = {
        name: round(max(row[name] for row in rows), 4) for name in rows[0] if name not in {"hits", "right"}
    }
    return {
        "hits": sum(row["hits"] for row in rows),
        "right": round(min(row["right"] for row in rows), 4),
        **worst,
    }


if __name__ == "__main__":
    main()
