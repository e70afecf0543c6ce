"""The one decorator: it calls a sending function inside a context that checks before and reports after."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

__all__ = ["guarded"]


def guarded(  # noqa: PLR0913 -- what two kinds of contexts differ in
    function: Callable[..., Any],
    known: Mapping[str, str | Callable[[Mapping[str, Any]], object]],
    *,
    names: Collection[str],
    sending: Callable[..., AbstractContextManager[Any]],
    asending: Callable[..., AbstractAsyncContextManager[Any]],
    require: Callable[[Any], object] | None = None,
) -> Callable[..., Any]:
    """Return a function that is called inside a context, sync or async as it is itself.

    Args:
        function: The function that sends.
        known: For each argument of the context, the name of the parameter that holds it, or a function of all
            arguments by name.
        names: Arguments that the context takes.
        sending: Returns the context for a sync function; an exception on entering it stops the call.
        asending: The same for an async one.
        require: Called with the value that the context returns on entering; raises if the function must not
            be called.

    Raises:
        ConfigurationError: If the context takes no such argument, or the function has no such parameter.
    """
    signature = inspect.signature(function)
    _check(signature, known, names)

    def asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        named = bound.arguments
        return {key: named[how] if isinstance(how, str) else how(named) for key, how in known.items()}

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def behind(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- of any function
            async with asending(**asked(args, kwargs)) as entered:
                if require is not None:
                    require(entered)
                return await function(*args, **kwargs)

    else:

        @functools.wraps(function)
        def behind(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- of any function
            with sending(**asked(args, kwargs)) as entered:
                if require is not None:
                    require(entered)
                return function(*args, **kwargs)

    return behind


def _check(signature: inspect.Signature, known: Mapping[str, object], names: Collection[str]) -> None:
    """Refuse unknown arguments, and parameters that the function does not have."""
    for key, how in known.items():
        if key not in names:
            msg = f"guard() takes {', '.join(sorted(names))}; got {key!r}"
            raise ConfigurationError(msg, field=key)
        if isinstance(how, str) and how not in signature.parameters:
            parameters = ", ".join(signature.parameters) or "none"
            msg = f"{key}={how!r} is not a parameter of the function; it has {parameters}"
            raise ConfigurationError(msg, field=key)
