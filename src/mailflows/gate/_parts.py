"""What each part is asked, and what its answer means: one brain for the sync and the async gate.

A part is a generator: it yields the `Call` that it wants made and is sent the answer, or the `Failure`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from mailflows._mail.address import mailbox_of, read_addresses, read_author
from mailflows._result import Severity, number_of
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.flows import Outcome
from mailflows.flows._flow_set import is_sent_for_a_person
from mailflows.gate._calls import Call, Failure, Steps, in_thread
from mailflows.gate._check import QUEUE_LIFETIME, Check, GateDecision
from mailflows.gate._identity import doubts, has_one_click
from mailflows.gate._limit_keys import absent_keys, fitted, needs_of
from mailflows.held import HeldState
from mailflows.message import UNSENDABLE
from mailflows.recipients import Deliverability

if TYPE_CHECKING:
    from mailflows._clock import Timer
    from mailflows._context import Context
    from mailflows.classifier import Classifier
    from mailflows.feedback import SuppressionList
    from mailflows.flows import FlowSet, GuardSettings
    from mailflows.gate._check import Verdict
    from mailflows.gate._outages import Outages
    from mailflows.gate._tally import Tally
    from mailflows.held import HeldMail
    from mailflows.limits import Decision, Limiter
    from mailflows.recipients import RecipientChecker, RecipientReport
    from mailflows.recipients._report import RecipientReason
    from mailflows.reputation import Reputation
    from mailflows.senders import SenderControl
    from mailflows.templates import TemplateMemory

__all__ = ["CLOSING", "PARTS", "Finding", "Parts", "Unsubscribe", "degraded"]

ACCEPT, DEFER, HOLD, REJECT = GateDecision

Unsubscribe: TypeAlias = "Callable[[str, Context], Mapping[str, str]]"
"""Returns List-Unsubscribe and List-Unsubscribe-Post for a recipient, as `Tracker.unsubscribe_headers`."""

MOST_FINDINGS = 100
"""Findings of one scanner that are read. bound: a generator without an end must not fill the memory."""

SENDING_RETRY = 60.0
"""Seconds after which who tries a released message at the same time as another may try again. choice: most
relays have answered by then."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a content scanner found.

    Attributes:
        code: A code, such as ``virus`` or ``spam``.
        sentence: What was found.
        decision: The decision that it leads to.

    Example:
        >>> finding = Finding("virus", "an attachment has a virus")
        >>> str(finding.decision)
        'reject'
    """

    code: str
    sentence: str
    decision: GateDecision = GateDecision.REJECT


@dataclass(frozen=True, slots=True)
class Parts:
    """What a gate asks, and its settings; see `Gate` for each."""

    flows: FlowSet
    classifier: Classifier
    recipients: RecipientChecker | None
    limiters: Mapping[Flow | None, Limiter]
    senders: SenderControl | None
    suppressions: SuppressionList | None
    reputation: Reputation | None
    templates: TemplateMemory | None
    scanners: tuple[Callable[[bytes], object], ...]
    unsubscribe: Mapping[Flow, Unsubscribe]
    held: HeldMail | None
    guard_settings: GuardSettings | None
    on_conflict: GateDecision
    on_missing_unsubscribe: GateDecision
    on_error: Mapping[str, GateDecision]
    dry_flows: frozenset[Flow | None]
    recipients_budget: float
    refuse_recipients: Mapping[Flow | None, frozenset[str]]
    scanner_timeout: float
    tally: Tally
    hooks: tuple[Callable[[Verdict], object], ...]
    timer: Timer
    outages: Outages

    def is_dry(self, check: Check) -> bool:
        """Return whether a message is only looked at; where its flow is not known, if that holds for all."""
        return (check.flow or check.declared) in self.dry_flows


Part: TypeAlias = "Callable[[Parts, Check], Steps]"


def degraded(parts: Parts, check: Check, part: str, failure: Failure, *, who: str = "the check") -> None:
    """Note that a part failed, and what its policy decides; the error itself is for programs and the log."""
    sentence = f"{who} failed to run: {failure.sentence}"
    known = {"error": str(failure)}
    check.say(part, "failed", sentence, parts.on_error[part], degraded=True, parameters=known)


def headers(_parts: Parts, check: Check) -> Steps:
    """Look at From and at the recipients: what a message must have before anything else counts."""
    authors = [read_author(value) for value in check.message.get_all("from")]
    if not any(author.likely for author in authors):
        check.say("message", "no-from", "its From has no address (RFC 5322 section 3.6.2)", REJECT)
    elif "repeated-header:from" in check.message.defects:
        check.say("message", "several-from", "it has several From fields; only one is allowed", REJECT)
    elif any("@" in text for author in authors for text in author.unread):
        check.say("message", "unreadable-from", "mail clients disagree about the address in From", REJECT)
    _form(check)
    if not check.open:
        check.say(
            "message", "no-recipients", "there are no recipients in the envelope, To, Cc or Bcc", REJECT
        )
    read = {spelled: mailbox_of(spelled) for spelled in check.open}
    check.mailboxes = {spelled: found for spelled, found in read.items() if found}
    unread = [spelled for spelled, found in read.items() if not found]
    check.refuse(
        "message", "unreadable-address", "the address cannot be read (RFC 5321 section 4.1.2)", unread
    )
    if all(reason.decision is ACCEPT for reason in check.reasons):
        check.say("message", "ok", f"recipients: {len(check.open)}, bytes: {check.message.size}")
    yield from ()


def _form(check: Check) -> None:
    """Report malformed parts of the message, and refuse one that cannot be normalised for sending."""
    defects = check.message.defects
    if found := [defect for defect in defects if defect in UNSENDABLE]:
        said = f"mail clients would read it differently ({', '.join(found)})"
        check.say("message", "no-normal-form", said, REJECT)
    elif defects:
        check.say("message", "defects", f"it is malformed ({', '.join(defects[:5])})")
    if check.message.envelope and check.message.envelope.recipients:
        return
    unread = [t for name in ("to", "cc", "bcc") for t in read_addresses(check.message.get(name)).unread]
    if unread:
        sentence = f"{number_of(len(unread), 'recipient')} in the header cannot be read"
        check.say("message", "unread-recipients", sentence)


def held(parts: Parts, check: Check) -> Steps:
    """Look whether a person has seen this message before."""
    if check.raw is None:
        return
    found = yield Call(parts.held, "find", check.raw, recipients=check.given, mail_from=check.envelope_sender)
    if isinstance(found, Failure):
        degraded(parts, check, "held", found)
    elif found is not None and found.state is HeldState.DROPPED:
        check.say("held", "dropped", "it was reviewed and must not be sent", REJECT)
    elif found is not None and found.state is not HeldState.WAITING:
        check.released = found
        check.declared = found.flow
        check.say("held", "released", "it was reviewed and may be sent")


def classify(parts: Parts, check: Check) -> Steps:
    """Ask which flow the content belongs to."""
    found = yield Call(parts.classifier, "classify", check.message, is_pure=True)
    if isinstance(found, Failure):
        degraded(parts, check, "classifier", found)
        return
    check.classification = found
    # Leaning to the flow that was declared is nothing to tell; the guard judges the rest.
    agrees = found.flow is not None or (found.likely is not None and found.likely is check.declared)
    named = found.flow or ("unsure" if not agrees else f"probably {found.likely}")
    check.say("classifier", "ok" if agrees else "unsure", f"{named}, {found.confidence:.0%} sure")


def route(parts: Parts, check: Check) -> Steps:
    """Choose the route; conflicts are for a person to review."""
    if check.classification is None and check.declared is None:
        check.say("route", "no-flow", "no flow was declared, and the classifier was unavailable", HOLD)
        return
    # For a declared flow, the guard judges the content, with its own degrees.
    seen = None if check.declared else check.classification
    found = yield Call(
        parts.flows, "route", check.message, declared=check.declared, classification=seen, is_pure=True
    )
    if isinstance(found, Failure):
        degraded(parts, check, "route", found)
        return
    check.flow, check.route = found.flow, found.route
    for conflict in found.conflicts:
        check.say("route", "conflict", conflict.sentence, parts.on_conflict)
    if found.route is None and (not found.conflicts or parts.on_conflict is ACCEPT):
        check.say("route", "no-flow", "; ".join(one.sentence for one in found.reasons), HOLD)
    if found.route is None and found.flow is not None and parts.is_dry(check):
        check.route = parts.flows.get(found.flow)  # a dry run sends everything
    if not found.conflicts and found.route is not None:
        check.say(
            "route",
            "ok",
            f"{found.flow} by {found.decided_by}: {'; '.join(one.sentence for one in found.reasons)}",
        )


def identity(parts: Parts, check: Check) -> Steps:
    """Check what the flow declares against envelope, fields and signatures, and apply it."""
    if check.route is None:
        return
    sender, context = check.envelope_sender, check.context
    found = list(doubts(parts.flows, check.route, check.message, sender, context))
    for doubt in found:
        decision = parts.on_conflict if doubt.is_conflict else ACCEPT
        check.say("identity", doubt.code, doubt.sentence, decision)
    check.mail_from = check.route.mail_from(sender)
    check.headers |= check.route.headers(check.message)
    if check.flow is Flow.MARKETING and not has_one_click(check.message):
        _unsubscribe(parts, check)
    elif not found:
        check.say("identity", "ok", "sender, envelope and signatures fit the flow")
    yield from ()


def _unsubscribe(parts: Parts, check: Check) -> None:
    """Give a mailing the fields that it lacks, or say that it lacks them."""
    make = parts.unsubscribe.get(Flow.MARKETING)
    if make is not None and len(check.open) == 1:
        check.headers |= dict(make(check.mailboxes.get(check.open[0], check.open[0]), check.context))
        check.say("identity", "unsubscribe-added", "List-Unsubscribe was added")
        return
    sentence = (
        "marketing needs List-Unsubscribe with an https URL, and List-Unsubscribe-Post: "
        "List-Unsubscribe=One-Click (RFC 8058; Gmail and Yahoo require it)"
    )
    check.say("identity", "no-one-click-unsubscribe", sentence, parts.on_missing_unsubscribe)


def suppressions(parts: Parts, check: Check) -> Steps:
    """Leave out recipients on the suppression list."""
    gone: dict[tuple[str, str], list[str]] = {}
    for spelled in check.open:
        address = check.mailboxes.get(spelled, spelled)
        found = yield Call(parts.suppressions, "find", address, flow=check.flow)
        if isinstance(found, Failure):
            degraded(parts, check, "suppressions", found)
            return
        if found is not None:
            gone.setdefault((found.reason, found.reply_status), []).append(spelled)
    for (reason, status), listed in gone.items():
        check.refuse(
            "suppressions", "suppressed", f"on the suppression list ({reason})", listed, status=status
        )
    if not gone:
        check.say("suppressions", "ok", "no recipient is on the suppression list")


_UNASKED = frozenset({"not-asked", "not_asked"})


def recipients(parts: Parts, check: Check) -> Steps:
    """Leave out addresses that will bounce."""
    gone: dict[tuple[str, str], list[str]] = {}
    refused = parts.refuse_recipients.get(check.flow, frozenset())
    doubtful: dict[str, int] = {}
    started, unchecked = parts.timer(), 0
    for spelled in check.open:
        if parts.timer() - started > parts.recipients_budget:  # a DNS that is down must not hold a mailing
            unchecked += 1
            continue
        report = yield Call(parts.recipients, "check", check.mailboxes.get(spelled, spelled))
        if isinstance(report, Failure):
            degraded(parts, check, "recipients", report)
            break
        reason, is_refused = _weighed(report, refused)
        if reason and is_refused:
            gone.setdefault((reason.code, reason.sentence), []).append(spelled)
        elif report.verdict is not Deliverability.DELIVERABLE and reason and reason.code not in _UNASKED:
            doubtful[reason.code] = doubtful.get(reason.code, 0) + 1
    for (code, sentence), listed in gone.items():
        check.refuse("recipients", code, sentence, listed, status="5.1.1")
    for code, number in doubtful.items():
        check.say(
            "recipients", code, f"{number_of(number, 'recipient is', 'recipients are')} doubtful ({code})"
        )
    if unchecked:
        who = number_of(unchecked, "recipient was", "recipients were")
        sentence = f"{who} not checked: the time limit was reached"
        check.say("recipients", "unchecked", sentence)
    if not gone and not doubtful and not unchecked:
        check.say("recipients", "ok", "no issues found")


def _weighed(report: RecipientReport, refused: Collection[str]) -> tuple[RecipientReason | None, bool]:
    """Return the first issue of an address, and whether it is left out for that."""
    first = report.reasons[0] if report.reasons else None
    if report.verdict is Deliverability.UNDELIVERABLE:
        return first, True
    strict = next((one for one in report.reasons if one.code in refused), None)
    return strict or first, strict is not None


def templates(parts: Parts, check: Check) -> Steps:
    """Look what kind of series it belongs to, and whether a slot is abused; the guard judges it."""
    if check.flow is None:
        return
    found = yield Call(parts.templates, "observe", check.message, flow=check.flow, sender=check.sender)
    if isinstance(found, Failure):
        degraded(parts, check, "templates", found)
        return
    check.observation = found
    check.say("templates", "ok" if found.ok else "slot-alarm", str(found))


_OUTCOMES = {Outcome.ALLOW: ACCEPT, Outcome.FLAG: ACCEPT, Outcome.REFUSE: REJECT}


def guard(parts: Parts, check: Check) -> Steps:
    """Ask whether the message belongs on its flow."""
    if check.flow is None or check.classification is None:
        return
    is_server_like = check.flow is Flow.PROFESSIONAL and check.classification.flow is Flow.TRANSACTIONAL
    # What a program sends for a person is judged as a server's: alike as a rule, and never an advert.
    judged_as = Flow.TRANSACTIONAL if is_server_like and is_sent_for_a_person(check.message) else check.flow
    found = yield Call(
        parts.flows,
        "guard",
        check.message,
        judged_as,
        classification=check.classification,
        observation=check.observation,
        settings=parts.guard_settings,
        is_pure=True,
    )
    if isinstance(found, Failure):
        degraded(parts, check, "guard", found)
        return
    for reason in found.reasons:
        check.say("guard", reason.code, reason.sentence, _OUTCOMES[reason.outcome])
    if not found.reasons:
        check.say("guard", "ok", str(found))


def senders(parts: Parts, check: Check) -> Steps:
    """Ask for the status of the person or account; servers that send without an account are not persons."""
    is_person = check.flow is Flow.PROFESSIONAL or check.context.account is not None
    if not (is_person and check.sender and check.goes_on):
        return
    check.asked_sender = True
    found = yield Call(parts.senders, "acquire", check.sender, to=tuple(check.open), context=check.context)
    if isinstance(found, Failure):
        degraded(parts, check, "senders", found)
        return
    refusal = HOLD if found.status == "held" else REJECT if found.retry_after is None else DEFER
    decision = ACCEPT if found else refusal
    for reason in found.reasons:
        given = decision if reason.severity is Severity.ERROR else ACCEPT
        check.say("senders", reason.code, reason.sentence, given, retry_after=found.retry_after)
    if found.degraded or not found.reasons:
        failed = "the check failed to run: the store did not answer"
        said = failed if found.degraded else "no issues with the sender"
        code = "degraded" if found.degraded else "ok"
        check.say("senders", code, said, decision, retry_after=found.retry_after, degraded=found.degraded)


def reputation(parts: Parts, check: Check) -> Steps:
    """Ask for the state of the flow, and of its mail to the providers of the recipients."""
    if check.flow is None or not check.goes_on:
        return
    sender = check.sender or None
    to = tuple(check.open)
    found = yield Call(
        parts.reputation, "acquire", check.flow, sender=sender, recipients=to, context=check.context
    )
    if isinstance(found, Failure):
        degraded(parts, check, "reputation", found)
        return
    if found.degraded:
        given, wait = (ACCEPT, None) if found else (DEFER, found.retry_after)
        said = "the check failed to run: the store did not answer"
        check.say("reputation", "degraded", said, given, retry_after=wait, degraded=True)
    elif found.refused:
        check.refuse("reputation", "stopped", str(found), found.refused, retry=found.retry_after)
    else:
        check.say("reputation", "ok", str(found))


def scanners(parts: Parts, check: Check) -> Steps:
    """Ask the content scanners; one that answers something else, or never, has failed."""
    if not check.goes_on:
        return
    for scanner in parts.scanners:
        if check.raw is None:
            problem = ValueError("a scanner needs the bytes, but the gate was given a Message")
            degraded(parts, check, "scanners", Failure(problem))
            return
        name = getattr(scanner, "__name__", type(scanner).__name__)
        found = yield Call(_Scanner(scanner, name), "scan", check.raw, within=parts.scanner_timeout)
        if isinstance(found, Failure):
            degraded(parts, check, "scanners", found, who=name)
            continue
        for one in found:
            check.say("scanners", one.code, f"{name}: {one.sentence}", GateDecision(one.decision))
        if not found:
            check.say("scanners", "ok", f"{name} found nothing")


class _Scanner:
    """A scanner whose answer is read where it is made: a generator runs within the time of its scanner."""

    def __init__(self, scanner: Callable[[bytes], object], name: str) -> None:
        self._scanner = scanner
        self.name = name

    def scan(self, raw: bytes) -> object:
        """Return what it found."""
        found = self._scanner(raw)
        return found if hasattr(found, "__await__") else _findings(found)

    async def ascan(self, raw: bytes) -> tuple[Finding, ...]:
        """Return what it found, whether it is a coroutine function or not."""
        found: Any = await asyncio.wrap_future(in_thread(lambda: self.scan(raw)))
        if hasattr(found, "__await__"):
            answer = await found
            found = await asyncio.wrap_future(in_thread(lambda: _findings(answer)))
        return found  # type: ignore[no-any-return]


def _findings(found: object) -> tuple[Finding, ...]:
    """Return what a scanner said, as findings.

    Raises:
        TypeError: If it is something else.
        ValueError: If a decision is none.
    """
    if found is None or isinstance(found, Finding):
        said: tuple[object, ...] = () if found is None else (found,)
    elif isinstance(found, Iterable) and not isinstance(found, str | bytes | Mapping):
        said = tuple(islice(found, MOST_FINDINGS))
    else:
        said = (found,)
    for one in said:
        if not isinstance(one, Finding):
            msg = f"a scanner must return None, a Finding or several; got {type(one).__name__}"
            raise TypeError(msg)
        GateDecision(one.decision)
    return said  # type: ignore[return-value]


def limits(parts: Parts, check: Check) -> Steps:
    """Take what the message needs from the limits; last, so that nothing is taken for what stays here."""
    limiter = parts.limiters.get(check.flow)
    if limiter is None or not check.goes_on:
        return
    context = _counted_by(check)
    absent = absent_keys(limiter, context.known())
    fits = fitted(limiter, absent)
    if fits is None and parts.is_dry(check):
        return
    if fits is None:
        needed = needs_of(limiter, absent)
        msg = (
            f"a limit of the {check.flow} flow counts per {needed}, and this message has none: pass "
            f"{needed}=, "
            "or write optional=True in the limit"
        )
        raise ConfigurationError(msg, field=needed)
    if not fits.limits:
        return
    found = yield Call(
        fits, "acquire", check.message, partial=len(check.open) > 1, to=tuple(check.open), context=context
    )
    if isinstance(found, Failure):
        degraded(parts, check, "limits", found)
        return
    check.limited = found
    if not found:
        decision = REJECT if found.retry_after is None else DEFER
        wait = found.retry_after
        about = {"per": found.per, "rule": found.rule}
        check.say(
            "limits",
            "limited",
            str(found),
            decision,
            retry_after=wait,
            degraded=found.degraded,
            parameters=about,
        )
    elif found.refused:
        _left_out(check, found)
    else:
        code = "degraded" if found.degraded else "ok"
        check.say("limits", code, str(found), degraded=found.degraded)


def _counted_by(check: Check) -> Context:
    """Return what limits count by; a person without a login is known by the address that sends."""
    account = check.context.account
    if check.flow is Flow.PROFESSIONAL and account is None:
        account = (check.envelope_sender or check.message.sender.address).lower() or None
    return replace(check.context, flow=check.flow, account=account)


def _left_out(check: Check, decision: Decision) -> None:
    """Leave out the recipients who do not fit, by the limit that each has reached."""
    groups: dict[tuple[str, str, bool], dict[str, float]] = {}
    for recipient, (rule, per, wait) in decision.left_out.items():
        groups.setdefault((rule, per, wait > QUEUE_LIFETIME), {})[recipient] = wait
    for (rule, per, _), waits in groups.items():
        about = {"per": per, "rule": rule}
        said = f"the limit {rule!r} is reached"
        check.refuse(
            "limits",
            "limited",
            said,
            waits,
            retry=max(waits.values()),
            degraded=decision.degraded,
            parameters=about,
        )


def claim(parts: Parts, check: Check) -> Steps:
    """Take a released message for sending, so that it leaves once."""
    if check.released is None or not check.goes_on:
        return
    found = yield Call(parts.held, "claim", check.released.id)
    if isinstance(found, Failure):
        degraded(parts, check, "held", found)
    elif not found:
        check.say("held", "being-sent", "it is already being sent", DEFER, retry_after=SENDING_RETRY)


def hold(parts: Parts, check: Check) -> Steps:
    """Keep a message for manual review; where that fails, its sender keeps it."""
    if check.raw is None or check.decision is not HOLD:
        return
    why = "; ".join(f"{r.part}: {r.sentence}" for r in check.reasons if r.decision is HOLD)
    found = yield Call(
        parts.held,
        "hold",
        check.raw,
        recipients=check.given,
        mail_from=check.envelope_sender,
        sender=check.message.sender.address,
        subject=check.message.subject,
        flow=check.flow,
        why=why,
    )
    if isinstance(found, Failure):
        check.reasons = [r for r in check.reasons if r.decision is not HOLD]
        degraded(parts, check, "held", found)
    else:
        check.held = found.id


PARTS: dict[str, Part] = {
    "message": headers,
    "held": held,
    "classifier": classify,
    "route": route,
    "identity": identity,
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

CLOSING: tuple[Part, ...] = (claim, hold)
"""What is done once all have spoken; not in a dry run."""
