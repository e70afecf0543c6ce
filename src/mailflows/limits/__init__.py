"""Limits on how much may be sent: any number of them in one decision, in memory, SQLite or Redis."""

from __future__ import annotations

from mailflows._stores import MemoryStore, RedisStore, Rows, RowStore, SQLiteStore, Store
from mailflows.limits import presets
from mailflows.limits._attempt import Attempt, Keys
from mailflows.limits._decision import Decision
from mailflows.limits._limit import Limit
from mailflows.limits._limiter import Limiter

__all__ = [
    "Attempt",
    "Decision",
    "Keys",
    "Limit",
    "Limiter",
    "MemoryStore",
    "RedisStore",
    "RowStore",
    "Rows",
    "SQLiteStore",
    "Store",
    "presets",
]
