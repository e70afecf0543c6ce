"""The audit of flows: SPF, DKIM, DMARC and what two flows share."""

from __future__ import annotations

from mailflows.audit._aggregates import read_reports
from mailflows.audit._audit import aaudit, audit
from mailflows.audit._report import AuditReport

__all__ = [
    "AuditReport",
    "aaudit",
    "audit",
    "read_reports",
]
