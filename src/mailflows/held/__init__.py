"""Held mail: a small store of messages that wait for manual review. It is not a mail queue."""

from __future__ import annotations

from mailflows.held._held import HeldMail, HeldState

__all__ = ["HeldMail", "HeldState"]
