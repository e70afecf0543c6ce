"""Erasing a person: all that any part knows about an address is deleted in one call."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from mailflows._mail.address import mailbox_of
from mailflows._result import Result, number_of
from mailflows.gate._calls import Call, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows.gate._calls import Steps
    from mailflows.gate._parts import Parts

__all__ = ["Forgotten", "forgetting"]


@dataclass(frozen=True, slots=True)
class Forgotten(Result):
    """The data about one person that a gate has erased.

    Attributes:
        limits: Counters that were reset, including those at zero.
        senders: Records of a sender.
        suppressions: Entries that were erased, or stripped to their keyed hash.
        reputation: Records of the person as sender or account.
        templates: Templates that were learned from what the person sent.
        held: Messages from or to the person.
    """

    limits: int = 0
    senders: int = 0
    suppressions: int = 0
    reputation: int = 0
    templates: int = 0
    held: int = 0

    def __str__(self) -> str:
        """Return one line, such as "erased: 4 limits, 1 sender"."""
        said = [
            number_of(number, one.name.removesuffix("s"), one.name)
            for one in fields(self)
            if (number := getattr(self, one.name))
        ]
        return f"erased: {', '.join(said) or 'nothing'}"


def forgetting(parts: Parts, address: str, erased: dict[str, int]) -> Steps:
    """Have every part forget an address, and count what that was.

    Every part is asked, whichever fails: the first problem is raised at the end.
    """
    problem: BaseException | None = None
    for name, call in _calls(parts, address):
        found = yield call
        if isinstance(found, Failure):
            problem = problem or found.problem
        else:
            erased[name] = erased.get(name, 0) + found
    if problem is not None:
        raise problem


def _calls(parts: Parts, address: str) -> Iterator[tuple[str, Call]]:
    mailbox = mailbox_of(address) or address
    if "@" in address:
        for limiter in {id(one): one for one in parts.limiters.values()}.values():
            yield "limits", Call(limiter, "forget", mailbox)
        if parts.suppressions is not None:
            yield "suppressions", Call(parts.suppressions, "forget", mailbox)
        if parts.held is not None:
            yield "held", Call(parts.held, "forget", mailbox)
    if parts.senders is not None:
        yield "senders", Call(parts.senders, "forget", mailbox)
    if parts.reputation is not None:
        yield "reputation", Call(parts.reputation, "forget", mailbox)
    if parts.templates is not None:
        yield "templates", Call(parts.templates, "forget", mailbox)
