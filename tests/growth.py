"""Whether work grows in proportion to its input: a law that holds on any machine, slow or busy."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

TIMES = 4
"""How much more the large input is; work that grows with its square takes sixteen times as long."""

MOST = 8.0
"""How much longer it may take: between 4, which is in proportion, and 16."""

FLOOR = 0.004
"""Seconds below which a measurement is noise of the clock."""


def growth(make: Callable[[int], T], work: Callable[[T], object], size: int) -> float:
    """Return how much longer *work* takes for an input of *size* than for a quarter of it.

    Processor time, the quickest of up to three: what else the machine does counts little.
    """
    small, large = make(size // TIMES), make(size)
    quarter = whole = math.inf
    for _ in range(3):
        quarter, whole = min(quarter, _seconds(work, small)), min(whole, _seconds(work, large))
        if whole < MOST * max(quarter, FLOOR):
            break
    return whole / max(quarter, FLOOR)


def _seconds(work: Callable[[T], object], given: T) -> float:
    """Return the processor time that one call takes."""
    started = time.process_time()
    work(given)
    return time.process_time() - started
