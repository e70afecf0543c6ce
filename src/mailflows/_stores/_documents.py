"""Documents in a store, changed by compare-and-swap; a store that failed is left alone for a while."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import random
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, Protocol, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from mailflows._stores import _forks
from mailflows._stores._memory import MemoryStore
from mailflows.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator

    from mailflows._clock import Timer
    from mailflows._stores._store import Documents

__all__ = [
    "Breaker",
    "Change",
    "DocumentKeeper",
    "OnStoreError",
    "Outage",
    "Steps",
    "adrive",
    "asked",
    "awaited",
    "drive",
    "outage_of",
    "twin",
]

OnStoreError: TypeAlias = Literal["allow", "deny", "raise"]
"""What a part does where its document cannot be read: let it pass, refuse, or raise the `StoreError`."""

Change: TypeAlias = "Callable[[bytes | None], bytes | None]"
"""Returns the new content of a document (`None`: delete it) from the current one; it may run again, so it
is pure."""

T = TypeVar("T")

Steps: TypeAlias = Generator[tuple[str, tuple[Any, ...]], Any, T]
"""A conversation with a keeper that returns something."""

# choice: as long as the stores wait themselves
PATIENCE = 2.0
"""Seconds for which a change is tried again while others change the same document: as the stores wait."""


# choice: a restart of a server takes about as long
FIRST_PAUSE = 1.0
"""Seconds for which a store that failed is left alone; twice as long after each further failure."""

# choice: nobody should wait a minute for a server that is up
LONGEST_PAUSE = 30.0
"""Seconds at most: how long a store that is well again is not noticed."""

QUIET = 60.0
"""Seconds without a failure after which an outage is over, though not everything that failed was tried
again. choice: longer than `LONGEST_PAUSE`, in which nobody asks."""

READING = "reading"
"""What every user of a store does alike: where one can read, all can."""

_store_log = logging.getLogger("mailflows.limits")


class Outage:
    """What the log says about an outage of one store, however many parts use it: its beginning and its end.

    A store on a full disk may still be read, and some things in it may be written: what failed must work
    before it is well, or nothing has failed for a minute.
    """

    def __init__(self, *, timer: Timer = time.monotonic) -> None:
        self.is_open = False
        self._timer = timer
        self._lock = threading.Lock()
        self._began = 0.0
        self._last = 0.0
        self._failures = 0
        self._failing: set[str] = set()
        _forks.note(self)

    def _after_fork(self) -> None:
        """Keep what has been logged, in a child process."""

    def failed(self, problem: StoreError, what: str) -> None:
        """Note a failed call; *what* is `READING`, or whose writing it was."""
        with self._lock:
            is_new, self.is_open = not self.is_open, True
            if is_new:
                self._began, self._failures, self._failing = self._timer(), 0, set()
            self._failures += 1
            self._last = self._timer()
            self._failing.add(what)
        problem.is_logged = True
        level = logging.WARNING if is_new else logging.DEBUG
        _store_log.log(
            level,
            "the store is failing: %s; until it works again, each part follows its on_error (logged once)",
            problem,
        )

    def answered(self, name: str, what: str) -> None:
        """Note a call that did not fail."""
        with self._lock:
            self._failing.discard(what)
            is_quiet = self._timer() - self._last >= QUIET
            if not self.is_open or (self._failing and not is_quiet):
                return
            self.is_open = False
            seconds, failures = self._timer() - self._began, self._failures
        _store_log.warning(
            "the store works again: %s, after %.0f s; failed calls: %d", name, seconds, failures
        )


_outages: WeakKeyDictionary[object, Outage] = WeakKeyDictionary()


def outage_of(store: object) -> Outage:
    """Return the outage log of a store: one for all its users."""
    try:
        return _outages.setdefault(store, Outage())
    except TypeError:  # it cannot be a key, or be referred to weakly
        return Outage()


class Breaker:
    """Says whether a store may be asked.

    After a failure nobody asks for a pause; then one caller tries while the others still go without. One
    stall is one failure, however many calls were waiting in it.

    Args:
        name: What the log calls the store.
        outage: What is logged about the store.
        timer: Returns monotonic seconds.
    """

    def __init__(self, name: str, *, outage: Outage | None = None, timer: Timer = time.monotonic) -> None:
        self._name = name
        self._outage = outage or Outage(timer=timer)
        self._timer = timer
        self._lock = threading.Lock()
        self._failures = 0
        self._total = 0
        self._try_at = -math.inf
        _forks.note(self)

    def _after_fork(self) -> None:
        """Keep in a child what is known of the store."""

    @property
    def pause(self) -> float:
        """Seconds from now until the store is tried again."""
        return max(0.0, self._try_at - self._timer())

    def ticket(self) -> int | None:
        """Return what to hand to `failed`, or `None` where the store must be left alone."""
        if not self._failures:
            return self._total
        with self._lock:
            now = self._timer()
            if now < self._try_at:
                return None
            self._try_at = now + self._length()
            return self._total

    def failed(self, ticket: int, problem: StoreError, *, what: str = "") -> None:
        """Note a failure, unless one was noted since the call began: then it is the same one."""
        self._outage.failed(problem, what)
        with self._lock:
            if ticket != self._total:
                return
            self._total += 1
            self._failures += 1
            length = self._length()
            self._try_at = self._timer() + length
        _store_log.debug("%s: the next attempt is in %.0f s", self._name, length)

    def busy(self, problem: StoreError, *, what: str = "") -> None:
        """Record a call that the store was too busy for: it is logged, and calls continue."""
        self._outage.failed(problem, what)

    def answered(self, *, what: str = "") -> None:
        """Note that the store is well."""
        if self._failures:
            with self._lock:
                self._failures = 0
        if self._outage.is_open:
            self._outage.answered(self._name, what)

    def _length(self) -> float:
        return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(max(0, self._failures - 1), 10)))


class DocumentKeeper:
    """Keeps the documents of one part in a store.

    Args:
        store: Where they are.
        kind: The first word of their keys, such as ``sender``.
        on_error: What the part's verdicts say while the store is down; see `instead`.
        hooks: Functions that `tell` calls, for alerts and metrics; what they raise is only logged.
        ttl: Seconds after which a document goes unless it is written again; `None` for never.
        timer: Returns monotonic seconds, for the pauses of a store that is down.
        words: The values of *on_error* that the part offers.

    Raises:
        ConfigurationError: If *on_error* is not one of *words*.

    Example:
        >>> from mailflows.limits import MemoryStore
        >>> keeper = DocumentKeeper(MemoryStore(), kind="sender")
        >>> key = keeper.key("ada@example.org")
        >>> keeper.update(key, lambda old: (old or b"") + b"+")
        b'+'
        >>> keeper.load(key)
        b'+'
    """

    def __init__(  # noqa: PLR0913 -- what every part of the library says about its documents
        self,
        store: Documents,
        *,
        kind: str,
        on_error: OnStoreError = "raise",
        hooks: Iterable[Callable[..., object]] = (),
        ttl: float | None = None,
        timer: Timer = time.monotonic,
        words: tuple[str, ...] = ("allow", "deny", "raise"),
    ) -> None:
        if on_error not in words:
            msg = f"on_error= must be {' or '.join(map(repr, words))}; got {on_error!r}"
            raise ConfigurationError(msg, field="on_error")
        self.store = store
        self.kind = kind
        self.on_error: OnStoreError = on_error
        self.hooks = tuple(hooks)
        self.ttl = ttl
        self._timer = timer
        self._breaker = Breaker(getattr(store, "name", kind), outage=outage_of(store), timer=timer)
        self._log = logging.getLogger(f"mailflows.{kind}")

    def digest(self, text: str) -> str:
        """Return the keyed hash of a text; see `Documents.digest`."""
        try:  # several for each message: a context manager takes as long as the hash
            return self.store.digest(text)
        except StoreError as problem:
            outage_of(self.store).failed(problem, READING)
            raise

    async def adigest(self, text: str) -> str:
        """Do what `digest` does without blocking the event loop."""
        with self._told():
            return await awaited(self.store, "digest", text)  # type: ignore[no-any-return]

    def key(self, *names: str) -> str:
        """Return the key of a document: its kind, and a keyed hash of what it belongs to."""
        return f"{self.kind}:{self.digest(chr(10).join(names))}" if names else self.kind

    async def akey(self, *names: str) -> str:
        """Do what `key` does without blocking the event loop."""
        if not names:
            return self.kind
        return f"{self.kind}:{await self.adigest(chr(10).join(names))}"

    def load(self, key: str) -> bytes | None:
        """Return a document, or `None` where there is none.

        Raises:
            StoreError: If the store could not answer; at once, while it is left alone after a failure.
        """
        return self._ask("load", key)  # type: ignore[no-any-return]

    async def aload(self, key: str) -> bytes | None:
        """Do what `load` does without blocking the event loop."""
        return await self._aask("load", key)  # type: ignore[no-any-return]

    def update(self, key: str, change: Change, ttl: float | None = None) -> bytes | None:
        """Change a document by a pure function of what it was, and return what it is now.

        Args:
            key: The document; see `key`.
            change: What to make of it. It runs again if another process was faster.
            ttl: Seconds after which it goes by itself; that of the keeper by default.

        Raises:
            StoreError: If the store could not answer; ``is_busy`` where others were always faster.
        """
        steps = self._updating(key, change, ttl)
        verb, arguments, how = next(steps)
        while True:
            try:
                answer = self._ask(verb, *arguments, **how)
                verb, arguments, how = steps.send(answer)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]

    async def aupdate(self, key: str, change: Change, ttl: float | None = None) -> bytes | None:
        """Do what `update` does without blocking the event loop."""
        steps = self._updating(key, change, ttl)
        verb, arguments, how = next(steps)
        while True:
            try:
                answer = await self._aask(verb, *arguments, **how)
                verb, arguments, how = steps.send(answer)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]

    def remove(self, key: str) -> None:
        """Remove a document.

        Raises:
            StoreError: If the store could not answer.
        """
        self.update(key, _nothing)

    async def aremove(self, key: str) -> None:
        """Do what `remove` does without blocking the event loop."""
        await self.aupdate(key, _nothing)

    def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None) -> bool:
        """Change a document if it still is what it was, and return whether it was; it lasts by default.

        Raises:
            StoreError: If the store could not answer.
        """
        return self._ask("swap", key, old, new, ttl=ttl)  # type: ignore[no-any-return]

    async def aswap(self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None) -> bool:
        """Do what `swap` does without blocking the event loop."""
        return await self._aask("swap", key, old, new, ttl=ttl)  # type: ignore[no-any-return]

    def collect(self, prefix: str = "") -> list[tuple[str, bytes]]:
        """Return what `scan` yields.

        Raises:
            StoreError: If the store could not answer.
        """
        return list(self.scan(prefix))

    async def acollect(self, prefix: str = "") -> list[tuple[str, bytes]]:
        """Do what `collect` does without blocking the event loop."""
        return [found async for found in self.ascan(prefix)]

    def scan(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """Yield every document of this kind, or those whose key goes on with *prefix*, in no order.

        Raises:
            StoreError: If the store could not answer.
        """
        with self._told():
            yield from self.store.scan(f"{self.kind}:{prefix}")

    async def ascan(self, prefix: str = "") -> AsyncIterator[tuple[str, bytes]]:
        """Do what `scan` does without blocking the event loop."""
        twin = getattr(self.store, "ascan", None)
        if twin is not None:
            with self._told():
                async for found in twin(f"{self.kind}:{prefix}"):
                    yield found
        else:
            for found in await asyncio.to_thread(list, self.scan(prefix)):
                yield found

    def instead(self, problem: StoreError) -> bool:
        """Return what the policy says where a document could not be read.

        Raises:
            StoreError: The problem itself, where the policy is ``raise``.
        """
        if self.on_error == "raise":
            raise problem
        level = logging.WARNING if problem.is_busy else logging.DEBUG  # an outage is logged once, by `Outage`
        self._log.log(level, "%s; on_error is %r", problem, self.on_error)
        return self.on_error == "allow"

    def tell(self, *facts: object) -> None:
        """Call the hooks; a broken one must not stop mail."""
        for hook in self.hooks:
            try:
                hook(*facts)
            except Exception:  # noqa: BLE001 -- of whatever kind
                self._log.exception("a hook failed")

    def _updating(
        self, key: str, change: Change, ttl: float | None
    ) -> Generator[tuple[str, tuple[Any, ...], dict[str, Any]], Any, bytes | None]:
        """Yield what to ask the store, so that one text serves both drivers."""
        life = self.ttl if ttl is None else ttl
        deadline = self._timer() + PATIENCE
        while True:
            old = yield "load", (key,), {}
            new = change(old)
            if new == old or (yield "swap", (key, old, new), {"ttl": life}):
                return new
            if self._timer() > deadline:
                msg = (
                    f"{self._name}: busy; other processes kept changing the same document for {PATIENCE:g} s"
                )
                problem = StoreError(msg, store=self._name, is_busy=True)
                self._breaker.busy(problem, what=self.kind)
                raise problem
            yield "sleep", (0.002 * random.random(),), {}  # noqa: S311 -- no secret

    @property
    def _name(self) -> str:
        return getattr(self.store, "name", self.kind)

    def _ask(self, verb: str, *arguments: Any, **how: Any) -> Any:
        if verb == "sleep":
            time.sleep(*arguments)
            return None
        ticket = self._ticket()
        try:
            answer = getattr(self.store, verb)(*arguments, **how)
        except StoreError as problem:
            self._note(ticket, problem, verb)
            raise
        self._breaker.answered(what=self._what(verb))
        return answer

    async def _aask(self, verb: str, *arguments: Any, **how: Any) -> Any:
        if verb == "sleep":
            await asyncio.sleep(*arguments)
            return None
        ticket = self._ticket()
        try:
            answer = await awaited(self.store, verb, *arguments, **how)
        except StoreError as problem:
            self._note(ticket, problem, verb)
            raise
        self._breaker.answered(what=self._what(verb))
        return answer

    def _what(self, verb: str) -> str:
        return self.kind if verb == "swap" else READING

    def _ticket(self) -> int:
        """Return the breaker's ticket; where there is no policy, the store is always asked."""
        ticket = self._breaker.ticket()
        if ticket is not None:
            return ticket
        if self.on_error == "raise":
            return -1
        msg = f"{self._name}: it failed, and will not be retried for {self._breaker.pause:.0f} s"
        problem = StoreError(msg, store=self._name)
        problem.is_logged = True
        raise problem

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Note in the log a failure of what the breaker does not see, such as another secret."""
        try:
            yield
        except StoreError as problem:
            outage_of(self.store).failed(problem, READING)
            raise

    def _note(self, ticket: int, problem: StoreError, verb: str) -> None:
        if problem.is_busy:
            self._breaker.busy(problem, what=self._what(verb))
        else:
            self._breaker.failed(ticket, problem, what=self._what(verb))


def drive(steps: Steps[T], keeper: DocumentKeeper) -> T:
    """Run a conversation with a keeper: each step is one of its verbs with the arguments.

    A `StoreError` is raised at the step that asked, so that a part's policy can stand there.
    """
    send = steps.send
    try:
        verb, arguments = send(None)
        while True:
            try:
                answer = getattr(keeper, verb)(*arguments)
            except StoreError as problem:
                verb, arguments = steps.throw(problem)
            else:
                verb, arguments = send(answer)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


async def adrive(steps: Steps[T], keeper: DocumentKeeper) -> T:
    """Run the same conversation without blocking the event loop."""
    try:
        verb, arguments = steps.send(None)
        while True:
            try:
                answer = await getattr(keeper, f"a{verb}")(*arguments)
            except StoreError as problem:
                verb, arguments = steps.throw(problem)
            else:
                verb, arguments = steps.send(answer)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


class _Keeping(Protocol):
    """What has a keeper of documents."""

    _keeper: DocumentKeeper


_Self = TypeVar("_Self", bound=_Keeping)
_P = ParamSpec("_P")
_R = TypeVar("_R")


def asked(steps: Callable[Concatenate[_Self, _P], Steps[_R]]) -> Callable[Concatenate[_Self, _P], _R]:
    """Make a method of steps: it asks the keeper of its object, and returns what the steps return."""

    @wraps(steps)
    def ask(self: _Self, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return drive(steps(self, *args, **kwargs), self._keeper)

    _name(ask, steps, steps.__name__)
    return ask


def twin(
    method: Callable[Concatenate[_Self, _P], _R],
) -> Callable[Concatenate[_Self, _P], Coroutine[Any, Any, _R]]:
    """Return the async twin of a method that `asked` made, with the same parameters."""
    steps: Callable[Concatenate[_Self, _P], Steps[_R]] = method.__wrapped__  # type: ignore[attr-defined]

    @wraps(steps)
    async def ask(self: _Self, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return await adrive(steps(self, *args, **kwargs), self._keeper)

    _name(ask, steps, f"a{steps.__name__}")
    ask.__doc__ = f"Do what `{steps.__name__}` does without blocking the event loop."
    return ask


def _name(ask: Any, steps: Callable[..., object], name: str) -> None:
    """Let a function be shown as a method that returns what its steps return."""
    ask.__name__ = name
    ask.__qualname__ = f"{steps.__qualname__.rpartition('.')[0]}.{name}"
    shown = inspect.signature(steps)
    returned = str(shown.return_annotation).removeprefix("Steps[").removesuffix("]")
    ask.__signature__ = shown.replace(return_annotation=returned)


def _nothing(_: bytes | None) -> None:
    """Leave no document."""


async def awaited(store: Documents, verb: str, *arguments: Any, **how: Any) -> Any:
    """Ask a store from an event loop: by its own async twin, at once in memory, else in a thread."""
    twin = getattr(store, f"a{verb}", None)
    if twin is not None:
        return await twin(*arguments, **how)
    if isinstance(store, MemoryStore):
        return getattr(store, verb)(*arguments, **how)
    return await asyncio.to_thread(getattr(store, verb), *arguments, **how)
