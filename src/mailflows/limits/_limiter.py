"""The limiter: any number of limits, decided together."""

from __future__ import annotations

import asyncio
import copy
import logging
import math
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from mailflows._guarded import guarded
from mailflows._result import View, number_of
from mailflows._stores import MemoryStore, Outcome
from mailflows._stores._documents import awaited
from mailflows._stores._fallback import SHARE, Fallback, OnError
from mailflows.errors import ConfigurationError, LimitExceeded
from mailflows.limits._attempt import KEYS, Attempt
from mailflows.limits._decision import Decision
from mailflows.limits._limit import Limit
from mailflows.limits._partial import partial_fit
from mailflows.limits._recipients import Unreadable, canonical

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
    from typing import Unpack

    from mailflows._result import Cell, Table
    from mailflows._stores import Charge, Store
    from mailflows.limits._attempt import Keys
    from mailflows.limits._decision import LimitReading
    from mailflows.limits._partial import LeftOut
    from mailflows.message import Source

__all__ = ["Limiter"]

F = TypeVar("F", bound="Callable[..., Any]")

# choice: an SMTP transaction is over in seconds, as a rule
LEASE = 60.0
"""Seconds for which `Limiter.sending` reserves: longer than an SMTP transaction usually takes, and short
enough that a crash costs a person little."""

_log = logging.getLogger("mailflows.limits")


