"""How a part of the library keeps its documents, and what decides while a store is down."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from async_store import AsyncStore
from dict_store import DictStore
from mailflows._stores import DocumentKeeper, WindowMeter
from mailflows._stores._documents import FIRST_PAUSE, LONGEST_PAUSE, Breaker, awaited
from mailflows._stores._fallback import BUSY_PAUSE, Fallback
from mailflows._stores._keys import REMEMBERED, KeyRing, stray_mark
from mailflows._stores._store import seconds_to_wait
from mailflows._visitors import visitor_sentence
from mailflows.errors import ConfigurationError, StoreError
from mailflows.feedback import SuppressionList
from mailflows.limits import Limit, Limiter, MemoryStore, SQLiteStore
from mailflows.testing import FixedClock

if TYPE_CHECKING:
    from pathlib import Path

WINDOW = WindowMeter("w", 4, 10.0)


class Failing:
    """A store that fails when it is told to, and else is one in memory."""

    name = "failing"

    def __init__(self, clock: FixedClock) -> None:
        self.store = MemoryStore(clock=clock)
        self.problem: StoreError | None = None
        self.asked: list[tuple[str, Any]] = []

    def __getattr__(self, verb: str) -> Any:
        real = getattr(self.store, verb)

        def ask(*arguments: Any, **how: Any) -> Any:
            self.asked.append((verb, how))
            if self.problem:
                raise self.problem
            return real(*arguments, **how)

        if verb in {"load", "swap", "digest", "scan", "decide", "settle", "reset"}:
            return ask
        raise AttributeError(verb)


@pytest.fixture
def clock() -> FixedClock:
    """Return a clock that moves only when told."""
    return FixedClock()


@pytest.fixture
def failing(clock: FixedClock) -> Failing:
    """Return a store that is well so far."""
    return Failing(clock)


DOWN = StoreError("it is down", store="failing")
BUSY = StoreError("it is busy", store="failing", is_busy=True)
LOST = StoreError("it is empty", store="failing", is_lost=True)


def test_a_store_that_failed_is_left_alone_for_ever_longer() -> None:
    """One second, two, four, … half a minute; one caller tries then, and the others go without."""
    clock = FixedClock()
    breaker = Breaker("x", timer=clock)
    pauses = []
    for _ in range(8):
        ticket = breaker.ticket()
        assert ticket is not None
        breaker.failed(ticket, DOWN)
        pauses.append(breaker.pause)
        clock.advance(breaker.pause)
    assert pauses == [FIRST_PAUSE, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    assert breaker.pause == 0
    assert breaker.ticket() is not None
    assert breaker.ticket() is None
    breaker.answered()
    assert [breaker.ticket() is None for _ in range(2)] == [False, False]


def test_one_stall_is_one_failure() -> None:
    """However many calls were waiting in it."""
    clock = FixedClock()
    breaker = Breaker("x", timer=clock)
    first, second = breaker.ticket(), breaker.ticket()
    assert first is not None
    assert second is not None
    breaker.failed(first, DOWN)
    breaker.failed(second, DOWN)
    assert breaker.pause == FIRST_PAUSE
    clock.advance(FIRST_PAUSE - 0.1)
    assert breaker.ticket() is None
    clock.advance(0.2)
    assert breaker.ticket() is not None


def test_an_outage_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """And its end."""
    breaker = Breaker("the store", timer=FixedClock())
    with caplog.at_level(logging.WARNING, logger="mailflows.limits"):
        breaker.answered()
        for _ in range(2):
            breaker.failed(breaker._total, DOWN)
        breaker.answered()
    assert [record.getMessage().startswith("the store ") for record in caplog.records] == [True, True]
    assert "it is down" in caplog.records[0].getMessage()


@pytest.mark.parametrize(("policy", "passes"), [("allow", True), ("deny", False)])
def test_a_policy_stands_in_for_a_document(failing: Failing, policy: Any, *, passes: bool) -> None:
    """It is asked for at once while the store is left alone; busy is no failure."""
    keeper = DocumentKeeper(failing, kind="x", on_error=policy, timer=FixedClock())
    assert keeper.instead(DOWN) is passes
    failing.problem = BUSY
    for _ in range(2):
        with pytest.raises(StoreError, match="it is busy"):
            keeper.load("x:1")
    failing.problem = DOWN
    with pytest.raises(StoreError, match="it is down"):
        keeper.load("x:1")
    asked = len(failing.asked)
    with pytest.raises(StoreError, match="failing: it failed, and will not be retried for 1 s"):
        keeper.load("x:1")
    assert len(failing.asked) == asked


def test_where_there_is_no_policy_a_store_is_always_asked(failing: Failing) -> None:
    """Nobody else decides."""
    keeper = DocumentKeeper(failing, kind="x", timer=FixedClock())
    failing.problem = DOWN
    for _ in range(3):
        with pytest.raises(StoreError, match="it is down"):
            keeper.load("x:1")
    assert len(failing.asked) == 3
    with pytest.raises(StoreError, match="it is down"):
        keeper.instead(DOWN)


def test_a_document_lives_as_long_as_it_is_said(failing: Failing) -> None:
    """As the change says, else as the keeper says; what does not change is not written."""
    keeper = DocumentKeeper(failing, kind="x", ttl=60.0)
    assert keeper.update("x:1", lambda _: b"1") == b"1"
    assert keeper.update("x:1", lambda _: b"2", 5.0) == b"2"
    assert keeper.update("x:1", lambda old: old) == b"2"
    assert [how for verb, how in failing.asked if verb == "swap"] == [{"ttl": 60.0}, {"ttl": 5.0}]
    keeper.remove("x:1")
    assert keeper.load("x:1") is None
    assert keeper.swap("x:1", None, b"3")
    assert not keeper.swap("x:1", None, b"4")
    assert keeper.collect() == [("x:1", b"3")]
    assert keeper.collect("2") == []


class Contended:
    """A store in which somebody else was always faster."""

    def load(self, _key: str) -> None:
        """Return nothing."""

    def swap(self, *_: Any, **__: Any) -> bool:
        """Say that it had changed."""
        return False


def test_a_change_is_tried_for_two_seconds() -> None:
    """Then the store is busy; it is named by its documents where it has no name."""
    moments = iter([0.0, 1.0, 2.0, 2.1])
    keeper = DocumentKeeper(Contended(), kind="x", timer=lambda: next(moments))  # type: ignore[arg-type]
    with pytest.raises(StoreError, match=r"^x: busy; .* for 2 s$") as caught:
        keeper.update("x:1", lambda _: b"1")
    assert caught.value.is_busy
    assert next(moments, None) is None


def test_a_key_hides_what_it_belongs_to(failing: Failing) -> None:
    """Except for the one document that a kind may have."""
    keeper = DocumentKeeper(failing, kind="x")
    assert keeper.key() == "x"
    assert keeper.key("ada", "b") == f"x:{failing.store.digest('ada' + chr(10) + 'b')}"
    assert keeper.digest("ada") == failing.store.digest("ada")
    with pytest.raises(ConfigurationError, match="'allow' or 'raise'; got 'deny'"):
        DocumentKeeper(failing, kind="x", on_error="deny", words=("allow", "raise"))


def test_a_broken_hook_stops_nothing(failing: Failing, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the others are called."""
    told: list[object] = []

    def broken(_: object) -> None:
        raise ValueError

    keeper = DocumentKeeper(failing, kind="x", hooks=[broken, told.append])
    keeper.tell("fact")
    assert told == ["fact"]
    assert "a hook failed" in caplog.text


