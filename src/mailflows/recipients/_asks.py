"""What the check of a whole list needs of the check of one address."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Protocol

from mailflows.recipients._domain import NOT_ASKED

if TYPE_CHECKING:
    from datetime import datetime

    from mailflows._clock import Clock
    from mailflows._dns import AnyResolver
    from mailflows.recipients._domain import DomainFacts
    from mailflows.recipients._judge import Finding, Judge
    from mailflows.recipients._report import RecipientReason, RecipientReport

__all__ = ["Asks", "History"]

History = Collection[str] | Callable[[str], bool]
"""Addresses that are known to bounce: a set, the keys of a mapping, or a function that says so."""


class Asks(Protocol):
    """The settings and the two halves of a check of one address, as `RecipientChecker` has them."""

    clock: Clock
    dns: bool

    @property
    def resolver(self) -> AnyResolver:
        """What asks the DNS."""
        ...

    @property
    def looks_up_addresses(self) -> bool:
        """Whether an address may be known by itself."""
        ...

    @property
    def judge(self) -> Judge:
        """What finds out about addresses offline."""
        ...

    def conclude(
        self,
        finding: Finding,
        facts: DomainFacts,
        *,
        meant: DomainFacts = NOT_ASKED,
        further: tuple[RecipientReason, ...] = (),
        at: datetime | None = None,
    ) -> RecipientReport:
        """Say the verdict when the DNS has been heard."""
        ...
