"""Whether a sender has to be stopped: pure judgement of what is remembered."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mailflows._interval import wilson
from mailflows._rates import duration
from mailflows.errors import ConfigurationError
from mailflows.senders._record import DAY, FILTER_FULL, HISTORY, LONGEST, Block, SenderRecord

__all__ = ["SenderPolicy", "SenderReason", "block_for", "judge"]


@dataclass(frozen=True, slots=True)
class SenderReason:
    """One thing that speaks against a sender.

    Attributes:
        code: ``invalid-share``, ``unusual-rate``, ``new-recipients``, ``many-networks``,
            ``too-many-recipients`` or ``blocked``.
        sentence: What was found, with its numbers and without an address.
        stops: Whether it stops the sender by itself.
    """

    code: str
    sentence: str
    stops: bool


@dataclass(frozen=True, slots=True)
class SenderPolicy:
    """When a sender is warned, and when stopped.

    The defaults do what Altospam MailOut does for professional mail: four hours, or for good by volume, and
    at most 2,000 recipients (its page on account blocking, read 2026-11-23). It publishes no share; ours is
    three times the 2 % that careful senders stay below, and ``benchmarks/sender_control.py`` measures what
    that means for honest senders and for others.

    Attributes:
        invalid_share: The share of invalid recipients in [0, 1] that is certainly exceeded when a sender is
            stopped.
        certainty: Standard deviations of that certainty; 2.576 is 99.5 % on one side.
        min_invalid: Invalid recipients below which nobody is stopped: one typing error is no attack.
        volume: Invalid recipients within a week from which on the block is for good.
        max_recipients: Recipients of one mailing that are tolerated.
        blocks: Seconds of the first, second, … block within `remember`; `None` is for good.
        remember: Seconds after its end for which a block makes the next one longer.
        busy: Recipients in an hour below which no rate is unusual.
        times: How many times its own busiest hour, or most networks, make a rate, or their number, unusual.
        new_share: Share of recipients never written to that is unusual for a sender with a history.
        networks: Client networks in a day that are too many for anybody (AlternC locks at 100).
    """

    invalid_share: float = 0.06
    certainty: float = 2.576
    min_invalid: int = 6
    volume: int = 200
    max_recipients: int = 2000
    blocks: tuple[float | None, ...] = (4 * 3600.0, DAY, None)
    remember: float = 7 * DAY
    busy: int = 25
    times: float = 4.0
    new_share: float = 0.8
    networks: int = 100

    def __post_init__(self) -> None:
        """Refuse what can never stop anybody, or stops everybody."""
        if not 0.0 < self.invalid_share < 1.0:
            msg = f"invalid_share lies between 0 and 1; got {self.invalid_share}"
            raise ConfigurationError(msg, field="invalid_share")
        if not self.blocks:
            msg = "blocks names the seconds of at least one block, such as (14400, None)"
            raise ConfigurationError(msg, field="blocks")
        for name in ("min_invalid", "max_recipients", "busy", "networks", "volume"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                msg = f"{name} is a whole number of at least 1; got {getattr(self, name)!r}"
                raise ConfigurationError(msg, field=name)
        for seconds in (*self.blocks, self.remember):
            if seconds is not None and not 0.0 < seconds <= LONGEST:
                msg = f"a time is above 0 and at most {LONGEST:.0f} seconds; got {seconds!r}"
                raise ConfigurationError(msg, field="remember" if seconds is self.remember else "blocks")
        for name in ("certainty", "times", "new_share"):
            if not 0.0 < getattr(self, name) < math.inf:
                msg = f"{name} is a number above 0; got {getattr(self, name)!r}"
                raise ConfigurationError(msg, field=name)


def judge(record: SenderRecord, policy: SenderPolicy) -> tuple[SenderReason, ...]:
    """Return what speaks against a sender, the weightiest first."""
    invalid = _invalid_share(record, policy)
    signs = [*_unusual_rate(record, policy), *_new_recipients(record, policy), *_networks(record, policy)]
    if len(signs) > 1:  # one alone has harmless causes: a move, a holiday greeting, a phone on a train
        signs = [SenderReason(sign.code, sign.sentence, stops=True) for sign in signs]
    return tuple(sorted([*invalid, *signs], key=lambda reason: not reason.stops))


def _invalid_share(record: SenderRecord, policy: SenderPolicy) -> list[SenderReason]:
    """Judge the share of invalid recipients, of the last hundred and of the week."""
    for total, bad in ((len(record.recent), record.recent.count("1")), record.outcomes):
        low, _ = wilson(bad, total, policy.certainty)
        if bad >= policy.min_invalid and low > policy.invalid_share:
            sentence = (
                f"{bad} of {total} recipients were invalid, certainly more than {policy.invalid_share:.0%}"
            )
            return [SenderReason("invalid-share", sentence, stops=True)]
    total, bad = record.outcomes
    if bad >= max(2, policy.min_invalid // 2) and bad > policy.invalid_share * total:
        sentence = f"{bad} of {total} recipients were invalid; at {policy.invalid_share:.0%} mail is stopped"
        return [SenderReason("invalid-share", sentence, stops=False)]
    return []


def _has_history(record: SenderRecord) -> bool:
    return len(record.busiest) >= 3


def _unusual_rate(record: SenderRecord, policy: SenderPolicy) -> list[SenderReason]:
    # One greeting to everybody does not make every later flood usual: the second busiest day counts.
    most = sorted(record.busiest.values())[-2] if len(record.busiest) > 1 else 0
    if not _has_history(record) or record.sent < max(policy.busy, policy.times * most):
        return []
    sentence = f"{record.sent} recipients in an hour; but for one day, {HISTORY} days had at most {most}"
    return [SenderReason("unusual-rate", sentence, stops=False)]


def _new_recipients(record: SenderRecord, policy: SenderPolicy) -> list[SenderReason]:
    is_known = _has_history(record) and record.known_count <= FILTER_FULL
    if not is_known or record.sent < policy.busy or record.new < policy.new_share * record.sent:
        return []
    sentence = f"{record.new} of {record.sent} recipients in an hour were never written to before"
    return [SenderReason("new-recipients", sentence, stops=False)]


def _networks(record: SenderRecord, policy: SenderPolicy) -> list[SenderReason]:
    count = len(record.networks)
    far = max(10, policy.times * record.most_networks)
    if count < policy.networks and (not _has_history(record) or count < far):
        return []
    sentence = f"{count} client networks in a day; at most {record.most_networks} before"
    return [SenderReason("many-networks", sentence, stops=count >= policy.networks)]


def block_for(
    reasons: tuple[SenderReason, ...], record: SenderRecord, policy: SenderPolicy, now: float
) -> Block | None:
    """Return the block that reasons call for, longer after each of the last days; `None` for none."""
    stopping = [reason for reason in reasons if reason.stops]
    if not stopping:
        return None
    before = sum(b.until is None or b.until > now - policy.remember for b in record.blocks)
    seconds = policy.blocks[min(before, len(policy.blocks) - 1)]
    if stopping[0].code == "invalid-share" and record.outcomes[1] >= policy.volume:
        seconds = None
    return Block(now, None if seconds is None else now + seconds, stopping[0].code)


def how_long(block: Block, now: float) -> str:
    """Return how long a block lasts, in words."""
    return "for good" if block.until is None else f"for {duration(max(1.0, block.until - now))}"
