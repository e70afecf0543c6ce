"""Who fetched a link or a picture: a person, a privacy proxy, or a security scanner.

Hits are judged by session: what one client, a network and a user agent, does with one recipient's message.
Nothing here is certain, so nothing is dropped: every hit is kept, with its kind and the reasons for it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mailflows._result import Reason, Result
from mailflows._token import Purpose
from mailflows.errors import ConfigurationError
from mailflows.feedback import Event, EventType
from mailflows.tracking._clients import HitKind, by_agent, by_network, network_of, site_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from mailflows.flow import Flow
    from mailflows.tracking._addresses import Tracked
    from mailflows.tracking._clients import Program

__all__ = ["Hit", "HitVerdict", "judge_hit", "judge_hits"]

# The spans below are choices, tried on simulated logs of readers and scanners (benchmarks/tracking_hits.py).
SOON = 2.0  # choice: seconds after delivery within which nobody has opened a message, read it and clicked
AT_ONCE = 1.0  # choice: seconds within which no reader follows two links
BURST = 10.0  # choice: seconds within which nobody opens `MANY` links of a long message
SWEEP = 120.0  # choice: seconds that a scanner takes for all links of a message
EARLY = 600.0  # choice: seconds after delivery in which scanners come; later, all links may be a reader's
FEW = 3  # choice: links that must be followed before "all of them" says anything
MANY = 5  # choice: links that count as all of them where nobody says how many there are
HAMMER = 10  # choice: fetches of one link within a sweep that are not a reader's impatience
NETWORKS = 3  # choice: networks from which no reader follows links of one message within a sweep
PROOFS = 2  # choice: recipients with whom a client must prove to be a scanner to be one for all
PROMPT = 60.0  # choice: seconds after delivery in which few people have followed a link
HINTS = 5  # choice: recipients whose links were followed as promptly and unread, with one proof among them
HASTY = 2  # choice: times within a second of each other that no reader opens another link in a tab


@dataclass(frozen=True, slots=True)
class Hit:
    """One request for a pixel or a tracked link.

    Attributes:
        tracked: The decoded token.
        time: When it was received, in UTC.
        method: The HTTP method.
        user_agent: As the client named itself; may be empty.
        address: The client's IP address; empty if it is not kept.

    Raises:
        ConfigurationError: If *time* has no time zone.

    Example:
        >>> from datetime import UTC, datetime
        >>> from mailflows.tracking import Tracker
        >>> tracker = Tracker([bytes(32)], "https://t.shop.example/")
        >>> tracked = tracker.decode(tracker.honeypot_url(campaign="spring", recipient="42"), "click")
        >>> Hit(tracked, datetime(2026, 2, 14, 9, tzinfo=UTC), user_agent="curl/8.5.0").tracked.recipient
        '42'
    """

    tracked: Tracked
    time: datetime
    method: str = "GET"
    user_agent: str = ""
    address: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            msg = f"time needs a time zone, such as datetime.now(UTC); got {self.time.isoformat()}"
            raise ConfigurationError(msg, field="time")

    @property
    def is_click(self) -> bool:
        """Whether a link was followed, rather than a pixel loaded."""
        return self.tracked.purpose is Purpose.CLICK

    @property
    def client(self) -> tuple[str, str]:
        """The client: the network of its IP address, and its user agent."""
        return network_of(self.address), self.user_agent


@dataclass(frozen=True, slots=True)
class HitVerdict(Result):
    """Who made a hit, and the evidence.

    Attributes:
        hit: The request.
        kind: Who made the hit.
        reasons: The evidence; empty for a person using a browser.
        is_proxy: Whether the reader's mail provider fetched it, so that location and device are not the
            reader's.
        hides_opens: Whether the recipient's own opens can never be seen.

    Example:
        >>> from datetime import UTC, datetime
        >>> from mailflows.tracking import Tracker, judge_hit
        >>> tracker = Tracker([bytes(32)], "https://t.shop.example/")
        >>> url = tracker.honeypot_url(campaign="spring", recipient="42")
        >>> verdict = judge_hit(Hit(tracker.decode(url, "click"), datetime.now(UTC), user_agent="curl/8.5.0"))
        >>> str(verdict.kind), verdict.is_proxy
        ('scanner', False)
    """

    hit: Hit
    kind: HitKind
    reasons: tuple[Reason, ...]
    is_proxy: bool = False
    hides_opens: bool = False

    def __str__(self) -> str:
        """Return one line: the kind, and why."""
        why = "; ".join(reason.sentence for reason in self.reasons)
        article = "an" if self.kind is HitKind.UNCERTAIN else "a"
        named = f"{self.kind} client" if self.kind is HitKind.UNCERTAIN else str(self.kind)
        return f"{self.hit.tracked.purpose} by {article} {named}" + (f" ({why})" if why else "")

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data, ready for JSON, without the client's IP address."""
        return {
            "kind": self.kind.value,
            "label": self.kind.label,
            "reasons": [reason.to_dict() for reason in self.reasons],
            "is_proxy": self.is_proxy,
            "hides_opens": self.hides_opens,
            "method": self.hit.method,
        }

    def to_event(self, *, flow: Flow | None = None) -> Event:
        """Return the hit as an event; its ``raw`` holds the kind and the reasons, for `CampaignStats`."""
        tracked = self.hit.tracked
        return Event(
            type=EventType.CLICKED if self.hit.is_click else EventType.OPENED,
            time=self.hit.time,
            flow=flow,
            campaign=tracked.campaign,
            recipient_id=tracked.recipient or None,
            url=tracked.url,
            user_agent=self.hit.user_agent,
            verified=True,
            provider="tracking",
            raw={"hit": self.to_dict()},
        )


