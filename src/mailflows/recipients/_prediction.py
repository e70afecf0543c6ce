"""How many of a list's addresses will bounce: an estimate with an interval, and how it is made.

The model. Every distinct address that would be mailed is in one class. What is certain to bounce, or
nearly, has a narrow rate; each risky class has a Beta prior of its own; the ordinary rest has one rate
that the whole list shares, its *quality*: how many mailboxes were closed since the list was made. The
quality is logit-normal: half of all lists between 1.0 % and 6.2 %. What is seen moves it:

* the share of dead domains: lists age in mailboxes as they age in domains;
* history: of the list's own addresses so-and-so many were delivered and so-and-so many bounced.

Fixed draws from these distributions give the distribution of the list's bounce rate; its 5 % and 95 %
quantiles are the interval. Because the draws are fixed, one more bad row can only raise them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    Draws = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

__all__ = ["CLASSES", "Prediction", "predict"]

CLASSES: dict[str, tuple[float, float]] = {
    "undeliverable": (96.0, 2.0),  # no address, or a dead domain: a few come back to life
    "typo": (3.0, 2.0),  # typo domains often exist, and some of them take any mail
    "unknown": (1.2, 6.8),  # no answer from the DNS: mostly a passing fault
    "implicit": (1.5, 3.5),  # an address record but no mail host
    "disposable": (1.5, 3.5),  # given up after use
    "suspicious": (1.2, 4.8),  # made up when a form was filled in
    "delivered": (1.0, 299.0),  # took mail before
}
"""Class → Beta prior of its bounce rate; means and widths are judgements, with the reason beside them.

Addresses of none of these classes are «ordinary»; those known to bounce are not mailed.
"""

_MEDIAN = math.log(0.025 / 0.975)
_SPREAD = 1.4
"""Quality of a list before anything is seen: median 2.5 %, 90 % of lists between 0.3 % and 20 %. Senders
with confirmed lists tell of 2 to 3 %, bought and old business lists lose 0.2 to 0.8 % a month; without
a history nothing tells these apart, so the interval is wide and a sample is the way to narrow it."""

_USUAL_DEAD = 0.01
_PULL_UP, _PULL_DOWN = 0.45, 0.2
"""How far the log odds of dead domains pull the log odds of the quality: many are a sign of age, but
none may only mean that the list is young in domains."""

_SEEN_SPREAD = 1.25
"""What remains unknown of the quality when the dead domains are seen."""

_DRAWS = 4000
_GRID = 400
_QUANTILES = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The hard bounces to expect if every distinct address is mailed once.

    Attributes:
        rate: Expected share, in [0, 1].
        low: Lower end of the 90 % interval.
        high: Upper end of the 90 % interval.
        undiluted_low: As *low*, but risky classes count only where they raise the rate: risky
            addresses must not make room for bad ones. Policies are judged by these.
        undiluted_high: As *high*, likewise.
        addresses: How many addresses would be mailed.
    """

    rate: float
    low: float
    high: float
    undiluted_low: float
    undiluted_high: float
    addresses: int

    def __str__(self) -> str:
        """Return the estimate with its interval, in per cent."""
        return f"{self.rate:.1%} ({self.low:.1%} to {self.high:.1%})"


NOTHING = Prediction(0.0, 0.0, 0.0, 0.0, 0.0, 0)


def predict(
    counts: Mapping[str, int], *, dead: int = 0, asked: int = 0, bounced: int = 0, delivered: int = 0
) -> Prediction:
    """Predict the hard-bounce rate of a list.

    Args:
        counts: Distinct addresses by class, ``ordinary`` and those of `CLASSES`; known bounces are not
            among them.
        dead: Addresses at dead domains, among those…
        asked: …at deliverable or dead domains of their own: not at providers of free mail, which stay.
        bounced: Addresses of this list that are known to have bounced.
        delivered: Addresses of this list that are known to have taken mail.

    Example:
        >>> fresh = predict({"ordinary": 10_000})
        >>> aged = predict({"ordinary": 10_000, "undeliverable": 600}, dead=600, asked=10_600)
        >>> fresh.high < aged.high and fresh.low < aged.low
        True
        >>> known = predict({"ordinary": 10_000}, bounced=20, delivered=4000)
        >>> known.high - known.low < fresh.high - fresh.low
        True
    """
    import numpy as np  # noqa: PLC0415 -- slow to import

    total = sum(counts.values())
    if not total:
        return NOTHING
    quality = _quality(dead, asked, bounced, delivered)
    draws = _class_draws()
    always = {"ordinary": quality, "undeliverable": draws["undeliverable"], "delivered": draws["delivered"]}
    bounces = sum((counts.get(name, 0) * rates for name, rates in always.items()), np.zeros(_DRAWS))
    mailed = np.full(_DRAWS, float(sum(counts.get(name, 0) for name in always)))
    risky = [(counts[name], draws[name]) for name in CLASSES if name not in always and counts.get(name, 0)]
    everything = (bounces + sum(n * rates for n, rates in risky)) / total
    worst = _undiluted(bounces, mailed, risky, total)
    low, high = _interval(everything, total)
    worst_low, worst_high = _interval(worst, total)
    return Prediction(float(everything.mean()), low, high, worst_low, worst_high, total)


