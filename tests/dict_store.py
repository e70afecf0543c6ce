"""The smallest store of one's own: rows in a dictionary."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mailflows.limits import RowStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailflows.testing import FixedClock


class DictStore(RowStore):
    """Rows in a dictionary: the smallest store of one's own.

    Args:
        clock: Returns the present moment.
        secret: See `RowStore`.
        kept: The rows, which several objects may share.
    """

    def __init__(
        self,
        clock: FixedClock,
        *,
        secret: Sequence[bytes] | None = None,
        kept: dict[str, tuple[bytes, float]] | None = None,
    ) -> None:
        super().__init__("dictionary", secret=secret)
        self.now = clock
        self._lock: Any = threading.RLock()
        self._kept: dict[str, tuple[bytes, float]] = {} if kept is None else kept

    @contextmanager
    def transaction(self, keys: Sequence[str]) -> Iterator[DictStore]:
        """See `RowStore.transaction`."""
        assert keys == sorted(set(keys))
        with self._lock:
            before = {key: self._kept.get(key) for key in keys}
            try:
                yield self
            except BaseException:
                for key, row in before.items():
                    self.put(key, *(row or (None, 0.0)))
                raise

    def get(self, key: str) -> tuple[bytes, float] | None:
        """See `Rows.get`."""
        return self._kept.get(key)

    def put(self, key: str, value: bytes | None, until: float) -> None:
        """See `Rows.put`."""
        self._kept.pop(key, None)
        if value is not None:
            self._kept[key] = (value, until)

    def rows(self, prefix: str) -> list[tuple[str, bytes, float]]:
        """See `RowStore.rows`."""
        return [(key, *row) for key, row in self._kept.items() if key.startswith(prefix)]
