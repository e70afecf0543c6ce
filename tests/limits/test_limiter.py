"""The limiter: deciding, looking, waiting, giving back."""

from __future__ import annotations

import asyncio
import copy
import json
import math
import pickle
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import pytest

from mailflows.errors import ConfigurationError, LimitExceeded
from mailflows.limits import Decision, Limit, Limiter, MemoryStore, SQLiteStore
from mailflows.testing import FixedClock

if TYPE_CHECKING:
    from pathlib import Path

VICTIM = "victim@example.org"


def limiter(*limits: Limit, clock: FixedClock | None = None, **settings: Any) -> Limiter:
    """Return a limiter in memory, by a clock that stands still."""
    return Limiter(*limits, store=MemoryStore(clock=clock or FixedClock()), **settings)


def test_one_victim_costs_nobody_else() -> None:
    """2,000 attempts on one victim: 3 are sent, and 997 are left for all others."""
    both = limiter(Limit("1000/hour", per="global"), Limit("3/hour", per="recipient"))
    sent = sum(bool(both.acquire(to=VICTIM)) for _ in range(2000))
    others = sum(bool(both.acquire(to=f"u{n}@example.org")) for n in range(1100))
    assert (sent, others) == (3, 997)


def test_order_of_limits_does_not_matter() -> None:
    """Any order of the same limits gives the same decisions."""
    limits = [Limit("5/hour", per="global"), Limit("2/hour", per="recipient"), Limit("3/hour", per="form")]
    attempts: list[dict[str, Any]] = [{"to": f"u{n % 4}@example.org", "form": f"f{n % 2}"} for n in range(20)]
    forward, backward = limiter(*limits), limiter(*limits[::-1])
    assert [bool(forward.acquire(**a)) for a in attempts] == [bool(backward.acquire(**a)) for a in attempts]


def test_flood_neither_frees_a_key_nor_grows() -> None:
    """A flood of keys past the cap leaves a limited key limited, and the memory bounded."""
    store = MemoryStore(max_keys=10_000, clock=FixedClock())
    guarded = Limiter(Limit("3/hour", per="account"), store=store)
    for _ in range(3):
        guarded.acquire(account="victim")
    for number in range(50_000):
        guarded.acquire(account=f"junk {number}")
    keys = sum(len(s.new) + len(s.old) for shards in store._tables.values() for s in shards)
    assert not guarded.acquire(account="victim")
    assert keys <= 10_000 + 4096
    assert store.overflowed > 30_000


def test_memory_forgets_what_no_longer_limits() -> None:
    """Two windows after a flood its keys are gone, without a thread."""
    clock = FixedClock()
    store = MemoryStore(clock=clock)
    guarded = Limiter(Limit("3/hour", per="account"), store=store)
    for _ in range(3):
        for number in range(2000):
            guarded.acquire(account=f"{clock()} {number}")
        clock.advance(3600)
    assert sum(len(s.new) + len(s.old) for shards in store._tables.values() for s in shards) <= 4000


def test_partial_sends_to_who_fits() -> None:
    """101 recipients with 100 left are refused whole, or sent to the first hundred."""
    hundred = limiter(Limit("100/hour", per="account"))
    everybody = [f"u{n}@example.org" for n in range(101)]
    whole = hundred.acquire(to=everybody, account="ada")
    part = hundred.acquire(to=everybody, account="ada", partial=True)
    assert (whole.allowed, whole.retry_after) == (False, None)
    assert (part.allowed, part.accepted, part.refused) == (True, tuple(everybody[:100]), (everybody[100],))


def test_the_async_verb_of_a_partial_attempt_says_the_same() -> None:
    """Both verbs accept the same recipients, one after the other."""
    both = [limiter(Limit("2/hour", per="account")) for _ in range(2)]
    to = [f"u{n}@example.org" for n in range(3)]
    waited = asyncio.run(both[0].aacquire(to=to, account="ada", partial=True))
    assert waited.accepted == both[1].acquire(to=to, account="ada", partial=True).accepted == tuple(to[:2])


def test_an_attempt_that_costs_nothing_is_always_allowed() -> None:
    """A cost of 0 is a cost; one below, or a part of one, is an error that says so."""
    one = limiter(Limit("1/hour", per="account"))
    one.acquire(account="ada")
    assert one.acquire(account="ada", cost=0)
    for cost in (-1, 0.5):
        with pytest.raises(ValueError, match="whole number of at least 0"):
            one.acquire(account="ada", cost=cost)  # type: ignore[arg-type]