def judge_hit(
    hit: Hit,
    *,
    delivered: datetime | None = None,
    others: Sequence[Hit] = (),
    links: int | None = None,
) -> HitVerdict:
    """Judge one hit in the light of the recipient's other hits.

    Args:
        hit: The request.
        delivered: When the recipient's server accepted the message, in UTC, if known.
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
    group = sorted({hit, *others}, key=_time)
    proofs = _proofs(group, delivered, links)
    return _verdict(hit, proofs.get(hit.client), delivered)


def judge_hits(
    hits: Iterable[Hit],
    *,
    delivered: Mapping[tuple[str, str], datetime] | None = None,
    links: int | None = None,
) -> Iterator[HitVerdict]:
    """Judge many hits, each in the light of the others of its campaign and recipient, by time.

    A client that proves to be a scanner for several recipients counts as a scanner for all.

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
    moments = {key: (delivered or {}).get(key) for key in groups}
    found = {key: _proofs(group, moments[key], links) for key, group in groups.items()}
    everywhere = _known_everywhere(groups, found, moments)
    for key, group in groups.items():
        for hit in group:
            proof = found[key].get(hit.client) or everywhere.get((site_of(hit.address), hit.user_agent))
            yield _verdict(hit, proof, moments[key])


def _time(hit: Hit) -> datetime:
    return hit.time


def _known_everywhere(
    groups: Mapping[tuple[str, str], list[Hit]],
    found: Mapping[tuple[str, str], Mapping[tuple[str, str], Reason]],
    moments: Mapping[tuple[str, str], datetime | None],
) -> dict[tuple[str, str], Reason]:
    """Return the clients that proved to be scanners with several recipients, and are readers for no more.

    Thousands of phones may share an address and a user agent; a few hasty readers are no proof for all.
    """
    counts = {name: Counter[tuple[str, str]]() for name in ("proof", "hint", "reader", "")}
    for key, group in groups.items():
        sessions: dict[tuple[str, str], list[Hit]] = {}
        for hit in group:
            sessions.setdefault((site_of(hit.address), hit.user_agent), []).append(hit)
        for client, hits in sessions.items():
            is_proved = any(hit.client in found[key] for hit in hits)
            counts["proof" if is_proved else _likely(hits, moments[key])][client] += 1
    reason = _reason("scans-others", "the same client scanned the links of other recipients")
    return {
        client: reason
        for client, proofs in counts["proof"].items()
        if client[0]
        and (proofs >= PROOFS or proofs + counts["hint"][client] >= HINTS)
        and proofs + counts["hint"][client] >= counts["reader"][client]
    }


