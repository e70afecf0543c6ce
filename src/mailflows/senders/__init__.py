"""Sender control: stop senders with many invalid recipients, and compromised accounts."""

from __future__ import annotations

from mailflows.senders._control import SenderControl
from mailflows.senders._policy import SenderPolicy
from mailflows.senders._replay import SenderEvent
from mailflows.senders._verdict import SenderKind, SenderStatus

__all__ = [
    "SenderControl",
    "SenderEvent",
    "SenderKind",
    "SenderPolicy",
    "SenderStatus",
]
