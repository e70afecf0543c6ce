"""What the recipients of a campaign come to, added up one by one: nothing here grows with their number."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from mailflows.tracking._person import LONG_AGO, facts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailflows.tracking._person import Bounce, Person

__all__ = ["OTHER_LINKS", "Tally", "count_of", "tallied", "untagged"]

# bound: links with a row each: a newsletter has some dozens, but each recipient may have links of their own
_MOST_LINKS = 10_000
OTHER_LINKS = "(other links)"
"""What stands for the links beyond the first ten thousand, which are counted together."""

_ACTED = facts("read", "clicked", "complained", "unsubscribed")
_ARRIVED = _ACTED | facts("opened", "fetched")
_SENT, _REJECTED, _DELIVERED, _READ = map(facts, ("sent", "rejected", "delivered", "read"))
_HARD, _SOFT, _SEEN, _VISIBLE = map(facts, ("hard-bounced", "soft-bounced", "seen", "visible"))
_CLICKED, _HIDDEN = facts("clicked"), facts("hidden")


@dataclass(slots=True)
class Tally:
    """The recipients of a campaign, added up.

    Attributes:
        kinds: Recipients by what happened to them, as `facts` has it.
        domains: The same by the domain of their address.
        domain_clicks: Clicks of people, by domain.
        totals: What they did more than once, by metric.
        readers: Recipients who clicked, by link.
        clicks: Clicks of people, by link.
        shown: Recipients who clicked, by link without the parameters that campaigns add.
        firsts: Recipients by what they did first, and the second in which they did (Unix time).
        bounces: Recipients who bounced, by reason.
    """

    kinds: Counter[int] = field(default_factory=Counter)
    domains: dict[str, Counter[int]] = field(default_factory=dict)
    domain_clicks: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    readers: Counter[str] = field(default_factory=Counter)
    clicks: Counter[str] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)
    firsts: dict[str, Counter[int]] = field(default_factory=dict)
    bounces: Counter[str] = field(default_factory=Counter)

    def add(self, person: Person) -> None:
        """Count a recipient of whom all is known."""
        self.kinds[person.facts] += 1
        if domain := person.domain:
            if domain not in self.domains:
                self.domains[domain] = Counter()
            self.domains[domain][person.facts] += 1
        for what, moment in person.first:
            if what not in self.firsts:
                self.firsts[what] = Counter()
            self.firsts[what][int(moment // 1)] += 1
        if person.bounce is not None:
            self.bounces[person.bounce[2]] += 1
        if person.fetches:
            self.totals["opened"] += person.fetches
            if person.facts & _VISIBLE:
                self.totals["opened by people"] += person.reads
        if person.clicks:
            self._add_clicks(person)

    def _add_clicks(self, person: Person) -> None:
        count = person.all_clicks
        self.totals["clicked"] += count
        if person.facts & _READ:
            self.totals["clicked of opened"] += count
        if person.domain:
            self.domain_clicks[person.domain] += count
        rows = {self._row(url) for url, _ in person.clicks}
        for row in rows:
            self.readers[row] += 1
        for url, often in person.clicks:
            self.clicks[self._row(url)] += often
        for link in {untagged(row) for row in rows}:
            self.shown[link] += 1

    def _row(self, url: str) -> str:
        """Return the link that a link is counted as."""
        return url if url in self.readers or len(self.readers) < _MOST_LINKS else OTHER_LINKS


def tallied(people: Iterable[Person], *, tells_deliveries: bool) -> Tally:
    """Return what recipients come to.

    Args:
        people: Each of them once.
        tells_deliveries: Whether any event tells of a delivery: otherwise, what was sent and did not bounce
            is taken for delivered.
    """
    found = Tally()
    for person in people:
        _complete(person, tells_deliveries=tells_deliveries)
        found.add(person)
    return found


def count_of(kinds: Counter[int], *names: str) -> int:
    """Return the number of recipients to whom all of these facts apply."""
    wanted = facts(*names)
    return sum(count for kind, count in kinds.items() if kind & wanted == wanted)


def _complete(person: Person, *, tells_deliveries: bool) -> None:
    """Add what follows from what is known: who complained has received it, who received it was sent it."""
    known = person.facts
    if person.bounce is not None and not _is_last_word(person, person.bounce):
        person.bounce = None
        person.first = tuple(one for one in person.first if one[0] != "bounced")
    if person.bounce is not None:
        known = known & ~_DELIVERED | (_HARD if person.bounce[0] else _SOFT)
    elif known & _ARRIVED or (not tells_deliveries and known & (_SENT | _REJECTED) == _SENT):
        known |= _DELIVERED
    if known != _REJECTED:  # refused before it left
        known |= _SENT
    if known & (_READ | _CLICKED):
        known |= _SEEN
    if known & _DELIVERED and (not known & _HIDDEN or known & _READ):
        known |= _VISIBLE
    person.facts = known


def _is_last_word(person: Person, bounce: Bounce) -> bool:
    """Return whether a bounce counts: not where the message was delivered later, or a person used it."""
    is_hard, moment, _ = bounce
    if person.facts & _ACTED:
        return False
    if not person.facts & _DELIVERED:
        return True
    if min(person.delivered_at, moment) > LONG_AGO:
        return moment >= person.delivered_at
    return is_hard  # a deferral comes before the delivery, an asynchronous bounce behind it


@lru_cache(_MOST_LINKS)
def untagged(url: str) -> str:
    """Return an address without the parameters that campaigns put behind it.

    >>> untagged("https://shop.example/?a=1&utm_source=news#top")
    'https://shop.example/?a=1#top'
    """
    address, mark, query = url.partition("?")
    query, hash_mark, anchor = query.partition("#")
    kept = "&".join(pair for pair in query.split("&") if not pair.lower().startswith("utm_"))
    return f"{address}{mark if kept else ''}{kept}{hash_mark}{anchor}"
