"""Addresses that must not be written to any more, and how events make them so."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mailflows._clock import to_datetime
from mailflows._mail.address import mailbox_of, mailboxes_of
from mailflows._mailbox import mailbox_key
from mailflows._stores import DocumentKeeper
from mailflows.errors import ConfigurationError
from mailflows.feedback._address import domain_of, home_of, require_text
from mailflows.feedback._brake import Brake, BrakePolicy
from mailflows.feedback._entry import DAMAGED, OPTED_OUT, Suppression, read_entry, written
from mailflows.feedback._event import Action, BounceReason, Event, EventType
from mailflows.feedback._selection import Selection, Undone, is_lifted
from mailflows.feedback._term import (
    DAY,
    days_in,
    end_of,
    lasts_longer,
    require_lasting,
    require_whole,
    require_zone,
    sensible,
)
from mailflows.feedback._twin import twin
from mailflows.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mailflows._clock import Clock
    from mailflows._stores import Documents
    from mailflows.feedback._brake import Braking

__all__ = ["SuppressionList"]

_log = logging.getLogger("mailflows.feedback")

_OF_THE_FLOW = frozenset({EventType.COMPLAINED, EventType.UNSUBSCRIBED})

_UNKNOWN = frozenset(map(str, (reason for reason in BounceReason if reason.is_unknown)))

_COUNTED = tuple(map(str, (reason for reason in BounceReason if reason.is_counted and not reason.is_unknown)))
"""Reasons whose suppression ends by itself: mailboxes are emptied and opened again."""


class SuppressionList:
    """Remembers which addresses must not be written to, and learns it from events.

    A dead mailbox or domain is suppressed at once and everywhere; a complaint or an unsubscription for the
    flow or the list that it was about. A full or disabled mailbox is counted: one a day, and a delivery
    sets the count back. Blocks, authentication and rates are the sender's business and never suppress an
    address.

    `is_suppressed` is the one way to ask: it knows the flow and the list.

    Args:
        store: Where it is kept: a store of `mailflows.limits`. Memory forgets with the process; SQLite
            and Redis last, and what `apply` or `add` returned for survives the death of the process.
        soft_limit: Days with a soft bounce, within *soft_window*, after which an address is suppressed.
            Five by default: a full mailbox over a holiday is no dead one.
        disabled_limit: The same for mailboxes that are said to be disabled; two by default.
        soft_window: Seconds in which they are counted; 30 days by default.
        soft_expires: Seconds after which such a suppression ends: mailboxes are emptied. 180 days by default.
        expires: Seconds after which the suppressions of a reason end, by reason; `None` for never. What
            is not named never ends, soft bounces excepted.
        remember: Seconds in which a second copy of an event changes nothing; 30 days by default.
        require_verified: Whether only events with a valid token of ours suppress (`Verp`). What was
            looked at and found forged never does.
        brake: When a wave of unknown addresses is held and not believed; `None` for never.
        on_brake: Called with a `Braking` when that happens, to tell the operator; it is logged anyway.
        clear: Whether to keep addresses in clear, beside their keyed hashes.
        clock: Returns the present moment in Unix seconds.

    Example:
        >>> from mailflows.feedback import from_reply
        >>> from mailflows.limits import MemoryStore
        >>> suppressions = SuppressionList(MemoryStore())
        >>> _ = suppressions.apply(from_reply(550, "5.1.1 User unknown", recipient="ada@example.org"))
        >>> suppressions.is_suppressed("Ada@Example.org"), suppressions.is_suppressed("bob@example.org")
        (True, False)
    """

    def __init__(  # noqa: PLR0913 -- the settings of a list
        self,
        store: Documents,
        *,
        soft_limit: int = 5,
        disabled_limit: int = 2,
        soft_window: float = 30 * DAY,
        soft_expires: float | None = 180 * DAY,
        expires: Mapping[str, float | None] | None = None,
        remember: float = 30 * DAY,
        require_verified: bool = False,
        brake: BrakePolicy | None = BrakePolicy(),  # noqa: B008 -- frozen
        on_brake: Callable[[Braking], object] | None = None,
        clear: bool = False,
        clock: Clock = time.time,
    ) -> None:
        for name, value in (("soft_limit", soft_limit), ("disabled_limit", disabled_limit)):
            require_whole(name, value)
        for name, seconds in (("soft_window", soft_window), ("remember", remember)):
            require_lasting(name, seconds)
        self._lifetimes = {**dict.fromkeys(_COUNTED, soft_expires), **(expires or {})}
        for name, lifetime in (("soft_expires", soft_expires), *self._lifetimes.items()):
            if lifetime is not None:
                require_lasting(name, lifetime)
        self._store = store
        self._keeper = DocumentKeeper(
            store, kind="suppressed", hooks=() if on_brake is None else (on_brake,), words=("raise",)
        )
        self._limits = {BounceReason.MAILBOX_DISABLED: disabled_limit}
        self._soft_limit = soft_limit
        self._soft_window = soft_window
        self._remember = remember
        self._require_verified = require_verified
        self._brake = None if brake is None else Brake(self._keeper, brake)
        self._clear = clear
        self._clock = clock

    def apply(
        self,
        event: Event,
        *,
        address: str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
    ) -> Suppression | None:
        """Learn from an event, and return the suppression that it caused, or `None`.

        Of several callers that bring one event at once, one gets the suppression.

        Args:
            event: What happened.
            address: The address that was written to, where you know it better than the report, such as
                from the event's ``recipient_id``.
            list: The mailing list that the message was for; an unsubscription then holds for it alone.

        Raises:
            StoreError: If the store could not answer; apply the event again.
        """
        if event.verified is False or (self._require_verified and not event.verified):
            return None
        mailbox = mailbox_of(str(address or event.written_to or ""))
        if mailbox is None:  # what a report names may be no address
            return None
        seen = self._seen_key(event, mailbox)
        if seen and self._keeper.load(seen) is not None:
            return None
        caused = self._learn(event, mailbox, list)
        # Last, so that a crash in between repeats the event and does not lose it.
        if seen and not self._store.swap(seen, None, b"1", ttl=self._remember):
            return None  # another was faster; what both have written is the same
        if event.type is EventType.DELIVERED and self._brake is not None:
            self._brake.delivered(home_of(mailbox), self._moment(event))
        return caused

    def add(  # noqa: PLR0913 -- what an entry says
        self,
        address: str,
        *,
        reason: str = "manual",
        flow: Flow | str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
        time: datetime | None = None,
        expires: float | timedelta | datetime | None = None,
    ) -> Suppression:
        """Suppress an address.

        Args:
            address: The address, in any spelling, with or without a display name.
            reason: Why, in a word.
            flow: The flow that it shall hold for; all by default.
            list: The mailing list that it shall hold for; all by default.
            time: Since when, in UTC; now by default.
            expires: Seconds until it ends, from now, or the moment; by default never, or as the list's
                *expires* says for this reason. It never ends where it is more than a century away.

        Raises:
            ConfigurationError: If it is no address, *flow* is no flow, or a moment has no time zone.
            StoreError: If the store could not answer.
        """
        entry = self.entry(address, reason=reason, flow=flow, list=list, time=time, expires=expires)
        self.put(entry)
        return entry

    def entry(  # noqa: PLR0913 -- as `add`
        self,
        address: str,
        *,
        reason: str = "manual",
        flow: Flow | str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
        time: datetime | None = None,
        expires: float | timedelta | datetime | None = None,
    ) -> Suppression:
        """Return what `add` would keep, and keep nothing.

        Raises:
            ConfigurationError: If it is no address, *flow* is no flow, or a moment has no time zone.
        """
        require_text(address)
        mailbox = mailbox_of(address)
        if mailbox is None:
            msg = "this is not an address: it has no @" if "@" not in address else "this is not one address"
            raise ConfigurationError(msg, field="address")
        return self._entry(mailbox, reason=str(reason), flow=flow, list=list, time=time, expires=expires)

    def put(self, entry: Suppression) -> bool:
        """Keep an entry as it is, such as one of another list with the same store key; say whether it holds.

        An entry that lasts longer is not replaced by a shorter one.

        Raises:
            StoreError: If the store could not answer.
        """
        for name in ("time", "expires"):
            require_zone(name, getattr(entry, name))
        document = written(entry)
        seconds = None if entry.expires is None else (entry.expires - self.now).total_seconds()
        if seconds is not None and seconds <= 0:
            return False

        def change(old: bytes | None) -> bytes:
            kept = None if old is None else read_entry(old)
            return document if old is None or kept is None or not lasts_longer(kept, entry) else old

        self._keeper.update(self._key(entry.key, entry.flow, entry.list), change, ttl=seconds)
        return True

    def find(
        self,
        address: str,
        *,
        flow: Flow | str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
    ) -> Suppression | None:
        """Return why an address is suppressed: everywhere, for a flow, or for a list; or `None`.

        Of a text that names several addresses, the first that is suppressed.

        Raises:
            ConfigurationError: If it is no text, or *flow* is no flow.
            StoreError: If the store could not answer.
        """
        require_text(address)
        for mailbox in mailboxes_of(address) or (address,):
            found = self._find(self._digest(mailbox), flow, list)
            if found is not None:
                return found
        return None

    def is_suppressed(
        self,
        address: str,
        *,
        flow: Flow | str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
    ) -> bool:
        """Say whether an address must not be written to.

        Without a flow or a list, whether it is suppressed everywhere: ask with the flow of the message.

        Raises:
            ValueError: If *flow* is none of the three.
            StoreError: If the store could not answer.
        """
        return self.find(address, flow=flow, list=list) is not None

    @property
    def now(self) -> datetime:
        """The present moment of the list's clock."""
        return to_datetime(self._clock())

    def held(self) -> Iterator[Suppression]:
        """Yield the entries that wait for a decision: `confirm` or `undo` them."""
        return (entry for entry in self if entry.held)

    def counts(self) -> Mapping[tuple[str, str], int]:
        """Return how many entries there are of each scope and reason."""
        return dict(Counter((entry.scope, entry.reason) for entry in self).most_common())

    def __iter__(self) -> Iterator[Suppression]:
        """Yield every entry that holds, in no order."""
        now = self.now
        for key, document in self._keeper.scan():
            entry = read_entry(document)
            if entry is None:
                _log.warning("the entry %s is damaged; its address stays suppressed", key)
            elif entry.expires is None or entry.expires > now:
                yield entry

    def __call__(self, address: str) -> bool:
        """Say whether an address is suppressed everywhere, where a function is asked for."""
        return self.is_suppressed(address)

    __contains__ = None  # ``address in suppressions`` would not know the flow: ask `is_suppressed`

    def __repr__(self) -> str:
        return f"<SuppressionList in {self._store!r}>"

    def remove(
        self,
        address: str,
        *,
        flow: Flow | str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
    ) -> bool:
        """Allow an address again, in one scope, and say whether it was suppressed there.

        Its soft bounces are forgotten, too.

        Raises:
            ConfigurationError: If it is no text, or *flow* is no flow.
            StoreError: If the store could not answer.
        """
        require_text(address)
        digest = self._digest(mailbox_of(address) or address)
        key = self._key(digest, flow, list)
        was = self._keeper.load(key) is not None
        self._keeper.remove(key)
        self._keeper.remove(f"bounces:{digest}")
        return was

    def undo(  # noqa: PLR0913 -- what may be known of an outage
        self,
        *,
        domain: str | None = None,
        mailbox_provider: str | None = None,
        esp: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        reason: str | None = None,
        preview: bool = False,
    ) -> Undone:
        """Take back what an outage suppressed, in one call; the same events, posted again, change nothing.

        Everything that is given must hold. Only bounces are taken back, unless *reason* names another.

        Args:
            domain: The domain of the addresses.
            mailbox_provider: Who gives the mailboxes: ``google``, ``outlook``, …, or the domain.
            esp: Who told it: ``sendgrid``, ``dsn``, ``smtp``, …
            since: The first moment, with a time zone.
            until: The last moment.
            reason: The reason, such as ``mailbox-unknown``.
            preview: Change nothing, only say what would be.

        Raises:
            ConfigurationError: If nothing says what is meant, or a moment has no time zone.
            StoreError: If the store could not answer; call again, what is undone stays so.
        """
        chosen = Selection(domain, mailbox_provider, esp, since, until, reason)
        found = [entry for entry in self if entry in chosen]
        if not preview:
            found = [entry for entry in found if self._lift(entry, chosen)]
        return Undone(len(found), preview, tuple(found))

    def confirm(  # noqa: PLR0913 -- as `undo`
        self,
        *,
        domain: str | None = None,
        mailbox_provider: str | None = None,
        esp: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        reason: str | None = None,
    ) -> int:
        """Believe held bounces after all: they last from now on. Return how many.

        Raises:
            ConfigurationError: If nothing says what is meant, or a moment has no time zone.
            StoreError: If the store could not answer.
        """
        chosen = Selection(domain, mailbox_provider, esp, since, until, reason)
        count = 0
        for entry in self.held():
            if entry in chosen:
                self.put(replace(entry, held=False, expires=self._ends(entry.reason)))
                count += 1
        return count

    def forget(self, address: str) -> int:
        """Erase what is known of a person, and return how many entries that were.

        Who complained or left stays suppressed, by the keyed hash alone: erasing an objection would
        mean writing to them again.

        Raises:
            ConfigurationError: If it is no text.
            StoreError: If the store could not answer.
        """
        require_text(address)
        digest = self._digest(mailbox_of(address) or address)
        self._keeper.remove(f"bounces:{digest}")
        count = 0
        for key, document in self._keeper.scan():
            if not key.endswith(f":{digest}"):
                continue
            entry = read_entry(document)
            kept = None
            if entry is not None and (entry.reason in _OF_THE_FLOW or entry.reason == OPTED_OUT):
                bare = replace(entry, address=None, domain=None, event_id=None, status=None, smtp_code=None)
                kept = written(bare)
            self._store.swap(key, document, kept, ttl=None)
            count += 1
        return count

    aapply, aadd, aput = twin(apply), twin(add), twin(put)
    afind, ais_suppressed, acounts = twin(find), twin(is_suppressed), twin(counts)
    aremove, aundo, aconfirm, aforget = twin(remove), twin(undo), twin(confirm), twin(forget)

    def _learn(self, event: Event, mailbox: str, name: str | None) -> Suppression | None:
        """Do what an event asks for."""
        if event.type is EventType.DELIVERED:
            self._keeper.remove(f"bounces:{self._digest(mailbox)}")
        elif event.type is EventType.SUBSCRIBED:
            self._welcome(event, mailbox, name)
        elif event.action is Action.SUPPRESS:
            if event.type in _OF_THE_FLOW or event.reason is BounceReason.POLICY:
                return self._opt_out(event, mailbox, name)
            return self._bury(event, mailbox)
        elif event.type is EventType.BOUNCED and event.reason and event.reason.is_counted:
            return self._count(event, mailbox)
        return None

    def _opt_out(self, event: Event, mailbox: str, name: str | None) -> Suppression:
        """Suppress who complained or left: for the list, or for the flow.

        Nobody unsubscribes from password resets: what does not say its flow was about marketing. A
        complaint that does not say it may be about any.
        """
        is_complaint = event.type is EventType.COMPLAINED
        flow = event.flow or (None if is_complaint else Flow.MARKETING)
        reason = str(event.type) if event.type in _OF_THE_FLOW else OPTED_OUT
        entry = self._entry(
            mailbox, event, reason=reason, flow=flow, list=None if is_complaint else name, about=event.list
        )
        self.put(entry)
        return entry

    def _bury(self, event: Event, mailbox: str) -> Suppression:
        """Suppress a dead address everywhere, or hold it while its provider is not believed."""
        entry = self._entry(mailbox, event, reason=str(event.reason or event.type))
        if self._brake is not None and event.reason and event.reason.is_unknown:
            at = self._moment(event)
            held, told, earlier = self._brake.unknown(home_of(mailbox), entry.key, at)
            if held:
                entry = replace(entry, held=True, expires=self.now + self._brake.hold)
            if told is not None:
                self._hold_back(self._brake, earlier, told)
        self.put(entry)
        return entry

    def _hold_back(self, brake: Brake, digests: tuple[str, ...], told: Braking) -> None:
        """Hold those, too, that came before the brake was put on, and tell the operator."""
        end = self.now + brake.hold

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
            self._keeper.update(self._key(digest, None, None), change, ttl=brake.hold.total_seconds())
        _log.warning("%s", told)
        self._keeper.tell(told)

    def _welcome(self, event: Event, mailbox: str, name: str | None) -> None:
        """Lift what the same provider had told before somebody came back; a complaint stays."""
        digest = self._digest(mailbox)
        flow = event.flow or Flow.MARKETING
        keys = [self._key(digest, flow, None)]
        keys += [self._key(digest, None, name)] if name is not None else []
        keys += [self._key(digest, None, None)] if event.list is None else []

        def change(old: bytes | None) -> bytes | None:
            entry = None if old is None else read_entry(old)
            return None if entry is not None and is_lifted(entry, event) else old

        for key in keys:
            self._keeper.update(key, change)

    def _count(self, event: Event, mailbox: str) -> Suppression | None:
        """Note a day with a soft bounce, and suppress the address after enough of them."""
        moment = self._moment(event)
        today, oldest = (
            t.date().isoformat() for t in (moment, moment - timedelta(seconds=self._soft_window))
        )

        def change(old: bytes | None) -> bytes:
            days = {day for day in days_in(old) if day > oldest} | {today}
            return json.dumps(sorted(days)).encode()

        days = self._keeper.update(f"bounces:{self._digest(mailbox)}", change, ttl=self._soft_window)
        limit = self._limits.get(event.reason or BounceReason.OTHER, self._soft_limit)
        if len(days_in(days)) < limit:
            return None
        reason = str(event.reason)
        lifetime = self._lifetimes.get(reason, self._lifetimes.get(BounceReason.MAILBOX_FULL))
        entry = self._entry(mailbox, event, reason=reason, expires=lifetime)
        self.put(entry)
        return entry

    def _entry(  # noqa: PLR0913 -- what an entry says
        self,
        mailbox: str,
        event: Event | None = None,
        *,
        reason: str,
        flow: Flow | str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
        time: datetime | None = None,
        expires: float | timedelta | datetime | None = None,
        about: str | None = None,
    ) -> Suppression:
        """Return the entry that an address and an event make."""
        now = self.now
        return Suppression(
            key=self._digest(mailbox),
            reason=reason,
            time=time or now,
            expires=self._ends(reason) if expires is None else end_of(expires, now),
            flow=None if flow is None or list is not None else Flow(flow),
            list=list,
            address=mailbox if self._clear else None,
            domain=domain_of(mailbox),
            provider=event.provider if event else "",
            status=event.status if event else None,
            smtp_code=event.smtp_code if event else None,
            event_id=event.event_id if event else None,
            event_time=sensible(event.time, now) if event and event.time else None,
            about=about,
        )

    def _ends(self, reason: str) -> datetime | None:
        """Return when a suppression of a reason ends that begins now, or `None` for never."""
        return end_of(self._lifetimes.get(reason), self.now)

    def _moment(self, event: Event) -> datetime:
        return sensible(event.time, self.now)

    def _find(self, digest: str, flow: Flow | str | None, name: str | None) -> Suppression | None:
        keys = [self._key(digest, None, None)]
        if flow is not None:
            keys.append(self._key(digest, flow, None))
        if name is not None:
            keys.append(self._key(digest, None, name))
        now = self.now
        for key in keys:
            document = self._keeper.load(key)
            if document is None:
                continue
            entry = read_entry(document) or Suppression(digest, DAMAGED, now)
            if entry.expires is None or entry.expires > now:
                return entry
        return None

    def _lift(self, entry: Suppression, chosen: Selection) -> bool:
        """Remove an entry that is still one of those that are meant, and say whether it was."""
        gone = [False]

        def change(old: bytes | None) -> bytes | None:
            now = None if old is None else read_entry(old)
            gone[0] = now is not None and now in chosen
            return None if gone[0] else old

        self._keeper.update(self._key(entry.key, entry.flow, entry.list), change)
        if gone[0]:
            self._keeper.remove(f"bounces:{entry.key}")
        return gone[0]

    def _seen_key(self, event: Event, mailbox: str) -> str | None:
        """Return the key under which an event is remembered, or `None` where nothing names it."""
        name = event.event_id or (event.message_id and event.time and f"{event.message_id} {event.time}")
        if not name and event.time and event.provider and not isinstance(event.raw, bytes | None):
            name = f"{event.time} {event.list} {event.url}"  # a webhook whose events have no ids
        if not name:
            return None
        return f"seen:{self._store.digest(f'{event.provider} {name} {event.type} {mailbox_key(mailbox)}')}"

    def _digest(self, address: str) -> str:
        return self._store.digest(mailbox_key(address))

    def _key(self, digest: str, flow: Flow | str | None, name: str | None) -> str:
        """Return the key of an entry; the name of a list may be anything, so it is hashed."""
        if name is not None:
            return f"suppressed:list:{self._store.digest(f'list {name}')}:{digest}"
        return f"suppressed:global:{digest}" if flow is None else f"suppressed:flow:{Flow(flow)}:{digest}"
