"""Limits: abuse limits, control of senders, pacing and warm-up, in memory, SQLite or Redis."""

from __future__ import annotations

from mailflows._stores import MemoryStore, RedisStore, SQLiteStore, Store
from mailflows.limits import presets
from mailflows.limits._attempt import Attempt, Keys
from mailflows.limits._decision import Decision, LimitReading
from mailflows.limits._limit import Limit
from mailflows.limits._limiter import Limiter
from mailflows.limits._pacer import Pacer
from mailflows.limits._providers import Provider, provider_of
from mailflows.limits._replies import Reply, ReplyAction, classify_reply
from mailflows.limits._schedule import Schedule
from mailflows.limits._sender_control import SenderControl, SenderStatus, SenderVerdict
from mailflows.limits._sender_rules import SenderPolicy, SenderReason
from mailflows.limits._slot import Slot
from mailflows.limits._warm_up import Allowance, WarmUp, WarmUpState

__all__ = [
    "Allowance",
    "Attempt",
    "Decision",
    "Keys",
    "Limit",
    "LimitReading",
    "Limiter",
    "MemoryStore",
    "Pacer",
    "Provider",
    "RedisStore",
    "Reply",
    "ReplyAction",
    "SQLiteStore",
    "Schedule",
    "SenderControl",
    "SenderPolicy",
    "SenderReason",
    "SenderStatus",
    "SenderVerdict",
    "Slot",
    "Store",
    "WarmUp",
    "WarmUpState",
    "classify_reply",
    "presets",
    "provider_of",
]
