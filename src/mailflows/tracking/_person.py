"""What is known of one recipient of a campaign, small, because there may be millions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

__all__ = ["LONG_AGO", "Bounce", "Person", "facts"]

_FACTS = (
    "sent",
    "delivered",
    "rejected",
    "opened",  # somebody or something fetched the pixel
    "read",  # the same, with no sign of anything but a person
    "hidden",  # a proxy fetches every pixel: a person's openings are never seen
    "fetched",  # somebody or something followed a link
    "clicked",  # a person did
    "unsubscribed",
    "complained",
    # What follows from these, once all are known:
    "hard-bounced",
    "soft-bounced",
    "seen",  # known to have opened it, by a pixel or by a click
    "visible",  # whose openings can be seen
)
_BITS = {name: 1 << place for place, name in enumerate(_FACTS)}


def facts(*names: str) -> int:
    """Return a set of facts as a number, one bit for each: there may be millions of recipients.

    >>> facts("sent", "delivered")
    3
    """
    return sum(_BITS[name] for name in names)


LONG_AGO = float("-inf")
"""The time of events without one."""

Bounce = tuple[bool, float, str]
"""Whether it is for good, when it came (minus infinity where nobody said), and why."""

Times = tuple[tuple[str, float], ...]
"""What happened, each with when it first did, in Unix seconds."""

Clicks = tuple[tuple[str, int], ...]
"""Links, each with how often it was followed."""


@dataclass(slots=True)
class Person:
    """One recipient: what happened at least once, when it first did, and how often.

    Attributes:
        facts: What happened, as `facts` has it.
        domain: Of the address, in lower case; empty where no event told it.
        first: When it was first opened and clicked by a person, left, complained about, or bounced, in
            Unix seconds.
        fetches: How often the pixel was fetched, by whom or what ever.
        reads: How often a person opened it.
        clicks: The links that a person clicked, each with how often.
        delivered_at: When it was last delivered, in Unix seconds.
        bounce: The bounce that counts.
    """

    facts: int = 0
    domain: str = ""
    first: Times = ()
    fetches: int = 0
    reads: int = 0
    clicks: Clicks = ()
    delivered_at: float = LONG_AGO
    bounce: Bounce | None = None

    def join(self, other: Person) -> None:
        """Take over what is known of the same recipient under another name, or from another time."""
        self.facts |= other.facts
        self.domain = self.domain or other.domain
        for name, moment in other.first:
            self.note_time(name, moment)
        self.fetches += other.fetches
        self.reads += other.reads
        for url, count in other.clicks:
            self.add_click(url, count)
        self.delivered_at = max(self.delivered_at, other.delivered_at)
        if other.bounce is not None:
            self.note_bounce(other.bounce)

    def add_click(self, url: str, count: int = 1) -> None:
        """Count clicks of a person; people with the same clicks share them."""
        self.clicks = _counted(self.clicks, url, count)

    def note_bounce(self, bounce: Bounce) -> None:
        """Remember the bounce that counts: one for good, else the last."""
        self.bounce = bounce if self.bounce is None else max(self.bounce, bounce)

    def note_time(self, name: str, moment: float) -> None:
        """Remember when something happened first."""
        if not self.first:  # as for most
            self.first = ((name, moment),)
            return
        known = dict(self.first)
        if name not in known or moment < known[name]:
            known[name] = moment
            self.first = tuple(known.items())

    @property
    def all_clicks(self) -> int:
        """How often a person clicked, in all."""
        return sum(count for _, count in self.clicks)


@lru_cache(10_000)  # bound: most people click one link or two, once, and a message has some dozens
def _counted(clicks: Clicks, url: str, count: int) -> Clicks:
    known = dict(clicks)
    known[url] = known.get(url, 0) + count
    return tuple(known.items())
