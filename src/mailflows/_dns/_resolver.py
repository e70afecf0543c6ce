"""Conversations and the resolver that holds them, in a thread or in an event loop."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from mailflows._dns._exchange import Exchange, Pace, Packet
from mailflows._dns._sockets import AsyncSockets, Sockets
from mailflows._dns._wire import Answer, Question, Status
from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    from mailflows._clock import Timer

__all__ = ["AnyResolver", "Cache", "Conversation", "Resolver", "one_by_one"]

T = TypeVar("T")

Conversation = Generator[tuple[Question, ...], Mapping[Question, Answer], T]
"""Yields questions, is sent their answers, returns a result."""

PUBLIC_RATE = 100.0
"""Questions a second to a resolver with a public address: others use it too, and public ones have quotas.
Our choice."""


class AnyResolver(Protocol):
    """The interface that `Resolver` and `mailflows.testing.FakeDns` share."""

    def run(
        self, conversations: Iterable[Conversation[T] | None], *, budget: float | None = None
    ) -> Iterator[tuple[int, T]]:
        """Run conversations, and yield each one's number and result as it ends; skip `None`."""

    def arun(
        self, conversations: Iterable[Conversation[T] | None], *, budget: float | None = None
    ) -> AsyncIterator[tuple[int, T]]:
        """Do the same without blocking the event loop."""


class Cache:
    """Answers that may still be used.

    Args:
        size: Maximum answers kept; the least recently used are dropped first.
        timer: Seconds on any scale that only goes forward.
    """

    def __init__(self, *, size: int = 100_000, timer: Timer = time.monotonic) -> None:
        self._size = size
        self._timer = timer
        self._kept: OrderedDict[Question, tuple[float, Answer]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, question: Question) -> Answer | None:
        """Return a cached answer that has not run out."""
        entry = self._kept.get(question)
        if entry is None:
            return None
        if entry[0] <= self._timer():
            self._kept.pop(question, None)
            return None
        return entry[1]

    def put(self, question: Question, answer: Answer) -> None:
        """Keep an answer for its TTL, unless it may not be kept."""
        if not answer.is_final or answer.ttl <= 0:
            return
        self._kept[question] = (self._timer() + answer.ttl, answer)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)


