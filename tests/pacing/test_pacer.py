"""Turns for each provider, and what replies do to them."""

from __future__ import annotations

import asyncio
import math
import smtplib
from collections import Counter
from itertools import count, islice
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows.errors import ConfigurationError, StoreError
from mailflows.limits import MemoryStore, SQLiteStore
from mailflows.pacing import Pacer
from mailflows.pacing._provider_pace import Pace, read_pace
from mailflows.testing import FakeDns
from pacing_runs import Provider, capacity, fairness, one_recipient
from throttling_provider import Clock, simulate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterable, Iterator
    from pathlib import Path

RATES = {"google": "10/s", "yahoo": "1/s", "default": "5/s"}
TOO_FAST = (421, "4.7.0 Too many messages, slow down")


@pytest.fixture
def clock() -> Clock:
    """Return a clock that the test moves."""
    return Clock()


def pacer(clock: Clock, **settings: object) -> Pacer:
    """Return a pacer that sleeps by moving the clock."""

    def sleep(seconds: float) -> None:
        clock.now += seconds

    async def asleep(seconds: float) -> None:
        clock.now += seconds
        await asyncio.sleep(0)

    settings = {"store": MemoryStore(clock=clock), "rates": RATES} | settings
    return Pacer(clock=clock, sleep=sleep, asleep=asleep, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("times", [2, 50])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_hidden_capacity_is_found(times: float, processes: int) -> None:
    """At least 90 % of what a provider takes, with at most 2 % deferrals, in an hour."""
    figures = simulate(limit=60, window=60.0, times_too_high=times, processes=processes)
    assert figures.capacity_used >= 0.9
    assert figures.deferral_share <= 0.02


def test_turns_are_as_far_apart_as_the_rate_says(clock: Clock) -> None:
    """Ten messages a second leave a tenth of a second apart."""
    paced = pacer(clock)
    assert [paced.schedule("a@gmail.com").delay for _ in range(3)] == pytest.approx([0, 0.1, 0.2], abs=1e-5)


def test_domains_of_one_provider_share_its_pace(clock: Clock) -> None:
    """A domain whose mail host is Google's waits behind gmail.com."""
    dns = FakeDns({name: {"MX": ["1 aspmx.l.google.com"]} for name in ("gmail.com", "shop.example")})
    paced = pacer(clock, resolver=dns)
    paced.schedule("a@gmail.com")
    assert paced.schedule("b@shop.example").delay > 0


def test_a_domain_is_asked_for_once(clock: Clock) -> None:
    """The provider of a domain is remembered."""
    dns = FakeDns({"shop.example": {"MX": ["1 mx.shop.example"]}})
    paced = pacer(clock, resolver=dns)
    for _ in range(3):
        paced.schedule("a@shop.example")
    assert len(dns.asked) == 1


def test_pacers_share_a_store(clock: Clock, tmp_path: Path) -> None:
    """A second process waits behind the turns that the first booked."""
    stores = [SQLiteStore(tmp_path / "pace.db", clock=clock) for _ in range(2)]
    delays = [pacer(clock, store=store).schedule("a@gmail.com").delay for store in stores]
    for store in stores:
        store.close()
    assert delays == pytest.approx([0, 0.1], abs=1e-5)


def test_a_turn_too_late_is_not_booked(clock: Clock) -> None:
    """A slot that would come after *within* is false, and takes nobody's turn."""
    paced = pacer(clock)
    paced.schedule("a@yahoo.com")
    assert not paced.schedule("a@yahoo.com", within=0.5)
    assert paced.schedule("a@yahoo.com").delay == pytest.approx(1.0, abs=1e-5)


def test_too_fast_slows_everybody_down(clock: Clock, tmp_path: Path) -> None:
    """After a 4xx to one process, the turns of another come a pause later and farther apart."""
    stores = [SQLiteStore(tmp_path / "pace.db", clock=clock) for _ in range(2)]
    one, other = (pacer(clock, store=store) for store in stores)
    one.schedule("a@gmail.com").result(*TOO_FAST)
    first, second = (other.schedule("a@gmail.com").delay for _ in range(2))
    for store in stores:
        store.close()
    assert first >= 1.0
    assert second - first == pytest.approx(0.2, abs=1e-5)


def test_what_was_under_way_slows_down_no_more(clock: Clock) -> None:
    """Ten deferrals of messages that left together are one piece of news."""
    paced = pacer(clock)
    slots = [paced.schedule("a@gmail.com") for _ in range(10)]
    for slot in slots:
        slot.result(*TOO_FAST)
    assert paced._pace("google").base == pytest.approx(5.0)


def test_a_pace_recovers(clock: Clock) -> None:
    """Some minutes after a deferral the pace is what it was."""
    paced = pacer(clock)
    paced.schedule("a@gmail.com").result(*TOO_FAST)
    clock.now += 600
    assert paced._pace("google").rate(10.0, clock.now) == 10.0


@given(st.floats(0.01, 100), st.floats(0.01, 0.99), st.lists(st.floats(0, 1e5), min_size=2))
def test_a_recovery_never_falls_nor_exceeds(peak: float, share: float, moments: list[float]) -> None:
    """Without further news, the rate only rises, up to the configured one."""
    pace = Pace(base=share * peak, peak=peak)
    rates = [pace.rate(100.0, moment) for moment in sorted(moments)]
    assert rates == sorted(rates)
    assert 0 < rates[0] <= rates[-1] <= 100.0


def test_a_penalty_is_probed(clock: Clock) -> None:
    """Google's "unusual rate" means ten a minute, which is probed after half a minute and then left."""
    paced = pacer(clock)
    paced.schedule("a@gmail.com").result(421, "4.7.28 unusual rate of unsolicited mail")
    clock.now += 29
    assert paced._pace("google").rate(10.0, clock.now) == pytest.approx(1 / 6)
    clock.now += 120
    assert paced._pace("google").rate(10.0, clock.now) > 1


def test_a_penalty_that_goes_on_is_waited_out(clock: Clock) -> None:
    """A box of half an hour costs a handful of messages, and is left when it is over."""
    paced = pacer(clock)
    over = clock.now + 1800
    refused = 0
    while clock.now < over + 1800:
        slot = paced.schedule("a@gmail.com")
        clock.now = max(clock.now, slot.not_before)
        if clock.now < over:
            refused += 1
            slot.result(421, "4.7.28 unusual rate of unsolicited mail")
        else:
            slot.sent()
    assert refused < 12
    assert paced._pace("google").rate(20.0, clock.now) > 1


CAMPAIGNS = [
    ("gmail.com", 421, "4.7.28 Our system has detected an unusual rate of unsolicited mail", 150, 0.4, 0.05),
    (
        "outlook.com",
        421,
        "4.3.2 The maximum number of concurrent server connections was exceeded",
        100,
        0.4,
        0.1,
    ),
    ("mail.example", 450, "4.4.9 come back another day", 50, 0.5, 0.1),
    ("mail.example", 421, "Service is having a rest", 90, 0.5, 0.1),
    ("mail.example", 421, "4.7.0 Too many messages, slow down", 10, 0.6, 0.05),
]


@pytest.mark.parametrize(("domain", "code", "text", "limit", "used", "deferred"), CAMPAIGNS)
def test_what_is_said_again_and_again_slows_down(  # noqa: PLR0913, PLR0917 -- a row
    domain: str, code: int, text: str, limit: int, used: float, deferred: float
) -> None:
    """Whatever a provider says to what it does not take, the pacer finds what it takes."""
    found = capacity(Provider(code, text, limit), domain)
    assert found.used >= used
    assert found.deferred <= deferred


@pytest.mark.parametrize(
    ("code", "text"), [(452, "4.2.2 The mailbox is full"), (450, "4.2.0 Greylisted"), (450, "4.4.9 not now")]
)
def test_one_recipient_in_twenty_slows_nobody_down(code: int, text: str) -> None:
    """What concerns one recipient, or happens now and then, says nothing about the pace."""
    usual = one_recipient(code, text, "mail.example", messages=400, every=None)
    assert one_recipient(code, text, "mail.example", messages=400, every=20) <= 1.1 * usual


def test_a_slow_provider_holds_up_nobody() -> None:
    """Four providers in one campaign are each as fast as alone, though one takes a tenth of another."""
    takes = {"gmail.com": 500, "outlook.com": 250, "yahoo.com": 200, "orange.fr": 50}

    def provider(domain: str) -> Provider:
        return Provider(421, "4.7.0 Too many messages, slow down", takes[domain])

    alone = {domain: fairness({domain: provider(domain)}, each=1200)[domain] for domain in takes}
    together = fairness({domain: provider(domain) for domain in takes}, each=1200)
    assert {domain: together[domain] <= 1.3 * alone[domain] for domain in takes} == dict.fromkeys(takes, True)


def test_a_suspended_provider_stops_only_itself(clock: Clock) -> None:
    """While Yahoo wants nothing for four hours, Google's turns come."""
    paced = pacer(clock)
    paced.schedule("a@yahoo.com").result(421, "4.7.0 [TSS05] deferred")
    assert paced.schedule("a@yahoo.com").delay >= 14400
    assert paced.schedule("a@gmail.com").delay == 0


def test_fewer_connections_for_a_time(clock: Clock) -> None:
    """Outlook's RP-003 means one connection, for an hour."""
    paced = pacer(clock)
    paced.schedule("a@outlook.com").result(421, "RP-003 too many connections")
    assert paced.schedule("a@outlook.com").connections == 1
    clock.now += 3601
    assert paced.schedule("a@outlook.com").connections == 20


@pytest.mark.parametrize(
    ("problem", "reason", "pace"),
    [
        (smtplib.SMTPDataError(421, b"4.7.0 Too many messages, slow down"), "rate", "throttle"),
        (
            smtplib.SMTPRecipientsRefused({"a@gmail.com": (550, b"No such user")}),
            "mailbox-unknown",
            None,
        ),
        (ConnectionResetError("gone"), "connection", None),
    ],
)
def test_exceptions_are_fed_back(clock: Clock, problem: Exception, reason: str, pace: str | None) -> None:
    """What smtplib raises holds the reply; a lost connection holds none."""
    reply = pacer(clock).schedule("a@gmail.com").failed(problem)
    assert (reply.reason, reply.pace) == (reason, pace)


def test_a_reply_about_a_recipient_leaves_the_pace(clock: Clock) -> None:
    """A mailbox that is full says nothing about the provider, and nothing is written."""
    paced = pacer(clock)
    paced.schedule("a@gmail.com").result(452, "4.2.2 mailbox full")
    assert paced._pace("google") == Pace()


@given(st.lists(st.sampled_from(["gmail.com", "yahoo.com", "a.example", "b.example"]), max_size=40))
def test_a_stream_gives_everything_once(domains: list[str]) -> None:
    """Whatever the order of providers, each message comes once, in order within its provider."""
    clock = Clock()
    messages = [f"{number}@{domain}" for number, domain in enumerate(domains)]
    given_out = []
    for message, slot in pacer(clock).stream(messages, look_ahead=7):
        given_out.append(message)
        slot.sent()
    assert Counter(given_out) == Counter(messages)
    for domain in set(domains):
        ours = [m for m in given_out if m.endswith(domain)]
        assert ours == [m for m in messages if m.endswith(domain)]


def test_a_slow_provider_does_not_block(clock: Clock) -> None:
    """Google's messages are given while ten for Yahoo wait, one second each."""
    messages = ["a@yahoo.com"] * 10 + ["b@gmail.com"] * 10
    order = []
    for message, slot in pacer(clock).stream(messages):
        order.append(message[0])
        slot.sent()
    assert "".join(order[:11]).count("b") >= 9


@pytest.mark.parametrize("row", ["", "no address", "@", "a@", "a@b@c"])
def test_a_bad_row_stops_nobody(clock: Clock, row: str) -> None:
    """What is no address has its turn like the others, whose mail goes out."""
    rows = ["a@gmail.com", row, "b@gmail.com"]
    assert Counter(item for item, _ in pacer(clock).stream(rows)) == Counter(rows)


def test_a_stream_is_lazy(clock: Clock) -> None:
    """An endless source is read no farther than what is given and looked ahead."""
    read = []

    def source() -> Iterator[str]:
        for n in count():
            read.append(n)
            yield f"{n}@yahoo.com"

    for _, slot in islice(pacer(clock).stream(source(), look_ahead=5), 3):
        slot.sent()
    assert len(read) <= 3 + 5


def test_a_killed_run_goes_on(clock: Clock, tmp_path: Path) -> None:
    """What was done is not given again; what was under way is."""
    messages = [f"{n}@gmail.com" for n in range(10)]
    store = SQLiteStore(tmp_path / "run.db", clock=clock)
    stream = pacer(clock, store=store).stream(messages, resume="campaign-42")
    for _, slot in islice(stream, 4):
        slot.sent()
    next(stream)  # under way when the run ends
    cast("Generator[object]", stream).close()
    store.close()
    store = SQLiteStore(tmp_path / "run.db", clock=clock)
    again = []
    for message, slot in pacer(clock, store=store).stream(messages, resume="campaign-42"):
        slot.sent()
        again.append(message)
    store.close()
    assert again == messages[4:]


def test_what_is_skipped_is_done_and_frees_its_connection(clock: Clock) -> None:
    """A list of addresses that are all suppressed is through at the pace of its rate, and stays done."""
    paced = pacer(clock, connections={"google": 1})
    people = [f"{number}@gmail.com" for number in range(5)]
    start = clock.now
    for _, slot in paced.stream(people, resume="skipping"):
        slot.skipped()
    assert clock.now - start < 1.0
    assert list(paced.stream(people, resume="skipping")) == []


def test_a_run_can_be_forgotten(clock: Clock) -> None:
    """After forget() the same name begins again."""
    paced = pacer(clock)
    for _, slot in paced.stream(["a@gmail.com"], resume="x"):
        slot.sent()
    paced.forget("x")
    assert len(list(paced.stream(["a@gmail.com"], resume="x"))) == 1


def test_connections_that_are_open_count(clock: Clock) -> None:
    """A third message waits until a slot was told its outcome, or five minutes have passed."""
    began = clock.now
    stream = pacer(clock, connections={"google": 2}).stream(["a@gmail.com"] * 3)
    assert len(list(stream)) == 3
    assert clock.now - began >= 300


def test_the_async_twin_gives_the_same(clock: Clock) -> None:
    """A list or an asynchronous source comes out whole, and resumes."""
    paced = pacer(clock, resolver=FakeDns({"gmail.com": {"MX": ["1 aspmx.l.google.com"]}}))

    async def send() -> list[str]:
        got = []
        async for message, slot in paced.astream(["a@gmail.com", "b@yahoo.com"], resume="x"):
            got.append(message)
            slot.sent()
        async for message, _ in paced.astream(["a@gmail.com", "b@yahoo.com", "c@yahoo.com"], resume="x"):
            got.append(message)
        slot = await paced.aschedule("d@gmail.com")
        return [*got, slot.provider]

    assert asyncio.run(send()) == ["a@gmail.com", "b@yahoo.com", "c@yahoo.com", "google"]


def test_messages_and_other_items_are_taken(clock: Clock) -> None:
    """The provider is that of a message's first recipient, or of what *to* returns."""
    paced = pacer(clock)
    assert paced.schedule("From: a@shop.example\nTo: b@gmail.com\n\nHello").provider == "google"
    ((_, slot),) = paced.stream([{"mail": "b@yahoo.com"}], to=lambda item: item["mail"])
    assert slot.provider == "yahoo"


def test_a_damaged_pace_is_none() -> None:
    """A document that cannot be read is as if nothing had been said."""
    assert read_pace(b"\xff{") == Pace()


@pytest.mark.parametrize(
    "settings",
    [{"rates": {"google": "0/s"}}, {"rates": {"google": "1/s; 5/min"}}, {"connections": {"google": 0}}],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, dict[str, str]]) -> None:
    """A pace is one rate above zero, and a provider has at least one connection."""
    with pytest.raises(ConfigurationError, match="got"):
        Pacer(**settings)  # type: ignore[arg-type]


