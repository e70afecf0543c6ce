"""Sender control: who mails many invalid addresses is warned, held and blocked."""

from __future__ import annotations

from mailflows.senders._control import SenderControl, SenderStatus, SenderVerdict
from mailflows.senders._rules import SenderPolicy, SenderReason

__all__ = ["SenderControl", "SenderPolicy", "SenderReason", "SenderStatus", "SenderVerdict"]