class Limiter(View):
    """Decides on attempts to send by all limits at once: all or none.

    A refusal uses no quota, so an attack on one victim does not use up anyone else's; the order of the limits
    does not matter.

    Args:
        limits: The limits, all of which must allow an attempt; see `Limit`.
        store: Where the counters are kept: a `MemoryStore` by default (each process counts for itself), a
            `SQLiteStore` for all processes of a machine, a `RedisStore` for several machines.
        on_error: What to do when the store fails to answer: ``local`` counts in the memory of this process,
            from what it last saw and up to its share, ``deny`` refuses, ``allow`` allows. With the default,
            ``local``, a form stays usable and still limited. If a store is only busy, the limiter waits for
            it.
        share: The part of each limit that this process may use with ``local``: one divided by the number of
            processes that share the store.
        dry_run: Allow everything, and only report what would have been refused: for a first week.
        name: A name that separates limiters that share a store; limiters of the same name share the counters
            of equal limits.
        hooks: Functions called with every `Decision`, for metrics; exceptions in them are only logged.
        sleep: The function that `wait` sleeps with; *asleep* is for the async methods.

    Raises:
        ConfigurationError: If there is no limit, or one is given twice.

    Example:
        >>> from mailflows.limits import Limit, Limiter
        >>> limiter = Limiter(Limit("2/hour", per="recipient"), Limit("1000/hour", per="global"))
        >>> [bool(limiter.acquire(to="ada@example.org")) for _ in range(3)]
        [True, True, False]
        >>> limiter.check(to="ADA@example.org").rule
        '2 per hour per recipient'
    """

    is_preset = False
    """Whether its limits are a preset's: defaults, of which any that cannot apply are skipped."""

    background: Limiter | None = None
    """Of presets: the limiter for mail that no visitor triggered, as a Celery or cron job has no client."""

    def __init__(  # noqa: PLR0913 -- the settings of a limiter
        self,
        *limits: Limit,
        store: Store | None = None,
        on_error: OnError = "local",
        share: float = SHARE,
        dry_run: bool = False,
        name: str = "mailflows",
        hooks: Iterable[Callable[[Decision], object]] = (),
        sleep: Callable[[float], object] = time.sleep,
        asleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if not limits:
            msg = "a limiter needs at least one Limit"
            raise ConfigurationError(msg, field="limits")
        _require_limits(limits)
        self.limits = limits
        self.store: Store = MemoryStore() if store is None else store
        self.dry_run = dry_run
        self.hooks = tuple(hooks)
        self._sleep = sleep
        self._asleep = asleep
        self._by_meter: dict[str, Limit] = {}
        self._limits = [limit.bound(name, found=self._note) for limit in limits]
        for limit in self._limits:
            self._note(limit, again=False)
        self._prepared = [limit.prepared() for limit in self._limits]
        self._fallback = Fallback(self.store, on_error=on_error, share=share)
        self._direct = self.store.decide if isinstance(self.store, MemoryStore) else None

    def acquire(
        self,
        message: Source | object | None = None,
        *,
        partial: bool = False,
        lease: float | None = None,
        **keys: Unpack[Keys],
    ) -> Decision:
        """Take the quota an attempt needs, from all limits or from none.

        Args:
            message: The message, for its recipients (of the envelope, else To, Cc and Bcc, each mailbox
                once), or `None`.
            partial: If not all recipients fit, take quota for those that do; see `Decision.accepted`.
            lease: Seconds after which the quota is given back unless `report` keeps it; by default it is
                taken permanently.
            keys: What the limits count by; see `Keys`.

        Raises:
            ValueError: If a key that a limit counts by is missing or cannot be read, or the lease is not
                above 0.

        Example:
            >>> from mailflows.limits import Limit, Limiter
            >>> limiter = Limiter(Limit("2/hour", per="account"))
            >>> print(limiter.acquire(to=["a@example.org", "b@example.org", "c@example.org"], account="ada"))
            Over the limit '2 per hour per account': this attempt alone exceeds the limit.
            >>> limiter.acquire(to=["a@example.org", "b@example.org"], account="ada").remaining
            0
        """
        attempt = Attempt(message, keys)
        try:
            charges = self._charges(attempt)
        except Unreadable as problem:
            return self._unreadable(attempt, problem)
        if self._direct is not None and lease is None and not partial:
            return self._decision(attempt, self._direct(charges))
        _lasting(lease)
        if partial:
            steps = partial_fit(attempt, self._charges)
            charges, look = next(steps)
            while True:
                try:
                    charges, look = steps.send(self._fallback.decide(charges, lease=lease, look=look))
                except StopIteration as done:
                    return self._decision(attempt, *done.value)
        return self._decision(attempt, *self._fallback.decide(charges, lease=lease))

    async def aacquire(
        self,
        message: Source | object | None = None,
        *,
        partial: bool = False,
        lease: float | None = None,
        **keys: Unpack[Keys],
    ) -> Decision:
        """Do what `acquire` does without blocking the event loop."""
        attempt = Attempt(message, keys)
        try:
            charges = self._charges(attempt)
        except Unreadable as problem:
            return self._unreadable(attempt, problem)
        _lasting(lease)
        if partial:
            steps = partial_fit(attempt, self._charges)
            charges, look = next(steps)
            while True:
                try:
                    charges, look = steps.send(await self._fallback.adecide(charges, lease=lease, look=look))
                except StopIteration as done:
                    return self._decision(attempt, *done.value)
        return self._decision(attempt, *(await self._fallback.adecide(charges, lease=lease)))

    def check(self, message: Source | object | None = None, **keys: Unpack[Keys]) -> Decision:
        """Return what `acquire` would decide now, without changing anything.

        Raises:
            ValueError: As `acquire`.
        """
        attempt = Attempt(message, keys)
        try:
            charges = self._charges(attempt)
        except Unreadable as problem:
            return self._unreadable(attempt, problem)
        return self._decision(attempt, *self._fallback.decide(charges, look=True))

    async def acheck(self, message: Source | object | None = None, **keys: Unpack[Keys]) -> Decision:
        """Do what `check` does without blocking the event loop."""
        attempt = Attempt(message, keys)
        try:
            charges = self._charges(attempt)
        except Unreadable as problem:
            return self._unreadable(attempt, problem)
        return self._decision(attempt, *(await self._fallback.adecide(charges, look=True)))

    def schedule(
        self, message: Source | object | None = None, *, within: float = math.inf, **keys: Unpack[Keys]
    ) -> Decision:
        """Book the earliest time at which an attempt fits, for a queue that sends later.

        Args:
            message: As `acquire`.
            within: Seconds from now within which that must be; otherwise the attempt is refused.
            keys: As `acquire`.

        Returns:
            A decision; `Decision.delay` is the number of seconds to wait. First come, first served.

        Raises:
            ValueError: As `acquire`.
        """
        attempt = Attempt(message, keys)
        try:
            charges = self._charges(attempt)
        except Unreadable as problem:
            return self._unreadable(attempt, problem)
        return self._decision(attempt, *self._fallback.decide(charges, within=_most(within)))

    async def aschedule(
        self, message: Source | object | None = None, *, within: float = math.inf, **keys: Unpack[Keys]
    ) -> Decision:
        """Do what `schedule` does without blocking the event loop."""
        attempt = Attempt(message, keys)
        try:
            charges = self._charges(attempt)
        except Unreadable as problem:
            return self._unreadable(attempt, problem)
        return self._decision(attempt, *(await self._fallback.adecide(charges, within=_most(within))))

    def wait(
        self, message: Source | object | None = None, *, timeout: float = math.inf, **keys: Unpack[Keys]
    ) -> Decision:
        """Wait until an attempt is allowed; turns are booked, so it is first come, first served.

        Args:
            message: As `acquire`.
            timeout: Maximum number of seconds to wait. An attempt that would take longer is refused at once.
            keys: As `acquire`.

        Raises:
            ValueError: As `acquire`.
        """
        decision = self.schedule(message, within=timeout, **keys)
        if decision.delay > 0.0:
            try:
                self._sleep(decision.delay)
            # Also Ctrl-C and a thread's end: a booked turn that nobody uses holds up everyone behind it.
            except BaseException:
                self.report(decision, sent=False)
                raise
        return decision

    async def await_turn(
        self,
        message: Source | object | None = None,
        *,
        timeout: float = math.inf,  # noqa: ASYNC109 -- what would take longer is refused before it starts
        **keys: Unpack[Keys],
    ) -> Decision:
        """Do what `wait` does without blocking the event loop; a cancelled call gives its turn back."""
        decision = await self.aschedule(message, within=timeout, **keys)
        if decision.delay > 0.0:
            try:
                await self._asleep(decision.delay)
            except BaseException:
                await self.areport(decision, sent=False)
                raise
        return decision

    def report(self, decision: Decision, *, sent: bool) -> None:
        """Report the outcome: quota for unsent recipients is given back, the rest stays used.

        Args:
            decision: What `acquire` or `schedule` returned; a refusal changes nothing.
            sent: Whether the message was sent.
        """
        self._fallback.settle(decision.outcome, keep=sent, degraded=decision.degraded)

    async def areport(self, decision: Decision, *, sent: bool) -> None:
        """Do what `report` does without blocking the event loop."""
        await self._fallback.asettle(decision.outcome, keep=sent, degraded=decision.degraded)

    def show(self, **keys: Unpack[Keys]) -> tuple[LimitReading, ...]:
        """Return the counters of a key, given in plain text; changes nothing.

        Args:
            keys: Such as ``to="ada@example.org"`` or ``client="192.0.2.7"``; limits that count by other keys
                are ignored.

        Raises:
            StoreError: If the store could not answer.

        Example:
            >>> from mailflows.limits import Limit, Limiter
            >>> limiter = Limiter(Limit("3/hour", per="recipient"), Limit("9/day", per="client"))
            >>> _ = limiter.acquire(to="ada@example.org", client="192.0.2.7")
            >>> [str(reading) for reading in limiter.show(to="ada@example.org")]
            ['3 per hour per recipient: 2 of 3 left']
        """
        charges, attempt = self._places(keys)
        outcome = self.store.decide(charges, look=True)
        return Decision(self._by_meter, attempt, outcome).readings

    async def ashow(self, **keys: Unpack[Keys]) -> tuple[LimitReading, ...]:
        """Do what `show` does without blocking the event loop."""
        charges, attempt = self._places(keys)
        outcome = await awaited(self.store, "decide", charges, look=True)
        return Decision(self._by_meter, attempt, outcome).readings

    def reset(self, **keys: Unpack[Keys]) -> int:
        """Reset the counters of a key, given in plain text, and return how many there were.

        Args:
            keys: As for `show`.

        Raises:
            StoreError: If the store could not answer; call again.

        Example:
            >>> from mailflows.limits import Limit, Limiter
            >>> limiter = Limiter(Limit("1/hour", per="recipient"))
            >>> limiter.acquire(to="ada@example.org").allowed, limiter.acquire(to="ada@example.org").allowed
            (True, False)
            >>> limiter.reset(to="ada@example.org"), limiter.acquire(to="ada@example.org").allowed
            (1, True)
        """
        charges, _ = self._places(keys)
        self.store.reset(charges)
        return len(charges)

    async def areset(self, **keys: Unpack[Keys]) -> int:
        """Do what `reset` does without blocking the event loop."""
        charges, _ = self._places(keys)
        await awaited(self.store, "reset", charges)
        return len(charges)

    def forget(self, address: str) -> int:
        """Forget a person: reset the counters of an address as recipient and as account.

        Counters per content are not reset; they expire after the period of their rate, because their key is a
        hash of address and content.

        Raises:
            StoreError: If the store could not answer.
            ValueError: If it is not one address.
        """
        spellings = {address, canonical(address)}
        return self.reset(to=address) + sum(self.reset(account=each) for each in spellings)

    async def aforget(self, address: str) -> int:
        """Do what `forget` does without blocking the event loop."""
        spellings = {address, canonical(address)}
        return await self.areset(to=address) + sum([await self.areset(account=each) for each in spellings])

    def penalize(self, units: int = 1, **keys: Unpack[Keys]) -> None:
        """Take extra quota from a key as a penalty, beyond its limit if need be.

        The opposite is `report` with ``sent=False``, which gives back what an attempt took.

        Args:
            units: How many units; at most what each rate allows at once.
            keys: Such as ``client="192.0.2.7"``; limits that count by others are left out.

        Raises:
            ValueError: If *units* is not a whole number of at least one, or there is no such key.
            StoreError: If the store could not answer.

        Example:
            >>> from mailflows.limits import Limit, Limiter
            >>> limiter = Limiter(Limit("5/hour", per="client"))
            >>> limiter.penalize(4, client="192.0.2.7")
            >>> [limiter.acquire(client="192.0.2.7").allowed for _ in range(2)]
            [True, False]
        """
        self.store.decide(self._penalty(units, keys), within=_most(math.inf))

    async def apenalize(self, units: int = 1, **keys: Unpack[Keys]) -> None:
        """Do what `penalize` does without blocking the event loop."""
        await awaited(self.store, "decide", self._penalty(units, keys), within=_most(math.inf))

    def _penalty(self, units: int, keys: Keys) -> list[Charge]:
        charges, _ = self._places(keys)
        return [(meter, key, min(units, meter.capacity)) for meter, key, nothing in charges if nothing == 0]

    def _places(self, keys: Keys) -> tuple[list[Charge], Attempt]:
        """Return the counters that belong to some keys alone; those that others share are left out."""
        attempt = Attempt(None, keys)
        limits = [limit for limit in self._limits if limit.kind not in {"global", "recipient_domain"}]
        return [charge for limit in limits for charge in limit.places(attempt)], attempt

    @contextmanager
    def sending(
        self, message: Source | object | None = None, *, lease: float = LEASE, **keys: Unpack[Keys]
    ) -> Iterator[Decision]:
        """Reserve quota, send in the block, and keep the quota; an exception gives it back.

        If the process dies in the block, an exact limit releases the reservation after *lease* seconds, and a
        steady one as it drains.

        Args:
            message: As `acquire`.
            lease: Maximum number of seconds that sending may take.
            keys: As `acquire`.

        Raises:
            LimitExceeded: If a limit refuses; its ``decision`` says which, and when to try again.
            ValueError: As `acquire`.

        Example:
            >>> from mailflows.limits import Limit, Limiter
            >>> limiter = Limiter(Limit("3/day", per="recipient"))
            >>> with limiter.sending(to="ada@example.org") as decision:
            ...     pass  # smtp.send_message(message)
            >>> decision.remaining
            2
        """
        decision = self.acquire(message, lease=lease, **keys)
        if not decision:
            raise LimitExceeded(decision.message, decision=decision)
        try:
            yield decision
        except BaseException:
            self.report(decision, sent=False)
            raise
        self.report(decision, sent=True)

    @asynccontextmanager
    async def asending(
        self, message: Source | object | None = None, *, lease: float = LEASE, **keys: Unpack[Keys]
    ) -> AsyncIterator[Decision]:
        """Do what `sending` does without blocking the event loop."""
        decision = await self.aacquire(message, lease=lease, **keys)
        if not decision:
            raise LimitExceeded(decision.message, decision=decision)
        try:
            yield decision
        except BaseException:
            await self.areport(decision, sent=False)
            raise
        await self.areport(decision, sent=True)

    def guard(self, **keys: str | Callable[[Mapping[str, Any]], object]) -> Callable[[F], F]:
        """Return a decorator that runs a sync or async sending function inside `sending`.

        Args:
            keys: For each key of `Keys`, and for ``message``, the name of the function's parameter that
                holds it, or a function of all its arguments by name.

        Raises:
            ConfigurationError: If the function has no such parameter.
            LimitExceeded: By the decorated function, if a limit refuses.

        Example:
            >>> from mailflows.limits import Limit, Limiter
            >>> @Limiter(Limit("1/day", per="recipient")).guard(to="address")
            ... def send_reset_mail(address, token):
            ...     return f"sent {token}"
            >>> send_reset_mail("ada@example.org", "t0k3n")
            'sent t0k3n'
            >>> send_reset_mail("ada@example.org", "t0k3n")
            Traceback (most recent call last):
            mailflows.errors.LimitExceeded: Over the limit '1 per day per recipient': try again in 1 day.
        """

        def decorate(function: F) -> F:
            names = {"message", *KEYS}
            behind = guarded(function, keys, names=names, sending=self.sending, asending=self.asending)
            return cast("F", behind)

        return decorate

    def _note(self, limit: Limit, *, again: bool = True) -> None:
        """Map the identity of each meter to its limit; two plans may have the same rate."""
        for meter in limit.meters:
            if meter.id in self._by_meter and not again:
                msg = (
                    f"the limit {limit.name!r} is given twice; remove one, or give them different "
                    "names with name="
                )
                raise ConfigurationError(msg, field="limits")
            self._by_meter.setdefault(meter.id, limit)

    def without(self, is_left_out: Callable[[Limit], bool]) -> Limiter:
        """Return the same limiter, with the same counters, without some of its limits."""
        same = copy.copy(self)
        same.limits = tuple(limit for limit in self.limits if not is_left_out(limit))
        same._limits = [  # noqa: SLF001 -- its own copy
            bound for limit, bound in zip(self.limits, self._limits, strict=True) if not is_left_out(limit)
        ]
        same._prepared = [limit.prepared() for limit in same._limits]  # noqa: SLF001 -- its own copy
        return same

    def _charges(self, attempt: Attempt) -> list[Charge]:
        """Return what an attempt takes from all limits; most count by one key, which takes no call."""
        charges: list[Charge] = []
        known = attempt.keys
        for name, canonical_form, meters, per_message, limit in self._prepared:
            value = known.get(name) if name else None
            if value is None:
                limit.charge(attempt, charges)
                continue
            key = canonical_form(value)
            cost = 1 if per_message or attempt.costs_one else attempt.cost
            for meter in meters:
                charges.append((meter, key, cost))  # noqa: PERF401 -- faster for one or two
        return charges

    def _decision(
        self,
        attempt: Attempt,
        outcome: Outcome,
        degraded: bool = False,  # noqa: FBT001, FBT002 -- a keyword costs time here
        accepted: tuple[str, ...] | None = None,
        left_out: Mapping[str, LeftOut] | None = None,
    ) -> Decision:
        """Make a decision of what the store said."""
        decision = Decision(
            self._by_meter, attempt, outcome, degraded, self.dry_run, accepted, left_out=left_out
        )
        if self.hooks or outcome.at is None:
            self._tell(decision)
        return decision

    def _unreadable(self, attempt: Attempt, problem: Unreadable) -> Decision:
        """Refuse what names no recipients, by value: a visitor typed it, and waiting is of no use."""
        attempt.forget_recipients()
        outcome = Outcome((), 0.0, math.inf)
        decision = Decision(self._by_meter, attempt, outcome, dry_run=self.dry_run, problem=str(problem))
        self._tell(decision)
        return decision

    def _tell(self, decision: Decision) -> None:
        """Let the log and the hooks know; neither gets an address."""
        if not decision.outcome.allowed and _log.isEnabledFor(logging.INFO):
            said = "would refuse" if self.dry_run else "refused"
            _log.info("%s: %s%s", said, decision.rule or decision.message, " (degraded)" * decision.degraded)
        for hook in self.hooks:
            try:
                hook(decision)
            except Exception:  # noqa: BLE001 -- of whatever kind: a broken metric must not stop mail
                _log.exception("a hook failed")

    def _table(self) -> Table:
        rows: list[list[Cell]] = [
            [limit.name, limit.kind, limit.counts, "may be absent" if limit.optional else "must be given"]
            for limit in self.limits
        ]
        title = (
            f"{number_of(len(self.limits), 'limit')} in {self.store!r}{' (dry run)' if self.dry_run else ''}"
        )
        return title, ["limit", "per", "counts", "its key"], rows

    def __repr__(self) -> str:
        return f"<Limiter in {self.store!r}: {'; '.join(limit.name for limit in self.limits)}>"


def _most(within: float) -> float:
    """Return how long to wait at most; what never fits is not waited for.

    A deadline that has passed is as one that is now: below 0, a store could not tell it from a refusal.
    """
    if math.isnan(within):
        msg = "a wait must be a number of seconds; got nan"
        raise ValueError(msg)
    return min(max(within, 0.0), sys.float_info.max)


def _lasting(lease: float | None) -> None:
    """Refuse a lease in which nothing can be sent: what is reserved for no time counts for nothing."""
    if lease is not None and not lease > 0.0:
        msg = f"a lease must be a number of seconds above 0; got {lease!r}"
        raise ValueError(msg)


def _require_limits(limits: tuple[object, ...]) -> None:
    for limit in limits:
        if not isinstance(limit, Limit):
            msg = f"a limiter takes Limit objects, each as a separate argument; got {type(limit).__name__}"
            raise ConfigurationError(msg, field="limits")
