"""Control of senders: who mails invalid addresses, or is not who it was, is stopped."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from mailflows._result import to_html
from mailflows._stores import update
from mailflows.errors import ConfigurationError, StoreError
from mailflows.feedback import BounceReason, read_reply
from mailflows.limits._attempt import Attempt, network_key, text_key
from mailflows.senders._record import LONGEST, Block, SenderRecord
from mailflows.senders._rules import SenderPolicy, SenderReason, block_for, how_long, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailflows._clock import Clock
    from mailflows._stores import Documents
    from mailflows.message import Source

__all__ = ["SenderControl", "SenderStatus", "SenderVerdict"]

_OUTCOMES = frozenset({"delivered", "bounced", "rejected"})

MOST = 10**9
"""Recipients of one report."""

_log = logging.getLogger("mailflows.limits")


class SenderStatus(StrEnum):
    """How a sender stands."""

    CLEAR = "clear"
    WARNED = "warned"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class SenderVerdict:
    """Whether a sender may send. A verdict is true if so.

    Attributes:
        allowed: Whether this message may go.
        status: How the sender stands: clear, warned or blocked.
        reasons: What speaks against the sender, or the message, the weightiest first.
        until: When a block ends, in UTC; `None` without a block, or for one that never ends.
        retry_after: Seconds until then; 0.0 if allowed, `None` for never.
        outcomes: Recipients of the last seven days whose fate is known.
        invalid: Those of them who do not exist.
        degraded: Whether the store could not be asked, so that *on_error* decided.
    """

    allowed: bool
    status: SenderStatus
    reasons: tuple[SenderReason, ...]
    until: datetime | None
    retry_after: float | None
    outcomes: int
    invalid: int
    degraded: bool = False

    def __bool__(self) -> bool:
        return self.allowed

    def __str__(self) -> str:
        """Return one line, without an address."""
        said = "may send" if self.allowed else "may not send"
        why = "; ".join(reason.sentence for reason in self.reasons)
        return f"{self.status}: {said}" + (f" ({why})" if why else "")

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data, ready for JSON."""
        return {
            "allowed": self.allowed,
            "status": str(self.status),
            "reasons": [{"code": r.code, "sentence": r.sentence, "stops": r.stops} for r in self.reasons],
            "until": None if self.until is None else self.until.isoformat(),
            "retry_after": self.retry_after,
            "outcomes": self.outcomes,
            "invalid": self.invalid,
            "degraded": self.degraded,
        }

    def _repr_html_(self) -> str:
        """Return the verdict as a small table, for a notebook."""
        rows = [[reason.code, reason.sentence, "yes" if reason.stops else "no"] for reason in self.reasons]
        return to_html(str(self.status), ["reason", "what was found", "stops"], rows)


