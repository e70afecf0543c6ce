"""Warming up an address: more on each day of sending."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows.errors import ConfigurationError
from mailflows.limits import MemoryStore, SQLiteStore
from mailflows.pacing import Schedule, WarmUp
from mailflows.testing import FixedClock
from shared_cases import cases

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400


@pytest.fixture
def clock() -> FixedClock:
    """Return a clock that the test moves."""
    return FixedClock()


def warm_up(clock: FixedClock, *limits: int, per: str = "day") -> WarmUp:
    """Return a warm-up of three days, or with limits of one's own."""
    schedule = Schedule(limits or (10, 20, 40), per=per)  # type: ignore[arg-type]
    return WarmUp(schedule, store=MemoryStore(), name="192.0.2.1", clock=clock)


def test_published_schedules_are_as_published() -> None:
    """The steps of SendGrid's two schedules are those of the outside tables."""
    tables = json.loads(cases("limits/warmup_tables.json"))
    assert list(Schedule.named("sendgrid-hourly").limits) == tables["sendgrid_automated_hourly_by_day_0"]
    assert list(Schedule.named("sendgrid-daily").limits) == tables["sendgrid_recommended_daily_by_day_1"]


def test_the_ends_of_ses_are_as_published() -> None:
    """Amazon's 45 days lead to 50,000 a day, and the schedule says that its steps are ours."""
    ses = Schedule.named("ses")
    assert (len(ses.limits), ses.limits[-1], ses.per, ses.is_ours) == (45, 50_000, "day", True)


def test_what_is_too_much_overflows(clock: FixedClock) -> None:
    """Of 12 messages on a day of 10, ten are granted and two are for a warm address."""
    allowance = warm_up(clock).acquire(12)
    assert (bool(allowance), allowance.granted, allowance.overflow, allowance.remaining) == (False, 10, 2, 0)


def test_retry_after_is_the_next_day(clock: FixedClock) -> None:
    """Who came at six in the morning is told to come back in eighteen hours."""
    clock.advance(6 * 3600)
    assert warm_up(clock).acquire(11).retry_after == 18 * 3600


def test_each_day_of_sending_is_a_step(clock: FixedClock) -> None:
    """The limits of three days and then none are those of the schedule."""
    ramp = warm_up(clock)
    seen = []
    for _ in range(4):
        seen.append(ramp.acquire(1000).granted)
        clock.advance(DAY)
    assert seen == [10, 20, 40, 1000]


def test_a_day_without_sending_repeats_the_step(clock: FixedClock) -> None:
    """A week without a message does not move the schedule on."""
    ramp = warm_up(clock)
    ramp.acquire()
    clock.advance(7 * DAY)
    assert ramp.acquire().step == 2


def test_a_refusal_is_no_sending(clock: FixedClock) -> None:
    """Asking for the state of a day changes nothing about the next one."""
    ramp = warm_up(clock)
    ramp.state()
    clock.advance(DAY)
    assert ramp.acquire().step == 1


@pytest.mark.parametrize(("days", "step"), [(30, 4), (31, 1)])
def test_a_long_pause_warms_up_again(clock: FixedClock, days: int, step: int) -> None:
    """After more than 30 days without sending even a finished warm-up begins again."""
    ramp = warm_up(clock)
    for _ in range(4):
        ramp.acquire()
        clock.advance(DAY)
    clock.advance((days - 1) * DAY)
    assert ramp.acquire().step == step


def test_an_hourly_schedule_limits_each_hour(clock: FixedClock) -> None:
    """The limit of the day holds again in its next hour, and waiting ends there."""
    ramp = warm_up(clock, 5, 9, per="hour")
    first = ramp.acquire(6)
    clock.advance(first.retry_after or 0.0)
    assert (first.granted, ramp.acquire(6).granted) == (5, 5)


def test_a_clock_set_back_gives_nothing_twice(clock: FixedClock) -> None:
    """After a step back over midnight the newer day goes on."""
    ramp = warm_up(clock)
    clock.advance(DAY)
    ramp.acquire(10)
    clock.advance(-3600)
    assert ramp.acquire(1).granted == 0


def test_providers_are_warmed_up_apart(clock: FixedClock) -> None:
    """What one provider got is not missing for another."""
    ramp = warm_up(clock)
    ramp.acquire(10, provider="google")
    assert ramp.acquire(10, provider="yahoo").granted == 10


def test_the_place_outlives_the_process(clock: FixedClock, tmp_path: Path) -> None:
    """A second object on the same file goes on where the first was."""
    for expected in (7, 3):
        store = SQLiteStore(tmp_path / "warm.db")
        ramp = WarmUp(Schedule((10,)), store=store, name="a", clock=clock)
        assert ramp.acquire(7).granted == expected
        store.close()


