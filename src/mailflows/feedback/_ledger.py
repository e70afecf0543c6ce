"""The entries of a suppression list: created, stored, found, removed, as steps with a store."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from mailflows._clock import to_datetime
from mailflows._mail.address import mailbox_of, mailboxes_of
from mailflows._mailbox import mailbox_key
from mailflows.feedback._address import domain_of
from mailflows.feedback._entry import DAMAGED, OPTED_OUT, Suppression, read_entry, written
from mailflows.feedback._event import EventType
from mailflows.feedback._expiry import end_of, lasts_longer, require_zone, sensible
from mailflows.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime, timedelta

    from mailflows._clock import Clock
    from mailflows._stores._documents import Steps
    from mailflows.feedback._event import Event
    from mailflows.feedback._selection import Selection

__all__ = ["OF_THE_FLOW", "Ledger"]

OF_THE_FLOW = frozenset({EventType.COMPLAINED, EventType.UNSUBSCRIBED})
"""Reasons that come from a person, and apply to one flow; those from a server apply to all."""

_log = logging.getLogger("mailflows.feedback")


class Ledger:
    """Keeps the entries.

    Args:
        lifetimes: Seconds after which the suppressions of a reason end, by reason; `None` for never.
        clear: Whether to keep addresses in plain text, in addition to their keyed hashes.
        clock: Returns the present moment in Unix seconds.
    """

    def __init__(self, *, lifetimes: Mapping[str, float | None], clear: bool, clock: Clock) -> None:
        self.lifetimes = lifetimes
        self._clear = clear
        self._clock = clock

    @property
    def now(self) -> datetime:
        """The present moment."""
        return to_datetime(self._clock())

    def ends(self, reason: str) -> datetime | None:
        """Return when a suppression of a reason ends that begins now, or `None` for never."""
        return end_of(self.lifetimes.get(reason), self.now)

    def moment(self, event: Event) -> datetime:
        """Return when an event happened, as far as that can be."""
        return sensible(event.time, self.now)

    def digest(self, address: str) -> Steps[str]:
        """Return the keyed hash of the mailbox that an address is."""
        return (yield "digest", (mailbox_key(address),))  # type: ignore[no-any-return]

    def key(self, digest: str, flow: Flow | str | None, name: str | None) -> Steps[str]:
        """Return the key of an entry; the name of a list may be anything, so it is hashed."""
        if name is not None:
            hashed = yield "digest", (f"list {name}",)
            return f"suppressed:list:{hashed}:{digest}"
        return f"suppressed:global:{digest}" if flow is None else f"suppressed:flow:{Flow(flow)}:{digest}"

    def entry(  # noqa: PLR0913 -- what an entry says
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
    ) -> Steps[Suppression]:
        """Return the entry that an address and an event make."""
        now = self.now
        key = yield from self.digest(mailbox)
        return Suppression(
            key=key,
            reason=reason,
            time=time or now,
            expires=self.ends(reason) if expires is None else end_of(expires, now),
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

    def put(self, entry: Suppression) -> Steps[bool]:
        """Keep an entry unless one that lasts longer is there, and return whether it holds."""
        for name in ("time", "expires"):
            require_zone(name, getattr(entry, name))
        document = written(entry)
        seconds = None if entry.expires is None else (entry.expires - self.now).total_seconds()
        if seconds is not None and seconds <= 0:
            return False

        def change(old: bytes | None) -> bytes:
            kept = None if old is None else read_entry(old)
            return document if old is None or kept is None or not lasts_longer(kept, entry) else old

        key = yield from self.key(entry.key, entry.flow, entry.list)
        yield "update", (key, change, seconds)
        return True

    def find(self, address: str, flow: Flow | str | None, name: str | None) -> Steps[Suppression | None]:
        """Return the first entry of a text that names one address or several."""
        for mailbox in mailboxes_of(address) or (address,):
            digest = yield from self.digest(mailbox)
            scopes: list[tuple[Flow | str | None, str | None]] = [(None, None)]
            scopes += [(flow, None)] if flow is not None else []
            scopes += [(None, name)] if name is not None else []
            now = self.now
            for scope in scopes:
                document = yield "load", ((yield from self.key(digest, *scope)),)
                if document is None:
                    continue
                entry = read_entry(document) or Suppression(digest, DAMAGED, now)
                if entry.expires is None or entry.expires > now:
                    return entry
        return None

    def every(self) -> Steps[list[Suppression]]:
        """Return every entry that holds."""
        return list(self.holding((yield "collect", ())))

    def holding(self, found: Iterable[tuple[str, bytes]]) -> Iterator[Suppression]:
        """Yield the entries that hold, of documents."""
        now = self.now
        for key, document in found:
            entry = read_entry(document)
            if entry is None:
                _log.warning("the entry %s is damaged; its address stays suppressed", key)
            elif entry.expires is None or entry.expires > now:
                yield entry

    def remove(self, address: str, flow: Flow | str | None, name: str | None) -> Steps[bool]:
        """Take an entry out, and forget soft bounces; say whether it was there."""
        digest = yield from self.digest(mailbox_of(address) or address)
        key = yield from self.key(digest, flow, name)
        was = (yield "load", (key,)) is not None
        yield "remove", (key,)
        yield "remove", (f"bounces:{digest}",)
        return was

    def lifted(self, entries: Iterable[Suppression], chosen: Selection) -> Steps[list[Suppression]]:
        """Remove the entries that still match, and return them."""
        gone = []
        for entry in entries:
            gone += [entry] if (yield from self._lift(entry, chosen)) else []
        return gone

    def _lift(self, entry: Suppression, chosen: Selection) -> Steps[bool]:
        """Remove an entry that is still one of those that are meant, and return whether it was."""
        is_gone = False

        def change(old: bytes | None) -> bytes | None:
            nonlocal is_gone
            now = None if old is None else read_entry(old)
            is_gone = now is not None and now in chosen
            return None if is_gone else old

        yield "update", ((yield from self.key(entry.key, entry.flow, entry.list)), change)
        if is_gone:
            yield "remove", (f"bounces:{entry.key}",)
        return is_gone

    def forget(self, address: str) -> Steps[int]:
        """Erase a person; if they complained or unsubscribed, keep only the keyed hash."""
        digest = yield from self.digest(mailbox_of(address) or address)
        yield "remove", (f"bounces:{digest}",)
        found = yield "collect", ()
        entries = [entry for _, document in found if (entry := read_entry(document)) is not None]
        keys = {key for key, _ in found if key.endswith(f":{digest}")}  # damaged ones, too
        for scope in {(None, None)} | {(entry.flow, entry.list) for entry in entries}:
            keys.add((yield from self.key(digest, *scope)))  # where a store also looks by an older secret
        count = 0
        for key in keys:
            document = yield "load", (key,)
            if document is not None:
                yield "swap", (key, document, _bare(document))
                count += 1
        return count


def _bare(document: bytes) -> bytes | None:
    """Return what is left of an entry whose person is erased: of an objection, the keyed hash."""
    entry = read_entry(document)
    if entry is None or not (entry.reason in OF_THE_FLOW or entry.reason == OPTED_OUT):
        return None
    return written(replace(entry, address=None, domain=None, event_id=None, status=None, smtp_code=None))
