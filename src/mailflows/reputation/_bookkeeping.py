"""What is read and written in the store for each question about a reputation: steps for both drivers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from mailflows._clock import to_datetime
from mailflows._context import Context
from mailflows.flow import Flow
from mailflows.reputation._breaker import (
    BreakerPolicy,
    BreakerState,
    Threshold,
    advanced,
    judged,
    large_provider_of,
    notices,
    opened,
    rates,
    thresholds_for,
    trial_failed,
    without_suspects,
)
from mailflows.reputation._counts import DAY, Counts, ReputationRecord, Tally, tally_of
from mailflows.reputation._readings import ProviderReading, verdicts_of
from mailflows.reputation._scopes import KINDS, Scope, personal_scopes, scopes_of
from mailflows.reputation._standing import ReputationVerdict, Standing, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mailflows._clock import Clock
    from mailflows._stores._documents import Steps
    from mailflows.feedback import Event

__all__ = ["Bookkeeping", "forgetting"]


class Bookkeeping:
    """Counts, judges and says how things stand; what its steps yield, a keeper does in the store.

    Args:
        policy: When a breaker opens and closes.
        thresholds: The rates to stay below; `None` for the published ones.
        clock: Returns the present moment in Unix seconds.
    """

    def __init__(self, policy: BreakerPolicy, thresholds: tuple[Threshold, ...] | None, clock: Clock) -> None:
        self._policy = policy
        self._thresholds = thresholds
        self._clock = clock

    def acquiring(self, scopes: tuple[Scope, ...], to: tuple[str, ...]) -> Steps[ReputationVerdict]:
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
        record = advanced(ReputationRecord.read(document), self._policy, now)
        if record.state == BreakerState.CLOSED:
            return None
        if record.state == BreakerState.HALF_OPEN and record.let < self._policy.trial:
            yield "update", (key, partial(self._let, number=max(1, number), now=now))
            return None
        return Stop(str(scope), record.reason, max(1.0, record.until - now), scope.provider)

    def _let(self, old: bytes | None, *, number: int, now: float) -> bytes:
        """Return the document of a breaker that lets a message pass for a trial."""
        record = advanced(ReputationRecord.read(old), self._policy, now)
        return replace(record, let=record.let + number).write()

    def reporting(
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
            standing, is_new = yield from self.counting(scope, tallies[scope], within.get(scope))
            told += [standing] if is_new else []
        for mark in seen:  # last, so that a crash in between repeats the events and does not lose them
            yield "update", (mark, _seen)
        return told

    def counting(
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
            before = advanced(ReputationRecord.read(old), self._policy, now)
            was_open = before.state == BreakerState.OPEN
            if was_open:  # what was under way when it stopped is not news
                result = before
                return before.write()
            record = before.after(tally, window=self._policy.window, now=now, parts=parts)
            record = replace(record, name=str(scope))
            found = trial_failed(record, thresholds) or judged(record, thresholds, self._policy)
            if found is not None:
                record = opened(record, found[1], self._policy, now)
            elif self._is_noticed(scope, record, thresholds):
                record = replace(record, noted=int(now // DAY))
            result = advanced(record, self._policy, now)
            is_noted = result.noted != before.noted
            return result.write()

        yield "update", ((yield "key", (*scope.parts,)), changed)
        standing = self._standing(str(scope), result)
        return standing, is_noted or (standing.state is BreakerState.OPEN and not was_open)

    def _is_noticed(self, scope: Scope, record: ReputationRecord, thresholds: Iterable[Threshold]) -> bool:
        """Return whether the log has to say something of a scope that goes on."""
        is_closed = record.state == BreakerState.CLOSED
        return is_closed and scope.is_watched and bool(notices(record, thresholds, self._policy))

    def noting(self, flow: Flow, readings: tuple[ProviderReading, ...]) -> Steps[tuple[Standing, ...]]:
        """Open the breaker towards each provider that measured too much, where it is not open already."""
        now = self._clock()
        today = to_datetime(now).date()
        found = verdicts_of(readings, today=today, policy=self._policy, thresholds=self._thresholds)
        stopped: list[Standing] = []
        for provider, sentence in found.items():
            scope = Scope(flow, provider=provider)
            document = yield "load", ((yield "key", (*scope.parts,)),)
            record = advanced(ReputationRecord.read(document), self._policy, now)
            if record.state != BreakerState.OPEN:
                pause = self._policy.pauses[-1]  # a day: what a provider measured is told once a day
                stopped.append((yield from self.ordering(scope, self.opening(sentence, pause))))
        return tuple(stopped)

    def checking(self, scope: Scope) -> Steps[Standing]:
        document = yield "load", ((yield "key", (*scope.parts,)),)
        record = advanced(ReputationRecord.read(document), self._policy, self._clock())
        return self._standing(str(scope), record)

    def ordering(
        self, scope: Scope, change: Callable[[ReputationRecord], ReputationRecord]
    ) -> Steps[Standing]:
        def changed(old: bytes | None) -> bytes:
            return replace(change(ReputationRecord.read(old)), name=str(scope)).write()

        document = yield "update", ((yield "key", (*scope.parts,)), changed)
        return self._standing(str(scope), ReputationRecord.read(document))

    def opening(self, reason: str, seconds: float) -> Callable[[ReputationRecord], ReputationRecord]:
        now = self._clock()
        return lambda old: opened(old, reason, self._policy, now, seconds=seconds)

    def not_closed(self, documents: Iterable[bytes]) -> tuple[Standing, ...]:
        now = self._clock()
        records = [advanced(ReputationRecord.read(d), self._policy, now) for d in documents if d != _SEEN]
        found = [
            self._standing(record.name, record) for record in records if record.state != BreakerState.CLOSED
        ]
        return tuple(sorted(found, key=lambda standing: standing.scope))

    def _standing(self, name: str, record: ReputationRecord) -> Standing:
        """Say how a record stands, by the numbers that decide."""
        state = BreakerState(record.state)
        until = None if state is BreakerState.CLOSED else to_datetime(record.until)
        thresholds = thresholds_for(None, self._thresholds)
        rest, _ = without_suspects(record, thresholds, self._policy)
        said = notices(record, thresholds, self._policy) if state is BreakerState.CLOSED else ()
        return Standing(name, state, rates(rest), record.reason, until, said)


_SEEN = b"1"


def _seen(_: bytes | None) -> bytes:
    return _SEEN


def forgetting(address: str) -> Steps[int]:
    count = 0
    for scope in personal_scopes(address):
        key = yield "key", (*scope.parts,)
        if (yield "load", (key,)) is not None:
            yield "remove", (key,)
            count += 1
    return count


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
