"""What users need to test a sender: a still clock, a DNS in memory, a store that never refuses."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mailflows._clock import to_datetime, to_unix
from mailflows._dns import Answer, Question, Status, one_by_one, zone_records
from mailflows._stores import MemoryStore, Outcome

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from mailflows._dns import Conversation
    from mailflows._stores import Charge

__all__ = ["AllowAll", "FakeDns", "FixedClock"]

T = TypeVar("T")


class FixedClock:
    """A clock and a timer that move only when they are told to; it fits every ``clock=`` and ``timer=``.

    Args:
        start: An aware moment; 1 January 2026 in UTC by default.

    Example:
        >>> clock = FixedClock()
        >>> clock.advance(90)
        >>> clock(), clock.now.isoformat()
        (1767225690.0, '2026-01-01T00:01:30+00:00')
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = to_unix(start, name="start")

    def __call__(self) -> float:
        """Return the present moment in Unix seconds."""
        return self._now

    @property
    def now(self) -> datetime:
        """The present moment, in UTC."""
        return to_datetime(self._now)

    def advance(self, seconds: float | timedelta) -> None:
        """Let time pass; a negative number sets the clock back."""
        self._now += seconds.total_seconds() if isinstance(seconds, timedelta) else seconds


class AllowAll(MemoryStore):
    """A store whose limits never refuse, for tests of what lies behind them. Mistakes are still errors.

    Example:
        >>> from mailflows.limits import Limit, Limiter
        >>> limiter = Limiter(Limit("1/day", per="account"), store=AllowAll())
        >>> all(limiter.acquire(account="ada") for _ in range(100))
        True
    """

    def decide(
        self,
        charges: Sequence[Charge],
        *,
        within: float = 0.0,  # noqa: ARG002 -- as a store
        lease: float | None = None,
        look: bool = False,
    ) -> Outcome:
        """Agree to everything, and count nothing."""
        return Outcome(charges, 0.0, 0.0, [None] * len(charges), None if look else 0.0, lease)

    def settle(self, outcome: Outcome, *, keep: bool) -> None:
        """Do nothing: nothing was counted."""

    def reset(self, charges: Sequence[Charge]) -> None:
        """Do nothing: nothing was counted."""


class FakeDns:
    """A DNS that answers from memory; it stands in for a resolver wherever one is taken.

    Args:
        records: ``{"example.org": {"MX": ["10 mx.example.org"]}, …}``. A name that is not there does not
            exist, unless it lies above one that does; instead of records a name may have one of the words
            ``"servfail"``, ``"refused"`` and ``"timeout"``.
        default: What names that are not there get: ``nxdomain``, ``servfail``, ``refused`` or ``timeout``.

    Attributes:
        asked: Every question so far, in order.

    Example:
        >>> from mailflows.recipients import RecipientChecker
        >>> dns = FakeDns({"shop.fr": {"MX": ["10 mx.shop.fr"]}, "mx.shop.fr": {"A": ["93.184.216.34"]}})
        >>> RecipientChecker(resolver=dns).check("ada@shop.fr").verdict
        <Verdict.DELIVERABLE: 'deliverable'>
    """

    def __init__(
        self,
        records: Mapping[str, Mapping[str, Iterable[str]] | str] | None = None,
        *,
        default: str = "nxdomain",
    ) -> None:
        self._records: dict[str, dict[str, tuple[str, ...]] | Status] = {
            name.rstrip(".").lower(): Status(kinds)
            if isinstance(kinds, str)
            else {kind: tuple(texts) for kind, texts in kinds.items()}
            for name, kinds in (records or {}).items()
        }
        self._default = Status(default)
        self.asked: list[Question] = []

    @classmethod
    def from_recording(cls, path: str | os.PathLike[str]) -> FakeDns:
        """Read answers that were recorded as JSON.

        The file is a list of ``{"query": {"name", "type"}, "answer": [texts]}``; a type of ANY means that
        the name has no records at all.
        """
        records: dict[str, Any] = {}
        for entry in json.loads(Path(path).read_text("utf-8")):
            query = entry["query"]
            kinds = records.setdefault(query["name"], {})
            if query["type"] != "ANY":
                kinds[query["type"]] = [text.removesuffix(".") for text in entry["answer"]]
        return cls(records)

    @classmethod
    def from_zone(cls, text: str, *, servfail: str = "servfail-") -> FakeDns:
        """Read a zone file; names beginning with *servfail* answer SERVFAIL."""
        records: dict[str, Any] = {
            name: "servfail" if name.startswith(servfail) else kinds
            for name, kinds in zone_records(text).items()
        }
        return cls(records)

    def answer(self, question: Question) -> Answer:
        """Answer one question."""
        self.asked.append(question)
        name, kind = question.name, question.kind
        for _ in range(16):  # CNAMEs
            kinds = self._records.get(name)
            if kinds is None:
                below = any(known.endswith(f".{name}") for known in self._records)
                return Answer(Status.NODATA if below else self._default, (), 60.0)
            if isinstance(kinds, Status):
                return Answer(kinds)
            if kinds.get(kind):
                return Answer(Status.OK, tuple(_as_answered(text, kind) for text in kinds[kind]), 300.0)
            if "CNAME" not in kinds:
                return Answer(Status.NODATA, (), 60.0)
            name = kinds["CNAME"][0].removesuffix(".").lower()
        return Answer(Status.SERVFAIL)

    def run(
        self,
        conversations: Iterable[Conversation[T] | None],
        *,
        budget: float | None = None,  # noqa: ARG002 -- as a resolver
    ) -> Iterator[tuple[int, T]]:
        """Hold conversations one after another."""
        for number, conversation in enumerate(c for c in conversations if c is not None):
            yield number, one_by_one(conversation, self.answer)

    async def arun(
        self, conversations: Iterable[Conversation[T] | None], *, budget: float | None = None
    ) -> AsyncIterator[tuple[int, T]]:
        """Do the same for an event loop."""
        for result in self.run(conversations, budget=budget):
            yield result


def _as_answered(text: str, kind: str) -> str:
    """Return a record as a resolver gives it: names in lower case, the strings of a TXT joined."""
    if kind != "TXT":
        return text.removesuffix(".").lower()
    if not text.startswith('"'):
        return text
    # As a zone file has it: "v=DKIM1; p=MII" "BIjAN…"
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text)).replace('\\"', '"').replace("\\;", ";")
