"""The example server, asked by a real HTTP client and by a real browser, on this machine only."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sys
import threading
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

import browser
from mailflows.tracking import HitKind, Tracker, judge_hits

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path(__file__).resolve().parents[2] / "examples" / "tracking_server" / "server.py"
SPEC = importlib.util.spec_from_file_location("tracking_server", FILE)
assert SPEC
assert SPEC.loader
server = importlib.util.module_from_spec(SPEC)
sys.modules["tracking_server"] = server
SPEC.loader.exec_module(server)

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ONE_CLICK = b"List-Unsubscribe=One-Click"
WHO = {"campaign": "spring", "recipient": "42"}


class Quiet(WSGIRequestHandler):
    """A handler that writes no log."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(params=["wsgi", "asgi"])
def protocol(request: pytest.FixtureRequest) -> str:
    """Return each way to run the service."""
    return str(request.param)


class Client:
    """Asks a service: over a socket for WSGI, by its own protocol for ASGI."""

    def __init__(self, protocol: str, port: int) -> None:
        self.port = port
        self.service = server.Service(Tracker([b"k" * 32], f"http://127.0.0.1:{port}/"))
        self.is_asgi = protocol == "asgi"

    def ask(self, method: str, url: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        path = url.removeprefix(f"http://127.0.0.1:{self.port}")
        return (
            asyncio.run(self._ask_asgi(method, path, body)) if self.is_asgi else self._ask(method, path, body)
        )

    def _ask(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, {"User-Agent": AGENT})
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    async def _ask_asgi(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        sent: list[dict[str, Any]] = []
        halves: list[dict[str, Any]] = [{"body": body[:5], "more_body": True}, {"body": body[5:]}]

        async def receive() -> dict[str, Any]:
            return halves.pop(0)

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)

        headers = [(b"User-Agent", AGENT.encode())]
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": headers,
            "client": ("127.0.0.1", 1),
        }
        await server.asgi(self.service)(scope, receive, send)
        start, content = sent
        return start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, content["body"]


@pytest.fixture
def client(protocol: str) -> Iterator[Client]:
    """Run the service on a free port of this machine while a test lasts."""
    with make_server("127.0.0.1", 0, cast("Any", None), handler_class=Quiet) as running:
        found = Client(protocol, running.server_port)
        running.set_app(server.wsgi(found.service))
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield found
        running.shutdown()
        thread.join(10)


def links_of(client: Client, href: str = "https://shop.example/?a=1&amp;b=2") -> tuple[str, str]:
    """Return the addresses of the click and of the pixel in a tracked message."""
    raw = b"Content-Type: text/html\n\n" + f'<a href="{href}">x</a>'.encode()
    sent = client.service.tracker.rewrite(raw, **WHO).decode()
    found = re.findall(r'(?:href|src)="([^"]*)"', sent)
    return found[0], found[1]


def test_a_click_leads_to_the_signed_target(client: Client) -> None:
    """And is noted with its recipient."""
    click, _ = links_of(client)
    status, headers, _ = client.ask("GET", click)
    assert (status, headers["location"]) == (302, "https://shop.example/?a=1&b=2")
    assert [v.kind for v in judge_hits(client.service.hits)] == [HitKind.HUMAN]


def test_a_target_beyond_ascii_is_encoded(client: Client) -> None:
    """A header holds ASCII; the path arrives as it was."""
    click, _ = links_of(client, "https://shop.example/caf\N{LATIN SMALL LETTER E WITH ACUTE}%20x")
    assert client.ask("GET", click)[1]["location"] == "https://shop.example/caf%C3%A9%20x"


def test_a_pixel_is_a_picture(client: Client) -> None:
    """And is never kept by a cache."""
    _, pixel = links_of(client)
    status, headers, body = client.ask("GET", pixel)
    assert (status, headers["content-type"], body[:6], headers["cache-control"]) == (
        200,
        "image/gif",
        b"GIF89a",
        "no-store",
    )


def test_a_head_request_is_a_scanner(client: Client) -> None:
    """It gets the same answer, and is judged."""
    click, _ = links_of(client)
    assert client.ask("HEAD", click)[0] == 302
    assert [v.kind for v in judge_hits(client.service.hits)] == [HitKind.SCANNER]


