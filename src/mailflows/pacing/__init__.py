"""Pacing and warm-up: a campaign at the rate that each mailbox provider accepts."""

from __future__ import annotations

from mailflows._providers import provider_of
from mailflows.pacing._pacer import Pacer
from mailflows.pacing._schedule import Schedule
from mailflows.pacing._send_slot import Slot
from mailflows.pacing._warm_up import WarmUp

__all__ = [
    "Pacer",
    "Schedule",
    "Slot",
    "WarmUp",
    "provider_of",
]
