"""Feedback: everything that comes back after sending, as one kind of `Event` with an action."""

from __future__ import annotations

from mailflows.feedback._event import Action, BounceReason, Event, EventType

__all__ = ["Action", "BounceReason", "Event", "EventType"]
