"""Recipients: whether to write to an address, and what a whole mailing base is worth.

`check_recipient` says it for one address, `check_list` for a list; a `RecipientChecker` holds the settings
and the cache of both.
"""

from __future__ import annotations

from mailflows.recipients._checker import (
    RecipientChecker,
    acheck_recipient,
    aensure_recipient,
    check_recipient,
    ensure_recipient,
)
from mailflows.recipients._report import DomainState, Reason, RecipientReport, Trait, Verdict
from mailflows.recipients._traits import Overrides

__all__ = [
    "DomainState",
    "Overrides",
    "Reason",
    "RecipientChecker",
    "RecipientReport",
    "Trait",
    "Verdict",
    "acheck_recipient",
    "aensure_recipient",
    "check_recipient",
    "ensure_recipient",
]
