"""The gate: one question before a message leaves, and one answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from mailflows._mail import source as raw_source
from mailflows.classifier import Classifier
from mailflows.errors import ConfigurationError, MessageError, Refused
from mailflows.flow import Flow
from mailflows.flows import FlowSet
from mailflows.flows._file import SettingsFile
from mailflows.gate._case import Case
from mailflows.gate._drivers import arun, run
from mailflows.gate._guarded import guarded
from mailflows.gate._outcome import events_of, learn
from mailflows.gate._parts import PARTS, Failure
from mailflows.gate._verdict import GateDecision, GateReason, Verdict
from mailflows.message import Envelope, Message

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from mailflows._clock import Timer
    from mailflows.feedback import Event, SuppressionList
    from mailflows.flows import GuardSettings
    from mailflows.gate._outcome import Outcome
    from mailflows.gate._parts import Steps
    from mailflows.limits import Limiter, Store
    from mailflows.message import Source
    from mailflows.recipients import RecipientChecker
    from mailflows.reputation import Reputation
    from mailflows.senders import SenderControl
    from mailflows.templates import TemplateMemory

__all__ = ["Gate"]

F = TypeVar("F", bound="Callable[..., Any]")

ON_ERROR: dict[str, GateDecision] = {
    **dict.fromkeys(PARTS, GateDecision.ACCEPT),
    # Without these a message would go where nobody meant it to go, or to whom nobody may write.
    "route": GateDecision.HOLD,
    "suppressions": GateDecision.DEFER,
    "scanners": GateDecision.DEFER,
    # A store that is down is the limiter's own business (on_error); what fails here is how it was asked.
    "limits": GateDecision.HOLD,
}
"""What becomes of a message where a part fails."""

_log = logging.getLogger("mailflows.gate")


class Gate:
    r"""Asks every part about a message before it leaves, and says one verdict with all their reasons.

    Every part but the flows can be left out. A part that fails never ends in an exception: its policy
    decides, and the verdict says so. What was accepted is fed back with `report`.

    Args:
        flows: The flows; see `mailflows.flows.FlowSet`.
        classifier: What tells a message's flow; the shipped one by default.
        recipients: What checks addresses: a `RecipientChecker`.
        limiter: A `Limiter`, or one for each flow: ``{"transactional": limiter}``.
        senders: What stops people who mail invalid addresses: a `SenderControl`. It is asked on the
            professional flow, and wherever an account is given.
        suppressions: Who must not be written to: a `SuppressionList`.
        reputation: The breaker of each flow: a `Reputation`.
        templates: What knows the templates of each sender: a `TemplateMemory`.
        scanners: Functions of the message's bytes that return what they found: `None`, a `Finding` or
            several. Coroutine functions are for `acheck` only.
        guard_settings: Thresholds of the guard.
        on_conflict: What becomes of a message whose From, headers and content do not belong together; it is
            held by default, for a person to look at.
        on_error: What becomes of a message where a part fails, by the name of the part: ``{"recipients":
            "defer"}``. By default suppressions and scanners defer, route and limits hold, the others accept.
        dry_run: Accept everything, and only say what would have been: for a first week. A message that no
            road was found for takes that of the flow it seems to be of.
        recipients_budget: Seconds of wall-clock time for all recipients of one message.
        hooks: Functions that are given every `Verdict`, for metrics; what they raise is logged, no more.
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
        hold transactional: route: From's domain other.example belongs to no flow
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
        on_conflict: GateDecision | str = GateDecision.HOLD,
        on_error: Mapping[str, GateDecision | str] | None = None,
        dry_run: bool = False,
        recipients_budget: float = 5.0,
        hooks: Iterable[Callable[[Verdict], object]] = (),
        timer: Timer = time.monotonic,
    ) -> None:
        self.flows = flows
        self.classifier = classifier or Classifier()
        self.recipients = recipients
        self.limiter = limiter
        self.senders = senders
        self.suppressions = suppressions
        self.reputation = reputation
        self.templates = templates
        self.scanners = tuple(scanners)
        self.guard_settings = guard_settings
        self.on_conflict = _decision(on_conflict, "on_conflict")
        self.on_error = ON_ERROR | {
            _known_part(name): _decision(value, "on_error") for name, value in (on_error or {}).items()
        }
        self.dry_run = dry_run
        self.recipients_budget = recipients_budget
        self.hooks = tuple(hooks)
        self.timer = timer
        self._limiters = _by_flow(limiter, flows)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str], *, store: Store | None = None, **parts: Any) -> Gate:  # noqa: ANN401 -- what a Gate takes
        """Make a gate from a file with the flows, and tables that say which parts it has.

        Args:
            path: The file; see the documentation for its tables.
            store: Where state is kept; what the file names by default.
            parts: What goes before the file, as the arguments of a `Gate`: ``scanners=[…]``,
                ``dry_run=True``.

        Raises:
            ConfigurationError: If the file is no TOML, has an unknown key, or contradicts itself.
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
        flow: Flow | str | None = None,
    ) -> Verdict:
        """Say whether a message may leave. Nothing is raised for a bad one: the verdict says what is wrong.

        Args:
            message: What is to be sent.
            envelope: Sender and recipients of the SMTP transaction; those of the headers by default.
            client: Network address of who caused the message.
            form: The form or endpoint that did.
            account: Who is logged in.
            flow: The flow, where the application knows it. Say it: nothing is as sure.

        Raises:
            ConfigurationError: If *flow* is no flow, or one without a route.
        """
        case = self._case(message, envelope, {"client": client, "form": form, "account": account}, flow)
        if isinstance(case, Verdict):
            return case
        for part in self._asked():
            run(part(self, case))
        return self._told(case.verdict(dry_run=self.dry_run))

    async def acheck(  # noqa: PLR0913 -- what may be known of a message
        self,
        message: Source,
        *,
        envelope: Envelope | None = None,
        client: object = None,
        form: object = None,
        account: object = None,
        flow: Flow | str | None = None,
    ) -> Verdict:
        """Do what `check` does without blocking the event loop."""
        case = self._case(message, envelope, {"client": client, "form": form, "account": account}, flow)
        if isinstance(case, Verdict):
            return case
        for part in self._asked():
            await arun(part(self, case))
        return self._told(case.verdict(dry_run=self.dry_run))

    def ensure(self, message: Source, **known: Any) -> Verdict:  # noqa: ANN401 -- what check() takes
        """Check a message, and raise unless it may leave; takes what `check` takes.

        Raises:
            Refused: With the verdict.
        """
        return _ensured(self.check(message, **known))

    async def aensure(self, message: Source, **known: Any) -> Verdict:  # noqa: ANN401 -- what check() takes
        """Do what `ensure` does without blocking the event loop."""
        return _ensured(await self.acheck(message, **known))

    @contextmanager
    def sending(self, message: Source, **known: Any) -> Iterator[Verdict]:  # noqa: ANN401 -- what check() takes
        """Check, send in the block, and report: an exception gives back what was taken, and is learned from.

        Raises:
            Refused: If the message may not leave; the block is not entered.
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
        """Return a decorator that puts a function which sends, sync or async, behind `sending`.

        For the call of a provider's SDK. The function sends the message as it is given, so one of whose
        recipients only some are accepted is refused whole; with `sending`, a sender can leave them out.

        Args:
            message: Name of the function's parameter that holds the message.
            known: For ``client``, ``form``, ``account``, ``flow`` and ``envelope``: the name of the parameter
                that holds it, or a function of all its arguments by name.

        Raises:
            ConfigurationError: If the function has no such parameter.
            Refused: By the decorated function, if the message may not leave.
        """

        def decorate(function: F) -> F:
            return cast("F", guarded(self, function, {"message": message, **known}))

        return decorate

    def report(self, verdict: Verdict | None, outcome: Outcome) -> tuple[Event, ...]:
        """Feed back what became of a message, and return it as events.

        The limiter gets back what was taken for a message that nobody took; senders, reputation and
        suppressions learn. A store that is down is logged: the message has left already.

        Args:
            verdict: What `check` said, or `None` for events that come later, such as bounces.
            outcome: ``"sent"``, an exception of smtplib or aiosmtplib, the dictionary of refused recipients
                that smtplib returns, a reply as (code, text), an `Event`, or several; ``()`` for what was
                not sent after all.

        Raises:
            TypeError: If the outcome is none of these.
        """
        events, was_taken = events_of(verdict, outcome)
        learn(self, verdict, events, was_taken=was_taken)
        return events

    async def areport(self, verdict: Verdict | None, outcome: Outcome) -> tuple[Event, ...]:
        """Do what `report` does without blocking the event loop."""
        return await asyncio.to_thread(self.report, verdict, outcome)

    def limiter_of(self, flow: Flow | None) -> Limiter | None:
        """Return the limiter of a flow, or the one of all, or `None`."""
        return self._limiters.get(flow)

    def degrade(self, part: str, failure: Failure, *, who: str = "") -> GateReason:
        """Return what is said, and decided, where a part failed."""
        _log.warning("%s failed: %s", part, failure)
        sentence = f"{who or 'it'} could not be asked ({failure})"
        return GateReason(part, "failed", sentence, self.on_error[part], degraded=True)

    def _asked(self) -> list[Callable[[Gate, Case], Steps]]:
        """Return the parts that this gate has."""
        absent = {name for name in _OPTIONAL if not getattr(self, name)}
        if not self._limiters:
            absent.add("limits")
        return [part for name, part in PARTS.items() if name not in absent]

    def _case(
        self,
        message: Source,
        envelope: Envelope | None,
        keys: Mapping[str, object],
        flow: Flow | str | None,
    ) -> Case | Verdict:
        """Read a message, or return the verdict on what is none."""
        declared = _declared(flow, self.flows)
        try:
            raw = None if isinstance(message, Message) else raw_source.read(message).data
            # A text says more than its bytes, and a file that is open is read once.
            seen = message if raw is None or isinstance(message, str | Message) else raw
            read = Message.read(seen, envelope=envelope)
        except MessageError as problem:
            case = Case(Message.read(b"X-Unreadable: yes\n\n"), None, keys, declared)
            case.say("message", "unreadable", str(problem), GateDecision.REJECT)
            return self._told(case.verdict(dry_run=False))
        return Case(read, raw, keys, declared)

    def _told(self, verdict: Verdict) -> Verdict:
        """Let the log and the hooks know; the log gets no address."""
        if verdict.would_be is not GateDecision.ACCEPT or verdict.degraded:
            _log.info("%s", verdict)
        for hook in self.hooks:
            try:
                hook(verdict)
            except Exception:  # noqa: BLE001 -- of whatever kind: a broken metric must not stop mail
                _log.exception("a hook failed")
        return verdict


