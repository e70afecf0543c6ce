"""A provider's outage: if it suddenly reports live mailboxes as unknown, it is not believed at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mailflows._result import Result, printable
from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime

    from mailflows._stores._documents import Change, Steps

__all__ = ["Outage", "OutagePolicy", "OutageWatch"]

_DAY = timedelta(days=1)
_DAYS_BACK = 7
"""Days in which the provider must have accepted mail; choice: a newsletter goes out once a week."""

_MOST_KEPT = 200
"""Recent unknown addresses that a document knows, to hold their entries as well; bound: 10 kB."""


@dataclass(frozen=True, slots=True)
class OutagePolicy:
    """When a wave of "unknown user" bounces counts as a provider's outage.

    In December 2020 Gmail answered "550 5.1.1" for existing accounts for more than two hours; senders who
    believed it lost those subscribers.

    Attributes:
        share: Share of "unknown user" among a provider's replies within the window, from which these bounces
            are held. A list that was never cleaned has 10 to 20 %.
        least: Minimum number of unknown addresses.
        window: Seconds over which replies are counted.
        pause: Seconds for which hard bounces are held after the last such wave.
        hold: Seconds after which a held entry expires if nobody decides; the next message then shows whether
            the address exists.

    Raises:
        ConfigurationError: If a number is not positive, or a share is above 1.

    Example:
        >>> OutagePolicy(least=50).share
        0.3
    """

    share: float = 0.3
    least: int = 20
    window: float = 600.0
    pause: float = 3600.0
    hold: float = 7 * 86400.0

    def __post_init__(self) -> None:
        for name in ("share", "window", "pause", "hold"):
            value: object = getattr(self, name)
            most = 1.0 if name == "share" else float("inf")
            if not isinstance(value, int | float) or not 0 < value <= most or value == float("inf"):
                msg = f"{name} must be a number above 0, and a share at most 1; got {value!r}"
                raise ConfigurationError(msg, field=name)
        if self.least < 1:
            msg = f"least must be a whole number of at least 1; got {self.least!r}"
            raise ConfigurationError(msg, field="least")


@dataclass(frozen=True, slots=True)
class Outage(Result):
    """A suspected outage: a provider reports too many unknown addresses to be believed.

    Attributes:
        mailbox_provider: The provider that suddenly reports addresses as unknown.
        unknown: Number of addresses that it rejected as unknown within the window.
        delivered: Number of messages that it accepted within the window.
        since: When the first of these bounces was reported.
        until: Until when hard bounces of this provider are held.

    Example:
        >>> from datetime import UTC, datetime
        >>> began = datetime(2026, 2, 14, 9, tzinfo=UTC)
        >>> wave = Outage("google", unknown=40, delivered=20, since=began, until=began.replace(hour=10))
        >>> print(wave)  # doctest: +ELLIPSIS
        google rejected 40 of 60 addresses as unknown since 2026-02-14 09:00 UTC, ...
    """

    mailbox_provider: str
    unknown: int
    delivered: int
    since: datetime
    until: datetime

    def __str__(self) -> str:
        """Return one line."""
        total = self.unknown + self.delivered
        return printable(
            f"{self.mailbox_provider} rejected {self.unknown} of {total} addresses as unknown since "
            f"{self.since:%Y-%m-%d %H:%M} UTC, although it accepted mail before; its hard bounces are held "
            f"until {self.until:%H:%M} UTC: confirm or undo them"
        )


class OutageWatch:
    """Counts what each mailbox provider accepts and reports as unknown; one document per provider."""

    def __init__(self, policy: OutagePolicy) -> None:
        self._policy = policy

    @property
    def hold(self) -> timedelta:
        """How long an entry is held."""
        return timedelta(seconds=self._policy.hold)

    def delivered(self, provider: str, at: datetime) -> Steps[None]:
        """Count a message that a provider accepted."""

        def change(old: bytes | None) -> bytes:
            state = self._recent(old, at)
            days = {*state["days"], at.date().isoformat()}
            good = state["good"]
            minute = int(at.timestamp() // 60)
            if good and good[-1][0] == minute:
                good[-1][1] += 1
            else:
                good.append([minute, 1])
            return _dumped(state | {"days": sorted(days)[-_DAYS_BACK:], "good": good})

        yield from self._change(provider, change)

    def unknown(
        self, provider: str, digest: str, at: datetime
    ) -> Steps[tuple[bool, Outage | None, tuple[str, ...]]]:
        """Count an address that a provider reports as unknown.

        Returns:
            Whether it is to be held; what to tell, where the outage began with this one; and the hashes
            of those that came before it in the same wave.
        """
        told: list[Outage | None] = [None]

        def change(old: bytes | None) -> bytes:
            told[0] = None
            state = self._recent(old, at)
            bad = [one for one in state["bad"] if one[1] != digest]
            bad = [*bad, [at.timestamp(), digest]][-_MOST_KEPT:]
            state = state | {"bad": bad}
            if self._is_wave(state, at):
                was_on = state["until"] > at.timestamp()
                state["until"] = at.timestamp() + self._policy.pause
                told[0] = None if was_on else self._outage(provider, state, at)
            return _dumped(state)

        state = json.loads((yield from self._change(provider, change)) or b"{}")
        held = state["until"] > at.timestamp()
        earlier = tuple(one[1] for one in state["bad"]) if told[0] else ()
        return held, told[0], earlier

    def _is_wave(self, state: dict[str, Any], at: datetime) -> bool:
        bad, good = len(state["bad"]), sum(count for _, count in state["good"])
        earlier = at.date().isoformat()
        took_mail = any(day < earlier for day in state["days"])
        return took_mail and bad >= self._policy.least and bad >= self._policy.share * (bad + good)

    def _outage(self, provider: str, state: dict[str, Any], at: datetime) -> Outage:
        bad = state["bad"]
        return Outage(
            mailbox_provider=provider,
            unknown=len(bad),
            delivered=sum(count for _, count in state["good"]),
            since=at - timedelta(seconds=at.timestamp() - min(one[0] for one in bad)),
            until=at + timedelta(seconds=self._policy.pause),
        )

    def _recent(self, document: bytes | None, at: datetime) -> dict[str, Any]:
        """Return what a document says of the window before a moment; nothing where it is damaged."""
        try:
            found = json.loads(document or b"{}")
            oldest = at.timestamp() - self._policy.window
            return {
                "days": [
                    day for day in found.get("days", ()) if day >= (at - _DAYS_BACK * _DAY).date().isoformat()
                ],
                "good": [
                    [minute, count] for minute, count in found.get("good", ()) if minute * 60 > oldest - 60
                ],
                "bad": [[moment, digest] for moment, digest in found.get("bad", ()) if moment > oldest],
                "until": float(found.get("until", 0.0)),
            }
        except (ValueError, TypeError, AttributeError):
            return {"days": [], "good": [], "bad": [], "until": 0.0}

    def _change(self, provider: str, change: Change) -> Steps[bytes | None]:
        digest = yield "digest", (f"provider {provider}",)
        life = _DAYS_BACK * _DAY.total_seconds() + self._policy.pause
        return (yield "update", (f"outage:{digest}", change, life))  # type: ignore[no-any-return]


def _dumped(state: dict[str, Any]) -> bytes:
    return json.dumps(state, separators=(",", ":")).encode()
