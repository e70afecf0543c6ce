"""How fast one provider may be sent to: slower at once when it says so, recovering as time goes by.

The recovery is a function of the time since, as in CUBIC (RFC 9438 section 4.2): quickly back towards the
rate that was too much, carefully around it, then looking for more. So nothing is written while all is well.
"""

from __future__ import annotations

import json
import math
from dataclasses import astuple, dataclass, replace

__all__ = ["Pace", "boxed", "deferred", "read_pace", "suspended", "written"]

STEPS = 20
"""Steps of a recovery. Our choice, tried on benchmarks/limits_pacing.py."""

SHORTEST = 60.0
CYCLE = 150.0
"""A recovery takes at least 60 seconds and 150 messages, so that about one in 200 finds out the limit.
Our choice, tried on benchmarks/limits_pacing.py."""

LESS = 0.9
"""What is left of the rate that was just too much; 0.5 of the first one, about which nothing is known.
Our choice, tried on benchmarks/limits_pacing.py."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0
"""Seconds: the pause after a deferral, twice as long for each that follows at once.
Our choice, tried on benchmarks/limits_pacing.py."""

PROBES = 60.0
"""Part of a penalty after which it is probed: half a minute of half an hour.
Our choice, tried on benchmarks/limits_pacing.py."""

FAR = 2 * 86_400.0
"""Seconds: further ahead lies nothing that a reply can ask for, unless a clock was wrong.
A bound on work."""

LOWEST = 1 / 600
"""Messages per second: so slow, a pace still finds out that it may be faster.
Our choice, tried on benchmarks/limits_pacing.py."""


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
        hold: Seconds of the newest hold in a penalty box; 0 for none.
        low: The rate while it lasts.
    """

    base: float = math.inf
    peak: float = math.inf
    start: float = 0.0
    resumed: float = 0.0
    since: float = -math.inf
    pause: float = 0.0
    connections: int = 0
    connections_until: float = 0.0
    hold: float = 0.0
    low: float = math.inf

    def by(self, now: float) -> Pace:
        """Return the pace by a clock that had been far ahead: no provider asks for a pause so long."""
        return self if max(self.resumed, self.start, self.since) <= now + FAR else Pace()

    def rate(self, ceiling: float, now: float) -> float:
        """Return the messages per second that may be sent now."""
        if math.isinf(self.peak):
            return ceiling
        if now < self.start:
            return min(ceiling, self.base, self.low)
        whole = max(SHORTEST, CYCLE / self.peak)
        step = math.floor((now - self.start) / whole * STEPS) / STEPS
        depth = 1.0 - self.base / self.peak
        # The cube is steep at first and flat near the peak, where a deferral is likely. Beyond the peak
        # (step > 1) it turns negative, so the rate grows until the provider objects again.
        return min(ceiling, self.peak * (1.0 - depth * (1.0 - step) ** 3))


def deferred(pace: Pace, *, ceiling: float, now: float, sent_at: float) -> Pace:
    """Return the pace after a provider said "too fast" to a message that had its turn at *sent_at*.

    Messages that were under way when it slowed down say nothing new. One that is deferred right after a
    pause says that the pause was too short, not that the rate is too high.
    """
    if sent_at < pace.resumed:
        return pace
    rate = pace.rate(ceiling, now)
    # One and a half intervals: this was the first message after the pause.
    if pace.pause and sent_at - pace.resumed <= 1.5 / rate:
        pause = min(LONGEST_PAUSE, 2 * pace.pause)
        return replace(pace, start=now + pause, resumed=now + pause, pause=pause)
    peak, left = rate, LESS
    if math.isinf(pace.since):
        left = 0.5
    else:
        # What was taken since the last time, pause included, is what the provider really takes.
        given = rate * (sent_at - pace.resumed) if math.isinf(pace.low) else _given(pace, ceiling, sent_at)
        taken = given / max(now - pace.since, 1e-3)
        if taken < rate / 1.25:
            peak = max(taken, LOWEST)
    resumed = now + FIRST_PAUSE
    return replace(
        pace,
        base=left * peak,
        peak=peak,
        start=resumed,
        resumed=resumed,
        since=now,
        pause=FIRST_PAUSE,
        low=math.inf,
    )


def _given(pace: Pace, ceiling: float, until: float) -> float:
    """Return how many messages were given between the last pause and a moment."""
    low = max(0.0, min(until, pace.start) - pace.resumed) * min(ceiling, pace.base, pace.low)
    first = max(pace.start, pace.resumed)
    step = max(0.0, until - first) / STEPS
    return low + sum(pace.rate(ceiling, first + (n + 0.5) * step) for n in range(STEPS)) * step


def boxed(  # noqa: PLR0913 -- all that a penalty box is known by
    pace: Pace, *, ceiling: float, now: float, sent_at: float, to: float, seconds: float
) -> Pace:
    """Return the pace after a reply that comes with a penalty: a low rate for some time.

    How long a box lasts nobody tells. So it is left after a sixtieth of the time that is known for it, and
    probed; where even the low rate is too much nothing is sent, for twice as long each time.
    """
    if sent_at < pace.resumed:
        return pace
    first = seconds / PROBES
    if pace.hold and sent_at < pace.start:
        hold = min(seconds, 2 * pace.hold)
        return replace(pace, start=now + hold + first, resumed=now + hold, since=now, hold=hold, pause=0.0)
    hold = min(seconds, 2 * pace.hold) if pace.hold and now - pace.start < pace.hold / 2 else first
    new = deferred(replace(pace, pause=0.0), ceiling=ceiling, now=now, sent_at=sent_at)
    return replace(new, low=to, start=now + hold, hold=hold, pause=0.0)


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
