"""Endpoints tell the suppression list and the event store, and promise nothing that was not kept."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from mailflows.errors import ConfigurationError
from mailflows.feedback import Event, SuppressionList
from mailflows.limits import MemoryStore
from mailflows.tracking import Endpoints, Hit, Request, Tracker

TRACKER = Tracker([b"k" * 32], "https://t.shop.example/mail/")
LEAVE = TRACKER.unsubscribe_url(campaign="spring", recipient="42").removeprefix("https://t.shop.example")
RAW = b'Content-Type: text/html\n\n<a href="https://shop.example/">Offer</a>'
CLICK = TRACKER.rewrite(RAW, campaign="spring", recipient="42").decode().partition('"')[2].partition('"')[0]
ADDRESS = {"42": "ada@example.org"}.get


def posted(endpoints: Endpoints, *, is_async: bool, **environ: Any) -> int:
    """Send a one-click request, and return the status."""
    if not is_async:
        told: list[str] = []
        asked = {"REQUEST_METHOD": "POST", "PATH_INFO": LEAVE, "wsgi.input": io.BytesIO(), **environ}
        endpoints.wsgi(asked, lambda status, _: told.append(status))
        return int(told[0][:3])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": LEAVE, "headers": [], "client": None}
    asyncio.run(endpoints.asgi(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize("is_async", [False, True])
def test_who_leaves_is_suppressed(is_async: bool) -> None:  # noqa: FBT001
    """By address, for marketing; the event store gets the event, the same for the same link."""
    suppressions, events = SuppressionList(MemoryStore()), list[Event]()
    endpoints = Endpoints(TRACKER, on_event=events.append, suppressions=suppressions, address_of=ADDRESS)
    assert [posted(endpoints, is_async=is_async) for _ in range(2)] == [200, 200]
    assert suppressions.is_suppressed("ada@example.org", flow="marketing")
    assert {(e.type, e.recipient_id, e.campaign) for e in events} == {("unsubscribed", "42", "spring")}
    assert len({e.event_id for e in events}) == 1


@pytest.mark.parametrize("is_async", [False, True])
def test_a_wish_that_was_not_kept_is_asked_for_again(is_async: bool) -> None:  # noqa: FBT001
    """A provider sends the request again after 503; 200 would lose it."""

    def broken(_: Event) -> None:
        raise OSError

    assert posted(Endpoints(TRACKER, on_event=broken), is_async=is_async) == 503


SCANS = [
    ("GET", LEAVE, {}),
    ("HEAD", LEAVE, {}),
    ("GET", f"{LEAVE}?List-Unsubscribe=One-Click", {}),
    ("GET", LEAVE, {"x-http-method-override": "POST", "user-agent": "Mozilla/5.0 (compatible; scanner)"}),
    ("GET", LEAVE, {"sec-purpose": "prefetch"}),
    ("OPTIONS", LEAVE, {}),
]


# Named by hand: a link tells the minute in which it was made, and each worker of a run makes its own.
@pytest.mark.parametrize(
    ("method", "path", "headers"), SCANS, ids=["get", "head", "query", "override", "prefetch", "options"]
)
def test_only_post_unsubscribes(method: str, path: str, headers: dict[str, str]) -> None:
    """A scanner fetches every link, with whatever it adds, and nobody leaves."""
    endpoints = Endpoints(TRACKER, on_event=list[Event]().append)
    answer = endpoints.answer(Request(method, path, headers))
    assert (answer.event, answer.hit, answer.status[:3] in {"200", "404", "405"}) == (None, None, True)


OTHER = Tracker([b"z" * 32], "https://t.shop.example/mail/").unsubscribe_url(
    campaign="spring", recipient="42"
)
WRONG = [LEAVE[:-1] + chr(ord(LEAVE[-1]) ^ 1), LEAVE[:-4], f"{LEAVE}x/y", OTHER, CLICK.replace("/c/", "/u/")]


@pytest.mark.parametrize("path", WRONG, ids=["changed", "cut", "grown", "other-key", "click"])
def test_a_post_with_a_wrong_token_unsubscribes_nobody(path: str) -> None:
    """Changed, cut, grown, of another key, or for a click."""
    answer = Endpoints(TRACKER, on_event=list[Event]().append).answer(Request("POST", path))
    assert (answer.event, answer.status) == (None, "404 Not Found")


def test_a_coroutine_may_take_the_event() -> None:
    """Where an event loop is."""
    events: list[Event] = []

    async def keep(event: Event) -> None:
        events.append(event)

    assert posted(Endpoints(TRACKER, on_event=keep), is_async=True) == 200
    assert len(events) == 1


def test_chunks_are_read() -> None:
    """Where a server hands them over as they came (RFC 9112 section 7.1), to the last one and no further."""
    source = io.BytesIO(b"1a;x=y\r\nList-Unsubscribe=One-Click\r\n0\r\n\r\nGET /")
    endpoints = Endpoints(TRACKER, on_event=lambda _: None)
    facts = {"wsgi.input": source, "HTTP_TRANSFER_ENCODING": "chunked"}
    assert posted(endpoints, is_async=False, **facts) == 200
    assert source.read() == b"GET /"
    for hostile in (b"-5\r\nx", b"zz\r\n", b"ffffffffff\r\nx", b""):
        facts["wsgi.input"] = io.BytesIO(hostile)
        assert posted(endpoints, is_async=False, **facts) == 200


@pytest.mark.parametrize("name", ["sec-purpose", "purpose", "x-moz"])
def test_what_is_fetched_ahead_is_no_hit(name: str) -> None:
    """The browser did it, not its reader."""
    endpoints = Endpoints(TRACKER, on_event=lambda _: None)
    ahead = endpoints.answer(Request("GET", CLICK, {name: "prefetch;prerender"}))
    assert (ahead.status, ahead.hit) == ("302 Found", None)
    assert endpoints.answer(Request("GET", CLICK)).hit
    assert endpoints.answer(Request("GET", LEAVE, {name: "prefetch"})).event is None


def test_the_client_is_who_stands_before_our_proxies() -> None:
    """What a client writes into the field itself is not believed."""
    headers = {"x-forwarded-for": "10.0.0.1, 192.0.2.7"}

    def client(proxies: int) -> str:
        hit = Endpoints(TRACKER, on_event=print, proxies=proxies).answer(
            Request("GET", CLICK, headers, "127.0.0.1")
        )
        assert isinstance(hit.hit, Hit)
        return hit.hit.address

    assert [client(0), client(1), client(2), client(3)] == ["127.0.0.1", "192.0.2.7", "10.0.0.1", "127.0.0.1"]


def test_pages_speak_the_language_of_their_readers() -> None:
    """Words of one's own, escaped."""
    texts = {"language": "fr", "ask": "Ne plus recevoir <ces> messages ?", "button": "Me désinscrire"}
    page = Endpoints(TRACKER, on_event=print, texts=texts).answer(Request("GET", LEAVE)).body.decode()
    assert '<html lang="fr">' in page
    assert "Ne plus recevoir &lt;ces&gt; messages ?" in page


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "on_event"),
        ({"suppressions": SuppressionList(MemoryStore())}, "address_of"),
        ({"on_event": print, "last_day_only": True}, "consents"),
        ({"on_event": print, "texts": {"knopf": "Ab"}}, "texts"),
    ],
)
def test_settings_that_lose_something_are_refused(settings: dict[str, Any], field: str) -> None:
    """The error names the setting."""
    with pytest.raises(ConfigurationError) as caught:
        Endpoints(TRACKER, **settings)
    assert caught.value.field == field


def test_a_django_view() -> None:
    """Without a check against forged forms: a mail provider has no cookie."""
    django = pytest.importorskip("django")
    from django.conf import settings
    from django.test import RequestFactory

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], DEFAULT_CHARSET="utf-8")
    assert django.VERSION
    events: list[Event] = []
    view: Any = Endpoints(TRACKER, on_event=events.append).django
    assert view(RequestFactory().get(LEAVE)).status_code == 200
    assert events == []
    assert view(RequestFactory().post(LEAVE, {"List-Unsubscribe": "One-Click"})).status_code == 200
    assert (len(events), view.csrf_exempt) == (1, True)
    assert view(RequestFactory().get(CLICK))["Location"] == "https://shop.example/"
