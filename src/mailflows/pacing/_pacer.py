"""The pacer: sends to each mailbox provider as fast as it accepts mail, and no faster."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from mailflows._provider_names import meant_provider, spellings_of
from mailflows._providers import Provider, ask_for_provider, large_providers, provider_of
from mailflows._rates import parse_rates
from mailflows._result import View
from mailflows._stores import DocumentKeeper, GcraMeter, MemoryStore
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError
from mailflows.feedback import BounceReason, PaceChange, Reply
from mailflows.limits._attempt import Attempt
from mailflows.pacing._checkpoint import Checkpoint
from mailflows.pacing._provider_pace import Pace, boxed, deferred, read_pace, suspended, written
from mailflows.pacing._send_slot import Slot
from mailflows.pacing._stream import Line, arun, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping

    from mailflows._clock import Clock
    from mailflows._dns import AnyResolver
    from mailflows._result import Cell, Table
    from mailflows._stores import Store

__all__ = ["Pacer"]

T = TypeVar("T")

LONGEST = 86_400.0
"""Seconds: longer than any interval between two messages, so that no store forgets a booking early.
Our choice, tried on benchmarks/limits_pacing.py."""

KEPT = 7 * 86_400.0
"""Seconds for which a pace is remembered after the provider last asked for less.
Our choice, tried on benchmarks/limits_pacing.py."""

COHORT = 0.15
FAILING = 0.35
SUSPECTED_FOR = 1800.0
"""Weight of the newest result; the share from which on unexplained deferrals slow a provider down: three
in a row, or nearly half; and for how many seconds after that each one does: the usual time until a retry.
Our choice, tried on benchmarks/limits_pacing.py."""

KNOWN_FOR = 3600.0
MOST_KNOWN = 100_000
"""Seconds for which the provider of a domain is remembered, and for how many domains.
Our choice, tried on benchmarks/limits_pacing.py."""


class Pacer(View):
    """Paces messages, so that each mailbox provider gets mail as fast as it accepts it, and no faster.

    Domains are grouped by the provider that receives their mail. Turns are booked in the store, so that all
    processes share one pace. When a provider throttles, all of them slow down at once, and recover in steps.

    Args:
        store: Where turns, paces and checkpoints are kept: a `MemoryStore` by default, for one process.
        resolver: The resolver for MX records, such as that of a `RecipientChecker`; by default none, and
            domains are grouped by a table of the large providers' domains.
        rates: Your own rates, such as ``{"google": "50/s", "default": "1/s"}``: by a provider's name in
            any common spelling, or by the domain of its mail hosts or mailboxes.
        connections: Concurrent connections, in the same way: ``{"google": 20}``.
        scope: A name that separates senders that share a store, such as the IP address, because a provider
            judges each one separately.
        clock: Returns the current time in Unix seconds.
        sleep: The function that `stream` sleeps with; *asleep* is for the async methods.

    Raises:
        ConfigurationError: If a rate cannot be parsed, a provider is not known, or a number of connections is
            less than 1.

    Example:
        >>> pacer = Pacer(rates={"google": "10/s"})
        >>> [round(pacer.schedule("ada@gmail.com").delay, 1) for _ in range(3)]
        [0.0, 0.1, 0.2]
        >>> pacer.schedule("bob@yahoo.com").delay
        0.0
    """

    def __init__(  # noqa: PLR0913 -- the settings of a pacer
        self,
        store: Store | None = None,
        *,
        resolver: AnyResolver | None = None,
        rates: Mapping[str, str] | None = None,
        connections: Mapping[str, int] | None = None,
        scope: str = "mailflows",
        clock: Clock = time.time,
        sleep: Callable[[float], object] = time.sleep,
        asleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.store: Store = MemoryStore() if store is None else store
        self.scope = scope
        self._keeper = DocumentKeeper(self.store, kind="pace")
        self._resolver = resolver
        self._rates = {_named(name, "rates"): _per_second(rate) for name, rate in (rates or {}).items()}
        self._connections = {_named(name, "connections"): n for name, n in (connections or {}).items()}
        if not all(map(_is_count, self._connections.values())):
            msg = f"connections= must be whole numbers of at least 1; got {self._connections!r:.120}"
            raise ConfigurationError(msg, field="connections")
        self._clock = clock
        self._sleep = sleep
        self._asleep = asleep
        self._known: dict[str, tuple[float, Provider]] = {}
        self._failing: dict[str, float] = {}
        self._suspected: dict[str, float] = {}

    def schedule(self, to: Any, *, within: float = math.inf) -> Slot:
        """Book the next turn for a recipient's provider.

        Args:
            to: An address, or a message, whose first recipient counts.
            within: Seconds that the caller can wait; if the turn would be later, none is booked, and the slot
                is false.

        Returns:
            The turn. Wait for `Slot.delay`, or pass `Slot.not_before` to a queue; then report the outcome.

        Raises:
            StoreError: If the store could not answer.
        """
        return self._book(self._provider(_domain(to)), within)

    async def aschedule(self, to: Any, *, within: float = math.inf) -> Slot:
        """Do what `schedule` does without blocking the event loop."""
        provider = await self._aprovider(_domain(to))
        slot: Slot = await self._away(self._book, provider, within)
        return slot

    def stream(
        self,
        messages: Iterable[T],
        *,
        resume: str | None = None,
        to: Callable[[T], Any] | None = None,
        look_ahead: int = 1000,
    ) -> Iterator[tuple[T, Slot]]:
        """Yield each message when its turn comes, and wait in between.

        A provider that is slow or suspended does not hold up the others, as long as fewer than
        *look_ahead* messages wait for it. Report the outcome to each slot, even if you skipped it: until
        then its connection counts as open, for five minutes at most.

        Args:
            messages: The messages, read lazily, one whenever there is nothing to send.
            resume: Name of this run. With it, a message is done once its slot has an outcome; after a crash,
                pass the same messages in the same order with the same name to continue with those that are
                not done. What a process was sending when it died is yielded again. Each message is claimed
                before it is yielded, so that a second process with the same name shares the work and sends
                nothing twice. Do not drop messages that an earlier start had: skip them when they come
                (`Slot.skipped`).
            to: A function of the item that returns the address or message whose provider counts; by default
                the item itself.
            look_ahead: Maximum number of messages held in memory.

        An item that cannot be parsed is yielded like a message without a recipient. If *messages* itself
        fails, what was read before is yielded first, and then the error is raised.

        Raises:
            ValueError: If *look_ahead* is less than 1.
            StoreError: If the store could not answer.

        Example:
            >>> pacer = Pacer()
            >>> for address, slot in pacer.stream(["ada@gmail.com", "bob@yahoo.com"], resume="news-7"):
            ...     reply = slot.result(250, "2.0.0 Ok")  # what your sender says
            ...     print(address, reply.pace)
            ada@gmail.com None
            bob@yahoo.com None
            >>> list(pacer.stream(["ada@gmail.com", "bob@yahoo.com"], resume="news-7"))
            []
        """
        line: Line[T] = self._line(resume, look_ahead)
        return run(
            line, messages, lambda item: self._provider(_any_domain(to(item) if to else item)), self._sleep
        )

    def astream(
        self,
        messages: Iterable[T] | AsyncIterable[T],
        *,
        resume: str | None = None,
        to: Callable[[T], Any] | None = None,
        look_ahead: int = 1000,
    ) -> AsyncIterator[tuple[T, Slot]]:
        """Do what `stream` does without blocking the event loop."""
        line: Line[T] = self._line(resume, look_ahead)

        async def provider(item: T) -> Provider:
            return await self._aprovider(_any_domain(to(item) if to else item))

        return arun(line, messages, provider, self._asleep, self._away)

    def forget(self, resume: str) -> None:
        """Forget the checkpoint of a run, so that it starts over."""
        Checkpoint.forget(self.store, self._key(f"run\n{resume}"))

    def _line(self, resume: str | None, look_ahead: int) -> Line[Any]:
        if not _is_count(look_ahead):
            msg = f"look_ahead must be a number of messages, at least 1; got {look_ahead!r}"
            raise ValueError(msg)
        checkpoint = (
            None if resume is None else Checkpoint(self.store, self._key(f"run\n{resume}"), clock=self._clock)
        )
        return Line(self._book, self._resumed, self._clock, checkpoint=checkpoint, room=look_ahead)

    def _book(self, provider: Provider, within: float = math.inf) -> Slot:
        """Book a turn at the present pace."""
        now = self._clock()
        pace = self._pace(provider.name)
        meter = self._meter(1.0 / pace.rate(provider.rate, now))
        outcome = self.store.decide([(meter, provider.name, 1)], within=_most(within))
        delay = outcome.wait if outcome.at is not None else math.inf
        is_limited = pace.connections and now < pace.connections_until
        return Slot(
            provider.name,
            delay=delay,
            not_before=now + delay,
            connections=pace.connections if is_limited else provider.connections,
            tell=lambda slot, reply: self._react(provider, slot, reply),
        )

    def _react(self, provider: Provider, slot: Slot, reply: Reply) -> None:
        """Change the pace as a reply asks for, and book the pause for everybody."""
        is_repeated = self._cohort(provider.name, reply)
        if reply.pace not in _CHANGES and not is_repeated:
            return
        now = self._clock()
        before = after = Pace()

        def change(old: bytes | None) -> bytes | None:
            nonlocal before, after
            before = read_pace(old).by(now)
            after = _changed(before, reply, provider, now, slot)
            return old if after == before else written(after)

        self._keeper.update(self._pace_key(provider.name), change, ttl=KEPT)
        pause = after.resumed - max(now, before.resumed)
        if after.resumed > before.resumed and pause > 0.0:
            # Booked like a message that takes long: all later turns are behind it, in every process.
            self.store.decide([(self._meter(pause), provider.name, 1)], within=sys.float_info.max)

    def _cohort(self, name: str, reply: Reply) -> bool:
        """Return whether deferrals that nobody knows repeat, so that they are about the pace.

        Postfix counts failures in a row for a destination, too (its failed cohort limit). What concerns
        a recipient alone, such as a full mailbox or greylisting, is none.
        """
        if reply.reason is None:
            share = self._failing.get(name, 0.0) * (1.0 - COHORT)
        elif _is_unexplained(reply):
            share = self._failing.get(name, 0.0) * (1.0 - COHORT) + COHORT
        else:
            return False
        self._failing[name] = share
        slowed = self._clock() < self._suspected.get(name, -math.inf)
        if reply.reason is None or not (slowed or share >= FAILING):
            return False
        self._suspected[name] = self._clock() + SUSPECTED_FOR
        return True

    def _resumed(self, name: str) -> float:
        """Return the moment before which nothing is sent to a provider."""
        return self._pace(name).resumed

    def _pace(self, name: str) -> Pace:
        return read_pace(self.store.load(self._pace_key(name))).by(self._clock())

    def _pace_key(self, name: str) -> str:
        return f"pace:{self._key(name)}"

    def _key(self, name: str) -> str:
        return self.store.digest(f"{self.scope}\n{name}")

    def _meter(self, interval: float) -> GcraMeter:
        """Return the meter of all turns; its identity stays while the interval changes."""
        return GcraMeter(f"pace|{self.scope}", 1, interval, 1)

    def _provider(self, domain: str) -> Provider:
        if self._resolver is None or not domain:
            return self._own(provider_of(domain))
        found = self._remembered(domain)
        if found is None:
            found = next(p for _, p in self._resolver.run([ask_for_provider(domain)], budget=5.0))
            self._remember(domain, found)
        return self._own(found)

    async def _aprovider(self, domain: str) -> Provider:
        if self._resolver is None or not domain:
            return self._own(provider_of(domain))
        found = self._remembered(domain)
        if found is None:
            async for _, found in self._resolver.arun([ask_for_provider(domain)], budget=5.0):
                self._remember(domain, found)
        return self._own(found or provider_of(domain))

    def _remembered(self, domain: str) -> Provider | None:
        until, provider = self._known.get(domain, (-math.inf, None))
        return provider if self._clock() < until else None

    def _remember(self, domain: str, provider: Provider) -> None:
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[domain] = (self._clock() + KNOWN_FOR, provider)

    def _own(self, provider: Provider) -> Provider:
        """Return a provider with the user's own rates."""
        names = (provider.name,) if provider.is_known else (provider.name, "default")
        rate = next((self._rates[n] for n in names if n in self._rates), provider.rate)
        number = next((self._connections[n] for n in names if n in self._connections), provider.connections)
        return replace(provider, rate=rate, connections=number)

    async def _away(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function that asks the store, outside of the event loop if that can take time."""
        if isinstance(self.store, MemoryStore):
            return function(*arguments)
        return await asyncio.to_thread(function, *arguments)

    def _table(self) -> Table:
        """Return the pace of each large provider that asked to slow down, or has a rate of the user's own."""
        now = self._clock()
        rows: list[list[Cell]] = []
        for known in map(self._own, large_providers()):
            pace = self._pace(known.name)
            if known.name not in self._rates and pace == Pace():
                continue
            pause = pace.resumed - now
            rows.append(
                [
                    known.name,
                    f"{pace.rate(known.rate, now):.3g} a second",
                    f"{known.rate:.3g} a second",
                    known.connections,
                    f"{pause:.0f} s" if pause > 0 else "",
                ]
            )
        header = ["provider", "pace now", "begins with", "connections", "pauses for"]
        return f"Pacer {self.scope!r}: {len(rows)} large providers with their own pace", header, rows

    def __repr__(self) -> str:
        return f"<Pacer '{self.scope}' in {self.store!r}>"


_CHANGES = {PaceChange.THROTTLE, PaceChange.CONCURRENCY, PaceChange.SUSPEND}


def _changed(pace: Pace, reply: Reply, provider: Provider, now: float, slot: Slot) -> Pace:
    """Return the pace after a reply that is about it."""
    if reply.pace is PaceChange.CONCURRENCY and _is_crowded(pace, slot, now):
        number = int(reply.rate) if reply.rate else max(1, slot.connections // 2)
        return replace(pace, connections=number, connections_until=now + (reply.seconds or 600.0))
    if slot.not_before < pace.resumed:
        return pace
    if reply.pace is PaceChange.SUSPEND:
        return suspended(pace, ceiling=provider.rate, now=now, seconds=reply.seconds or 900.0)
    if reply.rate and reply.pace is PaceChange.THROTTLE:
        to = _per_second(reply.rate)
        return boxed(
            pace,
            ceiling=provider.rate,
            now=now,
            sent_at=slot.not_before,
            to=to,
            seconds=reply.seconds or 1800.0,
        )
    return deferred(pace, ceiling=provider.rate, now=now, sent_at=slot.not_before)


def _is_crowded(pace: Pace, slot: Slot, now: float) -> bool:
    """Return whether there are connections to close; with one alone it is the rate that is too high."""
    if slot.open:
        return slot.open > 1
    return not (pace.connections == 1 and now < pace.connections_until)


_UNEXPLAINED = {
    BounceReason.TEMPORARY,
    BounceReason.OTHER,
    BounceReason.CONNECTION,
    BounceReason.RATE,
    BounceReason.PROTOCOL,
}


def _is_unexplained(reply: Reply) -> bool:
    """Return whether a deferral may be about the pace, though it does not say so."""
    return (
        reply.code is not None  # a broken connection is no answer
        and not reply.permanent
        and reply.pace is None
        and (reply.reason in _UNEXPLAINED or reply.code == 421)  # which closes the connection, not a mailbox
    )


def _most(within: float) -> float:
    """Return how long to wait at most, as a store can reckon with it."""
    if math.isnan(within):
        msg = "within must be a number of seconds; got nan"
        raise ValueError(msg)
    return min(max(within, 0.0), sys.float_info.max)


def _is_count(number: object) -> bool:
    return isinstance(number, int) and number >= 1


def _named(name: str, field: str) -> str:
    """Return a provider as our table calls it, by any common spelling; another domain stands for itself.

    Raises:
        ConfigurationError: If it is neither: a rate that nobody has would be ignored in silence.
    """
    known = [provider.name for provider in large_providers()]
    if name == "default":
        return name
    if (found := meant_provider(name, known)) is not None:
        return found
    if "." in name.strip("."):
        return provider_of(name).name
    hint = did_you_mean(name, ("default", *spellings_of(known)), choices=("default", *known))
    msg = f"{field}: {name!r} is not a provider in our table, nor a domain: {hint}"
    raise ConfigurationError(msg, field=field)


def _per_second(rate: str) -> float:
    """Return a rate as messages per second."""
    rates = parse_rates(rate)
    if len(rates) != 1 or rates[0].is_distinct or rates[0].burst is not None:
        msg = f"a pace must be one rate such as '10/s' or '100/min'; got {rate!r}"
        raise ConfigurationError(msg, field="rates")
    return rates[0].limit / rates[0].period


def _any_domain(to: Any) -> str:
    """Return the domain, or an empty text for what cannot be read: that is given out in its turn, too.

    Its sender finds out what is wrong with it, and it holds up nobody else.
    """
    try:
        return _domain(to)
    except ValueError:
        return ""


def _domain(to: Any) -> str:
    """Return the domain of an address, or of the first recipient of a message; empty if there is none."""
    is_line = isinstance(to, str) and "\n" not in to
    if is_line and "@" not in to:
        return ""  # a bad row of a list has its turn, and is refused by whoever sends it: the others go on
    recipients = Attempt(None, {"to": to}).recipients if is_line else Attempt(to, {}).recipients
    return recipients[0].rpartition("@")[2] if recipients else ""
