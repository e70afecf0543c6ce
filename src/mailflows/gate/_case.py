"""The state of one message on its way through the gate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailflows.gate._verdict import (
    GateDecision,
    GateReason,
    Receipt,
    RefusedRecipient,
    Verdict,
    strictest,
)
from mailflows.message import Envelope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mailflows.classifier import Classification
    from mailflows.flow import Flow
    from mailflows.flows import FlowRoute
    from mailflows.limits import Decision
    from mailflows.message import Message
    from mailflows.templates import Observation

__all__ = ["DEFAULT_RETRY", "Case"]

DEFAULT_RETRY = 300.0
"""Seconds after which a deferred message is tried where no part says better: the retry of most relays."""


@dataclass(slots=True)
class Case:
    """One message, and what is known of it so far.

    Attributes:
        message: What is to be sent.
        raw: Its bytes, where the caller gave them.
        keys: Client, form and account, as the caller said them.
        declared: The flow that the caller said.
        given: All recipients: those of the envelope, else of To, Cc and Bcc, each once.
        open: Those that nobody has refused yet.
    """

    message: Message
    raw: bytes | None
    keys: Mapping[str, object]
    declared: Flow | None
    given: tuple[str, ...] = ()
    open: list[str] = field(default_factory=list)
    refused: list[RefusedRecipient] = field(default_factory=list)
    reasons: list[GateReason] = field(default_factory=list)
    classification: Classification | None = None
    flow: Flow | None = None
    route: FlowRoute | None = None
    observation: Observation | None = None
    limited: Decision | None = None
    asked_sender: bool = False

    def __post_init__(self) -> None:
        envelope = self.message.envelope or Envelope()
        given = envelope.recipients or tuple(a.address for a in self.message.recipients)
        self.given = tuple(dict.fromkeys(given))
        self.open = list(self.given)

    @property
    def sender(self) -> str:
        """Who sends: the account, else the address of From, else that of the envelope."""
        account = self.keys.get("account")
        if account is not None:
            return str(account)
        envelope = self.message.envelope or Envelope()
        return self.message.sender.address or envelope.sender

    @property
    def goes_on(self) -> bool:
        """Whether nothing has stopped the message so far."""
        return bool(self.open) and all(r.decision is GateDecision.ACCEPT for r in self.reasons)

    def add(self, reason: GateReason) -> None:
        """Note what a part said."""
        self.reasons.append(reason)

    def say(self, part: str, code: str, sentence: str, decision: GateDecision = GateDecision.ACCEPT) -> None:
        """Note what a part said, in words."""
        self.reasons.append(GateReason(part, code, sentence, decision))

    def refuse(
        self, part: str, code: str, sentence: str, addresses: Iterable[str], *, retry: float | None = None
    ) -> None:
        """Take recipients out, and say how many and why; without any left, the message is stopped."""
        gone = set(addresses)
        if not gone:
            return
        clean = GateReason(part, code, sentence)
        self.refused += [
            RefusedRecipient(a, part, code, clean.sentence, retry) for a in self.open if a in gone
        ]
        number = sum(a in gone for a in self.open)
        self.open = [a for a in self.open if a not in gone]
        decision = GateDecision.ACCEPT
        if not self.open:
            decision = GateDecision.REJECT
            waits = [r.retry_after for r in self.refused if r.retry_after is not None]
            if waits:
                decision, retry = GateDecision.DEFER, max(waits)
        said = f"{number} recipient{'s' * (number != 1)}: {sentence}"
        self.reasons.append(GateReason(part, code, said, decision, retry))

    def verdict(self, *, dry_run: bool) -> Verdict:
        """Return what came of it."""
        decision = strictest(reason.decision for reason in self.reasons)
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
            receipt=Receipt(
                self.limited,
                self.sender if self.asked_sender else None,
                self.sender or None,
                self.message.get("message-id").strip(" <>") or None,
            ),
        )