def test_a_look_ahead_of_nothing_is_refused(clock: Clock) -> None:
    """A stream holds at least one message."""
    with pytest.raises(ValueError, match="at least 1"):
        pacer(clock).stream([], look_ahead=0)


def test_a_source_that_fails_loses_nothing_that_was_read(clock: Clock) -> None:
    """What was read before is sent, and then the error is raised."""

    def failing() -> Iterator[str]:
        yield from (f"{n}@gmail.com" for n in range(5))
        raise RuntimeError("the database is gone")  # noqa: EM101, TRY003 -- a test's own

    sent: list[str] = []
    with pytest.raises(RuntimeError, match="the database is gone"):
        _drain(pacer(clock), failing(), sent)
    assert len(sent) == 5


def test_async_a_source_that_fails_loses_nothing(clock: Clock) -> None:
    """The async stream does the same."""

    async def failing() -> AsyncIterator[str]:
        for n in range(5):
            yield f"{n}@gmail.com"
        raise RuntimeError("the database is gone")  # noqa: EM101, TRY003 -- a test's own

    sent: list[str] = []

    async def send() -> None:
        async for address, slot in pacer(clock).astream(failing()):
            slot.sent()
            sent.append(address)

    with pytest.raises(RuntimeError, match="the database is gone"):
        asyncio.run(send())
    assert len(sent) == 5


