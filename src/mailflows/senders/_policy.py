"""When a sender is warned, held and blocked: the numbers, each with where it comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mailflows.errors import ConfigurationError
from mailflows.senders._history import DAY, LONGEST

__all__ = ["SenderPolicy"]


@dataclass(frozen=True, slots=True)
class SenderPolicy:
    """When a sender is warned, when a message is held, and when the sender is blocked.

    The defaults follow Altospam MailOut for professional mail: a block of four hours, or a permanent one by
    volume, and at most 2,000 recipients (its page on account blocking, read 2026-11-23). It publishes no
    share; ours is three times the 2 % that careful senders stay below. ``benchmarks/sender_control.py``
    measures the effect on honest senders and on stolen accounts.

    Attributes:
        invalid_share: The share of invalid recipients, in [0, 1], above which a sender is stopped; the share
            must exceed it with *certainty*.
        certainty: Standard deviations of that certainty; 2.576 is 99.5 % on one side.
        min_invalid: Minimum number of invalid recipients to stop a sender, because one typo is not an attack.
        volume: Invalid recipients within a week from which the block is permanent.
        max_recipients: Recipients of the one mass mailing that is tolerated as an exception.
        bulk: Recipients of one message from which it counts as a mass mailing.
        apart: Seconds after a mass mailing during which no second one is tolerated.
        warn: The weight of evidence for a stolen account, in nats, from which a sender is warned.
        hold: The weight from which messages are held.
        block: The weight from which the sender is blocked.
        blocks: Seconds of the first, second, … block within `remember`; `None` is permanent.
        remember: Seconds after the end of a block during which it makes the next one longer.
        networks: Client networks in a day from which any sender is stopped (AlternC locks at 100).

    Raises:
        ConfigurationError: If a share is not between 0 and 1, a number or a time is not positive, or the
            weights are not in ascending order.

    Example:
        >>> SenderPolicy(min_invalid=10).volume
        200
    """

    invalid_share: float = 0.06
    certainty: float = 2.576
    min_invalid: int = 6
    volume: int = 200
    max_recipients: int = 2000
    bulk: int = 50
    apart: float = 30 * DAY
    warn: float = 5.0
    hold: float = 6.5
    block: float = 8.0
    blocks: tuple[float | None, ...] = (4 * 3600.0, DAY, None)
    remember: float = 7 * DAY
    networks: int = 100

    def __post_init__(self) -> None:
        """Refuse what can never stop anybody, or stops everybody."""
        if not 0.0 < self.invalid_share < 1.0:
            msg = f"invalid_share must be between 0 and 1; got {self.invalid_share}"
            raise ConfigurationError(msg, field="invalid_share")
        if not self.blocks:
            msg = "blocks must list the seconds of at least one block, such as (14400, None)"
            raise ConfigurationError(msg, field="blocks")
        for name in ("min_invalid", "max_recipients", "bulk", "networks", "volume"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                msg = f"{name} must be a whole number of at least 1; got {getattr(self, name)!r}"
                raise ConfigurationError(msg, field=name)
        for name, seconds in (("remember", self.remember), ("apart", self.apart), *_named(self.blocks)):
            if seconds is not None and not 0.0 < seconds <= LONGEST:
                msg = f"a time must be above 0 and at most {LONGEST:.0f} seconds; got {seconds!r}"
                raise ConfigurationError(msg, field=name)
        if not 0.0 < self.certainty < math.inf:
            msg = f"certainty must be a number above 0; got {self.certainty!r}"
            raise ConfigurationError(msg, field="certainty")
        if not 0.0 < self.warn <= self.hold <= self.block < math.inf:
            msg = f"expected 0 < warn <= hold <= block; got {self.warn!r}, {self.hold!r}, {self.block!r}"
            raise ConfigurationError(msg, field="warn")


def _named(blocks: tuple[float | None, ...]) -> list[tuple[str, float | None]]:
    return [("blocks", seconds) for seconds in blocks]
