"""The reputation of each flow: the outcomes of its mail, and a breaker that stops it before providers do."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Literal

from mailflows._stores._documents import DocumentKeeper, adrive, drive
from mailflows.errors import ConfigurationError, StoreError
from mailflows.feedback import Event
from mailflows.flow import Flow
from mailflows.reputation._bookkeeping import Bookkeeping, forgetting
from mailflows.reputation._breaker import BreakerPolicy, BreakerState, Threshold
from mailflows.reputation._counts import Counts, ReputationRecord, Tally, tally_of_counts
from mailflows.reputation._scopes import Scope, scope_meant, scopes_of
from mailflows.reputation._standing import ReputationVerdict, Standing, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mailflows._clock import Clock
    from mailflows._context import Context
    from mailflows._stores import Documents
    from mailflows.reputation._readings import ProviderReading

__all__ = ["Reputation"]

REMEMBER = 30 * 86_400.0  # our choice

_log = logging.getLogger("mailflows.flows")


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
        limits = None if thresholds is None else tuple(thresholds)
        self._book = Bookkeeping(self.policy, limits, clock)

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
        steps = self._book.acquiring(scopes_of(Flow(flow), sender, context), to)
        try:
            return drive(steps, self._documents)
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
            return await adrive(
                self._book.acquiring(scopes_of(Flow(flow), sender, context), to), self._documents
            )
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
        for standing in drive(self._book.reporting(told, flow, sender, context), self._documents):
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
        for standing in await adrive(self._book.reporting(told, flow, sender, context), self._documents):
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
        standing, is_new = drive(self._book.counting(*_numbered(flow, numbers)), self._documents)
        if is_new:
            self._tell(standing)
        return standing

    async def acount(self, flow: Flow | str, **numbers: int) -> Standing:
        """Do what `count` does without blocking the event loop."""
        standing, is_new = await adrive(self._book.counting(*_numbered(flow, numbers)), self._documents)
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
        noted = drive(self._book.noting(Flow(flow), tuple(readings)), self._documents)
        for standing in noted:
            self._tell(standing)
        return noted

    async def anote(self, flow: Flow | str, readings: Iterable[ProviderReading]) -> tuple[Standing, ...]:
        """Do what `note` does without blocking the event loop."""
        noted = await adrive(self._book.noting(Flow(flow), tuple(readings)), self._documents)
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
        return drive(self._book.checking(scope_meant(flow, scope, provider)), self._documents)

    async def acheck(
        self, flow: Flow | str, *, scope: str | None = None, provider: str | None = None
    ) -> Standing:
        """Do what `check` does without blocking the event loop."""
        return await adrive(self._book.checking(scope_meant(flow, scope, provider)), self._documents)

    def __iter__(self) -> Iterator[Standing]:
        """Yield the state of each flow."""
        yield from map(self.check, Flow)

    def stopped(self) -> tuple[Standing, ...]:
        """Return all flows and scopes that are currently stopped or half-open, by name.

        Raises:
            StoreError: If the store could not answer.
        """
        return self._book.not_closed([document for _, document in self._documents.scan()])

    async def astopped(self) -> tuple[Standing, ...]:
        """Do what `stopped` does without blocking the event loop."""
        return self._book.not_closed([document async for _, document in self._documents.ascan()])

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
            ConfigurationError: If there is no such flow, scope or provider.
            StoreError: If the store could not answer; call again.
        """
        steps = self._book.ordering(scope_meant(flow, scope, provider), self._book.opening(reason, seconds))
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
        steps = self._book.ordering(scope_meant(flow, scope, provider), self._book.opening(reason, seconds))
        return await adrive(steps, self._documents)

    def close(self, flow: Flow | str, *, scope: str | None = None, provider: str | None = None) -> Standing:
        """Restart a flow, a scope in it, or its mail to one provider, and forget why it was stopped.

        Raises:
            ConfigurationError: If there is no such flow, scope or provider.
            StoreError: If the store could not answer.
        """
        return drive(self._book.ordering(scope_meant(flow, scope, provider), _closed), self._documents)

    async def aclose(
        self, flow: Flow | str, *, scope: str | None = None, provider: str | None = None
    ) -> Standing:
        """Do what `close` does without blocking the event loop."""
        return await adrive(self._book.ordering(scope_meant(flow, scope, provider), _closed), self._documents)

    def forget(self, address: str) -> int:
        """Erase all data about a person, as sender and as account, and return the number of records.

        Raises:
            StoreError: If the store could not answer; call again.
        """
        return drive(forgetting(address), self._documents)

    async def aforget(self, address: str) -> int:
        """Do what `forget` does without blocking the event loop."""
        return await adrive(forgetting(address), self._documents)

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


def _closed(_: ReputationRecord) -> ReputationRecord:
    return ReputationRecord()


def _numbered(flow: Flow | str, numbers: Mapping[str, int]) -> tuple[Scope, Tally]:
    """Return a flow and what numbers without events add to it."""
    if not numbers.keys() <= set(Counts.__slots__) or min(numbers.values(), default=0) < 0:
        msg = f"pass numbers of recipients as {', '.join(Counts.__slots__)}, each at least 0; got {numbers}"
        raise ConfigurationError(msg, field="numbers")
    return Scope(Flow(flow)), tally_of_counts(Counts(**numbers))