def _drain(paced: Pacer, messages: Iterable[str], sent: list[str]) -> None:
    for address, slot in paced.stream(messages):
        slot.sent()
        sent.append(address)


@pytest.mark.parametrize("bad", [b"no message", "", 5, "no address"])
def test_one_message_that_cannot_be_read_stops_no_other(clock: Clock, bad: Any) -> None:
    """It is given out in its turn, so that its sender finds out, and the run can end."""
    given = [item for item, _ in pacer(clock).stream(["a@gmail.com", bad, "b@yahoo.com"], resume="news")]
    assert set(given) == {"a@gmail.com", bad, "b@yahoo.com"}


class _Failing(MemoryStore):
    """A store whose documents cannot be written for a while."""

    fails = False

    def swap(self, key: str, old: bytes | None, new: bytes | None, *, ttl: float | None = None) -> bool:
        """Fail, or do as a store does."""
        if self.fails:
            msg = "down"
            raise StoreError(msg, store="test")
        return super().swap(key, old, new, ttl=ttl)


def test_what_a_store_did_not_keep_can_be_said_again(clock: Clock) -> None:
    """A slot whose store was down is told again, and its message then is done."""
    store = _Failing(clock=clock)
    paced = pacer(clock, store=store)
    ((_, slot),) = paced.stream(["a@gmail.com"], resume="news")
    store.fails = True
    with pytest.raises(StoreError):
        slot.sent()
    store.fails = False
    slot.sent()
    assert list(paced.stream(["a@gmail.com"], resume="news")) == []


