"""What a suppression list learns from an event, as steps of a conversation with a store."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mailflows._mailbox import mailbox_key
from mailflows.feedback._address import home_of
from mailflows.feedback._entry import OPTED_OUT, Suppression, read_entry, written
from mailflows.feedback._event import Action, BounceReason, Event, EventType
from mailflows.feedback._expiry import days_in
from mailflows.feedback._ledger import OF_THE_FLOW
from mailflows.feedback._selection import is_lifted
from mailflows.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mailflows._stores._documents import Steps
    from mailflows.feedback._ledger import Ledger
    from mailflows.feedback._outage import Outage, OutageWatch

__all__ = ["Learning"]

_UNKNOWN = frozenset(map(str, (reason for reason in BounceReason if reason.is_unknown)))

_log = logging.getLogger("mailflows.feedback")


class Learning:
    """Learns from events.

    Args:
        ledger: Where entries are put.
        outage: What is asked about unknown addresses, or `None`.
        tell: Called with an `Outage`.
        limits: Days with a soft bounce after which an address is suppressed, by reason.
        soft_limit: The same for all other reasons.
        soft_window: Seconds in which they are counted.
        remember: Seconds in which a second copy of an event changes nothing.
    """

    def __init__(  # noqa: PLR0913 -- the settings of a list
        self,
        ledger: Ledger,
        *,
        outage: OutageWatch | None,
        tell: Callable[[Outage], object],
        limits: Mapping[BounceReason, int],
        soft_limit: int,
        soft_window: float,
        remember: float,
    ) -> None:
        self._ledger = ledger
        self._outages = outage
        self._tell = tell
        self._limits = limits
        self._soft_limit = soft_limit
        self._soft_window = soft_window
        self._remember = remember

    def apply(self, event: Event, mailbox: str, name: str | None) -> Steps[Suppression | None]:
        """Learn from an event once, and return the suppression that it caused."""
        seen = yield from _seen_key(event, mailbox)
        if seen and (yield "load", (seen,)) is not None:
            return None
        caused = yield from self._learn(event, mailbox, name)
        # Last, so that a crash in between repeats the event and does not lose it.
        if seen and not (yield "swap", (seen, None, b"1", self._remember)):
            return None  # another was faster; what both have written is the same
        if event.type is EventType.DELIVERED and self._outages is not None:
            yield from self._outages.delivered(home_of(mailbox), self._ledger.moment(event))
        return caused

    def _learn(self, event: Event, mailbox: str, name: str | None) -> Steps[Suppression | None]:
        """Do what an event asks for."""
        if event.type is EventType.DELIVERED:
            yield "remove", (f"bounces:{(yield from self._ledger.digest(mailbox))}",)
        elif event.type is EventType.SUBSCRIBED:
            yield from self._welcome(event, mailbox, name)
        elif event.action is Action.SUPPRESS:
            if event.type in OF_THE_FLOW or event.reason is BounceReason.POLICY:
                return (yield from self._opt_out(event, mailbox, name))
            return (yield from self._bury(event, mailbox))
        elif event.type is EventType.BOUNCED and event.reason and event.reason.is_counted:
            return (yield from self._count(event, mailbox))
        return None

    def _opt_out(self, event: Event, mailbox: str, name: str | None) -> Steps[Suppression]:
        """Suppress people who complained or unsubscribed: for the list, or for the flow.

        Nobody unsubscribes from password resets: what does not say its flow was about marketing. A
        complaint that does not say it may be about any.
        """
        is_complaint = event.type is EventType.COMPLAINED
        flow = event.flow or (None if is_complaint else Flow.MARKETING)
        reason = str(event.type) if event.type in OF_THE_FLOW else OPTED_OUT
        list_ = None if is_complaint else name
        entry = yield from self._ledger.entry(
            mailbox, event, reason=reason, flow=flow, list=list_, about=event.list
        )
        yield from self._ledger.put(entry)
        return entry

    def _bury(self, event: Event, mailbox: str) -> Steps[Suppression]:
        """Suppress a dead address everywhere, or hold it while its provider is not believed."""
        ledger, outage = self._ledger, self._outages
        entry = yield from ledger.entry(mailbox, event, reason=str(event.reason or event.type))
        if outage is not None and event.reason and event.reason.is_unknown:
            at = ledger.moment(event)
            held, told, earlier = yield from outage.unknown(home_of(mailbox), entry.key, at)
            if held:
                entry = replace(entry, held=True, expires=ledger.now + outage.hold)
            if told is not None:
                yield from self._hold_back(outage.hold, earlier, told)
        yield from ledger.put(entry)
        return entry

    def _hold_back(self, hold: timedelta, digests: tuple[str, ...], told: Outage) -> Steps[None]:
        """Hold those, too, that came before the outage was noticed, and tell the operator."""
        end = self._ledger.now + hold

        def change(old: bytes | None) -> bytes | None:
            entry = None if old is None else read_entry(old)
            if (
                entry is None
                or entry.held
                or entry.reason not in _UNKNOWN
                or (entry.event_time or entry.time) < told.since
            ):
                return old
            return written(replace(entry, held=True, expires=end))

        for digest in digests:
            key = yield from self._ledger.key(digest, None, None)
            yield "update", (key, change, hold.total_seconds())
        _log.warning("%s", told)
        self._tell(told)

    def _welcome(self, event: Event, mailbox: str, name: str | None) -> Steps[None]:
        """Lift what the same provider had told before somebody came back; a complaint stays."""
        digest = yield from self._ledger.digest(mailbox)
        scopes: list[tuple[Flow | None, str | None]] = [(event.flow or Flow.MARKETING, None)]
        scopes += [(None, name)] if name is not None else []
        # Joining one list does not lift what holds for all mail.
        scopes += [(None, None)] if event.list is None else []

        def change(old: bytes | None) -> bytes | None:
            entry = None if old is None else read_entry(old)
            return None if entry is not None and is_lifted(entry, event) else old

        for scope in scopes:
            yield "update", ((yield from self._ledger.key(digest, *scope)), change)

    def _count(self, event: Event, mailbox: str) -> Steps[Suppression | None]:
        """Note a day with a soft bounce, and suppress the address after enough of them."""
        moment = self._ledger.moment(event)
        today, oldest = (
            t.date().isoformat() for t in (moment, moment - timedelta(seconds=self._soft_window))
        )

        def change(old: bytes | None) -> bytes:
            days = {day for day in days_in(old) if day > oldest} | {today}
            return json.dumps(sorted(days)).encode()

        digest = yield from self._ledger.digest(mailbox)
        days = yield "update", (f"bounces:{digest}", change, self._soft_window)
        limit = self._limits.get(event.reason or BounceReason.OTHER, self._soft_limit)
        if len(days_in(days)) < limit:
            return None
        reason, lifetimes = str(event.reason), self._ledger.lifetimes
        lifetime = lifetimes.get(reason, lifetimes.get(BounceReason.MAILBOX_FULL))
        entry = yield from self._ledger.entry(mailbox, event, reason=reason, expires=lifetime)
        yield from self._ledger.put(entry)
        return entry


def _seen_key(event: Event, mailbox: str) -> Steps[str | None]:
    """Return the key under which an event is remembered, or `None` where nothing names it."""
    name = event.event_id or (event.message_id and event.time and f"{event.message_id} {event.time}")
    if not name and event.time and event.provider and not isinstance(event.raw, bytes | None):
        name = f"{event.time} {event.list} {event.url}"  # a webhook whose events have no ids
    if not name:
        return None
    digest = yield "digest", (f"{event.provider} {name} {event.type} {mailbox_key(mailbox)}",)
    return f"seen:{digest}"
