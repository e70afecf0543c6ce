"""One message on its way through the gate: what is known of it, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mailflows._log import loggable
from mailflows._rates import duration
from mailflows._result import Permission, Reason, number_of, to_text
from mailflows._visitors import visitor_sentence
from mailflows.message import Envelope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mailflows._context import Context
    from mailflows._result import Cell, Table
    from mailflows.classifier import Classification
    from mailflows.flow import Flow
    from mailflows.flows import FlowRoute
    from mailflows.held._held import HeldMessage
    from mailflows.limits import Decision
    from mailflows.message import Message
    from mailflows.templates._memory import Observation

__all__ = [
    "DEFAULT_RETRY",
    "QUEUE_LIFETIME",
    "Check",
    "GateDecision",
    "GateReason",
    "Receipt",
    "RefusedRecipient",
    "TurnedAway",
    "Verdict",
    "in_words",
    "strictest",
]

DEFAULT_RETRY = 300.0
"""Seconds after which a deferred message is tried where no part says better: queue_run_delay of Postfix
(postconf(5), 2026-11-28), the time between two looks at its queue. choice: waiting loses nothing."""

QUEUE_LIFETIME = 4 * 86_400.0
"""Seconds after which deferred mail bounces: a queue gives up after four or five
days (RFC 5321 section 4.5.4.1; maximal_queue_lifetime of Postfix is 5d, Exim's retry rule ends after 4d).
What would have to wait longer is refused at once."""

_TOO_LONG = "longer than a mail queue keeps a message, so it is refused permanently"

_OVERRULED = frozenset({"route", "identity", "guard"})
"""Parts that judge what a person who released the message has judged already."""


class GateDecision(StrEnum):
    """What to do with a message, the mildest first."""

    ACCEPT = "accept"
    """Send it, by the verdict's route, to the accepted recipients."""

    DEFER = "defer"
    """Do not send it yet; the same message may be accepted after ``retry_after``."""

    HOLD = "hold"
    """Keep it for manual review."""

    REJECT = "reject"
    """Do not send it; retrying is pointless."""


_ORDER = {decision: number for number, decision in enumerate(GateDecision)}

_DONE = {
    GateDecision.ACCEPT: "accepted",
    GateDecision.DEFER: "deferred",
    GateDecision.HOLD: "held",
    GateDecision.REJECT: "rejected",
}

_REPLIES = {
    GateDecision.DEFER: (450, "4.7.1 "),
    # What is held stays in the queue of who sent it, too: nothing is lost.
    GateDecision.HOLD: (451, "4.7.1 Held for manual review: "),
    GateDecision.REJECT: (550, "5.7.1 "),
}
"""Reply code (RFC 5321) and status (RFC 3463: 7.1 is a policy against the sender)."""

_ABOUT_FORM = frozenset({"unread-text", "no-normal-form", "unreadable"})


def _failed_check(*, is_final: bool, parts: Iterable[str]) -> tuple[int, str]:
    """Return the reply where our own check failed: a fault of this system (RFC 3463 section 3.4)."""
    code, said = (
        (550, "5.3.0 A check failed to run")
        if is_final
        else (451, "4.3.0 A check failed to run; try again later")
    )
    return code, f"{said} [{', '.join(parts)}]"


def strictest(decisions: Iterable[GateDecision]) -> GateDecision:
    """Return the strictest of several decisions; accept for none."""
    return max(decisions, key=_ORDER.__getitem__, default=GateDecision.ACCEPT)


@dataclass(frozen=True, slots=True)
class GateReason(Reason):
    """The result of one part. Its code is ``ok`` if no issues were found.

    Attributes:
        decision: The decision that it would lead to on its own.
        retry_after: Seconds after which a deferred message is worth retrying; `None` where that is not known.
        degraded: Whether the part failed, so that its policy decided.
    """

    decision: GateDecision = GateDecision.ACCEPT
    retry_after: float | None = None
    degraded: bool = False

    __hash__ = Reason.__hash__

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentence", loggable(self.sentence))


@dataclass(frozen=True, slots=True)
class RefusedRecipient:
    """A recipient that the message must not be sent to, or not yet.

    Attributes:
        address: As it was given. No text of the verdict contains it.
        part: The part that refused it.
        code: Why, as a code.
        sentence: Why, for a reader.
        retry_after: Seconds after which the recipient may be accepted; `None` if retrying is pointless.
        degraded: Whether the part failed, so that its policy decided.
        status: The enhanced status code where retrying is pointless (RFC 3463): 5.1.1 if the address takes no
            mail, which senders remember, or 5.7.1 if it is not to get this mail.
    """

    address: str = field(repr=False)
    part: str
    code: str
    sentence: str
    retry_after: float | None = None
    degraded: bool = False
    status: str = "5.7.1"

    @property
    def reply(self) -> tuple[int, str]:
        """The SMTP reply for this recipient (RFC 3463): 450 if it may be accepted later, else 550.

        If a check failed to run it is 451 with 4.3.0, a fault of this system.
        """
        if self.degraded:
            return _failed_check(is_final=self.retry_after is None, parts=(self.part,))
        if self.retry_after is not None:
            return 450, f"4.7.0 {self.sentence}"
        return 550, f"{self.status} {self.sentence}"


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """What an integration refused before the gate was asked about a message.

    Attributes:
        stage: The SMTP command that was refused: ``MAIL``, ``RCPT`` or ``DATA``.
        code: Reply code.
        text: Reply text.
        relay: The relay that said so; empty where it was the gate.
        part: The part that refused it, for the tally: ``relay`` where the relay did.
        reason: Why, as a code.
    """

    stage: str
    code: int
    text: str
    relay: str = ""
    part: str = "message"
    reason: str = "unreadable"

    @property
    def state(self) -> str:
        """Whether it is refused for good."""
        return "refused" if self.code >= 500 else "deferred"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What `Gate.report` needs to close the loop, and to write the message's line in the log."""

    limited: Decision | None = None
    sender: str | None = None
    account: str | None = None
    message_id: str | None = None
    released: str | None = None
    context: Context | None = None
    mail_from: str = field(default="", repr=False)
    recipients: int = 0
    began: float = 0.0
    turned_away: tuple[TurnedAway, ...] = ()


def in_words(reasons: Iterable[GateReason]) -> str:
    """Return reasons on one line, each sentence once, behind the parts that say it."""
    said: dict[str, list[str]] = {}
    for reason in reasons:
        said.setdefault(reason.sentence, []).append(reason.part)
    return "; ".join(f"{', '.join(dict.fromkeys(parts))}: {sentence}" for sentence, parts in said.items())


@dataclass(frozen=True, slots=True)
class Verdict(Permission):
    r"""Whether a message may be sent, by which route, to whom, and why. True if it may.

    Attributes:
        decision: What to do with the message.
        flow: The flow that it belongs to, or `None` where that could not be determined.
        route: The route that it is sent by, or `None` where there is none.
        retry_after: Seconds after which a deferred message is worth retrying; else `None`.
        accepted: Recipients to send to, as they were given; empty unless the decision is accept.
        refused: Recipients that a part refused, each with its reason.
        reasons: The results of every part, in the order in which they ran.
        classification: The classifier's result, or `None` if it did not run or failed.
        would_be: The decision that would apply without a dry run; otherwise the same as *decision*.
        dry_run: Whether it is a dry run, in which the message is sent as it would be without the gate.
        mail_from: The envelope sender to use, with the flow's return path if it has one.
        headers: Header fields to send it with; each replaces those of the same name.
        held: Its ID in the store for held mail, if it is held and there is a store.

    Example:
        >>> from mailflows import Gate
        >>> from mailflows.flows import FlowRoute, FlowSet
        >>> gate = Gate(FlowSet(FlowRoute("transactional", domains="notify.example.org")))
        >>> verdict = gate.check(
        ...     b"From: noreply@notify.example.org\nTo: ada@example.net\nSubject: Your code\n\n"
        ...     b"Your code to log in is 406117. It expires in ten minutes.\n"
        ... )
        >>> bool(verdict), verdict.accepted
        (True, ('ada@example.net',))
    """

    decision: GateDecision
    flow: Flow | None
    route: FlowRoute | None
    retry_after: float | None
    accepted: tuple[str, ...] = field(repr=False)
    refused: tuple[RefusedRecipient, ...]
    reasons: tuple[GateReason, ...]
    classification: Classification | None = field(repr=False)
    would_be: GateDecision
    dry_run: bool = False
    mail_from: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    held: str | None = None
    receipt: Receipt = field(default=Receipt(), repr=False, compare=False)

    @property
    def allowed(self) -> bool:
        """Whether the message may be sent now."""
        return self.decision is GateDecision.ACCEPT

    @property
    def findings(self) -> tuple[GateReason, ...]:
        """Reasons worth a look that did not stop the message."""
        return tuple(r for r in self.reasons if r.decision is GateDecision.ACCEPT and r.code != "ok")

    @property
    def why(self) -> tuple[GateReason, ...]:
        """The reasons that stopped the message, or would have in normal operation, strictest first."""
        stopping = [r for r in self.reasons if r.decision is not GateDecision.ACCEPT]
        return tuple(sorted(stopping, key=lambda r: -_ORDER[r.decision]))

    @property
    def degraded(self) -> tuple[str, ...]:
        """The parts that failed, so their policy decided."""
        return tuple(dict.fromkeys(r.part for r in self.reasons if r.degraded))

    @property
    def reply(self) -> tuple[int, str] | None:
        """The SMTP reply for the message (RFC 3463); `None` if it may be sent.

        It gives the reasons that decided. A check that failed to run is mentioned only if nothing else
        decided, and then as a fault of this system (4.3.0), never of the sender.
        """
        if self.allowed:
            return None
        replies = {one.reply for one in self.refused}
        if self.decision is GateDecision.REJECT and len(replies) == 1:
            return replies.pop()
        deciding = [r for r in self.why if r.decision is self.decision]
        told = [r for r in deciding if not r.degraded]
        if not told:
            parts = dict.fromkeys(r.part for r in deciding)
            return _failed_check(is_final=self.decision is GateDecision.REJECT, parts=parts)
        code, status = _REPLIES[self.decision]
        if code == 550 and any(r.code in _ABOUT_FORM for r in told):
            status = "5.6.0 "  # RFC 3463 section 3.7: media error
        said = dict.fromkeys(f"{r.sentence} [{r.part}/{r.code}]" for r in told)
        return code, status + "; ".join(said)

    def __str__(self) -> str:
        """Return one line, without an address."""
        why = in_words(self.why or self.findings)
        wait = f" (retry after {self.retry_after:.0f} s)" if self.retry_after is not None else ""
        flow = self.flow or "no flow"
        begin = (
            f"dry run: {flow} would be {_DONE[self.would_be]}" if self.dry_run else f"{self.decision} {flow}"
        )
        return f"{begin}{wait}: {why or 'no issues found'}"

    def for_visitor(self, language: str | None = "en") -> str:
        """Return a sentence for the visitor of a form, without rule, key or count; empty if it may be sent.

        Show it where a limit is the visitor's own (``per`` in a reason's parameters is ``client`` or
        ``account``): for a limit per recipient, show the same page as to everyone.

        Args:
            language: A language tag as browsers send it (``pt-BR``), or the whole Accept-Language field,
                whatever it says. The sentences are in fourteen languages; `None` and any other language get
                English.
        """
        if self.allowed:
            return ""
        limited = [r for r in self.why if r.part == "limits" and not r.degraded and r.retry_after is not None]
        if limited:
            return visitor_sentence("too-many", language, wait=max(r.retry_after or 0.0 for r in limited))
        code = "not-sent" if self.retry_after is None else "later"
        return visitor_sentence(code, language, wait=self.retry_after or 0.0)

    def metrics(self) -> list[tuple[str, int, dict[str, str]]]:
        """Return the increments of counters, for a hook: name, number, labels; see ``docs/operating.md``."""
        flow = str(self.flow or "none")
        decided = {"decision": str(self.decision), "would_be": str(self.would_be)}
        rows = [
            (
                "mailflows_gate_verdicts_total",
                1,
                {"flow": flow, **decided, "dry_run": str(self.dry_run).lower()},
            )
        ]
        rows += [
            (
                "mailflows_gate_reasons_total",
                1,
                {"flow": flow, "part": r.part, "code": r.code, "decision": str(r.decision)},
            )
            for r in (*self.why, *self.findings)
        ]
        away = sum(one.stage == "RCPT" for one in self.receipt.turned_away)
        counts = {"accepted": len(self.accepted), "refused": len(self.refused) + away}
        rows += [
            ("mailflows_gate_recipients_total", number, {"flow": flow, "outcome": outcome})
            for outcome, number in counts.items()
            if number
        ]
        return rows + [("mailflows_gate_degraded_total", 1, {"part": part}) for part in self.degraded]

    def explain(self) -> str:
        """Return the findings of every part as a table for a terminal."""
        return to_text(_HEADER, self._rows())

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data, ready for JSON and for logs: it contains no address."""
        return {
            "decision": str(self.decision),
            "would_be": str(self.would_be),
            "dry_run": self.dry_run,
            "flow": str(self.flow) if self.flow else None,
            "route": self.route.to_dict() if self.route else None,
            "retry_after": self.retry_after,
            "accepted": len(self.accepted),
            "refused": [
                {"part": r.part, "code": r.code, "sentence": r.sentence, "retry_after": r.retry_after}
                for r in self.refused
            ],
            "reasons": [reason.to_dict() for reason in self.reasons],
            "degraded": list(self.degraded),
            "held": self.held,
        }

    def _table(self) -> Table:
        return str(self), _HEADER, self._rows()

    def _rows(self) -> list[list[Cell]]:
        return [[r.part, str(r.decision), r.code, r.sentence] for r in self.reasons]


_HEADER = ("part", "decision", "code", "what it says")


@dataclass(slots=True)
class Check:
    """One message, and what is known of it so far.

    Attributes:
        message: What is to be sent.
        raw: Its bytes, where the caller gave them.
        context: What the caller said besides the message.
        began: When it came, in monotonic seconds.
        turned_away: What an integration had refused of it before.
        declared: The flow that it is declared to be of.
        given: All recipients: those of the envelope, else of To, Cc and Bcc, each once, as they were given.
        open: Those that nobody has refused yet.
        mailboxes: The address that each denotes.
        released: What a person released, where this is that message.
    """

    message: Message
    raw: bytes | None
    context: Context
    began: float = 0.0
    turned_away: tuple[TurnedAway, ...] = ()
    given: tuple[str, ...] = ()
    open: list[str] = field(default_factory=list)
    mailboxes: dict[str, str] = field(default_factory=dict)
    refused: list[RefusedRecipient] = field(default_factory=list)
    reasons: list[GateReason] = field(default_factory=list)
    declared: Flow | None = None
    classification: Classification | None = None
    flow: Flow | None = None
    route: FlowRoute | None = None
    observation: Observation | None = None
    limited: Decision | None = None
    asked_sender: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    mail_from: str = ""
    released: HeldMessage | None = None
    held: str | None = None

    def __post_init__(self) -> None:
        envelope = self.message.envelope or Envelope()
        given = envelope.recipients or tuple(a.address for a in self.message.recipients)
        self.given = tuple(dict.fromkeys(given))
        self.open = list(self.given)
        self.declared = self.context.flow
        self.mail_from = envelope.sender

    @property
    def envelope_sender(self) -> str:
        """The sender of the envelope as it was given; empty for none."""
        return self.message.envelope.sender if self.message.envelope else ""

    @property
    def sender(self) -> str:
        """Who sends: the account, else the address of From, else that of the envelope."""
        if self.context.account is not None:
            return str(self.context.account)
        return self.message.sender.address or self.envelope_sender

    @property
    def goes_on(self) -> bool:
        """Whether nothing has stopped the message so far."""
        return bool(self.open) and self.decision is GateDecision.ACCEPT

    @property
    def decision(self) -> GateDecision:
        """What the parts have come to so far."""
        return strictest(reason.decision for reason in self.reasons)

    def add(self, reason: GateReason) -> None:
        """Note what a part said; a person who released the message has judged it already."""
        if reason.decision is GateDecision.DEFER and _is_too_long(reason.retry_after):
            reason = replace(
                reason, decision=GateDecision.REJECT, sentence=_final(reason.sentence, reason.retry_after)
            )
        is_overruled = reason.decision is GateDecision.HOLD or reason.part in _OVERRULED
        if self.released is not None and is_overruled:
            reason = replace(reason, decision=GateDecision.ACCEPT)
        self.reasons.append(reason)

    def say(  # noqa: PLR0913 -- the fields of a reason
        self,
        part: str,
        code: str,
        sentence: str,
        decision: GateDecision = GateDecision.ACCEPT,
        *,
        retry_after: float | None = None,
        degraded: bool = False,
        parameters: Mapping[str, object] | None = None,
    ) -> None:
        """Note what a part said, in words, and with *parameters* for a program."""
        known = dict(parameters or {})
        self.add(
            GateReason(
                code, sentence, part, known, decision=decision, retry_after=retry_after, degraded=degraded
            )
        )

    def refuse(  # noqa: PLR0913 -- the fields of a refusal
        self,
        part: str,
        code: str,
        sentence: str,
        to: Iterable[str],
        *,
        retry: float | None = None,
        degraded: bool = False,
        status: str = "5.7.1",
        parameters: Mapping[str, object] | None = None,
    ) -> None:
        """Take recipients out, and say how many and why; without any left, the message is stopped."""
        gone = set(to)
        if not gone:
            return
        again = None if _is_too_long(retry) else retry
        clean = GateReason(code, _final(sentence, retry) if _is_too_long(retry) else sentence, part).sentence
        self.refused += [
            RefusedRecipient(a, part, code, clean, again, degraded, status) for a in self.open if a in gone
        ]
        number = sum(a in gone for a in self.open)
        self.open = [a for a in self.open if a not in gone]
        decision = GateDecision.ACCEPT
        if not self.open:
            decision = GateDecision.REJECT
            waits = [r.retry_after for r in self.refused if r.retry_after is not None]
            if waits:
                decision, retry = GateDecision.DEFER, max(waits)
        said = f"{number_of(number, 'recipient')}: {clean}"
        self.say(part, code, said, decision, retry_after=retry, degraded=degraded, parameters=parameters)

    def verdict(self, *, dry_run: bool) -> Verdict:
        """Return what came of it."""
        decision = self.decision
        passes = dry_run or decision is GateDecision.ACCEPT
        accepted = self.given if dry_run else tuple(self.open)
        waits = [r.retry_after for r in self.reasons if r.decision is GateDecision.DEFER]
        is_deferred = decision is GateDecision.DEFER and not passes
        return Verdict(
            decision=GateDecision.ACCEPT if passes else decision,
            flow=self.flow,
            route=self.route,
            retry_after=max(wait or DEFAULT_RETRY for wait in waits) if is_deferred else None,
            accepted=accepted if passes else (),
            refused=tuple(self.refused),
            reasons=tuple(self.reasons),
            classification=self.classification,
            would_be=decision,
            dry_run=dry_run,
            mail_from=self.envelope_sender if dry_run else self.mail_from,
            headers=() if dry_run else tuple(self.headers.items()),
            held=self.held,
            receipt=Receipt(
                self.limited,
                self.sender if self.asked_sender else None,
                self.sender or None,
                self.message.get("message-id").strip(" <>") or None,
                self.released.id if self.released else None,
                self.context,
                self.envelope_sender,
                len(self.given),
                self.began,
                self.turned_away,
            ),
        )


def _is_too_long(wait: float | None) -> bool:
    """Return whether mail would come back to its sender before the wait is over."""
    return wait is not None and wait > QUEUE_LIFETIME


def _final(sentence: str, wait: float | None) -> str:
    """Return a sentence with why there is no other attempt, in place of when to make one."""
    said = sentence.partition(": try again in ")[0].removesuffix(".")
    return f"{said}; the next attempt could be made in {duration(wait or 0.0)}, {_TOO_LONG}"
