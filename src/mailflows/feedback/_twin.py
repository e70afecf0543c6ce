"""Methods that ask a store: written once, as steps of a conversation, for callers with and without a loop."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from mailflows._stores._documents import adrive, drive

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from mailflows._stores import DocumentKeeper
    from mailflows._stores._documents import Steps

__all__ = ["asked", "twin"]


class _Keeping(Protocol):
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


def _name(ask: Any, steps: Callable[..., object], name: str) -> None:  # noqa: ANN401 -- a function, to be marked
    """Let a function be shown as a method that returns what its steps return."""
    ask.__name__ = name
    ask.__qualname__ = f"{steps.__qualname__.rpartition('.')[0]}.{name}"
    shown = inspect.signature(steps)
    returned = str(shown.return_annotation).removeprefix("Steps[").removesuffix("]")
    ask.__signature__ = shown.replace(return_annotation=returned)
