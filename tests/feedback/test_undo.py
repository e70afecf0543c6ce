"""An outage that suppressed living mailboxes: undone in one call, or held back while it lasts."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import ConfigurationError, Flow
from mailflows.feedback import (
    Action,
    BounceReason,
    Event,
    EventType,
    Outage,
    OutagePolicy,
    SuppressionList,
    from_reply,
    from_webhook,
)
from mailflows.limits import MemoryStore, RedisStore, SQLiteStore
from mailflows.testing import FixedClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mailflows._stores import Documents

NINE = datetime(2026, 11, 20, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
REPLY = "5.1.1 User unknown"


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, redis_client: Callable[[], Any]
) -> Iterator[Documents]:
    """Return each kind of store in turn."""
    if request.param == "memory":
        yield MemoryStore()
    elif request.param == "sqlite":
        opened = SQLiteStore(tmp_path / "list.db")
        yield opened
        opened.close()
    else:
        with redis_client() as client:
            yield RedisStore(client)


@pytest.fixture
def clock() -> FixedClock:
    """Return a clock that stands at nine."""
    return FixedClock(NINE)


def dead(suppressions: SuppressionList, *addresses: str) -> None:
    """Suppress addresses by replies."""
    for address in addresses:
        suppressions.apply(from_reply(550, REPLY, recipient=address))


def test_an_outage_is_undone(store: Documents, clock: FixedClock) -> None:
    """What one domain called unknown within an hour is undone, and nothing else."""
    suppressions = SuppressionList(store, clock=clock)
    clock.advance(-21 * 86400.0)
    dead(suppressions, *(f"old{number}@mail.example" for number in range(5)))
    clock.advance(21 * 86400.0 + 60.0)
    dead(suppressions, *(f"u{number}@mail.example" for number in range(40)))
    dead(suppressions, *(f"u{number}@example.net" for number in range(20)))
    for number in range(3):
        complaint = Event(EventType.COMPLAINED, f"c{number}@mail.example", action=Action.SUPPRESS)
        suppressions.apply(complaint)
    chosen = {"domain": "mail.example", "since": NINE, "until": NINE + HOUR}
    preview = suppressions.undo(**chosen, preview=True)  # type: ignore[arg-type]
    assert (preview.undone, preview.is_preview, len(list(suppressions))) == (40, True, 68)
    result = suppressions.undo(**chosen)  # type: ignore[arg-type]
    assert (result.undone, result.by_reason, result.by_domain) == (
        40,
        {"mailbox-unknown": 40},
        {"mail.example": 40},
    )
    assert len(list(suppressions)) == 28
    assert suppressions.undo(**chosen).undone == 0  # type: ignore[arg-type]


def test_a_thousand_in_one_call(clock: FixedClock) -> None:
    """A thousand entries of one provider come back in one call, and a true bounce counts once more."""
    suppressions = SuppressionList(MemoryStore(), clock=clock)
    dead(suppressions, *(f"u{number}@gmail.com" for number in range(1000)))
    result = suppressions.undo(mailbox_provider="google", since=NINE, until=NINE + HOUR)
    assert (result.undone, len(list(suppressions))) == (1000, 0)
    dead(suppressions, "u7@gmail.com", "u7@gmail.com")
    assert len(list(suppressions)) == 1


def test_what_was_undone_stays_undone(clock: FixedClock) -> None:
    """The webhook of an outage, posted again, suppresses nobody again."""
    suppressions = SuppressionList(MemoryStore(), clock=clock)
    item = {"event": "bounce", "email": "ada@one.example", "sg_event_id": "e-1", "reason": f"550 {REPLY}"}
    bounce = {"event": "hard_bounce", "email": "bob@one.example", "ts_epoch": 1795165200000}
    events = (*from_webhook("sendgrid", [item]), *from_webhook("brevo", bounce))
    for event in events:
        suppressions.apply(event)
    assert [suppressions.undo(esp=name).undone for name in ("SendGrid", "brevo")] == [1, 1]
    assert [suppressions.apply(event) for event in events] == [None, None]


def test_both_ends_of_the_time_count(clock: FixedClock) -> None:
    """A report at exactly the first or the last moment is undone, one a second outside is not."""
    suppressions = SuppressionList(MemoryStore(), clock=clock)
    for number in range(4):
        dead(suppressions, f"u{number}@mail.example")
        clock.advance(1.0)
    middle = (NINE + timedelta(seconds=1), NINE + timedelta(seconds=2))
    result = suppressions.undo(domain="mail.example", since=middle[0], until=middle[1])
    assert sorted(entry.time for entry in result.entries) == list(middle)
    assert str(result) == "2 entries undone (mailbox-unknown 2)"
    assert str(suppressions.undo(domain="mail.example", until=NINE)).startswith("1 entry undone")


def test_a_domain_in_other_letters_is_named_by_its_a_label(clock: FixedClock) -> None:
    """What was suppressed at bücher.example is undone under the name that the DNS has for it."""
    suppressions = SuppressionList(MemoryStore(), clock=clock)
    dead(suppressions, "ada@bücher.example")
    assert suppressions.undo(domain="xn--bcher-kva.example").undone == 1


def test_a_complaint_is_undone_only_by_its_name(clock: FixedClock) -> None:
    """A complaint stays unless the reason is named."""
    suppressions = SuppressionList(MemoryStore(), clock=clock)
    suppressions.apply(Event(EventType.COMPLAINED, "ada@one.example", action=Action.SUPPRESS))
    assert suppressions.undo(domain="one.example").undone == 0
    assert suppressions.undo(domain="one.example", reason="complained").undone == 1


@pytest.mark.parametrize(
    "chosen",
    [{}, {"since": datetime(2026, 1, 1)}, {"until": "yesterday"}],  # noqa: DTZ001 -- the mistake
)
def test_what_does_not_say_which(chosen: dict[str, Any]) -> None:
    """Nothing is undone where nothing, or no moment, says what is meant."""
    with pytest.raises(ConfigurationError):
        SuppressionList(MemoryStore()).undo(**chosen)


def test_one_event_by_eight_threads_counts_once(store: Documents) -> None:
    """One event that eight threads bring at once causes one suppression, and one of them gets it."""
    suppressions = SuppressionList(store, disabled_limit=1)
    event = Event(
        EventType.BOUNCED,
        "ada@one.example",
        reason=BounceReason.MAILBOX_DISABLED,
        event_id="e-1",
        provider="sendgrid",
    )
    together = Barrier(8)

    def bring(_: int) -> bool:
        together.wait()
        return suppressions.apply(event) is not None

    with ThreadPoolExecutor(8) as pool:
        caused = list(pool.map(bring, range(8)))
    assert (sum(caused), len(list(suppressions))) == (1, 1)


def wave(suppressions: SuppressionList, clock: FixedClock, *, good: int, bad: int) -> None:
    """Let a provider take some mail, and call some addresses unknown, within a minute."""
    for number in range(good):
        suppressions.apply(Event(EventType.DELIVERED, f"good{number}@gmail.com", time=clock.now))
    dead(suppressions, *(f"bad{number}@gmail.com" for number in range(bad)))


@pytest.fixture
def told() -> list[Outage]:
    """Return what the operator is told."""
    return []


@pytest.fixture
def watched(clock: FixedClock, told: list[Outage]) -> SuppressionList:
    """Return a list whose provider took mail yesterday."""
    suppressions = SuppressionList(MemoryStore(clock=clock), clock=clock, on_outage=told.append)
    suppressions.apply(Event(EventType.DELIVERED, "ada@gmail.com", time=clock.now))
    clock.advance(86400.0)
    return suppressions


def test_a_wave_is_held(watched: SuppressionList, clock: FixedClock, told: list[Outage]) -> None:
    """Unknown addresses of a provider that took mail yesterday are held: not mailed, and decided later."""
    wave(watched, clock, good=5, bad=30)
    assert [(one.mailbox_provider, one.unknown, one.delivered) for one in told] == [("google", 20, 5)]
    assert (len(list(watched.held())), watched.is_suppressed("bad3@gmail.com")) == (30, True)
    assert watched.undo(mailbox_provider="google", since=clock.now - HOUR).undone == 30


def test_what_is_held_may_be_believed(watched: SuppressionList, clock: FixedClock) -> None:
    """Held bounces that are confirmed last; others end by themselves after a week."""
    wave(watched, clock, good=0, bad=25)
    assert watched.confirm(domain="gmail.com") == 25
    clock.advance(30 * 86400.0)
    assert (len(list(watched.held())), watched.is_suppressed("bad3@gmail.com")) == (0, True)


def test_what_is_known_for_good_is_not_held(watched: SuppressionList, clock: FixedClock) -> None:
    """A held bounce does not shorten what lasts already, and a true one later ends the waiting."""
    watched.add("bad3@gmail.com")
    wave(watched, clock, good=0, bad=25)
    clock.advance(7200.0)
    dead(watched, "bad4@gmail.com")
    held = {entry.key for entry in watched.held()}
    lasting = {watched.entry(address).key for address in ("bad3@gmail.com", "bad4@gmail.com")}
    assert (len(held), held & lasting) == (23, set())


def test_what_nobody_decides_ends(watched: SuppressionList, clock: FixedClock) -> None:
    """After a week one more message tells whether the mailbox lives."""
    wave(watched, clock, good=0, bad=25)
    clock.advance(7 * 86400.0 + 1)
    assert not watched.is_suppressed("bad3@gmail.com")


@pytest.mark.parametrize(("good", "bad"), [(100, 25), (0, 19)])
def test_an_ordinary_share_is_believed(
    watched: SuppressionList, clock: FixedClock, told: list[Outage], good: int, bad: int
) -> None:
    """A share of unknown addresses that old bases have, or a few of them, are no wave."""
    wave(watched, clock, good=good, bad=bad)
    assert (told, len(list(watched.held()))) == ([], 0)


def test_a_provider_that_never_took_mail_is_believed(clock: FixedClock, told: list[Outage]) -> None:
    """Where nothing was ever delivered, dead addresses are dead."""
    suppressions = SuppressionList(MemoryStore(clock=clock), clock=clock, on_outage=told.append)
    wave(suppressions, clock, good=0, bad=50)
    assert (told, len(list(suppressions.held()))) == ([], 0)


def test_the_operator_is_told_in_the_log(
    watched: SuppressionList, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says who, how many and what to do, once and without an address."""
    wave(watched, clock, good=0, bad=40)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert caplog.messages[0].startswith("google rejected 20 of 20 addresses as unknown")
    assert "@" not in caplog.text