def _quality(dead: int, seen: int, bounced: int, delivered: int) -> Draws:
    """Return draws of the bounce rate of ordinary addresses."""
    import numpy as np  # noqa: PLC0415 -- slow to import

    share = (dead + 200 * _USUAL_DEAD) / (seen + 200)  # a short list says little
    pull = math.log(share / (1 - share)) - math.log(_USUAL_DEAD / (1 - _USUAL_DEAD))
    pull *= _PULL_UP if pull > 0 else _PULL_DOWN
    grid = np.linspace(-9.0, 4.0, _GRID)
    spread = math.sqrt((_SPREAD**2 * 200 + _SEEN_SPREAD**2 * seen) / (200 + seen))
    log_weight = -0.5 * ((grid - _MEDIAN - pull) / spread) ** 2
    rates = 1 / (1 + np.exp(-grid))
    # A history is of another day, and not of a random part of the list: it counts as at most 400 trials.
    trials = bounced + delivered
    if trials:
        trust = min(1.0, 400 / trials)
        log_weight = log_weight + trust * (bounced * np.log(rates) + delivered * np.log1p(-rates))
    weight = np.exp(log_weight - log_weight.max())
    chance = np.cumsum(weight)
    return np.interp(_uniform(), (chance - weight / 2) / chance[-1], rates)


def _undiluted(bounces: Draws, mailed: Draws, risky: list[tuple[int, Draws]], total: int) -> Draws:
    """Return the highest rate that any choice among the risky classes gives, draw by draw.

    Taking a class in raises the rate exactly if its own is higher; so they are taken in the order of
    their rates while that holds. More rows of any bad class leave more choices, never fewer.
    """
    import numpy as np  # noqa: PLC0415 -- slow to import

    if not risky:
        return bounces / total
    rates = np.stack([r for _, r in risky])
    sizes = np.array([float(n) for n, _ in risky])
    order = np.argsort(-rates, axis=0)
    for place in range(len(risky)):
        chosen = order[place]
        rate = np.take_along_axis(rates, chosen[None, :], axis=0)[0]
        helps = rate * mailed > bounces
        bounces = bounces + np.where(helps, sizes[chosen] * rate, 0.0)
        mailed = mailed + np.where(helps, sizes[chosen], 0.0)
    return bounces / np.maximum(mailed, 1.0)


def _interval(rates: Draws, total: int) -> tuple[float, float]:
    """Return the ends of the interval, with the chance of a list of this length added."""
    import numpy as np  # noqa: PLC0415 -- slow to import

    spread = np.sqrt(np.clip(rates * (1 - rates), 0.0, None) / total)
    low, high = np.quantile(rates + _normal() * spread, _QUANTILES)
    return max(0.0, float(low) - 0.5 / total), min(1.0, float(high) + 0.5 / total)


@cache
def _uniform() -> Draws:
    import numpy as np  # noqa: PLC0415 -- slow to import

    # Evenly spaced, in an order that has nothing to do with the other draws.
    return np.random.default_rng(1).permutation((np.arange(_DRAWS) + 0.5) / _DRAWS)


@cache
def _normal() -> Draws:
    import numpy as np  # noqa: PLC0415 -- slow to import

    return np.random.default_rng(2).standard_normal(_DRAWS)


@cache
def _class_draws() -> dict[str, Draws]:
    import numpy as np  # noqa: PLC0415 -- slow to import

    return {
        name: np.random.default_rng(10 + number).beta(a, b, _DRAWS)
        for number, (name, (a, b)) in enumerate(CLASSES.items())
    }
