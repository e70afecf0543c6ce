"""Stores: where counters and small documents live. Public names are had from `mailflows.limits`."""

from __future__ import annotations

from mailflows._stores._store import Documents, update

__all__ = ["Documents", "update"]