def _likely(hits: Sequence[Hit], delivered: datetime | None) -> str:
    """Return what a client that proved nothing may be: a reader, or, by its haste, a scanner."""
    if _has_read(hits):
        return "reader"
    after = _seconds_after(hits[0], delivered)
    return "hint" if hits[0].is_click and after is not None and 0 <= after < PROMPT else ""


def _has_read(hits: Sequence[Hit]) -> bool:
    """Return whether a client loaded the message, and took the time to read it before the first click."""
    click = next((hit for hit in hits if hit.is_click), None)
    return not hits[0].is_click and (click is None or (click.time - hits[0].time).total_seconds() >= SOON)


def _verdict(hit: Hit, proof: Reason | None, delivered: datetime | None) -> HitVerdict:
    """Judge a hit by its client's proof, or else by what it says of itself."""
    if proof is not None:
        return HitVerdict(hit, HitKind.SCANNER, (proof,))
    if (by_name := _by_name(hit)) is not None:
        return by_name
    if (found := by_network(hit.address, hit.tracked.purpose)) and not _is_mail_program(hit, found):
        kind = HitKind.UNCERTAIN if found.kind is HitKind.SCANNER else found.kind
        reason = _reason(f"network-{found.kind}", f"the client's network belongs to {found.name}")
        return HitVerdict(hit, kind, (reason,), hides_opens=found.hides)
    if not hit.is_click and (soon := _seconds_after(hit, delivered)) is not None and 0 <= soon < SOON:
        reason = _reason("too-soon", f"it came {soon:.1f} seconds after delivery", f"{soon:.1f}")
        return HitVerdict(hit, HitKind.PRIVACY_PROXY, (reason,))
    return HitVerdict(hit, HitKind.HUMAN, ())


def _is_mail_program(hit: Hit, network: Program) -> bool:
    """Return whether a reader's mail program fetched through its maker's servers, where a scanner runs, too.

    Scanners call themselves browsers; Outlook on a phone gets its pictures from Microsoft's network.
    """
    program = by_agent(hit.user_agent, hit.tracked.purpose)
    return network.kind is HitKind.SCANNER and program is not None and program.kind is HitKind.HUMAN


def _by_name(hit: Hit) -> HitVerdict | None:
    """Judge a hit by its user agent; `None` for a browser, or a program that people read mail with."""
    if not hit.user_agent.strip():
        return HitVerdict(hit, HitKind.SCANNER, (_reason("no-user-agent", "the client sent no user agent"),))
    program = by_agent(hit.user_agent, hit.tracked.purpose)
    if program is None:
        return None
    if program.kind is not HitKind.HUMAN:
        sentence = f"its user agent belongs to {program.name}"
        reason = _reason(f"agent-{program.kind}", sentence, hit.user_agent[:200])
        return HitVerdict(hit, program.kind, (reason,), hides_opens=program.hides)
    if not program.is_proxy:
        return None
    reason = _reason("reader-proxy", f"fetched by {program.name} when the reader opened the message")
    return HitVerdict(hit, HitKind.HUMAN, (reason,), is_proxy=True)


def _reason(code: str, sentence: str, *evidence: str) -> Reason:
    return Reason(code, sentence, part="tracking", evidence=evidence)


def _seconds_after(hit: Hit, delivered: datetime | None) -> float | None:
    """Return the seconds from delivery to a hit; below zero where clocks disagree."""
    return None if delivered is None else (hit.time - delivered).total_seconds()


