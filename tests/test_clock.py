"""Moments are Unix seconds inside and aware datetimes in results."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailflows._clock import seconds_in, to_datetime, to_unix
from mailflows.errors import ConfigurationError
from mailflows.testing import FixedClock


def test_a_moment_survives_the_way_there_and_back() -> None:
    """An aware moment is the same after it was seconds."""
    moment = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)
    assert to_datetime(to_unix(moment, name="since")) == moment


@pytest.mark.parametrize("moment", [datetime(2026, 1, 1), math.nan, "yesterday", None])  # noqa: DTZ001
def test_a_moment_that_cannot_be_placed_is_refused(moment: Any) -> None:
    """Without a zone, or without a number, there is no moment; the error names the setting."""
    with pytest.raises(ConfigurationError, match="since") as caught:
        to_unix(moment, name="since")
    assert caught.value.field == "since"


@pytest.mark.parametrize(("given", "seconds"), [(0, 0.0), (1.5, 1.5), (timedelta(minutes=2), 120.0)])
def test_a_duration_is_seconds_or_a_timedelta(given: Any, seconds: float) -> None:
    """Both ways to write a duration mean seconds."""
    assert seconds_in(given, name="ttl") == seconds


@pytest.mark.parametrize("given", [-1, timedelta(seconds=-1), True, "1h", None])
def test_a_duration_below_zero_or_of_another_kind_is_refused(given: Any) -> None:
    """A duration does not go back, and a word is none."""
    with pytest.raises(ConfigurationError):
        seconds_in(given, name="ttl")


def test_a_fixed_clock_stands_still_until_it_is_moved() -> None:
    """It serves as clock and as timer, and can be set back."""
    clock = FixedClock(datetime(2026, 3, 1, tzinfo=UTC))
    start = clock()
    clock.advance(timedelta(hours=1))
    clock.advance(-1)
    assert (clock() - start, clock.now) == (3599.0, datetime(2026, 3, 1, 0, 59, 59, tzinfo=UTC))