class SenderControl:
    """Stops senders who mail invalid addresses, mass mailings, and accounts that somebody else took over.

    For mail that people send (the professional flow): each sender has a record in the store, by a keyed hash.
    Feed back what becomes of the mail, and ask before each message.

    Args:
        store: Where records live; one that outlives the process, so that a block does.
        policy: When a sender is warned and stopped; see `SenderPolicy`.
        on_error: What to do when the store cannot be asked: ``allow`` or ``deny``.
        hooks: Functions that are given (sender, verdict) when a sender is blocked, to tell an administrator:
            who is not told cannot help.
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

    def __init__(
        self,
        store: Documents,
        *,
        policy: SenderPolicy | None = None,
        on_error: Literal["allow", "deny"] = "allow",
        hooks: Iterable[Callable[[str, SenderVerdict], object]] = (),
        clock: Clock = time.time,
    ) -> None:
        if on_error not in {"allow", "deny"}:
            msg = f"on_error= is 'allow' or 'deny'; got {on_error!r}"
            raise ConfigurationError(msg, field="on_error")
        self.policy = SenderPolicy() if policy is None else policy
        self._store = store
        self._on_error = on_error
        self._hooks = tuple(hooks)
        self._clock = clock

    def acquire(
        self,
        sender: str,
        message: Source | object | None = None,
        *,
        to: str | Iterable[str] | None = None,
        client: object = None,
    ) -> SenderVerdict:
        """Say whether a sender may send this, and remember that it was tried.

        Args:
            sender: Who: an address, or the name of an account.
            message: The message, for its recipients; or
            to: the recipients themselves.
            client: The network address that the sender comes from, for the signs of a stolen account.

        Raises:
            ValueError: If the client is no network address, or the sender is empty.
        """
        attempt = Attempt(message, {"to": to})
        network = None if client is None else network_key(client)
        if len(attempt.recipients) > self.policy.max_recipients:
            return self._too_many(sender, len(attempt.recipients))
        return self._change(
            sender, lambda record, now: record.with_attempt(attempt.recipients, network, now), is_attempt=True
        )

    def check(self, sender: str) -> SenderVerdict:
        """Say how a sender stands, and change nothing."""
        try:
            document = self._store.load(self._key(sender))
        except StoreError as problem:
            return self._without_store(problem)
        now = self._clock()
        return self._verdict(SenderRecord.read(document).at(now), now)

    state = check

    def report(  # noqa: PLR0913 -- what is known comes in several forms
        self,
        sender: str,
        event: Any = None,
        *,
        code: int | None = None,
        text: str = "",
        valid: int = 0,
        invalid: int = 0,
    ) -> SenderVerdict:
        """Feed back what became of a sender's mail; soft bounces are nobody's fault and do not count.

        Args:
            sender: Who sent it.
            event: A `mailflows.feedback.Event`, or anything with its ``type`` and ``reason``.
            code: Reply code of the server to one recipient, where there is no event, and
            text: what it said: ``code=550, text="5.1.1 user unknown"``.
            valid: Recipients who took it, or
            invalid: who do not exist, where they were counted.

        Raises:
            ValueError: If a number is no whole one of at least 0.
        """
        if code is not None:
            is_unknown = read_reply(code, text).is_unknown
            valid, invalid = valid + (code < 400), invalid + is_unknown
        for number in (valid, invalid):
            _require_count(number)
        if event is not None and event.type in _OUTCOMES:
            is_invalid = _is_unknown(event.reason)
            valid, invalid = valid + (not is_invalid), invalid + is_invalid
        if not valid and not invalid:
            return self.check(sender)
        return self._change(
            sender, lambda record, now: record.with_outcomes(valid=valid, invalid=invalid, now=now)
        )

    def block(self, sender: str, *, seconds: float | None = None, reason: str = "by-hand") -> SenderVerdict:
        """Block a sender, for good unless *seconds* are given.

        Raises:
            ValueError: If *seconds* is no number above 0.
            StoreError: If the store could not answer: an order of yours is not dropped in silence.
        """
        now = self._clock()
        block = Block(now, _end(seconds, now), reason)
        return self._ordered(sender, lambda record: record.at(now).with_block(block))

    def unblock(self, sender: str) -> SenderVerdict:
        """Let a sender go on, whatever the reason of the block was.

        Raises:
            StoreError: If the store could not answer.
        """
        now = self._clock()
        return self._ordered(sender, lambda record: record.at(now).without_block(now))

    async def aacquire(
        self,
        sender: str,
        message: Source | object | None = None,
        *,
        to: str | Iterable[str] | None = None,
        client: object = None,
    ) -> SenderVerdict:
        """Do what `acquire` does without blocking the event loop."""
        return await asyncio.to_thread(self.acquire, sender, message, to=to, client=client)

    async def areport(
        self, sender: str, event: Any = None, *, valid: int = 0, invalid: int = 0
    ) -> SenderVerdict:
        """Do what `report` does without blocking the event loop."""
        return await asyncio.to_thread(self.report, sender, event, valid=valid, invalid=invalid)

    def _key(self, sender: object) -> str:
        name = text_key(sender).strip().lower()
        if sender is None or not name:
            msg = f"sender is an address or the name of an account; got {sender!r}"
            raise ValueError(msg)
        return f"sender:{self._store.digest(name)}"

    def _change(
        self,
        sender: str,
        change: Callable[[SenderRecord, float], SenderRecord],
        *,
        is_attempt: bool = False,
    ) -> SenderVerdict:
        """Change a record, block the sender if it calls for that, and say how the sender stands."""
        now = self._clock()
        was_on = False

        def changed(document: bytes | None) -> bytes | None:
            nonlocal was_on
            known = SenderRecord.read(document)
            record = known.at(now)
            was_on = record.block is not None and record.block.is_on(now)
            if was_on and is_attempt:
                # Who is blocked and tries again is not remembered for it; that the clock was set back is.
                return record.write() if record.hour < known.hour else document
            record = change(record, now)
            block = None if was_on else block_for(judge(record, self.policy), record, self.policy, now)
            return (record if block is None else record.with_block(block)).write()

        try:
            document = update(self._store, self._key(sender), changed)
        except StoreError as problem:
            return self._without_store(problem)
        verdict = self._verdict(SenderRecord.read(document), now)
        if verdict.status is SenderStatus.BLOCKED and not was_on:
            self._tell(sender, verdict)
        return verdict

    def _ordered(self, sender: str, change: Callable[[SenderRecord], SenderRecord]) -> SenderVerdict:
        document = update(
            self._store, self._key(sender), lambda document: change(SenderRecord.read(document)).write()
        )
        return self._verdict(SenderRecord.read(document), self._clock())

    def _verdict(self, record: SenderRecord, now: float) -> SenderVerdict:
        """Say how a sender with this record stands."""
        outcomes, invalid = record.outcomes
        block = record.block
        if block is not None and block.is_on(now):
            sentence = f"stopped {how_long(block, now)}: {block.reason}"
            until = None if block.until is None else datetime.fromtimestamp(block.until, UTC)
            retry = None if block.until is None else block.until - now
            blocked = (SenderReason("blocked", sentence, stops=True),)
            return SenderVerdict(False, SenderStatus.BLOCKED, blocked, until, retry, outcomes, invalid)  # noqa: FBT003
        reasons = judge(record, self.policy)
        status = SenderStatus.CLEAR if not reasons else SenderStatus.WARNED
        return SenderVerdict(True, status, reasons, None, 0.0, outcomes, invalid)  # noqa: FBT003

    def _too_many(self, sender: str, count: int) -> SenderVerdict:
        """Refuse one mailing; the sender is as before."""
        standing = self.check(sender)
        sentence = f"{count} recipients in one mailing; at most {self.policy.max_recipients} are tolerated"
        reasons = (SenderReason("too-many-recipients", sentence, stops=True), *standing.reasons)
        return SenderVerdict(
            allowed=False,
            status=standing.status,
            reasons=reasons,
            until=standing.until,
            retry_after=None,
            outcomes=standing.outcomes,
            invalid=standing.invalid,
            degraded=standing.degraded,
        )

    def _without_store(self, problem: StoreError) -> SenderVerdict:
        """Return what the policy says while the store cannot be asked."""
        _log.warning("%s; senders are not controlled: the policy is «%s»", problem, self._on_error)
        is_allowed = self._on_error == "allow"
        return SenderVerdict(
            allowed=is_allowed,
            status=SenderStatus.CLEAR,
            reasons=(),
            until=None,
            retry_after=0.0 if is_allowed else 1.0,
            outcomes=0,
            invalid=0,
            degraded=True,
        )

    def _tell(self, sender: str, verdict: SenderVerdict) -> None:
        """Let the log and the hooks know of a new block; the log gets no address."""
        _log.warning("a sender was blocked: %s", verdict)
        for hook in self._hooks:
            try:
                hook(sender, verdict)
            except Exception:  # noqa: BLE001 -- of whatever kind: a broken message to an administrator stops no mail
                _log.exception("a hook failed")


def _require_count(number: object) -> None:
    if not isinstance(number, int) or not 0 <= number <= MOST:
        msg = f"a number of recipients is a whole one of at least 0, and at most {MOST}; got {number!r:.60}"
        raise ValueError(msg)


def _end(seconds: object, now: float) -> float | None:
    """Return when a block ends; `None` for never, which is what more than a century comes to."""
    if seconds is None:
        return None
    if not isinstance(seconds, int | float) or not seconds > 0:
        msg = f"seconds is a number above 0, or None for good; got {seconds!r}"
        raise ValueError(msg)
    return now + seconds if seconds <= LONGEST else None


def _is_unknown(reason: str | None) -> bool:
    """Say whether the reason of an event means that there is no such mailbox or domain."""
    return reason is not None and reason in set(BounceReason) and BounceReason(reason).is_unknown
