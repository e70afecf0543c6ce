"""All stores decide alike: any history gives the same answers in memory, in SQLite and in Redis."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailflows._stores import BucketMeter, DistinctMeter, GcraMeter, Outcome, WindowMeter
from mailflows.limits import MemoryStore, RedisStore, SQLiteStore
from mailflows.testing import FixedClock
from redis_server import ClockedClient

if TYPE_CHECKING:
    from collections.abc import Callable

METERS: list[Any] = [
    WindowMeter("w3", 3, 10.0),
    WindowMeter("w5s", 5, 20.0, strict=True),
    GcraMeter("g", 4, 8.0, 3),
    GcraMeter("gs", 2, 8.0, 2, strict=True),
    DistinctMeter("d", 3, 10.0),
    BucketMeter("b", 7, 16.0),  # of widths whose multiples Unix and the script's epoch both are
    BucketMeter("bs", 5, 32.0, strict=True),
]
VALUES = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4).map(tuple)


def amounts(meter: Any) -> st.SearchStrategy[Any]:
    """Return what may be taken from a meter."""
    return VALUES if isinstance(meter, DistinctMeter) else st.integers(0, 6)


CHARGES = st.lists(st.sampled_from(METERS), min_size=1, max_size=4, unique=True).flatmap(
    lambda meters: st.tuples(*(st.tuples(st.just(m), st.sampled_from("xy"), amounts(m)) for m in meters))
)
HOW = st.fixed_dictionaries(
    {},
    optional={
        "within": st.sampled_from([2.0, 15.0, 1e300]),
        "lease": st.sampled_from([1.0, 4.0]),
        "look": st.booleans(),
    },
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from([0.25, 1.0, 3.0, 7.5])),
        st.tuples(st.just("decide"), CHARGES, HOW),
        st.tuples(st.just("settle"), st.integers(0, 5), st.booleans()),
    ),
    max_size=25,
)


def history(store: Any, clock: FixedClock, steps: list[Any]) -> list[Any]:
    """Return everything that a store answered to a history."""
    answers: list[Any] = []
    outcomes: list[Outcome] = []
    for step in steps:
        if step[0] == "wait":
            clock.advance(step[1])
        elif step[0] == "settle":
            if outcomes:
                store.settle(outcomes.pop(step[1] % len(outcomes)), keep=step[2])
        else:
            outcome = store.decide(list(step[1]), **step[2])
            outcomes.append(outcome)
            answers += [outcome.at is not None, outcome.wait]
            answers += [number for row in outcome.readings() for number in row]
    return answers


@pytest.mark.property
@settings(max_examples=50)
@given(steps=STEPS)
def test_sqlite_agrees_with_memory(steps: list[Any]) -> None:
    """Any history has the same answers in SQLite as in memory."""
    clocks = FixedClock(), FixedClock()
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(Path(folder) / "limits.db", clock=clocks[1])
        answers = history(store, clocks[1], steps)
        store.close()
    memory = MemoryStore(clock=clocks[0])
    assert answers == pytest.approx(history(memory, clocks[0], steps), abs=1e-4)


@pytest.mark.property
def test_redis_agrees_with_memory(redis_client: Callable[..., Any]) -> None:
    """Any history has the same answers from the script in Redis as in memory."""
    client = redis_client()
    scopes = iter(range(10**6))

    @given(steps=STEPS)
    def agree(steps: list[Any]) -> None:
        clocks = FixedClock(), FixedClock()
        memory = MemoryStore(clock=clocks[0])
        clocked = ClockedClient(client, clocks[1])
        store = RedisStore(clocked, scope=f"s{next(scopes)}", timeout=5.0, secret=b"fixed for this test")
        assert history(store, clocks[1], steps) == pytest.approx(history(memory, clocks[0], steps), abs=1e-4)

    agree()
    client.close()
