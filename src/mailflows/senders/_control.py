"""Sender control: stops senders who mail invalid addresses, or whose account was compromised."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeAlias

from mailflows._clock import to_datetime
from mailflows._result import Reason, Severity
from mailflows._stores import DocumentKeeper, MemoryStore
from mailflows._stores._documents import asked, twin
from mailflows.errors import StoreError
from mailflows.feedback import BounceReason, read_reply
from mailflows.limits._attempt import Attempt, network_key, text_key
from mailflows.senders._contacts import places_of
from mailflows.senders._history import LONGEST, Block, SenderRecord
from mailflows.senders._judgement import (
    MANY_NEW,
    Judgement,
    Measure,
    block_for,
    how_long,
    judge,
    judge_mailing,
)
from mailflows.senders._policy import SenderPolicy
from mailflows.senders._replay import Replay, ReplayClock
from mailflows.senders._takeover import hour_oddness
from mailflows.senders._verdict import SenderKind, SenderStatus, SenderVerdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mailflows._clock import Clock
    from mailflows._context import Context
    from mailflows._stores import Documents
    from mailflows._stores._documents import OnStoreError, Steps
    from mailflows.message import Source
    from mailflows.senders._contacts import Place
    from mailflows.senders._replay import SenderEvent, SenderReplay

__all__ = ["SenderControl"]

_OUTCOMES = frozenset({"delivered", "bounced", "rejected"})

MOST = 10**9
"""Recipients of one report. A bound on work."""

REVIEW = 3600.0
"""Seconds after which a held message may be tried again: by then the window of an hour has faded.
Our choice."""

_KINDS = (None, *SenderKind)
_STATUS = {
    Measure.NOTHING: SenderStatus.CLEAR,
    Measure.WARN: SenderStatus.WARNED,
    Measure.HOLD: SenderStatus.HELD,
}
_log = logging.getLogger("mailflows.senders")

Judge: TypeAlias = "Callable[[SenderRecord, float], Judgement]"
"""Changes a record at a moment, and says what that calls for."""

Order: TypeAlias = "Callable[[SenderRecord, float], None]"
"""Changes a record at a moment as an administrator wants."""


class SenderControl:
    """Stops senders with many invalid recipients, mass mailings, and compromised accounts.

    For mail that people send (the professional flow). Each sender has a record in the store, under a keyed
    hash. Call `acquire` before each message, and `report` the outcomes.

    Args:
        store: Where records are kept; use a persistent store, so that blocks survive a restart.
        policy: When a sender is warned and stopped; see `SenderPolicy`.
        names: Whether to keep the names of senders with their records, so that an administrator can list
            them.
        on_error: What to do when the store fails to answer: ``allow``, ``deny`` or ``raise``.
        hooks: Functions called with (sender, verdict) when a message is held for the first time on a day, and
            when a sender is blocked: use them to notify an administrator.
        clock: Returns seconds of Unix time.

    Example:
        >>> from mailflows.limits import MemoryStore
        >>> from mailflows.senders import SenderControl
        >>> control = SenderControl(MemoryStore())
        >>> bool(control.acquire("ada@example.org", to=["charles@example.org"]))
        True
        >>> control.report("ada@example.org", invalid=8, valid=2).status
        <SenderStatus.BLOCKED: 'blocked'>
        >>> print(control.acquire("ada@example.org", to=["charles@example.org"]))
        blocked: may not send (stopped for 4 hours: invalid-share)
    """

    def __init__(  # noqa: PLR0913 -- the settings of a control
        self,
        store: Documents,
        *,
        policy: SenderPolicy | None = None,
        names: bool = False,
        on_error: OnStoreError = "allow",
        hooks: Iterable[Callable[[str, SenderVerdict], object]] = (),
        clock: Clock = time.time,
    ) -> None:
        self.policy = SenderPolicy() if policy is None else policy
        self._names = names
        self._keeper = DocumentKeeper(store, kind="sender", on_error=on_error, hooks=hooks)
        self._clock = clock
        self._is_live = True

    @asked
    def acquire(
        self,
        sender: str,
        message: Source | object | None = None,
        *,
        to: str | Iterable[str] | None = None,
        client: object = None,
        context: Context | None = None,
    ) -> Steps[SenderVerdict]:
        """Decide whether a sender may send this message, and record the attempt.

        Args:
            sender: The sender: an address, or the name of an account.
            message: The message, for its recipients.
            to: The recipients, instead of *message*.
            client: The IP address that the sender comes from, to detect a stolen account; by default that of
                *context*.
            context: What is known about the attempt, as a gate passes it on.

        Raises:
            ValueError: If the client is not an IP address, or the sender is empty.
        """
        attempt = self._attempt(message, to, client, context)
        return (yield from self._changed(sender, attempt, is_attempt=True))

    @asked
    def check(self, sender: str) -> Steps[SenderVerdict]:
        """Return the status of a sender; changes nothing. "Held" means the next message would be held."""
        return (yield from self._checked(sender))

    def _checked(self, sender: str) -> Steps[SenderVerdict]:
        key = yield "key", (_name(sender),)
        try:
            document = yield "load", (key,)
        except StoreError as problem:
            return self._without_store(problem)
        return self._standing(SenderRecord.read(document), self._clock())

    @asked
    def report(  # noqa: PLR0913 -- what is known comes in several forms
        self,
        sender: str,
        event: Any = None,
        *,
        code: int | None = None,
        text: str = "",
        valid: int = 0,
        invalid: int = 0,
    ) -> Steps[SenderVerdict]:
        """Report the outcomes of a sender's mail. Soft bounces do not count.

        Args:
            sender: Who sent it.
            event: A `mailflows.feedback.Event`, or anything with its ``type`` and ``reason``; or several, in
                any order.
            code: The server's reply code for one recipient, if there is no event.
            text: The text of that reply: ``code=550, text="5.1.1 user unknown"``.
            valid: Number of recipients who accepted it, if you count yourself.
            invalid: Number of recipients who do not exist, likewise.

        Raises:
            ValueError: If a number is not a whole number of at least 0.
        """
        outcome = _outcome(event, code, text, valid, invalid)
        if not any(outcome):
            return (yield from self._checked(sender))
        return (yield from self._changed(sender, self._told(outcome)))

    @asked
    def declare(self, sender: str, kind: SenderKind | str | None) -> Steps[SenderVerdict]:
        """Declare what kind of sender an account is; by default that is learned from its mail.

        Args:
            sender: The sender.
            kind: ``person``, ``shared`` (sales@: people who answer strangers), ``machine`` (alerts@: at any
                hour), or `None` to let it be learned again.

        Raises:
            ValueError: If there is no such kind.
            StoreError: If the store could not answer.
        """
        return (yield from self._order(sender, _declared(kind)))

    @asked
    def block(
        self, sender: str, *, seconds: float | None = None, reason: str = "by-hand"
    ) -> Steps[SenderVerdict]:
        """Block a sender, permanently unless *seconds* is given.

        Raises:
            ValueError: If *seconds* is not a number above 0.
            StoreError: If the store could not answer; call again.
        """
        return (yield from self._order(sender, _blocked(_end(seconds, self._clock()), reason)))

    @asked
    def unblock(self, sender: str) -> Steps[SenderVerdict]:
        """Unblock a sender, whatever the reason for the block, and learn from it.

        What looked like a stolen account is taken as the sender's own behaviour: the networks and the volume
        of the day become usual, and more evidence is needed from now on.

        Raises:
            StoreError: If the store could not answer.
        """
        return (yield from self._order(sender, SenderRecord.release))

    @asked
    def forget(self, sender: str) -> Steps[int]:
        """Erase the record of a sender, including blocks, and return the number of records erased (0 or 1).

        Raises:
            StoreError: If the store could not answer; call again.
        """
        key = yield "key", (_name(sender),)
        known = yield "load", (key,)
        yield "remove", (key,)
        return int(known is not None)

    @asked
    def blocked(self) -> Steps[list[tuple[str, SenderVerdict]]]:
        """Return every blocked sender with its verdict, by name if *names* is set.

        Raises:
            StoreError: If the store could not answer.
        """
        return self._listed((yield "collect", ()))

    @classmethod
    def replay(
        cls, events: Iterable[SenderEvent | Mapping[str, Any]], *, policy: SenderPolicy | None = None
    ) -> SenderReplay:
        """Replay a log, and return which senders would have been stopped; nothing is stored.

        Replay a few weeks of mail before you let a `SenderControl` refuse anything.

        Args:
            events: The log, in any order: each a `SenderEvent`, or a mapping with its names.
            policy: The policy to try.

        Raises:
            ValueError: If a row has no time or sender, or its client is not an IP address.

        Example:
            >>> log = [{"at": 1.8e9 + 60 * n, "sender": "ada", "to": f"friend{n % 9}@example.org"}
            ...        for n in range(40)]
            >>> print(SenderControl.replay(log))
            0 of 1 sender would have been stopped; 0 of 40 messages held, 0 refused
        """
        clock = ReplayClock()
        control = cls(MemoryStore(clock=clock), policy=policy, clock=clock)
        control._is_live = False  # what would have been stopped is in the answer, not in the log
        return Replay(control, clock).play(events)

    aacquire, acheck, areport = twin(acquire), twin(check), twin(report)
    adeclare, ablock, aunblock = twin(declare), twin(block), twin(unblock)
    aforget, ablocked = twin(forget), twin(blocked)

    def _attempt(
        self, message: Source | object | None, to: Any, client: object, context: Context | None
    ) -> Judge:
        """Return what counts and judges an attempt."""
        if client is None and context is not None:
            client = context.client
        places = places_of(Attempt(message, {"to": to}).recipients)
        network = None if client is None else network_key(client)
        return lambda record, now: _tried(record, self.policy, places, network, now)

    def _told(self, outcome: tuple[int, int]) -> Judge:
        """Return what counts outcomes, and judges the sender; a report blocks, and holds nothing."""

        def judged(record: SenderRecord, _now: float) -> Judgement:
            record.tell(valid=outcome[0], invalid=outcome[1])
            found = judge(record, self.policy)
            return Judgement(Measure.WARN, found.reasons) if found.measure is Measure.HOLD else found

        return judged

    def _changed(self, sender: str, judged: Judge, *, is_attempt: bool = False) -> Steps[SenderVerdict]:
        """Change a record, block the sender if it calls for that, and return its status."""
        change = _Change(self, sender, judged, is_attempt=is_attempt)
        key = yield "key", (_name(sender),)
        try:
            yield "update", (key, change)
        except StoreError as problem:
            return self._without_store(problem)
        return self._after(sender, change)

    def _after(self, sender: str, change: _Change) -> SenderVerdict:
        """Return the verdict after a change; of a hold or a block the log and the hooks hear."""
        verdict = self._verdict(change.record, change.judgement, change.now)
        if change.is_new and self._is_live:
            _log.warning("a sender was stopped: %s", verdict)  # without its address
            self._keeper.tell(sender, verdict)
        return verdict

    def _order(self, sender: str, order: Order) -> Steps[SenderVerdict]:
        """Carry out an order of an administrator."""
        now = self._clock()
        key = yield "key", (_name(sender),)
        document = yield "update", (key, self._ordered(sender, order, now))
        return self._standing(SenderRecord.read(document), now)

    def _ordered(self, sender: str, order: Order, now: float) -> Callable[[bytes | None], bytes]:
        def changed(document: bytes | None) -> bytes:
            record = self._read(document, sender)
            record.at(now)
            order(record, now)
            return record.write()

        return changed

    def _read(self, document: bytes | None, sender: str) -> SenderRecord:
        record = SenderRecord.read(document)
        if self._names:
            record.name = _name(sender)
        return record

    def _listed(self, found: Iterable[tuple[str, bytes]]) -> list[tuple[str, SenderVerdict]]:
        now = self._clock()
        listed = []
        for key, document in found:
            record = SenderRecord.read(document)
            verdict = self._standing(record, now)
            if verdict.status is SenderStatus.BLOCKED:
                listed.append((record.name or key.removeprefix("sender:"), verdict))
        return listed

    def _standing(self, record: SenderRecord, now: float) -> SenderVerdict:
        """Return the status of a sender, whatever it may send next."""
        record.at(now)
        found = judge(record, self.policy)
        return self._verdict(record, Judgement(min(found.measure, Measure.HOLD), found.reasons), now)

    def _verdict(self, record: SenderRecord, judgement: Judgement, now: float) -> SenderVerdict:
        """Return the status of a sender with this record after a judgement."""
        outcomes, invalid = record.outcomes
        block = record.block
        if block is not None and block.is_on(now):
            sentence = f"stopped {how_long(block, now)}: {block.reason}"
            first = Reason("blocked", sentence, part="senders", severity=Severity.ERROR)
            return SenderVerdict(
                allowed=False,
                status=SenderStatus.BLOCKED,
                reasons=(first, *(r for r in judgement.reasons if judgement.measure is Measure.BLOCK)),
                until=None if block.until is None else to_datetime(block.until),
                retry_after=None if block.until is None else block.until - now,
                outcomes=outcomes,
                invalid=invalid,
            )
        is_held = judgement.measure is Measure.HOLD
        lasting = any(reason.weight is None for reason in judgement.reasons)
        return SenderVerdict(
            allowed=not is_held,
            status=_STATUS[judgement.measure],
            reasons=judgement.reasons,
            retry_after=(None if lasting else REVIEW) if is_held else 0.0,
            outcomes=outcomes,
            invalid=invalid,
        )

    def _without_store(self, problem: StoreError) -> SenderVerdict:
        """Return what the policy says while the store fails to answer."""
        allowed = self._keeper.instead(problem)
        return SenderVerdict(
            allowed=allowed,
            status=SenderStatus.CLEAR,
            retry_after=0.0 if allowed else 1.0,
            degraded=True,
        )


class _Change:
    """A change of a record, and what was made of it; it may be asked again where another was faster."""

    def __init__(self, control: SenderControl, sender: str, judged: Judge, *, is_attempt: bool) -> None:
        self._control, self._sender, self._judged = control, sender, judged
        self._is_attempt = is_attempt
        self.now = control._clock()  # noqa: SLF001 -- of the same module
        self.record, self.judgement, self.is_new = SenderRecord(), Judgement(Measure.NOTHING), False

    def __call__(self, document: bytes | None) -> bytes | None:
        """Return the new content of the document."""
        now, policy = self.now, self._control.policy
        record = self.record = self._control._read(document, self._sender)  # noqa: SLF001 -- of the same module
        self.judgement, self.is_new = Judgement(Measure.NOTHING), False
        was_at, was_odd = record.last, record.is_odd
        record.at(now)
        if record.block is not None and record.block.is_on(now):
            if not self._is_attempt:
                self._judged(record, now)
                return record.write()
            # Who is blocked and tries again is not remembered for it; that the clock was set back is.
            return record.write() if record.last < was_at else document
        found = self.judgement = self._judged(record, now)
        if found.measure is Measure.BLOCK:
            record.stop(block_for(found, record, policy, now))
            self.is_new = True
        elif found.measure is not Measure.NOTHING:
            record.is_odd = max(record.is_odd, int(found.measure))
            self.is_new = found.measure is Measure.HOLD and was_odd < Measure.HOLD
        return record.write()


def _tried(
    record: SenderRecord, policy: SenderPolicy, places: list[Place], network: str | None, now: float
) -> Judgement:
    """Count an attempt, and judge it; only what may go is learned."""
    is_own = record.sees(network)
    size = len(places)
    if size > policy.bulk:
        new = sum(not record.contacts.knows(place) for place in places)
        found = judge_mailing(
            record, policy, size=size, new=new, is_own=is_own, is_placed=network is not None, now=now
        )
        if found.measure is Measure.NOTHING:
            record.note_sent(size)
        standing = judge(record, policy)
        # What is known of the sender counts for a mass mailing as for any other message.
        found = max(found, standing, key=lambda one: one.measure)
    else:
        record.count(places, is_own=is_own, oddness=hour_oddness(record, int(now // 3600) % 24))
        found = judge(record, policy)
        if record.today_new > MANY_NEW and found.measure < Measure.HOLD:
            found = max(
                found,
                judge_mailing(
                    record,
                    policy,
                    size=size,
                    new=policy.bulk + 1,
                    is_own=is_own,
                    is_placed=network is not None,
                    now=now,
                ),
                key=lambda one: one.measure,
            )
    if found.measure < Measure.HOLD:
        record.contacts.learn(places, record.number, makes_room=size <= policy.bulk)
    return found


def _declared(kind: SenderKind | str | None) -> Order:
    number = _KINDS.index(None if kind is None else SenderKind(kind))

    def order(record: SenderRecord, _now: float) -> None:
        record.kind = number

    return order


def _blocked(until: float | None, reason: str) -> Order:
    def order(record: SenderRecord, now: float) -> None:
        record.add(Block(now, until, reason))

    return order


def _outcome(event: Any, code: int | None, text: str, valid: int, invalid: int) -> tuple[int, int]:
    """Return how many recipients took it, and how many do not exist."""
    for number in (valid, invalid):
        _require_count(number)
    if code is not None:
        reply = read_reply(code, text)
        valid, invalid = valid + (code < 400), invalid + reply.is_unknown
    events = () if event is None else (event,) if hasattr(event, "type") else tuple(event)
    for one in events:
        if one.type in _OUTCOMES:
            is_unknown = _is_unknown(one.reason)
            valid, invalid = valid + (not is_unknown), invalid + is_unknown
    return valid, invalid


def _is_unknown(reason: str | None) -> bool:
    """Return whether the reason of an event means that there is no such mailbox or domain."""
    return reason is not None and reason in set(BounceReason) and BounceReason(reason).is_unknown


def _name(sender: object) -> str:
    name = text_key(sender).strip().lower()
    if sender is None or not name:
        msg = f"sender must be an address or the name of an account; got {sender!r}"
        raise ValueError(msg)
    return name


def _require_count(number: object) -> None:
    if isinstance(number, int) and 0 <= number <= MOST:
        return
    msg = f"a number of recipients must be a whole number from 0 to {MOST:,}; got {number!r:.40}"
    raise ValueError(msg)


def _end(seconds: object, now: float) -> float | None:
    """Return when a block ends; `None` where it never does."""
    if seconds is None:
        return None
    if isinstance(seconds, int | float) and seconds > 0:
        return None if seconds > LONGEST else now + seconds
    msg = f"seconds must be a number above 0, or None for a permanent block; got {seconds!r}"
    raise ValueError(msg)
