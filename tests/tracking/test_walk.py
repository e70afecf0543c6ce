"""A tracked mailing from its first line to its page, over loopback, as the guide tells it."""

from __future__ import annotations

import re
import smtplib
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.client import HTTPConnection
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

import browser
from mailflows.feedback import Event, EventType, SuppressionList
from mailflows.limits import MemoryStore
from mailflows.testing import FixedClock
from mailflows.tracking import CampaignStats, Endpoints, Hit, Tracker, judge_hits
from smtp_server import SmtpServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
MULTIPART = b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
PEOPLE = {str(number): f"reader{number}@example.org" for number in range(6)}
PAGE = (
    "<html><body><p><a href='https://shop.example/shoes?a=1&amp;b=2'>Shoes</a></p>"
    "<p><a href='https://shop.example/leave'>Unsubscribe</a></p></body></html>"
)


class Quiet(WSGIRequestHandler):
    """A handler that writes no log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingMixIn, WSGIServer):
    """A server that answers while a browser keeps a connection open for later."""

    daemon_threads = True
    block_on_close = False


class Walk:
    """A shop with its tracking server, on this machine."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.tracker = Tracker([bytes(32)], f"http://127.0.0.1:{port}/")
        self.page = PAGE
        self.clock = FixedClock()
        self.hits: list[Hit] = []
        self.events: list[Event] = []
        self.suppressions = SuppressionList(MemoryStore())
        self.endpoints = Endpoints(
            self.tracker,
            on_hit=self.hits.append,
            on_event=self.events.append,
            suppressions=self.suppressions,
            address_of=PEOPLE.get,
            clock=self._later,
        )

    def _later(self) -> float:
        """Return a moment five seconds behind the one before: people take their time."""
        self.clock.advance(5)
        return self.clock()

    def stats(self, campaign: str) -> CampaignStats:
        """Return what the events and the hits so far come to."""
        verdicts = judge_hits(self.hits, links=1)
        return CampaignStats.from_events(
            [*self.events, *(verdict.to_event() for verdict in verdicts)], campaign=campaign
        )

    def send(self, relay: SmtpServer, campaign: str) -> None:
        """Send a mailing to all who still want it."""
        with smtplib.SMTP(relay.host, relay.port) as smtp:
            for who, address in PEOPLE.items():
                if self.suppressions.is_suppressed(address, flow="marketing"):
                    continue
                message = EmailMessage()
                message["From"], message["To"], message["Subject"] = "shop@shop.example", address, "Shoes"
                for name, value in self.tracker.unsubscribe_headers(campaign=campaign, recipient=who).items():
                    message[name] = value
                message.set_content("Shoes")
                message.add_alternative(self.page, subtype="html")
                raw = message.as_bytes(policy=policy.SMTP)
                smtp.sendmail(
                    "shop@shop.example",
                    [address],
                    self.tracker.rewrite(raw, campaign=campaign, recipient=who),
                )
                self.events.append(Event(EventType.DELIVERED, address, recipient_id=who, campaign=campaign))