def test_the_async_twin_asks_the_async_store() -> None:
    """Every verb, and a store that has none in a thread."""

    async def verbs(keeper: DocumentKeeper) -> None:
        key = await keeper.akey("ada")
        assert key == f"x:{await keeper.adigest('ada')}"
        assert await keeper.akey() == "x"
        assert await keeper.aload(key) is None
        assert await keeper.aupdate(key, lambda _: b"1") == b"1"
        assert not await keeper.aswap(key, None, b"2")
        assert await keeper.acollect() == [(key, b"1")]
        assert await keeper.aswap(key, b"1", b"2") is True
        assert await keeper.aload(key) == b"2"
        await keeper.aremove(key)
        assert await keeper.aload(key) is None

    for store in (AsyncStore(), MemoryStore(), Failing(FixedClock())):
        asyncio.run(verbs(DocumentKeeper(store, kind="x")))


def test_a_store_is_asked_in_memory_at_once_and_else_in_a_thread() -> None:
    """Unless it has a twin of its own."""

    async def threads() -> list[bool]:
        import threading

        here = threading.get_ident()
        found: list[bool] = []

        class Store(MemoryStore):
            def load(self, key: str) -> bytes | None:
                found.append(threading.get_ident() == here)
                return super().load(key)

        class Other:
            def load(self, _key: str) -> None:
                found.append(threading.get_ident() == here)

        await awaited(Store(), "load", "x")
        await awaited(Other(), "load", "x")  # type: ignore[arg-type]
        return found

    assert asyncio.run(threads()) == [True, False]