def test_a_store_that_is_down_closes_the_connection_all_the_same(clock: Clock) -> None:
    """A connection that was closed is free for the next message, whatever could be kept of it."""
    store = _Failing(clock=clock)
    given = 0
    start = clock.now
    for _, slot in pacer(clock, store=store, connections={"google": 1}).stream(["a@gmail.com"] * 3):
        given += 1
        store.fails = True
        with pytest.raises(StoreError):
            slot.result(*TOO_FAST)
        store.fails = False
    assert (given, clock.now - start < 60) == (3, True)


def test_a_clock_that_is_set_back_holds_up_no_stream(clock: Clock) -> None:
    """Turns that were booked in a wrong year are taken in the right one."""
    clock.now += 365 * 86_400
    sent: list[str] = []
    for address, slot in pacer(clock).stream(f"{n}@yahoo.com" for n in range(4)):
        if len(sent) == 1:  # all are read by then, and the next turn is booked
            clock.now -= 365 * 86_400
            right = clock.now
        slot.sent()
        sent.append(address)
    assert (len(sent), clock.now - right < 60) == (4, True)


def test_a_pause_of_a_wrong_year_is_forgotten(clock: Clock) -> None:
    """A provider that deferred while the clock was a year ahead is written to once it is right."""
    paced = pacer(clock)
    clock.now += 365 * 86_400
    paced.schedule("a@gmail.com").result(*TOO_FAST)
    clock.now -= 365 * 86_400
    right = clock.now
    for _, slot in paced.stream(["b@gmail.com"]):
        slot.sent()
    assert clock.now - right < 60


