"""The outcome of a message for each of its recipients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mailflows._result import Result, printable
from mailflows.errors import MessageError, Refused
from mailflows.feedback._queue_id import queue_id_in
from mailflows.gate._check import DEFAULT_RETRY, GateDecision

if TYPE_CHECKING:
    from mailflows.gate import Verdict

__all__ = ["Delivery", "RecipientOutcome", "RecipientState", "delivery_of", "retry_after"]

HELD_RETRY = 3600.0
"""Seconds after which a held message is tried again. choice: a person looks at it first, and each attempt
costs a check."""


class RecipientState(StrEnum):
    """The outcome for one recipient."""

    ACCEPTED = "accepted"
    """The relay accepted the message for it."""

    REFUSED = "refused"
    """It does not get the message, and retrying is pointless."""

    DEFERRED = "deferred"
    """It has not received the message yet; a retry may succeed."""

    UNKNOWN = "unknown"
    """The whole message was sent, but the relay's reply was lost (RFC 1047): it may have been accepted."""


@dataclass(frozen=True, slots=True)
class RecipientOutcome(Result):
    """The outcome for one recipient.

    Attributes:
        address: As it was given.
        state: Accepted, refused, deferred or unknown.
        by: Who decided: ``relay``, ``gate``, ``message`` (it cannot be sent over SMTP), ``settings`` (of this
            system: no relay, a bad certificate, a source IP address that this host does not have) or
            ``backend``.
        code: SMTP reply code; `None` if there was none.
        text: The text of the reply, with its enhanced status code (RFC 3463).
        retry_after: Seconds after which a deferred message is worth retrying, if known.
        queue_id: The relay's queue ID for the message, if its reply has one.
    """

    address: str = field(repr=False)
    state: RecipientState
    by: str
    code: int | None = None
    text: str = ""
    retry_after: float | None = None
    queue_id: str | None = None

    def __str__(self) -> str:
        said = f"{self.code or ''} {self.text}".strip()
        return printable(f"{self.state} by the {self.by}" + (f": {said}" if said else ""))


