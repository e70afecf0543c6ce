"""Tools to test code that sends mail: a fixed clock, an in-memory DNS, a store that never refuses."""

from __future__ import annotations

import json
import math
import re
import secrets
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mailflows._clock import to_datetime, to_unix
from mailflows._dns import Answer, Question, Status, one_by_one, zone_records
from mailflows._stores import (
    BucketMeter,
    DistinctMeter,
    GcraMeter,
    MemoryStore,
    Outcome,
    RowStore,
    WindowMeter,
)
from mailflows.errors import StoreError

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence

    from mailflows._dns import Conversation
    from mailflows._stores import Charge, Meter, Store

__all__ = ["AllowAll", "FakeDns", "FixedClock", "store_contract"]

T = TypeVar("T")


class FixedClock:
    """A clock and timer that moves only when you advance it; for every ``clock=`` and ``timer=``.

    Args:
        start: A datetime with a time zone; 1 January 2026 in UTC by default.

    Raises:
        ConfigurationError: If *start* has no time zone.

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
        """Advance the clock; a negative number sets it back."""
        self._now += seconds.total_seconds() if isinstance(seconds, timedelta) else seconds


class AllowAll(MemoryStore):
    """A store whose limits never refuse, to test the code that they guard. Misuse still raises.

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


def store_contract(store: Store, *, again: Callable[[bytes], Store] | None = None) -> None:
    """Check your own store against everything that a store must do.

    Args:
        store: The store to check; it may hold other data, as all keys used here begin with ``contract``.
        again: Opens the same store with the secret that it is given, where *store* was opened with a secret
            of yours: using it must raise a `StoreError`, since no entry would be found. Not tried by default.

    Raises:
        AssertionError: If the store fails a check; the message says which.

    Example:
        >>> from mailflows.limits import MemoryStore
        >>> store_contract(MemoryStore())
    """
    if isinstance(store, RowStore):
        _try_rows(store)
    _try_counters(store)
    _try_documents(store)
    if again is not None:
        _try_another_secret(again(secrets.token_bytes(32)))


def _hold(holds: bool, sentence: str) -> None:  # noqa: FBT001 -- what must hold
    if not holds:
        msg = f"this does not hold for the store: {sentence}"
        raise AssertionError(msg)


def _try_rows(store: RowStore) -> None:
    """Try what a transaction must do: lock, keep what was put, and undo what ended with an error."""
    key = f"contract {secrets.token_hex(8)}"
    seen: list[tuple[bytes, float] | None] = []

    def look() -> None:
        with suppress(StoreError), store.transaction([key]) as rows:  # it may give up waiting
            seen.append(rows.get(key))

    rival = threading.Thread(target=look)
    with store.transaction([key]) as rows:
        rival.start()
        rival.join(0.1)  # choice: one that does not wait for us has long been in by then
        is_alone = not seen
        rows.put(key, b"one\0\xff", math.inf)
    rival.join()
    _hold(is_alone, "transaction() locks a row that is not there yet")
    with suppress(StoreError), store.transaction([key]) as rows:
        _hold(rows.get(key) == (b"one\0\xff", math.inf), "get() returns any bytes, and an endless expiry")
        rows.put(key, b"two", math.inf)
        msg = "the contract's own"
        raise StoreError(msg, store=store.name)
    with store.transaction([key]) as rows:
        found = rows.get(key)
        rows.put(key, None, math.inf)
    _hold(found is not None and found[0] == b"one\0\xff", "transaction() undoes what ends with an error")
    with store.transaction([key]) as rows:
        _hold(rows.get(key) is None, "put() of None removes the row")


