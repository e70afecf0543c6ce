"""The reputation of each flow: what became of its mail, and a breaker that stops it before others do."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from mailflows._mailbox import mailbox_key
from mailflows._result import Permission, Result, to_html
from mailflows._stores import update
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
    large_provider_of,
    opened,
    rates,
    thresholds_for,
    trial_failed,
)
from mailflows.reputation._record import Counts, ReputationRecord, Tally, tally_of, tally_of_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mailflows._clock import Clock
    from mailflows._result import Cell
    from mailflows._stores import Documents

__all__ = ["Reputation", "ReputationVerdict", "Standing", "Stop"]

REMEMBER = 30 * 86_400.0

_log = logging.getLogger("mailflows.flows")


@dataclass(frozen=True, slots=True)
class Standing(Result):
    """How a flow, or a part of it, stands.

    Attributes:
        scope: ``marketing``, ``marketing to gmail`` or ``marketing by a sender``.
        state: Whether mail may pass.
        rates: Every rate of the window, with its interval.
        reason: Why it was stopped; empty while it is closed.
        until: When a stop, or a trial, ends, in UTC; `None` while it is closed.
    """

    scope: str
    state: BreakerState
    rates: tuple[MetricRate, ...]
    reason: str
    until: datetime | None

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"{self.scope}: {self.state}{why}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return {
            "scope": self.scope,
            "state": str(self.state),
            "reason": self.reason,
            "until": self.until.isoformat() if self.until else None,
            "rates": {
                str(rate.metric): {"hits": rate.hits, "total": rate.total, "low": rate.low, "high": rate.high}
                for rate in self.rates
            },
        }

    def _repr_html_(self) -> str:
        """Return the standing as a small table, for a notebook."""
        rows: list[list[Cell]] = [
            [str(r.metric), r.hits, r.total, f"{r.low:.2%} to {r.high:.2%}"] for r in self.rates
        ]
        return to_html(str(self), ["rate", "hits", "of", "95 % interval"], rows)


@dataclass(frozen=True, slots=True)
class Stop(Result):
    """One breaker that lets nothing pass now.

    Attributes:
        scope: What is stopped, as in `Standing`.
        sentence: Why, without an address.
        retry_after: Seconds until it is tried again.
        provider: The provider that it is about, or `None` for everything of the scope.
    """

    scope: str
    sentence: str
    retry_after: float
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class ReputationVerdict(Permission):
    """Whether mail of a flow may pass. A verdict is true if it may, at least to some.

    Attributes:
        accepted: Recipients that may be written to, as they were given.
        refused: Those at a provider to which the flow is stopped.
        stops: The breakers that are open.
        allowed: Whether the flow and the sender may send.
        degraded: Whether the store could not be asked, so that *on_error* decided.
    """

    allowed: bool
    accepted: tuple[str, ...]
    refused: tuple[str, ...]
    stops: tuple[Stop, ...]
    degraded: bool = False

    @property
    def retry_after(self) -> float:
        """Seconds until everything that is stopped is tried again; 0.0 where nothing is."""
        return max((stop.retry_after for stop in self.stops), default=0.0)

    def __str__(self) -> str:
        why = "; ".join(f"{stop.scope} is stopped: {stop.sentence}" for stop in self.stops)
        return why or "nothing speaks against it"


class Reputation:
    """Remembers what became of the mail of each flow, and stops a flow before the providers do.

    Every flow has counts and a breaker of its own, and within it so has every sender and every big provider:
    what one flow does changes nothing for another.

    Args:
        store: Where it is kept: a store of `mailflows.limits`.
        policy: When a breaker opens and closes; see `BreakerPolicy`.
        thresholds: Rates to hold; the published ones of the big providers by default.
        on_error: What to do when the store cannot be asked: ``allow`` or ``deny``.
        hooks: Functions that are given the `Standing` of what was stopped, to tell an administrator.
        clock: Returns seconds of Unix time.

    Raises:
        ConfigurationError: If *on_error* is neither word.

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
        if on_error not in {"allow", "deny"}:
            msg = f"on_error= is 'allow' or 'deny'; got {on_error!r}"
            raise ConfigurationError(msg, field="on_error")
        self.policy = policy or BreakerPolicy()
        self._store = store
        self._thresholds = None if thresholds is None else tuple(thresholds)
        self._on_error = on_error
        self._hooks = tuple(hooks)
        self._clock = clock

    def acquire(
        self, flow: Flow | str, *, sender: str | None = None, recipients: Iterable[str] = ()
    ) -> ReputationVerdict:
        """Say whether a message may pass; while a breaker is half-open, a few may, and are counted.

        Args:
            flow: The flow by which it leaves.
            sender: Who sends, where senders shall be told apart.
            recipients: To whom, for the breakers towards the big providers.

        Raises:
            ConfigurationError: If *flow* is no flow.
        """
        named, to = Flow(flow), tuple(recipients)
        at = {recipient: large_provider_of(recipient) for recipient in to}
        try:
            stops = [s for scope in self._scopes(named, sender) if (s := self._ask(*scope, None, len(to)))]
            for provider, number in Counter(filter(None, at.values())).items() if not stops else ():
                stop = self._ask(*self._scope(named, provider), provider, number)
                stops += [stop] if stop else []
        except StoreError as problem:
            return self._without_store(problem, to)
        whole = any(stop.provider is None for stop in stops)
        stopped = {stop.provider for stop in stops}
        refused = tuple(r for r in to if whole or (at[r] is not None and at[r] in stopped))
        accepted = tuple(r for r in to if r not in refused)
        return ReputationVerdict(bool(not whole and (accepted or not to)), accepted, refused, tuple(stops))

    def report(
        self,
        events: Event | Iterable[Event],
        *,
        flow: Flow | str | None = None,
        sender: str | None = None,
    ) -> None:
        """Learn from what happened; a second copy of an event that has an id changes nothing.

        Args:
            events: What happened, of one kind or several.
            flow: Whose mail it was, where the events do not say; an event that belongs to none is left out.
            sender: Who sent it.

        Raises:
            StoreError: If the store could not answer; report the events again.
        """
        found: dict[tuple[str, str], Tally] = {}
        providers: dict[tuple[str, str], str | None] = {}
        seen: list[str] = []
        for event in (events,) if isinstance(events, Event) else events:
            of = event.flow or (Flow(flow) if flow else None)
            key = self._seen_key(event)
            if of is None or event.verified is False or (key and (key in seen or self._store.load(key))):
                continue
            seen += [key] if key else []
            provider = large_provider_of(event.written_to or "")
            for scope in (*self._scopes(of, sender), *((self._scope(of, provider),) if provider else ())):
                found[scope] = found.get(scope, Tally()) + tally_of(event)
                providers[scope] = provider if scope[1].endswith(f" to {provider}") else None
        for scope, tally in found.items():
            self._count(*scope, providers[scope], tally)
        for key in seen:  # last, so that a crash in between repeats the events and does not lose them
            self._store.swap(key, None, b"1", ttl=REMEMBER)

    def count(self, flow: Flow | str, **numbers: int) -> Standing:
        """Count recipients without an event for each, and say how the flow stands.

        Args:
            flow: Whose mail it was.
            numbers: ``sent``, ``delivered``, ``bounced``, ``complained``, ``deferred``, ``blocked``.

        Raises:
            ConfigurationError: If a number is negative or has another name.
            StoreError: If the store could not answer.
        """
        if not numbers.keys() <= set(Counts.__slots__) or min(numbers.values(), default=0) < 0:
            msg = f"numbers of recipients are {', '.join(Counts.__slots__)}, each at least 0; got {numbers}"
            raise ConfigurationError(msg, field="numbers")
        key, name = self._scope(Flow(flow), None)
        return self._count(key, name, None, tally_of_counts(Counts(**numbers)))

    def check(self, flow: Flow | str, *, sender: str | None = None, provider: str | None = None) -> Standing:
        """Say how a flow stands, or one sender of it, or its mail to one provider; changes nothing.

        Raises:
            StoreError: If the store could not answer.
        """
        named = Flow(flow)
        key, name = self._scopes(named, sender)[-1] if sender else self._scope(named, provider)
        record = advanced(ReputationRecord.read(self._store.load(key)), self.policy, self._clock())
        return _standing(name, record)

    def __iter__(self) -> Iterator[Standing]:
        """Yield how each flow stands."""
        yield from map(self.check, Flow)

    def open(self, flow: Flow | str, *, seconds: float, reason: str = "by hand") -> Standing:
        """Stop a flow.

        Raises:
            StoreError: If the store could not answer: an order of yours is not dropped in silence.
        """
        now = self._clock()
        return self._ordered(flow, lambda old: opened(old, reason, self.policy, now, seconds=seconds))

    def close(self, flow: Flow | str) -> Standing:
        """Let a flow go on, and forget what it was stopped for.

        Raises:
            StoreError: If the store could not answer.
        """
        return self._ordered(flow, lambda _: ReputationRecord())

    def _ordered(self, flow: Flow | str, change: Callable[[ReputationRecord], ReputationRecord]) -> Standing:
        key, name = self._scope(Flow(flow), None)
        document = update(
            self._store, key, lambda old: change(ReputationRecord.read(old)).write(), ttl=REMEMBER
        )
        return _standing(name, ReputationRecord.read(document))

    def _scopes(self, flow: Flow, sender: str | None) -> list[tuple[str, str]]:
        """Return key and name of the flow, and of the sender within it."""
        scopes = [self._scope(flow, None)]
        if sender:
            digest = self._store.digest(mailbox_key(sender) if "@" in sender else sender)
            scopes.append((f"reputation:{flow}:by:{digest}", f"{flow} by a sender"))
        return scopes

    def _scope(self, flow: Flow, provider: str | None) -> tuple[str, str]:
        if provider is None:
            return f"reputation:{flow}", str(flow)
        return f"reputation:{flow}:to:{provider}", f"{flow} to {provider}"

    def _ask(self, key: str, name: str, provider: str | None, number: int) -> Stop | None:
        """Return what stops a message at one breaker, or `None`; a trial counts it."""
        document = self._store.load(key)
        if document is None:
            return None
        now = self._clock()
        record = advanced(ReputationRecord.read(document), self.policy, now)
        if record.state == BreakerState.CLOSED:
            return None
        if record.state == BreakerState.HALF_OPEN and record.let < self.policy.trial:
            update(self._store, key, partial(self._let, number=max(1, number), now=now), ttl=REMEMBER)
            return None
        return Stop(name, record.reason, max(1.0, record.until - now), provider)

    def _let(self, old: bytes | None, *, number: int, now: float) -> bytes:
        """Return the document of a breaker that lets a message pass for a trial."""
        record = advanced(ReputationRecord.read(old), self.policy, now)
        return replace(record, let=record.let + number).write()

    def _count(self, key: str, name: str, provider: str | None, tally: Tally) -> Standing:
        """Add to one record, open its breaker if that calls for it, and say how it stands."""
        now, thresholds = self._clock(), thresholds_for(provider, self._thresholds)
        was_open, result = False, ReputationRecord()

        def changed(old: bytes | None) -> bytes:
            nonlocal was_open, result
            before = advanced(ReputationRecord.read(old), self.policy, now)
            was_open = before.state == BreakerState.OPEN
            if was_open:  # what was under way when it stopped is no news
                result = before
                return before.write()
            record = before.after(tally, window=self.policy.window, now=now)
            found = trial_failed(record, thresholds) or judged(record, thresholds, self.policy)
            record = record if found is None else opened(record, found[1], self.policy, now)
            result = advanced(record, self.policy, now)
            return result.write()

        update(self._store, key, changed, ttl=REMEMBER)
        standing = _standing(name, result)
        if standing.state is BreakerState.OPEN and not was_open:
            self._tell(standing)
        return standing

    def _seen_key(self, event: Event) -> str | None:
        if not event.event_id:
            return None
        return f"reputation-seen:{self._store.digest(f'{event.provider} {event.event_id} {event.type}')}"

    def _without_store(self, problem: StoreError, to: tuple[str, ...]) -> ReputationVerdict:
        """Return what the policy says while the store cannot be asked."""
        _log.warning("%s; flows are not stopped: the policy is «%s»", problem, self._on_error)
        if self._on_error == "allow":
            return ReputationVerdict(True, to, (), (), degraded=True)  # noqa: FBT003
        stop = Stop("every flow", "the reputation cannot be looked up", 60.0)
        return ReputationVerdict(False, (), to, (stop,), degraded=True)  # noqa: FBT003

    def _tell(self, standing: Standing) -> None:
        """Let the log and the hooks know of a stop."""
        _log.warning("stopped: %s", standing)
        for hook in self._hooks:
            try:
                hook(standing)
            except Exception:  # noqa: BLE001 -- of whatever kind: a broken message to an administrator stops no mail
                _log.exception("a hook failed")


def _standing(name: str, record: ReputationRecord) -> Standing:
    state = BreakerState(record.state)
    until = None if state is BreakerState.CLOSED else datetime.fromtimestamp(record.until, UTC)
    return Standing(name, state, rates(record.total), record.reason, until)