@dataclass(frozen=True, slots=True, eq=False)
class Delivery(Mapping[str, tuple[int, Any]]):
    """The outcome of a message for each recipient.

    Like the return value of smtplib, it is a mapping of the recipients who do not get the message, each with
    code and text, so ``if refused:`` works as before. For that reason it is not a `Result`, which has no
    length; its `recipients` are.

    Attributes:
        recipients: All recipients, in the order of the envelope.
        as_text: Whether the texts are `str`, as in aiosmtplib; by default they are bytes.
    """

    recipients: tuple[RecipientOutcome, ...]
    as_text: bool = field(default=False, repr=False)

    def of(self, state: RecipientState | str) -> tuple[str, ...]:
        """Return the addresses with this outcome."""
        wanted = RecipientState(state)
        return tuple(one.address for one in self.recipients if one.state is wanted)

    @property
    def accepted(self) -> tuple[str, ...]:
        """Recipients for whom the relay accepted the message."""
        return self.of(RecipientState.ACCEPTED)

    @property
    def refused(self) -> tuple[str, ...]:
        """Recipients who will not get the message."""
        return self.of(RecipientState.REFUSED)

    @property
    def deferred(self) -> tuple[str, ...]:
        """Recipients for whom the message should be retried."""
        return self.of(RecipientState.DEFERRED)

    @property
    def queue_id(self) -> str | None:
        """The id under which the relay queued the message, where its reply named one."""
        return next((one.queue_id for one in self.recipients if one.queue_id), None)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Recipients for whom the outcome is unknown."""
        return self.of(RecipientState.UNKNOWN)

    def __getitem__(self, address: str) -> tuple[int, Any]:
        for one in self.recipients:
            if one.address == address and one.state is not RecipientState.ACCEPTED:
                text = one.text if self.as_text else one.text.encode("utf-8", "replace")
                return one.code or 451, text
        raise KeyError(address)

    def __iter__(self) -> Iterator[str]:
        return (one.address for one in self.recipients if one.state is not RecipientState.ACCEPTED)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Delivery):
            return self.recipients == other.recipients
        return dict(self) == other if isinstance(other, Mapping) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.recipients)

    def __str__(self) -> str:
        """Return one line, without an address."""
        counted = [(len(self.of(state)), state) for state in RecipientState]
        said = ", ".join(f"{number} {state}" for number, state in counted if number) or "nobody"
        return f"{said}" + "".join(f"; {text}" for text in dict.fromkeys(map(str, self._failed())))

    def _failed(self) -> Iterator[RecipientOutcome]:
        return (one for one in self.recipients if one.state is not RecipientState.ACCEPTED)

    @classmethod
    def build(
        cls,
        verdict: Verdict,
        *,
        refused: Mapping[str, tuple[int, bytes | str]] | None = None,
        failure: RecipientOutcome | None = None,
        reply: tuple[int, bytes | str] | None = None,
        as_text: bool = False,
    ) -> Delivery:
        """Return the outcome for every recipient of a verdict.

        Args:
            verdict: What the gate said.
            refused: What the relay said to those it refused.
            failure: What holds for everybody whom the relay did not answer one by one, where it took
                the message for nobody.
            reply: What the relay said when it took the message.
            as_text: As of a `Delivery`.
        """
        found = dict(refused or {})
        taken = _taken(reply)
        outcomes: list[RecipientOutcome] = []
        if not verdict.dry_run:
            outcomes += [
                _outcome(one.address, "gate", *one.reply, one.retry_after) for one in verdict.refused
            ]
        for address in verdict.accepted:
            if address in found:
                code, text = found[address]
                outcomes.append(_outcome(address, "relay", code, text))
            elif failure is not None:
                outcomes.append(_for(address, failure))
            else:
                outcomes.append(replace(taken, address=address))
        return cls(tuple(outcomes), as_text)

    @classmethod
    def of_unsent(cls, verdict: Verdict) -> Delivery:
        """Return the outcome of a message that another backend failed to send without a reason."""
        failure = RecipientOutcome("", RecipientState.DEFERRED, "backend", 451, "4.3.0 It was not sent")
        return cls.build(verdict, failure=failure)


def _taken(reply: tuple[int, bytes | str] | None) -> RecipientOutcome:
    """Return the outcome for whoever gets the message."""
    code, text = reply or (None, "")
    return RecipientOutcome(
        "", RecipientState.ACCEPTED, "relay", code, _shown(text), queue_id=queue_id_in(text)
    )


def _shown(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def _for(address: str, failure: RecipientOutcome) -> RecipientOutcome:
    return RecipientOutcome(
        address, failure.state, failure.by, failure.code, failure.text, failure.retry_after
    )


def _outcome(
    address: str, by: str, code: int, text: bytes | str, retry_after: float | None = None
) -> RecipientOutcome:
    state = RecipientState.REFUSED if code >= 500 else RecipientState.DEFERRED
    return RecipientOutcome(address, state, by, code, _shown(text), retry_after)


def delivery_of(error: BaseException) -> Delivery | None:
    """Return the outcome for each recipient from an exception of sending; `None` if it carries none.

    Every exception that an integration raises after the gate's check carries one.

    Example:
        >>> delivery_of(OSError("no route to host")) is None  # it was not raised by an integration
        True
    """
    found = getattr(error, "delivery", None)
    return found if isinstance(found, Delivery) else None


def retry_after(outcome: BaseException | Delivery) -> float | None:
    """Return the seconds after which a message is worth trying again; `None` where retrying is pointless.

    For a task queue: ``raise task.retry(countdown=seconds)``. Retry a held message, too: it is sent at the
    first attempt after its release. The same goes for a message with an unknown outcome, which the recipient
    may then get twice.

    Args:
        outcome: An exception raised while sending, or a `Delivery` with recipients that may be deferred.

    >>> retry_after(Delivery((RecipientOutcome("a@x.example", RecipientState.DEFERRED, "relay", 450),)))
    300.0
    """
    if isinstance(outcome, Refused):
        return _retry_of(outcome)
    delivery = outcome if isinstance(outcome, Delivery) else delivery_of(outcome)
    if delivery is None:
        return None if isinstance(outcome, MessageError) else DEFAULT_RETRY
    again = {RecipientState.DEFERRED, RecipientState.UNKNOWN}
    waits = [one.retry_after or DEFAULT_RETRY for one in delivery.recipients if one.state in again]
    return max(waits, default=None)


def _retry_of(refused: Refused) -> float | None:
    if refused.verdict is None or refused.verdict.decision is GateDecision.REJECT:
        return None
    held = refused.verdict.decision is GateDecision.HOLD
    return HELD_RETRY if held else refused.verdict.retry_after or DEFAULT_RETRY