def _try_counters(store: Store) -> None:
    """Try what limits need of a store."""
    own = secrets.token_hex(8)
    meters: list[Meter] = [
        WindowMeter(f"contract window {own}", 3, 3600.0),
        BucketMeter(f"contract bucket {own}", 3, 3600.0),
        GcraMeter(f"contract steady {own}", 3, 10800.0, 3),
    ]
    charges: list[Charge] = [(meter, "contract", 1) for meter in meters]
    taken = [store.decide(charges) for _ in range(3)]
    _hold(all(one.at is not None for one in taken), "decide() takes what fits")
    _hold(store.decide(charges).at is None, "decide() refuses what does not fit")
    _hold(store.decide(charges, look=True).wait > 0.0, "decide(look=True) says how long to wait")
    other: list[Charge] = [(meter, "contract other", 1) for meter in meters]
    _hold(store.decide([*charges[:1], *other[1:]]).at is None, "decide() takes all or nothing")
    used = store.decide([(meter, key, 0) for meter, key, _ in other], look=True).readings()
    _hold(all(reading[0] < 0.01 for reading in used), "a refusal changes nothing")
    store.settle(taken[0], keep=False)
    _hold(store.decide(charges, look=True).wait <= 0.0, "settle(keep=False) gives back what was taken")
    leased = store.decide(other, lease=60.0)
    store.settle(leased, keep=True)
    used = store.decide([(meter, key, 0) for meter, key, _ in other], look=True).readings()
    _hold(all(reading[0] > 0.9 for reading in used), "settle(keep=True) keeps what was reserved")
    distinct: Meter = DistinctMeter(f"contract distinct {own}", 2, 3600.0)
    seen = [store.decide([(distinct, "contract", (value,))]).at is not None for value in ("a", "b", "a", "c")]
    _hold(seen == [True, True, True, False], "a value that was seen costs nothing; one too many is refused")
    store.reset([*charges, *other])
    used = store.decide([(meter, key, 0) for meter, key, _ in charges], look=True).readings()
    _hold(all(reading[0] < 0.01 for reading in used), "reset() forgets what was counted")


def _try_documents(store: Store) -> None:
    """Try what senders, suppressions and pacing need of a store."""
    digest = store.digest("contract")
    _hold(len(digest) == 32 and set(digest) <= set("0123456789abcdef"), "digest() is 32 hexadecimal digits")
    _hold(store.digest("contract") == digest != store.digest("another"), "digest() is the same each time")
    key = f"contract:{secrets.token_hex(8)}"
    _hold(store.load(key) is None, "load() of what is not there is None")
    _hold(store.swap(key, None, b"one"), "swap() from None puts a document there")
    _hold(not store.swap(key, None, b"two"), "swap() from None leaves a document that is there")
    _hold(not store.swap(key, b"other", b"two"), "swap() changes nothing that is not as it was seen")
    _hold(store.load(key) == b"one", "load() returns what was put there")
    _hold(dict(store.scan(key)) == {key: b"one"}, "scan() finds documents by the beginning of their key")
    near = (f"{key}_", f"{key}_1", f"{key}x1", f"{key}%1")  # SQL's LIKE takes _ and % for any characters
    _hold(all(store.swap(one, None, b"one") for one in near), "swap() takes any key")
    _hold(
        {one for one, _ in store.scan(f"{key}_")} == set(near[:2]), "scan() takes a prefix as it is written"
    )
    _hold(all(store.swap(one, b"one", None) for one in near), "swap() removes what it put")
    _hold(store.swap(key, b"one", None), "swap() to None removes a document")
    _hold(store.load(key) is None, "what was removed is not there")


def _try_another_secret(stranger: Store) -> None:
    """Try a store that was opened with a secret that does not fit."""
    for ask in (lambda: stranger.digest("contract"), lambda: stranger.load("contract:x")):
        try:
            ask()
        except StoreError:
            continue
        _hold(False, "a store that is opened with another secret is a StoreError")  # noqa: FBT003


class FakeDns:
    """A DNS that answers from memory; use it in place of a resolver.

    Args:
        records: ``{"example.org": {"MX": ["10 mx.example.org"]}, …}``. A name that is not listed does not
            exist, unless it is the parent of one that does. Instead of records, a name may have
            ``"servfail"``, ``"refused"`` or ``"timeout"``.
        default: The answer for all other names: ``nxdomain``, ``servfail``, ``refused`` or ``timeout``.

    Attributes:
        asked: Every query so far, in order.

    Example:
        >>> from mailflows.recipients import RecipientChecker
        >>> dns = FakeDns({"shop.fr": {"MX": ["10 mx.shop.fr"]}, "mx.shop.fr": {"A": ["93.184.216.34"]}})
        >>> RecipientChecker(resolver=dns).check("ada@shop.fr").verdict
        <Deliverability.DELIVERABLE: 'deliverable'>
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

        The file is a list of ``{"query": {"name", "type"}, "answer": [texts]}``; the type ANY stands for a
        name without any records.
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
