"""Recipients: whether to write to an address, and how clean a whole list is.

`check_recipient` says it for one address, `check_list` for a list; a `RecipientChecker` holds the settings
and the cache of both.
"""

from __future__ import annotations

from mailflows._dns import Resolver
from mailflows.recipients._bounce_rate import Advice, Policy
from mailflows.recipients._checker import (
    RecipientChecker,
    acheck_list,
    acheck_recipient,
    aensure_recipient,
    check_list,
    check_recipient,
    ensure_recipient,
)
from mailflows.recipients._list_report import ListReport
from mailflows.recipients._report import Deliverability, DomainState, RecipientReport, Trait
from mailflows.recipients._signup import RiskLevel, signup_risk
from mailflows.recipients._traits import Overrides

__all__ = [
    "Advice",
    "Deliverability",
    "DomainState",
    "ListReport",
    "Overrides",
    "Policy",
    "RecipientChecker",
    "RecipientReport",
    "Resolver",
    "RiskLevel",
    "Trait",
    "acheck_list",
    "acheck_recipient",
    "aensure_recipient",
    "check_list",
    "check_recipient",
    "ensure_recipient",
    "signup_risk",
]
