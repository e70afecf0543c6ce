"""How parts are asked: each is a generator of calls, driven by a short sync loop and a short async one."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any, TypeAlias

from mailflows.errors import ConfigurationError
from mailflows.gate._verdict import shown

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

    def make(self) -> object:
        """Make it, in this thread."""
        return getattr(self.target, self.name)(*self.args, **self.keywords)


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that raised, or took too long."""

    problem: BaseException

    def __str__(self) -> str:
        """Return the kind of the error and, of our own errors, the text without what a log must not hold."""
        kind = type(self.problem)
        is_ours = kind.__module__.startswith("mailflows") or kind in {ValueError, TimeoutError}
        return shown(f"{kind.__name__}: {self.problem}") if is_ours else kind.__name__


Steps: TypeAlias = Generator[Call, Any, None]


def run(steps: Steps) -> None:
    """Make the calls of a part, one after the other."""
    answer: object = None
    while True:
        try:
            call = steps.send(answer)
        except StopIteration:
            return
        answer = _made(call)


def _made(call: Call) -> object:
    try:
        answer = call.make() if call.within is None else in_thread(call.make).result(call.within)
    except ConfigurationError:
        raise  # misuse, not a fault
    except FutureTimeoutError:
        return _too_slow(call)
    except Exception as problem:  # noqa: BLE001 -- whatever a part raises is said in the verdict
        return Failure(problem)
    if inspect.iscoroutine(answer):
        answer.close()
        return Failure(ValueError("it is a coroutine function: use acheck()"))
    return answer


async def arun(steps: Steps, *, is_small: bool) -> None:
    """Do the same in an event loop: by an async twin, else in a thread.

    Args:
        steps: The part.
        is_small: Whether what only computes may run in the loop.
    """
    answer: object = None
    while True:
        try:
            call = steps.send(answer)
        except StopIteration:
            return
        answer = await _awaited(call, is_small=is_small)


async def _awaited(call: Call, *, is_small: bool) -> object:
    method = getattr(call.target, f"a{call.name}", None) or getattr(call.target, call.name)
    try:
        if inspect.iscoroutinefunction(method) or inspect.iscoroutinefunction(call.target):
            return await asyncio.wait_for(method(*call.args, **call.keywords), call.within)
        if call.is_pure and is_small:
            return call.make()
        if call.within is not None:
            return await asyncio.wait_for(asyncio.wrap_future(in_thread(call.make)), call.within)
        return await asyncio.to_thread(call.make)
    except ConfigurationError:
        raise
    except TimeoutError as problem:
        return _too_slow(call) if call.within is not None else Failure(problem)
    except Exception as problem:  # noqa: BLE001 -- whatever a part raises is said in the verdict
        return Failure(problem)


def _too_slow(call: Call) -> Failure:
    return Failure(TimeoutError(f"no answer within {call.within:g} s"))


def in_thread(function: Callable[[], object]) -> Future[object]:
    """Call a function in a thread that nobody has to wait for, not even the end of the process."""
    future: Future[object] = Future()

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as problem:  # noqa: BLE001 -- handed to who waits
            future.set_exception(problem)

    threading.Thread(target=work, name="mailflows-scanner", daemon=True).start()
    return future
