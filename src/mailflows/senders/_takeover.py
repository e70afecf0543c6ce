"""The evidence for and against a stolen account: one likelihood ratio, sign by sign.

Each sign compares how probable what is seen would be under somebody else's hand with how probable it is for
this sender, by the sender's own habits. An honest day may be odd in any one respect (a fair, a journey, a
night shift), so that each sign is bounded by the share of such days: no single one stops anybody, several
together do (Wald's sequential test, with windows that fade instead of a horizon).

The shares are ours, set on the scenarios of ``benchmarks/sender_scenarios.toml``, which were written first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailflows.senders._history import SenderRecord

__all__ = ["Sign", "hour_oddness", "weigh"]

PAUSELESS = 8.0
"""Messages to new people within ten seconds that a hand, or a mail merge of an office program, may reach.
Our choice, tried on benchmarks/sender_control.py."""

TIMES = 4.0
"""How many times the usual busiest hour, or day, is still nothing special.
Our choice, tried on benchmarks/sender_control.py."""

LEAST_HOUR, LEAST_DAY = 5.0, 20.0
"""Recipients in the busiest hour and day of somebody about whom nothing is known."""

FEW, FEW_LESS = 10.0, 2.0
"""Recipients within an hour that prove little, and how much less: who travels writes a few at night."""

ODD_NIGHT = 0.04
ODD_JOURNEY = 0.2
ODD_CAMPAIGN = 0.15
"""Shares of honest busy spells at an hour, from a place and to people that are not the usual ones.
Our choice, tried on benchmarks/sender_control.py."""

SEEN_AT_ONCE = 6.0
"""Recipients that count for a share: more of the same spell say nothing new.
Our choice, tried on benchmarks/sender_control.py."""


LESS: dict[int, dict[str, float]] = {
    2: dict.fromkeys(("unknown-network", "many-networks", "unusual-hour", "new-recipients"), 0.3),
    3: {"unusual-volume": 0.3, "unusual-speed": 0.2, "unusual-hour": 0.0},
}
"""What is left of a sign for a declared shared mailbox (2) and machine (3), which are not persons."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign.

    Attributes:
        code: ``unusual-volume``, ``unusual-speed``, ``new-recipients``, ``unknown-network``,
            ``many-networks``, ``unusual-hour`` or ``invalid-recipients``.
        nats: How much it speaks for a theft; below 0 against it.
        sentence: What was seen, for an administrator.
    """

    code: str
    nats: float
    sentence: str


def weigh(record: SenderRecord) -> list[Sign]:
    """Return every sign of a record, the weightiest first."""
    signs = [
        _volume(record),
        _speed(record),
        _strangers(record),
        _places(record),
        _crowd(record),
        _night(record),
        _invalid(record),
    ]
    less = LESS.get(record.kind, {})
    weighed = [replace(sign, nats=sign.nats * less.get(sign.code, 1.0)) for sign in signs if sign.nats]
    return sorted(weighed, key=lambda sign: -sign.nats)


def _volume(record: SenderRecord) -> Sign:
    """Weigh recipients an hour and a day; the tail of honest busy days is a power of 1.5."""
    hour = TIMES * max(record.peak_hour, LEAST_HOUR)
    day = TIMES * max(record.peak_day, LEAST_DAY)
    by_hour, by_day = 1.5 * math.log1p(record.hour / hour), 1.5 * math.log1p(record.day / day)
    if by_hour >= by_day:
        sentence = f"{record.hour:.0f} recipients within the hour; the busiest usually has {hour / TIMES:.0f}"
    else:
        sentence = f"{record.day:.0f} recipients within a day; the busiest usually has {day / TIMES:.0f}"
    few = FEW_LESS * math.exp(-record.hour / FEW)
    return Sign("unusual-volume", max(by_hour, by_day) - 1.0 - few, sentence)


def _speed(record: SenderRecord) -> Sign:
    sentence = f"about {record.burst:.0f} messages to different people within ten seconds"
    return Sign("unusual-speed", 4.0 * math.log1p(record.burst / PAUSELESS), sentence)


def _strangers(record: SenderRecord) -> Sign:
    """Weigh the share of people who were never written to."""
    share = min(1.0, record.spell_new / max(record.spell, 1.0))
    number = min(record.spell, SEEN_AT_ONCE)
    usual = (record.usual_new + 9.5) / (record.usual + 10.0)  # of newcomers nearly everybody is new
    thief = 0.8 * _likely(share, number, 0.97) + 0.2 * _likely(share, number, 0.15)
    honest = (1.0 - ODD_CAMPAIGN) * _likely(share, number, usual) + ODD_CAMPAIGN * _any(share, number)
    sentence = (
        f"{share:.0%} of the recipients in the last few hours were new to the sender; usually {usual:.0%}"
    )
    return Sign("new-recipients", math.log(thief / honest), sentence)


def _places(record: SenderRecord) -> Sign:
    """Weigh the share that comes from networks which are not the sender's own."""
    share = min(1.0, record.spell_foreign / max(record.spell, 1.0))
    number = min(record.spell, SEEN_AT_ONCE)
    usual = (record.usual_foreign + 1.0) / (record.usual + 20.0)
    thief = 0.85 * _likely(share, number, 0.97) + 0.15 * _likely(share, number, 0.1)
    honest = (1.0 - ODD_JOURNEY) * _likely(share, number, usual) + ODD_JOURNEY * _any(share, number)
    known = min(1.0, record.days / 4.0)
    sentence = f"{share:.0%} of the mail in the last few hours came from networks the sender rarely uses"
    return Sign("unknown-network", known * math.log(thief / honest), sentence)


