"""Pacing and warm-up: a campaign at the rate that each mailbox provider accepts."""

from __future__ import annotations

from mailflows._providers import Provider, provider_of
from mailflows.pacing._pacer import Pacer
from mailflows.pacing._schedule import Schedule
from mailflows.pacing._send_slot import Slot
from mailflows.pacing._warm_up import Allowance, WarmUp, WarmUpState

__all__ = [
    "Allowance",
    "Pacer",
    "Provider",
    "Schedule",
    "Slot",
    "WarmUp",
    "WarmUpState",
    "provider_of",
]
