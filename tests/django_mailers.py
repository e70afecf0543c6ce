"""How a Django site names its backend: in MAILERS since Django 6.1, in EMAIL_BACKEND before."""

from __future__ import annotations

from typing import Any

import django

GATE = "mailflows.integrations.django.GateBackend"


def mail_settings(backend: str = GATE, others: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return the settings of a site whose mail goes through a backend, and its other mailers by name."""
    if django.VERSION >= (6, 1):
        return {"MAILERS": {"default": {"BACKEND": backend}, **(others or {})}}
    return {"EMAIL_BACKEND": backend, **({"MAILERS": others} if others else {})}
