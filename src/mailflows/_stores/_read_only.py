"""A read-only view of a store: what would be written stays in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailflows._stores._store import Charge, Outcome, Store

__all__ = ["ReadOnlyStore"]


class ReadOnlyStore:
    """Shows a store as it is; changes are seen by this process alone, and limits are only looked at.

    Args:
        store: What to look at.
    """

    def __init__(self, store: Store) -> None:
        self.name = f"{store.name}, read-only"
        self._store = store
        self._changed: dict[str, bytes | None] = {}

    def digest(self, text: str) -> str:
        """Return what the store returns."""
        return self._store.digest(text)

    def load(self, key: str) -> bytes | None:
        """Return a document, as it was changed here."""
        return self._changed[key] if key in self._changed else self._store.load(key)

    def swap(self, key: str, old: bytes | None, new: bytes | None, *, ttl: float | None = None) -> bool:  # noqa: ARG002
        """Change a document in memory."""
        if self.load(key) != old:
            return False
        self._changed[key] = new
        return True

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Yield documents, as they were changed here."""
        found: dict[str, bytes | None] = dict(self._store.scan(prefix))
        found |= {key: value for key, value in self._changed.items() if key.startswith(prefix)}
        yield from ((key, value) for key, value in found.items() if value is not None)

    def decide(
        self,
        charges: Sequence[Charge],
        *,
        within: float = 0.0,
        lease: float | None = None,
        look: bool = True,  # noqa: ARG002 -- it always is one
    ) -> Outcome:
        """Say what the store would decide."""
        return self._store.decide(charges, within=within, lease=lease, look=True)

    def settle(self, outcome: Outcome, *, keep: bool) -> None:
        """Do nothing: nothing was taken."""

    def reset(self, charges: Sequence[Charge]) -> None:
        """Do nothing: it is only looked at."""
