"""Campaigns side by side: what the numbers can tell apart, what they cannot, and how many it would take."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

from mailflows._result import Result, printable, to_frame, to_text
from mailflows.errors import ConfigurationError
from mailflows.tracking import _page
from mailflows.tracking._proportions import fisher, newcombe, quantile
from mailflows.tracking._tables import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows._result import Cell, Table
    from mailflows.tracking._stats import CampaignStats
    from mailflows.tracking._tables import Rate

__all__ = ["Comparison", "Difference", "compare", "recipients_needed"]

# W. G. Cochran, "Some methods for strengthening the common chi-squared tests", Biometrics 10, 1954: below
# five expected in a cell, approximations fail.
_SMALL = 5


@dataclass(frozen=True, slots=True)
class Difference(Result):
    """One rate of two campaigns.

    Attributes:
        campaigns: The names of the two campaigns.
        first: The rate of the first.
        second: The rate of the second.
        low: The lower end of Newcombe's interval of the second less the first, in [-1, 1].
        high: The upper end.
        chance: The probability that two equal campaigns would differ at least as much, by Fisher's exact test
            if the numbers are small; else `None`, and the interval decides.
        level: How small *chance* must be for a clear difference.
    """

    campaigns: tuple[str, str]
    first: Rate
    second: Rate
    low: float
    high: float
    chance: float | None
    level: float

    @property
    def name(self) -> str:
        """What is compared, a key of `METRICS`."""
        return self.first.name

    @property
    def gap(self) -> float | None:
        """The second share minus the first, in [-1, 1]; `None` if there is nobody to count."""
        if not self.first.of or not self.second.of:
            return None
        return self.second.count / self.second.of - self.first.count / self.first.of

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes "no difference" and, for small numbers, the exact test agrees."""
        return (self.low > 0 or self.high < 0) and (self.chance is None or self.chance <= self.level)

    def __str__(self) -> str:
        """Return one line."""
        word = "a clear difference" if self.is_clear else "no clear difference"
        return f"{self.name}: {word} ({_points(self.low)} to {_points(self.high)} points)"

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as plain data."""
        return {
            "code": self.first.code,
            "label": self.first.label,
            "name": self.name,
            "campaigns": list(self.campaigns),
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
            "interval": [self.low, self.high],
            "chance": self.chance,
            "is_clear": self.is_clear,
        }


@dataclass(frozen=True, slots=True)
class Comparison(Result):
    """Campaigns side by side; iterate over it for the differences.

    Attributes:
        campaigns: Their names.
        differences: One difference for each pair of campaigns and each of `METRICS`, pair by pair.
        confidence: The confidence level for all intervals of one rate together: with three or more campaigns
            each interval is wider, so that if there are no true differences, at most one comparison in twenty
            shows a clear one (at 0.95). Over all nine rates together, more do: choose the rate to compare
            before you look.
    """

    campaigns: tuple[str, ...]
    differences: tuple[Difference, ...]
    confidence: float

    def __iter__(self) -> Iterator[Difference]:
        return iter(self.differences)

    def sentence(self, name: str = "clicked") -> str:
        """Return the comparison of one rate in plain words, a sentence for each pair of campaigns.

        Raises:
            ConfigurationError: If there is no such name.
        """
        found = [self._sentence(difference) for difference in self.differences if difference.name == name]
        if not found:
            msg = f"there is no rate {name!r}; the rates are {', '.join(METRICS)}"
            raise ConfigurationError(msg, field="name")
        return " ".join(found)

    def _sentence(self, found: Difference) -> str:
        name = f'"{found.name}"'
        span = f"{_points(found.low)} to {_points(found.high)} points, {self.confidence:.0%} interval"
        first, second = self._names(found)
        if found.gap is None:
            return f"No statement about {name} is possible: one of the campaigns has no recipients to count."
        if not found.is_clear:
            return f"There is no clear difference in {name} between {first} and {second} ({span})."
        word = "higher" if found.gap > 0 else "lower"
        return f"{name} is {abs(found.gap) * 100:.1f} points {word} in {second} than in {first} ({span})."

    def _names(self, found: Difference) -> tuple[str, str]:
        first, second = found.campaigns
        return printable(first) or "the first campaign", printable(second) or "the second campaign"

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data, ready for JSON."""
        return {
            "campaigns": list(self.campaigns),
            "confidence": self.confidence,
            "differences": [difference.to_dict() for difference in self.differences],
        }

    def to_pandas(self) -> Any:  # noqa: ANN401 -- pandas is optional
        """Return a data frame of the differences, one row each; shares and differences are in [-1, 1].

        Raises:
            MissingExtra: If pandas is not installed.
        """
        columns = ["code", "label", "first", "second", "first_share", "second_share"]
        columns += ["difference", "low", "high", "chance", "is_clear"]
        rows = [
            (
                *(one.first.code, one.first.label),
                *one.campaigns,
                *(one.first.share, one.second.share),
                *(one.gap, one.low, one.high, one.chance, one.is_clear),
            )
            for one in self.differences
        ]
        return to_frame(rows, columns).set_index("code")

    def plot(self, ax: Any = None, *, dark: bool = False) -> Any:  # noqa: ANN401 -- matplotlib is optional
        """Plot each difference with its interval; clear differences are coloured.

        Args:
            ax: The axes to draw on; new ones by default.
            dark: Whether to draw for a dark page.

        Raises:
            MissingExtra: If matplotlib is not installed.
        """
        is_pair = len(self.campaigns) == 2
        rows = [
            (
                one.name if is_pair else f"{one.name}: {' → '.join(self._names(one))}",
                *(one.low, gap, one.high),
                one.is_clear,
            )
            for one in self.differences
            if (gap := one.gap) is not None
        ]
        title = " → ".join(self._names(self.differences[0])) if is_pair else ""
        return _page.drawn_differences(rows, title, ax, dark=dark)

    def __str__(self) -> str:
        """Return the differences as a table."""
        _, header, rows = self._table()
        return to_text(header, rows)

    def _table(self) -> Table:
        header = [
            "rate",
            "first",
            "second",
            "in the first",
            "in the second",
            "difference in points",
            "from",
            "to",
            "clear",
        ]
        return self.sentence(), header, [self._row(difference) for difference in self.differences]

    def _row(self, difference: Difference) -> list[Cell]:
        shares = [
            "-" if rate.share is None else f"{rate.share * 100:.2f} %"
            for rate in (difference.first, difference.second)
        ]
        gap = "-" if difference.gap is None else _points(difference.gap)
        ends = [gap, _points(difference.low), _points(difference.high)]
        return [
            difference.name,
            *self._names(difference),
            *shares,
            *ends,
            "yes" if difference.is_clear else "no",
        ]


