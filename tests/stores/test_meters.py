"""The arithmetic of limits, against the plain list of what was sent."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows._stores import BucketMeter, DistinctMeter, GcraMeter, WindowMeter
from mailflows._stores._meter import HASH_BITS, SAMPLE
from mailflows._stores._store import steady

pytestmark = pytest.mark.property

SPAN = 10.0
GAPS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.5, 9.75, 10.0]), st.integers(0, 4)), max_size=60
)
"""Attempts: the pause before each, in quarters of a second so that sums are exact, and what it takes."""


def most_in_any_window(times: list[float], span: float) -> int:
    """Return the largest number of times in any half-open stretch; the worst one begins with a time."""
    return max((sum(start <= t < start + span for t in times) for start in times), default=0)


@given(attempts=GAPS, limit=st.integers(1, 6))
def test_window_is_the_list_of_what_was_sent(attempts: list[tuple[float, int]], limit: int) -> None:
    """An exact window allows an attempt exactly if the last window of what was sent has room for it."""
    meter = WindowMeter("w", limit, SPAN)
    now, state = 0.0, None
    sent: list[float] = []
    for gap, amount in attempts:
        now += gap
        room = limit - sum(t > now - SPAN for t in sent)
        taken = meter.take(state, now, amount)
        assert (taken is not None) == (amount == 0 or amount <= room)
        if taken is not None:
            state = taken
            sent += [now] * amount
    assert most_in_any_window(sent, SPAN) <= limit


BOOKINGS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.25, 1.0, 2.5, 10.0]),
        st.integers(1, 4),
        st.booleans(),
        st.one_of(st.none(), st.integers(0, 9)),
    ),
    max_size=40,
)
"""Attempts that wait: the pause, what it takes, whether it may be booked, which one to give back."""


def booked(meter: Any, bookings: list[tuple[float, int, bool, int | None]]) -> list[tuple[float, int]]:
    """Return when what was not given back is sent."""
    now, state = 0.0, None
    sent: list[tuple[float, int]] = []
    for gap, amount, may_wait, returned in bookings:
        now += gap
        if returned is not None and sent:
            at, units = sent.pop(returned % len(sent))
            if at >= now:
                state = meter.settle(state, now, units, at, at, keep=False)
            else:
                sent.append((at, units))
        wait = meter.wait(state, now, amount)
        if wait == 0.0 or (may_wait and wait < math.inf):
            state = meter.spend(state, now, amount, now + wait, now + wait)
            sent.append((now + wait, amount))
    return sorted(sent)


@given(bookings=BOOKINGS, limit=st.integers(1, 6))
def test_window_holds_with_bookings(bookings: list[Any], limit: int) -> None:
    """Whatever is booked ahead and given back, no window has more than the limit."""
    sent = booked(WindowMeter("w", limit, SPAN), bookings)
    times = [at for at, units in sent for _ in range(units)]
    assert most_in_any_window(times, SPAN - 1e-5) <= limit


def exceeds(sent: list[tuple[float, int]], burst: int, rate: float) -> bool:
    """Return whether any stretch has more than burst + rate * its length."""
    return any(
        sum(units for at, units in sent[i : j + 1]) > burst + rate * (sent[j][0] - sent[i][0]) + 1e-4
        for i in range(len(sent))
        for j in range(i, len(sent))
    )


@given(bookings=BOOKINGS, burst=st.integers(1, 6), limit=st.integers(1, 12))
def test_gcra_holds_with_bookings(bookings: list[Any], burst: int, limit: int) -> None:
    """Whatever is booked and given back, no stretch has more than its burst and its share of the rate."""
    sent = booked(GcraMeter("g", limit, SPAN, burst), bookings)
    assert not exceeds(sent, burst, limit / SPAN)


@given(attempts=GAPS, burst=st.integers(1, 6), limit=st.integers(1, 12), data=st.data())
def test_gcra_holds_with_late_returns(
    attempts: list[tuple[float, int]], burst: int, limit: int, data: st.DataObject
) -> None:
    """What was not sent is given back at any time later, and what was sent still obeys the rate."""
    meter = GcraMeter("g", limit, SPAN, burst)
    now, state = 0.0, None
    sent: list[tuple[float, int]] = []
    for gap, amount in attempts:
        now += gap
        is_late: bool = data.draw(st.booleans()) if sent else False
        if is_late:
            at, units = sent.pop(data.draw(st.integers(0, len(sent) - 1)))
            state = meter.settle(state, now, units, at, at, keep=False)
        taken = meter.take(state, now, amount)
        if taken is not None:
            state = taken
            sent.append((now, amount))
    assert not exceeds(sent, burst, limit / SPAN)


@given(attempts=GAPS, burst=st.integers(1, 6), limit=st.integers(1, 12))
def test_gcra_refuses_no_earlier_than_it_must(
    attempts: list[tuple[float, int]], burst: int, limit: int
) -> None:
    """What a steady rate refuses fits after the wait that it says, and not clearly earlier."""
    meter = GcraMeter("g", limit, SPAN, burst)
    now, state = 0.0, None
    for gap, amount in attempts:
        now += gap
        wait = meter.wait(state, now, amount)
        if wait == 0.0:
            state = meter.spend(state, now, amount, now, now)
        elif wait < math.inf:
            assert meter.wait(state, now + wait, amount) == 0.0
            assert meter.wait(state, now + wait - 1e-4, amount) > 0.0
        else:
            assert amount > burst


METERS = st.sampled_from([WindowMeter("w", 3, SPAN), GcraMeter("g", 4, SPAN, 3)])


@given(meter=METERS, attempts=GAPS)
def test_take_is_wait_and_spend(meter: Any, attempts: list[tuple[float, int]]) -> None:
    """The one step that is fast does what the two that are clear do."""
    now, state = 0.0, None
    for gap, amount in attempts:
        now += gap
        taken = meter.take(state, now, amount)
        fits = meter.wait(state, now, amount) == 0.0
        assert taken == (meter.spend(state, now, amount, now, now) if fits else None)
        state = state if taken is None else taken


@given(
    attempts=st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.25, 1.0, 5.0, 10.0]), st.lists(st.integers(0, 8), max_size=4, unique=True)
        ),
        max_size=50,
    ),
    limit=st.integers(1, 5),
)
def test_distinct_is_the_set_of_what_was_seen(attempts: list[tuple[float, list[int]]], limit: int) -> None:
    """Values are allowed exactly if, with those of the last window, they are no more than the limit."""
    meter = DistinctMeter("d", limit, SPAN)
    now, state = 0.0, None
    last: dict[int, float] = {}
    for gap, values in attempts:
        now += gap
        seen = {value for value, at in last.items() if at > now - SPAN}
        taken = meter.take(state, now, tuple(values))
        assert (taken is not None) == (not set(values) - seen or len(seen | set(values)) <= limit)
        if taken is not None:
            state = taken
            last |= dict.fromkeys(values, now)


@pytest.mark.parametrize("seed", range(3))
def test_a_million_values_within_two_percent(seed: int) -> None:
    """A limit of a million different values lets a million through, give or take 2 %, and stays small."""
    meter = DistinctMeter("million", 1_000_000, SPAN)
    chance = random.Random(seed)
    state: Any = None
    passed = 0
    while passed < 2_000_000:
        values = tuple(chance.getrandbits(HASH_BITS) for _ in range(500))
        taken = meter.take(state, 0.0, values)
        if taken is None:
            break
        state, passed = taken, passed + 500
    assert abs(passed - 1_000_000) <= 20_000
    assert len(state) <= SAMPLE


@given(jumps=st.lists(st.floats(-7200, 7200), max_size=30))
def test_steady_clock_never_goes_back(jumps: list[float]) -> None:
    """Whatever the clock does, the time that limits see never goes back, and follows every step forward."""
    clock, last, offset = 0.0, 0.0, 0.0
    for jump in jumps:
        clock += jump
        now, offset = steady(clock, last, offset)
        assert now == pytest.approx(last + max(0.0, jump), abs=1e-6)
        last = now


@given(
    attempts=st.lists(st.tuples(st.floats(0.0, 30.0), st.integers(0, 90)), max_size=60),
    limit=st.integers(65, 200),
)
def test_sub_windows_never_let_one_over(attempts: list[tuple[float, int]], limit: int) -> None:
    """In no stretch of a period, wherever it begins, are there more units than the limit."""
    meter = BucketMeter("b", limit, 64.0)
    now, state = 0.0, None
    sent: list[float] = []
    for gap, amount in attempts:
        now += gap
        taken = meter.take(state, now, amount)
        assert (taken is None) == (meter.wait(state, now, amount) > 0.0)
        if taken is not None:
            state = taken
            sent += [now] * amount
            assert len(state) <= 512
        else:
            # What is refused would not have fitted into a window that is a sixty-fourth longer.
            assert sum(t > now - 65.0 - 1e-5 for t in sent) + amount > limit
    assert most_in_any_window(sent, 64.0) <= limit


@given(
    gaps=st.lists(st.tuples(st.floats(0.0, 20.0), st.integers(0, 90)), max_size=30),
    limit=st.integers(65, 120),
)
def test_sub_windows_wait_exactly(gaps: list[tuple[float, int]], limit: int) -> None:
    """After the wait that was told an amount fits, and not a moment before."""
    meter = BucketMeter("b", limit, 64.0)
    now, state = 0.0, None
    for gap, amount in gaps:
        now += gap
        wait = meter.wait(state, now, amount)
        if math.isinf(wait):
            continue
        if wait > 0.0:
            assert meter.wait(state, now + wait * 0.999, amount) > 0.0
            now += wait + 1e-6
        assert meter.wait(state, now, amount) == 0.0
        state = meter.spend(state, now, amount, now, now)


def test_professional_never_admits_more_than_cited() -> None:
    """A person who uses the limit up just before a day ends gets no second one in the same 24 hours."""
    meter = BucketMeter("b", 2000, 86_400.0)
    state, sent = None, []
    for minute in range(3 * 1440):
        now = minute * 60.0
        for _ in range(30 if minute % 1440 > 1300 or minute % 1440 < 100 else 0):
            taken = meter.take(state, now, 1)
            if taken is not None:
                state = taken
                sent.append(now)
    assert max(sum(start <= t < start + 86_400.0 for t in sent) for start in set(sent)) == 2000