def test_threads_share_a_day(clock: FixedClock, tmp_path: Path) -> None:
    """Eight threads with a store each on one file are granted the limit together, and no more."""
    granted: list[int] = []

    def take() -> None:
        store = SQLiteStore(tmp_path / "warm.db", timeout=20.0)
        ramp = WarmUp(Schedule((50,)), store=store, name="a", clock=clock)
        granted.extend(ramp.acquire().granted for _ in range(10))
        store.close()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 50


@given(st.lists(st.tuples(st.integers(0, 40 * 3600), st.integers(1, 60)), max_size=60))
def test_no_day_gets_more_than_its_limit(calls: list[tuple[int, int]]) -> None:
    """Whenever and however often is asked, no day of the schedule is granted more than it allows."""
    clock = FixedClock()
    ramp = warm_up(clock)
    granted: Counter[str] = Counter()
    days: list[str] = []
    for seconds, number in calls:
        clock.advance(seconds)
        day = f"{clock.now:%Y-%m-%d}"
        granted[day] += ramp.acquire(number).granted
        if granted[day] and day not in days:
            days.append(day)
    assert all(granted[day] <= limit for day, limit in zip(days, (10, 20, 40), strict=False))


def test_a_damaged_document_begins_again(clock: FixedClock) -> None:
    """What cannot be read never leads to more messages than a first day has."""
    ramp = warm_up(clock)
    ramp.store.swap(ramp._key(None), None, b"\xff[")
    assert ramp.acquire(1000).granted == 10


def test_state_says_where_it_is(clock: FixedClock) -> None:
    """The report gives day, limit, use and the last moment, as text, JSON and HTML."""
    ramp = warm_up(clock)
    ramp.acquire(4, provider="<google>")
    state = ramp.state(provider="<google>")
    assert (state.step, state.limit, state.used, state.last_sent) == (
        1,
        10,
        4,
        datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert "1 of 3" in str(state)
    assert json.loads(json.dumps(state.to_dict()))["used"] == 4
    assert "&lt;google&gt;" in state._repr_html_()


def test_state_of_what_is_over(clock: FixedClock) -> None:
    """After the schedule nothing is limited, and the report says so."""
    ramp = warm_up(clock, 1)
    ramp.acquire()
    clock.advance(DAY)
    assert ramp.acquire(10**9).finished
    assert "any number" in str(ramp.state())


def test_the_async_twin_counts_the_same(clock: FixedClock) -> None:
    """Twenty tasks at once are granted the limit of the day together."""
    ramp = warm_up(clock)

    async def take() -> int:
        return sum(a.granted for a in await asyncio.gather(*(ramp.aacquire() for _ in range(20))))

    assert asyncio.run(take()) == 10


@pytest.mark.parametrize("limits", [(), (0, 1), (1.5,), (20, 10)])
def test_schedules_that_make_no_sense_are_refused(limits: tuple[int, ...]) -> None:
    """A schedule without steps, or with steps that fall, is an error that shows what came."""
    with pytest.raises(ConfigurationError, match="got"):
        Schedule(limits)


def test_an_unknown_schedule_is_refused() -> None:
    """The error names the published schedules."""
    with pytest.raises(
        ConfigurationError, match="unknown schedule 'gmail': choose from sendgrid-daily, sendgrid-hourly, ses"
    ):
        WarmUp("gmail", store=MemoryStore(), name="a")


def test_an_unknown_period_is_refused() -> None:
    """A limit holds for a day or an hour."""
    with pytest.raises(ConfigurationError, match="'week'"):
        Schedule((1,), per="week")  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [0, -1, 1.5])
def test_an_impossible_number_is_refused(clock: FixedClock, n: int) -> None:
    """Fewer than one message, or a part of one, cannot be asked for."""
    with pytest.raises(ValueError, match="at least 1"):
        warm_up(clock).acquire(n)


@pytest.mark.parametrize("number", [math.nan, math.inf, 1.5, 3.0, "3", None, 0, -1])
def test_a_number_of_messages_that_is_none(clock: FixedClock, number: Any) -> None:
    """Whatever is no whole number of at least 1 is told what is expected."""
    with pytest.raises(ValueError, match="n must be a whole number of messages"):
        warm_up(clock).acquire(number)


def test_a_clock_that_was_a_year_ahead_stops_nobody_for_a_year(clock: FixedClock) -> None:
    """Once it is right again, the warm-up goes on at its step with the day after."""
    warm = warm_up(clock)
    clock.advance(365 * DAY)
    warm.acquire(10)
    clock.advance(-365 * DAY)
    assert [warm.acquire().granted, warm.state().step] == [0, 1]
    clock.advance(DAY)
    assert [warm.acquire(20).granted, warm.state().step] == [20, 2]


def test_a_damaged_place_begins_again(clock: FixedClock) -> None:
    """A place out of all calendars is as if there were none."""
    warm = warm_up(clock)
    warm.acquire(10)
    ((key, document),) = warm.store.scan("warm-up:")
    warm.store.swap(key, document, b"[Infinity, 1, 1, 1, 1]")
    assert warm.acquire(10).granted == 10
