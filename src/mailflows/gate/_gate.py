"""The gate: one call before a message is sent, and one verdict."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from mailflows._context import Context
from mailflows._guarded import guarded
from mailflows._mail.reader import read_raw
from mailflows._stores import MemoryStore
from mailflows.classifier import Classifier
from mailflows.errors import ConfigurationError, MessageError, Refused
from mailflows.flow import Flow
from mailflows.flows import FlowRoute, FlowSet
from mailflows.flows._file import SettingsFile
from mailflows.gate._arguments import (
    decision_of,
    dry_flows_of,
    limiters_of,
    policies_of,
    refusals_of,
    require_flows,
    require_functions,
    require_kinds,
)
from mailflows.gate._calls import Call, arun, run
from mailflows.gate._check import Check, GateDecision, Verdict
from mailflows.gate._erasure import Forgotten, forgetting
from mailflows.gate._limit_keys import require_keys
from mailflows.gate._mail_log import tell_end
from mailflows.gate._outages import Outages
from mailflows.gate._outcome import HandedOver, attributed, events_of, learn
from mailflows.gate._parts import CLOSING, PARTS, Parts
from mailflows.gate._status import GateStatus, status_of
from mailflows.gate._tally import Tally, is_counted
from mailflows.gate._turned_away import verdict_without_message
from mailflows.held import HeldMail
from mailflows.message import Envelope, Message

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping

    from mailflows._clock import Timer
    from mailflows.feedback import Event, SuppressionList
    from mailflows.flows import GuardSettings
    from mailflows.gate._calls import Steps
    from mailflows.gate._check import TurnedAway
    from mailflows.gate._outcome import Outcome
    from mailflows.gate._parts import Part, Unsubscribe
    from mailflows.limits import Limiter, Store
    from mailflows.message import Source
    from mailflows.recipients import RecipientChecker
    from mailflows.reputation import Reputation
    from mailflows.senders import SenderControl
    from mailflows.templates import TemplateMemory

__all__ = ["Gate"]

F = TypeVar("F", bound="Callable[..., Any]")

SCANNER_TIMEOUT = 30.0
"""Seconds for one scanner. choice: far below the ten minutes that a client waits for its answer (RFC 5321
section 4.5.3.2.6)."""

SMALL = 32 * 1024
"""Bytes up to which a message is read and judged in the event loop. bound: a larger one goes to a thread."""

_IN_MEMORY: Any = object()
"""Where held mail is kept if nothing is said."""

_log = logging.getLogger("mailflows.gate")


class Gate:
    r"""Runs every check on a message before it is sent, and returns one verdict with all reasons.

    Every part except the flows is optional. A part that fails never raises an exception: its policy decides,
    and the verdict says so. Report the outcome of accepted messages with `report`.

    Args:
        flows: The flows; see `mailflows.flows.FlowSet`.
        classifier: The classifier that determines a message's flow; by default the shipped one.
        recipients: A `RecipientChecker`, which checks addresses.
        limiter: A `Limiter`, or one for each flow: ``{"transactional": limiter}``.
        senders: A `SenderControl`, which stops people who mail invalid addresses. It is used for the
            professional flow, and whenever an account is given.
        suppressions: A `SuppressionList`, with the addresses that mail must not be sent to.
        reputation: A `Reputation`, with the breaker of each flow.
        templates: A `TemplateMemory`, which knows the templates of each sender.
        scanners: Functions that take the message's bytes and return `None`, a `Finding` or several. Coroutine
            functions are for `acheck` only.
        guard_settings: Thresholds of the guard.
        unsubscribe: Adds missing List-Unsubscribe fields to a mailing with one recipient: for each flow, a
            function of recipient and context, such as ``{"marketing": lambda to, context:
            tracker.unsubscribe_headers(campaign=context.campaign, recipient=ids[to])}``.
        held: A `HeldMail`, where messages wait for manual review; by default one in memory, which ends with
            the process. `None` for no held mail.
        on_conflict: What happens to a message whose From, headers, envelope, signature and content do not
            match; by default it is held for manual review.
        on_missing_unsubscribe: What happens to marketing mail without one-click unsubscribe.
        on_error: What happens to a message when a part fails, by the name of the part: ``{"recipients":
            "defer"}``. By default suppressions, scanners, limits and held defer, route holds, the rest
            accept.
        dry_run: Accept everything and change nothing, and only report what would have happened: for a first
            week. True for all flows, or the names of some. A message without a route takes that of the flow
            that it seems to belong to.
        refuse_recipients: Recipients to refuse for a flow, besides undeliverable ones, by codes of reasons:
            ``{"marketing": ["role", "disposable"]}``.
        recipients_budget: Seconds of wall-clock time for all recipients of one message.
        scanner_timeout: Seconds that one scanner may take.
        tally: A `Tally`, which counts what is stopped, and what a dry run would have stopped; by default in
            memory.
        hooks: Functions called with every `Verdict`, for metrics; exceptions in them are only logged.
        timer: Returns monotonic seconds, for the budgets.

    Raises:
        ConfigurationError: If *on_error* names no part or no decision, or a limiter is for no flow.

    Example:
        >>> from mailflows.flows import FlowRoute
        >>> flows = FlowSet(FlowRoute("transactional", domains="example.org"))
        >>> gate = Gate(flows)
        >>> reset = (
        ...     b"From: noreply@example.org\nTo: ada@example.net\nSubject: Reset your password\n\n"
        ...     b"Hello Ada,\n\nuse this code to reset your password: 406117. It expires in 10 minutes.\n"
        ... )
        >>> verdict = gate.check(reset, flow="transactional")
        >>> verdict.decision, verdict.accepted
        (<GateDecision.ACCEPT: 'accept'>, ('ada@example.net',))
        >>> print(gate.check(reset.replace(b"example.org", b"other.example"), flow="transactional"))
        hold transactional: route: the From domain other.example belongs to no flow
    """

    def __init__(  # noqa: PLR0913 -- its parts
        self,
        flows: FlowSet,
        *,
        classifier: Classifier | None = None,
        recipients: RecipientChecker | None = None,
        limiter: Limiter | Mapping[Flow | str, Limiter] | None = None,
        senders: SenderControl | None = None,
        suppressions: SuppressionList | None = None,
        reputation: Reputation | None = None,
        templates: TemplateMemory | None = None,
        scanners: Iterable[Callable[[bytes], object]] = (),
        guard_settings: GuardSettings | None = None,
        unsubscribe: Mapping[Flow | str, Unsubscribe] | None = None,
        held: HeldMail | None = _IN_MEMORY,
        on_conflict: GateDecision | str = GateDecision.HOLD,
        on_missing_unsubscribe: GateDecision | str = GateDecision.REJECT,
        on_error: Mapping[str, GateDecision | str] | None = None,
        dry_run: bool | Iterable[Flow | str] = False,
        refuse_recipients: Mapping[Flow | str, Iterable[str]] | None = None,
        recipients_budget: float = 5.0,
        scanner_timeout: float = SCANNER_TIMEOUT,
        tally: Tally | None = None,
        hooks: Iterable[Callable[[Verdict], object]] = (),
        timer: Timer = time.monotonic,
    ) -> None:
        require_flows(flows)
        require_functions(scanners=scanners, hooks=hooks)
        self._parts = Parts(
            flows=flows,
            classifier=classifier or Classifier(),
            recipients=recipients,
            limiters=limiters_of(limiter, flows),
            senders=senders,
            suppressions=suppressions,
            reputation=reputation,
            templates=templates,
            scanners=tuple(scanners),
            unsubscribe={Flow(name): make for name, make in (unsubscribe or {}).items()},
            held=HeldMail() if held is _IN_MEMORY else held,
            guard_settings=guard_settings,
            on_conflict=decision_of(on_conflict, "on_conflict"),
            on_missing_unsubscribe=decision_of(on_missing_unsubscribe, "on_missing_unsubscribe"),
            on_error=policies_of(on_error),
            dry_flows=dry_flows_of(dry_run, flows),
            recipients_budget=recipients_budget,
            refuse_recipients=refusals_of(refuse_recipients),
            scanner_timeout=scanner_timeout,
            tally=tally or Tally(MemoryStore()),
            hooks=tuple(hooks),
            timer=timer,
            outages=Outages(),
        )
        require_kinds(self._parts)
        self._order = tuple(part for name, part in PARTS.items() if name not in _absent(self._parts))
        self._is_warm = classifier is None
        if self._is_warm:
            _warm_up()

    @property
    def flows(self) -> FlowSet:
        """The flows, each with its route."""
        return self._parts.flows

    @property
    def recipients(self) -> RecipientChecker | None:
        """The recipient checker."""
        return self._parts.recipients

    @property
    def senders(self) -> SenderControl | None:
        """The sender control; its `unblock()` lets a blocked sender send again."""
        return self._parts.senders

    @property
    def suppressions(self) -> SuppressionList | None:
        """The suppression list."""
        return self._parts.suppressions

    @property
    def reputation(self) -> Reputation | None:
        """The breaker of each flow."""
        return self._parts.reputation

    @property
    def templates(self) -> TemplateMemory | None:
        """The `TemplateMemory`."""
        return self._parts.templates

    @property
    def held(self) -> HeldMail | None:
        """The store of messages that wait for manual review."""
        return self._parts.held

    @property
    def tally(self) -> Tally:
        """The counts of what was stopped, or would have been."""
        return self._parts.tally

    @property
    def dry_run(self) -> bool:
        """Whether all mail is in a dry run."""
        return None in self._parts.dry_flows

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str], *, store: Store | None = None, **parts: Any) -> Gate:  # noqa: ANN401 -- what a Gate takes
        """Create a gate from a file that declares the flows and the parts of the gate.

        Args:
            path: The file; see the documentation for its tables.
            store: Where state is kept; by default the store that the file names.
            parts: Arguments of `Gate` that take precedence over the file: ``scanners=[…]``, ``dry_run=True``.

        Raises:
            ConfigurationError: If the file is not TOML, has an unknown key, or contradicts itself.
            OSError: If it cannot be read.
        """
        from mailflows.gate._settings import parts_from_file  # noqa: PLC0415 -- only for files

        file = SettingsFile(path)
        flows, found = FlowSet.from_file(file), parts_from_file(file, store)
        with file.at("gate"):
            return cls(flows, **found | parts)

    def check(  # noqa: PLR0913 -- what may be known of a message
        self,
        message: Source,
        *,
        envelope: Envelope | None = None,
        client: object = None,
        form: object = None,
        account: object = None,
        template: object = None,
        campaign: object = None,
        tenant: object = None,
        flow: Flow | str | None = None,
    ) -> Verdict:
        """Check whether a message may be sent. A bad message raises nothing: the verdict says what is wrong.

        Args:
            message: What is to be sent.
            envelope: Sender and recipients of the SMTP transaction; by default those of the headers.
            client: IP address of the client that caused the message to be sent.
            form: The form or endpoint that it comes from.
            account: The account that sends it, as authenticated.
            template: The template that it is made from.
            campaign: The mailing that it belongs to.
            tenant: The customer on whose behalf it is sent.
            flow: The flow. Pass it if the application knows it: nothing else is as reliable.

        Raises:
            ConfigurationError: If *flow* is not a flow, or has no route; or if one of your limits counts by a
                key that this message does not have.
        """
        context = Context(client, form, account, template, campaign, tenant, _declared(flow, self.flows))
        check = self._read(message, envelope, context)
        for part in self._asked(check):
            run(part(self._parts, check), self._parts.outages)
        verdict = self._closed(check)
        run(self._counted(verdict), self._parts.outages, is_done=True)
        return verdict

    async def acheck(  # noqa: PLR0913 -- what may be known of a message
        self,
        message: Source,
        *,
        envelope: Envelope | None = None,
        client: object = None,
        form: object = None,
        account: object = None,
        template: object = None,
        campaign: object = None,
        tenant: object = None,
        flow: Flow | str | None = None,
    ) -> Verdict:
        """Do what `check` does without blocking the event loop."""
        context = Context(client, form, account, template, campaign, tenant, _declared(flow, self.flows))
        return await self._achecked(message, envelope, context)

    async def _achecked(
        self,
        message: Source,
        envelope: Envelope | None,
        context: Context,
        turned_away: tuple[TurnedAway, ...] = (),
    ) -> Verdict:
        """Check a message of which an integration has refused something already."""
        is_small = isinstance(message, bytes | str) and len(message) <= SMALL and self._is_warm
        if is_small:
            check = self._read(message, envelope, context)
        else:
            check = await asyncio.to_thread(self._read, message, envelope, context)
        check.turned_away = turned_away
        for part in self._asked(check):
            await arun(part(self._parts, check), self._parts.outages, is_small=is_small)
        self._is_warm = True
        verdict = self._closed(check)
        await arun(self._counted(verdict), self._parts.outages, is_done=True)
        return verdict

    def ensure(self, message: Source, **known: Any) -> Verdict:  # noqa: ANN401 -- what check() takes
        """Check a message, and raise unless it may be sent; takes the arguments of `check`.

        Raises:
            Refused: With the verdict.
        """
        return _ensured(self.check(message, **known))

    async def aensure(self, message: Source, **known: Any) -> Verdict:  # noqa: ANN401 -- what check() takes
        """Do what `ensure` does without blocking the event loop."""
        return _ensured(await self.acheck(message, **known))

    @contextmanager
    def sending(self, message: Source, **known: Any) -> Iterator[Verdict]:  # noqa: ANN401 -- what check() takes
        """Check, send in the block, and report; an exception is reported, and its quota given back.

        Raises:
            Refused: If the message may not be sent; the block is not entered.
        """
        verdict = self.ensure(message, **known)
        try:
            yield verdict
        except BaseException as problem:
            self.report(verdict, problem)
            raise
        self.report(verdict, "sent")

    @asynccontextmanager
    async def asending(
        self,
        message: Source,
        **known: Any,  # noqa: ANN401 -- what check() takes
    ) -> AsyncIterator[Verdict]:
        """Do what `sending` does without blocking the event loop."""
        verdict = await self.aensure(message, **known)
        try:
            yield verdict
        except BaseException as problem:
            await self.areport(verdict, problem)
            raise
        await self.areport(verdict, "sent")

    def guard(
        self, message: str = "message", **known: str | Callable[[Mapping[str, Any]], object]
    ) -> Callable[[F], F]:
        """Return a decorator that runs a sync or async sending function inside `sending`.

        Use it for calls to a provider's SDK. The function sends the message as it is, so a message is refused
        as a whole if any of its recipients is; with `sending`, you can leave them out.

        Args:
            message: Name of the function's parameter that holds the message.
            known: For ``client``, ``form``, ``account``, ``flow`` and ``envelope``: the name of the parameter
                that holds it, or a function of all its arguments by name.

        Raises:
            ConfigurationError: If the function has no such parameter.
            Refused: By the decorated function, if the message may not be sent.
        """

        def decorate(function: F) -> F:
            behind = guarded(
                function,
                {"message": message, **known},
                names=_KNOWN,
                sending=self.sending,
                asending=self.asending,
                require=_require_all,
            )
            return cast("F", behind)

        return decorate

    def report(self, verdict: Verdict | None, outcome: Outcome) -> tuple[Event, ...]:
        """Report the outcome of a message, and return it as events.

        Quota is given back for a message that nobody accepted, and sender control, reputation and suppression
        list are updated. A store that is down is only logged, because the message has already been sent.

        An event that names no flow belongs to the one that declares its stream, tag or campaign
        (``stream``, ``ip_pool``).

        Args:
            verdict: The verdict of `check`, or `None` for events that come later, such as bounces.
            outcome: ``"sent"``, ``"unknown"`` where the relay's answer to the whole message was lost, an
                exception of smtplib or aiosmtplib, the dictionary of refused recipients that smtplib returns,
                a reply as (code, text), an `Event`, or several; ``()`` for a message that was not sent after
                all.

        Raises:
            TypeError: If the outcome is none of these.
        """
        events, was_taken = events_of(verdict, outcome)
        events = attributed(events, self.flows)
        run(learn(self._parts, verdict, events, was_taken=was_taken), self._parts.outages, is_done=True)
        self._ended(verdict, outcome, events)
        return events

    async def areport(self, verdict: Verdict | None, outcome: Outcome) -> tuple[Event, ...]:
        """Do what `report` does without blocking the event loop."""
        events, was_taken = events_of(verdict, outcome)
        events = attributed(events, self.flows)
        await arun(
            learn(self._parts, verdict, events, was_taken=was_taken), self._parts.outages, is_done=True
        )
        self._ended(verdict, outcome, events)
        return events

    def _ended(self, verdict: Verdict | None, outcome: Outcome, events: tuple[Event, ...]) -> None:
        """Write the line of a message that was handed on; that of another was written at its check."""
        if verdict is not None and verdict.allowed:
            reply = outcome.reply if isinstance(outcome, HandedOver) else None
            tell_end(verdict, events, reply=reply, now=self._parts.timer())

    def forget(self, address: str) -> Forgotten:
        """Erase all data about a person in every part of this gate, and return what was erased.

        This covers limit counters, the sender record, reputation, templates, held messages, and suppressions.
        People who complained or unsubscribed stay suppressed, by a keyed hash alone.

        Args:
            address: The address, in any spelling; or the name of an account.

        Raises:
            StoreError: If a store could not answer; call again.
        """
        erased: dict[str, int] = {}
        run(forgetting(self._parts, address, erased), self._parts.outages)
        return Forgotten(**erased)

    async def aforget(self, address: str) -> Forgotten:
        """Do what `forget` does without blocking the event loop."""
        erased: dict[str, int] = {}
        await arun(forgetting(self._parts, address, erased), self._parts.outages)
        return Forgotten(**erased)

    def status(self) -> GateStatus:
        """Return the state of all parts, for an operator; changes nothing.

        Raises:
            StoreError: If the store could not answer.
        """
        return status_of(self._parts)

    async def astatus(self) -> GateStatus:
        """Do what `status` does without blocking the event loop."""
        return await asyncio.to_thread(self.status)

    def limiter_of(self, flow: Flow | None) -> Limiter | None:
        """Return the limiter of a flow, or the one for all flows, or `None`."""
        return self._parts.limiters.get(flow)

    def is_dry(self, flow: Flow | None) -> bool:
        """Return whether a flow is in a dry run; for `None`, whether all mail is."""
        return flow in self._parts.dry_flows

    def require_place(self, who: str) -> None:
        """Raise if this gate may hold messages but has nowhere to keep them; for integrations.

        Raises:
            ConfigurationError: With what to write.
        """
        parts = self._parts
        deciding = {parts.on_conflict, parts.on_missing_unsubscribe, *parts.on_error.values()}
        may_hold = GateDecision.HOLD in deciding
        if self.held is None and may_hold:
            msg = (
                f"{who}: this gate may hold messages, but has nowhere to keep them: pass "
                'held=HeldMail(store), or on_conflict="reject" and on_error={"route": "defer"}'
            )
            raise ConfigurationError(msg, field="held")
        if self.held is not None and not self.held.is_lasting and may_hold:
            _log.info("%s: held messages are kept in memory and are lost when this process ends", who)

    def require_keys(self, who: str, known: Collection[str]) -> None:
        """Raise if one of your limits counts by a key that an integration cannot supply.

        Args:
            who: The integration.
            known: What it knows of every message, such as ``client``; in the professional flow the envelope
                sender is used as the account.

        Raises:
            ConfigurationError: With what to write.
        """
        for flow, limiter in self._parts.limiters.items():
            stand_in = ("account",) if flow is Flow.PROFESSIONAL else ()
            if flow is not None:
                require_keys(who, (limiter,), (*known, *stand_in))

    def _asked(self, check: Check) -> Iterator[Part]:
        """Yield the parts that are asked about a message, and what closes the question."""
        if not check.reasons:
            yield from self._order
        if self.held is not None and not self._parts.is_dry(check):
            yield from CLOSING

    def _read(self, message: Source, envelope: Envelope | None, context: Context) -> Check:
        """Read the message; if that fails, the verdict says so, and no part runs."""
        try:
            raw = None if isinstance(message, Message) else read_raw(message).data
            # A text says more than its bytes, and a file that is open is read once.
            seen = message if raw is None or isinstance(message, str | Message) else raw
            return Check(Message.read(seen, envelope=envelope), raw, context, self._parts.timer())
        except MessageError as problem:
            nothing = Message.read(b"X-Unreadable: yes\n\n", envelope=envelope or Envelope())
            check = Check(nothing, None, context, self._parts.timer())
            check.say("message", "unreadable", str(problem), GateDecision.REJECT)
            return check

    def _closed(self, check: Check) -> Verdict:
        """Return the verdict, and let the log and the hooks know."""
        is_dry = self._parts.is_dry(check)
        if is_dry and check.route is None:
            check.route = self._route_of(check)
        verdict = check.verdict(dry_run=is_dry)
        if not verdict.allowed:
            tell_end(verdict, now=self._parts.timer())
        self._tell(verdict)
        return verdict

    def _tell(self, verdict: Verdict) -> None:
        """Call the hooks."""
        for hook in self._parts.hooks:
            try:
                hook(verdict)
            except Exception as problem:  # noqa: BLE001 -- of whatever kind: a broken metric must not stop mail
                _log.error("a hook failed: %s", type(problem).__name__)

    def _count_turned_away(self, sender: str, flow: Flow | None, turned_away: Iterable[TurnedAway]) -> None:
        """Tell hooks and tally of a message that never came, since an integration refused its beginning."""
        verdict = verdict_without_message(sender, flow, turned_away)
        self._tell(verdict)
        run(self._counted(verdict), self._parts.outages, is_done=True)

    def _route_of(self, check: Check) -> FlowRoute | None:
        """Return the route for a dry run where none was found: that of the flow it seems to be of."""
        likely = check.classification.likely if check.classification else None
        wanted = (check.flow, check.declared, likely)
        return next((found for flow in wanted if flow and (found := self.flows.get(flow))), None)

    def _counted(self, verdict: Verdict) -> Steps:
        """Count what was stopped, or would have been; a count that fails must not stop mail."""
        if is_counted(verdict):
            yield Call(self.tally, "note", verdict)


@cache
def _warm_up() -> None:
    """Read the shipped model, word lists and suffixes, once a process: no first message waits for them."""
    flows = FlowSet(FlowRoute(Flow.TRANSACTIONAL, domains="example.org"))
    message = b"From: a@example.org\nTo: b@example.net\nSubject: Code\n\nHello,\n\nyour code is 406117.\n"
    Gate(flows, classifier=Classifier(), held=None).check(message, flow=Flow.TRANSACTIONAL)


_OPTIONAL = ("held", "suppressions", "recipients", "templates", "senders", "reputation", "scanners")


def _absent(parts: Parts) -> set[str]:
    """Return the parts that a gate does not have."""
    absent = {name for name in _OPTIONAL if getattr(parts, name) is None or getattr(parts, name) == ()}
    return absent if parts.limiters else absent | {"limits"}


def _ensured(verdict: Verdict) -> Verdict:
    if not verdict:
        raise Refused(str(verdict), verdict=verdict)
    return verdict


def _declared(flow: Flow | str | None, flows: FlowSet) -> Flow | None:
    if flow is None:
        return None
    route = flows.get(flow)
    if route is None:
        msg = f"{flow} was declared, but has no route: there are {', '.join(r.flow for r in flows)}"
        raise ConfigurationError(msg, field="flow")
    return route.flow


_KNOWN = ("message", "envelope", *(one.name for one in fields(Context)))
"""What `Gate.guard` takes."""


def _require_all(verdict: Verdict) -> None:
    """Refuse a message for which only some recipients are accepted: the function would write to all."""
    if verdict.refused and not verdict.dry_run:
        one = verdict.refused[0]
        msg = f"refused recipients: {len(verdict.refused)} ({one.part}: {one.sentence})"
        raise Refused(msg, verdict=verdict)
