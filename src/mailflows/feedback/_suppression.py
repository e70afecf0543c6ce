"""Addresses that must not be written to any more, and how events make them so."""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mailflows._clock import to_datetime
from mailflows._mailbox import mailbox_key
from mailflows._stores import update
from mailflows.errors import ConfigurationError
from mailflows.feedback._event import Action, BounceReason, Event, EventType
from mailflows.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows._clock import Clock
    from mailflows._stores import Documents

__all__ = ["Suppression", "SuppressionList"]

DAY = 86400.0
_log = logging.getLogger("mailflows.feedback")

LONGEST = 100 * 365 * DAY
"""Seconds: a suppression that is to last longer lasts for ever."""

DAMAGED = "damaged"
"""The reason of an entry that cannot be read; what is known is that the address is not to be written to."""

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""No bounce is older; what a report says may be."""

_OF_THE_FLOW = frozenset({EventType.COMPLAINED, EventType.UNSUBSCRIBED})


@dataclass(frozen=True, slots=True)
class Suppression:
    """One address that must not be written to.

    Attributes:
        key: Keyed hash of the address; the same for every spelling of one mailbox.
        reason: Why: a `BounceReason`, ``complained``, ``unsubscribed``, ``manual`` or your own word.
        time: Since when, in UTC.
        expires: Until when, in UTC; `None` for ever.
        flow: The flow that it holds for, or `None` for all.
        list: The mailing list that it holds for, or `None` for all.
        address: The address, where the list keeps addresses in clear; else `None`.
    """

    key: str
    reason: str
    time: datetime
    expires: datetime | None = None
    flow: Flow | None = None
    list: str | None = None
    address: str | None = None

    @property
    def scope(self) -> str:
        """Where it holds: ``global``, ``flow:marketing``, ``list:news``."""
        if self.list is not None:
            return f"list:{self.list}"
        return "global" if self.flow is None else f"flow:{self.flow}"

    def __str__(self) -> str:
        """Return one line, without the address."""
        until = f" until {self.expires:%Y-%m-%d}" if self.expires else ""
        return f"{self.key[:8]}…: {self.reason}, {self.scope}, since {self.time:%Y-%m-%d}{until}"

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as plain data, ready for JSON."""
        return {
            "key": self.key,
            "reason": self.reason,
            "time": self.time.isoformat(),
            "expires": self.expires.isoformat() if self.expires else None,
            "flow": str(self.flow) if self.flow else None,
            "list": self.list,
            "address": self.address,
        }


