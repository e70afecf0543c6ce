"""Two campaigns side by side: what the numbers can tell apart, and what they cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mailflows._result import Result, printable, to_html, to_text
from mailflows.errors import ConfigurationError
from mailflows.tracking._intervals import newcombe
from mailflows.tracking._stats import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows._result import Cell
    from mailflows.tracking._stats import CampaignStats, Rate

__all__ = ["Comparison", "Difference", "compare"]


@dataclass(frozen=True, slots=True)
class Difference(Result):
    """One rate of two campaigns.

    Attributes:
        first: Of the first campaign.
        second: Of the second campaign.
        low: The lower end of Newcombe's interval of the second less the first, in [-1, 1].
        high: The upper end.
    """

    first: Rate
    second: Rate
    low: float
    high: float

    @property
    def name(self) -> str:
        """What is compared, a key of `METRICS`."""
        return self.first.name

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out «no difference»."""
        return self.low > 0 or self.high < 0

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as plain data."""
        return {
            "name": self.name,
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
            "interval": [self.low, self.high],
            "is_clear": self.is_clear,
        }


@dataclass(frozen=True, slots=True)
class Comparison(Result):
    """Two campaigns side by side; iterate over it for the differences.

    Attributes:
        first: Name of the first campaign.
        second: Name of the second campaign.
        differences: One for each of `METRICS`, in order.
        confidence: The share of such intervals that hold the truth, each taken alone: of nine true ties, one
            in twenty looks clear by chance, so choose what you compare before you look.
    """

    first: str
    second: str
    differences: tuple[Difference, ...]
    confidence: float

    def __iter__(self) -> Iterator[Difference]:
        return iter(self.differences)

    def sentence(self, name: str = "clicked") -> str:
        """Return in plain words what one rate says.

        Raises:
            ConfigurationError: If there is none of this name.
        """
        found = next((d for d in self.differences if d.name == name), None)
        if found is None:
            msg = f"there is no rate {name!r}; the rates are {', '.join(METRICS)}"
            raise ConfigurationError(msg, field="name")
        span = f"{_points(found.low)} to {_points(found.high)} points, {self.confidence:.0%} interval"
        first, second = self._names()
        if not found.first.of or not found.second.of:
            return f"Nothing can be said of «{name}»: one of the campaigns has nobody to count."
        if not found.is_clear:
            return f"No difference in «{name}» can be told between {first} and {second} ({span})."
        gap = found.second.count / found.second.of - found.first.count / found.first.of
        word = "higher" if gap > 0 else "lower"
        return f"«{name}» is {abs(gap) * 100:.1f} points {word} in {second} than in {first} ({span})."

    def _names(self) -> tuple[str, str]:
        return self.first or "the first campaign", self.second or "the second campaign"

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data, ready for JSON."""
        return {
            "first": self.first,
            "second": self.second,
            "confidence": self.confidence,
            "differences": [difference.to_dict() for difference in self.differences],
        }

    def __str__(self) -> str:
        """Return the differences as a table."""
        return to_text(self._header(), [_row(difference) for difference in self.differences])

    def _repr_html_(self) -> str:
        """Return the differences as a small table, for a notebook."""
        title = f"{self.sentence()}"
        return to_html(title, self._header(), [_row(difference) for difference in self.differences])

    def _header(self) -> list[str]:
        return ["rate", *map(printable, self._names()), "difference from", "to", "clear"]


def compare(first: CampaignStats, second: CampaignStats, *, confidence: float = 0.95) -> Comparison:
    """Compare two campaigns rate by rate, with Newcombe's interval of each difference.

    >>> from mailflows.feedback import Event, EventType
    >>> from mailflows.tracking import CampaignStats
    >>> def campaign(name, clicks):
    ...     sent = [Event(EventType.DELIVERED, recipient_id=str(n)) for n in range(1000)]
    ...     clicked = [Event(EventType.CLICKED, recipient_id=str(n)) for n in range(clicks)]
    ...     return CampaignStats.from_events(sent + clicked)
    >>> print(compare(campaign("a", 40), campaign("b", 60)).sentence("clicked"))
    «clicked» is 2.0 points higher in the second campaign than in the first campaign (+0.1 to +4.0 points,
    95% interval).

    Raises:
        ConfigurationError: If *confidence* is no share.
    """
    differences = []
    for a, b in zip(first.rates, second.rates, strict=True):
        interval = newcombe(b.count, b.of, a.count, a.of, confidence=confidence)
        differences.append(Difference(a, b, *interval))
    return Comparison(first.campaign, second.campaign, tuple(differences), confidence)


def _row(difference: Difference) -> list[Cell]:
    shares = [
        "-" if rate.share is None else f"{rate.share * 100:.2f} %"
        for rate in (difference.first, difference.second)
    ]
    ends = [_points(difference.low), _points(difference.high)]
    return [difference.name, *shares, *ends, "yes" if difference.is_clear else "no"]


def _points(share: float) -> str:
    return f"{share * 100:+.1f}"
