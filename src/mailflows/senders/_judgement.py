"""Whether to warn, hold or block a sender: pure functions of its record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from mailflows._rates import duration
from mailflows._result import Reason, Severity
from mailflows._wilson import wilson
from mailflows.senders._history import DAY, Block
from mailflows.senders._takeover import weigh

if TYPE_CHECKING:
    from mailflows.senders._history import SenderRecord
    from mailflows.senders._policy import SenderPolicy

__all__ = ["Judgement", "Measure", "block_for", "how_long", "judge", "judge_mailing"]

MANY_NEW = 400
"""New people on a day from which on letters one by one are a mass mailing, too: more than anybody greets.
Our choice, tried on benchmarks/sender_control.py."""

SMALL = 300
"""Recipients of mass mailings within a month that need no exception: an invitation, a change of address.
Our choice, tried on benchmarks/sender_control.py."""

UNTRIED = 200
"""Recipients of a mass mailing of a newcomer: whose networks nobody knows yet has no usual one.
Our choice, tried on benchmarks/sender_control.py."""

TRUSTED = 1.5
"""Nats by which the bars rise each time that an administrator lets a sender go.
Our choice, tried on benchmarks/sender_control.py."""


class Measure(IntEnum):
    """What is done; the stricter the greater."""

    NOTHING = 0
    WARN = 1
    HOLD = 2
    BLOCK = 3


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is done, and why, the weightiest reason first."""

    measure: Measure
    reasons: tuple[Reason, ...] = ()


def judge(record: SenderRecord, policy: SenderPolicy) -> Judgement:
    """Judge a sender by the outcomes of its mail and by the signs of a theft."""
    found = [*_invalid_share(record, policy), *_too_many_networks(record, policy)]
    signs = weigh(record)
    nats = sum(sign.nats for sign in signs)
    bonus = TRUSTED * record.trust
    if nats >= policy.warn + bonus:
        measure = Measure.WARN + (nats >= policy.hold + bonus) + (nats >= policy.block + bonus)
        severity = Severity.ERROR if measure > Measure.WARN else Severity.WARNING
        found += [
            _reason(sign.code, sign.sentence, severity, weight=round(sign.nats, 2))
            for sign in signs
            if sign.nats >= 0.5
        ]
        return Judgement(max(Measure(measure), _measure_of(found)), _sorted(found))
    return Judgement(_measure_of(found), _sorted(found))


def _measure_of(reasons: list[Reason]) -> Measure:
    if not reasons:
        return Measure.NOTHING
    outright = [r for r in reasons if r.code in {"invalid-share", "hundreds-of-networks"}]
    return Measure.BLOCK if any(r.severity is Severity.ERROR for r in outright) else Measure.WARN


def _sorted(reasons: list[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda r: (r.severity is not Severity.ERROR, -(r.weight or 0.0))))


def _reason(code: str, sentence: str, severity: Severity, *, weight: float | None = None) -> Reason:
    return Reason(code, sentence, part="senders", severity=severity, weight=weight)


def _invalid_share(record: SenderRecord, policy: SenderPolicy) -> list[Reason]:
    """Judge the share of invalid recipients, of the newest outcomes and of the week.

    If only bounces are reported, they are counted out of all that was sent in the week.
    """
    if record.bad < 2:
        return []
    week = (max(record.told, record.sent), record.bad)
    day = (max(record.day_told, record.day_sent), record.day_bad)
    newest = (record.recent, record.recent_bad) if record.told >= record.sent / 2 else (0.0, 0.0)
    for name, (total, bad) in (("a week", week), ("a day", day), ("the newest outcomes", newest)):
        low, _ = wilson(bad, max(total, bad), policy.certainty)
        if record.bad >= policy.min_invalid and bad >= 2 and low > policy.invalid_share:
            sentence = (
                f"{bad:.0f} of the {max(total, bad):.0f} recipients of {name} were invalid, certainly more "
                f"than {policy.invalid_share:.0%}"
            )
            return [_reason("invalid-share", sentence, Severity.ERROR)]
    total, bad = week
    if bad >= max(2, policy.min_invalid // 2) and bad > policy.invalid_share * total:
        sentence = (
            f"{bad:.0f} of {total:.0f} recipients were invalid; mail stops once the share is certainly "
            f"more than {policy.invalid_share:.0%}"
        )
        return [_reason("invalid-share", sentence, Severity.WARNING)]
    return []


def _too_many_networks(record: SenderRecord, policy: SenderPolicy) -> list[Reason]:
    count = record.networks_today
    if count < policy.networks:
        return []
    sentence = f"{count} client networks today; a person has a few, a botnet has hundreds"
    return [_reason("hundreds-of-networks", sentence, Severity.ERROR)]


def judge_mailing(  # noqa: PLR0913 -- all that the exception depends on
    record: SenderRecord,
    policy: SenderPolicy,
    *,
    size: int,
    new: int,
    is_own: bool | None,
    is_placed: bool,
    now: float,
) -> Judgement:
    """Return whether a mass mailing is the one that is tolerated, and note it if so.

    A letter to people whom the sender writes to anyway, such as the colleagues, is none.
    """
    if new <= policy.bulk:
        return Judgement(Measure.NOTHING)
    if is_own is False and record.days >= 3.0:
        sentence = f"{size} recipients in one message, from a network that the sender does not usually use"
        return _held("mass-mailing-elsewhere", sentence)
    age = now - record.mailing_at
    before = record.mailing if age < policy.apart else 0.0
    is_newcomer = record.days < 2.0 and is_placed
    most = min(UNTRIED, policy.max_recipients) if is_newcomer else policy.max_recipients
    if before + size > (most if age < DAY or not before else min(SMALL, most)):
        if before and age >= DAY:
            days = (policy.apart - age) / DAY
            sentence = (
                f"a second mass mailing within {policy.apart / DAY:.0f} days; the first went to {before:.0f} "
                f"people {age / DAY:.0f} days ago, the next is tolerated in {days:.0f}"
            )
            return _held("second-mass-mailing", sentence)
        sentence = f"{before + size:.0f} recipients of mass mailings; at most {most} are tolerated"
        return _held("too-many-recipients", sentence)
    if not before:
        record.mailing_at = now
    record.mailing = before + size
    return Judgement(Measure.NOTHING)


def _held(code: str, sentence: str) -> Judgement:
    return Judgement(Measure.HOLD, (_reason(code, sentence, Severity.ERROR),))


def block_for(judgement: Judgement, record: SenderRecord, policy: SenderPolicy, now: float) -> Block:
    """Return the block that a judgement calls for, longer after each of the last days."""
    before = sum(b.until is None or b.until > now - policy.remember for b in record.blocks)
    seconds = policy.blocks[min(before, len(policy.blocks) - 1)]
    code = judgement.reasons[0].code
    if code == "invalid-share" and record.bad >= policy.volume:
        seconds = None
    return Block(now, None if seconds is None else now + seconds, code)


def how_long(block: Block, now: float) -> str:
    """Return how long a block lasts, in words."""
    return "permanently" if block.until is None else f"for {duration(max(1.0, block.until - now))}"
