"""Stores: where counters and small documents live. Public names are imported from `mailflows.limits`."""

from __future__ import annotations

from mailflows._stores._bucket import BucketMeter
from mailflows._stores._documents import DocumentKeeper
from mailflows._stores._memory import MemoryStore
from mailflows._stores._meter import DistinctMeter, GcraMeter, Meter, WindowMeter
from mailflows._stores._redis import RedisStore
from mailflows._stores._row_store import Rows, RowStore
from mailflows._stores._sqlite import SQLiteStore
from mailflows._stores._store import Charge, Documents, Outcome, Store

__all__ = [
    "BucketMeter",
    "Charge",
    "DistinctMeter",
    "DocumentKeeper",
    "Documents",
    "GcraMeter",
    "MemoryStore",
    "Meter",
    "Outcome",
    "RedisStore",
    "RowStore",
    "Rows",
    "SQLiteStore",
    "Store",
    "WindowMeter",
]