class Resolver:
    """A client for recursive resolvers.

    Args:
        nameservers: IP addresses of resolvers; by default those of the system. If one does not answer, the
            next is tried.
        port: Port of all name servers.
        rate: Maximum queries per second; by default no limit for a resolver with a private address, and 100
            for a public one. In any case the rate drops when answers go missing.
        window: Maximum queries in flight.
        attempts: Attempts for each query.
        cache: Answers kept between calls; `None` for a new one.
        timer: Seconds on any scale that only goes forward.

    Attributes:
        is_system: Whether the system's resolvers are queried.
        rate: Maximum queries per second, or `None`.

    Raises:
        ConfigurationError: If a name server is not an IP address.

    Example:
        >>> from mailflows.recipients import RecipientChecker
        >>> checker = RecipientChecker(resolver=Resolver(["192.0.2.53"], rate=50))  # queries a second
        >>> checker.resolver.rate
        50
    """

    def __init__(  # noqa: PLR0913 -- the settings of a resolver
        self,
        nameservers: Sequence[str] | None = None,
        *,
        port: int | None = None,
        rate: float | None = None,
        window: int = 400,
        attempts: int = 3,
        cache: Cache | None = None,
        timer: Timer = time.monotonic,
    ) -> None:
        self.is_system = not nameservers
        found, system_port = (tuple(nameservers), 53) if nameservers else _system()
        for server in found:
            _check_address(server)
        self.nameservers = tuple((server, port or system_port) for server in found)
        is_public = any(ip_address(server).is_global for server in found)
        self.rate = rate or (PUBLIC_RATE if is_public else None)
        self._window = window
        self._attempts = attempts
        self.cache = Cache(timer=timer) if cache is None else cache
        self._timer = timer

    def run(
        self, conversations: Iterable[Conversation[T] | None], *, budget: float | None = None
    ) -> Iterator[tuple[int, T]]:
        """Run conversations, and yield each one's number and result as it ends.

        Args:
            conversations: The conversations, each started as soon as there is room. `None` means "none just
                now": a source that needs time for its next conversation yields it, so that answers are
                processed meanwhile.
            budget: Maximum number of seconds for all of them; queries still open then time out.
        """
        session = self._session(conversations, budget)
        yield from session.begin()
        with Sockets(self.nameservers) as sockets:
            while not session.is_over:
                for packet in session.packets():
                    sockets.send(packet)
                session.take(sockets.wait(session.patience()))
                yield from session.results()

    async def arun(
        self, conversations: Iterable[Conversation[T] | None], *, budget: float | None = None
    ) -> AsyncIterator[tuple[int, T]]:
        """Do what `run` does without blocking the event loop."""
        session = self._session(conversations, budget)
        for result in session.begin():
            yield result
        async with AsyncSockets(self.nameservers) as sockets:
            while not session.is_over:
                for packet in session.packets():
                    sockets.send(packet)
                session.take(await sockets.wait(session.patience()))
                for result in session.results():
                    yield result

    def ask(self, *questions: Question, budget: float = 5.0) -> dict[Question, Answer]:
        """Send some queries and wait for the answers, at most *budget* seconds.

        Returns:
            An answer to each query.
        """
        return next(result for _, result in self.run([_just_ask(questions)], budget=budget))

    async def aask(self, *questions: Question, budget: float = 5.0) -> dict[Question, Answer]:
        """Do what `ask` does without blocking the event loop."""
        results = [result async for _, result in self.arun([_just_ask(questions)], budget=budget)]
        return results[0]

    def _session(self, conversations: Iterable[Conversation[T] | None], budget: float | None) -> _Session[T]:
        exchange = Exchange(
            Pace(ceiling=self.rate, window=self._window),
            attempts=self._attempts,
            servers=len(self.nameservers),
        )
        return _Session(iter(conversations), exchange, self.cache, self._timer, budget, room=2 * self._window)


def one_by_one(conversation: Conversation[T], answer: Callable[[Question], Answer]) -> T:
    """Run one conversation with answers from a function: for tests and recorded answers."""
    try:
        questions = next(conversation)
        while True:
            questions = conversation.send({question: answer(question) for question in questions})
    except StopIteration as stop:
        result: T = stop.value
        return result


