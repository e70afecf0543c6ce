"""Confidence intervals and tests for rates: what a count of a few hundred can and cannot prove.

Shares near 0 and 1, and small numbers, are the rule in mail; the textbook's p ± 1.96·s fails there, and
says for no complaint in 200 that there are none. Wilson's does not (Brown, Cai and DasGupta, Statistical
Science 16, 2001), and Newcombe's for the difference of two shares is built from it (Statistics in Medicine
17, 1998, method 10). Both are held equal to statsmodels by a test.
"""

from __future__ import annotations

from functools import cache
from math import exp, lgamma, sqrt
from statistics import NormalDist

from mailflows._wilson import wilson as score_interval
from mailflows.errors import ConfigurationError

__all__ = ["fisher", "newcombe", "quantile", "wilson"]


def wilson(count: int, of: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of a share, in [0, 1]; of nothing it is everything.

    >>> low, high = wilson(1, 1000)
    >>> f"{low:.2%} to {high:.2%}"
    '0.02% to 0.56%'

    Args:
        count: How many did.
        of: How many could have.
        confidence: The share of such intervals that contain the true value, in (0, 1).

    Raises:
        ConfigurationError: If more did than could, or *confidence* is not a share.
    """
    if not 0 <= count <= of:
        msg = f"the count must lie between 0 and {of}, not {count}"
        raise ConfigurationError(msg, field="count")
    return score_interval(count, of, quantile(confidence))


def newcombe(
    count: int, of: int, other: int, other_of: int, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the interval of a share less another share, in [-1, 1].

    >>> low, high = newcombe(60, 1000, 40, 1000)
    >>> f"{low:+.2%} to {high:+.2%}"
    '+0.08% to +3.95%'

    Raises:
        ConfigurationError: If more did than could, or *confidence* is not a share.
    """
    low, high = wilson(count, of, confidence=confidence)
    other_low, other_high = wilson(other, other_of, confidence=confidence)
    if not of or not other_of:
        return -1.0, 1.0
    share, other_share = count / of, other / other_of
    difference = share - other_share
    below = sqrt((share - low) ** 2 + (other_high - other_share) ** 2)
    above = sqrt((high - share) ** 2 + (other_share - other_low) ** 2)
    return difference - below, difference + above


def fisher(count: int, of: int, other: int, other_of: int) -> float:
    """Return how often two equal shares differ at least as much by chance: Fisher's exact test, two-sided.

    >>> round(fisher(1, 20, 8, 20), 4)  # R: fisher.test(matrix(c(1, 19, 8, 12), 2))
    0.0197
    """
    did, everybody = count + other, of + other_of

    def weight(k: int) -> float:
        return _log_choose(of, k) + _log_choose(other_of, did - k) - _log_choose(everybody, did)

    seen = weight(count)
    low, high = max(0, did - other_of), min(did, of)
    # As R does, ties are told within a relative 1e-7.
    chances = (weight(k) for k in range(low, high + 1))
    return min(1.0, sum(exp(chance) for chance in chances if chance <= seen + 1e-7))


def _log_choose(of: int, count: int) -> float:
    return lgamma(of + 1) - lgamma(count + 1) - lgamma(of - count + 1)


@cache
def quantile(confidence: float) -> float:
    """Return how many standard deviations an interval reaches to each side."""
    if not 0 < confidence < 1:
        msg = f"confidence is a share between 0 and 1, such as 0.95; not {confidence}"
        raise ConfigurationError(msg, field="confidence")
    return NormalDist().inv_cdf((1 + confidence) / 2)
