"""Consent is data: given for a use, with a proof, and withdrawn also for mail that is already sent."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import pytest

from mailflows.errors import ConfigurationError, StoreError
from mailflows.feedback import Event, EventType
from mailflows.limits import MemoryStore
from mailflows.testing import FixedClock
from mailflows.tracking import CampaignStats, Consents, Endpoints, Hit, Request, Tracker, judge_hits
from mailflows.tracking._consent import Consent

TRACKER = Tracker([b"k" * 32], "https://t.shop.example/")
RAW = b'Content-Type: text/html\n\n<body><a href="https://shop.example/">Offer</a></body>'
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PROOF = "sign-up form, text of 2026-07-01"
WHO: dict[str, Any] = {"campaign": "spring", "recipient": "42"}


def consents() -> Consents:
    """Return an empty book of decisions."""
    return Consents(MemoryStore(), clock=FixedClock())


def addresses(sent: bytes) -> tuple[str, str]:
    """Return the addresses of the link and of the pixel."""
    text = sent.decode()
    return text.partition('href="')[2].partition('"')[0], text.partition('src="')[2].partition('"')[0]


def test_nothing_is_agreed_to_until_somebody_says_so() -> None:
    """Each use for itself, with what proves it and when."""
    book = consents()
    assert not any((book.of("42").mail, book.of("42").opens, book.of("42").clicks))
    given = book.give("42", "mail", "opens", proof=PROOF)
    assert (given.mail, given.opens, given.clicks) == (True, True, False)
    assert [(record.use, record.proof) for record in given.records] == [("mail", PROOF), ("opens", PROOF)]
    assert given.records[0].time.tzinfo is not None
    assert book.withdraw("42", "opens").records[-1].is_given is False
    assert (book.of("42").mail, book.of("42").opens) == (True, False)
    assert not book.withdraw("42").mail


def test_a_consent_without_proof_is_refused() -> None:
    """It would be worth nothing before an authority; a use that is none is refused, too."""
    for uses, proof, field in ((("mail",), " ", "proof"), ((), PROOF, "uses"), (("reading",), PROOF, "uses")):
        with pytest.raises(ConfigurationError) as caught:
            consents().give("42", *uses, proof=proof)
        assert caught.value.field == field


def test_many_decisions_keep_the_last_of_each_use() -> None:
    """The book is bounded, and never forgets what holds now."""
    book = consents()
    book.give("42", "mail", proof=PROOF)
    for _ in range(110):
        book.give("42", "clicks", proof=PROOF)
    assert (book.of("42").mail, len(book.of("42").records)) == (True, 101)
    book.forget("42")
    assert book.of("42") == Consent()


def test_a_damaged_book_is_no_consent() -> None:
    """What cannot be read is an error, and not silently overwritten."""
    book = consents()
    book.give("42", "mail", proof=PROOF)
    (key,) = [key for key, _ in book.store.scan("consent:")]
    book.store.swap(key, book.store.load(key), b"{", ttl=None)
    for verb in (book.of, book.withdraw):
        with pytest.raises(StoreError):
            verb("42")


def test_who_did_not_agree_gets_a_pixel_that_names_nobody() -> None:
    """Global rates need no recipient; links stay plain where clicks are not agreed to."""
    sent = TRACKER.rewrite(RAW, **WHO, consent=Consent(mail=True))
    link, pixel = addresses(sent)
    assert link == "https://shop.example/"
    assert (TRACKER.decode(pixel, "open").recipient, TRACKER.decode(pixel, "open").campaign) == ("", "spring")
    assert TRACKER.rewrite(sent, **WHO, consent=Consent(mail=True)) == sent
    agreed = TRACKER.rewrite(sent, **WHO, consent=Consent(mail=True, opens=True, clicks=True))
    assert agreed == TRACKER.rewrite(RAW, **WHO)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_withdrawal_silences_what_was_sent_before(is_async: bool) -> None:  # noqa: FBT001
    """The link still leads to its target, and nothing is noted; the same in threads and in an event loop."""
    book, hits = consents(), list[Any]()
    endpoints = Endpoints(TRACKER, on_hit=hits.append, on_event=hits.append, consents=book)
    link, pixel = addresses(TRACKER.rewrite(RAW, **WHO))
    book.give("42", "opens", "clicks", proof=PROOF)

    def ask(url: str) -> int:
        response = endpoints.answer(Request("GET", url, {"user-agent": "Mozilla/5.0 (X11)"}))
        told = asyncio.run(endpoints._atell(response)) if is_async else endpoints._tell(response)
        return int(told.status[:3])

    assert (ask(pixel), ask(link), len(hits)) == (200, 302, 2)
    book.withdraw("42")
    assert (ask(pixel), ask(link), len(hits)) == (200, 302, 2)


@pytest.mark.parametrize("is_async", [False, True])
def test_only_the_last_day_is_kept(is_async: bool) -> None:  # noqa: FBT001
    """Enough to clean a list of inactive people, where they agreed to the mail."""
    book, hits = consents(), list[Any]()
    endpoints = Endpoints(
        TRACKER, on_hit=hits.append, on_event=hits.append, consents=book, last_day_only=True
    )
    _, pixel = addresses(TRACKER.rewrite(RAW, **WHO))
    response = endpoints.answer(Request("GET", pixel))
    for _ in range(2):
        asyncio.run(endpoints._atell(response)) if is_async else endpoints._tell(response)
        book.give("42", "mail", proof=PROOF)
    assert (book.of("42").last_open, hits) == (FixedClock().now.date(), [])
    assert isinstance(book.of("42").last_open, date)


def test_consent_on_the_whole_way() -> None:
    """From sign-up to statistics: who agreed is seen, who withdrew is not, and each decision has a proof."""
    clock = FixedClock()
    book, hits = Consents(MemoryStore(), clock=clock), list[Hit]()
    endpoints = Endpoints(TRACKER, on_hit=hits.append, on_event=lambda _: None, consents=book, clock=clock)
    book.give("seen", "mail", "opens", "clicks", proof=PROOF)
    book.give("quiet", "mail", proof=PROOF)
    sent = {
        who: addresses(TRACKER.rewrite(RAW, campaign="spring", recipient=who, consent=book.of(who)))
        for who in ("seen", "quiet")
    }

    def ask(url: str) -> str:
        clock.advance(60)
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": urlsplit(url).path, "HTTP_USER_AGENT": FIREFOX}
        answered: list[str] = []
        endpoints.wsgi(environ, lambda status, _: answered.append(status))
        return answered[0]

    def told() -> dict[str, int]:
        events = [verdict.to_event() for verdict in judge_hits(hits)]
        deliveries = [Event(EventType.DELIVERED, recipient_id=who, campaign="spring") for who in sent]
        stats = CampaignStats.from_events([*deliveries, *events], campaign="spring")
        return {name: stats.rate(name).count for name in ("opened by people", "clicked")} | stats.hits

    assert sent["quiet"][0] == "https://shop.example/"  # a plain link
    assert [ask(url) for url in (*reversed(sent["seen"]), sent["quiet"][1])] == [
        "200 OK",
        "302 Found",
        "200 OK",
    ]
    # The pixel that names nobody counts in the total, and is nobody's.
    assert told() == {
        "opened by people": 1,
        "clicked": 1,
        "opened by human": 2,
        "clicked by human": 1,
    }
    assert {hit.tracked.recipient for hit in hits} == {"seen", ""}
    withdrawn = book.withdraw("seen", "opens", "clicks", proof="link in the mail")
    assert [(r.use, r.is_given, r.time, r.proof) for r in withdrawn.records[-2:]] == [
        ("opens", False, clock.now, "link in the mail"),
        ("clicks", False, clock.now, "link in the mail"),
    ]
    before = told()
    assert [ask(url) for url in reversed(sent["seen"])] == ["200 OK", "302 Found"]
    assert told() == before
    again = TRACKER.rewrite(RAW, campaign="summer", recipient="seen", consent=book.of("seen"))
    assert b"https://shop.example/" in again
    assert TRACKER.decode(addresses(again)[1], "open").recipient == ""


def test_while_the_store_is_down_nothing_is_noted() -> None:
    """Nobody knows who agreed; readers still get where they want to go."""

    class Down(MemoryStore):
        """A store that does not answer."""

        def load(self, key: str) -> bytes | None:  # noqa: ARG002 -- a store's verb
            """Fail."""
            msg = "down"
            raise StoreError(msg, store="memory")

    hits: list[Hit] = []
    endpoints = Endpoints(TRACKER, on_hit=hits.append, on_event=lambda _: None, consents=Consents(Down()))
    link, pixel = addresses(TRACKER.rewrite(RAW, **WHO))
    for url, status in ((link, "302 Found"), (pixel, "200 OK")):
        assert endpoints._tell(endpoints.answer(Request("GET", url))).status == status
    assert hits == []


def test_the_last_day_moves_while_mail_is_agreed_to() -> None:
    """A later opening moves it, and a withdrawal stops it."""
    clock = FixedClock()
    book = Consents(MemoryStore(), clock=clock)
    endpoints = Endpoints(TRACKER, on_event=lambda _: None, consents=book, last_day_only=True, clock=clock)
    _, pixel = addresses(TRACKER.rewrite(RAW, **WHO))
    book.give("42", "mail", proof=PROOF)
    days = []
    for _ in range(2):
        endpoints._tell(endpoints.answer(Request("GET", pixel, {"user-agent": FIREFOX})))
        days.append(book.of("42").last_open)
        clock.advance(86_400)
    assert days == [date(2026, 1, 1), date(2026, 1, 2)]
    book.withdraw("42", "mail")
    endpoints._tell(endpoints.answer(Request("GET", pixel, {"user-agent": FIREFOX})))
    assert book.of("42").last_open == date(2026, 1, 2)


@pytest.mark.parametrize(("method", "agent"), [("GET", "curl/8.5.0"), ("HEAD", FIREFOX)])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_scanner_moves_no_day(method: str, agent: str, is_async: bool) -> None:  # noqa: FBT001
    """It reads nothing, and the address may be inactive for years."""
    book = consents()
    endpoints = Endpoints(TRACKER, on_event=lambda _: None, consents=book, last_day_only=True)
    _, pixel = addresses(TRACKER.rewrite(RAW, **WHO))
    book.give("42", "mail", proof=PROOF)
    response = endpoints.answer(Request(method, pixel, {"user-agent": agent}))
    asyncio.run(endpoints._atell(response)) if is_async else endpoints._tell(response)
    assert book.of("42").last_open is None