class SuppressionList:
    """Remembers which addresses must not be written to, and learns it from events.

    A dead mailbox or domain is suppressed at once and everywhere; a complaint or an unsubscription for the
    flow or the list that it was about. A full or disabled mailbox is counted: one a day, and a delivery
    sets the count back. Blocks, authentication and rates are the sender's business and never suppress an
    address.

    Args:
        store: Where it is kept: a store of `mailflows.limits`. Memory forgets with the process; SQLite
            and Redis last, and what `apply` or `add` returned for survives the death of the process.
        soft_limit: Days with a soft bounce, within *soft_window*, after which an address is suppressed.
            Five by default: a full mailbox over a holiday is no dead one.
        disabled_limit: The same for mailboxes that are said to be disabled; two by default.
        soft_window: Seconds in which they are counted; 30 days by default.
        soft_expires: Seconds after which such a suppression ends: mailboxes are emptied. 180 days by default.
        remember: Seconds in which a second copy of an event changes nothing; 30 days by default.
        require_verified: Whether only events with a valid token of ours suppress (`Verp`). What was
            looked at and found forged never does.
        clear: Whether to keep addresses in clear, beside their keyed hashes.
        clock: Returns the present moment in Unix seconds.

    Example:
        >>> from mailflows.feedback import from_reply
        >>> from mailflows.limits import MemoryStore
        >>> suppressions = SuppressionList(MemoryStore())
        >>> _ = suppressions.apply(from_reply(550, "5.1.1 User unknown", recipient="ada@example.org"))
        >>> "Ada@Example.org" in suppressions, "bob@example.org" in suppressions
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
        remember: float = 30 * DAY,
        require_verified: bool = False,
        clear: bool = False,
        clock: Clock = time.time,
    ) -> None:
        for name, value in (("soft_limit", soft_limit), ("disabled_limit", disabled_limit)):
            _require_whole(name, value)
        for name, seconds in (("soft_window", soft_window), ("remember", remember)):
            _require_lasting(name, seconds)
        if soft_expires is not None:
            _require_lasting("soft_expires", soft_expires)
        self._store = store
        self._limits = {BounceReason.MAILBOX_DISABLED: disabled_limit}
        self._soft_limit = soft_limit
        self._soft_window = soft_window
        self._soft_expires = soft_expires
        self._remember = remember
        self._require_verified = require_verified
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

        Args:
            event: What happened.
            address: The address that was written to, where you know it better than the report, such as
                from the event's ``recipient_id``.
            list: The mailing list that the message was for; an unsubscription then holds for it alone.

        Raises:
            StoreError: If the store could not answer; apply the event again.
        """
        mailbox = address or event.written_to
        if event.verified is False or (self._require_verified and not event.verified):
            return None
        if not isinstance(mailbox, str) or "@" not in mailbox:  # what a report names may be no address
            return None
        seen = self._seen_key(event, mailbox)
        if seen and self._store.load(seen) is not None:
            return None
        caused = self._learn(event, mailbox, list)
        if seen:  # last, so that a crash in between repeats the event and does not lose it
            self._store.swap(seen, None, b"1", ttl=self._remember)
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
            address: The address, in any spelling.
            reason: Why, in a word.
            flow: The flow that it shall hold for; all by default.
            list: The mailing list that it shall hold for; all by default.
            time: Since when, in UTC; now by default.
            expires: Seconds until it ends, from now, or the moment; never by default, and where it is more
                than a century away.

        Raises:
            ConfigurationError: If it is no address, *flow* is no flow, or a moment has no time zone.
            StoreError: If the store could not answer.
        """
        _require_address(address)
        now = to_datetime(self._clock())
        entry = Suppression(
            key=self._digest(address),
            reason=str(reason),
            time=time or now,
            expires=_end(expires, now),
            flow=None if flow is None or list is not None else Flow(flow),
            list=list,
            address=address if self._clear else None,
        )
        self.put(entry)
        return entry

    def put(self, entry: Suppression) -> None:
        """Keep an entry as it is, such as one of another list with the same store key.

        An entry that lasts longer is not replaced by a shorter one.

        Raises:
            StoreError: If the store could not answer.
        """
        for name in ("time", "expires"):
            _require_zone(name, getattr(entry, name))
        document = _written(entry)
        seconds = (
            None if entry.expires is None else (entry.expires - to_datetime(self._clock())).total_seconds()
        )
        if seconds is not None and seconds <= 0:
            return

        def change(old: bytes | None) -> bytes:
            kept = None if old is None else _read(old)
            return document if old is None or kept is None or not _lasts_longer(kept, entry) else old

        update(self._store, self._key(entry.key, entry.flow, entry.list), change, ttl=seconds)

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
            StoreError: If the store could not answer.
        """
        digest = self._digest(address)
        key = self._key(digest, flow, list)
        was = self._store.load(key) is not None
        update(self._store, key, _nothing)
        update(self._store, f"bounces:{digest}", _nothing)
        return was

    def find(
        self,
        address: str,
        *,
        flow: Flow | str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
    ) -> Suppression | None:
        """Return why an address is suppressed: everywhere, for a flow, or for a list; or `None`.

        Raises:
            StoreError: If the store could not answer.
        """
        digest = self._digest(address)
        keys = [self._key(digest, None, None)]
        if flow is not None:
            keys.append(self._key(digest, flow, None))
        if list is not None:
            keys.append(self._key(digest, None, list))
        now = to_datetime(self._clock())
        for key in keys:
            document = self._store.load(key)
            if document is None:
                continue
            entry = _read(document) or Suppression(digest, DAMAGED, now)
            if entry.expires is None or entry.expires > now:
                return entry
        return None

    def is_suppressed(
        self,
        address: str,
        *,
        flow: Flow | str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
    ) -> bool:
        """Say whether an address must not be written to.

        Raises:
            ValueError: If *flow* is none of the three.
            StoreError: If the store could not answer.
        """
        return self.find(address, flow=flow, list=list) is not None

    def __call__(self, address: str) -> bool:
        """Say whether an address is suppressed everywhere: for `RecipientChecker(bounced=…)`."""
        return self.is_suppressed(address)

    def __repr__(self) -> str:
        return f"<SuppressionList in {self._store!r}>"

    def __contains__(self, address: object) -> bool:
        return isinstance(address, str) and self.is_suppressed(address)

    def __iter__(self) -> Iterator[Suppression]:
        """Yield every entry that holds, in no order."""
        now = to_datetime(self._clock())
        for key, document in self._store.scan("suppressed:"):
            entry = _read(document)
            if entry is None:
                _log.warning("the entry %s is damaged; its address stays suppressed", key)
            elif entry.expires is None or entry.expires > now:
                yield entry

    def _learn(self, event: Event, mailbox: str, name: str | None) -> Suppression | None:
        """Do what an event asks for."""
        if event.type is EventType.DELIVERED:
            update(self._store, f"bounces:{self._digest(mailbox)}", _nothing)
        elif event.action is Action.SUPPRESS:
            is_about_flow = event.type in _OF_THE_FLOW
            return self.add(
                mailbox,
                reason=str(event.type) if is_about_flow else str(event.reason or event.type),
                flow=event.flow if is_about_flow else None,
                list=name if event.type is EventType.UNSUBSCRIBED else None,
            )
        elif event.type is EventType.BOUNCED and event.reason and event.reason.is_counted:
            return self._count(event, mailbox)
        return None

    def _count(self, event: Event, mailbox: str) -> Suppression | None:
        """Note a day with a soft bounce, and suppress the address after enough of them."""
        moment = _sensible(event.time, to_datetime(self._clock()))
        today, oldest = (
            t.date().isoformat() for t in (moment, moment - timedelta(seconds=self._soft_window))
        )

        def change(old: bytes | None) -> bytes:
            days = {day for day in _days(old) if day > oldest} | {today}
            return json.dumps(sorted(days)).encode()

        days = update(self._store, f"bounces:{self._digest(mailbox)}", change, ttl=self._soft_window)
        limit = self._limits.get(event.reason or BounceReason.OTHER, self._soft_limit)
        if len(_days(days)) < limit:
            return None
        return self.add(mailbox, reason=str(event.reason), expires=self._soft_expires)

    def _seen_key(self, event: Event, mailbox: str) -> str | None:
        """Return the key under which an event is remembered, or `None` where nothing names it."""
        name = event.event_id or (event.message_id and event.time and f"{event.message_id} {event.time}")
        if not name:
            return None
        return f"seen:{self._store.digest(f'{event.provider} {name} {event.type} {mailbox_key(mailbox)}')}"

    def _digest(self, address: str) -> str:
        _require_text(address)
        return self._store.digest(mailbox_key(address))

    def _key(self, digest: str, flow: Flow | str | None, name: str | None) -> str:
        """Return the key of an entry; the name of a list may be anything, so it is hashed."""
        if name is not None:
            return f"suppressed:list:{self._store.digest(f'list {name}')}:{digest}"
        return f"suppressed:global:{digest}" if flow is None else f"suppressed:flow:{Flow(flow)}:{digest}"


