"""What each part is asked, and what its answer means: one brain for the sync and the async gate.

A part is a generator: it yields the `Call` that it wants made and is sent the answer, or the `Failure`.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from mailflows.flow import Flow
from mailflows.flows import Outcome
from mailflows.gate._case import DEFAULT_RETRY, Case
from mailflows.gate._verdict import GateDecision, GateReason
from mailflows.message import addresses
from mailflows.recipients import Verdict as RecipientVerdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailflows.gate._gate import Gate
    from mailflows.limits import Decision

__all__ = ["PARTS", "Call", "Failure", "Finding", "Part"]

ACCEPT, DEFER, HOLD, REJECT = GateDecision


@dataclass(frozen=True, slots=True)
class Finding:
    """What a content scanner found.

    Attributes:
        code: Such as ``virus`` or ``spam``.
        sentence: What was found.
        decision: What it leads to.
    """

    code: str
    sentence: str
    decision: GateDecision = GateDecision.REJECT


class Call:
    """A call that a part wants made: of an object's method, which may have an async twin, or a function."""

    __slots__ = ("args", "keywords", "name", "target")

    def __init__(self, target: Any, name: str, *args: object, **keywords: object) -> None:  # noqa: ANN401
        self.target = target
        self.name = name
        self.args = args
        self.keywords = keywords


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that raised."""

    problem: Exception

    def __str__(self) -> str:
        """Return the kind of the error and, of our own errors, the text: those hold no address."""
        kind = type(self.problem)
        is_ours = kind.__module__.startswith("mailflows") or kind is ValueError
        return f"{kind.__name__}: {self.problem}" if is_ours else kind.__name__


Steps: TypeAlias = Generator[Call, Any, None]
Part: TypeAlias = "Callable[[Gate, Case], Steps]"


def headers(_gate: Gate, case: Case) -> Steps:
    """Look at From and at the recipients: what a message must have before anything else counts."""
    fields = case.message.get_all("from")
    mailboxes = [found for value in fields for found in addresses(value)]
    if not mailboxes:
        case.say("message", "no-from", "it has no From with an address (RFC 5322 section 3.6.2)", REJECT)
    elif len(fields) > 1:
        case.say("message", "several-from", f"it has {len(fields)} From fields; one is allowed", REJECT)
    if not case.open:
        case.say("message", "no-recipients", "neither the envelope nor To, Cc and Bcc name anybody", REJECT)
    if not case.reasons:
        case.say("message", "ok", f"recipients: {len(case.open)}, bytes: {case.message.size}")
    yield from ()


def classify(gate: Gate, case: Case) -> Steps:
    """Ask which flow the content belongs to."""
    found = yield Call(gate.classifier, "classify", case.message)
    if isinstance(found, Failure):
        case.add(gate.degrade("classifier", found))
        return
    case.classification = found
    named = found.flow or "unsure"
    case.say("classifier", "ok" if found.flow else "unsure", f"{named}, {found.confidence:.0%} sure")


def route(gate: Gate, case: Case) -> Steps:
    """Choose the road; what speaks against it is for a person to look at."""
    if case.classification is None and case.declared is None:
        case.say("route", "no-flow", "no flow was declared, and the classifier said nothing", HOLD)
        return
    # For a declared flow, the guard judges the content, with its own degrees.
    seen = None if case.declared else case.classification
    found = yield Call(gate.flows, "route", case.message, declared=case.declared, classification=seen)
    if isinstance(found, Failure):
        case.add(gate.degrade("route", found))
        return
    case.flow, case.route = found.flow, found.route
    for conflict in found.conflicts:
        case.say("route", "conflict", conflict, gate.on_conflict)
    if found.route is None and (not found.conflicts or gate.on_conflict is ACCEPT):
        case.say("route", "no-flow", "; ".join(found.reasons), HOLD)
    if found.route is None and found.flow is not None and gate.dry_run:
        case.route = gate.flows.get(found.flow)  # a dry run sends everything
    if not found.conflicts and found.route is not None:
        case.say("route", "ok", f"{found.flow} by {found.decided_by}: {'; '.join(found.reasons)}")


def suppressions(gate: Gate, case: Case) -> Steps:
    """Leave out whom nobody may write to."""
    gone: dict[str, list[str]] = {}
    for address in case.open:
        found = yield Call(gate.suppressions, "find", address, flow=case.flow)
        if isinstance(found, Failure):
            case.add(gate.degrade("suppressions", found))
            return
        if found is not None:
            gone.setdefault(found.reason, []).append(address)
    for reason, listed in gone.items():
        case.refuse("suppressions", "suppressed", f"on the suppression list ({reason})", listed)
    if not gone:
        case.say("suppressions", "ok", "nobody is on the list")


def recipients(gate: Gate, case: Case) -> Steps:
    """Leave out addresses that will bounce."""
    gone: dict[tuple[str, str], list[str]] = {}
    doubts: dict[str, int] = {}
    started, unchecked = gate.timer(), 0
    for address in case.open:
        if gate.timer() - started > gate.recipients_budget:  # a DNS that is down must not hold a mailing
            unchecked += 1
            continue
        report = yield Call(gate.recipients, "check", address)
        if isinstance(report, Failure):
            case.add(gate.degrade("recipients", report))
            break
        reason = report.reasons[0] if report.reasons else None
        if report.verdict is RecipientVerdict.UNDELIVERABLE and reason:
            gone.setdefault((reason.code, reason.sentence), []).append(address)
        elif report.verdict is not RecipientVerdict.DELIVERABLE and reason and reason.code != "not-asked":
            doubts[reason.code] = doubts.get(reason.code, 0) + 1
    for (code, sentence), listed in gone.items():
        case.refuse("recipients", code, sentence, listed)
    for code, number in doubts.items():
        case.say("recipients", code, f"{number} recipients are doubtful ({code})")
    if unchecked:
        case.say("recipients", "unchecked", f"{unchecked} recipients were not checked: the time was up")
    if not gone and not doubts and not unchecked:
        case.say("recipients", "ok", "nothing speaks against them")


def templates(gate: Gate, case: Case) -> Steps:
    """Look what kind of series it belongs to, and whether a slot is abused; the guard judges it."""
    if case.flow is None:
        return
    found = yield Call(gate.templates, "observe", case.message, flow=case.flow, sender=case.sender)
    if isinstance(found, Failure):
        case.add(gate.degrade("templates", found))
        return
    case.observation = found
    case.say("templates", "ok" if found.ok else "slot-alarm", str(found))


_OUTCOMES = {Outcome.ALLOW: ACCEPT, Outcome.FLAG: ACCEPT, Outcome.REFUSE: REJECT}


def guard(gate: Gate, case: Case) -> Steps:
    """Ask whether the message belongs on its flow."""
    if case.flow is None or case.classification is None:
        return
    found = yield Call(
        gate.flows,
        "guard",
        case.message,
        case.flow,
        classification=case.classification,
        observation=case.observation,
        settings=gate.guard_settings,
    )
    if isinstance(found, Failure):
        case.add(gate.degrade("guard", found))
        return
    for reason in found.reasons:
        case.say("guard", reason.code, reason.sentence, _OUTCOMES[reason.outcome])
    if not found.reasons:
        case.say("guard", "ok", str(found))


def senders(gate: Gate, case: Case) -> Steps:
    """Ask how the person or account stands; servers that send without an account are not persons."""
    is_person = case.flow is Flow.PROFESSIONAL or case.keys.get("account") is not None
    if not (is_person and case.sender and case.goes_on):
        return
    case.asked_sender = True
    client = case.keys.get("client")
    found = yield Call(gate.senders, "acquire", case.sender, to=case.open, client=client)
    if isinstance(found, Failure):
        case.add(gate.degrade("senders", found))
        return
    decision = ACCEPT if found else REJECT if found.retry_after is None else DEFER
    for reason in found.reasons:
        given = decision if reason.stops else ACCEPT
        case.add(GateReason("senders", reason.code, reason.sentence, given, found.retry_after))
    if found.degraded or not found.reasons:
        said = "the store could not be asked" if found.degraded else "the sender stands well"
        code = "degraded" if found.degraded else "ok"
        case.add(GateReason("senders", code, said, decision, found.retry_after, degraded=found.degraded))


def reputation(gate: Gate, case: Case) -> Steps:
    """Ask how the flow stands, and its mail to the providers of the recipients."""
    if case.flow is None or not case.goes_on:
        return
    sender = case.sender or None
    found = yield Call(gate.reputation, "acquire", case.flow, sender=sender, recipients=case.open)
    if isinstance(found, Failure):
        case.add(gate.degrade("reputation", found))
        return
    if found.refused:
        case.refuse("reputation", "stopped", str(found), found.refused, retry=found.retry_after)
    elif found.degraded:
        case.add(GateReason("reputation", "degraded", "the store could not be asked", degraded=True))
    else:
        case.say("reputation", "ok", str(found))


def scanners(gate: Gate, case: Case) -> Steps:
    """Ask the content scanners."""
    if not case.goes_on:
        return
    for scanner in gate.scanners:
        if case.raw is None:
            problem = ValueError("a scanner needs the bytes, and the gate was given a Message")
            case.add(gate.degrade("scanners", Failure(problem)))
            return
        found = yield Call(scanner, "__call__", case.raw)
        name = getattr(scanner, "__name__", type(scanner).__name__)
        if isinstance(found, Failure):
            case.add(gate.degrade("scanners", found, who=name))
            continue
        said = (found,) if isinstance(found, Finding) else tuple(found or ())
        for one in said:
            case.say("scanners", one.code, f"{name}: {one.sentence}", GateDecision(one.decision))
        if not said:
            case.say("scanners", "ok", f"{name} found nothing")


def limits(gate: Gate, case: Case) -> Steps:
    """Take what the message needs from the limits; last, so that nothing is taken for what stays here."""
    limiter = gate.limiter_of(case.flow)
    if limiter is None or not case.goes_on:
        return
    found = yield Call(
        limiter,
        "acquire",
        case.message,
        partial=len(case.open) > 1,
        to=tuple(case.open),
        flow=case.flow,
        **case.keys,
    )
    if isinstance(found, Failure):
        case.add(gate.degrade("limits", found))
        return
    case.limited = found
    if not found:
        decision = REJECT if found.retry_after is None else DEFER
        case.add(
            GateReason(
                "limits", "limited", found.message, decision, found.retry_after, degraded=found.degraded
            )
        )
        return
    if found.refused:
        case.refuse("limits", "limited", "a limit is reached for them", found.refused, retry=_wait(found))
    else:
        code = "degraded" if found.degraded else "ok"
        case.add(GateReason("limits", code, found.message, degraded=found.degraded))


def _wait(decision: Decision) -> float:
    """Return the seconds after which recipients that a limit left out are worth trying."""
    waits = (reading.wait for reading in decision.readings if 0.0 < reading.wait < math.inf)
    return max(waits, default=DEFAULT_RETRY)


PARTS: dict[str, Part] = {
    "message": headers,
    "classifier": classify,
    "route": route,
    "suppressions": suppressions,
    "recipients": recipients,
    "templates": templates,
    "guard": guard,
    "senders": senders,
    "reputation": reputation,
    "scanners": scanners,
    "limits": limits,
}
"""The parts in the order in which they are asked: what costs or counts comes last."""
