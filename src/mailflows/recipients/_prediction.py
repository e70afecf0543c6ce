"""How many of a list's addresses will bounce: one distribution over all rows, and how it is made.

The model. Every distinct address that would be mailed is in one class. What is certain to bounce, or nearly,
has a narrow rate; each risky class has a Beta prior of its own; the ordinary rest has one rate that the whole
list shares, its *quality*, which has three unknown parts:

* how much *time* has passed, seen in the share of the list's own domains that died meanwhile;
* how many mailboxes die while one domain dies;
* how many addresses never existed, seen in what looks made up or broken.

Fixed draws from these distributions give the distribution of the list's bounce rate; its 5 % and 95 %
quantiles are the interval, for the headline and for every policy. No class bounces less than an ordinary
address, and the chance of a list of this length is that of all its rows: so a good row that is replaced by
a bad one can only raise both ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from mailflows._result import Result

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    Draws = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

__all__ = ["CLASSES", "Prediction", "predict"]

CLASSES: dict[str, tuple[float, float]] = {
    "delivered": (1.0, 299.0),  # took mail before
    "unknown": (1.2, 6.8),  # no answer from the DNS: mostly a passing fault
    "suspicious": (2.1, 3.9),  # made up when a form was filled in
    "implicit": (1.8, 3.2),  # an address record but no mail host
    "disposable": (2.0, 3.0),  # given up after use
    "typo": (3.2, 1.8),  # typo domains often exist, and some of them take any mail
    "undeliverable": (96.0, 2.0),  # no address, or a dead domain: a few come back to life
}
"""Class → Beta prior of its bounce rate, the mildest class first. Nobody publishes such rates: means and
widths are judgements, with the reason beside them.

Addresses of none of these classes are "ordinary"; those known to bounce are not mailed.
"""

_TIME, _TIME_SPREAD = math.log(0.006), 1.5
"""Log of the share of domains that died, before any is seen: half of all lists between 0.2 and 1.7 %, 90 %
between 0.05 and 7 %. A list of this year to one of five years, at 0.3 to 4 % of firms' domains a year."""

_RATIO, _RATIO_SPREAD = math.log(3.0), 1.3
"""Log of how many mailboxes die while a domain dies: many at firms, few where boxes belong to functions or
providers keep them. Mailboxes of firms: 22.5 % a year (MarketingSherpa, as quoted at
https://savoirfaire-us.com/blog/email-list-decay-inevitable-not-necessarily-bad/, 2026-11-28); domains of
firms 1 to 10 % a year, our judgement, hence the spread."""

_NEVER, _NEVER_SPREAD = math.log(0.0028), 0.8
"""Log of the share that never existed: Mailchimp's customers see 0.18 to 0.53 % hard bounces by industry
(as quoted at https://datainnovation.io/en/email-bounce-rate-benchmark-by-industry-in-practice-lessons-from-high-volume-senders/,
2026-11-28), unchecked forms up to 1.8 % (alphagov/govuk-coronavirus-vulnerable-people-form#350)."""

_HIDDEN, _HIDDEN_SPREAD = math.log(0.5), 0.8
"""Log of how many addresses never existed for each that looks made up; our judgement."""

_MOST_TRIALS = 400
"""A history is of another day, and not of a random part of the list: it counts as at most so many trials.
Our choice."""

_DRAWS = 4000  # our choice
_GRID = 400  # our choice
_QUANTILES = (0.05, 0.95)
_VISIBLE = ("suspicious", "disposable", "typo")


@dataclass(frozen=True, slots=True)
class Prediction(Result):
    """The hard bounces to expect if every distinct address is mailed once.

    Attributes:
        rate: Expected share, in [0, 1].
        low: Lower end of the 90 % interval.
        high: Upper end of the 90 % interval.
        addresses: How many addresses would be mailed.
        rows: How many rows the list has, with those that are empty or broken.
    """

    rate: float
    low: float
    high: float
    addresses: int
    rows: int

    def __str__(self) -> str:
        return f"{self.rate:.1%} ({self.low:.1%} to {self.high:.1%})"


