"""A decorator that puts a function which sends behind a limiter."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from mailflows.errors import ConfigurationError
from mailflows.limits._attempt import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mailflows.limits._limiter import Limiter

__all__ = ["guarded"]


def guarded(
    limiter: Limiter,
    function: Callable[..., Any],
    keys: Mapping[str, str | Callable[[Mapping[str, Any]], object]],
) -> Callable[..., Any]:
    """Return a function that reserves before it calls the given one, sync or async as that is."""
    signature = inspect.signature(function)
    _check(signature, keys)

    def attempt(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        named = bound.arguments
        return {key: named[how] if isinstance(how, str) else how(named) for key, how in keys.items()}

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def behind(*args: Any, **kwargs: Any) -> Any:
            async with limiter.asending(**attempt(args, kwargs)):
                return await function(*args, **kwargs)

    else:

        @functools.wraps(function)
        def behind(*args: Any, **kwargs: Any) -> Any:
            with limiter.sending(**attempt(args, kwargs)):
                return function(*args, **kwargs)

    return behind


def _check(signature: inspect.Signature, keys: Mapping[str, object]) -> None:
    """Refuse keys that no limit knows, and parameters that the function does not have."""
    known = {"message", *Keys.__annotations__}
    for key, how in keys.items():
        if key not in known:
            msg = f"guard() takes {', '.join(sorted(known))}; got {key!r}"
            raise ConfigurationError(msg, field=key)
        if isinstance(how, str) and how not in signature.parameters:
            names = ", ".join(signature.parameters) or "none"
            msg = f"{key}={how!r} is no parameter of the function; it has {names}"
            raise ConfigurationError(msg, field=key)
