"""Integrations: the gate in front of what already sends your mail.

Each is a module of its own, which imports its partner at the top: `mailflows.integrations.smtplib`,
`mailflows.integrations.aiosmtplib`, `mailflows.integrations.django`, `mailflows.integrations.post_office` and
`mailflows.integrations.aiosmtpd`.
All return the outcome for each recipient as a `Delivery`. For a provider's SDK, `Gate.guard` decorates the
call.
"""

from __future__ import annotations

from mailflows.integrations._delivery import RecipientState, delivery_of, retry_after

__all__ = [
    "RecipientState",
    "delivery_of",
    "retry_after",
]
