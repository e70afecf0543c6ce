"""Which recipients of an attempt fit, where not all do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from mailflows._stores import Charge, Outcome
    from mailflows.limits._attempt import Attempt

__all__ = ["partial_fit"]


def partial_fit(
    attempt: Attempt, charges_of: Callable[[Attempt], list[Charge]]
) -> Generator[tuple[list[Charge], bool], tuple[Outcome, bool], tuple[Outcome, bool, tuple[str, ...]]]:
    """Yield what to look at in the store until it would agree, each time for fewer recipients; then take it.

    A conversation, so that one text serves the sync and the async limiter. Only the last question, which
    takes, can count as a refused attempt.

    Args:
        attempt: Everybody.
        charges_of: Returns what an attempt takes.

    Returns:
        The store's last answer, and the recipients who fit.
    """
    left = attempt
    look = True
    while True:
        outcome, degraded = yield charges_of(left), look
        fitting = () if outcome.allowed or not outcome.charges else _fitting(left, outcome, charges_of)
        if fitting:
            left, look = attempt.to(fitting), True
        elif look:
            look = False
        else:
            return outcome, degraded, left.recipients


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
