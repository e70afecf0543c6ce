"""The arithmetic of meters by numbers that can be reckoned by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mailflows._stores import BucketMeter, DistinctMeter, GcraMeter, WindowMeter
from mailflows._stores._meter import HASH_BITS, SAMPLE, SLACK, Meter
from mailflows._stores._store import Outcome, settled, stamp_of, weighed

NOW = 1000.0


def filled(meter: Meter, *takes: tuple[float, Any]) -> Any:
    """Return the state after some amounts were taken, each at a moment."""
    state: Any = None
    for at, amount in takes:
        state = meter.spend(state, at, amount, at, at)
    return state


def steady() -> GcraMeter:
    """Return a meter of four in ten seconds, three at once."""
    return GcraMeter("g", 4, 10.0, 3)


def window() -> WindowMeter:
    """Return a meter of three in ten seconds."""
    return WindowMeter("w", 3, 10.0)


def buckets() -> BucketMeter:
    """Return a meter of a hundred in sixty-four seconds, one sub-window a second."""
    return BucketMeter("b", 100, 64.0)


def distinct() -> DistinctMeter:
    """Return a meter of three different values in ten seconds."""
    return DistinctMeter("d", 3, 10.0)


def test_a_steady_meter_waits_until_enough_has_drained() -> None:
    """One unit drains in 2.5 seconds; more than the burst never fits."""
    meter = steady()
    assert (meter.interval, meter.span, meter.capacity) == (2.5, 7.5, 3)
    full = filled(meter, (NOW, 3))
    assert full == NOW + 7.5
    assert [meter.wait(full, NOW, n) for n in (0, 1, 2, 3, 4)] == [0.0, 2.5, 5.0, 7.5, math.inf]
    assert [meter.wait(None, NOW, n) for n in (3, 4)] == [0.0, math.inf]
    assert meter.wait(full, NOW + 2.5, 1) == 0.0
    assert meter.reading(full, NOW) == (3.0, 7.5)
    assert meter.reading(full, NOW + 5) == (1.0, 2.5)
    assert meter.reading(full, NOW + 7.5) == (0, 0.0)
    assert meter.reading(None, NOW) == (0, 0.0)


def test_a_steady_meter_loses_no_message_to_the_drift_of_sums() -> None:
    """Less than a microsecond too early is in time; more is not."""
    meter, full = steady(), filled(steady(), (NOW, 3))
    for early, fits in ((SLACK / 2, True), (SLACK * 2, False)):
        assert (meter.take(full, NOW + 2.5 - early, 1) is not None) is fits
        assert (meter.wait(full, NOW + 2.5 - early, 1) == 0.0) is fits


def test_a_steady_meter_gives_back_what_has_not_drained() -> None:
    """Half a minute later nothing is left to give back; what is kept stays; what is gone is gone."""
    meter, full = steady(), filled(steady(), (NOW, 3))
    assert meter.settle(full, NOW, 2, NOW, NOW, keep=False) == NOW + 2.5
    assert meter.settle(full, NOW + 2.5, 2, NOW, NOW, keep=False) == NOW + 5.0
    assert meter.settle(full, NOW + 5.0, 2, NOW, NOW, keep=False) == full
    assert meter.settle(full, NOW + 30, 2, NOW, NOW, keep=False) == full
    assert meter.settle(full, NOW, 2, NOW, NOW, keep=True) == full
    assert meter.settle(None, NOW, 2, NOW - 1, NOW, keep=False) == NOW - 1


def test_who_knocks_on_a_steady_meter_waits_for_one_interval() -> None:
    """However often; the state never goes beyond what is full."""
    meter, full = steady(), filled(steady(), (NOW, 3))
    assert meter.overspend(full, NOW, 5) == full
    assert meter.overspend(full, NOW + 1, 1) == NOW + 1 + 7.5
    assert meter.overspend(None, NOW, 1) == NOW + 2.5


def test_a_part_of_a_meter_allows_one_unit_at_least() -> None:
    """A half of three is one; a tenth is one, too. A steady one drains as much more slowly."""
    for meter in (steady(), window(), distinct()):
        assert [meter.part(share).capacity for share in (1.0, 0.67, 0.5, 0.1)] == [3, 2, 1, 1]
        assert meter.part(0.5).id == meter.id
    assert [buckets().part(share).capacity for share in (1.0, 0.5, 0.001)] == [100, 50, 1]
    assert steady().part(0.5).interval == 5.0
    assert (window().part(0.5).span, buckets().part(0.5).span) == (10.0, 65.0)


def test_a_window_waits_for_the_oldest_to_leave() -> None:
    """As many as must, to make room for all that is taken."""
    meter = window()
    state = filled(meter, (NOW, 1), (NOW + 2, 1), (NOW + 5, 1))
    now = NOW + 6
    assert [meter.wait(state, now, n) for n in (0, 1, 2, 3, 4)] == [0.0, 4.0, 6.0, 9.0, math.inf]
    assert meter.wait(state[:2], now, 1) == 0.0
    assert meter.wait(None, now, 3) == 0.0
    assert meter.reading(state, now) == (3, 9.0)
    assert meter.reading(state, NOW + 10) == (2, 5.0)
    assert meter.reading(state, NOW + 15) == (0, 0.0)
    assert meter.reading((), now) == (0, 0.0)
    for early, fits in ((SLACK / 2, True), (SLACK * 2, False)):
        assert (meter.wait(state, NOW + 10 - early, 1) == 0.0) is fits


def test_a_window_forgets_what_has_left_and_keeps_its_order() -> None:
    """Also when a moment to come is booked, or one that is past is written."""
    meter = window()
    state = filled(meter, (NOW, 2), (NOW + 9, 1))
    assert meter.spend(state, NOW + 10, 1, NOW + 10, NOW + 10) == (NOW + 9, NOW + 10)
    assert meter.spend(state, NOW + 9, 1, NOW + 19, NOW + 19) == (NOW, NOW, NOW + 9, NOW + 19)
    assert meter.spend((NOW + 19,), NOW + 10, 2, NOW + 11, NOW + 11) == (NOW + 11, NOW + 11, NOW + 19)


def test_a_window_gives_back_and_keeps_what_was_reserved() -> None:
    """By the time that it was written with; what is kept counts from the moment that it was spent."""
    meter = window()
    state = (NOW, NOW + 1, NOW + 1)
    assert meter.settle(state, NOW + 2, 1, NOW + 1, NOW + 1, keep=False) == (NOW, NOW + 1)
    assert meter.settle(state, NOW + 2, 2, NOW + 3, NOW + 1, keep=True) == (NOW, NOW + 3, NOW + 3)
    assert meter.settle(state, NOW + 2, 1, NOW + 3, NOW + 5, keep=False) == state
    assert meter.settle(None, NOW, 2, NOW, NOW - 5, keep=True) == (NOW, NOW)


def test_who_knocks_on_a_window_pushes_the_oldest_out() -> None:
    """No more than its capacity is remembered, beside what is booked."""
    meter = window()
    state = filled(meter, (NOW, 3))
    assert meter.overspend(state, NOW + 1, 2) == (NOW, NOW + 1, NOW + 1)
    assert meter.overspend(state, NOW + 1, 9) == (NOW + 1,) * 3
    booked = (*state, NOW + 10)
    assert meter.overspend(booked, NOW + 1, 1) == (NOW, NOW, NOW + 1, NOW + 10)


def test_sub_windows_wait_until_a_whole_one_has_left() -> None:
    """A unit counts until its second, and sixty-four more, have gone."""
    meter = buckets()
    assert (meter.width, meter.span, meter.lag, meter.capacity) == (1.0, 65.0, 1.0, 100)
    state = filled(meter, (NOW + 0.5, 60), (NOW + 2.5, 40))
    now = NOW + 3
    assert [meter.wait(state, now, n) for n in (0, 1, 60, 61, 100, 101)] == [0, 62, 62, 64, 64, math.inf]
    assert meter.wait(state, NOW + 65 - 0.5, 1) == 0.5
    assert meter.wait(state, NOW + 65, 60) == 0.0
    assert meter.wait(None, now, 100) == 0.0
    assert meter.reading(state, now) == (100, 64.0)
    assert meter.reading(state, NOW + 65) == (40, 2.0)
    assert meter.reading(state, NOW + 67) == (0, 0.0)
    assert meter.reading(b"", now) == (0, 0.0)


@pytest.mark.parametrize(
    ("takes", "amount", "left"),
    [
        ([], 100, 0),
        ([], 101, None),
        ([], 0, 100),
        ([(0.2, 60)], 40, 0),
        ([(0.2, 60)], 41, None),
        ([(0.2, 60)], 0, 40),
        ([(-1.0, 60)], 40, 0),
        ([(-1.0, 60)], 41, None),
        ([(-64.0, 60)], 41, None),
        ([(-64.1, 60)], 41, 59),
        ([(-3.0, 30), (-2.0, 30)], 40, 0),
        ([(-3.0, 30), (-2.0, 30)], 41, None),
    ],
)
def test_sub_windows_take_what_fits(takes: list[tuple[float, int]], amount: int, left: int | None) -> None:
    """By the quick way for the second that is, and by the slow one for those before."""
    meter = buckets()
    state = filled(meter, *((NOW + at, taken) for at, taken in takes))
    taken = meter.take(state, NOW + 0.5, amount)
    assert (taken is None) == (left is None)
    if taken is not None:
        assert 100 - meter.reading(taken, NOW + 0.5)[0] == left
        assert len(taken) in {0, 14, 20, 26}


def test_sub_windows_give_back_and_keep_what_was_reserved() -> None:
    """From the second that it was written in; what is kept counts from the one that it was spent in."""
    meter = buckets()
    state = filled(meter, (NOW, 10), (NOW + 2, 5))
    assert meter.settle(state, NOW + 3, 4, NOW, NOW, keep=False) == filled(meter, (NOW, 6), (NOW + 2, 5))
    assert meter.settle(state, NOW + 3, 10, NOW, NOW, keep=False) == filled(meter, (NOW + 2, 5))
    assert meter.settle(state, NOW + 3, 10, NOW + 2, NOW, keep=True) == filled(meter, (NOW + 2, 15))
    assert meter.settle(state, NOW + 3, 10, NOW + 1, NOW, keep=True) == filled(
        meter, (NOW + 1, 10), (NOW + 2, 5)
    )
    assert meter.settle(None, NOW, 3, NOW, NOW, keep=False) == b""


def test_who_knocks_on_sub_windows_pushes_the_oldest_out() -> None:
    """As many as are too many; what is booked stays."""
    meter = buckets()
    state = filled(meter, (NOW, 60), (NOW + 1, 40))
    assert meter.overspend(state, NOW + 2, 10) == filled(meter, (NOW, 50), (NOW + 1, 40), (NOW + 2, 10))
    assert meter.overspend(state, NOW + 2, 60) == filled(meter, (NOW + 1, 40), (NOW + 2, 60))
    assert meter.overspend(state, NOW + 2, 999) == filled(meter, (NOW + 2, 100))
    booked = meter.spend(state, NOW + 2, 7, NOW + 90, NOW + 90)
    assert meter.reading(meter.overspend(booked, NOW + 2, 10), NOW + 2)[0] == 107
    few = filled(meter, (NOW, 5))
    assert meter.overspend(few, NOW + 2, 1) == filled(meter, (NOW, 5), (NOW + 2, 1))


def test_numbers_that_are_too_large_for_their_bytes_are_cut() -> None:
    """Two bytes of distance, four of units."""
    meter = BucketMeter("b", 2**33, 64.0)
    state = meter.spend(None, 0.0, 2**33, 0.0, 0.0)
    assert meter.reading(state, 0.0)[0] == 2**32 - 1
    far = meter.spend(filled(meter, (0.0, 1)), 0.0, 1, 1e6, 1e6)
    assert meter.reading(far, 0.0) == (2, 65_535 + 65.0)


def test_distinct_values_wait_for_the_oldest_to_leave() -> None:
    """One that was seen needs no place; more than fit at once never fit."""
    meter = distinct()
    state = filled(meter, (NOW, (1,)), (NOW + 2, (2,)), (NOW + 5, (3,)))
    now = NOW + 6
    assert meter.wait(state, now, ()) == meter.wait(state, now, (1, 2, 3)) == 0.0
    assert [meter.wait(state, now, values) for values in ((4,), (4, 5), (4, 5, 6))] == [4.0, 6.0, 9.0]
    assert meter.wait(state, now, (1, 4)) == 6.0
    assert meter.wait(state, now, (4, 5, 6, 7)) == math.inf
    assert meter.wait(None, now, (1, 2, 3)) == 0.0
    assert meter.wait(state, NOW + 10, (4,)) == 0.0
    assert meter.reading(state, now) == (3, 9.0)
    assert meter.reading(state, NOW + 10) == (2, 5.0)
    assert meter.reading(state, NOW + 15) == meter.reading(None, now) == (0, 0.0)


def test_a_value_that_comes_again_counts_from_then() -> None:
    """It is not given back with what was taken then, as it was there before."""
    meter = distinct()
    state = filled(meter, (NOW, (1, 2)), (NOW + 5, (1, 3)))
    assert sorted(state) == [1, 2, 3]
    assert state[1] == pytest.approx(NOW + 5)
    assert state[1] != state[3] == NOW + 5
    assert sorted(meter.settle(state, NOW + 6, (1, 3), NOW + 5, NOW + 5, keep=False)) == [1, 2]
    kept = meter.settle(state, NOW + 6, (1, 3), NOW + 7, NOW + 5, keep=True)
    assert (kept[1], kept[2], kept[3]) == (NOW + 7, NOW, NOW + 7)
    assert meter.settle(None, NOW, (1,), NOW, NOW, keep=True) == {1: NOW}
    assert sorted(meter.spend(state, NOW + 10, (), NOW + 10, NOW + 10)) == [1, 3]


def test_a_value_leaves_a_microsecond_early() -> None:
    """As in the other meters: what is booked for a moment must not fail by a rounded sum."""
    meter = distinct()
    gone, there = NOW - 10 + SLACK, NOW - 10 + 2 * SLACK
    assert meter.spend({1: gone, 2: there}, NOW, (), NOW, NOW) == {2: there}
    assert meter.wait({1: gone, 2: NOW, 3: NOW}, NOW, (4,)) == 0.0
    assert meter.wait({1: there, 2: NOW, 3: NOW}, NOW, (4,)) > 0.0


def test_who_knocks_with_new_values_waits_for_the_oldest_anew() -> None:
    """As many as were refused; the new values stay unknown."""
    meter = distinct()
    state = filled(meter, (NOW, (1,)), (NOW + 2, (2,)), (NOW + 5, (3,)))
    after = meter.overspend(state, NOW + 6, (4, 5))
    assert after == {1: NOW + 6, 2: NOW + 6, 3: NOW + 5}


def test_beyond_its_sample_a_distinct_meter_reckons() -> None:
    """A quarter of the values stands for all; one outside of it needs a free place, and takes none."""
    meter = DistinctMeter("d", 4 * SAMPLE, 10.0)
    assert (meter.places, meter.threshold) == (SAMPLE, 1 << (HASH_BITS - 2))
    inside, outside = meter.threshold - 1, meter.threshold
    assert sorted(meter.spend(None, NOW, (inside, outside), NOW, NOW)) == [inside]
    assert meter.reading({inside: NOW}, NOW)[0] == 4
    assert meter.settle({}, NOW, (inside, outside), NOW, NOW, keep=True) == {inside: NOW}
    full = dict.fromkeys(range(SAMPLE), NOW)
    assert meter.wait(full, NOW + 1, (outside,)) == 9.0
    assert meter.wait(full, NOW + 1, (0,)) == 0.0
    assert meter.wait(dict.fromkeys(range(SAMPLE - 1), NOW), NOW + 1, (outside, outside + 1)) == 0.0
    assert DistinctMeter("d", SAMPLE, 10.0).threshold == 1 << HASH_BITS


@pytest.mark.parametrize("meter", [steady(), window(), buckets()], ids=["steady", "window", "sub-windows"])
def test_what_fits_is_taken(meter: Any) -> None:
    """In one step, and what does not fit changes nothing."""
    state = meter.take(None, NOW, meter.capacity)
    assert state == meter.spend(None, NOW, meter.capacity, NOW, NOW)
    assert meter.take(state, NOW, 1) is None
    assert meter.take(None, NOW, meter.capacity + 1) is None


@pytest.mark.parametrize(
    ("meter", "lease", "stamp"),
    [
        (window(), None, NOW),
        (window(), 3.0, NOW - 7.0),
        (window(), 10.0, NOW),
        (window(), 20.0, NOW),
        (buckets(), 3.0, NOW - 61.0),
    ],
)
def test_a_reservation_is_written_with_an_earlier_time(
    meter: Meter, lease: float | None, stamp: float
) -> None:
    """So that it leaves the window when its lease ends, and never later than what was taken for good."""
    assert stamp_of(meter, NOW, lease) == stamp


def decided(
    *found: tuple[Meter, Any, Any], within: float = 0.0, look: bool = False
) -> tuple[Outcome, list[Any]]:
    """Decide on charges of which each has a state."""
    charges = [(meter, str(at), amount) for at, (meter, amount, _) in enumerate(found)]
    rows = [(meter, at, amount, state) for at, (meter, amount, state) in enumerate(found)]
    return weighed(charges, rows, NOW, within=within, lease=None, look=look)


def test_all_charges_are_taken_or_none() -> None:
    """Where one does not fit, nothing is written, and the longest wait is told."""
    full = filled(window(), (NOW - 4, 3))
    outcome, states = decided(
        (window(), 1, None), (window(), 1, full), (steady(), 1, filled(steady(), (NOW, 3)))
    )
    assert (outcome.allowed, outcome.at, outcome.wait, states) == (False, None, 6.0, [])
    assert [row[2] for row in outcome.readings()] == [0.0, 6.0, 2.5]
    outcome, states = decided((window(), 1, None), (window(), 1, full), within=6.0)
    assert (outcome.allowed, outcome.at, outcome.wait) == (True, NOW + 6, 6.0)
    assert [state for *_, state in states] == [(NOW + 6,), (*full, NOW + 6)]
    assert not decided((window(), 1, full), within=5.9)[0].allowed
    assert decided()[0].allowed


def test_a_look_changes_nothing() -> None:
    """It says what would be."""
    outcome, states = decided((window(), 1, None), look=True)
    assert (outcome.allowed, outcome.at, states) == (True, None, [])
    assert outcome.is_settled
    full = filled(WindowMeter("s", 3, 10.0, strict=True), (NOW - 4, 3))
    outcome, states = decided((WindowMeter("s", 3, 10.0, strict=True), 1, full), look=True)
    assert (outcome.allowed, outcome.wait, states) == (False, 6.0, [])


def test_a_refused_attempt_counts_where_those_do() -> None:
    """The wait is that after it; a limit that had room goes on having it."""
    strict = WindowMeter("s", 3, 10.0, strict=True)
    full, some = filled(strict, (NOW - 4, 3)), filled(window(), (NOW, 1))
    outcome, states = decided((strict, 3, full), (window(), 1, some))
    assert [state for *_, state in states] == [(NOW, NOW, NOW)]
    assert (outcome.wait, outcome.allowed) == (10.0, False)
    assert [row[2] for row in outcome.readings()] == [10.0, 0.0]
    refused_by_another = filled(window(), (NOW - 4, 3))
    outcome, states = decided((strict, 1, None), (window(), 1, refused_by_another))
    assert [state for *_, state in states] == [(NOW,)]
    assert [row[2] for row in outcome.readings()] == [0.0, 6.0]


def test_what_was_not_taken_cannot_be_settled() -> None:
    """Nothing is written for a refusal."""
    outcome = Outcome((), NOW, 5.0)
    assert settled(outcome, [(window(), 0, 1, None)], NOW, keep=True) == []
    taken, _ = decided((window(), 2, None))
    found = [(window(), 0, 2, (NOW, NOW))]
    assert settled(taken, found, NOW + 1, keep=False) == [(found[0][0], 0, ())]