@pytest.mark.parametrize("setting", [{"share": 0.0}, {"share": 1.5}, {"least": 0}, {"window": float("nan")}])
def test_a_brake_that_cannot_work(setting: dict[str, Any]) -> None:
    """A setting under which no wave could be told is refused."""
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        OutagePolicy(**setting)


@pytest.mark.parametrize("provider", ["sendgrid", "mailgun", "mandrill", "mailjet"])
def test_dropped_because_of_an_unsubscription(provider: str) -> None:
    """A message that was dropped because the recipient had left stops its flow, not password resets."""
    item: Any = {
        "sendgrid": [{"event": "dropped", "email": "a@b.example", "reason": "Unsubscribed Address"}],
        "mailgun": {
            "event-data": {"event": "failed", "recipient": "a@b.example", "reason": "suppress-unsubscribe"}
        },
        "mandrill": {
            "mandrill_events": [
                {"event": "reject", "msg": {"email": "a@b.example", "reject": {"reason": "unsub"}}}
            ]
        },
        "mailjet": {"event": "blocked", "email": "a@b.example", "error": "blacklisted"},
    }[provider]
    suppressions = SuppressionList(MemoryStore())
    for event in from_webhook(provider, item):
        suppressions.apply(event)
    found = [
        suppressions.is_suppressed("a@b.example", flow=flow) for flow in (Flow.MARKETING, Flow.TRANSACTIONAL)
    ]
    assert found == [True, False]


