"""A decorator that puts a function which sends behind the gate."""

from __future__ import annotations

import functools
import inspect
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from mailflows._context import Context
from mailflows.errors import ConfigurationError, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from mailflows.gate._verdict import Verdict

__all__ = ["guarded"]

_KNOWN = ("message", "envelope", *(one.name for one in fields(Context)))


def guarded(
    function: Callable[..., Any],
    sending: Callable[..., AbstractContextManager[Verdict]],
    asending: Callable[..., AbstractAsyncContextManager[Verdict]],
    known: Mapping[str, str | Callable[[Mapping[str, Any]], object]],
) -> Callable[..., Any]:
    """Return a function that is called within `Gate.sending`, sync or async as it is."""
    signature = inspect.signature(function)
    _check(signature, known)

    def asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        named = bound.arguments
        return {key: named[how] if isinstance(how, str) else how(named) for key, how in known.items()}

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def behind(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- of any function
            async with asending(**asked(args, kwargs)) as verdict:
                _require_all(verdict)
                return await function(*args, **kwargs)

    else:

        @functools.wraps(function)
        def behind(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- of any function
            with sending(**asked(args, kwargs)) as verdict:
                _require_all(verdict)
                return function(*args, **kwargs)

    return behind


def _require_all(verdict: Verdict) -> None:
    """Refuse a message for which only some recipients are accepted: the function would write to all."""
    if verdict.refused and not verdict.dry_run:
        one = verdict.refused[0]
        msg = f"recipients that are refused: {len(verdict.refused)} ({one.part}: {one.sentence})"
        raise Refused(msg, verdict=verdict)


def _check(signature: inspect.Signature, known: Mapping[str, object]) -> None:
    """Refuse what no gate asks for, and parameters that the function does not have."""
    for key, how in known.items():
        if key not in _KNOWN:
            msg = f"guard() takes {', '.join(_KNOWN)}; got {key!r}"
            raise ConfigurationError(msg, field=key)
        if isinstance(how, str) and how not in signature.parameters:
            names = ", ".join(signature.parameters) or "none"
            msg = f"{key}={how!r} is no parameter of the function; it has {names}"
            raise ConfigurationError(msg, field=key)