def predict(  # noqa: PLR0913 -- what is known of a list
    counts: Mapping[str, int],
    *,
    dead: int = 0,
    asked: int = 0,
    bounced: int = 0,
    delivered: int = 0,
    rows: int | None = None,
) -> Prediction:
    """Predict the hard-bounce rate of a list.

    Args:
        counts: Distinct addresses by class, ``ordinary`` and those of `CLASSES`; known bounces are not
            among them.
        dead: Domains of the list that are dead, among those…
        asked: …that belong to somebody of its own: providers of free mail stay, whatever the list's age.
        bounced: Addresses of this list that are known to have bounced.
        delivered: Addresses of this list that are known to have taken mail.
        rows: All rows of the list, also those that would not be mailed; by default the sum of *counts*.

    Example:
        >>> fresh = predict({"ordinary": 10_000}, asked=3_000)
        >>> aged = predict({"ordinary": 10_000, "undeliverable": 600}, dead=150, asked=3_000)
        >>> fresh.high < 0.02 and fresh.high < aged.low
        True
        >>> known = predict({"ordinary": 10_000}, bounced=20, delivered=4000)
        >>> unknown = predict({"ordinary": 10_000})
        >>> known.high - known.low < unknown.high - unknown.low
        True
    """
    import numpy as np  # noqa: PLC0415 -- slow to import

    total = sum(counts.values())
    rows = max(total, rows or 0)
    if not total:
        return Prediction(0.0, 0.0, 0.0, 0, rows)
    visible = sum(counts.get(name, 0) for name in _VISIBLE) / total
    quality = _quality(dead, asked, visible)
    if bounced + delivered:
        quality = _weighed_by_history(quality, bounced, delivered)
    bounces = counts.get("ordinary", 0) * quality
    for name, rates in _class_draws().items():
        if counts.get(name, 0):
            least = 0.0 if name == "delivered" else quality
            bounces = bounces + counts[name] * np.maximum(rates, least)
    rates = bounces / total
    low, high = _interval(rates, rows)
    return Prediction(float(rates.mean()), low, high, total, rows)


def _quality(dead: int, asked: int, visible: float) -> Draws:
    """Return draws of the bounce rate of ordinary addresses."""
    import numpy as np  # noqa: PLC0415 -- slow to import

    grid = np.linspace(_TIME - 5 * _TIME_SPREAD, 0.9, _GRID)
    times = np.exp(grid)
    log_weight = -0.5 * ((grid - _TIME) / _TIME_SPREAD) ** 2
    log_weight = log_weight + dead * np.log(-np.expm1(-times)) - (asked - dead) * times
    weight = np.exp(log_weight - log_weight.max())
    chance = np.cumsum(weight)
    time = np.exp(np.interp(_uniform(), (chance - weight / 2) / chance[-1], grid))
    normal = _normals()
    ratio = np.exp(_RATIO + _RATIO_SPREAD * normal[0])
    never = np.exp(_NEVER + _NEVER_SPREAD * normal[1])
    never = np.minimum(0.5, never + visible * np.exp(_HIDDEN + _HIDDEN_SPREAD * normal[2]))
    quality: Draws = 1.0 - (1.0 - never) * np.exp(-ratio * time)
    return quality


def _weighed_by_history(quality: Draws, bounced: int, delivered: int) -> Draws:
    """Return draws of the quality once some of the list's own addresses were mailed."""
    import numpy as np  # noqa: PLC0415 -- slow to import

    order = np.sort(np.clip(quality, 1e-9, 1 - 1e-9))
    trust = min(1.0, _MOST_TRIALS / (bounced + delivered))
    log_weight = trust * (bounced * np.log(order) + delivered * np.log1p(-order))
    weight = np.exp(log_weight - log_weight.max())
    chance = np.cumsum(weight)
    return np.interp(_uniform(), (chance - weight / 2) / chance[-1], order)


def _interval(rates: Draws, rows: int) -> tuple[float, float]:
    """Return the ends of the interval, with the chance of a list of this length added.

    Where the chance would lead below none or above all, it ends there: so more bad rows never lower an end.
    """
    import numpy as np  # noqa: PLC0415 -- slow to import

    spread = np.sqrt(np.clip(rates * (1 - rates), 0.0, None) / rows)
    low, high = np.quantile(np.clip(rates + _normals()[3] * spread, 0.0, 1.0), _QUANTILES)
    return max(0.0, float(low) - 0.5 / rows), min(1.0, float(high) + 0.5 / rows)


@cache
def _uniform() -> Draws:
    import numpy as np  # noqa: PLC0415 -- slow to import

    # Evenly spaced, in an order that has nothing to do with the other draws.
    return np.random.default_rng(1).permutation((np.arange(_DRAWS) + 0.5) / _DRAWS)


@cache
def _normals() -> Draws:
    import numpy as np  # noqa: PLC0415 -- slow to import

    return np.random.default_rng(2).standard_normal((4, _DRAWS))


@cache
def _class_draws() -> dict[str, Draws]:
    """Return draws of the rate of each class."""
    import numpy as np  # noqa: PLC0415 -- slow to import

    return {
        name: np.random.default_rng(10 + number).beta(a, b, _DRAWS)
        for number, (name, (a, b)) in enumerate(CLASSES.items())
    }
