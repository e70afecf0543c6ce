"""How the gate calls its parts: each part is a generator of calls, and two short loops make them."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from mailflows._log import loggable
from mailflows.errors import ConfigurationError, MailflowsError, StoreError

if TYPE_CHECKING:
    from mailflows.gate._outages import Outages

__all__ = ["Call", "Failure", "Steps", "arun", "in_thread", "run"]


class Call:
    """A call that a part wants made: of an object's method, which may have an async twin, or a function.

    Args:
        target: The object.
        name: Its method.
        args: What it is given.
        within: Seconds after which it is given up; it is then called in a thread of its own.
        is_pure: Whether it only computes.
        keywords: What it is given by name.
    """

    __slots__ = ("args", "is_pure", "keywords", "name", "target", "within")

    def __init__(
        self,
        target: Any,  # noqa: ANN401 -- any part
        name: str,
        *args: object,
        within: float | None = None,
        is_pure: bool = False,
        **keywords: object,
    ) -> None:
        self.target = target
        self.name = name
        self.args = args
        self.within = within
        self.is_pure = is_pure
        self.keywords = keywords

    @property
    def label(self) -> str:
        """What is called, for the log."""
        return f"{getattr(self.target, 'name', type(self.target).__name__)}.{self.name}"

    def make(self) -> object:
        """Make it, in this thread."""
        return getattr(self.target, self.name)(*self.args, **self.keywords)


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that raised, or took too long."""

    problem: BaseException

    @property
    def is_logged(self) -> bool:
        """Whether it belongs to the outage of a store that the log has: one line for all parts."""
        return isinstance(self.problem, StoreError) and self.problem.is_logged

    @property
    def sentence(self) -> str:
        """What happened, for whoever reads the verdict: in words, without the name of an exception."""
        if isinstance(self.problem, StoreError):
            return "the store is busy" if self.problem.is_busy else "the store did not answer"
        if isinstance(self.problem, TimeoutError):
            return loggable(str(self.problem)) or "no answer in time"
        is_ours = isinstance(self.problem, MailflowsError | ValueError)
        return loggable(str(self.problem)) if is_ours else "an unexpected error"

    def __str__(self) -> str:
        """Return the kind of the error and, of our own errors, the text without what a log must not hold."""
        kind = type(self.problem)
        is_ours = kind.__module__.startswith("mailflows") or kind in {ValueError, TimeoutError}
        return loggable(f"{kind.__name__}: {self.problem}") if is_ours else kind.__name__


Steps: TypeAlias = Generator[Call, Any, None]


def run(steps: Steps, outages: Outages, *, is_done: bool = False) -> None:
    """Make the calls of a part, one after the other.

    Args:
        steps: The part.
        outages: Notified of failures, and of their end.
        is_done: Whether the message has been sent: then misuse is a `Failure`, too.
    """
    answer: object = None
    while True:
        try:
            call = steps.send(answer)
        except StopIteration:
            return
        answer = _noted(call, _made(call, is_done=is_done), outages)


def _noted(call: Call, answer: object, outages: Outages) -> object:
    """Return the answer to a call; the log has the beginning and the end of an outage."""
    if isinstance(answer, Failure):
        if not answer.is_logged:
            outages.failed(call.label, answer)
    elif outages.any and not getattr(answer, "degraded", False):  # then the policy has answered
        outages.answered(call.label)
    return answer


def _made(call: Call, *, is_done: bool) -> object:
    try:
        answer = call.make() if call.within is None else in_thread(call.make).result(call.within)
    except ConfigurationError as problem:
        if not is_done:
            raise  # misuse, not a fault
        return Failure(problem)
    except FutureTimeoutError:
        return _too_slow(call)
    except Exception as problem:  # noqa: BLE001 -- whatever a part raises is said in the verdict
        return Failure(problem)
    if inspect.iscoroutine(answer):
        answer.close()
        return Failure(ValueError("it is a coroutine function: use acheck()"))
    return answer


async def arun(steps: Steps, outages: Outages, *, is_small: bool = False, is_done: bool = False) -> None:
    """Do the same in an event loop: by an async twin, else in a thread.

    Args:
        steps: The part.
        outages: Notified of failures, and of their end.
        is_small: Whether what only computes may run in the loop.
        is_done: Whether the message has been sent: then misuse is a `Failure`, too.
    """
    answer: object = None
    while True:
        try:
            call = steps.send(answer)
        except StopIteration:
            return
        answer = _noted(call, await _awaited(call, is_small=is_small, is_done=is_done), outages)


async def _awaited(call: Call, *, is_small: bool, is_done: bool) -> object:
    try:
        return await _answer(call, is_small=is_small)
    except ConfigurationError as problem:
        if not is_done:
            raise
        return Failure(problem)
    except TimeoutError as problem:
        return _too_slow(call) if call.within is not None else Failure(problem)
    except Exception as problem:  # noqa: BLE001 -- whatever a part raises is said in the verdict
        return Failure(problem)


async def _answer(call: Call, *, is_small: bool) -> object:
    method = getattr(call.target, f"a{call.name}", None) or getattr(call.target, call.name)
    if inspect.iscoroutinefunction(method) or inspect.iscoroutinefunction(call.target):
        return await asyncio.wait_for(method(*call.args, **call.keywords), call.within)
    if call.is_pure and is_small:
        return call.make()
    if call.within is not None:
        return await asyncio.wait_for(asyncio.wrap_future(in_thread(call.make)), call.within)
    return await asyncio.to_thread(call.make)


def _too_slow(call: Call) -> Failure:
    return Failure(TimeoutError(f"no answer within {call.within:g} s"))


def in_thread(function: Callable[[], object]) -> Future[object]:
    """Call a function in a thread that nobody has to wait for, not even the end of the process."""
    future: Future[object] = Future()

    future.set_running_or_notify_cancel()  # who no longer waits cannot take the place of an answer

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as problem:  # noqa: BLE001 -- handed to who waits
            future.set_exception(problem)

    threading.Thread(target=work, name="mailflows-scanner", daemon=True).start()
    return future