@pytest.mark.parametrize(
    "path", ["/", "/c/", "/c/https://evil.example/", "/x/abc", "/o/abc", "/u/abc", "/c/%2e%2e"]
)
def test_what_is_not_signed_leads_nowhere(client: Client, path: str) -> None:
    """There is no open redirect, and no hit."""
    status, headers, _ = client.ask("GET", path)
    assert (status, "location" in headers, client.service.hits) == (404, False, [])


def test_a_token_for_one_purpose_is_none_for_another(client: Client) -> None:
    """A click's token unsubscribes nobody, and an unsubscribe token opens nothing."""
    click, _ = links_of(client)
    leave = client.service.tracker.unsubscribe_url(**WHO)
    assert client.ask("POST", click.replace("/c/", "/u/"), ONE_CLICK)[0] == 404
    assert client.ask("GET", leave.replace("/u/", "/o/"))[0] == 404
    assert client.service.unsubscribed == []


def test_get_never_unsubscribes(client: Client) -> None:
    """It shows a button; POST with the body of RFC 8058 does it, and twice is once."""
    leave = client.service.tracker.unsubscribe_url(**WHO)
    status, _, body = client.ask("GET", leave)
    assert (status, b"<button>" in body, client.service.unsubscribed) == (200, True, [])
    client.ask("HEAD", leave)
    assert client.service.unsubscribed == []
    assert client.ask("POST", leave, ONE_CLICK)[0] == 200
    assert client.ask("POST", leave, ONE_CLICK)[0] == 200
    assert client.service.unsubscribed == [("spring", "42")]


MULTIPART = b'--x7\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x7--\r\n'


@pytest.mark.parametrize(
    "body", [MULTIPART, ONE_CLICK + b"\r\n", ONE_CLICK + b"&source=inbox", b"", b"x" * 9999]
)
def test_every_post_to_a_signed_address_unsubscribes(client: Client, body: bytes) -> None:
    """RFC 8058 prefers multipart/form-data; the signed address is the proof, so the body does not matter."""
    assert client.ask("POST", client.service.tracker.unsubscribe_url(**WHO), body)[0] == 200
    assert client.service.unsubscribed == [("spring", "42")]


def test_other_methods_are_refused(client: Client) -> None:
    """With the list of those that are not."""
    click, pixel = links_of(client)
    leave = client.service.tracker.unsubscribe_url(**WHO)
    for url in (click, pixel, leave):
        status, headers, _ = client.ask("PUT", url, b"x")
        assert (status, headers["allow"].startswith("GET, HEAD")) == (405, True)


def test_a_honeypot_leads_nowhere(client: Client) -> None:
    """But is noted."""
    assert client.ask("GET", client.service.tracker.honeypot_url(**WHO))[0] == 404
    assert [v.kind for v in judge_hits(client.service.hits)] == [HitKind.SCANNER]


@pytest.mark.parametrize("protocol", ["wsgi"], indirect=True)
def test_a_browser_loads_the_pixel_and_sees_the_button(client: Client, tmp_path: Path) -> None:
    """A real browser shows a tracked page: the picture is fetched, and visiting does not unsubscribe."""
    raw = b"Content-Type: text/html\n\n<html><body><p>Offers</p></body></html>"
    page = client.service.tracker.rewrite(raw, **WHO).partition(b"\n\n")[2].decode()
    browser.dumped(page, tmp_path)
    assert [hit.tracked.recipient for hit in client.service.hits] == ["42"]
    assert "HeadlessChrome" in client.service.hits[0].user_agent
    shown = browser.visited(client.service.tracker.unsubscribe_url(**WHO), tmp_path)
    assert ("<button>" in shown, client.service.unsubscribed) == (True, [])


@pytest.mark.parametrize("protocol", ["wsgi"], indirect=True)
def test_a_browser_follows_a_click(client: Client, tmp_path: Path) -> None:
    """A real browser arrives at the signed target: here the pixel of another service on this machine."""
    leave = client.service.tracker.unsubscribe_url(**WHO)
    far = client.service.tracker
    client.service.tracker = Tracker([b"k" * 32], f"http://127.0.0.1:{client.port}/t/")
    click, _ = links_of(client, leave)
    client.service.tracker = far
    assert "<button>" in browser.visited(click, tmp_path)
    assert client.service.hits[0].tracked.url == leave