def change(kind: str, second: int, **more: object) -> Event:
    """Return an event of SendGrid about a group."""
    item = {
        "event": kind,
        "email": "a@b.example",
        "timestamp": NINE.timestamp() - 60 + second,
        "sg_event_id": f"{second}",
        **more,
    }
    return from_webhook("sendgrid", [item], flow=Flow.MARKETING)[0]


@pytest.mark.parametrize(
    ("events", "is_suppressed"),
    [
        (
            [
                change("group_unsubscribe", 1, asm_group_id=10),
                change("group_resubscribe", 2, asm_group_id=10),
            ],
            False,
        ),
        (
            [
                change("group_unsubscribe", 1, asm_group_id=10),
                change("group_resubscribe", 2, asm_group_id=11),
            ],
            True,
        ),
        (
            [
                change("group_unsubscribe", 2, asm_group_id=10),
                change("group_resubscribe", 1, asm_group_id=10),
            ],
            True,
        ),
        ([change("spamreport", 1), change("group_resubscribe", 2, asm_group_id=10)], True),
    ],
)
def test_coming_back(clock: FixedClock, events: list[Event], *, is_suppressed: bool) -> None:
    """Who comes back is written to again: to the same group, later, and not after a complaint."""
    suppressions = SuppressionList(MemoryStore(), clock=clock)
    for event in events:
        suppressions.apply(event)
    assert suppressions.is_suppressed("a@b.example", flow=Flow.MARKETING) is is_suppressed