def _crowd(record: SenderRecord) -> Sign:
    """Weigh how many networks there are: a traveller has a few, a botnet dozens."""
    count = record.foreign_today
    sentence = f"{count} client networks today that were never seen before"
    known = min(1.0, record.days / 4.0)
    return Sign("many-networks", known * 1.5 * math.log1p(max(0, count - 6) / 3.0), sentence)


def _night(record: SenderRecord) -> Sign:
    odd = record.spell_odd / max(record.spell, 1.0)
    sentence = "it is sent at hours when the sender does not usually write"
    return Sign("unusual-hour", odd, sentence)


def hour_oddness(record: SenderRecord, hour: int) -> float:
    """Return how much an hour of the day speaks for somebody else, who writes at any."""
    prior = 0.058 if 6 <= hour < 20 else 0.019  # working hours, of unknown zone
    near = 0.5 * record.hours[hour] + 0.25 * (record.hours[hour - 1] + record.hours[(hour + 1) % 24])
    own = (20.0 * prior + near) / (20.0 + sum(record.hours))
    return math.log(1.0 / 24.0 / ((1.0 - ODD_NIGHT) * own + ODD_NIGHT / 24.0))


def _invalid(record: SenderRecord) -> Sign:
    """Weigh invalid recipients: bought lists have a tenth, one's own a fiftieth (beta-binomial)."""
    total, bad = max(record.told, record.sent), record.bad
    if bad < 0.5:
        return Sign("invalid-recipients", 0.0, "")
    if total > 100.0:
        total, bad = 100.0, bad * 100.0 / total
    good = max(0.0, total - bad)
    thief = _beta(1.0 + bad, 8.0 + good) - _beta(1.0, 8.0)
    honest = _beta(1.0 + bad, 40.0 + good) - _beta(1.0, 40.0)
    share = f"{record.bad:.0f} of {max(record.told, record.sent):.0f} recipients were invalid"
    return Sign("invalid-recipients", min(3.0, thief - honest), share)


def _likely(share: float, number: float, rate: float) -> float:
    """Return how probable a share is where each is so with a rate."""
    rate = min(0.999, max(0.001, rate))
    return math.exp(number * (share * math.log(rate) + (1.0 - share) * math.log1p(-rate)))


def _any(share: float, number: float) -> float:
    """Return how probable it is where every rate is as likely as any other."""
    return math.exp(_beta(number * share + 1.0, number * (1.0 - share) + 1.0))


def _beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