def test_partial_of_none_is_refused() -> None:
    """Where nobody fits, a partial attempt is refused, too."""
    one = limiter(Limit("1/hour", per="account"))
    one.acquire(to=VICTIM, account="ada")
    decision = one.acquire(to=[VICTIM, "b@example.org"], account="ada", partial=True)
    assert (decision.allowed, decision.accepted, len(decision.refused)) == (False, (), 2)


def test_check_predicts_and_takes_nothing() -> None:
    """A check, however often, says what the next attempt gets."""
    one = limiter(Limit("1/hour", per="account"))
    answers = [bool(one.check(account="ada")) for _ in range(3)]
    answers += [bool(one.acquire(account="ada")), bool(one.check(account="ada"))]
    assert answers == [True, True, True, True, False]


def test_dry_run_allows_all_and_says_what_it_would_refuse() -> None:
    """A limiter that only tries its limits names the one that would have refused."""
    dry = limiter(Limit("1/hour", per="account", name="tight"), dry_run=True)
    first, second = dry.acquire(account="ada"), dry.acquire(account="ada")
    assert [(bool(d), d.rule) for d in (first, second)] == [(True, None), (True, "tight")]


def test_sending_keeps_what_was_sent() -> None:
    """What was sent in the block counts."""
    two = limiter(Limit("2/hour", per="account"))
    with two.sending(account="ada") as decision:
        pass
    assert (decision.remaining, two.check(account="ada").remaining) == (1, 1)


def test_sending_gives_back_what_failed() -> None:
    """What raised in the block is given back, and the error goes on."""
    one = limiter(Limit("1/hour", per="account"))
    with pytest.raises(OSError, match="connection"), one.sending(account="ada"):
        raise OSError("connection lost")  # noqa: EM101, TRY003
    assert one.check(account="ada")


def test_sending_raises_for_a_refusal() -> None:
    """A refusal is raised with its decision, and the block does not run."""
    one = limiter(Limit("1/hour", per="account", name="tight"))
    one.acquire(account="ada")
    with pytest.raises(LimitExceeded) as caught, one.sending(account="ada"):
        pytest.fail("sent")
    assert caught.value.decision.rule == "tight"


def test_crash_lets_a_reservation_expire() -> None:
    """Who dies in the block has its reservation forgotten after the lease."""
    clock = FixedClock()
    one = limiter(Limit("1/hour", per="account"), clock=clock)
    one.acquire(account="ada", lease=60.0)
    clock.advance(61)
    assert one.acquire(account="ada")


def test_wait_sleeps_until_the_booked_moment() -> None:
    """Who waits sleeps exactly as long as the limit asks for."""
    slept: list[float] = []
    one = limiter(Limit("1/10s", per="account"), sleep=slept.append)
    for _ in range(3):
        assert one.wait(account="ada")
    assert slept == pytest.approx([10.0, 20.0])


def test_wait_longer_than_its_timeout_is_refused_at_once() -> None:
    """What takes longer than the timeout is refused before anybody sleeps."""
    one = limiter(Limit("1/10s", per="account"), sleep=lambda _: pytest.fail("slept"))
    one.acquire(account="ada")
    assert one.wait(account="ada", timeout=9.0).retry_after == pytest.approx(10.0)


def test_schedule_books_one_moment_after_another() -> None:
    """A queue gets the moments in the order in which it asked."""
    one = limiter(Limit("1/10s", per="account"))
    assert [one.schedule(account="ada").delay for _ in range(3)] == pytest.approx([0, 10, 20], abs=1e-4)


def test_two_thousand_waiters_lose_no_time() -> None:
    """2,000 waiters of a steady limit are done within 3 % of the ideal time, each woken once."""
    slept: list[float] = []

    async def asleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    steady = limiter(Limit("100/s; burst 100", per="global"), asleep=asleep)

    async def all_wait() -> None:
        await asyncio.gather(*(steady.await_turn() for _ in range(2000)))

    asyncio.run(all_wait())
    assert max(slept) == pytest.approx(19.0, rel=0.03)
    assert len(slept) == 1900