def test_another_provider_cannot_bring_back(clock: FixedClock) -> None:
    """Who left by our own link is not brought back by what a provider says."""
    suppressions = SuppressionList(MemoryStore(), clock=clock)
    suppressions.apply(
        Event(EventType.UNSUBSCRIBED, "a@b.example", action=Action.SUPPRESS, flow=Flow.MARKETING)
    )
    suppressions.apply(change("group_resubscribe", 2))
    assert suppressions.is_suppressed("a@b.example", flow=Flow.MARKETING)


def test_the_end_by_reason(clock: FixedClock) -> None:
    """A reason may have an end of its own."""
    suppressions = SuppressionList(MemoryStore(clock=clock), expires={"domain-unknown": 86400.0}, clock=clock)
    suppressions.add("a@b.example", reason="domain-unknown")
    suppressions.add("c@d.example", reason="mailbox-unknown")
    clock.advance(86401.0)
    assert [suppressions.is_suppressed(a) for a in ("a@b.example", "c@d.example")] == [False, True]


def test_forgetting_somebody() -> None:
    """What is known of a person goes; that they complained stays, without the address."""
    suppressions = SuppressionList(MemoryStore(), clear=True)
    dead(suppressions, "ada@one.example")
    complaint = Event(EventType.COMPLAINED, "ada@one.example", action=Action.SUPPRESS, flow=Flow.MARKETING)
    suppressions.apply(complaint)
    assert suppressions.forget("Ada <ada@one.example>") == 2
    assert [(e.scope, e.address, e.domain) for e in suppressions] == [("flow:marketing", None, None)]


def test_an_entry_says_what_was_said(clock: FixedClock) -> None:
    """An entry keeps domain, teller, status, id and time of the event that caused it."""
    suppressions = SuppressionList(MemoryStore(), clock=clock)
    item = {
        "event": "bounce",
        "email": "ada@One.example",
        "sg_event_id": "e-1",
        "timestamp": NINE.timestamp(),
        "reason": f"550 {REPLY}",
    }
    entry = suppressions.apply(*from_webhook("sendgrid", [item]))
    assert entry is not None
    assert (
        entry.domain,
        entry.provider,
        entry.status,
        entry.smtp_code,
        entry.event_id,
        entry.event_time,
    ) == (
        "one.example",
        "sendgrid",
        "5.1.1",
        550,
        "e-1",
        NINE,
    )
    assert (entry.purpose, suppressions.counts()) == ("all mail", {("global", "mailbox-unknown"): 1})


def test_the_async_twins(tmp_path: Path) -> None:
    """What waits for a store has a twin that blocks no event loop."""
    suppressions = SuppressionList(SQLiteStore(tmp_path / "list.db"))

    async def several() -> tuple[object, ...]:
        await suppressions.aapply(from_reply(550, REPLY, recipient="ada@one.example"))
        was = await suppressions.ais_suppressed("ada@one.example", flow=Flow.TRANSACTIONAL)
        undone = await suppressions.aundo(domain="one.example")
        return was, undone.undone, await suppressions.ais_suppressed("ada@one.example")

    assert asyncio.run(several()) == (True, 1, False)


@pytest.mark.parametrize("address", ["", "not an address", "ada@", "ada@one.example, bob@one.example", None])
def test_forgetting_nobody_is_an_error(address: Any) -> None:
    """Who asks to erase what is no address is told so, not that nothing was there."""
    with pytest.raises(ConfigurationError):
        SuppressionList(MemoryStore()).forget(address)
