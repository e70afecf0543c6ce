"""Feedback: everything that comes back after sending, as one kind of `Event` with an action.

Bounces and complaints (`parse_bounce`), the replies of SMTP servers (`read_reply`, `from_reply`,
`from_smtp_exception`) and the webhooks of providers (`from_webhook`) all become events; a `SuppressionList`
learns from them.
"""

from __future__ import annotations

from mailflows.feedback._autoreply import parse_autoreply
from mailflows.feedback._bounce import parse_bounce
from mailflows.feedback._csv import export_suppressions, import_suppressions
from mailflows.feedback._event import Action, BounceReason, Event, EventType, Fault
from mailflows.feedback._outage import Outage, OutagePolicy
from mailflows.feedback._pace_rules import PaceChange
from mailflows.feedback._reply import Reply, from_reply, from_smtp_exception, read_reply
from mailflows.feedback._signatures import verify_webhook
from mailflows.feedback._sns import confirmation_url
from mailflows.feedback._suppression import SuppressionList
from mailflows.feedback._verp import Verp
from mailflows.feedback._webhooks import from_webhook

__all__ = [
    "PROVIDERS",
    "Action",
    "BounceReason",
    "Event",
    "EventType",
    "Fault",
    "Outage",
    "OutagePolicy",
    "PaceChange",
    "Reply",
    "SuppressionList",
    "Verp",
    "confirmation_url",
    "export_suppressions",
    "from_reply",
    "from_smtp_exception",
    "from_webhook",
    "import_suppressions",
    "parse_autoreply",
    "parse_bounce",
    "read_reply",
    "verify_webhook",
]

PROVIDERS: tuple[str, ...]
"""The names that `from_webhook` knows, read from the table when they are first asked for."""


def __getattr__(name: str) -> tuple[str, ...]:
    """Return `PROVIDERS`; a table is not read before it is needed."""
    if name == "PROVIDERS":
        from mailflows.feedback._webhook_table import providers  # noqa: PLC0415 -- not at import

        return providers()
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
