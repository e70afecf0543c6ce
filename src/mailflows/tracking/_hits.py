"""Who fetched a link or a picture: a person, a proxy that guards one, or a program that looks for viruses.

Nothing here is certain, so nothing is dropped: every hit is kept, with its kind and the reasons for it.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from mailflows import _data
from mailflows._result import Result
from mailflows._token import Purpose
from mailflows.feedback import Event, EventType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from ipaddress import IPv4Network, IPv6Network

    from mailflows.flow import Flow
    from mailflows.tracking._addresses import Tracked

__all__ = ["Hit", "HitKind", "HitReason", "HitVerdict", "judge_hit", "judge_hits"]

SOON = 2.0
"""Seconds after delivery within which nobody has opened a message, read it and clicked."""

BURST = 10.0
"""Seconds within which a reader follows one or two links, and a scanner all of them."""

MANY = 5
"""Different links within `BURST` that no reader follows, however many the message has."""

FEW = 3
"""Different links that must be followed before «all of them» says anything."""


class HitKind(StrEnum):
    """Who fetched it, the most probable reader first."""

    HUMAN = "human"
    """Nothing speaks against a person."""

    PRIVACY_PROXY = "privacy-proxy"
    """The reader's mail provider fetched it, perhaps before or without anybody reading."""

    SCANNER = "scanner"
    """A program that follows links to judge them."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One request for a pixel or a tracked link.

    Attributes:
        tracked: What its token says.
        time: When it came, in UTC.
        method: The HTTP method.
        user_agent: As the client named itself; may be empty.
        address: The client's IP address; empty where it is not kept.
    """

    tracked: Tracked
    time: datetime
    method: str = "GET"
    user_agent: str = ""
    address: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class HitReason:
    """One thing that speaks for a proxy or a scanner.

    Attributes:
        code: Stable name, such as ``head-request``.
        sentence: What it means, for a reader.
        evidence: What was seen.
        kind: What it speaks for.
    """

    code: str
    sentence: str
    evidence: str
    kind: HitKind


@dataclass(frozen=True, slots=True)
class HitVerdict(Result):
    """Who fetched it, and why we think so.

    Attributes:
        hit: The request.
        kind: Who fetched it.
        reasons: What speaks for it; empty for a person.
    """

    hit: Hit
    kind: HitKind
    reasons: tuple[HitReason, ...]

    def __str__(self) -> str:
        """Return one line: the kind, and why."""
        why = "; ".join(reason.sentence for reason in self.reasons)
        return f"{self.hit.tracked.purpose} by a {self.kind}" + (f" ({why})" if why else "")

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data, ready for JSON, without the client's IP address."""
        return {
            "kind": str(self.kind),
            "reasons": [
                {"code": r.code, "sentence": r.sentence, "evidence": r.evidence} for r in self.reasons
            ],
            "method": self.hit.method,
        }

    def to_event(self, *, flow: Flow | None = None) -> Event:
        """Return the hit as an event; its ``raw`` holds the kind and the reasons, for `CampaignStats`."""
        tracked = self.hit.tracked
        is_open = tracked.purpose is Purpose.OPEN
        return Event(
            type=EventType.OPENED if is_open else EventType.CLICKED,
            time=self.hit.time,
            flow=flow,
            campaign=tracked.campaign,
            recipient_id=tracked.recipient,
            url=tracked.url,
            user_agent=self.hit.user_agent,
            verified=True,
            provider="tracking",
            raw={"hit": self.to_dict()},
        )


@dataclass(frozen=True, slots=True)
class _Program:
    """What an entry of the table says."""

    name: str
    kind: HitKind
    agents: tuple[str, ...]
    exact: tuple[str, ...]
    networks: tuple[IPv4Network | IPv6Network, ...]

    def goes_by(self, agent: str) -> bool:
        """Say whether it calls itself so; the user agent is in lower case."""
        return agent in self.exact or any(part in agent for part in self.agents)


@cache
def _programs() -> tuple[_Program, ...]:
    """Return the table of programs that fetch links."""
    rows = tomllib.loads(_data.read("tracking/agents.toml"))["program"]
    return tuple(
        _Program(
            name=row["name"],
            kind=HitKind(row["kind"]),
            agents=tuple(agent.lower() for agent in row.get("agents", ())),
            exact=tuple(agent.lower() for agent in row.get("exact", ())),
            networks=tuple(map(ip_network, row.get("networks", ()))),
        )
        for row in rows
    )


def judge_hit(
    hit: Hit,
    *,
    delivered: datetime | None = None,
    others: Sequence[Hit] = (),
    links: int | None = None,
) -> HitVerdict:
    """Say who fetched a pixel or a link.

    Args:
        hit: The request.
        delivered: When the message was taken by the recipient's server, in UTC, if you know it.
        others: The same recipient's other requests for this message.
        links: How many tracked links the message has, if you know it.

    Example:
        >>> from datetime import UTC, datetime
        >>> from mailflows.tracking import Tracker
        >>> tracker = Tracker([bytes(32)], "https://t.shop.example/")
        >>> url = tracker.honeypot_url(campaign="spring", recipient="42")
        >>> hit = Hit(tracker.decode(url, "click"), datetime.now(UTC), user_agent="Mozilla/5.0 (X11)")
        >>> print(judge_hit(hit))
        click by a scanner (it followed a link that no reader sees)
    """
    looks = (
        _method(hit),
        *_agent(hit),
        _network(hit),
        _too_soon(hit, delivered),
        *_burst(hit, others, links),
    )
    reasons = tuple(reason for reason in looks if reason)
    kind = _least_human(reason.kind for reason in reasons)
    return HitVerdict(hit, kind, tuple(reason for reason in reasons if reason.kind is kind))