_OPTIONAL = ("suppressions", "recipients", "templates", "senders", "reputation", "scanners")


def _ensured(verdict: Verdict) -> Verdict:
    if not verdict:
        raise Refused(str(verdict), verdict=verdict)
    return verdict


def _declared(flow: Flow | str | None, flows: FlowSet) -> Flow | None:
    if flow is None:
        return None
    route = flows.get(flow)
    if route is None:
        msg = f"{flow} was declared and has no route: there are {', '.join(r.flow for r in flows)}"
        raise ConfigurationError(msg, field="flow")
    return route.flow


def _decision(value: GateDecision | str, field: str) -> GateDecision:
    try:
        return GateDecision(value)
    except ValueError as error:
        msg = f"{field} is one of {', '.join(GateDecision)}; got {value!r}"
        raise ConfigurationError(msg, field=field) from error


def _known_part(name: str) -> str:
    if name not in PARTS:
        msg = f"on_error names the parts {', '.join(PARTS)}; got {name!r}"
        raise ConfigurationError(msg, field="on_error")
    return name


def _by_flow(
    limiter: Limiter | Mapping[Flow | str, Limiter] | None, flows: FlowSet
) -> dict[Flow | None, Limiter]:
    """Return the limiter of each flow."""
    if limiter is None:
        return {}
    if not isinstance(limiter, Mapping):
        return dict.fromkeys((None, *Flow), limiter)
    found: dict[Flow | None, Limiter] = {}
    for name, one in limiter.items():
        route = flows.get(name)
        if route is None:
            msg = f"limiter is given for {name}, which has no route"
            raise ConfigurationError(msg, field="limiter")
        found[route.flow] = one
    return found
