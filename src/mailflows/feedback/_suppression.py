"""Addresses that must no longer be written to, and the events that put them there."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from mailflows._mail.address import mailbox_of
from mailflows._result import View, number_of
from mailflows._stores import DocumentKeeper, MemoryStore
from mailflows._stores._documents import asked, drive, twin
from mailflows.errors import ConfigurationError
from mailflows.feedback._address import require_text
from mailflows.feedback._event import BounceReason, Event
from mailflows.feedback._expiry import DAY, require_lasting, require_whole
from mailflows.feedback._learning import Learning
from mailflows.feedback._ledger import Ledger
from mailflows.feedback._outage import OutagePolicy, OutageWatch
from mailflows.feedback._selection import Selection, Undone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime, timedelta

    from mailflows._clock import Clock
    from mailflows._result import Cell, Table
    from mailflows._stores import Documents
    from mailflows._stores._documents import Steps
    from mailflows.feedback._entry import Suppression
    from mailflows.feedback._outage import Outage
    from mailflows.flow import Flow

__all__ = ["SuppressionList"]

_COUNTED = tuple(map(str, (reason for reason in BounceReason if reason.is_counted and not reason.is_unknown)))
"""Reasons whose suppression ends by itself: mailboxes are emptied and opened again."""


class SuppressionList(View):
    """Remembers which addresses mail must not be sent to, and learns from events.

    A dead mailbox or domain is suppressed at once for all mail; a complaint or an unsubscription suppresses
    the address for the flow or the list that it was about. A full or disabled mailbox is counted, once a day,
    and a delivery resets the count. Blocks, authentication failures and rate limits are the sender's problem
    and never suppress an address.

    Use `is_suppressed` to look up an address, because it takes the flow and the list into account.

    Args:
        store: Where it is kept: a store of `mailflows.limits`. A `MemoryStore` ends with the process; SQLite
            and Redis are persistent: what `apply` or `add` has returned survives a crash.
        soft_limit: Days with a soft bounce, within *soft_window*, after which an address is suppressed. Five
            by default, because a mailbox that fills up over a holiday is not dead.
        disabled_limit: The same for mailboxes reported as disabled; two by default.
        soft_window: Seconds over which soft bounces are counted; 30 days by default.
        soft_expires: Seconds after which such a suppression ends: mailboxes are emptied. 180 days by default.
        expires: Seconds after which suppressions expire, by reason; `None` for never. Other reasons never
            expire, except soft bounces.
        remember: Seconds during which a duplicate of an event is ignored; 30 days by default.
        require_verified: Whether only events with a valid token of yours suppress (`Verp`). An event that
            turns out to be forged never does.
        outage: When a wave of "unknown user" bounces is held instead of believed; `None` for never.
        on_outage: Called with an `Outage` when that happens, to notify the operator; it is logged in any
            case.
        clear: Whether to keep addresses in plain text, in addition to their keyed hashes.
        clock: Returns the present moment in Unix seconds.

    Raises:
        ConfigurationError: If a number is not a whole one of at least 1, or a time is not above zero.

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
        outage: OutagePolicy | None = OutagePolicy(),  # noqa: B008 -- frozen
        on_outage: Callable[[Outage], object] | None = None,
        clear: bool = False,
        clock: Clock = time.time,
    ) -> None:
        for name, value in (("soft_limit", soft_limit), ("disabled_limit", disabled_limit)):
            require_whole(name, value)
        for name, seconds in (("soft_window", soft_window), ("remember", remember)):
            require_lasting(name, seconds)
        lifetimes = {**dict.fromkeys(_COUNTED, soft_expires), **(expires or {})}
        for name, lifetime in (("soft_expires", soft_expires), *lifetimes.items()):
            if lifetime is not None:
                require_lasting(name, lifetime)
        self.store = store
        hooks = () if on_outage is None else (on_outage,)
        self._keeper = DocumentKeeper(store, kind="suppressed", hooks=hooks, words=("raise",))
        self._require_verified = require_verified
        self._ledger = Ledger(lifetimes=lifetimes, clear=clear, clock=clock)
        self._learning = Learning(
            self._ledger,
            outage=None if outage is None else OutageWatch(outage),
            tell=self._keeper.tell,
            limits={BounceReason.MAILBOX_DISABLED: disabled_limit},
            soft_limit=soft_limit,
            soft_window=soft_window,
            remember=remember,
        )

    @asked
    def apply(
        self,
        event: Event,
        *,
        address: str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
    ) -> Steps[Suppression | None]:
        """Learn from an event, and return the suppression that it caused, or `None`.

        If several callers apply the same event at once, one of them gets the suppression.

        Args:
            event: What happened.
            address: The address that the message was sent to, if you know it better than the report does,
                such as from the event's ``recipient_id``.
            list: The mailing list that the message was for; an unsubscription then applies to it alone.

        Raises:
            StoreError: If the store could not answer; apply the event again.
        """
        if event.verified is False or (self._require_verified and not event.verified):
            return None
        mailbox = mailbox_of(str(address or event.written_to or ""))
        if mailbox is None:  # what a report names may be no address
            return None
        return (yield from self._learning.apply(event, mailbox, list))

    @asked
    def add(  # noqa: PLR0913 -- what an entry says
        self,
        address: str,
        *,
        reason: str = "manual",
        flow: Flow | str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
        time: datetime | None = None,
        expires: float | timedelta | datetime | None = None,
    ) -> Steps[Suppression]:
        """Suppress an address.

        Args:
            address: The address, in any spelling, with or without a display name.
            reason: The reason, as one word.
            flow: The flow that it applies to; all by default.
            list: The mailing list that it applies to; all by default.
            time: Since when, in UTC; now by default.
            expires: Seconds from now until it expires, or the time; by default never, or as the list's
                *expires* says for this reason. More than a century away means never.

        Raises:
            ConfigurationError: If it is not an address, *flow* is not a flow, or a time has no time zone.
            StoreError: If the store could not answer.
        """
        entry = yield from self._ledger.entry(
            _mailbox(address), reason=str(reason), flow=flow, list=list, time=time, expires=expires
        )
        yield from self._ledger.put(entry)
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
        """Return the entry that `add` would store, without storing it.

        Raises:
            ConfigurationError: If it is not an address, *flow* is not a flow, or a time has no time zone.
        """
        made = self._ledger.entry(
            _mailbox(address), reason=str(reason), flow=flow, list=list, time=time, expires=expires
        )
        return drive(made, self._keeper)

    @asked
    def put(self, entry: Suppression) -> Steps[bool]:
        """Store an entry as it is, such as one from a list with the same secret; say whether it applies.

        An entry is not replaced by one that expires sooner.

        Raises:
            StoreError: If the store could not answer.
        """
        return (yield from self._ledger.put(entry))

    @asked
    def find(
        self,
        address: str,
        *,
        flow: Flow | str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
    ) -> Steps[Suppression | None]:
        """Return why an address is suppressed: everywhere, for a flow, or for a list; or `None`.

        If a text names several addresses, the first that is suppressed counts.

        Raises:
            ConfigurationError: If it is not text, or *flow* is not a flow.
            StoreError: If the store could not answer.
        """
        require_text(address)
        return (yield from self._ledger.find(address, flow, list))

    @asked
    def is_suppressed(
        self,
        address: str,
        *,
        flow: Flow | str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
    ) -> Steps[bool]:
        """Return whether an address must not be written to.

        Without a flow or a list, only entries for all mail count: pass the flow of the message.

        Raises:
            ValueError: If *flow* is not one of the three.
            StoreError: If the store could not answer.
        """
        require_text(address)
        return (yield from self._ledger.find(address, flow, list)) is not None

    @property
    def now(self) -> datetime:
        """The current time by the list's clock."""
        return self._ledger.now

    def held(self) -> Iterator[Suppression]:
        """Yield the held entries, which wait for `confirm` or `undo`."""
        return (entry for entry in self if entry.held)

    @asked
    def counts(self) -> Steps[Mapping[tuple[str, str], int]]:
        """Return the number of entries by scope and reason."""
        every = yield from self._ledger.every()
        return dict(Counter((entry.scope, entry.reason) for entry in every).most_common())

    def __iter__(self) -> Iterator[Suppression]:
        """Yield every valid entry, in any order."""
        yield from self._ledger.holding(self._keeper.scan())

    def __call__(self, address: str) -> bool:
        """Return whether an address is suppressed for all mail: the list can be passed as a function."""
        return self.is_suppressed(address)

    __contains__ = None  # ``address in suppressions`` would not know the flow: ask `is_suppressed`

    def _table(self) -> Table:
        """Return how many are suppressed, where and why; it contains no address."""
        found = Counter((entry.scope, entry.reason, entry.held) for entry in self)
        rows: list[list[Cell]] = [
            [scope, reason, number, "waits for a decision" if held else ""]
            for (scope, reason, held), number in found.most_common()
        ]
        return (
            number_of(found.total(), "suppressed address", "suppressed addresses"),
            ["where", "why", "addresses", ""],
            rows,
        )

    def __str__(self) -> str:
        """Return the number of entries by reason; every entry in the store is read.

        Raises:
            StoreError: If the store could not answer.
        """
        found = Counter(entry.reason for entry in self)
        reasons = ", ".join(f"{reason} {number}" for reason, number in found.most_common())
        return number_of(found.total(), "entry", "entries") + (f" ({reasons})" if reasons else "")

    def __repr__(self) -> str:
        # A debugger or an error report must neither wait for a server nor fail with it.
        what = str(self) if isinstance(self.store, MemoryStore) else f"in {self.store!r}"
        return f"<SuppressionList: {what}>"

    @asked
    def remove(
        self,
        address: str,
        *,
        flow: Flow | str | None = None,
        list: str | None = None,  # noqa: A002 -- its name
    ) -> Steps[bool]:
        """Allow an address again, in one scope, and return whether it was suppressed there.

        Its soft bounces are forgotten, too.

        Raises:
            ConfigurationError: If it is not text, or *flow* is not a flow.
            StoreError: If the store could not answer.
        """
        require_text(address)
        return (yield from self._ledger.remove(address, flow, list))

    @asked
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
    ) -> Steps[Undone]:
        """Undo what an outage suppressed, in one call.

        If the same events are posted again, they have no effect. All conditions must match. Only bounces
        are undone, unless *reason* names another reason.

        Args:
            domain: The domain of the addresses.
            mailbox_provider: Who runs the mailboxes: ``google``, ``outlook``, …, or the domain.
            esp: Where the bounces came from: ``sendgrid``, ``dsn``, ``smtp``, …
            since: The earliest time, with a time zone.
            until: The latest time.
            reason: The reason, such as ``mailbox-unknown``.
            preview: Change nothing, only return what would be undone.

        Raises:
            ConfigurationError: If no condition is given, or a time has no time zone.
            StoreError: If the store could not answer; call again, as what has been undone stays undone.
        """
        chosen = Selection(domain, mailbox_provider, esp, since, until, reason)
        meant = [entry for entry in (yield from self._ledger.every()) if entry in chosen]
        if not preview:
            meant = yield from self._ledger.lifted(meant, chosen)
        return Undone(len(meant), preview, tuple(meant))

    @asked
    def confirm(  # noqa: PLR0913 -- as `undo`
        self,
        *,
        domain: str | None = None,
        mailbox_provider: str | None = None,
        esp: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        reason: str | None = None,
    ) -> Steps[int]:
        """Accept held bounces as genuine, and return how many.

        Raises:
            ConfigurationError: If no condition is given, or a time has no time zone.
            StoreError: If the store could not answer.
        """
        chosen = Selection(domain, mailbox_provider, esp, since, until, reason)
        count = 0
        for entry in (yield from self._ledger.every()):
            if entry.held and entry in chosen:
                lasting = replace(entry, held=False, expires=self._ledger.ends(entry.reason))
                yield from self._ledger.put(lasting)
                count += 1
        return count

    @asked
    def forget(self, address: str) -> Steps[int]:
        """Erase all data about a person, and return the number of entries erased.

        People who complained or unsubscribed stay suppressed, by the keyed hash alone: erasing an objection
        would mean writing to them again.

        Raises:
            ConfigurationError: If it is not an address: nothing would be erased.
            StoreError: If the store could not answer.
        """
        return (yield from self._ledger.forget(_mailbox(address)))

    aapply, aadd, aput = twin(apply), twin(add), twin(put)
    afind, ais_suppressed, acounts = twin(find), twin(is_suppressed), twin(counts)
    aremove, aundo, aconfirm, aforget = twin(remove), twin(undo), twin(confirm), twin(forget)


def _mailbox(address: str) -> str:
    """Return the address that is meant.

    Raises:
        ConfigurationError: If it is not a single address.
    """
    require_text(address)
    mailbox = mailbox_of(address)
    if mailbox is None:
        msg = "this is not an address: it has no @" if "@" not in address else "this is not a single address"
        raise ConfigurationError(msg, field="address")
    return mailbox