def _proofs(
    group: Sequence[Hit], delivered: datetime | None, links: int | None
) -> dict[tuple[str, str], Reason]:
    """Return the clients of one recipient that are scanners, each with what proves it."""
    sessions: dict[tuple[str, str], list[Hit]] = {}
    for hit in group:
        sessions.setdefault(hit.client, []).append(hit)
    found = {}
    for client, hits in sessions.items():
        if proof := _proof(hits, delivered, links):
            found[client] = proof
    found |= _scattered(sessions, links)
    rest = {client: hits for client, hits in sessions.items() if client not in found}
    return found | _relayed(rest, delivered)


def _proof(hits: Sequence[Hit], delivered: datetime | None, links: int | None) -> Reason | None:
    """Return what proves that one client is a scanner, or `None`."""
    for hit in hits:
        if hit.method.upper() != "GET":
            return _reason("head-request", "it sent a HEAD request, which browsers do not do", hit.method)
        if hit.is_click and hit.tracked.is_honeypot:
            return _reason("honeypot", "it followed a link that no reader sees")
    clicks = [hit for hit in hits if hit.is_click]
    if not clicks:
        return None
    soon = _seconds_after(clicks[0], delivered)
    if soon is not None and 0 <= soon < SOON:
        return _reason("too-soon", f"it followed a link {soon:.1f} seconds after delivery", f"{soon:.1f}")
    return _rush(hits, delivered) or _pace(hits, clicks, delivered) or _sweep(hits, clicks, delivered, links)


def _is_late(hit: Hit, delivered: datetime | None) -> bool:
    """Return whether a hit came when scanners are gone."""
    after = _seconds_after(hit, delivered)
    return after is not None and after >= EARLY


def _rush(hits: Sequence[Hit], delivered: datetime | None) -> Reason | None:
    """Return what an opening and a click at once prove: a reader has to see the link first."""
    if hits[0].is_click or _is_late(hits[0], delivered):
        return None
    first = next(hit for hit in hits if hit.is_click)
    gap = (first.time - hits[0].time).total_seconds()
    if gap >= AT_ONCE:
        return None
    return _reason("at-once", f"it followed a link {gap:.1f} seconds after loading the message", f"{gap:.1f}")


def _pace(hits: Sequence[Hit], clicks: Sequence[Hit], delivered: datetime | None) -> Reason | None:
    """Return what the time between clicks proves: a reader needs to come back to the message.

    Who has loaded the message before, and comes when scanners are gone, may open two links in tabs.
    """
    quick = [
        (one, other)
        for one, other in pairwise(clicks)
        if one.tracked.url != other.tracked.url and (other.time - one.time).total_seconds() < AT_ONCE
    ]
    if quick:
        first = quick[0][0]
        if len(quick) >= HASTY or not _has_read(hits) or not _is_late(first, delivered):
            gap = (quick[0][1].time - first.time).total_seconds()
            return _reason("at-once", f"it followed two links within {gap:.1f} seconds", f"{gap:.1f}")
    for place in range(len(clicks) - HAMMER + 1):
        span = (clicks[place + HAMMER - 1].time - clicks[place].time).total_seconds()
        if span <= SWEEP:
            return _reason("hammer", f"it followed links {HAMMER} times within {span:.0f} seconds")
    return None


def _sweep(
    hits: Sequence[Hit], clicks: Sequence[Hit], delivered: datetime | None, links: int | None
) -> Reason | None:
    """Return what the number of links proves: all of them, one after the other, without opening first."""
    wanted = max(FEW, links or MANY)
    first = 0
    for last, hit in enumerate(clicks):
        while (hit.time - clicks[first].time).total_seconds() > SWEEP:
            first += 1
        window = clicks[first : last + 1]
        different = len({click.tracked.url for click in window})
        is_burst = different >= MANY and (hit.time - window[-MANY].time).total_seconds() <= BURST
        opened = any(not other.is_click and other.time < clicks[first].time for other in hits)
        after = _seconds_after(clicks[first], delivered)
        is_early = after is not None and 0 <= after < EARLY
        if (different >= wanted or is_burst) and (is_early or not opened):
            return _reason("all-links", f"it followed {different} different links within {SWEEP:.0f} seconds")
    return None


