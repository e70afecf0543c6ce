"""The async twin of a method that asks a store."""

from __future__ import annotations

import asyncio
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["twin"]

_Self = TypeVar("_Self")
_P = ParamSpec("_P")
_R = TypeVar("_R")


def twin(
    method: Callable[Concatenate[_Self, _P], _R],
) -> Callable[Concatenate[_Self, _P], Coroutine[Any, Any, _R]]:
    """Return a coroutine function that runs a method in a thread, with the same parameters."""

    @wraps(method)
    async def asked(self: _Self, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return await asyncio.to_thread(method, self, *args, **kwargs)

    asked.__name__ = f"a{method.__name__}"
    asked.__qualname__ = asked.__qualname__.replace(method.__name__, asked.__name__)
    asked.__doc__ = f"Do what `{method.__name__}` does without blocking the event loop."
    return asked
