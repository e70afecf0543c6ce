"""A store that answers in an event loop only, as one of `redis.asyncio` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailflows.limits import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class AsyncStore:
    """Has the async verbs of a store; the others fail."""

    name = "async"

    def __init__(self) -> None:
        self._kept = MemoryStore()

    def __getattr__(self, verb: str) -> Any:
        if verb in {"load", "swap", "digest", "scan", "decide", "settle", "reset"}:
            msg = f"{verb} was asked outside of the event loop"
            raise AssertionError(msg)
        if verb in {"aload", "aswap", "adigest", "adecide", "asettle", "areset"}:
            return self._twin(verb[1:])
        raise AttributeError(verb)

    def _twin(self, verb: str) -> Any:
        async def asked(*arguments: Any, **how: Any) -> Any:
            return getattr(self._kept, verb)(*arguments, **how)

        return asked

    async def ascan(self, prefix: str = "") -> AsyncIterator[tuple[str, bytes]]:
        """Yield what there is."""
        for found in list(self._kept.scan(prefix)):
            yield found