def test_cancelled_waiter_gives_its_moment_back() -> None:
    """Who is cancelled while waiting frees the moment for the next one."""

    async def endless(_: float) -> None:
        await asyncio.Event().wait()

    one = limiter(Limit("1/10s", per="account"), asleep=endless)

    async def cancel() -> float:
        await one.await_turn(account="ada")
        waiting = asyncio.create_task(one.await_turn(account="ada"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return (await one.aschedule(account="ada")).delay

    assert asyncio.run(cancel()) == pytest.approx(10.0)


def test_async_twins_decide_alike() -> None:
    """The async verbs do on the same object what their twins do."""
    two = limiter(Limit("2/hour", per="account"))

    async def verbs() -> list[Any]:
        first = await two.aacquire(account="ada")
        await two.areport(first, sent=False)
        async with two.asending(account="ada") as sent:
            pass
        looked = await two.acheck(account="ada")
        return [first.remaining, sent.remaining, looked.remaining]

    assert asyncio.run(verbs()) == [1, 1, 1]


def test_guard_puts_a_function_behind_the_limits() -> None:
    """A guarded function is called as often as the limit allows, with its own arguments and result."""
    one = limiter(Limit("1/hour", per="recipient"))

    @one.guard(to="address", account=lambda named: named["user"])
    def send(address: str, *, user: str = "ada") -> str:
        return f"{address} {user}"

    assert send(VICTIM) == f"{VICTIM} ada"
    with pytest.raises(LimitExceeded):
        send(VICTIM)


def test_guard_of_a_coroutine() -> None:
    """A coroutine is guarded without blocking its loop."""
    one = limiter(Limit("1/hour", per="recipient"))

    @one.guard(to="address")
    async def send(address: str) -> str:
        return address

    assert asyncio.run(send(VICTIM)) == VICTIM
    with pytest.raises(LimitExceeded):
        asyncio.run(send(VICTIM))


@pytest.mark.parametrize("keys", [{"to": "adress"}, {"colour": "address"}])
def test_guard_refuses_what_the_function_does_not_have(keys: dict[str, Any]) -> None:
    """A misspelled parameter or an unknown key is found when the function is defined."""
    with pytest.raises(ConfigurationError):
        limiter(Limit("1/hour", per="recipient")).guard(**keys)(lambda address: address)


def test_hooks_see_every_decision_and_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    """A hook is told of every decision; one that raises is logged and stops nothing."""
    seen: list[Decision] = []

    def broken(_: Decision) -> None:
        raise RuntimeError("metric")  # noqa: EM101

    hooked = limiter(Limit("1/hour", per="recipient"), hooks=[broken, seen.append])
    decisions = [hooked.acquire(to=VICTIM) for _ in range(2)]
    assert seen == decisions
    assert "a hook failed" in caplog.text
    assert "victim" not in caplog.text


@pytest.mark.parametrize("keys", [{}, {"account": None}, {"to": VICTIM}])
def test_missing_key_is_an_error(keys: dict[str, Any]) -> None:
    """A limit that would count nothing says so."""
    with pytest.raises(ValueError, match="counts per account, but this attempt has none"):
        limiter(Limit("1/hour", per="account")).acquire(**keys)


def test_optional_limit_passes_who_has_no_key() -> None:
    """An optional limit leaves attempts without its key alone."""
    optional = limiter(Limit("1/hour", per="account", optional=True))
    assert all(optional.acquire(to=VICTIM) for _ in range(5))


@pytest.mark.parametrize("cost", [-1, 1.5, "2"])
def test_wrong_cost_is_an_error(cost: Any) -> None:
    """A cost that is no whole number from 0 on is refused with what came."""
    with pytest.raises(ValueError, match="whole number of at least 0; got"):
        limiter(Limit("9/hour", per="account")).acquire(account="ada", cost=cost)


def test_limiter_needs_limits_that_differ() -> None:
    """No limit at all, and the same one twice, are mistakes."""
    with pytest.raises(ConfigurationError, match="at least one"):
        Limiter()
    with pytest.raises(ConfigurationError, match="twice"):
        Limiter(Limit("1/hour", per="account"), Limit("1/hour", per="account"))


def message() -> EmailMessage:
    """Return a message to one person in three spellings, and to another."""
    mail = EmailMessage()
    mail["To"] = "Ada <ada@example.org>, Bob <bob@example.org>"
    mail["Cc"] = "ADA@Example.ORG"
    mail["Bcc"] = "ada@example.org"
    mail.set_content("Hello")
    return mail


@pytest.mark.parametrize("form", [lambda m: m, bytes, str])
def test_recipients_of_a_message_count_once(form: Any) -> None:
    """To, Cc and Bcc together are counted by mailbox, whatever form the message has."""
    mail = form(message())
    assert limiter(Limit("9/hour", per="account")).acquire(mail, account="ada").remaining == 7


def test_decision_says_everything() -> None:
    """A refusal has rule, kind, limit, remaining, times, a sentence and header fields."""
    one = limiter(Limit("1/hour", per="recipient", name="«one»"))
    one.acquire(to=VICTIM)
    no = one.acquire(to=VICTIM)
    assert (no.rule, no.per, no.limit, no.remaining) == ("«one»", "recipient", 1, 0)
    assert (no.retry_after, no.reset_after) == (3600.0, 3600.0)
    assert no.message == "Over the limit '«one»': try again in 1 hour."
    assert no.headers() == {
        "RateLimit-Policy": '"_one_";q=1',
        "RateLimit": '"_one_";r=0;t=3600',
        "Retry-After": "3600",
    }


def test_decision_tells_nobody_the_address() -> None:
    """Neither text nor data nor table of a decision holds an address; the data is ready for JSON."""
    one = limiter(Limit("1/hour", per="recipient"))
    for decision in (one.acquire(to=VICTIM), one.acquire(to=VICTIM)):
        said = f"{decision} {decision!r} {json.dumps(decision.to_dict())} {decision._repr_html_()}"
        assert "victim" not in said


def test_table_is_escaped_and_shows_what_never_fits() -> None:
    """The table for a notebook escapes names, and has the row that refused for ever."""
    decision = limiter(Limit("1/hour", per="account", name="<b>")).acquire(account="ada", cost=2)
    table = decision._repr_html_()
    assert "<b>" not in table
    assert "never fits" in table


def test_key_twice_in_one_attempt_counts_twice() -> None:
    """A function that returns a key twice takes two units of it."""
    per_team = limiter(Limit("3/hour", per=lambda attempt: ["team"] * len(attempt.recipients)))
    assert per_team.acquire(to=["a@example.org", "b@example.org"]).remaining == 1
    assert not per_team.acquire(to=["a@example.org", "b@example.org"])


def test_partial_counts_one_refused_attempt() -> None:
    """Looking for who fits is no attempt: a limit that counts refused ones counts the last question only."""
    strict = limiter(
        Limit("1/hour", per="recipient"), Limit("50/hour", per="account", exact=True, count_denied=True)
    )
    strict.acquire(to="a@example.org", account="ada")
    strict.acquire(to=["a@example.org", "b@example.org", "c@example.org"], account="ada", partial=True)
    assert strict.check(to="d@example.org", account="ada").readings[1].remaining == 47


def test_outcome_is_reported_once() -> None:
    """Giving back twice gives back once."""
    two = limiter(Limit("3/hour", per="account"))
    first, _ = two.acquire(account="ada"), two.acquire(account="ada")
    two.report(first, sent=False)
    two.report(first, sent=False)
    assert two.check(account="ada").remaining == 2


def test_functions_are_told_apart_by_the_name_of_their_limit() -> None:
    """Two limits by functions of one name are two limits, if they are named."""
    named = limiter(
        Limit("1/hour", per=lambda _: "x", name="one"), Limit("1/hour", per=lambda _: "x", name="two")
    )
    assert len(named.acquire().readings) == 2
    with pytest.raises(ConfigurationError, match="name="):
        limiter(Limit("1/hour", per=lambda _: "x"), Limit("1/hour", per=lambda _: "y"))


def test_a_deadline_that_has_passed_still_counts(tmp_path: Path) -> None:
    """Waiting until a moment in the past takes what fits now, and is no way around the limit."""
    store = SQLiteStore(tmp_path / "limits.db")
    two = Limiter(Limit("2/hour", per="account"), store=store)
    assert [bool(two.wait(account="ada", timeout=-1.0)) for _ in range(4)] == [True, True, False, False]


def test_a_time_that_is_no_number_is_refused() -> None:
    """Not-a-number compares with nothing, so that no wait would be too long."""
    with pytest.raises(ValueError, match="a number of seconds"):
        limiter(Limit("2/hour", per="account")).schedule(account="ada", within=math.nan)


@pytest.mark.parametrize("lease", [0, -5.0, math.nan])
def test_a_lease_of_no_time_is_refused(lease: float) -> None:
    """What is reserved for no time would never count: a clear error, not an open door."""
    with pytest.raises(ValueError, match="a lease must be a number of seconds above 0"):
        limiter(Limit("2/hour", per="account")).acquire(account="ada", lease=lease)


def test_async_twins_refuse_the_same_lease() -> None:
    """The async verb says the same of a lease of no time."""
    with pytest.raises(ValueError, match="a lease must be a number of seconds above 0"):
        asyncio.run(limiter(Limit("2/hour", per="account")).aacquire(account="ada", lease=0))


@pytest.mark.parametrize("rate", ["2/hour", "1000/hour"])
def test_an_enormous_cost_never_fits(rate: str) -> None:
    """A cost that no computer can reckon with is refused like any that is too high."""
    decision = limiter(Limit(rate, per="account")).acquire(account="ada", cost=10**400)
    assert (bool(decision), decision.retry_after) == (False, None)


@pytest.mark.parametrize("client", [["192.0.2.7"], {}, b"192.0.2.7", 4])
def test_a_client_of_a_wrong_type_is_a_clear_error(client: object) -> None:
    """A list, as some frameworks give headers, is told what is expected."""
    with pytest.raises(ValueError, match="client must be one IPv4 or IPv6 address"):
        limiter(Limit("2/hour", per="client")).acquire(client=client)


def test_an_error_about_the_client_shows_no_mail_address() -> None:
    """Who mixes up the arguments does not find the address in a log."""
    with pytest.raises(ValueError, match="got a mail address"):
        limiter(Limit("2/hour", per="client")).acquire(client=VICTIM)


def test_recipients_of_a_wrong_type_are_a_clear_error() -> None:
    """A number in the place of recipients is told what is expected."""
    with pytest.raises(ValueError, match="a recipient must be text; got int"):
        limiter(Limit("2/hour", per="recipient")).acquire(to=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["3/hour", [Limit("3/hour", per="global")]])
def test_what_is_no_limit_is_refused(given: Any) -> None:
    """A rate without its key, or a list, is told what a limiter takes."""
    with pytest.raises(ConfigurationError, match=f"takes Limit objects, .* got {type(given).__name__}"):
        Limiter(given)


def test_a_decision_compares_pickles_and_copies() -> None:
    """A decision that went through a queue says the same, and can still be given back."""
    one = limiter(Limit("2/hour", per="recipient"), Limit(lambda _: "9/day", per="account", name="plan"))
    decision = one.acquire(to="ada@example.org", account="charles")
    again = pickle.loads(pickle.dumps(decision))
    assert again == decision == copy.deepcopy(decision)
    assert (again.to_dict(), again.accepted) == (decision.to_dict(), ("ada@example.org",))
    assert hash(again) == hash(decision)
    one.report(again, sent=False)
    assert one.show(to="ada@example.org")[0].remaining == 2
    assert one.acquire(to="bob@example.org", account="charles") != decision


def test_forgetting_a_person_leaves_no_counter() -> None:
    """The counters of an address go, as recipient and as account; those of others stay."""
    one = limiter(Limit("2/hour", per="recipient"), Limit("9/day", per="account"))
    one.acquire(to=["ada@example.org", "bob@example.org"], account="ada@example.org")
    assert one.forget("Ada@Example.org") == 3  # as a recipient, and as an account in two spellings
    assert [r.remaining for r in one.show(to=["ada@example.org", "bob@example.org"])] == [2, 1]
    assert one.show(account="ada@example.org")[0].remaining == 9


def test_a_penalty_reaches_beyond_the_limit() -> None:
    """Who was caught waits, although the limit would have had room."""
    one = limiter(Limit("2/10s", per="client"))
    one.penalize(2, client="192.0.2.7")
    one.penalize(2, client="192.0.2.7")
    assert one.acquire(client="192.0.2.7").retry_after == pytest.approx(20.0, abs=0.01)
    assert one.acquire(client="192.0.2.8").allowed


@pytest.mark.parametrize(("exact", "are_free"), [(None, 0), (False, 50_000)])
def test_how_a_large_limit_recovers(exact: bool | None, are_free: int) -> None:  # noqa: FBT001
    """By windows, nothing comes back within one; at a steady rate half of it after half of the time."""
    clock = FixedClock()
    one = Limiter(Limit("100000/hour", per="account", exact=exact), store=MemoryStore(clock=clock))
    assert one.acquire(account="ada", cost=100_000)
    clock.advance(1800)
    assert one.check(account="ada").remaining == are_free


def test_a_limiter_without_some_limits_counts_with_the_same_counters() -> None:
    """What is left out neither refuses nor counts; what stays does both."""
    whole = limiter(Limit("1/hour", per="client"), Limit("3/hour", per="account"))
    rest = whole.without(lambda limit: limit.per == "client")
    assert [limit.per for limit in rest.limits] == ["account"]
    assert rest.acquire(account="ada")
    assert rest.acquire(account="ada")
    assert whole.acquire(account="ada", client="192.0.2.7"), "the client was not counted before"
    assert not rest.acquire(account="ada"), "the account was"
