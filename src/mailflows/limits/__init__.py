"""Limits: abuse limits, control of senders, pacing and warm-up, in memory, SQLite or Redis."""

from __future__ import annotations

from mailflows._stores import MemoryStore, RedisStore, SQLiteStore, Store
from mailflows.limits._attempt import Attempt, Keys
from mailflows.limits._decision import Decision, LimitReading
from mailflows.limits._limit import Limit
from mailflows.limits._limiter import Limiter

__all__ = [
    "Attempt",
    "Decision",
    "Keys",
    "Limit",
    "LimitReading",
    "Limiter",
    "MemoryStore",
    "RedisStore",
    "SQLiteStore",
    "Store",
]