def _scattered(
    sessions: Mapping[tuple[str, str], list[Hit]], links: int | None
) -> dict[tuple[str, str], Reason]:
    """Return the clients that share one scan: one user agent on several networks, or a vendor."""
    found = {}
    by_name: dict[str, list[Hit]] = {}
    for (network, agent), hits in sessions.items():
        clicks = [hit for hit in hits if hit.is_click]
        vendor = by_network(clicks[0].address, Purpose.CLICK) if clicks else None
        if vendor is not None and len({hit.tracked.url for hit in clicks}) > 1:
            sentence = f"several links were followed from the network of {vendor.name}"
            found[network, agent] = _reason("network-scanner", sentence)
        by_name.setdefault(agent, []).extend(clicks)
    for clicks in by_name.values():
        clients = {hit.client for hit in clicks}
        if len(clients) > 1 and _is_one_scan(clicks, links):
            proof = _reason("several-networks", "links were followed in turn from several networks")
            found |= dict.fromkeys(clients - found.keys(), proof)
    return found


def _relayed(
    sessions: Mapping[tuple[str, str], list[Hit]], delivered: datetime | None
) -> dict[tuple[str, str], Reason]:
    """Return the clients that shared the links of a message soon after it came, each of another network.

    Whoever loaded the pixel first is a reader besides them, on another network, too: people move.
    """
    found: dict[tuple[str, str], Reason] = {}
    opened = _first_openings(sessions)
    unopened = (hit for hits in sessions.values() for hit in _unopened(hits, delivered))
    clicks = sorted((hit for hit in unopened if not _has_moved(hit, opened)), key=_time)
    first = 0
    for last, hit in enumerate(clicks):
        while (hit.time - clicks[first].time).total_seconds() > SWEEP:
            first += 1
        window = clicks[first : last + 1][-MANY:]
        networks = {click.client[0] for click in window}
        if len(networks) >= NETWORKS and len({click.tracked.url for click in window}) >= FEW:
            sentence = f"links were followed in turn from {len(networks)} networks, and nobody opened first"
            found |= dict.fromkeys((click.client for click in window), _reason("several-networks", sentence))
    return found


def _first_openings(sessions: Mapping[tuple[str, str], list[Hit]]) -> dict[str, datetime]:
    """Return when each user agent first loaded the pixel, from whatever network; a reader's proxy is any."""
    openings = sorted((hit for hits in sessions.values() for hit in hits if not hit.is_click), key=_time)
    return {_ANYBODY if _is_reader_proxy(hit) else hit.user_agent: hit.time for hit in reversed(openings)}


_ANYBODY = ""
"""Stands for the reader's own browser, whatever it is, where a proxy loads the pictures."""


def _is_reader_proxy(hit: Hit) -> bool:
    program = by_agent(hit.user_agent, hit.tracked.purpose)
    return program is not None and program.is_proxy


def _has_moved(click: Hit, opened: Mapping[str, datetime]) -> bool:
    """Return whether the reader opened the message, in time to read it, on another network."""
    moments = [opened[name] for name in (click.user_agent, _ANYBODY) if name in opened]
    return any((click.time - moment).total_seconds() >= SOON for moment in moments)


def _unopened(hits: Sequence[Hit], delivered: datetime | None) -> list[Hit]:
    """Return the clicks of a client that never loaded the pixel, in the time in which scanners come."""
    if any(not hit.is_click for hit in hits):
        return []
    after = [(hit, _seconds_after(hit, delivered)) for hit in hits]
    return [hit for hit, seconds in after if seconds is None or seconds < EARLY]


def _is_one_scan(clicks: Sequence[Hit], links: int | None) -> bool:
    """Return whether clicks of several networks add up to one scan of a message."""
    ordered = sorted(clicks, key=_time)
    span = (ordered[-1].time - ordered[0].time).total_seconds()
    return len({hit.tracked.url for hit in ordered}) >= max(FEW, min(links or MANY, MANY)) and span <= SWEEP
