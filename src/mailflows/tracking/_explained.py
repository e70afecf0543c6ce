"""A campaign in words, for whoever decides what the next one will be."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import TYPE_CHECKING, Protocol

from mailflows import _data
from mailflows._result import in_list, number_of, printable
from mailflows.feedback import BounceReason
from mailflows.tracking._clients import HitKind
from mailflows.tracking._tables import percent

if TYPE_CHECKING:
    from mailflows.tracking._tables import LinkClicks, Rate

__all__ = ["in_words"]

_FEW = 30
"""Choice: clicks below which a share tells little; its interval is then as wide as it is."""

_NAMED = 3
"""Choice: reasons of bounces that a paragraph names; the others are in the table."""

_LONGEST = 100
"""Choice: letters of a link that fit into a sentence."""


class Told(Protocol):
    """What is told of a campaign, as `CampaignStats` has it."""

    @property
    def campaign(self) -> str: ...
    @property
    def hits(self) -> dict[str, int]: ...
    @property
    def links(self) -> tuple[LinkClicks, ...]: ...
    @property
    def bounces(self) -> dict[str, int]: ...
    @property
    def unattributed(self) -> dict[str, int]: ...
    @property
    def confidence(self) -> float: ...

    def rate(self, name: str) -> Rate:
        """Return a rate by its name."""


def in_words(stats: Told) -> str:
    """Return one paragraph: what arrived, who opened and clicked, who left, and what to do next."""
    if not stats.rate("delivered").of:
        return " ".join(filter(None, (_arrived(stats), _uncounted(stats))))
    parts = (
        _arrived(stats),
        _bounced(stats),
        _opened(stats),
        _clicked(stats),
        _left(stats),
        _uncounted(stats),
    )
    return " ".join(filter(None, (*parts, *_next_steps(stats))))


def _arrived(stats: Told) -> str:
    rate = stats.rate("delivered")
    what = f'The campaign "{printable(stats.campaign)}" was' if stats.campaign else "The messages were"
    if not rate.of:
        return f"{what} sent to nobody, according to the events."
    share = f" ({percent(rate.count / rate.of)})" if rate.count < rate.of else ""
    who = "all of them" if rate.count == rate.of else f"{rate.count} of them{share}"
    return f"{what} sent to {number_of(rate.of, 'recipient')} and delivered to {who}."


def _bounced(stats: Told) -> str:
    hard, soft = stats.rate("hard bounces").count, stats.rate("soft bounces").count
    if not hard + soft:
        return ""
    told = [f"{count} {how}" for count, how in ((hard, "permanently"), (soft, "temporarily")) if count]
    known = [(code, count) for code, count in stats.bounces.items() if code != BounceReason.OTHER]
    reasons = [f"{code.replace('-', ' ')} ({count})" for code, count in known[:_NAMED]]
    verb = "reason is" if len(reasons) == 1 else "reasons are"
    why = f"; the most frequent known {verb} {in_list(reasons)}" if reasons else ""
    return f"Bounced: {in_list(told)}{why}."


def _opened(stats: Told) -> str:
    """Say who opened, and of whom that cannot be told."""
    rate, delivered = stats.rate("opened by people"), stats.rate("delivered").count
    if not rate.count:
        return "No opens by people were recorded: they need a pixel, and readers who load images."
    hidden = delivered - rate.of
    told = f"Opened by people: {_share_of(rate)}"
    if hidden <= 0:
        return f"{told}."
    return f"{told} whose opens can be seen; those of {hidden} others are hidden by their mail program."


def _clicked(stats: Told) -> str:
    rate = stats.rate("clicked")
    programs = sum(
        count for name, count in stats.hits.items() if name == f"clicked by {HitKind.SCANNER.value}"
    )
    apart = (
        f" {number_of(programs, 'click')} by security scanners and link previews {_be(programs)} not counted."
    )
    if not rate.of or not rate.count:
        return f"Nobody clicked.{apart if programs else ''}"
    sure = f"{stats.confidence:.0%} certainty between {percent(rate.low)} and {percent(rate.high)}"
    said = f"Clicked: {_share_of(rate)}, with {sure}"
    if stats.links:
        best = stats.links[0]
        said += (
            f"; most often {printable(best.url)[:_LONGEST]} ({number_of(best.people, 'person', 'people')})"
        )
    return f"{said}.{apart if programs else ''}"


def _left(stats: Told) -> str:
    gone, angry = stats.rate("unsubscribed"), stats.rate("complained")
    if not gone.of:
        return ""
    if not gone.count + angry.count:
        return "Nobody unsubscribed or complained."
    told = [_counted(gone, "unsubscribed"), _counted(angry, "complained")]
    return f"{in_list(told)}."


def _uncounted(stats: Told) -> str:
    if not stats.unattributed:
        return ""
    total = sum(stats.unattributed.values())
    kinds = in_list([f"{count} {kind}" for kind, count in stats.unattributed.items()])
    return f"{number_of(total, 'event')} ({kinds}) {_be(total)} not counted, because they name no campaign."


def _next_steps(stats: Told) -> list[str]:
    """Return what to do, the most urgent first."""
    steps = []
    complained, bounced, clicked = (stats.rate(n) for n in ("complained", "hard bounces", "clicked"))
    if complained.low > (most := _limit("complaints", "stop")):
        steps.append(
            f"Complaints are above the {percent(most)} at which mailbox providers reject mail: pause, and "
            "send only to people who asked for it and opened or clicked recently."
        )
    elif complained.count > complained.of * (warn := _limit("complaints", "warn")):
        chance = "; with so few, it may be chance" if complained.low <= warn else ""
        steps.append(f"Complaints should stay below {percent(warn)}{chance}: watch the next campaign.")
    if bounced.low > (most := _limit("bounces", "warn")):
        steps.append(
            f"Permanent bounces are above {percent(most)}, which costs reputation: check the list before it "
            "is used again, and suppress these addresses."
        )
    if 0 < clicked.count < _FEW:
        steps.append("So few clicks say little about whether one mailing did better than another.")
    return steps


def _share_of(rate: Rate) -> str:
    return f"{rate.count} of {rate.of} ({percent(rate.count / rate.of)})"


def _counted(rate: Rate, what: str) -> str:
    return f"{rate.count or 'nobody'} {what}" + (f" ({percent(rate.count / rate.of)})" if rate.count else "")


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


@cache
def _limit(metric: str, level: str) -> float:
    """Return the strictest rate of the providers that publish one."""
    rows = tomllib.loads(_data.read("flows/thresholds.toml"))["rates"]
    return min(float(row[level]) for row in rows if row["metric"] == metric)
