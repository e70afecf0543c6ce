"""What a share that was counted says about the true one."""

from __future__ import annotations

import math

__all__ = ["wilson"]


def wilson(hits: float, total: float, z: float) -> tuple[float, float]:
    """Return the Wilson score interval of a share (Wilson 1927, JASA 22).

    Args:
        hits: How often it happened.
        total: Out of how many; with none, nothing is known: (0, 1).
        z: Standard deviations, such as 1.96 for 95 %.

    Example:
        >>> [round(bound, 4) for bound in wilson(1, 1000, 1.96)]
        [0.0002, 0.0056]
    """
    if total <= 0:
        return 0.0, 1.0
    share, spread = hits / total, z * z / total
    centre = share + spread / 2
    reach = z * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    # At the ends the exact bounds are 0 and 1, and rounding must not leave them.
    low = 0.0 if hits == 0 else (centre - reach) / (1 + spread)
    high = 1.0 if hits == total else (centre + reach) / (1 + spread)
    return low, high
