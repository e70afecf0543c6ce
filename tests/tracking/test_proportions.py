"""The intervals are those of the literature, to the last digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows.errors import ConfigurationError
from mailflows.tracking._proportions import newcombe, wilson

COUNTS = st.integers(1, 10**6).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))
CONFIDENCE = st.sampled_from([0.8, 0.9, 0.95, 0.99])


@pytest.mark.property
@given(COUNTS, CONFIDENCE)
def test_wilson_is_that_of_statsmodels(counts: tuple[int, int], confidence: float) -> None:
    """To 1e-12, also at the ends."""
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    expected = proportion.proportion_confint(*counts, alpha=1 - confidence, method="wilson")
    assert wilson(*counts, confidence=confidence) == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.property
@given(COUNTS, COUNTS, CONFIDENCE)
def test_newcombe_is_that_of_statsmodels(
    first: tuple[int, int], second: tuple[int, int], confidence: float
) -> None:
    """To 1e-12, for any two shares."""
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    expected = proportion.confint_proportions_2indep(*first, *second, method="newcomb", alpha=1 - confidence)
    assert newcombe(*first, *second, confidence=confidence) == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.property
@given(COUNTS, CONFIDENCE)
def test_an_interval_holds_its_share(counts: tuple[int, int], confidence: float) -> None:
    """It lies in [0, 1] and around the share."""
    low, high = wilson(*counts, confidence=confidence)
    assert 0 <= low <= counts[0] / counts[1] <= high <= 1


def test_nothing_seen_says_nothing() -> None:
    """Of no message at all, every share is possible, and every difference."""
    assert wilson(0, 0) == (0.0, 1.0)
    assert newcombe(0, 0, 1, 2) == (-1.0, 1.0)


@pytest.mark.parametrize(("count", "of"), [(2, 1), (-1, 1)])
def test_impossible_counts(count: int, of: int) -> None:
    """More clicks than messages are a mistake of whoever counted."""
    with pytest.raises(ConfigurationError):
        wilson(count, of)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_confidence_is_a_share(confidence: float) -> None:
    """95 is not 0.95."""
    with pytest.raises(ConfigurationError) as caught:
        wilson(1, 2, confidence=confidence)
    assert caught.value.field == "confidence"