def judge_hits(
    hits: Iterable[Hit],
    *,
    delivered: Mapping[tuple[str, str], datetime] | None = None,
    links: int | None = None,
) -> Iterator[HitVerdict]:
    """Judge many hits, each beside the others of its campaign and recipient, in the order of time.

    Args:
        hits: Requests, in any order; all are read first.
        delivered: When each message was delivered, by campaign and recipient.
        links: How many tracked links the message has, if you know it.

    Example:
        >>> from datetime import UTC, datetime
        >>> from mailflows.tracking import Tracker
        >>> tracker = Tracker([bytes(32)], "https://t.shop.example/")
        >>> trap = tracker.honeypot_url(campaign="spring", recipient="42")
        >>> hits = [Hit(tracker.decode(trap, "click"), datetime.now(UTC), user_agent="curl/8.5.0")]
        >>> [str(verdict.kind) for verdict in judge_hits(hits)]
        ['scanner']
    """
    groups: dict[tuple[str, str], list[Hit]] = {}
    for hit in sorted(hits, key=_time):
        groups.setdefault((hit.tracked.campaign, hit.tracked.recipient), []).append(hit)
    for key, group in groups.items():
        moment = (delivered or {}).get(key)
        for hit in group:
            yield judge_hit(hit, delivered=moment, others=_near(group, hit), links=links)


def _time(hit: Hit) -> datetime:
    return hit.time


def _near(group: list[Hit], hit: Hit) -> list[Hit]:
    """Return the hits of a group, in order of time, that are near enough to matter, itself included."""
    span = timedelta(seconds=BURST)
    first = bisect_left(group, hit.time - span, key=_time)
    last = bisect_right(group, hit.time + span, key=_time)
    # However many requests somebody sends: a few hundred are enough to see it.
    return group[first : min(last, first + _ENOUGH)]


_ENOUGH = 200


def _method(hit: Hit) -> HitReason | None:
    if hit.method.upper() == "GET":
        return None
    sentence = "it asked without fetching, which browsers do not do"
    return HitReason("head-request", sentence, hit.method, HitKind.SCANNER)


def _agent(hit: Hit) -> Iterator[HitReason]:
    """Yield what the user agent says."""
    agent = hit.user_agent.strip().lower()
    if not agent:
        yield HitReason("no-user-agent", "the client did not name itself", "", HitKind.SCANNER)
    for program in _programs():
        if program.goes_by(agent):
            sentence = f"the client is known: {program.name}"
            yield HitReason(f"agent-{program.kind}", sentence, hit.user_agent[:200], program.kind)


def kind_of_agent(user_agent: str) -> HitKind:
    """Return who fetches with this user agent, where nothing else is known."""
    agent = user_agent.strip().lower()
    return _least_human(program.kind for program in _programs() if program.goes_by(agent))


def _least_human(kinds: Iterable[HitKind]) -> HitKind:
    return max(kinds, key=list(HitKind).index, default=HitKind.HUMAN)


def _network(hit: Hit) -> HitReason | None:
    """Return what the network says; the address itself is not repeated."""
    try:
        address = ip_address(hit.address)
    except ValueError:
        return None
    for program in _programs():
        for network in program.networks:
            if address in network:
                sentence = f"the client's network is known: {program.name}"
                return HitReason(f"network-{program.kind}", sentence, str(network), program.kind)
    return None


def _too_soon(hit: Hit, delivered: datetime | None) -> HitReason | None:
    """Return what the time since delivery says: a proxy may load pictures at once, nobody clicks at once."""
    if delivered is None:
        return None
    seconds = (hit.time - delivered).total_seconds()
    if seconds >= SOON:
        return None
    kind = HitKind.SCANNER if hit.tracked.purpose is Purpose.CLICK else HitKind.PRIVACY_PROXY
    return HitReason("too-soon", f"it came {seconds:.1f} seconds after delivery", f"{seconds:.1f}", kind)


def _burst(hit: Hit, others: Sequence[Hit], links: int | None) -> Iterator[HitReason]:
    """Yield what the company of a click says."""
    if hit.tracked.purpose is not Purpose.CLICK:
        return
    near = [other for other in others if abs((other.time - hit.time).total_seconds()) <= BURST]
    clicks = [other.tracked for other in (hit, *near) if other.tracked.purpose is Purpose.CLICK]
    if hit.tracked.is_honeypot:
        yield HitReason("honeypot", "it followed a link that no reader sees", "", HitKind.SCANNER)
    elif any(click.is_honeypot for click in clicks):
        sentence = f"within {BURST:.0f} seconds a link was followed that no reader sees"
        yield HitReason("honeypot-nearby", sentence, "", HitKind.SCANNER)
    different = len({click.url for click in clicks if click.url})
    if different >= max(FEW, min(links or MANY, MANY)):
        sentence = f"{different} different links were followed within {BURST:.0f} seconds"
        yield HitReason("all-links", sentence, str(different), HitKind.SCANNER)
