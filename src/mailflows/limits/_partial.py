"""Which recipients of an attempt fit, if not all do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from mailflows._stores import Charge, Outcome
    from mailflows.limits._attempt import Attempt

__all__ = ["LeftOut", "partial_fit"]


class LeftOut(NamedTuple):
    """Why a recipient does not fit.

    Attributes:
        meter: Identity of the meter that refuses it.
        wait: Seconds until it fits by itself.
    """

    meter: str
    wait: float


def partial_fit(
    attempt: Attempt, charges_of: Callable[[Attempt], list[Charge]]
) -> Generator[
    tuple[list[Charge], bool], tuple[Outcome, bool], tuple[Outcome, bool, tuple[str, ...], dict[str, LeftOut]]
]:
    """Yield what to look at in the store until it would agree, each time for fewer recipients; then take it.

    A conversation, so that one text serves the sync and the async limiter. Only the last question, which
    takes, can count as a refused attempt.

    Args:
        attempt: Everybody.
        charges_of: Returns what an attempt takes.

    Returns:
        The store's last answer, the recipients who fit, and why the others do not.
    """
    left = attempt
    look = True
    left_out: dict[str, tuple[tuple[str, str], float]] = {}
    while True:
        outcome, degraded = yield charges_of(left), look
        fitting = () if outcome.allowed or not outcome.charges else _fitting(left, outcome, charges_of)
        if fitting:
            left_out |= _left_out(left, frozenset(fitting), outcome, charges_of)
            left, look = attempt.to(fitting), True
        elif look:
            look = False
        else:
            return outcome, degraded, left.recipients, _why(left_out, outcome)


def _left_out(
    attempt: Attempt,
    fitting: frozenset[str],
    outcome: Outcome,
    charges_of: Callable[[Attempt], list[Charge]],
) -> dict[str, tuple[tuple[str, str], float]]:
    """Return who does not fit, with the meter and key that make it wait longest, and how long."""
    waits = {
        (meter.id, key): wait
        for (meter, key, _), (_, _, wait) in zip(outcome.charges, outcome.readings(), strict=True)
        if wait > 0.0
    }
    found = {}
    for recipient in attempt.recipients:
        if recipient not in fitting:
            places = [(meter.id, key) for meter, key, _ in charges_of(attempt.to((recipient,)))]
            place = max((one for one in places if one in waits), key=waits.__getitem__)
            found[recipient] = place, waits[place]
    return found


def _why(left_out: dict[str, tuple[tuple[str, str], float]], taken: Outcome) -> dict[str, LeftOut]:
    """Return why recipients do not fit; what never fits all of them may fit some once it is empty again."""
    empty = {
        (meter.id, key): empty_in
        for (meter, key, _), (_, empty_in, _) in zip(taken.charges, taken.readings(), strict=True)
    }
    return {
        recipient: LeftOut(place[0], wait if math.isfinite(wait) else empty.get(place, 0.0))
        for recipient, (place, wait) in left_out.items()
    }


def _fitting(
    attempt: Attempt, outcome: Outcome, charges_of: Callable[[Attempt], list[Charge]]
) -> tuple[str, ...]:
    """Return the recipients, from the first on, for whom every charge that was refused has room."""
    room = {
        (meter.id, key): meter.capacity - used
        for (meter, key, _), (used, _, wait) in zip(outcome.charges, outcome.readings(), strict=True)
        if wait > 0.0
    }
    fitting = []
    for recipient in attempt.recipients:
        takes = [
            ((meter.id, key), len(amount) if isinstance(amount, tuple) else amount)
            for meter, key, amount in charges_of(attempt.to((recipient,)))
            if (meter.id, key) in room
        ]
        if all(room[place] >= amount - 1e-6 for place, amount in takes):
            fitting.append(recipient)
            for place, amount in takes:
                room[place] -= amount
    return tuple(fitting if len(fitting) < len(attempt.recipients) else fitting[:-1])
