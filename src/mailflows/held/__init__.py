"""Held mail: a small place for what waits for manual review. It is no mail queue."""

from __future__ import annotations

from mailflows.held._held import HeldMail, HeldMessage, HeldState

__all__ = ["HeldMail", "HeldMessage", "HeldState"]