def limiter(failing: Failing, **settings: Any) -> Limiter:
    """Return a limiter of four in ten seconds over a store that may fail."""
    return Limiter(Limit("4/10s", per="account"), store=failing, **settings)


@pytest.mark.parametrize(
    ("policy", "problem", "found"),
    [
        ("allow", DOWN, (True, True, False, 0.0)),
        ("deny", DOWN, (False, True, False, 1.0)),
        ("local", DOWN, (True, True, False, 0.0)),
        ("allow", BUSY, (True, True, True, 0.0)),
        ("deny", BUSY, (False, False, True, BUSY_PAUSE)),
        ("local", BUSY, (False, False, True, BUSY_PAUSE)),
        ("local", LOST, (False, True, False, 1.0)),
        ("allow", LOST, (True, True, False, 0.0)),
    ],
)
def test_what_decides_while_a_store_is_down(
    failing: Failing, policy: Any, problem: StoreError, found: tuple[bool, bool, bool, float]
) -> None:
    """The policy; a busy store refuses by itself, and one that has lost its counts is not counted anew."""
    failing.problem = problem
    decision = limiter(failing, on_error=policy).acquire(account="a")
    wait = decision.outcome.wait
    assert (decision.allowed, decision.degraded, decision.busy) == found[:3]
    assert wait == pytest.approx(found[3], abs=0.01)
    code = {True: "store-busy", False: "store-down"}[problem.is_busy]
    assert [reason.code for reason in decision.reasons] == ([] if found[0] and not decision.busy else [code])
    is_later = not decision.allowed  # whoever waits for a store has not tried too often
    assert decision.for_visitor() == (visitor_sentence("later", "en", wait=wait) if is_later else "")


@pytest.mark.parametrize(("per", "lines"), [("account", 1), ("form", 0)])
def test_a_refusal_is_logged_and_nothing_else(caplog: pytest.LogCaptureFixture, per: str, lines: int) -> None:
    """One line, without whom it is about."""
    caplog.set_level(logging.INFO, "mailflows")
    limits = Limiter(Limit("1/hour", per="account"), store=MemoryStore(clock=FixedClock()))
    for key in ("ada@x.example", {"account": "ada@x.example", "form": "eve@x.example"}[per]):
        limits.acquire(account=key)
    assert [record.message.partition(":")[0] for record in caplog.records] == ["refused"] * lines
    assert "@" not in caplog.text


def test_the_async_twin_has_a_name_of_its_own() -> None:
    """As a traceback and a documentation show it."""
    for method, name in (
        (DocumentKeeper.load, "load"),
        (SuppressionList.add, "add"),
        (SuppressionList.aadd, "aadd"),
    ):
        assert method.__qualname__ == f"{method.__qualname__.partition('.')[0]}.{name}"
        assert method.__qualname__.startswith(("DocumentKeeper.", "SuppressionList."))


@pytest.mark.parametrize("secret", [None, b"s" * 16])
def test_a_store_that_nothing_was_kept_in_can_be_looked_at(tmp_path: Path, secret: bytes | None) -> None:
    """With a secret, its hashes are those that it will have; without one, it has nobody."""
    path = tmp_path / "x.db"
    SQLiteStore(path, secret=b"s" * 16)._file.secret(is_needed=False)
    looked_at = SQLiteStore(path, secret=secret, read_only=True)
    digest = looked_at.digest("ada")
    assert (digest == KeyRing(b"s" * 16).digest("ada")) is (secret is not None)
    assert looked_at.load("a") is None
    looked_at.close()