def asked(  # noqa: PLR0913 -- a request
    url: str,
    method: str = "GET",
    *,
    agent: str = FIREFOX,
    body: bytes = b"",
    kind: str = "",
    purpose: str = "",
) -> int:
    """Ask for an address over a socket, and return the status."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    headers = {"User-Agent": agent} | ({"Content-Type": kind} if kind else {})
    headers |= {"Sec-Purpose": purpose} if purpose else {}
    connection.request(method, f"{parts.path}?{parts.query}", body or None, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def addresses(raw: bytes) -> tuple[str, str, str]:
    """Return the tracked link, the pixel and the address of one click of a message as it arrived."""
    message = message_from_bytes(raw, policy=policy.default)
    part = message.get_body(("html",))
    assert part is not None
    click, _, pixel = re.findall(r"(?:href|src)=[\"']([^\"']*)[\"']", part.get_content())
    return click, pixel, str(message["List-Unsubscribe"]).strip(" <>")


@pytest.fixture
def walk() -> Iterator[Walk]:
    """Run the endpoints on a free port while a test lasts."""
    with make_server("127.0.0.1", 0, cast("Any", None), Server, Quiet) as running:
        shop = Walk(running.server_port)
        running.set_app(shop.endpoints.wsgi)
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield shop
        running.shutdown()
        thread.join(10)


def test_a_tracked_mailing(walk: Walk, tmp_path: Path) -> None:
    """Two open it, one and a scanner click, one leaves; it is counted, and the next goes to five."""
    with SmtpServer() as relay:
        walk.send(relay, "spring")
        arrived = {delivery.recipients[0]: addresses(delivery.content) for delivery in relay.deliveries}
    reader, other, scanned, leaving, *_ = [arrived[address] for address in PEOPLE.values()]
    assert [asked(url) for url in (reader[1], reader[0], other[1])] == [200, 302, 200]
    assert asked(scanned[0], agent="curl/8.5.0") == 302
    assert asked(leaving[2]) == 200  # a page with a button
    assert asked(leaving[2], "POST", body=MULTIPART, kind="multipart/form-data; boundary=x") == 200
    stats = walk.stats("spring")
    told = {rate.name: (rate.count, rate.of) for rate in stats.rates}
    assert told["opened by people"] == (2, 6)
    assert told["clicked"] == (1, 6)
    assert told["unsubscribed"] == (1, 6)
    stats.save_html(tmp_path / "spring.html")
    assert "https://shop.example/shoes?a=1&amp;b=2" in (tmp_path / "spring.html").read_text("utf-8")
    assert "1 (100.0 %)" in stats.click_map(PAGE)
    with SmtpServer() as relay:
        walk.send(relay, "summer")
        assert len(relay.deliveries) == 5


def test_a_tracked_mailing_in_a_browser(walk: Walk, tmp_path: Path) -> None:
    """Opened, clicked and left in a real one: counted as a person, whom the next mailing leaves out."""
    walk.page = PAGE.replace("https://shop.example/shoes", "http://shop.example/shoes")
    here = f"--host-resolver-rules=MAP shop.example 127.0.0.1:{walk.port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with SmtpServer() as relay:
        walk.send(relay, "spring")
    click, _, leave = addresses(relay.deliveries[0].content)
    html = message_from_bytes(relay.deliveries[0].content, policy=policy.default).get_body(("html",))
    assert html is not None
    (tmp_path / "mail.html").write_text(html.get_content(), "utf-8")

    def seen(url: str) -> str:
        return browser.visited(url, tmp_path, f"--user-agent={CHROME}", here)

    assert "Shoes" in seen((tmp_path / "mail.html").as_uri())
    assert "There is nothing here." in seen(click)  # the shop, which is nowhere
    form = re.search(r"<form.*</form>", seen(leave))
    assert form is not None
    assert not walk.suppressions.is_suppressed("reader0@example.org", flow="marketing")
    pressed = form[0].replace("<form", f"<form action='{leave}'")
    (tmp_path / "form.html").write_text(f"{pressed}<script>document.forms[0].submit()</script>", "utf-8")
    assert "You will no longer receive these messages." in seen((tmp_path / "form.html").as_uri())
    assert walk.suppressions.is_suppressed("reader0@example.org", flow="marketing")
    stats = walk.stats("spring")
    assert {stats.rate(name).count for name in ("opened by people", "clicked", "unsubscribed")} == {1}
    with SmtpServer() as relay:
        walk.send(relay, "summer")
    assert {one.recipients[0] for one in relay.deliveries} == set(PEOPLE.values()) - {"reader0@example.org"}


def test_what_looks_ahead_changes_nothing(walk: Walk) -> None:
    """HEAD and prefetch of every address: no open, no click by a person, and nobody leaves."""
    with SmtpServer() as relay:
        walk.send(relay, "spring")
    for url in addresses(relay.deliveries[0].content):
        assert asked(url, "HEAD") < 400
        assert asked(url, purpose="prefetch") < 400
    assert not any(walk.suppressions.is_suppressed(address, flow="marketing") for address in PEOPLE.values())
    stats = walk.stats("spring")
    assert {stats.rate(name).count for name in ("opened by people", "clicked", "unsubscribed")} == {0}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click"),
        ("multipart/form-data; boundary=x", MULTIPART),
    ],
)
def test_one_click_in_both_forms(walk: Walk, kind: str, body: bytes) -> None:
    """As providers send it (RFC 8058 section 3.2)."""
    leave = walk.tracker.unsubscribe_url(campaign="spring", recipient="3")
    assert asked(leave, "POST", body=body, kind=kind) == 200
    assert walk.suppressions.is_suppressed("reader3@example.org", flow="marketing")
    assert walk.stats("spring").rate("unsubscribed").count == 1