class _Session(Generic[T]):
    """All conversations of one call; moves between them and the exchange, without a socket."""

    def __init__(  # noqa: PLR0913 -- made in one place
        self,
        conversations: Iterator[Conversation[T] | None],
        exchange: Exchange,
        cache: Cache,
        timer: Timer,
        budget: float | None,
        *,
        room: int,
    ) -> None:
        self._conversations: Iterator[Conversation[T] | None] | None = conversations
        self._exchange = exchange
        self._cache = cache
        self._timer = timer
        self._ends_at = None if budget is None else timer() + budget
        self._room = room
        self._open: dict[int, tuple[Conversation[T], dict[Question, Answer], int]] = {}
        self._waiting: dict[Question, list[int]] = {}
        self._ready: deque[int] = deque()
        self._wanted: dict[int, tuple[Question, ...]] = {}
        self._results: list[tuple[int, T]] = []
        self._started = 0
        self._spent = False

    @property
    def is_over(self) -> bool:
        """Whether every conversation has ended and been reported."""
        return self._conversations is None and not self._open and not self._results

    def begin(self) -> list[tuple[int, T]]:
        """Start the first conversations; if the cache answers all, no socket is needed."""
        self._advance()
        return self._take_results()

    def packets(self) -> list[Packet]:
        """Return what may be sent now."""
        now = self._timer()
        self._exchange.expire(now)
        if self._ends_at is not None and now >= self._ends_at and not self._spent:
            self._spent = True
            self._exchange.give_up()
        self._advance()
        return self._exchange.packets(now)

    def patience(self) -> float:
        """Return for how many seconds to wait for something to arrive."""
        has_more = self._conversations is not None and len(self._open) < self._room
        if self._results or self._exchange.is_idle or has_more:
            return 0.0
        now = self._timer()
        moments = [m for m in (self._exchange.wakes_at(now), self._ends_at) if m is not None]
        return max(0.0, min(moments, default=now + 1.0) - now)

    def take(self, arrived: Iterable[tuple[str, int, bytes]]) -> None:
        """Process what the sockets received."""
        now = self._timer()
        for what, ident, wire in arrived:
            if what == "failed":
                self._exchange.failed(ident)
            elif what == "refused":
                self._exchange.refused(ident)
            else:
                self._exchange.receive(wire, now, over_tcp=what == "tcp")
        self._advance()

    def results(self) -> list[tuple[int, T]]:
        """Return what has ended since the last call."""
        return self._take_results()

    def _take_results(self) -> list[tuple[int, T]]:
        ended, self._results = self._results, []
        return ended

    def _advance(self) -> None:
        """Hand answers out, and let conversations go on, until nothing moves."""
        while True:
            for question, answer in self._exchange.done:
                self._cache.put(question, answer)
                self._hand_out(question, answer)
            self._exchange.done.clear()
            while self._ready:
                self._go_on(self._ready.popleft())
            if not self._start_more() and not self._exchange.done and not self._ready:
                return

    def _start_more(self) -> bool:
        started = False
        while self._conversations is not None and len(self._open) < self._room:
            try:
                conversation = next(self._conversations)
            except StopIteration:
                self._conversations = None
                break
            if conversation is None:
                break  # its turn comes again when the sockets have had theirs
            number, self._started = self._started, self._started + 1
            self._open[number] = (conversation, {}, 0)
            self._step(number, None)
            started = True
        return started

    def _hand_out(self, question: Question, answer: Answer) -> None:
        for number in self._waiting.pop(question, ()):
            conversation, answers, missing = self._open[number]
            answers[question] = answer
            self._open[number] = (conversation, answers, missing - 1)
            if missing == 1:
                self._ready.append(number)

    def _go_on(self, number: int) -> None:
        _, answers, _ = self._open[number]
        self._step(number, {question: answers[question] for question in self._wanted[number]})

    def _step(self, number: int, answers: Mapping[Question, Answer] | None) -> None:
        """Let one conversation go on; its next questions go to the cache first."""
        conversation = self._open[number][0]
        try:
            wanted = next(conversation) if answers is None else conversation.send(answers)
        except StopIteration as stop:
            del self._open[number]
            self._wanted.pop(number, None)
            self._results.append((number, stop.value))
            return
        known: dict[Question, Answer] = {}
        missing = 0
        for question in dict.fromkeys(wanted):
            answer = Answer(Status.TIMEOUT) if self._spent else self._cache.get(question)
            if answer is None:
                self._waiting.setdefault(question, []).append(number)
                self._exchange.ask(question)
                missing += 1
            else:
                known[question] = answer
        self._wanted[number] = wanted
        self._open[number] = (conversation, known, missing)
        if not missing:
            self._ready.append(number)


def _just_ask(questions: tuple[Question, ...]) -> Conversation[dict[Question, Answer]]:
    answers = yield questions
    return dict(answers)


def _check_address(server: str) -> None:
    try:
        ip_address(server)
    except ValueError as error:
        msg = f"a name server must be an IP address, not {server!r}"
        raise ConfigurationError(msg, field="nameservers") from error


def _system() -> tuple[tuple[str, ...], int]:
    """Return the resolvers that the system is set to; its own machine where it says none."""
    import dns.resolver  # noqa: PLC0415 -- slow to import

    try:
        found = dns.resolver.Resolver(configure=True)
    except dns.resolver.NoResolverConfiguration:
        return ("127.0.0.1",), 53
    addresses = tuple(
        server for server in found.nameservers if isinstance(server, str) and _is_address(server)
    )
    return addresses or ("127.0.0.1",), found.port


def _is_address(server: str) -> bool:
    try:
        ip_address(server)
    except ValueError:
        return False
    return True
