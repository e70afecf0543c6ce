"""The audit of flows: SPF, DKIM, DMARC and what two flows share."""

from __future__ import annotations

from mailflows.audit._aggregates import DmarcReports, DmarcRow, read_reports
from mailflows.audit._audit import aaudit, audit
from mailflows.audit._report import AuditFinding, AuditReport
from mailflows.audit._spf import SpfCheck, SpfResult, check_host

__all__ = [
    "AuditFinding",
    "AuditReport",
    "DmarcReports",
    "DmarcRow",
    "SpfCheck",
    "SpfResult",
    "aaudit",
    "audit",
    "check_host",
    "read_reports",
]