def _nothing(_: bytes | None) -> None:
    return None


def _require_text(address: object) -> None:
    if not isinstance(address, str):
        msg = f"an address is text; got {type(address).__name__}"
        raise ConfigurationError(msg, field="address")


def _require_address(address: object) -> None:
    _require_text(address)
    if "@" not in str(address):
        msg = "this is no address: it has no @"
        raise ConfigurationError(msg, field="address")


def _require_whole(name: str, value: object) -> None:
    if not isinstance(value, int) or value < 1:
        msg = f"{name} is {value!r}; it is a whole number of at least 1"
        raise ConfigurationError(msg, field=name)


def _require_lasting(name: str, value: object) -> None:
    """Refuse a time in which nothing can be remembered; not-a-number lies in no range."""
    if not isinstance(value, int | float) or not 0 < value <= LONGEST:
        msg = f"{name} is {value!r}; it is a number of seconds above 0, and at most {LONGEST:.0f}"
        raise ConfigurationError(msg, field=name)


def _require_zone(name: str, moment: datetime | None) -> None:
    if moment is not None and moment.tzinfo is None:
        msg = f"{name} has no time zone; pass a moment in UTC, such as datetime.now(UTC)"
        raise ConfigurationError(msg, field=name)


def _end(expires: object, now: datetime) -> datetime | None:
    """Return the moment at which an entry ends, or `None` for never."""
    if isinstance(expires, timedelta):
        expires = expires.total_seconds()
    if expires is None or isinstance(expires, datetime):
        return expires
    if not isinstance(expires, int | float) or math.isnan(expires):
        msg = f"expires is a number of seconds, a timedelta or a moment in UTC; got {expires!r}"
        raise ConfigurationError(msg, field="expires")
    return None if expires > LONGEST else now + timedelta(seconds=max(expires, 0.0))


def _sensible(moment: datetime | None, now: datetime) -> datetime:
    """Return when an event happened: not later than now, whatever a report says, and after 1970."""
    if moment is None:
        return now
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(aware, _EARLIEST), now)


def _days(document: bytes | None) -> frozenset[str]:
    """Return the days with a soft bounce; none where the document is damaged."""
    try:
        return frozenset(str(day) for day in json.loads(document or b"[]"))
    except (ValueError, TypeError):
        return frozenset()


def _lasts_longer(old: Suppression, new: Suppression) -> bool:
    """Say whether an entry outlives another, or is the same that is written again."""
    if old.expires is None:
        return True
    return new.expires is not None and old.expires >= new.expires


def _written(entry: Suppression) -> bytes:
    """Return an entry as a document; what is empty is left out."""
    return json.dumps({k: v for k, v in entry.to_dict().items() if v is not None}).encode()


def _read(document: bytes) -> Suppression | None:
    """Return the entry of a document, or `None` where it is damaged."""
    try:
        return _entry(json.loads(document))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _entry(found: dict[str, Any]) -> Suppression:
    """Return the entry that a document's values make."""
    expires, flow = found.get("expires"), found.get("flow")
    return Suppression(
        key=found["key"],
        reason=found["reason"],
        time=datetime.fromisoformat(found["time"]),
        expires=datetime.fromisoformat(expires) if expires else None,
        flow=Flow(flow) if flow else None,
        list=found.get("list"),
        address=found.get("address"),
    )