def test_a_share_of_each_limit_is_taken_here(failing: Failing) -> None:
    """A quarter of four is one, and of what was left when the store was seen."""
    fresh = limiter(failing)
    failing.problem = DOWN
    assert [bool(fresh.acquire(account="a")) for _ in range(2)] == [True, False]
    failing.problem = None
    used = limiter(failing, share=0.5)
    for name in "bbbdddd":
        used.acquire(account=name)
    failing.problem = DOWN
    assert [bool(used.acquire(account="b")) for _ in range(2)] == [True, False]
    assert not used.acquire(account="d")
    assert [bool(used.acquire(account="c")) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(("share", "is_one"), [(1.0, True), (0.01, True), (0.0, False), (1.1, False)])
def test_a_share_is_a_part_of_the_whole(failing: Failing, share: float, *, is_one: bool) -> None:
    """Above nothing, and at most all."""
    if is_one:
        assert limiter(failing, share=share).acquire(account="a")
    else:
        with pytest.raises(ConfigurationError, match="share="):
            limiter(failing, share=share)
    with pytest.raises(ConfigurationError, match="on_error="):
        limiter(failing, on_error="maybe")


def test_what_was_decided_here_is_settled_here(failing: Failing) -> None:
    """And once; the store is not told of what it has not given."""
    one = limiter(failing)
    failing.problem = DOWN
    decision = one.acquire(account="a")
    one.report(decision, sent=False)
    one.report(decision, sent=False)
    assert [verb for verb, _ in failing.asked] == ["decide"]
    assert one.acquire(account="a").allowed
    assert not one.acquire(account="a").allowed


@pytest.mark.parametrize(
    ("timeout", "is_one"),
    [(0.001, True), (3600, True), (0, False), (3600.1, False), ("1", False), (float("nan"), False)],
)
def test_a_timeout_ends(timeout: Any, *, is_one: bool) -> None:
    """Above nothing, and at most an hour."""
    if is_one:
        assert seconds_to_wait(timeout) == timeout
    else:
        with pytest.raises(ConfigurationError, match="timeout must be"):
            seconds_to_wait(timeout)


def test_a_fallback_of_memory_never_fails() -> None:
    """It is not asked about, and takes nothing over."""
    store = MemoryStore(clock=FixedClock())
    fallback = Fallback(store, on_error="deny")
    outcome, degraded = fallback.decide([(WINDOW, "k", 4)])
    assert (outcome.allowed, degraded) == (True, False)
    assert not asyncio.run(fallback.adecide([(WINDOW, "k", 1)]))[0].allowed


def test_a_secret_has_sixteen_bytes() -> None:
    """And a list of secrets has one."""
    assert KeyRing(b"x" * 16).ids
    for wrong in (b"x" * 15, [], [b"x" * 16, b"y"]):
        with pytest.raises(ConfigurationError, match="secret"):
            KeyRing(wrong)


def test_a_digest_says_which_key_made_it() -> None:
    """By its first four digits; what an older key wrote is found where it is."""
    old, new = KeyRing(b"o" * 16), KeyRing([b"n" * 16, b"o" * 16])
    digest = new.digest("ada")
    assert (len(digest), digest[:4]) == (32, new.ids[0])
    assert new.elsewhere(f"block:{digest}:x") == [f"block:{old.digest('ada')}:x"]
    assert new.elsewhere("block:other") == []
    assert old.elsewhere(f"block:{old.digest('ada')}") == []
    assert (KeyRing(b"n" * 16) + old).ids == new.ids
    assert (new + old).ids == new.ids
    assert 0 <= new.number("ada") < 1 << 60
    assert new.hash("ada", 8) != old.hash("ada", 8)


def test_what_older_keys_made_of_an_address_is_remembered_within_bounds() -> None:
    """The latest are; the first of too many is forgotten, and looked up by the newest key alone."""
    old, ring = KeyRing(b"o" * 16), KeyRing([b"n" * 16, b"o" * 16])
    first = ring.digest("ada")
    for number in range(REMEMBERED - 1):
        ring.digest(f"{number}")
    assert ring.elsewhere(first) == [old.digest("ada")]
    last = ring.digest("eve")
    assert (ring.elsewhere(first), ring.elsewhere(last)) == ([], [old.digest("eve")])


@pytest.mark.parametrize(
    ("key", "stray"),
    [
        ("block:aa11" + 28 * "0", None),
        ("block:bb22" + 28 * "0", "bb22"),
        ("block:bb22" + 27 * "0", None),
        ("block:bb22" + 27 * "0" + "g", None),
        ("tally:2026", None),
    ],
)
def test_a_digest_of_an_unknown_key_is_noticed(key: str, stray: str | None) -> None:
    """Thirty-two hexadecimal digits, whatever stands around them."""
    assert stray_mark([key], ["aa11"]) == stray


def test_an_unreadable_recipient_is_refused_by_every_verb() -> None:
    """Looking, booking and taking, in an event loop or not."""
    one = Limiter(Limit("1/hour", per="recipient"), store=MemoryStore(clock=FixedClock()))
    to = "a@x.example, b@x.example"

    async def verbs() -> list[Any]:
        return [await one.aacquire(to=to), await one.acheck(to=to), await one.aschedule(to=to)]

    for decision in (one.acquire(to=to), one.check(to=to), one.schedule(to=to), *asyncio.run(verbs())):
        assert [reason.code for reason in decision.reasons] == ["unreadable-recipient"]
        assert not decision
    assert one.acquire(to="a@x.example")


def test_the_async_verbs_decide_alike() -> None:
    """Taking, looking, booking, showing, punishing, forgetting."""

    async def verbs(one: Limiter) -> list[object]:
        taken = await one.aacquire(account="a", lease=5.0)
        await one.areport(taken, sent=True)
        late = await one.aschedule(account="a", within=10.0)
        shown = [reading.remaining for reading in await one.ashow(account="a")]
        await one.apenalize(1, account="b")
        looked = await one.acheck(account="b")
        part = await one.aacquire(to=["a@x.example", "b@x.example"], account="b", partial=True)
        gone = await one.areset(account="a")
        return [bool(taken), late.delay, shown, looked.remaining, part.accepted, gone]

    def same(one: Limiter) -> list[object]:
        taken = one.acquire(account="a", lease=5.0)
        one.report(taken, sent=True)
        late = one.schedule(account="a", within=10.0)
        shown = [reading.remaining for reading in one.show(account="a")]
        one.penalize(1, account="b")
        looked = one.check(account="b")
        part = one.acquire(to=["a@x.example", "b@x.example"], account="b", partial=True)
        gone = one.reset(account="a")
        return [bool(taken), late.delay, shown, looked.remaining, part.accepted, gone]

    def fresh() -> Limiter:
        return Limiter(Limit("1/10s", per="account"), store=MemoryStore(clock=FixedClock()))

    wanted: list[object] = [True, 10.0, [0], 0, (), 1]
    assert same(fresh()) == wanted
    assert asyncio.run(verbs(fresh())) == wanted


def test_a_document_is_gone_when_its_time_is_over() -> None:
    """At that moment, and not before."""
    clock = FixedClock()
    for store in (MemoryStore(clock=clock), DictStore(clock)):
        assert store.swap("x:1", None, b"1", ttl=5.0)
        clock.advance(4.999)
        assert store.load("x:1") == b"1"
        clock.advance(0.001)
        assert store.load("x:1") is None
        assert list(store.scan("x:")) == []


def test_newcomers_share_counters_only_where_there_is_no_room() -> None:
    """One that was seen before has its own."""
    roomy, small = MemoryStore(clock=FixedClock()), MemoryStore(max_keys=16, clock=FixedClock())
    for store in (roomy, small):
        for number in range(64):
            store.decide([(WINDOW, str(number), 1)])
    assert roomy.overflowed == 0
    assert small.overflowed > 0
    before = roomy.overflowed
    roomy.decide([(WINDOW, "1", 1)])
    assert roomy.overflowed == before


@pytest.mark.parametrize("charges", [1, 2])
def test_a_store_without_room_gives_newcomers_no_counter_of_their_own(charges: int) -> None:
    """Whether one limit is decided on or two; what a newcomer gives back is not somebody else's."""
    store = MemoryStore(max_keys=1, clock=FixedClock())
    meters = [WindowMeter(f"w{number}", 4, 10.0) for number in range(charges)]
    for number in range(400):
        store.decide([(meter, str(number), 1) for meter in meters])
    assert store.overflowed > 0
    before = [store.decide([(meter, "0", 0)], look=True).readings()[0][0] for meter in meters]
    taken = store.decide([(meter, "new", 1) for meter in meters])
    store.settle(taken, keep=False)
    again = [store.decide([(meter, "0", 0)], look=True).readings()[0][0] for meter in meters]
    assert before == again == [1] * charges
