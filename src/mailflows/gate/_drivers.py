"""Who makes the calls that the parts want: a short sync driver, and a short async one."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

from mailflows.errors import ConfigurationError
from mailflows.gate._parts import Failure

if TYPE_CHECKING:
    from mailflows.gate._parts import Call, Steps

__all__ = ["arun", "run"]


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
        answer = getattr(call.target, call.name)(*call.args, **call.keywords)
    except Exception as problem:  # noqa: BLE001 -- whatever a part raises is said in the verdict
        return Failure(problem)
    if inspect.iscoroutine(answer):
        answer.close()
        return Failure(ConfigurationError("it is a coroutine function: use acheck()", field="scanners"))
    return answer


_PURE = frozenset({"classify", "route", "guard"})


async def arun(steps: Steps) -> None:
    """Do the same in an event loop: by an async twin, else in a thread; what only computes runs at once."""
    answer: object = None
    while True:
        try:
            call = steps.send(answer)
        except StopIteration:
            return
        answer = await _awaited(call)


async def _awaited(call: Call) -> object:
    method = getattr(call.target, f"a{call.name}", None) or getattr(call.target, call.name)
    is_coroutine = inspect.iscoroutinefunction(method) or inspect.iscoroutinefunction(call.target)
    try:
        if is_coroutine:
            return await method(*call.args, **call.keywords)
        if call.name in _PURE:
            return method(*call.args, **call.keywords)
        return await asyncio.to_thread(method, *call.args, **call.keywords)
    except Exception as problem:  # noqa: BLE001 -- whatever a part raises is said in the verdict
        return Failure(problem)