@pytest.mark.parametrize("damage", [b"{", b"[1]", b"{}", b"[NaN, []]", b'["x", []]'])
def test_a_damaged_checkpoint_is_a_clear_error(clock: Clock, damage: bytes) -> None:
    """A run never begins again by itself; who forgets its checkpoint says so."""
    paced = pacer(clock)
    for _, slot in paced.stream(["a@gmail.com"], resume="news"):
        slot.sent()
    ((key, document),) = paced.store.scan("checkpoint:")
    paced.store.swap(key, document, damage)
    with pytest.raises(StoreError, match="the checkpoint of this run is damaged"):
        list(paced.stream(["a@gmail.com"], resume="news"))
    paced.forget("news")
    assert len(list(paced.stream(["a@gmail.com"], resume="news"))) == 1


@pytest.mark.parametrize("damage", [b"", b"{}", b'["a", 1, 1, 1, 1, 1, 1, 1]', b"[1, 1, 1, 1, 1, 1, NaN, 1]"])
def test_a_damaged_pace_is_as_none(damage: bytes) -> None:
    """A pace that cannot be read never stops a run."""
    assert read_pace(damage) == Pace()


@pytest.mark.parametrize("settings", [{"connections": {"google": n}} for n in ("5", math.nan, None, 0.5, 0)])
def test_connections_that_are_no_number(settings: dict[str, Any]) -> None:
    """Whatever is no whole number of at least 1 is told what is expected."""
    with pytest.raises(ConfigurationError, match="connections= must be whole numbers"):
        Pacer(**settings)


