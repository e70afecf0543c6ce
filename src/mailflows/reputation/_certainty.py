"""How certain a counted share is."""

from __future__ import annotations

import math

__all__ = ["deviations_above"]


def deviations_above(hits: int, total: int, rate: float) -> float:
    """Return how many standard deviations a counted share lies above a rate; 0.0 where it does not.

    The signed root of the likelihood ratio (Wilks 1938): with few hits, where a normal approximation sees
    certainty five to a hundred times too often, it stays near the exact test.

    Args:
        hits: How often it happened.
        total: Out of how many.
        rate: The rate to compare with, above 0 and below 1.

    Example:
        >>> round(deviations_above(60, 1000, 0.05), 2), deviations_above(4, 100, 0.05)
        (1.41, 0.0)
    """
    if hits <= rate * total:
        return 0.0
    share = hits / total
    gain = hits * math.log(share / rate)
    if hits < total:
        gain += (total - hits) * math.log((1.0 - share) / (1.0 - rate))
    return math.sqrt(2.0 * gain)