def compare(
    first: CampaignStats, second: CampaignStats, *more: CampaignStats, confidence: float = 0.95
) -> Comparison:
    """Compare campaigns rate by rate, with Newcombe's interval for each difference.

    With three or more campaigns, intervals are corrected for the number of pairs (Bonferroni); where fewer
    than five hits are expected, Fisher's exact test must agree.

    >>> from mailflows.feedback import Event, EventType
    >>> from mailflows.tracking import CampaignStats
    >>> def campaign(name, clicks):
    ...     sent = [Event(EventType.DELIVERED, recipient_id=str(n)) for n in range(1000)]
    ...     clicked = [Event(EventType.CLICKED, recipient_id=str(n)) for n in range(clicks)]
    ...     return CampaignStats.from_events(sent + clicked)
    >>> print(compare(campaign("a", 40), campaign("b", 60)).sentence("clicked"))
    "clicked" is 2.0 points higher in the second campaign than in the first campaign (+0.1 to +4.0 points,
    95% interval).

    Raises:
        ConfigurationError: If *confidence* is not a share.
    """
    campaigns = (first, second, *more)
    quantile(confidence)
    pairs = list(combinations(campaigns, 2))
    level = (1 - confidence) / len(pairs)
    differences = tuple(
        _difference(a, b, rate, other, level)
        for a, b in pairs
        for rate, other in zip(a.rates, b.rates, strict=True)
    )
    return Comparison(tuple(one.campaign for one in campaigns), differences, confidence)


def _difference(a: CampaignStats, b: CampaignStats, first: Rate, second: Rate, level: float) -> Difference:
    low, high = newcombe(second.count, second.of, first.count, first.of, confidence=1 - level)
    did, of = first.count + second.count, first.of + second.of
    least = min(first.of, second.of) * min(did, of - did) / of if of else 0
    chance = fisher(first.count, first.of, second.count, second.of) if least < _SMALL else None
    return Difference((a.campaign, b.campaign), first, second, low, high, chance, level)


def recipients_needed(
    share: float, *, difference: float, variants: int = 2, confidence: float = 0.95, power: float = 0.8
) -> int:
    """Return how many recipients each variant needs for a difference to be detected.

    >>> recipients_needed(0.04, difference=0.02)  # clicks of 4 or 6 %
    1863

    Args:
        share: The rate expected of one variant, in [0, 1].
        difference: The smallest difference that matters, such as 0.02 for two points.
        variants: Number of variants; all pairs are compared.
        confidence: As for `compare`.
        power: The probability of detecting the difference if there is one.

    Raises:
        ConfigurationError: If a share is outside [0, 1], or there is nothing to compare.
    """
    other = share + difference
    for name, value in (("share", share), ("difference", other), ("power", power)):
        if not 0 <= value <= 1:
            msg = (
                f"{name} leads to a rate outside 0 to 1; got share={share}, "
                f"difference={difference}, power={power}"
            )
            raise ConfigurationError(msg, field=name)
    if difference == 0 or variants < 2 or power in {0, 1}:
        msg = "a plan needs two variants, a difference that is not zero, and a power below one"
        raise ConfigurationError(msg, field="difference" if difference == 0 else "variants")
    # J. L. Fleiss, Statistical Methods for Rates and Proportions, 2nd edition, 1981, section 3.2
    pairs = variants * (variants - 1) // 2
    middle = (share + other) / 2
    wrong = quantile(1 - (1 - confidence) / pairs) * sqrt(2 * middle * (1 - middle))
    missed = quantile(2 * power - 1) if power > 0.5 else -quantile(1 - 2 * power)  # one-sided
    found = missed * sqrt(share * (1 - share) + other * (1 - other))
    return max(1, ceil(((wrong + found) / difference) ** 2))


def _points(share: float) -> str:
    return f"{share * 100:+.1f}"