@pytest.mark.parametrize("number", [math.nan, 2.5, "x", None, 0])
def test_a_look_ahead_that_is_no_number(number: Any) -> None:
    """With not-a-number nothing would be read, and nothing sent, in silence."""
    with pytest.raises(ValueError, match="look_ahead must be a number of messages"):
        Pacer().stream(["a@gmail.com"], look_ahead=number)


def test_a_turn_within_no_number_of_seconds() -> None:
    """Not-a-number compares with nothing, so that no turn would be too late."""
    with pytest.raises(ValueError, match="within must be a number of seconds"):
        Pacer().schedule("a@gmail.com", within=math.nan)


@pytest.mark.parametrize(
    "refused", [{"a@gmail.com": None}, {"a@gmail.com": ("x", "y")}, {"a@gmail.com": (550,)}]
)
def test_an_exception_without_a_reply_says_nothing_about_the_pace(
    clock: Clock, refused: dict[str, Any]
) -> None:
    """Whatever a library puts there, the slot is told, and the sender goes on."""
    assert (
        pacer(clock).schedule("a@gmail.com").failed(smtplib.SMTPRecipientsRefused(refused)).action == "retry"
    )


def test_a_reply_without_text_is_judged_by_its_code(clock: Clock) -> None:
    """A server that says nothing but a number is understood."""
    assert pacer(clock).schedule("a@gmail.com").result(250, None).action == "none"  # type: ignore[arg-type]
