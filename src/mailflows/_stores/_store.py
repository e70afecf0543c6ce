"""What a store is: counters that are decided on together, and small documents that last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Documents", "update"]


class Documents(Protocol):
    """Small pieces of state that outlive a process: blocks, positions, suppressed addresses.

    A document is a few hundred bytes under a key of at most 200 printable ASCII characters, such as
    ``suppressed:global:4f1c…``. It is changed only as a whole, and only by who has seen what it was.
    """

    def digest(self, text: str) -> str:
        """Return a keyed hash of 32 hexadecimal digits, the same in every process that shares the store.

        What names a person enters a key only as this.
        """
        ...

    def load(self, key: str) -> bytes | None:
        """Return a document, or `None` where there is none, or no longer."""
        ...

    def swap(self, key: str, old: bytes | None, new: bytes | None, *, ttl: float | None = None) -> bool:
        """Put *new* in the place of *old*, and say whether *old* still stood there.

        Args:
            key: The document.
            old: What `load` gave; `None` for «there is none».
            new: What shall be there; `None` to remove it.
            ttl: Seconds after which it goes by itself; never by default.

        Raises:
            StoreError: If the store could not answer; the document is then as it was, or as wanted.
        """
        ...

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Yield every document whose key starts with *prefix*, in no order."""
        ...


def update(
    store: Documents,
    key: str,
    change: Callable[[bytes | None], bytes | None],
    *,
    ttl: float | None = None,
) -> bytes | None:
    """Change a document by a pure function of what it was, and return what it is now.

    The function runs again if another process was faster, so it must have no effects of its own.

    Raises:
        StoreError: If the store could not answer.
    """
    while True:
        old = store.load(key)
        new = change(old)
        if new == old or store.swap(key, old, new, ttl=ttl):
            return new
