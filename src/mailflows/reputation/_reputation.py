"""The reputation of each flow: the outcomes of its mail, and a breaker that stops it before providers do."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from mailflows._clock import to_datetime
from mailflows._context import Context
from mailflows._provider_names import meant_provider, spellings_of
from mailflows._result import Permission, Result, to_html
from mailflows._stores._documents import DocumentKeeper, adrive, drive
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError, StoreError
from mailflows.feedback import Event
from mailflows.flow import Flow
from mailflows.reputation._breaker import (
    BreakerPolicy,
    BreakerState,
    MetricRate,
    Threshold,
    advanced,
    judged,
    large_names,
    large_provider_of,
    notices,
    opened,
    rates,
    thresholds_for,
    trial_failed,
    without_suspects,
)
from mailflows.reputation._counts import DAY, Counts, ReputationRecord, Tally, tally_of, tally_of_counts
from mailflows.reputation._readings import ProviderReading, verdicts_of
from mailflows.reputation._scopes import KINDS, Scope, personal_scopes, scope_named, scopes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from mailflows._clock import Clock
    from mailflows._result import Cell
    from mailflows._stores import Documents
    from mailflows._stores._documents import Steps

__all__ = ["Reputation", "ReputationVerdict", "Standing", "Stop"]

REMEMBER = 30 * 86_400.0  # our choice

_log = logging.getLogger("mailflows.flows")


@dataclass(frozen=True, slots=True)
class Standing(Result):
    """The state of a flow, or of a part of it.

    Attributes:
        scope: Such as ``marketing``, ``marketing to google`` or ``transactional by form signup``.
        state: Whether mail may be sent.
        rates: Every rate of the window, with its interval.
        reason: Why it was stopped; empty while it is closed.
        until: When the stop or the trial ends, in UTC; `None` while it is closed.
        notices: Rates that an operator should know about, although nothing is stopped; logged once a day.
    """

    scope: str
    state: BreakerState
    rates: tuple[MetricRate, ...]
    reason: str
    until: datetime | None
    notices: tuple[str, ...] = ()

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return "; ".join((f"{self.scope}: {self.state}{why}", *self.notices))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return {
            "scope": self.scope,
            "state": str(self.state),
            "reason": self.reason,
            "until": self.until.isoformat() if self.until else None,
            "notices": list(self.notices),
            "rates": {
                str(rate.metric): {"hits": rate.hits, "total": rate.total, "low": rate.low, "high": rate.high}
                for rate in self.rates
            },
        }

    def _repr_html_(self) -> str:
        """Return the state as a small table, for a notebook."""
        rows: list[list[Cell]] = [
            [str(r.metric), r.hits, r.total, f"{r.low:.2%} to {r.high:.2%}"] for r in self.rates
        ]
        return to_html(str(self), ["rate", "hits", "of", "95 % interval"], rows)


@dataclass(frozen=True, slots=True)
class Stop(Result):
    """One breaker that is open now.

    Attributes:
        scope: What is stopped, as `Standing.scope`.
        sentence: Why, without an address.
        retry_after: Seconds until mail is let through again.
        provider: The mailbox provider that it applies to, or `None` for all mail of the scope.
    """

    scope: str
    sentence: str
    retry_after: float
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class ReputationVerdict(Permission):
    """Whether mail of a flow may be sent. True if it may, at least to some of the recipients.

    Attributes:
        accepted: Recipients that mail may be sent to, as they were given.
        refused: Recipients at a provider to which the flow is stopped.
        stops: The breakers that are open.
        allowed: Whether the flow and the sender may send mail at all.
        degraded: Whether the store failed to answer, so that *on_error* decided.
    """

    allowed: bool
    accepted: tuple[str, ...]
    refused: tuple[str, ...]
    stops: tuple[Stop, ...]
    degraded: bool = False

    @property
    def retry_after(self) -> float | None:
        """Seconds until everything that is stopped is let through again; 0.0 if nothing is stopped."""
        return max((stop.retry_after for stop in self.stops), default=0.0)

    def __str__(self) -> str:
        why = "; ".join(f"{stop.scope} is stopped: {stop.sentence}" for stop in self.stops)
        return why or "no issues found"


class Reputation:
    """Counts the outcomes of each flow's mail, and stops what harms its reputation before providers do.

    Every flow has its own counts and breaker; within a flow, so does every large provider, and every form,
    template, campaign, tenant, account and sender that is named. The smallest scope that explains the
    evidence is stopped first. The flow as a whole follows only if the rest of its mail is to blame, too.
    Flows do not affect one another.

    Args:
        store: Where it is kept: a store of `mailflows.limits`.
        policy: When a breaker opens and closes; see `BreakerPolicy`.
        thresholds: The rates to stay below; by default those published by the large providers.
        on_error: What to do when the store fails to answer: ``allow`` or ``deny``.
        hooks: Functions called with the `Standing` of what was stopped, to notify an administrator.
        clock: Returns the present moment in Unix seconds.

    Raises:
        ConfigurationError: If *on_error* is neither.

    Example:
        >>> from mailflows.limits import MemoryStore
        >>> reputation = Reputation(MemoryStore())
        >>> print(reputation.count("marketing", sent=1000, bounced=130))  # doctest: +ELLIPSIS
        marketing: open: 130 bounces of 1000 (7 days) are above 0.1 and certainly above 0.05 (ses)
        >>> bool(reputation.acquire("marketing")), bool(reputation.acquire("transactional"))
        (False, True)
    """

    def __init__(  # noqa: PLR0913 -- its settings
        self,
        store: Documents,
        *,
        policy: BreakerPolicy | None = None,
        thresholds: Iterable[Threshold] | None = None,
        on_error: Literal["allow", "deny"] = "allow",
        hooks: Iterable[Callable[[Standing], object]] = (),
        clock: Clock = time.time,
    ) -> None:
        self.policy = policy or BreakerPolicy()
        self._documents = DocumentKeeper(
            store, kind="reputation", on_error=on_error, hooks=hooks, ttl=REMEMBER, words=("allow", "deny")
        )
        self._thresholds = None if thresholds is None else tuple(thresholds)
        self._clock = clock

    def acquire(
        self,
        flow: Flow | str,
        *,
        sender: str | None = None,
        recipients: Iterable[str] = (),
        context: Context | None = None,
    ) -> ReputationVerdict:
        """Decide whether a message may be sent; a half-open breaker lets a few through and counts them.

        Args:
            flow: The flow that it is sent through.
            sender: Who sends, if each sender is to have a breaker of its own.
            recipients: The recipients, for the breakers of the large providers.
            context: The form, template, campaign, tenant and account that the message comes from.

        Raises:
            ConfigurationError: If *flow* is not a flow.
        """
        to = tuple(recipients)
        try:
            return drive(self._acquiring(scopes_of(Flow(flow), sender, context), to), self._documents)
        except StoreError as problem:
            return self._without_store(problem, to)

    async def aacquire(
        self,
        flow: Flow | str,
        *,
        sender: str | None = None,
        recipients: Iterable[str] = (),
        context: Context | None = None,
    ) -> ReputationVerdict:
        """Do what `acquire` does without blocking the event loop."""
        to = tuple(recipients)
        try:
            return await adrive(self._acquiring(scopes_of(Flow(flow), sender, context), to), self._documents)
        except StoreError as problem:
            return self._without_store(problem, to)

    def report(
        self,
        events: Event | Iterable[Event],
        *,
        flow: Flow | str | None = None,
        sender: str | None = None,
        context: Context | None = None,
    ) -> None:
        """Learn from an event; a repeated event with an ID changes nothing.

        Args:
            events: What happened, of one kind or several.
            flow: The flow of the mail, if the events do not say; an event without a flow is ignored.
            sender: Who sent it.
            context: The form, template, campaign, tenant and account that the mail came from; the campaign
                of an event is used where none is given.

        Raises:
            StoreError: If the store could not answer; report the events again.
        """
        told = [events] if isinstance(events, Event) else list(events)
        for standing in drive(self._reporting(told, flow, sender, context), self._documents):
            self._tell(standing)

    async def areport(
        self,
        events: Event | Iterable[Event],
        *,
        flow: Flow | str | None = None,
        sender: str | None = None,
        context: Context | None = None,
    ) -> None:
        """Do what `report` does without blocking the event loop."""
        told = [events] if isinstance(events, Event) else list(events)
        for standing in await adrive(self._reporting(told, flow, sender, context), self._documents):
            self._tell(standing)

    def count(self, flow: Flow | str, **numbers: int) -> Standing:
        """Count recipients without an event for each, and return the state of the flow.

        Args:
            flow: Whose mail it was.
            numbers: ``sent``, ``delivered``, ``bounced``, ``complained``, ``deferred``, ``blocked``.

        Raises:
            ConfigurationError: If a number is negative or has another name.
            StoreError: If the store could not answer.
        """
        standing, is_new = drive(self._counting(*_numbered(flow, numbers)), self._documents)
        if is_new:
            self._tell(standing)
        return standing

    async def acount(self, flow: Flow | str, **numbers: int) -> Standing:
        """Do what `count` does without blocking the event loop."""
        standing, is_new = await adrive(self._counting(*_numbered(flow, numbers)), self._documents)
        if is_new:
            self._tell(standing)
        return standing

    def note(self, flow: Flow | str, readings: Iterable[ProviderReading]) -> tuple[Standing, ...]:
        """Compare providers' own measurements with their thresholds, and stop mail to a provider above one.

        Args:
            flow: The flow that the domain or address belongs to.
            readings: From `read_readings`; readings older than the policy's window do not count.

        Returns:
            The state of the flow for each provider to which it was stopped by this call; empty if none.

        Raises:
            StoreError: If the store could not answer.
        """
        noted = drive(self._noting(Flow(flow), tuple(readings)), self._documents)
        for standing in noted:
            self._tell(standing)
        return noted

    async def anote(self, flow: Flow | str, readings: Iterable[ProviderReading]) -> tuple[Standing, ...]:
        """Do what `note` does without blocking the event loop."""
        noted = await adrive(self._noting(Flow(flow), tuple(readings)), self._documents)
        for standing in noted:
            self._tell(standing)
        return noted

    def check(self, flow: Flow | str, *, scope: str | None = None, provider: str | None = None) -> Standing:
        """Return the state of a flow, a scope in it, or its mail to one provider; changes nothing.

        Args:
            flow: The flow.
            scope: A smaller scope, such as ``form:signup``, ``campaign:spring`` or
                ``sender:ada@example.org``.
            provider: A large provider by name, such as ``google``.

        Raises:
            ConfigurationError: If *scope* does not have this form.
            StoreError: If the store could not answer.
        """
        return drive(self._checking(_named(flow, scope, provider)), self._documents)

    async def acheck(
        self, flow: Flow | str, *, scope: str | None = None, provider: str | None = None
    ) -> Standing:
        """Do what `check` does without blocking the event loop."""
        return await adrive(self._checking(_named(flow, scope, provider)), self._documents)

    def __iter__(self) -> Iterator[Standing]:
        """Yield the state of each flow."""
        yield from map(self.check, Flow)

    def stopped(self) -> tuple[Standing, ...]:
        """Return all flows and scopes that are currently stopped or half-open, by name.

        Raises:
            StoreError: If the store could not answer.
        """
        return self._not_closed([document for _, document in self._documents.scan()])

    async def astopped(self) -> tuple[Standing, ...]:
        """Do what `stopped` does without blocking the event loop."""
        return self._not_closed([document async for _, document in self._documents.ascan()])

    def open(
        self,
        flow: Flow | str,
        *,
        seconds: float,
        reason: str = "by hand",
        scope: str | None = None,
        provider: str | None = None,
    ) -> Standing:
        """Stop a flow, a smaller scope of it, or its mail to one provider.

        Raises:
            StoreError: If the store could not answer; call again.
        """
        steps = self._ordering(_named(flow, scope, provider), self._opening(reason, seconds))
        return drive(steps, self._documents)

    async def aopen(
        self,
        flow: Flow | str,
        *,
        seconds: float,
        reason: str = "by hand",
        scope: str | None = None,
        provider: str | None = None,
    ) -> Standing:
        """Do what `open` does without blocking the event loop."""
        steps = self._ordering(_named(flow, scope, provider), self._opening(reason, seconds))
        return await adrive(steps, self._documents)

    def close(self, flow: Flow | str, *, scope: str | None = None, provider: str | None = None) -> Standing:
        """Restart a flow, a scope in it, or its mail to one provider, and forget why it was stopped.

        Raises:
            StoreError: If the store could not answer.
        """
        return drive(self._ordering(_named(flow, scope, provider), _closed), self._documents)

    async def aclose(
        self, flow: Flow | str, *, scope: str | None = None, provider: str | None = None
    ) -> Standing:
        """Do what `close` does without blocking the event loop."""
        return await adrive(self._ordering(_named(flow, scope, provider), _closed), self._documents)

    def forget(self, address: str) -> int:
        """Erase all data about a person, as sender and as account, and return the number of records.

        Raises:
            StoreError: If the store could not answer; call again.
        """
        return drive(_forgetting(address), self._documents)

    async def aforget(self, address: str) -> int:
        """Do what `forget` does without blocking the event loop."""
        return await adrive(_forgetting(address), self._documents)

    def _acquiring(self, scopes: tuple[Scope, ...], to: tuple[str, ...]) -> Steps[ReputationVerdict]:
        """Ask the breakers of a message, the smallest scope first."""
        flow = scopes[-1].flow
        at = {recipient: large_provider_of(recipient) for recipient in to}
        stops: list[Stop] = []
        for scope in scopes:
            stop = yield from self._asking(scope, len(to))
            stops += [stop] if stop else []
        for provider, number in Counter(filter(None, at.values())).items() if not stops else ():
            stop = yield from self._asking(Scope(flow, provider=provider), number)
            stops += [stop] if stop else []
        whole = any(stop.provider is None for stop in stops)
        stopped = {stop.provider for stop in stops}
        refused = tuple(r for r in to if whole or (at[r] is not None and at[r] in stopped))
        accepted = tuple(r for r in to if r not in refused)
        return ReputationVerdict(bool(not whole and (accepted or not to)), accepted, refused, tuple(stops))

    def _asking(self, scope: Scope, number: int) -> Steps[Stop | None]:
        """Return what stops a message at one breaker, or `None`; a trial counts it."""
        key = yield "key", (*scope.parts,)
        document = yield "load", (key,)
        if document is None:
            return None
        now = self._clock()
        record = advanced(ReputationRecord.read(document), self.policy, now)
        if record.state == BreakerState.CLOSED:
            return None
        if record.state == BreakerState.HALF_OPEN and record.let < self.policy.trial:
            yield "update", (key, partial(self._let, number=max(1, number), now=now))
            return None
        return Stop(str(scope), record.reason, max(1.0, record.until - now), scope.provider)

    def _let(self, old: bytes | None, *, number: int, now: float) -> bytes:
        """Return the document of a breaker that lets a message pass for a trial."""
        record = advanced(ReputationRecord.read(old), self.policy, now)
        return replace(record, let=record.let + number).write()

    def _reporting(
        self, events: list[Event], flow: Flow | str | None, sender: str | None, context: Context | None
    ) -> Steps[list[Standing]]:
        """Sum up events by what they are evidence about, and count the smallest scopes first."""
        tallies: dict[Scope, Tally] = {}
        within: dict[Scope, dict[Scope, Counts]] = {}
        seen: list[str] = []
        for event in events:
            of = event.flow or (Flow(flow) if flow else None)
            key = f"seen:{event.provider} {event.event_id} {event.type}" if event.event_id else ""
            mark = (yield "key", (key,)) if key else ""
            if of is None or event.verified is False or (mark and (mark in seen or (yield "load", (mark,)))):
                continue
            seen += [mark] if mark else []
            scopes = scopes_of(of, sender, _with_campaign(context, event))
            tally = tally_of(event)
            for place, scope in enumerate(scopes):
                tallies[scope] = tallies.get(scope, Tally()) + tally
                parts = within.setdefault(scope, {})
                for smaller in scopes[:place]:
                    parts[smaller] = parts.get(smaller, Counts()) + tally.counts
            if provider := large_provider_of(event.written_to or ""):
                scope = Scope(of, provider=provider)
                tallies[scope] = tallies.get(scope, Tally()) + tally
        told = []
        for scope in sorted(tallies, key=_size):
            standing, is_new = yield from self._counting(scope, tallies[scope], within.get(scope))
            told += [standing] if is_new else []
        for mark in seen:  # last, so that a crash in between repeats the events and does not lose them
            yield "update", (mark, _seen)
        return told

    def _counting(
        self, scope: Scope, tally: Tally, within: Mapping[Scope, Counts] | None = None
    ) -> Steps[tuple[Standing, bool]]:
        """Add to one record, open its breaker if needed, and return its status and whether that is new."""
        now, thresholds = self._clock(), thresholds_for(scope.provider, self._thresholds)
        parts = {}
        for smaller, counts in (within or {}).items():
            smaller_key = yield "key", (*smaller.parts,)
            parts[f"{KINDS.index(smaller.kind)}:{smaller_key.rpartition(':')[2][:16]}"] = counts
        was_open, is_noted, result = False, False, ReputationRecord()

        def changed(old: bytes | None) -> bytes:
            nonlocal was_open, is_noted, result
            before = advanced(ReputationRecord.read(old), self.policy, now)
            was_open = before.state == BreakerState.OPEN
            if was_open:  # what was under way when it stopped is not news
                result = before
                return before.write()
            record = before.after(tally, window=self.policy.window, now=now, parts=parts)
            record = replace(record, name=str(scope))
            found = trial_failed(record, thresholds) or judged(record, thresholds, self.policy)
            if found is not None:
                record = opened(record, found[1], self.policy, now)
            elif self._is_noticed(scope, record, thresholds):
                record = replace(record, noted=int(now // DAY))
            result = advanced(record, self.policy, now)
            is_noted = result.noted != before.noted
            return result.write()

        yield "update", ((yield "key", (*scope.parts,)), changed)
        standing = self._standing(str(scope), result)
        return standing, is_noted or (standing.state is BreakerState.OPEN and not was_open)

    def _is_noticed(self, scope: Scope, record: ReputationRecord, thresholds: Iterable[Threshold]) -> bool:
        """Return whether the log has to say something of a scope that goes on."""
        is_closed = record.state == BreakerState.CLOSED
        return is_closed and scope.is_watched and bool(notices(record, thresholds, self.policy))

    def _noting(self, flow: Flow, readings: tuple[ProviderReading, ...]) -> Steps[tuple[Standing, ...]]:
        """Open the breaker towards each provider that measured too much, where it is not open already."""
        now = self._clock()
        today = to_datetime(now).date()
        found = verdicts_of(readings, today=today, policy=self.policy, thresholds=self._thresholds)
        stopped: list[Standing] = []
        for provider, sentence in found.items():
            scope = Scope(flow, provider=provider)
            document = yield "load", ((yield "key", (*scope.parts,)),)
            record = advanced(ReputationRecord.read(document), self.policy, now)
            if record.state != BreakerState.OPEN:
                pause = self.policy.pauses[-1]  # a day: what a provider measured is told once a day
                stopped.append((yield from self._ordering(scope, self._opening(sentence, pause))))
        return tuple(stopped)

    def _checking(self, scope: Scope) -> Steps[Standing]:
        document = yield "load", ((yield "key", (*scope.parts,)),)
        record = advanced(ReputationRecord.read(document), self.policy, self._clock())
        return self._standing(str(scope), record)

    def _ordering(
        self, scope: Scope, change: Callable[[ReputationRecord], ReputationRecord]
    ) -> Steps[Standing]:
        def changed(old: bytes | None) -> bytes:
            return replace(change(ReputationRecord.read(old)), name=str(scope)).write()

        document = yield "update", ((yield "key", (*scope.parts,)), changed)
        return self._standing(str(scope), ReputationRecord.read(document))

    def _opening(self, reason: str, seconds: float) -> Callable[[ReputationRecord], ReputationRecord]:
        now = self._clock()
        return lambda old: opened(old, reason, self.policy, now, seconds=seconds)

    def _not_closed(self, documents: Iterable[bytes]) -> tuple[Standing, ...]:
        now = self._clock()
        records = [advanced(ReputationRecord.read(d), self.policy, now) for d in documents if d != _SEEN]
        found = [
            self._standing(record.name, record) for record in records if record.state != BreakerState.CLOSED
        ]
        return tuple(sorted(found, key=lambda standing: standing.scope))

    def _standing(self, name: str, record: ReputationRecord) -> Standing:
        """Say how a record stands, by the numbers that decide."""
        state = BreakerState(record.state)
        until = None if state is BreakerState.CLOSED else to_datetime(record.until)
        thresholds = thresholds_for(None, self._thresholds)
        rest, _ = without_suspects(record, thresholds, self.policy)
        said = notices(record, thresholds, self.policy) if state is BreakerState.CLOSED else ()
        return Standing(name, state, rates(rest), record.reason, until, said)

    def _without_store(self, problem: StoreError, to: tuple[str, ...]) -> ReputationVerdict:
        """Return what the policy says while the store fails to answer."""
        if self._documents.instead(problem):
            return ReputationVerdict(True, to, (), (), degraded=True)  # noqa: FBT003
        stop = Stop("every flow", "the reputation cannot be looked up", 60.0)
        return ReputationVerdict(False, (), to, (stop,), degraded=True)  # noqa: FBT003

    def _tell(self, standing: Standing) -> None:
        """Let the log know of a notice, and log and hooks of a stop."""
        if standing.state is BreakerState.CLOSED:
            _log.warning("%s", standing)
            return
        _log.warning("stopped: %s", standing)
        self._documents.tell(standing)


_SEEN = b"1"


def _seen(_: bytes | None) -> bytes:
    return _SEEN


def _closed(_: ReputationRecord) -> ReputationRecord:
    return ReputationRecord()


def _forgetting(address: str) -> Steps[int]:
    count = 0
    for scope in personal_scopes(address):
        key = yield "key", (*scope.parts,)
        if (yield "load", (key,)) is not None:
            yield "remove", (key,)
            count += 1
    return count


def _named(flow: Flow | str, scope: str | None, provider: str | None = None) -> Scope:
    if not provider:
        return scope_named(Flow(flow), scope)
    name = meant_provider(provider, large_names())
    if name is None:  # a breaker that no message meets would be opened in silence
        hint = did_you_mean(provider, spellings_of(large_names()), choices=large_names())
        msg = f"provider: {provider!r} has no breaker of its own: {hint}"
        raise ConfigurationError(msg, field="provider")
    return Scope(Flow(flow), provider=name)


def _numbered(flow: Flow | str, numbers: Mapping[str, int]) -> tuple[Scope, Tally]:
    """Return a flow and what numbers without events add to it."""
    if not numbers.keys() <= set(Counts.__slots__) or min(numbers.values(), default=0) < 0:
        msg = f"pass numbers of recipients as {', '.join(Counts.__slots__)}, each at least 0; got {numbers}"
        raise ConfigurationError(msg, field="numbers")
    return Scope(Flow(flow)), tally_of_counts(Counts(**numbers))


def _with_campaign(context: Context | None, event: Event) -> Context | None:
    """Return the context of an event: its own campaign is used where none is given."""
    if not event.campaign or (context is not None and context.campaign is not None):
        return context
    return replace(context or Context(), campaign=event.campaign)


def _size(scope: Scope) -> int:
    """Return how large a scope is, so that the smallest is judged first."""
    if scope.provider:
        return len(KINDS) + 1
    return KINDS.index(scope.kind) if scope.kind else len(KINDS)
