"""How fast one provider may be sent to: slower at once when it says so, recovering as time goes by.

The recovery is a function of the time since, as in CUBIC (RFC 9438 section 4.2): quickly back towards the
rate that was too much, carefully around it, then looking for more. So nothing is written while all is well.
"""

from __future__ import annotations

import json
import math
from dataclasses import astuple, dataclass, replace

__all__ = ["Pace", "deferred", "read_pace", "slowed", "suspended", "written"]

STEPS = 20
"""Steps of a recovery."""

SHORTEST = 60.0
CYCLE = 150.0
"""A recovery takes at least 60 seconds and 150 messages, so that about one in 200 finds out the limit."""

LESS = 0.9
"""What is left of the rate that was just too much; 0.5 of the first one, about which nothing is known."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0
"""Seconds: the pause after a deferral, twice as long for each that follows at once."""

FAR = 2 * 86_400.0
"""Seconds: further ahead lies nothing that a reply can ask for, unless a clock was wrong."""

LOWEST = 1 / 600
"""Messages per second: so slow, a pace still finds out that it may be faster."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The pace of one provider; the numbers are moments in seconds and messages per second.

    Attributes:
        base: The rate from which it recovers; infinity while nothing was said.
        peak: The rate that was too much.
        start: When the recovery begins.
        resumed: Nothing is sent before.
        since: When the provider last began to defer.
        pause: Seconds of the newest pause.
        connections: Connections at once, or 0 for the provider's own number.
        connections_until: For how long.
    """

    base: float = math.inf
    peak: float = math.inf
    start: float = 0.0
    resumed: float = 0.0
    since: float = -math.inf
    pause: float = 0.0
    connections: int = 0
    connections_until: float = 0.0

    def by(self, now: float) -> Pace:
        """Return the pace by a clock that had been far ahead: no provider asks for a pause so long."""
        return self if max(self.resumed, self.start, self.since) <= now + FAR else Pace()

    def rate(self, ceiling: float, now: float) -> float:
        """Return the messages per second that may be sent now."""
        if math.isinf(self.peak):
            return ceiling
        if now < self.start:
            return min(ceiling, self.base)
        whole = max(SHORTEST, CYCLE / self.peak)
        step = math.floor((now - self.start) / whole * STEPS) / STEPS
        depth = 1.0 - self.base / self.peak
        return min(ceiling, self.peak * (1.0 - depth * (1.0 - step) ** 3))


def deferred(pace: Pace, *, ceiling: float, now: float, sent_at: float) -> Pace:
    """Return the pace after a provider said «too fast» to a message that had its turn at *sent_at*.

    Messages that were under way when it slowed down say nothing new. One that is deferred right after a
    pause says that the pause was too short, not that the rate is too high.
    """
    if sent_at < pace.resumed:
        return pace
    rate = pace.rate(ceiling, now)
    if pace.pause and sent_at - pace.resumed <= 1.5 / rate:
        pause = min(LONGEST_PAUSE, 2 * pace.pause)
        return replace(pace, start=now + pause, resumed=now + pause, pause=pause)
    peak, left = rate, LESS
    if math.isinf(pace.since):
        left = 0.5
    else:
        # What was taken since the last time, pause included, is what the provider really takes.
        taken = rate * (sent_at - pace.resumed) / max(now - pace.since, 1e-3)
        if taken < rate / 1.25:
            peak = max(taken, LOWEST)
    resumed = now + FIRST_PAUSE
    return replace(
        pace, base=left * peak, peak=peak, start=resumed, resumed=resumed, since=now, pause=FIRST_PAUSE
    )


def slowed(pace: Pace, *, ceiling: float, now: float, to: float, seconds: float) -> Pace:
    """Return the pace held at a rate for some time; afterwards it recovers."""
    rate = pace.rate(ceiling, now)
    peak = pace.peak if now < pace.start else rate
    held = max(now + seconds, pace.start)
    return replace(pace, base=min(to, rate), peak=peak, start=held, since=now, pause=0.0)


def suspended(pace: Pace, *, ceiling: float, now: float, seconds: float) -> Pace:
    """Return the pace with a pause; afterwards it begins with half of what it was."""
    resumed = max(pace.resumed, now + seconds)
    peak = pace.peak if now < pace.start else pace.rate(ceiling, now)
    return replace(pace, base=peak / 2, peak=peak, start=resumed, resumed=resumed, since=now, pause=0.0)


def read_pace(document: bytes | None) -> Pace:
    """Return the pace that a document holds; a damaged one is as if there were none."""
    try:
        numbers = json.loads(document or b"")
        return Pace() if any(map(math.isnan, numbers)) else Pace(*numbers)
    except (ValueError, TypeError, OverflowError):
        return Pace()


def written(pace: Pace) -> bytes:
    """Return the document of a pace."""
    return json.dumps(astuple(pace)).encode()
